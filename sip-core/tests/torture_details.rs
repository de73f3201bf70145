//! What RFC 4475 asks beyond the status of an answer: its responses as answers to requests of ours,
//! what a registrar makes of its contacts, and where each message ends.

#[path = "support/subject.rs"]
mod subject;
#[path = "support/torture.rs"]
mod torture;
#[path = "support/vectors.rs"]
mod vectors;

use sansip::wire::{MessageRef, Name};
use sansip::{Addr, CallChange, EndReason, Event, Extras, Ignored, Instant, Path, Seen};
use subject::{HOP, Sent, Subject, fields};

/// Our message of this name, and the RFC's where the folder is there.
fn both(name: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut list = vec![("r.example", torture::message(name))];
    if let Some(folder) = vectors::folder("rfc4475") {
        list.push(("example.com", std::fs::read(folder.join(format!("{name}.dat"))).unwrap()));
    }
    list
}

/// A response of the corpus as an answer to this request: its start line, its other fields and its
/// body, and the fields that make it an answer.
fn graft(response: &[u8], request: &Sent) -> Vec<u8> {
    let end = response.windows(2).position(|w| w == b"\r\n").unwrap();
    let mut out = response[..end + 2].to_vec();
    let mine = ["via", "from", "to", "call-id", "cseq", "contact"];
    let (theirs, body) = fields(response);
    for field in request.fields() {
        let lines: &[&[u8]] = match field.name.as_str() {
            "via" | "from" | "call-id" => &[&field.line],
            "to" => &[&field.line, b";tag=hop"],
            _ => continue,
        };
        out.extend(lines.concat());
        out.extend(b"\r\n");
    }
    // The number of scalarlg is what is wrong with it.
    let number = theirs.iter().find(|f| f.name == "cseq").map(|f| f.value.clone()).unwrap();
    let huge = number.split(' ').next().unwrap().len() > 10;
    let cseq = if huge { number } else { request.one("CSeq") };
    out.extend(format!("CSeq: {cseq}\r\nContact: <sip:hop@10.0.0.2>\r\n").into_bytes());
    for field in theirs.iter().filter(|f| !mine.contains(&&*f.name)) {
        out.extend(&field.line);
        out.extend(b"\r\n");
    }
    out.extend(b"\r\n");
    out.extend(body);
    out
}

fn from_hop(subject: &mut Subject, bytes: &[u8]) -> Seen {
    subject.udp_from(HOP, bytes).unwrap()
}

/// A call of the phone's whose INVITE is not answered yet.
fn calling() -> (Subject, Sent) {
    let mut subject = Subject::phone();
    subject.hop_answers = false;
    let (now, line) = (subject.at(), subject.line.unwrap());
    subject.engine.invite(now, line, "sip:hop@10.0.0.2", 0, Extras::default()).unwrap();
    subject.drain();
    let invite = subject.take().remove(0);
    (subject, invite)
}

const INVITE: &str = "INVITE sip:hop@far.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKgraft\r\nMax-Forwards: 70\r\nFrom: <sip:a@far.example>;tag=g\r\nTo: <sip:hop@far.example>\r\nCall-ID: graft\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.0.0.9>\r\nContent-Length: 0\r\n\r\n";

/// A call through the proxy whose INVITE is not answered yet.
fn proxied() -> (Subject, Sent) {
    let mut subject = Subject::proxy();
    subject.hop_answers = false;
    subject.udp(INVITE.as_bytes()).unwrap();
    let invite = subject.take().into_iter().find(|s| s.method() == b"INVITE").unwrap();
    (subject, invite)
}

#[test]
fn unreason_is_a_200_to_a_caller_and_goes_through_a_proxy_with_its_reason() {
    for (_, bytes) in both("unreason") {
        let (mut subject, invite) = calling();
        assert_eq!(from_hop(&mut subject, &graft(&bytes, &invite)), Seen::Used);
        assert!(
            subject.events.iter().any(|e| matches!(
                e,
                Event::Call { change: CallChange::Answered { status: 200 }, .. }
            )),
            "{:?}",
            subject.events
        );
        assert_eq!(subject.take()[0].method(), b"ACK");

        let (mut subject, invite) = proxied();
        let response = graft(&bytes, &invite);
        assert_eq!(from_hop(&mut subject, &response), Seen::Used);
        let back = subject.take().remove(0);
        let line = |b: &[u8]| b.split(|c| *c == b'\r').next().unwrap().to_vec();
        assert_eq!(line(&back.bytes), line(&bytes), "the reason is forwarded as it is");
        assert_eq!(fields(&back.bytes).1, fields(&bytes).1, "and so is the body");
        assert_eq!(back.to, subject::PEER);
        subject.finish();
    }
}

