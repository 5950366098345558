/* Ways to open. */
#include "files.h"

#include <linux/openat2.h>
#include <sys/syscall.h>

static void use(int fd) {
    char byte;

    if (fcntl(fd, F_GETFL) & (O_WRONLY | O_RDWR))
        must("write", write(fd, "x", 1));
    else
        must("read", read(fd, &byte, 1));
    close(fd);
}

static int how(int at, const char *name, unsigned long flags, unsigned long resolve) {
    struct open_how how = {.flags = flags, .mode = flags & O_CREAT ? 0600 : 0, .resolve = resolve};

    return must("openat2", syscall(SYS_openat2, at, name, &how, sizeof(how)));
}

#define OPENS(function, name, flags) \
    static void function(void) { \
        use(opened(name, flags)); \
    }

OPENS(reads, "found", O_RDONLY)
OPENS(writes, "found", O_WRONLY)
OPENS(both, "found", O_RDWR)
OPENS(appends, "found", O_WRONLY | O_APPEND)
OPENS(appends_new, "made", O_WRONLY | O_APPEND | O_CREAT)
OPENS(appends_maybe_new, "found", O_WRONLY | O_APPEND | O_CREAT)
OPENS(creates, "made", O_WRONLY | O_CREAT)
OPENS(creates_only, "made", O_RDWR | O_CREAT | O_EXCL)
OPENS(creates_existing, "found", O_WRONLY | O_CREAT)
OPENS(creates_existing_to_read, "found", O_RDONLY | O_CREAT)
OPENS(truncates, "found", O_WRONLY | O_TRUNC)
OPENS(replaces, "found", O_WRONLY | O_CREAT | O_TRUNC)
OPENS(unfollowed, "found", O_RDONLY | O_NOFOLLOW)
OPENS(by_symlink, "symlink", O_RDONLY)
OPENS(by_chain, "chain", O_RDONLY)
OPENS(creates_behind_symlink, "dangling", O_WRONLY | O_CREAT)
OPENS(parent_and_back, "directory/../found", O_RDONLY)
OPENS(slashes, ".//directory///inside", O_RDONLY)
OPENS(foreign, "foreign", O_RDONLY)

static void by_absolute(void) {
    static char text[4096];

    snprintf(text, sizeof(text), "%s/found", directory);
    must("symlink", symlink(text, "made"));
    use(opened("made", O_RDONLY));
}

static void creates_to_read(void) {
    close(opened("made", O_RDONLY | O_CREAT));
}

static void truncates_to_read(void) {
    close(opened("found", O_RDONLY | O_TRUNC));
}

static void creat_call(void) {
    use(must("creat", creat("made", 0600)));
}

static void write_never(void) {
    close(opened("found", O_RDWR));
}

static void path_only(void) {
    struct stat about;
    int fd = opened("found", O_PATH);

    must("fstat", fstat(fd, &about));
}

static void path_reopened(void) {
    char link[32];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", opened("found", O_PATH));
    use(opened(link, O_RDONLY));
}

static void access_mode_three(void) {
    /* Neither to read nor to write, for ioctl alone; both are asked for (open(2)). */
    close(opened("found", O_ACCMODE));
}

static void absent(void) {
    if (open("absent", O_RDONLY) >= 0 || errno != ENOENT)
        must("absent", -1);
}

static void temporary(void) {
    use(must("O_TMPFILE", open("directory", O_RDWR | O_TMPFILE, 0600)));
}

static void temporary_linked(void) {
    char link[32];
    int fd = must("O_TMPFILE", open("directory", O_WRONLY | O_TMPFILE, 0600));

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    must("linkat", linkat(AT_FDCWD, link, AT_FDCWD, "made", AT_SYMLINK_FOLLOW));
}

static void at_descriptor(void) {
    use(must("openat", openat(opened("directory", O_RDONLY | O_DIRECTORY), "inside", O_RDONLY)));
}

static void at_path_descriptor(void) {
    use(must("openat", openat(opened("directory", O_PATH), "inside", O_RDONLY)));
}

static void after_fchdir(void) {
    must("fchdir", fchdir(opened("directory", O_PATH)));
    use(opened("inside", O_RDONLY));
}

static void after_chdir(void) {
    must("chdir", chdir("directory"));
    use(opened("../found", O_RDONLY));
}

static void beneath(void) {
    use(how(AT_FDCWD, "directory/inside", O_RDONLY, RESOLVE_BENEATH));
}

