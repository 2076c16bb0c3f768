#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh TOOL PROGRAM CASE [TEXT]: runs a case of program.c under the tool (asan, msan: PROGRAM is built with it; memcheck).
# With TEXT the tool has to say that; without, nothing, and the program has to return 0.
set -u
tool=$1 program=$2 case=$3 text=${4-}

case $tool in
asan | msan) command=("$program" "$case") ;;
memcheck)
	command -v valgrind >/dev/null || exit 77
	command=(valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
		"$program" "$case")
	;;
*) exit 2 ;;
esac
output=$(ASAN_OPTIONS=exitcode=99 MSAN_OPTIONS=exitcode=99 BMA_CONF=${BMA_CONF-worker:off} "${command[@]}" 2>&1)
status=$?
if [ -n "$text" ]; then
	[ $status -ne 0 ] && grep -qF "$text" <<<"$output" && exit 0
	echo "expected: $text"
elif [ $status -eq 0 ]; then
	exit 0
fi
echo "$tool $case: status $status"
echo "$output"
exit 1
