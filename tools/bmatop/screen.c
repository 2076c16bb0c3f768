/* SPDX-License-Identifier: MIT */
/* Keys and lines by ncurses, see screen.h. */
#include "screen.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD 5 /* lines that stay when the rest moves */

struct state {
	enum view view;
	char sort;
	int first; /* line below the head */
	bool quit;
};

static void put_lines(char *text, struct state *s)
{
	int row = 0, n = 0, at = 0;
	char *line, *next;

	for (char *c = text; *c; c++)
		n += *c == '\n';
	if (s->first > n - HEAD - 2)
		s->first = n - HEAD - 2;
	if (s->first < 0)
		s->first = 0;
	erase();
	for (line = text; *line && row < LINES; line = next, at++) {
		next = strchr(line, '\n');
		*next++ = 0;
		/* The line of titles stays, too. */
		if (at > HEAD && at <= HEAD + s->first)
			continue;
		if (at == HEAD)
			attron(A_REVERSE);
		mvaddnstr(row++, 0, line, COLS);
		attroff(A_REVERSE);
	}
	refresh();
}

static void draw(const struct page *p, struct state *s, const char *note)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return;
	view_head(out, p, s->view, s->sort, note);
	view_put(out, p, s->view, s->sort);
	if (!fclose(out))
		put_lines(text, s);
	free(text);
}

static void show(struct state *s, enum view view)
{
	s->view = view;
	s->first = 0;
}

static void press(struct state *s, int key)
{
	static const char views[] = "CPNGL";
	const char *at = key > 0 && key < 0x80 ? strchr(views, key) : NULL;

	if (at)
		show(s, (enum view)(at - views));
	else if (key == '\t')
		show(s, (enum view)((s->view + 1) % VIEWS));
	else if (key == 'q' || key == 'Q')
		s->quit = true;
	else if (key == KEY_DOWN)
		s->first++;
	else if (key == KEY_UP)
		s->first--;
	else if (key == KEY_NPAGE)
		s->first += LINES / 2;
	else if (key == KEY_PPAGE)
		s->first -= LINES / 2;
	else if (s->view == VIEW_CACHES && key > 0 && key < 0x80 && strchr(SORT_LETTERS, key))
		s->sort = (char)key;
}

bool screen_run(struct page *p, enum view view, char sort, int delay, char why[WHY_MOST])
{
	struct state s = {.view = view, .sort = sort};
	char note[WHY_MOST];
	SCREEN *screen = isatty(STDOUT_FILENO) ? newterm(NULL, stdout, stdin) : NULL;

	if (!screen) {
		snprintf(why, WHY_MOST, "no terminal that can show a screen; try --once");
		return false;
	}
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	timeout(delay);
	while (!s.quit) {
		bool fresh = page_read(p, note);

		draw(p, &s, fresh ? NULL : note);
		press(&s, getch());
	}
	endwin();
	delscreen(screen);
	return true;
}
