/* SPDX-License-Identifier: MIT */
#include "peak.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool counting;

void peak_reset(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	counting = fd >= 0 && write(fd, "5", 1) == 1;
	if (fd >= 0)
		close(fd);
}

size_t peak_bytes(void)
{
	static const char key[] = "\nVmHWM:";
	char text[4096];
	const char *line;
	ssize_t n = -1;
	int fd;

	fd = counting ? open("/proc/self/status", O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return 0;
	text[n] = 0;
	line = strstr(text, key);
	return line ? strtoul(line + sizeof(key) - 1, NULL, 10) * 1024 : 0;
}