static void in_root(void) {
    use(how(opened("root", O_PATH), "/../inside", O_RDONLY, RESOLVE_IN_ROOT));
}

static void in_root_absolute_symlink(void) {
    must("symlink", symlink("/inside", "root/link"));
    use(how(opened("root", O_PATH), "link", O_RDONLY, RESOLVE_IN_ROOT));
}

static void no_symlinks(void) {
    use(how(AT_FDCWD, "directory/inside", O_RDONLY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV));
}

static void no_symlinks_refused(void) {
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS};

    if (syscall(SYS_openat2, AT_FDCWD, "symlink", &how, sizeof(how)) >= 0 || errno != ELOOP)
        must("openat2", -1);
}

static void creates_beneath(void) {
    use(how(AT_FDCWD, "directory/made", O_WRONLY | O_CREAT, RESOLVE_BENEATH));
}

static void lists(void) {
    char room[1024];

    must("getdents64", syscall(SYS_getdents64, opened("directory", O_RDONLY | O_DIRECTORY), room, sizeof(room)));
}

static void by_handle(void) {
    struct {
        struct file_handle handle;
        char room[MAX_HANDLE_SZ];
    } handle = {.handle.handle_bytes = MAX_HANDLE_SZ};
    int mount;

    must("name_to_handle_at", name_to_handle_at(AT_FDCWD, "found", &handle.handle, &mount, 0));
    use(must("open_by_handle_at", open_by_handle_at(opened(".", O_RDONLY | O_DIRECTORY), &handle.handle, O_RDONLY)));
}

static void fifo(void) {
    close(opened("fifo", O_RDWR | O_NONBLOCK));
}

static void fifo_without_reader(void) {
    if (open("fifo", O_WRONLY | O_NONBLOCK) >= 0 || errno != ENXIO)
        must("fifo", -1);
}

static void directory_to_write(void) {
    if (open("directory", O_WRONLY) >= 0 || errno != EISDIR)
        must("directory", -1);
}

static void long_path(void) {
    /* 15 directories of 250 bytes. */
    static char name[252], path[4096];
    int i;

    memset(name, 'd', 250);
    name[250] = '/';
    for (i = 0; i < 15; i++)
        strcat(path, name);
    strcat(path, "made");
    use(opened(path, O_RDWR | O_CREAT));
}

const struct behaviour opens[] = {
    {"open-read", reads},
    {"open-write", writes},
    {"open-read-write", both},
    {"open-write-never", write_never},
    {"open-mode-3", access_mode_three},
    {"open-append", appends},
    {"open-append-new", appends_new},
    {"open-append-create", appends_maybe_new},
    {"open-create", creates},
    {"open-create-exclusive", creates_only},
    {"open-create-existing", creates_existing},
    {"open-create-existing-read", creates_existing_to_read},
    {"open-create-read", creates_to_read},
    {"open-truncate", truncates},
    {"open-truncate-read", truncates_to_read},
    {"open-replace", replaces},
    {"creat", creat_call},
    {"open-nofollow", unfollowed},
    {"open-symlink", by_symlink},
    {"open-symlink-chain", by_chain},
    {"open-symlink-absolute", by_absolute},
    {"open-create-behind-symlink", creates_behind_symlink},
    {"open-parent-and-back", parent_and_back},
    {"open-slashes", slashes},
    {"open-foreign", foreign},
    {"open-path", path_only},
    {"open-path-reopened", path_reopened},
    {"open-absent", absent},
    {"open-tmpfile", temporary},
    {"open-tmpfile-linked", temporary_linked},
    {"openat", at_descriptor},
    {"openat-path", at_path_descriptor},
    {"open-after-fchdir", after_fchdir},
    {"open-after-chdir", after_chdir},
    {"openat2-beneath", beneath},
    {"openat2-in-root", in_root},
    {"openat2-in-root-symlink", in_root_absolute_symlink},
    {"openat2-no-symlinks", no_symlinks},
    {"openat2-no-symlinks-refused", no_symlinks_refused},
    {"openat2-create", creates_beneath},
    {"open-directory", lists},
    {"open-directory-write", directory_to_write},
    {"open-by-handle", by_handle},
    {"open-fifo", fifo},
    {"open-fifo-no-reader", fifo_without_reader},
    {"open-long-path", long_path},
    {0},
};
