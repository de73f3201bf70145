//! Registration, registrant.

use sansip::{Event, Instant, LineChange, LineConfig};

use crate::iut::{Iut, Out, T1, T2, T4, challenge, labels, proves};

/// A line of the phone's that registers with the tester; a name in `proxy` says where that is.
pub fn line_of(mut iut: Iut, aor: &str, proxy: &str) -> Iut {
    let config = LineConfig { aor, proxy, expires: 600, ..LineConfig::default() };
    iut.line = iut.engine.add_line(Instant(0), config).unwrap();
    iut
}

/// Over UDP, or over a connection that the tester has opened.
fn registrant(tcp: bool) -> Iut {
    let iut = if tcp { Iut::tcp() } else { Iut::udp() };
    let proxy = if tcp { "sip:10.0.0.9;transport=tcp" } else { "" };
    line_of(iut, "sip:bob@10.0.0.9", proxy)
}

/// What the line sends when it is told to register.
pub fn register(iut: &mut Iut) -> Out {
    iut.engine.register(iut.at(), iut.line).unwrap();
    let mut sent = iut.drain();
    assert_eq!(labels(&sent), ["REGISTER"]);
    sent.remove(0)
}

/// The 200 that binds the line's own Contact for so many seconds.
pub fn ok(register: &Out, expires: u32) -> String {
    let contact = register.header("Contact").split(";expires").next().unwrap();
    register.answer("200 OK", "rt", &format!("Contact: {contact};expires={expires}\r\n"))
}

/// What was told of the line.
pub fn told(iut: &Iut) -> Vec<LineChange> {
    let change = |e: &Event| match e {
        Event::Line { change, .. } => Some(*change),
        _ => None,
    };
    iut.events.iter().filter_map(change).collect()
}

fn registered(tcp: bool) -> (Iut, Out) {
    let mut iut = registrant(tcp);
    let first = register(&mut iut);
    iut.ask(&ok(&first, 600));
    assert_eq!(told(&iut), [LineChange::Registered { expires: 600 }]);
    (iut, first)
}

/// RFC 3261 17.1.2.2: on an unreliable transport a REGISTER is repeated after T1.
#[test]
fn sip_rg_rt_ti_001() {
    let mut iut = registrant(false);
    let first = register(&mut iut);
    let sent = iut.watch(T1);
    assert_eq!((sent.len(), sent[0].0, &sent[0].1.text), (1, T1, &first.text));
}

/// RFC 3261 17.1.2.2: timer E doubles.
#[test]
fn sip_rg_rt_ti_002() {
    let mut iut = registrant(false);
    register(&mut iut);
    assert_eq!(iut.times("REGISTER", 7 * T1), [T1, 3 * T1, 7 * T1]);
}

/// RFC 3261 17.1.2.2: but never beyond T2.
#[test]
fn sip_rg_rt_ti_003() {
    let mut iut = registrant(false);
    register(&mut iut);
    let times = iut.times("REGISTER", 64 * T1 - 1);
    let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [1_000, 2_000, T2, T2, T2, T2, T2, T2, T2]);
}

/// RFC 3261 17.1.2.2: on a reliable transport it is not repeated.
#[test]
fn sip_rg_rt_ti_004() {
    let mut iut = registrant(true);
    assert!(register(&mut iut).header("Via").starts_with("SIP/2.0/TCP"));
    assert!(iut.run(64 * T1 - 1).is_empty());
}

/// RFC 3261 17.1.2.2, 8.1.3.1: timer F ends it after 64*T1, which counts as a 408.
#[test]
fn sip_rg_rt_ti_005() {
    let mut iut = registrant(false);
    register(&mut iut);
    iut.run(64 * T1 - 1);
    assert_eq!(told(&iut), []);
    iut.run(1);
    assert_eq!(told(&iut), [LineChange::Failed { status: 408 }]);
}

