/* Makes one call so often that it teaches nothing any more, and then something new: free MODE [FILE]. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OFTEN 6000

static const char *file;

static void warm(void) {
    for (int turn = 0; turn < OFTEN; turn++) syscall(SYS_getppid);
}

static void open_file(void) {
    close(open(file, O_RDONLY | O_CREAT, 0600));
}

/* A new number, a known one with a new argument, a file. */
static int after(void) {
    struct sysinfo about;
    fcntl(0, F_GETFL);
    warm();
    sysinfo(&about);
    fcntl(0, F_GETOWN);
    open_file();
    return socket(AF_UNIX, SOCK_DGRAM, 0) < 0;
}

static void *thread(void *nr) {
    warm();
    syscall((long)nr);
    return 0;
}

/* Threads that are new to each other, and one that comes late. */
static int threads(void) {
    const long calls[] = {SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid};
    pthread_t all[5];
    for (int n = 0; n < 4; n++) pthread_create(&all[n], 0, thread, (void *)calls[n]);
    for (int n = 0; n < 4; n++) pthread_join(all[n], 0);
    pthread_create(&all[4], 0, thread, (void *)SYS_getpgrp);
    return pthread_join(all[4], 0);
}

/* A process that is made while all runs free, and its own children. */
static int child(void) {
    int status;
    warm();
    if (!fork()) {
        if (!fork()) {
            syscall(SYS_getpgrp);
            open_file();
            _exit(0);
        }
        wait(&status);
        syscall(SYS_getuid);
        _exit(0);
    }
    return wait(&status) < 0;
}

static void *forks(void *nothing) {
    for (int turn = 0; turn < 50; turn++) {
        pid_t made = fork();
        if (!made) {
            syscall(SYS_getpgrp);
            syscall(turn == 49 ? SYS_getuid : SYS_getpgrp);
            _exit(0);
        }
        waitpid(made, 0, 0);
    }
    return nothing;
}

/* Processes that are made while a filter might come: it does not. */
static int forking(void) {
    pthread_t other;
    pthread_create(&other, 0, forks, 0);
    warm();
    warm();
    return pthread_join(other, 0);
}

/* Another program, that has the filter and knows nothing. */
static int program(void) {
    warm();
    execl("/proc/self/exe", "free", "inner", file, (char *)0);
    return 1;
}

/* A program that is run again and again, and does something new in the end: a number, an argument, a file. */
static int runs(void) {
    int status;
    char name[4096], *turns[] = {"", "", "", "", "", "", "", "", "", "last"};
    snprintf(name, sizeof name, "%s.program", file);
    if (linkat(AT_FDCWD, "/proc/self/exe", AT_FDCWD, name, AT_SYMLINK_FOLLOW)) return 1;
    for (size_t turn = 0; turn < sizeof turns / sizeof *turns; turn++) {
        if (!fork()) {
            execl(name, "free", "run", file, turns[turn], (char *)0);
            _exit(1);
        }
        if (wait(&status) < 0 || status) return 1;
    }
    return 0;
}

static int last;

static int run(void) {
    for (int turn = 0; turn < 10; turn++) syscall(SYS_getppid);
    fcntl(0, F_GETFL);
    if (last) {
        fcntl(0, F_GETOWN);
        syscall(SYS_getpgrp);
        open_file();
    }
    return 0;
}

static int inner(void) {
    syscall(SYS_getppid);
    syscall(SYS_getpgrp);
    open_file();
    warm();
    return syscall(SYS_getuid) == -1;
}

/* A filter of its own refuses what was never seen before. */
static int own_filter(void) {
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgrp, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {4, instructions};
    warm();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 1;
    warm();
    syscall(SYS_getuid);
    return syscall(SYS_getpgrp) != -1;
}

static volatile int signals;

static void heard(int signal) {
    struct tms times_;
    (void)signal;
    signals++;
    times(&times_);
}

/* Signals come all the time. */
static int timer(void) {
    struct itimerval often = {{0, 500}, {0, 500}}, never = {};
    signal(SIGALRM, heard);
    setitimer(ITIMER_REAL, &often, 0);
    warm();
    warm();
    setitimer(ITIMER_REAL, &never, 0);
    return !signals;
}

