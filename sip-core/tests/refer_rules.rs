//! Rules of REFER and of its NOTIFYs at their edges (RFC 3515, 4488, 4538, 6665): one engine
//! against a peer that is written out by hand.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use peer::{Bench, Out, param};
use sansip::{
    Answer, CallChange, CallHandle, Config, EndReason, Error, Event, Extras, Leaves, LineConfig,
    Misuse, RequestHandle, Transfers,
};

fn bench_with(set: impl Fn(&mut Config)) -> Bench {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    set(&mut config);
    Bench::new(config)
}

fn bench() -> Bench {
    bench_with(|_| ())
}

/// A call out of the bench that stands, and what its peer sends in it.
struct Peer {
    call: CallHandle,
    id: String,
    ours: String,
    cseq: u32,
}

impl Peer {
    fn new(b: &mut Bench) -> Self {
        let now = b.at();
        let call =
            b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
        let invite = b.drain().remove(0);
        b.ask(&invite.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
        let ours = param(invite.header("From"), "tag").to_string();
        Self { call, id: invite.header("Call-ID").to_string(), ours, cseq: 0 }
    }

    /// The peer's next request.
    fn request(&mut self, method: &str, more: &str, body: &str) -> String {
        self.cseq += 1;
        let (id, ours, n) = (&self.id, &self.ours, self.cseq);
        format!(
            "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{method}{n}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@10.0.0.9>;tag=at\r\nTo: <sip:bob@example.com>;tag={ours}\r\nCall-ID: {id}\r\nCSeq: {n} {method}\r\nContact: <sip:alice@10.0.0.9>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn refer(&mut self, b: &mut Bench, more: &str) -> Vec<Out> {
        let text = self.request("REFER", more, "");
        b.ask(&text)
    }

    fn notify(&mut self, b: &mut Bench, state: &str, frag: &str) -> Vec<Out> {
        let more = format!(
            "Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n"
        );
        let text = self.request("NOTIFY", &more, frag);
        b.ask(&text)
    }

    /// Our REFER in the call, accepted by the peer.
    fn referred(&mut self, b: &mut Bench) {
        let refer = self.sent_refer(b);
        b.ask(&refer.answer("202 Accepted", "", "Contact: <sip:alice@10.0.0.9>\r\n"));
    }

    fn sent_refer(&mut self, b: &mut Bench) -> Out {
        let now = b.at();
        b.engine.transfer(now, self.call, "sip:carol@10.0.0.7", false, Extras::default()).unwrap();
        b.drain().remove(0)
    }
}

fn outside(id: &str, more: &str) -> String {
    format!(
        "REFER sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@10.0.0.9>;tag=ot\r\nTo: <sip:bob@example.com>\r\nCall-ID: {id}\r\nCSeq: 7 REFER\r\nContact: <sip:alice@10.0.0.9>\r\nRefer-To: <sip:carol@10.0.0.7>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

fn asked(b: &Bench) -> Option<(RequestHandle, Option<CallHandle>)> {
    b.events.iter().rev().find_map(|e| match *e {
        Event::Transfer { request, call, .. } => Some((request, call)),
        _ => None,
    })
}

fn told(b: &Bench) -> Vec<(u16, bool)> {
    let of = |c: CallChange| match c {
        CallChange::Transfer { status, done } => Some((status, done)),
        _ => None,
    };
    b.changes().into_iter().filter_map(of).collect()
}

fn accept(b: &mut Bench) -> (CallHandle, Vec<Out>) {
    let (now, request) = (b.at(), asked(b).unwrap().0);
    let call = b.engine.accept_transfer(now, request, 0, Extras::default()).unwrap();
    (call, b.drain())
}

fn status(sent: &[Out]) -> &str {
    sent.first().map_or("nothing", |o| &o.first_line()["SIP/2.0 ".len()..][..3])
}

fn starts(sent: &[Out]) -> Vec<&str> {
    let word = |o: &'_ Out| -> usize { o.first_line().find(' ').unwrap() };
    sent.iter()
        .map(|o| match o.first_line().strip_prefix("SIP/2.0 ") {
            Some(status) => &status[..3],
            None => &o.first_line()[..word(o)],
        })
        .collect()
}

fn nothing_left(b: &mut Bench) {
    let now = b.at();
    b.engine.shutdown(now).unwrap();
    b.run(400_000);
    let s = b.engine.stats();
    assert!(b.engine.is_quiescent(), "{s:?}");
    assert_eq!(s.blocks, s.lines, "{s:?}");
}

// RFC 3515 2.4.2: exactly one Refer-To; RFC 3261 21.4.14 for a scheme that we cannot call.
#[test]
fn what_is_no_good_refer_to() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    let long = format!("Refer-To: <sip:{}@10.0.0.7>\r\n", "c".repeat(1_100));
    for (more, expected) in [
        ("", "400"),
        ("Refer-To: <sip:c@h>\r\nRefer-To: <sip:c@h>\r\n", "400"),
        ("Refer-To: <sip:c@h>, <sip:d@h>\r\n", "400"),
        ("Refer-To: <>\r\n", "400"),
        ("Refer-To: nothing\r\n", "400"),
        ("Refer-To: <tel:+1201>\r\n", "416"),
        ("Refer-To: <http://h/>\r\n", "416"),
        ("Refer-To: <sip:c@h;method=BYE>\r\n", "501"),
        ("Refer-To: <sip:c@h?Subject=a%0D%0AVia:%20x>\r\n", "400"),
        (&long, "414"),
    ] {
        assert_eq!(status(&p.refer(&mut b, more)), expected, "{more}");
    }
    let text = outside("o1", "Refer-To: <sip:d@h>\r\n");
    assert_eq!(status(&b.ask(&text)), "400");
    assert_eq!(asked(&b), None);
    nothing_left(&mut b);
}

// RFC 3261 19.1.5: only header fields that are safe to honour go into the INVITE.
#[test]
fn what_a_refer_to_puts_into_the_invite() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    let by = "\"Al\" <sip:alice@example.com>;cid=\"x@y\"";
    let sent = p.refer(
        &mut b,
        &format!(
            "Refer-To: \"C\" <sip:carol@10.0.0.7;method=INVITE;x=1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&From=sip%3Aevil%40h&Via=x&Call-ID=z&Route=%3Csip%3Ax%3E&Body=y&Subject=hi%20there>\r\nReferred-By: {by}\r\n"
        ),
    );
    assert!(sent.is_empty(), "the application decides");
    let (_, sent) = accept(&mut b);
    assert_eq!(starts(&sent), ["202", "NOTIFY", "INVITE"]);
    let invite = &sent[2];
    assert_eq!(invite.first_line(), "INVITE sip:carol@10.0.0.7;x=1 SIP/2.0");
    assert_eq!(invite.header("To"), "<sip:carol@10.0.0.7;x=1>");
    assert_eq!(invite.header("Replaces"), "a@b;to-tag=1;from-tag=2");
    assert_eq!(invite.header("Subject"), "hi there");
    assert_eq!(invite.header("Referred-By"), by);
    assert!(invite.header("From").starts_with("<sip:bob@example.com>"));
    assert_eq!((invite.all("Via").len(), invite.all("Route").len()), (1, 0));
    assert_ne!(invite.header("Call-ID"), "z");
    assert!(invite.text.ends_with("\r\n\r\n"), "no body");
    nothing_left(&mut b);
}

// One at a time in a dialog; from the second on NOTIFYs name their REFER (RFC 3515 2.4.6).
#[test]
fn a_second_refer_waits_for_the_first() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    let to = "Refer-To: <sip:carol@10.0.0.7>\r\n";
    p.refer(&mut b, to);
    assert_eq!(status(&p.refer(&mut b, to)), "491");
    let (_, sent) = accept(&mut b);
    assert_eq!(sent[1].header("Event"), "refer");
    assert_eq!(status(&p.refer(&mut b, to)), "491");
    b.ask(&sent[1].answer("200 OK", "", ""));
    let last = b.ask(&sent[2].answer("486 Busy Here", "ct", "")).remove(1);
    assert_eq!(last.header("Subscription-State"), "terminated;reason=noresource");
    assert!(last.text.ends_with("SIP/2.0 486 Busy Here\r\n"));
    b.ask(&last.answer("200 OK", "", ""));
    assert!(p.refer(&mut b, to).is_empty());
    let (_, sent) = accept(&mut b);
    assert_eq!(sent[1].header("Event"), format!("refer;id={}", p.cseq));
    nothing_left(&mut b);
}

// One NOTIFY at a time, and the last word is always said.
#[test]
fn what_happens_while_a_notify_is_on_its_way_is_told_together() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\n");
    let (_, sent) = accept(&mut b);
    let invite = &sent[2];
    assert!(b.ask(&invite.answer("180 Ringing", "ct", "")).is_empty());
    let ok = invite.answer("200 OK", "ct", "Contact: <sip:carol@10.0.0.7>\r\n");
    assert_eq!(starts(&b.ask(&ok)), ["ACK"]);
    let last = b.ask(&sent[1].answer("200 OK", "", ""));
    assert_eq!(starts(&last), ["NOTIFY"]);
    assert!(last[0].text.ends_with("SIP/2.0 200 OK\r\n"), "{}", last[0].text);
    b.ask(&last[0].answer("200 OK", "", ""));
    nothing_left(&mut b);
}

