//! The one wire format, `bpf/wire.h`, in Rust. Names are those of the header, where each field is explained.
//!
//! The size of each type is asserted on both sides, and a test compares every field's offset with what the compiler of the
//! programs wrote into the object. Numbers that name a thing are plain integers here: what the kernel sends may be anything.

use crate::recording::Access;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// As many meaningful arguments as a call has.
pub(super) const ARGS: usize = crate::abi::arguments::MOST;
/// Numbers of calls below this are looked up.
pub(super) const PLANE: u32 = 1024;
const SLOT_BITS: u32 = 16;
const SPREAD: u32 = 3;

/// The slot of a task's number (`slot_of` in `bpf/tasks.h`).
pub(super) fn slot_of(tid: u32) -> u32 {
    (tid << SPREAD | tid >> (SLOT_BITS - SPREAD) & ((1 << SPREAD) - 1)) & ((1 << SLOT_BITS) - 1)
}

/// Rows of counters, and how many copies each has at most.
pub(super) const ROWS: u32 = 256;
const COPIES: u32 = 8;

/// How many copies of each row so many processors have.
pub(super) fn copies(processors: usize) -> u32 {
    u32::try_from(processors).unwrap_or(COPIES).next_power_of_two().min(COPIES)
}

/// Counters of a row.
pub(super) const COLUMNS: usize = 512;
/// What a counter has from this bit on says only that it is in use.
pub(super) const COUNTING: u32 = 48;
/// Bytes of a record, at most.
pub(super) const BYTES: usize = 16384;

/// `enum learn_abi`, in order.
pub(super) const ABIS: [crate::abi::Abi; 3] =
    [crate::abi::Abi::X86_64, crate::abi::Abi::I386, crate::abi::Abi::X32];

/// `enum learn_phase`.
pub(super) const STARTING: u8 = 0;

/// `enum learn_outcome`.
pub(super) mod outcome {
    pub(in super::super) const OK: u16 = 0;
    pub(in super::super) const NO_RETURN: u16 = 0xffff;
    pub(in super::super) const KNOWN: u16 = 0xfffe;
}

/// `enum learn_call_is`.
pub(super) mod is {
    pub(in super::super) const MANY: u16 = 1;
    pub(in super::super) const DENIED: u16 = 2;
}

/// `enum learn_origin`.
pub(super) mod origin {
    pub(in super::super) const ENTRY: u16 = 0;
    pub(in super::super) const SESSION: u16 = 1;
    pub(in super::super) const HEALTHCHECK: u16 = 2;
}

/// The bits of a session that are its origin; the others are its container's number.
pub(super) const ORIGIN_BITS: u32 = 2;
/// Marks in the map `entered` that a container's number is given.
pub(super) const CLAIMED: u32 = 0x8000_0000;
/// Length of a container's identifier.
pub(super) const ID: usize = 64;
/// Bytes of a health check's command line that are compared.
pub(super) const WORDS: usize = 256;

/// `enum learn_loss`, in order, in words.
pub(super) const LOSSES: [&str; 8] = [
    "tasks that found no room in the kernel's table",
    "calls that found no room in the kernel's table",
    "records that found no room in the ring",
    "capability checks that found no room in the kernel's table",
    "signals that found no room in the kernel's table",
    "containers that found no room in the kernel's table",
    "operations of io_uring that the kernel carried out while another was being told",
    "programs that began with descriptors above 65,535",
];

/// The number of a call that a capability check outside of calls has.
pub(super) const OUTSIDE: u32 = u32::MAX;

/// `enum learn_names`.
pub(super) mod names {
    pub(in super::super) const PATH: u8 = 1;
    pub(in super::super) const PATH_AT: u8 = 2;
    pub(in super::super) const FD: u8 = 3;
}

