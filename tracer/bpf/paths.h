/* Paths as the kernel has resolved them: from a directory entry upwards, across mounts, to the root of the namespace. */
#ifndef LEARN_PATHS_H
#define LEARN_PATHS_H

#include "record.h"

/* Names of a path. A deeper one is not kept, and that is said. */
#define DEPTH 160
/* include/uapi/linux/limits.h, NAME_MAX */
#define NAME_MAX 255

/* A pointer that the verifier knows as one, as a plain number: it forgets what comes out of a map. No call has an argument at this place. */
INLINE __u64 plain(struct scratch *s, __u64 pointer) {
    *(volatile __u64 *)&s->args[7] = pointer;
    return *(volatile __u64 *)&s->args[7];
}

/* A field of the structure of which the first bytes were read, if it is among them (FOUND). */
#define FOUND(type, field) (OFFSET(type, field) <= STRUCTURE - 8)
#define FIRST(s, type, field) (*(__u64 *)((s)->first + OFFSET(type, field)))

INLINE void read_step(struct scratch *s, struct dentry *dentry) {
    if (FOUND(struct dentry, d_parent) && FOUND(struct dentry, d_name.len) && FOUND(struct dentry, d_name.name) &&
        FOUND(struct dentry, d_inode) && FOUND(struct dentry, d_sb)) {
        bpf_probe_read_kernel(s->first, STRUCTURE, dentry);
        s->step.parent = FIRST(s, struct dentry, d_parent);
        s->step.length = FIRST(s, struct dentry, d_name.len);
        s->step.name = FIRST(s, struct dentry, d_name.name);
        s->step.inode = FIRST(s, struct dentry, d_inode);
        s->step.super_block = FIRST(s, struct dentry, d_sb);
        return;
    }
    READ(s->step.parent, dentry->d_parent);
    READ(s->step.length, dentry->d_name.len);
    READ(s->step.name, dentry->d_name.name);
    READ(s->step.inode, dentry->d_inode);
    READ(s->step.super_block, dentry->d_sb);
}

/* A short name stands in its entry (include/linux/dcache.h, DNAME_INLINE_LEN), and was read with it. */
#define SHORT_NAME 40

/* Puts the name of the entry that was read at the end. Returns whether it could be read. */
INLINE int put_step(struct scratch *s, __u64 dentry, __u32 end, __u32 length) {
    __u64 from = s->step.name - dentry, *to = (__u64 *)(s->bytes + at(end)), *name;
    __u32 i;

    if (from > STRUCTURE - SHORT_NAME || length > SHORT_NAME)
        return !bpf_probe_read_kernel(to, length & NAME_MAX, (const void *)s->step.name);
    name = (__u64 *)(s->first + from);
    /* What stands behind the name is written over by the next. */
    for (i = 0; i < SHORT_NAME / 8; i++)
        to[i] = name[i];
    return 1;
}

INLINE void read_crossing(struct crossing *to, struct mount *mount) {
    if (OFFSET(struct mount, mnt_mountpoint) == OFFSET(struct mount, mnt_parent) + 8 &&
        OFFSET(struct mount, mnt.mnt_root) == OFFSET(struct mount, mnt_parent) + 16) {
        bpf_probe_read_kernel(to, sizeof(*to), __builtin_preserve_access_index(&mount->mnt_parent));
        return;
    }
    READ(to->above, mount->mnt_parent);
    READ(to->mountpoint, mount->mnt_mountpoint);
    READ(to->root, mount->mnt.mnt_root);
}

/* Reads what is known of a mount: most files of a record are in the same one as the root. */
INLINE void enter_mount(struct scratch *s, struct mount *mount) {
    if (s->mount == (__u64)mount)
        return;
    __builtin_memset(&s->crossing, 0, sizeof(s->crossing));
    read_crossing(&s->crossing, mount);
    s->mount = (__u64)mount;
}

/* A struct path, which is these two (include/linux/path.h). */
struct place_of {
    struct vfsmount *mnt;
    struct dentry *dentry;
};

