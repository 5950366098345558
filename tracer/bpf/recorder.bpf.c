/* The programs: what the recorder hears of. Each hook looks first whether the task is recorded at all.
 *
 * Kernel 5.10 and newer, with BTF. Nothing is traced that writes: the programs only read, count, and send what is new.
 */
#include "containers.h"
#include "inherited.h"
#include "needs.h"

char LICENSE[] SEC("license") = "GPL";

/* The entry of a call that no filter has refused. */
SEC("tp_btf/sys_enter")
int call_entered(__u64 *ctx) {
    struct task_struct *task;
    struct learn_task *t;
    __u32 tid, status;

    if (HAS(get_current_task_btf)) {
        task = bpf_get_current_task_btf();
        tid = task->pid;
        status = task->thread_info.status;
        t = recorded(tid);
        if (!t)
            return 0;
    } else {
        t = current_recorded();
        if (!t)
            return 0;
        status = status_of_current();
    }
    t->nr = ctx[1];
    t->abi = abi_by(status, ctx[1]);
    t->where = LEARN_IN;
    return 0;
}

/* linux/net.h, SYS_SOCKET and following: the call of i386 that socketcall stands for. */
INLINE __u32 socketcall(__u32 call) {
    switch (call) {
    case 1:
        return 359; /* socket */
    case 2:
        return 361; /* bind */
    case 3:
        return 362; /* connect */
    case 8:
        return 360; /* socketpair */
    case 11:
        return 369; /* sendto */
    default:
        return 0;
    }
}

NOINLINE int count_signal(const struct learn_task *t, __u32 signal, __u32 inside) {
    struct learn_signal_key key = {};
    struct learn_count *known, count = {};

    key.domain = t->domain;
    key.session = t->session;
    key.phase = t->phase;
    key.signal = signal;
    key.inside = inside;
    known = bpf_map_lookup_elem(&signals, &key);
    if (known) {
        add(&known->count, 1);
        return 0;
    }
    first(&count);
    if (bpf_map_update_elem(&signals, &key, &count, BPF_NOEXIST) && !bpf_map_lookup_elem(&signals, &key))
        lose(LEARN_LOST_SIGNALS);
    return 0;
}

/* Signal 0 is none: it asks whether there is somebody, which the kernel permits or not as it does a signal. Who it was is known where
 * the task's numbers are the kernel's own; elsewhere it can only be one of the same namespace. */
INLINE void asked_for(const struct learn_task *t, __u32 target) {
    struct task_struct *task = bpf_get_current_task();
    struct pid *pid = 0;
    unsigned int level = 0;

    READ(pid, task->thread_pid);
    READ(level, pid->level);
    count_signal(t, 0, 1);
    if (!level && (__s32)target > 0 && !recorded(target))
        count_signal(t, 0, 0);
}

/* The end of a call. */
SEC("tp_btf/sys_exit")
int call_ended(__u64 *ctx) {
    const struct pt_regs *regs = (const struct pt_regs *)ctx[0];
    __s64 result = ctx[1];
    struct learn_task *t = current_recorded();
    struct learn_call_key key;
    struct learn_rule *rule;
    struct scratch *s;
    __u64 *known;
    __u32 where, i, words[6];

    if (!t) {
        if (settings.scope != LEARN_TREE && result >= 0 && loads_filter(regs->orig_ax))
            return filter_loaded();
        return 0;
    }
    where = t->where;
    t->where = LEARN_OUT;
    if (where == LEARN_BORN)
        return 0;
    if (where == LEARN_OUT) {
        t->nr = regs->orig_ax;
        t->abi = abi_of(regs->orig_ax);
    }
    known = where == LEARN_IN ? counter_of(t, result) : 0;
    if (known && *known) {
        add(known, 1);
        return 0;
    }
    key_of(&key, t, outcome_of(result));
    if (where == LEARN_OUT)
        key.is = LEARN_DENIED;
    rule = rule_of(t->abi, t->nr);
    if (!rule || !(rule->nargs | rule->does | rule->first.names)) {
        count_key(&key, known);
        return 0;
    }
    s = scratch();
    if (!s)
        return 0;
    read_arguments(s, regs, t->abi);
    if (rule->does & LEARN_HAS_WORD)
        read_word(s, rule);
    for (i = 0; i < LEARN_ARGS; i++)
        if (i < rule->nargs)
            key.args[i] = (__u32)argument(s, rule->args[i]) & rule->masks[i];
    count_key(&key, 0);
    if (where == LEARN_OUT)
        return 0;
    if (rule->does & LEARN_SOCKETCALL) {
        __u32 nr = socketcall(s->args[0]);

        rule = rule_of(LEARN_I386, nr);
        if (!nr || !rule || bpf_probe_read_user(words, sizeof(words), (const void *)s->args[1]))
            return 0;
        for (i = 0; i < 6; i++)
            s->args[i] = words[i];
        return record_call(LEARN_I386, nr, result);
    }
    if (rule->does & LEARN_SENDS_SIGNAL && !result && t->phase != LEARN_STARTING && !key.args[0])
        /* The target stands before the signal. */
        asked_for(t, argument(s, rule->args[0] - 1));
    if (rule->first.names || rule->does & LEARN_GIVES_ADDRESS)
        return record_call(t->abi, t->nr, result);
    if (rule->does & LEARN_ACCEPTS && result >= 0) {
        begin(s, LEARN_SERVING, t);
        return send(0);
    }
    return 0;
}

