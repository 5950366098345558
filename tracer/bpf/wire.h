/* The one wire format: what the programs in the kernel and the recorder tell each other.
 *
 * src/ebpf/wire.rs is the same in Rust. Sizes are asserted here, sizes and offsets there, and a test compares both with the
 * types that the compiler wrote into the object. Everything has the byte order of the machine: it never leaves it.
 */
#ifndef LEARN_WIRE_H
#define LEARN_WIRE_H

/* At most so many meaningful arguments has a call (abi::arguments::MOST). */
#define LEARN_ARGS 3
/* Numbers of calls below this are looked up; each ABI has a plane of its own. x32's numbers count without their bit 30. */
#define LEARN_PLANE 1024
/* So many different combinations of arguments are kept for a program and call (abi::arguments::BOUND). */
#define LEARN_VARIANTS 64
/* A record's bytes are at most so many: two paths and two names of PATH_MAX. */
#define LEARN_BYTES 16384

/* Calling conventions, and their planes. */
enum learn_abi { LEARN_NATIVE = 0, LEARN_I386 = 1, LEARN_X32 = 2, LEARN_ABIS = 3 };

/* What a task does while it is recorded. */
enum learn_phase {
    /* It starts a program: what it does is not the program's, but the filter is asked about it. */
    LEARN_STARTING = 0,
    /* It runs the program. */
    LEARN_RUNNING = 1,
};

/* How a call ended, beside the errno's number. */
enum learn_outcome {
    LEARN_OK = 0,
    /* It was entered and has not returned: it ends the task, was restarted, or was under way at the end. */
    LEARN_NO_RETURN = 0xffff,
    /* No outcome, but the mark that this combination of arguments is known. */
    LEARN_KNOWN = 0xfffe,
};

/* What else there is to say of a call that is counted. */
enum learn_call_is {
    /* There are more combinations of arguments than are kept: `args` is zero. */
    LEARN_MANY = 1,
    /* It ended without having been entered: a filter denied it. */
    LEARN_DENIED = 2,
};

/* How a task came into a container. A task's session is this, and the container's number from LEARN_ORIGIN_BITS on. */
enum learn_origin { LEARN_ENTRY = 0, LEARN_SESSION = 1, LEARN_HEALTHCHECK = 2 };
#define LEARN_ORIGIN_BITS 2
/* Containers in a recording, at most. */
#define LEARN_CONTAINERS 1024
/* Marks that a container's number is given, beside the mark that it was entered. */
#define LEARN_CLAIMED 0x80000000
/* Length of a container's identifier: 32 bytes in hexadecimal. */
#define LEARN_ID 64
/* Bytes of a command line that are compared with a health check's. */
#define LEARN_WORDS 256

/* What was lost, by kind: the index of a counter. */
enum learn_loss {
    LEARN_LOST_TASKS = 0,
    LEARN_LOST_CALLS,
    LEARN_LOST_RECORDS,
    LEARN_LOST_CAPABILITIES,
    LEARN_LOST_SIGNALS,
    LEARN_LOST_CONTAINERS,
    LEARN_LOST_HOOKED,
    LEARN_LOST_INHERITED,
    LEARN_LOSSES,
};

/* How much there is: the index of a counter. */
enum learn_total { LEARN_SENT = 0, LEARN_COUNTED, LEARN_TOTALS };

/* A call as it is counted. */
struct learn_call_key {
    __u64 domain;
    __u32 nr;
    __u16 session;
    __u8 phase;
    __u8 abi;
    __u32 args[LEARN_ARGS];
    __u16 outcome;
    __u16 is; /* learn_call_is */
};
_Static_assert(sizeof(struct learn_call_key) == 32, "wire");

/* How often, and who did it first. */
struct learn_count {
    __u64 count;
    __u64 first_ns;
    /* In the recorder's pid namespace; 0 outside of it. */
    __u32 first_pid;
    __u32 unused;
};
_Static_assert(sizeof(struct learn_count) == 24, "wire");

