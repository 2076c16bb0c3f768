/* SPDX-License-Identifier: MIT */
/* The programs around a harness, see fuzz.h. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX ((size_t)1 << 20)
#define PATH_BYTES 4096

uint64_t fuzz_operations;
static uint64_t inputs;
static uint8_t buffer[INPUT_MAX];

static void report(void)
{
	fprintf(stdout, "%llu files, %llu operations\n", (unsigned long long)inputs,
		(unsigned long long)fuzz_operations);
	fflush(stdout);
}

void fuzz_run(const uint8_t *data, size_t size, void (*body)(struct fuzz_input *in))
{
	/* A copy of its exact size: what reads past its end is seen by a sanitizer. */
	uint8_t *copy = malloc(size ? size : 1);
	struct fuzz_input in;

	FUZZ_CHECK(copy, "no memory");
	if (size)
		memcpy(copy, data, size);
	in.at = copy;
	in.end = copy + size;
	body(&in);
	free(copy);
	inputs++;
}

void fuzz_libfuzzer(const uint8_t *data, size_t size, void (*body)(struct fuzz_input *in))
{
	if (!inputs)
		atexit(report);
	fuzz_run(data, size, body);
}

static int run_file(FILE *file, const char *path, void (*body)(struct fuzz_input *in))
{
	size_t size = fread(buffer, 1, sizeof buffer, file);

	if (ferror(file)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	fuzz_run(buffer, size, body);
	return 0;
}

int fuzz_stdin(void (*body)(struct fuzz_input *in))
{
	return run_file(stdin, "standard input", body);
}

static int replay(const char *path, void (*body)(struct fuzz_input *in));

static int replay_all(const char *path, void (*body)(struct fuzz_input *in))
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), bad = 0;

	if (n < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_BYTES];
		int length = snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);

		if (names[i]->d_name[0] != '.' && length > 0 && (size_t)length < sizeof file)
			bad |= replay(file, body);
		free(names[i]);
	}
	free(names);
	return bad;
}

static int replay(const char *path, void (*body)(struct fuzz_input *in))
{
	struct stat status;
	FILE *file;
	int bad;

	if (!stat(path, &status) && S_ISDIR(status.st_mode))
		return replay_all(path, body);
	file = fopen(path, "rb");
	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	/* If this one crashes, its name is the last line. */
	if (getenv("BMA_FUZZ_VERBOSE"))
		fprintf(stderr, "%s\n", path);
	bad = run_file(file, path, body);
	fclose(file);
	return bad;
}

int fuzz_replay(int argc, char **argv, void (*body)(struct fuzz_input *in))
{
	int bad = argc < 2;

	if (argc == 5 && !strcmp(argv[1], "--random")) {
		bad = fuzz_random(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0),
				  strtoull(argv[4], NULL, 0), body);
		report();
		return bad;
	}
	if (bad)
		fprintf(stderr, "usage: %s FILE|DIRECTORY... | --random SEED INPUTS LENGTH\n",
			argv[0]);
	for (int i = 1; i < argc; i++)
		bad |= replay(argv[i], body);
	if (argc > 1 && !inputs) {
		fprintf(stderr, "%s: no files\n", argv[0]);
		bad = 1;
	}
	report();
	return bad;
}
