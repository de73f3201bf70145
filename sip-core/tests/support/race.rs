//! Two phones and what they do at nearly the same time, on a wire with delay that loses, doubles or
//! holds back datagrams.
#![allow(dead_code)]

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use crate::net::{self, Net};
use sansip::sdp::{Codec, Direction, Kind, Media, Stream};
use sansip::{
    Answer, CallChange, CallHandle, EndReason, Error, Event, Extras, Limits, LineConfig, Misuse,
    QueryId, Reliable, RequestHandle,
};

pub const A: usize = 0;
pub const B: usize = 1;

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
pub enum Do {
    Ring,
    Progress,
    Answer,
    Reject,
    Redirect,
    Hangup,
    Hold,
    Resume,
    Reinvite,
    Refresh,
    Update,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Lost,
    Twice,
    /// The next ones overtake it.
    Late,
}

/// How an application describes its sessions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Says {
    /// It gives the call its media; the engine offers and answers.
    Media,
    /// It is asked, and answers with a description of its own. Its re-INVITEs have no offer.
    Text,
    /// Its verbs bring descriptions of its own, and it answers the peer's offers by verbs.
    Body,
}

#[derive(Clone, Debug)]
pub struct Race {
    /// Whether the call stands before anybody acts.
    pub stands: bool,
    pub reliable: Reliable,
    pub delay: u64,
    /// Who acts when, in milliseconds.
    pub acts: Vec<(u64, usize, Do)>,
    /// Which datagrams, counted from the start of the race.
    pub faults: Vec<(usize, Fault)>,
    pub says: [Says; 2],
    /// Whether the first INVITE has an offer.
    pub offers: bool,
    /// How long an application takes to answer what it is asked.
    pub thinks: u64,
}

impl Race {
    pub fn new(stands: bool, delay: u64, acts: &[(u64, usize, Do)]) -> Self {
        Self {
            stands,
            reliable: Reliable::WithBody,
            delay,
            acts: acts.to_vec(),
            faults: Vec::new(),
            says: [Says::Media; 2],
            offers: true,
            thinks: 0,
        }
    }
}

/// What an application is asked.
#[derive(Clone, Debug)]
enum Asked {
    Query(QueryId, String),
    Reinvite(CallHandle, String),
    Request(RequestHandle, String),
}

/// What became of the call on one side.
pub type Outcome = Option<(EndReason, u16)>;

pub struct Track {
    pub net: Net,
    pub calls: [Option<CallHandle>; 2],
    race: Race,
    count: Rc<Cell<usize>>,
    /// How much of what each was told and asked is seen to.
    seen: [(usize, usize); 2],
    todo: Vec<(u64, usize, Asked)>,
    /// How many descriptions of its own each has made.
    made: [u32; 2],
}

pub fn media(n: usize) -> Media<'static> {
    let address: IpAddr = format!("192.0.2.{}", n + 1).parse().unwrap();
    Media { address, streams: STREAMS[n], bandwidth: 0 }
}

/// A description of the application's own, which goes with this offer.
fn description(n: usize, version: u32, offer: &str) -> String {
    let directions = [("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")];
    let turned = directions.iter().find(|(d, _)| offer.contains(&format!("a={d}\r\n")));
    format!(
        "v=0\r\no=- {n} {version} IN IP4 192.0.2.{}\r\ns=-\r\nc=IN IP4 192.0.2.{}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\na={}\r\n",
        n + 1,
        n + 1,
        STREAMS[n][0].port,
        turned.map_or("sendrecv", |(_, d)| d),
    )
}

fn body_of(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_string()
}

fn own(text: &str) -> Extras<'_> {
    Extras { content_type: "application/sdp", body: text.as_bytes(), ..Extras::default() }
}

