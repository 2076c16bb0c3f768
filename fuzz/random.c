/* SPDX-License-Identifier: MIT */
/*
 * Inputs that are made up, for volume: no coverage is looked at, so that each takes no longer than its calls. The nth
 * one is made from seed + n alone. Where one fails, the line that runs it again is printed, and it is written to a
 * file for what cuts inputs down.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A line is printed after so many seconds. */
#define REPORT_SECONDS 60

static uint8_t *bytes;
static size_t n_bytes;
/* Made before each input: a handler may not print numbers. */
static char line[128];
static char path[64];

/* The signal is not blocked any more when it comes again, and then ends the process. */
static void failed(int signal)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	(void)signal;
	if (write(STDERR_FILENO, line, strlen(line)) < 0 ||
	    (fd >= 0 && write(fd, bytes, n_bytes) < 0))
		_exit(1);
}

/* Where a sanitizer has a handler that tells more, it stays. */
static void catch (int signal)
{
	struct sigaction old, mine = {.sa_handler = failed, .sa_flags = (int)SA_RESETHAND};

	if (!sigaction(signal, NULL, &old) && old.sa_handler == SIG_DFL)
		sigaction(signal, &mine, NULL);
}

/* splitmix64 (Steele, Lea, Flood 2014): neighbouring seeds give unlike numbers. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void make(uint64_t seed)
{
	uint64_t state = seed * 0xd1342543de82ef95u;

	for (size_t i = 0; i < n_bytes; i += 8) {
		uint64_t word = next(&state);

		memcpy(bytes + i, &word, n_bytes - i < 8 ? n_bytes - i : 8);
	}
}

int fuzz_random(uint64_t seed, uint64_t inputs, size_t length, void (*body)(struct fuzz_input *in))
{
	time_t begin = time(NULL), last = begin;

	n_bytes = length;
	bytes = malloc(length ? length : 1);
	FUZZ_CHECK(bytes, "no memory");
	catch (SIGABRT);
	catch (SIGSEGV);
	catch (SIGBUS);
	for (uint64_t i = 0; i < inputs; i++) {
		unsigned long long n = seed + i;

		snprintf(path, sizeof path, "random-%llu", n);
		snprintf(line, sizeof line, "failed: --random %llu 1 %zu, written to %s\n", n,
			 length, path);
		make(n);
		fuzz_run(bytes, length, body);
		if (time(NULL) - last < REPORT_SECONDS)
			continue;
		last = time(NULL);
		printf("seed %llu: %llu operations in %lld s\n", n,
		       (unsigned long long)fuzz_operations, (long long)(last - begin));
		fflush(stdout);
	}
	free(bytes);
	return 0;
}
