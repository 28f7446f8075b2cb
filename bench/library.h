/* library.h -- what the file of a shared library says about how it was built.
 *
 * Role      Debian builds its peers with assert() left in, which costs them speed; a comparison that does not say so is not honest. A library with
 *           assertions imports __assert_fail.
 * Failure   What cannot be read is told as unknown.
 */
#ifndef KVS_BENCH_LIBRARY_H
#define KVS_BENCH_LIBRARY_H

#include <stddef.h>

enum { LIBRARY_PATH_BYTES = 4096 };

enum library_import { LIBRARY_IMPORTS, LIBRARY_IMPORTS_NOT, LIBRARY_IMPORTS_UNKNOWN };

/* The file that holds the code at symbol, links resolved. path: out, LIBRARY_PATH_BYTES; empty if unknown. */
void library_path(char *path, const void *symbol);

/* Whether the dynamic symbol table of a 64-bit ELF file has an undefined symbol of this name. */
enum library_import library_imports(const char *path, const char *name);

#endif
