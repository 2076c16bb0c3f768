/* SPDX-License-Identifier: MIT */
/* Charging a record, see record.h. Ordering: MO-32, MO-33, MO-34 (docs/memory-ordering.md). */
#include "cache.h"

/* Sequences that were aborted, or met a stock that another refilled meanwhile. */
#define TRIES 4
#define NAP 20000u
/* All stocks of a record together hold at most this part of the tightest limit. */
#define SHARE 16u

/* For sequences that change no slot: where the index is. */
struct bma__head bma__stock_head;

static uint64_t *copy_of(const struct bma__record *r, uint64_t i)
{
	return bma__percpu_at(r->words, i);
}

static uint64_t *last_copy(const struct bma__record *r)
{
	return copy_of(r, bma__percpu.slots);
}

/* The copy of those without an index: by atomic operations alone, so that it needs no freezing. */
static bool guest_take(struct bma__record *r, uint64_t bytes)
{
	uint64_t *word = last_copy(r), has = __atomic_load_n(word, __ATOMIC_RELAXED);

	do {
		if (has < bytes)
			return false;
	} while (!__atomic_compare_exchange_n(word, &has, has - bytes, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

static bool guest_give(struct bma__record *r, uint64_t bytes)
{
	uint64_t *word = last_copy(r), has = __atomic_load_n(word, __ATOMIC_RELAXED);

	do {
		if (has + bytes > atomic_load_explicit(&r->cap, memory_order_relaxed))
			return false;
	} while (!__atomic_compare_exchange_n(word, &has, has + bytes, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	return true;
}

#if BMA__RSEQ_BUILT
static bool take(struct bma__record *r, uint64_t bytes)
{
	if (!r->words)
		return false;
	if (!r->indexed || !bma__plane_indexed())
		return guest_take(r, bytes);
	BMA__STOCK_TAKE(&bma__stock_head, r, bytes, slow);
	return true;
slow:
	bma__rseq_clear();
	return false;
}

static bool give(struct bma__record *r, uint64_t bytes)
{
	if (!r->words)
		return false;
	if (!r->indexed || !bma__plane_indexed())
		return guest_give(r, bytes);
	BMA__STOCK_GIVE(&bma__stock_head, r, bytes, slow);
	return true;
slow:
	bma__rseq_clear();
	return false;
}
#else
static bool take(struct bma__record *r, uint64_t bytes)
{
	return r->words && guest_take(r, bytes);
}

static bool give(struct bma__record *r, uint64_t bytes)
{
	return r->words && guest_give(r, bytes);
}
#endif

/* How many gates the thread is in: see bma__stock_inside(). */
static _Thread_local uint32_t inside __attribute__((tls_model("initial-exec")));

bool bma__stock_inside(void)
{
	return *(volatile uint32_t *)&inside != 0;
}

/* Returns what the gate was. */
static uint64_t enter(struct bma__record *r)
{
	++*(volatile uint32_t *)&inside;
	return atomic_fetch_add_explicit(&r->gate, 1, memory_order_seq_cst);
}

/* In a child of fork the gate was emptied, and got another generation; who had entered before does not leave it again. */
static void leave(struct bma__record *r, uint64_t entered)
{
	uint64_t gate = atomic_load_explicit(&r->gate, memory_order_relaxed);

	while (!((gate ^ entered) & BMA__RECORD_GENERATION) &&
	       !atomic_compare_exchange_weak_explicit(&r->gate, &gate, gate - 1,
						      memory_order_release, memory_order_relaxed))
		;
	--*(volatile uint32_t *)&inside;
}

/* Into the gate; false: it is closed, and the caller is not in. */
static bool enter_open(struct bma__record *r, uint64_t *entered)
{
	*entered = enter(r);
	if (!(*entered & BMA__RECORD_CLOSED))
		return true;
	leave(r, *entered);
	return false;
}

/* What is charged ahead, and how much a stock keeps: by the tightest limit, so that a small group is not used up by stocks. */
static uint64_t batch_of(struct bma__record *r, const struct bma__group *g)
{
	uint64_t most = bma__group_tightest(g) / ((uint64_t)SHARE * 2 * bma__cpu.possible);
	uint64_t batch = most < BMA__STOCK_BATCH ? most : BMA__STOCK_BATCH;

	if (atomic_load_explicit(&r->cap, memory_order_relaxed) != 2 * batch)
		atomic_store_explicit(&r->cap, 2 * batch, memory_order_relaxed);
	return batch;
}

/* In the gate. */
static void carry(struct bma__record *r)
{
	uint64_t n = atomic_exchange_explicit(&r->pending, 0, memory_order_acquire);

	if (!n)
		return;
	atomic_fetch_sub_explicit(&r->charged, n, memory_order_relaxed);
	bma__group_uncharge(atomic_load_explicit(&r->group, memory_order_relaxed), n);
}

/* Into the caller's stock, or to pending, and if that is too much up the tree. In the open gate. */
static void deposit(struct bma__record *r, uint64_t bytes)
{
	if (!bytes || give(r, bytes))
		return;
	if (atomic_fetch_add_explicit(&r->pending, bytes, memory_order_release) + bytes >
	    atomic_load_explicit(&r->cap, memory_order_relaxed))
		carry(r);
}

static bool take_pending(struct bma__record *r, uint64_t bytes, uint64_t batch)
{
	uint64_t has = atomic_load_explicit(&r->pending, memory_order_relaxed), n;

	do {
		if (has < bytes)
			return false;
		n = has < bytes + batch ? has : bytes + batch;
	} while (!atomic_compare_exchange_weak_explicit(
		&r->pending, &has, has - n, memory_order_acquire, memory_order_relaxed));
	deposit(r, n - bytes);
	return true;
}

static bool charge_tree(struct bma__record *r, struct bma__group *g, uint64_t bytes, uint64_t batch,
			struct bma__refusal *why)
{
	struct bma__group *refused;
	uint64_t ahead = batch;

	/* Less where there is less: what is charged ahead must not keep others from what is left. */
	if (ahead) {
		uint64_t room = bma__group_room(g);

		room = room > bytes ? (room - bytes) / 4 : 0;
		ahead = room < ahead ? room : ahead;
	}
	if (bma__group_charge(g, bytes + ahead, &refused) &&
	    (!ahead || (ahead = 0, bma__group_charge(g, bytes, &refused)))) {
		why->group = bma__group_handle(refused);
		return false;
	}
	why->walked = true;
	atomic_fetch_add_explicit(&r->charged, bytes + ahead, memory_order_relaxed);
	deposit(r, ahead);
	return true;
}

/* The stock has not enough. 1: charged, 0: refused, -1: the record is being moved. */
static int charge_slow(struct bma__record *r, uint64_t bytes, struct bma__refusal *why)
{
	uint64_t batch, entered;
	struct bma__group *g;
	bool done;

	why->group = NULL;
	if (!enter_open(r, &entered))
		return -1;
	g = atomic_load_explicit(&r->group, memory_order_relaxed);
	batch = r->words ? batch_of(r, g) : 0;
	if (bytes > batch)
		batch = 0;
	done = take_pending(r, bytes, batch) || charge_tree(r, g, bytes, batch, why);
	leave(r, entered);
	return done;
}

/* The group may be on its way out, but its place stays. */
static __attribute__((cold)) void fail(struct bma__record *r, int rc)
{
	bma__group_fail(atomic_load_explicit(&r->group, memory_order_relaxed),
			rc ? BMA_GROUP_FAIL_MOVING : BMA_GROUP_FAIL_LIMIT);
}

static int charge(struct bma__record *r, uint64_t bytes, struct bma__refusal *why)
{
	why->walked = false;
	for (int i = 0; i < TRIES; i++) {
		if (take(r, bytes))
			return 1;
	}
	return charge_slow(r, bytes, why);
}

uint64_t bma__stock_penalty(struct bma__record *r, const struct bma_group **group)
{
	uint64_t entered, penalty = 0;
	struct bma__group *g;

	/* In the gate: a walk up the tree from a group that cannot go meanwhile. */
	if (!enter_open(r, &entered))
		return 0;
	g = bma__group_over_high(atomic_load_explicit(&r->group, memory_order_relaxed));
	if (g) {
		penalty = bma__group_penalty(g);
		*group = bma__group_handle(g);
		atomic_fetch_add_explicit(&g->throttled_ns, penalty, memory_order_relaxed);
	}
	leave(r, entered);
	return penalty;
}

bool bma__stock_charge(struct bma__record *r, uint64_t bytes, struct bma__refusal *why)
{
	int rc = charge(r, bytes, why);

	if (bma__unlikely(rc <= 0))
		fail(r, rc);
	return rc > 0;
}

bool bma__stock_charge_wait(struct bma__record *r, uint64_t bytes, struct bma__refusal *why)
{
	int rc;

	while ((rc = charge(r, bytes, why)) < 0 && !bma__forbidden())
		bma__os_sleep(NAP);
	return rc > 0;
}

/*
 * In the gate, closed or not, from before it is added: then the record cannot go. A full stock is halved, or each of the next frees would come here.
 */
void bma__stock_uncharge(struct bma__record *r, uint64_t bytes)
{
	uint64_t pending, entered, cap;

	for (int i = 0; i < TRIES; i++) {
		if (give(r, bytes))
			return;
	}
	entered = enter(r);
	cap = atomic_load_explicit(&r->cap, memory_order_relaxed);
	if (cap && take(r, cap / 2))
		bytes += cap / 2;
	pending = atomic_fetch_add_explicit(&r->pending, bytes, memory_order_release) + bytes;
	if (!(entered & BMA__RECORD_CLOSED) && pending > cap)
		carry(r);
	leave(r, entered);
}

static void count_slab(struct bma__record *r, uint64_t bytes, bool large, uint64_t sign)
{
	atomic_fetch_add_explicit(&r->slab_bytes, bytes * sign, memory_order_relaxed);
	atomic_fetch_add_explicit(large ? &r->large : &r->slabs, sign, memory_order_release);
}

bool bma__stock_charge_slab(struct bma__record *r, uint64_t bytes, bool large, bool wait,
			    struct bma__refusal *why)
{
	int rc = 1;

	if (r->uncharged)
		atomic_fetch_add_explicit(&bma__group_root->uncharged, bytes, memory_order_relaxed);
	else
		while ((rc = charge_slow(r, bytes, why)) < 0 && wait)
			bma__os_sleep(NAP);
	if (rc > 0)
		count_slab(r, bytes, large, 1);
	return rc > 0;
}

void bma__stock_uncharge_slab(struct bma__record *r, uint64_t bytes, bool large)
{
	bool uncharged = r->uncharged;

	/* The last thing that is done to the record: the count, or the uncharge. */
	count_slab(r, bytes, large, UINT64_MAX);
	if (uncharged)
		atomic_fetch_sub_explicit(&bma__group_root->uncharged, bytes, memory_order_relaxed);
	else
		bma__stock_uncharge(r, bytes);
}

/* Is there anything? */
static bool freeze(struct bma__record *r)
{
	bool any = false;

	for (uint64_t i = 0; r->indexed && i < bma__percpu.slots; i++) {
		/* An empty one stays as it is: its page may never have been touched. */
		if (__atomic_load_n(copy_of(r, i), __ATOMIC_RELAXED))
			any |= __atomic_fetch_or(copy_of(r, i), BMA__RECORD_FROZEN,
						 __ATOMIC_SEQ_CST) != 0;
	}
	return any;
}

/* What is frozen goes to pending after a fence, and is as it was without. */
static void thaw(struct bma__record *r, bool fenced)
{
	uint64_t entered;

	for (uint64_t i = 0; r->indexed && i < bma__percpu.slots; i++) {
		uint64_t has = __atomic_load_n(copy_of(r, i), __ATOMIC_ACQUIRE);

		if (!(has & BMA__RECORD_FROZEN))
			continue;
		if (!fenced) {
			__atomic_fetch_and(copy_of(r, i), ~BMA__RECORD_FROZEN, __ATOMIC_RELEASE);
			continue;
		}
		/* Counted before it is gone from here: what is charged is never less than what is found. */
		atomic_fetch_add_explicit(&r->pending, has & ~BMA__RECORD_FROZEN,
					  memory_order_release);
		__atomic_store_n(copy_of(r, i), 0, __ATOMIC_RELEASE);
	}
	if (r->words)
		atomic_fetch_add_explicit(&r->pending,
					  __atomic_exchange_n(last_copy(r), 0, __ATOMIC_ACQUIRE),
					  memory_order_release);
	if (enter_open(r, &entered)) {
		carry(r);
		leave(r, entered);
	}
}

int bma__stock_drain_one(struct bma__record *r)
{
	int rc = freeze(r) ? bma__cpu_fence() : 0;

	thaw(r, !rc);
	return rc;
}

int bma__stock_drain(struct bma__group *top)
{
	struct bma__group *g = NULL;
	bool any = false;
	int rc;

	while ((g = bma__group_each(top, g))) {
		for (struct bma__record *r = g->records; r; r = r->next)
			any |= freeze(r);
	}
	/* Who is refused at his limit again and again mostly has nothing there: no fence then, for others wait for the lock. */
	rc = any ? bma__cpu_fence() : 0;
	while ((g = bma__group_each(top, g))) {
		for (struct bma__record *r = g->records; r; r = r->next)
			thaw(r, !rc);
	}
	return rc;
}

bool bma__stock_close(struct bma__record *r, uint64_t deadline)
{
	atomic_fetch_or_explicit(&r->gate, BMA__RECORD_CLOSED, memory_order_seq_cst);
	while (atomic_load_explicit(&r->gate, memory_order_acquire) & BMA__RECORD_INSIDE) {
		if (bma__os_now() > deadline) {
			bma__stock_open(r);
			return false;
		}
		bma__os_sleep(NAP);
	}
	return true;
}

void bma__stock_set_caps(struct bma__group *top)
{
	struct bma__group *g = NULL;

	while ((g = bma__group_each(top, g))) {
		for (struct bma__record *r = g->records; r; r = r->next) {
			if (r->words)
				batch_of(r, g);
		}
	}
}

void bma__stock_open(struct bma__record *r)
{
	atomic_fetch_and_explicit(&r->gate, ~BMA__RECORD_CLOSED, memory_order_release);
}
