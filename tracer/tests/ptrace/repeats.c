/* What a recorder might disturb by letting calls in a loop run on: repeats MODE FILE. Ends with 0 if nothing was disturbed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void handle(int signal) {
    (void)signal;
    handled++;
    getppid();
}

static void (*handler_of(int signal))(int) {
    struct sigaction now;
    return sigaction(signal, NULL, &now) ? SIG_ERR : now.sa_handler;
}

static void loop(int times) {
    while (times--)
        handler_of(1 + times % 31);
}

static int spawn(void) {
    char *const arguments[] = {"true", NULL}, *const environment[] = {NULL};
    int ended, times;
    for (times = 0; times < 5; times++) {
        pid_t child;
        if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment) || waitpid(child, &ended, 0) != child || ended)
            return 1;
    }
    return 0;
}

/* Calls between the loops, each of which must be seen. */
static int others(const char *file) {
    int fd;
    loop(40);
    getppid();
    loop(40);
    if ((fd = open(file, O_CREAT | O_RDWR, 0600)) < 0)
        return 1;
    loop(40);
    if (write(fd, "x", 1) != 1)
        return 1;
    loop(9);
    return close(fd) || unlink(file);
}

/* A blocked signal stays blocked, and one that is ignored stays ignored. */
static int blocked(void) {
    sigset_t all, now;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    loop(40);
    getppid();
    if (sigprocmask(SIG_BLOCK, NULL, &now) || !sigismember(&now, SIGSYS) || !sigismember(&now, SIGTERM))
        return 1;
    return handler_of(SIGSYS) != SIG_DFL;
}

static int ignored(void) {
    signal(SIGSYS, SIG_IGN);
    loop(40);
    getppid();
    return handler_of(SIGSYS) != SIG_IGN;
}

static int caught(void) {
    signal(SIGSYS, handle);
    loop(40);
    getppid();
    if (handler_of(SIGSYS) != handle || handled)
        return 1;
    raise(SIGSYS);
    return handled != 1;
}

/* Signals come while the loop runs, and their handlers make calls. */
static int interrupted(void) {
    struct itimerval often = {.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 2000}};
    signal(SIGALRM, handle);
    setitimer(ITIMER_REAL, &often, NULL);
    while (handled < 50)
        loop(40);
    return 0;
}

static void *work(void *file) {
    int times;
    for (times = 0; times < 50; times++) {
        loop(40);
        getppid();
        if (access(file, F_OK) == 0)
            return file;
    }
    return NULL;
}

static int threads(char *file) {
    pthread_t all[4];
    void *found;
    int n, wrong = 0;
    for (n = 0; n < 4; n++)
        wrong |= pthread_create(&all[n], NULL, work, file);
    for (n = 0; n < 4; n++)
        wrong |= pthread_join(all[n], &found) || found;
    return wrong;
}

/* It loops before it serves, and not any more then. */
static int serving(const char *file) {
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    loop(40);
    strncpy(here.sun_path, file, sizeof here.sun_path - 1);
    if (bind(server, (struct sockaddr *)&here, sizeof here) || listen(server, 1) || connect(client, (struct sockaddr *)&here, sizeof here))
        return 1;
    return accept(server, NULL, NULL) < 0;
}

/* It outlives the command, and the recorder, in its loop. */
static int left(const char *file) {
    if (fork() == 0) {
        time_t until = time(NULL) + 5;
        setsid();
        while (time(NULL) < until)
            loop(1000);
        close(open(file, O_CREAT | O_WRONLY, 0600));
        _exit(0);
    }
    return 0;
}

int main(int argc, char **argv) {
    const char *mode = argv[1];
    if (argc != 3)
        return 2;
    if (!strcmp(mode, "spawn"))
        return spawn();
    if (!strcmp(mode, "others"))
        return others(argv[2]);
    if (!strcmp(mode, "blocked"))
        return blocked();
    if (!strcmp(mode, "ignored"))
        return ignored();
    if (!strcmp(mode, "caught"))
        return caught();
    if (!strcmp(mode, "interrupted"))
        return interrupted();
    if (!strcmp(mode, "threads"))
        return threads(argv[2]);
    if (!strcmp(mode, "serving"))
        return serving(argv[2]);
    if (!strcmp(mode, "left"))
        return left(argv[2]);
    return 2;
}
