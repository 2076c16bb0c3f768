/* SPDX-License-Identifier: MIT */
/*
 * libevent on a heap: loops in several threads, with timers, socket pairs and a web server each, that post to one another. They are made and taken
 * down here, not where they run.
 */
#include "event.h"

#include <event2/thread.h>
#include <pthread.h>

#include "client.h"

#define THREADS 3

struct bma_heap *event_heap;
static _Atomic long calls;

static void *event_alloc(size_t n)
{
	calls++;
	return bma_heap_alloc_flags(event_heap, n, BMA_SLEEP);
}

static void *event_realloc(void *p, size_t n)
{
	calls++;
	return bma_heap_realloc(event_heap, p, n, BMA_SLEEP);
}

static void event_release(void *p)
{
	calls++;
	bma_heap_free(event_heap, p);
}

static void look(evutil_socket_t fd, short what, void *arg)
{
	struct event_loop *loop = arg;

	(void)fd;
	(void)what;
	if (!loop->left)
		event_base_loopbreak(loop->base);
}

static void *run(void *arg)
{
	struct event_loop *loop = arg;
	struct timeval often = {0, 5000};
	struct event *looker = event_new(loop->base, -1, EV_PERSIST, look, loop);

	CHECK(looker && !event_add(looker, &often), "no event");
	event_pairs_begin(loop);
	event_http_begin(loop);
	event_timers_begin(loop);
	CHECK(!event_base_dispatch(loop->base) && !loop->left, "the loop ended early");
	event_free(looker);
	return NULL;
}

int main(void)
{
	struct event_loop loop[THREADS] = {0};
	pthread_t thread[THREADS];
	double begin = test_seconds();

	event_heap = client_heap("libevent", BMA_HEAP_PRIVATE);
	event_set_mem_functions(event_alloc, event_realloc, event_release);
	CHECK(!evthread_use_pthreads(), "no locks");
	for (unsigned int i = 0; i < THREADS; i++) {
		loop[i].base = event_base_new();
		CHECK(loop[i].base, "no loop");
		loop[i].random = i + 1;
		loop[i].other = &loop[(i + 1) % THREADS];
	}
	CHECK(client_live(event_heap), "libevent does not use the heap");
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, run, &loop[i]), "no thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		event_pairs_end(&loop[i]);
		event_http_end(&loop[i]);
		event_base_free(loop[i].base);
		printf("loop %d: %ld timers, %ld bytes, %ld replies\n", i, loop[i].fired,
		       loop[i].bytes, loop[i].replies);
	}
	libevent_global_shutdown();
	client_end(event_heap, "libevent");
	printf("%ld calls, %.2f s\n", calls, test_seconds() - begin);
	return 0;
}
