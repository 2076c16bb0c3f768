#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bmatop in a real terminal: keys are pressed, and what stands on the screen is compared with the pictures that are kept here.
#
#	screen.sh BMATOP EXPORTING PICTURES [take]
#
# "take" writes the pictures instead. What differs from machine to machine is # there.
set -uo pipefail

bmatop=$1 exporting=$2 pictures=$3 take=${4:-}
command -v tmux >/dev/null || exit 77
dir=$(mktemp -d)
socket=$dir/tmux
bad=0
export LC_ALL=C TERM=xterm

# shellcheck disable=SC2317
cleanup() { # by the trap
	tmux -S "$socket" kill-server 2>/dev/null
	if [ -n "${pid:-}" ]; then
		kill -9 "$pid" 2>/dev/null
		rm -f "/dev/shm/bma-$(id -u)-$pid"
	fi
	rm -rf "$dir"
}
trap cleanup EXIT

complain() {
	echo "$*"
	bad=1
}

screen() { # what stands there, without what differs
	tmux -S "$socket" capture-pane -p 2>/dev/null | sed -E \
		-e "s/pid $pid /pid # /" -e 's/stale, no update for [0-9]+ s/running/' -e 's/bma [0-9.]+,/bma #,/' \
		-e 's/slots [0-9]+,/slots #,/' -e 's/^Resident [^:]+:/Resident #:/' -e 's/metadata .*/metadata #/' \
		-e 's/^(guest +)[0-9]+ /\1# /' -e '/ELSEWHERE/,$ s/^( +[0-9]+ +)[0-9]+ /\1# /' -e 's/ +$//'
}

await() { # words: until they stand there, with patience
	local i
	for ((i = 0; i < 400; i++)); do
		screen >"$dir/seen"
		grep -qE -- "$1" "$dir/seen" && return
		sleep 0.05
	done
	complain "\"$1\" never came; on the screen:"
	cat "$dir/seen"
}

press() {
	tmux -S "$socket" send-keys "$1"
}

picture() { # name: the screen comes to look as it did. It may have been caught half drawn
	local i
	if [ "$take" = take ]; then
		sleep 0.5
		screen >"$pictures/$1.txt"
		return
	fi
	for ((i = 0; i < 200; i++)); do
		cmp -s "$pictures/$1.txt" "$dir/seen" && return
		sleep 0.05
		screen >"$dir/seen"
	done
	diff -u "$pictures/$1.txt" "$dir/seen"
	complain "$1 looks different"
}

order() { # key, names from above
	local i names
	press "$1"
	await "now $1"
	for ((i = 0; i < 200; i++)); do
		names=$(sed -n '7,12s/.*  //p' "$dir/seen" | cut -c1-4 | xargs)
		[ "$names" = "$2" ] && return
		sleep 0.05
		screen >"$dir/seen"
	done
	complain "sorted by $1: $names, not $2"
}

mkfifo "$dir/in"
BMA_CONF=export,worker:off,rseq:off "$exporting" <"$dir/in" >"$dir/out" &
pid=$!
exec 9>"$dir/in"
until grep -q ready "$dir/out"; do
	kill -0 "$pid" 2>/dev/null || {
		echo "the process did not start"
		exit 1
	}
	sleep 0.05
done
tmux -S "$socket" -f /dev/null new-session -d -x 100 -y 24 "$bmatop -d 0.2 $pid 2>$dir/err; echo left \$? >>$dir/err"

await 'now o$'
await ' timer$'
picture caches
press P
await '^KIND'
picture cpus
press N
await ELSEWHERE
picture nodes
press G
await '^ CURRENT'
picture groups
press L
await '^FLAVOUR'
picture limbo
# Letters that sort do nothing elsewhere; Tab goes on to the first view.
press n
press Tab
await 'now o$'
picture caches
order n "flow name pack time twin twin"
order a "flow name time pack twin twin"
order s "pack twin twin time flow name"
order b "name flow time twin twin pack"
order c "pack twin twin time flow name"
order l "pack twin twin time flow name"
order v "pack twin twin time flow name"
order p "flow name pack time twin twin"
order u "name flow time pack twin twin"
order o "flow name time pack twin twin"
# A process that hangs is shown; one that dies leaves its last figures.
kill -STOP "$pid"
await ', stopped$'
press G
await '^ CURRENT'
await ' flows$'
kill -KILL "$pid"
await ', ended, last figures$'
press C
await ' timer$'
press q
for ((i = 0; i < 200; i++)); do
	grep -q left "$dir/err" && break
	sleep 0.05
done
[ "$(cat "$dir/err")" = "left 0" ] || complain "it ended with: $(cat "$dir/err")"
exit $bad
