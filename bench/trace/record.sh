#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Records what programs ask of malloc.
#
#   record.sh NAME...                            the committed traces, again from scratch
#   record.sh -o FILE [-n EVENTS] command...     any program; a folder of such files is what
#                                                BENCH_TRACES can name
#
# The second form needs nothing but the recorder; the first installs the programs.
set -uo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd) || exit 1
here=$root/bench/trace
build=$root/build/trace
# What git should hold at most.
limit=$((2 << 20))
# shellcheck source=scripts/lib/install.sh
source "$root/scripts/lib/install.sh"

usage() {
	cat >&2 <<-END
		usage: record.sh NAME...     (NAME: lua, redis, sqlite3, or all)
		       record.sh -o FILE [-n EVENTS] command [argument...]
	END
	exit 2
}

build_recorder() {
	mkdir -p "$build" || exit 1
	if ! { cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
		-DBMA_BUILD_TRACE=ON -DBMA_BUILD_TESTS=OFF -DBMA_BUILD_EXAMPLES=OFF \
		-DBMA_INSTALL=OFF && cmake --build "$build" --target bma_record bma-trace; } \
		>"$build/build.log" 2>&1; then
		cat "$build/build.log" >&2
		exit 1
	fi
	recorder=$build/bench/trace/libbma_record.so
	tool=$build/bench/trace/bma-trace
}

# In a process of its own. What it becomes by exec is recorded in its place, its children are not.
record() { # file command...
	local file=$1
	shift
	(
		export BMA_TRACE_OUT=$file BMA_TRACE_PID=$BASHPID LD_PRELOAD=$recorder
		exec "$@"
	)
}

record_sqlite3() { # file
	awk -f "$here/programs/sqlite3.awk" >shop.sql || return 1
	record "$1" sqlite3 -batch shop.db <shop.sql >answers || return 1
	[ "$(tail -n 1 answers)" = ok ] # the integrity check
}

# luacheck reads its own source: a parser, a flow analysis and a report, in Lua.
record_lua() { # file
	local found
	found=$(echo 'require "luacheck.main"' |
		LUA_PATH='/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua;/usr/share/lua/5.4/?.lua' \
			record "$1" lua5.4 - -q --no-color --no-cache --no-config /usr/share/lua/5.1/luacheck)
	printf '%s\n' "$found" | grep -q ' in [0-9]* files$'
}

# A server with three threads that read, parse and answer, beside those for background work. What
# they parse, and so allocate, is freed by the main thread. Keys and the order of threads differ from
# time to time: redis-benchmark draws them.
record_redis() { # file
	local load server
	# The binary of redis-tools is the server, too; redis-server would bring a service along.
	# shellcheck disable=SC2016
	record "$1" bash -c 'exec -a redis-server redis-check-rdb "$@"' redis \
		--port 0 --unixsocket "$PWD/socket" --save '' --io-threads 3 --io-threads-do-reads yes \
		--lazyfree-lazy-user-del yes >server.log 2>&1 &
	server=$!
	for _ in {1..100}; do
		redis-cli -s socket ping >/dev/null 2>&1 && break
		sleep 0.1
	done
	load=(redis-benchmark -s socket --csv -c 50 -r 3000)
	"${load[@]}" -n 5000 -d 100 -t set,get,lpush,rpop,hset,sadd,zadd,lrange_100 >load.csv &&
		"${load[@]}" -n 5000 -d 700 -P 8 -t set,get,mset >>load.csv
	redis-cli -s socket shutdown nosave
	wait "$server" && [ -s load.csv ]
}

record_again() { # name: committed form
	local name=$1 size
	rm -rf "${dir:?}"/*
	if ! (cd "$dir" && "record_$name" "$dir/$name.trace"); then
		echo "record.sh: $name did not run as it should" >&2
		return 1
	fi
	"$tool" check "$dir/$name.trace" || return 1
	mkdir -p "$here/data" && xz -9e "$dir/$name.trace" || return 1
	size=$(stat -c %s "$dir/$name.trace.xz")
	if [ "$size" -gt "$limit" ]; then
		echo "record.sh: $name has $size bytes, over the limit of $limit" >&2
		return 1
	fi
	mv "$dir/$name.trace.xz" "$here/data/" && echo "$here/data/$name.trace.xz: $size bytes"
}

file='' events=''
while getopts o:n:h option; do
	case $option in
	o) file=$OPTARG ;;
	n) events=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage

if [ -n "$file" ]; then
	[[ $file = /* ]] || file=$PWD/$file
	mkdir -p "$(dirname "$file")" || exit 1
	[ -z "$events" ] || export BMA_TRACE_EVENTS=$events
	bma_install build || exit 1
	build_recorder
	record "$file" "$@"
	status=$?
	"$tool" check "$file" >&2 || exit 2
	exit $status
fi

[ "$*" != all ] || set -- lua redis sqlite3
for name in "$@"; do
	case $name in lua | redis | sqlite3) ;; *) usage ;; esac
done
bma_install build trace || exit 1
build_recorder
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
for name in "$@"; do
	record_again "$name" || exit 1
done
