#include "bench/library.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void library_path(char *path, const void *symbol)
{
    Dl_info info;
    path[0] = '\0';
    if (dladdr(symbol, &info) == 0 || info.dli_fname == NULL)
        return;
    char *resolved = realpath(info.dli_fname, NULL);
    if (resolved == NULL)
        return;
    if (strlen(resolved) < LIBRARY_PATH_BYTES)
        strcpy(path, resolved);
    free(resolved);
}

struct image {
    const uint8_t *bytes;
    size_t size;
};

/* A range of the file, or NULL if it does not lie in it. */
static const void *image_at(const struct image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->size && size <= image->size - offset ? image->bytes + offset : NULL;
}

static const Elf64_Ehdr *image_header(const struct image *image)
{
    const Elf64_Ehdr *header = image_at(image, 0, sizeof *header);
    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64)
        return NULL;
    return header->e_shentsize == sizeof(Elf64_Shdr) ? header : NULL;
}

static enum library_import symbols_import(const struct image *image, const Elf64_Shdr *symbols,
                                          const Elf64_Shdr *strings, const char *name)
{
    const Elf64_Sym *symbol = image_at(image, symbols->sh_offset, symbols->sh_size);
    const char *text = image_at(image, strings->sh_offset, strings->sh_size);
    size_t name_bytes = strlen(name) + 1;
    if (symbol == NULL || text == NULL)
        return LIBRARY_IMPORTS_UNKNOWN;
    for (uint64_t i = 0; i < symbols->sh_size / sizeof *symbol; i++) {
        bool fits = strings->sh_size >= name_bytes && symbol[i].st_name <= strings->sh_size - name_bytes;
        if (symbol[i].st_shndx == SHN_UNDEF && fits && memcmp(text + symbol[i].st_name, name, name_bytes) == 0)
            return LIBRARY_IMPORTS;
    }
    return LIBRARY_IMPORTS_NOT;
}

static enum library_import image_imports(const struct image *image, const char *name)
{
    const Elf64_Ehdr *header = image_header(image);
    if (header == NULL)
        return LIBRARY_IMPORTS_UNKNOWN;
    const Elf64_Shdr *sections = image_at(image, header->e_shoff, (uint64_t)header->e_shnum * sizeof *sections);
    if (sections == NULL)
        return LIBRARY_IMPORTS_UNKNOWN;
    for (unsigned i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < header->e_shnum)
            return symbols_import(image, &sections[i], &sections[sections[i].sh_link], name);
    }
    return LIBRARY_IMPORTS_UNKNOWN;
}

enum library_import library_imports(const char *path, const char *name)
{
    enum library_import imports = LIBRARY_IMPORTS_UNKNOWN;
    struct stat stat;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return imports;
    if (fstat(file, &stat) == 0 && stat.st_size > 0) {
        struct image image = {NULL, (size_t)stat.st_size};
        void *bytes = mmap(NULL, image.size, PROT_READ, MAP_PRIVATE, file, 0);
        if (bytes != MAP_FAILED) {
            image.bytes = bytes;
            imports = image_imports(&image, name);
            munmap(bytes, image.size);
        }
    }
    close(file);
    return imports;
}
