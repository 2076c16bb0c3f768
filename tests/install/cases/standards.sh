# shellcheck shell=bash disable=SC2154,SC2086,SC2034
# SPDX-License-Identifier: MIT
# The same calls by each compiler in each standard, shared and static, with link-time optimisation and without:
# every value of each, not every combination. All warnings are errors.
install_to "$dir/here"
find_pc "$dir/here"
flags=$(pkg-config --cflags bma)
shared=$(pkg-config --libs bma) static=$(pkg-config --static --libs bma)
static=${static/-lbma/-l:libbma.a}
tried=0

calls() { # shared|static compiler language standard [option]...
	local library=$1 compiler=$2 program="$dir/$1-$2-$4"
	command -v "$compiler" >/dev/null || return 0
	tried=$((tried + 1))
	quiet "$compiler" -x "$3" -std="$4" $strict "${@:5}" $flags "$here/consumer/calls.c" -x none \
		-o "$program" ${!library}
	if [ "$library" = shared ]; then
		run_shared "$dir/here" "$program"
	else
		run_static "$program"
	fi
}

calls shared gcc c c11 -O2
calls shared gcc c gnu2x -O2 -flto
calls static gcc c c2x -O2 -flto
calls shared g++ c++ c++11 -O2 -flto
calls static g++ c++ c++20 -O0
calls shared clang c c2x -O2
calls static clang c c11 -O2 -flto
calls shared clang++ c++ c++20 -O2 -flto
calls static clang++ c++ c++11 -O2
echo "$tried programs"
[ "$tried" -gt 0 ]