// RFC 6665 4.2.2: whoever does not know the subscription is told no more. The call goes on.
#[test]
fn a_notify_that_is_refused_ends_the_subscription() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\n");
    let (new, sent) = accept(&mut b);
    b.ask(&sent[1].answer("481 Call/Transaction Does Not Exist", "", ""));
    assert!(b.ask(&sent[2].answer("180 Ringing", "ct", "")).is_empty());
    assert!(b.engine.call_info(new).is_some());
    nothing_left(&mut b);
}

#[test]
fn a_refer_in_a_call_that_ends() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    let now = b.at();
    b.engine.hangup(now, p.call).unwrap();
    b.drain();
    let sent = p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\n");
    assert_eq!(status(&sent), "481");
    nothing_left(&mut b);
}

// The peer hangs up before the application has decided: the REFER stands (RFC 5057), and its
// dialog with it, but takes no other request.
#[test]
fn a_dialog_in_which_only_a_subscription_is_left() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\n");
    let bye = p.request("BYE", "", "");
    assert_eq!(status(&b.ask(&bye)), "200");
    assert_eq!((b.engine.stats().calls, b.engine.stats().dialogs), (0, 1));
    for method in ["INVITE", "BYE", "MESSAGE", "INFO", "OPTIONS", "REFER", "NOTIFY"] {
        let more = "Event: refer\r\nSubscription-State: active\r\nRefer-To: <sip:x@h>\r\n";
        let text = p.request(method, more, "");
        let sent = b.ask(&text);
        let expected = if method == "NOTIFY" { "400" } else { "481" };
        assert_eq!(status(&sent), expected, "{method}");
    }
    let (_, sent) = accept(&mut b);
    assert_eq!(starts(&sent), ["202", "NOTIFY", "INVITE"]);
    b.ask(&sent[1].answer("200 OK", "", ""));
    let last = b.ask(&sent[2].answer("603 Decline", "ct", "")).remove(1);
    b.ask(&last.answer("200 OK", "", ""));
    assert_eq!(b.engine.stats().dialogs, 0);
    nothing_left(&mut b);
}

