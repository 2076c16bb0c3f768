/* SPDX-License-Identifier: MIT */
/*
 * Groups come and go with all that hangs from them, while others look at all that there are.
 *
 * Threads make groups and shared groups with limits, policies, release functions, triggers, shrinkers, thresholds, lists of victims, attachments and pins, make caches
 * and heaps that they pay for, recharge them and take it all down again. Others meanwhile visit, read every figure, write text, reclaim, and use handles of groups that may be gone. What
 * a function of a group is given is overwritten when the library says that it runs no more. At the end nothing is left.
 *
 * Words: threads=N.
 */
#include <bma/bma.h>
#include <bma/oom.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>

#include "test.h"

#define THREADS_MAX 16
#define OTHERS 4
#define OBJS 30
#define BOXES 32
#define WHOLE 0x6e0c
#define FIRST 100 /* of the main thread */

/* What the functions of one group are given. */
struct life {
	_Atomic uint32_t mark; /* WHOLE as long as one of them may run */
	struct bma_group *group;
};

static unsigned int nthreads = 3;
static _Atomic bool stop;
static _Atomic long groups, caches, seen, calls;
static pthread_barrier_t together;
static struct bma_group *top;
/* Handles that anybody may try; their groups may be gone. */
static _Atomic(struct bma_group *) box[BOXES];

static uint64_t some(uint64_t *r, uint64_t n)
{
	return (test_random(r) >> 33) % n;
}

static struct bma_group *any_handle(uint64_t *r)
{
	return atomic_load(&box[some(r, BOXES)]);
}

static void alive(struct life *l)
{
	CHECK(atomic_load(&l->mark) == WHOLE, "it was ended");
	atomic_fetch_add(&calls, 1);
}

static enum bma_oom_answer decide(struct bma_oom *oom, void *ctx)
{
	struct bma_oom_candidate c;

	alive(ctx);
	while (bma_oom_next(oom, &c))
		CHECK(c.protection <= c.usage, "of what it has");
	alive(ctx);
	return bma_oom_by_score(oom, NULL);
}

static uint64_t release(uint64_t bytes, void *ctx)
{
	alive(ctx);
	return bytes;
}

static uint64_t count(void *ctx)
{
	alive(ctx);
	return 4096;
}

static uint64_t scan(uint64_t bytes, void *ctx)
{
	alive(ctx);
	(void)bytes;
	return 0;
}

/* What hangs from a group. @fd: for all that is told. */
static void hang(struct life *l, int fd, uint64_t *r)
{
	struct bma_oom_policy p = {
		.attr_size = sizeof p, .name = "life", .decide = decide, .ctx = l};
	uint64_t what = test_random(r) >> 40;

	if (what & 1)
		CHECK(!bma_oom_policy_attach(l->group, &p), "policy");
	if (what & 2)
		CHECK(!bma_oom_set_release(l->group, release, l, (int32_t)(what % 100)), "release");
	if (what & 4)
		CHECK(!bma_pressure_trigger(l->group, 1, 100000000, fd), "trigger");
	if (what & 8)
		CHECK(!bma_group_notify(l->group, 1 + some(r, 200000), fd), "notify");
	if (what & 16)
		CHECK(!bma_oom_prefer(l->group, &l->group, 1, fd), "prefer");
}

static struct bma_cache *make_cache(struct bma_group *payer, uint64_t *r)
{
	static const uint64_t kinds[] = {0, BMA_CACHE_MERGE, BMA_CACHE_MERGE | BMA_CACHE_COUNT,
					 BMA_CACHE_MERGE, BMA_CACHE_DESTROY_ASYNC};
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .name = "life",
				   .size = 8 + 100 * some(r, 5),
				   .flags = kinds[some(r, sizeof kinds / sizeof *kinds)],
				   .group = payer};
	struct bma_cache *c = bma_cache_create(&a);

	CHECK(c || errno == EDQUOT, "errno %d", errno);
	atomic_fetch_add(&caches, 1);
	return c;
}

static void use_cache(struct bma_group *payer, struct bma_group *next, uint64_t *r)
{
	struct bma_cache *c = make_cache(payer, r);
	void *objs[OBJS];
	int rc, n = 0;

	if (!c)
		return;
	for (int i = 0; i < OBJS; i++) {
		objs[n] = bma_cache_alloc_flags(c, BMA_SLEEP);
		CHECK(objs[n] || errno == EDQUOT, "errno %d", errno);
		n += objs[n] != NULL;
		if (i != OBJS / 2)
			continue;
		rc = bma_cache_recharge(c, next);
		CHECK(!rc || rc == -EDQUOT || rc == -EBUSY, "recharge %d", rc);
	}
	while (n--) {
		if (n & 3)
			bma_cache_free(c, objs[n]);
		else
			bma_cache_free_rcu(c, objs[n]);
	}
	CHECK(!bma_cache_destroy(c), "destroy");
}

