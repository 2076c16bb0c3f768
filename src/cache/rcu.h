/* SPDX-License-Identifier: MIT */
/*
 * One flavour of liburcu, by the table that it exports: no flavour is linked but memb, the default.
 * rcu.c is the only file that includes liburcu's headers.
 */
#ifndef BMA_CACHE_RCU_H
#define BMA_CACHE_RCU_H

#include <stdbool.h>
#include <stdint.h>

#define BMA__RCU_NAME_MAX 16

struct rcu_flavor_struct;

/* How the readers of a flavour are kept, as far as we know it. */
enum bma__rcu_readers {
	BMA__RCU_READERS_UNKNOWN,
	BMA__RCU_READERS_LISTED, /* memb, mb and signal: in each thread, linked */
	BMA__RCU_READERS_QSBR,	 /* the same, with another layout */
	BMA__RCU_READERS_ARENA,	 /* bp: in memory of their own, which a child of fork can prune */
};

struct bma__rcu {
	const struct rcu_flavor_struct *table;
	enum bma__rcu_readers readers;
	char name[BMA__RCU_NAME_MAX]; /* "memb", say; or the table's address */
	void *reader;		      /* [fork] the forking thread's entry among the readers */
	bool guest;		      /* [fork] it was registered for the fork */
};

/* @table: NULL for memb. May sleep. */
void bma__rcu_init(struct bma__rcu *rcu, const struct rcu_flavor_struct *table);
/* The table that NULL stands for. */
const struct rcu_flavor_struct *bma__rcu_default(void);

/* Wait for a grace period. May sleep; the caller needs not be registered. */
void bma__rcu_synchronize(const struct bma__rcu *rcu);

/*
 * Before and after a wait for a grace period: returns -EDEADLK if the caller is in a read section, else 0. An
 * online QSBR thread, which looks like one, goes offline until bma__rcu_end_wait(); *@online remembers.
 */
int bma__rcu_begin_wait(const struct bma__rcu *rcu, bool *online);
void bma__rcu_end_wait(const struct bma__rcu *rcu, bool online);
/* Might the caller be in a read section, or is it an online QSBR thread? */
bool bma__rcu_reading(const struct bma__rcu *rcu);

/*
 * Fork. Is a thread other than the forking one registered as a reader? liburcu has no call that tells, but its
 * list of readers is circular: of one that stands alone both neighbours are the head. So the forking
 * thread registers before the fork, unless it is, and the child looks: there the list stands still.
 */
void bma__rcu_before_fork(struct bma__rcu *rcu, void *reader);
/*
 * The calling thread's entry, registered or not; NULL: not found, or there are no entries. Asks the dynamic linker, so
 * with no lock of ours held: a constructor of a library may call us under the linker's.
 */
void *bma__rcu_reader(const struct bma__rcu *rcu);
void bma__rcu_after_fork_parent(struct bma__rcu *rcu);
/* In the child: can grace periods end here? */
bool bma__rcu_after_fork_child(struct bma__rcu *rcu);

#endif /* BMA_CACHE_RCU_H */
