//! One profile, one answer: by the simulator, by this crate's BPF, by libseccomp's, by seccompiler's where it can say the
//! same, and by the kernel. None of it needs root.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod arbitrary;
#[cfg(target_arch = "x86_64")]
mod child;
mod differential;
#[cfg(target_arch = "x86_64")]
mod kernel;
mod meaning;
mod table;

use std::io::{Read, Seek};

use profile_emit::seccomp::bpf::interpret::{Asked, run};
use profile_emit::seccomp::bpf::{Program, compile};
use profile_emit::seccomp::filter::{self, Default as FilterDefault};
use profile_emit::seccomp::{Action, Answer, Profile, simulate};
use tracer::abi::Abi;

/// A call to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) abi: Abi,
    pub(crate) nr: u32,
    pub(crate) args: [u64; 6],
}

impl Call {
    fn asked(self) -> Asked {
        let architecture = match self.abi {
            Abi::X86_64 | Abi::X32 => 0xC000_003E,
            Abi::I386 => 0x4000_0003,
            Abi::Aarch64 => 0xC000_00B7,
        };
        Asked { number: self.nr, architecture, instruction_pointer: 0x1234, arguments: self.args }
    }
}

/// What a program answers.
pub(crate) fn judged(program: &Program, call: Call) -> u32 {
    run(program, &call.asked()).unwrap().0
}

/// What the simulator answers, as a filter returns it.
pub(crate) fn simulated(profile: &Profile, call: Call) -> u32 {
    match simulate(profile, call.abi, call.nr, call.args) {
        Answer::Allowed => Action::Allow.code(),
        Answer::Errno(errno) => Action::Errno(u16::try_from(errno).unwrap()).code(),
        Answer::Other(action) => match action.as_str() {
            "SCMP_ACT_LOG" => Action::Log.code(),
            "SCMP_ACT_TRAP" => Action::Trap.code(),
            "SCMP_ACT_KILL_PROCESS" => Action::KillProcess.code(),
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread.code(),
            other => panic!("{other}"),
        },
    }
}

/// libseccomp's program.
pub(crate) fn by_libseccomp(profile: &Profile) -> Program {
    let filter = filter::compile(profile, FilterDefault::Profile, &[]).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    filter.export_bpf(&file).unwrap();
    file.rewind().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    Program::from_bytes(&bytes).unwrap()
}

/// This crate's.
pub(crate) fn by_learn(profile: &Profile) -> Program {
    compile(profile).unwrap()
}
