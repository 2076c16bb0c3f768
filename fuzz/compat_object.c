/* SPDX-License-Identifier: MIT */
/* What was allocated by the kernel's names: stamps at both ends, in each copy of per-CPU objects, see compat.h. */
#include "compat.h"

#include <errno.h>
#include <string.h>

#define STAMP 0x5bd1e995c2b2ae35u
/* So many of a new allocator have to be there: of the stock of small ones a slot takes less. */
#define FIRST 48u
#define SMALL 1024u

static const uint16_t class_size[] = {16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096};

unsigned int compat_class(size_t size)
{
	unsigned int c = 0;

	while (c < 10 && class_size[c] < size)
		c++;
	return c;
}

size_t compat_class_size(unsigned int c)
{
	return class_size[c];
}

void compat_check_errno(void)
{
	FUZZ_CHECK(errno == COMPAT_SENTINEL, "errno %d", errno);
}

void compat_set_up(struct compat_ma *m, enum compat_kind kind, bool percpu, size_t size)
{
	for (unsigned int i = 0; i < compat.used; i++) {
		if (compat.objects[i].ma == m)
			compat.objects[i].ma = NULL;
	}
	m->kind = kind;
	m->percpu = kind != COMPAT_ZERO && percpu;
	m->size = size;
	m->used = false;
	m->allocs = compat.failing ? FIRST : 0;
	m->filled = kind == COMPAT_ANY && !percpu ? ~0u : 0;
}

void compat_no_stock(void)
{
	for (unsigned int i = 0; i < COMPAT_MAS; i++)
		compat.ma[i].allocs = FIRST;
}

bool compat_room(void)
{
	return compat.used < COMPAT_OBJECTS;
}

static size_t copies(const struct compat_object *o)
{
	return o->percpu ? num_possible_cpus() : 1;
}

static unsigned char *copy_of(const struct compat_object *o, size_t i)
{
	void *copy;

	if (!o->percpu)
		return o->at;
	memcpy(&copy, o->at, sizeof copy);
	FUZZ_CHECK(copy, "%p has no copies", (void *)o->at);
	return per_cpu_ptr(copy, i);
}

static void stamps(const struct compat_object *o, bool write)
{
	size_t n = o->size < 8 ? o->size : 8;

	for (size_t i = 0; i < copies(o); i++) {
		uint64_t first = (o->serial << 12 | i) * STAMP,
			 last = o->size < 16 ? first : ~first;
		unsigned char *at = copy_of(o, i), *end = at + (o->size < 16 ? 0 : o->size - n);

		if (write) {
			memcpy(end, &last, n);
			memcpy(at, &first, n);
			continue;
		}
		FUZZ_CHECK(!memcmp(at, &first, n) && !memcmp(end, &last, n),
			   "%p, %zu bytes, copy %zu, %s, changed", (void *)o->at, o->size, i,
			   o->waits ? "readable" : "live");
	}
}

static void check_zero(const struct compat_object *o)
{
	for (size_t i = 0; i < copies(o); i++) {
		const unsigned char *at = copy_of(o, i);

		for (size_t b = 0; b < o->size; b++)
			FUZZ_CHECK(!at[b], "byte %zu of %zu, copy %zu, is not clear", b, o->size,
				   i);
	}
}

bool compat_has(const void *p)
{
	for (unsigned int i = 0; i < compat.used; i++) {
		if (compat.objects[i].at == p)
			return true;
	}
	return false;
}

void compat_got(struct compat_ma *m, void *p, size_t size, bool zeroed, bool sleeps)
{
	struct compat_object *o = &compat.objects[compat.used];

	m->used = true;
	if (!p) {
		FUZZ_CHECK(!sleeps || (errno == ENOMEM && compat.failing), "errno %d", errno);
		FUZZ_CHECK(compat.failing || size > SMALL || m->allocs >= FIRST,
			   "%zu bytes: nothing after %u", size, m->allocs);
		m->allocs = FIRST;
		return;
	}
	m->allocs++;
	FUZZ_CHECK(!compat_has(p), "%p was given out", p);
	FUZZ_CHECK(!((uintptr_t)p & 7), "%p is not aligned", p);
	*o = (struct compat_object){
		.at = p, .ma = m, .size = size, .percpu = m->percpu, .serial = ++compat.serial};
	if (zeroed)
		check_zero(o);
	stamps(o, true);
	compat.used++;
}

struct compat_object *compat_pick(unsigned int nth)
{
	for (unsigned int i = 0; i < compat.used; i++) {
		struct compat_object *o = &compat.objects[(nth + i) % compat.used];

		if (!o->waits)
			return o;
	}
	return NULL;
}

void *compat_take(struct compat_object *o, bool rcu)
{
	void *p = o->at;

	stamps(o, false);
	if (rcu)
		o->waits = true;
	else
		*o = compat.objects[--compat.used];
	return p;
}

void compat_period(void)
{
	for (unsigned int i = compat.used; i--;) {
		if (!compat.objects[i].waits)
			continue;
		stamps(&compat.objects[i], false);
		compat.objects[i] = compat.objects[--compat.used];
	}
}
