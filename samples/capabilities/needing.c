/* Programs that need one capability each, as root with all of them: the kernel asks for that one, and would refuse without. Each
 * finds the files that prepare.c makes. They change nothing of the machine: what they set is what it is already, or their own. */
#include "capabilities.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static void gives_away(void) { STEP(chown("mine", OTHER, -1) == 0); }
static void gives_to_group(void) { STEP(chown("mine", -1, OTHER) == 0); }

static void writes_theirs(void) { STEP(open("theirs", O_WRONLY) >= 0); }
static void creates_in_theirs(void) { STEP(open("their-directory/new", O_CREAT | O_WRONLY, 0600) >= 0); }
static void removes_in_theirs(void) { STEP(unlink("their-directory/file") == 0); }
static void makes_directory_in_theirs(void) { STEP(mkdir("their-directory/new", 0700) == 0); }

static void reads_theirs(void) { STEP(open("theirs", O_RDONLY) >= 0); }
static void searches_theirs(void) {
    struct stat found;
    STEP(stat("their-secret/file", &found) == 0);
}
static void lists_theirs(void) { STEP(open("their-secret", O_RDONLY | O_DIRECTORY) >= 0); }
static void opens_by_handle(void) {
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } of = {.handle.handle_bytes = MAX_HANDLE_SZ};
    int mount, here;
    STEP(name_to_handle_at(AT_FDCWD, "mine", &of.handle, &mount, 0) == 0);
    STEP((here = open(".", O_RDONLY)) >= 0);
    STEP(open_by_handle_at(here, &of.handle, O_RDONLY) >= 0);
}

static void changes_their_mode(void) { STEP(chmod("theirs-of-my-group", 0640) == 0); }
static void sets_their_times(void) {
    struct timespec times[2] = {{1, 0}, {1, 0}};
    STEP(utimensat(AT_FDCWD, "theirs-readable", times, 0) == 0);
}
static void removes_from_sticky(void) { STEP(unlink("sticky/theirs") == 0); }
static void sets_their_attribute(void) {
    /* Everybody may write to it, but only the owner may give a sticky directory an attribute (xattr(7)). */
    STEP(setxattr("sticky", "user.note", "x", 1, 0) == 0);
}

/* Without the capability nothing fails, but the bit is gone afterwards. */
static void still_has(const char *name, int bit) {
    struct stat found;
    STEP(stat(name, &found) == 0);
    errno = EPERM;
    STEP(found.st_mode & bit);
}
static void keeps_group_bit(void) {
    STEP(chmod("mine-of-their-group", 02755) == 0);
    still_has("mine-of-their-group", S_ISGID);
}
static void keeps_bit_in_write(void) {
    int file;
    STEP((file = open("mine-set-id", O_WRONLY)) >= 0);
    STEP(write(file, "x", 1) == 1);
    still_has("mine-set-id", S_ISUID);
}

static void signals_theirs(void) { STEP(kill(others_process(), 0) == 0); }
static void signals_their_thread(void) { STEP(syscall(SYS_tgkill, others_process(), others_process(), 0) == 0); }

static void becomes_group(void) { STEP(setgid(OTHER) == 0); }
static void becomes_groups(void) {
    gid_t groups[] = {OTHER};
    STEP(setgroups(1, groups) == 0);
}
static void becomes_effective_group(void) { STEP(setresgid(-1, OTHER, -1) == 0); }
static void becomes_user(void) { STEP(setuid(OTHER) == 0); }
static void becomes_effective_user(void) { STEP(setresuid(-1, OTHER, -1) == 0); }
static void becomes_real_user(void) { STEP(setreuid(OTHER, -1) == 0); }
static void becomes_user_of_files(void) {
    /* It never fails, but says who the user was: the second call tells. */
    setfsuid(OTHER);
    int now = setfsuid(OTHER);
    errno = EPERM;
    STEP(now == OTHER);
}

static void drops_from_bounding_set(void) { STEP(prctl(PR_CAPBSET_DROP, CAP_WAKE_ALARM, 0, 0, 0) == 0); }
static void sets_securebits(void) { STEP(prctl(PR_SET_SECUREBITS, 1 << SECURE_NO_CAP_AMBIENT_RAISE, 0, 0, 0) == 0); }

