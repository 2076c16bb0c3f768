/* SPDX-License-Identifier: MIT */
/* Another machine than x86-64: breakpoints and the trap flag are written for that one. */
#include "inject.h"

#include <stdio.h>

int main(void)
{
	printf("skipped: not on this machine\n");
	return INJECT_SKIP;
}
