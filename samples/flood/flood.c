/* Floods a recorder with events that are all new, and says how many there were.
 *
 *   flood files DIR PROCESSES EACH   each process opens EACH files of DIR, no two the same: DIR/<process>/<number>
 *   flood make DIR PROCESSES EACH    makes them first
 *   flood execs COUNT                executes itself COUNT times, one after the other
 *   flood threads COUNT              COUNT threads, each with a call that nobody else makes
 *   flood busy SECONDS               calls as fast as it can, for the time
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(int held, const char *what) {
    if (!held) {
        perror(what);
        exit(1);
    }
}

static void each_file(const char *dir, int process, int count, int flags) {
    char name[4096];

    snprintf(name, sizeof name, "%s/%d", dir, process);
    if (flags & O_CREAT)
        check(mkdir(name, 0755) == 0, name);
    for (int n = 0; n < count; n++) {
        snprintf(name, sizeof name, "%s/%d/%d", dir, process, n);
        int fd = open(name, flags, 0644);
        check(fd >= 0, name);
        close(fd);
    }
}

static int files(const char *dir, int processes, int count, int flags) {
    int status, failed = 0;

    for (int process = 0; process < processes; process++) {
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) {
            each_file(dir, process, count, flags);
            _exit(0);
        }
    }
    while (wait(&status) > 0)
        failed |= status;
    return failed != 0;
}

static void *thread(void *unused) {
    syscall(SYS_getpriority, 0, 0);
    return unused;
}

static int threads(int count) {
    enum { AT_ONCE = 50 };
    pthread_t all[AT_ONCE];

    for (int made = 0; made < count; made += AT_ONCE) {
        for (int n = 0; n < AT_ONCE; n++)
            check(pthread_create(&all[n], NULL, thread, NULL) == 0, "pthread_create");
        for (int n = 0; n < AT_ONCE; n++)
            pthread_join(all[n], NULL);
    }
    return 0;
}

static int busy(int seconds) {
    time_t end = time(NULL) + seconds;

    while (time(NULL) < end)
        for (int n = 0; n < 10000; n++)
            syscall(SYS_getppid);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";

    if (argc == 5 && strcmp(what, "files") == 0)
        return files(argv[2], atoi(argv[3]), atoi(argv[4]), O_RDONLY);
    if (argc == 5 && strcmp(what, "make") == 0)
        return files(argv[2], atoi(argv[3]), atoi(argv[4]), O_WRONLY | O_CREAT);
    if (argc == 3 && strcmp(what, "execs") == 0) {
        char left[16];
        int count = atoi(argv[2]);
        if (count <= 0)
            return 0;
        snprintf(left, sizeof left, "%d", count - 1);
        execl("/proc/self/exe", argv[0], "execs", left, NULL);
        perror("execl");
        return 1;
    }
    if (argc == 3 && strcmp(what, "threads") == 0)
        return threads(atoi(argv[2]));
    if (argc == 3 && strcmp(what, "busy") == 0)
        return busy(atoi(argv[2]));
    fprintf(stderr, "flood files|make DIR PROCESSES EACH, execs COUNT, threads COUNT, busy SECONDS\n");
    return 2;
}
