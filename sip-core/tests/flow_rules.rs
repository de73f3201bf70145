//! The rules that the messages of the call flows are held against see what is wrong with a message.

#[path = "support/fields.rs"]
mod fields;
#[path = "support/message.rs"]
mod message;
#[path = "support/net.rs"]
mod net;
#[path = "support/trio.rs"]
mod trio;

use trio::Trio;

/// A call by a proxy, one that is given up and one that is refused, and a transfer.
fn calls() -> Trio {
    let mut t = Trio::behind_proxy(&["a", "b", "c"], |_, _| ());
    let (_, b) = t.ring(0, 1);
    t.reject(1, b, 486);
    let (a, _) = t.ring(0, 1);
    t.hangup(0, a);
    let (_, b) = t.talk(0, 1);
    t.hold(1, b);
    let target = t.dials[2].clone();
    let now = t.now();
    t.net.engine(1).transfer(now, b, &target, false, sansip::Extras::default()).unwrap();
    t.net.run(0);
    t.accept(0);
    let c = t.incoming(2);
    t.answer(2, c);
    t.hangup(2, c);
    assert_eq!(fields::wrong(&t.net), [""; 0]);
    t
}

/// Changes the last message of a sender and a label that has this text.
fn change(t: &mut Trio, from: &str, label: &str, (old, new): (&str, &str)) {
    let text = |s: &net::Sent| String::from_utf8_lossy(&s.bytes).into_owned();
    let from = t.net.nodes.iter().find(|n| n.name == from).unwrap().addr;
    let of = |s: &&mut net::Sent| s.from == from && s.label() == label && text(s).contains(old);
    let sent = t.net.trace.iter_mut().rfind(of).unwrap_or_else(|| panic!("{label} {old}"));
    sent.bytes = text(sent).replacen(old, new, 1).into_bytes();
}

#[test]
fn what_is_wrong_with_a_message_is_seen() {
    let changes = [
        ("a", "INVITE", ("Max-Forwards: 70", "Max-Forwards: 69"), "8.1.1.6"),
        ("a", "INVITE", ("Content-Length: 1", "Content-Length: 2"), "20.14"),
        ("a", "INVITE", ("Contact: <sip:a@10.0.0.1", "Contact: <sip:a@10.0.0.7"), "12.1"),
        ("a", "INVITE", ("REFER, NOTIFY", "NOTIFY"), "RFC 5589 6"),
        ("a", "INVITE", ("Via: SIP/2.0/UDP 10.0.0.1", "Via: SIP/2.0/UDP 10.0.0.7"), "8.1.1.7"),
        ("p", "INVITE", ("Max-Forwards: 69", "Max-Forwards: 70"), "16.6 step 3"),
        ("p", "INVITE", ("Referred-By", "X-Referred-By"), "16.6 step 1"),
        (
            "p",
            "INVITE",
            ("Record-Route: <sip:10.0.0.4", "Record-Route: <sip:10.0.0.7"),
            "16.6 step 4",
        ),
        ("p", "BYE", ("CSeq: 1 BYE", "CSeq: 2 BYE"), "16.6 step 1"),
        ("p", "REFER", ("REFER sip:a@", "REFER sip:b@"), "16.5"),
        ("p", "REFER", ("Max", "Route: <sip:10.0.0.4;lr>\r\nMax"), "16.4"),
        ("a", "ACK", ("CSeq: 1 ACK", "CSeq: 2 ACK"), "13.2.2.4"),
        ("b", "REFER", ("Route: ", "X-Route: "), "12.2.1.1: the route set"),
        ("b", "REFER", ("REFER sip:a@", "REFER sip:b@"), "12.2.1.1: the remote target"),
        ("b", "REFER", ("From: <sip:b@", "From: <sip:x@"), "12.2.1.1: From and To"),
        ("b", "REFER", (";tag=", ";tag=x"), "12.2.1.1: no such dialog"),
        ("b", "BYE", ("CSeq: 3 BYE", "CSeq: 4 BYE"), "12.2.1.1, 13.2.2.4: the CSeq number"),
        ("a", "NOTIFY", ("message/sipfrag;version=2.0", "text/plain"), "RFC 3515 2.4.5"),
        ("a", "NOTIFY", ("Event: refer", "X-Event: refer"), "RFC 6665 4.1.3"),
        ("a", "CANCEL", ("CANCEL sip:b@", "CANCEL sip:c@"), "9.1"),
        ("p", "CANCEL", ("CSeq: 1", "CSeq: 2"), "9.1"),
        ("p", "180 INVITE", ("Record-Route", "X-Record-Route"), "16.7 step 9"),
        ("b", "180 INVITE", ("Record-Route", "X-Record-Route"), "12.1.1"),
        ("b", "180 INVITE", ("To: <sip:b@", "To: <sip:c@"), "8.2.6.2: the To"),
        ("a", "202 REFER", ("CSeq: 2", "CSeq: 3"), "8.2.6.2"),
        ("b", "487 INVITE", ("Call-ID: ", "Call-ID: x"), "8.2.6.2"),
        ("b", "486 INVITE", ("branch=z9hG4bK", "branch=z9hG4bKx"), "8.2.6.2"),
    ];
    let mut unseen = Vec::new();
    for (from, label, text, clause) in changes {
        let mut t = calls();
        change(&mut t, from, label, text);
        let wrong = fields::wrong(&t.net);
        if !wrong.iter().any(|w| w.contains(clause)) {
            unseen.push(format!("{from} {label} {text:?}: {wrong:#?}"));
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}