/// `enum learn_does`.
pub(super) mod does {
    pub(in super::super) const RETURNS_FD: u16 = 1;
    pub(in super::super) const OPEN_HOW: u16 = 2;
    pub(in super::super) const EMPTY_IS_NOTHING: u16 = 4;
    pub(in super::super) const CHANGES_CWD: u16 = 8;
    pub(in super::super) const CHANGES_ROOT: u16 = 16;
    pub(in super::super) const SENDS_SIGNAL: u16 = 32;
    pub(in super::super) const SOCKETCALL: u16 = 64;
    pub(in super::super) const GIVES_ADDRESS: u16 = 128;
    pub(in super::super) const MAKES_SOCKET: u16 = 256;
    pub(in super::super) const ONLY_FLAGS: u16 = 512;
    pub(in super::super) const HAS_WORD: u16 = 1024;
    pub(in super::super) const ACCEPTS: u16 = 2048;
    pub(in super::super) const HIDES: u16 = 4096;
    pub(in super::super) const EXECUTES: u16 = 8192;
}

/// `enum learn_asks`.
pub(super) mod asks {
    pub(in super::super) const FOR_MODE_1: u8 = 1;
    pub(in super::super) const FOR_MODE_2: u8 = 2;
    pub(in super::super) const FOR_USER: u8 = 3;
    pub(in super::super) const FOR_GROUP: u8 = 4;
    pub(in super::super) const FOR_FLAGS: u8 = 5;
    pub(in super::super) const FOR_FLAGS_AT: u8 = 6;
    pub(in super::super) const FOR_FILTER: u8 = 7;
    pub(in super::super) const FOR_FILTER_BY_PRCTL: u8 = 8;
    pub(in super::super) const FOR_EVENTS: u8 = 9;
}

/// `enum learn_when`.
pub(super) mod when {
    pub(in super::super) const BITS: u8 = 1;
    pub(in super::super) const ONE_OF: u8 = 2;
    pub(in super::super) const IS: u8 = 3;
}

/// `enum learn_kind`.
pub(super) mod kind {
    pub(in super::super) const EXEC: u32 = 1;
    pub(in super::super) const FILE: u32 = 2;
    pub(in super::super) const ADDRESS: u32 = 3;
    pub(in super::super) const SOCKET: u32 = 4;
    pub(in super::super) const CONTAINER: u32 = 5;
    pub(in super::super) const SERVING: u32 = 6;
    pub(in super::super) const STOPPING: u32 = 7;
    pub(in super::super) const HOOKED: u32 = 8;
}

/// `enum learn_hooked`: what each does to a file. Of the first and the last an open's flags tell.
pub(super) const HOOKED: [Access; 11] = [
    Access::Read,
    Access::Create,
    Access::Mknod,
    Access::Mkdir,
    Access::Rmdir,
    Access::Delete,
    Access::Symlink,
    Access::Link,
    Access::Rename,
    Access::MmapExec,
    Access::Read,
];
/// A file is opened.
pub(super) const DOES_OPEN: u32 = 0;
/// A program begins with a file open.
pub(super) const DOES_INHERIT: u32 = 10;

/// `enum learn_scope`.
pub(super) mod scope {
    pub(in super::super) const TREE: u32 = 0;
    pub(in super::super) const MARKED: u32 = 1;
    pub(in super::super) const NAMED: u32 = 2;
}

/// `enum learn_where`: the task is in a call.
pub(super) const IN: u16 = 1;
/// The task will leave a call that it was not seen to enter.
pub(super) const BORN: u16 = 2;
/// `enum learn_phase`.
pub(super) const RUNNING: u8 = 1;

/// `enum learn_part`.
pub(super) const PARTS: usize = 5;

/// `enum learn_says`.
pub(super) mod says {
    pub(in super::super) const BASE_IS_OBJECT: u16 = 1;
    pub(in super::super) const BASE_2_IS_OBJECT: u16 = 2;
    pub(in super::super) const THROUGH_FD: u16 = 4;
    pub(in super::super) const THROUGH_FD_2: u16 = 8;
    pub(in super::super) const CREATED: u16 = 16;
    pub(in super::super) const NOT_OWNER: u16 = 32;
    pub(in super::super) const OWNER_KNOWN: u16 = 64;
    pub(in super::super) const UNREADABLE: u16 = 128;
    pub(in super::super) const CUT: u16 = 256;
    pub(in super::super) const LAUNCH: u16 = 512;
    pub(in super::super) const NO_BASE: u16 = 1024;
    pub(in super::super) const NO_BASE_2: u16 = 2048;
}

