/* SPDX-License-Identifier: MIT */
/*
 * BMA_CONF: any text. Known words set what they say and nothing else, each other word is named in one line and
 * sets nothing. The parser is linked alone; its messages come here.
 */
#include "base/base.h"

#include <bma/cache.h>

#include <stdarg.h>
#include <string.h>

#include "fuzz.h"

#define TEXT_MAX 4096
#define NS_PER_MS 1000000u

static unsigned int lines;

void bma__log_line(const char *fmt, ...)
{
	char line[2 * TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	FUZZ_CHECK(vsnprintf(line, sizeof line, fmt, args) > 0, "no message");
	va_end(args);
	FUZZ_CHECK(strstr(line, "is not known"), "%s", line);
	lines++;
}

static bool is(const char *word, size_t n, const char *what)
{
	return strlen(what) == n && !memcmp(word, what, n);
}

/* One of the words after "debug:". */
static uint64_t check_of(const char *word, size_t n)
{
	uint64_t all = BMA_CACHE_DEBUG | BMA_CACHE_REDZONE | BMA_CACHE_POISON | BMA_CACHE_TRACK |
		       BMA_CACHE_QUARANTINE | BMA_CACHE_RANDOM;

	return is(word, n, "check")	   ? BMA_CACHE_DEBUG
	       : is(word, n, "redzone")	   ? BMA_CACHE_REDZONE
	       : is(word, n, "poison")	   ? BMA_CACHE_POISON
	       : is(word, n, "zero")	   ? BMA_CACHE_ZERO_FREE
	       : is(word, n, "track")	   ? BMA_CACHE_TRACK
	       : is(word, n, "quarantine") ? BMA_CACHE_QUARANTINE
	       : is(word, n, "random")	   ? BMA_CACHE_RANDOM
	       : is(word, n, "guard")	   ? BMA_CACHE_GUARD
	       : is(word, n, "sample")	   ? BMA_CACHE_SAMPLE
	       : is(word, n, "key")	   ? BMA_CACHE_KEY
	       : is(word, n, "all")	   ? all
					   : 0;
}

/* All of them, or 0 if one is not known. */
static uint64_t checks_of(const char *words, size_t n)
{
	uint64_t flags = 0;
	size_t begin = 0;

	for (size_t i = 0; i <= n; i++) {
		uint64_t one;

		if (i < n && words[i] != '+')
			continue;
		one = check_of(words + begin, i - begin);
		if (!one)
			return 0;
		flags |= one;
		begin = i + 1;
	}
	return flags;
}

/* 1 to @most, or 0. Leading zeros are no harm. */
static uint64_t ms_of(const char *digits, size_t n, uint64_t most)
{
	uint64_t ms = 0;

	for (size_t i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return 0;
		ms = ms * 10 + (uint64_t)(digits[i] - '0');
		if (ms > most)
			return 0;
	}
	return ms;
}

static bool has_key(const char *word, size_t n, const char *key)
{
	return n > strlen(key) && !memcmp(word, key, strlen(key));
}

/* What the text says, worked out another way. Returns whether the word is known. */
static bool expect(struct bma__env *env, const char *word, size_t n)
{
	uint64_t value;

	if (is(word, n, "verbose"))
		env->verbose = true;
	else if (is(word, n, "worker:off"))
		env->worker = false;
	else if (is(word, n, "worker:on"))
		env->worker = true;
	else if (is(word, n, "index:cid"))
		env->index = BMA__ENV_INDEX_CID;
	else if (is(word, n, "index:cpu"))
		env->index = BMA__ENV_INDEX_CPU;
	else if (is(word, n, "rseq:off"))
		env->rseq = false;
	else if (is(word, n, "thp:on"))
		env->thp = true;
	else if (is(word, n, "tools:off"))
		env->tools = false;
	else if (is(word, n, "stats:exit"))
		env->stats_exit = true;
	else if (is(word, n, "export"))
		env->share = true;
	else if (has_key(word, n, "debug:") && (value = checks_of(word + 6, n - 6)))
		env->debug |= value;
	else if (has_key(word, n, "gp_flush_ms:") && (value = ms_of(word + 12, n - 12, 1000)))
		env->flush_ns = value * NS_PER_MS;
	else if (has_key(word, n, "sample_ms:") && (value = ms_of(word + 10, n - 10, 10000)))
		env->sample_ns = value * NS_PER_MS;
	else if (is(word, n, "idle_ms:0"))
		env->idle_ns = 0;
	else if (has_key(word, n, "idle_ms:") && (value = ms_of(word + 8, n - 8, 3600000)))
		env->idle_ns = value * NS_PER_MS;
	else if (has_key(word, n, "cache_budget:") && (value = ms_of(word + 13, n - 13, 1 << 20)))
		env->cache_budget = value << 20;
	else if (is(word, n, "stats:exit"))
		env->stats_exit = true;
	else if (is(word, n, "pressure:on"))
		env->pressure = true;
	else if (is(word, n, "purge_ms:0"))
		env->purge_ns = 0;
	else if (has_key(word, n, "purge_ms:") && (value = ms_of(word + 9, n - 9, 600000)))
		env->purge_ns = value * NS_PER_MS;
	else
		return false;
	return true;
}

BMA_FUZZ(conf)
{
	struct bma__env want = {.worker = true,
				.rseq = true,
				.tools = true,
				.flush_ns = 10 * NS_PER_MS,
				.sample_ns = 100 * NS_PER_MS,
				.idle_ns = 1000 * NS_PER_MS,
				.purge_ns = 1000 * NS_PER_MS};
	size_t n = fuzz_left(in) < TEXT_MAX - 1 ? fuzz_left(in) : TEXT_MAX - 1;
	unsigned int unknown = 0;
	char *text = malloc(n + 1);

	FUZZ_CHECK(text, "no memory");
	if (n)
		memcpy(text, in->at, n);
	text[n] = 0;
	lines = 0;
	bma__env_parse(text);
	n = strlen(text);
	for (size_t begin = 0, i = 0; i <= n; i++) {
		if (i < n && text[i] != ',')
			continue;
		fuzz_operations++;
		unknown += i > begin && !expect(&want, text + begin, i - begin);
		begin = i + 1;
	}
	FUZZ_CHECK(lines == unknown, "%u lines for %u unknown words", lines, unknown);
	FUZZ_CHECK(bma__env.verbose == want.verbose && bma__env.worker == want.worker &&
			   bma__env.rseq == want.rseq && bma__env.thp == want.thp &&
			   bma__env.tools == want.tools && bma__env.pressure == want.pressure &&
			   bma__env.stats_exit == want.stats_exit && bma__env.share == want.share,
		   "a switch is wrong");
	FUZZ_CHECK(bma__env.index == want.index, "index %d", (int)bma__env.index);
	FUZZ_CHECK(bma__env.debug == want.debug, "debug %llx", (unsigned long long)bma__env.debug);
	FUZZ_CHECK(bma__env.flush_ns == want.flush_ns, "flush %llu",
		   (unsigned long long)bma__env.flush_ns);
	FUZZ_CHECK(bma__env.idle_ns == want.idle_ns, "idle %llu",
		   (unsigned long long)bma__env.idle_ns);
	FUZZ_CHECK(bma__env.cache_budget == want.cache_budget, "budget %llu",
		   (unsigned long long)bma__env.cache_budget);
	FUZZ_CHECK(bma__env.purge_ns == want.purge_ns, "purge %llu",
		   (unsigned long long)bma__env.purge_ns);
	free(text);
}
