/* SPDX-License-Identifier: MIT */
/*
 * What every public header needs: linkage, attributes, and whether this compiler and this machine
 * can use the inlined calls of <bma/inline/fastpath.h>.
 */
#ifndef BMA_CONFIG_H
#define BMA_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define BMA_BEGIN_DECLS extern "C" {
#define BMA_END_DECLS }
#else
#define BMA_BEGIN_DECLS
#define BMA_END_DECLS
#endif

#if defined(__GNUC__)
#define BMA_API __attribute__((visibility("default")))
/* Called through its GOT entry: the slow half of an inlined call then needs no PLT stub. */
#if !defined(__has_attribute)
#define BMA_NOPLT
#elif __has_attribute(noplt)
#define BMA_NOPLT __attribute__((noplt))
#else
#define BMA_NOPLT
#endif
#else
#define BMA_API
#define BMA_NOPLT
#endif

/*
 * BMA_NO_INLINE, defined before the first BMA header, makes every call a real call into the
 * library. It is implied where restartable sequences cannot be written: another machine, a C
 * library without <sys/rseq.h> (glibc before 2.35), a compiler without outputs in asm goto, or
 * ThreadSanitizer, which cannot see into assembly.
 */
#if !defined(BMA_NO_INLINE)
#if defined(__SANITIZE_THREAD__)
#define BMA_NO_INLINE 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BMA_NO_INLINE 1
#endif
#endif
#endif
#if !defined(BMA_NO_INLINE)
#if !defined(__linux__) || !defined(__GNUC__) || !(defined(__x86_64__) || defined(__aarch64__))
#define BMA_NO_INLINE 1
#elif defined(__ILP32__) || !defined(__has_include)
#define BMA_NO_INLINE 1
#elif !__has_include(<sys/rseq.h>)
#define BMA_NO_INLINE 1
#elif !defined(__clang__) && __GNUC__ < 11
#define BMA_NO_INLINE 1
#elif defined(__clang__) && __clang_major__ < 11
#define BMA_NO_INLINE 1
#endif
#endif

#endif /* BMA_CONFIG_H */
