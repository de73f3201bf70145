//! One engine against a peer that is written out by hand.
#![allow(dead_code)]

use sansip::{
    Addr, CallChange, CallHandle, Config, Engine, Event, Instant, Limits, LineConfig, LineHandle,
    Local, LocalId, Output, Path, Query, QueryId, Seen, Transport,
};

pub const LOCAL: LocalId = LocalId(1);
pub const PEER: Addr = Addr::v4(10, 0, 0, 9, 5060);

/// A datagram that the engine sent.
#[derive(Clone, Debug)]
pub struct Out {
    pub to: Addr,
    pub text: String,
}

impl Out {
    pub fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or("")
    }

    /// The values of a header field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.text
            .lines()
            .take_while(|l| !l.is_empty())
            .filter_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)))
            .map(|(_, v)| v)
            .collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or("")
    }

    pub fn branch(&self) -> &str {
        param(self.header("Via"), "branch")
    }

    pub fn to_tag(&self) -> &str {
        param(self.header("To"), "tag")
    }

    /// A response of the peer to this request of the engine's.
    pub fn answer(&self, status: &str, to_tag: &str, more: &str) -> String {
        let vias: String = self.all("Via").iter().map(|v| format!("Via: {v}\r\n")).collect();
        let tag = if to_tag.is_empty() || self.header("To").contains(";tag=") {
            String::new()
        } else {
            format!(";tag={to_tag}")
        };
        format!(
            "SIP/2.0 {status}\r\n{vias}From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{more}Content-Length: 0\r\n\r\n",
            self.header("From"),
            self.header("To"),
            self.header("Call-ID"),
            self.header("CSeq"),
        )
    }
}

pub fn param<'a>(value: &'a str, name: &str) -> &'a str {
    value
        .split(';')
        .filter_map(|p| p.split_once('='))
        .find(|(n, _)| *n == name)
        .map_or("", |(_, v)| v)
}

/// The engine and what it said.
pub struct Bench {
    pub engine: Engine,
    pub line: LineHandle,
    pub now: u64,
    pub sent: Vec<Out>,
    pub events: Vec<Event>,
    /// Questions for secrets: realm, algorithm and user.
    pub asked: Vec<(QueryId, String)>,
    /// Questions for media, with the offer.
    pub media_asked: Vec<(QueryId, String)>,
    /// What the call was to send and hear: our description and the peer's.
    pub media: Vec<String>,
    pub forgotten: usize,
}

impl Bench {
    pub fn new(config: Config) -> Self {
        let mut engine = Engine::new(config, &Limits::TESTER).unwrap();
        let bound = Addr::v4(10, 0, 0, 1, 5060);
        let local =
            Local { transport: Transport::Udp, bound, host: "10.0.0.1", port: 5060, network: 0 };
        engine.set_local(Instant(0), LOCAL, local).unwrap();
        let line = LineConfig {
            aor: "sip:bob@example.com",
            display: "",
            proxy: "",
            local: None,
            expires: 0,
            any: false,
            user: 0,
            ..LineConfig::default()
        };
        let line = engine.add_line(Instant(0), line).unwrap();
        Self {
            engine,
            line,
            now: 0,
            sent: Vec::new(),
            events: Vec::new(),
            asked: Vec::new(),
            media_asked: Vec::new(),
            media: Vec::new(),
            forgotten: 0,
        }
    }

    pub fn at(&self) -> Instant {
        Instant(self.now)
    }

    /// Takes what the engine has to say; returns what it sent just now.
    pub fn drain(&mut self) -> Vec<Out> {
        let mut fresh = Vec::new();
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit(t) => fresh.push(Out {
                    to: t.path.remote,
                    text: String::from_utf8_lossy(t.bytes).into_owned(),
                }),
                Output::Event(event, _) => self.events.push(event),
                Output::Media { media, .. } => {
                    let [local, remote] = [media.local, media.remote].map(String::from_utf8_lossy);
                    self.media.push(format!("{local}\n{remote}"));
                }
                Output::Query(id, Query::Media { offer, .. }) => {
                    self.media_asked.push((id, offer.to_string()));
                }
                Output::Query(id, Query::Credentials { realm, algorithm, user, .. }) => {
                    self.asked.push((id, format!("{realm} {} {user}", algorithm.name())));
                }
                Output::Forget(_) => self.forgotten += 1,
                other => panic!("{other:?}"),
            }
        }
        self.sent.extend(fresh.clone());
        fresh
    }

    pub fn feed(&mut self, text: &str) -> (Seen, Vec<Out>) {
        self.feed_from(PEER, text)
    }

    pub fn feed_from(&mut self, from: Addr, text: &str) -> (Seen, Vec<Out>) {
        let path = Path { local: LOCAL, remote: from, flow: None };
        let seen = self.engine.receive(Instant(self.now), path, text.as_bytes()).unwrap();
        (seen, self.drain())
    }

    /// What the engine sends in answer.
    pub fn ask(&mut self, text: &str) -> Vec<Out> {
        self.feed(text).1
    }

    pub fn run(&mut self, ms: u64) -> Vec<Out> {
        let end = self.now + ms;
        let mut fresh = self.drain();
        while let Some(at) = self.engine.next_timeout().filter(|t| t.0 <= end) {
            self.now = self.now.max(at.0);
            self.engine.handle_timeout(Instant(self.now)).unwrap();
            fresh.extend(self.drain());
        }
        self.now = end;
        fresh
    }

    pub fn finish(&mut self) {
        self.run(400_000);
        assert!(self.engine.is_quiescent(), "{:?}", self.engine.stats());
    }

    pub fn changes(&self) -> Vec<CallChange> {
        self.events
            .iter()
            .filter_map(|e| match e {
                Event::Call { change, .. } => Some(*change),
                _ => None,
            })
            .collect()
    }

    pub fn call(&self) -> CallHandle {
        self.events
            .iter()
            .rev()
            .find_map(|e| match e {
                Event::Call { call, .. } => Some(*call),
                _ => None,
            })
            .unwrap()
    }
}
