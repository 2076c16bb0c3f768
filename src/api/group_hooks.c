/* SPDX-License-Identifier: MIT */
/* The public calls on what hangs from groups: shrinkers, notifications. */
#include "api.h"

#include <errno.h>

struct bma_shrinker *bma_shrinker_register(struct bma_group *group, uint64_t (*count)(void *ctx),
					   uint64_t (*scan)(uint64_t bytes, void *ctx), void *ctx)
{
	struct bma_shrinker *s = NULL;
	int rc = -EINVAL;

	if (count && scan)
		s = bma__shrinker_add(group, count, scan, ctx, &rc);
	else
		bma__log_verbose("bma_shrinker_register: count or scan is NULL");
	if (!s)
		errno = -rc;
	return s;
}

void bma_shrinker_unregister(struct bma_shrinker *shrinker)
{
	if (shrinker)
		bma__shrinker_remove(shrinker);
}

int bma_group_notify(struct bma_group *group, uint64_t bytes, int fd)
{
	int saved = errno, rc = bma__notify_add(group, bytes, fd);

	errno = saved;
	if (rc == -EINVAL)
		bma__log_verbose("bma_group_notify: bytes is 0, or fd is not nonblocking");
	return rc;
}

int bma_group_unnotify(struct bma_group *group, int fd)
{
	return bma__notify_remove(group, fd);
}
