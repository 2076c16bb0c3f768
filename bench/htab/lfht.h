/* SPDX-License-Identifier: MIT */
/*
 * liburcu's lock-free hash table as a map, each operation in a read section, as it demands. An
 * element that left it may be reused after a grace period only.
 */
#include "htab/element.h"

#include <stdlib.h>

struct map {
	peer_pool pool;
	struct cds_lfht *table;
};

static inline struct map *map_create(size_t entries)
{
	struct map *map = malloc(sizeof(*map));
	unsigned long n = 1;

	while (n < entries)
		n *= 2;
	if (map)
		map->table = cds_lfht_new(n, n, n, 0, NULL);
	if (!map || !map->table)
		bench_die("map: out of memory");
	map->pool = defer_create(sizeof(struct element), entries);
	return map;
}

static inline void map_destroy(struct map *map)
{
	if (cds_lfht_destroy(map->table, NULL))
		bench_die("cds_lfht_destroy failed: elements were lost");
	free(map);
}

static int element_match(struct cds_lfht_node *node, const void *key)
{
	return caa_container_of(node, struct element, node)->key == *(const uint32_t *)key;
}

static inline struct cds_lfht_node *table_find(const struct map *map, uint32_t key)
{
	struct cds_lfht_iter found;

	cds_lfht_lookup(map->table, element_hash(key), element_match, &key, &found);
	return cds_lfht_iter_get_node(&found);
}

/* 0, or -EEXIST: there is a node of that key. */
static inline int table_add(struct map *map, struct element *e)
{
	struct cds_lfht_node *node;

	node = cds_lfht_add_unique(map->table, e->hash, element_match, &e->key, &e->node);
	return node == &e->node ? 0 : -EEXIST;
}

static inline int map_update(struct map *map, uint32_t key, bool only_new, struct element **old)
{
	struct cds_lfht_node *node = NULL;
	struct element *e = NULL;
	int rc = -EEXIST;

	*old = NULL;
	rcu_read_lock();
	if (only_new && table_find(map, key))
		goto unlock;
	rc = -ENOMEM;
	e = element_take(map->pool, key, old);
	if (!e)
		goto unlock;
	rc = 0;
	if (only_new)
		rc = table_add(map, e);
	else
		node = cds_lfht_add_replace(map->table, e->hash, element_match, &key, &e->node);
unlock:
	rcu_read_unlock();
	if (node)
		*old = caa_container_of(node, struct element, node);
	/* Nobody has seen it. */
	if (e && rc)
		peer_free(map->pool, e);
	return rc;
}

static inline struct element *map_delete(struct map *map, uint32_t key)
{
	struct cds_lfht_node *node;

	rcu_read_lock();
	node = table_find(map, key);
	if (node && cds_lfht_del(map->table, node))
		node = NULL;
	rcu_read_unlock();
	return node ? caa_container_of(node, struct element, node) : NULL;
}

static inline bool map_has(const struct map *map, uint32_t key)
{
	bool has;

	rcu_read_lock();
	has = table_find(map, key) != NULL;
	rcu_read_unlock();
	return has;
}
