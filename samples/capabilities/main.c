/* Small programs, of which each needs exactly one capability or none, all in one file: the name by which it is called says which.
 *
 *   capabilities list        prints a line for each: its name, and the capability that it needs or `none`
 *   capabilities prepare     makes a directory `bin` with each program under its name, for which `prepare` is called as root in an
 *                            empty directory, and in `work/NAME` the files that it finds
 *   capabilities all         runs each in its directory, and prints its name and exit status
 *   capabilities one NAME [COMMAND...]    runs one, below COMMAND
 *
 * A program exits 0 when it could do what it does, 9 when that was not permitted, and something else when it failed otherwise.
 * `all` and `one` have another user's process and shared memory there while they run. They belong into namespaces of their own:
 *
 *   unshare --mount --uts --net --ipc capabilities all
 */
#include "capabilities.h"

#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct example *tables[] = {needing, needless};
#define EACH(e) \
    for (unsigned t_ = 0; t_ < 2; t_++) \
        for (const struct example *e = tables[t_]; e->name; e++)

static void file(const char *name, int user, int group, int mode) {
    int made;
    STEP((made = open(name, O_CREAT | O_WRONLY | O_EXCL, 0600)) >= 0);
    STEP(fchown(made, user, group) == 0 && fchmod(made, mode) == 0 && close(made) == 0);
}

static void directory(const char *name, int user, int mode) {
    STEP(mkdir(name, 0700) == 0 && chmod(name, mode) == 0 && chown(name, user, user) == 0);
}

static void prepare(void) {
    char self[PATH_MAX], place[PATH_MAX];
    ssize_t length;
    STEP((length = readlink("/proc/self/exe", self, sizeof self - 1)) > 0);
    self[length] = 0;
    umask(022);
    STEP(mkdir("bin", 0755) == 0 && mkdir("work", 0755) == 0);
    EACH(e) {
        snprintf(place, sizeof place, "bin/%s", e->name);
        STEP(link(self, place) == 0);
        snprintf(place, sizeof place, "work/%s", e->name);
        STEP(mkdir(place, 0755) == 0 && chdir(place) == 0);
        file("mine", 0, 0, 0644);
        file("mine-of-their-group", 0, OTHER, 0644);
        file("mine-set-id", 0, 0, 04755);
        file("theirs", OTHER, OTHER, 0600);
        file("theirs-readable", OTHER, OTHER, 0644);
        file("theirs-of-my-group", OTHER, 0, 0640);
        STEP(mkdir("mount", 0755) == 0);
        directory("their-directory", OTHER, 0755);
        directory("their-secret", OTHER, 0700);
        directory("sticky", OTHER, 01777);
        file("their-directory/file", OTHER, OTHER, 0644);
        file("their-secret/file", OTHER, OTHER, 0644);
        file("sticky/mine", 0, 0, 0644);
        file("sticky/theirs", THIRD, THIRD, 0644);
        STEP(chdir("../..") == 0);
    }
}

/* Another user's process, which ends with this one, and that user's memory. */
static int others(void) {
    int child, pipe_[2], segment;
    char byte;
    STEP(pipe(pipe_) == 0);
    STEP((child = fork()) >= 0);
    if (child) {
        STEP(read(pipe_[0], &byte, 1) == 1);
        return child;
    }
    STEP(setgroups(0, NULL) == 0 && setresgid(OTHER, OTHER, OTHER) == 0 && setresuid(OTHER, OTHER, OTHER) == 0);
    STEP(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    STEP((segment = shmget(OTHERS_SEGMENT, 4096, IPC_CREAT | 0600)) >= 0);
    /* It is gone when nobody has it any more. */
    STEP(shmat(segment, NULL, 0) != (void *)-1);
    STEP(write(pipe_[1], "x", 1) == 1);
    for (;;)
        pause();
}

/* In a network of its own, as the programs should be run in, the loopback is down at first. */
static void loopback(void) {
    struct ifreq lo = {.ifr_name = "lo"};
    int made;
    STEP((made = socket(AF_INET, SOCK_DGRAM, 0)) >= 0);
    STEP(ioctl(made, SIOCGIFFLAGS, &lo) == 0);
    if (lo.ifr_flags & IFF_UP)
        return;
    lo.ifr_flags |= IFF_UP;
    STEP(ioctl(made, SIOCSIFFLAGS, &lo) == 0 && close(made) == 0);
}

static int run(const char *name, char **wrapper) {
    char place[PATH_MAX], program[PATH_MAX], *words[64];
    int child, status, at = 0;
    snprintf(place, sizeof place, "work/%s", name);
    snprintf(program, sizeof program, "../../bin/%s", name);
    while (wrapper && wrapper[at] && at < 60) {
        words[at] = wrapper[at];
        at++;
    }
    words[at] = program;
    words[at + 1] = NULL;
    STEP((child = fork()) >= 0);
    if (!child) {
        STEP(chdir(place) == 0);
        execvp(words[0], words);
        perror(words[0]);
        _exit(126);
    }
    STEP(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **words) {
    const char *name = basename(words[0]), *verb = count > 1 ? words[1] : "";
    int failed = 0, other, segment;
    char number[16];
    EACH(e) {
        if (!strcmp(name, e->name)) {
            e->does();
            return 0;
        }
    }
    if (!strcmp(verb, "list")) {
        EACH(e) printf("%s %s\n", e->name, e->needs ? e->needs : "none");
        return 0;
    }
    if (!strcmp(verb, "prepare")) {
        prepare();
        return 0;
    }
    if (strcmp(verb, "all") && (strcmp(verb, "one") || count < 3)) {
        fprintf(stderr, "usage: capabilities list | prepare | all | one NAME [COMMAND...]\n");
        return 2;
    }
    loopback();
    other = others();
    snprintf(number, sizeof number, "%d", other);
    setenv(OTHERS_PROCESS, number, 1);
    if (!strcmp(verb, "one"))
        failed = run(words[2], words + 3);
    else
        EACH(e) {
            int status = run(e->name, NULL);
            printf("%s %d\n", e->name, status);
            failed |= status != 0;
        }
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    if ((segment = shmget(OTHERS_SEGMENT, 0, 0)) >= 0)
        shmctl(segment, IPC_RMID, NULL);
    return failed;
}
