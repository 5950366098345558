/* By which calling convention a call is made. */
#ifndef LEARN_ABI_H
#define LEARN_ABI_H

#include "maps.h"

INLINE __u32 status_of_current(void) {
    struct task_struct *task = bpf_get_current_task();
    __u32 status = 0;

    READ(status, task->thread_info.status);
    return status;
}

INLINE __u8 abi_by(__u32 status, __u64 nr) {
    if (status & TS_COMPAT)
        return LEARN_I386;
    return nr & X32_BIT ? LEARN_X32 : LEARN_NATIVE;
}

/* The convention that the current task's call is made by. */
INLINE __u8 abi_of(__u64 nr) {
    return abi_by(status_of_current(), nr);
}

#endif