/// RFC 3261 17.1.2.2: after a provisional response it is repeated every T2.
#[test]
fn sip_rg_rt_ti_006() {
    let mut iut = registrant(false);
    let first = register(&mut iut);
    iut.ask(&first.answer("100 Trying", "", ""));
    let times = iut.times("REGISTER", 13_000);
    assert!(times.len() >= 3 && times.windows(2).all(|w| w[1] - w[0] == T2), "{times:?}");
}

/// RFC 3261 17.1.2.2: timer K absorbs what comes again for T4.
#[test]
fn sip_rg_rt_ti_007() {
    let (mut iut, first) = registered(false);
    iut.run(T4 - 1);
    assert!(iut.ask(&ok(&first, 600)).is_empty());
    assert_eq!(iut.engine.stats().transactions, 1);
    iut.run(1);
    assert_eq!((iut.engine.stats().transactions, told(&iut).len()), (0, 1));
}

/// RFC 3261 10.2: the Request-URI is the registrar's domain, without a user.
#[test]
fn sip_rg_rt_v_001() {
    assert_eq!(register(&mut registrant(false)).request_uri(), "sip:10.0.0.9");
}

/// RFC 3261 10.2, 10.3: To is the address of record, and From is the same.
#[test]
fn sip_rg_rt_v_002() {
    let first = register(&mut registrant(false));
    assert_eq!(first.header("To"), "<sip:bob@10.0.0.9>");
    assert!(first.header("From").starts_with("<sip:bob@10.0.0.9>;tag="));
}

/// RFC 3261 10.2.6: the registrar may be configured: the REGISTER goes there.
#[test]
fn sip_rg_rt_v_003() {
    let mut iut = line_of(Iut::udp(), "sip:bob@example.com", "sip:10.0.0.9");
    let first = register(&mut iut);
    assert_eq!((first.request_uri(), &*first.to.to_string()), ("sip:example.com", "10.0.0.9:5060"));
}

/// RFC 3261 10.2.6: without that it goes to the host of the address of record.
#[test]
fn sip_rg_rt_v_004() {
    assert_eq!(register(&mut registrant(false)).to.to_string(), "10.0.0.9:5060");
}

/// RFC 3261 8.1.3.5, 22.2: a 401 is answered with credentials, in the same Call-ID with the next
/// CSeq.
#[test]
fn sip_rg_rt_v_007() {
    let mut iut = line_of(Iut::udp(), "sip:bob@example.com", "sip:10.0.0.9");
    let first = register(&mut iut);
    let sent = iut.ask(&challenge(&first, 401, "n1", ""));
    assert_eq!(labels(&sent), ["REGISTER"]);
    assert!(proves(&sent[0], 401, "n1"));
    assert_eq!(sent[0].header("Call-ID"), first.header("Call-ID"));
    assert_eq!(sent[0].cseq(), first.cseq() + 1);
}

/// RFC 3261 10.2: each REGISTER of a phone has the Call-ID of the first.
#[test]
fn sip_rg_rt_v_008() {
    let (mut iut, first) = registered(false);
    assert_eq!(register(&mut iut).header("Call-ID"), first.header("Call-ID"));
}

/// RFC 3261 10.2: and a CSeq that is one higher than that of the last.
#[test]
fn sip_rg_rt_v_009() {
    let (mut iut, first) = registered(false);
    assert_eq!(register(&mut iut).cseq(), first.cseq() + 1);
}

/// RFC 3261 10.2: Contact says where the phone is.
#[test]
fn sip_rg_rt_v_010() {
    let first = register(&mut registrant(false));
    let contact = first.header("Contact");
    assert!(contact.contains("@10.0.0.1") && contact.starts_with('<'), "{contact}");
    assert!(!contact.contains(";action="), "RFC 3261 10.2: deprecated");
}

/// RFC 3261 10.2: no REGISTER is sent before the last one has had its final response.
#[test]
fn sip_rg_rt_v_011() {
    let mut iut = registrant(false);
    let first = register(&mut iut);
    let _ = iut.engine.register(iut.at(), iut.line);
    assert!(iut.drain().is_empty());
    assert!(iut.run(T1).iter().all(|o| o.text == first.text));
}

