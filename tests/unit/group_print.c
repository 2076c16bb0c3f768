/* SPDX-License-Identifier: MIT */
/* The tables: lines in cgroup v2's words; JSON that any parser takes, whatever names are. */
#include "group.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char text[1 << 20];

static void capture(int (*print)(int fd))
{
	int fd = memfd_create("text", MFD_CLOEXEC);
	ssize_t n;

	cr_assert_geq(fd, 0);
	cr_assert_eq(print(fd), 0);
	n = pread(fd, text, sizeof text - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = 0;
	close(fd);
}

static void plant(void)
{
	struct bma_group_attr a = {.attr_size = sizeof a,
				   .name = "agent",
				   .max = 1000,
				   .high = 90,
				   .low = 20,
				   .min = 10};
	struct bma_group *agent = bma_group_create(NULL, &a), *flows = make(agent, "flows");

	charge(flows, 100);
	charge(flows, 10000);
	uncharge(flows, 40);
}

static int print_groups(int fd)
{
	return bma_stats_write(fd, BMA_STATS_GROUPS, NULL);
}

static int json_groups(int fd)
{
	return bma_stats_write(fd, BMA_STATS_GROUPS | BMA_STATS_JSON, NULL);
}

Test(group_print, lines)
{
	plant();
	capture(print_groups);
	cr_assert_str_eq(text, "/ current 60 peak 100 max max high max low 0 min 0 events low 0 "
			       "high 1 max 1 oom 0 oom_reclaim 0 stall 0\n"
			       "/agent current 60 peak 100 max 1000 high 90 low 20 min 10 events "
			       "low 0 high 1 max 1 oom 0 oom_reclaim 0 stall 0\n"
			       "/agent/flows current 60 peak 100 max max high max low 0 min 0 "
			       "events low 0 high 0 max 0 oom 0 oom_reclaim 0 stall 0\n");
}

Test(group_print, json_lines)
{
	plant();
	capture(json_groups);
	cr_assert_str_eq(
		text, "{\"groups\":[\n"
		      "{\"path\":\"/"
		      "\",\"current\":60,\"peak\":100,\"max\":\"max\",\"high\":\"max\",\"low\":0,"
		      "\"min\":0,"
		      "\"events\":{\"low\":0,\"high\":1,\"max\":1,\"oom\":0,\"oom_reclaim\":0},"
		      "\"stall\":0,\"policy\":\"\"},\n"
		      "{\"path\":\"/"
		      "agent\",\"current\":60,\"peak\":100,\"max\":1000,\"high\":90,\"low\":20,"
		      "\"min\":10,"
		      "\"events\":{\"low\":0,\"high\":1,\"max\":1,\"oom\":0,\"oom_reclaim\":0},"
		      "\"stall\":0,\"policy\":\"\"},\n"
		      "{\"path\":\"/agent/"
		      "flows\",\"current\":60,\"peak\":100,\"max\":\"max\",\"high\":\"max\","
		      "\"low\":0,\"min\":0,"
		      "\"events\":{\"low\":0,\"high\":0,\"max\":0,\"oom\":0,\"oom_reclaim\":0},"
		      "\"stall\":0,\"policy\":\"\"}\n"
		      "]}\n");
}

/* A parser of JSON: is it, and what are the strings behind "path"? */
static const unsigned char *at;
static char paths[300][1024];
static int n_paths;

static void space(void)
{
	while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')
		at++;
}

static void want(char c)
{
	space();
	cr_assert_eq(*at, c, "wanted %c at: %.40s", c, (const char *)at);
	at++;
}

static unsigned int hex4(void)
{
	unsigned int value = 0;

	for (int i = 0; i < 4; i++, at++) {
		const char *digits = "0123456789abcdef", *d = strchr(digits, *at);

		cr_assert(*at && d);
		value = value * 16 + (unsigned int)(d - digits);
	}
	return value;
}

/* The length of a character by its first byte, checked as RFC 3629 has its table. */
static int utf8(void)
{
	unsigned int c = *at, least, n;

	if (c < 0x80)
		return 1;
	cr_assert(c >= 0xc2 && c <= 0xf4);
	n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	least = n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000;
	c &= 0x7fu >> n;
	for (unsigned int i = 1; i < n; i++) {
		cr_assert_eq(at[i] & 0xc0, 0x80);
		c = c << 6 | (at[i] & 0x3f);
	}
	cr_assert(c >= least && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff));
	return (int)n;
}

static void string(char *to, size_t room)
{
	size_t n = 0;

	want('"');
	while (*at != '"') {
		cr_assert(*at >= ' ' && n + 8 < room);
		if (*at != '\\') {
			for (int i = utf8(); i--;)
				to[n++] = (char)*at++;
			continue;
		}
		at++;
		if (*at == 'u') {
			unsigned int c;

			at++;
			c = hex4();
			if (c == 0xfffd)
				to[n++] = '?';
			else
				to[n++] = (char)c;
			cr_assert(c == 0xfffd || c < 0x80);
		} else {
			cr_assert(*at == '"' || *at == '\\');
			to[n++] = (char)*at++;
		}
	}
	to[n] = 0;
	at++;
}

static void value(const char *key);

