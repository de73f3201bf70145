//! The race conditions of RFC 5407: two phones act at nearly the same time, on a wire with delay that
//! loses, doubles or holds back one of the datagrams. Whatever crosses, each side has one outcome,
//! both have the same, the session is the same on both, and nothing is left.

#[path = "support/net.rs"]
mod net;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use net::Net;
use sansip::sdp::{Codec, Direction, Kind, Media, Stream};
use sansip::{
    CallChange, CallHandle, EndReason, Error, Event, Extras, Limits, LineConfig, Misuse, Reliable,
};

const A: usize = 0;
const B: usize = 1;

const CODECS: &[Codec<'static>] =
    &[Codec { payload: 0, name: "PCMU", clock: 8_000, channels: 1, fmtp: "" }];

const fn audio(port: u16) -> Stream<'static> {
    Stream {
        kind: Kind::Audio,
        port,
        transport: "",
        codecs: CODECS,
        direction: Direction::SendRecv,
        bandwidth: 0,
        ptime: 20,
        crypto: "",
    }
}

const STREAMS: [&[Stream<'static>]; 2] = [&[audio(4_000)], &[audio(5_000)]];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Do {
    Ring,
    Progress,
    Answer,
    Reject,
    Redirect,
    Hangup,
    Hold,
    Reinvite,
    Refresh,
    Update,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Lost,
    Twice,
    /// The next ones overtake it.
    Late,
}

#[derive(Clone, Debug)]
struct Race {
    /// Whether the call stands before anybody acts.
    stands: bool,
    reliable: Reliable,
    delay: u64,
    /// Who acts when, in milliseconds.
    acts: Vec<(u64, usize, Do)>,
    /// Which datagram, counted from the start of the race.
    fault: Option<(usize, Fault)>,
}

/// What became of the call on one side.
type Outcome = Option<(EndReason, u16)>;

struct Track {
    net: Net,
    calls: [Option<CallHandle>; 2],
    race: Race,
    count: Rc<Cell<usize>>,
}

impl Track {
    fn new(race: &Race) -> Self {
        let mut net = Net::new();
        let lines = ["alice", "bob"].map(|name| {
            let n = net.nodes.len();
            let mut config = net::config(n as u8 + 1);
            (config.roles.proxy, config.roles.registrar, config.ask_media) = (false, false, true);
            (config.reliable, config.session_expires) = (race.reliable, 0);
            net.add(name, config, &Limits::PHONE);
            let aor = format!("sip:{name}@10.0.0.{}", n + 1);
            let line = LineConfig { aor: &aor, ..LineConfig::default() };
            let now = net.at();
            net.engine(n).add_line(now, line).unwrap()
        });
        let count = Rc::new(Cell::new(usize::from(race.stands) << 32));
        let (counter, delay, fault) = (count.clone(), race.delay, race.fault);
        net.way = Some(Box::new(move |_| {
            let this = counter.replace(counter.get() + 1);
            match fault.filter(|(n, _)| *n == this).map(|(_, fault)| fault) {
                None => vec![delay],
                Some(Fault::Lost) => vec![],
                Some(Fault::Twice) => vec![delay, delay + 37],
                Some(Fault::Late) => vec![delay + 170],
            }
        }));
        let (now, media) = (net.at(), media(A));
        let extras = Extras { media: Some(&media), ..Extras::default() };
        let call = net.engine(A).invite(now, lines[A], "sip:bob@10.0.0.2", 0, extras).unwrap();
        Self { net, calls: [Some(call), None], race: race.clone(), count }
    }

    fn act(&mut self, n: usize, what: Do) {
        if n == B && self.calls[B].is_none() {
            self.calls[B] = self.net.nodes[B].said.iter().find_map(|s| match s.event {
                Event::Call { call, change: CallChange::Incoming, .. } => Some(call),
                _ => None,
            });
        }
        let Some(call) = self.calls[n] else { return };
        let (now, media) = (self.net.at(), media(n));
        let (plain, with) =
            (Extras::default(), Extras { media: Some(&media), ..Extras::default() });
        let e = self.net.engine(n);
        let done = match what {
            Do::Ring => e.ring(now, call, 180, plain),
            Do::Progress => e.ring(now, call, 183, with),
            Do::Answer => e.answer_call(now, call, with),
            Do::Reject => e.reject(now, call, 486, plain),
            Do::Redirect => e.redirect(now, call, 302, "sip:carol@10.0.0.2", plain),
            Do::Hangup => e.hangup(now, call),
            Do::Hold => e.hold(now, call),
            Do::Reinvite => e.reinvite(now, call, plain),
            Do::Refresh => e.update(now, call, plain),
            Do::Update => e.update(now, call, with),
        };
        match done {
            Ok(()) | Err(Error::Late | Error::Gone | Error::Misuse(Misuse::State)) => {}
            other => panic!("{what:?} of {n}: {other:?} in {:?}", self.race),
        }
        self.net.settle();
    }

    fn start(&mut self) {
        self.net.settle();
        if self.race.stands {
            self.net.run(self.race.delay);
            self.act(B, Do::Answer);
            self.net.run(1_000);
            self.count.set(0);
        }
        let (start, mut acts) = (self.net.now, self.race.acts.clone());
        acts.sort_by_key(|a| a.0);
        for (at, n, what) in acts {
            self.net.run(start + at - self.net.now);
            self.act(n, what);
        }
    }

    fn outcome(&self, n: usize) -> Outcome {
        let changes = self.net.changes(n);
        let ends: Vec<Outcome> = changes
            .iter()
            .map(|c| match c {
                CallChange::Ended { why, status } => Some((*why, *status)),
                _ => None,
            })
            .collect();
        assert!(ends.iter().flatten().count() <= 1, "two ends: {changes:?} {}", self.text());
        if let Some(at) = ends.iter().position(Option::is_some) {
            assert_eq!(at + 1, ends.len(), "more after the end: {changes:?} {}", self.text());
        }
        ends.last().copied().flatten()
    }

    fn text(&self) -> String {
        format!("{:?}\n{}", self.race, self.net.ladder().join("\n"))
    }

    fn has(&self, n: usize, what: impl Fn(&CallChange) -> bool) -> bool {
        self.net.changes(n).iter().any(what)
    }

    /// What happened, and the outcomes before anybody tidied up.
    fn run(mut self) -> (String, [Outcome; 2]) {
        self.start();
        self.net.run(60_000);
        let sent = self.net.trace.len();
        self.net.run(30_000);
        let came = self.has(B, |c| *c == CallChange::Incoming);
        let ends = [self.outcome(A), self.outcome(B)];
        let live = [ends[A].is_none(), came && ends[B].is_none()];
        assert_eq!(live[A], live[B], "one side only is in a call: {ends:?} {}", self.text());
        let stands = self.has(A, |c| matches!(c, CallChange::Answered { .. }));
        if live[A] && stands {
            assert!(self.has(B, |c| *c == CallChange::Confirmed), "{}", self.text());
            assert_eq!(self.net.trace.len(), sent, "it does not come to rest: {}", self.text());
            let [a, b] = [A, B].map(|n| self.net.nodes[n].media.last().expect("media"));
            assert_eq!(a.local, b.remote, "{}", self.text());
            assert_eq!(a.remote, b.local, "{}", self.text());
        }
        self.act(A, Do::Hangup);
        self.net.run(300_000);
        assert!(self.outcome(A).is_some(), "{}", self.text());
        assert_eq!(self.outcome(B).is_some(), came, "{}", self.text());
        let text = self.text();
        for node in &self.net.nodes {
            let s = node.engine.stats();
            assert!(node.engine.is_quiescent(), "{} holds {s:?}: {text}", node.name);
            assert_eq!(s.blocks, s.lines, "{}: {s:?}: {text}", node.name);
        }
        self.net.finish();
        (text, ends)
    }
}

fn media(n: usize) -> Media<'static> {
    let address: IpAddr = format!("192.0.2.{}", n + 1).parse().unwrap();
    Media { address, streams: STREAMS[n], bandwidth: 0 }
}

