/* SPDX-License-Identifier: MIT */
/*
 * Three tenants in one process that share a limit, and who gives way when it is reached: an OOM policy of the program's own, as the daemons of that name are for control groups.
 *
 * What it teaches: a group for each tenant below one that has the limit; bma_oom_set_release(), by which a tenant says how it gives memory back, here by dropping its oldest sessions;
 * bma_oom_policy_attach(), by which policy.c decides whose turn that is, from what only the program knows: classes of service, not sizes. The built-in choice would be the largest tenant,
 * here the critical one.
 *
 * It prints a line for each act, with what each tenant has and how often it was a victim; the library's own line for each event goes to the standard error. Each session is full of its tenant's
 * letter and is looked at when it goes and at the end. The exit status is 0 if the victims were those that the policy is for, and the others had all that they had before.
 */
#include "policy.h"

#include <bma/bma.h>
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT ((uint64_t)4 << 20)
#define SESSION 4096
#define MOST (LIMIT / SESSION)

/* Sessions in a ring, the oldest first. */
struct tenant {
	const char *name;
	enum class class;
	struct bma_group *group;
	struct bma_cache *cache;
	pthread_mutex_t mutex; /* release() comes from the library's worker */
	char *session[MOST];
	unsigned int first, n, dropped, damaged;
};

enum { PAYMENTS, WEB, REPORTS, TENANTS };

static struct tenant tenant[TENANTS] = {
	{.name = "payments", .class = CRITICAL, .mutex = PTHREAD_MUTEX_INITIALIZER},
	{.name = "web", .class = INTERACTIVE, .mutex = PTHREAD_MUTEX_INITIALIZER},
	{.name = "reports", .class = BATCH, .mutex = PTHREAD_MUTEX_INITIALIZER},
};
static struct service service[TENANTS];
static struct services services = {service, TENANTS};
static struct bma_group *all;
static int wrong;

static bool is_whole(const struct tenant *t, const char *session)
{
	for (int i = 0; i < SESSION; i++) {
		if (session[i] != t->name[0])
			return false;
	}
	return true;
}

static void drop_oldest(struct tenant *t)
{
	char *session = t->session[t->first];

	t->damaged += !is_whole(t, session);
	bma_cache_free(t->cache, session);
	t->first = (t->first + 1) % MOST;
	t->n--;
}

/* A quarter of them at least, so that it is not asked for each. */
static uint64_t release(uint64_t bytes, void *ctx)
{
	struct tenant *t = ctx;
	uint64_t gave = 0;

	pthread_mutex_lock(&t->mutex);
	for (unsigned int least = t->n / 4; t->n && (gave < bytes || least); least -= least != 0) {
		drop_oldest(t);
		t->dropped++;
		gave += SESSION;
	}
	pthread_mutex_unlock(&t->mutex);
	return gave;
}

static void open_tenant(struct tenant *t, struct service *s)
{
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = t->name};
	struct bma_cache_attr ca = {
		.attr_size = sizeof ca, .name = t->name, .size = SESSION, .flags = BMA_CACHE_MERGE};
	int rc;

	t->group = bma_group_create(all, &ga);
	ca.group = t->group;
	t->cache = t->group ? bma_cache_create(&ca) : NULL;
	if (!t->cache)
		err(1, "%s", t->name);
	rc = bma_oom_set_release(t->group, release, t, 0);
	if (rc)
		errx(1, "%s: %s", t->name, strerror(-rc));
	*s = (struct service){t->group, t->class};
}

/* Not under the mutex, which release() wants: the allocation may wait for that. Returns how many were begun. */
static unsigned int begin(struct tenant *t, unsigned int sessions)
{
	unsigned int i;

	for (i = 0; i < sessions; i++) {
		char *session = bma_cache_alloc_flags(t->cache, BMA_SLEEP);

		if (!session)
			break;
		memset(session, t->name[0], SESSION);
		pthread_mutex_lock(&t->mutex);
		t->session[(t->first + t->n++) % MOST] = session;
		pthread_mutex_unlock(&t->mutex);
	}
	return i;
}

static void expect(bool is, const char *what)
{
	if (!is)
		printf("  not so: %s\n", what);
	wrong += !is;
}

static void show(const char *act)
{
	printf("%-32s", act);
	for (int i = 0; i < TENANTS; i++) {
		struct bma_oom_stats s = {.chosen = 0};

		bma_oom_stat(tenant[i].group, &s, sizeof s);
		printf("  %s %u, victim %llu times", tenant[i].name, tenant[i].n,
		       (unsigned long long)s.chosen);
	}
	putchar('\n');
}

int main(void)
{
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = "tenants", .max = LIMIT};
	struct bma_oom_policy policy = {.attr_size = sizeof policy,
					.name = "classes",
					.decide = policy_decide,
					.ctx = &services};
	int rc;

	all = bma_group_create(NULL, &ga);
	if (!all)
		err(1, "tenants");
	for (int i = 0; i < TENANTS; i++)
		open_tenant(&tenant[i], &service[i]);
	rc = bma_oom_policy_attach(all, &policy);
	if (rc)
		errx(1, "a policy: %s", strerror(-rc));

	begin(&tenant[PAYMENTS], MOST / 2);
	begin(&tenant[WEB], MOST / 4);
	begin(&tenant[REPORTS], MOST / 4);
	show("full:");
	expect(tenant[REPORTS].n == MOST / 4 && !tenant[REPORTS].dropped, "everybody had room");

	expect(begin(&tenant[PAYMENTS], 50) == 50, "payments get on");
	show("payments want 50 more:");
	expect(tenant[REPORTS].dropped >= 50, "reports gave way, the smallest and worst");
	expect(tenant[WEB].n == MOST / 4, "web has all that it had");
	expect(!tenant[PAYMENTS].dropped, "payments, the largest, have all that they had");

	expect(begin(&tenant[PAYMENTS], MOST / 4) == MOST / 4, "payments get on");
	show("and as many as reports had:");
	expect(tenant[WEB].dropped, "then it is web's turn");

	expect(begin(&tenant[PAYMENTS], MOST) < MOST && errno == EDQUOT, "there is an end to it");
	show("and more than there is:");
	expect(!tenant[WEB].n && !tenant[REPORTS].n, "all others gave all");
	expect(!tenant[PAYMENTS].dropped, "nobody made a victim of payments");

	for (int i = 0; i < TENANTS; i++) {
		while (tenant[i].n)
			drop_oldest(&tenant[i]);
		expect(!tenant[i].damaged, "sessions are whole");
	}
	puts(wrong ? "FAILED" : "as the policy says");
	return wrong != 0;
}
