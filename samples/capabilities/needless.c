/* Programs that look as if they needed a capability, and work without any. */
#include "capabilities.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static void changes_own_mode(void) { STEP(chmod("mine", 0600) == 0); }
static void changes_own_mode_of_their_group(void) { STEP(chmod("mine-of-their-group", 0755) == 0); }
static void gives_to_itself(void) { STEP(chown("mine", 0, 0) == 0 && chown("mine", -1, -1) == 0); }
static void sets_own_times(void) {
    struct timespec times[2] = {{1, 0}, {1, 0}};
    STEP(utimensat(AT_FDCWD, "mine", times, 0) == 0);
}
static void renames_links_and_removes(void) {
    STEP(link("mine", "linked") == 0 && symlink("mine", "symbolic") == 0);
    STEP(rename("linked", "renamed") == 0 && unlink("renamed") == 0 && unlink("symbolic") == 0);
    STEP(mkdir("made", 0700) == 0 && rmdir("made") == 0);
}
static void removes_own_from_sticky(void) { STEP(unlink("sticky/mine") == 0); }
static void reads_what_all_may(void) { STEP(open("theirs-readable", O_RDONLY) >= 0); }
static void reads_what_its_group_may(void) { STEP(open("theirs-of-my-group", O_RDONLY) >= 0); }
static void writes_own(void) {
    int file;
    STEP((file = open("mine", O_RDWR | O_APPEND)) >= 0);
    STEP(write(file, "x", 1) == 1 && ftruncate(file, 0) == 0);
}
static void asks_for_access(void) { STEP(access("mine", R_OK | W_OK) == 0 && access("absent", F_OK) == -1); }
static void lists_attributes(void) {
    char names[4096];
    STEP(setxattr("mine", "user.note", "x", 1, 0) == 0);
    STEP(listxattr("mine", names, sizeof names) >= 0);
}
static void leases_own(void) {
    int file;
    STEP((file = open("mine", O_RDONLY)) >= 0);
    STEP(fcntl(file, F_SETLEASE, F_RDLCK) == 0);
}
static void makes_pipes_by_name(void) {
    STEP(mkfifo("pipe", 0600) == 0);
    STEP(mknod("regular", S_IFREG | 0600, 0) == 0);
}

