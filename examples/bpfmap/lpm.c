/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_LPM_TRIE: longest prefix match, for addresses of 4 or 16 bytes.
 *
 * A binary trie whose nodes stand where prefixes are, or where two of them part. A node that has a place in the trie is a prefix of all
 * below it. Nodes that were taken out are freed after a grace period: a lookup goes on through a node that has just been
 * replaced, and must find there what it was. Updates take a lock.
 */
#include "map.h"

#include <bma/compat/bpf_mem_alloc.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <urcu/urcu-memb.h>

#define DEPTH 130

/* Of an address the first bit is the highest one. */
struct prefix {
	uint64_t hi, lo;
	uint32_t len;
};

struct node {
	_Atomic(struct node *) child[2];
	_Atomic uint64_t hi, lo;
	_Atomic uint32_t len;
	_Atomic bool fork; /* no prefix, just where two part */
	uint64_t value[];
};

struct trie {
	struct map map; /* first */
	struct bpf_mem_alloc ma;
	pthread_mutex_t lock;
	_Atomic(struct node *) root;
	uint32_t count, len_max;
};

static struct node *get(_Atomic(struct node *) *link)
{
	return atomic_load_explicit(link, memory_order_acquire);
}

static void set(_Atomic(struct node *) *link, struct node *n)
{
	atomic_store_explicit(link, n, memory_order_release);
}

static struct prefix prefix_of(const struct node *n)
{
	return (struct prefix){atomic_load_explicit(&n->hi, memory_order_relaxed),
			       atomic_load_explicit(&n->lo, memory_order_relaxed),
			       atomic_load_explicit(&n->len, memory_order_relaxed)};
}

static bool is_fork(const struct node *n)
{
	return atomic_load_explicit(&n->fork, memory_order_relaxed);
}

static struct prefix cut(struct prefix p, uint32_t len)
{
	p.hi = len >= 64 ? p.hi : len ? p.hi >> (64 - len) << (64 - len) : 0;
	p.lo = len >= 128 ? p.lo : len > 64 ? p.lo >> (128 - len) << (128 - len) : 0;
	p.len = len;
	return p;
}

static bool parse(const struct trie *t, const struct lpm_key *key, struct prefix *p)
{
	*p = (struct prefix){.len = key->prefixlen};
	for (uint32_t i = 0; i < t->len_max / 8; i++)
		*(i < 8 ? &p->hi : &p->lo) |= (uint64_t)key->data[i] << (56 - 8 * (i % 8));
	if (p->len > t->len_max)
		return false;
	*p = cut(*p, p->len);
	return true;
}

static void unparse(const struct trie *t, const struct node *n, struct lpm_key *key)
{
	struct prefix p = prefix_of(n);

	key->prefixlen = p.len;
	for (uint32_t i = 0; i < t->len_max / 8; i++)
		key->data[i] = (uint8_t)((i < 8 ? p.hi : p.lo) >> (56 - 8 * (i % 8)));
}

/* How many first bits both have. */
static uint32_t common(struct prefix a, struct prefix b)
{
	uint32_t least = a.len < b.len ? a.len : b.len, same = 128;

	if (a.hi != b.hi)
		same = (uint32_t)__builtin_clzll(a.hi ^ b.hi);
	else if (a.lo != b.lo)
		same = 64 + (uint32_t)__builtin_clzll(a.lo ^ b.lo);
	return same < least ? same : least;
}

static unsigned int bit(struct prefix p, uint32_t i)
{
	return (i < 64 ? p.hi >> (63 - i) : p.lo >> (127 - i)) & 1;
}

