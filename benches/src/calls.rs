//! Whole calls between engines in one process: two phones, or two phones and a record-routing proxy.
//! Every message is carried as bytes; after each call the clock runs until nothing is left of it.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use sansip::sdp::{Codec, Direction, Kind, Media, Stream};
use sansip::{
    Addr, Answer, CallChange, CallHandle, Config, Engine, Event, Extras, Instant, Limits,
    LineConfig, LineHandle, Local, LocalId, Output, Path, Query, QueryId, Target, Transport,
};

use crate::Work;

/// The caller's session description.
pub const OFFER: &[u8] = b"v=0\r\n\
    o=maria 4011002345 4011002345 IN IP4 desk7.harbor.example.org\r\n\
    s=-\r\n\
    c=IN IP4 198.51.100.27\r\n\
    t=0 0\r\n\
    m=audio 40386 RTP/AVP 0 8 101\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\n\
    a=ptime:20\r\n";

/// The callee's session description.
pub const ANSWER: &[u8] = b"v=0\r\n\
    o=li 2208988800 2208988800 IN IP4 summit.example.org\r\n\
    s=-\r\n\
    c=IN IP4 203.0.113.8\r\n\
    t=0 0\r\n\
    m=audio 30110 RTP/AVP 0 8 101\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\n\
    a=ptime:20\r\n";

const LOCAL: LocalId = LocalId(1);
const CALLER: usize = 0;
const CALLEE: usize = 1;
const PROXY: usize = 2;

/// What travels, without an allocation a message.
#[derive(Default)]
struct Wire {
    bytes: Vec<u8>,
    sent: Vec<(Addr, Addr, Range<usize>)>,
    next: usize,
}

impl Wire {
    fn put(&mut self, from: Addr, to: Addr, message: &[u8]) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(message);
        self.sent.push((from, to, at..self.bytes.len()));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.sent.clear();
        self.next = 0;
    }
}

/// What a poll asked of its user.
enum Wish {
    Nothing,
    Answer(CallHandle),
    Route(QueryId),
}

/// What is done here is not counted: `report` tells callgrind so by this name.
#[unsafe(no_mangle)]
#[inline(never)]
fn sansip_aside(what: &mut dyn FnMut()) {
    what();
    // Keeps the call from being a jump, and the two functions from being one.
    black_box(1);
}

/// What is done here is counted again.
#[unsafe(no_mangle)]
#[inline(never)]
fn sansip_part(what: &mut dyn FnMut()) {
    what();
    black_box(2);
}

/// Engines on a wire without delay, on a virtual clock.
pub struct Calls {
    /// Whether the proxy alone is counted.
    proxy_only: bool,
    /// Whether the engines write the descriptions, from the media of the application's.
    negotiated: bool,
    engines: Vec<Engine>,
    addresses: Vec<Addr>,
    line: LineHandle,
    target: &'static str,
    wire: Wire,
    now: u64,
    messages: usize,
    confirmed: bool,
    /// How often a side was told what is agreed.
    agreed: usize,
}

impl Calls {
    /// Two phones, with so many calls between them that go on meanwhile.
    #[must_use]
    pub fn direct(live: usize) -> Self {
        Self::new(2, live, "")
    }

    /// Two phones whose engines write offers and answers themselves.
    #[must_use]
    pub fn negotiated() -> Self {
        Self { negotiated: true, ..Self::direct(0) }
    }

    /// Two phones and a proxy between them that stays in the path of every dialog.
    #[must_use]
    pub fn through_proxy(live: usize) -> Self {
        Self::new(3, live, "sip:10.0.0.3:5060;lr")
    }

    /// The same, of which only what the proxy does is counted.
    #[must_use]
    pub fn proxy_alone(live: usize) -> Self {
        Self { proxy_only: true, ..Self::through_proxy(live) }
    }

    fn new(count: usize, live: usize, proxy: &str) -> Self {
        let limits = limits(live);
        let mut engines: Vec<Engine> = (0..count).map(|who| engine(who, &limits)).collect();
        let mut lines = [CALLER, CALLEE].map(|who| {
            let aor = ["sip:maria@10.0.0.1", "sip:li@10.0.0.2"][who];
            let line = LineConfig {
                aor,
                display: "",
                proxy,
                local: Some(LOCAL),
                expires: 0,
                any: false,
                user: 0,
                ..LineConfig::default()
            };
            Some(engines[who].add_line(Instant(1_000), line).expect("a line"))
        });
        let mut calls = Self {
            proxy_only: false,
            negotiated: false,
            engines,
            addresses: (0..count).map(address).collect(),
            line: lines[CALLER].take().expect("a line"),
            target: "sip:li@10.0.0.2",
            wire: Wire { bytes: Vec::with_capacity(65_536), sent: Vec::with_capacity(64), next: 0 },
            now: 1_000,
            messages: 0,
            confirmed: false,
            agreed: 0,
        };
        for _ in 0..live {
            calls.set_up();
        }
        calls.rest();
        calls
    }

