/* SPDX-License-Identifier: MIT */
/*
 * The kernel's names in any order, on structs that are all zeros, set up, refused or destroyed, against what docs/kernel-map.md says of each
 * call. Three bytes make an operation: which, on which struct; a number. What is allocated is in compat_object.c.
 */
#include "compat.h"

#include <errno.h>
#include <string.h>

struct compat compat;

static bool is_zero(const struct bpf_mem_alloc *ma)
{
	return !ma->cache && !ma->caches && !ma->percpu;
}

static void call_init(struct compat_ma *m, unsigned int arg)
{
	static const int sizes[16] = {0,       0,
				      0,       0,
				      0,       1,
				      8,       64,
				      200,     -1,
				      512,     4096,
				      32768,   (32 << 10) + 1,
				      1 << 20, (1 << 20) + 1};
	bool percpu = arg & 1;
	int size = sizes[arg >> 1 & 15], rc, want = 0;

	if (m->kind != COMPAT_ZERO)
		return;
	if (size < 0 || (percpu && !size) || size > (percpu ? 32 << 10 : 1 << 20))
		want = -EINVAL;
	memset(&m->ma, 0xff, sizeof m->ma);
	rc = bpf_mem_alloc_init(&m->ma, size, percpu);
	FUZZ_CHECK(rc == want || (rc == -ENOMEM && !want && compat.failing), "%d bytes: %d", size,
		   rc);
	FUZZ_CHECK(is_zero(&m->ma) == (rc != 0), "%d, the struct", rc);
	compat_set_up(m, rc ? COMPAT_ZERO : size ? COMPAT_SIZED : COMPAT_ANY, percpu, (size_t)size);
}

static void call_percpu_init(struct compat_ma *m, unsigned int arg)
{
	(void)arg;
	if (m->kind != COMPAT_ZERO)
		return;
	FUZZ_CHECK(!bpf_mem_alloc_percpu_init(&m->ma, NULL), "no memory");
	compat_set_up(m, COMPAT_ANY, true, 0);
}

static void call_unit_init(struct compat_ma *m, unsigned int arg)
{
	int size = (int)(arg % 4200) - 20, rc = bpf_mem_alloc_percpu_unit_init(&m->ma, size);
	bool may = m->kind == COMPAT_ANY && m->percpu && size > 0 && size <= 4096;

	FUZZ_CHECK(may ? !rc || (rc == -ENOMEM && compat.failing) : rc == -EINVAL, "%d bytes: %d",
		   size, rc);
	if (!rc)
		m->filled |= 1u << compat_class((size_t)size);
}

static void call_destroy(struct compat_ma *m, unsigned int arg)
{
	if (arg & 7)
		return;
	bpf_mem_alloc_destroy(&m->ma);
	FUZZ_CHECK(is_zero(&m->ma), "the struct");
	compat_set_up(m, COMPAT_ZERO, false, 0);
}

static void ctx_free(void *ctx)
{
	struct compat_ctx *c = ctx;

	FUZZ_CHECK(c->state == COMPAT_CTX_USED, "a context is freed, and is %d", (int)c->state);
	c->state = COMPAT_CTX_FREED;
}

static void dtor(void *obj, void *ctx)
{
	const struct compat_ctx *c = ctx;

	FUZZ_CHECK(c->state == COMPAT_CTX_USED, "a destructor without a context");
	FUZZ_CHECK(!compat_has(obj), "%p is destructed, and somebody has it", obj);
}

static void call_set_dtor(struct compat_ma *m, unsigned int arg)
{
	struct compat_ctx *c = &compat.ctx[compat.ctxs];

	if (compat.ctxs == COMPAT_CTXS || m->used || arg & 3)
		return;
	compat.ctxs++;
	c->state = COMPAT_CTX_USED;
	bpf_mem_alloc_set_dtor(&m->ma, dtor, ctx_free, c);
	FUZZ_CHECK((c->state == COMPAT_CTX_FREED) == (m->kind == COMPAT_ZERO), "the context");
	m->used = m->kind != COMPAT_ZERO;
}

static void call_alloc(struct compat_ma *m, unsigned int arg)
{
	/* Many of them about as large as may be. */
	size_t size = arg & 3 ? arg >> 2 & 255 : 4080 + (arg >> 2 & 31),
	       most = m->percpu ? 4096 : 4088;
	bool may;
	void *p;

	if (!(arg & 0x203))
		size = arg >> 2 & 4095;
	may = m->kind == COMPAT_ANY && size && size <= most;
	if (!compat_room())
		return;
	may = may && m->filled >> compat_class(size) & 1;
	p = bpf_mem_alloc(&m->ma, size);
	compat_check_errno();
	if (!may)
		FUZZ_CHECK(!p, "%p of %zu bytes", p, size);
	else
		compat_got(m, p, compat_class_size(compat_class(size)), false, false);
}

static void call_cache_alloc(struct compat_ma *m, unsigned int arg)
{
	void *p;

	(void)arg;
	if (!compat_room())
		return;
	p = bpf_mem_cache_alloc(&m->ma);
	compat_check_errno();
	if (m->kind == COMPAT_SIZED)
		compat_got(m, p, m->size, false, false);
	else
		FUZZ_CHECK(!p, "%p", p);
}

