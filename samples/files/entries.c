/* What is done to names in directories. */
#include "files.h"

#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static int renamed(const char *old, const char *name, unsigned flags) {
    return must("renameat2", syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, name, flags));
}

static void renames(void) {
    must("rename", rename("found", "made"));
}

static void renames_over(void) {
    must("rename", rename("found", "second"));
}

static void renames_not_over(void) {
    renamed("found", "made", RENAME_NOREPLACE);
}

static void exchanges(void) {
    renamed("found", "second", RENAME_EXCHANGE);
}

static void renames_directory(void) {
    must("rename", rename("directory", "made"));
}

static void renames_symlink(void) {
    must("rename", rename("symlink", "made"));
}

static void renames_onto_full(void) {
    if (!rename("root", "directory") || (errno != ENOTEMPTY && errno != EEXIST))
        must("rename", -1);
}

static void renames_at(void) {
    int from = opened("directory", O_PATH), to = opened("root", O_PATH);

    must("renameat", renameat(from, "inside", to, "made"));
}

static void links(void) {
    must("link", link("found", "made"));
}

static void links_symlink(void) {
    must("link", link("symlink", "made"));
}

static void links_behind_symlink(void) {
    must("linkat", linkat(AT_FDCWD, "symlink", AT_FDCWD, "made", AT_SYMLINK_FOLLOW));
}

static void links_descriptor(void) {
    must("linkat", linkat(opened("found", O_PATH), "", AT_FDCWD, "made", AT_EMPTY_PATH));
}

static void symlinks(void) {
    must("symlink", symlink("anything at all", "made"));
}

static void reads_symlink(void) {
    char text[64];

    must("readlink", readlink("symlink", text, sizeof(text)));
}

static void removes(void) {
    must("unlink", unlink("found"));
}

static void removes_at(void) {
    must("unlinkat", unlinkat(opened("directory", O_PATH), "inside", 0));
}

static void removes_symlink(void) {
    must("unlink", unlink("symlink"));
}

static void removes_a_directory_as_file(void) {
    if (!unlink("directory") || errno != EISDIR)
        must("unlink", -1);
}

static void removes_then_writes(void) {
    int fd = opened("found", O_RDWR);

    must("unlink", unlink("found"));
    must("write", write(fd, "x", 1));
    must("ftruncate", ftruncate(fd, 0));
    must("fchmod", fchmod(fd, 0600));
}

static void makes_and_removes(void) {
    close(opened("made", O_WRONLY | O_CREAT | O_EXCL));
    must("unlink", unlink("made"));
}

static void makes_directory(void) {
    must("mkdir", mkdir("made", 0755));
}

static void makes_directory_at(void) {
    must("mkdirat", mkdirat(opened("directory", O_PATH), "made/", 0755));
}

static void makes_existing_directory(void) {
    if (!mkdir("directory", 0755) || errno != EEXIST)
        must("mkdir", -1);
}

static void removes_directory(void) {
    must("rmdir", rmdir("directory/empty"));
}

static void removes_directory_at(void) {
    must("unlinkat", unlinkat(AT_FDCWD, "directory/empty", AT_REMOVEDIR));
}

static void removes_full_directory(void) {
    if (!rmdir("directory") || errno != ENOTEMPTY)
        must("rmdir", -1);
}

static void removes_a_file_as_directory(void) {
    if (!rmdir("found") || errno != ENOTDIR)
        must("rmdir", -1);
}

static void makes_fifo(void) {
    must("mkfifo", mkfifo("made", 0600));
}

static void makes_socket(void) {
    must("mknod", mknod("made", S_IFSOCK | 0600, 0));
}

static void makes_plain(void) {
    must("mknod", mknod("made", S_IFREG | 0600, 0));
}

static void makes_device(void) {
    /* /dev/null */
    must("mknod", mknod("made", S_IFCHR | 0600, makedev(1, 3)));
}

const struct behaviour entries[] = {
    {"rename", renames},
    {"rename-over", renames_over},
    {"rename-noreplace", renames_not_over},
    {"rename-exchange", exchanges},
    {"rename-directory", renames_directory},
    {"rename-symlink", renames_symlink},
    {"rename-onto-full", renames_onto_full},
    {"renameat", renames_at},
    {"link", links},
    {"link-symlink", links_symlink},
    {"link-behind-symlink", links_behind_symlink},
    {"link-descriptor", links_descriptor},
    {"symlink", symlinks},
    {"readlink", reads_symlink},
    {"unlink", removes},
    {"unlinkat", removes_at},
    {"unlink-symlink", removes_symlink},
    {"unlink-directory", removes_a_directory_as_file},
    {"unlink-while-open", removes_then_writes},
    {"create-and-unlink", makes_and_removes},
    {"mkdir", makes_directory},
    {"mkdirat", makes_directory_at},
    {"mkdir-existing", makes_existing_directory},
    {"rmdir", removes_directory},
    {"rmdir-unlinkat", removes_directory_at},
    {"rmdir-full", removes_full_directory},
    {"rmdir-file", removes_a_file_as_directory},
    {"mknod-fifo", makes_fifo},
    {"mknod-socket", makes_socket},
    {"mknod-file", makes_plain},
    {"mknod-device", makes_device},
    {0},
};
