/* A loop of one system call, for benches/overhead: loops WHICH SECONDS [FILE]. Prints nanoseconds a turn.
 * The clock is read without a system call. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *file;

static int parent(void) { return syscall(SYS_getppid) > 0; }

static int open_close(void) {
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && close(fd) == 0;
}

static int status(void) {
    struct stat found;
    return stat(file, &found) == 0;
}

static int run(void) {
    char *const arguments[] = {(char *)file, NULL};
    char *const environment[] = {NULL};
    pid_t child;
    int ended;
    return posix_spawn(&child, file, NULL, NULL, arguments, environment) == 0 && waitpid(child, &ended, 0) == child;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int count, char **arguments) {
    const struct {
        const char *name;
        int (*turn)(void);
        int batch; /* turns between two looks at the clock */
    } loops[] = {{"getppid", parent, 64}, {"open", open_close, 16}, {"stat", status, 16}, {"exec", run, 1}};
    if (count != 4) return 2;
    file = arguments[3];
    for (size_t n = 0; n < sizeof loops / sizeof *loops; n++) {
        if (strcmp(loops[n].name, arguments[1]) != 0) continue;
        double start = now(), end = start + atof(arguments[2]) * 1e9, time = start;
        long turns = 0;
        for (; time < end; time = now(), turns += loops[n].batch)
            for (int turn = 0; turn < loops[n].batch; turn++)
                if (!loops[n].turn()) return 1;
        printf("%.0f\n", (time - start) / (double)turns);
        return 0;
    }
    return 2;
}
