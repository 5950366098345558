/* A daemon that works after its parents have ended. */
#define _GNU_SOURCE
#include "../facts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

int main(void) {
    puts("+ call x86_64 setsid\n+ call x86_64 mkdir\n+ call x86_64 symlink\n- call x86_64 socket\n- call x86_64 rmdir");
    file_fact('+', "create", "from-the-daemon");
    file_fact('+', "mkdir", "directory");
    file_fact('-', "delete", "from-the-daemon");
    MUST(fflush(stdout) == 0);

    int gone[2];
    MUST(pipe2(gone, O_CLOEXEC) == 0);
    pid_t child = fork();
    MUST(child >= 0);
    if (child > 0) {
        int status;
        MUST(waitpid(child, &status, 0) == child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    MUST(setsid() > 0);
    child = fork();
    MUST(child >= 0);
    if (child > 0) _exit(0);

    /* The other ends of the pipe close when the parents have ended: the rest is an orphan's work. */
    MUST(close(gone[1]) == 0);
    char byte;
    MUST(read(gone[0], &byte, 1) == 0);
    int fd = open("from-the-daemon", O_CREAT | O_WRONLY | O_EXCL, 0600);
    MUST(fd >= 0);
    MUST(write(fd, "here\n", 5) == 5);
    MUST(mkdir("directory", 0700) == 0);
    MUST(symlink("../from-the-daemon", "directory/link") == 0);
    _exit(0);
}
