/* SPDX-License-Identifier: MIT */
/*
 * Which object is at an address: a hash table whose nodes come from a BMA cache. Whoever asks is in a
 * malloc or a free, so it may lock; heads share their locks.
 *
 * An address is taken out before the real free and put in after the real malloc, so it never stands
 * there twice. If one does, it was given back behind our back, and the new object takes its place.
 */
#include "record.h"

#include <bma/bma.h>
#include <string.h>

#define HEADS ((size_t)1 << 17)
#define LOCKS ((size_t)1 << 9)

struct record_object {
	struct record_object *next;
	const void *at;
	uint32_t number;
};

static struct record_object *heads[HEADS];
static record_lock locks[LOCKS];
static struct bma_cache *cache;

bool record_objects_start(void)
{
	struct bma_cache_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.attr_size = sizeof(attr);
	attr.name = "trace-objects";
	attr.size = sizeof(struct record_object);
	cache = bma_cache_create(&attr);
	return cache != NULL;
}

struct record_object *record_object_new(void)
{
	return bma_cache_alloc_flags(cache, BMA_SLEEP);
}

void record_object_drop(struct record_object *object)
{
	bma_cache_free(cache, object);
}

uint32_t record_object_number(const struct record_object *object)
{
	return object->number;
}

const void *record_object_at(const struct record_object *object)
{
	return object->at;
}

static size_t head_of(const void *at)
{
	return (size_t)(((uintptr_t)at >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % HEADS;
}

static struct record_object *unlink_from(size_t head, const void *at)
{
	for (struct record_object **link = &heads[head]; *link; link = &(*link)->next) {
		struct record_object *found = *link;

		if (found->at == at) {
			*link = found->next;
			return found;
		}
	}
	return NULL;
}

void record_object_put(struct record_object *object, const void *at, uint32_t number)
{
	size_t head = head_of(at);
	struct record_object *old;

	object->at = at;
	object->number = number;
	record_lock_take(&locks[head % LOCKS]);
	old = unlink_from(head, at);
	object->next = heads[head];
	heads[head] = object;
	record_lock_drop(&locks[head % LOCKS]);
	bma_cache_free(cache, old);
}

struct record_object *record_object_take(const void *at)
{
	size_t head = head_of(at);
	struct record_object *found;

	record_lock_take(&locks[head % LOCKS]);
	found = unlink_from(head, at);
	record_lock_drop(&locks[head % LOCKS]);
	return found;
}
