# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# The Debian packages: what they hold and ask for; unpacked below a root that is not this machine's, and used from there.
for tool in cpack dpkg-deb dpkg-shlibdeps; do
	command -v $tool >/dev/null || exit 77
done

field() { # package name
	dpkg-deb -f "$dir/tree/build/deb/$1"_*.deb "$2"
}

# The tree, but for what was built in it.
mkdir "$dir/tree" || exit 1
for name in "$source"/*; do
	[ "${name##*/}" = build ] || ln -s "$name" "$dir/tree" || exit 1
done
says "$dir/tree" "build the packages"

quiet "$CMAKE" --install "$dir/tree/build/deb" --prefix "$dir/tools" --component Tools
wanted="libbma-dev libbma0"
[ ! -d "$dir/tools" ] || wanted="bma-tools $wanted"
found=$(cd "$dir/tree/build/deb" && printf '%s\n' *.deb | sed 's/_.*//' | sort | xargs)
[ "$found" = "$wanted" ] || fail "packages: $found"

[[ $(field libbma0 Version) == "$version" ]] || fail "version: $(field libbma0 Version)"
for needs in libc6 liburcu8 libhwloc15; do
	[[ ", $(field libbma0 Depends)" == *", $needs "* ]] || fail "libbma0 needs: $(field libbma0 Depends)"
done
for needs in "libbma0 (= $version)" liburcu-dev libhwloc-dev; do
	[[ ", $(field libbma-dev Depends)," == *", $needs,"* ]] || fail "libbma-dev needs: $(field libbma-dev Depends)"
done
dpkg-deb --ctrl-tarfile "$dir/tree/build/deb"/libbma0_*.deb | tar -xO ./shlibs |
	grep -qxF "libbma ${version%.*} libbma0 (>= $version)" || fail "libbma0: shlibs"

for package in "$dir/tree/build/deb"/*.deb; do
	name=${package##*/}
	name=${name%%_*}
	quiet dpkg-deb -x "$package" "$dir/$name"
	quiet diff "$source/LICENSE" "$dir/$name/usr/share/doc/$name/copyright"
	[ -z "$(find "$dir/$name" ! -type d ! -path "$dir/$name/usr/*")" ] || fail "$name: files outside of /usr"
	[ -z "$(find "$dir/$name" ! -type l -perm /022)" ] || fail "$name: files that others may write"
	quiet dpkg-deb -x "$package" "$dir/root"
done
libdir=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || "$CC" -dumpmachine)
[ -z "$(find "$dir/libbma0" ! -type d ! -path "*/share/doc/*" ! -path "*/$libdir/libbma.so.*")" ] ||
	fail "libbma0: $(find "$dir/libbma0" ! -type d)"
for name in libbma.a libbma.so pkgconfig/bma.pc cmake/bma/bmaConfig.cmake; do
	[ -e "$dir/libbma-dev/$libdir/$name" ] || [ -L "$dir/libbma-dev/$libdir/$name" ] || fail "libbma-dev: no $name"
done

# As for another machine: its bma.pc, and paths below that root.
export PKG_CONFIG_SYSROOT_DIR=$dir/root
find_pc "$dir/root"
export LD_LIBRARY_PATH=$dir/root/$libdir
app=$(hello)
says "$app" pkg-config
takes "$app/hello" "$soname"
greets "$app/hello"
# shellcheck disable=SC2046,SC2086
quiet "$CC" -std=c11 $strict $(pkg-config --cflags bma) "$here/consumer/calls.c" -o "$dir/calls" $(pkg-config --libs bma)
run_shared "$dir/root" "$dir/calls"
app=$(hello)
block find_package >"$app/CMakeLists.txt"
quiet "$CMAKE" -S "$app" -B "$app/build" -DCMAKE_PREFIX_PATH="$dir/root/usr"
quiet "$CMAKE" --build "$app/build"
run_shared "$dir/root" "$app/build/hello"
