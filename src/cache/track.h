/* SPDX-License-Identifier: MIT */
/*
 * Who had an object last: the call stacks of its last allocation and free (BMA_CACHE_TRACK). Written by who has the
 * object in hand, read when the process is about to end, or, of live objects, while their users could free them: a
 * list of leaks may then show a stack that is half of one and half of another, and nothing worse.
 */
#ifndef BMA_CACHE_TRACK_H
#define BMA_CACHE_TRACK_H

#include "engine.h"

/* The unwinder loads what it needs in its first call, which may not be one in a handler. May sleep. */
void bma__track_prepare(void);
/* Remember this call. Any context. */
void bma__track_alloc(struct bma__slab *slab, const void *obj);
void bma__track_free(struct bma__slab *slab, const void *obj);
/* The stack of the caller's caller, and printing one, with @what in front. Any context. */
void bma__track_take(struct bma__slab_stack *stack) __attribute__((noinline));
void bma__track_print(const char *what, const struct bma__slab_stack *stack);
/* Print what is known of @obj, if it is one of @e. Before an abort. */
void bma__track_show(struct bma__engine *e, const void *obj);
/* Print what is live, by who allocated it. May sleep. */
void bma__track_leaks(struct bma__engine *e);

#endif /* BMA_CACHE_TRACK_H */
