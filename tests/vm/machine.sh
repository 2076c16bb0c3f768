#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs a program in an emulated machine: boots a Debian kernel with an initramfs that holds init.c, the
# program and its libraries; prints what the program prints; exits with its status. 77: something is
# missing, one line says what. 125: the machine did not come to the program's end.
set -uo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

usage() {
	cat <<-END
		usage: machine.sh OPTION... -- PROGRAM [ARGUMENT]...

		  --init FILE         init.c, linked statically for that machine
		  --dir DIRECTORY     where kernels are kept, or fetched to
		  --arch ARCH         x86_64 (default) or aarch64
		  --kernel SERIES     6.12 (default) or 6.1
		  --cpus N            8 by default
		  --nodes N           NUMA nodes, 1 by default, CPUs in equal runs; distance 10 + 10 for each node between
		  --memory MIB        of each node, 512 by default
		  --no-memory NODE    that node has CPUs only; may be repeated
		  --no-cpus NODE      that node has memory only; may be repeated
		  --nosys             /sys is not mounted
		  --cgroup            control groups, version 2, on /sys/fs/cgroup
		  --psi               the kernel measures pressure
		  --append WORDS      more for the kernel's command line, e.g. maxcpus=4
		  --env NAME=VALUE    for the program; may be repeated
		  --file FILE[:PATH]  also there, in /bin or as PATH; may be repeated
		  --sysroot DIRECTORY where a cross compiler's libraries are
		  --time SECONDS      limit for a run, 100 by default; of each try
		  --accel ACCEL       kvm or tcg; by default KVM if a machine was seen to end with it
		  --single            emulates instruction by instruction, so that interrupts come between any two
		  --verbose           all that the console says

		For the program VM is set, and HOME is /tmp.
	END
}

missing() {
	echo "vm: $*" >&2
	exit 77
}

init='' dir='' arch=x86_64 kernel=6.12 cpus=8 nodes=1 memory=512 append='' sysroot='' limit=100 accel='' single='' verbose=''
no_memory=' ' no_cpus=' ' init_words=() environment=(VM=1 HOME=/tmp PATH=/bin LD_LIBRARY_PATH=/lib) files=()
while [ $# -gt 0 ]; do
	case $1 in
	--nosys | --cgroup) init_words+=("${1#--}") ;;
	--psi) append+=' psi=1' ;;
	--single) single=1 accel=tcg ;;
	--verbose) verbose=1 ;;
	--)
		shift
		break
		;;
	-h | --help)
		usage
		exit 0
		;;
	--?*)
		[ $# -ge 2 ] || {
			usage >&2
			exit 2
		}
		case $1 in
		--init) init=$2 ;;
		--dir) dir=$2 ;;
		--arch) arch=$2 ;;
		--kernel) kernel=$2 ;;
		--cpus) cpus=$2 ;;
		--nodes) nodes=$2 ;;
		--memory) memory=$2 ;;
		--no-memory) no_memory+="$2 " ;;
		--no-cpus) no_cpus+="$2 " ;;
		--append) append+=" $2" ;;
		--env) environment+=("$2") ;;
		--file) files+=("$2") ;;
		--sysroot) sysroot=$2 ;;
		--time) limit=$2 ;;
		--accel) accel=$2 ;;
		*)
			usage >&2
			exit 2
			;;
		esac
		shift
		;;
	*) break ;;
	esac
	shift
done
if [ $# -lt 1 ] || [ -z "$init" ] || [ -z "$dir" ]; then
	usage >&2
	exit 2
fi
for file in "$init" "$1"; do
	[ -x "$file" ] || {
		echo "vm: no $file" >&2
		exit 2
	}
done
for tool in "qemu-system-$arch" cpio; do
	command -v "$tool" >/dev/null || missing "no $tool"
done
image=$("$here/fetch.sh" "$dir" kernel "$arch" "$kernel") || exit 77

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
root=$work/root

# The interpreter and the libraries of a program, each with the path that it is to have. All in one folder, for the
# path of a build may be below /tmp, which is mounted over; but a program knows its interpreter by its path.
libraries() { # file
	if [ -n "$sysroot" ]; then
		readelf -ld "$1" | sed -n "s,.*NEEDED.*\[\(.*\)\].*,$sysroot/lib/\1 /lib/\1,p
			s,.*interpreter: \(.*\)/\(.*\)\].*,$sysroot/lib/\2 \1/\2,p"
	else
		ldd "$1" 2>/dev/null | sed -n 's,^\t\([^/ ]*\) => \(/[^ ]*\) .*,\2 /lib/\1,p; s,^\t\(/[^ ]*\) .*,\1 \1,p'
	fi
}

add() { # file path: the file, and what it needs, once
	local library path
	[ ! -e "$root$2" ] || return 0
	mkdir -p "$(dirname "$root$2")"
	cp -L "$1" "$root$2" || exit 2
	while read -r library path; do
		add "$library" "$path"
	done < <(libraries "$1")
}

pack() { # file: what is below $root, as an initramfs
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$1" || exit 2
}

make_root() { # program argument...
	local program=/bin/${1##*/} file
	add "$1" "$program"
	for file in "${files[@]}"; do
		case $file in
		*:*) add "${file%%:*}" "${file#*:}" ;;
		*) add "$file" "/bin/${file##*/}" ;;
		esac
	done
	shift
	printf '%s\0' "$program" "$@" >"$root/vm/command"
	printf '%s\0' "${environment[@]}" >"$root/vm/environment"
}

