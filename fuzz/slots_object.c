/* SPDX-License-Identifier: MIT */
/* The table of objects, see slots.h. */
#include "slots.h"

#include <string.h>

#define PLACE_BITS 12u
_Static_assert(SLOTS_OBJECTS == 1u << PLACE_BITS, "a stamp has the place");
/* So that neither zeros nor fillings of the allocator are stamps. */
#define STAMP 0x5bd1e995c2b2ae35u

static uint64_t stamp(const struct slots_object *o, size_t place)
{
	return (o->serial << PLACE_BITS | place) ^ STAMP;
}

static uint64_t word(const unsigned char *at)
{
	uint64_t w;

	memcpy(&w, at, sizeof w);
	return w;
}

static unsigned char *last(const struct slots_cache *c, const struct slots_object *o)
{
	return o->at + c->attr.size - sizeof(uint64_t);
}

static void compare(const struct slots_cache *c, const struct slots_object *o)
{
	uint64_t want = stamp(o, (size_t)(o - c->objects));

	FUZZ_CHECK(word(last(c, o)) == (c->attr.size < 16 ? want : ~want),
		   "the end of object %p, %zu bytes, %s, changed", (void *)o->at, c->attr.size,
		   o->state == SLOTS_LIVE ? "live" : "readable");
	FUZZ_CHECK(c->attr.size < 16 || word(o->at) == want,
		   "the beginning of object %p, %zu bytes, %s, changed", (void *)o->at,
		   c->attr.size, o->state == SLOTS_LIVE ? "live" : "readable");
}

void slots_objects_begin(struct slots_cache *c)
{
	c->live = c->waiting = 0;
	for (size_t i = 0; i < SLOTS_OBJECTS; i++) {
		c->order[i] = (uint16_t)i;
		c->objects[i].state = SLOTS_NONE;
	}
}

bool slots_room(const struct slots_cache *c, size_t n)
{
	return c->live + n <= c->most && c->live + c->waiting + n <= SLOTS_OBJECTS;
}

enum slots_state slots_state_of(const struct slots_cache *c, const void *at)
{
	const struct slots_object *o = &c->objects[(word(at) ^ STAMP) & ((1u << PLACE_BITS) - 1)];

	return o->at == at ? o->state : SLOTS_NONE;
}

void slots_add(struct slots_cache *c, void *at, bool zeroed)
{
	size_t align = c->attr.align > 8 ? c->attr.align : 8, place;
	enum slots_state state = slots_state_of(c, at);
	struct slots_object *o;
	uint64_t mark;

	FUZZ_CHECK(state == SLOTS_NONE, "%p of %zu bytes was given out, and is %s", at,
		   c->attr.size, state == SLOTS_LIVE ? "live" : "readable");
	FUZZ_CHECK(!((uintptr_t)at & (align - 1)), "%p is not aligned to %zu", at, align);
	place = c->order[c->live];
	o = &c->objects[place];
	*o = (struct slots_object){.at = at, .serial = ++slots.serial, .state = SLOTS_LIVE};
	c->live++;
	if (zeroed || c->attr.flags & BMA_CACHE_ZERO_FREE)
		FUZZ_CHECK(!word(at) && !word(last(c, o)), "%p is not clear", at);
	mark = stamp(o, place);
	memcpy(at, &mark, sizeof mark);
	mark = ~mark;
	if (c->attr.size >= 16)
		memcpy(last(c, o), &mark, sizeof mark);
}

/*
 * order[] has the live places first, then the free ones. A place that waits is in neither: it is taken out of the
 * end of the free ones.
 */
void *slots_take(struct slots_cache *c, unsigned int nth, bool rcu)
{
	struct slots_object *o;
	uint16_t place;

	if (!c->live)
		return NULL;
	nth %= c->live;
	place = c->order[nth];
	o = &c->objects[place];
	compare(c, o);
	c->live--;
	c->order[nth] = c->order[c->live];
	if (!rcu && !(c->attr.flags & BMA_CACHE_DTOR_RECYCLE)) {
		c->order[c->live] = place;
		o->state = SLOTS_NONE;
		return o->at;
	}
	c->waits[c->waiting++] = place;
	c->order[c->live] = c->order[SLOTS_OBJECTS - c->waiting];
	o->state = SLOTS_WAITING;
	c->deferred++;
	c->due += (c->attr.flags & BMA_CACHE_DTOR_RECYCLE) != 0;
	return o->at;
}

void slots_put_back(struct slots_cache *c, void *at)
{
	uint16_t place = c->waits[c->waiting - 1];

	FUZZ_CHECK(c->objects[place].at == at, "not the last one");
	c->order[SLOTS_OBJECTS - c->waiting] = c->order[c->live];
	c->waiting--;
	c->deferred--;
	c->due -= (c->attr.flags & BMA_CACHE_DTOR_RECYCLE) != 0;
	c->order[c->live++] = place;
	c->objects[place].state = SLOTS_LIVE;
}

void slots_period(struct slots_cache *c)
{
	while (c->waiting) {
		uint16_t place = c->waits[c->waiting - 1];

		compare(c, &c->objects[place]);
		c->objects[place].state = SLOTS_NONE;
		c->order[SLOTS_OBJECTS - c->waiting] = place;
		c->waiting--;
	}
}
