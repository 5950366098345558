//! Sockets, addresses and signals.

use tracer::recording::{SocketAction, What, succeeded};

use crate::Seens;
use crate::evidence::gather;
use crate::policy::{AddressRule, Rule, SignalRule, SocketRule};

/// The kinds of socket that were made.
pub(crate) fn sockets(facts: &[Seens<'_>]) -> Vec<Rule<SocketRule>> {
    gather(facts, |(fact, runs, _)| match &fact.what {
        What::Socket { family, kind, protocol } if succeeded(runs) => {
            Some(SocketRule { family: *family, kind: *kind, protocol: *protocol })
        }
        _ => None,
    })
}

/// The addresses.
pub(crate) fn addresses(facts: &[Seens<'_>]) -> Vec<Rule<AddressRule>> {
    gather(facts, |(fact, runs, _)| match &fact.what {
        What::Address { action, family, port, class, path } if succeeded(runs) => {
            Some(AddressRule {
                action: *action,
                family: *family,
                port: kept(*action, *port),
                class: class.clone(),
                path: path.clone(),
            })
        }
        _ => None,
    })
}

/// The port that a rule keeps: a peer's says little when the peer chose it, so only ports that were bound or are well known are kept
/// (ports above are the system's to give, RFC 6335).
pub(crate) fn kept(action: SocketAction, port: Option<u16>) -> Option<u16> {
    let bound = matches!(action, SocketAction::Bind | SocketAction::Listen);
    port.filter(|port| bound || *port < EPHEMERAL)
}

/// The first port that Linux gives by itself (`net.ipv4.ip_local_port_range`, ip(7)).
const EPHEMERAL: u16 = 32_768;

/// The signals that were sent.
pub(crate) fn signals(facts: &[Seens<'_>]) -> Vec<Rule<SignalRule>> {
    gather(facts, |(fact, runs, _)| match &fact.what {
        What::Signal { signal, inside } if succeeded(runs) => {
            Some(SignalRule { signal: *signal, inside: *inside })
        }
        _ => None,
    })
}
