/* SPDX-License-Identifier: MIT */
/*
 * The policy: the worst class of service first; in a class who was the victim longest ago; what is critical, never. It allocates nothing and takes no lock, so it may run when
 * there is no memory left.
 */
#include "policy.h"

static enum class class_of(const struct services *s, const struct bma_group *group) {
	for (unsigned int i = 0; i < s->n;
	     i++){if (s->service[i].group == group) return s->service[i].class;}
return BATCH; /* nobody has vouched for it */
}

enum bma_oom_answer policy_decide(struct bma_oom *oom, void *ctx)
{
	const struct services *s = ctx;
	struct bma_oom_candidate c, best = {.group = NULL};
	enum class worst = CRITICAL;

	while (bma_oom_next(oom, &c)) {
		enum class class = class_of(s, c.group);

		if (class == CRITICAL) {
			/* No other policy is to choose it, nor the built-in one. */
			bma_oom_ignore(oom, c.group);
			continue;
		}
		if (!c.usage || class > worst)
			continue;
		if (class < worst || c.last_victim_ns < best.last_victim_ns) {
			best = c;
			worst = class;
		}
	}
	if (!best.group || bma_oom_select(oom, best.group))
		return BMA_OOM_NO_POLICY;
	return BMA_OOM_SELECTED;
}
