/* What a container needs at least: a static program that sleeps, says so, and ends. Every call is checked.
 *
 *   pause         sleeps for 50 ms, writes "done", exits 0; exits 1 when a call fails
 *   pause stay    sleeps for an hour */
#define SYS_WRITE 1
#define SYS_NANOSLEEP 35
#define SYS_EXIT_GROUP 231

.globl _start
.text
_start:
    lea moment(%rip), %rdi
    cmpq $2, (%rsp)             /* argc */
    jl sleep
    lea hour(%rip), %rdi
sleep:
    mov $SYS_NANOSLEEP, %eax
    xor %esi, %esi
    syscall
    test %rax, %rax
    js failed
    mov $SYS_WRITE, %eax
    mov $1, %edi
    lea done(%rip), %rsi
    mov $5, %edx
    syscall
    test %rax, %rax
    js failed
    xor %edi, %edi
    jmp end
failed:
    mov $1, %edi
end:
    mov $SYS_EXIT_GROUP, %eax
    syscall
    hlt                         /* a refused end must not pass for one */

.section .rodata
.balign 8
moment: .quad 0, 50000000
hour:   .quad 3600, 0
done:   .ascii "done\n"
.section .note.GNU-stack, "", @progbits
