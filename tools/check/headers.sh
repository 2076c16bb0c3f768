#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every public header compiles alone, without a warning: as C11, C2x, C++11 and C++20, by gcc and
# by clang, for this machine and for aarch64 where its compiler is installed, with the inlined
# calls and without. What include/bma/inline holds is included by cache.h only.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
caller='
#ifdef BMA_CACHE_H
extern void *bounce(struct bma_cache *cache);
void *bounce(struct bma_cache *cache)
{
	bma_cache_free(cache, bma_cache_alloc(cache));
	return bma_cache_alloc(cache);
}
#endif
'
bad=0 tried=0

compile() { # compiler language standard definition header
	local output
	command -v "$1" >/dev/null || return 0
	tried=$((tried + 1))
	# Optimised, because an asm operand that must be a constant is one only then; with a caller,
	# because nobody compiles an inline function that is not called.
	# shellcheck disable=SC2086
	output=$(printf '#include <bma/%s>\n%s' "$5" "$caller" |
		"$1" -x "$2" -std="$3" $warnings ${4:+"$4"} -O1 -Iinclude -S -o /dev/null - 2>&1) || {
		printf 'include/bma/%s:1: %s -std=%s %s\n%s\n' "$5" "$1" "$3" "$4" "$output"
		bad=1
	}
}

while IFS= read -r header; do
	for definition in "" -DBMA_NO_INLINE; do
		for standard in c11 c2x; do
			for compiler in gcc clang aarch64-linux-gnu-gcc; do
				compile "$compiler" c $standard "$definition" "$header"
			done
		done
		for standard in c++11 c++20; do
			for compiler in g++ clang++ aarch64-linux-gnu-g++; do
				compile "$compiler" c++ $standard "$definition" "$header"
			done
		done
	done
done < <(cd include/bma && find . -name '*.h' -not -path './inline/*' | sed 's,^\./,,' | sort)

echo "headers: $tried compilations"
[ "$tried" -gt 0 ] || bad=1
exit $bad