INLINE void read_place(struct place_of *to, struct path *path) {
    bpf_probe_read_kernel(to, sizeof(*to), path);
}

INLINE struct mount *mount_of(struct vfsmount *vfsmount) {
    return (void *)vfsmount - __builtin_preserve_field_info(((struct mount *)0)->mnt, 0);
}

/* Where a walk ended, and that it was given up. */
#define GIVEN_UP (1ULL << 32)

/* Writes a path from the last name to the first, each followed by a slash, behind `end`. Returns where it ends, or begins with
 * GIVEN_UP. The numbers are a struct dentry's and a struct vfsmount's. */
GLOBAL __u64 walk(__u64 from, __u64 in, __u32 end) {
    struct scratch *s = scratch();
    __u64 dentry = from, mount = (__u64)mount_of((struct vfsmount *)in), above;
    __u32 begun = end, length, alone, i;

    if (!s)
        return begun | GIVEN_UP;
    enter_mount(s, (struct mount *)mount);
    for (i = 0; i < DEPTH; i++) {
        if (dentry == (__u64)s->crossing.root) {
            above = (__u64)s->crossing.above;
            if (!above || above == mount)
                goto done;
            dentry = (__u64)s->crossing.mountpoint;
            mount = above;
            enter_mount(s, (struct mount *)mount);
            continue;
        }
        read_step(s, (struct dentry *)dentry);
        if (!i)
            s->begun = s->step;
        /* The root of a file system that is mounted nowhere, or not any more, which is called "/"; or what stands in no tree: memory
         * that is executed, by its name. */
        alone = s->step.parent == dentry || !s->step.parent;
        if (alone && (__u32)s->step.length <= 1)
            goto done;
        length = s->step.length & NAME_MAX;
        barrier(length);
        if (!put_step(s, dentry, end, length))
            goto cut;
        end += length;
        s->bytes[at(end)] = '/';
        end++;
        if (end - begun > PATH_MAX)
            goto cut;
        if (alone)
            goto done;
        dentry = s->step.parent;
    }
cut:
    return begun | GIVEN_UP;
done:
    return end;
}

/* Puts the path in that a walk from there gives. */
INLINE void put_walked(struct scratch *s, __u32 which, __u32 *end, __u64 dentry, __u64 mnt) {
    __u64 walked = walk(dentry, mnt, *end);

    if (walked & GIVEN_UP)
        s->head.says |= LEARN_CUT;
    part(s, which, end, (__u32)walked - *end);
}

/* Puts a resolved path in. */
INLINE void put_path(struct scratch *s, __u32 which, __u32 *end, struct path *path) {
    struct place_of at;

    read_place(&at, path);
    put_walked(s, which, end, (__u64)at.dentry, (__u64)at.mnt);
}

/* A file that the current task has open. */
INLINE struct file *file_of(struct task_struct *task, __u32 fd) {
    struct files_struct *files = 0;
    struct fdtable *table = 0;
    struct file **all = 0, *file = 0;
    unsigned int most = 0;

    if (HAS(get_current_task_btf)) {
        task = bpf_get_current_task_btf();
        table = task->files->fdt;
        most = table->max_fds;
        all = table->fd;
    } else {
        READ(files, task->files);
        READ(table, files->fdt);
        READ(most, table->max_fds);
        READ(all, table->fd);
    }
    if (fd >= most)
        return 0;
    bpf_probe_read_kernel(&file, sizeof(file), all + fd);
    return file;
}

INLINE int is_in_tree(struct super_block *sb) {
    unsigned long flags = SB_NOUSER;

    READ(flags, sb->s_flags);
    return !(flags & SB_NOUSER);
}

/* Whether a file stands in the tree of names. */
INLINE int has_path(struct file *file) {
    struct dentry *dentry = 0;
    struct super_block *sb = 0;

    READ(dentry, file->f_path.dentry);
    READ(sb, dentry->d_sb);
    return is_in_tree(sb);
}

