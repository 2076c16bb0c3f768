# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# By FetchContent, which is told where the tree is instead of where to get it; by clang, all of it with link-time
# optimisation, the library too.
compiler=$(command -v clang) || compiler=$CC
consume FetchContent "$compiler" 23 20 -DFETCHCONTENT_SOURCE_DIR_BMA="$source" \
	-DCMAKE_C_FLAGS="$strict -flto" -DCMAKE_CXX_FLAGS="$strict -flto"
[ -e "$dir/consumer/_deps/bma-build/src" ] || fail "not built by FetchContent"