static int lookup(struct map *map, const void *key, void *value)
{
	struct trie *t = (struct trie *)map;
	struct node *n, *found = NULL;
	struct prefix want;

	if (!parse(t, key, &want))
		return -ENOENT;
	urcu_memb_read_lock();
	for (n = get(&t->root); n;) {
		struct prefix p = prefix_of(n);

		if (common(p, want) < p.len)
			break;
		if (!is_fork(n))
			found = n;
		if (p.len == want.len)
			break;
		n = get(&n->child[bit(want, p.len)]);
	}
	if (found)
		words_load(value, found->value, map->value_size);
	urcu_memb_read_unlock();
	return found ? 0 : -ENOENT;
}

static struct node *make(struct trie *t, struct prefix p, const void *value)
{
	struct node *n = bpf_mem_cache_alloc(&t->ma);

	if (!n)
		return NULL;
	atomic_store_explicit(&n->hi, p.hi, memory_order_relaxed);
	atomic_store_explicit(&n->lo, p.lo, memory_order_relaxed);
	atomic_store_explicit(&n->len, p.len, memory_order_relaxed);
	atomic_store_explicit(&n->fork, !value, memory_order_relaxed);
	set(&n->child[0], NULL);
	set(&n->child[1], NULL);
	if (value)
		words_store(n->value, value, t->map.value_size);
	return n;
}

/* The link at which @p is, or belongs. @up: the links that lead there, if not NULL; @depth: how many. */
static _Atomic(struct node *) *find(struct trie *t, struct prefix p, _Atomic(struct node *) **up,
				    uint32_t *depth)
{
	_Atomic(struct node *) *link = &t->root;

	*depth = 0;
	for (struct node *n; (n = get(link));) {
		struct prefix q = prefix_of(n);

		if (common(p, q) < q.len || q.len == p.len)
			break;
		if (up)
			up[*depth] = link;
		++*depth;
		link = &n->child[bit(p, q.len)];
	}
	return link;
}

/* In the place of @old, which is a prefix of the new one's length, or above it, or beside it under a fork. */
static int insert(struct trie *t, _Atomic(struct node *) *link, struct node *new)
{
	struct node *old = get(link), *fork;
	struct prefix p = prefix_of(new), q;
	uint32_t same;

	if (!old) {
		set(link, new);
		return 0;
	}
	q = prefix_of(old);
	same = common(p, q);
	if (same == q.len) {
		set(&new->child[0], get(&old->child[0]));
		set(&new->child[1], get(&old->child[1]));
		set(link, new);
		bpf_mem_cache_free_rcu(&t->ma, old);
		return 0;
	}
	if (same == p.len) {
		set(&new->child[bit(q, same)], old);
		set(link, new);
		return 0;
	}
	fork = make(t, cut(p, same), NULL);
	if (!fork)
		return -ENOMEM;
	set(&fork->child[bit(q, same)], old);
	set(&fork->child[bit(p, same)], new);
	set(link, fork);
	return 0;
}

static bool is_there(struct node *n, struct prefix p)
{
	return n && !is_fork(n) && prefix_of(n).len == p.len && common(prefix_of(n), p) == p.len;
}

static int update(struct map *map, const void *key, const void *value, uint64_t flags)
{
	struct trie *t = (struct trie *)map;
	_Atomic(struct node *) *link;
	struct node *new;
	struct prefix p;
	uint32_t depth;
	bool there;
	int rc;

	if (flags > BPF_EXIST || !parse(t, key, &p))
		return -EINVAL;
	new = make(t, p, value);
	if (!new)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	link = find(t, p, NULL, &depth);
	there = is_there(get(link), p);
	if (there && flags == BPF_NOEXIST)
		rc = -EEXIST;
	else if (!there && flags == BPF_EXIST)
		rc = -ENOENT;
	else if (!there && t->count == map->max_entries)
		rc = -ENOSPC;
	else
		rc = insert(t, link, new);
	t->count += !rc && !there;
	pthread_mutex_unlock(&t->lock);
	if (rc)
		bpf_mem_cache_free(&t->ma, new); /* nobody ever saw it */
	return rc;
}

