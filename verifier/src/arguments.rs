//! The meaningful arguments of a call, for a person.

use tracer::abi::{Abi, paths, symbols};
use tracer::decode::resolve::View;
use tracer::decode::{self, Call, low};
use tracer::memory;
use tracer::recording::ByteString;

/// The arguments of a call that waits. Memory is read where that is allowed.
pub(crate) fn describe(call: &Call, tid: u32, view: &View) -> String {
    let thread = nix::unistd::Pid::from_raw(tid.cast_signed());
    let inner = decode::demultiplexed(*call, |at, length| memory::bytes(thread, at, length));
    if inner != *call {
        // What the filter judged is the number of the operation; what it does says more.
        let name = inner.name().unwrap_or_default();
        return format!("{name}({})", values(&inner).join(", "));
    }
    let mut words = Vec::new();
    words.extend(path(call, thread, view).map(|path| path.to_string()));
    words.extend(values(call));
    words.join(", ")
}

/// The file that the call names, resolved.
fn path(call: &Call, thread: nix::unistd::Pid, view: &View) -> Option<ByteString> {
    let paths::Object::Path { dir, path, follow } = paths::of(call.name()?)?.object else {
        return None;
    };
    let register = |at: u8| call.args[usize::from(at)];
    let address = match call.abi {
        Abi::I386 => u64::from(low(register(path))),
        _ => register(path),
    };
    let name = memory::string(thread, address).filter(|name| !name.is_empty())?;
    let descriptor = dir.map(|at| low(register(at)).cast_signed()).filter(|fd| *fd >= 0);
    let base = view.directory(descriptor).ok()?;
    let follow = match follow {
        paths::Follow::Always => true,
        paths::Follow::Never => false,
        paths::Follow::Unless(at, bits) => low(register(at)) & bits == 0,
        paths::Follow::If(at, bits) => low(register(at)) & bits != 0,
    };
    view.resolve(base.as_bytes(), &name, follow).ok()
}

/// The arguments of a call of which nothing but their meaningful values is known.
pub(crate) fn of_values(call: &Call) -> String {
    values(call).join(", ")
}

fn values(call: &Call) -> Vec<String> {
    let Some(name) = call.name() else { return Vec::new() };
    symbols::spell_all(call.abi, name, |at| call.args[usize::from(at)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tracer::abi::calls;

    fn of(abi: Abi, name: &str, args: [u64; 6]) -> String {
        let nr = calls::number(abi, name).unwrap();
        let view = View::of(std::process::id(), std::process::id());
        describe(&Call { abi, nr, args, result: None }, std::process::id(), &view)
    }

    #[test]
    fn values_have_their_names_and_what_has_none_is_a_number() {
        let native = |name, args| of(Abi::NATIVE, name, args);
        let [alg, seqpacket] = [38, 5];
        assert_eq!(native("socket", [alg, seqpacket, 0, 0, 0, 0]), "AF_ALG, SOCK_SEQPACKET, 0");
        // socket(2): the flags are SOCK_CLOEXEC and SOCK_NONBLOCK; upper halves are garbage.
        assert_eq!(
            native("socket", [0xffff_ffff_0000_0002, 0o2_004_001, 17, 0, 0, 0]),
            "AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 17"
        );
        assert_eq!(native("socket", [0x1234, 0xf, 0, 0, 0, 0]), "0x1234, 0xf, 0");
        assert_eq!(native("mprotect", [0, 0, 7, 0, 0, 0]), "PROT_READ|PROT_WRITE|PROT_EXEC");
        assert_eq!(native("mprotect", [0, 0, 0, 0, 0, 0]), "0");
        assert_eq!(native("unshare", [0x1000_0000, 0, 0, 0, 0, 0]), "CLONE_NEWUSER");
        assert_eq!(native("kill", [1, 15, 0, 0, 0, 0]), "SIGTERM");
        assert_eq!(native("prctl", [0xdead_beef, 0, 0, 0, 0, 0]), "0xdeadbeef");
        assert_eq!(native("getpid", [7; 6]), "");
    }

    #[test]
    fn paths_are_resolved_and_those_that_cannot_be_read_are_left_out() {
        let path = c"/proc/../new \xff";
        let at = path.as_ptr().addr() as u64;
        assert_eq!(of(Abi::NATIVE, "mkdir", [at, 0, 0, 0, 0, 0]), r"/new \xff");
        assert_eq!(of(Abi::NATIVE, "mkdir", [1, 0, 0, 0, 0, 0]), "");
        // The set-id bits of the mode mean something.
        assert_eq!(of(Abi::NATIVE, "mkdir", [1, 0o4755, 0, 0, 0, 0]), "S_ISUID");
    }

    #[test]
    fn a_multiplexed_call_is_told_by_what_it_does() {
        // socketcall(2): SYS_SOCKET is 1, and its arguments are words of 32 bits in memory.
        let words: [u32; 6] = [2, 1, 0, 0, 0, 0];
        let told = of(Abi::I386, "socketcall", [1, words.as_ptr().addr() as u64, 0, 0, 0, 0]);
        assert_eq!(told, "socket(AF_INET, SOCK_STREAM, 0)");
        // Where they can't be read, the operation's number is left.
        assert_eq!(of(Abi::I386, "socketcall", [1, 0, 0, 0, 0, 0]), "SYS_SOCKET");
    }

    proptest! {
        /// A hostile program chooses the number and all registers.
        #[test]
        fn any_call_can_be_described(nr in 0_u32..600, args: [u64; 6], small in 0_u64..64) {
            let view = View::of(std::process::id(), std::process::id());
            let mut args = args;
            args[0] = small;
            for abi in [Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64] {
                describe(&Call { abi, nr, args, result: None }, std::process::id(), &view);
            }
        }
    }
}
