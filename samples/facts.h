/* What a sample prints of itself: the facts that it must leave in a recording, and those that it must not.
 *
 *   + call ABI NAME       the program made the call, and it is in its domain
 *   - call ABI NAME       the program never makes it, and it is not
 *   + socket FAMILY TYPE  + file ACCESS PATH      and so on; numbers are the kernel's, paths are absolute and resolved
 */
#ifndef FACTS_H
#define FACTS_H

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void must(int held, const char *what) {
    if (!held) {
        perror(what);
        exit(1);
    }
}
/* The step holds, or the sample fails and says which. */
#define MUST(step) must((step), #step)

/* Prints `+ file ACCESS PATH` for a file of the current directory. */
static inline void file_fact(char sign, const char *access, const char *name) {
    char here[PATH_MAX];
    MUST(getcwd(here, sizeof here) != NULL);
    printf("%c file %s %s/%s\n", sign, access, here, name);
}

#endif