impl Track {
    pub fn new(race: &Race) -> Self {
        let mut net = Net::new();
        let lines = ["alice", "bob"].map(|name| {
            let n = net.nodes.len();
            let mut config = net::config(n as u8 + 1);
            (config.roles.proxy, config.roles.registrar) = (false, false);
            config.ask_media = race.says[n] != Says::Body;
            (config.reliable, config.session_expires) = (race.reliable, 0);
            net.add(name, config, &Limits::PHONE);
            let aor = format!("sip:{name}@10.0.0.{}", n + 1);
            let line = LineConfig { aor: &aor, ..LineConfig::default() };
            let now = net.at();
            net.engine(n).add_line(now, line).unwrap()
        });
        let count = Rc::new(Cell::new(usize::from(race.stands) << 32));
        let (counter, delay, faults) = (count.clone(), race.delay, race.faults.clone());
        net.way = Some(Box::new(move |_| {
            let this = counter.replace(counter.get() + 1);
            match faults.iter().find(|(n, _)| *n == this).map(|(_, fault)| fault) {
                None => vec![delay],
                Some(Fault::Lost) => vec![],
                Some(Fault::Twice) => vec![delay, delay + 37],
                Some(Fault::Late) => vec![delay + 170],
            }
        }));
        let mut track = Self {
            net,
            calls: [None; 2],
            race: race.clone(),
            count,
            seen: [(0, 0); 2],
            todo: Vec::new(),
            made: [0; 2],
        };
        let (now, media, text) = (track.net.at(), media(A), track.own_text(A, ""));
        let extras = match race.says[A] {
            Says::Media if race.offers => Extras { media: Some(&media), ..Extras::default() },
            Says::Body if race.offers => own(&text),
            _ => Extras::default(),
        };
        let call = track.net.engine(A).invite(now, lines[A], "sip:bob@10.0.0.2", 0, extras);
        track.calls[A] = Some(call.unwrap());
        track.settle();
        track
    }

    fn own_text(&mut self, n: usize, offer: &str) -> String {
        self.made[n] += 1;
        description(n, self.made[n], offer)
    }

    fn settle(&mut self) {
        self.net.settle();
        self.attend();
    }

    /// Notes what the applications are asked.
    fn attend(&mut self) {
        let at = self.net.now + self.race.thinks;
        for n in [A, B] {
            let node = &self.net.nodes[n];
            for said in &node.said[self.seen[n].0..] {
                let asked = match said.event {
                    Event::Call { call, change: CallChange::Reinvite, .. } => {
                        Asked::Reinvite(call, body_of(&said.message))
                    }
                    Event::Request { request, .. } => {
                        Asked::Request(request, body_of(&said.message))
                    }
                    _ => continue,
                };
                self.todo.push((at, n, asked));
            }
            for (id, offer) in &node.asked[self.seen[n].1..] {
                self.todo.push((at, n, Asked::Query(*id, offer.clone())));
            }
            self.seen[n] = (node.said.len(), node.asked.len());
        }
    }

    /// The applications answer what is due.
    fn respond(&mut self) {
        let now = self.net.now;
        let (due, later) = self.todo.drain(..).partition(|t| t.0 <= now);
        self.todo = later;
        for (_, n, asked) in due {
            let (at, media, says) = (self.net.at(), media(n), self.race.says[n]);
            let offer = match &asked {
                Asked::Query(_, o) | Asked::Reinvite(_, o) | Asked::Request(_, o) => o.clone(),
            };
            let text = self.own_text(n, &offer);
            let first = n == A && self.net.nodes[A].asked.len() == 1;
            let e = self.net.engine(n);
            let done = match asked {
                Asked::Query(id, _) if first && !self.race.offers => {
                    e.answer(at, id, Answer::NotFound)
                }
                Asked::Query(id, _) if says == Says::Media => {
                    e.answer(at, id, Answer::Media(&media))
                }
                Asked::Query(id, _) => e.answer(at, id, Answer::Description(&text)),
                Asked::Reinvite(call, _) if says == Says::Text => {
                    e.answer_call(at, call, Extras::default())
                }
                Asked::Reinvite(call, _) => e.answer_call(at, call, own(&text)),
                Asked::Request(request, _) => e.respond(at, request, 200, own(&text)),
            };
            self.is_allowed(n, done, &offer);
        }
        self.settle();
    }

    fn is_allowed(&self, n: usize, done: Result<(), Error>, what: &str) {
        match done {
            Ok(()) | Err(Error::Late | Error::Gone | Error::Misuse(Misuse::State)) => {}
            other => panic!("{what} of {n}: {other:?} in {}", self.text()),
        }
    }

