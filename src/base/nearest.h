/* SPDX-License-Identifier: MIT */
/* Which known word is most like one that is not: for messages about a slip of the finger. */
#ifndef BMA_BASE_NEAREST_H
#define BMA_BASE_NEAREST_H

#include <stddef.h>

/* Letters that have to be put in, left out or changed to make the @n bytes of @text the @length of @word; of long ones the beginnings. */
unsigned int bma__nearest_distance(const char *text, size_t n, const char *word, size_t length);

#endif /* BMA_BASE_NEAREST_H */
