/* SPDX-License-Identifier: MIT */
/* Functions of the user's that may end while they run, see oom.h. */
#include "group.h"

#define NAP 100000u /* nanoseconds */
#define LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))

static struct bma__hook *ended; /* [lock: group] in hand still */
/* What the thread is in, and what it holds apart from that: at most one of each, for a call begins no other. */
LOCAL struct bma__hook *mine;
LOCAL struct bma__hook *held;

void *bma__hook_make(size_t bytes, struct bma_group *group)
{
	struct bma__hook *h = bma__meta_alloc(bytes);

	if (h) {
		h->group = group;
		h->bytes = bytes;
	}
	return h;
}

static void unlink_ended(struct bma__hook *h)
{
	struct bma__hook **link = &ended;

	while (*link != h)
		link = &(*link)->next;
	*link = h->next;
}

static void put(struct bma__hook *h)
{
	if (--h->pins || !h->ended)
		return;
	unlink_ended(h);
	bma__meta_free(h, h->bytes);
}

void bma__hook_end(struct bma__hook *h)
{
	h->ended = true;
	if (!h->pins) {
		bma__meta_free(h, h->bytes);
		return;
	}
	h->next = ended;
	ended = h;
}

void bma__hook_hold(struct bma__hook *h)
{
	bma__assert(!held);
	held = h;
	h->pins++;
}

void bma__hook_put(struct bma__hook *h)
{
	held = NULL;
	put(h);
}

void bma__hook_enter(struct bma__hook *h)
{
	bma__assert(!mine);
	h->pins++;
	h->running++;
	mine = h;
}

void bma__hook_leave(struct bma__hook *h)
{
	h->running--;
	mine = NULL;
	put(h);
}

bool bma__hook_inside(void)
{
	return mine;
}

void bma__hook_end_and_wait(struct bma__hook *h)
{
	bool waits = h && !mine;

	if (waits)
		bma__hook_hold(h);
	if (h)
		bma__hook_end(h);
	while (waits && h->running) {
		bma__tree_unlock();
		bma__os_sleep(NAP);
		bma__tree_lock();
	}
	if (waits)
		bma__hook_put(h);
	bma__tree_unlock();
}

void bma__hook_wait_ended(const struct bma_group *group)
{
	for (;;) {
		const struct bma__hook *h;

		bma__tree_lock();
		h = mine ? NULL : ended;
		while (h && !(h->group == group && h->running))
			h = h->next;
		bma__tree_unlock();
		if (!h)
			return;
		bma__os_sleep(NAP);
	}
}

void bma__hook_forget(struct bma__hook *h)
{
	h->running = h == mine;
	h->pins = h->running + (h == held);
}

void bma__hook_forget_ended(void)
{
	struct bma__hook **link = &ended;

	while (*link) {
		struct bma__hook *h = *link;

		bma__hook_forget(h);
		if (h->pins) {
			link = &h->next;
			continue;
		}
		*link = h->next;
		bma__meta_free(h, h->bytes);
	}
}
