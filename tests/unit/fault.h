/* SPDX-License-Identifier: MIT */
/* A page that faults once, so that a test can do something in the middle of a call that touches it. */
#ifndef BMA_UNIT_FAULT_H
#define BMA_UNIT_FAULT_H

#include "cache/cache.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

static char *fault_page;
static size_t fault_bytes;
static void (*at_fault)(void);
static int faults;

static inline void on_fault(int sig, siginfo_t *info, void *context)
{
	char *at = info->si_addr;

	(void)sig, (void)context;
	if (at < fault_page || at >= fault_page + fault_bytes)
		abort();
	mprotect(fault_page, fault_bytes, PROT_READ | PROT_WRITE);
	faults++;
	at_fault();
}

/* At the next access to @page that is not @allowed, call @then; from then on all is. */
static inline void arm_fault(void *page, size_t bytes, int allowed, void (*then)(void))
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &sa, NULL);
	fault_page = page;
	fault_bytes = bytes;
	at_fault = then;
	cr_assert_eq(mprotect(page, bytes, allowed), 0);
}

/* An engine without the worker. */
static inline struct bma__engine *engine(size_t size, uint32_t batch)
{
	struct bma__engine_attr a = {.name = "fault", .size = size, .align = 16, .batch = batch};
	struct bma__engine *e;
	int rc;

	bma__env_parse("worker:off");
	cr_assert_eq(bma__engine_init(), 0);
	a.flavor = bma__flavor_get(NULL);
	e = bma__engine_create(&a, &rc);
	cr_assert_not_null(e);
	return e;
}

static inline void fill_slot(struct bma__engine *e, int n)
{
	void *p[64];

	for (int i = 0; i < n; i++) {
		p[i] = bma__slot_alloc(e);
		cr_assert_not_null(p[i]);
	}
	while (n)
		bma__slot_free(e, p[--n]);
}

#endif /* BMA_UNIT_FAULT_H */
