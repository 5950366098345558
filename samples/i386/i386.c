/* A 32-bit program that calls the kernel by int 0x80, whatever its libc prefers. */
#define _GNU_SOURCE
#include "../facts.h"

#include <fcntl.h>
#include <linux/net.h>
#include <sys/socket.h>
#include <sys/syscall.h>

int main(void) {
    /* One call that multiplexes the socket calls: socketpair(AF_UNIX, SOCK_STREAM, 0, pair). */
    int pair[2];
    unsigned long arguments[] = {AF_UNIX, SOCK_STREAM, 0, (unsigned long)pair};
    MUST(syscall(SYS_socketcall, SYS_SOCKETPAIR, arguments) == 0);
    MUST(write(pair[0], "x", 1) == 1);
    MUST(close(pair[0]) == 0);
    /* 64-bit offsets have calls of their own here. */
    int fd = open("made", O_CREAT | O_RDWR, 0644);
    MUST(fd >= 0);
    MUST(syscall(SYS_ftruncate64, fd, 10, 0) == 0);
    MUST(syscall(SYS_getuid32) >= 0);
    MUST(unlink("made") == 0);

    puts("+ call i386 socketcall\n+ call i386 ftruncate64\n+ call i386 getuid32\n+ call i386 unlink");
    puts("+ socket 1 1 0\n- call x86_64 ftruncate\n- call x86_64 socketpair\n- call i386 mkdir");
    file_fact('+', "create", "made");
    file_fact('+', "delete", "made");
    file_fact('-', "rename", "made");
    return 0;
}
