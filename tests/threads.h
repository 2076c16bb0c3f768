/* SPDX-License-Identifier: MIT */
/* How many threads the process has. */
#ifndef BMA_TEST_THREADS_H
#define BMA_TEST_THREADS_H

#include <dirent.h>
#include <unistd.h>

/* 0: there is no /proc. */
static inline unsigned int threads_now(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int n = 0;

	if (!tasks)
		return 0;
	for (struct dirent *d; (d = readdir(tasks));)
		n += d->d_name[0] != '.';
	closedir(tasks);
	return n;
}

/* The same when there are no more than @most, or after 10 s: the kernel takes a thread off its list a moment after it was joined. */
static inline unsigned int threads_left(unsigned int most)
{
	for (int i = 0; i < 10000 && threads_now() > most; i++)
		usleep(1000);
	return threads_now();
}

#endif /* BMA_TEST_THREADS_H */
