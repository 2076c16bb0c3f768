#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# built.sh PACKAGE...: what clients were left out for want of. Fails if one is installed, or not in scripts/packages, which would
# have every machine leave that client out unseen; 77 where packages are really missing.
set -uo pipefail
packages=$(dirname "${BASH_SOURCE[0]}")/../../scripts/packages
status=0

for package in liblua5.4-dev libsqlite3-dev libevent-dev libck-dev; do
	grep -qx "test $package" "$packages" || {
		echo "scripts/packages: section test lacks $package"
		status=1
	}
done
[ $status -eq 0 ] || exit $status
for package in "$@"; do
	if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ]; then
		echo "$package is installed, but its client was not built"
		exit 1
	fi
	echo "$package is not installed"
	status=77
done
exit $status
