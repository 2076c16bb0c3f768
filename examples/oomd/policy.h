/* SPDX-License-Identifier: MIT */
#ifndef OOMD_POLICY_H
#define OOMD_POLICY_H

#include <bma/oom.h>

/* Classes of service, worst first. */
enum class {
	BATCH,	     /* may be started again at any time */
	INTERACTIVE, /* somebody waits, but can be asked to try again */
	CRITICAL,    /* is never a victim */
};

/* What the policy knows of a tenant. */
struct service {
	struct bma_group *group;
	enum class class;
};

struct services {
	const struct service *service;
	unsigned int n;
};

/* For struct bma_oom_policy; @ctx: struct services. */
enum bma_oom_answer policy_decide(struct bma_oom *oom, void *ctx);

#endif
