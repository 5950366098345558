/*
 * Makes the calls that it is told, and prints what the kernel said: tests/seccomp_runc.rs asks a container's filter by it.
 *
 * stdin:  a line a call: 6 (x86_64 or x32) or 3 (i386), the number, six arguments, in hexadecimal
 * stdout: a line a call: the error, or 0
 *
 * It needs read, write and exit_group, no library and no loader.
 */
typedef unsigned long word;

static long native(word nr, word a, word b, word c, word d, word e, word f)
{
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    register word r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static long i386(const unsigned *registers)
{
    long result;

    __asm__ volatile("push %%rbx\n\tpush %%rbp\n\t"
                     "mov 4(%%rax), %%ebx\n\tmov 8(%%rax), %%ecx\n\tmov 12(%%rax), %%edx\n\t"
                     "mov 16(%%rax), %%esi\n\tmov 20(%%rax), %%edi\n\tmov 24(%%rax), %%ebp\n\t"
                     "mov (%%rax), %%eax\n\tint $0x80\n\t"
                     "pop %%rbp\n\tpop %%rbx"
                     : "=a"(result)
                     : "a"(registers)
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
    return (int)result;
}

static char input[1 << 20], output[1 << 18];

static const char *number(const char *at, word *value)
{
    *value = 0;
    while (*at == ' ' || *at == '\n')
        at++;
    for (; *at > ' '; at++)
        *value = *value << 4 | (*at <= '9' ? *at - '0' : *at - 'a' + 10);
    return at;
}

/* A number and the end of the line. */
static char *print(char *to, word value)
{
    char digits[20];
    int n = 0;

    do
        digits[n++] = '0' + value % 10;
    while (value /= 10);
    while (n)
        *to++ = digits[--n];
    *to++ = '\n';
    return to;
}

__attribute__((noreturn, used)) static void start(void)
{
    const char *at = input;
    char *to = output, *from = output;
    long got, length = 0;

    while ((got = native(0, 0, (word)input + length, sizeof(input) - 1 - length, 0, 0, 0)) > 0)
        length += got;
    while (at < input + length) {
        word call[8];
        unsigned registers[7];
        long result;

        for (int i = 0; i < 8; i++)
            at = number(at, &call[i]);
        if (call[0] == 3) {
            for (int i = 0; i < 7; i++)
                registers[i] = call[i + 1];
            result = i386(registers);
        } else {
            result = native(call[1], call[2], call[3], call[4], call[5], call[6], call[7]);
        }
        to = print(to, result < 0 && result > -4096 ? -result : 0);
        while (*at == '\n')
            at++;
    }
    while (from < to && (got = native(1, 1, (word)from, to - from, 0, 0, 0)) > 0)
        from += got;
    for (;;)
        native(231, from < to, 0, 0, 0, 0, 0);
}

/* The stack is aligned for a function that was called. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall start\n");
