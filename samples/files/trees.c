/* Other roots and other mounts. */
#include "files.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

static void use(const char *name) {
    close(opened(name, O_RDONLY));
}

static void other_root(void) {
    must("chroot", chroot("root"));
    must("chdir", chdir("/"));
    use("/inside");
}

static void other_root_is_left(void) {
    int before = opened(".", O_PATH);

    must("chroot", chroot("root"));
    must("fchdir", fchdir(before));
    use("found");
}

static void apart(void) {
    must("unshare", unshare(CLONE_NEWNS));
    must("mount", mount("none", "/", 0, MS_REC | MS_PRIVATE, 0));
}

static void bound(void) {
    apart();
    must("mount", mount("root", "directory", 0, MS_BIND, 0));
    use("directory/inside");
}

static void mounted(void) {
    apart();
    must("mount", mount("none", "directory", "tmpfs", 0, 0));
    close(opened("directory/made", O_WRONLY | O_CREAT));
    must("umount2", umount2("directory", MNT_DETACH));
}

static void read_only(void) {
    apart();
    must("mount", mount("root", "root", 0, MS_BIND, 0));
    must("mount", mount("none", "root", 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
    use("root/inside");
}

static void pivoted(void) {
    apart();
    must("mount", mount("root", "root", 0, MS_BIND, 0));
    must("chdir", chdir("root"));
    must("pivot_root", syscall(SYS_pivot_root, ".", "."));
    must("umount2", umount2(".", MNT_DETACH));
    must("chdir", chdir("/"));
    use("/inside");
}

const struct behaviour trees[] = {
    {"chroot", other_root},
    {"chroot-left", other_root_is_left},
    {"mount-bind", bound},
    {"mount-tmpfs", mounted},
    {"mount-read-only", read_only},
    {"pivot-root", pivoted},
    {0},
};
