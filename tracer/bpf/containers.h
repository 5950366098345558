/* The boundary of a container: the moment from which the filter that will be enforced is asked about a task's calls. */
#ifndef LEARN_CONTAINERS_H
#define LEARN_CONTAINERS_H

#include "abi.h"
#include "paths.h"

/* include/uapi/linux/seccomp.h */
#define SECCOMP_MODE_FILTER 2
/* Instructions that are looked at together, and how many times (linux/bpf_common.h, BPF_MAXINSNS: 4096; a converted program may
 * be longer). */
#define CHUNK 64
#define CHUNKS 256
/* Threads of a runtime that are looked at; Go has about a dozen. */
#define THREADS 128
/* include/linux/cgroup_subsys.h has about so many; the last place stands for the unified hierarchy. */
#define HIERARCHIES 16

/* Which halves of the mark are constants of these instructions, as bits. */
GLOBAL __u32 halves(__u64 from, __u32 count) {
    struct scratch *s = scratch();
    __u32 found = 0, i, constant;

    if (!s || count > CHUNK || bpf_probe_read_kernel(s->bytes, count * sizeof(struct bpf_insn), (const void *)from))
        return 0;
    for (i = 0; i < CHUNK; i++) {
        if (i >= count)
            break;
        /* In both kinds of instruction the constant is the second half. */
        constant = *(__u32 *)(s->bytes + i * sizeof(struct bpf_insn) + 4);
        if (constant == settings.mark[0])
            found |= 1;
        if (constant == settings.mark[1])
            found |= 2;
    }
    return found;
}

/* Whether a filter's program holds the mark. */
INLINE int marked(struct seccomp_filter *filter) {
    struct bpf_prog *prog = 0;
    struct sock_fprog_kern *original = 0;
    struct sock_filter *first = 0;
    __u32 length = 0, found = 0, i, left;
    __u16 words = 0;
    __u64 from;

    READ(prog, filter->prog);
    READ(original, prog->orig_prog);
    if (original) {
        READ(words, original->len);
        READ(first, original->filter);
        from = (__u64)first;
        length = words;
    } else {
        READ(length, prog->len);
        from = (__u64)__builtin_preserve_access_index(&prog->insnsi);
    }
    for (i = 0; i < CHUNKS; i++) {
        if (i * CHUNK >= length)
            break;
        left = length - i * CHUNK;
        found |= halves(from + i * CHUNK * sizeof(struct bpf_insn), left < CHUNK ? left : CHUNK);
        if (found == 3)
            return 1;
    }
    return 0;
}

/* 1 for the characters of an identifier. A table: the verifier would follow every combination of branches. */
const volatile __u8 is_hex[256] SEC(".rodata") = {
    ['0' ... '9'] = 1,
    ['a' ... 'f'] = 1,
};

/* Looks for a container's identifier in a control group's name, and puts it into `scratch()->id`. */
GLOBAL int identified_by(__u64 name) {
    struct scratch *s = scratch();
    __u32 i, run = 0;

    if (!s || bpf_probe_read_kernel_str(s->bytes, 2 * LEARN_ID, (const void *)name) < LEARN_ID)
        return 0;
    for (i = 0; i < 2 * LEARN_ID; i++) {
        if (!s->bytes[i])
            break;
        run = (run + 1) * is_hex[s->bytes[i]];
        barrier(run);
        if (run == LEARN_ID && i + 1 >= LEARN_ID) {
            bpf_probe_read_kernel(&s->id, sizeof(s->id), s->bytes + i + 1 - LEARN_ID);
            return 1;
        }
    }
    return 0;
}

INLINE int identified_in(struct cgroup *cgroup) {
    struct kernfs_node *node = 0, *parent = 0;
    const char *name = 0;

    READ(node, cgroup->kn);
    if (!node)
        return 0;
    READ(name, node->name);
    if (identified_by((__u64)name))
        return 1;
    /* podman puts the processes one level below. */
    if (EXISTS(struct kernfs_node___renamed, __parent))
        READ(parent, ((struct kernfs_node___renamed *)node)->__parent);
    else
        READ(parent, node->parent);
    if (!parent)
        return 0;
    READ(name, parent->name);
    return identified_by((__u64)name);
}

/* The number of the container whose control group the current task is in, or 0. */
GLOBAL __u32 container_of_current(void) {
    struct task_struct *task = bpf_get_current_task();
    struct scratch *s = scratch();
    struct css_set *set = 0;
    struct cgroup_subsys_state *state;
    struct cgroup *cgroup = 0;
    __u32 i, *known, number, claim, one = 1;

    if (!s)
        return 0;
    READ(set, task->cgroups);
    READ(cgroup, set->dfl_cgrp);
    if (!identified_in(cgroup)) {
        for (i = 0; i < HIERARCHIES; i++) {
            state = 0;
            bpf_probe_read_kernel(&state, sizeof(state), &__builtin_preserve_access_index(&set->subsys)[0][i]);
            cgroup = 0;
            READ(cgroup, state->cgroup);
            if (identified_in(cgroup))
                break;
        }
        if (i == HIERARCHIES)
            return 0;
    }
    known = bpf_map_lookup_elem(&containers, &s->id);
    if (known)
        return *known;
    /* Whoever claims a number first, has it: kernels before 5.12 can't count and tell in one step. */
    for (number = 1; number < LEARN_CONTAINERS; number++) {
        claim = number | LEARN_CLAIMED;
        if (!bpf_map_update_elem(&entered, &claim, &one, BPF_NOEXIST))
            break;
    }
    if (number >= LEARN_CONTAINERS || bpf_map_update_elem(&containers, &s->id, &number, BPF_NOEXIST)) {
        known = bpf_map_lookup_elem(&containers, &s->id);
        if (known)
            return *known;
        lose(LEARN_LOST_CONTAINERS);
        return 0;
    }
    return number;
}