    pub fn act(&mut self, n: usize, what: Do) {
        if n == B && self.calls[B].is_none() {
            self.calls[B] = self.net.nodes[B].said.iter().find_map(|s| match s.event {
                Event::Call { call, change: CallChange::Incoming, .. } => Some(call),
                _ => None,
            });
        }
        let Some(call) = self.calls[n] else { return };
        let (now, media, text) = (self.net.at(), media(n), self.own_text(n, ""));
        let plain = Extras::default();
        let with = match self.race.says[n] {
            Says::Media => Extras { media: Some(&media), ..plain },
            _ => own(&text),
        };
        // One that is asked says nothing by itself where the engine can ask.
        let asked = if self.race.says[n] == Says::Text { plain } else { with };
        let again = if self.race.says[n] == Says::Body { with } else { plain };
        let e = self.net.engine(n);
        let done = match what {
            Do::Ring => e.ring(now, call, 180, plain),
            Do::Progress => e.ring(now, call, 183, with),
            Do::Answer => e.answer_call(now, call, asked),
            Do::Reject => e.reject(now, call, 486, plain),
            Do::Redirect => e.redirect(now, call, 302, "sip:carol@10.0.0.2", plain),
            Do::Hangup => e.hangup(now, call),
            Do::Hold => e.hold(now, call),
            Do::Resume => e.resume(now, call),
            Do::Reinvite => e.reinvite(now, call, again),
            Do::Refresh => e.update(now, call, plain),
            Do::Update => e.update(now, call, with),
        };
        self.is_allowed(n, done, &format!("{what:?}"));
        self.settle();
    }

    /// Lets so many milliseconds pass.
    pub fn pass(&mut self, ms: u64) {
        let end = self.net.now + ms;
        loop {
            let due = self.todo.iter().map(|t| t.0).min().filter(|at| *at <= end);
            let until = due.unwrap_or(end);
            if self.net.step(until) {
                self.attend();
                continue;
            }
            self.net.now = self.net.now.max(until);
            match due {
                Some(_) => self.respond(),
                None => return,
            }
        }
    }

    pub fn start(&mut self) {
        if self.race.stands {
            // Until the INVITE has come.
            self.pass(self.race.delay + self.race.thinks);
            self.act(B, Do::Answer);
            self.pass(1_200);
            self.count.set(0);
        }
        let (start, mut acts) = (self.net.now, self.race.acts.clone());
        acts.sort_by_key(|a| a.0);
        for (at, n, what) in acts {
            self.pass(start + at - self.net.now);
            self.act(n, what);
        }
    }

    pub fn outcome(&self, n: usize) -> Outcome {
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

    pub fn text(&self) -> String {
        format!("{:?}\n{}", self.race, self.net.ladder().join("\n"))
    }

    fn has(&self, n: usize, what: impl Fn(&CallChange) -> bool) -> bool {
        self.net.changes(n).iter().any(what)
    }

    /// What happened, and the outcomes before anybody tidied up.
    pub fn run(mut self) -> (String, [Outcome; 2]) {
        self.start();
        self.pass(60_000);
        let sent = self.net.trace.len();
        self.pass(30_000);
        let came = self.has(B, |c| *c == CallChange::Incoming);
        let ends = [self.outcome(A), self.outcome(B)];
        let live = [ends[A].is_none(), came && ends[B].is_none()];
        assert_eq!(live[A], live[B], "one side only is in a call: {ends:?} {}", self.text());
        let stands = self.has(A, |c| matches!(c, CallChange::Answered { .. }));
        if live[A] && stands {
            assert!(self.has(B, |c| *c == CallChange::Confirmed), "{}", self.text());
            assert_eq!(self.net.trace.len(), sent, "it does not come to rest: {}", self.text());
            let [a, b] = [A, B].map(|n| self.net.nodes[n].media.last());
            let [Some(a), Some(b)] = [a, b] else { panic!("no session: {}", self.text()) };
            assert_eq!(a.local, b.remote, "{}", self.text());
            assert_eq!(a.remote, b.local, "{}", self.text());
        }
        self.act(A, Do::Hangup);
        self.pass(300_000);
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
