/* SPDX-License-Identifier: MIT */
/* ck_hs by the items themselves, ck_ht by their keys; both with few places at first, so that they grow many times. */
#include "ck.h"

#include <ck_hs.h>
#include <ck_ht.h>

#include "test.h"

#define FEW 8

static ck_hs_t set;

static unsigned long hash_item(const void *item, unsigned long seed)
{
	return ck_mix(((const struct ck_item *)item)->key ^ seed);
}

static bool same_item(const void *a, const void *b)
{
	return ((const struct ck_item *)a)->key == ((const struct ck_item *)b)->key;
}

static void set_make(unsigned int seed)
{
	CHECK(ck_hs_init(&set, CK_HS_MODE_SPMC | CK_HS_MODE_OBJECT, hash_item, same_item,
			 &ck_methods, FEW, seed),
	      "ck_hs_init");
}

static struct ck_item *set_get(uint64_t key)
{
	struct ck_item like = {.key = key};

	return ck_hs_get(&set, CK_HS_HASH(&set, hash_item, &like), &like);
}

static bool set_put(struct ck_item *item)
{
	return ck_hs_put(&set, CK_HS_HASH(&set, hash_item, item), item);
}

static struct ck_item *set_remove(uint64_t key)
{
	struct ck_item like = {.key = key};

	return ck_hs_remove(&set, CK_HS_HASH(&set, hash_item, &like), &like);
}

static bool set_anew(void)
{
	return ck_hs_rebuild(&set);
}

static uint64_t set_count(void)
{
	return ck_hs_count(&set);
}

static void set_destroy(void)
{
	ck_hs_destroy(&set);
}

const struct ck_table ck_hash_set = {
	"ck_hs", set_make, set_get, set_put, set_remove, set_anew, set_count, set_destroy,
};

static ck_ht_t table;

/* Of keys that are numbers libck takes a hash of its own. */
static void table_make(unsigned int seed)
{
	CHECK(ck_ht_init(&table, CK_HT_MODE_DIRECT, NULL, &ck_methods, FEW, seed), "ck_ht_init");
}

static ck_ht_hash_t hash_key(uint64_t key)
{
	ck_ht_hash_t h;

	ck_ht_hash_direct(&h, &table, (uintptr_t)key);
	return h;
}

static struct ck_item *table_get(uint64_t key)
{
	ck_ht_entry_t entry;

	ck_ht_entry_key_set_direct(&entry, (uintptr_t)key);
	return ck_ht_get_spmc(&table, hash_key(key), &entry)
		       ? (struct ck_item *)ck_ht_entry_value_direct(&entry)
		       : NULL;
}

static bool table_put(struct ck_item *item)
{
	ck_ht_entry_t entry;

	ck_ht_entry_set_direct(&entry, hash_key(item->key), (uintptr_t)item->key, (uintptr_t)item);
	return ck_ht_put_spmc(&table, hash_key(item->key), &entry);
}

static struct ck_item *table_remove(uint64_t key)
{
	ck_ht_entry_t entry;

	ck_ht_entry_key_set_direct(&entry, (uintptr_t)key);
	return ck_ht_remove_spmc(&table, hash_key(key), &entry)
		       ? (struct ck_item *)ck_ht_entry_value_direct(&entry)
		       : NULL;
}

static uint64_t table_count(void)
{
	return ck_ht_count(&table);
}

static void table_destroy(void)
{
	ck_ht_destroy(&table);
}

const struct ck_table ck_hash_table = {
	"ck_ht", table_make, table_get, table_put, table_remove, NULL, table_count, table_destroy,
};
