/* SPDX-License-Identifier: MIT */
/*
 * Runs the cases of misuse.h: `misuse` all, `misuse NAME` one, `misuse --bug NAME` only the program with the bug.
 * Each is a new process image, for BMA_CONF is read once in a process.
 */
#include "misuse.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT 16384
#define SECONDS 20

static const struct misuse *const lists[] = {
	misuse_home, misuse_check, misuse_memory, misuse_guard,	  misuse_sample,
	misuse_key,  misuse_heap,  misuse_group,  misuse_refused, misuse_conf};

static bool digits(const char **text, bool address)
{
	const char *begin = *text;

	if (address && !strncmp(*text, "0x", 2))
		*text += 2;
	while (address ? isxdigit((unsigned char)**text) : isdigit((unsigned char)**text))
		++*text;
	return *text != begin;
}

/* Does @line, which ends at a newline, say what @pattern says? @whole: and nothing more. */
static bool says(const char *line, const char *pattern, bool whole)
{
	for (; *pattern; pattern++) {
		if (*pattern == '@' || *pattern == '#') {
			if (!digits(&line, *pattern == '@'))
				return false;
		} else if (*line++ != *pattern) {
			return false;
		}
	}
	return !whole || *line == '\n';
}

static const char *after_prefix(const char *line)
{
	static const char prefix[] = "bma: ";

	return strncmp(line, prefix, sizeof(prefix) - 1) ? NULL : line + sizeof(prefix) - 1;
}

/* Is one of the lines of @text after the first as @pattern begins? */
static bool also(const char *text, const char *pattern)
{
	while ((text = strchr(text, '\n'))) {
		const char *line = after_prefix(++text);

		if (line && says(line, pattern, false))
			return true;
	}
	return false;
}

/* Runs the program; returns its wait status, and what it wrote on the standard error in @text. */
static int run(const char *self, const struct misuse *m, char *text)
{
	const char *argv[] = {self, "--bug", m->name, NULL};
	size_t used = 0;
	ssize_t n;
	int ends[2], status = -1;
	pid_t pid;

	if (pipe(ends) || (pid = fork()) < 0) {
		perror("misuse");
		exit(1);
	}
	if (!pid) {
		struct rlimit none = {0};

		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		setrlimit(RLIMIT_CORE, &none);
		setenv("BMA_CONF", m->conf, 1);
		alarm(SECONDS);
		execv(self, (char *const *)argv);
		_exit(127);
	}
	close(ends[1]);
	while (used < TEXT - 1 && (n = read(ends[0], text + used, TEXT - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = 0;
	close(ends[0]);
	waitpid(pid, &status, 0);
	return status;
}

static bool ended_well(const struct misuse *m, int status)
{
	if (m->end == MISUSE_ABORTS)
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	if (m->end == MISUSE_FAULTS)
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool holds(const char *self, const struct misuse *m)
{
	static char text[TEXT];
	int status = run(self, m, text);
	const char *first = after_prefix(text);
	const char *why = NULL;

	if (!ended_well(m, status))
		why = "ended otherwise";
	else if (!first || !says(first, m->says, true))
		why = "said something else";
	else if (m->also && !also(text, m->also))
		why = "did not say all";
	if (why)
		printf("%s: %s (wait status %#x); expected\n\t%s\n\t%s\ngot\n%s", m->name, why,
		       (unsigned int)status, m->says, m->also ? m->also : "", text);
	return !why;
}

static const struct misuse *find(const char *name)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct misuse *m = lists[i]; m->name; m++) {
			if (!strcmp(m->name, name))
				return m;
		}
	}
	fprintf(stderr, "misuse: no case %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	unsigned int n = 0, failed = 0;

	if (argc == 3 && !strcmp(argv[1], "--bug"))
		return find(argv[2])->bug();
	if (argc == 2)
		return !holds("/proc/self/exe", find(argv[1]));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct misuse *m = lists[i]; m->name; m++, n++)
			failed += !holds("/proc/self/exe", m);
	}
	printf("%u programs with one bug each, %u not told so\n", n, failed);
	return failed != 0;
}
