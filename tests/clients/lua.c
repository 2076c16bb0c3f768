/* SPDX-License-Identifier: MIT */
/*
 * Lua on a heap: states in several threads, on a heap of their own each, then all on one that is counted; and one that is given less
 * memory than it asks for. A state may be closed in another thread than it ran in. Arguments: load.lua, rounds.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>

#include "client.h"

#define THREADS 4
#define SEED 20240607

struct space {
	struct bma_heap *heap;
	bool sized; /* by the sizes that Lua knows, else by what the heap knows */
	size_t used, limit;
	uint64_t calls;
};

struct run {
	struct space space;
	lua_State *L;
	lua_Integer result;
};

static const char *script;
static lua_Integer rounds = 15;

/*
 * bma_heap_realloc() may leave an object where it is though it would now be of a smaller class; then Lua's size is no longer what
 * it was allocated with, and bma_heap_free_sized() would be told a wrong one. So here an object stays only in its class.
 */
static void *resize(struct space *s, void *ptr, size_t osize, size_t nsize)
{
	struct bma_cache *class = bma_heap_cache(s->heap, osize);
	void *p;

	if (!s->sized || (osize > BMA_HEAP_CLASS_MAX && nsize > BMA_HEAP_CLASS_MAX))
		return bma_heap_realloc(s->heap, ptr, nsize, BMA_SLEEP);
	if (class && class == bma_heap_cache(s->heap, nsize))
		return ptr;
	p = bma_heap_alloc_flags(s->heap, nsize, BMA_SLEEP);
	if (p) {
		memcpy(p, ptr, osize < nsize ? osize : nsize);
		bma_heap_free_sized(s->heap, ptr, osize);
	}
	return p;
}

/* Without @ptr, @osize is the kind of object. */
static void *lua_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
	struct space *s = ud;
	size_t had = ptr ? osize : 0;
	void *p = NULL;

	s->calls++;
	if (nsize > had && s->limit && s->used - had + nsize > s->limit)
		return NULL;
	if (nsize && ptr)
		p = resize(s, ptr, osize, nsize);
	else if (nsize)
		p = bma_heap_alloc_flags(s->heap, nsize, BMA_SLEEP);
	else if (s->sized && ptr)
		bma_heap_free_sized(s->heap, ptr, osize);
	else
		bma_heap_free(s->heap, ptr);
	CHECK(!nsize || p, "no %zu bytes", nsize);
	CHECK(!p || bma_heap_usable_size(p) >= nsize, "object too small");
	s->used += nsize - had;
	return p;
}

static lua_State *open_state(struct space *s)
{
	lua_State *L = lua_newstate(lua_alloc, s);

	CHECK(L, "lua_newstate");
	luaL_openlibs(L);
	CHECK(luaL_loadfile(L, script) == LUA_OK, "%s", lua_tostring(L, -1));
	return L;
}

static void close_state(struct run *r)
{
	lua_close(r->L);
	CHECK(!r->space.used, "lua_close left %zu bytes", r->space.used);
}

static void *run_state(void *arg)
{
	struct run *r = arg;

	r->L = open_state(&r->space);
	lua_pushinteger(r->L, SEED);
	lua_pushinteger(r->L, rounds);
	CHECK(lua_pcall(r->L, 2, 1, 0) == LUA_OK, "%s", lua_tostring(r->L, -1));
	r->result = lua_tointeger(r->L, -1);
	CHECK((size_t)lua_gc(r->L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(r->L, LUA_GCCOUNTB) ==
		      r->space.used,
	      "Lua counts other bytes");
	return NULL;
}

/* @shared: the heap of all, or NULL. Returns what the script did. */
static lua_Integer run_threads(struct bma_heap *shared, const char *what)
{
	struct run run[THREADS] = {0};
	pthread_t thread[THREADS];
	double begin = test_seconds();
	uint64_t calls = 0;

	for (int i = 0; i < THREADS; i++) {
		run[i].space.heap = shared ? shared : client_heap("lua", BMA_HEAP_PRIVATE);
		run[i].space.sized = i % 2;
		CHECK(!pthread_create(&thread[i], NULL, run_state, &run[i]), "no thread");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		CHECK(run[i].result == run[0].result, "state %d: %lld, not %lld", i,
		      (long long)run[i].result, (long long)run[0].result);
		calls += run[i].space.calls;
	}
	CHECK(client_live(run[0].space.heap) > 1000, "Lua did not use the heap");
	/* Here, not where they ran. */
	for (int i = 0; i < THREADS; i++) {
		close_state(&run[i]);
		if (!shared)
			client_end(run[i].space.heap, "Lua");
	}
	if (shared)
		client_end(shared, "Lua");
	printf("%s: %llu calls, %.2f s\n", what, (unsigned long long)calls, test_seconds() - begin);
	return run[0].result;
}

/* Refused at more and more places; what Lua made until then is to go. */
static void run_short(void)
{
	struct bma_heap *heap = client_heap("lua-short", BMA_HEAP_PRIVATE);
	int refused = 0;

	for (size_t limit = 40000; limit < 4000000; limit += limit / 3) {
		struct run r = {.space = {.heap = heap, .sized = true}};

		r.L = open_state(&r.space);
		r.space.limit = r.space.used + limit;
		lua_pushinteger(r.L, SEED);
		lua_pushinteger(r.L, 1);
		switch (lua_pcall(r.L, 2, 1, 0)) {
		case LUA_ERRMEM:
			refused++;
			break;
		case LUA_OK:
			break;
		default:
			CHECK(false, "%s", lua_tostring(r.L, -1));
		}
		close_state(&r);
		CHECK(!client_live(heap), "limit %zu: objects are live", limit);
	}
	CHECK(refused > 3, "refused %d times only", refused);
	client_end(heap, "Lua");
}

int main(int argc, char **argv)
{
	lua_Integer own, all;

	CHECK(argc > 1, "usage: %s load.lua [rounds]", argv[0]);
	script = argv[1];
	if (argc > 2)
		rounds = atoi(argv[2]);
	own = run_threads(NULL, "a heap each");
	all = run_threads(client_heap("lua-all", BMA_HEAP_COUNT), "one heap");
	CHECK(own == all, "%lld with a heap each, %lld with one", (long long)own, (long long)all);
	run_short();
	return 0;
}
