/* SPDX-License-Identifier: MIT */
/*
 * The first process of an emulated machine, linked statically. Runs the command that machine.sh left in
 * /vm, tells the console how it ended, and ends the machine.
 *
 * Arguments, from behind "--" on the kernel's command line: nosys, /sys is not mounted; cgroup,
 * version 2 of control groups is mounted on /sys/fs/cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <sys/io.h>
#endif

#define DEBUG_EXIT_PORT 0xf4
#define TEXT_MAX 65536
#define WORDS_MAX 128
#define EXIT_NO_COMMAND 127

/* A file of words that each end with a 0 byte. */
struct list {
	char text[TEXT_MAX];
	char *word[WORDS_MAX + 1];
	int n;
};

static struct list command, environment;

static void list_read(struct list *list, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while (have < sizeof list->text - 1 &&
	       (n = read(fd, list->text + have, sizeof list->text - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	for (size_t at = 0; at < have && list->n < WORDS_MAX; at += strlen(list->text + at) + 1)
		list->word[list->n++] = list->text + at;
}

static void mount_on(const char *path, const char *type)
{
	mkdir(path, 0755);
	if (mount(type, path, type, 0, NULL))
		printf("vm: %s: %s\n", path, strerror(errno));
}

static int has_word(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], word))
			return 1;
	}
	return 0;
}

static void mount_all(int argc, char **argv)
{
	mount_on("/proc", "proc");
	mount_on("/dev", "devtmpfs");
	mount_on("/dev/shm", "tmpfs");
	mount_on("/tmp", "tmpfs");
	if (has_word(argc, argv, "nosys"))
		return;
	mount_on("/sys", "sysfs");
	if (has_word(argc, argv, "cgroup"))
		mount_on("/sys/fs/cgroup", "cgroup2");
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	for (int to = 0; fd >= 0 && to <= 2; to++)
		dup2(fd, to);
	if (fd > 2)
		close(fd);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static double uptime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static _Noreturn void run_command(void)
{
	static const struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};

	setsid();
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_MEMLOCK, &all);
	if (!chdir("/tmp"))
		execve(command.word[0], command.word, environment.word);
	fprintf(stderr, "vm: %s: %s\n", command.word[0] ? command.word[0] : "no command",
		strerror(errno));
	_exit(EXIT_NO_COMMAND);
}

/* Orphans end here, too. */
static int wait_for(pid_t pid)
{
	int status = 0;
	pid_t ended;

	do {
		ended = wait(&status);
	} while (ended != pid && (ended > 0 || errno == EINTR));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* At once if the machine has the device for it. */
static _Noreturn void end_machine(void)
{
	tcdrain(STDOUT_FILENO);
#ifdef __x86_64__
	if (!ioperm(DEBUG_EXIT_PORT, 1, 1))
		outb(0, DEBUG_EXIT_PORT);
#endif
	reboot(RB_AUTOBOOT);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	pid_t pid;

	mount_all(argc, argv);
	open_console();
	list_read(&command, "/vm/command");
	list_read(&environment, "/vm/environment");
	printf("vm: up %.2f\n", uptime());
	pid = fork();
	if (!pid)
		run_command();
	printf("vm: exit %d\n", pid < 0 ? EXIT_NO_COMMAND : wait_for(pid));
	end_machine();
}
