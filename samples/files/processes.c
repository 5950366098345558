/* Files that belong to processes or stand for them, and what passes between them. */
#include "files.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

static void use(int fd) {
    char byte;

    must("read", read(fd, &byte, 1));
}

static void own_status(void) {
    use(opened("/proc/self/status", O_RDONLY));
}

static void own_status_by_number(void) {
    char name[64];

    snprintf(name, sizeof(name), "/proc/%d/status", getpid());
    use(opened(name, O_RDONLY));
}

static void thread_status(void) {
    use(opened("/proc/thread-self/status", O_RDONLY));
}

static void own_descriptors(void) {
    opened("/proc/self/fd", O_RDONLY | O_DIRECTORY);
}

static void child_status(void) {
    char name[64];
    int hold[2];
    pid_t child;

    must("pipe", pipe(hold));
    child = must("fork", fork());
    if (!child) {
        close(hold[1]);
        read(hold[0], name, 1);
        _exit(0);
    }
    snprintf(name, sizeof(name), "/proc/%d/status", child);
    use(opened(name, O_RDONLY));
    close(hold[1]);
    must("waitpid", waitpid(child, 0, 0));
}

static void own_name(void) {
    must("write", write(opened("/proc/self/comm", O_WRONLY), "x", 1));
}

static void kernel_setting(void) {
    use(opened("/proc/sys/kernel/ostype", O_RDONLY));
}

static int ends[2];

static void hands_over(void) {
    hand(ends[1], opened("found", O_RDWR));
}

static void passed(void) {
    int fd;

    must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    in_child(hands_over);
    fd = taken(ends[0]);
    use(fd);
}

static void inherits(void) {
    use(3);
}

static void inherited(void) {
    int fd = opened("found", O_RDONLY);

    must("dup2", dup2(fd, 3));
    in_child(inherits);
}

static void fetched(void) {
    int self = must("pidfd_open", syscall(SYS_pidfd_open, getpid(), 0));

    use(must("pidfd_getfd", syscall(SYS_pidfd_getfd, self, opened("found", O_RDONLY), 0)));
}

static void duplicated(void) {
    char link[32];

    snprintf(link, sizeof(link), "/dev/fd/%d", opened("found", O_RDONLY));
    use(opened(link, O_RDONLY));
}

static void pipe_reopened(void) {
    char link[32];
    int both[2];

    must("pipe", pipe(both));
    snprintf(link, sizeof(link), "/proc/self/fd/%d", both[0]);
    close(opened(link, O_RDONLY | O_NONBLOCK));
}

static void null_device(void) {
    must("write", write(opened("/dev/null", O_WRONLY), "x", 1));
}

static void terminal(void) {
    /* As openpty(3) does since glibc 2.26. */
    int leader = opened("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0;

    must("TIOCSPTLCK", ioctl(leader, TIOCSPTLCK, &unlocked));
    must("TIOCGPTPEER", ioctl(leader, TIOCGPTPEER, O_RDWR | O_NOCTTY));
}

static struct sockaddr_un at(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, name);
    return address;
}

static int bound(void) {
    struct sockaddr_un address = at("made");
    int listener = must("socket", socket(AF_UNIX, SOCK_STREAM, 0));

    must("bind", bind(listener, (struct sockaddr *)&address, sizeof(address)));
    return listener;
}

static void socket_bound(void) {
    bound();
}

static void socket_connected(void) {
    struct sockaddr_un address = at("made");

    must("listen", listen(bound(), 1));
    must("connect", connect(must("socket", socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&address, sizeof(address)));
}

static void shared_memory(void) {
    must("shm_unlink", shm_unlink("/learn-files") && errno != ENOENT ? -1 : 0);
    must("shm_open", shm_open("/learn-files", O_RDWR | O_CREAT | O_EXCL, 0600));
    must("shm_unlink", shm_unlink("/learn-files"));
}

static void *reads(void *unused) {
    use(opened("found", O_RDONLY));
    return unused;
}

static void in_thread(void) {
    pthread_t thread;

    if (pthread_create(&thread, 0, reads, 0) || pthread_join(thread, 0))
        exit(1);
}

static void *has_directory_of_its_own(void *unused) {
    must("unshare", unshare(CLONE_FS));
    must("chdir", chdir("directory"));
    use(opened("inside", O_RDONLY));
    return unused;
}

static void in_thread_elsewhere(void) {
    pthread_t thread;

    if (pthread_create(&thread, 0, has_directory_of_its_own, 0) || pthread_join(thread, 0))
        exit(1);
    use(opened("found", O_RDONLY));
}

/* One operation that opens. */
static void by_ring(void) {
    struct io_uring_params about = {0};
    int ring = must("io_uring_setup", syscall(SYS_io_uring_setup, 1, &about));
    size_t all = about.sq_off.array + about.sq_entries * sizeof(unsigned), done = about.cq_off.cqes + about.cq_entries * sizeof(struct io_uring_cqe);
    char *sq = mmap(0, all, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(0, done, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *entry = mmap(0, sizeof(*entry), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);

    if (sq == MAP_FAILED || cq == MAP_FAILED || entry == MAP_FAILED)
        must("mmap", -1);
    *entry = (struct io_uring_sqe){.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)"found", .open_flags = O_RDONLY};
    *(unsigned *)(sq + about.sq_off.array) = 0;
    __atomic_store_n((unsigned *)(sq + about.sq_off.tail), 1, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0));
    errno = -((struct io_uring_cqe *)(cq + about.cq_off.cqes))->res;
    must("IORING_OP_OPENAT", -(errno > 0));
}

const struct behaviour processes[] = {
    {"proc-self", own_status},
    {"proc-number", own_status_by_number},
    {"proc-thread-self", thread_status},
    {"proc-self-fd", own_descriptors},
    {"proc-child", child_status},
    {"proc-write", own_name},
    {"proc-sys", kernel_setting},
    {"descriptor-passed", passed},
    {"descriptor-inherited", inherited},
    {"descriptor-fetched", fetched},
    {"descriptor-reopened", duplicated},
    {"pipe-reopened", pipe_reopened},
    {"device-null", null_device},
    {"terminal", terminal},
    {"socket-bound", socket_bound},
    {"socket-connected", socket_connected},
    {"shared-memory", shared_memory},
    {"thread", in_thread},
    {"thread-elsewhere", in_thread_elsewhere},
    {"io-uring", by_ring},
    {0},
};
