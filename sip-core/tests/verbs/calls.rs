//! Every verb of a call in every pair of what `poll` has shown of it and what it is: refused verbs say
//! whose fault that is, and change nothing.
//!
//! The rule: a verb that the call takes works. One that it does not take is `Late` if it takes it in
//! the state last shown, `Misuse` if not even there, and `Gone` once its end was shown.

use crate::name_of;
use crate::peer::{self, Bench, Out};
use sansip::{CallHandle, Config, Error, Extras, Follow, Input, Misuse, Policy, Retransmit};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// The states as `docs/calls.md` has them, and two that only the application's view knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum S {
    Calling,
    Proceeding,
    /// Redirected, and the application is asked.
    Asks,
    Cancelling,
    Incoming,
    Alerting,
    Accepted,
    Confirmed,
    /// Confirmed, and the peer's re-INVITE waits for the application.
    Offered,
    Leaving,
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum V {
    Ring,
    Answer,
    Reject,
    Redirect,
    Follow,
    Hangup,
    Reinvite,
    Hold,
    Resume,
    Update,
    Transfer,
    TransferTo,
    /// It is the call that an attended transfer gives away.
    Target,
}

/// What each verb is for (RFC 3261 8.1.3.4, 13.3.1, 14.1, 15; RFC 3311 5.1; RFC 3515 2.4.1; RFC 3891
/// 4).
const TAKEN: &[(V, &[S])] = &[
    (V::Ring, &[S::Incoming, S::Alerting, S::Offered]),
    (V::Answer, &[S::Incoming, S::Alerting, S::Offered]),
    (V::Reject, &[S::Incoming, S::Alerting, S::Offered]),
    (V::Redirect, &[S::Incoming, S::Alerting]),
    (V::Follow, &[S::Asks]),
    (
        V::Hangup,
        &[
            S::Calling,
            S::Proceeding,
            S::Asks,
            S::Cancelling,
            S::Incoming,
            S::Alerting,
            S::Accepted,
            S::Confirmed,
            S::Offered,
            S::Leaving,
        ],
    ),
    (V::Reinvite, &[S::Confirmed]),
    (V::Hold, &[S::Confirmed]),
    (V::Resume, &[S::Confirmed]),
    (V::Update, &[S::Proceeding, S::Alerting, S::Accepted, S::Confirmed, S::Offered]),
    (V::Transfer, &[S::Confirmed, S::Offered]),
    (V::TransferTo, &[S::Confirmed, S::Offered]),
    (V::Target, &[S::Calling, S::Proceeding, S::Asks, S::Accepted, S::Confirmed, S::Offered]),
];

fn expected(verb: V, shown: S, real: S) -> Result<(), Error> {
    let (_, taken) = TAKEN.iter().find(|t| t.0 == verb).unwrap();
    if taken.contains(&real) {
        Ok(())
    } else if shown == S::Ended {
        Err(Error::Gone)
    } else if taken.contains(&shown) {
        Err(Error::Late)
    } else {
        Err(Error::Misuse(Misuse::State))
    }
}

/// What happens to a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Do {
    /// All that waits is polled.
    Poll,
    /// A response of the peer to our INVITE.
    Gets(&'static str),
    Cancel,
    Bye,
    Reinvite,
    /// The peer's CANCEL of its re-INVITE.
    CancelReinvite,
    Ack,
    /// So many milliseconds pass.
    Waits(u64),
    Ring,
    Answer,
    Hangup,
    /// What our BYE or CANCEL gets.
    Ok,
}

use Do::{Ack, Answer, Bye, Cancel, CancelReinvite, Gets, Hangup, Poll, Reinvite, Ring, Waits};

const RINGING: Do = Gets("180 Ringing");
const OK: Do = Gets("200 OK");
const BUSY: Do = Gets("486 Busy Here");
const MOVED: Do = Gets("302 Moved Temporarily");
/// Longer than a call may ring.
const LONG: Do = Waits(220_000);

