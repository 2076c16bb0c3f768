/* SPDX-License-Identifier: MIT */
/* Call stacks of objects, see track.h. */
#include "cache.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH (sizeof(((struct bma__slab_stack *)0)->pc) / sizeof(void *))
/* bma__track_take() and its caller are no news. */
#define SKIP 2
/* Groups that a list of leaks tells apart. */
#define GROUPS 16u

void bma__track_take(struct bma__slab_stack *stack)
{
	void *pc[DEPTH + SKIP];
	int n = backtrace(pc, (int)(DEPTH + SKIP));

	stack->n = n > SKIP ? (uint32_t)n - SKIP : 0;
	memcpy(stack->pc, pc + SKIP, stack->n * sizeof(void *));
	stack->thread = (uint32_t)syscall(SYS_gettid);
}

void bma__track_prepare(void)
{
	void *pc[1];

	backtrace(pc, 1);
}

void bma__track_alloc(struct bma__slab *slab, const void *obj)
{
	struct bma__slab_track *track = bma__slab_track(slab, obj);

	if (!track)
		return;
	bma__track_take(&track->alloc);
	track->free.n = 0;
}

void bma__track_free(struct bma__slab *slab, const void *obj)
{
	struct bma__slab_track *track = bma__slab_track(slab, obj);

	if (track)
		bma__track_take(&track->free);
}

/* Frames of the library itself come first, and tell nothing. */
static bool ours(const Dl_info *info)
{
	return info->dli_sname && !strncmp(info->dli_sname, "bma_", 4);
}

void bma__track_print(const char *what, const struct bma__slab_stack *stack)
{
	bool inside = true;

	if (!stack->n)
		return;
	bma__log_line("  %s by thread %u:", what, stack->thread);
	for (uint32_t i = 0; i < stack->n; i++) {
		Dl_info info = {0};
		const char *file;

		dladdr(stack->pc[i], &info);
		inside = inside && ours(&info);
		if (inside)
			continue;
		file = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
		file = file ? file + 1 : info.dli_fname ? info.dli_fname : "?";
		if (info.dli_sname)
			bma__log_line("    %p %s+0x%zx (%s)", stack->pc[i], info.dli_sname,
				      (size_t)((char *)stack->pc[i] - (char *)info.dli_saddr),
				      file);
		else
			bma__log_line("    %p %s+0x%zx", stack->pc[i], file,
				      (size_t)((char *)stack->pc[i] - (char *)info.dli_fbase));
	}
}

void bma__track_show(struct bma__engine *e, const void *obj)
{
	struct bma__slab *slab = bma__chunk_slab(obj);
	struct bma__slab_track *track;

	if (bma__sample_has(obj)) {
		bma__sample_show(obj);
		return;
	}
	if (!slab || slab->owner != e || bma__slab_check(slab, obj) != BMA__SLAB_OK)
		return;
	track = bma__slab_track(slab, obj);
	if (!track)
		return;
	bma__track_print("allocated", &track->alloc);
	bma__track_print("freed", &track->free);
}

struct group {
	const struct bma__slab_stack *stack;
	uint64_t n;
};

static bool same(const struct bma__slab_stack *a, const struct bma__slab_stack *b)
{
	return a->n == b->n && !memcmp(a->pc, b->pc, a->n * sizeof(void *));
}

/* The last group takes what is in no other. */
static void add(struct group *groups, const struct bma__slab_stack *stack)
{
	uint32_t i = 0;

	while (i < GROUPS - 1 && groups[i].n && !same(groups[i].stack, stack))
		i++;
	if (!groups[i].n)
		groups[i].stack = stack;
	groups[i].n++;
}

static void add_slab(struct group *groups, struct bma__slab *slab)
{
	uint32_t carved = atomic_load_explicit(&slab->carved, memory_order_relaxed);

	for (uint32_t i = 0; i < carved; i++) {
		if (bma__slab_is_live(slab, i))
			add(groups, &slab->tracks[i].alloc);
	}
}

/* Under the engine's lock, which keeps the slabs. */
void bma__track_leaks(struct bma__engine *e)
{
	struct group groups[GROUPS] = {0};

	if (!e->geo.tracked)
		return;
	bma__lock_take(&e->lock);
	bma__engine_for_each_slab (e, s)
		add_slab(groups, s);
	for (uint32_t i = 0; i < GROUPS && groups[i].n; i++) {
		bma__log_line("cache \"%s\": %llu live objects, %llu bytes%s", e->name,
			      (unsigned long long)groups[i].n,
			      (unsigned long long)(groups[i].n * e->size),
			      i == GROUPS - 1 ? " of this and other places" : "");
		bma__track_print("allocated", groups[i].stack);
	}
	bma__lock_drop(&e->lock);
}
