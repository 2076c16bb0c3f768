/* SPDX-License-Identifier: MIT */
/* The nearest word, see nearest.h: Levenshtein's distance, a row at a time. */
#include "base.h"

#define LONGEST 40u

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

unsigned int bma__nearest_distance(const char *text, size_t n, const char *word, size_t length)
{
	unsigned int row[LONGEST + 1];

	n = n < LONGEST ? n : LONGEST;
	length = length < LONGEST ? length : LONGEST;
	for (unsigned int k = 0; k <= length; k++)
		row[k] = k;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int diagonal = row[0];

		row[0] = i + 1;
		for (unsigned int k = 0; k < length; k++) {
			unsigned int changed = diagonal + (text[i] != word[k]);

			diagonal = row[k + 1];
			row[k + 1] = least(changed, row[k] + 1, diagonal + 1);
		}
	}
	return row[length];
}
