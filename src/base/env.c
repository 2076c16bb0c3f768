/* SPDX-License-Identifier: MIT */
/* BMA_CONF, see env.h. */
#include "base.h"

#include <bma/cache.h>

#include <string.h>

#define FLUSH_MS 10u
#define FLUSH_MS_MAX 1000u
#define SAMPLE_MS 100u
#define SAMPLE_MS_MAX 10000u
#define IDLE_MS 1000u
#define IDLE_MS_MAX 3600000u
#define CACHE_BUDGET_MAX ((uint64_t)1 << 20) /* MiB */
#define PURGE_MS 1000u
#define PURGE_MS_MAX 600000u
#define PROFILE_MAX ((uint64_t)1 << 40)
#define NS_PER_MS 1000000u
#define DEFAULTS                                                                                   \
	{                                                                                          \
		.worker = true, .rseq = true, .tools = true,                                       \
		.flush_ns = (uint64_t)FLUSH_MS * NS_PER_MS,                                        \
		.sample_ns = (uint64_t)SAMPLE_MS * NS_PER_MS,                                      \
		.idle_ns = (uint64_t)IDLE_MS * NS_PER_MS,                                          \
		.purge_ns = (uint64_t)PURGE_MS * NS_PER_MS                                         \
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

static void set_stats_exit(struct bma__env *env)
{
	env->stats_exit = true;
}

static void set_export(struct bma__env *env)
{
	env->share = true;
}

static void set_idle_never(struct bma__env *env)
{
	env->idle_ns = 0;
}

static void set_pressure_on(struct bma__env *env)
{
	env->pressure = true;
}

static void set_purge_at_once(struct bma__env *env)
{
	env->purge_ns = 0;
}

static const struct word {
	const char *word;
	void (*apply)(struct bma__env *env);
} words[] = {
	{"verbose", set_verbose},	  {"worker:off", set_worker_off},
	{"worker:on", set_worker_on},	  {"index:cid", set_index_cid},
	{"index:cpu", set_index_cpu},	  {"rseq:off", set_rseq_off},
	{"thp:on", set_thp_on},		  {"tools:off", set_tools_off},
	{"stats:exit", set_stats_exit},	  {"export", set_export},
	{"idle_ms:0", set_idle_never},	  {"purge_ms:0", set_purge_at_once},
	{"pressure:on", set_pressure_on},
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
	uint64_t idle = number(text, len, "idle_ms:", IDLE_MS_MAX);
	uint64_t budget = number(text, len, "cache_budget:", CACHE_BUDGET_MAX);
	uint64_t purge = number(text, len, "purge_ms:", PURGE_MS_MAX);
	uint64_t profile = number(text, len, "profile:", PROFILE_MAX);
	uint64_t flags = debug(text, len);

	if (flags) {
		env->debug |= flags;
		return true;
	}
	if (ms) {
		env->flush_ns = ms * NS_PER_MS;
		return true;
	}
	if (purge) {
		env->purge_ns = purge * NS_PER_MS;
		return true;
	}
	if (profile) {
		env->profile = profile;
		return true;
	}
	if (sample) {
		env->sample_ns = sample * NS_PER_MS;
		return true;
	}
	if (idle) {
		env->idle_ns = idle * NS_PER_MS;
		return true;
	}
	if (budget) {
		env->cache_budget = budget << 20;
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

/* Keys whose values are numbers, or several words; with what stands for these. */
static const char *const keys[] = {"gp_flush_ms:N", "sample_ms:N",    "idle_ms:N",  "purge_ms:N",
				   "profile:N",	    "cache_budget:N", "debug:check"};

#define KEY_WEIGHT 4u

static void consider(const char *text, size_t len, const char *word, const char **best,
		     unsigned int *distance)
{
	const char *colon = memchr(text, ':', len);
	/* The key first: its value may be anything. */
	unsigned int d =
		KEY_WEIGHT * bma__nearest_distance(text, colon ? (size_t)(colon - text) : len, word,
						   strcspn(word, ":")) +
		bma__nearest_distance(text, len, word, strlen(word));

	if (d < *distance) {
		*distance = d;
		*best = word;
	}
}

static void refuse(const char *text, size_t len)
{
	unsigned int distance = UINT32_MAX;
	const char *best = NULL;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		consider(text, len, words[i].word, &best, &distance);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		consider(text, len, keys[i], &best, &distance);
	bma__log_line("BMA_CONF: \"%.*s\" is not known, ignored; the nearest is \"%s\"", (int)len,
		      text, best);
}

void bma__env_parse(const char *text)
{
	static const struct bma__env defaults = DEFAULTS;

	bma__env = defaults;
	while (text && *text) {
		size_t len = strcspn(text, ",");

		if (len && !apply(&bma__env, text, len))
			refuse(text, len);
		text += len;
		text += *text == ',';
	}
}
