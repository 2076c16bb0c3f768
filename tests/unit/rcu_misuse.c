/* SPDX-License-Identifier: MIT */
/* Objects that are freed twice, one of the two deferred: seen where they come home, or with DEBUG at the call. */
#include "reader.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

Test(rcu_misuse, twice_aborts_in_a_destroy, .signal = SIGABRT)
{
	struct bma_cache *c = create(64);
	void *p = bma_cache_alloc(c);

	bma_cache_free_rcu(c, p);
	bma_cache_free_rcu(c, p);
	bma_cache_destroy(c);
}

Test(rcu_misuse, both_ways_abort_in_a_trim, .signal = SIGABRT)
{
	struct bma_cache *c = create(64);
	void *p = bma_cache_alloc(c);

	bma_cache_free(c, p);
	bma_cache_free_rcu(c, p);
	bma_trim();
}

Test(rcu_misuse, an_object_of_another_cache_aborts, .signal = SIGABRT)
{
	struct bma_cache *c = create(64), *d = create(64);

	bma_cache_free_rcu(d, bma_cache_alloc(c));
	bma_rcu_barrier(d);
	bma_trim();
}

static struct bma_cache *checked(void)
{
	struct bma_cache_attr a = attr(64);

	a.name = "guarded";
	a.flags = BMA_CACHE_DEBUG;
	return make(&a);
}

static void plain(struct bma_cache *c, void *p)
{
	bma_cache_free(c, p);
}

static void deferred(struct bma_cache *c, void *p)
{
	bma_cache_free_rcu(c, p);
}

static void sleeping(struct bma_cache *c, void *p)
{
	bma_cache_free_rcu_flags(c, p, BMA_SLEEP);
}

static void bulk(struct bma_cache *c, void *p)
{
	bma_cache_free_bulk(c, &p, 1);
}

/* What an object's last life was like must not show. */
static void free_rcu_all_once(struct bma_cache *c)
{
	void *p[1000];
	unsigned int n = (unsigned int)bma_cache_alloc_bulk(c, p, 1000, 0);

	cr_assert_lt(n, 1000);
	free_rcu_all(c, p, n);
	cr_assert_eq(bma_rcu_barrier(c), 0);
}

typedef void free_call(struct bma_cache *, void *);

/* Both calls in a child: its one line on the standard error, which must come from the second. */
static void line_of(free_call *first, free_call *second, char *text, size_t size, void **obj)
{
	struct bma_cache *c;
	int fd[2], status;
	ssize_t got;
	pid_t pid;

	setenv("BMA_CONF", "worker:off", 1); /* so that the child has all there is */
	c = checked();
	free_rcu_all_once(c);
	*obj = bma_cache_alloc(c);
	cr_assert_eq(pipe(fd), 0);
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		first(c, *obj);
		if (write(fd[1], "|", 1) == 1)
			second(c, *obj);
		_exit(0);
	}
	close(fd[1]);
	waitpid(pid, &status, 0);
	got = read(fd[0], text, size - 1);
	close(fd[0]);
	cr_assert_gt(got, 1);
	text[got] = 0;
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s", text);
	cr_assert_eq(text[0], '|', "not at the second call: %s", text);
	cr_assert_eq(strchr(text, '\n'), text + got - 1, "one line: %s", text);
}

static void named(free_call *first, const char *first_name, free_call *second,
		  const char *second_name)
{
	char text[512], want[512];
	void *obj;

	line_of(first, second, text, sizeof text, &obj);
	snprintf(want, sizeof want, "%s: cache \"guarded\": object %p ", second_name, obj);
	cr_assert_not_null(strstr(text, want), "%s lacks %s", text, want);
	snprintf(want, sizeof want, "freed before, by %s", first_name);
	cr_assert_not_null(strstr(text, want), "%s lacks %s", text, want);
	/* The name of the one begins with that of the other. */
	cr_assert_neq(strstr(text, want)[strlen(want)], '_', "%s", text);
}

Test(rcu_misuse, checked_caches_name_both_calls)
{
	static const struct {
		free_call *call;
		const char *name;
	} calls[] = {
		{plain, "bma_cache_free"},
		{deferred, "bma_cache_free_rcu"},
		{sleeping, "bma_cache_free_rcu"},
		{bulk, "bma_cache_free"},
	};

	for (int first = 0; first < 4; first++) {
		for (int second = 0; second < 4; second++)
			named(calls[first].call, calls[first].name, calls[second].call,
			      calls[second].name);
	}
}

/* Every way to get an object, and every way to free it, over and over. */
Test(rcu_misuse, checked_caches_let_the_right_thing_be, .timeout = 20)
{
	static free_call *const calls[] = {plain, deferred, sleeping, bulk};
	struct bma_cache *c = checked();
	void *p[200];

	for (int round = 0; round < 40; round++) {
		struct bma_reserve *r = bma_reserve_create(c, 50);

		cr_assert_not_null(r);
		cr_assert_eq(bma_cache_alloc_bulk(c, p, 100, BMA_SLEEP), 100);
		for (int i = 100; i < 150; i++)
			cr_assert_not_null(p[i] = bma_cache_alloc_flags(c, BMA_SLEEP | BMA_ZERO));
		for (int i = 150; i < 200; i++)
			cr_assert_not_null(p[i] = bma_reserve_alloc(r));
		for (int i = 0; i < 200; i++)
			calls[(i + round) % 4](c, p[i]);
		bma_cache_free(c, NULL);
		bma_cache_free_rcu(c, NULL);
		p[0] = bma_cache_alloc(c);
		if (p[0])
			bma_cache_free_rcu(c, p[0]);
		bma_reserve_destroy(r);
	}
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_eq(stats(c).live, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}
