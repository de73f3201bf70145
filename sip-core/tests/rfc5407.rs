//! The scenarios of RFC 5407 3.1 to 3.3 and of its appendices, with the millisecond of each message:
//! both phones are ours, and one of them against a peer that is written out where that has to do what
//! ours does not. A message takes 50 ms.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;
#[path = "support/race.rs"]
mod race;

use peer::{Bench, Out};
use race::{A, B, Do, Fault, Outcome, Race, Track};
use sansip::{CallChange, EndReason, Error, Extras, Ignored, Seen};

const DELAY: u64 = 50;

const A_HUNG_UP: [Outcome; 2] = [Some((EndReason::Hangup, 0)), Some((EndReason::RemoteHangup, 0))];
const B_HUNG_UP: [Outcome; 2] = [A_HUNG_UP[1], A_HUNG_UP[0]];
const BOTH_HUNG_UP: [Outcome; 2] = [A_HUNG_UP[0]; 2];
const GOES_ON: [Outcome; 2] = [None; 2];

fn race(acts: &[(u64, usize, Do)], faults: &[(usize, Fault)]) -> Race {
    Race { faults: faults.to_vec(), ..Race::new(false, DELAY, acts) }
}

/// The same in a call that rings at 60 ms and is answered at 500 ms.
fn answered(acts: &[(u64, usize, Do)], faults: &[(usize, Fault)]) -> Race {
    race(&[&[(60, B, Do::Ring), (500, B, Do::Answer)], acts].concat(), faults)
}

/// How the ladder of such a call begins.
fn then<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let begin = ["0 A>B INVITE", "60 B>A 180 INVITE", "500 B>A 200 INVITE", "550 A>B ACK"];
    [&begin, more].concat()
}

/// The messages of the first 20 seconds begin like this, and the call ends like this. The messages
/// that follow.
fn plays(race: &Race, expected: &[&str], ends: [Outcome; 2]) -> Vec<String> {
    let mut track = Track::new(race);
    track.start();
    track.pass(21_000 - track.net.now);
    let short = |l: &String| l.replace("alice>bob", "A>B").replace("bob>alice", "B>A");
    let mut ladder: Vec<String> = track.net.ladder().iter().map(short).collect();
    let more = ladder.split_off(expected.len().min(ladder.len()));
    assert_eq!(ladder, expected, "{}", track.text());
    let (text, found) = Track::new(race).run();
    assert_eq!(found, ends, "{text}");
    more
}

fn plays_all(race: &Race, expected: &[&str], ends: [Outcome; 2]) {
    assert_eq!(plays(race, expected, ends), [""; 0]);
}

// RFC 6026 7.1: nothing is sent for the repetition.
#[test]
fn s3_1_1_initial_invite_again_in_moratorium() {
    let acts = [(60, B, Do::Ring), (520, B, Do::Answer)];
    let ladder = [
        "0 A>B INVITE",
        "60 B>A 180 INVITE",
        "500 A>B INVITE",
        "520 B>A 200 INVITE",
        "570 A>B ACK",
    ];
    plays_all(&race(&acts, &[(1, Fault::Lost)]), &ladder, GOES_ON);
    // The 2xx is lost too: it is what its user repeats.
    let ladder = [&ladder[..], &["1020 B>A 200 INVITE", "1070 A>B ACK"]].concat();
    let ladder: Vec<_> = ladder.into_iter().filter(|l| !l.starts_with("570")).collect();
    plays_all(&race(&acts, &[(1, Fault::Lost), (3, Fault::Lost)]), &ladder, GOES_ON);
}

#[test]
fn s3_1_2_cancel_in_moratorium() {
    let ladder = [
        "0 A>B INVITE",
        "60 B>A 180 INVITE",
        "480 A>B CANCEL",
        "500 B>A 200 INVITE",
        "530 B>A 200 CANCEL",
        "550 A>B ACK",
        "550 A>B BYE",
        "600 B>A 200 BYE",
    ];
    plays_all(&answered(&[(480, A, Do::Hangup)], &[]), &ladder, A_HUNG_UP);
    // The first to act wins: the CANCEL comes before the answer.
    let ladder = [
        "0 A>B INVITE",
        "60 B>A 180 INVITE",
        "440 A>B CANCEL",
        "490 B>A 200 CANCEL",
        "490 B>A 487 INVITE",
        "540 A>B ACK",
    ];
    let ends = [EndReason::Abandoned, EndReason::Cancelled].map(|why| Some((why, 487)));
    plays_all(&answered(&[(440, A, Do::Hangup)], &[]), &ladder, ends);
}

