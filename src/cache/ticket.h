/* SPDX-License-Identifier: MIT */
/*
 * Tickets: who has a magazine in hand.
 *
 * A call opens a ticket before it takes a magazine out of reach and closes it when every magazine
 * is reachable again. bma__ticket_wait() returns when every ticket that was open when it was called
 * has been closed, however many were opened since.
 *
 * One pair of counters {opened, closed} does not give that: a ticket opened later and closed early
 * makes the sums meet while an old one is still open. So there are two phases, as in SRCU
 * (McKenney, "Sleepable RCU"): a ticket counts in the phase it read; the waiter waits until the
 * other phase has no ticket, switches the phase, and waits until the phase that was current has
 * none.
 *
 * Counters are per slot, so the hot case writes no shared line. A ticket remembers its slot and
 * closes there, wherever its thread runs by then.
 *
 * Ordering: opening is a sequentially consistent add before the first access to a magazine; closing
 * is a release add after the last. The waiter reads all closed, fences, then reads all opened: if
 * they are equal then every ticket counted as opened in that phase had closed before. A ticket that
 * read the old phase but had not yet counted when the waiter looked has taken nothing yet; it is
 * waited for by the next waiter's first wait.
 */
#ifndef BMA_CACHE_TICKET_H
#define BMA_CACHE_TICKET_H

#include <stdbool.h>
#include <stdint.h>

struct bma__engine;
struct bma__slot;

struct bma__ticket {
	struct bma__slot *slot;
	uint32_t phase;
	uint32_t generation;
};

/* Open and close. Any context. */
struct bma__ticket bma__ticket_open(struct bma__engine *e);
void bma__ticket_close(const struct bma__ticket *ticket);

/*
 * Wait for all tickets that are open now, at most @ns nanoseconds (UINT64_MAX: for ever). May
 * sleep, under the drain lock. Returns whether all have been closed.
 */
bool bma__ticket_wait(struct bma__engine *e, uint64_t ns);

/*
 * In a child of fork: the tickets of threads that are not there would be open for ever. All are forgotten,
 * and those of the forking thread itself, should it have interrupted a call, close as no-ops because they
 * are of an older generation. The generation stands in the low bits of each counter, so that one instruction
 * both counts and tells: a fork in a signal handler falls before it or after it. A counter that nobody has counted in is of generation 0, in
 * any process; so no child is of that, or what it forgets could be of its own. The same generation comes again after 15 forks: whoever goes
 * on in a call in which handlers forked so often, each in the last one's child, is not told.
 */
void bma__ticket_new_generation(void);
uint32_t bma__ticket_generation(void);
void bma__ticket_forget(struct bma__slot *slot);

#endif /* BMA_CACHE_TICKET_H */
