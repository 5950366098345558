//! Sockets and their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::Call;
use crate::recording::{ByteString, Seen, SocketAction, What};

/// `SOCK_NONBLOCK | SOCK_CLOEXEC`: flags in the type's word (linux/net.h).
pub const TYPE_FLAGS: u64 = 0o4000 | 0o2_000_000;

const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// The longest address that is read: `struct sockaddr_storage` (linux/socket.h).
pub const LONGEST: usize = 128;

/// The fact of a socket that was made by `socket` or `socketpair`.
pub fn made(call: &Call) -> What {
    let word = |at: usize| u32::try_from(call.args[at] & 0xffff_ffff).unwrap_or_default();
    What::Socket {
        family: word(0),
        kind: word(1) & !u32::try_from(TYPE_FLAGS).unwrap_or_default(),
        protocol: word(2),
    }
}

/// Which argument holds the address, and which its length, of a call that gives one.
pub fn address_arguments(name: &str) -> Option<(SocketAction, usize, usize)> {
    match name {
        "bind" => Some((SocketAction::Bind, 1, 2)),
        "connect" => Some((SocketAction::Connect, 1, 2)),
        "sendto" => Some((SocketAction::Send, 4, 5)),
        _ => None,
    }
}

/// The calls by which a server takes a connection (accept(2)): when the first succeeds, it serves.
pub const ACCEPTS: [&str; 2] = ["accept", "accept4"];

/// The fact of an address; `None` for bytes that are no address. A unix socket's path is kept as it was given: the caller
/// resolves it.
pub fn address(action: SocketAction, bytes: &[u8]) -> Option<What> {
    let family = u32::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
    let rest = &bytes[2..];
    let of_port = |class: Option<&str>, port| What::Address {
        action,
        family,
        port,
        class: class.map(Box::from),
        path: None,
    };
    let port = || Some(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    match family {
        AF_INET => {
            let ip: [u8; 4] = rest.get(2..6)?.try_into().ok()?;
            Some(of_port(Some(class(IpAddr::V4(Ipv4Addr::from(ip)))), Some(port()?)))
        }
        AF_INET6 => {
            let ip: [u8; 16] = rest.get(6..22)?.try_into().ok()?;
            Some(of_port(Some(class(IpAddr::V6(Ipv6Addr::from(ip)))), Some(port()?)))
        }
        AF_UNIX => {
            let path = match rest {
                [] => None,
                [0, name @ ..] => Some(ByteString::new([b"@", name].concat())),
                _ => rest.split(|b| *b == 0).next().map(ByteString::from),
            };
            Some(What::Address { action, family, port: None, class: None, path })
        }
        _ => Some(of_port(None, None)),
    }
}

/// How giving an address ended: a connection that is on its way has been granted.
pub fn outcome(outcome: &str) -> &str {
    if outcome == "EINPROGRESS" { Seen::OK } else { outcome }
}

/// What kind of address it is: peers are not for a profile to know, their kind is.
fn class(ip: IpAddr) -> &'static str {
    let ip = match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    };
    let (private, link_local) = match ip {
        IpAddr::V4(v4) => (v4.is_private(), v4.is_link_local()),
        IpAddr::V6(v6) => (v6.is_unique_local(), v6.is_unicast_link_local()),
    };
    match () {
        () if ip.is_unspecified() => "any",
        () if ip.is_loopback() => "loopback",
        () if ip.is_multicast() => "multicast",
        () if private => "private",
        () if link_local => "link-local",
        () => "public",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(bytes: &[u8]) -> (Option<u16>, Option<String>, Option<String>) {
        match address(SocketAction::Bind, bytes) {
            Some(What::Address { port, class, path, .. }) => {
                (port, class.map(String::from), path.map(|p| p.to_string()))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_keep_port_and_class() {
        let class = |c: &str| Some(c.to_owned());
        assert_eq!(parts(&[2, 0, 0, 80, 127, 0, 0, 1]), (Some(80), class("loopback"), None));
        assert_eq!(parts(&[2, 0, 31, 144, 0, 0, 0, 0]), (Some(8080), class("any"), None));
        assert_eq!(parts(&[2, 0, 0, 53, 8, 8, 8, 8]), (Some(53), class("public"), None));
        let mut mapped = vec![10, 0, 0, 80, 0, 0, 0, 0];
        mapped.extend(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets());
        assert_eq!(parts(&mapped), (Some(80), class("private"), None));
    }

    #[test]
    fn unix_names_are_bytes() {
        assert_eq!(parts(b"\x01\0/run/x\0junk"), (None, None, Some("/run/x".into())));
        assert_eq!(parts(b"\x01\0\0a\0b"), (None, None, Some("@a\0b".into())));
        assert_eq!(parts(b"\x01\0"), (None, None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _kept = address(SocketAction::Connect, &bytes);
        }
    }
}