static void use_heap(struct bma_group *payer, struct bma_group *next, uint64_t *r)
{
	struct bma_heap_attr a = {.attr_size = sizeof a,
				  .name = "life",
				  .flags = some(r, 3) ? 0 : BMA_HEAP_PRIVATE,
				  .group = payer};
	struct bma_heap *h = bma_heap_create(&a);
	void *p, *large;
	int rc;

	CHECK(h || errno == EDQUOT, "errno %d", errno);
	if (!h)
		return;
	p = bma_heap_alloc_flags(h, 1 + some(r, 5000), BMA_SLEEP);
	large = some(r, 8) ? NULL : bma_heap_alloc_flags(h, 400000, BMA_SLEEP);
	rc = bma_heap_recharge(h, next);
	CHECK(!rc || rc == -EDQUOT || rc == -EBUSY, "recharge %d", rc);
	bma_heap_free(h, p);
	bma_heap_free(h, large);
	CHECK(!bma_heap_destroy(h), "a heap's end");
}

/* Objects of a shared group, pinned on behalf of @g and freed by somebody. */
static void use_pins(struct bma_group *shared, struct bma_group *g)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 64, .flags = BMA_CACHE_MERGE, .group = shared};
	struct bma_cache *c = bma_cache_create(&a);
	struct bma_pin_owner *o = bma_pin_owner_open(g);
	struct bma_shared_stats s;
	void *objs[4];
	int rc;

	CHECK(c && o, "errno %d", errno);
	for (int i = 0; i < 4; i++) {
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		CHECK(objs[i], "errno %d", errno);
		CHECK(!bma_shared_pin(o, objs[i]), "pin");
		rc = bma_shared_borrow_object(shared, g, objs[i]);
		CHECK(!rc || rc == -EDQUOT, "borrow %d", rc);
	}
	CHECK(!bma_shared_stat(shared, g, &s, sizeof s) && s.pinned, "nothing is pinned");
	bma_cache_free(c, objs[0]);
	bma_cache_free_rcu(c, objs[1]);
	CHECK(!bma_shared_unpin(o, objs[0]) && !bma_shared_unpin(o, objs[2]), "unpin");
	CHECK(bma_pin_owner_close(o) == 2, "pins");
	bma_cache_free(c, objs[2]);
	bma_cache_free(c, objs[3]);
	CHECK(!bma_cache_destroy(c), "destroy");
}

static void use_shared(struct bma_group *g, uint64_t *r)
{
	struct bma_shared_attr a = {.attr_size = sizeof a, .max = 4u << 20};
	struct bma_group *s = bma_shared_create(&a);
	struct life *l = calloc(1, sizeof *l);
	int rc, fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	CHECK(s && l, "errno %d", errno);
	atomic_store(&box[some(r, BOXES)], s);
	*l = (struct life){WHOLE, s};
	hang(l, fd, r);
	CHECK(!bma_shared_attach(s, g, BMA_SHARED_BORROWED, BMA_GROUP_NO_LIMIT), "attach");
	use_pins(s, g);
	use_cache(s, g, r);
	/* First or last. */
	if (some(r, 2))
		CHECK(!bma_shared_detach(s, g), "detach");
	CHECK(!bma_shared_destroy(s), "destroy");
	rc = bma_shared_detach(s, g);
	CHECK(!rc || rc == -ENOENT || rc == -ESTALE, "detach %d", rc);
	rc = bma_oom_policy_detach(s);
	CHECK(!rc || rc == -ENOENT || rc == -ESTALE, "policy %d", rc);
	/* Freed later: records of deferred frees hold it. */
	while (bma_group_path(s, NULL, 0) != -ESTALE) {
		bma_trim();
		usleep(100);
	}
	rc = bma_oom_policy_detach(s);
	CHECK(rc == -ESTALE, "policy %d", rc);
	atomic_store(&l->mark, 0);
	free(l);
	close(fd);
}

