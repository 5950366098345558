/* What the tests enforce profiles on. `actor train FILE OTHER` does a bit of everything, and a profile is learned from that;
 * every other word does one thing, most of them one that training never did.
 *
 * Exit: 0 it worked, 9 it was refused as expected, 1 something else happened. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int refused(long result, int with) {
    if (result >= 0) return 0;
    return errno == with ? 9 : 1;
}

static int new_call(void) {
    return refused(socket(AF_INET, SOCK_STREAM, 0), EPERM);
}

static void *in_thread(void *answer) {
    int *call = answer;
    *call = *call ? new_call() : 0;
    return NULL;
}

static int thread(int call) {
    pthread_t id;
    int answer = call;
    if (pthread_create(&id, NULL, in_thread, &answer) || pthread_join(id, NULL)) return 1;
    return answer;
}

static int end_of(pid_t child) {
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const char *program, const char *word, int with) {
    pid_t child = fork();
    if (child == 0) {
        char *words[] = {(char *)program, (char *)word, NULL};
        execve(program, words, environ);
        _exit(refused(-1, with));
    }
    return end_of(child);
}

static void pause_ms(long ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {}
}

static int copy_status(const char *to) {
    char text[8192];
    int in = open("/proc/self/status", O_RDONLY), out = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    ssize_t length = read(in, text, sizeof text);
    return write(out, text, length) == length && !close(in) && !close(out) ? 0 : 1;
}

static void nothing(int signal) { (void)signal; }

/* Signals that come all the time. */
static void storm(long us) {
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, us}, {0, us}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static char *shared_page(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}

static struct {
    char *page;
    size_t at;
    char ends[2];
    int stop;
} swapped;

static void *swap(void *unused) {
    for (int turn = 0; !__atomic_load_n(&swapped.stop, __ATOMIC_RELAXED); turn ^= 1)
        __atomic_store_n(swapped.page + swapped.at, swapped.ends[turn], __ATOMIC_RELAXED);
    return unused;
}

/* Executes a name of which another thread changes the last letter all the time: between PATH1 and PATH2. Nothing but
 * PATH1 may ever run. */
static int race(const char *path, char other) {
    pthread_t id;
    int ran = 0, refused = 0;
    swapped.page = shared_page();
    if (!swapped.page) return 1;
    strcpy(swapped.page, path);
    swapped.at = strlen(path) - 1;
    swapped.ends[0] = path[swapped.at], swapped.ends[1] = other;
    if (pthread_create(&id, NULL, swap, NULL)) return 1;
    for (int i = 0; i < 400; i++) {
        int end = run(swapped.page, "which", EACCES);
        if (end == 100 + (unsigned char)path[swapped.at] % 10) ran++;
        else if (end == 9) refused++;
        else {
            ran = 0;
            break;
        }
    }
    swapped.stop = 1;
    return !pthread_join(id, NULL) && ran && refused ? 9 : 1;
}

/* Tells by the last letter of its name. */
static int which(void) {
    const char *name = (const char *)getauxval(AT_EXECFN);
    return 100 + (unsigned char)name[strlen(name) - 1] % 10;
}

static int train(const char *file, const char *other) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 1;
    close(pair[0]), close(pair[1]);
    if (!shared_page() || thread(0) || copy_status(file) || chown(file, getuid(), getgid())) return 1;
    if (run(other, "nothing", EACCES) || run("/no/such/program", "nothing", ENOENT) != 9) return 1;
    pid_t child = fork();
    if (child == 0) {
        pause_ms(10000);
        _exit(1);
    }
    kill(child, SIGKILL);
    if (end_of(child) != 128 + SIGKILL) return 1;
    storm(1000);
    pause_ms(20);
    storm(0);
    return setsid() < 0 && errno != EPERM;
}

static int grandchild(const char *other) {
    pid_t child = fork();
    if (child == 0) _exit(run(other, "call", EACCES));
    return end_of(child);
}

/* A process dies again and again while its calls wait for their answers. */
static int die_asking(void) {
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0)
            for (;;) new_call();
        pause_ms(1 + i % 3);
        kill(child, SIGKILL);
        if (end_of(child) != 128 + SIGKILL) return 1;
    }
    return 0;
}

static int ask_in_a_storm(void) {
    storm(200);
    for (int i = 0; i < 2000; i++)
        if (new_call() != 9) return 1;
    return 9;
}

static int orphan(long ms, const char *done) {
    if (fork()) return 0;
    setsid();
    if (fork()) _exit(0);
    pause_ms(ms);
    int answer = new_call();
    if (done) copy_status(done);
    _exit(answer);
}

/* getpid by i386's number. */
static int foreign(void) {
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    return result < 0;
#else
    return 1;
#endif
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "", *one = argc > 2 ? argv[2] : NULL;
    if (!strcmp(what, "train")) return train(one, argv[3]);
    if (!strcmp(what, "nothing")) return 0;
    if (!strcmp(what, "call")) return new_call();
    if (!strcmp(what, "argument")) {
        int pair[2];
        return refused(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), EPERM);
    }
    if (!strcmp(what, "new-directory")) return refused(mkdirat(AT_FDCWD, one, 0755), EPERM);
    if (!strcmp(what, "fallback")) return refused(syscall(SYS_getcpu, NULL, NULL, NULL), ENOSYS);
    if (!strcmp(what, "thread")) return thread(1);
    if (!strcmp(what, "program")) return run(one, "nothing", EACCES);
    if (!strcmp(what, "become")) {
        char *words[] = {(char *)one, "nothing", NULL};
        syscall(SYS_execveat, open(one, O_RDONLY | O_CLOEXEC), "", words, environ, AT_EMPTY_PATH);
        return refused(-1, EACCES);
    }
    if (!strcmp(what, "race")) return race(one, *argv[3]);
    if (!strcmp(what, "which")) return which();
    if (!strcmp(what, "no-program")) return run("/no/such/program", "nothing", ENOENT);
    if (!strcmp(what, "grandchild")) return grandchild(one);
    if (!strcmp(what, "die-asking")) return die_asking();
    if (!strcmp(what, "storm")) return ask_in_a_storm();
    if (!strcmp(what, "orphan")) return orphan(atol(one), argv[3]);
    if (!strcmp(what, "status")) return copy_status(one);
    if (!strcmp(what, "give-away")) return refused(chown(one, 1, 1), EPERM);
    if (!strcmp(what, "exit")) return atoi(one);
    if (!strcmp(what, "signal")) return kill(getpid(), atoi(one));
    if (!strcmp(what, "foreign")) return foreign();
    return 1;
}
