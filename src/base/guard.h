/* SPDX-License-Identifier: MIT */
/*
 * Guard pages: objects on pages of their own, which nobody may touch unless the user has the object, with a page behind
 * that nobody may touch at all. After the electric fence of Perens (1987) and the kernel's KFENCE.
 *
 * Protection is changed by mprotect(2), which is safe in any context. Each object that is in use splits a mapping: the
 * system's limit of these (vm.max_map_count, mostly 65530) bounds how many there can be, and who meets it ends.
 */
#ifndef BMA_BASE_GUARD_H
#define BMA_BASE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* The pages that [p, p + n) touches. Any context; leaves errno alone. */
void bma__guard_open(void *p, size_t n);
void bma__guard_close(void *p, size_t n);

/* The same for who can do without: false if the system refuses. */
bool bma__guard_try_open(void *p, size_t n);

#endif /* BMA_BASE_GUARD_H */
