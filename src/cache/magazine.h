/* SPDX-License-Identifier: MIT */
/*
 * Magazines: arrays of object pointers, the unit that moves between a CPU, the depot and a grace
 * period.
 *
 * A magazine is S = 32 << class bytes, aligned to S. Its first 16 bytes hold no element but, while it is in
 * a slot, the addresses of its neighbours on the tape (see slot.h), and on a stack its link; capacity is
 * S/8 - 2. A *word* is the address of its top element: low bits 8: empty, 16: one element, ...; the word 0
 * is "no magazine".
 *
 * Idle magazines have their links out of line, so that their pages can be given back. Addresses and links
 * are type-stable for the life of the process: a stale read of a link gets some value (0 where the page
 * went back), and the compare-and-exchange that would use it fails by its tag.
 *
 * Magazines come from segments of 2 MiB, aligned to that, each of one class; index = segment << 16 |
 * position. Position 0 holds the segment's number, so that the index follows from the address. May-sleep
 * code maps segments ahead of need (bma__mag_promise); any-context code takes fresh ones by a compare
 * and exchange on a counter below the mapped limit.
 */
#ifndef BMA_CACHE_MAGAZINE_H
#define BMA_CACHE_MAGAZINE_H

#include "stack.h"

#define BMA__MAG_CLASSES 8
#define BMA__MAG_SIZE_MIN 32u
#define BMA__MAG_SEGMENTS 65536u
#define BMA__MAG_POSITIONS 65536u
#define BMA__MAG_SEGMENT_SIZE ((uintptr_t)2 << 20)
struct bma__mag_segment {
	uintptr_t base;
	_Atomic uint64_t *links; /* out of line, of idle magazines */
};

extern struct bma__mag_segment bma__mag_segments[BMA__MAG_SEGMENTS];
extern struct bma__lock bma__mag_lock;

static inline uint32_t bma__mag_size(uint32_t class)
{
	return BMA__MAG_SIZE_MIN << class;
}

static inline uint32_t bma__mag_capacity(uint32_t class)
{
	return bma__mag_size(class) / 8 - 2;
}

static inline uintptr_t bma__mag_base(uint32_t class, uintptr_t word)
{
	return word & ~(uintptr_t)(bma__mag_size(class) - 1);
}

/* Elements in the magazine that @word points into; 0 for the word 0. */
static inline uint32_t bma__mag_count(uint32_t class, uintptr_t word)
{
	uint32_t offset = (uint32_t)word & (bma__mag_size(class) - 1);

	return offset ? offset / 8 - 1 : 0;
}

static inline uintptr_t bma__mag_word(uintptr_t base, uint32_t count)
{
	return base + 8 + 8 * (uintptr_t)count;
}

static inline void **bma__mag_elements(uintptr_t base)
{
	return (void **)(base + 16);
}

/* Neighbours on a tape: base addresses, 0 at the ends. Offsets are known to the sequences. */
struct bma__mag_links {
	_Atomic uintptr_t prev;
	_Atomic uintptr_t next;
};

static inline struct bma__mag_links *bma__mag_links(uintptr_t base)
{
	return (struct bma__mag_links *)base;
}

/* The plane that a sealed magazine comes from, where "next" is on a tape. */
static inline uintptr_t *bma__mag_plane(uintptr_t base)
{
	return (uintptr_t *)(base + 8);
}

/* In its place: of no slot. And more than that, see settle.c. */
#define BMA__PLANE_NONE ((uintptr_t)1 << 20)

static inline _Atomic uint64_t *bma__mag_link(uint32_t index)
{
	return &bma__mag_segments[index / BMA__MAG_POSITIONS].links[index % BMA__MAG_POSITIONS];
}

static inline uintptr_t bma__mag_at(uint32_t class, uint32_t index)
{
	return bma__mag_segments[index / BMA__MAG_POSITIONS].base +
	       (uintptr_t)(index % BMA__MAG_POSITIONS) * bma__mag_size(class);
}

/* Index of the magazine that @word points into. */
static inline uint32_t bma__mag_index(uint32_t class, uintptr_t word)
{
	uintptr_t segment = word & ~(BMA__MAG_SEGMENT_SIZE - 1);

	return *(const uint32_t *)segment * BMA__MAG_POSITIONS +
	       (uint32_t)((word - segment) / bma__mag_size(class));
}

/*
 * For who looks at magazines that others move meanwhile: what was read as a neighbour on a tape may be a link on a
 * stack, and the other way round. Is that the address, or the index, of a magazine? Then it may be read.
 */
bool bma__mag_is_base(uint32_t class, uintptr_t base);
bool bma__mag_is_index(uint32_t class, uint32_t index);

/*
 * An empty magazine, or 0 if none is idle and none is mapped ahead. Any context, lock-free.
 */
uintptr_t bma__mag_new(uint32_t class);
/* The same, mapping more if it has to. May sleep. 0: the system has no memory. */
uintptr_t bma__mag_new_sleep(uint32_t class);
/* Return an empty magazine to the idle ones of its class. Any context, lock-free. */
void bma__mag_release(uint32_t class, uintptr_t word);

/*
 * Make sure that @n more magazines of @class can be had, now and until bma__mag_unpromise(). May
 * sleep. Returns 0 or -ENOMEM.
 */
int bma__mag_promise(uint32_t class, uint32_t n);
void bma__mag_unpromise(uint32_t class, uint32_t n);

/* Give the pages of idle magazines back to the system. May sleep. */
void bma__mag_trim(void);
/* The same for classes of which much was idle since the last call of this. Returns whether to call again soon. May sleep. */
bool bma__mag_tick(void);
/* Bytes mapped for magazines and their links. */
uint64_t bma__mag_bytes(void);

#endif /* BMA_CACHE_MAGAZINE_H */
