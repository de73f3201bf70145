//! UPDATE (RFC 3311) and connected identity (RFC 4916) on the virtual network: when it may be sent,
//! what it changes, and how it meets INVITE, re-INVITE, PRACK and another UPDATE.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use net::{Net, config};
use peer::{Bench, Out};
use sansip::{
    CallChange, CallHandle, Config, EndReason, Error, Event, Extras, Instant, Limits, LineConfig,
    LineHandle, Misuse,
};

fn ua(seed: u8) -> Config {
    let mut config = config(seed);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.session_expires = 0;
    config
}

fn offer(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 {port} IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    )
}

fn sdp(text: &str) -> Extras<'_> {
    Extras { content_type: "application/sdp", body: text.as_bytes(), ..Extras::default() }
}

const STATE: Result<(), Error> = Err(Error::Misuse(Misuse::State));

/// Two phones, and an INVITE with an offer that has reached the second at 0 ms.
fn called() -> (Net, [CallHandle; 2]) {
    let mut net = Net::new();
    let lines: Vec<LineHandle> = (0..2)
        .map(|i| {
            let n = net.add(["a", "b"][i], ua(i as u8 + 1), &Limits::TESTER);
            let aor = ["sip:a@10.0.0.1", "sip:b@10.0.0.2"][i];
            let line = LineConfig { aor, ..LineConfig::default() };
            net.engine(n).add_line(Instant(1_000), line).unwrap()
        })
        .collect();
    let now = net.at();
    let text = offer(4_000);
    let call = net.engine(0).invite(now, lines[0], "sip:b@10.0.0.2", 0, sdp(&text)).unwrap();
    net.settle();
    let calls = [call, net.call(1)];
    (net, calls)
}

fn answered() -> (Net, [CallHandle; 2]) {
    let (mut net, calls) = called();
    let (now, text) = (net.at(), offer(5_000));
    net.engine(1).answer_call(now, calls[1], sdp(&text)).unwrap();
    net.settle();
    net.trace.clear();
    (net, calls)
}

/// The call in the early state whose offer is answered reliably, or not at all.
fn early(settled: bool) -> (Net, [CallHandle; 2]) {
    let (mut net, calls) = called();
    let (now, text) = (net.at(), offer(5_000));
    let extras = if settled { sdp(&text) } else { Extras::default() };
    net.engine(1).ring(now, calls[1], 183, extras).unwrap();
    net.settle();
    net.trace.clear();
    (net, calls)
}

fn update(
    net: &mut Net,
    n: usize,
    calls: [CallHandle; 2],
    extras: Extras<'_>,
) -> Result<(), Error> {
    let now = net.at();
    net.engine(n).update(now, calls[n], extras)
}

/// Answers the request that waits for the application of a node.
fn respond(net: &mut Net, n: usize, status: u16, extras: Extras<'_>) {
    let request = net.nodes[n].said.iter().rev().find_map(|s| match s.event {
        Event::Request { request, .. } => Some(request),
        _ => None,
    });
    let now = net.at();
    net.engine(n).respond(now, request.expect("a request"), status, extras).unwrap();
    net.settle();
}

fn finish(net: &mut Net, call: CallHandle) {
    let now = net.at();
    let _ = net.engine(0).hangup(now, call);
    net.finish();
    for node in &net.nodes {
        let s = node.engine.stats();
        assert_eq!(s.blocks, s.lines, "{}: {s:?}", node.name);
    }
}

#[test]
fn an_update_without_a_body_is_answered_by_the_engine_in_every_state_of_a_dialog() {
    for (name, (mut net, calls)) in
        [("early", early(false)), ("settled", early(true)), ("answered", answered())]
    {
        for n in [0, 1] {
            net.trace.clear();
            update(&mut net, n, calls, Extras::default()).unwrap();
            net.settle();
            let arrow = ["a>b", "b>a"];
            let expected =
                [format!("0 {} UPDATE", arrow[n]), format!("0 {} 200 UPDATE", arrow[1 - n])];
            assert_eq!(net.ladder(), expected, "{name}");
            assert_eq!(net.changes(n).last(), Some(&CallChange::Updated { status: 200 }), "{name}");
        }
        finish(&mut net, calls[0]);
    }
}

