//! What NAPTR and SRV records say (RFC 3263 4, RFC 2782).

use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use sansip::Transport;

use crate::proxy::routes::Hop;

/// The most SRV records of one service that are looked at.
const RECORDS: usize = 64;

/// A name whose SRV records count, and the transport that they are for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) transport: Transport,
}

/// The transport of a NAPTR record's service (RFC 3263 4.1).
fn protocol(service: &[u8]) -> Option<Transport> {
    let known = [
        (&b"SIP+D2U"[..], Transport::Udp),
        (b"SIP+D2T", Transport::Tcp),
        (b"SIPS+D2T", Transport::Tls),
    ];
    known.iter().find(|(name, _)| name.eq_ignore_ascii_case(service)).map(|(_, t)| *t)
}

/// The services that NAPTR records lead to, as far as they can be used, best first: what is to be
/// secure takes no other (RFC 3263 4.1).
pub(super) fn of_naptr(records: &[&NAPTR], secure: bool, have: &[Transport]) -> Vec<Service> {
    let mut usable: Vec<(&NAPTR, Transport)> = records
        .iter()
        .filter(|r| r.flags.eq_ignore_ascii_case(b"s") && !r.replacement.is_root())
        .filter_map(|r| Some((*r, protocol(&r.services)?)))
        .filter(|(_, t)| have.contains(t) && (t.is_secure() || !secure))
        .collect();
    usable.sort_by_key(|(r, _)| (r.order, r.preference));
    let service = |(r, transport): &(&NAPTR, Transport)| Service {
        name: r.replacement.to_utf8(),
        transport: *transport,
    };
    usable.iter().map(service).collect()
}

/// The services that are asked for where no NAPTR record says more: of the transport, or of those
/// that there are where it is open.
pub(super) fn usual(host: &str, hop: &Hop, have: &[Transport]) -> Vec<Service> {
    let mut transports = vec![hop.transport];
    if hop.open && !hop.transport.is_secure() {
        let others = [Transport::Udp, Transport::Tcp];
        transports.extend(others.iter().filter(|t| **t != hop.transport && have.contains(t)));
    }
    let prefix = |transport| match transport {
        Transport::Udp => Some("_sip._udp"),
        Transport::Tcp => Some("_sip._tcp"),
        Transport::Tls => Some("_sips._tcp"),
        // RFC 7118 5: nobody opens a WebSocket to a client.
        _ => None,
    };
    let service =
        |transport| Some(Service { name: format!("{}.{host}.", prefix(transport)?), transport });
    transports.into_iter().filter_map(service).collect()
}

/// The order in which servers are tried: by priority, and of one priority by lot, as their weights
/// say (RFC 2782). `draw` gives a number from 0 to its argument.
pub(super) fn in_turn(mut records: Vec<SRV>, mut draw: impl FnMut(u32) -> u32) -> Vec<SRV> {
    // Those without weight first: they have a small chance.
    records.sort_by_key(|r| (r.priority, r.weight != 0));
    records.truncate(RECORDS);
    let mut turn = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|r| r.priority) {
        let same = || records.iter().take_while(|r| r.priority == priority);
        let drawn = draw(same().map(|r| u32::from(r.weight)).sum());
        let mut running = 0;
        let at = same().position(|r| {
            running += u32::from(r.weight);
            running >= drawn
        });
        turn.push(records.remove(at.unwrap_or(0)));
    }
    turn
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;

    use super::*;

    fn naptr(order: u16, preference: u16, flags: &str, services: &str, to: &str) -> NAPTR {
        let bytes = |s: &str| s.as_bytes().to_vec().into_boxed_slice();
        let to = Name::from_utf8(to).unwrap();
        NAPTR::new(order, preference, bytes(flags), bytes(services), bytes(""), to)
    }

    fn srv(priority: u16, weight: u16, port: u16) -> SRV {
        SRV::new(priority, weight, port, Name::from_utf8("h.test.").unwrap())
    }

    const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

    fn hop(transport: Transport, open: bool) -> Hop {
        Hop { host: "d.test".into(), port: 0, transport, open }
    }

    // RFC 3263 4.1
    #[test]
    fn of_naptr_records_those_count_that_can_be_used_in_their_order() {
        let records = [
            naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.a.test."),
            naptr(50, 60, "s", "sip+d2u", "_sip._udp.a.test."),
            naptr(50, 50, "S", "SIPS+D2T", "_sips._tcp.a.test."),
            naptr(1, 1, "s", "SIP+D2S", "_sip._sctp.a.test."),
            naptr(1, 1, "u", "SIP+D2U", "a.test."),
            naptr(1, 1, "s", "SIP+D2U", "."),
        ];
        let records: Vec<&NAPTR> = records.iter().collect();
        let order = |secure, have: &[Transport]| -> Vec<Transport> {
            of_naptr(&records, secure, have).iter().map(|s| s.transport).collect()
        };
        assert_eq!(order(false, &ALL), [Transport::Tls, Transport::Udp, Transport::Tcp]);
        assert_eq!(order(false, &ALL[..2]), [Transport::Udp, Transport::Tcp]);
        assert_eq!(order(true, &ALL), [Transport::Tls], "sips takes no other");
        assert!(order(true, &ALL[..2]).is_empty());
        let first = of_naptr(&records, true, &ALL).remove(0);
        assert_eq!(first.name, "_sips._tcp.a.test.");
    }

    #[test]
    fn without_naptr_the_services_are_those_of_the_transport_or_of_all_that_there_are() {
        let names = |hop: &Hop, have: &[Transport]| -> Vec<String> {
            usual("d.test", hop, have).into_iter().map(|s| s.name).collect()
        };
        let (udp, tcp, tls) = ("_sip._udp.d.test.", "_sip._tcp.d.test.", "_sips._tcp.d.test.");
        assert_eq!(names(&hop(Transport::Udp, true), &ALL), [udp, tcp]);
        assert_eq!(names(&hop(Transport::Udp, true), &ALL[..1]), [udp]);
        assert_eq!(names(&hop(Transport::Tcp, false), &ALL), [tcp]);
        assert_eq!(names(&hop(Transport::Tls, true), &ALL), [tls]);
        assert!(names(&hop(Transport::Wss, false), &ALL).is_empty());
    }

    // RFC 2782
    #[test]
    fn priority_comes_first_and_weight_is_a_share() {
        let records = || vec![srv(2, 0, 5), srv(1, 1, 1), srv(1, 3, 2), srv(1, 0, 3)];
        let ports = |draw: &dyn Fn(u32) -> u32| -> Vec<u16> {
            in_turn(records(), draw).iter().map(|r| r.port).collect()
        };
        assert_eq!(ports(&|_| 0), [3, 1, 2, 5], "0 draws one without weight");
        assert_eq!(ports(&|sum| sum), [2, 1, 3, 5]);
        // Of the draws from 1 to 4 one falls to the weight 1, three to the weight 3.
        let first = |n: u32| ports(&move |sum| n.min(sum))[0];
        assert_eq!([1, 2, 3, 4].map(first), [1, 2, 2, 2]);
        assert!(in_turn(Vec::new(), |n| n).is_empty());
    }
}