/// Declares a type of the wire: its layout, that aya may copy it, and its fields for the test of the layout.
macro_rules! wire {
    ($(#[$about:meta])* $name:ident = $size:literal { $($field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub(super) struct $name {
            $(pub(super) $field: $type,)*
        }

        const _: () = assert!(size_of::<$name>() == $size);

        // SAFETY: zerocopy has proved that every byte is initialised and that any bytes are a value.
        unsafe impl aya::Pod for $name {}

        #[cfg(test)]
        impl $name {
            /// Each field's name, offset and size in bytes.
            fn layout() -> Vec<(&'static str, usize, usize)> {
                vec![$((
                    stringify!($field),
                    std::mem::offset_of!($name, $field),
                    size_of::<$type>(),
                ),)*]
            }
        }
    };
}

wire! {
    /// `struct learn_call_key`
    CallKey = 32 {
        domain: u64, nr: u32, session: u16, phase: u8, abi: u8, args: [u32; ARGS], outcome: u16, is: u16,
    }
}

wire! {
    /// `struct learn_count`
    Count = 24 { count: u64, first_ns: u64, first_pid: u32, unused: u32, }
}

wire! {
    /// `struct learn_capability_key`
    CapabilityKey = 24 {
        domain: u64, nr: u32, session: u16, phase: u8, abi: u8, capability: u8, granted: u8,
        initial_namespace: u8, needless: u8, bounded: u8, unaudited: u8, unused: [u8; 2],
    }
}

wire! {
    /// `struct learn_signal_key`
    SignalKey = 16 { domain: u64, signal: u32, session: u16, phase: u8, inside: u8, }
}

wire! {
    /// `struct learn_task`
    Task = 24 {
        domain: u64, nr: u32, session: u16, phase: u8, abi: u8, place: u16, row: u16, user_level: u32,
    }
}

wire! {
    /// `struct learn_place`
    Place = 32 { task: Task, tid: u32, unused: u32, }
}

wire! {
    /// `struct learn_row_key`
    RowKey = 16 { domain: u64, session: u16, phase: u8, unused: [u8; 5], }
}

/// `struct learn_row`: the counters of a row by their calls' numbers.
pub(super) type Row = [u64; COLUMNS];

wire! {
    /// `struct learn_object`
    Object = 4 { names: u8, dir: u8, path: u8, unused: u8, }
}

wire! {
    /// `struct learn_rule`
    Rule = 40 {
        args: [u8; ARGS], nargs: u8, masks: [u32; ARGS], first: Object, second: Object, does: u16, kept: u8, when: u8,
        when_argument: u8, asks: u8, word_pointer: u8, word_offset: u8, when_bits: u64,
    }
}

wire! {
    /// `struct learn_record`, without the bytes that follow it
    Record = 128 {
        kind: u32, size: u32, at_ns: u64, pid: u32, tid: u32, own_pid: u32, own_tid: u32, hash: u64, domain: u64,
        other_domain: u64, nr: u32, session: u16, phase: u8, abi: u8, args: [u32; 6], open_flags: u32, fsuid: u32,
        mount_namespace: u64, mount_sequence: u64, outcome: u16, says: u16, lengths: [u16; PARTS], unused: u16,
    }
}

wire! {
    /// `struct learn_settings`
    Settings = 64 {
        seed: [u64; 2], pid_namespace_device: u64, pid_namespace_inode: u64, mount_namespace: u64, scope: u32, launch: u32,
        mark: [u32; 2], copies: u32, unused: u32,
    }
}

/// `struct learn_id`: bytes, so that it needs no layout.
pub(super) type Id = [u8; ID];

