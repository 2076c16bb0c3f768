/* SPDX-License-Identifier: MIT */
/* The heap profile as text. */
#include "profile.h"

static FILE *written(unsigned int flags)
{
	int fd = memfd_create("profile", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bma_profile_write(fd, flags), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return fdopen(fd, "r");
}

Test(profile_text, text_for_pprof)
{
	unsigned long long n, bytes, n2, bytes2, sum_n = 0, sum_bytes = 0, pc;
	struct bma_cache *c;
	char line[8192], kind[32];
	FILE *f;
	int lines = 0;

	start(1);
	c = cache_with("text", 64, 0, NULL);
	for (int i = 0; i < 20; i++)
		bma_cache_alloc_flags(c, BMA_SLEEP);
	f = written(0);
	cr_assert_not_null(fgets(line, sizeof line, f));
	cr_assert_eq(sscanf(line, "heap profile: %llu: %llu [%llu: %llu] @ %31s", &n, &bytes, &n2,
			    &bytes2, kind),
		     5);
	cr_assert_str_eq(kind, "heapprofile");
	cr_assert(n == n2 && bytes == bytes2);
	while (fgets(line, sizeof line, f) && *line != '\n') {
		unsigned long long a, b, a2, b2;

		cr_assert_eq(
			sscanf(line, "%llu: %llu [%llu: %llu] @ 0x%llx", &a, &b, &a2, &b2, &pc), 5,
			"%s", line);
		cr_assert(a == 1 && a2 == 1 && b == b2 && b >= 64 && b < 66);
		sum_n += a;
		sum_bytes += b;
		lines++;
	}
	cr_assert(n == sum_n && bytes == sum_bytes && lines == 20);
	cr_assert_not_null(fgets(line, sizeof line, f));
	cr_assert_str_eq(line, "MAPPED_LIBRARIES:\n");
	cr_assert_not_null(fgets(line, sizeof line, f));
	cr_assert_eq(sscanf(line, "%llx-%llx ", &n, &n2), 2);
	fclose(f);
}

Test(profile_text, folded_text)
{
	struct bma_cache *c;
	char line[8192];
	FILE *f;

	start(1);
	c = cache_with("a b;c", 64, 0, NULL);
	bma_cache_alloc_flags(c, BMA_SLEEP);
	f = written(BMA_PROFILE_FOLDED);
	cr_assert_not_null(fgets(line, sizeof line, f));
	cr_assert_eq(strncmp(line, "a_b_c;", 6), 0, "%s", line);
	cr_assert_not_null(strrchr(line, ' '));
	cr_assert_eq(strchr(line, ' '), strrchr(line, ' '), "one blank: %s", line);
	cr_assert_eq(atoi(strrchr(line, ' ')), 64);
	cr_assert_null(strstr(line, ";bma_cache_alloc_flags"), "%s", line);
	cr_assert_null(fgets(line, sizeof line, f));
	fclose(f);
}

Test(profile_text, bad_arguments)
{
	cr_assert_eq(bma_profile_write(1, 1u << 31), -EINVAL);
	errno = 0;
	cr_assert_eq(bma_profile_write(-1, 0), -EBADF);
	cr_assert_eq(errno, 0);
}
