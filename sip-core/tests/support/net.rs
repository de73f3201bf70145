//! Engines on a wire, on a virtual clock.
#![allow(dead_code)]

use std::collections::VecDeque;

use sansip::{
    Addr, Answer, Binding, CallChange, CallHandle, Config, Engine, Event, Instant, Limits,
    LineConfig, LineHandle, Local, LocalId, Output, Path, Query, QueryId, Retransmit, Target,
    Transport,
};

std::thread_local! {
    /// Told when an engine is entered (true) and left (false).
    pub static WATCH: std::cell::Cell<Option<fn(bool)>> = const { std::cell::Cell::new(None) };
}

/// Runs one call into an engine.
pub fn enter<R>(call: impl FnOnce() -> R) -> R {
    let watch = WATCH.get();
    if let Some(watch) = watch {
        watch(true);
    }
    let result = call();
    if let Some(watch) = watch {
        watch(false);
    }
    result
}

/// What an engine said.
#[derive(Clone, Debug)]
pub struct Said {
    pub at: u64,
    pub event: Event,
    pub message: Vec<u8>,
}

/// One engine with its address.
pub struct Node {
    pub name: &'static str,
    pub addr: Addr,
    pub engine: Engine,
    pub said: Vec<Said>,
    /// What calls were to send and hear.
    pub media: Vec<Heard>,
    /// Open questions for media, with the offer.
    pub asked: Vec<(QueryId, String)>,
}

/// A change of a call's session.
#[derive(Clone, Debug)]
pub struct Heard {
    pub at: u64,
    pub call: CallHandle,
    pub local: String,
    pub remote: String,
}

/// A datagram that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: u64,
    pub from: Addr,
    pub to: Addr,
    pub bytes: Vec<u8>,
}

impl Sent {
    /// `INVITE` or `200 INVITE`.
    pub fn label(&self) -> String {
        label(&self.bytes)
    }
}

/// `INVITE` or `200 INVITE`.
pub fn label(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next().unwrap_or("");
    let mut words = first.split(' ');
    let start = words.next().unwrap_or("").to_string();
    if start != "SIP/2.0" {
        return start;
    }
    let method = text
        .lines()
        .find_map(|l| l.strip_prefix("CSeq: ").and_then(|v| v.split(' ').nth(1)))
        .unwrap_or("?");
    format!("{} {}", words.next().unwrap_or(""), method.trim())
}

/// What is asked for that the net answers by itself.
enum Ask {
    Name,
    Locate,
    Route,
}

/// After how many milliseconds each copy of a datagram arrives.
pub type Way = Box<dyn FnMut(&Sent) -> Vec<u64>>;

