/* SPDX-License-Identifier: MIT */
/*
 * The OOM handler under heavy pressure, called thousands of times: several threads at the limit that their tenants share, while policies come and go, lists of preferred victims are set, and tenants
 * are destroyed and made again. Each object says whose it is; in the end nothing is charged to anybody.
 */
#include <bma/bma.h>
#include <bma/oom.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>

#include "test.h"

#define TENANTS 6
#define TAKERS 4
#define OBJS 2048
#define KIB 1024
#define LIMIT ((uint64_t)512 * KIB)

struct tenant {
	pthread_rwlock_t life; /* its group and cache */
	struct bma_group *group;
	struct bma_cache *cache;
	pthread_mutex_t mutex;
	void *objs[OBJS];
	size_t n;
	_Atomic uint64_t released;
};

static struct tenant tenant[TENANTS];
static struct bma_group *top;
static struct bma_cache *plain; /* of nobody, with objects at hand */
static _Atomic bool stop;
static _Atomic uint64_t asked, violations, taken, refused, remade;
static int dry, pressed;

static void give_back(struct tenant *t, size_t n)
{
	pthread_mutex_lock(&t->mutex);
	while (t->n && n--) {
		void *obj = t->objs[--t->n];

		CHECK(*(void **)obj == obj, "somebody else's");
		*(void **)obj = NULL;
		bma_cache_free(t->cache, obj);
	}
	pthread_mutex_unlock(&t->mutex);
}

/* Some give little, some nothing. */
static uint64_t release(uint64_t bytes, void *ctx)
{
	struct tenant *t = ctx;
	uint64_t times = atomic_fetch_add(&t->released, 1);

	if (times % 7 == 6)
		return 0;
	give_back(t, times % 3 ? 40 : bytes / KIB + 1);
	return bytes;
}

static enum bma_oom_answer decide(struct bma_oom *oom, void *ctx)
{
	uint64_t random = atomic_fetch_add(&asked, 1) * 0x9e3779b97f4a7c15u | 1;
	struct bma_oom_candidate o;
	struct bma_group *chosen = NULL;

	test_random(&random);
	while (bma_oom_next(oom, &o)) {
		uint64_t r = test_random(&random) >> 33;

		CHECK(o.protection <= o.usage, "of what it has");
		if (r % 16 == 0)
			bma_oom_ignore(oom, o.group);
		else if (r % 3 == 0)
			chosen = o.group;
	}
	if (random >> 60 == 0) {
		CHECK(!bma_cache_alloc(plain), "a policy has allocated");
		atomic_fetch_add(&violations, 1);
	}
	if (random >> 60 == 1)
		bma_oom_policy_detach(ctx);
	if (random >> 60 == 2)
		return BMA_OOM_ABORT;
	if (!chosen || bma_oom_select(oom, chosen))
		return BMA_OOM_NO_POLICY;
	return BMA_OOM_SELECTED;
}

static void make(struct tenant *t)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = KIB, .flags = BMA_CACHE_MERGE};

	t->group = bma_group_create(top, NULL);
	CHECK(t->group, "errno %d", errno);
	a.group = t->group;
	t->cache = bma_cache_create(&a);
	CHECK(t->cache, "errno %d", errno);
	CHECK(!bma_oom_set_release(t->group, release, t, 0), "release");
}

static void unmake(struct tenant *t)
{
	give_back(t, OBJS);
	CHECK(!bma_cache_destroy(t->cache), "cache");
	CHECK(!bma_group_destroy(t->group), "group");
}

static void *taker(void *arg)
{
	uint64_t random = test_seed ^ ((uintptr_t)arg << 20 | 1);

	while (!atomic_load(&stop)) {
		struct tenant *t = &tenant[(test_random(&random) >> 33) % TENANTS];
		void *obj;

		pthread_rwlock_rdlock(&t->life);
		obj = bma_cache_alloc_flags(t->cache, BMA_SLEEP);
		CHECK(obj || errno == EDQUOT, "errno %d", errno);
		atomic_fetch_add(obj ? &taken : &refused, 1);
		pthread_mutex_lock(&t->mutex);
		if (obj && t->n < OBJS) {
			t->objs[t->n++] = obj;
			*(void **)obj = obj;
			obj = NULL;
		}
		pthread_mutex_unlock(&t->mutex);
		bma_cache_free(t->cache, obj);
		pthread_rwlock_unlock(&t->life);
	}
	return NULL;
}