# Nodes' memory, CPUs and distances; the total memory is in $total.
total=$memory numa=()
add_nodes() {
	local i j node with=0 given=0 first last
	[ "$nodes" -gt 1 ] || return
	total=0
	for ((i = 0; i < nodes; i++)); do
		[[ $no_cpus == *" $i "* ]] || with=$((with + 1))
	done
	for ((i = 0; i < nodes; i++)); do
		node=node,nodeid=$i
		if [[ $no_cpus != *" $i "* ]]; then
			first=$((cpus * given / with)) given=$((given + 1)) last=$((cpus * given / with - 1))
			node+=,cpus=$first-$last
		fi
		if [[ $no_memory != *" $i "* ]]; then
			numa+=(-object "memory-backend-ram,id=memory$i,size=${memory}M")
			node+=,memdev=memory$i
			total=$((total + memory))
		fi
		numa+=(-numa "$node")
	done
	for ((i = 0; i < nodes; i++)); do
		for ((j = 0; j < nodes; j++)); do
			numa+=(-numa "dist,src=$i,dst=$j,val=$((10 + 10 * (i > j ? i - j : j - i)))")
		done
	done
}

# Nothing that only costs boot time: no repairs of the CPU, no waiting for random numbers.
boot="quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on rcupdate.rcu_expedited=1 cryptomgr.notests=1"
boot_x86="console=ttyS0 8250.nr_uarts=1"
boot_tcg="no_timer_check lpj=4000000 cpuhp.parallel=0 tsc=unstable"
run() { # accel limit initrd output
	local -a qemu
	local words=$boot
	case $arch-$1 in
	# cx16: QEMU before 8 breaks programs that use cmpxchg16b.
	x86_64-tcg)
		qemu=(-M 'pc,hpet=off' -accel 'tcg,thread=multi' -cpu 'max,la57=off,-cx16')
		words+=" $boot_x86 $boot_tcg"
		;;
	x86_64-kvm)
		qemu=(-M pc -accel kvm -cpu host)
		words+=" $boot_x86"
		;;
	aarch64-*)
		qemu=(-M 'virt,gic-version=3' -accel 'tcg,thread=multi' -cpu 'max,pauth=off,lpa2=off')
		words+=" console=ttyAMA0 lpj=1000000"
		;;
	*) missing "no machine $arch" ;;
	esac
	# init.c ends the machine by this, which is quicker than to stop many CPUs.
	[ "$arch" != x86_64 ] || qemu+=(-device 'isa-debug-exit,iobase=0xf4,iosize=4')
	[ -z "$single" ] || qemu+=(-monitor "pipe:$work/monitor")
	# The shell's word about a killed machine is an error, too.
	{
		timeout -s KILL "$2" "qemu-system-$arch" "${qemu[@]}" -smp "$cpus" -m "${total}M" \
			"${numa[@]}" -nodefaults -display none -no-reboot -serial "file:$4.raw" \
			-kernel "$image" -initrd "$3" -append "$words$append -- ${init_words[*]}" </dev/null
	} 2>"$work/errors"
	tr -d '\r' <"$4.raw" >"$4"
}

# From when the program begins every instruction is translated alone, and interrupts come between any two; the kernel
# would take long to boot like that. The command has two names, which depend on QEMU's age.
single_step() { # raw output
	local waited
	for ((waited = 0; waited < 10 * limit; waited++)); do
		if grep -q '^vm: up ' "$1" 2>/dev/null; then
			printf 'singlestep on\none-insn-per-tb on\n' >"$work/monitor.in"
			return
		fi
		sleep 0.1
	done
}

# There are hosts whose KVM starts and then cannot run a stock kernel: what counts is that init was reached.
# Remembered beside the kernels.
choose_accel() {
	local found=tcg note=$dir/accel-$arch
	if [ ! -e "$note" ]; then
		if [ "$arch" = "$(uname -m)" ] && [ -w /dev/kvm ]; then
			pack "$work/probe"
			run kvm 10 "$work/probe" "$work/probed"
			! grep -q '^vm: up ' "$work/probed" || found=kvm
		fi
		echo "$found" >"$note"
	fi
	accel=$(cat "$note")
}

mkdir -p "$root"/{vm,dev,proc,sys,tmp}
cp "$init" "$root/init" || exit 2
add_nodes
[ -n "$accel" ] || choose_accel
make_root "$@"
pack "$work/initrd"
for try in 1 2; do
	if [ -n "$single" ]; then
		rm -f "$work/output.raw"
		mkfifo "$work/monitor.in" "$work/monitor.out" 2>/dev/null
		single_step "$work/output.raw" &
	fi
	run "$accel" "$limit" "$work/initrd" "$work/output"
	[ -z "$single" ] || kill "$!" 2>/dev/null
	grep -q '^vm: up ' "$work/output" && break
	# Emulated CPUs now and then lose the race with a kernel that changes its own code, when it boots.
	echo "vm: try $try: the first process was not reached"
done
status=$(sed -n 's/^vm: exit \([0-9]*\)$/\1/p' "$work/output" | tail -n 1)
if [ -n "$verbose" ] || [ -z "$status" ]; then
	cat "$work/output" "$work/errors"
else
	sed -n '/^vm: up /,/^vm: exit /p' "$work/output"
fi
if [ -z "$status" ]; then
	echo "vm: the machine did not come to the program's end within $limit s"
	exit 125
fi
exit "$status"