// RFC 3311 5.1: no offer before the first one is answered reliably.
#[test]
fn an_offer_has_to_wait_for_the_answer_to_the_first_one() {
    let text = offer(6_000);
    let (mut net, calls) = early(false);
    for n in [0, 1] {
        assert_eq!(update(&mut net, n, calls, sdp(&text)), STATE);
    }
    finish(&mut net, calls[0]);
    for n in [0, 1] {
        let (mut net, calls) = early(true);
        update(&mut net, n, calls, sdp(&text)).unwrap();
        net.settle();
        respond(&mut net, 1 - n, 200, sdp(&offer(7_000)));
        assert_eq!(net.changes(n).last(), Some(&CallChange::Updated { status: 200 }));
        // And the call goes on to be answered, with no description in the 2xx.
        let now = net.at();
        net.trace.clear();
        net.engine(1).answer_call(now, calls[1], Extras::default()).unwrap();
        net.settle();
        assert_eq!(net.ladder(), ["0 b>a 200 INVITE", "0 a>b ACK"]);
        assert!(net.trace[0].bytes.ends_with(b"Content-Length: 0\r\n\r\n"));
        finish(&mut net, calls[0]);
    }
}

#[test]
fn before_there_is_a_dialog_there_is_no_update() {
    let (mut net, calls) = called();
    for n in [0, 1] {
        assert_eq!(update(&mut net, n, calls, Extras::default()), STATE, "{n}");
    }
    finish(&mut net, calls[0]);
    let now = net.at();
    assert_eq!(net.engine(0).update(now, calls[0], Extras::default()), Err(Error::Gone));
}

// RFC 3311 5.2: two offers that cross are both refused with 491, and tried again at different times.
#[test]
fn two_offers_that_cross_are_491_on_both_sides_and_come_again() {
    let (mut net, calls) = answered();
    for n in [0, 1] {
        update(&mut net, n, calls, sdp(&offer(6_000 + n as u16))).unwrap();
    }
    net.settle();
    assert_eq!(net.ladder().iter().filter(|l| l.ends_with("491 UPDATE")).count(), 2);
    assert!(!net.changes(0).iter().any(|c| matches!(c, CallChange::Updated { .. })));
    // RFC 3261 14.1: the callee within 2 s, the caller after 2.1 s.
    net.run(2_000);
    respond(&mut net, 0, 200, sdp(&offer(7_000)));
    assert_eq!(net.changes(1).last(), Some(&CallChange::Updated { status: 200 }));
    net.run(2_000);
    respond(&mut net, 1, 200, sdp(&offer(7_001)));
    assert_eq!(net.changes(0).last(), Some(&CallChange::Updated { status: 200 }));
    finish(&mut net, calls[0]);
}

// RFC 3311 5.1, RFC 6337 4.3: an offer in one method bars an offer in the other, whoever made it.
#[test]
fn an_offer_in_an_update_and_one_in_a_reinvite_exclude_each_other() {
    let text = offer(6_000);
    // Both of ours.
    let (mut net, calls) = answered();
    update(&mut net, 0, calls, sdp(&text)).unwrap();
    let now = net.at();
    assert_eq!(net.engine(0).reinvite(now, calls[0], sdp(&text)), STATE);
    net.settle();
    // The peer's UPDATE waits for its application: neither may go the other way.
    assert_eq!(net.engine(1).reinvite(now, calls[1], sdp(&text)), STATE);
    assert_eq!(update(&mut net, 1, calls, sdp(&text)), STATE);
    respond(&mut net, 1, 488, Extras::default());
    assert_eq!(net.changes(0).last(), Some(&CallChange::Updated { status: 488 }));
    // Ours and theirs: the UPDATE crosses a re-INVITE.
    net.trace.clear();
    update(&mut net, 0, calls, sdp(&text)).unwrap();
    net.engine(1).reinvite(now, calls[1], sdp(&text)).unwrap();
    net.settle();
    let ladder = net.ladder();
    assert!(ladder.contains(&"0 b>a 491 UPDATE".to_string()), "{ladder:?}");
    assert!(ladder.contains(&"0 a>b 491 INVITE".to_string()), "{ladder:?}");
    net.run(4_000);
    finish(&mut net, calls[0]);
}

// RFC 3311 5.2: a re-INVITE of the peer waits for its answer; an UPDATE with an offer is 500, one
// without is taken.
#[test]
fn an_update_while_a_reinvite_waits() {
    let text = offer(6_000);
    let (mut net, calls) = answered();
    let now = net.at();
    net.engine(0).reinvite(now, calls[0], sdp(&text)).unwrap();
    net.settle();
    assert_eq!(update(&mut net, 0, calls, sdp(&text)), STATE, "ours is open");
    assert_eq!(update(&mut net, 1, calls, sdp(&text)), STATE, "theirs is open");
    update(&mut net, 0, calls, Extras::default()).unwrap();
    net.settle();
    assert_eq!(net.changes(0).last(), Some(&CallChange::Updated { status: 200 }));
    net.engine(1).answer_call(now, calls[1], sdp(&offer(7_000))).unwrap();
    net.settle();
    assert_eq!(net.changes(0).last(), Some(&CallChange::Reinvited { status: 200 }));
    finish(&mut net, calls[0]);
}

