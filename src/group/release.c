/* SPDX-License-Identifier: MIT */
/* Release functions and their queue, see oom.h. Ordering: MO-41 (docs/memory-ordering.md). */
#include "group.h"

#include <errno.h>

static struct bma__release *first; /* [lock: group] */

/* It runs, or it will not: who waits is to look. */
static void tell(struct bma__release *r)
{
	atomic_fetch_add_explicit(&r->done, 1, memory_order_release);
	bma__os_futex_wake(&r->done, INT32_MAX);
}

static void take_out(struct bma__release *r)
{
	struct bma__release **link = &first;

	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	r->queued = false;
}

void bma__release_cancel(struct bma__release *r)
{
	if (!r->queued)
		return;
	take_out(r);
	tell(r);
}

int bma__release_set(struct bma_group *handle, uint64_t (*fn)(uint64_t bytes, void *ctx), void *ctx,
		     int32_t score)
{
	struct bma__release *r = NULL, *old = NULL;
	struct bma__group *g;
	int rc;

	if (score < BMA_OOM_SCORE_MIN || score > BMA_OOM_SCORE_MAX)
		return -EINVAL;
	if (fn && !(r = bma__hook_make(sizeof *r, handle)))
		return -ENOMEM;
	if (r) {
		r->fn = fn;
		r->ctx = ctx;
		r->score = score;
	}
	bma__tree_lock();
	rc = bma__oom_online(handle, &g);
	/* That of a shared group outlives bma_shared_destroy(), and can be ended. */
	if (rc == -ESTALE && !fn && (g = bma__group_of(handle)) && g->oom && g->oom->release)
		rc = 0;
	if (!rc) {
		old = g->oom->release;
		g->oom->release = r;
	}
	if (old)
		bma__release_cancel(old);
	bma__hook_end_and_wait(old ? &old->hook : NULL);
	if (!old)
		bma__hook_wait_ended(handle);
	if (rc && r)
		bma__meta_free(r, sizeof *r);
	return rc;
}

struct bma__release *bma__release_want(const struct bma_group *handle, uint64_t bytes,
				       uint32_t *seen)
{
	struct bma__release *r = NULL, **link = &first;
	const struct bma__group *g;

	bma__tree_lock();
	g = bma__group_of(handle);
	if (g && g->oom)
		r = g->oom->release;
	if (r) {
		bma__hook_hold(&r->hook);
		*seen = atomic_load_explicit(&r->done, memory_order_relaxed);
		if (!r->queued)
			r->bytes = 0;
		r->bytes = bytes > r->bytes ? bytes : r->bytes;
	}
	/* The end of a run that is under way will do. */
	if (r && !r->queued && !r->hook.running) {
		while (*link)
			link = &(*link)->next;
		*link = r;
		r->next = NULL;
		r->queued = true;
	}
	bma__tree_unlock();
	return r;
}

void bma__release_put(struct bma__release *r)
{
	bma__tree_lock();
	/* Nobody else asked: not later, when it is not needed. */
	if (r->hook.pins == 1)
		bma__release_cancel(r);
	bma__hook_put(&r->hook);
	bma__tree_unlock();
}

bool bma__release_run(struct bma__release *only)
{
	struct bma__release *r;
	uint64_t bytes = 0;
	int saved = errno;

	bma__tree_lock();
	r = only ? only : first;
	if (r && !r->queued)
		r = NULL;
	if (r) {
		take_out(r);
		bma__hook_enter(&r->hook);
		bytes = r->bytes;
	}
	bma__tree_unlock();
	if (!r)
		return false;
	r->fn(bytes, r->ctx);
	errno = saved;
	/* Both at a time: who finds it running waits for the end that is told of. */
	bma__tree_lock();
	tell(r);
	bma__hook_leave(&r->hook);
	bma__tree_unlock();
	return true;
}

void bma__release_forget(struct bma__release *r)
{
	bool ran = r->hook.running;

	bma__hook_forget(&r->hook);
	if (ran && !r->hook.running)
		atomic_fetch_add_explicit(&r->done, 1, memory_order_relaxed);
	if (r->queued && !r->hook.pins)
		take_out(r);
}
