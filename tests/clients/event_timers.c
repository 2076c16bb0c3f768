/* SPDX-License-Identifier: MIT */
/* Timers that fire once, that are taken back before, that are put off again and again; and calls posted to another thread's loop. */
#include "event.h"

#include "test.h"

#define ONCE 5000
#define AGAIN 50
#define AGAIN_TIMES 20
#define POSTS 2000

struct timer {
	struct event_loop *loop;
	struct event *event;
	int left;
};

static struct timeval in(long us)
{
	return (struct timeval){us / 1000000, us % 1000000};
}

static void let_go(struct timer *t)
{
	t->loop->left--;
	event_free(t->event);
	bma_heap_free_sized(event_heap, t, sizeof *t);
}

static void fire(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	CHECK(fd == -1 && what == EV_TIMEOUT, "another event");
	t->loop->fired++;
	if (!--t->left)
		let_go(t);
}

static struct timer *add(struct event_loop *loop, int times, long us)
{
	struct timer *t = bma_heap_alloc_flags(event_heap, sizeof *t, BMA_SLEEP);
	struct timeval tv = in(us);

	CHECK(t, "no timer");
	*t = (struct timer){loop, NULL, times};
	t->event = event_new(loop->base, -1, times > 1 ? EV_PERSIST : 0, fire, t);
	CHECK(t->event && !event_add(t->event, &tv), "no event");
	loop->left++;
	return t;
}

static void posted(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->loop->fired++;
	t->loop->left--;
	bma_heap_free_sized(event_heap, t, sizeof *t);
}

/* What the other loop frees. It waits for us, having been told in event_timers_begin(). */
static void post(evutil_socket_t fd, short what, void *arg)
{
	struct event_loop *loop = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < POSTS; i++) {
		struct timer *t = bma_heap_alloc_flags(event_heap, sizeof *t, BMA_SLEEP);
		struct timeval tv = in((long)(test_random(&loop->random) % 20000));

		CHECK(t, "no post");
		*t = (struct timer){.loop = loop->other};
		CHECK(!event_base_once(loop->other->base, -1, EV_TIMEOUT, posted, t, &tv),
		      "not posted");
	}
	loop->left--;
}

void event_timers_begin(struct event_loop *loop)
{
	struct timeval tv = in(1000);

	for (int i = 0; i < ONCE; i++) {
		struct timer *t = add(loop, 1, (long)(test_random(&loop->random) % 200000));

		if (i % 8 == 0)
			let_go(t);
	}
	for (int i = 0; i < AGAIN; i++)
		add(loop, AGAIN_TIMES, 1000 + (long)(test_random(&loop->random) % 9000));
	loop->left += 1 + POSTS;
	CHECK(!event_base_once(loop->base, -1, EV_TIMEOUT, post, loop, &tv), "no event");
}
