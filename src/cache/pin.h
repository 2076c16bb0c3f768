/* SPDX-License-Identifier: MIT */
/*
 * Pins: an object that is pinned is not freed.
 *
 * Only objects with owners (owner.h). While one is pinned its number in the slab is one that no record has, and the real one is kept here. So no call pays for it: a quick free
 * compares the number with its own and misses; the slow one, and who lets go what waited for a grace period, change it to "freed" and leave the object alone. That takes no lock:
 * a free may come in any context. Who takes the last pin back changes the number to the real one, or finds "freed" and has the object: it is freed with no lock held.
 *
 * Three kinds of entries, found by pairs: what an owner holds (owner, object), what a group has pinned (group, object), by which it is charged once, and the object itself.
 * Equations:
 *	pins of an object = the sum of its holds; holds of a group's use = the holds of its owners
 *	pinned of a group, see group/shared.h = the sum of bytes of its uses and of those below it
 */
#ifndef BMA_CACHE_PIN_H
#define BMA_CACHE_PIN_H

#include "engine.h"

#include "group/group.h"

struct bma__record;

/* One that is pinned, or was, and was freed meanwhile. */
struct bma__pin_object {
	struct bma__pair pair; /* of nobody and the object */
	struct bma__engine *engine;
	struct bma__record *record; /* who is charged for it */
	void *obj;
	struct bma__pin_object *next; /* in hand */
	uint64_t uses;		      /* groups that have it pinned */
	uint16_t owner;
	bool rcu; /* by a deferred free */
};

/* Of an open owner; all calls find out whether it is one. */
struct bma_pin_owner *bma__pin_open(const struct bma_group *group, int *rc);
/*
 * As the public calls. @freed: objects in hand that are to be freed; each is the caller's, as is its entry, which he gives to bma__pin_done(). May sleep.
 */
size_t bma__pin_close(struct bma_pin_owner *owner, struct bma__pin_object **freed);
int bma__pin(struct bma_pin_owner *owner, void *obj);
int bma__unpin(struct bma_pin_owner *owner, void *obj, struct bma__pin_object **freed);
/* @g is being destroyed: its owners hold nothing any more. Under the lock of groups. */
void bma__pin_end(struct bma__group *g, struct bma__pin_object **freed);
void bma__pin_done(struct bma__pin_object *o);

/* Who pays for a live object of any cache or heap, with how many @bytes; NULL: it is none, or nobody pays for it alone. May sleep. */
struct bma__record *bma__pin_payer(const void *obj, uint64_t *bytes);

#endif /* BMA_CACHE_PIN_H */
