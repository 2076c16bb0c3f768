#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh list|hit|trace LIBRARY PROGRAM SOURCE. list: the library's probes and how many arguments they have are those of docs/probes.md, and the scripts of
# tools/bpftrace name only these. hit: gdb stops at each of them in PROGRAM, and finds the names. trace: the scripts run, where bpftrace may.
# shellcheck disable=SC2016 # what is for other interpreters
set -u
how=$1 library=$2 program=$3 source=$4
bad=0

fail() {
	echo "$*"
	bad=1
}

built() { # "name count" of each probe
	readelf -n "$library" | awk '$1 == "Provider:" { mine = $2 == "bma" } $1 == "Name:" { name = $2 }
		$1 == "Arguments:" && mine { print name, NF - 1 }' | sort -u
}

documented() {
	sed -n '/^| probe |/,/^$/s/^| `\([a-z_]*\)` | \([^|]*\) |.*/\1 \2/p' "$source/docs/probes.md" |
		awk '{ name = $1; $1 = ""; print name, split($0, unused, ",") }' | sort -u
}

list() {
	[ -n "$(built)" ] || fail "$library has no probes"
	diff <(documented) <(built) || fail "docs/probes.md (<) is not what is built (>)"
	while read -r script probe; do
		built | grep -q "^$probe " || fail "$script: there is no probe $probe"
	done < <(cd "$source/tools/bpftrace" && grep -o 'bma:[a-z_]*' ./*.bt | sed 's/bma://; s/:/ /')
	while read -r script probe last; do
		[ "$last" -lt "$(built | sed -n "s/^$probe //p")" ] || fail "$script: $probe has no arg$last"
	done < <(awk '/^usdt:/ { n = split($0, at, ":"); probe = at[n] } { while (match($0, /arg[0-9]/)) {
		print FILENAME, probe, substr($0, RSTART + 3, 1); $0 = substr($0, RSTART + 4) } }' "$source"/tools/bpftrace/*.bt)
}

# Where there is a name it has to be one of the program's: arguments in the right order, and read while they are right.
hit() {
	local output commands=() name what
	command -v gdb >/dev/null || exit 77
	while read -r name _; do
		case $name in
		chunk_*) what='"%lu\n", $_probe_arg1' ;;
		alloc_fail) what='"%s %s\n", (char *)$_probe_arg0, (char *)$_probe_arg2' ;;
		*) what='"%s\n", (char *)$_probe_arg0' ;;
		esac
		commands+=(-ex "break -probe-stap bma:$name" -ex "python gdb.breakpoints()[-1].commands = r'''silent
printf \"hit $name \"
printf $what
python disable()
continue'''")
	done < <(built)
	# After so many stops one tells nothing new.
	output=$(gdb -nx -batch -ex 'set breakpoint pending on' -ex "python
def disable():
    for b in gdb.breakpoints():
        if b.hit_count > 200:
            b.enabled = False" -ex start "${commands[@]}" -ex continue "$program" 2>&1)
	for line in refill\ waves drain\ waves gp_queue\ waves gp_start\ memb gp_done\ memb slab_new\ waves slab_free\ waves \
		chunk_map\ 2097152 chunk_unmap\ 2097152 'alloc_fail bursts empty' 'alloc_fail limited limit' group_high\ small \
		group_max\ small group_oom\ small; do
		grep -qx "hit $line" <<<"$output" || fail "not seen: $line"
	done
	[ "$bad" -eq 0 ] || echo "$output" | tail -40
}

watch_for() { # seconds script pid
	timeout --foreground -s INT -k 60 "$1" bpftrace -p "$3" "$source/tools/bpftrace/$2" 2>&1
}

trace() {
	local script words output pid naps missing
	[ "$(bpftrace -e 'BEGIN { printf("works\n"); exit(); }' 2>/dev/null | grep -c works)" = 1 ] || {
		echo "bpftrace does not run here, left out"
		exit 77
	}
	"$program" 600 2>/dev/null &
	pid=$!
	# shellcheck disable=SC2064
	trap "kill $pid" EXIT
	while read -r script words; do
		# It takes a while to begin, and longer where others are busy.
		for naps in 3 6 12 24 48; do
			missing=
			output=$(watch_for "$naps" "$script" "$pid")
			for word in $words; do
				grep -qF -- "$word" <<<"$output" || missing=$word
			done
			[ -z "$missing" ] && break
		done
		[ -z "$missing" ] || fail "$script does not say $missing: $output"
	done <<-'END'
		refills.bt @refill_objects[waves]: @drain_objects[waves]:
		fails.bt @fails[bursts, @fails[limited, @above_high[small]: @at_max[small]: @oom[small]:
		grace_periods.bt @grace_period_us[memb]: @queued_bytes[waves]:
	END
}

case $how in
list) list ;;
hit) hit ;;
trace) trace ;;
esac
exit $bad
