/* SPDX-License-Identifier: MIT */
#include <bma/bma.h>
#include <stdio.h>
int main(void)
{
	struct bma_cache_attr attr = {.attr_size = sizeof attr, .name = "point", .size = 24};
	struct bma_cache *points = bma_cache_create(&attr);
	double *point = points ? bma_cache_alloc(points) : NULL; /* or in a signal handler */
	puts(point ? "an object" : "no object");
	bma_cache_free(points, point);
	return !point || bma_cache_destroy(points);
}