/* A capability that a check asked for. */
struct learn_capability_key {
    __u64 domain;
    /* The call that the check served, or LEARN_OUTSIDE. */
    __u32 nr;
    __u16 session;
    __u8 phase;
    __u8 abi;
    __u8 capability;
    __u8 granted;
    /* In the user namespace that the recorded program was started in, or above it. */
    __u8 initial_namespace;
    /* The call asks more than it needs: with its arguments and the task's ids it would do the same when refused. */
    __u8 needless;
    /* Root was refused because the capability is not in its bounding set. */
    __u8 bounded;
    /* The kernel did not want it in its audit log, where that is seen. */
    __u8 unaudited;
    __u8 unused[2];
};
_Static_assert(sizeof(struct learn_capability_key) == 24, "wire");
#define LEARN_OUTSIDE 0xffffffff

/* A signal that was sent by a call. */
struct learn_signal_key {
    __u64 domain;
    __u32 signal;
    __u16 session;
    __u8 phase;
    /* The receiver is recorded too. */
    __u8 inside;
};
_Static_assert(sizeof(struct learn_signal_key) == 16, "wire");

/* A task that is recorded. */
struct learn_task {
    __u64 domain;
    /* The call that it is in, or was in last. */
    __u32 nr;
    __u16 session;
    __u8 phase;
    __u8 abi;
    __u16 where; /* learn_where */
    /* The row of counters of its domain, session and phase; 0: there is none. */
    __u16 row;
    /* The level of the user namespace that the recorded program was started in, and one more; 0: not known yet. */
    __u32 user_level;
};
_Static_assert(sizeof(struct learn_task) == 24, "wire");

/* Where a recorded task's state is: the slot of its number's low bits, of which the upper LEARN_SPREAD come last, so that tasks which were
 * made together, and run at the same time, write to different lines of the processors' caches. The number is written last, and 0 is
 * nobody's. */
#define LEARN_SLOT_BITS 16
#define LEARN_SLOTS (1 << LEARN_SLOT_BITS)
#define LEARN_SPREAD 3
struct learn_place {
    struct learn_task task;
    __u32 tid;
    __u32 unused;
};
_Static_assert(sizeof(struct learn_place) == 32, "wire");

/* Whose calls a row of counters counts. */
struct learn_row_key {
    __u64 domain;
    __u16 session;
    __u8 phase;
    __u8 unused[5];
};
_Static_assert(sizeof(struct learn_row_key) == 16, "wire");

/* A row counts the successes of native calls that nothing but their number is told of. Numbers are below LEARN_COLUMNS (the last one is 469 in
 * Linux 6.18, arch/x86/entry/syscalls/syscall_64.tbl). */
#define LEARN_ROWS 256
#define LEARN_COLUMNS 512
/* A counter that is in use has something in the bits from here on; the count stands below. */
#define LEARN_COUNTING 48
/* Each row is there several times, for processors that count at the same time: so often at most. */
#define LEARN_COPIES 8
struct learn_row {
    __u64 counts[LEARN_COLUMNS];
};

enum learn_where {
    LEARN_OUT = 0,
    LEARN_IN = 1,
    /* It will leave a call that it never entered: the one that made it, or that put it into the recording. */
    LEARN_BORN = 2,
};

/* How a call names a thing. */
enum learn_names {
    LEARN_NAMES_NOTHING = 0,
    /* By a path, from the current directory. */
    LEARN_NAMES_PATH,
    /* By a path, from a directory's descriptor. */
    LEARN_NAMES_PATH_AT,
    /* By a descriptor. */
    LEARN_NAMES_FD,
};

struct learn_object {
    __u8 names; /* learn_names */
    __u8 dir;   /* the argument with the directory's descriptor */
    __u8 path;  /* the argument with the path's address, or with the descriptor */
    __u8 unused;
};

