#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Verify a model: all states, end states included.
# usage: run.sh MODEL.pml [-DMACRO...]
# With a macro other than LIVE it is a twin, which must fail. With LIVE what must come about in the end is
# verified, where threads that can go on do so. Prints model, states, seconds, outcome; exits 0 if the
# outcome is as it should be, 77 without spin. KEEP_TRAIL=1 prints the steps that led to an error.
set -eu

if ! command -v spin >/dev/null || ! command -v "${CC:-gcc}" >/dev/null; then
	echo "no spin, or no compiler: skipped"
	exit 77
fi
model=$(realpath "$1")
shift
expected=ok
options=(-DSAFETY)
search=(-m3000000)
for macro in "$@"; do
	case $macro in
	-DLIVE)
		options=(-DNFAIR=3)
		search+=(-a -f)
		;;
	-D*) expected=fails ;;
	*)
		echo "what is $macro?" >&2
		exit 2
		;;
	esac
done

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
spin -a "$@" "$model" >spin.log || {
	cat spin.log
	exit 2
}
"${CC:-gcc}" -O2 -w -DMEMLIM=1500 "${options[@]}" -o pan pan.c
begun=$(date +%s%N)
./pan "${search[@]}" >pan.log 2>&1 || true
ms=$((($(date +%s%N) - begun) / 1000000))

states=$(awk '/states, stored/ { print $1 }' pan.log)
what=$(sed -n 's/^pan:[0-9]*: *//p' pan.log | head -n 1)
if grep -q 'errors: 0$' pan.log && grep -q '^Full statespace search' pan.log &&
	! grep -qE 'Search not completed|max search depth too small|out of memory' pan.log; then
	outcome=ok
elif grep -qE 'assertion violated|invalid end state|acceptance cycle' <<<"$what"; then
	outcome=fails
else
	outcome=unknown
fi
printf '%s%s: %s states, %d.%02d s, %s%s\n' "$(basename "$model")" "${*:+ $*}" "${states:-?}" \
	$((ms / 1000)) $((ms % 1000 / 10)) "$outcome" "${what:+: $what}"
if [[ $outcome != "$expected" ]]; then
	echo "expected: $expected"
	cat pan.log
fi
if [[ -n ${KEEP_TRAIL:-} && -f $(basename "$model").trail ]]; then
	cp "$model" .
	spin -t -p -g -l "$@" "$(basename "$model")"
fi
[[ $outcome == "$expected" ]]
