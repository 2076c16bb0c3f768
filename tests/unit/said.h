/* SPDX-License-Identifier: MIT */
/* What the library prints while something runs. */
#ifndef BMA_UNIT_SAID_H
#define BMA_UNIT_SAID_H

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static char said[1 << 15];

/* Run @call; what goes to the standard error meanwhile, less than a pipe holds, is in said[]. */
static inline void listen_to(void (*call)(void))
{
	int fd[2], saved = dup(STDERR_FILENO);
	ssize_t got;

	cr_assert_eq(pipe(fd), 0);
	dup2(fd[1], STDERR_FILENO);
	call();
	dup2(saved, STDERR_FILENO);
	close(fd[1]);
	got = read(fd[0], said, sizeof said - 1);
	cr_assert_geq(got, 0);
	said[got] = '\0';
	close(fd[0]);
	close(saved);
}

static inline size_t times_said(const char *what)
{
	size_t n = 0;

	for (const char *at = said; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

#endif /* BMA_UNIT_SAID_H */
