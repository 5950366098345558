/* Ways to execute. */
#include "files.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

static const char *path;
static int descriptor, flags;

static void executes(void) {
    char *const arguments[] = {"executed", 0};

    must(path, syscall(SYS_execveat, descriptor, path, arguments, environ, flags));
}

/* Runs a program in a child, to its end. */
static void run(int at, const char *name, int how) {
    descriptor = at;
    path = name;
    flags = how;
    in_child(executes);
}

static void program(void) {
    run(AT_FDCWD, "program", 0);
}

static void program_by_symlink(void) {
    run(AT_FDCWD, "program-link", 0);
}

static void program_in_place(void) {
    char *const arguments[] = {"program", 0};

    must("execve", execve("program", arguments, environ));
}

static void program_in_directory(void) {
    run(opened(".", O_PATH), "program", 0);
}

static void program_of_descriptor(void) {
    run(opened("program", O_RDONLY | O_CLOEXEC), "", AT_EMPTY_PATH);
}

static void script(void) {
    run(AT_FDCWD, "script", 0);
}

static void script_of_script(void) {
    run(AT_FDCWD, "script-1", 0);
}

static void script_of_descriptor(void) {
    /* Left open: the interpreter reads it by that number. */
    run(opened("script", O_RDONLY), "", AT_EMPTY_PATH);
}

static void headless(void) {
    char *const arguments[] = {"headless", 0};

    if (!execve("headless", arguments, environ) || errno != ENOEXEC)
        must("execve", -1);
}

static void unexecutable(void) {
    char *const arguments[] = {"found", 0};

    /* Without the bit, before AppArmor is asked. */
    if (!execve("found", arguments, environ) || errno != EACCES)
        must("execve", -1);
}

static void by_loader(void) {
    char *const arguments[] = {"loader", "./program", 0};
    pid_t child = must("fork", fork());
    int status;

    if (!child) {
        execve("/lib64/ld-linux-x86-64.so.2", arguments, environ);
        _exit(3);
    }
    must("waitpid", waitpid(child, &status, 0));
    /* The loader has its own status for what it could not open. */
    if (status)
        exit(3);
}

static void memory(void) {
    int from = opened("program", O_RDONLY), fd = must("memfd_create", memfd_create("program", MFD_CLOEXEC));
    struct stat about;

    must("fstat", fstat(from, &about));
    must("sendfile", sendfile(fd, from, 0, (size_t)about.st_size));
    run(fd, "", AT_EMPTY_PATH);
}

static void thread_of_memory_map(void) {
    /* What a just-in-time compiler does: no file is behind it. */
    void *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must("mprotect", mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

const struct behaviour programs[] = {
    {"exec", program},
    {"exec-symlink", program_by_symlink},
    {"exec-in-place", program_in_place},
    {"exec-at", program_in_directory},
    {"exec-descriptor", program_of_descriptor},
    {"exec-script", script},
    {"exec-script-of-script", script_of_script},
    {"exec-script-descriptor", script_of_descriptor},
    {"exec-headless", headless},
    {"exec-unexecutable", unexecutable},
    {"exec-by-loader", by_loader},
    {"exec-memfd", memory},
    {"exec-anonymous-memory", thread_of_memory_map},
    {0},
};
