/* SPDX-License-Identifier: MIT */
/* Numbers and names for people, see view.h. */
#include "view.h"

#define KEPT 8
#define ROOM 32

static char *place(void)
{
	static char kept[KEPT][ROOM];
	static unsigned int turn;

	return kept[turn++ % KEPT];
}

const char *bytes_of(uint64_t n)
{
	static const char units[] = "KMGTPE";
	double d = (double)n / 1024;
	const char *unit = units;
	char *to = place();

	if (n == UINT64_MAX)
		return "max";
	if (n < 1024) {
		snprintf(to, ROOM, "%u", (unsigned int)n);
		return to;
	}
	for (; d >= 999.95; d /= 1024)
		unit++;
	snprintf(to, ROOM, "%.1f%c", d, *unit);
	return to;
}

const char *time_of(uint64_t ns)
{
	char *to = place();

	if (!ns)
		return "0";
	if (ns < 1000000)
		snprintf(to, ROOM, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(to, ROOM, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(to, ROOM, "%.1f s", (double)ns / 1e9);
	return to;
}

const char *version_of(unsigned int version)
{
	char *to = place();

	snprintf(to, ROOM, "%u.%u.%u", version / 10000, version / 100 % 100, version % 100);
	return to;
}

void put_clean(FILE *out, const char *s, int width)
{
	for (; *s; s++, width--)
		fputc(*s >= ' ' && *s < 0x7f ? *s : '?', out);
	for (; width > 0; width--)
		fputc(' ', out);
}