#[test]
fn noreason_is_a_100_and_goes_through_no_proxy() {
    for (_, bytes) in both("noreason") {
        let (mut subject, invite) = calling();
        assert_eq!(from_hop(&mut subject, &graft(&bytes, &invite)), Seen::Used);
        subject.run(20_000);
        assert_eq!(subject.take(), [], "a 100 ends the repetitions of an INVITE");
        assert!(subject.events.is_empty(), "{:?}", subject.events);
        from_hop(&mut subject, &invite.answer("486 Busy Here", ""));
        assert!(matches!(
            subject.events.last(),
            Some(Event::Call {
                change: CallChange::Ended { why: EndReason::Refused, status: 486 },
                ..
            })
        ));
        subject.finish();

        let (mut subject, invite) = proxied();
        assert_eq!(from_hop(&mut subject, &graft(&bytes, &invite)), Seen::Used);
        assert_eq!(subject.take(), [], "a 100 is not forwarded");
        from_hop(&mut subject, &invite.answer("486 Busy Here", ""));
        assert!(subject.take().iter().any(|s| s.status() == Some(486)));
        subject.finish();
    }
}

#[test]
fn scalarlg_and_bigcode_are_discarded_even_as_answers_to_a_request_of_ours() {
    for name in ["scalarlg", "bigcode"] {
        for (_, bytes) in both(name) {
            for make in [calling, proxied] {
                let (mut subject, invite) = make();
                let before = subject.engine.stats();
                let seen = from_hop(&mut subject, &graft(&bytes, &invite));
                assert_eq!(seen, Seen::Ignored(Ignored::BadResponse), "{name}");
                assert_eq!(subject.take(), [], "{name}");
                let after = subject.engine.stats();
                assert_eq!((before.timers, before.blocks), (after.timers, after.blocks), "{name}");
                // The call goes on: the INVITE is repeated, and ends with another response.
                subject.run(600);
                assert_eq!(subject.take()[0].bytes, invite.bytes, "{name}");
                from_hop(&mut subject, &invite.answer("486 Busy Here", ""));
                subject.finish();
            }
        }
    }
}

#[test]
fn bcast_goes_nowhere_nor_does_an_answer_to_where_nobody_is() {
    for (_, bytes) in both("bcast") {
        for mut subject in [Subject::proxy(), Subject::phone()] {
            let seen = subject.udp(&bytes).unwrap();
            assert_eq!(seen, Seen::Ignored(Ignored::StrayResponse));
            assert_eq!(subject.take(), []);
            assert!(subject.engine.is_quiescent());
        }
    }
    for nowhere in ["255.255.255.255", "0.0.0.0", "224.0.1.75", "[::]", "10.0.0.1"] {
        for mut subject in [Subject::proxy(), Subject::phone()] {
            let invite =
                INVITE.replace("10.0.0.9;branch", &format!("10.0.0.9;maddr={nowhere};branch"));
            let seen = subject.udp(invite.as_bytes()).unwrap();
            let astray = |s: &Sent| s.status().is_some() && s.to.ip.to_string() != "10.0.0.9";
            let sent = subject.take();
            assert!(!sent.iter().any(astray), "{nowhere} {seen:?} {sent:?}");
            subject.finish();
        }
    }
}

/// The bindings that a REGISTER without Contact shows.
fn fetch(subject: &mut Subject, to: &str, domain: &str) -> Vec<String> {
    let n = subject.now;
    subject.run(1_000);
    subject.sent.clear();
    let fetch = format!(
        "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKf{n}\r\nMax-Forwards: 70\r\nFrom: <{to}>;tag=f\r\nTo: <{to}>\r\nCall-ID: f{n}\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
    );
    subject.udp(fetch.as_bytes()).unwrap();
    let answer = subject.take().remove(0);
    assert_eq!(answer.status(), Some(200));
    let split = |v: String| v.split(", ").map(String::from).collect::<Vec<_>>();
    answer.all("Contact").into_iter().flat_map(split).collect()
}

/// The To URI of a REGISTER, and the URI of its Contact.
fn names(bytes: &[u8]) -> (String, String) {
    let find = |name: &str| {
        let (all, _) = fields(bytes);
        let value = all.into_iter().find(|f| f.name == name).unwrap().value;
        match value.split_once('<') {
            Some((_, rest)) => rest.split('>').next().unwrap().to_string(),
            None => value.split(';').next().unwrap().to_string(),
        }
    };
    (find("to"), find("contact"))
}

