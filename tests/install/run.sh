#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh CASE SOURCE BUILD VERSION: links programs with the library of the tree BUILD (case pkgconfig:
# installed, by examples/rcuhash/Makefile; package: installed, by find_package), or with that of SOURCE
# (case subdirectory: by add_subdirectory). CC, CMAKE and CMAKE_GENERATOR come from the build.
set -uo pipefail

case=$1 source=$2 build=$3 version=$4
soname=libbma.so.${version%.*} # while the version is 0.y
: "${CC:=cc}" "${CMAKE:=cmake}"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# What would send files elsewhere, or hand options of an outer make on.
unset DESTDIR MAKEFLAGS

fail() {
	printf 'FAILED: %s\n' "$*"
	exit 1
}

quiet() { # command...: its output only if it fails
	"$@" >"$dir/log" 2>&1 && return
	cat "$dir/log"
	fail "$*"
}

takes() { # program [library]: this is the libbma it names, or it names none
	local names
	names=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(libbma.*\)\]/\1/p')
	[ "$names" = "${2:-}" ] || fail "${1##*/} names '$names', not '${2:-}'"
}

install_to() { # prefix [option of cmake --install]...
	quiet "$CMAKE" --install "$build" --prefix "$@"
}

find_pc() { # prefix: uses its bma.pc from here on
	local file
	file=$(find "$1" -name bma.pc)
	[ -n "$file" ] || fail "no bma.pc"
	PKG_CONFIG_PATH=$(dirname "$file")${path:+:$path}
	export PKG_CONFIG_PATH
	quiet pkg-config --validate bma
	[ "$(pkg-config --modversion bma)" = "$version" ] || fail "bma.pc: $(pkg-config --modversion bma)"
}

library_dir() { # prefix: where its shared library is
	dirname "$(find "$1" -name "libbma.so.$version")"
}

run_shared() { # prefix: app/rcuhash takes the library there
	local lib found
	lib=$(library_dir "$1")
	takes "$dir/app/rcuhash" "$soname"
	found=$(LD_LIBRARY_PATH=$lib ldd "$dir/app/rcuhash" | grep "$soname => ")
	[[ $found == *"=> $lib/"* ]] || fail "not in $lib: $found"
	LD_LIBRARY_PATH=$lib quiet "$dir/app/rcuhash" 1
}

case_pkgconfig() {
	local path=${PKG_CONFIG_PATH:-} flags
	command -v make >/dev/null || exit 77

	install_to "$dir/here"
	quiet diff -r "$source/include/bma" "$dir/here/include/bma"
	mkdir "$dir/app" || exit 1
	cp "$source"/examples/rcuhash/{Makefile,rcuhash.c} "$dir/app" || exit 1
	find_pc "$dir/here"
	quiet make -C "$dir/app"
	run_shared "$dir/here"

	# Programs run with what Runtime brings, and it brings nothing else.
	install_to "$dir/runtime" --component Runtime
	[ -z "$(find "$dir/runtime" ! -type d ! -name 'libbma.so.*')" ] ||
		fail "Runtime: $(find "$dir/runtime" ! -type d -printf '%P ')"
	run_shared "$dir/runtime"

	quiet make -C "$dir/app" -B STATIC=1
	takes "$dir/app/rcuhash"
	quiet "$dir/app/rcuhash" 1

	# All of the archive in a plugin: it must be position independent, and what it needs be named.
	flags=$(pkg-config --static --libs bma)
	# shellcheck disable=SC2086
	quiet "$CC" -shared -Wl,-z,defs -o "$dir/plugin.so" \
		${flags/-lbma/-Wl,--whole-archive -l:libbma.a -Wl,--no-whole-archive}

	mv "$dir/here" "$dir/there" || exit 1
	find_pc "$dir/there"
	quiet make -C "$dir/app" -B
	run_shared "$dir/there"
}

consume() { # option of cmake...: builds the consumer, and runs what came out
	quiet "$CMAKE" -S "$source/tests/install/consumer" -B "$dir/consumer" -DCMAKE_BUILD_TYPE=Debug \
		-DBMA_EXPECTED="$version" "$@"
	quiet "$CMAKE" --build "$dir/consumer" --parallel 2
	takes "$dir/consumer/with_shared" "$soname"
	takes "$dir/consumer/with_static"
	quiet "$dir/consumer/with_shared"
	quiet "$dir/consumer/with_static"
}

case_package() {
	install_to "$dir/here"
	mv "$dir/here" "$dir/there" || exit 1
	grep -rFn -e "$dir" -e "$source" -e "$build" "$dir/there" --include='*.cmake' --include='*.pc' &&
		fail "installed files name a place"
	consume -DCMAKE_PREFIX_PATH="$dir/there"
}

case_subdirectory() {
	local name
	consume -DBMA_SOURCE="$source"
	for name in tests examples bench; do
		[ ! -e "$dir/consumer/bma/$name" ] || fail "a subdirectory builds $name"
	done
	quiet "$CMAKE" --install "$dir/consumer" --prefix "$dir/here"
	[ ! -e "$dir/here" ] || fail "a subdirectory installs $(find "$dir/here" ! -type d -printf '%P ')"
}

command -v pkg-config >/dev/null || exit 77
"case_$case"