static void becomes_itself(void) { STEP(setuid(0) == 0 && setreuid(0, 0) == 0 && setresuid(0, 0, 0) == 0); }
static void becomes_own_group(void) { STEP(setgid(0) == 0 && setregid(0, 0) == 0 && setresgid(0, 0, 0) == 0); }
static void asks_for_groups(void) {
    gid_t groups[64];
    STEP(getgroups(64, groups) >= 0);
}
static void gives_up_privileges(void) { STEP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0); }
static void asks_for_capabilities(void) {
    STEP(prctl(PR_CAPBSET_READ, 0, 0, 0, 0) >= 0 && prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) >= 0);
    STEP(prctl(PR_SET_NAME, "other", 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

static int forked(void) {
    int child;
    STEP((child = fork()) >= 0);
    if (!child) {
        pause();
        _exit(0);
    }
    return child;
}
static void ends_own_child(void) {
    int child = forked();
    STEP(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}
static void reads_memory_of_own_child(void) {
    int child = forked();
    char byte;
    struct iovec to = {&byte, 1}, from = {(void *)&needless, 1};
    STEP(process_vm_readv(child, &to, 1, &from, 1, 0) == 1);
    STEP(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}
static void runs_a_program(void) {
    int child, status;
    if (getenv("RUN_ALREADY"))
        exit(0);
    STEP((child = fork()) >= 0);
    if (!child) {
        setenv("RUN_ALREADY", "1", 1);
        execl("/proc/self/exe", "runs-a-program", (char *)0);
        _exit(1);
    }
    STEP(waitpid(child, &status, 0) == child);
    errno = 0;
    STEP(status == 0);
}

static void binds_high(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int made, one = 1;
    STEP((made = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
    STEP(setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    STEP(bind(made, (struct sockaddr *)&at, sizeof at) == 0 && listen(made, 1) == 0);
}
static void sets_socket_options(void) {
    int made, priority = 6, size = 4096, hops = 3;
    STEP((made = socket(AF_INET, SOCK_DGRAM, 0)) >= 0);
    STEP(setsockopt(made, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority) == 0);
    STEP(setsockopt(made, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
    STEP(setsockopt(made, IPPROTO_IP, IP_TTL, &hops, sizeof hops) == 0);
}
static void pairs_sockets(void) {
    int ends[2];
    STEP(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    STEP(send(ends[0], "x", 1, 0) == 1);
}
static void asks_for_interfaces(void) {
    struct {
        struct nlmsghdr head;
        struct rtgenmsg what;
    } ask = {{sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
    char answer[65536];
    int route;
    STEP((route = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)) >= 0);
    STEP(send(route, &ask, sizeof ask, 0) == sizeof ask && recv(route, answer, sizeof answer, 0) > 0);
}

static void has_own_users(void) { STEP(unshare(CLONE_NEWUSER) == 0); }
static void mounts_among_own_users(void) {
    STEP(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS) == 0);
    STEP(mount("none", "mount", "tmpfs", 0, "size=4k") == 0);
    STEP(sethostname("own", 3) == 0 && chroot("mount") == 0);
    /* A recorder looks at its files a moment later, and they end with it. */
    usleep(100000);
}
static void loads_filter_without_privileges(void) {
    struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
    struct sock_fprog all = {1, &allow};
    STEP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    STEP(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) == 0);
}

static void locks_within_limit(void) {
    static char page[4096];
    struct rlimit limit = {65536, 65536};
    STEP(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    STEP(mlock(page, sizeof page) == 0 && munlock(page, sizeof page) == 0);
}
static void grows(void) {
    STEP(sbrk(1 << 20) != (void *)-1);
    char *map = mmap(NULL, 1 << 22, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    STEP(map != MAP_FAILED);
    memset(map, 1, 1 << 22);
    STEP(mprotect(map, 4096, PROT_READ) == 0 && munmap(map, 1 << 22) == 0);
    STEP(memfd_create("memory", 0) >= 0);
}
static void is_nicer(void) { STEP(setpriority(PRIO_PROCESS, 0, 5) == 0); }
static void runs_in_batch(void) {
    struct sched_param none = {0};
    STEP(sched_setscheduler(0, SCHED_BATCH, &none) == 0 && sched_setscheduler(0, SCHED_OTHER, &none) == 0);
}
static void pins_itself(void) {
    cpu_set_t all;
    STEP(sched_getaffinity(0, sizeof all, &all) == 0 && sched_setaffinity(0, sizeof all, &all) == 0);
}
static void lowers_limit(void) {
    struct rlimit limit = {64, 64};
    STEP(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}
static void grows_pipe_a_bit(void) {
    int ends[2];
    STEP(pipe(ends) == 0 && fcntl(ends[0], F_SETPIPE_SZ, 1 << 17) >= 1 << 17);
}
static void reads_clock(void) {
    struct timex clock = {0};
    STEP(adjtimex(&clock) >= 0);
}
static void sets_timer(void) {
    struct itimerspec soon = {{0, 0}, {0, 1000000}};
    int timer;
    STEP((timer = timerfd_create(CLOCK_BOOTTIME, 0)) >= 0);
    STEP(timerfd_settime(timer, 0, &soon, NULL) == 0);
}
static void shares_own_memory(void) {
    int segment;
    STEP((segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600)) >= 0);
    STEP(shmat(segment, NULL, 0) != (void *)-1 && shmctl(segment, IPC_RMID, NULL) == 0);
}

static void reads(const char *path) {
    char text[4096];
    int file;
    STEP((file = open(path, O_RDONLY)) >= 0 && read(file, text, sizeof text) > 0);
}
static void reads_about_itself(void) {
    reads("/proc/self/stat");
    reads("/proc/self/status");
    reads("/proc/self/maps");
}
static void reads_about_theirs(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", others_process());
    reads(path);
    snprintf(path, sizeof path, "/proc/%d/status", others_process());
    reads(path);
}
static void watches_itself(void) {
    struct perf_event_attr clock = {.type = PERF_TYPE_SOFTWARE, .size = sizeof clock, .config = PERF_COUNT_SW_TASK_CLOCK};
    clock.exclude_kernel = clock.exclude_hv = 1;
    STEP(syscall(SYS_perf_event_open, &clock, 0, -1, -1, 0) >= 0);
}
static void sets_up_ring(void) {
    struct io_uring_params how = {0};
    STEP(syscall(SYS_io_uring_setup, 1, &how) >= 0);
}

const struct example needless[] = {
    {"changes-own-mode", 0, changes_own_mode},
    {"changes-own-mode-of-their-group", 0, changes_own_mode_of_their_group},
    {"gives-to-itself", 0, gives_to_itself},
    {"sets-own-times", 0, sets_own_times},
    {"renames-links-and-removes", 0, renames_links_and_removes},
    {"removes-own-from-sticky", 0, removes_own_from_sticky},
    {"reads-what-all-may", 0, reads_what_all_may},
    {"reads-what-its-group-may", 0, reads_what_its_group_may},
    {"writes-own", 0, writes_own},
    {"asks-for-access", 0, asks_for_access},
    {"lists-attributes", 0, lists_attributes},
    {"leases-own", 0, leases_own},
    {"makes-pipes-by-name", 0, makes_pipes_by_name},
    {"becomes-itself", 0, becomes_itself},
    {"becomes-own-group", 0, becomes_own_group},
    {"asks-for-groups", 0, asks_for_groups},
    {"gives-up-privileges", 0, gives_up_privileges},
    {"asks-for-capabilities", 0, asks_for_capabilities},
    {"ends-own-child", 0, ends_own_child},
    {"reads-memory-of-own-child", 0, reads_memory_of_own_child},
    {"runs-a-program", 0, runs_a_program},
    {"binds-high", 0, binds_high},
    {"sets-socket-options", 0, sets_socket_options},
    {"pairs-sockets", 0, pairs_sockets},
    {"asks-for-interfaces", 0, asks_for_interfaces},
    {"has-own-users", 0, has_own_users},
    {"mounts-among-own-users", 0, mounts_among_own_users},
    {"loads-filter-without-privileges", 0, loads_filter_without_privileges},
    {"locks-within-limit", 0, locks_within_limit},
    {"grows", 0, grows},
    {"is-nicer", 0, is_nicer},
    {"runs-in-batch", 0, runs_in_batch},
    {"pins-itself", 0, pins_itself},
    {"lowers-limit", 0, lowers_limit},
    {"grows-pipe-a-bit", 0, grows_pipe_a_bit},
    {"reads-clock", 0, reads_clock},
    {"sets-timer", 0, sets_timer},
    {"shares-own-memory", 0, shares_own_memory},
    {"reads-about-itself", 0, reads_about_itself},
    {"reads-about-theirs", 0, reads_about_theirs},
    {"watches-itself", 0, watches_itself},
    {"sets-up-ring", 0, sets_up_ring},
    {0},
};
