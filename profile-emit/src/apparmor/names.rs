//! Families, socket types and signals as `apparmor_parser` names them.

/// Address families by number (linux/socket.h), as the parser generates their names from it (apparmor.d(5), "Network
/// Rules"); the empty ones have none.
const FAMILIES: [&str; 46] = [
    "",
    "unix",
    "inet",
    "ax25",
    "ipx",
    "appletalk",
    "netrom",
    "bridge",
    "atmpvc",
    "x25",
    "inet6",
    "rose",
    "",
    "netbeui",
    "security",
    "key",
    "netlink",
    "packet",
    "ash",
    "econet",
    "atmsvc",
    "rds",
    "sna",
    "irda",
    "pppox",
    "wanpipe",
    "llc",
    "ib",
    "mpls",
    "can",
    "tipc",
    "bluetooth",
    "iucv",
    "rxrpc",
    "isdn",
    "phonet",
    "ieee802154",
    "caif",
    "alg",
    "nfc",
    "vsock",
    "kcm",
    "qipcrtr",
    "smc",
    "xdp",
    "mctp",
];

/// The name of an address family.
pub(super) fn family(number: u32) -> Option<&'static str> {
    FAMILIES.get(number as usize).copied().filter(|name| !name.is_empty())
}

/// The name of a socket type (linux/net.h).
pub(super) fn socket_type(number: u32) -> Option<&'static str> {
    Some(match number {
        1 => "stream",
        2 => "dgram",
        3 => "raw",
        4 => "rdm",
        5 => "seqpacket",
        10 => "packet",
        _ => return None,
    })
}

/// Signals by number on x86 and ARM (signal(7)), as apparmor.d(5), "Signal Rules", names them.
const SIGNALS: [&str; 32] = [
    "exists", "hup", "int", "quit", "ill", "trap", "abrt", "bus", "fpe", "kill", "usr1", "segv",
    "usr2", "pipe", "alrm", "term", "stkflt", "chld", "cont", "stop", "stp", "ttin", "ttou", "urg",
    "xcpu", "xfsz", "vtalrm", "prof", "winch", "io", "pwr", "sys",
];

/// The name of a signal; real-time ones are counted from the first.
pub(super) fn signal(number: u32) -> Option<String> {
    match number {
        0..=31 => SIGNALS.get(number as usize).map(|name| (*name).to_owned()),
        32..=64 => Some(format!("rtmin+{}", number - 32)),
        _ => None,
    }
}
