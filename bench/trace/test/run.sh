#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh BUILD CASE: BUILD is where bma-trace, libbma_record.so and the programs of the tests are.
set -uo pipefail

build=$1 case=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
tool=$build/bma-trace
bad=0

complain() {
	printf 'FAILED: %s\n' "$*"
	bad=1
}

# In a process of its own: it is the one that is recorded.
record() { # file command...
	local file=$PWD/$1
	shift
	(
		export BMA_TRACE_OUT=$file BMA_TRACE_PID=$BASHPID LD_PRELOAD=$build/libbma_record.so
		exec "$@"
	) || complain "$*: status $?"
}

# Thread, kind, size before, size after; of the objects of 10000 to 10999 bytes.
known_events() { # file
	"$tool" dump "$1" | awk '
		$3 == "thread" { next }
		$3 == "free" || $3 == "realloc" { before = size[$4]; after = $3 == "free" ? "-" : $5 }
		$3 != "free" && $3 != "realloc" { before = "-"; after = $4 }
		{ size[$1] = after }
		before ~ /^10[0-9][0-9][0-9]$/ || after ~ /^10[0-9][0-9][0-9]$/ {
			print $2, $3, before, after, $5 * ($3 == "aligned")
		}'
}

test_record() {
	record known.trace "$build/trace_known"
	"$tool" check known.trace || complain "check: status $?"
	known_events known.trace >is
	cat >expected <<-END
		0 malloc - 10001 0
		0 realloc 10001 10002 0
		0 calloc - 10005 0
		0 free 10002 - 0
		0 malloc - 10003 0
		0 free 10003 - 0
		0 realloc 10005 10011 0
		0 free 10011 - 0
		0 aligned - 10048 64
		0 aligned - 10004 256
		0 aligned - 10006 4096
		0 free 10006 - 0
		0 free 10048 - 0
		0 malloc - 10101 0
		1 free 10004 - 0
		1 malloc - 10201 0
		1 malloc - 10202 0
		1 free 10202 - 0
		0 free 10201 - 0
		0 free 10101 - 0
		0 malloc - 10009 0
	END
	diff expected is || complain "other events than those of the program"
	"$tool" dump known.trace | awk '$3 == "thread" { print $2, $4 }' | grep -qx '0 1' ||
		complain "thread 0 did not create thread 1"
}

test_limit() {
	export BMA_TRACE_EVENTS=15
	record known.trace "$build/trace_known"
	"$tool" check known.trace | grep -q ' 15 events' || complain "not 15 events"
}

test_busy() {
	local is
	record busy.trace "$build/trace_busy" >handed_over
	"$tool" check busy.trace || complain "check: status $?"
	is=$("$tool" dump busy.trace | awk '
		($3 == "free" || $3 == "realloc") && $5 >= 20000 && $2 != maker[$4] { n++ }
		$3 != "free" && $3 != "thread" { maker[$1] = $2 }
		END { print n + 0 }')
	[ "$is" = "$(cat handed_over)" ] ||
		complain "handed over: $is in the trace, $(cat handed_over) in the program"
}

# The process ends while its threads are in the middle of calls: no number may be missing.
test_leave() {
	local i
	for ((i = 0; i < 30; i++)); do
		record leave.trace "$build/trace_busy" leave
		"$tool" check leave.trace >figures || complain "check: status $?"
	done
	cat figures
}

# Everything before the bad record is there, and the message names that one.
broken() { # what record: of bad.trace; so many records are left
	local status
	"$tool" dump bad.trace >bad.dump 2>message
	status=$?
	[ "$status" -eq 2 ] || complain "$1: status $status"
	grep -q "^bad.trace: record $2: $1" message ||
		complain "$(cat message), instead of record $2: $1"
	head -n "$2" whole.dump | cmp -s - bad.dump || complain "$1: not the $2 records before it"
}

b() { # octet...: in decimal
	local octet
	for octet; do
		# shellcheck disable=SC2059
		printf "\\x$(printf %x "$octet")"
	done
}

# Thread 0: malloc(16), malloc(300), thread 1; thread 1: free the first, malloc(20); thread 0: free
# that. What comes later stands first in the file.
write_whole() {
	printf 'BMATRC1\n'
	b 2 2 3 4 2 3 1 20
	b 1 4 0 9 1 16 1 172 2 6 1 18 1
	b 0 6
}

# The first three of these, with what is given before and behind them.
write_bad() { # "chunks before" events "their octets" "end"
	local -a before more end
	read -ra before <<<"$1"
	read -ra more <<<"$3"
	read -ra end <<<"$4"
	{
		printf 'BMATRC1\n'
		b "${before[@]}"
		b 1 $((3 + $2)) 0 $((7 + ${#more[@]})) 1 16 1 172 2 6 1 "${more[@]}" "${end[@]}"
	} >bad.trace
}

make_whole() {
	write_whole >whole.trace
	"$tool" dump whole.trace >whole.dump || complain "whole: status $?"
	cat >expected <<-END
		0 0 malloc 16
		1 0 malloc 300
		2 0 thread 1
		3 1 free 0 16
		4 1 malloc 20
		5 0 free 4 20
	END
	diff expected whole.dump || complain "whole: other events"
}

test_cut() {
	local size n left
	make_whole
	size=$(stat -c %s whole.trace)
	for ((n = 8; n < size; n++)); do
		head -c "$n" whole.trace >bad.trace
		"$tool" dump bad.trace 2>/dev/null >bad.dump
		left=$(wc -l <bad.dump)
		broken '' "$left"
	done
	head -c $((size - 2)) whole.trace >bad.trace
	broken 'missing, the file is cut off' 6
	head -c $((size - 3)) whole.trace >bad.trace
	broken 'ends in the middle' 5
	head -c 4 whole.trace >bad.trace
	broken 'not a trace' 0
}

test_unknown() {
	make_whole
	write_bad '2 1 3 2 2 3' 1 '10 4' '0 5'
	broken 'free of the unknown object 0' 4
	write_bad '' 1 '2 1' '0 4'
	broken 'free of the unknown object 2' 3
	write_bad '' 1 '3 1 9' '0 4'
	broken 'realloc of the unknown object 2' 3
	write_bad '3 1 3 2 1 20' 0 '' '0 4'
	broken 'of the unknown thread 2' 3
	write_bad '' 1 '6 1' '0 4'
	broken 'thread 1 begins again' 3
	write_bad '2 1 4 2 1 20' 0 '' '0 5'
	broken missing 3
	write_bad '2 1 2 2 1 20' 0 '' '0 4'
	broken 'is there twice' 2
	write_bad '' 1 '7 0' '0 4'
	broken 'makes no sense' 3
	write_bad '' 1 '2 4' '0 4'
	broken 'makes no sense' 3
	write_bad '2 1 3 3 2 3 1' 0 '' '0 4'
	broken 'more bytes than events' 4
	write_bad '' 0 '' '0 2'
	broken 'comes after the end' 2
	write_bad '' 0 '' '0 3 0'
	broken 'bytes after the end' 3
}

case $case in
record) test_record ;;
limit) test_limit ;;
busy) test_busy ;;
leave) test_leave ;;
cut) test_cut ;;
unknown) test_unknown ;;
*) complain "no case $case" ;;
esac
exit "$bad"