/// Engines and what travels between them.
pub struct Net {
    pub now: u64,
    pub nodes: Vec<Node>,
    pub trace: Vec<Sent>,
    /// What is on the wire, and when it arrives.
    queue: VecDeque<(u64, Sent)>,
    /// Questions that wait: the node, the question, and whether it is `Locate`.
    pub asked: Vec<(usize, QueryId, bool)>,
    /// Answers them.
    pub on_query: Option<fn(&mut Net)>,
    /// Users and their passwords, for every question about one.
    pub passwords: Vec<(&'static str, &'static str)>,
    /// Drops what it says true to.
    pub drop: Box<dyn FnMut(&Sent) -> bool>,
    /// When what is sent arrives; a lost one has no copy. At once if it is not set.
    pub way: Option<Way>,
    /// Parties that no engine plays.
    pub strangers: Vec<(&'static str, Addr)>,
    /// Where the users are whom a proxy is asked for: an address of record, and each place with its
    /// q. If set, who is not among them is where the Request-URI says.
    pub places: Vec<(&'static str, Vec<(String, u16)>)>,
    /// Whom a proxy does not let anybody call.
    pub screened: Vec<&'static str>,
    /// The addresses of names.
    pub names: Vec<(&'static str, Vec<Addr>)>,
}

pub const LOCAL: LocalId = LocalId(1);

pub fn config(seed: u8) -> Config {
    let mut config = Config::new([seed; 32]);
    config.ask_media = false;
    config.retransmit = Retransmit::Rfc;
    config
}

impl Net {
    pub fn new() -> Self {
        Self {
            now: 1_000,
            nodes: Vec::new(),
            trace: Vec::new(),
            queue: VecDeque::new(),
            asked: Vec::new(),
            on_query: None,
            passwords: Vec::new(),
            drop: Box::new(|_| false),
            way: None,
            strangers: Vec::new(),
            places: Vec::new(),
            screened: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Who has this address.
    pub fn name(&self, addr: &Addr) -> &'static str {
        let node = self.nodes.iter().find(|n| n.addr == *addr).map(|n| n.name);
        let stranger = || self.strangers.iter().find(|(_, a)| a == addr).map(|(n, _)| *n);
        node.or_else(stranger).unwrap_or("?")
    }

    /// Who has this address, as a URI carries it.
    pub fn named(&self, host: &str) -> Option<&'static str> {
        let ip: std::net::IpAddr = host.parse().ok()?;
        let nodes = self.nodes.iter().map(|n| (n.name, n.addr));
        nodes.chain(self.strangers.iter().copied()).find(|(_, a)| a.ip == ip).map(|(n, _)| n)
    }

    /// The address of a party, as a URI carries it.
    pub fn addr(&self, name: &str) -> String {
        let nodes = self.nodes.iter().map(|n| (n.name, n.addr));
        let found = nodes.chain(self.strangers.iter().copied()).find(|(n, _)| *n == name);
        found.map_or(String::new(), |(_, a)| a.ip.to_string())
    }

    /// By its name.
    pub fn is_proxy(&self, name: &str) -> bool {
        name.starts_with(['p', 'P']) || name == "ALG"
    }

    /// A stranger sends this.
    pub fn hand(&mut self, from: Addr, to: Addr, text: &str) {
        self.post(Sent { at: self.now, from, to, bytes: text.as_bytes().to_vec() });
        self.settle();
    }

    /// Answers a proxy's question for a user, and one for a name.
    fn look_up(&mut self, n: usize, (id, what, text): (QueryId, Ask, String)) {
        let now = Instant(self.now);
        let engine = &mut self.nodes[n].engine;
        let place = self.places.iter().find(|(aor, _)| *aor == text).map(|(_, p)| p);
        let screened = self.screened.iter().any(|s| text.starts_with(s));
        let answer = |engine: &mut Engine, a: Answer<'_>| enter(|| engine.answer(now, id, a));
        match what {
            Ask::Name => {
                let known = self.names.iter().find(|(name, _)| *name == text);
                let ips: Vec<_> =
                    known.map_or(Vec::new(), |(_, a)| a.iter().map(|a| a.ip).collect());
                answer(engine, Answer::Addresses(&ips, 60))
            }
            Ask::Locate => {
                let of = |(uri, q): &'_ (String, u16)| (uri.clone(), *q);
                let places: Vec<_> = place.map_or(Vec::new(), |p| p.iter().map(of).collect());
                let bindings: Vec<_> = places
                    .iter()
                    .map(|(uri, q)| Binding {
                        uri,
                        q: *q,
                        expires: 3_600,
                        call_id: "x",
                        cseq: 1,
                        ..Binding::default()
                    })
                    .collect();
                let bindings = if screened { &[][..] } else { &bindings };
                answer(engine, Answer::Located { version: 1, bindings })
            }
            Ask::Route if screened => answer(engine, Answer::Reject(403)),
            Ask::Route => {
                let there = Target { q: 1_000, ..Target::default() };
                answer(engine, Answer::Route(&[there]))
            }
        }
        .unwrap();
    }

    pub fn add(&mut self, name: &'static str, config: Config, limits: &Limits) -> usize {
        let n = self.nodes.len();
        let addr = Addr::v4(10, 0, 0, n as u8 + 1, 5060);
        let mut engine = Engine::new(config, limits).unwrap();
        let host = format!("10.0.0.{}", n + 1);
        let local =
            Local { transport: Transport::Udp, bound: addr, host: &host, port: 5060, network: 0 };
        engine.set_local(Instant(self.now), LOCAL, local).unwrap();
        let (said, media, asked) = (Vec::new(), Vec::new(), Vec::new());
        self.nodes.push(Node { name, addr, engine, said, media, asked });
        n
    }

    pub fn phone(&mut self, name: &'static str) -> (usize, LineHandle) {
        let seed = self.nodes.len() as u8 + 1;
        let mut config = config(seed);
        config.roles.proxy = false;
        config.roles.registrar = false;
        let n = self.add(name, config, &Limits::TESTER);
        let aor = format!("sip:{name}@10.0.0.{}", n + 1);
        let line = LineConfig {
            aor: &aor,
            display: "",
            proxy: "",
            local: None,
            expires: 0,
            any: false,
            user: 7,
            ..LineConfig::default()
        };
        let line = self.nodes[n].engine.add_line(Instant(self.now), line).unwrap();
        (n, line)
    }

    pub fn at(&self) -> Instant {
        Instant(self.now)
    }

    pub fn engine(&mut self, n: usize) -> &mut Engine {
        &mut self.nodes[n].engine
    }

    /// Sends what `settle` has polled on its way.
    fn post(&mut self, sent: Sent) {
        self.trace.push(sent.clone());
        if (self.drop)(&sent) {
            return;
        }
        let copies = self.way.as_mut().map_or(vec![0], |way| way(&sent));
        self.queue.extend(copies.into_iter().map(|after| (self.now + after, sent.clone())));
    }

    /// What arrives first of what has arrived by now.
    fn arrival(&mut self) -> Option<Sent> {
        let due = self.queue.iter().map(|(at, _)| *at).min().filter(|at| *at <= self.now)?;
        let first = self.queue.iter().position(|(at, _)| *at == due)?;
        self.queue.remove(first).map(|(_, sent)| sent)
    }

    /// Polls everybody until nothing comes and nothing more arrives now.
    pub fn settle(&mut self) {
        loop {
            let mut polled = Vec::new();
            let mut secrets = Vec::new();
            let mut asked = Vec::new();
            for (n, node) in self.nodes.iter_mut().enumerate() {
                while let Some(output) = enter(|| node.engine.poll()) {
                    match output {
                        Output::Transmit(t) => polled.push(Sent {
                            at: self.now,
                            from: node.addr,
                            to: t.path.remote,
                            bytes: t.bytes.to_vec(),
                        }),
                        Output::Event(event, message) => node.said.push(Said {
                            at: self.now,
                            event,
                            message: message.map_or(Vec::new(), |m| m.bytes().to_vec()),
                        }),
                        Output::Query(id, Query::Media { offer, .. }) => {
                            node.asked.push((id, offer.to_string()));
                        }
                        Output::Media { call, media, .. } => node.media.push(Heard {
                            at: self.now,
                            call,
                            local: String::from_utf8_lossy(media.local).into_owned(),
                            remote: String::from_utf8_lossy(media.remote).into_owned(),
                        }),
                        Output::Query(id, Query::Credentials { user, .. }) => {
                            let known = self.passwords.iter().find(|(u, _)| *u == user);
                            secrets.push((n, id, known.map(|(_, p)| *p)));
                        }
                        Output::Query(id, Query::Dns { name, .. }) if !self.names.is_empty() => {
                            asked.push((n, (id, Ask::Name, name.to_string())));
                        }
                        Output::Query(id, Query::Locate { aor, .. }) if !self.places.is_empty() => {
                            asked.push((n, (id, Ask::Locate, aor.to_string())));
                        }
                        Output::Query(id, Query::Route { uri, .. }) if !self.places.is_empty() => {
                            asked.push((n, (id, Ask::Route, uri.to_string())));
                        }
                        Output::Query(id, query) => {
                            self.asked.push((n, id, matches!(query, Query::Locate { .. })));
                        }
                        Output::Forget(_) => {}
                        other => panic!("{} at {}: {other:?}", node.name, self.now),
                    }
                }
            }
            polled.into_iter().for_each(|sent| self.post(sent));
            let now = Instant(self.now);
            let any = !secrets.is_empty() || !asked.is_empty();
            for (n, question) in asked {
                self.look_up(n, question);
            }
            for (n, id, password) in secrets {
                let answer = password.map_or(Answer::NotFound, Answer::Password);
                enter(|| self.nodes[n].engine.answer(now, id, answer)).unwrap();
            }
            if any {
                continue;
            }
            if let Some(answer) = self.on_query.filter(|_| !self.asked.is_empty()) {
                answer(self);
                continue;
            }
            let Some(sent) = self.arrival() else { return };
            let now = Instant(self.now);
            if let Some(node) = self.nodes.iter_mut().find(|n| n.addr == sent.to) {
                let path = Path { local: LOCAL, remote: sent.from, flow: None };
                enter(|| node.engine.receive(now, path, &sent.bytes)).unwrap();
            }
        }
    }

    /// Goes on to what happens next, if that is by then. Whether anything did.
    pub fn step(&mut self, end: u64) -> bool {
        let timers = self.nodes.iter().filter_map(|n| n.engine.next_timeout());
        let arrivals = self.queue.iter().map(|(at, _)| Instant(*at));
        let next = timers.chain(arrivals).min();
        let Some(next) = next.filter(|t| t.0 <= end) else { return false };
        self.now = self.now.max(next.0);
        let now = Instant(self.now);
        for node in &mut self.nodes {
            if node.engine.next_timeout().is_some_and(|t| t <= now) {
                enter(|| node.engine.handle_timeout(now)).unwrap();
            }
        }
        self.settle();
        true
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        self.settle();
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until nothing is pending anywhere.
    pub fn finish(&mut self) {
        self.run(400_000);
        assert!(self.queue.is_empty(), "something is on the wire for ever");
        for node in &self.nodes {
            assert!(node.engine.is_quiescent(), "{} holds {:?}", node.name, node.engine.stats());
        }
    }

    /// The ladder so far: time, from, to, label.
    pub fn ladder(&self) -> Vec<String> {
        let name = |a: &Addr| self.name(a);
        self.trace
            .iter()
            .map(|s| format!("{} {}>{} {}", s.at - 1_000, name(&s.from), name(&s.to), s.label()))
            .collect()
    }

    /// What changed in the calls of a node.
    pub fn changes(&self, n: usize) -> Vec<CallChange> {
        self.nodes[n]
            .said
            .iter()
            .filter_map(|s| match s.event {
                Event::Call { change, .. } => Some(change),
                _ => None,
            })
            .collect()
    }

    /// The last call that a node told of.
    pub fn call(&self, n: usize) -> CallHandle {
        self.nodes[n]
            .said
            .iter()
            .rev()
            .find_map(|s| match s.event {
                Event::Call { call, .. } => Some(call),
                _ => None,
            })
            .unwrap()
    }
}
