/* SPDX-License-Identifier: MIT */
/* Policies: attached, detached, found on the way up. */
#include "group.h"

#include <errno.h>
#include <string.h>

#define BUDGET 5000000u /* nanoseconds */

static int check(const struct bma_oom_policy *p)
{
	if (!p)
		return -EINVAL;
	if (p->attr_size != sizeof *p)
		return -E2BIG;
	if (!p->decide || !p->name || !*p->name || strnlen(p->name, 32) == 32)
		return -EINVAL;
	return 0;
}

int bma__policy_attach(struct bma_group *handle, const struct bma_oom_policy *policy)
{
	struct bma__policy *p;
	struct bma__group *g;
	int rc = check(policy);

	if (rc)
		return rc;
	p = bma__hook_make(sizeof *p, handle);
	if (!p)
		return -ENOMEM;
	p->decide = policy->decide;
	p->ctx = policy->ctx;
	p->budget_ns = policy->budget_ns ? policy->budget_ns : BUDGET;
	strcpy(p->name, policy->name);
	bma__tree_lock();
	rc = bma__oom_online(handle, &g);
	if (!rc && g->oom->policy)
		rc = -EBUSY;
	if (!rc)
		g->oom->policy = p;
	bma__tree_unlock();
	if (rc)
		bma__meta_free(p, sizeof *p);
	return rc;
}

int bma__policy_detach(const struct bma_group *handle)
{
	struct bma__policy *p = NULL;
	struct bma__group *g;

	bma__tree_lock();
	g = bma__group_of(handle);
	if (g && g->oom) {
		p = g->oom->policy;
		g->oom->policy = NULL;
	}
	bma__hook_end_and_wait(p ? &p->hook : NULL);
	/* It may have been ended by another call, or with its group, and run still. */
	if (!p)
		bma__hook_wait_ended(handle);
	return p ? 0 : g ? -ENOENT : -ESTALE;
}

struct bma__policy *bma__policy_enter(const struct bma_group **at)
{
	struct bma__policy *p = NULL;
	const struct bma__group *g;

	bma__tree_lock();
	g = bma__group_of(*at);
	while (g && !(g->oom && g->oom->policy))
		g = g->parent;
	if (g) {
		p = g->oom->policy;
		bma__hook_enter(&p->hook);
	}
	*at = g && g->parent ? bma__group_handle(g->parent) : NULL;
	bma__tree_unlock();
	return p;
}

void bma__policy_leave(struct bma__policy *p)
{
	bma__tree_lock();
	bma__hook_leave(&p->hook);
	bma__tree_unlock();
}
