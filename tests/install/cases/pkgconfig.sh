# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Installed, through bma.pc, by the Makefile of examples/rcuhash: shared, static, after a move, from what
# Runtime brings.
command -v make >/dev/null || exit 77

install_to "$dir/here"
quiet diff -r "$source/include/bma" "$dir/here/include/bma"
mkdir "$dir/app" || exit 1
cp "$source"/examples/rcuhash/{Makefile,rcuhash.c} "$dir/app" || exit 1
find_pc "$dir/here"
quiet make -C "$dir/app"
run_shared "$dir/here" "$dir/app/rcuhash" 1

# Programs run with what Runtime brings, and it brings nothing else.
install_to "$dir/runtime" --component Runtime
[ -z "$(find "$dir/runtime" ! -type d ! -name 'libbma.so.*')" ] ||
	fail "Runtime: $(find "$dir/runtime" ! -type d -printf '%P ')"
run_shared "$dir/runtime" "$dir/app/rcuhash" 1

quiet make -C "$dir/app" -B STATIC=1
run_static "$dir/app/rcuhash" 1

# All of the archive in a plugin: it must be position independent, what it needs be named, and stay when it is closed.
flags=$(pkg-config --static --libs bma)
# shellcheck disable=SC2086
quiet "$CC" -shared -Wl,-z,defs -o "$dir/plugin.so" \
	${flags/-lbma/-Wl,--whole-archive -l:libbma.a -Wl,--no-whole-archive}
readelf -d "$dir/plugin.so" | grep -q NODELETE || fail "a plugin with the static library may be unmapped"

mv "$dir/here" "$dir/there" || exit 1
find_pc "$dir/there"
quiet make -C "$dir/app" -B
run_shared "$dir/there" "$dir/app/rcuhash" 1