/// Whether we placed the call, what happened, what was shown, and what it is.
type Case = (bool, &'static [Do], S, S);

const CASES: &[Case] = &[
    (true, &[Poll], S::Calling, S::Calling),
    (true, &[Poll, RINGING], S::Calling, S::Proceeding),
    (true, &[Poll, OK], S::Calling, S::Confirmed),
    (true, &[Poll, OK, Reinvite], S::Calling, S::Offered),
    (true, &[Poll, RINGING, OK, Bye], S::Calling, S::Ended),
    (true, &[Poll, BUSY], S::Calling, S::Ended),
    (true, &[Poll, MOVED], S::Calling, S::Asks),
    (true, &[Poll, LONG], S::Calling, S::Ended),
    (true, &[Poll, Hangup], S::Calling, S::Cancelling),
    (true, &[Poll, RINGING, Poll], S::Proceeding, S::Proceeding),
    (true, &[Poll, RINGING, Poll, OK], S::Proceeding, S::Confirmed),
    (true, &[Poll, RINGING, Poll, OK, Reinvite], S::Proceeding, S::Offered),
    (true, &[Poll, RINGING, Poll, OK, Bye], S::Proceeding, S::Ended),
    (true, &[Poll, RINGING, Poll, BUSY], S::Proceeding, S::Ended),
    (true, &[Poll, RINGING, Poll, MOVED], S::Proceeding, S::Asks),
    (true, &[Poll, RINGING, Poll, Hangup, Poll], S::Proceeding, S::Cancelling),
    (true, &[Poll, MOVED, Poll], S::Asks, S::Asks),
    (true, &[Poll, MOVED, Poll, LONG], S::Asks, S::Ended),
    (true, &[Poll, OK, Poll], S::Confirmed, S::Confirmed),
    (true, &[Poll, OK, Poll, Reinvite], S::Confirmed, S::Offered),
    (true, &[Poll, OK, Poll, Bye], S::Confirmed, S::Ended),
    (true, &[Poll, OK, Poll, Hangup, Poll], S::Confirmed, S::Leaving),
    (true, &[Poll, OK, Poll, Reinvite, Poll], S::Offered, S::Offered),
    (true, &[Poll, OK, Poll, Reinvite, Poll, Bye], S::Offered, S::Ended),
    (true, &[Poll, OK, Poll, Reinvite, Poll, CancelReinvite], S::Offered, S::Confirmed),
    (true, &[Poll, OK, Poll, Bye, Poll], S::Ended, S::Ended),
    (true, &[Poll, BUSY, Poll], S::Ended, S::Ended),
    (false, &[Poll], S::Incoming, S::Incoming),
    (false, &[Poll, Cancel], S::Incoming, S::Ended),
    (false, &[Poll, LONG], S::Incoming, S::Ended),
    (false, &[Poll, Answer, Poll], S::Incoming, S::Accepted),
    (false, &[Poll, Answer, Poll, Ack], S::Incoming, S::Confirmed),
    (false, &[Poll, Answer, Poll, Ack, Reinvite], S::Incoming, S::Offered),
    (false, &[Poll, Answer, Poll, Ack, Bye], S::Incoming, S::Ended),
    (false, &[Poll, Ring, Poll], S::Alerting, S::Alerting),
    (false, &[Poll, Ring, Poll, Cancel], S::Alerting, S::Ended),
    (false, &[Poll, Ring, Poll, Bye], S::Alerting, S::Ended),
    (false, &[Poll, Ring, Poll, LONG], S::Alerting, S::Ended),
    (false, &[Poll, Ring, Answer, Poll], S::Alerting, S::Accepted),
    (false, &[Poll, Ring, Answer, Poll, Ack], S::Alerting, S::Confirmed),
    (false, &[Poll, Answer, Poll, Ack, Poll], S::Confirmed, S::Confirmed),
    (false, &[Poll, Answer, Poll, Ack, Poll, Reinvite], S::Confirmed, S::Offered),
    (false, &[Poll, Answer, Poll, Ack, Poll, Bye], S::Confirmed, S::Ended),
    (
        false,
        &[Poll, Answer, Poll, Ack, Poll, Reinvite, CancelReinvite, Bye],
        S::Confirmed,
        S::Ended,
    ),
    (false, &[Poll, Answer, Poll, Ack, Poll, Hangup, Poll], S::Confirmed, S::Leaving),
    (false, &[Poll, Answer, Poll, Ack, Poll, Hangup, Poll, Do::Ok], S::Confirmed, S::Ended),
    (false, &[Poll, Answer, Poll, Ack, Poll, Reinvite, Poll], S::Offered, S::Offered),
    (false, &[Poll, Answer, Poll, Ack, Poll, Reinvite, Poll, Bye], S::Offered, S::Ended),
    (
        false,
        &[Poll, Answer, Poll, Ack, Poll, Reinvite, Poll, CancelReinvite],
        S::Offered,
        S::Confirmed,
    ),
    (false, &[Poll, Cancel, Poll], S::Ended, S::Ended),
];

struct World {
    bench: Bench,
    call: CallHandle,
    /// A call that stands.
    other: CallHandle,
    /// Our INVITE, or our 2xx or 180.
    ours: Option<Out>,
    /// Number of the peer's next request.
    cseq: u32,
    placed: bool,
}

const BODY: Extras<'static> =
    Extras { headers: &[], content_type: "application/sdp", body: SDP.as_bytes(), media: None };

fn with_body(head: &str) -> String {
    let length = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n", SDP.len());
    head.replace("Content-Length: 0\r\n\r\n", &length) + SDP
}

const MORE: &str =
    "Contact: <sip:p@10.0.0.9>\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, REFER\r\n";

fn request(method: &str, branch: &str, to: &str, call_id: &str, cseq: &str) -> String {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\nFrom: <sip:p@example.com>;tag=pt\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n{MORE}Content-Length: 0\r\n\r\n"
    )
}