static void call_cache_alloc_flags(struct compat_ma *m, unsigned int arg)
{
	unsigned int gfp = (arg & 1 ? GFP_KERNEL : GFP_NOWAIT) | (arg & 2 ? __GFP_ZERO : 0);
	void *p;

	if (!compat_room())
		return;
	p = bpf_mem_cache_alloc_flags(&m->ma, gfp);
	if (!(arg & 1))
		compat_check_errno();
	if (m->kind == COMPAT_SIZED)
		compat_got(m, p, m->size, arg & 2, arg & 1);
	else
		FUZZ_CHECK(!p, "%p", p);
}

/* By any of the calls, on any struct for those that do not look at it. */
static void call_free(struct compat_ma *m, unsigned int arg)
{
	struct compat_object *o = compat_pick(arg >> 4);
	struct bpf_mem_alloc none = {0}, *its;
	bool rcu = arg & 1;
	void *p;

	if (!o)
		return;
	/* Cache calls take their own, or one that is none. */
	its = o->ma && o->ma->kind == COMPAT_SIZED && arg & 8 ? &o->ma->ma : &none;
	p = compat_take(o, rcu);
	switch (arg >> 1 & 3) {
	case 0:
		if (rcu)
			bpf_mem_free_rcu(&m->ma, p);
		else
			bpf_mem_free(&m->ma, p);
		break;
	case 1:
	case 2:
		if (rcu)
			bpf_mem_cache_free_rcu(its, p);
		else
			bpf_mem_cache_free(its, p);
		break;
	default:
		/* Of the plain ones: one that waits is not given back this way. */
		if (rcu)
			bpf_mem_free_rcu(&none, p);
		else
			bpf_mem_cache_raw_free(p);
	}
	compat_check_errno();
}

static void call_nothing(struct compat_ma *m, unsigned int arg)
{
	bool percpu = arg & 1;
	size_t size = arg >> 1;

	bpf_mem_free(&m->ma, NULL);
	bpf_mem_free_rcu(&m->ma, NULL);
	bpf_mem_cache_free(&m->ma, NULL);
	bpf_mem_cache_free_rcu(&m->ma, NULL);
	bpf_mem_cache_raw_free(NULL);
	FUZZ_CHECK(!bpf_global_ma_set && !bpf_mem_alloc(&bpf_global_ma, 8), "the global one");
	FUZZ_CHECK(bpf_mem_alloc_check_size(percpu, size) ==
			   (size > (percpu ? 4096 : 4088) ? -E2BIG : 0),
		   "%zu bytes", size);
	compat_check_errno();
}

static void call_slot(struct compat_ma *m, unsigned int arg)
{
	(void)m;
	FUZZ_CHECK(!bma_fuzz_set_slot(arg), "slot");
}

/* What waits for a grace period has it in here, so it is looked at before. */
static void call_poll(struct compat_ma *m, unsigned int arg)
{
	(void)m;
	if ((arg & 3) == 3) {
		compat.failing = arg & 8 ? arg >> 4 & 7 : 0;
		bma_fuzz_fail_after(compat.failing);
		compat_no_stock();
		return;
	}
	compat_period();
	if ((arg & 3) == 2 && !(arg & 0x3c)) {
		FUZZ_CHECK(!bma_trim(), "trim");
		compat_no_stock();
	} else {
		FUZZ_CHECK(bma_poll(arg & 1 ? BMA_POLL_GP : 0) >= 0, "poll");
	}
}

static void (*const calls[16])(struct compat_ma *m, unsigned int arg) = {
	call_init,  call_percpu_init, call_unit_init, call_destroy,	call_set_dtor,
	call_alloc, call_alloc,	      call_alloc,     call_cache_alloc, call_cache_alloc_flags,
	call_free,  call_free,	      call_free,      call_nothing,	call_slot,
	call_poll,
};

static void end(void)
{
	struct bpf_mem_alloc none = {0};
	struct compat_object *o;
	struct bma_stats s;

	bma_fuzz_fail_after(compat.failing = 0);
	for (unsigned int i = 0; i < COMPAT_MAS; i++)
		bpf_mem_alloc_destroy(&compat.ma[i].ma);
	while ((o = compat_pick(0)))
		bpf_mem_free(&none, compat_take(o, false));
	compat_period();
	/* Words of per-CPU objects go first, then the copies. */
	for (int i = 0; i < 3; i++)
		FUZZ_CHECK(!bma_trim(), "trim");
	for (unsigned int i = 0; i < compat.ctxs; i++)
		FUZZ_CHECK(compat.ctx[i].state == COMPAT_CTX_FREED, "context %u is left", i);
	FUZZ_CHECK(!bma_stats_get(&s, sizeof s), "stats");
	FUZZ_CHECK(!s.caches && !s.slab_bytes && !s.purge_bytes,
		   "%llu caches, %llu bytes of slabs are left", (unsigned long long)s.caches,
		   (unsigned long long)s.slab_bytes);
}

BMA_FUZZ(compat)
{
	memset(&compat, 0, sizeof compat);
	FUZZ_CHECK(!bma_fuzz_set_slot(0), "slots");
	while (!fuzz_end(in)) {
		unsigned int what = fuzz_u8(in), arg = fuzz_u16(in);

		errno = COMPAT_SENTINEL;
		calls[what & 15](&compat.ma[what >> 4 & (COMPAT_MAS - 1)], arg);
		fuzz_operations++;
	}
	end();
}