static void use_group(uint64_t *r)
{
	struct bma_group_attr a = {.attr_size = sizeof a,
				   .flags = some(r, 2) ? BMA_GROUP_OFFLINE : 0,
				   .max = (1 + some(r, 8)) << 17,
				   .high = some(r, 2) ? 0 : (uint64_t)1 << 20,
				   .low = some(r, 2) << 16};
	struct life *l = calloc(1, sizeof *l);
	struct bma_shrinker *s;
	struct bma_group *below;
	bool early;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	CHECK(l && fd >= 0, "errno %d", errno);
	l->group = bma_group_create(top, &a);
	CHECK(l->group, "errno %d", errno);
	atomic_store(&l->mark, WHOLE);
	below = bma_group_create(l->group, NULL);
	CHECK(below, "errno %d", errno);
	atomic_store(&box[some(r, BOXES)], l->group);
	atomic_store(&box[some(r, BOXES)], below);
	hang(l, fd, r);
	s = bma_shrinker_register(l->group, count, scan, l);
	CHECK(s, "errno %d", errno);
	for (int i = 0; i < 3; i++) {
		switch (some(r, 4)) {
		case 0:
			use_heap(below, l->group, r);
			break;
		case 1:
			use_shared(l->group, r);
			break;
		default:
			use_cache(l->group, some(r, 2) ? below : top, r);
		}
	}
	early = some(r, 2);
	if (early)
		bma_shrinker_unregister(s);
	CHECK(!bma_group_destroy(below), "destroy below");
	CHECK(!bma_group_destroy(l->group), "destroy");
	/* One that outlives its group is its owner's to end. */
	if (!early)
		bma_shrinker_unregister(s);
	CHECK(bma_oom_policy_detach(l->group) < 0, "it went with its group");
	atomic_store(&l->mark, 0);
	free(l);
	close(fd);
	atomic_fetch_add(&groups, 1);
}

/* One that whoever finds it destroys, and whose name some keep. */
static void leave_prey(uint64_t *r)
{
	static _Atomic unsigned int number;
	char name[32];
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = name};
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 200, .flags = BMA_CACHE_MERGE};
	struct bma_cache *c;
	void *obj;

	snprintf(name, sizeof name, "prey-%u", atomic_fetch_add(&number, 1));
	ga.flags = some(r, 2) ? BMA_GROUP_OFFLINE : 0;
	a.group = bma_group_create(NULL, &ga);
	CHECK(a.group, "errno %d", errno);
	atomic_store(&box[some(r, BOXES)], a.group);
	c = bma_cache_create(&a);
	CHECK(c || errno == ESTALE, "errno %d", errno);
	if (!c)
		return;
	obj = bma_cache_alloc_flags(c, BMA_SLEEP);
	CHECK(obj, "errno %d", errno);
	bma_cache_free(c, obj);
	CHECK(!bma_cache_destroy(c), "destroy");
}

static int see(struct bma_group *g, const struct bma_group_stats *s, void *arg)
{
	(void)arg;
	CHECK(!s->depth || s->name[0], "a group in the making");
	CHECK(s->own <= s->current || s->offline, "%s: more than all", s->name);
	atomic_fetch_add(&seen, 1);
	if (!strncmp(s->name, "prey", 4)) {
		int rc = bma_group_destroy(g);

		CHECK(!rc || rc == -ESTALE || rc == -EBUSY, "destroy %d", rc);
	}
	return 0;
}

/* The first use of the library is in progress on others. */
static void first_use(unsigned int which)
{
	const struct bma_group_attr limited = {
		.attr_size = sizeof limited, .name = "top", .max = 3u << 20};

	pthread_barrier_wait(&together);
	switch (which % 6) {
	case 0:
		CHECK(!bma_shared_visit(see, NULL), "visit");
		break;
	case 1:
		CHECK(bma_group_find("/") == bma_group_root(), "root");
		break;
	case 2:
		CHECK(!bma_group_visit(NULL, see, NULL), "visit");
		break;
	case 3:
		CHECK(bma_group_set(NULL, (enum bma_group_limit)77, 0) == -EINVAL, "limit");
		CHECK(bma_group_set(NULL, BMA_GROUP_MAX, 0) == -ESTALE, "none");
		break;
	case 4:
		CHECK(!bma_group_reclaim(NULL, 1), "nothing");
		break;
	default:
		CHECK(bma_group_root(), "root");
	}
	if (which == FIRST)
		top = bma_group_create(NULL, &limited);
	CHECK(which != FIRST || top, "errno %d", errno);
	pthread_barrier_wait(&together);
}

static void *makes(void *arg)
{
	uint64_t r = test_seed ^ ((uintptr_t)arg + 1) * 0x9e3779b97f4a7c15u;

	test_pin((unsigned int)(uintptr_t)arg);
	first_use((unsigned int)(uintptr_t)arg);
	do {
		use_group(&r);
		leave_prey(&r);
	} while (!stop);
	return NULL;
}

static void *reads(void *arg)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	test_pin((unsigned int)(uintptr_t)arg);
	first_use((unsigned int)(uintptr_t)arg);
	do {
		CHECK(!bma_group_visit(NULL, see, NULL), "visit");
		CHECK(!bma_shared_visit(see, NULL), "visit");
		CHECK(!bma_stats_write(null, BMA_STATS_GROUPS | BMA_STATS_CACHES, NULL), "text");
		CHECK(!bma_stats_write(null, BMA_STATS_ALL | BMA_STATS_JSON, NULL), "JSON");
	} while (!stop);
	close(null);
	return NULL;
}

