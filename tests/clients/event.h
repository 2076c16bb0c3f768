/* SPDX-License-Identifier: MIT */
/* What one of libevent's loops is given to do. */
#ifndef CLIENTS_EVENT_H
#define CLIENTS_EVENT_H

#include <bma/bma.h>

#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What libevent runs on. */
extern struct bma_heap *event_heap;

struct event_http;
struct event_pair;

/* One thread's. @left: what has yet to end before the loop does; @fired, @bytes, @replies: what was done. */
struct event_loop {
	struct event_base *base;
	struct event_loop *other; /* whom to post to */
	uint64_t random;
	_Atomic int left;
	_Atomic long fired, bytes, replies;
	struct event_http *http;
	struct event_pair *pairs;
};

/* In the loop's thread, before it runs; these add to @left. */
void event_timers_begin(struct event_loop *loop);
void event_pairs_begin(struct event_loop *loop);
void event_http_begin(struct event_loop *loop);
/* When no loop runs any more. */
void event_pairs_end(struct event_loop *loop);
void event_http_end(struct event_loop *loop);

#endif /* CLIENTS_EVENT_H */