/// RFC 3261 10.2.4: the binding is refreshed before it expires.
#[test]
fn sip_rg_rt_v_012() {
    let (mut iut, first) = registered(false);
    let sent = iut.watch(599_000);
    let (at, again) = sent.first().expect("a refresh");
    assert!(*at > 300_000 && again.is("REGISTER"), "{at}");
    assert_eq!(again.header("Contact"), first.header("Contact"));
    assert_eq!(
        (again.header("Call-ID"), again.cseq()),
        (first.header("Call-ID"), first.cseq() + 1)
    );
}

/// RFC 3261 10.2.2: it is removed by a REGISTER that lets it expire at once.
#[test]
fn sip_rg_rt_v_013() {
    let (mut iut, first) = registered(false);
    iut.engine.unregister(iut.at(), iut.line).unwrap();
    let leave = iut.drain().remove(0);
    let bare = |o: &Out| o.header("Contact").split(";expires").next().unwrap().to_string();
    assert_eq!((leave.label(), bare(&leave)), ("REGISTER", bare(&first)));
    assert!(leave.header("Expires") == "0" || leave.header("Contact").contains(";expires=0"));
    iut.ask(&leave.answer("200 OK", "rt", ""));
    assert_eq!(told(&iut).last(), Some(&LineChange::Unregistered));
    assert!(iut.run(700_000).is_empty());
}

/// RFC 3261 10.2.1: of the bindings that a 200 lists the line's own says how long it holds.
#[test]
fn sip_rg_rt_v_014() {
    let mut iut = registrant(false);
    let first = register(&mut iut);
    let text = ok(&first, 300).replace("Contact: ", "Contact: <sip:bob@10.0.0.77>;expires=40, ");
    iut.ask(&text);
    assert_eq!(told(&iut), [LineChange::Registered { expires: 300 }]);
}

/// RFC 3261 10.2.1.1: it asks for the time that it was configured with.
#[test]
fn sip_rg_rt_v_015() {
    let first = register(&mut registrant(false));
    let asked = [first.header("Expires"), first.header("Contact")].join(" ");
    assert!(asked.contains("600"), "{asked}");
}

/// RFC 3261 8.1.3.5, 22.2: a 407 is answered, too.
#[test]
fn sip_rg_rt_v_018() {
    let mut iut = line_of(Iut::udp(), "sip:bob@example.com", "sip:10.0.0.9");
    let first = register(&mut iut);
    let sent = iut.ask(&challenge(&first, 407, "n1", ""));
    assert!(proves(&sent[0], 407, "n1"));
}

/// RFC 3261 22.2: the same challenge again, that is not stale, means that they are wrong: it is not
/// answered for ever.
#[test]
fn sip_rg_rt_v_019() {
    let mut iut = line_of(Iut::udp(), "sip:bob@example.com", "sip:10.0.0.9");
    let mut last = register(&mut iut);
    let mut tried = 0;
    for n in 0..10 {
        let sent = iut.ask(&challenge(&last, 401, &format!("n{n}"), ""));
        let Some(next) = sent.into_iter().next() else { break };
        (last, tried) = (next, tried + 1);
    }
    assert!(tried <= 2, "{tried}");
    assert_eq!(told(&iut), [LineChange::Failed { status: 401 }]);
}

/// RFC 3261 22.2: without a password it is told of the refusal.
#[test]
fn sip_rg_rt_v_020() {
    let mut iut = line_of(Iut::udp(), "sip:bob@example.com", "sip:10.0.0.9");
    iut.secret = false;
    let first = register(&mut iut);
    assert!(iut.ask(&challenge(&first, 401, "n1", "")).is_empty());
    assert_eq!(told(&iut), [LineChange::Failed { status: 401 }]);
}