// The 2xx has the answer: the re-INVITE stands for the ACK that was lost.
#[test]
fn s3_1_4_reinvite_in_moratorium() {
    let ladder = then(&["560 A>B INVITE", "610 B>A 200 INVITE", "660 A>B ACK"]);
    for what in [Do::Hold, Do::Reinvite] {
        for fault in [Fault::Lost, Fault::Late] {
            plays_all(&answered(&[(560, A, what)], &[(3, fault)]), &ladder, GOES_ON);
        }
    }
}

// The ACK has the answer.
#[test]
fn s3_1_5_reinvite_in_moratorium_before_the_answer() {
    let race = answered(&[(560, A, Do::Hold)], &[(3, Fault::Lost)]);
    let ladder = then(&[
        "560 A>B INVITE",
        "610 B>A 491 INVITE",
        "660 A>B ACK",
        "1000 B>A 200 INVITE",
        "1050 A>B ACK",
    ]);
    let more = plays(&Race { offers: false, ..race }, &ladder, GOES_ON);
    // RFC 3261 14.1: A has made the Call-ID, and tries again.
    assert_eq!(more.len(), 3, "{more:?}");
    assert!((2_760..=4_660).contains(&time(&more[0])), "{more:?}");
}

fn time(line: &str) -> u64 {
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn s3_1_6_bye_in_moratorium() {
    let ladder = then(&["560 A>B BYE", "610 B>A 200 BYE"]);
    plays_all(&answered(&[(560, A, Do::Hangup)], &[(3, Fault::Lost)]), &ladder, A_HUNG_UP);
}

#[test]
fn s3_2_1_bye_in_mortal() {
    let race = answered(&[(1_000, A, Do::Hangup), (1_020, B, Do::Hangup)], &[]);
    let ladder = then(&["1000 A>B BYE", "1020 B>A BYE", "1050 B>A 200 BYE", "1070 A>B 200 BYE"]);
    plays_all(&race, &ladder, BOTH_HUNG_UP);
}

#[test]
fn s3_2_2_reinvite_in_mortal() {
    let ladder = then(&[
        "1000 A>B BYE",
        "1020 B>A INVITE",
        "1050 B>A 200 BYE",
        "1070 A>B 481 INVITE",
        "1120 B>A ACK",
    ]);
    let race = answered(&[(1_000, A, Do::Hangup), (1_020, B, Do::Hold)], &[]);
    plays_all(&race, &ladder, A_HUNG_UP);
    let race = answered(&[(1_000, B, Do::Hangup), (1_020, A, Do::Hold)], &[]);
    plays_all(&race, &turned(&ladder), B_HUNG_UP);
}

/// The ladder after the fourth message, the other way round.
fn turned(ladder: &[&str]) -> Vec<&'static str> {
    let turn = |(i, l): (usize, &&str)| -> &'static str {
        let other = l.replace("A>B", "-").replace("B>A", "A>B").replace('-', "B>A");
        if i < 4 { l.to_string().leak() } else { other.leak() }
    };
    ladder.iter().enumerate().map(turn).collect()
}

#[test]
fn s3_2_3_the_2xx_of_a_reinvite_in_mortal() {
    let ladder = then(&[
        "1000 A>B INVITE",
        "1050 B>A 200 INVITE",
        "1060 A>B BYE",
        "1100 A>B ACK",
        "1110 B>A 200 BYE",
    ]);
    let race = answered(&[(1_000, A, Do::Hold), (1_060, A, Do::Hangup)], &[]);
    plays_all(&race, &ladder, A_HUNG_UP);
    let race = answered(&[(1_000, B, Do::Hold), (1_060, B, Do::Hangup)], &[]);
    plays_all(&race, &turned(&ladder), B_HUNG_UP);
}

// The ACK, overtaken by BYE, finds no call.
#[test]
fn s3_2_4_ack_in_mortal() {
    let ladder = then(&["560 A>B BYE", "610 B>A 200 BYE"]);
    plays_all(&answered(&[(560, A, Do::Hangup)], &[(3, Fault::Late)]), &ladder, A_HUNG_UP);
    // The callee may hang up when it has the ACK, not before (RFC 3261 15).
    let ladder = then(&["600 B>A BYE", "650 A>B 200 BYE"]);
    plays_all(&answered(&[(560, B, Do::Hangup)], &[]), &ladder, B_HUNG_UP);
}

