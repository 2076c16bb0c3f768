/* SPDX-License-Identifier: MIT */
/*
 * What an ELF file says about addresses: names, by .symtab or .dynsym, and where functions begin,
 * by the sorted table of .eh_frame_hdr, which stripped files have too. The file is somebody else's
 * and mapped as it is: every offset is checked before it is followed.
 */
#include "sigprof.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef ElfW(Ehdr) header;
typedef ElfW(Phdr) segment;
typedef ElfW(Shdr) section;
typedef ElfW(Sym) symbol;

/* @n things of @size bytes at @offset, or NULL where the file does not have them (aligned). */
static const void *at(const struct sigprof_image *image, uint64_t offset, uint64_t n, uint64_t size)
{
	if (offset > image->size || (size && n > (image->size - offset) / size) || offset % 4)
		return NULL;
	return image->bytes + offset;
}

static const header *header_of(const struct sigprof_image *image)
{
	const header *h = at(image, 0, 1, sizeof(*h));

	if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64)
		return NULL;
	return h;
}

static const segment *segments_of(const struct sigprof_image *image, size_t *n)
{
	const header *h = header_of(image);

	*n = h && h->e_phentsize == sizeof(segment) ? h->e_phnum : 0;
	return *n ? at(image, h->e_phoff, *n, sizeof(segment)) : NULL;
}

/* The mapping at @start shows the file from @offset on: which segment is that? */
bool sigprof_elf_bias(const struct sigprof_image *image, uintptr_t start, size_t offset,
		      uintptr_t *bias)
{
	size_t n, page = (size_t)sysconf(_SC_PAGESIZE);
	const segment *s = segments_of(image, &n);

	for (size_t i = 0; s && i < n; i++) {
		if (s[i].p_type != PT_LOAD || !(s[i].p_flags & PF_X))
			continue;
		if (offset < (s[i].p_offset & ~(page - 1)) ||
		    offset >= s[i].p_offset + s[i].p_filesz)
			continue;
		*bias = start - offset + s[i].p_offset - s[i].p_vaddr;
		return true;
	}
	return false;
}

/* First of @places that is not below @pc. */
static size_t lower_bound(const struct sigprof_place *places, size_t n, uintptr_t pc)
{
	size_t low = 0;

	while (n) {
		size_t half = n / 2;

		if (places[low + half].pc < pc) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

/* Of several names of one function the one that people use. */
static bool better(const char *name, const char *than)
{
	if (underscores(name) != underscores(than))
		return underscores(name) < underscores(than);
	return strlen(name) < strlen(than);
}

static void names_of(const struct sigprof_image *image, const section *table,
		     const section *strings, uintptr_t bias, struct sigprof_place *places, size_t n)
{
	size_t count = table->sh_size / sizeof(symbol);
	const symbol *s = at(image, table->sh_offset, count, sizeof(symbol));
	const char *text = at(image, strings->sh_offset, strings->sh_size, 1);

	if (!s || !text || !strings->sh_size || text[strings->sh_size - 1])
		return;
	for (size_t i = 0; i < count; i++) {
		uintptr_t begin = s[i].st_value + bias;

		if (ELF64_ST_TYPE(s[i].st_info) != STT_FUNC || s[i].st_shndx == SHN_UNDEF ||
		    s[i].st_name >= strings->sh_size || !text[s[i].st_name])
			continue;
		for (size_t k = lower_bound(places, n, begin);
		     k < n && places[k].pc - begin < s[i].st_size; k++) {
			const char *name = text + s[i].st_name;

			if (places[k].name && !better(name, places[k].name))
				continue;
			places[k].name = name;
			places[k].start = begin;
		}
	}
}

void sigprof_elf_names(const struct sigprof_image *image, uintptr_t bias,
		       struct sigprof_place *places, size_t n)
{
	const header *h = header_of(image);
	const section *s = NULL;

	if (h && h->e_shentsize == sizeof(section))
		s = at(image, h->e_shoff, h->e_shnum, sizeof(section));
	for (size_t i = 0; s && i < h->e_shnum; i++) {
		if ((s[i].sh_type == SHT_SYMTAB || s[i].sh_type == SHT_DYNSYM) &&
		    s[i].sh_entsize == sizeof(symbol) && s[i].sh_link < h->e_shnum)
			names_of(image, &s[i], &s[s[i].sh_link], bias, places, n);
	}
}

/* For places without a name. The table: pairs of 32-bit distances from itself, sorted. */
void sigprof_elf_starts(const struct sigprof_image *image, uintptr_t bias,
			struct sigprof_place *places, size_t n)
{
	size_t count, entries = 0;
	const segment *s = segments_of(image, &count);
	const unsigned char *head = NULL;
	const int32_t *table = NULL;
	uintptr_t base = 0;

	for (size_t i = 0; s && i < count; i++) {
		if (s[i].p_type == PT_GNU_EH_FRAME) {
			head = at(image, s[i].p_offset, 12, 1);
			base = s[i].p_vaddr + bias;
			/* Version 1; a 4-byte pointer; the count; signed distances of 4 bytes. */
			if (!head || head[0] != 1 || (head[1] & 7) != 3 || head[2] != 3 ||
			    head[3] != 0x3b)
				return;
			entries = *(const uint32_t *)(const void *)(head + 8);
			table = at(image, s[i].p_offset + 12, entries, 8);
		}
	}
	for (size_t i = 0; table && i < n; i++) {
		size_t low = 0, left = entries;

		while (left) {
			size_t half = left / 2;

			if (base + (uintptr_t)(intptr_t)table[2 * (low + half)] <= places[i].pc) {
				low += half + 1;
				left -= half + 1;
			} else {
				left = half;
			}
		}
		if (low && !places[i].name)
			places[i].start = base + (uintptr_t)(intptr_t)table[2 * (low - 1)];
	}
}

/* In hexadecimal; false where it has none, or one that @size is too small for. */
bool sigprof_elf_build_id(const struct sigprof_image *image, char *hex, size_t size)
{
	size_t count;
	const segment *s = segments_of(image, &count);

	for (size_t i = 0; s && i < count; i++) {
		const ElfW(Nhdr) * note;
		uint64_t offset = s[i].p_offset, end = offset + s[i].p_filesz;

		if (s[i].p_type != PT_NOTE || !at(image, offset, s[i].p_filesz, 1))
			continue;
		for (; offset < end && (note = at(image, offset, 1, sizeof(*note)));
		     offset += sizeof(*note) + ((note->n_namesz + 3ul) & ~3ul) +
			       ((note->n_descsz + 3ul) & ~3ul)) {
			const unsigned char *id =
				at(image, offset + sizeof(*note) + 4, note->n_descsz, 1);

			if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || !id)
				continue;
			if (note->n_descsz * 2ul >= size)
				return false;
			for (uint32_t k = 0; k < note->n_descsz; k++)
				snprintf(hex + (size_t)2 * k, 3, "%02x", id[k]);
			return note->n_descsz > 0;
		}
	}
	return false;
}
