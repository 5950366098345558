/* What the programs share. Each is a function; the table that it stands in says what it needs. */
#ifndef CAPABILITIES_H
#define CAPABILITIES_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Another user, and a third, as which files and a process of others are made beforehand. */
#define OTHER 1000
#define THIRD 1001
/* The segment of the other user's (shmget(2)). */
#define OTHERS_SEGMENT 0x1ea20001
/* Where a program finds the process id of another user's process. */
#define OTHERS_PROCESS "OTHERS_PROCESS"

struct example {
    const char *name;
    /* The capability without which it fails, or 0 for none. */
    const char *needs;
    /* Returns when it has done what it does, by `step`. */
    void (*does)(void);
};

extern const struct example needing[], needless[];

/* The step holds, or the program ends: with 9 when it was not permitted. */
static inline void step_(int held, const char *what) {
    if (held)
        return;
    int refused = errno == EPERM || errno == EACCES;
    perror(what);
    exit(refused ? 9 : 1);
}
#define STEP(what) step_((what), #what)

static inline int others_process(void) {
    const char *number = getenv(OTHERS_PROCESS);
    return number ? atoi(number) : -1;
}

#endif