/// `struct learn_words`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Words {
    pub(super) length: u32,
    pub(super) words: [u8; WORDS],
}

const _: () = assert!(size_of::<Words>() == 4 + WORDS);

impl Words {
    /// A command line as the kernel lays it out in a new program's memory.
    pub(super) fn of(line: &[String]) -> Self {
        let bytes: Vec<u8> =
            line.iter().flat_map(|word| word.bytes().chain(std::iter::once(0))).collect();
        let mut words = [0; WORDS];
        for (to, from) in words.iter_mut().zip(&bytes) {
            *to = *from;
        }
        Self { length: u32::try_from(bytes.len()).unwrap_or(u32::MAX), words }
    }
}

// SAFETY: a number and bytes, without a gap between them.
unsafe impl aya::Pod for Words {}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use btf_rs::{Btf, BtfType, Type};
    use object::{Object as _, ObjectSection as _};

    use super::*;

    /// The types that the compiler wrote into the object.
    fn types() -> Btf {
        let object = object::File::parse(super::super::programs::OBJECT).unwrap();
        Btf::from_bytes(object.section_by_name(".BTF").unwrap().data().unwrap()).unwrap()
    }

    #[test]
    fn a_command_line_lies_in_memory_word_by_word() {
        let words = Words::of(&["a".to_owned(), "bc".to_owned()]);
        assert_eq!((words.length, &words.words[..6]), (5, &b"a\0bc\0\0"[..]));
        assert_eq!(Words::of(&["x".repeat(300)]).length, 301, "longer than what is compared");
    }

    /// Each field's name and offset, and the size of the whole.
    fn in_c(btf: &Btf, name: &str) -> (Vec<(String, usize)>, usize) {
        let found = btf.resolve_types_by_name(name).unwrap();
        let [Type::Struct(found)] = found.as_slice() else { panic!("{name}: {found:?}") };
        let fields = found.members.iter().map(|member| {
            (btf.resolve_name(member as &dyn BtfType).unwrap(), member.bit_offset() as usize / 8)
        });
        (fields.collect(), found.size())
    }

    #[test]
    fn both_sides_lay_their_types_out_alike() {
        let btf = types();
        for (name, layout, size) in [
            ("learn_call_key", CallKey::layout(), size_of::<CallKey>()),
            ("learn_count", Count::layout(), size_of::<Count>()),
            ("learn_capability_key", CapabilityKey::layout(), size_of::<CapabilityKey>()),
            ("learn_signal_key", SignalKey::layout(), size_of::<SignalKey>()),
            ("learn_task", Task::layout(), size_of::<Task>()),
            ("learn_place", Place::layout(), size_of::<Place>()),
            ("learn_row_key", RowKey::layout(), size_of::<RowKey>()),
            ("learn_object", Object::layout(), size_of::<Object>()),
            ("learn_rule", Rule::layout(), size_of::<Rule>()),
            ("learn_record", Record::layout(), size_of::<Record>()),
            ("learn_settings", Settings::layout(), size_of::<Settings>()),
        ] {
            let (fields, whole) = in_c(&btf, name);
            assert_eq!(whole, size, "{name}");
            // `where` is a word of Rust's.
            let ours: Vec<_> = layout
                .iter()
                .map(|(field, at, _)| (if *field == "place" { "where" } else { field }, *at))
                .collect();
            let theirs: Vec<_> = fields.iter().map(|(field, at)| (field.as_str(), *at)).collect();
            assert_eq!(ours, theirs, "{name}");
            let last = layout.last().unwrap();
            assert_eq!(last.1 + last.2, size, "{name} has a gap at its end");
        }
    }

    /// The header's names of numbers: enumerators and macros.
    fn numbers() -> HashMap<String, u64> {
        let mut known = HashMap::new();
        let header: String = include_str!("../../bpf/wire.h")
            .split("/*")
            .map(|piece| piece.split_once("*/").map_or(piece, |(_, code)| code))
            .collect();
        for line in header.lines() {
            if let [name, value] =
                line.strip_prefix("#define ").map_or(vec![], |rest| rest.split(' ').collect())[..]
            {
                known.insert(name.to_owned(), number(value).unwrap());
            }
        }
        for body in header.split("enum ").skip(1).filter_map(|rest| rest.split_once("{")) {
            let mut next = 0;
            for each in body.1.split_once("}").unwrap().0.split(",").map(str::trim) {
                let (name, value) = each.split_once(" = ").unwrap_or((each, ""));
                next = number(value).unwrap_or(next);
                known.insert(name.to_owned(), next);
                next += 1;
            }
        }
        known
    }

    fn number(text: &str) -> Option<u64> {
        match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }

    fn hooked(access: Access) -> u64 {
        HOOKED.iter().position(|known| *known == access).unwrap() as u64
    }

    #[test]
    fn both_sides_count_alike() {
        let known = numbers();
        let all: &[(&str, u64)] = &[
            ("LEARN_ARGS", ARGS as u64),
            ("LEARN_PLANE", PLANE.into()),
            ("LEARN_SLOT_BITS", SLOT_BITS.into()),
            ("LEARN_SPREAD", SPREAD.into()),
            ("LEARN_ROWS", ROWS.into()),
            ("LEARN_COPIES", COPIES.into()),
            ("LEARN_COLUMNS", COLUMNS as u64),
            ("LEARN_COUNTING", COUNTING.into()),
            ("LEARN_VARIANTS", crate::abi::arguments::BOUND as u64),
            ("LEARN_BYTES", BYTES as u64),
            ("LEARN_ABIS", ABIS.len() as u64),
            ("LEARN_STARTING", STARTING.into()),
            ("LEARN_OK", outcome::OK.into()),
            ("LEARN_NO_RETURN", outcome::NO_RETURN.into()),
            ("LEARN_KNOWN", outcome::KNOWN.into()),
            ("LEARN_MANY", is::MANY.into()),
            ("LEARN_DENIED", is::DENIED.into()),
            ("LEARN_ENTRY", origin::ENTRY.into()),
            ("LEARN_SESSION", origin::SESSION.into()),
            ("LEARN_HEALTHCHECK", origin::HEALTHCHECK.into()),
            ("LEARN_ORIGIN_BITS", ORIGIN_BITS.into()),
            ("LEARN_ID", ID as u64),
            ("LEARN_WORDS", WORDS as u64),
            ("LEARN_TREE", scope::TREE.into()),
            ("LEARN_MARKED", scope::MARKED.into()),
            ("LEARN_NAMED", scope::NAMED.into()),
            ("LEARN_IN", IN.into()),
            ("LEARN_BORN", BORN.into()),
            ("LEARN_RUNNING", RUNNING.into()),
            ("LEARN_CONTAINER", kind::CONTAINER.into()),
            ("LEARN_SERVING", kind::SERVING.into()),
            ("LEARN_STOPPING", kind::STOPPING.into()),
            ("LEARN_HOOKED", kind::HOOKED.into()),
            ("LEARN_DOES_OPEN", DOES_OPEN.into()),
            ("LEARN_DOES_INHERIT", DOES_INHERIT.into()),
            ("LEARN_DOES_CREATE", hooked(Access::Create)),
            ("LEARN_DOES_MKNOD", hooked(Access::Mknod)),
            ("LEARN_DOES_MKDIR", hooked(Access::Mkdir)),
            ("LEARN_DOES_RMDIR", hooked(Access::Rmdir)),
            ("LEARN_DOES_UNLINK", hooked(Access::Delete)),
            ("LEARN_DOES_SYMLINK", hooked(Access::Symlink)),
            ("LEARN_DOES_LINK", hooked(Access::Link)),
            ("LEARN_DOES_RENAME", hooked(Access::Rename)),
            ("LEARN_DOES_MAP", hooked(Access::MmapExec)),
            ("LEARN_LOSSES", LOSSES.len() as u64),
            ("LEARN_OUTSIDE", OUTSIDE.into()),
            ("LEARN_NAMES_PATH", names::PATH.into()),
            ("LEARN_NAMES_PATH_AT", names::PATH_AT.into()),
            ("LEARN_NAMES_FD", names::FD.into()),
            ("LEARN_RETURNS_FD", does::RETURNS_FD.into()),
            ("LEARN_OPEN_HOW", does::OPEN_HOW.into()),
            ("LEARN_EMPTY_IS_NOTHING", does::EMPTY_IS_NOTHING.into()),
            ("LEARN_CHANGES_CWD", does::CHANGES_CWD.into()),
            ("LEARN_CHANGES_ROOT", does::CHANGES_ROOT.into()),
            ("LEARN_SENDS_SIGNAL", does::SENDS_SIGNAL.into()),
            ("LEARN_SOCKETCALL", does::SOCKETCALL.into()),
            ("LEARN_GIVES_ADDRESS", does::GIVES_ADDRESS.into()),
            ("LEARN_MAKES_SOCKET", does::MAKES_SOCKET.into()),
            ("LEARN_ONLY_FLAGS", does::ONLY_FLAGS.into()),
            ("LEARN_HAS_WORD", does::HAS_WORD.into()),
            ("LEARN_ACCEPTS", does::ACCEPTS.into()),
            ("LEARN_HIDES", does::HIDES.into()),
            ("LEARN_EXECUTES", does::EXECUTES.into()),
            ("LEARN_ASKS_FOR_MODE_1", asks::FOR_MODE_1.into()),
            ("LEARN_ASKS_FOR_MODE_2", asks::FOR_MODE_2.into()),
            ("LEARN_ASKS_FOR_USER", asks::FOR_USER.into()),
            ("LEARN_ASKS_FOR_GROUP", asks::FOR_GROUP.into()),
            ("LEARN_ASKS_FOR_FLAGS", asks::FOR_FLAGS.into()),
            ("LEARN_ASKS_FOR_FLAGS_AT", asks::FOR_FLAGS_AT.into()),
            ("LEARN_ASKS_FOR_FILTER", asks::FOR_FILTER.into()),
            ("LEARN_ASKS_FOR_FILTER_BY_PRCTL", asks::FOR_FILTER_BY_PRCTL.into()),
            ("LEARN_ASKS_FOR_EVENTS", asks::FOR_EVENTS.into()),
            ("LEARN_WHEN_BITS", when::BITS.into()),
            ("LEARN_WHEN_ONE_OF", when::ONE_OF.into()),
            ("LEARN_WHEN_IS", when::IS.into()),
            ("LEARN_EXEC", kind::EXEC.into()),
            ("LEARN_FILE", kind::FILE.into()),
            ("LEARN_ADDRESS", kind::ADDRESS.into()),
            ("LEARN_SOCKET", kind::SOCKET.into()),
            ("LEARN_PARTS", PARTS as u64),
            ("LEARN_BASE_IS_OBJECT", says::BASE_IS_OBJECT.into()),
            ("LEARN_BASE_2_IS_OBJECT", says::BASE_2_IS_OBJECT.into()),
            ("LEARN_THROUGH_FD", says::THROUGH_FD.into()),
            ("LEARN_THROUGH_FD_2", says::THROUGH_FD_2.into()),
            ("LEARN_CREATED", says::CREATED.into()),
            ("LEARN_NOT_OWNER", says::NOT_OWNER.into()),
            ("LEARN_OWNER_KNOWN", says::OWNER_KNOWN.into()),
            ("LEARN_UNREADABLE", says::UNREADABLE.into()),
            ("LEARN_CUT", says::CUT.into()),
            ("LEARN_LAUNCH", says::LAUNCH.into()),
            ("LEARN_NO_BASE", says::NO_BASE.into()),
            ("LEARN_NO_BASE_2", says::NO_BASE_2.into()),
        ];
        for (name, ours) in all {
            assert_eq!(known.get(*name), Some(ours), "{name}");
        }
    }
}
