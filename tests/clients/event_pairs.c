/* SPDX-License-Identifier: MIT */
/* Socket pairs: one end writes bytes of its heap, copied or by reference, the other looks whether each is what its place says. */
#include "event.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

#include "test.h"

#define PAIRS 6
#define TOTAL ((size_t)4 << 20)
#define AHEAD ((size_t)256 << 10)
#define CHUNK ((size_t)60000)

struct event_pair {
	struct event_loop *loop;
	struct bufferevent *in, *out;
	struct evbuffer *aside;
	size_t sent, received;
};

static unsigned char byte_at(size_t place)
{
	return (unsigned char)(place * 131 + (place >> 8) * 7);
}

static void release(const void *data, size_t n, void *arg)
{
	(void)arg;
	CHECK(n <= CHUNK, "%zu bytes", n);
	bma_heap_free(event_heap, (void *)(uintptr_t)data);
}

static void send_more(struct bufferevent *bev, void *arg)
{
	struct event_pair *p = arg;
	struct evbuffer *to = bufferevent_get_output(bev);

	while (p->sent < TOTAL && evbuffer_get_length(to) < AHEAD) {
		size_t n = test_random(&p->loop->random) % CHUNK + 1;
		unsigned char *chunk;

		if (n > TOTAL - p->sent)
			n = TOTAL - p->sent;
		chunk = bma_heap_alloc_flags(event_heap, n, BMA_SLEEP);
		CHECK(chunk, "no chunk");
		for (size_t i = 0; i < n; i++)
			chunk[i] = byte_at(p->sent + i);
		if (n % 2) {
			CHECK(!evbuffer_add_reference(to, chunk, n, release, NULL), "not added");
		} else {
			CHECK(!evbuffer_add(to, chunk, n), "not added");
			bma_heap_free_sized(event_heap, chunk, n);
		}
		p->sent += n;
	}
	if (p->sent == TOTAL && !evbuffer_get_length(to)) {
		/* The other end sees the end. */
		p->out = NULL;
		bufferevent_free(bev);
	}
}

static void look(struct event_pair *p, struct evbuffer *from)
{
	size_t n = evbuffer_get_length(from);
	unsigned char *bytes = evbuffer_pullup(from, -1);

	for (size_t i = 0; i < n; i++)
		CHECK(bytes[i] == byte_at(p->received + i), "byte %zu is another", p->received + i);
	p->received += n;
	p->loop->bytes += (long)n;
	evbuffer_drain(from, n);
}

/* Whole or in parts, which splits the buffer's chains. */
static void receive(struct bufferevent *bev, void *arg)
{
	struct event_pair *p = arg;
	struct evbuffer *from = bufferevent_get_input(bev);

	while (evbuffer_get_length(from) > CHUNK) {
		size_t n = test_random(&p->loop->random) % CHUNK + 1;

		CHECK(evbuffer_remove_buffer(from, p->aside, n) == (int)n, "bytes are missing");
		look(p, p->aside);
	}
	look(p, from);
}

static void ended(struct bufferevent *bev, short what, void *arg)
{
	struct event_pair *p = arg;

	CHECK(what == (BEV_EVENT_READING | BEV_EVENT_EOF), "event %x", (unsigned int)what);
	receive(bev, p);
	CHECK(p->received == TOTAL, "%zu bytes of %zu", p->received, TOTAL);
	p->loop->left--;
}

static void begin(struct event_loop *loop, struct event_pair *p)
{
	int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_THREADSAFE, fd[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), "no sockets");
	*p = (struct event_pair){.loop = loop, .aside = evbuffer_new()};
	p->in = bufferevent_socket_new(loop->base, fd[0], options);
	p->out = bufferevent_socket_new(loop->base, fd[1], options | BEV_OPT_DEFER_CALLBACKS);
	CHECK(p->aside && p->in && p->out, "no buffers");
	bufferevent_setcb(p->in, receive, NULL, ended, p);
	bufferevent_setcb(p->out, NULL, send_more, NULL, p);
	bufferevent_enable(p->in, EV_READ);
	bufferevent_enable(p->out, EV_WRITE);
	loop->left++;
	send_more(p->out, p);
}

void event_pairs_begin(struct event_loop *loop)
{
	loop->pairs =
		bma_heap_alloc_flags(event_heap, PAIRS * sizeof *loop->pairs, BMA_SLEEP | BMA_ZERO);
	CHECK(loop->pairs, "no pairs");
	for (int i = 0; i < PAIRS; i++)
		begin(loop, &loop->pairs[i]);
}

void event_pairs_end(struct event_loop *loop)
{
	for (int i = 0; i < PAIRS; i++) {
		CHECK(!loop->pairs[i].out, "a writer has not ended");
		bufferevent_free(loop->pairs[i].in);
		evbuffer_free(loop->pairs[i].aside);
	}
	bma_heap_free(event_heap, loop->pairs);
}
