/* SPDX-License-Identifier: MIT */
/* BMA_CONF, see env.h. */
#include "base.h"

#include <bma/cache.h>

#include <string.h>

#define FLUSH_MS 10u
#define FLUSH_MS_MAX 1000u
#define SAMPLE_MS 100u
#define SAMPLE_MS_MAX 10000u
#define NS_PER_MS 1000000u
#define DEFAULTS                                                                                   \
	{                                                                                          \
		.worker = true, .rseq = true, .tools = true,                                       \
		.flush_ns = (uint64_t)FLUSH_MS * NS_PER_MS,                                        \
		.sample_ns = (uint64_t)SAMPLE_MS * NS_PER_MS                                       \
	}

struct bma__env bma__env = DEFAULTS;

static void set_verbose(struct bma__env *env)
{
	env->verbose = true;
}

static void set_worker_off(struct bma__env *env)
{
	env->worker = false;
}

static void set_worker_on(struct bma__env *env)
{
	env->worker = true;
}

static void set_index_cid(struct bma__env *env)
{
	env->index = BMA__ENV_INDEX_CID;
}

static void set_index_cpu(struct bma__env *env)
{
	env->index = BMA__ENV_INDEX_CPU;
}

static void set_rseq_off(struct bma__env *env)
{
	env->rseq = false;
}

static void set_thp_on(struct bma__env *env)
{
	env->thp = true;
}

static void set_tools_off(struct bma__env *env)
{
	env->tools = false;
}

static const struct word {
	const char *word;
	void (*apply)(struct bma__env *env);
} words[] = {
	{"verbose", set_verbose},     {"worker:off", set_worker_off}, {"worker:on", set_worker_on},
	{"index:cid", set_index_cid}, {"index:cpu", set_index_cpu},   {"rseq:off", set_rseq_off},
	{"thp:on", set_thp_on},	      {"tools:off", set_tools_off},
};

static const struct {
	const char *word;
	uint64_t flags;
} checks[] = {
	{"check", BMA_CACHE_DEBUG},
	{"redzone", BMA_CACHE_REDZONE},
	{"poison", BMA_CACHE_POISON},
	{"zero", BMA_CACHE_ZERO_FREE},
	{"track", BMA_CACHE_TRACK},
	{"quarantine", BMA_CACHE_QUARANTINE},
	{"random", BMA_CACHE_RANDOM},
	{"guard", BMA_CACHE_GUARD},
	{"sample", BMA_CACHE_SAMPLE},
	{"key", BMA_CACHE_KEY},
	{"all", BMA_CACHE_DEBUG | BMA_CACHE_REDZONE | BMA_CACHE_POISON | BMA_CACHE_TRACK |
			BMA_CACHE_QUARANTINE | BMA_CACHE_RANDOM},
};

/* The flags of "debug:word+word", or 0 if it is none or a word is not known. */
static uint64_t debug(const char *text, size_t len)
{
	static const char key[] = "debug:";
	size_t at = sizeof key - 1;
	uint64_t flags = 0;

	if (len <= at || memcmp(text, key, at))
		return 0;
	/* Also after the last plus there has to be a word. */
	while (at <= len) {
		const char *plus = memchr(text + at, '+', len - at);
		size_t i = 0, n = (plus ? (size_t)(plus - text) : len) - at;

		while (i < sizeof checks / sizeof checks[0] &&
		       (strlen(checks[i].word) != n || memcmp(checks[i].word, text + at, n)))
			i++;
		if (i == sizeof checks / sizeof checks[0])
			return 0;
		flags |= checks[i].flags;
		at += n + 1;
	}
	return flags;
}

/* The number after @key if @text begins with it, or 0: none, or not 1 to @most. */
static uint64_t number(const char *text, size_t len, const char *key, uint64_t most)
{
	size_t at = strlen(key);
	uint64_t n = 0;

	if (len <= at || memcmp(text, key, at))
		return 0;
	for (; at < len && n <= most; at++) {
		if (text[at] < '0' || text[at] > '9')
			return 0;
		n = n * 10 + (uint64_t)(text[at] - '0');
	}
	return n <= most ? n : 0;
}

/* One word. False: it is not known. */
static bool apply(struct bma__env *env, const char *text, size_t len)
{
	uint64_t ms = number(text, len, "gp_flush_ms:", FLUSH_MS_MAX);
	uint64_t sample = number(text, len, "sample_ms:", SAMPLE_MS_MAX);
	uint64_t flags = debug(text, len);

	if (flags) {
		env->debug |= flags;
		return true;
	}
	if (ms) {
		env->flush_ns = ms * NS_PER_MS;
		return true;
	}
	if (sample) {
		env->sample_ns = sample * NS_PER_MS;
		return true;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strlen(words[i].word) == len && !memcmp(words[i].word, text, len)) {
			words[i].apply(env);
			return true;
		}
	}
	return false;
}

void bma__env_parse(const char *text)
{
	static const struct bma__env defaults = DEFAULTS;

	bma__env = defaults;
	while (text && *text) {
		size_t len = strcspn(text, ",");

		if (len && !apply(&bma__env, text, len))
			bma__log_line("BMA_CONF: \"%.*s\" is not known, ignored", (int)len, text);
		text += len;
		text += *text == ',';
	}
}
