/* SPDX-License-Identifier: MIT */
/* Calls that run.sh finds in the trace: their sizes are 10000 to 10999, and nobody else's are. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile from_main, *volatile from_thread;

static void *work(void *arg)
{
	(void)arg;
	free(from_main);
	from_thread = malloc(10201);
	free(malloc(10202));
	return NULL;
}

/* What a child does is not in the trace, however much; and it may free what its parent made. */
static void in_child(void *p)
{
	for (int i = 0; i < 20000; i++)
		free(malloc(10666));
	free(p);
	exit(0);
}

static void expect(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "known: %s\n", what);
	exit(1);
}

int main(void)
{
	void *volatile p, *volatile q;
	void *r = NULL;
	pthread_t thread;
	int status;
	pid_t child;

	p = malloc(10001);
	memset(p, 7, 10001);
	p = realloc(p, 10002);
	expect(*((char *)p + 9999) == 7, "realloc did not copy");
	q = calloc(5, 2001);
	expect(malloc_usable_size(q) >= 10005, "usable size");
	free(p);
	p = realloc(NULL, 10003);
	free(realloc(p, 0));
	p = reallocarray(q, 3, 3337);
	free(p);
	p = aligned_alloc(64, 10048);
	q = memalign(256, 10004);
	expect(!posix_memalign(&r, 4096, 10006), "posix_memalign");
	expect(!((size_t)p % 64) && !((size_t)q % 256) && !((size_t)r % 4096), "alignment");
	free(r);
	free(p);
	from_main = q;
	p = malloc(10101);
	child = fork();
	if (!child)
		in_child(p);
	expect(waitpid(child, &status, 0) == child && !status, "the child");
	expect(!pthread_create(&thread, NULL, work, NULL), "pthread_create");
	pthread_join(thread, NULL);
	free(from_thread);
	expect(!realloc(p, (size_t)-1 / 4), "realloc of more than there is");
	free(p);
	p = malloc(10009);
	/* Not through exit(), and the last object is left. */
	_exit(p ? 0 : 1);
}