    /// One call from INVITE to the ACK; the caller's handle.
    pub(crate) fn set_up(&mut self) -> CallHandle {
        let now = Instant(self.now);
        let (line, target) = (self.line, self.target);
        let offer = describes(self.negotiated, &CALLER_MEDIA, OFFER);
        let call = self.engines[CALLER].invite(now, line, target, 0, offer).expect("room");
        self.confirmed = false;
        self.settle();
        assert!(self.confirmed, "the call is up");
        call
    }

    /// One call from INVITE to the 180, which is never answered.
    pub(crate) fn ring(&mut self) {
        let now = Instant(self.now);
        let (line, target) = (self.line, self.target);
        self.engines[CALLER].invite(now, line, target, 0, sdp(OFFER)).expect("room");
        self.deliver(|engine, now, call| {
            engine.ring(now, call, 180, Extras::default()).expect("room");
        });
    }

    fn whole(&mut self) {
        let call = self.set_up();
        self.engines[CALLER].hangup(Instant(self.now), call).expect("room");
        self.settle();
        self.rest();
    }

    fn settle(&mut self) {
        let answer = describes(self.negotiated, &CALLEE_MEDIA, ANSWER);
        self.deliver(|engine, now, call| {
            engine.ring(now, call, 180, Extras::default()).expect("room");
            engine.answer_call(now, call, answer).expect("room");
        });
    }

    /// Polls everybody and carries what they send until nobody has anything.
    fn deliver(&mut self, answer: impl Fn(&mut Engine, Instant, CallHandle)) {
        let now = Instant(self.now);
        loop {
            for who in 0..self.engines.len() {
                loop {
                    match self.drain(who) {
                        Wish::Nothing => break,
                        Wish::Answer(call) => answer(&mut self.engines[who], now, call),
                        Wish::Route(query) => {
                            let stay = [Target { q: 1_000, ..Target::default() }];
                            let answer = Answer::Route(&stay);
                            self.at(who, |e| e.answer(now, query, answer).expect("room"));
                        }
                    }
                }
            }
            let Some((from, to, at)) = self.wire.sent.get(self.wire.next).cloned() else { break };
            self.wire.next += 1;
            let path = Path { local: LOCAL, remote: from, flow: None };
            let who = self.addresses.iter().position(|a| *a == to).expect("somebody there");
            let wire = std::mem::take(&mut self.wire);
            self.at(who, |engine| {
                engine.receive(now, path, &wire.bytes[at.clone()]).expect("room");
            });
            self.wire = wire;
        }
        self.messages += self.wire.sent.len();
        self.wire.clear();
    }

    /// Does something with one engine, counted if it is the proxy's or all are.
    fn at(&mut self, who: usize, mut what: impl FnMut(&mut Engine)) {
        let engine = &mut self.engines[who];
        if self.proxy_only && who == PROXY {
            sansip_part(&mut || what(engine));
        } else {
            what(engine);
        }
    }

    /// Polls one engine until it wants something or has nothing.
    fn drain(&mut self, who: usize) -> Wish {
        let counted = self.proxy_only && who == PROXY;
        while let Some(output) = poll(&mut self.engines[who], counted) {
            match output {
                Output::Transmit(t) => self.wire.put(self.addresses[who], t.path.remote, t.bytes),
                Output::Query(id, Query::Route { .. }) => return Wish::Route(id),
                Output::Media { .. } => self.agreed += 1,
                Output::Event(Event::Call { call, change, .. }, _) => match change {
                    CallChange::Incoming => return Wish::Answer(call),
                    CallChange::Confirmed => self.confirmed = true,
                    _ => {}
                },
                _ => {}
            }
        }
        Wish::Nothing
    }

    /// Lets the clock run over everything that calls which have ended left behind.
    pub(crate) fn rest(&mut self) {
        // The longest is 64*T1 of timers H, J, L and M, and some for what they start.
        let end = self.now + 64 * 500 + 8_000;
        loop {
            let next = self.engines.iter().filter_map(Engine::next_timeout).min();
            let Some(next) = next.filter(|t| t.0 <= end) else { break };
            self.now = self.now.max(next.0);
            for who in 0..self.engines.len() {
                if self.engines[who].next_timeout().is_some_and(|t| t <= next) {
                    self.at(who, |e| e.handle_timeout(next).expect("room"));
                }
            }
            self.settle();
        }
        self.now = end;
    }