#[test]
fn a_registrar_keeps_contacts_as_they_were_given() {
    for (domain, bytes) in both("escnull") {
        let mut subject = Subject::registrar(&[domain]);
        subject.udp(&bytes).unwrap();
        assert_eq!(fetch(&mut subject, &names(&bytes).0, domain).len(), 2, "two NULs are not one");
    }
    for (domain, bytes) in both("cparam01") {
        let mut subject = Subject::registrar(&[domain]);
        subject.udp(&bytes).unwrap();
        let (aor, uri) = names(&bytes);
        let shown = fetch(&mut subject, &aor, domain).remove(0);
        assert!(shown.starts_with(&format!("<{uri}>;unknownparam;")), "{shown}");
    }
    for name in ["cparam02", "regescrt"] {
        for (domain, bytes) in both(name) {
            let mut subject = Subject::registrar(&[domain]);
            subject.udp(&bytes).unwrap();
            let (aor, uri) = names(&bytes);
            let shown = fetch(&mut subject, &aor, domain).remove(0);
            assert!(uri.contains(';') || uri.contains('?'));
            assert!(shown.starts_with(&format!("<{uri}>;expires=")), "{shown}");
        }
    }
}

#[test]
fn escruri_makes_no_header_field_of_its_escapes() {
    for (_, bytes) in both("escruri") {
        for mut subject in [Subject::phone(), Subject::proxy()] {
            subject.udp(&bytes).unwrap();
            for sent in subject.take() {
                assert_eq!(sent.all("Route"), [""; 0], "{}", sent.text());
                assert!(!sent.text().contains('?'));
            }
        }
    }
}

#[test]
fn esc02_has_two_contacts_and_an_unknown_field() {
    for (_, bytes) in both("esc02") {
        let m = MessageRef::lazy(&bytes).unwrap();
        assert_eq!(m.values(Name::Contact).count(), 2);
    }
}

#[test]
fn dblreq_is_one_message_in_a_datagram_and_two_on_a_connection() {
    for (_, bytes) in both("dblreq") {
        let mut subject = Subject::phone();
        subject.udp(&bytes).unwrap();
        let methods = |sent: &[Sent]| -> Vec<String> {
            let method = |s: &Sent| s.one("CSeq").split(' ').nth(1).unwrap().to_string();
            sent.iter().filter(|s| s.status().is_some_and(|s| s >= 200)).map(method).collect()
        };
        assert_eq!(methods(&subject.take()), ["REGISTER"]);
        let mut subject = Subject::phone();
        let flow = subject.open();
        subject.tcp(flow, &bytes);
        assert_eq!(methods(&subject.take()), ["REGISTER", "INVITE"]);
    }
}

#[test]
fn insuf_is_refused_without_what_it_lacks() {
    for (_, bytes) in both("insuf") {
        for mut subject in
            [Subject::phone(), Subject::proxy(), Subject::registrar(&["far.example"])]
        {
            subject.udp(&bytes).unwrap();
            let answer = subject.take().remove(0);
            assert_eq!(answer.status(), Some(400));
            let names: Vec<String> = answer.fields().into_iter().map(|f| f.name).collect();
            assert!(!names.iter().any(|n| ["from", "to", "call-id"].contains(&&**n)), "{names:?}");
            assert!(subject.engine.is_quiescent(), "a refusal leaves nothing");
        }
    }
}

#[test]
fn test_dat_harms_nobody() {
    let Some(folder) = vectors::folder("rfc4475") else { return };
    let bytes = std::fs::read(folder.join("test.dat")).unwrap();
    for mut subject in [Subject::phone(), Subject::proxy(), Subject::registrar(&["example.com"])] {
        subject.udp(&bytes).unwrap();
        assert!(subject.take().iter().all(|s| s.status() == Some(400)));
        let flow = subject.open();
        subject.tcp(flow, &bytes);
        subject.ping();
        subject.end(flow);
        subject.finish();
    }
}

#[test]
fn a_message_that_the_host_framed_itself_is_taken_like_one_framed_here() {
    for name in ["wsinv", "dblreq", "mpart01"] {
        let bytes = torture::message(name);
        let mut subject = Subject::phone();
        let flow = subject.open();
        let path = Path {
            local: subject::TCP,
            remote: Addr { port: 40_000, ..subject::PEER },
            flow: Some(flow),
        };
        subject.engine.receive(Instant(0), path, &bytes).unwrap();
        subject.drain();
        let status = subject.take().iter().filter_map(Sent::status).max();
        assert!(status.is_some_and(|s| s >= 200), "{name}");
        let wrong = Path { flow: Some(sansip::FlowId(9)), ..path };
        assert!(subject.engine.receive(Instant(0), wrong, &bytes).is_err());
        let wrong = Path { local: sansip::LocalId(9), flow: None, ..path };
        assert!(subject.engine.receive(Instant(0), wrong, &bytes).is_err());
    }
}