/* How a task comes into a container: its first process is the entry point, in a pid namespace of its own or not. */
INLINE __u16 session_of(struct task_struct *task, __u32 container) {
    struct task_struct *leader = 0;
    __u32 one = 1;
    /* The mark stands for one container, with the number 0. */
    int before = !!bpf_map_update_elem(&entered, &container, &one, BPF_NOEXIST);

    READ(leader, task->group_leader);
    return container << LEARN_ORIGIN_BITS | (before && own_number(leader) != 1 ? LEARN_SESSION : LEARN_ENTRY);
}

/* Takes the current task into the recording, and tells so. It is in `scratch()->task` then. */
GLOBAL int adopt(__u32 container, __u32 phase) {
    struct task_struct *task = bpf_get_current_task();
    struct learn_task t = {.phase = phase};
    struct scratch *s = scratch();
    struct mm_struct *mm = 0;
    struct file *file = 0;
    __u32 end = 0, tid = 0, start;

    if (!s)
        return 0;
    READ(tid, task->pid);
    t.session = session_of(task, container);
    begin(s, LEARN_CONTAINER, &t);
    READ(mm, task->mm);
    READ(file, mm->exe_file);
    if (file && has_path(file))
        put_path(s, LEARN_BASE, &end, __builtin_preserve_access_index(&file->f_path));
    *(__u64 *)(s->bytes + at(end)) = 0;
    t.domain = hash(sizeof(s->head), end);
    s->head.other_domain = t.domain;
    keep(tid, &t);
    put_view(s, task, &end);
    if (container) {
        start = at(end);
        bpf_probe_read_kernel(s->bytes + start, LEARN_ID, &s->id);
        part(s, LEARN_NAME, &end, LEARN_ID);
    }
    return send(end);
}

/* A filter can be loaded for all threads of a process at once (SECCOMP_FILTER_FLAG_TSYNC): those that run under it now. */
INLINE void adopt_threads(struct task_struct *task, struct seccomp_filter *filter) {
    __u32 tid = 0, other;
    struct scratch *s = scratch();
    struct learn_task t;
    struct signal_struct *signal = 0;
    struct seccomp_filter *theirs;
    struct list_head *head, *node = 0;
    struct task_struct *thread;
    __u32 i;

    READ(tid, task->pid);
    if (!s)
        return;
    t = s->task;
    t.where = LEARN_BORN;
    READ(signal, task->signal);
    head = __builtin_preserve_access_index(&signal->thread_head);
    READ(node, signal->thread_head.next);
    for (i = 0; i < THREADS; i++) {
        if (node == head || !node)
            return;
        thread = (void *)node - __builtin_preserve_field_info(((struct task_struct *)0)->thread_node, 0);
        theirs = 0;
        READ(theirs, thread->seccomp.filter);
        READ(other, thread->pid);
        if (theirs == filter && other != tid)
            keep(other, &t);
        READ(node, node->next);
    }
    lose(LEARN_LOST_TASKS);
}

INLINE struct seccomp_filter *filter_of(struct task_struct *task) {
    struct seccomp_filter *filter = 0;
    int mode = 0;

    READ(mode, task->seccomp.mode);
    if (mode == SECCOMP_MODE_FILTER)
        READ(filter, task->seccomp.filter);
    return filter;
}

/* The calls by which a task loads a filter: arch/x86/entry/syscalls/syscall_{64,32}.tbl, seccomp and prctl. By which convention a call is made
 * is asked of those numbers only: this is on the way of every call of every task. */
INLINE int loads_filter(__u64 nr) {
    if (nr == 317 || nr == 157)
        return abi_of(nr) == LEARN_NATIVE;
    if (nr == 354 || nr == 172)
        return abi_of(nr) == LEARN_I386;
    return 0;
}

/* A task that is not recorded has loaded a filter. */
GLOBAL int filter_loaded(void) {
    struct task_struct *task = bpf_get_current_task();
    struct seccomp_filter *filter = filter_of(task);
    __u32 container = 0;

    if (!filter)
        return 0;
    if (settings.scope == LEARN_MARKED) {
        if (!marked(filter))
            return 0;
    } else {
        container = container_of_current();
        if (!container)
            return 0;
    }
    adopt(container, LEARN_STARTING);
    adopt_threads(task, filter);
    return 0;
}

/* Whether a task's command line, which begins to run now, is its container's health check. */
INLINE int is_healthcheck(struct scratch *s, struct task_struct *task, __u16 session) {
    __u32 container = session >> LEARN_ORIGIN_BITS, i, length, same = 1;
    struct learn_words *check = bpf_map_lookup_elem(&healthchecks, &container);
    struct mm_struct *mm = 0;
    unsigned long from = 0, to = 0;

    if (!check)
        return 0;
    READ(mm, task->mm);
    READ(from, mm->arg_start);
    READ(to, mm->arg_end);
    length = to - from;
    if (length != check->length)
        return 0;
    if (length > LEARN_WORDS)
        length = LEARN_WORDS;
    barrier(length);
    if (length > LEARN_WORDS || bpf_probe_read_user(s->words.words, length, (const void *)from))
        return 0;
    for (i = 0; i < LEARN_WORDS; i++) {
        if (i >= length)
            break;
        if (s->words.words[i] != check->words[i])
            same = 0;
    }
    return same;
}

#endif