/* What else is to be done about a call. */
enum learn_does {
    /* A success returns a descriptor of the file. */
    LEARN_RETURNS_FD = 1,
    /* Its flags are in the struct open_how that the third argument points to. */
    LEARN_OPEN_HOW = 2,
    /* An empty path concerns nothing: the attributes of an open file. */
    LEARN_EMPTY_IS_NOTHING = 4,
    /* A success makes the file the current directory, or the root. */
    LEARN_CHANGES_CWD = 8,
    LEARN_CHANGES_ROOT = 16,
    LEARN_SENDS_SIGNAL = 32,
    /* The first argument is the call, the second points to its arguments (i386). */
    LEARN_SOCKETCALL = 64,
    /* The address is in the arguments `first.path`, its length in `first.dir`. */
    LEARN_GIVES_ADDRESS = 128,
    LEARN_MAKES_SOCKET = 256,
    /* All meaningful arguments are words of independent bits. */
    LEARN_ONLY_FLAGS = 512,
    /* One of the meaningful arguments is a word in memory, at the position LEARN_IN_MEMORY. */
    LEARN_HAS_WORD = 1024,
    /* A success takes a connection. */
    LEARN_ACCEPTS = 2048,
    /* It has the kernel do what no call tells. */
    LEARN_HIDES = 4096,
    /* It concerns a file only when that turns out to be no program; a program that is executed is told by the exec. */
    LEARN_EXECUTES = 8192,
};

/* A call asks for a capability before it is known whether it is needed (abi::capabilities::When). */
enum learn_asks {
    /* CAP_FSETID, for a mode that is the second or the third argument. */
    LEARN_ASKS_FOR_MODE_1 = 1,
    LEARN_ASKS_FOR_MODE_2,
    /* CAP_SETUID and CAP_SETGID, for an id that the task may have already. */
    LEARN_ASKS_FOR_USER,
    LEARN_ASKS_FOR_GROUP,
    /* CAP_SYS_ADMIN, for memory, and for namespaces when the flags say so: in the first argument, or where it points to. */
    LEARN_ASKS_FOR_FLAGS,
    LEARN_ASKS_FOR_FLAGS_AT,
    /* CAP_SYS_ADMIN, for a filter of a task that may still gain privileges: always, or with PR_SET_SECCOMP. */
    LEARN_ASKS_FOR_FILTER,
    LEARN_ASKS_FOR_FILTER_BY_PRCTL,
    /* CAP_PERFMON, for events of the task's own. */
    LEARN_ASKS_FOR_EVENTS,
};

/* When a call concerns a file. */
enum learn_when {
    LEARN_ALWAYS = 0,
    /* When argument `when_argument` has one of the bits `when_bits`. */
    LEARN_WHEN_BITS,
    /* When argument `when_argument` is the number of one of the bits. */
    LEARN_WHEN_ONE_OF,
    /* When argument `when_argument` is `when_bits`. */
    LEARN_WHEN_IS,
};

/* The position of a word in memory, behind the registers. */
#define LEARN_IN_MEMORY 6

/* What is known of a call, by ABI and number: the tables of src/abi in the kernel's hands. */
struct learn_rule {
    __u8 args[LEARN_ARGS]; /* positions of the meaningful arguments */
    __u8 nargs;
    __u32 masks[LEARN_ARGS];
    struct learn_object first, second;
    __u16 does; /* learn_does */
    __u8 kept;  /* a bit for each argument that decides what is done to the file */
    __u8 when;  /* learn_when */
    __u8 when_argument;
    __u8 asks; /* learn_asks */
    /* The argument that points to the word in memory, and where behind it the word is. */
    __u8 word_pointer, word_offset;
    __u64 when_bits;
};
_Static_assert(sizeof(struct learn_rule) == 40, "wire");

/* Kinds of record. */
enum learn_kind {
    LEARN_EXEC = 1,
    LEARN_FILE,
    LEARN_ADDRESS,
    LEARN_SOCKET,
    /* A task has come into a container. */
    LEARN_CONTAINER,
    /* A program has taken a connection. */
    LEARN_SERVING,
    /* A program was asked to end, by somebody who is not recorded. */
    LEARN_STOPPING,
    /* The kernel did something that no call tells: `args[0]` is a learn_hooked. */
    LEARN_HOOKED,
};

/* What the kernel did. */
enum learn_hooked {
    LEARN_DOES_OPEN = 0,
    LEARN_DOES_CREATE,
    LEARN_DOES_MKNOD,
    LEARN_DOES_MKDIR,
    LEARN_DOES_RMDIR,
    LEARN_DOES_UNLINK,
    LEARN_DOES_SYMLINK,
    LEARN_DOES_LINK,
    LEARN_DOES_RENAME,
    LEARN_DOES_MAP,
    /* A program begins with the file open. */
    LEARN_DOES_INHERIT,
};