#[test]
fn s3_3_1_reinvites_cross() {
    let ladder = then(&[
        "1000 A>B INVITE",
        "1020 B>A INVITE",
        "1050 B>A 491 INVITE",
        "1070 A>B 491 INVITE",
        "1100 A>B ACK",
        "1120 B>A ACK",
    ]);
    let race = answered(&[(1_000, A, Do::Hold), (1_020, B, Do::Reinvite)], &[]);
    let more = plays(&race, &ladder, GOES_ON);
    // RFC 3261 14.1: the owner of the Call-ID after 2.1 to 4 s, the other within 2 s.
    let again = |who: &str, from, to| {
        let invite = more.iter().filter(|l| l.ends_with(&format!("{who} INVITE")));
        let times: Vec<u64> = invite.map(|l| time(l)).collect();
        assert!(times.len() == 1 && (from..=to).contains(&times[0]), "{who} {more:?}");
    };
    again("A>B", 1_100 + 2_100, 1_100 + 4_000);
    again("B>A", 1_120, 1_120 + 2_000);
    assert_eq!(more.len(), 6, "{more:?}");
}

#[test]
fn s3_3_2_update_and_reinvite_cross() {
    let ladder = then(&[
        "1000 A>B UPDATE",
        "1020 B>A INVITE",
        "1050 B>A 491 UPDATE",
        "1070 A>B 491 INVITE",
        "1120 B>A ACK",
    ]);
    let race = answered(&[(1_000, A, Do::Update), (1_020, B, Do::Hold)], &[]);
    assert_eq!(plays(&race, &ladder, GOES_ON).len(), 5);
    let race = answered(&[(1_000, B, Do::Update), (1_020, A, Do::Hold)], &[]);
    assert_eq!(plays(&race, &turned(&ladder), GOES_ON).len(), 5);
    // Without an offer they have nothing to do with each other.
    let ladder = then(&[
        "1000 A>B UPDATE",
        "1020 B>A INVITE",
        "1050 B>A 200 UPDATE",
        "1070 A>B 200 INVITE",
        "1120 B>A ACK",
    ]);
    let race = answered(&[(1_000, A, Do::Refresh), (1_020, B, Do::Hold)], &[]);
    plays_all(&race, &ladder, GOES_ON);
}

#[test]
fn b_bye_overlaps_with_reinvite() {
    let ladder = then(&[
        "1000 A>B INVITE",
        "1010 A>B BYE",
        "1050 B>A 200 INVITE",
        "1060 B>A 200 BYE",
        "1100 A>B ACK",
    ]);
    let acts = [A, B].map(|who| [(1_000, who, Do::Hold), (1_010, who, Do::Hangup)]);
    plays_all(&answered(&acts[A], &[]), &ladder, A_HUNG_UP);
    plays_all(&answered(&acts[B], &[]), &turned(&ladder), B_HUNG_UP);
    // BYE overtakes the re-INVITE, which finds no dialog.
    let ladder = then(&[
        "1000 A>B INVITE",
        "1010 A>B BYE",
        "1060 B>A 200 BYE",
        "1220 B>A 481 INVITE",
        "1270 A>B ACK",
    ]);
    let late = [(4, Fault::Late)];
    plays_all(&answered(&acts[A], &late), &ladder, A_HUNG_UP);
    plays_all(&answered(&acts[B], &late), &turned(&ladder), B_HUNG_UP);
}

// CANCEL waits for a provisional response (RFC 3261 9.1).
#[test]
fn c_cancel_before_anything_has_come() {
    let ladder = [
        "0 A>B INVITE",
        "60 B>A 180 INVITE",
        "110 A>B CANCEL",
        "160 B>A 200 CANCEL",
        "160 B>A 487 INVITE",
        "210 A>B ACK",
    ];
    let ends = [EndReason::Abandoned, EndReason::Cancelled].map(|why| Some((why, 487)));
    plays_all(&race(&[(20, A, Do::Hangup), (60, B, Do::Ring)], &[]), &ladder, ends);
    // The answer is the first that comes: there is nothing left to cancel.
    let ladder =
        ["0 A>B INVITE", "60 B>A 200 INVITE", "110 A>B ACK", "110 A>B BYE", "160 B>A 200 BYE"];
    plays_all(&race(&[(20, A, Do::Hangup), (60, B, Do::Answer)], &[]), &ladder, A_HUNG_UP);
}

fn bench() -> Bench {
    let mut config = net::config(9);
    (config.roles.proxy, config.roles.registrar) = (false, false);
    Bench::new(config)
}

fn labels(sent: &[Out]) -> Vec<String> {
    let label = |o: &Out| {
        let first = o.first_line().split(' ').next().unwrap_or("");
        let status = o.first_line().split(' ').nth(1).unwrap_or("");
        if first == "SIP/2.0" {
            format!("{status} {}", o.header("CSeq"))
        } else {
            first.to_string()
        }
    };
    sent.iter().map(label).collect()
}

