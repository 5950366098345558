/* What is done to files that are named or open already: attributes, mappings, locks, copies. */
#include "files.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

static void changes_mode(void) {
    must("chmod", chmod("found", 0600));
}

static void changes_mode_of_descriptor(void) {
    must("fchmod", fchmod(opened("found", O_RDONLY), 0600));
}

static void changes_mode_of_directory(void) {
    must("chmod", chmod("directory", 0700));
}

static void changes_owner(void) {
    must("chown", chown("found", 1, 1));
}

static void changes_owner_of_symlink(void) {
    must("lchown", lchown("symlink", 1, 1));
}

static void changes_owner_of_descriptor(void) {
    must("fchown", fchown(opened("found", O_RDONLY), 1, 1));
}

static void truncates(void) {
    must("truncate", truncate("found", 1));
}

static void truncates_descriptor(void) {
    must("ftruncate", ftruncate(opened("found", O_WRONLY), 1));
}

static void allocates(void) {
    must("fallocate", fallocate(opened("found", O_WRONLY), 0, 0, 4096));
}

static void changes_times(void) {
    must("utimensat", utimensat(AT_FDCWD, "found", 0, 0));
}

static void changes_attribute(void) {
    must("setxattr", setxattr("found", "trusted.learn", "x", 1, 0));
}

static void looks(void) {
    struct stat about;
    struct statfs system;

    must("stat", stat("found", &about));
    must("lstat", lstat("symlink", &about));
    must("access", access("found", R_OK | W_OK));
    must("statfs", statfs("found", &system));
}

/* One page of a file. */
static char *mapped(int fd, int protection, int flags) {
    char *page = mmap(0, 4096, protection, flags, fd, 0);

    if (page == MAP_FAILED)
        must("mmap", -1);
    return page;
}

static void maps_private(void) {
    volatile char *page = mapped(opened("found", O_RDONLY), PROT_READ | PROT_WRITE, MAP_PRIVATE);

    page[0] = 'x';
}

static void maps_shared(void) {
    volatile char *page = mapped(opened("found", O_RDWR), PROT_READ | PROT_WRITE, MAP_SHARED);

    page[0] = 'x';
}

static void maps_to_execute(void) {
    mapped(opened("program", O_RDONLY), PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

static void maps_then_executes(void) {
    must("mprotect", mprotect(mapped(opened("program", O_RDONLY), PROT_READ, MAP_PRIVATE), 4096, PROT_READ | PROT_EXEC));
}

static void locks(int flags, int operation) {
    must("flock", flock(opened("found", flags), operation));
}

static void locks_shared(void) {
    locks(O_RDONLY, LOCK_SH);
}

static void locks_exclusive(void) {
    locks(O_RDWR, LOCK_EX);
}

static void locks_exclusive_to_read(void) {
    locks(O_RDONLY, LOCK_EX);
}

static void locks_directory(void) {
    must("flock", flock(opened("directory", O_RDONLY | O_DIRECTORY), LOCK_SH));
}

static void locks_lock_file(void) {
    /* As flock(1) and package managers do. */
    must("flock", flock(opened("made", O_RDONLY | O_CREAT), LOCK_EX | LOCK_NB));
}

static void record_locks(int flags, int command, short kind) {
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_len = 1};

    must("fcntl", fcntl(opened("found", flags), command, &lock));
}

static void locks_record(void) {
    record_locks(O_RDONLY, F_SETLK, F_RDLCK);
}

static void locks_record_to_write(void) {
    record_locks(O_WRONLY, F_SETLKW, F_WRLCK);
}

static void locks_description(void) {
    record_locks(O_RDWR, F_OFD_SETLK, F_WRLCK);
}

static void asks_for_lock(void) {
    record_locks(O_RDONLY, F_GETLK, F_RDLCK);
}

static void lock_is_taken(void) {
    must("flock", flock(opened("found", O_RDWR), LOCK_EX));
    if (!flock(opened("found", O_RDONLY), LOCK_SH | LOCK_NB) || errno != EAGAIN)
        must("flock", -1);
}

static void copies(void) {
    must("copy_file_range", copy_file_range(opened("found", O_RDONLY), 0, opened("made", O_WRONLY | O_CREAT), 0, 4, 0));
}

static void sends(void) {
    must("sendfile", sendfile(opened("made", O_WRONLY | O_CREAT), opened("found", O_RDONLY), 0, 4));
}

static void begins_to_append(void) {
    int fd = opened("found", O_WRONLY);

    must("fcntl", fcntl(fd, F_SETFL, O_APPEND));
    must("write", write(fd, "x", 1));
}

static void ends_appending(void) {
    int fd = opened("found", O_WRONLY | O_APPEND);

    must("fcntl", fcntl(fd, F_SETFL, 0));
    must("write", write(fd, "x", 1));
}

static void memory(void) {
    int fd = must("memfd_create", memfd_create("found", 0));
    char link[32];

    must("write", write(fd, "x", 1));
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    close(opened(link, O_RDWR));
}

const struct behaviour contents[] = {
    {"chmod", changes_mode},
    {"fchmod", changes_mode_of_descriptor},
    {"chmod-directory", changes_mode_of_directory},
    {"chown", changes_owner},
    {"lchown", changes_owner_of_symlink},
    {"fchown", changes_owner_of_descriptor},
    {"truncate", truncates},
    {"ftruncate", truncates_descriptor},
    {"fallocate", allocates},
    {"utimensat", changes_times},
    {"setxattr", changes_attribute},
    {"look", looks},
    {"map-private", maps_private},
    {"map-shared", maps_shared},
    {"map-execute", maps_to_execute},
    {"map-then-execute", maps_then_executes},
    {"lock-shared", locks_shared},
    {"lock-exclusive", locks_exclusive},
    {"lock-exclusive-read", locks_exclusive_to_read},
    {"lock-directory", locks_directory},
    {"lock-file", locks_lock_file},
    {"lock-record", locks_record},
    {"lock-record-write", locks_record_to_write},
    {"lock-description", locks_description},
    {"lock-asked-for", asks_for_lock},
    {"lock-taken", lock_is_taken},
    {"copy-file-range", copies},
    {"sendfile", sends},
    {"append-begun-later", begins_to_append},
    {"append-ended", ends_appending},
    {"memfd", memory},
    {0},
};