fn faults() -> impl Iterator<Item = Option<(usize, Fault)>> {
    let each = |n| [Fault::Lost, Fault::Twice, Fault::Late].map(|f| Some((n, f)));
    std::iter::once(None).chain((0..12).flat_map(each))
}

/// How a call may end on both sides; `-` is a call that goes on, or rings.
const PAIRS: [&str; 11] = [
    "- | -",
    "Hangup 0 | Hangup 0",
    "Hangup 0 | RemoteHangup 0",
    "RemoteHangup 0 | Hangup 0",
    "Abandoned 487 | Cancelled 487",
    // The refusal crosses the CANCEL.
    "Abandoned 302 | Rejected 302",
    "Abandoned 480 | Rejected 480",
    "Abandoned 486 | Rejected 486",
    "Refused 302 | Rejected 302",
    "Refused 480 | Rejected 480",
    "Refused 486 | Rejected 486",
];

fn run(races: impl Iterator<Item = Race>) {
    let mut seen = BTreeSet::new();
    for race in races {
        for fault in faults() {
            let (text, [a, b]) = Track::new(&Race { fault, ..race.clone() }).run();
            let named =
                |o: Outcome| o.map_or("-".to_string(), |(why, status)| format!("{why:?} {status}"));
            let pair = format!("{} | {}", named(a), named(b));
            assert!(PAIRS.contains(&pair.as_str()), "{pair}: {text}");
            seen.insert(pair);
        }
    }
    assert!(seen.len() >= 3, "{seen:?}");
}

