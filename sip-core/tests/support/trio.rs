//! Three phones: `a`, `b` and `c`, at 10.0.0.1, .2 and .3; or more, behind a proxy `p`.
#![allow(dead_code)]

use crate::net::{self, Net};
use sansip::sdp::{Codec, Direction, Kind, Media, Stream};
use sansip::{CallChange, CallHandle, Config, Event, Extras, Limits, LineConfig, LineHandle};
use sansip::{RequestHandle, Seen};

pub struct Trio {
    pub net: Net,
    pub lines: Vec<LineHandle>,
    /// What each gives with a verb that may carry a description.
    pub gives: Vec<Extras<'static>>,
    /// What one dials for each.
    pub dials: Vec<String>,
}

/// Sound at 10.0.0.`n + 1`.
fn sound(n: usize) -> Extras<'static> {
    let codec = Codec { payload: 0, name: "PCMU", clock: 8_000, channels: 1, fmtp: "" };
    let stream = Stream {
        kind: Kind::Audio,
        port: 4_000,
        transport: "",
        codecs: Box::leak(Box::new([codec])),
        direction: Direction::SendRecv,
        bandwidth: 0,
        ptime: 0,
        crypto: "",
    };
    let media = Media {
        address: format!("10.0.0.{}", n + 1).parse().unwrap(),
        streams: Box::leak(Box::new([stream])),
        bandwidth: 0,
    };
    Extras { media: Some(Box::leak(Box::new(media))), ..Extras::default() }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The value of a header field in a message, or nothing.
pub fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let fields = text.lines().take_while(|l| !l.is_empty());
    let mut fields = fields.filter_map(|l| l.split_once(": "));
    fields.find(|(n, _)| *n == name).map_or("", |(_, v)| v)
}

impl Trio {
    pub fn new() -> Self {
        Self::with(&Limits::TESTER, |_, _| ())
    }

    /// With sound.
    pub fn with_sound() -> Self {
        Self { gives: (0..3).map(sound).collect(), ..Self::new() }
    }

    /// With these limits, and with what `set` changes in the configuration of each.
    pub fn with(limits: &Limits, set: impl Fn(usize, &mut Config)) -> Self {
        let mut trio = Self::empty();
        for name in NAMES {
            let host = format!("10.0.0.{}", trio.lines.len() + 1);
            trio.add(name, (&host, ""), limits, &set);
        }
        trio.gives = vec![Extras::default(); 3];
        trio
    }

    /// With sound, and with what `set` changes in the configuration of each.
    pub fn with_config(set: impl Fn(usize, &mut Config)) -> Self {
        Self { gives: (0..3).map(sound).collect(), ..Self::with(&Limits::TESTER, set) }
    }

