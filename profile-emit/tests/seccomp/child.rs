//! A child that asks the kernel: it installs a filter and makes calls, whose results it leaves in shared memory.
//!
//! A filter that answers with an error instead of letting a call pass makes every call harmless, also those that would end the
//! child; then it can not end itself, and is killed.

use std::arch::asm;
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use profile_emit::seccomp::bpf::Program;
use tracer::abi::Abi;

use crate::Call;

/// A call's result: what the kernel left in the register.
pub(crate) type Result = i64;

const DONE: u32 = 1;
const FAILED: u32 = 2;

/// What the kernel says to each call under the filters, the last one installed last.
pub(crate) fn results(filters: &[&Program], calls: &[Call]) -> Vec<Result> {
    let length = 8 * (calls.len() + 1);
    // SAFETY: new memory of our own.
    let memory = unsafe {
        libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(memory, libc::MAP_FAILED);
    let flag = memory.cast::<AtomicU32>();
    // SAFETY: the memory is page-aligned and zeroed, has room for the flag in its first eight bytes and for a result a call
    // after them, and lives until it is unmapped below.
    let (flag, results) = unsafe {
        let results = memory.cast::<AtomicI64>().add(1);
        (&*flag, std::slice::from_raw_parts(results, calls.len()))
    };
    // SAFETY: the child only makes system calls and writes to the shared memory.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let end = if filters.iter().all(|filter| install(filter)) {
            for (call, result) in calls.iter().zip(results) {
                result.store(make(*call), Ordering::Relaxed);
            }
            DONE
        } else {
            FAILED
        };
        flag.store(end, Ordering::Release);
        loop {
            std::hint::spin_loop();
        }
    }
    let mut status = 0;
    let mut ended = 0;
    while flag.load(Ordering::Acquire) == 0 && ended == 0 {
        std::thread::yield_now();
        // SAFETY: the child is ours, and so is the status.
        ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
    }
    if ended == 0 {
        // SAFETY: the child is ours and was not waited for yet.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, &raw mut status, 0);
        }
    }
    let end = flag.load(Ordering::Acquire);
    let all = results.iter().map(|result| result.load(Ordering::Relaxed)).collect();
    let made = results.iter().take_while(|result| result.load(Ordering::Relaxed) != 0).count();
    // SAFETY: nothing refers to it any more.
    unsafe { libc::munmap(memory, length) };
    assert_eq!(end, DONE, "status {status:#x} at {:x?}", calls.get(made));
    all
}

/// Asks for one call that the filter kills for: the signal that ended the child.
pub(crate) fn killed_by(filter: &Program, call: Call) -> i32 {
    // SAFETY: the child only makes system calls.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        if install(filter) {
            make(call);
        }
        loop {
            std::hint::spin_loop();
        }
    }
    let mut status = 0;
    // SAFETY: the child is ours, and so is the status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert!(libc::WIFSIGNALED(status));
    libc::WTERMSIG(status)
}

/// Without privileges: no new ones are wanted afterwards. Allocates nothing.
fn install(filter: &Program) -> bool {
    let length = u16::try_from(filter.0.len()).unwrap_or(0);
    let mut copied = [libc::sock_filter { code: 0, jt: 0, jf: 0, k: 0 }; 4096];
    for (to, from) in copied.iter_mut().zip(&filter.0) {
        *to = libc::sock_filter { code: from.code, jt: from.jt, jf: from.jf, k: from.k };
    }
    let program = libc::sock_fprog { len: length, filter: copied.as_mut_ptr() };
    // SAFETY: the program and its instructions live until the kernel has copied them.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                0,
                &raw const program,
            ) == 0
    }
}

/// Makes a call as its ABI does.
fn make(call: Call) -> Result {
    let [a, b, c, d, e, f] = call.args;
    if call.abi == Abi::I386 {
        let low = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap_or_default();
        let registers = [call.nr, low(a), low(b), low(c), low(d), low(e), low(f)];
        return i386(&registers);
    }
    let mut result = i64::from(call.nr);
    // SAFETY: the filter refuses the call, or the test chose it so that nothing of this process is changed.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}

fn i386(registers: &[u32; 7]) -> Result {
    let result: usize;
    // SAFETY: as above; the registers that the compiler keeps for itself are restored.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "mov ebx, [rax + 4]",
            "mov ecx, [rax + 8]",
            "mov edx, [rax + 12]",
            "mov esi, [rax + 16]",
            "mov edi, [rax + 20]",
            "mov ebp, [rax + 24]",
            "mov eax, [rax]",
            "int 0x80",
            "pop rbp",
            "pop rbx",
            inout("rax") registers.as_ptr().addr() => result,
            lateout("rcx") _, lateout("rdx") _, lateout("rsi") _, lateout("rdi") _,
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    // The result has 32 bits.
    let [a, b, c, d, ..] = result.to_le_bytes();
    i64::from(i32::from_le_bytes([a, b, c, d]))
}
