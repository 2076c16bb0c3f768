/* SPDX-License-Identifier: MIT */
/* Guard pages that were touched, see segv.h. */
#include "cache.h"

#include <signal.h>

static void say(const char *at)
{
	struct bma__slab *slab = bma__chunk_slab(at);
	struct bma__engine *e;
	const char *obj;

	if (bma__sample_has(at))
		bma__sample_fault(at);
	if (!slab || !slab->geo.guard)
		return;
	e = slab->owner;
	obj = bma__slab_near(slab, at);
	if (at >= obj + e->size)
		bma__log_line(
			"cache \"%s\": object %p of %zu bytes: byte %td behind its end was touched",
			e->name, (const void *)obj, e->size, at - obj - (ptrdiff_t)e->size);
	else if (at < obj)
		bma__log_line(
			"cache \"%s\": object %p of %zu bytes: byte %td before it was touched",
			e->name, (const void *)obj, e->size, obj - at);
	else
		bma__log_line(
			"cache \"%s\": object %p of %zu bytes: byte %td was touched, and nobody "
			"has the object",
			e->name, (const void *)obj, e->size, at - obj);
	bma__track_show(e, obj);
}

/* Back to what the system does: the instruction is run again, and ends the process. */
static void on_segv(int sig, siginfo_t *info, void *context)
{
	struct sigaction none = {.sa_handler = SIG_DFL};

	(void)context;
	say(info->si_addr);
	sigaction(sig, &none, NULL);
}

void bma__segv_init(void)
{
	struct sigaction ours = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK}, now;

	sigemptyset(&ours.sa_mask);
	if (!sigaction(SIGSEGV, NULL, &now) && now.sa_handler == SIG_DFL)
		sigaction(SIGSEGV, &ours, NULL);
}
