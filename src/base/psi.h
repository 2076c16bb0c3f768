/* SPDX-License-Identifier: MIT */
/*
 * Memory pressure, as the kernel tells it (PSI): a trigger on the memory.pressure of this process's own cgroup (version 2), or, where there is none or it
 * may not be written, on that of the whole system.
 */
#ifndef BMA_BASE_PSI_H
#define BMA_BASE_PSI_H

#include <stddef.h>

/*
 * A descriptor for bma__os.wait(), which tells when some task waited for memory for a tenth of a window of one second. Who is not privileged may only have windows
 * of two seconds, and gets one. May sleep. Returns a negative errno if there is none to be had.
 */
int bma__psi_open(void);

/*
 * The path of memory.pressure of the cgroup that /proc/self/cgroup, @cgroup, and /proc/self/mountinfo, @mounts, tell of; both texts are changed. Returns 0,
 * or -ENOENT, or -ENAMETOOLONG.
 */
int bma__psi_path(char *cgroup, char *mounts, char *path, size_t room);

#endif /* BMA_BASE_PSI_H */
