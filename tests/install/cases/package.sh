# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Installed, moved, and found by find_package. Targets of a package are system directories to CMake, where compilers
# do not warn: not here.
install_to "$dir/here"
mv "$dir/here" "$dir/there" || exit 1
grep -rFn -e "$dir" -e "$source" -e "$build" "$dir/there" --include='*.cmake' --include='*.pc' &&
	fail "installed files name a place"
consume find_package "$CC" 11 20 -DCMAKE_PREFIX_PATH="$dir/there" -DCMAKE_NO_SYSTEM_FROM_IMPORTED=ON \
	-DCMAKE_C_FLAGS="$strict" -DCMAKE_CXX_FLAGS="$strict"
