/* Counting calls. */
#ifndef LEARN_CALLS_H
#define LEARN_CALLS_H

#include "abi.h"

INLINE struct learn_rule *rule_of(__u8 abi, __u32 nr) {
    __u32 index = nr & ~X32_BIT;

    if (index >= LEARN_PLANE)
        return 0;
    index += abi * LEARN_PLANE;
    return bpf_map_lookup_elem(&rules, &index);
}

/* Whether one more combination of arguments of this call may be kept; it counts as kept then. Of words of bits, one with a bit that is new is always kept: so that
 * the bits which were seen are known when the combinations are too many. */
INLINE int may_vary(const struct learn_call_key *key) {
    struct learn_call_key call = *key;
    struct variants_of first = {.count = 1}, *known;
    struct learn_rule *rule = rule_of(key->abi, key->nr);
    __u32 i, new_bits = 0;

    __builtin_memset(call.args, 0, sizeof(call.args));
    call.outcome = 0;
    for (i = 0; i < LEARN_ARGS; i++)
        first.bits[i] = key->args[i];
    known = bpf_map_lookup_elem(&variants, &call);
    if (!known) {
        if (!bpf_map_update_elem(&variants, &call, &first, BPF_NOEXIST))
            return 1;
        /* Another one may have been quicker. */
        known = bpf_map_lookup_elem(&variants, &call);
        if (!known)
            return 0;
    }
    if (rule && rule->does & LEARN_ONLY_FLAGS)
        for (i = 0; i < LEARN_ARGS; i++)
            new_bits |= key->args[i] & ~known->bits[i];
    if (known->count >= LEARN_VARIANTS && !new_bits)
        return 0;
    __sync_fetch_and_add(&known->count, 1);
    /* A bit that is lost between two of these is new once more, and kept once more. */
    if (new_bits)
        for (i = 0; i < LEARN_ARGS; i++)
            known->bits[i] |= key->args[i];
    return 1;
}

INLINE int add_first(const struct learn_call_key *key) {
    struct learn_count count = {}, *known;

    first(&count);
    if (!bpf_map_update_elem(&calls, key, &count, BPF_NOEXIST))
        return 1;
    /* Another one may have been quicker. */
    known = bpf_map_lookup_elem(&calls, key);
    if (known)
        add(&known->count, 1);
    else
        lose(LEARN_LOST_CALLS);
    return !!known;
}

/* A call of which this outcome is new, or these arguments. */
NOINLINE int count_new(struct learn_call_key *key) {
    struct learn_call_key mark = *key;
    struct learn_count *known;

    if (key->args[0] | key->args[1] | key->args[2]) {
        mark.outcome = LEARN_KNOWN;
        if (!bpf_map_lookup_elem(&calls, &mark)) {
            if (may_vary(key)) {
                if (!add_first(&mark))
                    return 0;
            } else {
                __builtin_memset(key->args, 0, sizeof(key->args));
                key->is |= LEARN_MANY;
                known = bpf_map_lookup_elem(&calls, key);
                if (known) {
                    add(&known->count, 1);
                    return 0;
                }
            }
        }
    }
    return add_first(key);
}

/* The counter in the task's row that the end of its call is counted by, if it succeeded; of a call of which nothing is told but its
 * number, once it is in use. */
INLINE __u64 *counter_of(const struct learn_task *t, __s64 result) {
    __u32 at = t->row;
    struct learn_row *row;

    if (!at || t->abi != LEARN_NATIVE || t->nr >= LEARN_COLUMNS || (result < 0 && result >= -MAX_ERRNO))
        return 0;
    at = at * settings.copies + (bpf_get_smp_processor_id() & (settings.copies - 1));
    row = bpf_map_lookup_elem(&rows, &at);
    return row ? &row->counts[t->nr & (LEARN_COLUMNS - 1)] : 0;
}

/* Counts a call. From the second time on its `counter` is used, if it has one: several processors may begin that at once. */
INLINE void count_key(struct learn_call_key *key, __u64 *counter) {
    struct learn_count *known = bpf_map_lookup_elem(&calls, key);

    if (!known) {
        count_new(key);
        return;
    }
    add(&known->count, 1);
    if (counter)
        add(counter, 1ULL << LEARN_COUNTING);
}

INLINE void key_of(struct learn_call_key *key, const struct learn_task *t, __u16 outcome) {
    __builtin_memset(key, 0, sizeof(*key));
    key->domain = t->domain;
    key->nr = t->nr;
    key->session = t->session;
    key->phase = t->phase;
    key->abi = t->abi;
    key->outcome = outcome;
}

/* Counts a call that has no meaningful arguments, or none that can be told any more. */
INLINE void count_plain(const struct learn_task *t, __u16 outcome) {
    struct learn_call_key key;

    key_of(&key, t, outcome);
    count_key(&key, 0);
}

INLINE __u16 outcome_of(__s64 result) {
    if (result >= 0 || result < -MAX_ERRNO)
        return LEARN_OK;
    if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK)
        return LEARN_NO_RETURN;
    return -result;
}

#endif
