/* SPDX-License-Identifier: MIT */
/*
 * The heap profile as text.
 *
 * pprof's: numbers of objects and bytes, twice, for live ones are all that is known, then the addresses of the stack, innermost first; each already scaled up,
 * which "heapprofile" says. What is mapped where follows, for the names. Folded: names, as far as the dynamic linker knows them.
 */
#include "obs.h"

#include <bma/profile.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUFFER 4096u
#define ADDRESS_MOST 24u /* characters of one in text */
#define FRAME_MOST 256u	 /* of a name */

struct text {
	int fd, rc;
	bool folded;
	uint64_t objects, bytes;
	const void *library; /* where it is mapped, if it is a file of its own */
	size_t n;
	char buffer[BUFFER];
};

static void flush(struct text *t)
{
	int saved = errno;
	size_t done = 0;

	while (done < t->n && !t->rc) {
		ssize_t n = write(t->fd, t->buffer + done, t->n - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			t->rc = -errno;
	}
	t->n = 0;
	errno = saved;
}

static __attribute__((format(printf, 2, 3))) void put(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	if (t->n > BUFFER - FRAME_MOST - ADDRESS_MOST)
		flush(t);
	va_start(args, fmt);
	n = vsnprintf(t->buffer + t->n, BUFFER - t->n, fmt, args);
	va_end(args);
	bma__assert(n >= 0 && (size_t)n < BUFFER - t->n);
	t->n += (size_t)n;
}

/* A call's return address is that of the next line, or function. */
static bool find(uint64_t pc, Dl_info *info)
{
	*info = (Dl_info){0};
	return dladdr((void *)(uintptr_t)(pc - 1), info);
}

static const void *own_library(void)
{
	Dl_info info;

	if (!find((uintptr_t)bma_profile_write + 1, &info) || !info.dli_fname ||
	    !strstr(info.dli_fname, "libbma.so"))
		return NULL;
	return info.dli_fbase;
}

/* The frames of the library, which come first, tell nothing. All of them may be: then they are shown. */
static uint64_t first_frame(const struct text *t, const struct bma__profile_sample *s)
{
	uint64_t i;

	for (i = 0; i < s->n; i++) {
		Dl_info info;

		if (!find(s->pc[i], &info))
			break;
		if (t->library ? info.dli_fbase != t->library
			       : !info.dli_sname || strncmp(info.dli_sname, "bma_", 4))
			break;
	}
	return i < s->n ? i : 0;
}

/* Blanks and semicolons mean something in folded text. */
static void put_name(struct text *t, const char *name)
{
	char plain[FRAME_MOST];
	size_t i;

	for (i = 0; name[i] && i < sizeof plain - 1; i++)
		plain[i] = name[i] == ' ' || name[i] == ';' || name[i] == '\n' ? '_' : name[i];
	plain[i] = 0;
	put(t, "%s", plain);
}

static void put_frame(struct text *t, uint64_t pc)
{
	Dl_info info;
	const char *file;

	put(t, ";");
	if (find(pc, &info) && info.dli_sname) {
		put_name(t, info.dli_sname);
		return;
	}
	file = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
	file = file ? file + 1 : info.dli_fname ? info.dli_fname : "?";
	put_name(t, file);
	put(t, "+0x%llx", (unsigned long long)(pc - 1 - (uintptr_t)info.dli_fbase));
}

static uint64_t objects(const struct bma__profile_sample *s)
{
	return (s->stands + s->bytes / 2) / s->bytes;
}

static void add(const struct bma__profile_sample *s, void *arg)
{
	struct text *t = arg;

	t->objects += objects(s);
	t->bytes += s->stands;
}

static void put_sample(const struct bma__profile_sample *s, void *arg)
{
	struct text *t = arg;
	uint64_t n = objects(s), first = first_frame(t, s);

	if (t->folded) {
		put_name(t, s->name);
		for (uint64_t i = s->n; i > first; i--)
			put_frame(t, s->pc[i - 1]);
		put(t, " %llu\n", (unsigned long long)s->stands);
		return;
	}
	put(t, "%llu: %llu [%llu: %llu] @", (unsigned long long)n, (unsigned long long)s->stands,
	    (unsigned long long)n, (unsigned long long)s->stands);
	for (uint64_t i = first; i < s->n; i++)
		put(t, " 0x%llx", (unsigned long long)s->pc[i]);
	put(t, "\n");
}

static void put_maps(struct text *t)
{
	int saved = errno, fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	put(t, "\nMAPPED_LIBRARIES:\n");
	flush(t);
	while (fd >= 0 && !t->rc && (n = read(fd, t->buffer, BUFFER)) > 0) {
		t->n = (size_t)n;
		flush(t);
	}
	if (fd >= 0)
		close(fd);
	errno = saved;
}

int bma_profile_write(int fd, unsigned int flags)
{
	struct text t = {.fd = fd, .folded = flags & BMA_PROFILE_FOLDED, .library = own_library()};
	uint64_t dropped = bma__profile_dropped();

	if (flags & ~BMA_PROFILE_FOLDED)
		return -EINVAL;
	if (!t.folded) {
		bma__profile_visit(add, &t);
		put(&t, "heap profile: %llu: %llu [%llu: %llu] @ heapprofile\n",
		    (unsigned long long)t.objects, (unsigned long long)t.bytes,
		    (unsigned long long)t.objects, (unsigned long long)t.bytes);
	}
	bma__profile_visit(put_sample, &t);
	if (dropped)
		put(&t, t.folded ? "(dropped) %llu\n" : "# dropped samples: %llu\n",
		    (unsigned long long)dropped);
	if (!t.folded)
		put_maps(&t);
	flush(&t);
	return t.rc;
}
