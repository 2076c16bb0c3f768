/* SPDX-License-Identifier: MIT */
#include "floor_tls.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

_Thread_local struct floor_tls floor_tls[FLOOR_POOLS];

/* What ended threads left, linked through the objects. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void **left[FLOOR_POOLS];

void *floor_tls_refill(struct floor_pool *pool)
{
	void **p;

	pthread_mutex_lock(&lock);
	p = left[pool->number];
	if (p)
		left[pool->number] = *p;
	pthread_mutex_unlock(&lock);
	return p ? (void *)p : floor_carve(pool);
}

void floor_tls_leave(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < FLOOR_POOLS; i++) {
		struct floor_tls *m = &floor_tls[i];

		while (m->count) {
			void **p = m->objects[--m->count];

			*p = left[i];
			left[i] = p;
		}
	}
	pthread_mutex_unlock(&lock);
}
