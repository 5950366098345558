/* Paths as the kernel has resolved them: from a directory entry upwards, across mounts, to the root of the namespace. */
#ifndef LEARN_PATHS_H
#define LEARN_PATHS_H

#include "record.h"

/* Names of a path. A deeper one is not kept, and that is said. */
#define DEPTH 160
/* include/uapi/linux/limits.h, NAME_MAX */
#define NAME_MAX 255

/* Where a walk ended, and that it was given up. */
#define GIVEN_UP (1ULL << 32)

/* Writes a path from the last name to the first, each followed by a slash, behind `end`. Returns where it ends, or begins with
 * GIVEN_UP. The numbers are a struct dentry's and a struct vfsmount's. */
GLOBAL __u64 walk(__u64 from, __u64 in, __u32 end) {
    struct scratch *s = scratch();
    struct dentry *dentry = (struct dentry *)from, *parent = 0, *root = 0;
    struct vfsmount *vfsmount = (struct vfsmount *)in;
    struct mount *mount, *above = 0;
    struct qstr name = {};
    __u32 begun = end, length, alone, i;

    if (!s)
        return begun | GIVEN_UP;
    READ(root, vfsmount->mnt_root);
    for (i = 0; i < DEPTH; i++) {
        if (dentry == root) {
            mount = (void *)vfsmount - __builtin_preserve_field_info(((struct mount *)0)->mnt, 0);
            above = 0;
            READ(above, mount->mnt_parent);
            if (!above || above == mount)
                goto done;
            READ(dentry, mount->mnt_mountpoint);
            vfsmount = __builtin_preserve_access_index(&above->mnt);
            READ(root, vfsmount->mnt_root);
            continue;
        }
        READ(parent, dentry->d_parent);
        READ(name.len, dentry->d_name.len);
        /* The root of a file system that is mounted nowhere, or not any more, which is called "/"; or what stands in no tree: memory
         * that is executed, by its name. */
        alone = parent == dentry || !parent;
        if (alone && name.len <= 1)
            goto done;
        READ(name.name, dentry->d_name.name);
        length = name.len & NAME_MAX;
        barrier(length);
        if (bpf_probe_read_kernel(s->bytes + at(end), length & NAME_MAX, name.name))
            goto cut;
        end += length;
        s->bytes[at(end)] = '/';
        end++;
        if (end - begun > PATH_MAX)
            goto cut;
        if (alone)
            goto done;
        dentry = parent;
    }
cut:
    return begun | GIVEN_UP;
done:
    return end;
}

/* Puts a resolved path in. */
INLINE void put_path(struct scratch *s, __u32 which, __u32 *end, struct path *path) {
    struct dentry *dentry = 0;
    struct vfsmount *mnt = 0;
    __u64 walked;

    READ(dentry, path->dentry);
    READ(mnt, path->mnt);
    walked = walk((__u64)dentry, (__u64)mnt, *end);
    if (walked & GIVEN_UP)
        s->head.says |= LEARN_CUT;
    part(s, which, end, (__u32)walked - *end);
}

INLINE struct file *file_of(struct task_struct *task, __u32 fd) {
    struct files_struct *files = 0;
    struct fdtable *table = 0;
    struct file **all = 0, *file = 0;
    unsigned int most = 0;

    READ(files, task->files);
    READ(table, files->fdt);
    READ(most, table->max_fds);
    if (fd >= most)
        return 0;
    READ(all, table->fd);
    bpf_probe_read_kernel(&file, sizeof(file), all + fd);
    return file;
}

/* Whether a file stands in the tree of names. */
INLINE int has_path(struct file *file) {
    struct dentry *dentry = 0;
    struct super_block *sb = 0;
    unsigned long flags = SB_NOUSER;

    READ(dentry, file->f_path.dentry);
    READ(sb, dentry->d_sb);
    READ(flags, sb->s_flags);
    return !(flags & SB_NOUSER);
}

/* Puts an object in that the kernel has resolved: its path, and whose it is. */
INLINE void put_object(struct scratch *s, __u32 *end, struct path *path) {
    struct dentry *dentry = 0;
    struct inode *inode = 0;
    kuid_t owner = {};

    put_path(s, LEARN_BASE, end, path);
    READ(dentry, path->dentry);
    READ(inode, dentry->d_inode);
    s->head.says |= LEARN_BASE_IS_OBJECT;
    if (!READ(owner, inode->i_uid)) {
        s->head.says |= LEARN_OWNER_KNOWN;
        if (owner.val != s->head.fsuid)
            s->head.says |= LEARN_NOT_OWNER;
    }
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

/* The task's own view: who it is, where its root is. */
INLINE struct fs_struct *put_view(struct scratch *s, struct task_struct *task, __u32 *end) {
    const struct cred *cred = 0;
    struct fs_struct *fs = 0;
    kuid_t fsuid = {};

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
