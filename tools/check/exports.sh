#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# exports.sh LIBRARY...: a shared library exports names that begin with bma_ and no others.
set -uo pipefail

bad=0
if [ -z "${1:-}" ]; then
	echo "usage: exports.sh LIBRARY..." >&2
	exit 1
fi
for library in "$@"; do
	names=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }') || exit 1
	[ -n "$names" ] || {
		echo "$library:0: exports nothing"
		bad=1
	}
	for name in $names; do
		case $name in
		bma_*) ;;
		*)
			echo "$library:0: exports $name"
			bad=1
			;;
		esac
	done
done
exit $bad
