#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh PROGRAM SCRIPT live|core|bare|installed: what SCRIPT (tools/gdb/bma.py) says of the objects of program.c, while it is stopped in abort(),
# or in the core file that it leaves; bare: of a library without debug information it has to say so; installed: gdb finds it by
# itself where it is installed (SCRIPT: the build to install).
set -u
program=$1 script=$2 how=$3
command -v gdb >/dev/null || {
	echo "no gdb here"
	exit 77
}
dir=$(mktemp -d) || exit 1
core=
trap 'rm -rf "$dir"; [ -n "$core" ] && rm -f "$core"' EXIT

# The kernel's way of writing one: what was never touched is a hole. gdb's own would take gigabytes.
leave_core() {
	local pattern pid
	pattern=$(cat /proc/sys/kernel/core_pattern 2>/dev/null)
	case $pattern in
	"" | "|"* | *%[!p]*)
		echo "core files go to \"$pattern\" here, left out"
		exit 77
		;;
	/*) ;;
	*) pattern=$dir/$pattern ;;
	esac
	ulimit -c unlimited || {
		echo "no core files here, left out"
		exit 77
	}
	(cd "$dir" && exec "$program") &
	pid=$!
	wait "$pid"
	core=${pattern//%p/$pid}
	[ -e "$core" ] || core=$core.$pid
	[ -e "$core" ] || {
		core=
		echo "no core file was left at ${pattern//%p/$pid}"
		exit 77
	}
}

commands=()
ask() {
	for command in "$@"; do
		commands+=(-ex "echo >>> $command\\n" -ex "$command")
	done
}
names=(live live+5 freed in_depot in_limbo is_sealed fresh at_home at_home-64 tracked grouped percpu_copy large_object large_object+7000000 guarded
	guarded-4096 in_quarantine profiled cache here)
ask "bma caches" "bma stats" "bma caches sess"
for name in "${names[@]}"; do
	ask "bma whatis $name"
done

case $how in
live) # at last with lists that go round
	commands=(-ex run "${commands[@]}" -ex "source ${0%/*}/spoil.py")
	for command in "bma whatis grouped" "bma whatis here" "bma whatis in_depot" "bma whatis in_depot+64" "bma caches"; do
		commands+=(-ex "echo >>> spoilt $command\\n" -ex "$command")
	done
	target=("$program")
	;;
core)
	leave_core
	target=("$program" "$core")
	;;
bare) # the library that the program finds first
	objcopy --strip-debug "$(ldd "$program" | awk '$1 ~ /^libbma/ { print $3 }')" "$dir/libbma.so.0.1" || exit 1
	output=$(LD_LIBRARY_PATH=$dir gdb -nx -batch -ex "source $script" -ex "set startup-with-shell off" \
		-ex "set environment LD_LIBRARY_PATH=$dir" -ex run -ex "bma whatis live" "$program" 2>&1)
	grep -q "no debug information for .*: is the library loaded, and has it any" <<<"$output" && exit 0
	echo "$output"
	exit 1
	;;
installed)
	"${CMAKE:=cmake}" --install "$script" --prefix "$dir/p" >"$dir/log" 2>&1 || {
		cat "$dir/log"
		exit 1
	}
	lib=$(dirname "$(find "$dir/p" -name 'libbma.so.*' -type f -not -name '*.py')")
	# It is meant for the prefix that was configured; this one is another.
	mkdir -p "$dir/auto$lib" && mv "$dir/p/share/gdb/auto-load$LIBDIR/"*-gdb.py "$dir/auto$lib/" || exit 1
	output=$(gdb -nx -batch -iex "set auto-load scripts-directory $dir/auto" -iex "add-auto-load-safe-path $dir/auto" -ex "set environment LD_LIBRARY_PATH=$lib" -ex run -ex "bma whatis cache" \
		"$program" 2>&1)
	grep -q 'the handle of cache "sessions"' <<<"$output" && exit 0
	echo "$output"
	exit 1
	;;
esac
output=$(cd "$dir" && timeout 120 gdb -nx -batch -ex "source $script" "${commands[@]}" "${target[@]}" 2>&1)

bad=0
expect() { # command pattern...: the answer has these lines
	local command=$1 answer
	shift
	answer=$(awk -v begin=">>> $command" '/^>>> /{ on = $0 == begin; next } on' <<<"$output")
	for pattern in "$@"; do
		grep -qE -- "$pattern" <<<"$answer" || {
			printf '%s: does not say: %s\n' "$command" "$pattern"
			bad=1
		}
	done
}

expect "bma caches" '^NAME +SIZE +LIVE +CACHED +LIMBO' '^sessions +64 +1 ' '^connections +64 +0 +[0-9]+ +400 ' '^requests +64 +1 ' \
	'^others\+tenants +64 +1 '
expect "bma caches sess" '^sessions +64 +1 '
expect "bma stats" '^mode: BMA_MODE_' '^of these in slabs: [1-9]' '^rcu "memb"'
expect "bma whatis live" 'of cache "sessions", object 0x[0-9a-f]+ of 64 bytes$' '  state: live$' 'charged to: the root group'
expect "bma whatis live+5" 'of cache "sessions", object 0x[0-9a-f]+ of 64 bytes, 5 bytes in$' '  state: live$'
expect "bma whatis freed" 'of cache "sessions"' '  state: cached, in (guest )?slot [0-9]+, element [0-9]+ of [0-9]+ in magazine 0x'
expect "bma whatis in_depot" 'of cache "singles"' '  state: cached, in the depot'
expect "bma whatis in_limbo" 'of cache "connections"' '  state: limbo: fills in (guest )?slot'
expect "bma whatis is_sealed" 'of cache "connections"' '  state: limbo: sealed, for the next grace period'
expect "bma whatis fresh" 'of cache "sessions"' '  state: never handed out'
expect "bma whatis at_home" 'of cache "homes"' '  state: free, at home in its slab'
expect "bma whatis at_home-64" 'of cache "homes"' '  state: live$'
expect "bma whatis tracked" 'of cache "requests"' '  state: live$' '  allocated by thread [0-9]+:' 'take, inlined in allocates_a_request|  0x[0-9a-f]+ allocates_a_request'
expect "bma whatis grouped" 'cache "tenants" \(shared by: others\)' '  state: live$' 'charged to: group "web"'
expect "bma whatis percpu_copy" 'object 0x[0-9a-f]+ of 64 bytes, copy of slot 1' '  state: live$'
expect "bma whatis large_object" 'large object 0x[0-9a-f]+ of 9437184 bytes, of heap ".*", 0 bytes in' '  state: live'
expect "bma whatis large_object+7000000" 'large object 0x[0-9a-f]+ of 9437184 bytes, of heap ".*", 7000000 bytes in'
expect "bma whatis guarded" 'of cache "samples", sampled object 0x[0-9a-f]+ of 64 bytes' '  state: live' 'allocated by thread'
expect "bma whatis guarded-4096" 'a guard page'
expect "bma whatis in_quarantine" 'of cache "checked"' '  state: cached, in quarantine'
expect "bma whatis profiled" 'of cache "profiled"' '  state: live$' '  in the heap profile, for 64 bytes, allocated:' \
	'take, inlined in allocates_a_session|  0x[0-9a-f]+ allocates_a_session'
expect "bma whatis cache" 'of the library itself: the handle of cache "sessions"'
expect "bma whatis here" 'not of this library'
if [ "$how" = live ]; then
	expect "spoilt bma whatis grouped" 'cache "tenants"' 'damaged: the way up from group' 'charged to: group "web"'
	expect "spoilt bma whatis here" 'damaged: a list of slabs of cache "' 'not of this library'
	expect "spoilt bma whatis in_depot" 'damaged: magazine 0x[0-9a-f]+ has 2147483647 elements' 'of cache "singles"'
	expect "spoilt bma caches" 'damaged: a list of magazines of cache "singles" goes round' '^singles ' '^sessions +64 +1 '
fi
[ $bad -eq 0 ] && exit 0
echo "$output"
exit 1