/* Puts in whose a file is. */
INLINE void put_owner(struct scratch *s, struct inode *inode) {
    kuid_t owner = {};

    if (!READ(owner, inode->i_uid)) {
        s->head.says |= LEARN_OWNER_KNOWN;
        if (owner.val != s->head.fsuid)
            s->head.says |= LEARN_NOT_OWNER;
    }
}

/* Puts an object in that the kernel has resolved: its path, and whose it is. */
INLINE void put_resolved(struct scratch *s, __u32 *end, struct place_of at) {
    struct dentry *dentry = at.dentry;

    s->begun.super_block = 0;
    put_walked(s, LEARN_BASE, end, (__u64)dentry, (__u64)at.mnt);
    if (!s->begun.super_block) {
        READ(s->begun.inode, dentry->d_inode);
        READ(s->begun.super_block, dentry->d_sb);
    }
    s->head.says |= LEARN_BASE_IS_OBJECT;
    put_owner(s, (struct inode *)s->begun.inode);
}

INLINE void put_object(struct scratch *s, __u32 *end, struct path *path) {
    struct place_of at;

    read_place(&at, path);
    put_resolved(s, end, at);
}

INLINE struct mnt_namespace *mounts_of(struct task_struct *task) {
    struct nsproxy *proxy = 0;
    struct mnt_namespace *mounts = 0;

    READ(proxy, task->nsproxy);
    READ(mounts, proxy->mnt_ns);
    return mounts;
}

/* The number that procfs shows. */
INLINE __u64 mount_namespace(struct task_struct *task) {
    struct mnt_namespace *mounts = mounts_of(task);
    unsigned int number = 0;

    READ(number, mounts->ns.inum);
    return number;
}

/* A number that no other mount namespace has had or will have. */
INLINE __u64 mount_sequence(struct task_struct *task) {
    struct mnt_namespace *mounts = mounts_of(task);
    struct ns_common___numbered *common = (void *)__builtin_preserve_access_index(&mounts->ns);
    __u64 number = 0;

    if (EXISTS(struct ns_common___numbered, ns_id))
        READ(number, common->ns_id);
    else if (EXISTS(struct mnt_namespace___numbered, seq))
        READ(number, ((struct mnt_namespace___numbered *)mounts)->seq);
    return number;
}

/* The same as put_view, with what the task's type leads to. */
INLINE struct fs_struct *put_typed_view(struct scratch *s, __u32 *end) {
    struct task_struct *task = bpf_get_current_task_btf();
    struct mnt_namespace *mounts = task->nsproxy->mnt_ns;
    struct fs_struct *fs = task->fs;
    __u64 number = 0;

    s->head.fsuid = task->cred->fsuid.val;
    s->head.mount_namespace = mounts->ns.inum;
    if (EXISTS(struct ns_common___numbered, ns_id))
        number = ((struct ns_common___numbered *)__builtin_preserve_access_index(&mounts->ns))->ns_id;
    else if (EXISTS(struct mnt_namespace___numbered, seq))
        number = ((struct mnt_namespace___numbered *)mounts)->seq;
    s->head.mount_sequence = number;
    put_walked(s, LEARN_ROOT, end, plain(s, (__u64)fs->root.dentry), plain(s, (__u64)fs->root.mnt));
    return (struct fs_struct *)plain(s, (__u64)fs);
}

/* The current task's own view: who it is, where its root is. */
INLINE struct fs_struct *put_view(struct scratch *s, struct task_struct *task, __u32 *end) {
    const struct cred *cred = 0;
    struct fs_struct *fs = 0;
    kuid_t fsuid = {};

    if (HAS(get_current_task_btf))
        return put_typed_view(s, end);
    READ(cred, task->cred);
    READ(fsuid, cred->fsuid);
    s->head.fsuid = fsuid.val;
    s->head.mount_namespace = mount_namespace(task);
    s->head.mount_sequence = mount_sequence(task);
    READ(fs, task->fs);
    put_path(s, LEARN_ROOT, end, __builtin_preserve_access_index(&fs->root));
    return fs;
}

#endif
