/* What programs do to files, one behaviour at a time. */
#ifndef FILES_H
#define FILES_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct behaviour {
    const char *name;
    void (*does)(void);
};

/* Each ends with one that has no name. */
extern const struct behaviour opens[], odd_names[], entries[], contents[], programs[], processes[], trees[];

/* The directory in which they happen; it is the current one. */
extern const char *directory;

/* Ends the program with 3 when something was refused, and with 1 when it failed otherwise; else returns the result. */
int must(const char *what, long result);

/* Opens, and must succeed. */
int opened(const char *name, int flags);

/* Runs something in a child, which must end with 0, or the program ends as it did. */
void in_child(void (*does)(void));

/* Hands a descriptor through a socket; the other end takes one. */
void hand(int socket, int fd);
int taken(int socket);

#endif
