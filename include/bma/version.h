/* SPDX-License-Identifier: MIT */
/*
 * Version of the headers and of the library that is loaded.
 *
 * While the version is 0.y the SONAME is the minor number: two libraries with equal major and minor
 * number are interchangeable, others are not.
 */
#ifndef BMA_VERSION_H
#define BMA_VERSION_H

#include <bma/config.h>

#define BMA_VERSION_MAJOR 0
#define BMA_VERSION_MINOR 1
#define BMA_VERSION_PATCH 0

/** BMA_VERSION - The version of these headers as one comparable number. */
#define BMA_VERSION (BMA_VERSION_MAJOR * 10000 + BMA_VERSION_MINOR * 100 + BMA_VERSION_PATCH)

BMA_BEGIN_DECLS

/**
 * bma_version - The version of the loaded library.
 *
 * Context: any. Thread-safe, async-signal-safe, usable in a child of fork.
 * Returns: the library's %BMA_VERSION, to be compared with the one compiled in.
 */
BMA_API unsigned int bma_version(void);

BMA_END_DECLS

#endif /* BMA_VERSION_H */