/* A node with two children becomes a fork; a fork that is left with one goes, too. */
static void take_out(struct trie *t, _Atomic(struct node *) *link, _Atomic(struct node *) *above)
{
	struct node *n = get(link), *left = get(&n->child[0]), *right = get(&n->child[1]);
	struct node *parent = above ? get(above) : NULL;

	if (left && right) {
		atomic_store_explicit(&n->fork, true, memory_order_relaxed);
		return;
	}
	if (!left && !right && parent && is_fork(parent)) {
		set(above, get(&parent->child[link == &parent->child[0]]));
		bpf_mem_cache_free_rcu(&t->ma, parent);
	} else {
		set(link, left ? left : right);
	}
	bpf_mem_cache_free_rcu(&t->ma, n);
}

static int delete (struct map *map, const void *key)
{
	struct trie *t = (struct trie *)map;
	_Atomic(struct node *) *up[DEPTH], *link;
	struct prefix p;
	uint32_t depth;
	bool there;

	if (!parse(t, key, &p))
		return -EINVAL;
	pthread_mutex_lock(&t->lock);
	link = find(t, p, up, &depth);
	there = is_there(get(link), p);
	if (there) {
		take_out(t, link, depth ? up[depth - 1] : NULL);
		t->count--;
	}
	pthread_mutex_unlock(&t->lock);
	return there ? 0 : -ENOENT;
}

static struct node *first_below(struct node *n)
{
	struct node *next = n;

	while ((n = next))
		if (!(next = get(&n->child[0])) && !(next = get(&n->child[1])))
			break;
	return n;
}

/* Children before their parent, as in the kernel: the longest prefix of an address comes first. */
static int next_key(struct map *map, const void *key, void *next)
{
	struct trie *t = (struct trie *)map;
	_Atomic(struct node *) *up[DEPTH], *link;
	uint32_t depth = 0;
	struct prefix p;
	struct node *n;

	pthread_mutex_lock(&t->lock);
	link = key && parse(t, key, &p) ? find(t, p, up, &depth) : NULL;
	if (!link || !is_there(get(link), p)) {
		n = first_below(get(&t->root));
		depth = 0; /* the first is a leaf, and no fork */
	} else {
		do {
			struct node *parent = depth ? get(up[depth - 1]) : NULL;

			n = parent;
			if (parent && link == &parent->child[0] && get(&parent->child[1]))
				n = first_below(get(&parent->child[1]));
			else if (depth)
				link = up[--depth];
		} while (n && is_fork(n));
	}
	if (n)
		unparse(t, n, next);
	pthread_mutex_unlock(&t->lock);
	return n ? 0 : -ENOENT;
}

static void free_map(struct map *map)
{
	struct trie *t = (struct trie *)map;
	struct node *stack[DEPTH + 1], *n, *child;
	uint32_t depth = 0;

	for (stack[0] = get(&t->root), depth = !!stack[0]; depth;) {
		n = stack[--depth];
		for (int i = 0; i < 2; i++)
			if ((child = get(&n->child[i])))
				stack[depth++] = child;
		bpf_mem_cache_raw_free(n);
	}
	bpf_mem_alloc_destroy(&t->ma);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static const struct map_ops ops = {lookup, update, delete, next_key, free_map};

struct map *lpm_new(uint32_t key_size, uint32_t value_size, uint32_t max)
{
	struct trie *t = calloc(1, sizeof *t);
	int rc;

	if (!t)
		return NULL;
	t->map = (struct map){&ops, key_size, value_size, max, 0};
	t->len_max = 8 * (key_size - (uint32_t)offsetof(struct lpm_key, data));
	pthread_mutex_init(&t->lock, NULL);
	rc = bpf_mem_alloc_init(&t->ma, (int)(sizeof(struct node) + 8 * words_of(value_size)),
				false);
	if (!rc)
		return &t->map;
	free_map(&t->map);
	errno = -rc;
	return NULL;
}
