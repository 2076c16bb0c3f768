#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh SIGPROF PROGRAMS CASE: profiles programs and judges what comes out. Rates and shares are
# judged loosely, since other work may run beside; that nothing is lost uncounted, exactly.
set -uo pipefail

sigprof=$1 programs=$2 case=$3
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0

complain() {
	printf 'FAILED: %s\n' "$*"
	bad=1
}

profile() { # name rate clock command...: leaves name.folded, name.top, name.out
	local name=$1 rate=$2 clock=$3 status
	shift 3
	timeout 60 "$sigprof" -r "$rate" -c "$clock" -o "$name" "$@" >"$name.out" 2>"$name.err"
	status=$?
	[ "$status" -eq 0 ] || complain "$name: status $status: $(tail -n 3 "$name.err")"
	if [ ! -s "$name.top" ] || [ ! -s "$name.folded" ]; then
		complain "$name: no profile"
		exit 1
	fi
	printf -- '-- %s at %s Hz, %s clock\n' "$name" "$rate" "$clock"
	head -n 12 "$name.top"
	consistent "$name"
}

summary() { # name what: the number that stands behind (before: samples) a word of the summary
	sed -n 's/.*\b'"$2"' \([0-9.]*\).*/\1/p' "$1.top" | head -n 1
}

folded_sum() { # name
	awk '{ sum += $NF } END { print sum + 0 }' "$1.folded"
}

consistent() { # name: the two files tell the same, and every line of stacks is well-formed
	[ "$(folded_sum "$1")" = "$(summary "$1" samples)" ] ||
		complain "$1: folded stacks add up to $(folded_sum "$1")"
	grep -vqE '^[^ ;]([^;]*[^ ;])?(;[^;]+)* [0-9]+$' "$1.folded" &&
		complain "$1: odd line $(grep -vE '^[^;]+(;[^;]+)* [0-9]+$' "$1.folded" | head -n 1)"
}

share() { # name function self|total: percent of the samples; function is a regular expression
	awk -v function_name="^($2)\$" -v how="$3" '
		{
			count = $NF; sub(/ [0-9]+$/, ""); n = split($0, frame, ";"); all += count
			for (i = how == "self" ? n : 1; i <= n; i++)
				if (frame[i] ~ function_name) { sum += count; break }
		}
		END { printf "%d\n", all ? 100 * sum / all : 0 }' "$1.folded"
}

at_least() { # name function self|total percent
	local is
	is=$(share "$1" "$2" "$3")
	[ "$is" -ge "$4" ] || complain "$1: $2 has $is % ($3), expected at least $4"
}

at_most() {
	local is
	is=$(share "$1" "$2" "$3")
	[ "$is" -le "$4" ] || complain "$1: $2 has $is % ($3), expected at most $4"
}

expiries() { # name rate seconds: samples and lost ones together, 50 to 130 % of rate x seconds
	awk -v n=$(($(summary "$1" samples) + $(summary "$1" lost))) -v rate="$2" -v seconds="$3" \
		'BEGIN { exit !(n >= 0.5 * rate * seconds && n <= 1.3 * rate * seconds + 50) }' ||
		complain "$1: $(summary "$1" samples) samples in $3 s of CPU time at $2 Hz"
}

nothing_lost() {
	[ "$(summary "$1" lost)" = 0 ] || complain "$1: lost $(summary "$1" lost)"
}

all_threads() {
	[ "$(summary "$1" timer)" = 0 ] || complain "$1: threads without a timer"
}

case_hot() {
	local rate threads name exported
	exported=$(nm -D --defined-only "$(dirname "$sigprof")/libsigprof.so" | awk '{ print $NF }' |
		sort | xargs)
	[ "$exported" = "_Exit __register_frame __register_frame_info _exit pthread_create sigaction signal" ] ||
		complain "libsigprof.so exports $exported"
	for rate in 1000 4000; do
		for threads in 0 3; do
			name=hot-$rate-$threads
			profile "$name" "$rate" cpu "$programs/hot" 0.6 "$threads"
			expiries "$name" "$rate" "$(cat "$name.out")"
			at_least "$name" busy_three self 55
			at_most "$name" busy_three self 90
			at_least "$name" busy_one self 10
			at_least "$name" work total 95
			nothing_lost "$name"
			all_threads "$name"
		done
	done
	# The time of day fires exactly; a thread that works all the time gets as many samples.
	profile hot-wall 4000 wall "$programs/hot" 0.6 0
	at_least hot-wall busy_three self 55
	[ "$(summary hot-wall samples)" -ge 1000 ] || complain "wall: $(summary hot-wall samples) samples"
}

case_churn() {
	# Timers of wall-clock time interrupt each thread 4000 times a second wherever it is.
	local clock
	for clock in cpu wall; do
		profile "churn-$clock" 4000 "$clock" "$programs/churn" 1 4
		[ "$(cat "churn-$clock.out")" = "done" ] || complain "churn-$clock did not finish"
		at_least "churn-$clock" 'malloc|free|realloc|.*_int_.*|churn_blocks' total 20
		[ "$(summary "churn-$clock" samples)" -ge 2000 ] || complain "churn-$clock: few samples"
	done
}

