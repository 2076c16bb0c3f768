# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Sourced by the scripts: bma_install SECTION... installs what scripts/packages lists for these
# sections and the machine does not have. Nothing is asked for, neither of the network nor of
# root, when all of it is there.

bma__packages() { # file section...: the packages of these sections, each once
	local file=$1 section package rest wanted
	shift
	while read -r section package rest; do
		case $section in '' | '#'*) continue ;; esac
		for wanted in "$@"; do
			[ "$section" = "$wanted" ] && echo "$package"
		done
	done <"$file" | sort -u
}

bma__missing() { # package...: those that are not installed
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			echo "$package"
	done
}

bma_install() {
	local file packages missing
	local -a as_root=()

	file=$(dirname "${BASH_SOURCE[0]}")/../packages
	mapfile -t packages < <(bma__packages "$file" "$@")
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "not a Debian system; going on with what is here, which should be: ${packages[*]}"
		return 0
	fi
	mapfile -t missing < <(bma__missing "${packages[@]}")
	[ "${#missing[@]}" -eq 0 ] && return 0

	echo "installing: ${missing[*]}"
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "neither root nor sudo: install them as root and start again" >&2
			return 1
		fi
		as_root=(sudo)
	fi
	# env, because sudo hands no variable on by itself.
	as_root+=(env DEBIAN_FRONTEND=noninteractive)
	"${as_root[@]}" apt-get -q -y update || return 1
	"${as_root[@]}" apt-get -q -y --no-install-recommends install "${missing[@]}" || {
		echo "apt-get could not install: ${missing[*]}" >&2
		return 1
	}
}