/* A process is stopped by another one, and goes on. */
static int stopped(void) {
    int status, gate[2];
    char byte;
    if (pipe(gate)) return 1;
    pid_t other = fork();
    if (!other) {
        warm();
        warm();
        /* Who has ended can not be stopped. */
        _exit(read(gate[0], &byte, 1) == 1 ? 3 : 4);
    }
    for (int turn = 0; turn < 40; turn++) {
        usleep(2000);
        kill(other, SIGSTOP);
        usleep(1000);
        kill(other, SIGCONT);
    }
    if (write(gate[1], "x", 1) != 1) return 1;
    return waitpid(other, &status, 0) != other || WEXITSTATUS(status) != 3;
}

/* Calls of another convention, from the same program. */
static int other_abi(void) {
#ifdef __x86_64__
    for (int turn = 0; turn < OFTEN; turn++) {
        long result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(64L) : "r8", "r9", "r10", "r11", "memory");
    }
#endif
    syscall(SYS_getpgrp);
    return 0;
}

/* A server's life: what is known from its start is done when it serves. */
static int serving(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client;
    char byte;
    strncpy(address.sun_path, file, sizeof address.sun_path - 1);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 1)) return 1;
    warm();
    if (!fork()) {
        client = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)&address, sizeof address)) _exit(1);
        _exit(write(client, "x", 1) != 1);
    }
    /* It has come and gone before it is served, so that nothing of it is a matter of timing. */
    if (wait(0) < 0) return 1;
    client = accept(server, 0, 0);
    if (read(client, &byte, 1) != 1) return 1;
    warm();
    return syscall(SYS_getpgrp) < 0;
}

/* Root writes to a file that keeps its set-id bit. */
static int set_id(void) {
    int plain = open("/dev/null", O_WRONLY), fd;
    for (int turn = 0; turn < OFTEN; turn++)
        if (write(plain, "x", 1) != 1) return 1;
    fd = open(file, O_WRONLY | O_CREAT, 04755);
    return write(fd, "x", 1) != 1;
}

/* Root gives its privileges up. */
static int drops(void) {
    warm();
    if (setgid(65534) || setuid(65534)) return 1;
    warm();
    return syscall(SYS_getpgrp) < 0;
}

/* Tells who it is in the file when it has taught everything, and stays. */
static void stays(int ready) {
    FILE *told;
    warm();
    told = fopen(file, "w");
    if (!told || fprintf(told, "%d\n", getpid()) < 0 || fclose(told)) _exit(1);
    if (write(ready, "x", 1) != 1) _exit(1);
    close(ready);
    sleep(60);
    _exit(0);
}

/* Leaves a child behind: its own, or one that nobody waits for. */
static int leaves(int daemon) {
    int ready[2];
    char byte;
    if (pipe(ready)) return 1;
    if (!fork()) {
        pid_t parent = getpid();
        if (daemon && fork()) _exit(0);
        while (daemon && getppid() == parent) usleep(1000);
        stays(ready[1]);
    }
    return read(ready[0], &byte, 1) != 1;
}

static int left(void) { return leaves(0); }
static int daemon_left(void) { return leaves(1); }

int main(int count, char **arguments) {
    const struct {
        const char *name;
        int (*run)(void);
    } modes[] = {{"after", after},     {"threads", threads}, {"child", child},     {"forking", forking},
                 {"program", program}, {"inner", inner},     {"filter", own_filter}, {"timer", timer},
                 {"stopped", stopped}, {"abi", other_abi},   {"serving", serving}, {"set-id", set_id},
                 {"drops", drops},     {"left", left},       {"daemon", daemon_left}, {"runs", runs},
                 {"run", run}};
    if (count < 3) return 2;
    file = arguments[2];
    last = count > 3 && *arguments[3];
    for (size_t n = 0; n < sizeof modes / sizeof *modes; n++)
        if (!strcmp(modes[n].name, arguments[1])) return modes[n].run();
    return 2;
}
