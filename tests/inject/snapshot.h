/* SPDX-License-Identifier: MIT */
/* Memory that is put back as it was. */
#ifndef BMA_INJECT_SNAPSHOT_H
#define BMA_INJECT_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

struct bma__engine;

/* No call sets this. */
#define SNAPSHOT_ERRNO 4242

void snapshot_begin(void);
void snapshot_add(void *p, size_t bytes);
/* The slots of @e by index that runs use: the caller's, and those of world_also_plane(). */
void snapshot_add_planes(struct bma__engine *e);
void snapshot_take(void);
void snapshot_restore(void);

#endif /* BMA_INJECT_SNAPSHOT_H */
