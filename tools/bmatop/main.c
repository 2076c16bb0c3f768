/* SPDX-License-Identifier: MIT */
/* bmatop: what a process that has BMA_CONF=export does with its memory. */
#include "format.h"
#include "process.h"
#include "screen.h"

#include <bma/version.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DELAY 3000 /* milliseconds, as slabtop(1) */
#define SECONDS_MOST 100000

enum way { SCREEN_WAY, ONCE, JSON, SLABINFO, PROMETHEUS, CLEAN };

struct wanted {
	enum way way;
	enum view view;
	char sort;
	int pid, delay;
	const char *file;
};

static const char usage[] =
	"usage: bmatop [options] [PID]\n"
	"Without a process: lists those that have BMA_CONF=export.\n"
	"  -p, --pid PID       look at this one\n"
	"  -f, --file FILE     look at a page that was kept\n"
	"  -d, --delay SECONDS between updates of the screen (3)\n"
	"  -s, --sort LETTER   order of caches: a live, b objects per slab, c size, l v slabs, n "
	"name,\n"
	"                      o objects, p pages per slab, s object size, u use (o)\n"
	"  -w, --view VIEW     caches, cpus, nodes, groups or limbo (caches)\n"
	"  -o, --once          print the view and end\n"
	"      --json          print everything, as JSON\n"
	"      --slabinfo      print caches as /proc/slabinfo has them\n"
	"      --prometheus    print everything, for Prometheus\n"
	"      --clean         remove what processes left that have ended, or PID\n"
	"  -h, --help          print this\n"
	"  -V, --version       print the version\n";

static void complain(const char *what)
{
	fprintf(stderr, "bmatop: %s\n", what);
}

static bool take_pid(struct wanted *w, const char *text)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || *end || end == text || n <= 0 || n > INT_MAX) {
		fprintf(stderr, "bmatop: \"%s\" is no process id\n", text);
		return false;
	}
	w->pid = (int)n;
	return true;
}

static bool take_delay(struct wanted *w, const char *text)
{
	char *end;
	double d = strtod(text, &end);

	if (*end || end == text || !(d >= 0.01 && d <= SECONDS_MOST)) {
		fprintf(stderr, "bmatop: \"%s\" is no delay: 0.01 to %d seconds\n", text,
			SECONDS_MOST);
		return false;
	}
	w->delay = (int)(d * 1000);
	return true;
}

static bool take_sort(struct wanted *w, const char *text)
{
	if (strlen(text) != 1 || !strchr(SORT_LETTERS, *text)) {
		fprintf(stderr, "bmatop: \"%s\" is no order: one of " SORT_LETTERS "\n", text);
		return false;
	}
	w->sort = *text;
	return true;
}

static bool take_view(struct wanted *w, const char *text)
{
	for (int i = 0; i < VIEWS; i++) {
		if (!strcmp(text, view_names[i])) {
			w->view = (enum view)i;
			return true;
		}
	}
	fprintf(stderr, "bmatop: \"%s\" is no view: caches, cpus, nodes, groups or limbo\n", text);
	return false;
}

/* Returns the exit status, or -1: go on. */
static int take_options(struct wanted *w, int argc, char **argv)
{
	static const struct option options[] = {
		{"pid", required_argument, NULL, 'p'},
		{"file", required_argument, NULL, 'f'},
		{"delay", required_argument, NULL, 'd'},
		{"sort", required_argument, NULL, 's'},
		{"view", required_argument, NULL, 'w'},
		{"once", no_argument, NULL, 'o'},
		{"json", no_argument, NULL, 1000 + JSON},
		{"slabinfo", no_argument, NULL, 1000 + SLABINFO},
		{"prometheus", no_argument, NULL, 1000 + PROMETHEUS},
		{"clean", no_argument, NULL, 1000 + CLEAN},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	bool good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "p:f:d:s:w:ohV", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			good = take_pid(w, optarg);
			break;
		case 'f':
			w->file = optarg;
			break;
		case 'd':
			good = take_delay(w, optarg);
			break;
		case 's':
			good = take_sort(w, optarg);
			break;
		case 'w':
			good = take_view(w, optarg);
			break;
		case 'o':
			w->way = ONCE;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			printf("bmatop %s\n", version_of(BMA_VERSION));
			return 0;
		case 1000 + JSON:
		case 1000 + SLABINFO:
		case 1000 + PROMETHEUS:
		case 1000 + CLEAN:
			w->way = (enum way)(c - 1000);
			break;
		default:
			return 2;
		}
	}
	if (good && optind < argc)
		good = take_pid(w, argv[optind++]);
	if (good && optind < argc) {
		complain("one process at a time");
		good = false;
	}
	return good ? -1 : 2;
}

static bool put(struct page *p, const struct wanted *w, char why[WHY_MOST])
{
	switch (w->way) {
	case JSON:
		format_json(stdout, p);
		break;
	case SLABINFO:
		format_slabinfo(stdout, p);
		break;
	case PROMETHEUS:
		format_prometheus(stdout, p);
		break;
	case ONCE:
		view_head(stdout, p, w->view, w->sort, NULL);
		view_put(stdout, p, w->view, w->sort);
		break;
	default:
		return screen_run(p, w->view, w->sort, w->delay, why);
	}
	if (fflush(stdout) || ferror(stdout)) {
		snprintf(why, WHY_MOST, "standard output: %s", strerror(errno));
		return false;
	}
	return true;
}

static bool look(const struct wanted *w, char why[WHY_MOST])
{
	char path[PATH_MAX];
	struct page p;
	bool good;

	if (!w->file && !process_find(w->pid, path, sizeof path, why))
		return false;
	if (!page_open(&p, w->file ? w->file : path, why))
		return false;
	good = put(&p, w, why);
	page_close(&p);
	return good;
}

int main(int argc, char **argv)
{
	struct wanted w = {.sort = SORT_DEFAULT, .delay = DELAY};
	char why[WHY_MOST];
	int rc = take_options(&w, argc, argv);

	if (rc >= 0)
		return rc;
	if (w.way == CLEAN) {
		printf("%d removed\n", process_clean(w.pid));
		return 0;
	}
	if (!w.pid && !w.file) {
		if (process_list(stdout))
			return 0;
		complain("no process exports: start one with BMA_CONF=export");
		return 1;
	}
	if (look(&w, why))
		return 0;
	complain(why);
	return 1;
}
