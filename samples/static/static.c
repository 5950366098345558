/* A static program: no loader, no library. */
#define _GNU_SOURCE
#include "../facts.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

int main(void) {
    int fd = open("made", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    MUST(fd >= 0);
    MUST(ftruncate(fd, 4096) == 0);
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(shared != MAP_FAILED);
    memcpy(shared, "text", 4);
    MUST(msync(shared, 4096, MS_SYNC) == 0);
    MUST(munmap(shared, 4096) == 0);
    MUST(close(fd) == 0);
    MUST(rename("made", "named") == 0);

    struct sysinfo info;
    MUST(sysinfo(&info) == 0);
    int group = getpgrp();
    MUST(group > 0);
    /* A call that fails is asked of a filter too. */
    MUST(open("absent", O_RDONLY) < 0);
    int directory = open(".", O_RDONLY | O_DIRECTORY);
    MUST(directory >= 0);
    char entries[4096];
    MUST(syscall(SYS_getdents64, directory, entries, sizeof entries) > 0);
    MUST(unlink("named") == 0);

    puts("+ call x86_64 ftruncate\n+ call x86_64 msync\n+ call x86_64 rename\n+ call x86_64 sysinfo");
    puts("+ call x86_64 getpgrp\n+ call x86_64 getdents64\n+ call x86_64 unlink\n+ call x86_64 exit_group");
    puts("- call x86_64 socket\n- call x86_64 clone\n- call x86_64 mkdir\n- call i386 getpid");
    file_fact('+', "create", "made");
    file_fact('+', "rename", "made");
    file_fact('+', "delete", "named");
    file_fact('-', "read", "absent");
    file_fact('-', "write", "named");
    return 0;
}
