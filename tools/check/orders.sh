#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The edges of docs/memory-ordering.md, MO-1, MO-2, ..., are numbered without a gap; what a comment in src or include
# cites is there; each file that an edge names is there and cites the edge, so that who changes the file finds the page; so
# is each function.
# orders.sh [TREE]: another tree than this one.
set -uo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 1

page=docs/memory-ordering.md
bad=0
wrong() { # where what
	printf '%s: %s\n' "$1" "$2"
	bad=1
}

text_of() { # edge
	awk -v head="## MO-$1:" '/^## /{on = index($0, head) == 1} on' "$page"
}
quoted() { # pattern: what matches it between backticks
	grep -oE "\`$1\`" | tr -d '\`' | sort -u
}

edges=$(sed -n 's/^## MO-\([0-9]*\):.*/\1/p' "$page")
last=$(wc -w <<<"$edges")
[ "$last" -gt 0 ] || wrong "$page" "no edges"
[ "$(sort -n <<<"$edges")" = "$(seq 1 "$last")" ] || wrong "$page" "edges are not numbered 1 to $last"

while IFS=: read -r file line edge; do
	[ -n "$edge" ] || continue
	grep -q "^## $edge:" "$page" || wrong "$file:$line" "$edge is not in $page"
done < <(grep -rnoE 'MO-[0-9]+' src include docs tests CONTRIBUTING.md --include='*.[ch]' --include='*.md' --include='*.pml')

for edge in $edges; do
	named=0
	while IFS= read -r pattern; do
		named=1
		files=$(compgen -G "$pattern") || wrong "$page" "MO-$edge names $pattern, which is not there"
		for file in $files; do
			grep -qE "MO-$edge\\b" "$file" || wrong "$file" "does not cite MO-$edge, which names it"
		done
	done < <(text_of "$edge" | quoted '(src|include)/[^` ]*')
	while IFS= read -r name; do
		grep -rqwF "${name%()}" src include || wrong "$page" "MO-$edge names $name, which is not there"
	done < <(text_of "$edge" | quoted '[A-Za-z]\w*\(\)')
	[ "$named" = 1 ] || wrong "$page" "MO-$edge names no file"
done

echo "orders: $last edges"
exit $bad
