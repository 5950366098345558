/* What a call did to files and sockets, put together at its end: the kernel has resolved by then what it resolves. */
#ifndef LEARN_FILES_H
#define LEARN_FILES_H

#include "calls.h"
#include "paths.h"

/* include/uapi/asm-generic/fcntl.h */
#define O_TMPFILE_BIT 020000000
/* include/linux/socket.h */
#define AF_UNIX 1
#define ADDRESS_MAX 128
/* include/uapi/asm-generic/errno-base.h */
#define ENOEXEC 8

INLINE __u64 argument(const struct scratch *s, __u32 index) {
    return s->args[index & 7];
}

INLINE void read_arguments(struct scratch *s, const struct pt_regs *regs, __u8 abi) {
    if (abi == LEARN_I386) {
        s->args[0] = (__u32)regs->bx;
        s->args[1] = (__u32)regs->cx;
        s->args[2] = (__u32)regs->dx;
        s->args[3] = (__u32)regs->si;
        s->args[4] = (__u32)regs->di;
        s->args[5] = (__u32)regs->bp;
    } else {
        s->args[0] = regs->di;
        s->args[1] = regs->si;
        s->args[2] = regs->dx;
        s->args[3] = regs->r10;
        s->args[4] = regs->r8;
        s->args[5] = regs->r9;
    }
}

/* The word in memory that a call's meaning depends on; 0 where the pointer leads nowhere. */
INLINE void read_word(struct scratch *s, const struct learn_rule *rule) {
    __u32 word = 0;

    bpf_probe_read_user(&word, sizeof(word), (const void *)(argument(s, rule->word_pointer) + rule->word_offset));
    s->args[LEARN_IN_MEMORY] = word;
}

INLINE int applies(const struct scratch *s, const struct learn_rule *rule) {
    __u64 value = argument(s, rule->when_argument) & 0xffffffff;

    if (rule->when == LEARN_WHEN_BITS)
        return !!(value & rule->when_bits);
    if (rule->when == LEARN_WHEN_ONE_OF)
        return value < 64 && (rule->when_bits >> value & 1);
    if (rule->when == LEARN_WHEN_IS)
        return value == rule->when_bits;
    return 1;
}

/* The directory that a relative name starts from. Returns 0 when there is none, and the call fails. */
INLINE struct path *directory_of(const struct scratch *s, struct task_struct *task, const struct learn_object *object) {
    __s32 fd = (__s32)argument(s, object->dir);
    struct fs_struct *fs = 0;
    struct file *file;

    if (object->names == LEARN_NAMES_PATH || fd == AT_FDCWD) {
        READ(fs, task->fs);
        return __builtin_preserve_access_index(&fs->pwd);
    }
    file = file_of(task, fd);
    return file ? __builtin_preserve_access_index(&file->f_path) : 0;
}

/* The number behind "/proc/self/fd/" or "/dev/fd/" in a name (proc(5)), or -1: what the link leads to may be closed before the
 * recorder can look, and libc names files so that it has open (fchmodat). */
INLINE __s32 open_file_in(const struct scratch *s, __u32 name) {
    const __u8 *bytes = s->bytes + at(name);
    __u32 i, digit, fd = 0, digits;

    if (!__builtin_memcmp(bytes, "/proc/self/fd/", 14))
        digits = 14;
    else if (!__builtin_memcmp(bytes, "/dev/fd/", 8))
        digits = 8;
    else
        return -1;
    for (i = 0; i < 9; i++) {
        digit = bytes[digits + i] - '0';
        if (digit > 9)
            return i && (digit == (__u32)-'0' || digit == (__u32)('/' - '0')) ? (__s32)fd : -1;
        fd = fd * 10 + digit;
    }
    return -1;
}

/* What put_named returns when the call concerns no file. */
#define NO_FILE (1ULL << 32)