const BOB: &str = "<sip:bob@example.com>";

impl World {
    fn new(placed: bool) -> Self {
        let mut config = Config::new([3; 32]);
        config.ask_media = false;
        config.retransmit = Retransmit::Rfc;
        config.roles.proxy = false;
        config.roles.registrar = false;
        let mut bench = Bench::new(config);
        let policy = Policy { follow: Follow::Ask, ..Policy::default() };
        let (line, now) = (bench.line, bench.at());
        bench.engine.set_policy(now, line, policy).unwrap();
        bench.ask(&with_body(&request("INVITE", "o1", BOB, "other", "1 INVITE")));
        let other = bench.call();
        bench.engine.answer_call(now, other, BODY).unwrap();
        let ok = bench.drain().remove(0);
        bench.ask(&request("ACK", "o2", ok.header("To"), "other", "1 ACK"));
        let (mut call, mut ours) = (other, None);
        if placed {
            call = bench.engine.invite(now, line, "sip:p@10.0.0.9", 0, BODY).unwrap();
            ours = bench.drain().pop();
        } else {
            bench.ask(&with_body(&request("INVITE", "i", BOB, "mine", "1 INVITE")));
            call = if bench.call() == call { panic!("no call") } else { bench.call() };
        }
        Self { bench, call, other, ours, cseq: 2, placed }
    }

    /// A message, and nothing is polled.
    fn feed(&mut self, text: &str) {
        let path = sansip::Path { local: peer::LOCAL, remote: peer::PEER, flow: None };
        let now = self.bench.at();
        self.bench.engine.receive(now, path, text.as_bytes()).unwrap();
    }

    /// A request of the peer in the dialog.
    fn peers(&self, method: &str, branch: &str, number: u32) -> String {
        let ours = self.ours.as_ref().unwrap();
        let (to, call_id) = if self.placed {
            (ours.header("From"), ours.header("Call-ID"))
        } else {
            (ours.header("To"), "mine")
        };
        request(method, branch, to, call_id, &format!("{number} {method}"))
    }

