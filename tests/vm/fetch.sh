#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# fetch.sh DIRECTORY kernel ARCH SERIES    a kernel image, e.g. x86_64 6.12: prints its path
# fetch.sh DIRECTORY sysroot ARCH          liburcu for a cross build: prints the directory
#
# Debian's packages are downloaded and unpacked below DIRECTORY; nothing is installed, and the machine's
# own lists of packages are not touched: apt works on lists in DIRECTORY, from the machine's sources, so
# another architecture needs no set-up. What is there already is not asked for again.
# Exit status 77, with a line that says what is missing: it cannot be had here. That is remembered for some
# minutes, for each of several tests would wait for a network that does not answer.
set -uo pipefail

remember_minutes=10
apt_seconds=90

missing() {
	echo "vm: $*" >&2
	exit 77
}

[ $# -ge 3 ] || {
	echo "usage: fetch.sh DIRECTORY kernel ARCH SERIES | DIRECTORY sysroot ARCH" >&2
	exit 2
}
mkdir -p "$1" || exit 2
dir=$(readlink -f "$1") what=$2 arch=$3 series=${4:-}
case $arch in
x86_64) debian=amd64 ;;
aarch64) debian=arm64 ;;
*) missing "no machine $arch" ;;
esac
case $what in
kernel) wanted=$dir/vmlinuz-$series-$arch describe="a Debian kernel $series for $arch" ;;
sysroot) wanted=$dir/sysroot-$arch describe="liburcu for $arch" ;;
*) exit 2 ;;
esac

apt() { # apt-get or apt-cache, argument...
	APT_CONFIG=$apt/apt.conf timeout "$apt_seconds" "$@"
}

make_lists() {
	apt=$dir/apt-$debian
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" || exit 2
	cat >"$apt/apt.conf" <<-END
		APT::Architecture "$debian";
		APT::Architectures { "$debian"; };
		APT::Sandbox::User "";
		Dir::State "$apt";
		Dir::State::lists "$apt/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$apt/cache";
		Acquire::Languages "none";
		Acquire::Retries "1";
		Acquire::http::Timeout "15";
		Acquire::https::Timeout "15";
	END
	# Some source may not answer while another has what is wanted: judged by what is found.
	[ -n "$(find "$apt/updated" -mmin -1440 2>/dev/null)" ] ||
		{ apt apt-get -qq update >"$apt/update.log" 2>&1 && touch "$apt/updated"; }
}

# The newest of a series; "unsigned" and "dbg" are other packages.
kernel_package() {
	apt apt-cache pkgnames "linux-image-$series" 2>/dev/null |
		grep -E "^linux-image-${series//./\\.}[.+][^ ]*-cloud-$debian\$" | sort -V | tail -n 1
}

download() { # package; prints the file
	local in=$dir/packages
	mkdir -p "$in" && rm -f "$in/$1"_*.deb
	(cd "$in" && apt apt-get -qq download "$1" >"$dir/download.log" 2>&1) || return 1
	find "$in" -name "$1_*.deb" | grep .
}

fetch_kernel() {
	local package file image
	package=$(kernel_package)
	[ -n "$package" ] && file=$(download "$package") || return 1
	image=boot/vmlinuz-${package#linux-image-}
	dpkg-deb --fsys-tarfile "$file" | tar -x -O "./$image" >"$wanted.part" && mv "$wanted.part" "$wanted"
	rm -f "$file"
}

fetch_sysroot() {
	local file
	file=$(download liburcu-dev) || return 1
	rm -rf "$wanted.part"
	dpkg-deb -x "$file" "$wanted.part" && mv "$wanted.part" "$wanted"
	rm -f "$file"
}

if [ ! -e "$wanted" ]; then
	for tool in apt-get apt-cache dpkg-deb flock; do
		command -v "$tool" >/dev/null || missing "no $tool to get $describe with"
	done
	exec 9>"$dir/lock" && flock 9
fi
# Somebody else may have got it meanwhile.
if [ ! -e "$wanted" ]; then
	failed=$dir/failed-$what-$arch-$series
	[ -z "$(find "$failed" -mmin "-$remember_minutes" 2>/dev/null)" ] ||
		missing "$describe cannot be had"
	rm -f "$failed"
	make_lists
	if [ "$what" = kernel ]; then fetch_kernel; else fetch_sysroot; fi || {
		touch "$failed"
		missing "$describe cannot be had"
	}
fi
echo "$wanted"
