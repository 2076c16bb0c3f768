/* SPDX-License-Identifier: MIT */
/* A server on the loopback and who asks it: what was posted comes back, with the words of the query in a header. */
#include "event.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "test.h"

#define CLIENTS 4
#define REQUESTS 100
#define BODY 20000

struct client {
	struct event_loop *loop;
	struct evhttp_connection *connection;
	int left;
	size_t size;
	unsigned char first;
};

struct event_http {
	struct evhttp *server;
	struct client client[CLIENTS];
};

static void echo(struct evhttp_request *request, void *arg)
{
	struct evbuffer *body = evbuffer_new();
	struct evkeyvalq query;

	(void)arg;
	CHECK(body && !evhttp_parse_query_str(
			      evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request)), &query),
	      "no query");
	CHECK(evhttp_find_header(&query, "first"), "the query lost a word");
	evhttp_add_header(evhttp_request_get_output_headers(request), "X-First",
			  evhttp_find_header(&query, "first"));
	evbuffer_add_buffer(body, evhttp_request_get_input_buffer(request));
	evhttp_send_reply(request, HTTP_OK, "OK", body);
	evhttp_clear_headers(&query);
	evbuffer_free(body);
}

static void ask(struct client *c);

static void answered(struct evhttp_request *request, void *arg)
{
	struct client *c = arg;
	struct evbuffer *body;
	const unsigned char *bytes;
	const char *first;

	CHECK(request && evhttp_request_get_response_code(request) == HTTP_OK, "no answer");
	body = evhttp_request_get_input_buffer(request);
	CHECK(evbuffer_get_length(body) == c->size, "%zu bytes of %zu", evbuffer_get_length(body),
	      c->size);
	first = evhttp_find_header(evhttp_request_get_input_headers(request), "X-First");
	CHECK(first && atoi(first) == c->first, "header %s, not %d", first, c->first);
	bytes = evbuffer_pullup(body, -1);
	for (size_t i = 0; i < c->size; i++)
		CHECK(bytes[i] == (unsigned char)(c->first + i), "byte %zu", i);
	c->loop->replies++;
	if (--c->left)
		ask(c);
	else
		c->loop->left--;
}

static void ask(struct client *c)
{
	struct evhttp_request *request = evhttp_request_new(answered, c);
	unsigned char body[BODY];
	char query[64];

	CHECK(request, "no request");
	c->size = test_random(&c->loop->random) % BODY + 1;
	c->first = (unsigned char)test_random(&c->loop->random);
	for (size_t i = 0; i < c->size; i++)
		body[i] = (unsigned char)(c->first + i);
	snprintf(query, sizeof query, "/echo?first=%u&size=%zu", c->first, c->size);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Host", "localhost");
	evbuffer_add(evhttp_request_get_output_buffer(request), body, c->size);
	CHECK(!evhttp_make_request(c->connection, request, EVHTTP_REQ_POST, query), "not asked");
}

void event_http_begin(struct event_loop *loop)
{
	struct event_http *h = bma_heap_alloc_flags(event_heap, sizeof *h, BMA_SLEEP | BMA_ZERO);
	struct evhttp_bound_socket *socket;
	struct sockaddr_in at;
	socklen_t n = sizeof at;

	CHECK(h, "no server");
	loop->http = h;
	h->server = evhttp_new(loop->base);
	CHECK(h->server, "no server");
	evhttp_set_gencb(h->server, echo, loop);
	socket = evhttp_bind_socket_with_handle(h->server, "127.0.0.1", 0);
	CHECK(socket, "no port on the loopback");
	getsockname(evhttp_bound_socket_get_fd(socket), (struct sockaddr *)&at, &n);
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &h->client[i];

		c->loop = loop;
		c->left = REQUESTS;
		c->connection = evhttp_connection_base_new(loop->base, NULL, "127.0.0.1",
							   ntohs(at.sin_port));
		CHECK(c->connection, "no connection");
		loop->left++;
		ask(c);
	}
}

void event_http_end(struct event_loop *loop)
{
	for (int i = 0; i < CLIENTS; i++)
		evhttp_connection_free(loop->http->client[i].connection);
	evhttp_free(loop->http->server);
	bma_heap_free(event_heap, loop->http);
}
