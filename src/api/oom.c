/* SPDX-License-Identifier: MIT */
/* The public calls on policies, victims and pressure. */
#include "api.h"

#include <errno.h>
#include <string.h>

static int said(const char *call, const char *what, int rc)
{
	if (rc == -EINVAL)
		bma__log_verbose("%s: %s", call, what);
	return rc;
}

int bma_oom_policy_attach(struct bma_group *group, const struct bma_oom_policy *policy)
{
	int rc = bma__policy_attach(group, policy);

	return said("bma_oom_policy_attach", "no decide, or no name of 1 to 31 bytes", rc);
}

int bma_oom_policy_detach(struct bma_group *group)
{
	return bma__policy_detach(group);
}

static enum bma_oom_answer answer(struct bma_oom *oom, struct bma__candidate *c)
{
	if (!c)
		return BMA_OOM_NO_POLICY;
	oom->selected = c;
	return BMA_OOM_SELECTED;
}

enum bma_oom_answer bma_oom_largest(struct bma_oom *oom, void *ctx)
{
	(void)ctx;
	return answer(oom, bma__victim_largest(oom));
}

enum bma_oom_answer bma_oom_by_score(struct bma_oom *oom, void *ctx)
{
	(void)ctx;
	return answer(oom, bma__victim_by_score(oom));
}

enum bma_oom_answer bma_oom_oldest(struct bma_oom *oom, void *ctx)
{
	(void)ctx;
	return answer(oom, bma__victim_oldest(oom));
}

struct bma_group *bma_oom_group(const struct bma_oom *oom)
{
	return oom->group;
}

uint64_t bma_oom_bytes(const struct bma_oom *oom)
{
	return oom->bytes;
}

bool bma_oom_next(struct bma_oom *oom, struct bma_oom_candidate *candidate)
{
	return bma__victim_next(oom, candidate);
}

int bma_oom_ignore(struct bma_oom *oom, struct bma_group *group)
{
	struct bma__candidate *c = bma__victim_find(oom, group);

	if (!c)
		return -ENOENT;
	c->ignored = true;
	return 0;
}

int bma_oom_select(struct bma_oom *oom, struct bma_group *group)
{
	struct bma__candidate *c = bma__victim_find(oom, group);

	if (!c)
		return -ENOENT;
	oom->selected = c;
	return 0;
}

int bma_oom_set_release(struct bma_group *group, uint64_t (*release)(uint64_t bytes, void *ctx),
			void *ctx, int32_t score)
{
	int rc = bma__release_set(group, release, ctx, score);

	if (!rc && release)
		bma__init_threads();
	return said("bma_oom_set_release", "score is out of range", rc);
}

int bma_oom_prefer(struct bma_group *group, struct bma_group *const *victims, size_t n, int dry_fd)
{
	int saved = errno, rc = bma__prefer_set(group, victims, n, dry_fd);

	errno = saved;
	return said("bma_oom_prefer",
		    "more than 64 victims, one twice, one that is not below the group, or dry_fd "
		    "is not nonblocking",
		    rc);
}

int bma_oom_stat(struct bma_group *group, struct bma_oom_stats *stats, size_t size)
{
	const struct bma__group *g;
	struct bma_oom_stats s;

	if (!stats || !size)
		return -EINVAL;
	bma__tree_lock();
	g = bma__group_of(group);
	if (g)
		bma__oom_figures(g, &s);
	bma__tree_unlock();
	if (!g)
		return -ESTALE;
	memcpy(stats, &s, size < sizeof s ? size : sizeof s);
	return 0;
}

int bma_pressure_trigger(struct bma_group *group, uint64_t stall_ns, uint64_t window_ns, int fd)
{
	int saved = errno, rc = bma__trigger_add(group, stall_ns, window_ns, fd);

	errno = saved;
	return said("bma_pressure_trigger",
		    "window_ns is not 100 ms to 10 s, stall_ns not 1 to that, or fd not "
		    "nonblocking",
		    rc);
}

int bma_pressure_untrigger(struct bma_group *group, int fd)
{
	return bma__trigger_remove(group, fd);
}
