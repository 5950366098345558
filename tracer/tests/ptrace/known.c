/* Uses a file so often that it is known, and then does something that makes another of the same name: known MODE FILE. FILE is made, and
 * lies in a directory of its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OFTEN 3000

static const char *file;

static int try(const char *name, int flags) {
    int fd = open(name, flags | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static void often(const char *name) {
    for (int turn = 0; turn < OFTEN; turn++)
        if (!try(name, O_RDONLY)) exit(10);
}

static void make(const char *name) {
    if (!try(name, O_WRONLY | O_CREAT | O_EXCL)) exit(11);
}

/* Other calls, other flags, other files, and one that comes and goes. */
static int uses(void) {
    struct stat found;
    struct statx more;
    char text[4096];
    for (int turn = 0; turn < OFTEN; turn++) {
        int fd = open(file, O_RDONLY);
        if (fstatat(AT_FDCWD, file, &found, 0) || fstatat(fd, "", &found, AT_EMPTY_PATH) || access(file, R_OK)) return 1;
        if (syscall(SYS_statx, AT_FDCWD, file, 0, STATX_BASIC_STATS, &more)) return 1;
        close(fd);
    }
    int there = try(file, O_WRONLY | O_APPEND) && try(file, O_RDWR) && try("/etc/passwd", O_RDONLY);
    if (!there || access(file, W_OK) || readlink(file, text, sizeof text) >= 0 || try("none", O_RDONLY)) return 1;
    make("none");
    if (!try("none", O_RDONLY) || unlink("none") || try("none", O_RDONLY) || unlink(file) || try(file, O_RDONLY)) return 1;
    make(file);
    return !try(file, O_RDONLY) || chmod(file, 0400) || !try(file, O_RDONLY);
}

/* Looks at a descriptor by an empty name that does not change, and by others; and at a file with the same flag. */
static int looks(void) {
    struct stat found;
    char own[8] = "";
    int fd = open(file, O_RDONLY);
    for (int turn = 0; turn < 2 * OFTEN; turn++)
        if (syscall(SYS_newfstatat, fd, "", &found, AT_EMPTY_PATH)) return 1;
    for (int turn = 0; turn < 2; turn++) {
        if (syscall(SYS_newfstatat, fd, own, &found, AT_EMPTY_PATH)) return 1;
        if (syscall(SYS_newfstatat, AT_FDCWD, turn ? "/etc/group" : "/etc/passwd", &found, AT_EMPTY_PATH)) return 1;
        if (syscall(SYS_newfstatat, fd, "", &found, 0) != -1 || errno != ENOENT) return 1;
        strcpy(own, "/etc");
        if (syscall(SYS_newfstatat, AT_FDCWD, own, &found, AT_EMPTY_PATH)) return 1;
        own[0] = 0;
    }
    return 0;
}

/* The same file has another name behind the same one. */
static int moved(void) {
    if (mkdir("first", 0700)) return 1;
    make("first/it");
    for (int turn = 0; turn < 2; turn++) {
        /* That it is moved is known, when it is for good. */
        if (rename("first", "second") || rename("second", "first")) return 1;
        often("first/it");
    }
    return rename("first", "second") || symlink("second", "first") || !try("first/it", O_RDONLY);
}

/* The same, when the directory's contents are moved one by one. */
static int emptied(void) {
    if (mkdir("first", 0700) || mkdir("second", 0700)) return 1;
    make("first/it");
    often("first/it");
    return rename("first/it", "second/it") || rmdir("first") || symlink("second", "first") || !try("first/it", O_RDONLY);
}

/* A link that leads elsewhere later, also when it changes at once. */
static int led(void) {
    for (const char *of = "abc"; *of; of++) {
        char directory[] = {*of, 0}, name[] = {*of, '/', 'i', 't', 0};
        if (mkdir(directory, 0700)) return 1;
        make(name);
    }
    if (symlink("a", "link")) return 1;
    often("link/it");
    if (unlink("link") || symlink("b", "link") || !try("link/it", O_RDONLY)) return 1;
    return symlink("c", "new") || rename("new", "link") || !try("link/it", O_RDONLY);
}

/* Relative names, from here and from a descriptor. */
static int relative(void) {
    for (int turn = 0; turn < 2; turn++) {
        const char *directory = turn ? "second" : "first";
        if (mkdir(directory, 0700) || chdir(directory)) return 1;
        make("it");
        if (turn ? !try("it", O_RDONLY) : (often("it"), 0)) return 1;
        if (chdir("..")) return 1;
    }
    int fd = open("first", O_RDONLY | O_DIRECTORY);
    for (int turn = 0; turn < OFTEN; turn++) close(openat(fd, "it", O_RDONLY));
    close(fd);
    if (open("second", O_RDONLY | O_DIRECTORY) != fd) return 1;
    make("second/more");
    return openat(fd, "it", O_RDONLY) < 0 || openat(fd, "more", O_RDONLY) < 0;
}