    /// Phones with sound and with these names.
    pub fn of(names: &[&'static str]) -> Self {
        let mut trio = Self::empty();
        for (n, name) in names.iter().enumerate() {
            let host = format!("10.0.0.{}", n + 1);
            trio.add(name, (&host, ""), &Limits::TESTER, |_, _| ());
        }
        trio.gives = (0..names.len()).map(sound).collect();
        trio
    }

    /// Phones with sound whose calls go through a proxy, which knows where they are.
    pub fn behind_proxy(names: &[&'static str], set: impl Fn(usize, &mut Config)) -> Self {
        let mut trio = Self::empty();
        let proxy = format!("sip:10.0.0.{}", names.len() + 1);
        for name in names {
            trio.add(name, ("example.com", &proxy), &Limits::TESTER, &set);
        }
        trio.gives = (0..names.len()).map(sound).collect();
        let n = names.len();
        let mut config = net::config(n as u8 + 1);
        config.domains = vec!["example.com".into()];
        set(n, &mut config);
        trio.net.add("p", config, &Limits::TESTER);
        let at = |(n, name): (usize, &&'static str)| {
            let aor: &'static str = format!("sip:{name}@example.com").leak();
            (aor, vec![(format!("sip:{name}@10.0.0.{}", n + 1), 1_000)])
        };
        trio.net.places = names.iter().enumerate().map(at).collect();
        trio
    }

    fn empty() -> Self {
        let (lines, gives, dials) = (Vec::new(), Vec::new(), Vec::new());
        Self { net: Net::new(), lines, gives, dials }
    }

    /// One more phone, of a domain and with the proxy that it uses.
    fn add(
        &mut self,
        name: &'static str,
        (domain, proxy): (&str, &str),
        limits: &Limits,
        set: impl Fn(usize, &mut Config),
    ) {
        let n = self.lines.len();
        let mut config = net::config(n as u8 + 1);
        config.roles.proxy = false;
        config.roles.registrar = false;
        set(n, &mut config);
        self.net.add(name, config, limits);
        let aor = format!("sip:{name}@{domain}");
        let line = LineConfig { aor: &aor, proxy, user: 7, ..LineConfig::default() };
        let now = self.net.at();
        self.lines.push(self.net.engine(n).add_line(now, line).unwrap());
        self.dials.push(aor);
    }

    pub fn now(&self) -> sansip::Instant {
        self.net.at()
    }

    /// A call from one to another that is answered: both handles.
    pub fn talk(&mut self, from: usize, to: usize) -> (CallHandle, CallHandle) {
        let (call, peer) = self.ring(from, to);
        self.answer(to, peer);
        (call, peer)
    }

    /// A call from one to another that rings: both handles.
    pub fn ring(&mut self, from: usize, to: usize) -> (CallHandle, CallHandle) {
        let target = self.dials[to].clone();
        let call = self.dial(from, &target, &[]);
        let peer = self.net.call(to);
        self.alert(to, peer);
        (call, peer)
    }

    /// A call to somewhere, with these header fields.
    pub fn dial(&mut self, from: usize, target: &str, headers: &[(&str, &str)]) -> CallHandle {
        let (now, line) = (self.now(), self.lines[from]);
        let extras = Extras { headers, ..self.gives[from] };
        let call = self.net.engine(from).invite(now, line, target, 0, extras).unwrap();
        self.net.run(0);
        call
    }

    pub fn hold(&mut self, n: usize, call: CallHandle) {
        let now = self.now();
        self.net.engine(n).hold(now, call).unwrap();
        self.net.run(10);
    }

    pub fn resume(&mut self, n: usize, call: CallHandle) {
        let now = self.now();
        self.net.engine(n).resume(now, call).unwrap();
        self.net.run(10);
    }

    /// `n` asks the peer of a call to take its place in another.
    pub fn transfer_to(&mut self, n: usize, call: CallHandle, other: CallHandle) {
        let now = self.now();
        self.net.engine(n).transfer_to(now, call, other, Extras::default()).unwrap();
        self.net.run(0);
    }

    pub fn alert(&mut self, n: usize, call: CallHandle) {
        let now = self.now();
        self.net.engine(n).ring(now, call, 180, Extras::default()).unwrap();
        self.net.run(0);
    }

    pub fn answer(&mut self, n: usize, call: CallHandle) {
        let now = self.now();
        let extras = self.gives[n];
        self.net.engine(n).answer_call(now, call, extras).unwrap();
        self.net.run(10);
    }

    pub fn reject(&mut self, n: usize, call: CallHandle, status: u16) {
        let now = self.now();
        self.net.engine(n).reject(now, call, status, Extras::default()).unwrap();
        self.net.run(10);
    }

    pub fn hangup(&mut self, n: usize, call: CallHandle) {
        let now = self.now();
        self.net.engine(n).hangup(now, call).unwrap();
        self.net.run(10);
    }

    /// `b`, in `call`, refers its peer to `c`.
    pub fn refer(&mut self, call: CallHandle) {
        let now = self.now();
        self.net.engine(1).transfer(now, call, "sip:c@10.0.0.3", false, Extras::default()).unwrap();
        self.net.run(0);
    }

    /// `n` asks somebody outside any call to call somewhere.
    pub fn ask(&mut self, n: usize, (target, to): (&str, &str), headers: &[(&str, &str)]) {
        let (now, line) = (self.now(), self.lines[n]);
        let extras = Extras { headers, ..Extras::default() };
        self.net.engine(n).refer(now, line, target, to, 9, extras).unwrap();
        self.net.run(0);
    }

    /// How it goes what a phone has asked for so.
    pub fn replies(&self, n: usize) -> Vec<(u16, bool)> {
        let of = |s: &net::Said| match s.event {
            Event::Refer { user: 9, status, done } => Some((status, done)),
            _ => None,
        };
        self.net.nodes[n].said.iter().filter_map(of).collect()
    }

    /// The transfer that a phone is asked for last is accepted: the new call.
    pub fn accept(&mut self, n: usize) -> CallHandle {
        let now = self.now();
        let (request, _) = self.asked(n);
        let extras = self.gives[n];
        let new = self.net.engine(n).accept_transfer(now, request, 5, extras).unwrap();
        self.net.run(0);
        new
    }

    /// The transfer that a phone is asked for last.
    pub fn asked(&self, n: usize) -> (RequestHandle, Option<CallHandle>) {
        let found = self.net.nodes[n].said.iter().rev().find_map(|s| match s.event {
            Event::Transfer { request, call, .. } => Some((request, call)),
            _ => None,
        });
        found.unwrap()
    }

    /// The call that came in last.
    pub fn incoming(&self, n: usize) -> CallHandle {
        let of = |s: &net::Said| match s.event {
            Event::Call { call, change: CallChange::Incoming, .. } => Some(call),
            _ => None,
        };
        self.net.nodes[n].said.iter().rev().find_map(of).unwrap()
    }

    /// What changed in one call.
    pub fn changes(&self, n: usize, call: CallHandle) -> Vec<CallChange> {
        let of = |s: &net::Said| match s.event {
            Event::Call { call: c, change, .. } if c == call => Some(change),
            _ => None,
        };
        self.net.nodes[n].said.iter().filter_map(of).collect()
    }

    /// How the transfer goes that was asked for in a call.
    pub fn told(&self, n: usize, call: CallHandle) -> Vec<(u16, bool)> {
        let of = |c: CallChange| match c {
            CallChange::Transfer { status, done } => Some((status, done)),
            _ => None,
        };
        self.changes(n, call).into_iter().filter_map(of).collect()
    }

    /// Whether a call lives.
    pub fn lives(&self, n: usize, call: CallHandle) -> bool {
        self.net.nodes[n].engine.call_info(call).is_some()
    }

    /// The ladder without its times, from `skip` on.
    pub fn ladder(&self, skip: usize) -> Vec<String> {
        let bare = |l: &String| l.split_once(' ').unwrap().1.to_string();
        self.net.ladder().iter().skip(skip).map(bare).collect()
    }

    /// The texts of all messages with this label.
    pub fn sent(&self, label: &str) -> Vec<String> {
        let text = |s: &net::Sent| String::from_utf8_lossy(&s.bytes).into_owned();
        self.net.trace.iter().filter(|s| s.label() == label).map(text).collect()
    }

    /// A message from an address on the net.
    pub fn feed(&mut self, n: usize, from: sansip::Addr, text: &str) -> Seen {
        let now = self.now();
        let path = sansip::Path { local: net::LOCAL, remote: from, flow: None };
        let seen = self.net.engine(n).receive(now, path, text.as_bytes()).unwrap();
        self.net.run(0);
        seen
    }

    /// All calls are hung up; nothing is left anywhere.
    pub fn finish(&mut self) {
        for n in 0..self.net.nodes.len() {
            let now = self.now();
            self.net.engine(n).shutdown(now).unwrap();
        }
        self.net.finish();
        for node in &self.net.nodes {
            let s = node.engine.stats();
            assert_eq!(s.blocks, s.lines, "{} holds {s:?}", node.name);
        }
    }
}