/* Puts an object in that is named by a path, behind `end`. Returns where it ends. The object is a struct learn_object's three
 * fields: a function of plain numbers is verified once, and older kernels have not the patience to do so at every call. Linux 5.10 grants it
 * and all that it calls and is called by 512 bytes of stack, so that there is one place for what is read of a path. */
GLOBAL __u64 put_named(__u32 names, __u32 dir, __u32 path, __u32 second, __u32 end) {
    struct learn_object named = {.names = names, .dir = dir, .path = path}, *object = &named;
    struct scratch *s = scratch();
    struct path *from = 0;
    const void *address;
    __u32 begun = at(end);
    __u32 base = second ? LEARN_BASE_2 : LEARN_BASE, name = second ? LEARN_NAME_2 : LEARN_NAME;
    struct file *file;
    __s32 fd;
    long length = 0;

    if (!s)
        return NO_FILE;
    address = (const void *)argument(s, object->path);
    s->bytes[begun] = 0;
    if (address) {
        length = bpf_probe_read_user_str(s->bytes + begun, PATH_MAX, address);
        if (length < 0) {
            s->head.says |= LEARN_UNREADABLE;
            return end;
        }
        if (length == PATH_MAX)
            s->head.says |= LEARN_CUT;
        if (length)
            length--;
    }
    if (!length) {
        /* AT_EMPTY_PATH, or no path at all: the descriptor itself. */
        fd = (__s32)argument(s, object->dir);
        if (object->names == LEARN_NAMES_PATH || fd == AT_FDCWD)
            return NO_FILE;
        file = file_of(bpf_get_current_task(), fd);
        if (!file || !has_path(file))
            return NO_FILE;
        from = __builtin_preserve_access_index(&file->f_path);
        s->head.says |= second ? LEARN_BASE_2_IS_OBJECT : LEARN_BASE_IS_OBJECT;
    } else {
        fd = open_file_in(s, begun);
        part(s, name, &end, length & (PATH_MAX - 1));
        file = fd < 0 ? 0 : file_of(bpf_get_current_task(), fd);
        if (file && has_path(file)) {
            from = __builtin_preserve_access_index(&file->f_path);
            s->head.says |= second ? LEARN_THROUGH_FD_2 : LEARN_THROUGH_FD;
        } else if (s->bytes[begun] != '/') {
            from = directory_of(s, bpf_get_current_task(), object);
            if (!from)
                s->head.says |= second ? LEARN_NO_BASE_2 : LEARN_NO_BASE;
        }
    }
    if (from)
        put_path(s, base, &end, from);
    return end;
}

/* The file that a descriptor stands for. Returns 0 when that is none, or has no path. */
INLINE int put_descriptor(struct scratch *s, struct task_struct *task, __u32 fd, __u32 *end) {
    struct file *file = file_of(task, fd);
    struct place_of at;
    unsigned int mode = 0;

    if (!file)
        return 0;
    if (FOUND(struct file, f_mode) && FOUND(struct file, f_path.mnt) && FOUND(struct file, f_path.dentry)) {
        bpf_probe_read_kernel(s->first, STRUCTURE, file);
        mode = (__u32)FIRST(s, struct file, f_mode);
        at.mnt = (struct vfsmount *)FIRST(s, struct file, f_path.mnt);
        at.dentry = (struct dentry *)FIRST(s, struct file, f_path.dentry);
    } else {
        READ(mode, file->f_mode);
        read_place(&at, __builtin_preserve_access_index(&file->f_path));
    }
    put_resolved(s, end, at);
    if (mode & FMODE_CREATED)
        s->head.says |= LEARN_CREATED;
    return is_in_tree((struct super_block *)s->begun.super_block);
}