/* Handles of whom there may be no more: any answer is right that is one of those in the headers. */
static void *tries(void *arg)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 100};
	struct bma_cache *mine;
	uint64_t r = test_seed ^ 99;
	void *obj;

	test_pin((unsigned int)(uintptr_t)arg);
	first_use((unsigned int)(uintptr_t)arg);
	mine = bma_cache_create(&a);
	obj = mine ? bma_cache_alloc_flags(mine, BMA_SLEEP) : NULL;
	CHECK(obj, "errno %d", errno);
	while (!stop) {
		struct bma_group *g = any_handle(&r), *other = any_handle(&r);
		struct bma_group_stats s;
		struct bma_oom_stats o;
		char path[300];
		int rc;

		rc = bma_group_stat(g, &s, sizeof s);
		CHECK(!rc || rc == -ESTALE, "stat %d", rc);
		rc = bma_oom_stat(g, &o, sizeof o);
		CHECK(!rc || rc == -ESTALE, "oom %d", rc);
		rc = bma_group_reset_peak(g);
		CHECK(!rc || rc == -ESTALE, "peak %d", rc);
		rc = bma_shared_borrow_object(other, g, obj);
		CHECK(rc == -ESTALE || rc == -EINVAL, "borrow %d", rc);
		bma_group_reclaim(g, 4096);
		rc = bma_group_set(g, BMA_GROUP_HIGH, (1 + some(&r, 8)) << 17);
		CHECK(!rc || rc == -ESTALE, "set %d", rc);
		rc = bma_group_path(g, path, sizeof path);
		CHECK(rc == -ESTALE || !strncmp(path, rc ? "/" : "", 1) || *path == '@', "path");
		if (rc >= 0)
			bma_group_find(path);
		CHECK(bma_cache_group(mine) == bma_group_root(), "whose it is");
	}
	bma_cache_free(mine, obj);
	CHECK(!bma_cache_destroy(mine), "destroy");
	return NULL;
}

static void *trims(void *arg)
{
	test_pin((unsigned int)(uintptr_t)arg);
	first_use((unsigned int)(uintptr_t)arg);
	while (!stop) {
		bma_trim();
		bma_poll(0);
		usleep(1000);
	}
	return NULL;
}

static int count_them(struct bma_group *g, const struct bma_group_stats *s, void *arg)
{
	(void)g;
	(void)s;
	++*(int *)arg;
	return 0;
}

static int left(struct bma_group *g, const struct bma_group_stats *s, void *arg)
{
	(void)g;
	++*(int *)arg;
	CHECK(!s->depth || s->offline, "\"%s\" is left", s->name);
	return 0;
}

static void check_end(void)
{
	int n = 0;

	/* Names that are kept until what is freed after a grace period, or by destroyed caches, has come home. */
	for (int tries = 0; tries < 3000 && !n; tries++) {
		CHECK(!bma_group_visit(NULL, see, NULL), "visit");
		bma_trim();
		bma_poll(BMA_POLL_GP);
		n = !bma_group_destroy(top);
		if (!n)
			usleep(10000);
	}
	CHECK(n == 1, "top has groups");
	for (int tries = 0; tries < 3000; tries++) {
		bma_trim();
		n = 0;
		CHECK(!bma_group_visit(NULL, count_them, &n), "visit");
		if (n == 1)
			break;
		usleep(10000);
	}
	n = 0;
	CHECK(!bma_group_visit(NULL, left, &n), "visit");
	CHECK(n == 1, "%d groups", n);
	CHECK(!bma_shared_visit(left, &n), "visit");
	CHECK(n == 1, "shared groups");
	CHECK(groups && seen, "nothing was tried");
}

static void come_and_go(double end)
{
	void *(*const others[OTHERS])(void *) = {reads, tries, trims, reads};
	pthread_t t[THREADS_MAX + OTHERS];

	pthread_barrier_init(&together, NULL, nthreads + OTHERS + 1);
	for (uintptr_t i = 0; i < nthreads + OTHERS; i++)
		CHECK(!pthread_create(&t[i], NULL, i < OTHERS ? others[i] : makes, (void *)i),
		      "thread");
	first_use(FIRST);
	while (test_seconds() < end)
		usleep(10000);
	stop = true;
	for (unsigned int i = 0; i < nthreads + OTHERS; i++)
		pthread_join(t[i], NULL);
	check_end();
}

int main(int argc, char **argv)
{
	double end = test_args(argc, argv, 2);

	for (int i = 3; i < argc; i++)
		CHECK(sscanf(argv[i], "threads=%u", &nthreads) == 1, "word %s", argv[i]);
	CHECK(nthreads && nthreads <= THREADS_MAX, "threads");
	come_and_go(end + test_seconds());
	printf("groups %ld caches %ld seen %ld calls %ld\n", (long)groups, (long)caches, (long)seen,
	       (long)calls);
	return 0;
}