static int internet(int type, int protocol) {
    int made;
    STEP((made = socket(AF_INET, type, protocol)) >= 0);
    return made;
}
static void binds(int type, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    STEP(bind(internet(type, 0), (struct sockaddr *)&at, sizeof at) == 0);
}
static void binds_low_stream(void) { binds(SOCK_STREAM, 1021); }
static void binds_low_datagram(void) { binds(SOCK_DGRAM, 1022); }

static void opens_raw(void) { internet(SOCK_RAW, IPPROTO_ICMP); }
static void opens_packet(void) { STEP(socket(AF_PACKET, SOCK_DGRAM, 0) >= 0); }
static void marks(void) {
    int mark = 1;
    STEP(setsockopt(internet(SOCK_DGRAM, 0), SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0);
}

static void forces_buffer(void) {
    int size = 4096;
    STEP(setsockopt(internet(SOCK_DGRAM, 0), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0);
}
static void sets_flags_of_interface(void) {
    struct ifreq lo = {.ifr_name = "lo"};
    int made = internet(SOCK_DGRAM, 0);
    STEP(ioctl(made, SIOCGIFFLAGS, &lo) == 0);
    STEP(ioctl(made, SIOCSIFFLAGS, &lo) == 0);
}

static void changes_root(void) { STEP(chroot(".") == 0); }

static void reads_their_memory(void) {
    char byte;
    struct iovec to = {&byte, 1}, from = {(void *)&needing, 1};
    STEP(process_vm_readv(others_process(), &to, 1, &from, 1, 0) == 1);
}
static void reads_their_executable(void) {
    char link[64], target[4096];
    snprintf(link, sizeof link, "/proc/%d/exe", others_process());
    STEP(readlink(link, target, sizeof target) > 0);
}

static void mounts(void) {
    STEP(mount("none", "mount", "tmpfs", 0, "size=4k") == 0);
    STEP(umount2("mount", MNT_DETACH) == 0);
}
static void leaves_names_of_host(void) { STEP(unshare(CLONE_NEWUTS) == 0); }
static void clones_into_namespace(void) {
    struct clone_args how = {.flags = CLONE_NEWIPC, .exit_signal = SIGCHLD};
    long child;
    STEP((child = syscall(SYS_clone3, &how, sizeof how)) >= 0);
    if (!child)
        _exit(0);
    STEP(waitpid(child, NULL, 0) == child);
}
static void names_host(void) {
    char name[256];
    STEP(gethostname(name, sizeof name) == 0);
    STEP(sethostname(name, strlen(name)) == 0);
}
static void enters_namespace(void) {
    int names;
    STEP((names = open("/proc/self/ns/ipc", O_RDONLY)) >= 0);
    STEP(setns(names, CLONE_NEWIPC) == 0);
}
static void loads_filter(void) {
    struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
    struct sock_fprog all = {1, &allow};
    STEP(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) == 0);
}

static void is_nicer_than_allowed(void) { STEP(setpriority(PRIO_PROCESS, 0, -1) == 0); }
static void runs_in_real_time(void) {
    struct sched_param lowest = {1};
    STEP(sched_setscheduler(0, SCHED_RR, &lowest) == 0);
}
static void pins_theirs(void) {
    cpu_set_t all;
    STEP(sched_getaffinity(others_process(), sizeof all, &all) == 0);
    STEP(sched_setaffinity(others_process(), sizeof all, &all) == 0);
}

static void raises_limit(void) {
    struct rlimit limit = {4096, 4096};
    STEP(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
    limit.rlim_max++;
    STEP(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
}
static void grows_pipe(void) {
    int ends[2], most = 1 << 20;
    FILE *limit = fopen("/proc/sys/fs/pipe-max-size", "r");
    STEP(limit != NULL && fscanf(limit, "%d", &most) == 1);
    STEP(pipe(ends) == 0);
    STEP(fcntl(ends[0], F_SETPIPE_SZ, 2 * most) >= 2 * most);
}

static void sets_clock(void) {
    /* The estimated error, to what it is (adjtimex(2)): any change needs the capability, and this one moves no clock. */
    struct timex clock = {0};
    STEP(adjtimex(&clock) >= 0);
    clock.modes = ADJ_ESTERROR;
    STEP(adjtimex(&clock) >= 0);
}

static void makes_device(void) { STEP(mknod("device", S_IFCHR | 0600, makedev(1, 3)) == 0); }

static void writes_audit(void) {
    struct {
        struct nlmsghdr head;
        char text[16];
    } message = {{sizeof message, AUDIT_USER, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, "learn's sample"};
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char room[256];
    } answer;
    int audit;
    STEP((audit = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)) >= 0);
    STEP(send(audit, &message, sizeof message, 0) == sizeof message);
    STEP(recv(audit, &answer, sizeof answer, 0) > 0);
    errno = -answer.error.error;
    STEP(answer.head.nlmsg_type == NLMSG_ERROR && errno == 0);
}

static void gives_capability_to_file(void) {
    struct vfs_cap_data none = {.magic_etc = VFS_CAP_REVISION_2};
    STEP(setxattr("mine", "security.capability", &none, XATTR_CAPS_SZ_2, 0) == 0);
}

static void locks_beyond_limit(void) {
    static char page[4096];
    struct rlimit none = {0, 0};
    STEP(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    STEP(mlock(page, sizeof page) == 0);
}

static void makes_map(void) {
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_LRU_HASH, .key_size = 4, .value_size = 4, .max_entries = 1};
    STEP(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0);
}

static void watches_kernel(void) {
    struct perf_event_attr clock = {.type = PERF_TYPE_SOFTWARE, .size = sizeof clock, .config = PERF_COUNT_SW_CPU_CLOCK};
    STEP(syscall(SYS_perf_event_open, &clock, 0, -1, -1, 0) >= 0);
}

static void reads_log(void) { STEP(klogctl(9, NULL, 0) >= 0); }

static void leases_theirs(void) {
    int file;
    STEP((file = open("theirs-readable", O_RDONLY)) >= 0);
    STEP(fcntl(file, F_SETLEASE, F_RDLCK) == 0);
}

static void makes_append_only(void) {
    int file, flags;
    STEP((file = open("mine", O_RDONLY)) >= 0);
    STEP(ioctl(file, FS_IOC_GETFLAGS, &flags) == 0);
    flags |= FS_APPEND_FL;
    STEP(ioctl(file, FS_IOC_SETFLAGS, &flags) == 0);
    flags &= ~FS_APPEND_FL;
    STEP(ioctl(file, FS_IOC_SETFLAGS, &flags) == 0);
}

static void looks_at_their_segment(void) {
    struct shmid_ds what;
    int segment;
    STEP((segment = shmget(OTHERS_SEGMENT, 0, 0)) >= 0);
    STEP(shmctl(segment, IPC_STAT, &what) == 0);
}

static void wakes_machine(void) { STEP(timerfd_create(CLOCK_BOOTTIME_ALARM, 0) >= 0); }

static void chooses_number_of_child(void) {
    pid_t wanted = 32000, child;
    while (kill(wanted, 0) == 0)
        wanted--;
    struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (__u64)(unsigned long)&wanted, .set_tid_size = 1};
    STEP((child = syscall(SYS_clone3, &how, sizeof how)) >= 0);
    if (!child)
        _exit(0);
    STEP(waitpid(child, NULL, 0) == wanted);
}

static void ends_accounting(void) {
    /* There is none; only the permission is asked for. */
    STEP(acct(NULL) == 0);
}

static void hangs_up(void) {
    /* A new session has no terminal that could be hung up. */
    STEP(setsid() > 0);
    STEP(vhangup() == 0);
}

const struct example needing[] = {
    {"gives-away", "CAP_CHOWN", gives_away},
    {"gives-to-group", "CAP_CHOWN", gives_to_group},
    {"writes-theirs", "CAP_DAC_OVERRIDE", writes_theirs},
    {"creates-in-theirs", "CAP_DAC_OVERRIDE", creates_in_theirs},
    {"removes-in-theirs", "CAP_DAC_OVERRIDE", removes_in_theirs},
    {"makes-directory-in-theirs", "CAP_DAC_OVERRIDE", makes_directory_in_theirs},
    {"reads-theirs", "CAP_DAC_READ_SEARCH", reads_theirs},
    {"searches-theirs", "CAP_DAC_READ_SEARCH", searches_theirs},
    {"lists-theirs", "CAP_DAC_READ_SEARCH", lists_theirs},
    {"opens-by-handle", "CAP_DAC_READ_SEARCH", opens_by_handle},
    {"changes-their-mode", "CAP_FOWNER", changes_their_mode},
    {"sets-their-times", "CAP_FOWNER", sets_their_times},
    {"removes-from-sticky", "CAP_FOWNER", removes_from_sticky},
    {"sets-their-attribute", "CAP_FOWNER", sets_their_attribute},
    {"keeps-group-bit", "CAP_FSETID", keeps_group_bit},
    {"keeps-bit-in-write", "CAP_FSETID", keeps_bit_in_write},
    {"signals-theirs", "CAP_KILL", signals_theirs},
    {"signals-their-thread", "CAP_KILL", signals_their_thread},
    {"becomes-group", "CAP_SETGID", becomes_group},
    {"becomes-groups", "CAP_SETGID", becomes_groups},
    {"becomes-effective-group", "CAP_SETGID", becomes_effective_group},
    {"becomes-user", "CAP_SETUID", becomes_user},
    {"becomes-effective-user", "CAP_SETUID", becomes_effective_user},
    {"becomes-real-user", "CAP_SETUID", becomes_real_user},
    {"becomes-user-of-files", "CAP_SETUID", becomes_user_of_files},
    {"drops-from-bounding-set", "CAP_SETPCAP", drops_from_bounding_set},
    {"sets-securebits", "CAP_SETPCAP", sets_securebits},
    {"binds-low-stream", "CAP_NET_BIND_SERVICE", binds_low_stream},
    {"binds-low-datagram", "CAP_NET_BIND_SERVICE", binds_low_datagram},
    {"opens-raw", "CAP_NET_RAW", opens_raw},
    {"opens-packet", "CAP_NET_RAW", opens_packet},
    {"marks", "CAP_NET_RAW", marks},
    {"forces-buffer", "CAP_NET_ADMIN", forces_buffer},
    {"sets-flags-of-interface", "CAP_NET_ADMIN", sets_flags_of_interface},
    {"changes-root", "CAP_SYS_CHROOT", changes_root},
    {"reads-their-memory", "CAP_SYS_PTRACE", reads_their_memory},
    {"reads-their-executable", "CAP_SYS_PTRACE", reads_their_executable},
    {"mounts", "CAP_SYS_ADMIN", mounts},
    {"leaves-names-of-host", "CAP_SYS_ADMIN", leaves_names_of_host},
    {"clones-into-namespace", "CAP_SYS_ADMIN", clones_into_namespace},
    {"names-host", "CAP_SYS_ADMIN", names_host},
    {"enters-namespace", "CAP_SYS_ADMIN", enters_namespace},
    {"loads-filter", "CAP_SYS_ADMIN", loads_filter},
    {"is-nicer-than-allowed", "CAP_SYS_NICE", is_nicer_than_allowed},
    {"runs-in-real-time", "CAP_SYS_NICE", runs_in_real_time},
    {"pins-theirs", "CAP_SYS_NICE", pins_theirs},
    {"raises-limit", "CAP_SYS_RESOURCE", raises_limit},
    {"grows-pipe", "CAP_SYS_RESOURCE", grows_pipe},
    {"sets-clock", "CAP_SYS_TIME", sets_clock},
    {"makes-device", "CAP_MKNOD", makes_device},
    {"writes-audit", "CAP_AUDIT_WRITE", writes_audit},
    {"gives-capability-to-file", "CAP_SETFCAP", gives_capability_to_file},
    {"locks-beyond-limit", "CAP_IPC_LOCK", locks_beyond_limit},
    {"makes-map", "CAP_BPF", makes_map},
    {"watches-kernel", "CAP_PERFMON", watches_kernel},
    {"reads-log", "CAP_SYSLOG", reads_log},
    {"leases-theirs", "CAP_LEASE", leases_theirs},
    {"makes-append-only", "CAP_LINUX_IMMUTABLE", makes_append_only},
    {"looks-at-their-segment", "CAP_IPC_OWNER", looks_at_their_segment},
    {"wakes-machine", "CAP_WAKE_ALARM", wakes_machine},
    {"chooses-number-of-child", "CAP_CHECKPOINT_RESTORE", chooses_number_of_child},
    {"ends-accounting", "CAP_SYS_PACCT", ends_accounting},
    {"hangs-up", "CAP_SYS_TTY_CONFIG", hangs_up},
    {0},
};