// RFC 3311 5.2: the application does not answer within the client's time: 504.
#[test]
fn an_offer_that_nobody_answers_is_504() {
    let (mut net, calls) = answered();
    update(&mut net, 0, calls, sdp(&offer(6_000))).unwrap();
    net.run(31_999);
    assert!(net.ladder().contains(&"31500 b>a 504 UPDATE".to_string()), "{:?}", net.ladder());
    assert_eq!(net.changes(0).last(), Some(&CallChange::Updated { status: 504 }));
    // The session is as before: another offer may be made by either side.
    update(&mut net, 1, calls, sdp(&offer(6_001))).unwrap();
    net.settle();
    respond(&mut net, 0, 200, sdp(&offer(6_002)));
    finish(&mut net, calls[0]);
}

// Each message is lost once; nothing else changes.
#[test]
fn a_lost_update_or_its_lost_answer_is_repeated() {
    for lost in ["UPDATE", "200 UPDATE"] {
        let (mut net, calls) = answered();
        let mut once = true;
        net.drop = Box::new(move |s| s.label() == lost && core::mem::take(&mut once));
        update(&mut net, 0, calls, Extras::default()).unwrap();
        net.run(10_000);
        let times: Vec<String> =
            net.ladder().into_iter().filter(|l| l.ends_with(">b UPDATE")).collect();
        assert_eq!(times, ["0 a>b UPDATE", "500 a>b UPDATE"], "{lost}");
        let told =
            net.changes(0).iter().filter(|c| matches!(c, CallChange::Updated { .. })).count();
        assert_eq!(told, 1, "{lost}");
        finish(&mut net, calls[0]);
    }
}

// RFC 3311 5.3: no response at all ends the dialog.
#[test]
fn an_update_without_any_response_ends_the_call() {
    let (mut net, calls) = answered();
    net.drop = Box::new(|s| s.label().ends_with("UPDATE"));
    update(&mut net, 0, calls, Extras::default()).unwrap();
    net.run(32_000);
    let changes = net.changes(0);
    assert!(changes.contains(&CallChange::Updated { status: 408 }), "{changes:?}");
    let ended = CallChange::Ended { why: EndReason::Hangup, status: 0 };
    assert_eq!(changes.last(), Some(&ended));
    net.finish();
}

// A call may end in the middle, at either side; what waited is answered 487 (RFC 3261 15.1.2).
#[test]
fn a_call_that_ends_during_an_update_leaves_nothing() {
    for who in [0, 1] {
        let (mut net, calls) = answered();
        update(&mut net, 0, calls, sdp(&offer(6_000))).unwrap();
        net.settle();
        let now = net.at();
        net.engine(who).hangup(now, calls[who]).unwrap();
        net.settle();
        assert!(net.ladder().contains(&"0 b>a 487 UPDATE".to_string()), "{:?}", net.ladder());
        net.finish();
        for node in &net.nodes {
            let s = node.engine.stats();
            assert_eq!(s.blocks, s.lines, "{who} {}: {s:?}", node.name);
        }
    }
}

fn bench() -> Bench {
    Bench::new(ua(9))
}

const CONTACT: &str = "Contact: <sip:alice@10.0.0.9>\r\n";

fn dialled(b: &mut Bench, more: &str) -> (CallHandle, Out) {
    let now = b.at();
    let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = b.drain().remove(0);
    b.ask(&invite.answer("200 OK", "at", &format!("{CONTACT}{more}")));
    (call, invite)
}

fn in_dialog(invite: &Out, from: &str, cseq: u32, more: &str) -> String {
    format!(
        "UPDATE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKu{cseq}\r\nMax-Forwards: 70\r\nFrom: {from};tag=at\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} UPDATE\r\n{more}Content-Length: 0\r\n\r\n",
        invite.header("From"),
        invite.header("Call-ID"),
    )
}

// RFC 3311 4: only to a peer that allows it.
#[test]
fn a_peer_that_does_not_allow_it_gets_none() {
    let mut b = bench();
    let (call, _) = dialled(&mut b, "Allow: INVITE, ACK, BYE\r\n");
    let now = b.at();
    assert_eq!(b.engine.update(now, call, Extras::default()), STATE);
    assert!(b.drain().is_empty());
}

