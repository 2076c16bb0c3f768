/* SPDX-License-Identifier: MIT */
/*
 * One harness, three programs. A source file says
 *
 *	BMA_FUZZ(ops)
 *	{
 *		while (!fuzz_end(in))
 *			...
 *	}
 *
 * and is compiled with one of these defined:
 *	FUZZ_LIBFUZZER	the entry of clang's libFuzzer
 *	FUZZ_STDIN	NAME < FILE, for other fuzzers and any compiler
 *	FUZZ_REPLAY	NAME FILE|DIRECTORY..., for ctest: every file once
 *			NAME --random SEED INPUTS LENGTH: inputs that are made up, see random.c
 *
 * What is wrong ends in abort(), which every fuzzer takes for a crash.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** struct fuzz_input - The bytes, read from the front. */
struct fuzz_input {
	const uint8_t *at;
	const uint8_t *end;
};

/* Operations that harnesses did so far; drivers print it. */
extern uint64_t fuzz_operations;

void fuzz_libfuzzer(const uint8_t *data, size_t size, void (*body)(struct fuzz_input *in));
int fuzz_stdin(void (*body)(struct fuzz_input *in));
int fuzz_replay(int argc, char **argv, void (*body)(struct fuzz_input *in));
/* One input of @size bytes. */
void fuzz_run(const uint8_t *data, size_t size, void (*body)(struct fuzz_input *in));
/* @inputs inputs of @length bytes; the same ones for the same @seed. Returns 0, or does not. */
int fuzz_random(uint64_t seed, uint64_t inputs, size_t length, void (*body)(struct fuzz_input *in));

#if defined(FUZZ_LIBFUZZER)
#define FUZZ_ENTRY(body)                                                                           \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);                              \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                               \
	{                                                                                          \
		fuzz_libfuzzer(data, size, body);                                                  \
		return 0;                                                                          \
	}
#elif defined(FUZZ_STDIN)
#define FUZZ_ENTRY(body)                                                                           \
	int main(void)                                                                             \
	{                                                                                          \
		return fuzz_stdin(body);                                                           \
	}
#else
#define FUZZ_ENTRY(body)                                                                           \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return fuzz_replay(argc, argv, body);                                              \
	}
#endif

/** BMA_FUZZ - The body of a harness follows. It has "in", and is run once for each input. */
#define BMA_FUZZ(name)                                                                             \
	static void fuzz_body_##name(struct fuzz_input *in);                                       \
	FUZZ_ENTRY(fuzz_body_##name)                                                               \
	static void fuzz_body_##name(struct fuzz_input *in)

/** FUZZ_CHECK - What has to hold. */
#define FUZZ_CHECK(cond, ...)                                                                      \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not true: %s: ", __FILE__, __LINE__, #cond);       \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline bool fuzz_end(const struct fuzz_input *in)
{
	return in->at == in->end;
}

static inline size_t fuzz_left(const struct fuzz_input *in)
{
	return (size_t)(in->end - in->at);
}

/* The next byte; after the last one zeros. */
static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	return fuzz_end(in) ? 0 : *in->at++;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint16_t low = fuzz_u8(in);

	return (uint16_t)(low | fuzz_u8(in) << 8);
}

static inline uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < 64; i += 8)
		n |= (uint64_t)fuzz_u8(in) << i;
	return n;
}

#endif /* FUZZ_H */
