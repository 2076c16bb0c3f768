/* SPDX-License-Identifier: MIT */
/* --json: one object; each table is a list of objects with all the fields that the page has. */
#include "format.h"
#include "process.h"
#include "view.h"

size_t utf8_character(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;

	if (*s > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than need be, a surrogate, or above the last one. */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static void put_string(FILE *out, const char *s)
{
	fputc('"', out);
	while (*s) {
		size_t length = utf8_character(s);

		if (!length)
			fputs("\\ufffd", out);
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			fprintf(out, "\\u%04x", (unsigned int)*s);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else
			fwrite(s, 1, length, out);
		s += length ? length : 1;
	}
	fputc('"', out);
}

static void put_row(FILE *out, const struct table *t, uint32_t row)
{
	for (uint32_t i = 0; i < t->is->fields; i++) {
		const struct bma__page_field *f = &t->fields[i];

		fputs(i ? "," : "", out);
		put_string(out, f->name);
		fputc(':', out);
		if (field_is_text(f))
			put_string(out, field_text(t, row, f));
		else if (field_number(t, row, f) == UINT64_MAX)
			fputs("\"max\"", out);
		else
			fprintf(out, "%llu", (unsigned long long)field_number(t, row, f));
	}
}

void format_json(FILE *out, const struct page *p)
{
	const struct bma__page_table *tables = (const void *)(p->copy + p->head->tables_offset);
	char state[64];

	fprintf(out, "{\"pid\":%u,\"program\":", p->head->pid);
	put_string(out, p->head->program);
	fprintf(out, ",\"version\":\"%s\",\"layout\":%u,\"state\":", version_of(p->head->version),
		p->head->layout);
	put_string(out, process_state(p, state));
	fprintf(out, ",\"age_ms\":%llu,\"updates\":%llu",
		(unsigned long long)(page_age(p) / 1000000), (unsigned long long)p->head->updates);
	for (uint32_t i = 0; i < p->head->tables; i++) {
		struct table t = page_table(p, tables[i].name);

		fputs(",\n", out);
		put_string(out, tables[i].name);
		fprintf(out, ":{\"more\":%llu,\"rows\":[", (unsigned long long)t.is->more);
		for (uint32_t row = 0; row < t.rows; row++) {
			fputs(row ? ",\n{" : "\n{", out);
			put_row(out, &t, row);
			fputc('}', out);
		}
		fputs("]}", out);
	}
	fputs("}\n", out);
}
