# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# As a directory of another project, which has warnings of its own: it builds the library only, and leaves the project's
# settings alone.
consume add_subdirectory "$CC" 23 11 -DCMAKE_C_FLAGS="$strict" -DCMAKE_CXX_FLAGS="$strict"
for name in tests examples bench tools; do
	[ ! -e "$dir/consumer/bma/$name" ] || fail "a subdirectory builds $name"
done
quiet "$CMAKE" --install "$dir/consumer" --prefix "$dir/here"
[ ! -e "$dir/here" ] || fail "a subdirectory installs $(find "$dir/here" ! -type d -printf '%P ')"
