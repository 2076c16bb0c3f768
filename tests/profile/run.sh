#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh folded|pprof PROGRAM: of the 16.4 MB that program.c loses three quarters are lose_many's, the rest is lose_few's: so says the folded text, and so
# says pprof of the other. Within six deviations.
set -u
how=$1 program=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$program" "$dir/profile" "$dir/folded" || exit 1

check() { # of lines "function bytes", with the total
	awk '{ bytes[$1] = $2 } END {
		many = bytes["lose_many"] / 12288000; few = bytes["lose_few"] / 4096000; all = bytes["total"] / 16384000
		print "many " many " few " few " all " all
		exit !(many > 0.89 && many < 1.11 && few > 0.81 && few < 1.19 && all > 0.9 && all < 1.1) }'
}

case $how in
folded) # innermost is lose(), and before it who called it
	awk '/^sessions;.*;lose / { n = split($1, at, ";"); bytes[at[n - 1]] += $2; all += $2 }
		END { for (name in bytes) print name, bytes[name]; print "total", all }' "$dir/folded" | check
	;;
pprof)
	pprof=$(command -v google-pprof || command -v pprof) || {
		echo "no pprof here"
		exit 77
	}
	"$pprof" --text --cum --show_bytes "$program" "$dir/profile" 2>"$dir/log" >"$dir/text" || {
		cat "$dir/log"
		exit 1
	}
	awk '$1 == "Total:" { print "total", $2 } $6 ~ /^lose_/ { print $6, $4 }' "$dir/text" | check || {
		cat "$dir/text"
		exit 1
	}
	;;
esac
