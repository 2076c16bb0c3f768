#!/bin/sh
# SPDX-License-Identifier: MIT
# needed.sh READELF LIBRARY: the shared library links liburcu-memb, and no other flavour of liburcu.
needed=$("$1" -dW "$2" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p') || exit 1
echo "$needed"
case $needed in
*liburcu-memb.so*) ;;
*) echo "no memb" && exit 1 ;;
esac
for flavor in mb qsbr bp signal; do
	case $needed in
	*liburcu-$flavor.so*) echo "links $flavor" && exit 1 ;;
	esac
done
case $needed in
*liburcu.so*) echo "links liburcu, which is memb by another name" && exit 1 ;;
esac
exit 0
