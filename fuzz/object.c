/* SPDX-License-Identifier: MIT */
/* The table of objects, see model.h. */
#include "model.h"

#include <string.h>

/* Of large objects both ends are filled, and some bytes between. */
#define EDGE 128u
#define STEP 1021u

#define for_each_object(o)                                                                         \
	for (struct model_object *o = model.objects; o < model.objects + MODEL_OBJECTS; o++)

static size_t after(size_t i, size_t size)
{
	if (i < EDGE || i + EDGE >= size)
		return i + 1;
	return i + STEP + EDGE < size ? i + STEP : size - EDGE;
}

static unsigned char pattern(const struct model_object *o, size_t i)
{
	return (unsigned char)(o->serial * 31 + i * 7 + 1);
}

/* The first byte is the constructor's. */
static size_t first(const struct model_object *o)
{
	return model.caches[o->cache].attr.ctor ? 1 : 0;
}

static void fill(struct model_object *o)
{
	for (size_t i = first(o); i < o->size; i = after(i, o->size))
		o->at[i] = pattern(o, i);
}

static void compare(const struct model_object *o)
{
	FUZZ_CHECK(!first(o) || *o->at == MODEL_CONSTRUCTED, "object %p", (void *)o->at);
	for (size_t i = first(o); i < o->size; i = after(i, o->size))
		FUZZ_CHECK(o->at[i] == pattern(o, i), "byte %zu of object %p, %zu bytes, %s", i,
			   (void *)o->at, o->size, o->state == MODEL_LIVE ? "live" : "readable");
}

bool model_room(const struct model_cache *c, size_t n)
{
	size_t places = 0;

	for_each_object(o) places += o->state == MODEL_NONE;
	return places >= n && model.bytes + n * c->attr.size <= MODEL_BYTES;
}

static struct model_object *place(void)
{
	for_each_object(o)
	{
		if (o->state == MODEL_NONE)
			return o;
	}
	abort();
}

static void check_content(const struct model_cache *c, const unsigned char *at, bool zeroed)
{
	bool zero = zeroed || c->attr.flags & BMA_CACHE_ZERO_FREE;

	FUZZ_CHECK(zeroed || !c->attr.ctor || *at == MODEL_CONSTRUCTED, "%p is not constructed",
		   (const void *)at);
	/* A fresh one, or what its last user left was destructed. */
	if (c->attr.flags & BMA_CACHE_DTOR_RECYCLE && c->attr.size > 1 && !zeroed)
		FUZZ_CHECK(!at[c->attr.size - 1] || at[c->attr.size - 1] == MODEL_DESTRUCTED,
			   "%p was not destructed", (const void *)at);
	for (size_t i = 0; zero && i < c->attr.size; i = after(i, c->attr.size))
		FUZZ_CHECK(!at[i], "byte %zu is %d", i, at[i]);
}

void model_add(struct model_cache *c, void *at, bool zeroed)
{
	size_t size = c->attr.size, align = c->attr.align > 8 ? c->attr.align : 8;
	struct model_object *mine = place();
	unsigned char *begin = at;

	for_each_object(o) FUZZ_CHECK(
		o->state == MODEL_NONE || begin + size <= o->at || o->at + o->size <= begin,
		"%p of %zu bytes was given out, and %p of %zu is %s", at, size, (void *)o->at,
		o->size, o->state == MODEL_LIVE ? "live" : "readable");
	FUZZ_CHECK(!((uintptr_t)at & (align - 1)), "%p is not aligned to %zu", at, align);
	check_content(c, at, zeroed);
	/* Not to be combined, but what it does is told. */
	if (zeroed && c->attr.ctor)
		*begin = MODEL_CONSTRUCTED;
	*mine = (struct model_object){
		.at = at,
		.size = size,
		.serial = ++model.serial,
		.cache = (unsigned int)(c - model.caches),
		.state = MODEL_LIVE,
	};
	fill(mine);
	model.bytes += size;
	c->live++;
}

static unsigned int readers(void)
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < BATON_THREADS; i++)
		mask |= model.reading[i] ? 1u << i : 0;
	return mask;
}

static void drop(struct model_object *o)
{
	model.bytes -= o->size;
	o->state = MODEL_NONE;
}

void *model_take(struct model_cache *c, unsigned int nth, bool rcu)
{
	if (!c->live)
		return NULL;
	nth = (unsigned int)(nth % c->live);
	for_each_object(o)
	{
		if (o->state != MODEL_LIVE || o->cache != c - model.caches || nth--)
			continue;
		compare(o);
		c->live--;
		c->deferred += rcu || c->attr.flags & BMA_CACHE_DTOR_RECYCLE;
		o->readers = rcu ? readers() : 0;
		o->state = MODEL_READABLE;
		if (!o->readers)
			drop(o);
		return o->at;
	}
	abort();
}

void model_put_back(struct model_cache *c, void *at)
{
	for_each_object(o)
	{
		if (o->at != at || o->cache != c - model.caches)
			continue;
		model.bytes += o->state == MODEL_NONE ? o->size : 0;
		o->state = MODEL_LIVE;
		c->live++;
		c->deferred--;
		return;
	}
	abort();
}

void model_look(unsigned int n)
{
	while (n--) {
		struct model_object *o = &model.objects[model.next++ % MODEL_OBJECTS];

		if (o->state != MODEL_NONE)
			compare(o);
	}
}

void model_left(unsigned int thread)
{
	for_each_object(o)
	{
		if (o->state != MODEL_READABLE)
			continue;
		compare(o);
		o->readers &= ~(1u << thread);
		if (!o->readers)
			drop(o);
	}
}
