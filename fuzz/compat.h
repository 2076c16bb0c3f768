/* SPDX-License-Identifier: MIT */
/* Allocators by the kernel's names, and what is known of them, see compat.c. */
#ifndef FUZZ_COMPAT_H
#define FUZZ_COMPAT_H

#include <bma/bma.h>
#include <bma/compat/bpf_mem_alloc.h>
#include <bma/fuzz.h>

#include "fuzz.h"

#define COMPAT_MAS 4u
#define COMPAT_OBJECTS 256u
#define COMPAT_CTXS 32u
#define COMPAT_SENTINEL 4711

enum compat_kind {
	COMPAT_ZERO,
	COMPAT_SIZED,
	COMPAT_ANY,
};

struct compat_ma {
	struct bpf_mem_alloc ma;
	enum compat_kind kind;
	bool percpu, used;
	size_t size;
	unsigned int filled; /* classes */
	unsigned int allocs;
};

struct compat_object {
	unsigned char *at;    /* what the user got */
	struct compat_ma *ma; /* NULL: destroyed */
	size_t size;	      /* that may be used, in each copy */
	bool percpu, waits;
	uint64_t serial;
};

enum compat_ctx_state { COMPAT_CTX_NONE, COMPAT_CTX_USED, COMPAT_CTX_FREED };

struct compat_ctx {
	enum compat_ctx_state state;
};

struct compat {
	struct compat_ma ma[COMPAT_MAS];
	struct compat_object objects[COMPAT_OBJECTS]; /* the first of them */
	unsigned int used, ctxs;
	struct compat_ctx ctx[COMPAT_CTXS];
	uint64_t serial, failing;
};

extern struct compat compat;

/* @m is of this kind now; objects it had stay. */
void compat_set_up(struct compat_ma *m, enum compat_kind kind, bool percpu, size_t size);
/* From now on there may be nothing: failures were asked for, or the stock went back to the system. */
void compat_no_stock(void);
unsigned int compat_class(size_t size);
size_t compat_class_size(unsigned int c);
void compat_check_errno(void);
bool compat_room(void);
/* @m gave @p out, or NULL. */
void compat_got(struct compat_ma *m, void *p, size_t size, bool zeroed, bool sleeps);
struct compat_object *compat_pick(unsigned int nth);
/* Does somebody have it, or may look at it? */
bool compat_has(const void *p);
/* It is given back; with @rcu it stays as it is until compat_period(). */
void *compat_take(struct compat_object *o, bool rcu);
/* A grace period may end now. */
void compat_period(void);

#endif /* FUZZ_COMPAT_H */
