/* What io_uring does to files without a call for each of them: opens, makes, links, renames and removes, in the current directory.
 *
 *   io-uring          the workload; it finds the file `found`
 *   io-uring more     and opens `other` for reading
 *
 * Exits 0; 3 when the last open was refused; 1 when anything else went wrong. Operations that the kernel does not know (before 5.15)
 * end it with 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/io_uring.h of Linux 5.15; Debian's headers may be older than the kernel. */
enum { MKDIRAT = 37, SYMLINKAT = 38, LINKAT = 39 };

static int ring;
static unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *at(void *ring_memory, unsigned offset) {
    return (char *)ring_memory + offset;
}

static void set_up(void) {
    struct io_uring_params parameters = {0};
    void *sq, *cq;

    ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
    if (ring < 0)
        fail("io_uring_setup");
    sq = mmap(0, parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    cq = mmap(0, parameters.cq_off.cqes + parameters.cq_entries * sizeof(*cqes), PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
    sqes = mmap(0, parameters.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
                IORING_OFF_SQES);
    if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
        fail("mmap");
    sq_tail = at(sq, parameters.sq_off.tail);
    sq_mask = at(sq, parameters.sq_off.ring_mask);
    sq_array = at(sq, parameters.sq_off.array);
    cq_head = at(cq, parameters.cq_off.head);
    cq_tail = at(cq, parameters.cq_off.tail);
    cq_mask = at(cq, parameters.cq_off.ring_mask);
    cqes = at(cq, parameters.cq_off.cqes);
}

/* One operation, from its submission to its end; what it returned. */
static int done(struct io_uring_sqe sqe) {
    unsigned tail = *sq_tail, index = tail & *sq_mask;
    int result;

    sqes[index] = sqe;
    sq_array[index] = index;
    __atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0)
        fail("io_uring_enter");
    if (__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == *cq_head)
        fail("no completion");
    result = cqes[*cq_head & *cq_mask].res;
    __atomic_store_n(cq_head, *cq_head + 1, __ATOMIC_RELEASE);
    return result;
}

static int opened(const char *name, int flags, unsigned char asynchronous) {
    return done((struct io_uring_sqe){.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)name, .len = 0600,
                                      .open_flags = (unsigned)flags, .flags = asynchronous});
}

static void must(const char *what, int result) {
    if (result == -EINVAL)
        exit(2);
    if (result < 0) {
        errno = -result;
        fail(what);
    }
}

static int made(const char *name) {
    return done((struct io_uring_sqe){.opcode = MKDIRAT, .fd = AT_FDCWD, .addr = (unsigned long)name, .len = 0700});
}

static int removed(const char *name, unsigned flags) {
    return done((struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (unsigned long)name, .unlink_flags = flags});
}

/* An old name and a new one; both in the current directory. */
static int both(unsigned char opcode, const char *old, const char *name) {
    return done((struct io_uring_sqe){.opcode = opcode, .fd = AT_FDCWD, .addr = (unsigned long)old, .len = (unsigned)AT_FDCWD,
                                      .addr2 = (unsigned long)name});
}

int main(int argc, char **argv) {
    int result;

    set_up();
    must("open", opened("found", O_RDONLY, 0));
    /* In a thread of the kernel's, which it is handed to at once. */
    must("open elsewhere", opened("found", O_RDWR | O_APPEND, IOSQE_ASYNC));
    must("create", opened("made", O_WRONLY | O_CREAT | O_EXCL, 0));
    must("mkdir", made("directory"));
    must("link", both(LINKAT, "found", "linked"));
    /* What it holds, and its name. */
    must("symlink", done((struct io_uring_sqe){.opcode = SYMLINKAT, .fd = AT_FDCWD, .addr = (unsigned long)"found",
                                               .addr2 = (unsigned long)"symbolic"}));
    must("rename", both(IORING_OP_RENAMEAT, "made", "renamed"));
    must("unlink", removed("renamed", 0));
    must("unlink a link", removed("linked", 0));
    must("unlink a symbolic link", removed("symbolic", 0));
    must("rmdir", removed("directory", AT_REMOVEDIR));
    if (argc < 2 || strcmp(argv[1], "more"))
        return 0;
    result = opened("other", O_RDONLY, 0);
    if (result == -EACCES)
        return 3;
    must("open another", result);
    return 0;
}
