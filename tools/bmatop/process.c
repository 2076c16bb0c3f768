/* SPDX-License-Identifier: MIT */
/* Processes, see process.h. */
#include "process.h"
#include "view.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LATE 3 /* periods without an update that are worth a word */
#define STAT_START 19
#define NS 1000000000u

enum life { LIVES, STOPPED, ENDED, ANOTHER };

/* May a process have made a page of @uid? What it was started as is not known; one that can no longer be asked may. */
static bool may_have_made(int pid, uid_t uid)
{
	unsigned int real, now, saved, files;
	char path[32], line[256];
	bool may = true;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "Uid: %u %u %u %u", &real, &now, &saved, &files) != 4)
			continue;
		may = !uid || uid == real || uid == now || uid == saved || uid == files;
		break;
	}
	if (f)
		fclose(f);
	return may;
}

static enum life life(int pid, uint64_t start)
{
	char path[32], line[1024], *at;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return kill(pid, 0) && errno == ESRCH ? ENDED : LIVES;
	n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = 0;
	at = strrchr(line, ')');
	if (!at || !at[1])
		return ENDED; /* it went while we read */
	if (at[2] == 'Z' || at[2] == 'X')
		return ENDED;
	n = at[2] == 'T' || at[2] == 't';
	for (int i = 0; i <= STAT_START && at; i++)
		at = strchr(at + 1, ' ');
	if (start && at && strtoull(at, NULL, 10) != start)
		return ANOTHER;
	return n ? STOPPED : LIVES;
}

static enum life of(const struct page *p)
{
	enum life is = life((int)p->head->pid, p->head->start);
	struct stat st;

	if (is < ENDED && !fstat(p->fd, &st) && !may_have_made((int)p->head->pid, st.st_uid))
		return ANOTHER;
	return is;
}

bool process_has_ended(const struct page *p)
{
	return of(p) >= ENDED;
}

const char *process_state(const struct page *p, char to[64])
{
	uint64_t age = page_age(p);
	enum life is = of(p);
	struct stat st;

	if (is == ENDED || is == ANOTHER) {
		return is == ENDED ? "ended, last figures"
				   : "ended, last figures; another process has its pid";
	} else if (p->torn) {
		return is == STOPPED ? "stopped, in the middle of an update"
				     : "stale, in the middle of an update";
	} else if (is == STOPPED) {
		return "stopped";
	} else if (!fstat(p->fd, &st) && !st.st_nlink) {
		return "no longer exports, last figures";
	} else if (age > LATE * p->head->period) {
		snprintf(to, 64, "stale, no update for %llu s", (unsigned long long)(age / NS));
		return to;
	}
	return "running";
}

/* "bma-<uid>-<pid>": the pid, or 0, also if it is somebody else's: anybody may make files there. */
static int pid_of(const char *name)
{
	char path[sizeof PAGES_DIR + 256], as_we_do[64];
	unsigned int uid;
	struct stat st;
	int pid;

	if (sscanf(name, "bma-%u-%d", &uid, &pid) != 2 || pid <= 0)
		return 0;
	snprintf(as_we_do, sizeof as_we_do, "bma-%u-%d", uid, pid);
	if (strcmp(name, as_we_do) != 0)
		return 0;
	snprintf(path, sizeof path, PAGES_DIR "/%s", name);
	return !lstat(path, &st) && S_ISREG(st.st_mode) && st.st_uid == uid ? pid : 0;
}

/* Is it of the process that has this pid, and not just called so? */
static bool is_its_own(const char *path, int pid)
{
	char why[WHY_MOST];
	struct page p;
	bool is;

	if (!page_open(&p, path, why))
		return false;
	is = (int)p.head->pid == pid && of(&p) != ANOTHER;
	page_close(&p);
	return is;
}

/* One that was left by another process of this pid is better than none. */
bool process_find(int pid, char *path, size_t size, char why[WHY_MOST])
{
	DIR *dir = opendir(PAGES_DIR);
	struct dirent *d;
	bool found = false, own = false;

	while (dir && !own && (d = readdir(dir))) {
		char at[sizeof PAGES_DIR + 256];

		if (pid_of(d->d_name) != pid)
			continue;
		snprintf(at, sizeof at, PAGES_DIR "/%s", d->d_name);
		own = is_its_own(at, pid);
		if (own || !found)
			snprintf(path, size, "%s", at);
		found = true;
	}
	if (dir)
		closedir(dir);
	if (!found && kill(pid, 0) && errno == ESRCH)
		snprintf(why, WHY_MOST, "there is no process %d", pid);
	else if (!found)
		snprintf(why, WHY_MOST, "process %d does not export: start it with BMA_CONF=export",
			 pid);
	return found;
}

static void line(FILE *out, const char *path, int pid)
{
	char why[WHY_MOST], state[64];
	struct table ledger;
	struct page p;

	if (!page_open(&p, path, why)) {
		fprintf(out, "%7d  %s\n", pid, why);
		return;
	}
	ledger = page_table(&p, "ledger");
	fprintf(out, "%7d  ", pid);
	put_clean(out, p.head->program, 16);
	fprintf(out, " %8s %8s  %s\n", bytes_of(table_number(&ledger, 0, "resident")),
		version_of(p.head->version), process_state(&p, state));
	page_close(&p);
}

int process_list(FILE *out)
{
	struct dirent **names;
	int n = scandir(PAGES_DIR, &names, NULL, alphasort), listed = 0;

	for (int i = 0; i < n; i++) {
		char path[sizeof PAGES_DIR + 256];
		int pid = pid_of(names[i]->d_name);

		snprintf(path, sizeof path, PAGES_DIR "/%s", names[i]->d_name);
		free(names[i]);
		if (!pid)
			continue;
		if (!listed++)
			fprintf(out, "%7s  %-16s %8s %8s  %s\n", "PID", "PROGRAM", "RESIDENT",
				"BMA", "STATE");
		line(out, path, pid);
	}
	if (n >= 0)
		free(names);
	return listed;
}

/* One that cannot be read, for it was not finished or is of another version, is told by the pid of its name. */
static bool clean(const char *path, int pid)
{
	char why[WHY_MOST];
	struct page p;
	bool ended;

	if (page_open(&p, path, why)) {
		ended = process_has_ended(&p);
		page_close(&p);
	} else {
		ended = life(pid, 0) == ENDED;
	}
	return ended && !unlink(path);
}

int process_clean(int pid)
{
	DIR *dir = opendir(PAGES_DIR);
	struct dirent *d;
	int n = 0;

	while (dir && (d = readdir(dir))) {
		char path[sizeof PAGES_DIR + 256];
		int of = pid_of(d->d_name);

		snprintf(path, sizeof path, PAGES_DIR "/%s", d->d_name);
		n += of && (!pid || of == pid) && clean(path, of);
	}
	if (dir)
		closedir(dir);
	return n;
}