fn to_us(method: &str, cseq: u32, tag: &str, more: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>{tag}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\nContact: <sip:alice@10.0.0.9>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

fn nothing_left(b: &mut Bench) {
    b.finish();
    let s = b.engine.stats();
    assert_eq!(s.blocks, s.lines, "{s:?}");
}

/// A call to us that rings, and its tag.
fn ringing(b: &mut Bench) -> String {
    b.ask(&to_us("INVITE", 1, "", ""));
    let (call, now) = (b.call(), b.at());
    b.engine.ring(now, call, 180, Extras::default()).unwrap();
    b.drain().remove(0).to_tag().to_string()
}

fn last(b: &Bench) -> Option<CallChange> {
    b.changes().last().copied()
}

const GONE: Option<CallChange> =
    Some(CallChange::Ended { why: EndReason::RemoteHangup, status: 0 });

// 3.1.3: our caller cancels what is not answered; other callers send BYE.
#[test]
fn s3_1_3_bye_of_an_early_dialog_in_moratorium() {
    let mut b = bench();
    let tag = ringing(&mut b);
    let (call, now) = (b.call(), b.at());
    b.engine.answer_call(now, call, Extras::default()).unwrap();
    assert_eq!(labels(&b.drain()), ["200 1 INVITE"]);
    b.now = 50;
    assert_eq!(labels(&b.ask(&to_us("BYE", 2, &tag, ""))), ["200 2 BYE"]);
    assert_eq!(last(&b), GONE);
    b.now = 100;
    let (seen, sent) = b.feed(&to_us("ACK", 1, &tag, ""));
    assert_eq!((seen, sent.len()), (Seen::Ignored(Ignored::StrayAck), 0));
    assert_eq!(b.run(40_000).len(), 0, "the 2xx is not repeated");
    nothing_left(&mut b);
}

// Appendix A: the BYE ends the early dialog; the INVITE gets 487 (RFC 3261 15.1.2).
#[test]
fn a_bye_of_an_early_dialog() {
    let mut b = bench();
    let tag = ringing(&mut b);
    let call = b.call();
    b.now = 50;
    assert_eq!(labels(&b.ask(&to_us("BYE", 2, &tag, ""))), ["200 2 BYE", "487 1 INVITE"]);
    let now = b.at();
    assert_eq!(b.engine.answer_call(now, call, Extras::default()), Err(Error::Gone));
    b.ask(&to_us("ACK", 1, &tag, ""));
    nothing_left(&mut b);
}

/// A call of ours that the peer, tag `at`, has answered.
fn called(b: &mut Bench) -> Out {
    let now = b.at();
    b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = b.drain().remove(0);
    b.ask(&invite.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
    invite
}

fn of_peer(invite: &Out, method: &str, cseq: u32) -> String {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\nFrom: {};tag=at\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nRefer-To: <sip:c@d>\r\nContent-Length: 0\r\n\r\n",
        invite.header("To"),
        invite.header("From"),
        invite.header("Call-ID"),
    )
}

// 3.3.3: REFER crosses BYE.
#[test]
fn s3_3_3_refer_in_mortal() {
    let mut b = bench();
    let invite = called(&mut b);
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    assert_eq!(labels(&b.ask(&of_peer(&invite, "REFER", 1))), ["481 1 REFER"]);
    b.ask(&bye.answer("200 OK", "", ""));
    nothing_left(&mut b);

    let mut b = bench();
    let invite = called(&mut b);
    let (call, now) = (b.call(), b.at());
    b.engine.transfer(now, call, "sip:carol@10.0.0.8", false, Extras::default()).unwrap();
    let refer = b.drain().remove(0);
    assert_eq!(labels(&b.ask(&of_peer(&invite, "BYE", 1))), ["200 1 BYE"]);
    b.ask(&refer.answer("481 Call Does Not Exist", "", ""));
    assert_eq!(last(&b), GONE);
    nothing_left(&mut b);
}

// Appendix E: a 2xx with a To tag that no provisional response had.
#[test]
fn e_forking_and_new_to_tags() {
    let mut b = bench();
    let now = b.at();
    let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = b.drain().remove(0);
    let contact = "Contact: <sip:alice@10.0.0.9>\r\n";
    b.ask(&invite.answer("180 Ringing", "t1", contact));
    b.ask(&invite.answer("180 Ringing", "t2", contact));
    let ack = b.ask(&invite.answer("200 OK", "t3", contact));
    assert_eq!((labels(&ack), ack[0].to_tag()), (vec!["ACK".to_string()], "t3"));
    // One that rang answers too.
    let sent = b.ask(&invite.answer("200 OK", "t1", contact));
    assert_eq!(labels(&sent), ["ACK", "BYE"]);
    assert!(sent.iter().all(|o| o.to_tag() == "t1"));
    b.ask(&sent[1].answer("200 OK", "", ""));
    assert_eq!(last(&b), Some(CallChange::Answered { status: 200 }));
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    assert_eq!(bye.to_tag(), "t3");
    b.ask(&bye.answer("200 OK", "", ""));
    nothing_left(&mut b);
}