static void *remaker(void *arg)
{
	uint64_t random = test_seed ^ 77;

	(void)arg;
	while (!atomic_load(&stop)) {
		struct tenant *t = &tenant[(test_random(&random) >> 33) % TENANTS];

		usleep(3000);
		/* Half of the times calls that are in progress keep it alive. */
		if (pthread_rwlock_trywrlock(&t->life))
			continue;
		unmake(t);
		make(t);
		pthread_rwlock_unlock(&t->life);
		atomic_fetch_add(&remade, 1);
	}
	return NULL;
}

static void *attacher(void *arg)
{
	struct bma_group *at[2] = {top, bma_group_root()};
	uint64_t random = test_seed ^ 99;

	(void)arg;
	while (!atomic_load(&stop)) {
		struct bma_group *g = at[test_random(&random) >> 63];
		struct bma_oom_policy p = {
			.attr_size = sizeof p, .name = "storm", .decide = decide, .ctx = g};
		struct bma_group *named[2];
		int rc;

		rc = test_random(&random) >> 62 ? bma_oom_policy_attach(g, &p)
						: bma_oom_policy_detach(g);
		CHECK(!rc || rc == -EBUSY || rc == -ENOENT, "%d", rc);
		if (test_random(&random) >> 61 == 0) {
			pthread_rwlock_rdlock(&tenant[0].life);
			pthread_rwlock_rdlock(&tenant[1].life);
			named[0] = tenant[0].group;
			named[1] = tenant[1].group;
			CHECK(!bma_oom_prefer(top, named, 2, dry), "prefer");
			pthread_rwlock_unlock(&tenant[1].life);
			pthread_rwlock_unlock(&tenant[0].life);
		}
		if (test_random(&random) >> 61 == 0) {
			CHECK(!bma_pressure_trigger(top, 1000, 100000000, pressed), "trigger");
			usleep(200);
			CHECK(!bma_pressure_untrigger(top, pressed), "untrigger");
		}
		usleep(200);
	}
	return NULL;
}

static uint64_t events(void)
{
	struct bma_oom_stats o;

	CHECK(!bma_oom_stat(top, &o, sizeof o), "stat");
	return o.events;
}

/* For longer where the machine is slow, until it was a storm. */
static void run(double seconds)
{
	void *(*const others[])(void *) = {remaker, attacher};
	pthread_t t[TAKERS + 2];

	for (int i = 0; i < TAKERS + 2; i++)
		CHECK(!pthread_create(&t[i], NULL, i < TAKERS ? taker : others[i - TAKERS],
				      (void *)(intptr_t)(i + 1)),
		      "thread");
	usleep((useconds_t)(seconds * 1e6));
	while (!((double)events() > 500 * seconds && taken && remade))
		usleep(10000);
	atomic_store(&stop, true);
	for (int i = 0; i < TAKERS + 2; i++)
		pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = "storm", .max = LIMIT};
	struct bma_cache_attr ca = {.attr_size = sizeof ca, .size = 64};
	double seconds = test_args(argc, argv, 3);
	struct bma_group_stats s;

	alarm(120 + (unsigned int)seconds);
	top = bma_group_create(NULL, &ga);
	plain = bma_cache_create(&ca);
	bma_cache_free(plain, bma_cache_alloc_flags(plain, BMA_SLEEP));
	dry = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pressed = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (int i = 0; i < TENANTS; i++) {
		pthread_rwlock_init(&tenant[i].life, NULL);
		pthread_mutex_init(&tenant[i].mutex, NULL);
		make(&tenant[i]);
	}
	run(seconds);
	printf("asked %llu, events %llu, taken %llu, refused %llu, remade %llu, violations %llu\n",
	       (unsigned long long)asked, (unsigned long long)events(), (unsigned long long)taken,
	       (unsigned long long)refused, (unsigned long long)remade,
	       (unsigned long long)violations);
	for (int i = 0; i < TENANTS; i++)
		unmake(&tenant[i]);
	CHECK(!bma_trim(), "trim");
	CHECK(!bma_group_stat(top, &s, sizeof s), "stat");
	CHECK(!s.current, "%llu bytes are charged to nobody", (unsigned long long)s.current);
	bma_oom_policy_detach(top);
	bma_oom_policy_detach(bma_group_root());
	CHECK(!bma_group_destroy(top), "destroy");
	return 0;
}