/* The end of a call, for whoever wants to know of capabilities only. */
SEC("tp_btf/sys_exit")
int call_left(__u64 *ctx) {
    struct learn_task *t = current_recorded();

    (void)ctx;
    if (t)
        t->where = LEARN_OUT;
    return 0;
}

/* A new task, before it does anything. */
SEC("tp_btf/sched_process_fork")
int task_made(__u64 *ctx) {
    struct task_struct *maker = (struct task_struct *)ctx[0], *made = (struct task_struct *)ctx[1];
    struct learn_task *t = recorded(maker->pid), copy;
    __u32 tid;

    if (!t)
        return 0;
    copy = *t;
    copy.where = LEARN_BORN;
    tid = made->pid;
    keep(tid, &copy);
    return 0;
}

INLINE int is_launch(void) {
    struct {
        __u32 pid, tgid;
    } here = {};

    return settings.scope == LEARN_TREE &&
           !bpf_get_ns_current_pid_tgid(settings.pid_namespace_device, settings.pid_namespace_inode, &here, sizeof(here)) &&
           here.tgid == settings.launch;
}

/* A program begins to run. Its thread has the number of its process now, whichever thread asked for it. */
SEC("tp_btf/sched_process_exec")
int program_started(__u64 *ctx) {
    /* The one that the hook tells of; but as a plain number, which may be handed to a function that is verified once. */
    struct task_struct *task = bpf_get_current_task();
    __u32 former = (__u32)ctx[1], tid = (__u32)bpf_get_current_pid_tgid(), end = 0, start;
    struct linux_binprm *bprm = (struct linux_binprm *)ctx[2];
    struct learn_task *t = recorded(former), now = {};
    struct file *file = 0;
    __s32 fd;
    const char *name = 0;
    struct fs_struct *fs;
    struct scratch *s;
    int launch = 0;
    long length;

    if (t) {
        now = *t;
        count_plain(&now, LEARN_OK);
        if (former != tid)
            forget(former);
    } else if (is_launch()) {
        launch = 1;
        now.user_level = user_level_of(task);
    } else if (settings.scope == LEARN_NAMED && mount_namespace(task) != settings.mount_namespace) {
        /* A container without a filter: its boundary is the first program that runs in its own tree of files. */
        __u32 container = container_of_current();

        if (!container)
            return 0;
        adopt(container, LEARN_RUNNING);
        s = scratch();
        if (!s)
            return 0;
        now = s->task;
        launch = 1;
    } else {
        return 0;
    }
    s = scratch();
    if (!s)
        return 0;
    if (settings.scope != LEARN_TREE && (now.phase == LEARN_STARTING || launch) && (now.session & LEARN_SESSION) &&
        is_healthcheck(s, task, now.session))
        now.session = (now.session & ~LEARN_SESSION) | LEARN_HEALTHCHECK;
    begin(s, LEARN_EXEC, &now);
    if (launch)
        s->head.says |= LEARN_LAUNCH;

    READ(file, bprm->file);
    put_path(s, LEARN_BASE, &end, __builtin_preserve_access_index(&file->f_path));
    *(__u64 *)(s->bytes + at(end)) = 0;
    now.domain = hash(sizeof(s->head), end);
    now.phase = LEARN_RUNNING;
    now.where = LEARN_BORN;
    s->head.other_domain = now.domain;
    now.row = 0;
    keep(tid, &now);

    fs = put_view(s, task, &end);
    start = at(end);
    READ(name, bprm->filename);
    length = bpf_probe_read_kernel_str(s->bytes + start, PATH_MAX, name);
    if (length > 1)
        part(s, LEARN_NAME, &end, (length - 1) & (PATH_MAX - 1));
    /* A descriptor, as execveat names it: a script's stays open for its interpreter, a program's may be closed by now. */
    fd = open_file_in(s, start);
    file = fd < 0 ? 0 : file_of(task, fd);
    if (file && has_path(file)) {
        put_path(s, LEARN_BASE_2, &end, __builtin_preserve_access_index(&file->f_path));
        s->head.says |= LEARN_THROUGH_FD;
    } else if (s->bytes[start] != '/')
        put_path(s, LEARN_BASE_2, &end, __builtin_preserve_access_index(&fs->pwd));
    send(end);
    return inherit_all();
}

