/* What is kept in the kernel until the recorder reads it, and what the recorder sets. */
#ifndef LEARN_MAPS_H
#define LEARN_MAPS_H

#include "helpers.h"
#include "wire.h"
#include "core.h"

/* Set before loading; the verifier leaves out what they rule out. */
const volatile struct learn_settings settings SEC(".rodata") = {};

MAP(rules, BPF_MAP_TYPE_ARRAY, __u32, struct learn_rule, LEARN_ABIS *LEARN_PLANE);
MAP(calls, BPF_MAP_TYPE_HASH, struct learn_call_key, struct learn_count, 65536);
MAP(capabilities, BPF_MAP_TYPE_HASH, struct learn_capability_key, struct learn_count, 8192);
MAP(signals, BPF_MAP_TYPE_HASH, struct learn_signal_key, struct learn_count, 8192);
/* How many different combinations of arguments each call has and which bits are in them, by the key of the call without them. */
struct variants_of {
    __u32 count;
    __u32 bits[LEARN_ARGS];
};
MAP(variants, BPF_MAP_TYPE_HASH, struct learn_call_key, struct variants_of, 16384);
/* How often each record was seen. One that was forgotten for want of room is sent again: nothing is lost but its count. */
MAP(seen, BPF_MAP_TYPE_LRU_HASH, __u64, __u64, 262144);
MAP(losses, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, LEARN_LOSSES);
/* How many records were sent (all of them arrived when as many were received), and how many things are counted. */
MAP(totals, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, LEARN_TOTALS);

struct {
    MAP_NUMBER(type, BPF_MAP_TYPE_RINGBUF);
    MAP_NUMBER(max_entries, 4 * 1024 * 1024);
} records SEC(".maps");

/* The containers that were met, numbered from 1; the recorder may know some before. */
MAP(containers, BPF_MAP_TYPE_HASH, struct learn_id, __u32, LEARN_CONTAINERS);
/* The numbers of containers that were entered; and, with LEARN_CLAIMED, those that were given. */
MAP(entered, BPF_MAP_TYPE_HASH, __u32, __u32, 2 * LEARN_CONTAINERS);
/* A container's health check, by its number. */
MAP(healthchecks, BPF_MAP_TYPE_HASH, __u32, struct learn_words, LEARN_CONTAINERS);

/* How much of a structure is read at once: a reading costs as much as copying some hundred bytes does. */
#define STRUCTURE 112

/* What a walk needs of a mount. */
struct crossing {
    struct mount *above;
    struct dentry *mountpoint;
    struct dentry *root;
};

/* What a walk needs of a directory entry. */
struct step {
    __u64 parent, length, name, inode, super_block;
};

/* Room for the record that is being made. Programs at tracepoints run without being preempted by each other; those at functions may
 * be preempted, and have room of their own. */
struct scratch {
    struct learn_record head;
    /* One string more than fits, so that a full record can't be overrun; and the padding of the last word. */
    __u8 bytes[LEARN_BYTES + PATH_MAX + 8];
    __u64 args[8];
    /* The first bytes of one of the kernel's structures. */
    __u8 first[STRUCTURE];
    /* The mount that a walk came to last, and what was read of it. */
    __u64 mount;
    struct crossing crossing;
    /* The entry that a walk came to last, and the one that it began with, where that is not the root of a mount. */
    struct step step, begun;
    struct learn_id id;
    struct learn_words words;
    struct learn_task task;
    /* The task for which a hook's program is at work; it has the second room. */
    __u32 hooked;
};
MAP(scratches, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct scratch, 2);

INLINE void add(__u64 *counter, __u64 n) {
    __sync_fetch_and_add(counter, n);
}

NOINLINE int lose(__u32 what) {
    __u64 *counter = bpf_map_lookup_elem(&losses, &what);

    if (counter)
        add(counter, 1);
    return 0;
}

INLINE void total(__u32 which) {
    __u64 *counter = bpf_map_lookup_elem(&totals, &which);

    if (counter)
        add(counter, 1);
}

INLINE struct scratch *scratch_at(__u32 which) {
    return bpf_map_lookup_elem(&scratches, &which);
}

INLINE struct scratch *scratch(void) {
    struct scratch *s = scratch_at(0);

    if (s && s->hooked && s->hooked == (__u32)bpf_get_current_pid_tgid())
        return scratch_at(1);
    return s;
}

/* The first one who did something, as it is kept beside a count. */
INLINE void first(struct learn_count *count) {
    struct {
        __u32 pid, tgid;
    } here = {};

    total(LEARN_COUNTED);
    count->count = 1;
    count->first_ns = bpf_ktime_get_ns();
    bpf_get_ns_current_pid_tgid(settings.pid_namespace_device, settings.pid_namespace_inode, &here, sizeof(here));
    count->first_pid = here.pid ?: (__u32)bpf_get_current_pid_tgid();
}

#endif