    /// The engines: caller, callee, and the proxy if there is one.
    #[must_use]
    pub fn engines(&self) -> &[Engine] {
        &self.engines
    }
}

impl Work for Calls {
    fn check(&mut self) {
        let before: Vec<_> = self.engines.iter().map(Engine::stats).collect();
        self.messages = 0;
        self.whole();
        if self.negotiated {
            assert_eq!(std::mem::take(&mut self.agreed), 2, "both sides are told of the media");
        }
        // Through the proxy each message goes twice, and the proxy answers the INVITE with 100.
        assert_eq!(self.messages, if self.engines.len() > PROXY { 13 } else { 6 });
        for (engine, before) in self.engines.iter().zip(before) {
            let after = engine.stats();
            assert_eq!((after.calls, after.dialogs), (before.calls, before.dialogs));
            assert_eq!((after.transactions, after.forks), (before.transactions, before.forks));
            assert_eq!((after.timers, after.blocks), (before.timers, before.blocks));
        }
    }

    fn run(&mut self, n: u32) {
        if self.proxy_only {
            sansip_aside(&mut || (0..n).for_each(|_| self.whole()));
        } else {
            (0..n).for_each(|_| self.whole());
        }
    }
}

fn poll(engine: &mut Engine, counted: bool) -> Option<Output<'_>> {
    if !counted {
        return engine.poll();
    }
    let mut engine = Some(engine);
    let mut output = None;
    sansip_part(&mut || output = engine.take().and_then(Engine::poll));
    output
}

/// Room for so many calls at once, and some.
fn limits(live: usize) -> Limits {
    let calls = live + 20;
    Limits {
        calls,
        calls_in: calls,
        dialogs: 2 * calls,
        transactions: 6 * calls,
        attempts: 3 * calls,
        forks: 3 * calls,
        pool: (live * 12_000).max(4 << 20),
        ..Limits::TESTER
    }
}

fn address(who: usize) -> Addr {
    Addr::v4(10, 0, 0, who as u8 + 1, 5060)
}

fn engine(who: usize, limits: &Limits) -> Engine {
    let mut config = Config::new([who as u8 + 1; 32]);
    config.ask_media = false;
    // A refresh of the calls that go on meanwhile is no part of a call's cost.
    config.session_expires = 0;
    config.roles.ua = who != PROXY;
    config.roles.proxy = who == PROXY;
    config.roles.registrar = false;
    let mut engine = Engine::new(config, limits).expect("room");
    let (bound, host) = (address(who), format!("10.0.0.{}", who + 1));
    let local = Local { transport: Transport::Udp, bound, host: &host, port: 5060, network: 0 };
    engine.set_local(Instant(1_000), LOCAL, local).expect("a local identity");
    engine
}

const fn codec(payload: u8, name: &'static str, fmtp: &'static str) -> Codec<'static> {
    Codec { payload, name, clock: 8_000, channels: 1, fmtp }
}

const CODECS: [Codec<'static>; 3] =
    [codec(0, "PCMU", ""), codec(8, "PCMA", ""), codec(101, "telephone-event", "0-15")];

const fn media(streams: &'static [Stream<'static>], last: u8) -> Media<'static> {
    let address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, last));
    Media { address, streams, bandwidth: 0 }
}

const fn audio(port: u16) -> Stream<'static> {
    Stream {
        kind: Kind::Audio,
        port,
        transport: "",
        codecs: &CODECS,
        direction: Direction::SendRecv,
        bandwidth: 0,
        ptime: 20,
        crypto: "",
    }
}

const CALLER_MEDIA: Media<'static> = media(&[audio(40_386)], 27);
const CALLEE_MEDIA: Media<'static> = media(&[audio(30_110)], 8);

/// What a side says of its session: its media, or its own description.
fn describes<'a>(negotiated: bool, media: &'a Media<'a>, own: &'a [u8]) -> Extras<'a> {
    if negotiated { Extras { media: Some(media), ..Extras::default() } } else { sdp(own) }
}

fn sdp(body: &[u8]) -> Extras<'_> {
    Extras { headers: &[], content_type: "application/sdp", body, media: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_leaves_nothing_also_beside_others() {
        for live in [0, 3] {
            let mut calls = Calls::direct(live);
            calls.check();
            calls.run(3);
            assert_eq!(calls.engines[CALLER].stats().calls, live);
        }
    }

    #[test]
    fn engines_that_are_given_media_agree_on_both_sides() {
        let mut calls = Calls::negotiated();
        calls.check();
        calls.run(2);
        assert_eq!(calls.agreed, 4);
    }

    #[test]
    fn a_call_through_the_proxy_is_thirteen_messages() {
        let mut calls = Calls::through_proxy(1);
        calls.check();
        calls.run(3);
    }
}
