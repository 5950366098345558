/* What no call tells: operations that io_uring carries out, in the middle of a call or in a thread of the kernel's. They are heard of
 * where the kernel asks its security modules (security/security.c), with the paths that it has resolved, when none of these refuses.
 *
 * Kernel 5.12 and newer: since then such a thread belongs to the process that asked (kernel/fork.c, create_io_thread).
 */
#ifndef LEARN_HOOKS_H
#define LEARN_HOOKS_H

#include "files.h"

/* include/linux/sched.h */
#define PF_IO_WORKER 0x10
/* include/uapi/asm-generic/mman-common.h */
#define PROT_EXEC 4
/* include/uapi/linux/stat.h */
#define S_IFMT 0170000
#define S_IFREG 0100000

/* The recorded task for which the kernel does what no call of it tells. */
INLINE struct learn_task *served(void) {
    struct learn_task *t = current_recorded();
    struct task_struct *task = bpf_get_current_task();
    struct learn_rule *rule;
    unsigned int flags = 0;

    if (t) {
        rule = rule_of(t->abi, t->nr);
        if (t->where != LEARN_IN || !rule || !(rule->does & LEARN_HIDES))
            return 0;
    } else {
        READ(flags, task->flags);
        if (!(flags & PF_IO_WORKER))
            return 0;
        t = recorded(bpf_get_current_pid_tgid() >> 32);
    }
    return t && t->phase != LEARN_STARTING ? t : 0;
}

/* Begins a record of what no call tells. */
INLINE void begin_untold(struct scratch *s, const struct learn_task *t, __u32 does, __u32 *end) {
    begin(s, LEARN_HOOKED, t);
    /* Which call was under way does not matter. */
    s->head.nr = 0;
    s->head.abi = 0;
    s->head.args[0] = does;
    put_view(s, bpf_get_current_task(), end);
}

/* Begins one in the room for hooks, where another hook's program might be at work that was interrupted: that is a loss. */
INLINE struct scratch *begin_hooked(const struct learn_task *t, __u32 does, __u32 *end) {
    struct scratch *s = scratch_at(0);

    if (!s)
        return 0;
    if (__sync_val_compare_and_swap(&s->hooked, 0, (__u32)bpf_get_current_pid_tgid())) {
        lose(LEARN_LOST_HOOKED);
        return 0;
    }
    s = scratch();
    if (s)
        begin_untold(s, t, does, end);
    return s;
}

INLINE int end_hooked(__u32 end) {
    struct scratch *s;

    send(end);
    s = scratch_at(0);
    if (s)
        s->hooked = 0;
    return 0;
}

/* Puts a name in a directory in, that stands for something or not yet. */
INLINE void put_entry(struct scratch *s, __u32 which, __u32 *end, const struct path *directory, __u64 entry) {
    struct dentry *dentry = (struct dentry *)plain(s, entry);
    struct vfsmount *mnt = 0;
    struct inode *inode = 0;

    READ(mnt, directory->mnt);
    put_walked(s, which, end, (__u64)dentry, (__u64)mnt);
    READ(inode, dentry->d_inode);
    if (which == LEARN_BASE && inode)
        put_owner(s, inode);
}

/* One name in a directory. */
INLINE int entry(__u32 does, __u64 directory, __u64 name, __s32 refused) {
    struct learn_task *t = served();
    struct scratch *s;
    __u32 end = 0;

    if (!t || refused)
        return 0;
    s = begin_hooked(t, does, &end);
    if (!s)
        return 0;
    put_entry(s, LEARN_BASE, &end, (const struct path *)directory, name);
    return end_hooked(end);
}

/* A new name beside an old one. */
INLINE int entries(__u32 does, __u32 flags, __u64 directory, __u64 name, __u64 directory_2, __u64 name_2, __s32 refused) {
    struct learn_task *t = served();
    struct scratch *s;
    __u32 end = 0;

    if (!t || refused)
        return 0;
    s = begin_hooked(t, does, &end);
    if (!s)
        return 0;
    s->head.args[1] = flags;
    put_entry(s, LEARN_BASE, &end, (const struct path *)directory, name);
    put_entry(s, LEARN_BASE_2, &end, (const struct path *)directory_2, name_2);
    return end_hooked(end);
}

SEC("fexit/security_file_open")
int file_opened(__u64 *ctx) {
    struct file *file = (struct file *)ctx[0];
    struct learn_task *t = served();
    struct scratch *s;
    unsigned int flags = 0, mode = 0;
    __u32 end = 0;

    if (!t || (__s32)ctx[1] || !has_path(file))
        return 0;
    s = begin_hooked(t, LEARN_DOES_OPEN, &end);
    if (!s)
        return 0;
    READ(flags, file->f_flags);
    READ(mode, file->f_mode);
    s->head.open_flags = flags;
    if (mode & FMODE_CREATED)
        s->head.says |= LEARN_CREATED;
    put_object(s, &end, __builtin_preserve_access_index(&file->f_path));
    return end_hooked(end);
}

/* (mapping, what the call asked for, what it becomes): a file's mapping becomes executable. Which file that is the call does not tell,
 * so it is heard of here for every task. */
SEC("fexit/security_file_mprotect")
int mapping_changed(__u64 *ctx) {
    struct vm_area_struct *mapping = (struct vm_area_struct *)ctx[0];
    struct learn_task *t;
    struct file *file = 0;
    struct scratch *s;
    __u32 end = 0;

    if (!(ctx[2] & PROT_EXEC) || (__s32)ctx[3])
        return 0;
    READ(file, mapping->vm_file);
    if (!file || !has_path(file))
        return 0;
    t = current_recorded();
    if (!t || t->phase == LEARN_STARTING)
        return 0;
    s = begin_hooked(t, LEARN_DOES_MAP, &end);
    if (!s)
        return 0;
    put_object(s, &end, __builtin_preserve_access_index(&file->f_path));
    return end_hooked(end);
}

SEC("fexit/security_path_mknod")
int node_made(__u64 *ctx) {
    __u32 kind = (__u32)ctx[2] & S_IFMT;

    return entry(!kind || kind == S_IFREG ? LEARN_DOES_CREATE : LEARN_DOES_MKNOD, ctx[0], ctx[1], ctx[4]);
}

SEC("fexit/security_path_mkdir")
int directory_made(__u64 *ctx) {
    return entry(LEARN_DOES_MKDIR, ctx[0], ctx[1], ctx[3]);
}

SEC("fexit/security_path_rmdir")
int directory_removed(__u64 *ctx) {
    return entry(LEARN_DOES_RMDIR, ctx[0], ctx[1], ctx[2]);
}

SEC("fexit/security_path_unlink")
int name_removed(__u64 *ctx) {
    return entry(LEARN_DOES_UNLINK, ctx[0], ctx[1], ctx[2]);
}

SEC("fexit/security_path_symlink")
int symlink_made(__u64 *ctx) {
    return entry(LEARN_DOES_SYMLINK, ctx[0], ctx[1], ctx[3]);
}

/* (old name, new directory, new name): both are in one mount. */
SEC("fexit/security_path_link")
int link_made(__u64 *ctx) {
    return entries(LEARN_DOES_LINK, 0, ctx[1], ctx[2], ctx[1], ctx[0], ctx[3]);
}

/* (old directory, old name, new directory, new name, flags) */
SEC("fexit/security_path_rename")
int name_changed(__u64 *ctx) {
    return entries(LEARN_DOES_RENAME, (__u32)ctx[4], ctx[0], ctx[1], ctx[2], ctx[3], ctx[5]);
}

#endif