/* Names that mean something else to whoever looks. */
static int own(void) {
    if (dup2(open("/", O_RDONLY), 0)) return 1;
    for (int turn = 0; turn < OFTEN; turn++)
        if (!try("/proc/self/fd/0", O_RDONLY) || !try("/dev/stdin", O_RDONLY) || !try("/proc/self/cwd/file", O_RDONLY) ||
            !try(file, O_RDONLY))
            return 1;
    if (chdir("/etc")) return 1;
    int other = open("passwd", O_RDONLY);
    if (dup2(other, 0) < 0 || !try("/proc/self/fd/0", O_RDONLY) || !try("/dev/stdin", O_WRONLY | O_APPEND)) return 1;
    return !try("/proc/self/cwd/group", O_RDONLY);
}

static void nothing(int signal) { (void)signal; }

static void beats(int microseconds) {
    struct sigaction action = {.sa_handler = nothing};
    struct itimerval often = {{0, microseconds}, {0, microseconds}};
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &often, 0);
}

/* Signals interrupt no call that they would not, and those that they would. */
static int signals(void) {
    if (mkfifo("pipe", 0600)) return 1;
    often(file);
    beats(300);
    for (int turn = 0; turn < 4 * OFTEN; turn++)
        if (!try(file, O_RDONLY)) return 2;
    beats(50000);
    errno = 0;
    return open("pipe", O_RDONLY) >= 0 || errno != EINTR;
}

static void *thread(void *name) {
    often(file);
    make(name);
    often(name);
    return 0;
}

static int threads(void) {
    char names[4][2] = {"a", "b", "c", "d"};
    pthread_t all[4];
    for (int n = 0; n < 4; n++) pthread_create(&all[n], 0, thread, names[n]);
    for (int n = 0; n < 4; n++) pthread_join(all[n], 0);
    return 0;
}

/* Processes that are made later know what this one does not. */
static int children(void) {
    int status;
    often(file);
    for (int turn = 0; turn < 3; turn++) {
        if (!fork()) {
            char name[] = {(char)('a' + turn), 0};
            make(name);
            often(name);
            _exit(!try("/etc/passwd", O_RDONLY));
        }
        if (wait(&status) < 0 || status) return 1;
    }
    return !try("a", O_RDONLY);
}

/* Another program has the filter and knows nothing; and then has one of its own. */
static int program(void) {
    often(file);
    execl("/proc/self/exe", "known", "inner", file, (char *)0);
    return 1;
}

static int inner(void) {
    make("new");
    often("new");
    return !try(file, O_RDONLY) || !try("/etc/passwd", O_RDONLY);
}

/* A file of the beginning is used in another phase too. */
static int serving(void) {
    struct sockaddr_un here = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    often(file);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 1)) return 1;
    if (connect(client, (struct sockaddr *)&here, sizeof here) || accept(listener, 0, 0) < 0) return 1;
    return !try(file, O_RDONLY);
}

/* What it may do by itself, and what only by a capability. */
static int rights(void) {
    if (mkdir("first", 0755) || chmod("first", 0755)) return 1;
    make("first/it");
    if (chown("first/it", 65534, 65534) || chmod("first/it", 0644)) return 1;
    often("first/it");
    return chown("first", 65534, 65534) || chmod("first", 0700) || !try("first/it", O_RDONLY);
}

/* Another user may less. */
static int dropped(void) {
    if (chmod(".", 0755) || chmod(file, 0600)) return 1;
    often(file);
    if (setgid(65534) || setuid(65534)) return 1;
    return try(file, O_RDONLY);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        int (*run)(void);
    } modes[] = {{"uses", uses},       {"looks", looks},       {"moved", moved},       {"emptied", emptied},   {"led", led},
                 {"relative", relative}, {"own", own},         {"signals", signals},   {"threads", threads},
                 {"children", children}, {"program", program}, {"inner", inner},       {"rights", rights},
                 {"dropped", dropped},   {"serving", serving}};
    if (count != 3) return 99;
    file = arguments[2];
    char *place = dirname(strdup(file));
    if (chdir(place)) return 99;
    if (strcmp(arguments[1], "inner")) make(file);
    for (size_t n = 0; n < sizeof modes / sizeof *modes; n++)
        if (!strcmp(modes[n].name, arguments[1])) return modes[n].run();
    return 99;
}
