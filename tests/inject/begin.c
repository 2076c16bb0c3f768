/* SPDX-License-Identifier: MIT */
/* Beginning, see begin.h. */
#include "begin.h"

#include "inject.h"
#include "world.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGALRM};

/* A crash is a failure, too, and so is a call that does not return: a tape that has become a ring is walked for ever. */
static void on_crash(int sig)
{
	printf("signal %d\n", sig);
	inject_where();
	fflush(stdout);
	_exit(INJECT_BAD);
}

static bool set_mode(const char *name)
{
	char conf[64];
	bool guest = !strcmp(name, "guest");

	snprintf(conf, sizeof conf, "worker:off,%s%s",
		 guest ? "rseq:off" : "index:", guest ? "" : name);
	world_init(conf);
	printf("mode %u: %s\n", bma__cpu.mode, bma__cpu.reason);
	return bma__cpu.mode == (guest			? BMA_MODE_GUEST
				 : !strcmp(name, "cid") ? BMA_MODE_RSEQ_CID
							: BMA_MODE_RSEQ_CPU);
}

int inject_begin(const char *mode, unsigned int seconds)
{
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!set_mode(mode)) {
		printf("skipped: this is another mode\n");
		return INJECT_SKIP;
	}
	rc = inject_init();
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
		signal(crashes[i], on_crash);
	alarm(seconds);
	return INJECT_OK;
}
