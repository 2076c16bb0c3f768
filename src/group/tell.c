/* SPDX-License-Identifier: MIT */
/* Telling programs by eventfds, see tell.h. */
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int bma__tell_check(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -EBADF;
	return flags & O_NONBLOCK ? 0 : -EINVAL;
}

void bma__tell(int fd, uint64_t times)
{
	int saved = errno;

	while (write(fd, &times, sizeof times) < 0 && errno == EINTR)
		;
	errno = saved;
}
