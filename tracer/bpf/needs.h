/* Checks for capabilities: whether the call that makes one depends on the answer, where that is seen from its arguments. */
#ifndef LEARN_NEEDS_H
#define LEARN_NEEDS_H

#include "files.h"

/* include/uapi/linux/capability.h, include/uapi/linux/stat.h */
#define CAP_FSETID 4
#define CAP_SETGID 6
#define CAP_SETUID 7
#define S_ISGID 02000

#define CAP_SYS_ADMIN 21
#define CAP_PERFMON 38

/* include/uapi/linux/sched.h: CLONE_NEWNS, CGROUP, UTS, IPC, PID, NET, TIME; CLONE_NEWUSER */
#define NAMESPACES 0x6e020080
#define OWN_USERS 0x10000000
/* include/linux/sched.h, PFA_NO_NEW_PRIVS */
#define NO_NEW_PRIVILEGES 1
/* include/uapi/linux/prctl.h */
#define PR_SET_SECCOMP 22
/* include/uapi/linux/perf_event.h: where the bits of struct perf_event_attr are, and exclude_kernel among them. */
#define EVENT_BITS 40
#define EXCLUDE_KERNEL (1 << 5)

/* The level of a task's user namespace, and one more. */
INLINE __u32 user_level_of(struct task_struct *task) {
    struct user_namespace *own = 0;
    const struct cred *cred = 0;
    int level = 0;

    READ(cred, task->real_cred);
    READ(own, cred->user_ns);
    READ(level, own->level);
    return level + 1;
}

INLINE int has_user(const struct cred *cred, __u32 id) {
    __u32 one = 0, other = 0, third = 0;

    READ(one, cred->uid.val);
    READ(other, cred->euid.val);
    READ(third, cred->suid.val);
    return id == one && id == other && id == third;
}

INLINE int has_group(const struct cred *cred, __u32 id) {
    __u32 one = 0, other = 0, third = 0;

    READ(one, cred->gid.val);
    READ(other, cred->egid.val);
    READ(third, cred->sgid.val);
    return id == one && id == other && id == third;
}

INLINE int no_namespace(__u64 flags) {
    return !(flags & NAMESPACES) || flags & OWN_USERS;
}

INLINE int gains_nothing(struct task_struct *task) {
    unsigned long flags = 0;

    READ(flags, task->atomic_flags);
    return flags & NO_NEW_PRIVILEGES;
}

/* A task of root's has every capability that its bounding set has (capabilities(7)): this one it would have without a bound. */
INLINE int bounded(const struct cred *cred, __u32 capability) {
    __u64 bound = 0;
    __u32 user = 1;

    READ(user, cred->euid.val);
    /* One word, or the two halves of one (before Linux 6.3). */
    READ(bound, cred->cap_bset);
    return !user && !(bound >> (capability & 63) & 1);
}

/* arch/x86/include/asm/page_64_types.h, without KASAN; and 21 registers, arch/x86/include/asm/ptrace.h */
#define THREAD_SIZE 16384
#define REGISTERS (21 * 8)

/* The registers of the current task as it entered the kernel. Before 5.15 they are found where they lie, at the end of its stack
 * (task_pt_regs, arch/x86/include/asm/processor.h); later kernels may leave room behind them. */
INLINE const struct pt_regs *registers(struct task_struct *task) {
    void *stack = 0;

    if (HAS(task_pt_regs))
        return bpf_task_pt_regs(bpf_get_current_task_btf());
    READ(stack, task->stack);
    return stack ? stack + THREAD_SIZE - REGISTERS : 0;
}

/* As read_arguments, of registers that may not be followed directly. */
INLINE void probe_arguments(struct scratch *s, const struct pt_regs *regs, __u8 abi) {
    if (abi == LEARN_I386) {
        READ(s->args[0], regs->bx);
        READ(s->args[1], regs->cx);
        READ(s->args[2], regs->dx);
        s->args[0] = (__u32)s->args[0];
        s->args[1] = (__u32)s->args[1];
        s->args[2] = (__u32)s->args[2];
    } else {
        READ(s->args[0], regs->di);
        READ(s->args[1], regs->si);
        READ(s->args[2], regs->dx);
    }
}

/* The call would do the same when it was refused. */
INLINE int needless(struct task_struct *task, const struct cred *cred, const struct learn_task *t, __u32 capability) {
    struct learn_rule *rule = t->where == LEARN_IN ? rule_of(t->abi, t->nr) : 0;
    const struct pt_regs *regs;
    struct scratch *s;
    __u64 word = 0;

    if (!rule || !rule->asks)
        return 0;
    regs = registers(task);
    s = scratch();
    if (!s || !regs)
        return 0;
    probe_arguments(s, regs, t->abi);
    switch (rule->asks) {
    case LEARN_ASKS_FOR_MODE_1:
        return capability == CAP_FSETID && !(argument(s, 1) & S_ISGID);
    case LEARN_ASKS_FOR_MODE_2:
        return capability == CAP_FSETID && !(argument(s, 2) & S_ISGID);
    case LEARN_ASKS_FOR_USER:
        return capability == CAP_SETUID && has_user(cred, argument(s, 0));
    case LEARN_ASKS_FOR_GROUP:
        return capability == CAP_SETGID && has_group(cred, argument(s, 0));
    case LEARN_ASKS_FOR_FLAGS:
        return capability == CAP_SYS_ADMIN && no_namespace(argument(s, 0));
    case LEARN_ASKS_FOR_FLAGS_AT:
        return capability == CAP_SYS_ADMIN && !bpf_probe_read_user(&word, sizeof(word), (const void *)argument(s, 0)) &&
               no_namespace(word);
    case LEARN_ASKS_FOR_FILTER_BY_PRCTL:
        return capability == CAP_SYS_ADMIN && ((__u32)argument(s, 0) != PR_SET_SECCOMP || gains_nothing(task));
    case LEARN_ASKS_FOR_FILTER:
        return capability == CAP_SYS_ADMIN && gains_nothing(task);
    case LEARN_ASKS_FOR_EVENTS:
        return capability == CAP_PERFMON && !(__u32)argument(s, 1) &&
               !bpf_probe_read_user(&word, sizeof(word), (const void *)(argument(s, 0) + EVENT_BITS)) && word & EXCLUDE_KERNEL;
    default:
        return 0;
    }
}

#endif