/* The byte strings behind a record; they stand in the order in which the programs put them. Paths that the kernel resolved are written from the last name to the
 * first, each name followed by a slash: "sh/bin/usr/" is /usr/bin/sh, nothing is the root. */
enum learn_part {
    LEARN_BASE = 0,   /* the directory of the first object, or itself: resolved */
    LEARN_NAME,       /* the first object, as the program named it */
    LEARN_BASE_2,     /* the second object's directory */
    LEARN_NAME_2,     /* the second object */
    LEARN_ROOT,       /* the task's root in its mount namespace: resolved, empty unless changed */
    LEARN_PARTS,
};

enum learn_says {
    /* LEARN_BASE is the object itself, not its directory. */
    LEARN_BASE_IS_OBJECT = 1,
    LEARN_BASE_2_IS_OBJECT = 2,
    /* LEARN_NAME begins with a link of procfs to an open file, and LEARN_BASE is that file. */
    LEARN_THROUGH_FD = 4,
    LEARN_THROUGH_FD_2 = 8,
    /* The open made the file. */
    LEARN_CREATED = 16,
    /* The object belongs to another user than the task; only known where the kernel resolved it. */
    LEARN_NOT_OWNER = 32,
    LEARN_OWNER_KNOWN = 64,
    /* The name could not be read. */
    LEARN_UNREADABLE = 128,
    /* A name or path is longer or deeper than what is kept. */
    LEARN_CUT = 256,
    /* The exec that starts the recording. */
    LEARN_LAUNCH = 512,
    LEARN_NO_BASE = 1024,
    LEARN_NO_BASE_2 = 2048,
};

/* What was seen for the first time. The fields up to `hash` tell when and by whom, those behind and the bytes what. */
struct learn_record {
    __u32 kind;
    __u32 size; /* with the bytes */
    __u64 at_ns;
    __u32 pid, tid;         /* in the recorder's pid namespace */
    __u32 own_pid, own_tid; /* in the task's */
    __u64 hash;             /* where it is counted */
    /* From here on it is hashed. */
    __u64 domain;
    __u64 other_domain; /* of an exec: the program that runs now */
    __u32 nr;
    __u16 session;
    __u8 phase;
    __u8 abi;
    __u32 args[6]; /* those that `kept` names, their low halves */
    __u32 open_flags;
    __u32 fsuid;
    __u64 mount_namespace, mount_sequence;
    __u16 outcome;
    __u16 says; /* learn_says */
    __u16 lengths[LEARN_PARTS];
    __u16 unused;
};
_Static_assert(sizeof(struct learn_record) == 128, "wire");

/* Who is recorded. */
enum learn_scope {
    /* `launch` and its descendants. */
    LEARN_TREE = 0,
    /* Who loads a filter that holds both halves of the mark, and its descendants. */
    LEARN_MARKED = 1,
    /* Who loads a filter, or runs a program, in a control group that is named after a container; and its descendants. */
    LEARN_NAMED = 2,
};

/* What is set before the programs are loaded. */
struct learn_settings {
    __u64 seed[2]; /* of the hashes, so that a program can't make two of its names look the same */
    __u64 pid_namespace_device, pid_namespace_inode;
    __u64 mount_namespace; /* the recorder's */
    __u32 scope;           /* learn_scope */
    __u32 launch;          /* the process to record, in that pid namespace */
    __u32 mark[2];
    __u32 copies; /* of each row: a power of two */
    __u32 unused;
};
_Static_assert(sizeof(struct learn_settings) == 64, "wire");

/* A container's identifier. */
struct learn_id {
    __u8 hex[LEARN_ID];
};
_Static_assert(sizeof(struct learn_id) == LEARN_ID, "wire");

/* A health check's command line: its words, each ended by a zero, as many of them as are compared. */
struct learn_words {
    __u32 length; /* of all of them */
    __u8 words[LEARN_WORDS];
};
_Static_assert(sizeof(struct learn_words) == 4 + LEARN_WORDS, "wire");

#endif
