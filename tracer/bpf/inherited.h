/* What a program finds open when it begins: the kernel asks a profile that it begins under for each of these files, and puts /dev/null in
 * the place of one that the profile does not allow (aa_inherit_files, security/apparmor/file.c).
 */
#ifndef LEARN_INHERITED_H
#define LEARN_INHERITED_H

#include "hooks.h"

/* include/uapi/asm-generic/fcntl.h */
#define O_ACCMODE 03
#define O_APPEND 02000
#define O_PATH 010000000
/* Descriptors of one word of the kernel's bitmap, and so many words are looked at: 65,536 descriptors. */
#define IN_WORD 64
#define WORDS 1024

/* A file of the current task, as a number. Of one that is only a place nothing is asked. */
GLOBAL int inherit(__u64 number) {
    struct learn_task *t = current_recorded();
    struct scratch *s = scratch();
    struct file *file;
    unsigned int flags = O_PATH;
    __u32 end = 0;

    if (!t || !s)
        return 0;
    file = (struct file *)plain(s, number);
    READ(flags, file->f_flags);
    if (flags & O_PATH || !has_path(file))
        return 0;
    begin_untold(s, t, LEARN_DOES_INHERIT, &end);
    s->head.open_flags = flags & (O_ACCMODE | O_APPEND);
    put_object(s, &end, __builtin_preserve_access_index(&file->f_path));
    return send(end);
}

/* The files of the descriptors from `first` on that are set in a word of the bitmap; `files` is where the table has them. */
GLOBAL int inherit_word(__u64 files, __u32 first, __u64 open) {
    struct file **all = (struct file **)files, *file;
    __u32 i;

    for (i = 0; i < IN_WORD; i++) {
        file = 0;
        if (open & 1)
            bpf_probe_read_kernel(&file, sizeof(file), all + first + i);
        if (file)
            inherit((__u64)file);
        /* The verifier follows every combination of bits that are asked for by their places: it need not know which one this is. */
        open >>= 1;
        barrier(open);
    }
    return 0;
}

/* All descriptors that the current task has. */
GLOBAL int inherit_all(void) {
    struct task_struct *task = bpf_get_current_task();
    struct files_struct *files = 0;
    struct fdtable *table = 0;
    unsigned int most = 0;
    struct file **all = 0;
    unsigned long *words = 0, open;
    __u32 i;

    READ(files, task->files);
    READ(table, files->fdt);
    READ(most, table->max_fds);
    READ(all, table->fd);
    READ(words, table->open_fds);
    for (i = 0; i < WORDS; i++) {
        if (i * IN_WORD >= most)
            return 0;
        open = 0;
        bpf_probe_read_kernel(&open, sizeof(open), words + i);
        if (open)
            inherit_word((__u64)all, i * IN_WORD, open);
    }
    if (most > WORDS * IN_WORD)
        lose(LEARN_LOST_INHERITED);
    return 0;
}

#endif