// RFC 3515 4: a REFER outside a dialog makes one, for its NOTIFYs.
#[test]
fn a_refer_outside_a_dialog() {
    let mut b = bench();
    assert!(b.ask(&outside("o1", "")).is_empty());
    assert_eq!(asked(&b).unwrap().1, None);
    let (_, sent) = accept(&mut b);
    assert_eq!(starts(&sent), ["202", "NOTIFY", "INVITE"]);
    assert_eq!(sent[1].header("Call-ID"), "o1");
    assert_eq!(param(sent[1].header("From"), "tag"), sent[0].to_tag());
    assert!(sent[1].header("To").ends_with(";tag=ot"));
    assert!(sent[0].header("Contact").contains("bob@10.0.0.1"));
    b.ask(&sent[1].answer("200 OK", "", ""));
    let last = b.ask(&sent[2].answer("404 Not Found", "ct", "")).remove(1);
    b.ask(&last.answer("200 OK", "", ""));
    assert_eq!(b.engine.stats().dialogs, 0);
    // Refused, and never decided: nothing is left.
    b.ask(&outside("o2", ""));
    let (now, request) = (b.at(), asked(&b).unwrap().0);
    b.engine.reject_transfer(now, request, 403).unwrap();
    assert_eq!(status(&b.drain()), "403");
    b.ask(&outside("o3", ""));
    assert_eq!(starts(&b.run(40_000)).last(), Some(&"480"));
    nothing_left(&mut b);
}

