/* SPDX-License-Identifier: MIT */
/*
 * Memory, sorting and writing for the report, without malloc: qsort() calls it, and so may stdio.
 */
#include "sigprof.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Zeroed; NULL if the system has none. */
void *sigprof_map(size_t bytes)
{
	void *at = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void swap(unsigned char *a, unsigned char *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = a[i];

		a[i] = b[i];
		b[i] = byte;
	}
}

/* Heapsort: in place, and no worst case. */
void sigprof_sort(void *base, size_t n, size_t size,
		  int (*compare)(const void *a, const void *b, const void *arg), const void *arg)
{
	unsigned char *at = base;

	for (size_t begin = n / 2, end = n; end > 1;) {
		size_t parent, child;

		if (begin)
			begin--;
		else
			swap(at, at + --end * size, size);
		for (parent = begin; (child = 2 * parent + 1) < end; parent = child) {
			if (child + 1 < end &&
			    compare(at + child * size, at + (child + 1) * size, arg) < 0)
				child++;
			if (compare(at + parent * size, at + child * size, arg) >= 0)
				break;
			swap(at + parent * size, at + child * size, size);
		}
	}
}

bool sigprof_out_open(struct sigprof_out *out, const char *path, const char *suffix)
{
	char name[PATH_MAX];

	out->used = 0;
	if (snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name))
		return false;
	out->fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return out->fd >= 0;
}

static void flush(struct sigprof_out *out)
{
	size_t done = 0;

	while (done < out->used) {
		ssize_t n = write(out->fd, out->bytes + done, out->used - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	out->used = 0;
}

void sigprof_out_bytes(struct sigprof_out *out, const char *bytes, size_t n)
{
	while (n) {
		size_t part = sizeof(out->bytes) - out->used;

		if (part > n)
			part = n;
		memcpy(out->bytes + out->used, bytes, part);
		out->used += part;
		bytes += part;
		n -= part;
		if (out->used == sizeof(out->bytes))
			flush(out);
	}
}

/* For what is short: longer than 512 bytes is cut. */
void sigprof_out_print(struct sigprof_out *out, const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		sigprof_out_bytes(out, text,
				  (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void sigprof_out_close(struct sigprof_out *out)
{
	flush(out);
	close(out->fd);
}
