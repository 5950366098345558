/* A loop of one system call, for benches/overhead: loops WHICH SECONDS FILE. Prints nanoseconds a turn, of the slower threads where there
 * are several. The clock is read without a system call. What comes before the first tenth of the time does not count: a recorder may
 * learn meanwhile. FILE is a directory for `new`, which makes FILES files in it, however long that takes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef FILES
#define FILES 20000
#endif

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

static int new_file(void) {
    static long made;
    char name[4096];
    snprintf(name, sizeof name, "%s/%ld", file, made++);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
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

struct loop {
    const char *name;
    int (*turn)(void);
    int batch; /* turns between two looks at the clock */
    long turns; /* so many, however long that takes; 0: as many as the time allows */
    int threads;
};

static const struct loop loops[] = {
    {"getppid", parent, 64, 0, 1}, {"threads", parent, 64, 0, 8}, {"open", open_close, 16, 0, 1},
    {"stat", status, 16, 0, 1},    {"exec", run, 1, 0, 1},        {"new", new_file, 100, FILES, 1},
};

static const struct loop *chosen;
static double seconds, slowest;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *nothing) {
    double begin = now(), start = begin, time = begin, end = begin + seconds * 1e9;
    long turns = 0, all = 0;
    while (chosen->turns ? all < chosen->turns : time < end) {
        for (int turn = 0; turn < chosen->batch; turn++)
            if (!chosen->turn()) exit(1);
        time = now();
        turns += chosen->batch;
        all += chosen->batch;
        if (!chosen->turns && start == begin && time > begin + seconds * 1e8) {
            start = time;
            turns = 0;
        }
    }
    pthread_mutex_lock(&lock);
    if ((time - start) / (double)turns > slowest) slowest = (time - start) / (double)turns;
    pthread_mutex_unlock(&lock);
    return nothing;
}

int main(int count, char **arguments) {
    if (count != 4) return 2;
    seconds = atof(arguments[2]);
    file = arguments[3];
    for (size_t n = 0; n < sizeof loops / sizeof *loops; n++) {
        pthread_t threads[8];
        if (strcmp(loops[n].name, arguments[1]) != 0) continue;
        chosen = &loops[n];
        for (int t = 1; t < chosen->threads; t++)
            if (pthread_create(&threads[t], NULL, work, NULL)) return 1;
        work(NULL);
        for (int t = 1; t < chosen->threads; t++) pthread_join(threads[t], NULL);
        printf("%.0f\n", slowest);
        return 0;
    }
    return 2;
}
