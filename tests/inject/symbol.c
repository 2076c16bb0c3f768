/* SPDX-License-Identifier: MIT */
/* Names of the program's own functions, static ones too, out of its symbol table. */
#include "inject.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern const char __executable_start[];

static const char *file;

static void open_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0)
		return;
	if (!fstat(fd, &st)) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		file = p == MAP_FAILED ? NULL : p;
	}
	close(fd);
}

/* The function that @value lies in, of one symbol table. */
static const Elf64_Sym *find(const Elf64_Shdr *table, uintptr_t value)
{
	const Elf64_Sym *sym = (const Elf64_Sym *)(const void *)(file + table->sh_offset);

	for (size_t i = 0; i < table->sh_size / sizeof *sym; i++) {
		if (ELF64_ST_TYPE(sym[i].st_info) == STT_FUNC && value >= sym[i].st_value &&
		    value - sym[i].st_value < sym[i].st_size)
			return &sym[i];
	}
	return NULL;
}

const char *inject_symbol(uintptr_t address)
{
	static char text[128];
	uintptr_t value = address - (uintptr_t)__executable_start;
	const Elf64_Ehdr *head;
	const Elf64_Shdr *section;

	if (!address)
		return "-";
	if (!file)
		open_file();
	snprintf(text, sizeof text, "0x%zx", value);
	if (!file)
		return text;
	head = (const Elf64_Ehdr *)(const void *)file;
	section = (const Elf64_Shdr *)(const void *)(file + head->e_shoff);
	for (int i = 0; i < head->e_shnum; i++) {
		const Elf64_Sym *sym;

		if (section[i].sh_type != SHT_SYMTAB)
			continue;
		sym = find(&section[i], value);
		if (sym)
			snprintf(text, sizeof text, "%s+%zu",
				 file + section[section[i].sh_link].sh_offset + sym->st_name,
				 (size_t)(value - sym->st_value));
	}
	return text;
}
