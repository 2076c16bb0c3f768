# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Manual pages as they are installed: each exported call has one, and what is documented nowhere else (bma.7.in) is true.
install_to "$dir/here" --component Development
pages=$dir/here/share/man
tried=0

# What inlined calls and <bma/compat/bpf_mem_alloc.h> stand on is nobody's to call.
mapfile -t exported < <(sed -n 's/^\t\(bma_[a-z0-9_]*\);/\1/p' "$source/src/bma.map")
for name in "${exported[@]}"; do
	case $name in
	bma__* | bma_bpf_*) continue ;;
	esac
	tried=$((tried + 1))
	page=$pages/man3/$name.3
	[ -f "$page" ] || fail "$name has no page"
	if grep -q '^\.so ' "$page"; then
		page=$pages/$(sed 's/^\.so //' "$page")
	fi
	grep -q "^\.SS \"[a-z0-9_, ]*\b$name\b" "$page" || fail "${page##*/} does not tell of $name"
done
[ "$tried" -gt 100 ] || fail "only $tried calls are exported"
for name in cache heap reserve percpu rcu group shared oom numa stats worker object; do
	grep -q '^\.TH' "$pages/man3/bma_$name.3" || fail "no page bma_$name(3)"
	grep -q "^\.BR bma_$name (3)" "$pages/man7/bma.7" || fail "bma(7) does not name bma_$name(3)"
done

# Whole pages, not the lines that lead to one.
mapfile -t whole < <(grep -rl '^\.TH' "$pages")
if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "${whole[@]}" >"$dir/lint" 2>&1 || { cat "$dir/lint" && fail "mandoc"; }
fi
if command -v groff >/dev/null; then
	for page in "${whole[@]}"; do
		groff -man -ww -Tutf8 -z "$page" >"$dir/lint" 2>&1
		[ ! -s "$dir/lint" ] || { cat "$dir/lint" && fail "groff: ${page##*/}"; }
	done
fi
if command -v man >/dev/null && command -v groff >/dev/null; then
	MANPATH=$pages man -P cat bma_cache_alloc >"$dir/shown" 2>"$dir/lint" || fail "man bma_cache_alloc: $(cat "$dir/lint")"
	grep -q 'void \*bma_cache_alloc(struct bma_cache \*cache);' "$dir/shown" || fail "man bma_cache_alloc shows no declaration"
	grep -q 'Take an object\.' "$dir/shown" || fail "man bma_cache_alloc does not tell what it is"
fi

# bma(7): the program, and each word of BMA_CONF.
awk '/^\.SH EXAMPLES/ { found = 1 } found && /^#include/ { inside = 1 } /^\.fi/ { inside = 0 } inside' \
	"$pages/man7/bma.7" >"$dir/shown"
quiet diff <(sed 1d "$source/examples/hello/hello.c") "$dir/shown"
words=$(grep -oE '^\s*(\{"[a-z:]+",.*)|"[a-z_]+:"' "$source/src/base/env.c" | grep -oE '"[a-z_:]+"' | tr -d '"')
[ -n "$words" ] || fail "src/base/env.c has no words of BMA_CONF that this test finds"
for word in $words; do
	grep -qE "^\.(B|BR|BI) (.*[ ])?$word( |$)" "$pages/man7/bma.7" || fail "bma(7) does not name BMA_CONF=$word"
done
