/* SPDX-License-Identifier: MIT */
/*
 * Static probes (USDT, provider "bma") for bpftrace, perf, gdb and SystemTap; docs/probes.md has what there is. Each is one nop, and a note in
 * the library's file that says where it is and in which registers its arguments are. None in what is inlined, or in a hot half of a call:
 * values that a probe names must be at hand for other reasons, for they are computed whether anybody looks or not.
 *
 * Built where <sys/sdt.h> is found (BMA_PROBES); elsewhere they are nothing.
 */
#ifndef BMA_BASE_PROBE_H
#define BMA_BASE_PROBE_H

#ifdef BMA_PROBES
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments" /* of what it defines */
#endif
#define BMA__PROBE(name, ...) STAP_PROBEV(bma, name, __VA_ARGS__)
#else
#define BMA__PROBE(name, ...) ((void)0)
#endif

#endif /* BMA_BASE_PROBE_H */