    fn happen(&mut self, what: Do) {
        let (now, call) = (self.bench.at(), self.call);
        match what {
            Poll => {
                let sent = self.bench.drain();
                let mut answer =
                    sent.into_iter().filter(|o| o.first_line().starts_with("SIP/2.0 "));
                if let (false, Some(answer)) = (self.placed, answer.next_back()) {
                    self.ours = Some(answer);
                }
            }
            Gets(status) => {
                let more =
                    if status.starts_with('3') { "Contact: <sip:x@10.0.0.8>\r\n" } else { MORE };
                let text = self.ours.as_ref().unwrap().answer(status, "pt", more);
                let text = if status.starts_with('2') { with_body(&text) } else { text };
                self.feed(&text);
            }
            Cancel => self.feed(&request("CANCEL", "i", BOB, "mine", "1 CANCEL")),
            Bye => {
                let text = self.peers("BYE", "b", 9);
                self.feed(&text);
            }
            Reinvite => {
                let text = with_body(&self.peers("INVITE", "r", self.cseq));
                self.feed(&text);
            }
            CancelReinvite => {
                let text = self.peers("CANCEL", "r", self.cseq);
                self.feed(&text);
            }
            Ack => {
                let text = self.peers("ACK", "a", 1);
                self.feed(&text);
            }
            Waits(ms) => {
                let end = now.0 + ms;
                // Output that waits makes the engine say "now": only the clock moves here.
                while self.bench.now < end {
                    self.bench.now += 1_000;
                    let now = self.bench.at();
                    self.bench.engine.handle_timeout(now).unwrap();
                }
            }
            Ring => self.bench.engine.ring(now, call, 180, Extras::default()).unwrap(),
            Answer => self.bench.engine.answer_call(now, call, BODY).unwrap(),
            Hangup => self.bench.engine.hangup(now, call).unwrap(),
            Do::Ok => {
                let bye = self.bench.sent.last().unwrap().clone();
                self.feed(&bye.answer("200 OK", "", ""));
            }
        }
    }

    fn drive(case: &Case) -> Self {
        let mut world = Self::new(case.0);
        case.1.iter().for_each(|what| world.happen(*what));
        world
    }

    fn say(&mut self, verb: V) -> Result<(), Error> {
        let now = self.bench.at();
        let input = input(verb, self.call, self.other);
        self.bench.engine.apply(now, &input).map(drop)
    }

    /// All that comes out from now on.
    fn rest(mut self) -> String {
        let (events, _) = (self.bench.events.len(), self.bench.drain());
        self.bench.run(300_000);
        let sent: Vec<&str> = self.bench.sent.iter().map(|o| o.text.as_str()).collect();
        format!("{}\n{:?}", sent.concat(), &self.bench.events[events..])
    }
}

fn input(verb: V, call: CallHandle, other: CallHandle) -> Input<'static> {
    let extras = Extras::default();
    match verb {
        V::Ring => Input::Ring { call, status: 180, extras },
        V::Answer => Input::AnswerCall { call, extras: BODY },
        V::Reject => Input::Reject { call, status: 488, extras },
        V::Redirect => Input::Redirect { call, status: 302, contact: "sip:c@10.0.0.8", extras },
        V::Follow => Input::Follow { call, target: "" },
        V::Hangup => Input::Hangup { call },
        V::Reinvite => Input::Reinvite { call, extras: BODY },
        V::Hold => Input::Hold { call },
        V::Resume => Input::Resume { call },
        V::Update => Input::Update { call, extras },
        V::Transfer => Input::Transfer { call, target: "sip:c@10.0.0.8", keep: false, extras },
        V::TransferTo => Input::TransferTo { call, other, extras },
        V::Target => Input::TransferTo { call: other, other: call, extras },
    }
}

/// The inputs that have a row here.
pub fn rows() -> Vec<String> {
    let none = CallHandle::from_raw(0);
    TAKEN.iter().map(|(verb, _)| name_of(&input(*verb, none, none))).collect()
}