case_lost() {
	local taken
	# No worker: what was in stock is all there is. Nearly every sample needs a record.
	BMA_CONF=worker:off profile lost 4000 wall "$programs/maze" 2 40
	taken=$(($(summary lost samples) + $(summary lost lost)))
	[ "$taken" -ge 4000 ] || complain "lost: $taken expiries in at least 2 s at 4000 Hz"
	[ "$(summary lost lost)" -gt 0 ] || complain "lost: none of $taken"
	[ "$(summary lost refused)" -gt 0 ] || complain "lost: the cache refused none"
	# Each weighs one unless the machine stood still.
	[ "$(summary lost refused)" -le "$(summary lost lost)" ] ||
		complain "the cache refused $(summary lost refused), lost are $(summary lost lost)"
	# With the worker the stock grows.
	profile kept 1000 wall "$programs/maze" 2 40
	[ $(($(summary kept lost) * 10)) -le "$(summary kept samples)" ] ||
		complain "kept: lost $(summary kept lost) of $(summary kept samples) with a worker"
	profile deep 1000 wall "$programs/maze" 0.5 300
	at_least deep '\[deeper\]' total 60
}

case_family() {
	local child second third
	profile family 1000 cpu "$programs/family"
	read -r child second third <family.out
	expiries family 1000 0.8
	at_least family in_parent self 85
	consistent "family.$child"
	expiries "family.$child" 1000 0.8
	at_least "family.$child" in_child self 30
	at_least "family.$child" in_child_thread self 30
	at_most "family.$child" in_parent self 0
	expiries "family.$second" 1000 0.4
	at_least "family.$second" in_second self 85
	at_most "family.$second" 'in_parent|in_child' self 0
	[ ! -e "family.$third.top" ] || complain "a child of vfork wrote a profile"
	# The allocator's own threads, anew in a child that makes a thread, are none of the program's.
	profile waits 1000 wall "$programs/family"
	grep -h 'worker_main\|defer_main' waits*.folded && complain "the allocator was sampled"
}

case_own() {
	profile own 1000 cpu "$programs/own"
	expiries own 1000 0.8
	at_least own in_own self 80
	at_least own main total 90
	[ "$(summary own only)" -lt $(($(summary own samples) / 10)) ] || complain "own: stacks are shallow"
	# libgcc would lock and allocate while it searches a table that was registered.
	profile jit 1000 cpu "$programs/own" jit
	expiries jit 1000 0.8
	at_least jit in_own self 80
	at_most jit main total 10
	[ "$(summary jit only)" -ge 10 ] || complain "jit: $(summary jit only) shallow stacks"
}

case_programs() {
	local rate clock status_of
	seq 1 400000 | awk '{ print $1 * 7919 % 1000003, $1 }' >data
	# The kernel looks at CPU clocks on its tick; the time of day really fires 4000 times a second.
	while read -r rate clock; do
		profile "sort-$rate" "$rate" "$clock" sort -k 1,1n -k 2,2r --parallel=1 data
		cmp -s "sort-$rate.out" <(sort -k 1,1n -k 2,2r data) || complain "sort: other output"
		at_least "sort-$rate" 'sort\+0x.*' total 80
		nothing_lost "sort-$rate"

		profile "gzip-$rate" "$rate" "$clock" gzip -9 -c data
		gzip -dc <"gzip-$rate.out" | cmp -s - data || complain "gzip: other output"
		at_least "gzip-$rate" 'gzip\+0x.*' self 80
		[ "$(summary "gzip-$rate" samples)" -ge $((rate / 4)) ] || complain "gzip: few samples"
		nothing_lost "gzip-$rate"

		profile "xz-$rate" "$rate" "$clock" xz -3 -T 2 -c data
		xz -dc <"xz-$rate.out" | cmp -s - data || complain "xz: other output"
		at_least "xz-$rate" 'liblzma.*|lzma_.*' total 80
		nothing_lost "xz-$rate"

		profile "python-$rate" "$rate" "$clock" /usr/bin/python3 -c \
			'print(sum(i * i for i in range(5 * 10**6)))'
		[ "$(cat "python-$rate.out")" = 41666654166667500000 ] || complain "python: other output"
		at_least "python-$rate" _PyEval_EvalFrameDefault total 60
		at_least "python-$rate" _PyEval_EvalFrameDefault self 15
		nothing_lost "python-$rate"
	done <<-END
		1000 cpu
		4000 wall
	END
	# The status of a command is the launcher's.
	"$sigprof" -o status sh -c 'exit 7' 2>/dev/null
	status_of=$?
	[ "$status_of" -eq 7 ] || complain "status $status_of instead of 7"
}

case $case in
hot) case_hot ;;
churn) case_churn ;;
lost) case_lost ;;
family) case_family ;;
own) case_own ;;
programs) case_programs ;;
*) complain "no case $case" ;;
esac
exit $bad
