/* Views of the few kernel structures that are read. Names are the kernel's; the loader finds where each field is in the
 * running kernel (CO-RE), so that fields which are not read need not be here. */
#ifndef LEARN_CORE_H
#define LEARN_CORE_H

#define VIEW __attribute__((preserve_access_index))

/* include/linux/compiler_types.h: a 64-bit kernel has these registers. */
struct pt_regs {
    unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
} VIEW;

struct thread_info {
    __u32 status;
} VIEW;

typedef struct {
    __u32 val;
} kuid_t;

struct user_namespace {
    int level;
} VIEW;

typedef struct {
    __u32 val;
} kgid_t;

/* As it is from kernel 6.3 on; older ones show no checks. */
typedef struct {
    __u64 val;
} kernel_cap_t;

struct cred {
    kuid_t uid, euid, suid, fsuid;
    kgid_t gid, egid, sgid;
    kernel_cap_t cap_bset;
    struct user_namespace *user_ns;
} VIEW;

struct ns_common {
    unsigned int inum;
} VIEW;

struct pid_namespace {
    unsigned int level;
} VIEW;

struct upid {
    int nr;
    struct pid_namespace *ns;
} VIEW;

struct pid {
    unsigned int level;
    struct upid numbers[1];
} VIEW;

struct super_block {
    unsigned long s_flags;
} VIEW;

struct inode {
    kuid_t i_uid;
} VIEW;

struct qstr {
    __u32 len;
    const unsigned char *name;
} VIEW;

struct dentry {
    struct dentry *d_parent;
    struct qstr d_name;
    struct inode *d_inode;
    struct super_block *d_sb;
} VIEW;

struct vfsmount {
    struct dentry *mnt_root;
} VIEW;

struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
} VIEW;

struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
} VIEW;

struct file {
    unsigned int f_mode, f_flags;
    struct path f_path;
} VIEW;

struct vm_area_struct {
    struct file *vm_file;
} VIEW;

struct fdtable {
    unsigned int max_fds;
    struct file **fd;
    unsigned long *open_fds;
} VIEW;

struct files_struct {
    struct fdtable *fdt;
} VIEW;

struct fs_struct {
    struct path root, pwd;
} VIEW;

struct mnt_namespace {
    struct ns_common ns;
} VIEW;

/* Numbers of namespaces are given again; these are not: kernel 6.18 and newer, and older ones. */
struct ns_common___numbered {
    __u64 ns_id;
} VIEW;

struct mnt_namespace___numbered {
    __u64 seq;
} VIEW;

struct nsproxy {
    struct mnt_namespace *mnt_ns;
} VIEW;

struct mm_struct {
    unsigned long arg_start, arg_end;
    struct file *exe_file;
} VIEW;

struct list_head {
    struct list_head *next;
} VIEW;

struct signal_struct {
    struct list_head thread_head;
} VIEW;

struct kernfs_node {
    const char *name;
    struct kernfs_node *parent;
} VIEW;

/* As it is from kernel 6.15 on. */
struct kernfs_node___renamed {
    struct kernfs_node *__parent;
} VIEW;

struct cgroup {
    struct kernfs_node *kn;
} VIEW;

struct cgroup_subsys_state {
    struct cgroup *cgroup;
} VIEW;

struct css_set {
    struct cgroup_subsys_state *subsys[1];
    struct cgroup *dfl_cgrp;
} VIEW;

/* The program that a filter runs, and the one that the user gave (kept where CONFIG_CHECKPOINT_RESTORE is set). */
struct sock_filter {
    __u16 code;
    __u8 jt, jf;
    __u32 k;
};

struct sock_fprog_kern {
    __u16 len;
    struct sock_filter *filter;
} VIEW;

struct bpf_insn {
    __u8 code, registers;
    __u16 off;
    __u32 imm;
};

struct bpf_prog {
    __u32 len;
    struct sock_fprog_kern *orig_prog;
    struct bpf_insn insnsi[1];
} VIEW;

struct seccomp_filter {
    struct bpf_prog *prog;
} VIEW;

struct seccomp {
    int mode;
    struct seccomp_filter *filter;
} VIEW;

struct task_struct {
    struct thread_info thread_info;
    void *stack;
    unsigned long atomic_flags;
    unsigned int flags;
    int pid, tgid;
    struct mm_struct *mm;
    struct fs_struct *fs;
    struct files_struct *files;
    struct nsproxy *nsproxy;
    const struct cred *real_cred;
    const struct cred *cred;
    struct pid *thread_pid;
    struct signal_struct *signal;
    struct task_struct *group_leader;
    struct list_head thread_node;
    struct css_set *cgroups;
    struct seccomp seccomp;
} VIEW;

struct linux_binprm {
    struct file *file;
    const char *filename;
} VIEW;

/* arch/x86/include/asm/thread_info.h */
#define TS_COMPAT 2
/* arch/x86/include/uapi/asm/unistd.h */
#define X32_BIT 0x40000000
/* include/linux/fs.h: the file system has no place in the tree of names (pipes, sockets, memfd). */
#define SB_NOUSER (1UL << 31)
/* include/linux/fs.h: the open made the file. */
#define FMODE_CREATED (1U << 20)
/* include/uapi/linux/fcntl.h */
#define AT_FDCWD (-100)
#define PATH_MAX 4096
#define MAX_ERRNO 4095
/* include/linux/security.h: the kernel does without when it is refused, and tells nobody. */
#define CAP_OPT_NOAUDIT 2
/* include/linux/errno.h: results by which the kernel restarts a call. */
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516

#endif
