//! Rules of the basic call at its edges: one engine against a peer written out by hand.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use peer::{Bench, Out};
use sansip::{CallChange, CallHandle, EndReason, Error, Extras, Ignored, Misuse, Seen, SendId};

fn bench() -> Bench {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    Bench::new(config)
}

const OFFER: Extras<'_> = Extras {
    headers: &[],
    content_type: "application/sdp",
    body: b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 h\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
    media: None,
};

fn dial(b: &mut Bench) -> (CallHandle, Out) {
    let now = b.at();
    let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    (call, b.drain().remove(0))
}

/// A call out of the bench that the peer, tag `at`, has answered.
fn called(b: &mut Bench) -> (CallHandle, Out, Out) {
    let (call, invite) = dial(b);
    let ack = b.ask(&invite.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.9>\r\n")).remove(0);
    assert_eq!(ack.header("CSeq"), "1 ACK");
    (call, invite, ack)
}

fn invite(b: &mut Bench, more: &str) -> Vec<Out> {
    b.ask(&format!(
        "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1\r\nCSeq: 10 INVITE\r\nContact: <sip:alice@10.0.0.66>\r\n{more}Content-Length: 0\r\n\r\n"
    ))
}

fn in_dialog(method: &str, cseq: u32, tag: &str, more: &str) -> String {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>;tag={tag}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// A call into the bench, answered but not acknowledged; our tag.
fn accepted(b: &mut Bench) -> String {
    invite(b, "");
    let (call, now) = (b.call(), b.at());
    b.engine.answer_call(now, call, Extras::default()).unwrap();
    b.drain().remove(0).to_tag().to_string()
}

/// A call into the bench, answered and acknowledged; our tag.
fn answered(b: &mut Bench) -> String {
    let tag = accepted(b);
    b.ask(&in_dialog("ACK", 10, &tag, ""));
    assert_eq!(b.changes().last(), Some(&CallChange::Confirmed));
    tag
}

fn lines(sent: &[Out]) -> Vec<String> {
    sent.iter()
        .map(|o| match o.first_line().strip_prefix("SIP/2.0 ") {
            Some(status) => format!("{} {}", &status[..3], o.header("CSeq")),
            None => o.header("CSeq").to_string(),
        })
        .collect()
}

/// Nothing lives, and no block is held but the line's.
fn nothing_left(b: &mut Bench) {
    b.run(400_000);
    let s = b.engine.stats();
    assert!(b.engine.is_quiescent(), "{s:?}");
    assert_eq!(s.blocks, s.lines, "{s:?}");
}

// RFC 3261 13.3.1.4, 17.1.1.3: the ACK of a 2xx has the CSeq number of its INVITE.
#[test]
fn an_ack_with_another_cseq_confirms_nothing() {
    let mut b = bench();
    let tag = accepted(&mut b);
    let (seen, _) = b.feed(&in_dialog("ACK", 9, &tag, ""));
    assert_eq!(seen, Seen::Ignored(Ignored::StrayAck));
    assert_eq!(b.changes(), [CallChange::Incoming]);
    assert_eq!(lines(&b.run(500)), ["200 10 INVITE"], "the 2xx is still repeated");
    b.ask(&in_dialog("ACK", 10, &tag, ""));
    assert_eq!(b.changes().last(), Some(&CallChange::Confirmed));
    let (seen, _) = b.feed(&in_dialog("ACK", 10, &tag, ""));
    assert_eq!(seen, Seen::Ignored(Ignored::Repeated));
}

// RFC 3261 12.2, 14.2: a refused re-INVITE changes nothing of the dialog.
#[test]
fn a_refused_reinvite_does_not_move_the_target() {
    let mut b = bench();
    let tag = answered(&mut b);
    let (call, now) = (b.call(), b.at());
    b.ask(&in_dialog("INVITE", 11, &tag, "Contact: <sip:alice@10.0.0.77>\r\n"));
    b.engine.reject(now, call, 488, Extras::default()).unwrap();
    b.drain();
    b.ask(&in_dialog("ACK", 11, &tag, ""));
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    assert_eq!(bye.first_line(), "BYE sip:alice@10.0.0.66 SIP/2.0");
    b.ask(&bye.answer("200 OK", "", ""));
    nothing_left(&mut b);
}

// RFC 3261 15.1.2 asks for 487; an INVITE server transaction without a final response lives for
// ever.
#[test]
fn hanging_up_answers_a_reinvite_that_waits() {
    let mut b = bench();
    let tag = answered(&mut b);
    let (call, now) = (b.call(), b.at());
    b.ask(&in_dialog("INVITE", 11, &tag, ""));
    b.engine.hangup(now, call).unwrap();
    let sent = b.drain();
    assert_eq!(lines(&sent), ["487 11 INVITE", "1 BYE"]);
    b.ask(&in_dialog("ACK", 11, &tag, ""));
    b.ask(&sent[1].answer("200 OK", "", ""));
    nothing_left(&mut b);
}

// A request that the application never answers is answered by the engine.
#[test]
fn a_reinvite_that_nobody_answers_is_refused_in_the_end() {
    let mut b = bench();
    let tag = answered(&mut b);
    b.ask(&in_dialog("INVITE", 11, &tag, ""));
    let sent = b.run(250_000);
    assert!(lines(&sent).contains(&"480 11 INVITE".to_string()), "{:?}", lines(&sent));
    assert_eq!(b.engine.stats().calls, 1, "the session stands (RFC 3261 14.2)");
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    nothing_left(&mut b);
}

// RFC 3261 9.1: CANCEL is what ends an INVITE that is answered provisionally and never finally.
// RFC 3261 14.2, 13.3.1.1: a person may have to think about it.
#[test]
fn a_reinvite_that_waits_may_ring() {
    let mut b = bench();
    let tag = answered(&mut b);
    let (call, now) = (b.call(), b.at());
    let plain = Extras::default();
    assert_eq!(b.engine.ring(now, call, 180, plain), Err(Error::Misuse(Misuse::State)));
    b.ask(&in_dialog("INVITE", 11, &tag, "Supported: 100rel\r\n"));
    assert_eq!(b.engine.ring(now, call, 183, OFFER), Err(Error::Misuse(Misuse::Media)));
    b.engine.ring(now, call, 183, plain).unwrap();
    let sent = b.drain();
    assert_eq!(lines(&sent), ["183 11 INVITE"]);
    assert_eq!((sent[0].to_tag(), sent[0].header("RSeq")), (tag.as_str(), ""));
    b.engine.answer_call(now, call, plain).unwrap();
    assert_eq!(lines(&b.drain()), ["200 11 INVITE"]);
    b.ask(&in_dialog("ACK", 11, &tag, ""));
    // RFC 3262 3: one that insists gets no other than reliable ones.
    b.ask(&in_dialog("INVITE", 12, &tag, "Require: 100rel\r\n"));
    assert_eq!(b.engine.ring(now, call, 183, plain), Err(Error::Late));
    b.engine.reject(now, call, 488, plain).unwrap();
    b.engine.hangup(now, call).unwrap();
    nothing_left(&mut b);
}

#[test]
fn a_call_that_ends_gives_up_its_reinvite() {
    let mut b = bench();
    let (call, ..) = called(&mut b);
    let now = b.at();
    b.engine.reinvite(now, call, Extras::default()).unwrap();
    let again = b.drain().remove(0);
    b.ask(&again.answer("100 Trying", "", ""));
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    let sent = b.ask(&bye.answer("200 OK", "", ""));
    assert_eq!(lines(&sent), ["2 CANCEL"]);
    nothing_left(&mut b);
}

// RFC 3261 9.1, as for the first INVITE.
#[test]
fn a_reinvite_does_not_ring_for_ever() {
    let mut b = bench();
    let (call, ..) = called(&mut b);
    let now = b.at();
    b.engine.reinvite(now, call, Extras::default()).unwrap();
    let again = b.drain().remove(0);
    b.ask(&again.answer("180 Ringing", "", ""));
    let sent = b.run(180_000);
    assert_eq!(lines(&sent), ["2 CANCEL"]);
    b.ask(&sent[0].answer("200 OK", "", ""));
    b.ask(&again.answer("487 Request Terminated", "", ""));
    assert_eq!(b.changes().last(), Some(&CallChange::Reinvited { status: 487 }));
    assert_eq!(b.engine.stats().calls, 1);
}

// RFC 3261 17.2.4: the user is told; and nothing may wait for a response that nobody will give.
#[test]
fn a_ringing_that_cannot_be_sent_leaves_nothing() {
    let mut b = bench();
    invite(&mut b, "");
    let (call, now) = (b.call(), b.at());
    b.engine.ring(now, call, 180, Extras::default()).unwrap();
    let mut send = SendId(0);
    while let Some(output) = b.engine.poll() {
        if let sansip::Output::Transmit(t) = output {
            send = t.send;
        }
    }
    b.engine.send_failed(now, send, sansip::SendEnd::Unreachable).unwrap();
    b.drain();
    assert_eq!(
        b.changes().last(),
        Some(&CallChange::Ended { why: EndReason::Unreachable, status: 0 })
    );
    nothing_left(&mut b);
}

// RFC 3261 14.2: 491 while an INVITE of ours is in progress, in an early dialog too.
#[test]
fn a_reinvite_before_our_invite_is_answered_is_491() {
    let mut b = bench();
    let (_, out) = dial(&mut b);
    b.ask(&out.answer("180 Ringing", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
    let reinvite = format!(
        "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKr\r\nMax-Forwards: 70\r\nFrom: {};tag=at\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@10.0.0.9>\r\nContent-Length: 0\r\n\r\n",
        out.header("To"),
        out.header("From"),
        out.header("Call-ID"),
    );
    assert_eq!(lines(&b.ask(&reinvite)), ["491 1 INVITE"]);
}

// RFC 3261 8.2.2.3, 8.2.3 hold inside dialogs too (12.2.2).
#[test]
fn a_reinvite_that_requires_what_is_not_known_is_420() {
    let mut b = bench();
    let tag = answered(&mut b);
    let sent = b.ask(&in_dialog("INVITE", 11, &tag, "Require: foo\r\n"));
    assert_eq!(lines(&sent), ["420 11 INVITE"]);
    assert_eq!(sent[0].header("Unsupported"), "foo");
    let sent = b.ask(&in_dialog("INVITE", 12, &tag, "Content-Encoding: gzip\r\n"));
    assert_eq!(lines(&sent), ["415 12 INVITE"]);
    assert_eq!(b.changes().last(), Some(&CallChange::Confirmed));
}

// What Allow lists is taken: MESSAGE within a dialog is the application's as well.
#[test]
fn a_message_in_a_dialog_reaches_the_application() {
    let mut b = bench();
    let tag = answered(&mut b);
    assert!(b.ask(&in_dialog("MESSAGE", 11, &tag, "")).is_empty());
    let Some(sansip::Event::Request { request, line, call: of }) = b.events.last().copied() else {
        panic!("{:?}", b.events)
    };
    assert_eq!((line, of), (Some(b.line), Some(b.call())));
    let now = b.at();
    b.engine.respond(now, request, 200, Extras::default()).unwrap();
    assert_eq!(lines(&b.drain()), ["200 11 MESSAGE"]);
    assert_eq!(lines(&b.ask(&in_dialog("INFO", 12, &tag, ""))), ["405 12 INFO"]);
}

// RFC 3261 13.2.2.4: every 2xx of a fork is acknowledged and ended, also after the call is over.
#[test]
fn a_2xx_of_another_branch_after_the_call_is_over_is_ended_too() {
    let mut b = bench();
    let (call, out, _) = called(&mut b);
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    b.ask(&bye.answer("200 OK", "", ""));
    assert_eq!(b.engine.stats().calls, 0);
    let sent = b.ask(&out.answer("200 OK", "other", "Contact: <sip:alice@10.0.0.10>\r\n"));
    assert_eq!(lines(&sent), ["1 ACK", "2 BYE"]);
    assert!(sent.iter().all(|o| o.to_tag() == "other"));
    nothing_left(&mut b);
}

// RFC 3261 13.2.2.4, 16.7 step 5: a fork beyond passes a 2xx on after it has passed a refusal on.
#[test]
fn a_2xx_after_a_refusal_is_acknowledged_and_ended() {
    let mut b = bench();
    let (_, out) = dial(&mut b);
    let sent = b.ask(&out.answer("486 Busy Here", "busy", ""));
    assert_eq!(lines(&sent), ["1 ACK"]);
    let end = CallChange::Ended { why: EndReason::Refused, status: 486 };
    assert_eq!(b.changes(), [end]);
    for _ in 0..2 {
        let sent = b.ask(&out.answer("200 OK", "other", "Contact: <sip:alice@10.0.0.10>\r\n"));
        assert_eq!(lines(&sent), ["1 ACK", "2 BYE"]);
        assert!(sent.iter().all(|o| o.to_tag() == "other"));
        assert!(sent.iter().all(|o| o.first_line().contains("sip:alice@10.0.0.10")));
        b.ask(&sent[1].answer("200 OK", "", ""));
    }
    assert_eq!(b.changes(), [end], "the call stays over");
    // When the transaction is over, nobody knows of the INVITE.
    b.run(32_000);
    assert_eq!(b.ask(&out.answer("200 OK", "other", "")).len(), 0);
    nothing_left(&mut b);
}

// RFC 3261 13.2.2.4: each 2xx has its own ACK.
#[test]
fn a_repeated_2xx_of_the_first_invite_does_not_get_the_ack_of_the_second() {
    let mut b = bench();
    let (call, out, _) = called(&mut b);
    let now = b.at();
    b.engine.reinvite(now, call, Extras::default()).unwrap();
    let again = b.drain().remove(0);
    let ack = b.ask(&again.answer("200 OK", "", "Contact: <sip:alice@10.0.0.9>\r\n"));
    assert_eq!(lines(&ack), ["2 ACK"]);
    let sent = b.ask(&out.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
    assert!(!lines(&sent).contains(&"2 ACK".to_string()), "{:?}", lines(&sent));
    let sent = b.ask(&again.answer("200 OK", "", "Contact: <sip:alice@10.0.0.9>\r\n"));
    assert_eq!(lines(&sent), ["2 ACK"]);
}

// RFC 3261 13.3.1 step 1: an INVITE is good for as long as its Expires says.
#[test]
fn an_invite_that_expires_is_answered_487() {
    let mut b = bench();
    invite(&mut b, "Expires: 5\r\n");
    let sent = b.run(4_999);
    assert_eq!(lines(&sent), ["100 10 INVITE"]);
    assert_eq!(lines(&b.run(1)), ["487 10 INVITE"]);
    assert_eq!(
        b.changes().last(),
        Some(&CallChange::Ended { why: EndReason::Timeout, status: 487 })
    );
    b.ask(&in_dialog("ACK", 10, "x", ""));
    nothing_left(&mut b);
}

// RFC 3261 9.1: 64*T1 are counted from the CANCEL, which waits for a provisional response.
#[test]
fn an_answer_after_a_late_cancel_is_still_acknowledged_and_ended() {
    let mut b = bench();
    let (call, out) = dial(&mut b);
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    b.run(31_000);
    let cancel = b.ask(&out.answer("180 Ringing", "at", "")).remove(0);
    assert_eq!(cancel.header("CSeq"), "1 CANCEL");
    b.ask(&cancel.answer("200 OK", "at", ""));
    b.run(5_000);
    let sent = b.ask(&out.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
    assert_eq!(lines(&sent), ["1 ACK", "2 BYE"]);
    b.ask(&sent[1].answer("200 OK", "", ""));
    nothing_left(&mut b);
}

// RFC 3261 19.1.1: the headers component is not allowed in a Request-URI.
#[test]
fn a_target_with_headers_is_misuse() {
    let mut b = bench();
    let now = b.at();
    for bad in ["sip:a@10.0.0.9?Subject=x", "sip:a@10.0.0.9;method=BYE", "tel:+1", "sip:a b@x", ""]
    {
        let r = b.engine.invite(now, b.line, bad, 0, Extras::default());
        assert_eq!(r, Err(Error::Misuse(Misuse::BadUri)), "{bad}");
    }
    nothing_left(&mut b);
}

// RFC 3261 9.2: the To tag of the CANCEL's response is that of the INVITE's.
#[test]
fn all_responses_of_a_call_have_one_to_tag() {
    let mut b = bench();
    invite(&mut b, "");
    let (call, now) = (b.call(), b.at());
    b.engine.ring(now, call, 180, Extras::default()).unwrap();
    let tag = b.drain().remove(0).to_tag().to_string();
    let cancel = in_dialog("CANCEL", 10, "", "")
        .replace(";tag=\r\n", "\r\n")
        .replace("z9hG4bKCANCEL10", "z9hG4bKi");
    let sent = b.ask(&cancel);
    assert_eq!(lines(&sent), ["200 10 CANCEL", "487 10 INVITE"]);
    assert!(sent.iter().all(|o| o.to_tag() == tag), "{sent:?}");
    // Again, because the first answer was lost.
    let sent = b.ask(&cancel);
    assert_eq!(lines(&sent), ["200 10 CANCEL"]);
    assert_eq!(sent[0].to_tag(), tag);
    nothing_left(&mut b);
}

// RFC 3261 15.1.2
#[test]
fn a_bye_in_an_early_dialog_ends_the_call_with_487() {
    let mut b = bench();
    invite(&mut b, "");
    let (call, now) = (b.call(), b.at());
    b.engine.ring(now, call, 180, Extras::default()).unwrap();
    let tag = b.drain().remove(0).to_tag().to_string();
    let sent = b.ask(&in_dialog("BYE", 11, &tag, ""));
    assert_eq!(lines(&sent), ["200 11 BYE", "487 10 INVITE"]);
    b.ask(&in_dialog("ACK", 10, &tag, "").replace("z9hG4bKACK10", "z9hG4bKi"));
    nothing_left(&mut b);
}

// RFC 3261 12.1.1, 12.1.2: a peer of RFC 2543 has no tag.
#[test]
fn a_peer_without_tags_has_a_dialog_all_the_same() {
    let mut b = bench();
    let text = in_dialog("INVITE", 10, "", "Contact: <sip:alice@10.0.0.66>\r\n")
        .replace(";tag=at", "")
        .replace(";tag=\r\n", "\r\n");
    b.ask(&text);
    let (call, now) = (b.call(), b.at());
    b.engine.answer_call(now, call, Extras::default()).unwrap();
    let tag = b.drain().remove(0).to_tag().to_string();
    b.ask(&in_dialog("ACK", 10, &tag, "").replace(";tag=at", ""));
    assert_eq!(b.changes().last(), Some(&CallChange::Confirmed));
    let sent = b.ask(&in_dialog("BYE", 11, &tag, "").replace(";tag=at", ""));
    assert_eq!(lines(&sent), ["200 11 BYE"]);
    let (_, out) = dial(&mut b);
    let sent = b.ask(&out.answer("200 OK", "", ""));
    assert_eq!(sent[0].first_line(), "ACK sip:alice@10.0.0.9 SIP/2.0", "no Contact: the URI of To");
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    assert_eq!(b.drain()[0].header("To"), "<sip:alice@10.0.0.9>");
    nothing_left(&mut b);
}

// RFC 3261 13.2.2.4: whatever comes after the final response changes nothing.
#[test]
fn a_provisional_response_after_the_final_one_is_ignored() {
    let mut b = bench();
    let (_, out, _) = called(&mut b);
    let before = b.changes();
    assert!(b.ask(&out.answer("180 Ringing", "at", "")).is_empty());
    assert!(b.ask(&out.answer("183 Session Progress", "third", "")).is_empty());
    assert_eq!(b.changes(), before);
    assert_eq!(b.engine.stats().dialogs, 1);
}

// RFC 5407 3.1.4: who sends it has our 2xx.
#[test]
fn a_reinvite_before_the_ack_of_the_one_before_acknowledges_that() {
    let mut b = bench();
    let tag = accepted(&mut b);
    let (call, now) = (b.call(), b.at());
    for cseq in [11, 12] {
        b.ask(&in_dialog("INVITE", cseq, &tag, ""));
        assert_eq!(b.changes()[1..3], [CallChange::Confirmed, CallChange::Reinvite]);
        b.engine.answer_call(now, call, Extras::default()).unwrap();
        assert_eq!(lines(&b.drain()), [format!("200 {cseq} INVITE")]);
    }
    let (seen, _) = b.feed(&in_dialog("ACK", 11, &tag, ""));
    assert_eq!(seen, Seen::Ignored(Ignored::StrayAck), "it comes too late");
    b.ask(&in_dialog("ACK", 12, &tag, ""));
    assert_eq!(b.run(40_000).len(), 0, "nothing is repeated");
    assert_eq!(
        b.changes()[1..],
        [CallChange::Confirmed, CallChange::Reinvite, CallChange::Reinvite]
    );
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    nothing_left(&mut b);
}

// RFC 5407 3.1.5: not where the ACK is to answer our offer. Who gets 491 tries again.
#[test]
fn a_reinvite_before_the_ack_with_the_answer_of_the_one_before_is_491() {
    let mut b = bench();
    let tag = answered(&mut b);
    let (call, now) = (b.call(), b.at());
    b.ask(&in_dialog("INVITE", 11, &tag, ""));
    b.engine.answer_call(now, call, OFFER).unwrap();
    b.drain();
    let sent = b.ask(&in_dialog("INVITE", 12, &tag, ""));
    assert_eq!(lines(&sent), ["491 12 INVITE"]);
    b.ask(&in_dialog("ACK", 11, &tag, ""));
    b.engine.hangup(now, call).unwrap();
    nothing_left(&mut b);
}

// RFC 5407 3.2.2, 3.3.3: our BYE is on its way.
#[test]
fn a_request_of_a_session_that_we_have_left_is_481() {
    let mut b = bench();
    let tag = answered(&mut b);
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    for (cseq, method) in (11..).zip(["INVITE", "UPDATE", "REFER", "INFO", "MESSAGE", "OPTIONS"]) {
        let sent = b.ask(&in_dialog(method, cseq, &tag, "Refer-To: <sip:c@d>\r\n"));
        assert_eq!(lines(&sent), [format!("481 {cseq} {method}")]);
    }
    assert_eq!(lines(&b.ask(&in_dialog("BYE", 20, &tag, ""))), ["200 20 BYE"]);
    b.ask(&bye.answer("200 OK", "", ""));
    nothing_left(&mut b);
}

// RFC 3261 8.2.2.3: Unsupported lists what is not understood, and nothing else.
#[test]
fn unsupported_names_only_the_tags_that_are_not_known() {
    let mut b = bench();
    let known = "199";
    let sent = invite(&mut b, &format!("Require: {known}, foo\r\nRequire: bar,{known}\r\n"));
    assert_eq!(lines(&sent), ["420 10 INVITE"]);
    assert_eq!(sent[0].header("Unsupported"), "foo, bar");
    nothing_left(&mut b);
}

// RFC 6228 4: the early dialog of the 199 is gone, the others and the call go on.
#[test]
fn a_199_ends_its_early_dialog_alone() {
    let mut b = bench();
    let (call, out) = dial(&mut b);
    assert!(out.header("Supported").split(", ").any(|t| t == "199"));
    for tag in ["x", "y", "z"] {
        b.ask(&out.answer("180 Ringing", tag, "Contact: <sip:alice@10.0.0.9>\r\n"));
    }
    b.ask(&out.answer("199 Early Dialog Terminated", "unknown", ""));
    assert_eq!(b.engine.stats().dialogs, 3);
    for (left, tag) in [(2, "y"), (1, "z"), (0, "x")] {
        b.ask(&out.answer("199 Early Dialog Terminated", tag, ""));
        assert_eq!(b.engine.stats().dialogs, left);
        assert_eq!(b.changes().last(), Some(&CallChange::Progress { status: 199 }));
    }
    let sent = b.ask(&out.answer("200 OK", "y", "Contact: <sip:alice@10.0.0.9>\r\n"));
    assert_eq!(lines(&sent), ["1 ACK"]);
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    nothing_left(&mut b);
}