/* A task ends, perhaps in a call that never returns. */
SEC("tp_btf/sched_process_exit")
int task_ended(__u64 *ctx) {
    struct task_struct *task = (struct task_struct *)ctx[0];
    __u32 tid = task->pid;
    struct learn_task *t = recorded(tid);

    if (!t)
        return 0;
    if (t->where == LEARN_IN)
        count_plain(t, LEARN_NO_RETURN);
    return forget(tid);
}

/* The kernel has asked whether these credentials have a capability. */
INLINE int capability(const struct cred *cred, const struct user_namespace *target, __u8 number, int granted, int unaudited) {
    struct learn_task *t = current_recorded();
    struct task_struct *task = bpf_get_current_task();
    const struct cred *own = 0;
    struct learn_capability_key key = {};
    struct learn_count *known, count = {};
    int level = 1;

    /* A runtime has more than its container will have. Others' credentials are asked too: another process's, and those of whoever
     * mounted an overlay, which take the place of the task's own for a while. */
    if (!t || t->phase == LEARN_STARTING)
        return 0;
    READ(own, task->real_cred);
    if (cred != own)
        return 0;
    key.domain = t->domain;
    key.session = t->session;
    key.phase = t->phase;
    key.abi = t->abi;
    key.nr = t->where == LEARN_IN ? t->nr : LEARN_OUTSIDE;
    key.capability = number;
    key.granted = granted;
    key.unaudited = unaudited;
    READ(level, target->level);
    if (!t->user_level)
        t->user_level = user_level_of(task);
    key.initial_namespace = level < (int)t->user_level;
    key.needless = needless(task, own, t, key.capability);
    key.bounded = !key.granted && bounded(own, key.capability);
    known = bpf_map_lookup_elem(&capabilities, &key);
    if (known) {
        add(&known->count, 1);
        return 0;
    }
    first(&count);
    if (bpf_map_update_elem(&capabilities, &key, &count, BPF_NOEXIST) && !bpf_map_lookup_elem(&capabilities, &key))
        lose(LEARN_LOST_CAPABILITIES);
    return 0;
}

/* The check itself (security/commoncap.c). The tracepoint is in kernel 6.16 and newer; it does not tell probes from needs. */
SEC("tp_btf/cap_capable")
int capability_checked(__u64 *ctx) {
    return capability((const struct cred *)ctx[0], (const struct user_namespace *)ctx[1], ctx[3], (__s32)ctx[4] == 0, 0);
}

/* The same check where there is no such tracepoint: cap_capable(cred, ns, cap, opts). Some callers ask it and not all security modules. */
SEC("fexit/cap_capable")
int capability_asked(__u64 *ctx) {
    return capability((const struct cred *)ctx[0], (const struct user_namespace *)ctx[1], ctx[2], (__s32)ctx[4] == 0,
                      !!(ctx[3] & CAP_OPT_NOAUDIT));
}

/* signal(7): SIGINT, SIGQUIT, SIGTERM */
#define ENDS(signal) ((signal) == 2 || (signal) == 3 || (signal) == 15)

/* A signal from outside reaches a task that is recorded. */
INLINE int asked_to_end(const struct learn_task *receiver, __u32 signal) {
    struct scratch *s = scratch();

    if (!receiver || !s || receiver->phase == LEARN_STARTING || !ENDS(signal))
        return 0;
    begin(s, LEARN_STOPPING, receiver);
    return send(0);
}

/* A signal is sent, by a call that sends one. */
SEC("tp_btf/signal_generate")
int signal_sent(__u64 *ctx) {
    struct learn_task *t = current_recorded();
    struct task_struct *receiver = (struct task_struct *)ctx[2];
    struct learn_rule *rule;

    if (!t)
        return asked_to_end(recorded(receiver->pid), ctx[0]);
    if (t->where != LEARN_IN || t->phase == LEARN_STARTING)
        return 0;
    rule = rule_of(t->abi, t->nr);
    if (!rule || !(rule->does & LEARN_SENDS_SIGNAL))
        return 0;
    count_signal(t, ctx[0], !!recorded(receiver->pid));
    return 0;
}
