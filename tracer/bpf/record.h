/* Making a record, and sending it unless it has been sent before. */
#ifndef LEARN_RECORD_H
#define LEARN_RECORD_H

#include "hash.h"

#define HASHED __builtin_offsetof(struct learn_record, domain)

/* Where the bytes of the next part go; they must not be more than PATH_MAX. The compiler knows sometimes that the mask changes
 * nothing; the verifier has to see it. */
INLINE __u32 at(__u32 end) {
    barrier(end);
    return end & (LEARN_BYTES - 1);
}

/* A part of `length` bytes was put at the end. */
INLINE void part(struct scratch *s, __u32 which, __u32 *end, __u32 length) {
    s->head.lengths[which] = length;
    *end += length;
    if (*end > LEARN_BYTES - PATH_MAX) {
        /* The next part might not fit. Nobody has so long names but on purpose. */
        s->head.says |= LEARN_CUT;
        *end = LEARN_BYTES - PATH_MAX;
    }
}

/* Begins a record of what a task does. */
INLINE void begin(struct scratch *s, __u32 kind, const struct learn_task *t) {
    __builtin_memset(&s->head, 0, sizeof(s->head));
    s->mount = 0;
    s->head.kind = kind;
    s->head.domain = t->domain;
    s->head.nr = t->nr;
    s->head.session = t->session;
    s->head.phase = t->phase;
    s->head.abi = t->abi;
}

INLINE __u32 own_number(struct task_struct *task) {
    struct pid *pid = 0;
    unsigned int level = 0;
    int nr = 0;

    READ(pid, task->thread_pid);
    READ(level, pid->level);
    /* include/linux/pid_namespace.h, MAX_PID_NS_LEVEL */
    READ(nr, pid->numbers[level & 63].nr);
    return nr;
}

INLINE void who(struct scratch *s, struct task_struct *task) {
    struct task_struct *leader = 0;
    struct {
        __u32 pid, tgid;
    } here = {};

    bpf_get_ns_current_pid_tgid(settings.pid_namespace_device, settings.pid_namespace_inode, &here, sizeof(here));
    if (here.pid) {
        s->head.tid = here.pid;
        s->head.pid = here.tgid;
    } else {
        s->head.tid = (__u32)bpf_get_current_pid_tgid();
        s->head.pid = bpf_get_current_pid_tgid() >> 32;
    }
    READ(leader, task->group_leader);
    s->head.own_tid = own_number(task);
    s->head.own_pid = own_number(leader);
}

/* Sends the record with `end` bytes, if it is new. */
GLOBAL int send(__u32 end) {
    struct scratch *s = scratch();
    __u64 one = 1, *count, key;
    __u32 size, hurry;

    if (!s || end > LEARN_BYTES)
        return 0;
    *(__u64 *)(s->bytes + end) = 0;
    key = hash(HASHED, sizeof(s->head) - HASHED + end);
    count = bpf_map_lookup_elem(&seen, &key);
    if (count) {
        add(count, 1);
        return 0;
    }
    size = sizeof(s->head) + end;
    s->head.size = size;
    s->head.hash = key;
    s->head.at_ns = bpf_ktime_get_ns();
    who(s, bpf_get_current_task());
    /* The recorder looks often enough by itself, unless there is very much, or it has to look at a task while that is there. */
    hurry = s->head.kind == LEARN_EXEC || s->head.kind >= LEARN_CONTAINER ||
            bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > 1 << 20;
    if (bpf_ringbuf_output(&records, s, size, hurry ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP)) {
        lose(LEARN_LOST_RECORDS);
        return 0;
    }
    total(LEARN_SENT);
    bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
    return 0;
}

#endif
