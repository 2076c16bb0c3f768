/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the profiler know of each other. Two worlds: what the SIGPROF handler calls
 * (unwind, record) and the rest. Nothing here locks or calls malloc, the report included: it may
 * run in an _exit() that a signal handler of the profiled program makes.
 */
#ifndef SIGPROF_H
#define SIGPROF_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* On what takes the place of the C library's or libgcc's function of that name. */
#define SIGPROF_INTERPOSED __attribute__((visibility("default")))

/* Frames kept of a stack, from the innermost; a record is then 1024 bytes. */
#define SIGPROF_DEPTH 124
/* Stands for the frames that were cut off, as the outermost address of a stack. */
#define SIGPROF_DEEPER ((uintptr_t)1)

/*
 * Every expiry of a timer ends in exactly one of @kept and @lost. @merged of them came without a
 * signal of their own: the kernel counts expiries that find the signal pending (si_overrun), and
 * the sample that follows weighs as much.
 */
struct sigprof_counts {
	atomic_uint_fast64_t kept;
	atomic_uint_fast64_t lost; /* a new stack, and the cache had no record for it */
	atomic_uint_fast64_t merged;
	atomic_uint_fast64_t shallow;	/* kept, but with the innermost frame only */
	atomic_uint_fast64_t cut;	/* kept, but deeper than SIGPROF_DEPTH */
	atomic_uint_fast64_t unsampled; /* threads that got no timer */
};

extern struct sigprof_counts sigprof_counts;

/* sigprof.c: whether this process is profiled. */
bool sigprof_active(void);

/* One distinct stack. Immutable once it is in the table, but for @count. */
struct sigprof_record {
	struct sigprof_record *next;
	uint64_t hash;
	atomic_uint_fast64_t count;
	uint64_t depth;
	uintptr_t pcs[SIGPROF_DEPTH];
};

/* record.c: the table of stacks. */
bool sigprof_record_init(void);
bool sigprof_record_add(const uintptr_t *pcs, size_t depth, uint64_t weight);
void sigprof_record_each(void (*visit)(struct sigprof_record *record, void *arg), void *arg);
struct bma_cache *sigprof_record_cache(void);

/* unwind.c: return addresses of the code that a signal interrupted. */
void sigprof_unwind_init(void);
size_t sigprof_unwind(const void *context, uintptr_t *pcs, size_t max);

/* signal.c: who gets SIGPROF. */
bool sigprof_signal_init(void (*handle)(int signal, siginfo_t *info, void *context));
void sigprof_signal_pass_on(int signal, siginfo_t *info, void *context);

/* thread.c: a timer for each thread. */
bool sigprof_thread_init(long rate, bool wall);
bool sigprof_thread_start(void);

/* symbol.c: names for addresses. */
struct sigprof_place {
	uintptr_t pc;	    /* given, ascending */
	uintptr_t start;    /* where its function begins, 0 if nobody knows */
	uintptr_t offset;   /* the same as an address of the file */
	const char *name;   /* NULL: stripped */
	const char *object; /* base name of the file, NULL: code that is in no file */
};
void sigprof_symbol_find(struct sigprof_place *places, size_t n);

/* elf.c: what one file says about a range of places; @bias is address in memory - in file. */
struct sigprof_image {
	const unsigned char *bytes;
	size_t size;
};
bool sigprof_elf_bias(const struct sigprof_image *image, uintptr_t start, size_t offset,
		      uintptr_t *bias);
void sigprof_elf_names(const struct sigprof_image *image, uintptr_t bias,
		       struct sigprof_place *places, size_t n);
void sigprof_elf_starts(const struct sigprof_image *image, uintptr_t bias,
			struct sigprof_place *places, size_t n);
bool sigprof_elf_build_id(const struct sigprof_image *image, char *hex, size_t size);

/* report.c */
struct sigprof_setup {
	const char *path; /* of the output, without its suffixes */
	long rate;
	bool wall;
};
void sigprof_report(const struct sigprof_setup *setup, bool may_sleep);

/* output.c: memory that is never given back, sorting in place, buffered writing. */
void *sigprof_map(size_t bytes);
void sigprof_sort(void *base, size_t n, size_t size,
		  int (*compare)(const void *a, const void *b, const void *arg), const void *arg);
struct sigprof_out {
	int fd;
	size_t used;
	char bytes[4096];
};
bool sigprof_out_open(struct sigprof_out *out, const char *path, const char *suffix);
void sigprof_out_bytes(struct sigprof_out *out, const char *bytes, size_t n);
void sigprof_out_print(struct sigprof_out *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void sigprof_out_close(struct sigprof_out *out);

#endif /* SIGPROF_H */