// RFC 4538 3: the tags are seen from the recipient's side.
#[test]
fn a_target_dialog() {
    let mut b = bench();
    let p = Peer::new(&mut b);
    let names = |local: &str, remote: &str| {
        format!("Target-Dialog: {};local-tag={local};remote-tag={remote}\r\n", p.id)
    };
    b.ask(&outside("t1", &names(&p.ours, "at")));
    assert_eq!(asked(&b).unwrap().1, Some(p.call));
    for (n, wrong) in [names("at", &p.ours), names(&p.ours, "x"), "Target-Dialog: x\r\n".into()]
        .iter()
        .enumerate()
    {
        b.ask(&outside(&format!("w{n}"), wrong));
        assert_eq!(asked(&b).unwrap().1, None, "{wrong}");
    }
    nothing_left(&mut b);
}

// What shows that its sender is in a call is taken by policy; about others the application is
// asked.
#[test]
fn policy_takes_only_what_a_calls_peer_sends() {
    let mut b = bench_with(|c| c.transfers = Transfers::Accept);
    let mut p = Peer::new(&mut b);
    b.ask(&outside("t1", ""));
    assert!(asked(&b).is_some());
    b.events.clear();
    let target = format!("Target-Dialog: {};local-tag={};remote-tag=at\r\n", p.id, p.ours);
    b.ask(&outside("t2", &target));
    assert_eq!(starts(&b.run(0)), ["202", "NOTIFY", "INVITE"]);
    p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\n");
    assert_eq!(starts(&b.run(0)), ["202", "NOTIFY", "INVITE"]);
    assert_eq!(asked(&b), None);
    assert_eq!(b.changes().iter().filter(|c| **c == CallChange::Referred).count(), 2);
    nothing_left(&mut b);
    let mut b = bench_with(|c| c.transfers = Transfers::Refuse);
    assert_eq!(status(&b.ask(&outside("t1", ""))), "603");
    assert_eq!(b.engine.stats().transactions, 0, "what is refused leaves no state");
    nothing_left(&mut b);
}

// The raw verb answers a REFER too, but takes none.
#[test]
fn a_refer_that_is_answered_by_respond() {
    let mut b = bench();
    b.ask(&outside("o1", ""));
    let (now, request) = (b.at(), asked(&b).unwrap().0);
    let taken = b.engine.respond(now, request, 202, Extras::default());
    assert_eq!(taken, Err(Error::Misuse(Misuse::BadStatus)));
    b.engine.respond(now, request, 486, Extras::default()).unwrap();
    assert_eq!(status(&b.drain()), "486");
    nothing_left(&mut b);
}

// RFC 4488: no subscription where the peer asks for none.
#[test]
fn a_refer_without_subscription() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\nRefer-Sub: false\r\n");
    let (_, sent) = accept(&mut b);
    assert_eq!(starts(&sent), ["202", "INVITE"]);
    assert_eq!(sent[0].header("Refer-Sub"), "false");
    let ok = sent[1].answer("200 OK", "ct", "Contact: <sip:carol@10.0.0.7>\r\n");
    assert_eq!(starts(&b.ask(&ok)), ["ACK"]);
    nothing_left(&mut b);
}

