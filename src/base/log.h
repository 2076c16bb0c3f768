/* SPDX-License-Identifier: MIT */
/*
 * Messages. One line each, by one write(2), from a buffer on the stack: no allocation, no stdio.
 */
#ifndef BMA_BASE_LOG_H
#define BMA_BASE_LOG_H

#include <stdbool.h>

/* Print "bma: <text>" on the standard error. May be called from a may-sleep context only. */
void bma__log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same, only if BMA_CONF asks for it. Also while the first use is in progress on another thread. */
void bma__log_verbose(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Does it? */
void bma__log_set_verbose(bool on);

/* Report a misuse of the library or a broken invariant, and abort. Any context: the process ends.
 */
void bma__log_abort(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn, cold));

/* An invariant that holds whatever the caller does; compiled out with NDEBUG. */
#ifndef NDEBUG
#define bma__assert(cond)                                                                          \
	do {                                                                                       \
		if (bma__unlikely(!(cond)))                                                        \
			bma__log_abort("invariant broken: %s (%s:%d)", #cond, __FILE__, __LINE__); \
	} while (0)
#else
#define bma__assert(cond) ((void)sizeof(cond))
#endif

#endif /* BMA_BASE_LOG_H */
