/* Four threads, each with a call of its own, and one that executes a program in the place of all. */
#define _GNU_SOURCE
#include "../facts.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>

static pthread_barrier_t together;

static void *work(void *which) {
    /* All of them are alive at the same time. */
    pthread_barrier_wait(&together);
    int fd = -1;
    switch ((long)which) {
    case 0: fd = eventfd(0, EFD_CLOEXEC); break;
    case 1: fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); break;
    case 2: fd = inotify_init1(IN_CLOEXEC); break;
    case 3: fd = epoll_create1(EPOLL_CLOEXEC); break;
    }
    MUST(fd >= 0);
    MUST(close(fd) == 0);
    return NULL;
}

static void *replace(void *unused) {
    (void)unused;
    execl("/bin/true", "true", (char *)NULL);
    MUST(!"executed /bin/true");
    return NULL;
}

int main(void) {
    puts("+ call x86_64 eventfd2\n+ call x86_64 timerfd_create\n+ call x86_64 inotify_init1\n+ call x86_64 epoll_create1");
    puts("+ call x86_64 execve\n- call x86_64 inotify_add_watch\n- call x86_64 epoll_ctl\n- call x86_64 socket");
    MUST(fflush(stdout) == 0);

    pthread_t threads[4], last;
    MUST(pthread_barrier_init(&together, NULL, 4) == 0);
    for (long n = 0; n < 4; n++) MUST(pthread_create(&threads[n], NULL, work, (void *)n) == 0);
    for (int n = 0; n < 4; n++) MUST(pthread_join(threads[n], NULL) == 0);
    MUST(pthread_create(&last, NULL, replace, NULL) == 0);
    pthread_join(last, NULL);
    return 1;
}