// RFC 4488 4: a peer that does not know it makes a subscription all the same.
#[test]
fn a_peer_that_does_not_know_refer_sub() {
    let mut b = bench_with(|c| c.refer_sub = false);
    let mut p = Peer::new(&mut b);
    p.referred(&mut b);
    assert_eq!(told(&b), [(202, false)]);
    let sent = p.notify(&mut b, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n");
    assert_eq!(starts(&sent), ["200", "BYE"]);
    assert_eq!(told(&b)[1..], [(200, true)]);
    nothing_left(&mut b);
}

// RFC 6665 7.2, RFC 3515 2.4.5
#[test]
fn what_is_no_good_notify() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    let frag = "SIP/2.0 100 Trying\r\n";
    assert_eq!(status(&p.notify(&mut b, "active", frag)), "481", "there is no REFER of ours");
    let refer = p.sent_refer(&mut b);
    b.ask(&refer.answer("202 Accepted", "", ""));
    let seq = refer.header("CSeq").replace(" REFER", "");
    let kind = "Content-Type: message/sipfrag\r\n";
    let active = "Subscription-State: active\r\n";
    for (more, body, expected) in [
        (format!("{active}{kind}"), frag, "489"),
        (format!("Event: dialog\r\n{active}{kind}"), frag, "489"),
        (format!("Event: refer;id=77\r\n{active}{kind}"), frag, "481"),
        (format!("Event: refer\r\n{active}Content-Type: text/plain\r\n"), frag, "415"),
        (format!("Event: refer\r\n{active}{kind}"), "OK\r\n", "400"),
        (format!("Event: refer\r\n{active}"), "", "400"),
        (format!("Event: refer;id={seq}\r\n{active}{kind}"), frag, "200"),
        (format!("Event: REFER\r\n{active}{kind}"), frag, "200"),
    ] {
        let text = p.request("NOTIFY", &more, body);
        let sent = b.ask(&text);
        assert_eq!(status(&sent), expected, "{more}{body}");
        match expected {
            "489" => assert_eq!(sent[0].header("Allow-Events"), "refer"),
            "415" => assert_eq!(sent[0].header("Accept"), "message/sipfrag"),
            _ => {}
        }
    }
    assert_eq!(told(&b), [(202, false), (100, false), (100, false)]);
    nothing_left(&mut b);
}

// RFC 3515 2.4.4: a NOTIFY may come before the 202, which then says nothing new.
#[test]
fn a_notify_before_the_202() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    let refer = p.sent_refer(&mut b);
    assert_eq!(status(&p.notify(&mut b, "active;expires=60", "SIP/2.0 100 Trying\r\n")), "200");
    b.ask(&refer.answer("202 Accepted", "", ""));
    assert_eq!(told(&b), [(100, false)]);
    let sent = p.notify(&mut b, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n");
    assert_eq!(starts(&sent), ["200", "BYE"]);
    b.ask(&sent[1].answer("200 OK", "", ""));
    assert_eq!(
        b.changes().last(),
        Some(&CallChange::Ended { why: EndReason::Transferred, status: 0 })
    );
    nothing_left(&mut b);
}

// A peer that says the outcome first and ends the subscription later: told once.
#[test]
fn an_outcome_before_the_end_of_the_subscription() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    p.referred(&mut b);
    p.notify(&mut b, "active;expires=60", "SIP/2.0 486 Busy Here\r\n");
    p.notify(&mut b, "terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n");
    assert_eq!(told(&b), [(202, false), (486, true)]);
    let late = p.notify(&mut b, "terminated", "SIP/2.0 486 Busy Here\r\n");
    assert_eq!(status(&late), "481");
    nothing_left(&mut b);
}

// A subscription that ends without a word: nobody knows what became of the new call.
#[test]
fn a_subscription_that_ends_without_an_outcome() {
    for (state, frag) in [("terminated;reason=timeout", ""), ("terminated", "SIP/2.0 180 x\r\n")] {
        let mut b = bench();
        let mut p = Peer::new(&mut b);
        p.referred(&mut b);
        assert_eq!(starts(&p.notify(&mut b, state, frag)), ["200"], "the call stays");
        assert!(matches!(told(&b)[..], [(202, false), (100 | 180, true)]), "{:?}", told(&b));
        nothing_left(&mut b);
    }
}

// RFC 3515 2.4.2: refusals of all kinds end the transfer, not the call.
#[test]
fn refusals_of_our_refer() {
    for status in [405, 408, 481, 491, 501, 503, 603] {
        let mut b = bench();
        let mut p = Peer::new(&mut b);
        let refer = p.sent_refer(&mut b);
        assert!(b.ask(&refer.answer(&format!("{status} No"), "", "")).is_empty());
        assert_eq!(told(&b), [(status, true)]);
        assert!(b.engine.call_info(p.call).is_some());
        p.referred(&mut b);
        assert_eq!(told(&b).last(), Some(&(202, false)), "another try");
        nothing_left(&mut b);
    }
}

