# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Each example, copied away from the tree, compiles against the installed library: by its Makefile, hello by one line, and the
# profiler, which is a preloaded object, by one line too. Each has a comment on top.
install_to "$dir/here"
find_pc "$dir/here"
LD_LIBRARY_PATH=$(library_dir "$dir/here")
export LD_LIBRARY_PATH

built=0
for example in "$source"/examples/*/; do
	name=$(basename "$example")
	cp -r "$example" "$dir/$name" || exit 1
	case $name in
	hello) # twelve lines, explained where they are shown
		quiet sh -c "cd '$dir/hello' && $CC hello.c $(pkg-config --cflags --libs bma) -o hello"
		;;
	sigprof)
		quiet sh -c "cd '$dir/sigprof' && $CC -O2 -shared -fPIC -fvisibility=hidden -D_GNU_SOURCE *.c $(pkg-config --cflags --libs bma) \
			-lgcc_s -Wl,--version-script=sigprof.map -Wl,--wrap=pthread_create -Wl,-z,defs -o sigprof.so"
		;;
	*)
		quiet make -C "$dir/$name" CC="$CC"
		;;
	esac
	if [ "$name" != hello ]; then
		sed -n 2p "$dir/$name/$name.c" | grep -q '^/\*$' || fail "$name.c has no comment on top"
		grep -q 'prints\|writes' <(sed -n 2,20p "$dir/$name/$name.c") || fail "$name.c does not say what it prints"
	fi
	built=$((built + 1))
done
[ "$built" -ge 7 ] || fail "only $built examples"
greets "$dir/hello/hello"
for name in restart oomd tenants; do
	quiet "$dir/$name/$name"
done