// RFC 3261 12.2.2, RFC 3311 5.2: both directions refresh the remote target.
#[test]
fn the_target_follows_the_contact_of_the_update_and_of_its_2xx() {
    let mut b = bench();
    let (call, invite) = dialled(&mut b, "Allow: UPDATE\r\n");
    let to = invite.header("To").to_string();
    let sent = b.ask(&in_dialog(&invite, &to, 1, "Contact: <sip:alice@10.0.0.77>\r\n"));
    assert!(sent[0].first_line().starts_with("SIP/2.0 200 "));
    assert_eq!(sent[0].header("Contact"), "<sip:bob@10.0.0.1:5060>");
    let now = b.at();
    b.engine.update(now, call, Extras::default()).unwrap();
    let update = b.drain().remove(0);
    assert_eq!(update.first_line(), "UPDATE sip:alice@10.0.0.77 SIP/2.0");
    b.ask(&update.answer("200 OK", "", "Contact: <sip:alice@10.0.0.78>\r\n"));
    b.engine.hangup(now, call).unwrap();
    assert_eq!(b.drain()[0].first_line(), "BYE sip:alice@10.0.0.78 SIP/2.0");
}

// RFC 3261 12.2.2: there is nothing to update outside a dialog.
#[test]
fn an_update_outside_a_dialog_is_481() {
    let mut b = bench();
    let text = "UPDATE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKo\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: c9\r\nCSeq: 1 UPDATE\r\nContent-Length: 0\r\n\r\n";
    let sent = b.ask(text);
    assert!(sent[0].first_line().starts_with("SIP/2.0 481 "), "{}", sent[0].text);
}

// RFC 4916 4.4.2: the peer's new identity is told, and is where our requests go To.
#[test]
fn another_from_of_the_peer_is_told_and_kept() {
    let mut b = bench();
    let (call, invite) = dialled(&mut b, "Allow: UPDATE\r\nSupported: from-change\r\n");
    let carol = "\"Carol\" <sip:carol@example.com>";
    let sent = b.ask(&in_dialog(&invite, carol, 1, CONTACT));
    assert!(sent[0].first_line().starts_with("SIP/2.0 200 "));
    assert_eq!(b.changes().last(), Some(&CallChange::Identity));
    let before = b.changes().len();
    // The same once more, written otherwise: no news.
    b.ask(&in_dialog(&invite, "<sip:carol@EXAMPLE.com>", 2, CONTACT));
    assert_eq!(b.changes().len(), before);
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    assert_eq!(b.drain()[0].header("To"), format!("{carol};tag=at"));
}

// RFC 4916 4.4.1: ours changes by a From among the fields, if the peer takes it.
#[test]
fn our_own_identity_may_change_in_an_update_and_stays_so() {
    let from = [("From", "\"Desk\" <sip:desk@example.com>"), ("Subject", "moved")];
    let extras = Extras { headers: &from, ..Extras::default() };
    let mut b = bench();
    let (call, invite) = dialled(&mut b, "Allow: UPDATE\r\nSupported: from-change\r\n");
    let now = b.at();
    b.engine.update(now, call, extras).unwrap();
    let update = b.drain().remove(0);
    let tag = peer::param(invite.header("From"), "tag").to_string();
    let expected = format!("\"Desk\" <sip:desk@example.com>;tag={tag}");
    assert_eq!(update.all("From"), [expected.as_str()]);
    assert_eq!(update.header("Subject"), "moved");
    b.ask(&update.answer("200 OK", "", CONTACT));
    b.engine.hangup(now, call).unwrap();
    assert_eq!(b.drain()[0].header("From"), expected);

    let mut b = bench();
    let (call, _) = dialled(&mut b, "Allow: UPDATE\r\n");
    assert_eq!(b.engine.update(now, call, extras), STATE, "the peer does not take it");
    let bad = [("From", "<sip:desk@example.com>;tag=x")];
    let mut b = bench();
    let (call, _) = dialled(&mut b, "Allow: UPDATE\r\nSupported: from-change\r\n");
    let extras = Extras { headers: &bad, ..Extras::default() };
    assert_eq!(b.engine.update(now, call, extras), Err(Error::Misuse(Misuse::BadHeader)));
}

// RFC 3311 5.2: one at a time.
#[test]
fn a_second_update_before_the_first_is_answered_is_500() {
    let mut b = bench();
    let (_, invite) = dialled(&mut b, "Allow: UPDATE\r\n");
    let to = invite.header("To").to_string();
    let text = offer(6_000);
    let with = |cseq: u32| {
        in_dialog(&invite, &to, cseq, CONTACT).replace(
            "Content-Length: 0\r\n\r\n",
            &format!(
                "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            ),
        )
    };
    assert!(b.ask(&with(1)).is_empty());
    for again in [with(2), in_dialog(&invite, &to, 3, CONTACT)] {
        let sent = b.ask(&again);
        assert!(sent[0].first_line().starts_with("SIP/2.0 500 "), "{}", sent[0].text);
        assert!(sent[0].header("Retry-After").parse::<u32>().is_ok_and(|s| s <= 10));
    }
}