// RFC 5057: after our BYE the NOTIFYs are answered, as long as they come or for 32 s.
#[test]
fn notifies_after_our_bye() {
    let mut b = bench_with(|c| c.transferor_leaves = Leaves::OnAccepted);
    let mut p = Peer::new(&mut b);
    let refer = p.sent_refer(&mut b);
    let bye = b.ask(&refer.answer("202 Accepted", "", "")).remove(0);
    assert!(bye.first_line().starts_with("BYE"));
    b.ask(&bye.answer("200 OK", "", ""));
    assert_eq!((b.engine.stats().calls, b.engine.stats().dialogs), (0, 1));
    assert_eq!(status(&p.notify(&mut b, "active", "SIP/2.0 100 Trying\r\n")), "200");
    b.run(20_000);
    assert_eq!(status(&p.notify(&mut b, "active", "SIP/2.0 180 Ringing\r\n")), "200");
    let end = "terminated;reason=noresource";
    assert_eq!(status(&p.notify(&mut b, end, "SIP/2.0 200 OK\r\n")), "200");
    assert_eq!(status(&p.notify(&mut b, end, "SIP/2.0 200 OK\r\n")), "481");
    nothing_left(&mut b);
    // None comes: the dialog is kept no longer than that.
    let mut b = bench_with(|c| c.transferor_leaves = Leaves::OnAccepted);
    let mut p = Peer::new(&mut b);
    let refer = p.sent_refer(&mut b);
    let bye = b.ask(&refer.answer("202 Accepted", "", "")).remove(0);
    b.ask(&bye.answer("200 OK", "", ""));
    b.run(31_000);
    assert_eq!(b.engine.stats().dialogs, 1);
    b.run(2_000);
    assert_eq!(b.engine.stats().dialogs, 0);
    nothing_left(&mut b);
}

// A person who hangs up while the REFER is on its way: its answer and its NOTIFYs find their way.
#[test]
fn a_transferor_that_hangs_up_at_once() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    let refer = p.sent_refer(&mut b);
    let now = b.at();
    b.engine.hangup(now, p.call).unwrap();
    let bye = b.drain().remove(0);
    b.ask(&bye.answer("200 OK", "", ""));
    assert!(b.ask(&refer.answer("202 Accepted", "", "")).is_empty());
    assert_eq!(status(&p.notify(&mut b, "active", "SIP/2.0 100 Trying\r\n")), "200");
    let end = p.notify(&mut b, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n");
    assert_eq!(starts(&end), ["200"]);
    assert_eq!(told(&b), []);
    nothing_left(&mut b);
}

// As many REFERs at once as there are calls in the limits; more are put off.
#[test]
fn a_storm_of_refers() {
    let mut b = bench();
    let calls = sansip::Limits::TESTER.calls;
    for n in 0..calls + 20 {
        let sent = b.ask(&outside(&format!("s{n}"), ""));
        if n < calls {
            assert!(sent.is_empty());
        } else {
            assert_eq!(status(&sent), "503");
            assert_ne!(sent[0].header("Retry-After"), "");
        }
    }
    b.run(40_000);
    assert!(b.ask(&outside("after", "")).is_empty());
    nothing_left(&mut b);
}

