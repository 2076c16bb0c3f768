# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Into a prefix with spaces in its name; and with DESTDIR, which has some, too: all files go there, none to the prefix.
compile() { # compiles hello.c as one does who knows of spaces; what pkg-config prints is for a shell
	quiet sh -c "$CC -o '$dir/hello' '$source/examples/hello/hello.c' $(pkg-config --cflags --libs bma)"
	run_shared "$1" "$dir/hello"
	quiet sh -c "$CC -o '$dir/hello' '$source/examples/hello/hello.c' $(pkg-config --static --cflags --libs bma |
		sed 's/-lbma/-l:libbma.a/')"
	run_static "$dir/hello"
}

install_to "$dir/a prefix with spaces"
find_pc "$dir/a prefix with spaces"
compile "$dir/a prefix with spaces"
app=$(hello)
block find_package >"$app/CMakeLists.txt"
quiet "$CMAKE" -S "$app" -B "$app/build" -DCMAKE_PREFIX_PATH="$dir/a prefix with spaces"
quiet "$CMAKE" --build "$app/build"
run_shared "$dir/a prefix with spaces" "$app/build/hello"

DESTDIR="$dir/a stage" install_to "$dir/opt/bma"
[ ! -e "$dir/opt" ] || fail "files that are not in DESTDIR"
quiet diff -r "$dir/a prefix with spaces" "$dir/a stage$dir/opt/bma"
find_pc "$dir/a stage"
compile "$dir/a stage"

# A libdir of its own, absolute, with spaces: the one case in which bma.pc says where it is.
quiet "$CMAKE" -S "$source" -B "$dir/tree" -DCMAKE_INSTALL_PREFIX="$dir/own prefix" \
	-DCMAKE_INSTALL_LIBDIR="$dir/own libraries" -DBMA_BUILD_TESTS=OFF -DBMA_BUILD_EXAMPLES=OFF
# Configured only: its files are those of the other tree.
mkdir "$dir/own libraries" && cp -r "$dir/a prefix with spaces" "$dir/own prefix" || exit 1
cp -P "$(library_dir "$dir/own prefix")"/libbma.* "$dir/own libraries" || exit 1
rm -r "$(library_dir "$dir/own prefix")" || exit 1
cp "$dir/tree/bma.pc" "$dir/own libraries" || exit 1
find_pc "$dir/own libraries"
compile "$dir/own libraries"
