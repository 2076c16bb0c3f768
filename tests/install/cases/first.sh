# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Twelve lines in an empty directory, as docs/linking.md says: pkg-config, pkg-config for the static library, find_package.
[ "$(wc -l <"$source/examples/hello/hello.c")" = 12 ] || fail "hello.c has not twelve lines"
# The document shows that very program.
awk '/^```c$/ { inside = 1; next } inside && /^```/ { exit } inside' "$source/docs/linking.md" >"$dir/shown"
quiet diff "$source/examples/hello/hello.c" "$dir/shown"

install_to "$dir/here"
find_pc "$dir/here"
LD_LIBRARY_PATH=$(library_dir "$dir/here")
export LD_LIBRARY_PATH CMAKE_PREFIX_PATH="$dir/here"

app=$(hello)
says "$app" pkg-config
takes "$app/hello" "$soname"
greets "$app/hello"

app=$(hello)
says "$app" static
takes "$app/hello"
greets "$app/hello"

app=$(hello)
block find_package >"$app/CMakeLists.txt"
says "$app" cmake
takes "$app/build/hello" "$soname"
greets "$app/build/hello"
