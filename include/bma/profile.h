/* SPDX-License-Identifier: MIT */
/* Where live objects were allocated: a heap profile of a sample of them. */
#ifndef BMA_PROFILE_H
#define BMA_PROFILE_H

#include <bma/config.h>

BMA_BEGIN_DECLS

/** BMA_PROFILE_FOLDED - One line for each sample, outermost function first, for flame graphs: "cache;main;...;function BYTES". */
#define BMA_PROFILE_FOLDED (1u << 0)
/** BMA_PROFILE_BYTES_MAX - The largest mean of bma_profile_set(). */
#define BMA_PROFILE_BYTES_MAX ((size_t)1 << 40)

/**
 * bma_profile_set - Switch the heap profile on or off for caches and heaps that are made from now on.
 * @bytes: mean number of bytes that are allocated from one sample to the next; 0: off, what was sampled stays until it is freed.
 *
 * BMA_CONF=profile:BYTES does the same before the first cache is made. Caches that were made while it was off are not in the profile, and pay
 * nothing for it; the calls of the others all leave by their slow halves, also after it was switched off.
 *
 * Context: may sleep. Thread-safe. A child of fork goes on with what was sampled.
 * Returns: 0; -EINVAL: @bytes is over %BMA_PROFILE_BYTES_MAX; -ENOMEM.
 */
BMA_API int bma_profile_set(size_t bytes);

/**
 * bma_profile_write - Write where the objects that users have were allocated.
 * @fd: where to.
 * @flags: 0: text that pprof reads ("heap profile: ..."), with the addresses of mapped files; or BMA_PROFILE_*.
 *
 * Objects are a sample, and their bytes are scaled up to what it stands for: an unbiased estimate of what is live. An object is live until it is passed to a free or a deferred free. What is
 * not in it: objects of caches that were made while the profile was off, or that were allocated then; what stands in reserves; samples for which there was no room,
 * whose number is the last line of folded text, "(dropped) N", or a comment in the other, if there are any.
 *
 * Context: may sleep, takes locks of the dynamic linker. Thread-safe; what others allocate and free meanwhile is in it or not.
 * Returns: 0; -EINVAL: an unknown flag; the error of write(2), negative.
 */
BMA_API int bma_profile_write(int fd, unsigned int flags);

BMA_END_DECLS

#endif /* BMA_PROFILE_H */