/* Reads a sockaddr. Returns 0 when none is given. */
INLINE int put_address(struct scratch *s, const struct learn_rule *rule, struct fs_struct *fs, __u32 *end) {
    const void *address = (const void *)argument(s, rule->first.path);
    __u32 length = (__u32)argument(s, rule->first.dir), start = at(*end);
    __u16 family;

    if (!address || length < 2)
        return 0;
    if (length > ADDRESS_MAX)
        length = ADDRESS_MAX;
    barrier(length);
    if (bpf_probe_read_user(s->bytes + start, length & 255, address)) {
        s->head.says |= LEARN_UNREADABLE;
        return 1;
    }
    part(s, LEARN_NAME, end, length);
    family = s->bytes[start] | s->bytes[start + 1] << 8;
    /* A path in the file tree, and not from its root. */
    if (family == AF_UNIX && length > 2 && s->bytes[start + 2] && s->bytes[start + 2] != '/')
        put_path(s, LEARN_BASE, end, __builtin_preserve_access_index(&fs->pwd));
    return 1;
}

INLINE int put_object_named(const struct learn_object *object, __u32 second, __u32 *end) {
    __u64 put = put_named(object->names, object->dir, object->path, second, *end);

    *end = (__u32)put;
    return !(put & NO_FILE);
}

/* The current task's call at its end, if it concerns files, sockets or addresses. `scratch()->args` has its arguments. */
GLOBAL int record_call(__u32 abi, __u32 nr, __u64 returned) {
    struct task_struct *task = bpf_get_current_task();
    struct learn_task *t = current_recorded();
    struct learn_rule *rule = rule_of(abi, nr);
    struct scratch *s = scratch();
    __s64 result = returned;
    struct fs_struct *fs;
    __u16 outcome = outcome_of(result);
    __u32 end = 0, i;
    int ok = outcome == LEARN_OK;

    if (!t || !rule || !s)
        return 0;
    /* What a runtime does to files is not the container's: its profile takes effect when the program begins. */
    if (outcome == LEARN_NO_RETURN || t->phase == LEARN_STARTING || !applies(s, rule))
        return 0;
    if (rule->does & LEARN_EXECUTES && outcome != ENOEXEC)
        return 0;
    /* fstat, as libc makes it: often, and no access of its own. */
    if (rule->does & LEARN_EMPTY_IS_NOTHING) {
        const char *name = (const char *)argument(s, rule->first.path);
        char initial = 0;

        if (!name || (!bpf_probe_read_user(&initial, 1, name) && !initial))
            return 0;
    }
    begin(s, rule->does & LEARN_GIVES_ADDRESS ? LEARN_ADDRESS : rule->does & LEARN_MAKES_SOCKET ? LEARN_SOCKET : LEARN_FILE, t);
    /* The one that socketcall stands for. */
    s->head.nr = nr;
    s->head.outcome = outcome;
    for (i = 0; i < 6; i++)
        if (rule->kept >> i & 1)
            s->head.args[i] = (__u32)s->args[i];
    if (rule->does & LEARN_MAKES_SOCKET)
        return send(0);
    fs = put_view(s, task, &end);
    if (rule->does & LEARN_GIVES_ADDRESS)
        return put_address(s, rule, fs, &end) ? send(end) : 0;
    if (rule->does & LEARN_OPEN_HOW)
        bpf_probe_read_user(&s->head.open_flags, sizeof(s->head.open_flags), (const void *)argument(s, 2));

    if (ok && rule->does & (LEARN_CHANGES_CWD | LEARN_CHANGES_ROOT)) {
        put_object(s, &end,
                   rule->does & LEARN_CHANGES_CWD ? __builtin_preserve_access_index(&fs->pwd)
                                                  : __builtin_preserve_access_index(&fs->root));
    } else if (ok && rule->does & LEARN_RETURNS_FD) {
        if (!put_descriptor(s, task, (__u32)result, &end))
            return 0;
    } else if (rule->first.names == LEARN_NAMES_FD) {
        if (!put_descriptor(s, task, (__u32)argument(s, rule->first.path), &end))
            return 0;
    } else {
        if (!put_object_named(&rule->first, 0, &end))
            return 0;
        if (rule->second.names && !put_object_named(&rule->second, 1, &end))
            return 0;
    }
    return send(end);
}

#endif
