/* SPDX-License-Identifier: MIT */
/* The page allocator below the slab caches. */
#include "pages.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

/*
 * The start of a chunk, in place of the descriptor of a slab 0: that and the following few would
 * overlap the array and are not used. Slabs from @carved on were never used.
 */
struct chunk {
	_Alignas(1 << SLAB_BITS) struct chunk *next;
	struct chunk *prev;
	struct slab *free;
	unsigned int shift;
	unsigned int used;
	unsigned int first;
	unsigned int carved;
};

_Static_assert(sizeof(struct chunk) == sizeof(struct slab), "the array of descriptors");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* By order: the chunks that have a free slab. */
static struct chunk *chunks[MAX_ORDER + 1];

static struct chunk *chunk_of(struct slab *slab)
{
	return (struct chunk *)((uintptr_t)slab & ~(CHUNK_BYTES - 1));
}

static struct slab *descriptor(struct chunk *chunk, unsigned int i)
{
	return (struct slab *)chunk + i;
}

static unsigned int slabs_end(const struct chunk *chunk)
{
	return 1u << (CHUNK_BITS - chunk->shift);
}

static bool chunk_full(const struct chunk *chunk)
{
	return !chunk->free && chunk->carved == slabs_end(chunk);
}

static void chunk_list(struct chunk *chunk)
{
	struct chunk **head = &chunks[chunk->shift - PAGE_BITS];

	chunk->prev = NULL;
	chunk->next = *head;
	if (*head)
		(*head)->prev = chunk;
	*head = chunk;
}

static void chunk_unlist(struct chunk *chunk)
{
	if (chunk->prev)
		chunk->prev->next = chunk->next;
	else
		chunks[chunk->shift - PAGE_BITS] = chunk->next;
	if (chunk->next)
		chunk->next->prev = chunk->prev;
}

static struct chunk *chunk_map(unsigned int shift)
{
	unsigned char *p = mmap(NULL, 2 * CHUNK_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct chunk *chunk;
	size_t before, array;

	if (p == MAP_FAILED)
		return NULL;
	/* Twice the size holds an aligned one; the ends go back. */
	before = (CHUNK_BYTES - ((uintptr_t)p & (CHUNK_BYTES - 1))) & (CHUNK_BYTES - 1);
	if (before)
		munmap(p, before);
	munmap(p + before + CHUNK_BYTES, CHUNK_BYTES - before);
	chunk = (struct chunk *)(void *)(p + before);
	chunk->shift = shift;
	array = (size_t)slabs_end(chunk) << SLAB_BITS;
	chunk->first = (unsigned int)((array + ((size_t)1 << shift) - 1) >> shift);
	chunk->carved = chunk->first;
	chunk_list(chunk);
	return chunk;
}

struct slab *pages_alloc(unsigned int shift)
{
	struct slab *slab = NULL;
	struct chunk *chunk;

	pthread_mutex_lock(&lock);
	chunk = chunks[shift - PAGE_BITS];
	if (!chunk)
		chunk = chunk_map(shift);
	if (chunk) {
		slab = chunk->free;
		if (slab)
			chunk->free = slab->next;
		else
			slab = descriptor(chunk, chunk->carved++);
		slab->used = 1;
		chunk->used++;
		if (chunk_full(chunk))
			chunk_unlist(chunk);
	}
	pthread_mutex_unlock(&lock);
	return slab;
}

void pages_free(struct slab *slab)
{
	struct chunk *chunk = chunk_of(slab);

	pthread_mutex_lock(&lock);
	if (chunk_full(chunk))
		chunk_list(chunk);
	slab->used = 0;
	slab->next = chunk->free;
	chunk->free = slab;
	chunk->used--;
	pthread_mutex_unlock(&lock);
}

/* Free slabs that lie side by side go back in one call. */
static void chunk_trim(struct chunk *chunk)
{
	unsigned int i = chunk->first, from;

	while (i < chunk->carved) {
		from = i;
		while (i < chunk->carved && !descriptor(chunk, i)->used)
			i++;
		if (i > from)
			madvise((void *)slab_start(descriptor(chunk, from), chunk->shift),
				(size_t)(i - from) << chunk->shift, MADV_DONTNEED);
		else
			i++;
	}
}

void pages_trim(void)
{
	struct chunk *chunk, *next;

	pthread_mutex_lock(&lock);
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		for (chunk = chunks[order]; chunk; chunk = next) {
			next = chunk->next;
			if (chunk->used) {
				chunk_trim(chunk);
			} else {
				chunk_unlist(chunk);
				munmap(chunk, CHUNK_BYTES);
			}
		}
	}
	pthread_mutex_unlock(&lock);
}
