/* SPDX-License-Identifier: MIT */
/*
 * A signal at every instruction of a call.
 *
 * The instructions of one run of a call are listed by the trap flag. A trap aborts a restartable sequence, so
 * meanwhile the thread is not registered and its area is faked. Then the thread is registered again, and for each
 * instruction the call runs free from the same state until it comes to a breakpoint there: the kernel delivers
 * a signal, and the handler calls back into the library.
 */
#ifndef BMA_INJECT_H
#define BMA_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes. */
enum { INJECT_OK, INJECT_BAD, INJECT_BROKEN, INJECT_SKIP = 77 };

/* Most distinct instructions of one run, and programs that handlers choose from. */
#define INJECT_LIST 8192
#define INJECT_PROGRAMS 9

typedef uintptr_t inject_fn(void *a, void *b, size_t n);

/* One call on one path. */
struct inject_case {
	const char *call, *path;
	void (*prepare)(void);	      /* bring about the same state, byte for byte */
	void (*run)(void);	      /* the call, through inject_call() */
	const char *(*check)(void);   /* what is wrong after it; NULL: nothing */
	bool (*wanted)(uintptr_t at); /* is it to be interrupted there? NULL: everywhere */
	void (*program[INJECT_PROGRAMS])(void);
	int programs; /* of a handler */
	bool full;    /* all pairs in the short form, too */
	bool once;    /* no pairs */
	bool quiet;   /* failures are wanted: count, do not tell */
};

/* What was found. */
struct inject_figures {
	size_t instructions, covered; /* covered: the breakpoint was come to, in every program */
	size_t runs, aborts, retries;
	size_t pairs;  /* interrupted in the handler's own call, too */
	size_t again;  /* interrupted once more in the rest of the call */
	size_t missed; /* of these on a list of that very case, and not come to */
	size_t failures;
	const char *first; /* failure, */
	uintptr_t at;	   /* the instruction of its first interruption, */
	uintptr_t second;  /* of its second, or 0 */
	int program;
};

/* Call @fn; where that is asked for each instruction of it is recorded. */
uintptr_t inject_call(inject_fn *fn, void *a, void *b, size_t n);
/* Is a handler running? */
bool inject_in_handler(void);
/* Make the text writable, install the handler. Returns INJECT_OK or INJECT_SKIP, having said why. */
int inject_init(void);

/* List the instructions of a case; returns how many. Checks that run, too. */
size_t inject_list(const struct inject_case *c, uintptr_t *list, const char **wrong);
/* All of one case. @all: every pair. */
void inject_explore(const struct inject_case *c, bool all, struct inject_figures *out);
/* Add the numbers of a case to @total. */
void inject_add(struct inject_figures *total, const struct inject_figures *f);
/* One line of figures, and of the first failure. Returns whether nothing failed and all was covered. */
bool inject_report(const struct inject_case *c, const struct inject_figures *f);

/* Print where the present run is interrupted: for who handles a crash. */
void inject_where(void);

/* "name+offset" of an address of the program, in a static buffer. */
const char *inject_symbol(uintptr_t address);

#endif /* BMA_INJECT_H */
