/* Makes a known list of calls, and no other: rare ones, each at a place where a recorder might miss it. No libc, no loader.
 *
 *   exact         the list below
 *   exact again   what it becomes in the middle
 *
 *   sched_get_priority_max   the very first instruction
 *   pipe2 clone fork         a thread, and a child that forks again and ends at once
 *   getpriority exit         in the thread
 *   setfsuid close           in the double-forked grandchild, an orphan by then
 *   wait4 close read         the child is reaped, and the orphan's end waited for
 *   futex                    the thread's end is waited for (FUTEX_WAIT; the kernel wakes at CLONE_CHILD_CLEARTID)
 *   execve                   itself, with another argument
 *   sched_get_priority_min   the first instruction after that
 *   nanosleep sysinfo        later on
 *   getpgid exit_group       the very last call before the end
 *
 * Numbers: arch/x86/entry/syscalls/syscall_64.tbl. */
#define SYS_READ 0
#define SYS_CLOSE 3
#define SYS_NANOSLEEP 35
#define SYS_CLONE 56
#define SYS_FORK 57
#define SYS_EXECVE 59
#define SYS_EXIT 60
#define SYS_WAIT4 61
#define SYS_SYSINFO 99
#define SYS_GETPGID 121
#define SYS_SETFSUID 122
#define SYS_GETPRIORITY 140
#define SYS_SCHED_GET_PRIORITY_MAX 146
#define SYS_SCHED_GET_PRIORITY_MIN 147
#define SYS_FUTEX 202
#define SYS_EXIT_GROUP 231
#define SYS_PIPE2 293
/* CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM|PARENT_SETTID|CHILD_CLEARTID */
#define THREAD 0x350f00

.globl _start
.text
_start:
    mov (%rsp), %rbx            /* argc */
    mov 8(%rsp), %r12           /* argv[0] */
    cmp $2, %rbx
    jge again

    mov $SYS_SCHED_GET_PRIORITY_MAX, %eax
    xor %edi, %edi
    syscall

    mov $SYS_PIPE2, %eax
    lea ends(%rip), %rdi
    xor %esi, %esi
    syscall

    mov $SYS_CLONE, %eax
    mov $THREAD, %edi
    lea stack_end(%rip), %rsi
    lea tid(%rip), %rdx
    lea tid(%rip), %r10
    xor %r8d, %r8d
    syscall
    test %eax, %eax
    jz thread
    js failed

    mov $SYS_FORK, %eax
    syscall
    test %eax, %eax
    jz child
    js failed

    mov %eax, %edi
    mov $SYS_WAIT4, %eax
    xor %esi, %esi
    xor %edx, %edx
    xor %r10d, %r10d
    syscall

    mov $SYS_CLOSE, %eax
    mov ends+4(%rip), %edi
    syscall
    mov $SYS_READ, %eax         /* ends when the orphan has closed its end */
    mov ends(%rip), %edi
    lea room(%rip), %rsi
    mov $1, %edx
    syscall

wait_for_thread:
    mov $SYS_FUTEX, %eax        /* once at least, whether the thread has ended or not */
    lea tid(%rip), %rdi
    xor %esi, %esi
    mov tid(%rip), %edx
    test %edx, %edx
    jnz wait
    mov $1, %edx                /* it has ended: the call must not wait for the number to change */
wait:
    xor %r10d, %r10d
    syscall
    cmpl $0, tid(%rip)
    jne wait_for_thread

    mov $SYS_EXECVE, %eax
    mov %r12, %rdi
    lea argv(%rip), %rsi
    mov %r12, (%rsi)
    lea word(%rip), %rcx
    mov %rcx, 8(%rsi)
    xor %edx, %edx
    syscall
failed:
    mov $SYS_EXIT_GROUP, %eax
    mov $1, %edi
    syscall

thread:
    mov $SYS_GETPRIORITY, %eax
    xor %edi, %edi
    xor %esi, %esi
    syscall
    mov $SYS_EXIT, %eax
    xor %edi, %edi
    syscall

child:
    mov $SYS_FORK, %eax
    syscall
    test %eax, %eax
    jz orphan
    mov $SYS_EXIT_GROUP, %eax
    xor %edi, %edi
    syscall

orphan:
    mov $SYS_SETFSUID, %eax     /* -1: changes nothing */
    mov $-1, %edi
    syscall
    mov $SYS_CLOSE, %eax
    mov ends+4(%rip), %edi
    syscall
    mov $SYS_EXIT_GROUP, %eax
    xor %edi, %edi
    syscall

again:
    mov $SYS_SCHED_GET_PRIORITY_MIN, %eax
    xor %edi, %edi
    syscall
    mov $SYS_NANOSLEEP, %eax
    lea moment(%rip), %rdi
    xor %esi, %esi
    syscall
    mov $SYS_SYSINFO, %eax
    lea room(%rip), %rdi
    syscall
    mov $SYS_GETPGID, %eax
    xor %edi, %edi
    syscall
    mov $SYS_EXIT_GROUP, %eax
    xor %edi, %edi
    syscall

.data
.balign 8
moment: .quad 0, 100000         /* 0.1 ms */
argv:   .quad 0, 0, 0
word:   .asciz "again"
.bss
.balign 16
ends:   .skip 8
tid:    .skip 8
room:   .skip 256
stack:  .skip 4096
stack_end:
.section .note.GNU-stack, "", @progbits
