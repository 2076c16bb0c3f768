#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cross.sh IMAGES BUILD COMMAND...: builds tests/vm/aarch64 in BUILD with the cross compiler, and liburcu from IMAGES,
# where fetch.sh gets it to; then runs the command. 77: one of them cannot be had here.
set -uo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
images=$1 build=$2 cc=aarch64-linux-gnu-gcc
shift 2

command -v "$cc" >/dev/null || {
	echo "vm: no $cc"
	exit 77
}
sysroot=$("$here/fetch.sh" "$images" sysroot aarch64) || exit 77
export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig PKG_CONFIG_SYSROOT_DIR=$sysroot
unset CFLAGS LDFLAGS
mkdir -p "$build"
make() {
	if [ ! -e "$build/build.ninja" ]; then
		cmake -S "$here/aarch64" -B "$build" -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
			-DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=RelWithDebInfo || return
	fi
	cmake --build "$build" --target vm_init vm_aarch64
}
make >"$build/log" 2>&1 || {
	cat "$build/log"
	exit 1
}
exec "$@"
