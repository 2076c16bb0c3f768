/* SPDX-License-Identifier: MIT */
/* Messages, see log.h. */
#include "base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic bool verbose;

void bma__log_set_verbose(bool on)
{
	atomic_store_explicit(&verbose, on, memory_order_relaxed);
}

static void emit(const char *fmt, va_list args)
{
	static const char prefix[] = "bma: ";
	char line[512];
	int saved = errno, n;

	for (size_t i = 0; i < sizeof prefix; i++)
		line[i] = prefix[i];
	n = vsnprintf(line + sizeof prefix - 1, sizeof line - sizeof prefix, fmt, args);
	if (n < 0)
		n = 0;
	n += (int)sizeof prefix - 1;
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n++] = '\n';
	while (write(STDERR_FILENO, line, (size_t)n) < 0 && errno == EINTR)
		;
	errno = saved;
}

void bma__log_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	emit(fmt, args);
	va_end(args);
}

void bma__log_verbose(const char *fmt, ...)
{
	va_list args;

	if (!atomic_load_explicit(&verbose, memory_order_relaxed))
		return;
	va_start(args, fmt);
	emit(fmt, args);
	va_end(args);
}

void bma__log_abort(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	emit(fmt, args);
	va_end(args);
	abort();
}
