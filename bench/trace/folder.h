/* SPDX-License-Identifier: MIT */
/*
 * Where the traces are that a benchmark replays: files NAME.trace in the folder that BENCH_TRACES names,
 * by default `traces` beside the program.
 */
#ifndef TRACE_FOLDER_H
#define TRACE_FOLDER_H

#include "trace.h"

/** TRACE_NAMES_MAX - The most traces that are looked at. */
#define TRACE_NAMES_MAX 64

/** trace_names - Their names, sorted; @names has room for %TRACE_NAMES_MAX. Returns: how many there are. */
size_t trace_names(char **names);

/** trace_load - Read the trace @name. One that cannot be read ends the process with status 2. */
void trace_load(struct trace *trace, const char *name);

#endif /* TRACE_FOLDER_H */
