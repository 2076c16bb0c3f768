#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Folders of src/ are layers. A file includes headers of its own layer, of a lower layer only
# <layer>/<layer>.h, and public ones; obs reads everything below it and is seen by api alone.
# No file of src/ or include/ is longer than 600 lines.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

layers="base page group cache obs api"
longest=600
bad=0

complain() {
	printf '%s\n' "$*"
	bad=1
}

rank() { # layer: its place, counted from the bottom; nothing if it is none
	local place=0 layer
	for layer in $layers; do
		place=$((place + 1))
		[ "$layer" = "$1" ] && echo "$place"
	done
}

include() { # file line header
	local own=${1#src/} theirs
	own=${own%%/*}
	case $3 in
	..*) complain "$1:$2: \"$3\": name the layer, not the way to it" ;;
	*/*)
		theirs=${3%%/*}
		if [ -z "$(rank "$theirs")" ]; then
			complain "$1:$2: \"$3\": no such layer"
		elif [ "$theirs" = "$own" ]; then
			return
		elif [ "$(rank "$theirs")" -gt "$(rank "$own")" ]; then
			complain "$1:$2: \"$3\": $theirs lies above $own"
		elif [ "$3" != "$theirs/$theirs.h" ]; then
			complain "$1:$2: \"$3\": of a lower layer only \"$theirs/$theirs.h\""
		fi
		;;
	*) [ -e "src/$own/$3" ] || complain "$1:$2: \"$3\": not in src/$own" ;;
	esac
}

while IFS= read -r -d '' file; do
	layer=${file#src/}
	layer=${layer%%/*}
	if [ -z "$(rank "$layer")" ]; then
		complain "$file:1: in no layer ($layers)"
		continue
	fi
	while IFS=: read -r line text; do
		header=${text#*[<\"]}
		header=${header%%[>\"]*}
		if [[ $text == *\"* ]]; then
			include "$file" "$line" "$header"
		elif [ -n "$(rank "${header%%/*}")" ] && [[ $header == */* ]]; then
			complain "$file:$line: <$header>: internal headers are included with quotes"
		fi
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' "$file")
done < <(find src -type f \( -name '*.c' -o -name '*.h' -o -name '*.S' \) -print0 | sort -z)

while IFS= read -r -d '' file; do
	lines=$(wc -l <"$file")
	[ "$lines" -le $longest ] || complain "$file:$longest: $lines lines, at most $longest"
done < <(find src include -type f -print0 | sort -z)

exit $bad