// RFC 3515 2.4.4, RFC 6665 4.2.1: a SUBSCRIBE lengthens or ends the subscription, and never makes
// one. The call that was asked for goes on.
#[test]
fn a_subscribe_for_a_refer() {
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    let subscribe = |b: &mut Bench, p: &mut Peer, more: &str| {
        let text = p.request("SUBSCRIBE", more, "");
        b.ask(&text)
    };
    let none = subscribe(&mut b, &mut p, "Event: refer\r\nExpires: 60\r\n");
    assert_eq!(status(&none), "403");
    p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\n");
    let seq = p.cseq;
    let (new, sent) = accept(&mut b);
    b.ask(&sent[1].answer("200 OK", "", ""));
    assert_eq!(status(&subscribe(&mut b, &mut p, "Event: dialog\r\n")), "489");
    assert_eq!(status(&subscribe(&mut b, &mut p, "Event: refer;id=99\r\n")), "403");
    let more = format!("Event: refer;id={seq}\r\nExpires: 60\r\n");
    let sent = subscribe(&mut b, &mut p, &more);
    assert_eq!(starts(&sent), ["200", "NOTIFY"]);
    assert_eq!(sent[0].header("Expires"), "60");
    assert_eq!(sent[1].header("Subscription-State"), "active;expires=60");
    b.ask(&sent[1].answer("200 OK", "", ""));
    let sent = subscribe(&mut b, &mut p, "Event: refer\r\nExpires: 0\r\n");
    assert_eq!(starts(&sent), ["200", "NOTIFY"]);
    assert_eq!(sent[1].header("Subscription-State"), "terminated;reason=timeout");
    assert!(sent[1].text.ends_with("SIP/2.0 100 Trying\r\n"));
    b.ask(&sent[1].answer("200 OK", "", ""));
    assert_eq!(b.engine.stats().transfers, 0);
    assert!(b.engine.call_info(new).is_some());
    nothing_left(&mut b);
    // It is not lengthened: it ends when its time is over.
    let mut b = bench();
    let mut p = Peer::new(&mut b);
    p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\n");
    let (_, sent) = accept(&mut b);
    b.ask(&sent[1].answer("200 OK", "", ""));
    b.ask(&sent[2].answer("180 Ringing", "ct", "Contact: <sip:carol@10.0.0.7>\r\n"));
    let notify = b.sent.last().unwrap().clone();
    b.ask(&notify.answer("200 OK", "", ""));
    let sent = subscribe(&mut b, &mut p, "Event: refer\r\nExpires: 5\r\n");
    b.ask(&sent[1].answer("200 OK", "", ""));
    let last = b.run(6_000).remove(0);
    assert_eq!(last.header("Subscription-State"), "terminated;reason=timeout");
    assert!(last.text.ends_with("SIP/2.0 180 Ringing\r\n"));
    b.ask(&last.answer("200 OK", "", ""));
    assert_eq!(b.engine.stats().transfers, 0);
    nothing_left(&mut b);
}

const CHALLENGE: &str =
    "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\r\n";

/// A bench whose line answers the challenges of a call's peer.
fn proving() -> Bench {
    let mut b = bench();
    let line = LineConfig { aor: "sip:ann@example.com", auth_peers: true, ..LineConfig::default() };
    b.line = b.engine.add_line(b.at(), line).unwrap();
    b
}

/// Nothing lives; the credentials are kept for the next request.
fn quiet(b: &mut Bench) {
    b.engine.shutdown(b.at()).unwrap();
    b.finish();
}

fn tell(b: &mut Bench, answer: Answer<'_>) -> Vec<Out> {
    let (id, _) = b.asked.pop().expect("a question");
    b.engine.answer(b.at(), id, answer).unwrap();
    b.drain()
}

// RFC 3261 22.3: a challenged REFER goes again with a higher CSeq number, and that is the one that
// its NOTIFYs name (RFC 3515 2.4.6).
#[test]
fn a_refer_that_is_challenged() {
    let mut b = proving();
    let mut p = Peer::new(&mut b);
    let refer = p.sent_refer(&mut b);
    b.ask(&refer.answer("407 Proxy Authentication Required", "", CHALLENGE));
    let again = tell(&mut b, Answer::Password("x")).remove(0);
    assert_ne!(again.header("Proxy-Authorization"), "");
    assert_eq!(again.header("Refer-To"), refer.header("Refer-To"));
    let seq = |o: &Out| -> u32 { o.header("CSeq").split(' ').next().unwrap().parse().unwrap() };
    assert_eq!(seq(&again), seq(&refer) + 1);
    assert_eq!(told(&b), []);
    b.ask(&again.answer("202 Accepted", "", ""));
    let more = format!(
        "Event: refer;id={}\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n",
        seq(&again)
    );
    let text = p.request("NOTIFY", &more, "SIP/2.0 200 OK\r\n");
    assert_eq!(starts(&b.ask(&text)), ["200", "BYE"]);
    quiet(&mut b);
    // There is no secret: the challenge is a refusal.
    let mut b = proving();
    let mut p = Peer::new(&mut b);
    let refer = p.sent_refer(&mut b);
    b.ask(&refer.answer("407 Proxy Authentication Required", "", CHALLENGE));
    tell(&mut b, Answer::Failed);
    assert_eq!(told(&b), [(407, true)]);
    assert!(b.engine.call_info(p.call).is_some());
    quiet(&mut b);
}

