/* Who is recorded, and what each recorded task is about.
 *
 * Every call of every task asks this, so it takes no hash: a task's place is the slot that its number gives, in an array, whose lookups the
 * kernel compiles into the program (kernel/bpf/arraymap.c, array_map_gen_lookup). Where two recorded tasks have the same slot, the second one
 * is in the map `tasks`, and the slot is marked as crowded.
 */
#ifndef LEARN_TASKS_H
#define LEARN_TASKS_H

#include "maps.h"

MAP(places, BPF_MAP_TYPE_ARRAY, __u32, struct learn_place, LEARN_SLOTS);
/* Who has each slot. Whoever comes first, has it. */
MAP(holders, BPF_MAP_TYPE_HASH, __u32, __u32, LEARN_SLOTS);
/* Slots of which a task is, or was, in `tasks`. */
MAP(crowded, BPF_MAP_TYPE_ARRAY, __u32, __u32, LEARN_SLOTS);
MAP(tasks, BPF_MAP_TYPE_HASH, __u32, struct learn_task, 65536);

/* The rows of counters by their numbers, each with its copies (as many as `settings` says), and whose they are. */
MAP(rows, BPF_MAP_TYPE_ARRAY, __u32, struct learn_row, LEARN_ROWS *LEARN_COPIES);
MAP(owners, BPF_MAP_TYPE_HASH, __u32, struct learn_row_key, LEARN_ROWS);
/* Rows that are tried before a domain does without. */
#define ROW_PROBES 8

INLINE __u32 slot_of(__u32 tid) {
    return (tid << LEARN_SPREAD | (tid >> (LEARN_SLOT_BITS - LEARN_SPREAD) & ((1 << LEARN_SPREAD) - 1))) & (LEARN_SLOTS - 1);
}

INLINE int is_crowded(__u32 slot) {
    __u32 *mark = bpf_map_lookup_elem(&crowded, &slot);

    return mark && *mark;
}

INLINE struct learn_task *recorded(__u32 tid) {
    __u32 slot = slot_of(tid);
    struct learn_place *place = bpf_map_lookup_elem(&places, &slot);

    if (place && place->tid == tid)
        return &place->task;
    return is_crowded(slot) ? bpf_map_lookup_elem(&tasks, &tid) : 0;
}

INLINE struct learn_task *current_recorded(void) {
    return recorded((__u32)bpf_get_current_pid_tgid());
}

/* The row of a task's domain, session and phase. */
NOINLINE int row_of(const struct learn_task *t) {
    struct learn_row_key key = {.domain = t->domain, .session = t->session, .phase = t->phase}, *owner;
    __u32 i, row;

    for (i = 0; i < ROW_PROBES; i++) {
        row = ((__u32)key.domain + key.session * 31 + key.phase + i) & (LEARN_ROWS - 1);
        if (!row)
            continue;
        owner = bpf_map_lookup_elem(&owners, &row);
        if (!owner && !bpf_map_update_elem(&owners, &row, &key, BPF_NOEXIST))
            return row;
        /* Another one may have been quicker. */
        owner = bpf_map_lookup_elem(&owners, &row);
        if (owner && owner->domain == key.domain && owner->session == key.session && owner->phase == key.phase)
            return row;
    }
    return 0;
}

/* As keep; the task is `scratch()->task`. */
GLOBAL int keep_prepared(__u32 tid) {
    __u32 slot = slot_of(tid), one = 1, *holder;
    struct learn_place *place = bpf_map_lookup_elem(&places, &slot);
    struct scratch *s = scratch();
    struct learn_task *t;

    if (!s)
        return 0;
    t = &s->task;
    if (!t->row)
        t->row = row_of(t);
    if (place && bpf_map_update_elem(&holders, &slot, &tid, BPF_NOEXIST)) {
        holder = bpf_map_lookup_elem(&holders, &slot);
        if (!holder || *holder != tid)
            place = 0;
    }
    if (place) {
        place->task = *t;
        /* The task may be running, and looks for its number first. */
        *(volatile __u32 *)&place->tid = tid;
        return 0;
    }
    if (bpf_map_update_elem(&crowded, &slot, &one, BPF_ANY) || bpf_map_update_elem(&tasks, &tid, t, BPF_ANY))
        lose(LEARN_LOST_TASKS);
    return 0;
}

/* Takes a task into the recording, or replaces what is known of it. */
INLINE void keep(__u32 tid, const struct learn_task *t) {
    struct scratch *s = scratch();

    if (!s) {
        lose(LEARN_LOST_TASKS);
        return;
    }
    s->task = *t;
    keep_prepared(tid);
}

/* A task has ended. */
GLOBAL int forget(__u32 tid) {
    __u32 slot = slot_of(tid);
    struct learn_place *place = bpf_map_lookup_elem(&places, &slot);

    if (place && place->tid == tid) {
        place->tid = 0;
        bpf_map_delete_elem(&holders, &slot);
    }
    if (is_crowded(slot))
        bpf_map_delete_elem(&tasks, &tid);
    return 0;
}

#endif
