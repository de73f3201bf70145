//! Replaces (RFC 3891), Join (RFC 3911) and the focus of a conference (RFC 4579): one engine
//! against a peer that is written out by hand.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use peer::{Bench, Out, param};
use sansip::{CallChange, CallHandle, EndReason, Extras};

fn bench() -> Bench {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    Bench::new(config)
}

/// A request of a third party, its Call-ID and branch made from `id`.
fn request(method: &str, id: &str, more: &str) -> String {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\nFrom: <sip:carol@example.com>;tag=ct\r\nTo: <sip:bob@example.com>\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\nContact: <sip:carol@10.0.0.9>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

fn in_dialog(method: &str, id: &str, cseq: u32, tag: &str) -> String {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{id}{method}\r\nMax-Forwards: 70\r\nFrom: <sip:carol@example.com>;tag=ct\r\nTo: <sip:bob@example.com>;tag={tag}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A call out of the bench that rings: its INVITE.
fn ringing(b: &mut Bench) -> (CallHandle, Out) {
    let now = b.at();
    let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = b.drain().remove(0);
    b.ask(&invite.answer("180 Ringing", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
    (call, invite)
}

/// A call out of the bench that stands.
fn talking(b: &mut Bench) -> (CallHandle, Out) {
    let (call, invite) = ringing(b);
    b.ask(&invite.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
    (call, invite)
}

/// The dialog of a call out of the bench, as its peer's side names it to us.
fn named(invite: &Out) -> String {
    let ours = param(invite.header("From"), "tag");
    format!("{};to-tag={ours};from-tag=at", invite.header("Call-ID"))
}

fn status(sent: &[Out]) -> &str {
    sent.first().map_or("nothing", |o| &o.first_line()["SIP/2.0 ".len()..][..3])
}

fn answer(b: &mut Bench, call: CallHandle) -> Vec<Out> {
    let now = b.at();
    b.engine.answer_call(now, call, Extras::default()).unwrap();
    b.drain()
}

fn ended(b: &Bench) -> Vec<EndReason> {
    let of = |c: CallChange| match c {
        CallChange::Ended { why, .. } => Some(why),
        _ => None,
    };
    b.changes().into_iter().filter_map(of).collect()
}

fn nothing_left(b: &mut Bench) {
    let now = b.at();
    b.engine.shutdown(now).unwrap();
    b.run(400_000);
    let s = b.engine.stats();
    assert!(b.engine.is_quiescent(), "{s:?}");
    assert_eq!(s.blocks, s.lines, "{s:?}");
}

// RFC 3891 3: the new call is accepted, then the old one gets a BYE.
#[test]
fn a_confirmed_call_is_replaced() {
    let mut b = bench();
    let (old, invite) = talking(&mut b);
    let replaces = format!("Replaces: {}\r\n", named(&invite));
    assert!(b.ask(&request("INVITE", "r1", &replaces)).is_empty());
    let new = b.call();
    let info = b.engine.call_info(new).unwrap();
    assert_eq!((info.replaces, info.joins), (Some(old), None));
    let sent = answer(&mut b, new);
    assert_eq!(status(&sent), "200");
    assert!(sent[1].first_line().starts_with("BYE sip:alice@10.0.0.9"), "{:?}", sent[1]);
    b.ask(&sent[1].answer("200 OK", "", ""));
    assert_eq!(ended(&b), [EndReason::Replaced]);
    assert_eq!(b.engine.call_info(new).unwrap().replaces, None);
    b.ask(&in_dialog("ACK", "r1", 1, sent[0].to_tag()));
    assert_eq!(b.changes().last(), Some(&CallChange::Confirmed));
    nothing_left(&mut b);
}

// RFC 3891 3: an early dialog that we initiated is replaced, and gets a CANCEL.
#[test]
fn an_early_call_of_ours_is_replaced() {
    for flag in ["", ";early-only"] {
        let mut b = bench();
        let (old, invite) = ringing(&mut b);
        let replaces = format!("Replaces: {}{flag}\r\n", named(&invite));
        b.ask(&request("INVITE", "r1", &replaces));
        let new = b.call();
        assert_ne!(old, new);
        let sent = answer(&mut b, new);
        assert_eq!(status(&sent), "200");
        assert!(sent[1].first_line().starts_with("CANCEL"), "{sent:?}");
        b.ask(&invite.answer("487 Request Terminated", "at", ""));
        assert_eq!(ended(&b), [EndReason::Replaced]);
        b.ask(&in_dialog("ACK", "r1", 1, sent[0].to_tag()));
        nothing_left(&mut b);
    }
}

// Its 2xx crosses our CANCEL: acknowledged and ended (RFC 3261 9.1).
#[test]
fn an_early_call_that_is_answered_while_it_is_replaced() {
    let mut b = bench();
    let (_, invite) = ringing(&mut b);
    b.ask(&request("INVITE", "r1", &format!("Replaces: {}\r\n", named(&invite))));
    let new = b.call();
    let tag = answer(&mut b, new)[0].to_tag().to_string();
    let sent = b.ask(&invite.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
    let lines: Vec<_> = sent.iter().map(|o| o.first_line().split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["ACK", "BYE"]);
    b.ask(&sent[1].answer("200 OK", "", ""));
    assert_eq!(ended(&b), [EndReason::Replaced]);
    b.ask(&in_dialog("ACK", "r1", 1, &tag));
    nothing_left(&mut b);
}

// RFC 3891 3: early-only and a confirmed dialog.
#[test]
fn early_only_replaces_no_confirmed_call() {
    let mut b = bench();
    let (old, invite) = talking(&mut b);
    let replaces = format!("Replaces: {};early-only\r\n", named(&invite));
    assert_eq!(status(&b.ask(&request("INVITE", "r1", &replaces))), "486");
    assert!(b.engine.call_info(old).is_some());
    nothing_left(&mut b);
}

// RFC 3891 3: an early dialog that we did not initiate.
#[test]
fn an_early_call_of_the_peer_is_not_replaced() {
    let mut b = bench();
    b.ask(&request("INVITE", "c1", ""));
    let (call, now) = (b.call(), b.at());
    b.engine.ring(now, call, 180, Extras::default()).unwrap();
    let tag = b.drain()[0].to_tag().to_string();
    let replaces = format!("Replaces: c1;to-tag={tag};from-tag=ct\r\n");
    assert_eq!(status(&b.ask(&request("INVITE", "r1", &replaces))), "481");
    assert!(b.engine.call_info(call).is_some());
    // Once it is answered it can be, even before the ACK.
    answer(&mut b, call);
    assert!(b.ask(&request("INVITE", "r2", &replaces)).is_empty());
    let new = b.call();
    let sent = answer(&mut b, new);
    assert_eq!((status(&sent), sent.len()), ("200", 1), "no BYE before the ACK");
    let sent = b.ask(&in_dialog("ACK", "c1", 1, &tag));
    assert!(sent[0].first_line().starts_with("BYE"));
    b.ask(&sent[0].answer("200 OK", "", ""));
    assert_eq!(ended(&b), [EndReason::Replaced]);
    nothing_left(&mut b);
}

// RFC 3891 3: the tags count, each on its own side.
#[test]
fn a_dialog_that_is_not_found() {
    let mut b = bench();
    let (_, invite) = talking(&mut b);
    let (id, ours) = (invite.header("Call-ID"), param(invite.header("From"), "tag"));
    for (n, names) in [
        format!("other;to-tag={ours};from-tag=at"),
        format!("{id};to-tag=at;from-tag={ours}"),
        format!("{id};to-tag={ours};from-tag=xx"),
        format!("{id};to-tag={ours};from-tag=0"),
        format!("{id};to-tag=0;from-tag=at"),
    ]
    .iter()
    .enumerate()
    {
        for name in ["Replaces", "Join"] {
            let more = format!("{name}: {names}\r\n");
            let sent = b.ask(&request("INVITE", &format!("r{n}{name}"), &more));
            assert_eq!(status(&sent), "481", "{more}");
        }
    }
    nothing_left(&mut b);
}

// RFC 3891 3, RFC 3911 4
#[test]
fn what_is_a_bad_request() {
    let mut b = bench();
    let (_, invite) = talking(&mut b);
    let names = named(&invite);
    let one = format!("Replaces: {names}\r\n");
    let join = format!("Join: {names}\r\n");
    for (n, more) in [
        format!("{one}{one}"),
        format!("{one}{join}"),
        format!("{join}{join}"),
        "Replaces: x;to-tag=1\r\n".to_string(),
        "Replaces: x;from-tag=1\r\n".to_string(),
        "Join: x\r\n".to_string(),
    ]
    .iter()
    .enumerate()
    {
        let sent = b.ask(&request("INVITE", &format!("b{n}"), more));
        assert_eq!(status(&sent), "400", "{more}");
    }
    for method in ["OPTIONS", "MESSAGE", "REFER"] {
        for more in [&one, &join] {
            let id = format!("m{method}{}", more.len());
            assert_eq!(status(&b.ask(&request(method, &id, more))), "400", "{method}");
        }
    }
    nothing_left(&mut b);
}

// RFC 3891 3: a call that is being ended is not replaced, nor rings its replacement.
#[test]
fn a_call_that_ends_is_not_replaced() {
    let mut b = bench();
    let (old, invite) = talking(&mut b);
    let now = b.at();
    b.engine.hangup(now, old).unwrap();
    let bye = b.drain().remove(0);
    let replaces = format!("Replaces: {}\r\n", named(&invite));
    assert_eq!(status(&b.ask(&request("INVITE", "r1", &replaces))), "603");
    b.ask(&bye.answer("200 OK", "", ""));
    assert_eq!(status(&b.ask(&request("INVITE", "r2", &replaces))), "481");
    nothing_left(&mut b);
}

// RFC 3891 3: what cannot be accepted leaves the old call as it is.
#[test]
fn a_replacement_that_is_refused_or_given_up() {
    let mut b = bench();
    let (old, invite) = talking(&mut b);
    let replaces = format!("Replaces: {}\r\n", named(&invite));
    b.ask(&request("INVITE", "r1", &replaces));
    let (new, now) = (b.call(), b.at());
    b.engine.reject(now, new, 488, Extras::default()).unwrap();
    assert_eq!(status(&b.drain()), "488");
    b.ask(&in_dialog("ACK", "r1", 1, "x"));
    b.ask(&request("INVITE", "r2", &replaces));
    let cancel = request("CANCEL", "r2", "");
    let sent: Vec<_> =
        b.ask(&cancel).iter().map(|o| status(std::slice::from_ref(o)).to_string()).collect();
    assert_eq!(sent, ["200", "487"]);
    assert!(b.engine.call_info(old).is_some());
    assert_eq!(ended(&b), [EndReason::Rejected, EndReason::Cancelled]);
    nothing_left(&mut b);
}

// The old call ends by itself while its replacement rings: that is a call like any other.
#[test]
fn a_call_that_ends_before_it_is_replaced() {
    let mut b = bench();
    let (_, invite) = talking(&mut b);
    b.ask(&request("INVITE", "r1", &format!("Replaces: {}\r\n", named(&invite))));
    let new = b.call();
    let ours = param(invite.header("From"), "tag");
    let bye = format!(
        "BYE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKbye\r\nMax-Forwards: 70\r\nFrom: <sip:alice@10.0.0.9>;tag=at\r\nTo: <sip:bob@example.com>;tag={ours}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        invite.header("Call-ID")
    );
    b.ask(&bye);
    assert_eq!(b.engine.call_info(new).unwrap().replaces, None);
    let sent = answer(&mut b, new);
    assert_eq!((status(&sent), sent.len()), ("200", 1));
    assert_eq!(ended(&b), [EndReason::RemoteHangup]);
    nothing_left(&mut b);
}

// RFC 3911 4: the application mixes the calls, or does not.
#[test]
fn a_call_that_joins_another() {
    let mut b = bench();
    let (old, invite) = talking(&mut b);
    b.ask(&request("INVITE", "j1", &format!("Join: {}\r\n", named(&invite))));
    let new = b.call();
    let info = b.engine.call_info(new).unwrap();
    assert_eq!((info.replaces, info.joins), (None, Some(old)));
    let sent = answer(&mut b, new);
    assert_eq!((status(&sent), sent.len()), ("200", 1));
    assert!(b.engine.call_info(old).is_some(), "both go on");
    nothing_left(&mut b);
}

// RFC 4579 5.1: `isfocus` in the Contact of either side's message.
#[test]
fn a_focus_is_known_by_its_contact() {
    let mut b = bench();
    let now = b.at();
    let call = b.engine.invite(now, b.line, "sip:conf@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = b.drain().remove(0);
    let contact = "Contact: <sip:room7@10.0.0.9>;isfocus\r\n";
    b.ask(&invite.answer("200 OK", "ft", contact));
    assert!(b.engine.call_info(call).unwrap().focus);
    let mut dial_in = request("INVITE", "f1", "");
    dial_in = dial_in.replace("<sip:carol@10.0.0.9>", "<sip:room7@10.0.0.9>;isfocus");
    b.ask(&dial_in);
    assert!(b.engine.call_info(b.call()).unwrap().focus);
    b.ask(&request("INVITE", "f2", ""));
    assert!(!b.engine.call_info(b.call()).unwrap().focus);
    nothing_left(&mut b);
}

// A fork: each early dialog is one of ours, and names the call.
#[test]
fn any_branch_of_a_fork_names_the_call() {
    let mut b = bench();
    let (_, invite) = ringing(&mut b);
    b.ask(&invite.answer("180 Ringing", "at2", "Contact: <sip:alice@10.0.0.8>\r\n"));
    let second = named(&invite).replace("from-tag=at", "from-tag=at2");
    b.ask(&request("INVITE", "r1", &format!("Replaces: {second}\r\n")));
    let new = b.call();
    let sent = answer(&mut b, new);
    assert!(sent[1].first_line().starts_with("CANCEL"), "{sent:?}");
    b.ask(&invite.answer("487 Request Terminated", "at", ""));
    assert_eq!(ended(&b), [EndReason::Replaced]);
    nothing_left(&mut b);
}