#[test]
fn every_verb_in_every_pair_of_states_works_or_says_whose_fault_it_is() {
    let mut wrong = Vec::new();
    for case in CASES {
        let untouched = World::drive(case).rest();
        for (verb, _) in TAKEN {
            let mut world = World::drive(case);
            let before = format!("{:?}", world.bench.engine.stats());
            let got = world.say(*verb);
            let wanted = expected(*verb, case.2, case.3);
            if got != wanted {
                wrong.push(format!("{verb:?} {case:?}: {got:?}, not {wanted:?}"));
            } else if got.is_err() {
                let after = format!("{:?}", world.bench.engine.stats());
                if before != after || world.rest() != untouched {
                    wrong.push(format!("{verb:?} {case:?}: refused, but something changed"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        CASES.len() * TAKEN.len(),
        wrong.join("\n")
    );
}

/// RFC 3261 8.1.1: the application does not write over what the engine says who, where and when it
/// is; but a re-INVITE and an UPDATE may change our identity (RFC 4916).
#[test]
fn no_verb_takes_a_field_that_only_the_engine_writes() {
    const NAMES: [&str; 11] = [
        "From",
        "f",
        "to",
        "T",
        "Call-ID",
        "i",
        "CSeq",
        "via",
        "Max-Forwards",
        "Content-Type",
        "l",
    ];
    let bad = Err(Error::Misuse(Misuse::BadHeader));
    for name in NAMES {
        let headers: &[(&str, &str)] = &[(name, "<sip:x@example.com>")];
        let extras = Extras { headers, ..Extras::default() };
        let world = World::drive(&(false, &[Poll], S::Incoming, S::Incoming));
        let (call, line, target) = (world.call, world.bench.line, "sip:c@10.0.0.8");
        let mut bench = world.bench;
        let request = sansip::RequestHandle::from_raw(1);
        let renames = name.eq_ignore_ascii_case("from") || name == "f";
        let inputs = [
            (Input::Invite { line, target, user: 0, extras }, true),
            (Input::Ring { call, status: 180, extras }, true),
            (Input::AnswerCall { call, extras }, true),
            (Input::Reject { call, status: 486, extras }, true),
            (Input::Redirect { call, status: 302, contact: target, extras }, true),
            (Input::Transfer { call, target, keep: false, extras }, true),
            (Input::TransferTo { call, other: call, extras }, true),
            (Input::AcceptTransfer { request, user: 0, extras }, true),
            (Input::Refer { line, target, to: target, user: 0, extras }, true),
            (Input::Options { line: None, target, user: 0, extras }, true),
            (Input::Respond { request, status: 200, extras }, true),
            (Input::Reinvite { call, extras }, !renames),
            (Input::Update { call, extras }, !renames),
        ];
        for (input, refused) in inputs {
            let now = bench.at();
            let before = bench.engine.stats();
            let got = bench.engine.apply(now, &input).map(drop);
            assert_eq!(got == bad, refused, "{input:?}: {got:?}");
            assert_eq!(before, bench.engine.stats(), "{input:?}");
        }
    }
}

/// A description of the application's own that no offer can be made of: holding is `Misuse`, and
/// leaves no trace.
#[test]
fn a_hold_that_is_refused_changes_nothing() {
    let mut config = Config::new([3; 32]);
    config.ask_media = false;
    config.roles.proxy = false;
    let mut bench = Bench::new(config);
    let (now, line) = (bench.at(), bench.line);
    let body = b"v=0\r\nnot a description";
    let extras = Extras { content_type: "application/sdp", body, ..Extras::default() };
    let call = bench.engine.invite(now, line, "sip:p@10.0.0.9", 0, extras).unwrap();
    let invite = bench.drain().remove(0);
    bench.ask(&with_body(&invite.answer("200 OK", "pt", MORE)));
    let before = bench.engine.stats();
    for _ in 0..3 {
        let held = bench.engine.hold(now, call);
        assert!(matches!(held, Err(Error::Misuse(_))), "{held:?}");
        assert_eq!(bench.engine.stats(), before);
    }
    bench.engine.hangup(now, call).unwrap();
    let bye = bench.drain().remove(0);
    bench.ask(&bye.answer("200 OK", "", ""));
    bench.finish();
}
