#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh CASE SOURCE BUILD VERSION: links programs with the library of the tree BUILD, or with one that is
# built of SOURCE, as cases/CASE.sh says. CC, CMAKE and CMAKE_GENERATOR come from the build.
set -uo pipefail

case=$1 source=$2 build=$3 version=$4
here=$source/tests/install
soname=libbma.so.${version%.*} # while the version is 0.y
: "${CC:=cc}" "${CMAKE:=cmake}"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# What would send files elsewhere, hand options of an outer make on, or change what is compiled.
unset DESTDIR MAKEFLAGS CFLAGS CXXFLAGS CPPFLAGS LDFLAGS PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR

# shellcheck disable=SC2034 # the cases use it
strict="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"

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

run_shared() { # prefix program [argument]...: it takes the library there, and runs
	local lib found program=$2
	lib=$(library_dir "$1")
	shift 2
	takes "$program" "$soname"
	found=$(LD_LIBRARY_PATH=$lib ldd "$program" | grep "$soname => ")
	[[ $found == *"=> $lib/"* ]] || fail "not in $lib: $found"
	LD_LIBRARY_PATH=$lib quiet "$program" "$@"
}

run_static() { # program [argument]...
	takes "$1"
	quiet "$@"
}

block() { # name: the block of docs/linking.md that it stands above
	awk -v mark="<!-- install: $1 -->" '
		$0 == mark { found = 1; next }
		found && /^```/ { if (inside) exit; inside = 1; next }
		inside { print }
	' "$source/docs/linking.md" >"$dir/block"
	[ -s "$dir/block" ] || fail "docs/linking.md has no block '$1'"
	cat "$dir/block"
}

says() { # directory name: runs that block there
	(cd "$1" && block "$2" >"$dir/says" && quiet bash -eu "$dir/says") || exit 1
}

hello() { # prints where an empty directory is, but for the program that docs/linking.md shows
	local empty
	empty=$(mktemp -d -p "$dir") && cp "$source/examples/hello/hello.c" "$empty" || exit 1
	echo "$empty"
}

greets() { # program: says what it should
	[ "$("$1")" = "an object" ] || fail "$1"
}

cxx() { # C compiler: the C++ compiler of the same kind
	case $1 in
	*clang*) echo "${1/clang/clang++}" ;;
	*gcc*) echo "${1/gcc/g++}" ;;
	*) echo c++ ;;
	esac
}

consume() { # way compiler C-standard C++-standard [option of cmake]...: builds the consumer, and runs what came out
	local way=$1 compiler=$2 c=$3 cxx=$4 program
	shift 4
	cp -r "$here/consumer" "$dir/project" || exit 1
	ln -s "$source" "$dir/project/bma" || exit 1
	# The line that matters is the document's.
	block "$way" | grep -v -e '^cmake_minimum' -e '^project' -e '^add_executable' -e '^target_link' \
		>"$dir/project/way.cmake"
	[ -s "$dir/project/way.cmake" ] || fail "nothing in block $way"
	quiet "$CMAKE" -S "$dir/project" -B "$dir/consumer" -DCMAKE_BUILD_TYPE=Debug -DWAY="$way" \
		-DCMAKE_C_COMPILER="$compiler" -DCMAKE_CXX_COMPILER="$(cxx "$compiler")" \
		-DSTANDARD_C="$c" -DSTANDARD_CXX="$cxx" -DBMA_EXPECTED="$version" "$@"
	quiet "$CMAKE" --build "$dir/consumer" --parallel 2
	for program in with calls_c calls_cxx; do
		takes "$dir/consumer/${program}_shared" "$soname"
		quiet "$dir/consumer/${program}_shared"
		run_static "$dir/consumer/${program}_static"
	done
}

command -v pkg-config >/dev/null || exit 77
path=${PKG_CONFIG_PATH:-}
# shellcheck source=/dev/null
source "$here/cases/$case.sh"