// A NOTIFY may be challenged too.
#[test]
fn a_notify_that_is_challenged() {
    for known in [true, false] {
        let mut b = proving();
        let mut p = Peer::new(&mut b);
        p.refer(&mut b, "Refer-To: <sip:carol@10.0.0.7>\r\n");
        let (_, sent) = accept(&mut b);
        b.ask(&sent[1].answer("407 Proxy Authentication Required", "", CHALLENGE));
        if known {
            let again = tell(&mut b, Answer::Password("x")).remove(0);
            assert!(again.text.ends_with("SIP/2.0 100 Trying\r\n"));
            b.ask(&again.answer("200 OK", "", ""));
        } else {
            tell(&mut b, Answer::Failed);
        }
        let told = b.ask(&sent[2].answer("180 Ringing", "ct", ""));
        assert_eq!(starts(&told), if known { vec!["NOTIFY"] } else { vec![] });
        quiet(&mut b);
    }
}

mod early {
    //! REFER in one of several early dialogs (RFC 3261 13.2.2.1, RFC 5057 4.1).

    use super::peer::Bench;
    use sansip::{Config, Event, Extras, Retransmit, Seen, Transfers};

    const CONTACT: &str = "Contact: <sip:p@10.0.0.9>\r\n";

    fn request(method: &str, invite: &super::peer::Out, tag: &str, number: u32) -> String {
        let (to, from) = (invite.header("From"), invite.header("To"));
        let refer = if method == "REFER" { "Refer-To: <sip:carol@10.0.0.9>\r\n" } else { "" };
        format!(
            "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{tag}{number}\r\nMax-Forwards: 70\r\nFrom: {from};tag={tag}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\n{CONTACT}{refer}Content-Length: 0\r\n\r\n",
            invite.header("Call-ID")
        )
    }

    /// Two branches ring, and the first refers.
    fn ringing(transfers: Transfers) -> (Bench, super::peer::Out) {
        let mut config = Config::new([4; 32]);
        config.ask_media = false;
        config.retransmit = Retransmit::Rfc;
        config.roles.proxy = false;
        config.transfers = transfers;
        let mut b = Bench::new(config);
        let (now, line) = (b.at(), b.line);
        b.engine.invite(now, line, "sip:p@10.0.0.9", 0, Extras::default()).unwrap();
        let invite = b.drain().remove(0);
        b.ask(&invite.answer("180 Ringing", "one", CONTACT));
        b.ask(&request("REFER", &invite, "one", 1));
        b.ask(&invite.answer("180 Ringing", "two", CONTACT));
        (b, invite)
    }

    /// The call ends: the subscription goes on in its dialog, and takes what comes there.
    #[test]
    fn a_subscription_in_one_of_them_outlives_the_call() {
        let (mut b, invite) = ringing(Transfers::Accept);
        b.run(10);
        b.ask(&invite.answer("486 Busy", "two", ""));
        for (number, method) in (2..).zip(["REFER", "NOTIFY", "OPTIONS", "BYE"]) {
            let (seen, out) = b.feed(&request(method, &invite, "one", number));
            assert_eq!(seen, Seen::Used, "{method}");
            assert!(out.iter().any(|o| o.first_line().starts_with("SIP/2.0 ")), "{method}");
        }
        let now = b.at();
        b.engine.shutdown(now).unwrap();
        b.finish();
    }

    /// Another branch answers, or a 199 ends the one: the REFER that waits for the application is
    /// answered, and the verb comes too late.
    #[test]
    fn a_refer_in_one_that_ends_alone_is_over() {
        for status in ["200 OK", "199 Early Dialog Terminated"] {
            let (mut b, invite) = ringing(Transfers::Ask);
            let request = b.events.iter().find_map(|e| match e {
                Event::Transfer { request, .. } => Some(*request),
                _ => None,
            });
            let tag = if status.starts_with('2') { "two" } else { "one" };
            let out = b.ask(&invite.answer(status, tag, CONTACT));
            let refused = out.iter().any(|o| {
                o.first_line().starts_with("SIP/2.0 481") && o.header("CSeq").ends_with("REFER")
            });
            assert!(refused, "{status}: {out:?}");
            let now = b.at();
            let late = b.engine.accept_transfer(now, request.unwrap(), 0, Extras::default());
            assert_eq!(late, Err(sansip::Error::Late), "{status}");
            let call = b.call();
            b.engine.hangup(now, call).unwrap();
            b.finish();
        }
    }
}
