#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every C and C++ file that git knows or would add looks as .clang-format says.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

command -v clang-format >/dev/null || exit 77
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || exit 77
mapfile -d '' files < <(git ls-files -z --cached --others --exclude-standard \
	'*.c' '*.h' '*.cc' '*.cpp')
present=()
for file in "${files[@]}"; do
	[ -e "$file" ] && present+=("$file")
done
[ ${#present[@]} -eq 0 ] && exit 0
clang-format --dry-run -Werror "${present[@]}"
