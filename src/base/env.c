/* SPDX-License-Identifier: MIT */
/* BMA_CONF, see env.h. */
#include "base.h"

#include <string.h>

struct bma__env bma__env = {.worker = true, .rseq = true};

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

static const struct word {
	const char *word;
	void (*apply)(struct bma__env *env);
} words[] = {
	{"verbose", set_verbose},     {"worker:off", set_worker_off}, {"worker:on", set_worker_on},
	{"index:cid", set_index_cid}, {"index:cpu", set_index_cpu},   {"rseq:off", set_rseq_off},
	{"thp:on", set_thp_on},
};

void bma__env_parse(const char *text)
{
	static const struct bma__env defaults = {.worker = true, .rseq = true};

	bma__env = defaults;
	while (text && *text) {
		size_t len = strcspn(text, ",");
		size_t i, n = sizeof words / sizeof words[0];

		for (i = 0; i < n; i++) {
			if (strlen(words[i].word) == len && !memcmp(words[i].word, text, len))
				break;
		}
		if (i < n)
			words[i].apply(&bma__env);
		else if (len)
			bma__log_line("BMA_CONF: \"%.*s\" is not known, ignored", (int)len, text);
		text += len;
		text += *text == ',';
	}
}
