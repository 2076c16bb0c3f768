/* SPDX-License-Identifier: MIT */
/*
 * Figures of all groups as text, in the words of cgroup v2: what is memory.current there is current here and so on, and "max" is no limit.
 *
 * "stall" is how long callers waited for memory on a group's behalf, nanoseconds; "policy" whose turn it is to decide when it runs out, if it has a policy of its own (include/bma/oom.h).
 *
 * Names are bytes. In the table a byte that is not printable, a space and a backslash are written as a backslash and three octal digits, as in /proc/mounts. In
 * JSON what is not UTF-8 is U+FFFD.
 */
#include "obs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE 8192 /* a path, at most six bytes for each of its own, and the figures */

struct text {
	int fd;
	bool json, first;
	size_t n;
	char line[LINE];
};

static __attribute__((format(printf, 2, 3))) void put(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->line + t->n, sizeof t->line - t->n, fmt, args);
	va_end(args);
	bma__assert(n >= 0 && (size_t)n < sizeof t->line - t->n);
	t->n += (size_t)n;
}

static int flush(struct text *t)
{
	int saved = errno, rc = 0;
	size_t done = 0;

	while (done < t->n && !rc) {
		ssize_t n = write(t->fd, t->line + done, t->n - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			rc = -errno;
	}
	t->n = 0;
	errno = saved;
	return rc;
}

/* Bytes of the character in UTF-8 that @s begins with; 0: it begins with none. */
static size_t character(const unsigned char *s)
{
	size_t length = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;

	if (*s > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than need be, a surrogate, or above the last one. */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static void put_json(struct text *t, const char *path)
{
	const unsigned char *s = (const unsigned char *)path;

	put(t, "\"");
	while (*s) {
		size_t length = character(s);

		if (!length)
			put(t, "\\ufffd");
		else if (*s < ' ' || *s == 0x7f)
			put(t, "\\u%04x", *s);
		else if (*s == '"' || *s == '\\')
			put(t, "\\%c", *s);
		else
			put(t, "%.*s", (int)length, (const char *)s);
		s += length ? length : 1;
	}
	put(t, "\"");
}

static void put_escaped(struct text *t, const char *path)
{
	for (const unsigned char *s = (const unsigned char *)path; *s; s++) {
		if (*s <= ' ' || *s >= 0x7f || *s == '\\')
			put(t, "\\%03o", *s);
		else
			put(t, "%c", *s);
	}
}

struct figure {
	const char *name;
	uint64_t value;
};

static void put_figures(struct text *t, const struct figure *f, size_t n, bool limits)
{
	for (size_t i = 0; i < n; i++) {
		const char *quote = t->json ? "\"" : "";

		put(t, "%s%s%s%s", t->json ? (i ? "," : "") : " ", quote, f[i].name, quote);
		put(t, t->json ? ":" : " ");
		if (limits && f[i].value == BMA_GROUP_NO_LIMIT)
			put(t, "%smax%s", quote, quote);
		else
			put(t, "%llu", (unsigned long long)f[i].value);
	}
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Who decides there when it runs out, where somebody does. */
static void put_policy(struct text *t, const char *name)
{
	if (t->json)
		put(t, ",\"policy\":");
	else if (*name)
		put(t, " policy ");
	if (t->json)
		put_json(t, name);
	else
		put_escaped(t, name);
}

static void put_group(struct text *t, const char *path, const struct bma_group_stats *s,
		      const struct bma_oom_stats *oom)
{
	const struct figure bytes[] = {{"current", s->current}, {"peak", s->peak}, {"max", s->max},
				       {"high", s->high},	{"low", s->low},   {"min", s->min}};
	const struct figure events[] = {
		{"low", s->events[BMA_GROUP_EVENT_LOW]},
		{"high", s->events[BMA_GROUP_EVENT_HIGH]},
		{"max", s->events[BMA_GROUP_EVENT_MAX]},
		{"oom", s->events[BMA_GROUP_EVENT_OOM]},
		{"oom_reclaim", s->events[BMA_GROUP_EVENT_OOM_RECLAIM]},
	};

	if (t->json) {
		put(t, t->first ? "\n{\"path\":" : ",\n{\"path\":");
		put_json(t, path);
		put(t, ",");
	} else {
		put_escaped(t, path);
	}
	put_figures(t, bytes, COUNT(bytes), true);
	put(t, t->json ? ",\"events\":{" : " events");
	put_figures(t, events, COUNT(events), false);
	put(t, t->json ? "},\"stall\":%llu" : " stall %llu", (unsigned long long)oom->stall_ns);
	put_policy(t, oom->policy);
	put(t, t->json ? "}" : "\n");
}

static int visit(struct bma_group *handle, const struct bma_group_stats *s, void *arg)
{
	char path[BMA__GROUP_PATH_MAX];
	const struct bma__group *g;
	struct bma_oom_stats oom;
	struct text *t = arg;

	bma__tree_lock();
	g = bma__group_of(handle);
	if (g) {
		bma__group_path(g, path, sizeof path);
		bma__oom_figures(g, &oom);
	}
	bma__tree_unlock();
	if (!g)
		return 0;
	put_group(t, path, s, &oom);
	t->first = false;
	return flush(t);
}

static int print(int fd, bool json)
{
	struct text t = {.fd = fd, .json = json, .first = true};
	int rc;

	if (json)
		put(&t, "{\"groups\":[");
	rc = bma_group_visit(NULL, visit, &t);
	if (!rc)
		rc = bma_shared_visit(visit, &t);
	if (rc)
		return rc;
	if (json)
		put(&t, "\n]}\n");
	return flush(&t);
}

int bma_stats_print(int fd)
{
	return print(fd, false);
}

int bma_stats_write_json(int fd)
{
	return print(fd, true);
}