static void members(char open, char close)
{
	char key[64] = "";

	want(open);
	space();
	while (*at != (unsigned char)close) {
		if (open == '{') {
			string(key, sizeof key);
			want(':');
		}
		value(key);
		space();
		if (*at == (unsigned char)close)
			break;
		want(',');
		space();
		cr_assert_neq(*at, (unsigned char)close);
	}
	at++;
}

static void value(const char *key)
{
	char word[1024];

	space();
	if (*at == '{') {
		members('{', '}');
	} else if (*at == '[') {
		members('[', ']');
	} else if (*at == '"') {
		string(word, sizeof word);
		if (!strcmp(key, "path"))
			strcpy(paths[n_paths++], word);
		else if (strcmp(key, "policy"))
			cr_assert_str_eq(word, "max");
	} else {
		cr_assert(*at >= '0' && *at <= '9' && (*at != '0' || at[1] < '0' || at[1] > '9'));
		while (*at >= '0' && *at <= '9')
			at++;
	}
}

static void parse(void)
{
	capture(json_groups);
	at = (const unsigned char *)text;
	n_paths = 0;
	value("");
	space();
	cr_assert_eq(*at, 0);
}

static bool path_is_there(const char *path)
{
	for (int i = 0; i < n_paths; i++) {
		if (!strcmp(paths[i], path))
			return true;
	}
	return false;
}

Test(group_print, json_of_any_byte)
{
	char wanted[8] = "/";

	for (int c = 1; c < 256; c++) {
		char name[3] = {(char)c, 'x', 0};

		if (c != '/')
			make(NULL, name);
	}
	parse();
	cr_assert_eq(n_paths, 1 + 254);
	cr_assert(path_is_there("/"));
	for (int c = 1; c < 128; c++) {
		wanted[1] = (char)c;
		wanted[2] = 'x';
		cr_assert(c == '/' || path_is_there(wanted), "%d", c);
	}
	cr_assert(path_is_there("/?x"), "bytes that are no UTF-8");
}

Test(group_print, json_of_utf8)
{
	static const char *const good[] = {"gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x90\x80",
					   "\xf4\x8f\xbf\xbf",	 "\xed\x9f\xbf", "\xc2\x80"};
	/* Cut short, overlong, surrogates, too large, a tail alone. */
	static const char *const bad[] = {
		"\xc3",		"\xe2\x82",	    "\xf0\x9f\x90",	"\xc0\x80", "\xe0\x80\x80",
		"\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\x80",	    "\xff",
		"\xc3(",	"\xe0\x9f\xbf"};
	char path[40] = "/";

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		make(NULL, good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		make(NULL, bad[i]);
	parse();
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		strcpy(path + 1, good[i]);
		cr_assert(path_is_there(path), "%s", path);
	}
	cr_assert(path_is_there("/?("), "what follows is not lost");
	cr_assert(path_is_there("/????"), "each byte of an overlong one");
}

/* The longest path there is, of bytes that are longest when they are written. */
Test(group_print, the_longest_line)
{
	struct bma_group *g = NULL;
	char name[32];

	memset(name, 1, 31);
	name[31] = 0;
	for (int i = 0; i < BMA_GROUP_DEPTH_MAX; i++)
		g = make(g, name);
	cr_assert_eq(charge(g, UINT64_MAX - 1), 0);
	parse();
	cr_assert_eq(n_paths, 1 + BMA_GROUP_DEPTH_MAX);
	cr_assert_eq(strlen(paths[n_paths - 1]), 512);
	capture(print_groups);
	cr_assert_not_null(strstr(text, "\\001\\001"));
}

static enum bma_oom_answer decide(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	return BMA_OOM_NO_POLICY;
}

Test(group_print, who_decides)
{
	const struct bma_oom_policy policy = {
		.attr_size = sizeof policy, .name = "a \"killer\"", .decide = decide};
	struct bma_group *g = make(NULL, "g");

	make(g, "below");
	cr_assert_eq(bma_oom_policy_attach(g, &policy), 0);
	bma__stall_add(g, 123, 1);
	capture(print_groups);
	cr_assert_not_null(strstr(text, " oom_reclaim 0 stall 123 policy a\\040\"killer\"\n"));
	cr_assert_not_null(strstr(text, "/ current 0"));
	cr_assert_null(strstr(strstr(text, "/g/below"), "policy"));
	parse();
	cr_assert_not_null(strstr(text, "\"stall\":123,\"policy\":\"a \\\"killer\\\"\"}"));
}

Test(group_print, one_line_for_each_whatever_its_name)
{
	int lines = 0;

	make(NULL, "a b\nc\\d");
	make(NULL, "\xc3\xbc");
	capture(print_groups);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	cr_assert_eq(lines, 3);
	cr_assert_not_null(strstr(text, "/a\\040b\\012c\\134d current 0 "));
	cr_assert_not_null(strstr(text, "/\\303\\274 current 0 "));
}

Test(group_print, a_descriptor_that_does_not_take_it)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	plant();
	cr_assert_eq(bma_stats_print(-1), -EBADF);
	cr_assert_eq(bma_stats_write_json(-1), -EBADF);
	cr_assert_eq(bma_stats_print(full), -ENOSPC);
	cr_assert_eq(bma_stats_write_json(full), -ENOSPC);
	close(full);
}