/// When the other acts: before what was sent first arrives, at that moment, and after it, up to the
/// fourth trip.
fn moments(delay: u64) -> [u64; 6] {
    [0, delay, delay + 10, 2 * delay + 10, 2 * delay + 11, 3 * delay + 20]
}

// RFC 5407 3.1.1 to 3.1.3, 3.2.1: CANCEL, BYE and UPDATE cross ringing, answers and refusals.
#[test]
fn whatever_crosses_while_a_call_is_set_up_has_one_outcome() {
    let first = [Do::Ring, Do::Progress, Do::Answer, Do::Reject, Do::Redirect, Do::Hangup];
    let races = first.into_iter().flat_map(|first| {
        [Do::Hangup, Do::Refresh, Do::Update].into_iter().flat_map(move |mine| {
            [40, 300].into_iter().flat_map(move |delay| {
                moments(delay).into_iter().map(move |t| Race {
                    stands: false,
                    reliable: Reliable::WithBody,
                    delay,
                    acts: vec![(t, A, mine), (delay + 10, B, first)],
                    fault: None,
                })
            })
        })
    });
    run(races);
}

// RFC 5407 3.1.4, 3.2.2, 3.3: BYE, re-INVITE, UPDATE, hold cross each other.
#[test]
fn whatever_crosses_in_a_call_that_stands_has_one_outcome() {
    let acts = [Do::Hangup, Do::Hold, Do::Reinvite, Do::Refresh, Do::Update];
    let races = acts.into_iter().flat_map(move |mine| {
        acts.into_iter().flat_map(move |theirs| {
            [40, 300].into_iter().flat_map(move |delay| {
                moments(delay).into_iter().map(move |t| Race {
                    stands: true,
                    reliable: Reliable::WithBody,
                    delay,
                    acts: vec![(20, A, mine), (t, B, theirs)],
                    fault: None,
                })
            })
        })
    });
    run(races);
}

// RFC 5407 3.1.1, 3.1.4, 3.1.5, 3.2.2: with an early dialog, reliable or not, and at its answer.
#[test]
fn whatever_crosses_the_answer_of_a_ringing_call_has_one_outcome() {
    let mut races = Vec::new();
    for reliable in [Reliable::Never, Reliable::WithBody, Reliable::Always] {
        for first in [Do::Ring, Do::Progress] {
            for mine in [Do::Hangup, Do::Hold, Do::Reinvite, Do::Refresh, Do::Update] {
                for delay in [40, 300] {
                    let answer = [(delay + 10, B, first), (delay + 25, B, Do::Answer)];
                    races.extend(moments(delay).map(|t| Race {
                        stands: false,
                        reliable,
                        delay,
                        acts: [&[(t + 15, A, mine)], &answer[..]].concat(),
                        fault: None,
                    }));
                }
            }
        }
    }
    run(races.into_iter());
}

// RFC 5407 3.1.4, 3.1.5, 3.2.1: both act again as soon as each believes that the call stands.
#[test]
fn whatever_crosses_the_ack_has_one_outcome() {
    let acts = [Do::Hangup, Do::Hold, Do::Reinvite, Do::Refresh, Do::Update];
    let mut races = Vec::new();
    for (mine, theirs) in acts.iter().flat_map(|a| acts.iter().map(move |b| (*a, *b))) {
        for delay in [40, 300] {
            for (t, u) in [0, 1, delay].iter().flat_map(|t| [0, 1, 2 * delay].map(|u| (*t, u))) {
                races.push(Race {
                    stands: false,
                    reliable: Reliable::WithBody,
                    delay,
                    acts: vec![
                        (delay + 10, B, Do::Answer),
                        (2 * delay + 10 + t, A, mine),
                        (delay + 10 + u, B, theirs),
                    ],
                    fault: None,
                });
            }
        }
    }
    run(races.into_iter());
}

// RFC 5407 3.1.1 to 3.1.3, RFC 3311 5.2: both act in an early dialog whose session is agreed.
#[test]
fn whatever_crosses_in_an_early_dialog_has_one_outcome() {
    let both = [Do::Hangup, Do::Refresh, Do::Update, Do::Answer, Do::Reject];
    let mut races = Vec::new();
    for (mine, theirs) in both[..3].iter().flat_map(|a| both.iter().map(move |b| (*a, *b))) {
        for delay in [40, 300] {
            for u in [delay + 11, 3 * delay + 11, 3 * delay + 30] {
                races.extend([2 * delay + 10, 2 * delay + 11, 3 * delay + 20, 4 * delay + 30].map(
                    |t| Race {
                        stands: false,
                        reliable: Reliable::WithBody,
                        delay,
                        acts: vec![(delay + 10, B, Do::Progress), (t, A, mine), (u, B, theirs)],
                        fault: None,
                    },
                ));
            }
        }
    }
    run(races.into_iter());
}
