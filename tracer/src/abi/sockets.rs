//! Names of address families and socket types, for people.

/// Address families by number (linux/socket.h); those that a container's programs are likely to use.
const FAMILIES: [(u32, &str); 14] = [
    (0, "AF_UNSPEC"),
    (1, "AF_UNIX"),
    (2, "AF_INET"),
    (3, "AF_AX25"),
    (10, "AF_INET6"),
    (15, "AF_KEY"),
    (16, "AF_NETLINK"),
    (17, "AF_PACKET"),
    (29, "AF_CAN"),
    (30, "AF_TIPC"),
    (31, "AF_BLUETOOTH"),
    (38, "AF_ALG"),
    (40, "AF_VSOCK"),
    (44, "AF_XDP"),
];

/// Socket types by number (linux/net.h).
const TYPES: [(u32, &str); 7] = [
    (1, "SOCK_STREAM"),
    (2, "SOCK_DGRAM"),
    (3, "SOCK_RAW"),
    (4, "SOCK_RDM"),
    (5, "SOCK_SEQPACKET"),
    (6, "SOCK_DCCP"),
    (10, "SOCK_PACKET"),
];

/// A family's name, or its number.
pub fn family(number: u32) -> String {
    name(&FAMILIES, number)
}

/// A type's name, or its number.
pub fn kind(number: u32) -> String {
    name(&TYPES, number)
}

fn name(table: &[(u32, &str)], number: u32) -> String {
    table
        .iter()
        .find(|(known, _)| *known == number)
        .map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_system() {
        let pairs = [
            (libc::AF_UNIX, "AF_UNIX"),
            (libc::AF_INET, "AF_INET"),
            (libc::AF_INET6, "AF_INET6"),
            (libc::AF_KEY, "AF_KEY"),
            (libc::AF_NETLINK, "AF_NETLINK"),
            (libc::AF_PACKET, "AF_PACKET"),
            (libc::AF_CAN, "AF_CAN"),
            (libc::AF_TIPC, "AF_TIPC"),
            (libc::AF_BLUETOOTH, "AF_BLUETOOTH"),
            (libc::AF_ALG, "AF_ALG"),
            (libc::AF_VSOCK, "AF_VSOCK"),
            (libc::AF_XDP, "AF_XDP"),
        ];
        for (number, name) in pairs {
            assert_eq!(family(number.unsigned_abs()), name);
        }
        assert_eq!(kind(libc::SOCK_SEQPACKET.unsigned_abs()), "SOCK_SEQPACKET");
        assert_eq!((family(999), kind(999)), ("999".to_owned(), "999".to_owned()));
    }
}
