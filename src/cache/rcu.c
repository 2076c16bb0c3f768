/* SPDX-License-Identifier: MIT */
/* Flavours of liburcu, see rcu.h. */
#include "cache.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <urcu/flavor.h>
#include <urcu/static/urcu-memb.h>
#include <urcu/static/urcu-qsbr.h>
#include <urcu/urcu-memb.h>

extern const struct rcu_flavor_struct urcu_memb_flavor;

static const struct {
	const char *name;
	enum bma__rcu_readers readers;
} known[] = {
	{"memb", BMA__RCU_READERS_LISTED},   {"mb", BMA__RCU_READERS_LISTED},
	{"signal", BMA__RCU_READERS_LISTED}, {"qsbr", BMA__RCU_READERS_QSBR},
	{"bp", BMA__RCU_READERS_ARENA},
};

const struct rcu_flavor_struct *bma__rcu_default(void)
{
	return &urcu_memb_flavor;
}

/* The tables are called urcu_<name>_flavor. Without a dynamic symbol (a static program) nothing is known. */
static bool name_of(const void *table, char *name, size_t size)
{
	static const char prefix[] = "urcu_", suffix[] = "_flavor";
	size_t before = sizeof prefix - 1, after = sizeof suffix - 1, len;
	Dl_info info;

	if (table == &urcu_memb_flavor) {
		snprintf(name, size, "memb");
		return true;
	}
	if (!dladdr(table, &info) || info.dli_saddr != table || !info.dli_sname)
		return false;
	len = strlen(info.dli_sname);
	if (len <= before + after || len - before - after >= size ||
	    memcmp(info.dli_sname, prefix, before) ||
	    memcmp(info.dli_sname + len - after, suffix, after))
		return false;
	snprintf(name, size, "%.*s", (int)(len - before - after), info.dli_sname + before);
	return true;
}

void bma__rcu_init(struct bma__rcu *rcu, const struct rcu_flavor_struct *table)
{
	rcu->table = table ? table : &urcu_memb_flavor;
	rcu->readers = BMA__RCU_READERS_UNKNOWN;
	rcu->reader = NULL;
	rcu->guest = false;
	if (!name_of(rcu->table, rcu->name, sizeof rcu->name)) {
		snprintf(rcu->name, sizeof rcu->name, "%p", (const void *)rcu->table);
		return;
	}
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (!strcmp(rcu->name, known[i].name))
			rcu->readers = known[i].readers;
	}
}

void bma__rcu_synchronize(const struct bma__rcu *rcu)
{
	rcu->table->update_synchronize_rcu();
}

bool bma__rcu_reading(const struct bma__rcu *rcu)
{
	return rcu->table->read_ongoing() != 0;
}

int bma__rcu_begin_wait(const struct bma__rcu *rcu, bool *online)
{
	*online = false;
	if (!rcu->table->read_ongoing())
		return 0;
	/* Only QSBR does anything here. */
	rcu->table->thread_offline();
	if (rcu->table->read_ongoing())
		return -EDEADLK;
	*online = true;
	return 0;
}

void bma__rcu_end_wait(const struct bma__rcu *rcu, bool online)
{
	if (online)
		rcu->table->thread_online();
}

static bool listed(const struct bma__rcu *rcu)
{
	return rcu->readers == BMA__RCU_READERS_LISTED || rcu->readers == BMA__RCU_READERS_QSBR;
}

void *bma__rcu_reader(const struct bma__rcu *rcu)
{
	char symbol[BMA__RCU_NAME_MAX + sizeof "urcu__reader"];

	if (rcu->table == &urcu_memb_flavor)
		return &URCU_TLS(urcu_memb_reader);
	if (!listed(rcu))
		return NULL;
	snprintf(symbol, sizeof symbol, "urcu_%s_reader", rcu->name);
	return dlsym(RTLD_DEFAULT, symbol);
}

static bool registered(const struct bma__rcu *rcu)
{
	if (rcu->readers == BMA__RCU_READERS_QSBR)
		return ((struct urcu_qsbr_reader *)rcu->reader)->registered;
	return ((struct urcu_reader *)rcu->reader)->registered;
}

static struct cds_list_head *place(const struct bma__rcu *rcu)
{
	if (rcu->readers == BMA__RCU_READERS_QSBR)
		return &((struct urcu_qsbr_reader *)rcu->reader)->node;
	return &((struct urcu_reader *)rcu->reader)->node;
}

void bma__rcu_before_fork(struct bma__rcu *rcu, void *reader)
{
	rcu->reader = reader;
	rcu->guest = reader && !registered(rcu);
	if (!rcu->guest)
		return;
	rcu->table->register_thread();
	/* QSBR: somebody may wait for a grace period while other handlers of the fork wait for him. */
	rcu->table->thread_offline();
}

void bma__rcu_after_fork_parent(struct bma__rcu *rcu)
{
	if (rcu->guest)
		rcu->table->unregister_thread();
}

/*
 * A guest takes its entry out by hand, because the lock of the list may be held by a thread that is not
 * there.
 */
bool bma__rcu_after_fork_child(struct bma__rcu *rcu)
{
	struct cds_list_head *node;
	bool alone;

	if (rcu->readers == BMA__RCU_READERS_ARENA)
		return true;
	if (!rcu->reader)
		return false;
	node = place(rcu);
	alone = node->next == node->prev;
	if (!rcu->guest)
		return alone;
	cds_list_del(node);
	if (rcu->readers == BMA__RCU_READERS_QSBR) {
		((struct urcu_qsbr_reader *)rcu->reader)->registered = 0;
		((struct urcu_qsbr_reader *)rcu->reader)->ctr = 0; /* offline */
	} else {
		((struct urcu_reader *)rcu->reader)->registered = 0;
	}
	return alone;
}
