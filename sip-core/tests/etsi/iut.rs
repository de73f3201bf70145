//! The engine under test, as one phone, and what the tester sends it.

use std::net::{IpAddr, Ipv4Addr};

use sansip::auth::{Secret, check, ha1};
use sansip::header::Value as _;
use sansip::header::auth::{Algorithm, Credentials};
use sansip::sdp::{Codec, Direction, Kind, Media, Stream};
use sansip::wire::Span;
use sansip::{
    Addr, Answer, CallChange, CallHandle, Config, Engine, Event, Extras, FlowId, FlowInfo, Instant,
    Limits, LineConfig, LineHandle, Local, LocalId, Output, Path, Query, QueryId, Retransmit, Seen,
    Transport,
};

pub use crate::peer::{Out, param};

pub const UDP: LocalId = LocalId(1);
pub const TCP: LocalId = LocalId(2);
/// The tester.
pub const TESTER: Addr = Addr::v4(10, 0, 0, 9, 5060);
/// The tester's Contact.
pub const CONTACT: &str = "Contact: <sip:alice@10.0.0.9>\r\n";
/// A session description.
pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// Who asks for credentials, and what proves that they are the phone's.
pub const REALM: &str = "example.com";
pub const PASSWORD: &str = "zanzibar";

/// RFC 3261 annex A.
pub const T1: u64 = 500;
pub const T2: u64 = 4_000;
pub const T4: u64 = 5_000;

/// What the phone can hear and say.
const MEDIA: Media<'static> = Media {
    address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    streams: &[Stream {
        kind: Kind::Audio,
        port: 4_000,
        transport: "",
        codecs: &[Codec { payload: 0, name: "PCMU", clock: 8_000, channels: 0, fmtp: "" }],
        direction: Direction::SendRecv,
        bandwidth: 0,
        ptime: 0,
        crypto: "",
    }],
    bandwidth: 0,
};

/// What the engine waits for.
enum Wanted {
    Connection(QueryId, Addr),
    Media(QueryId, bool),
    Secret(QueryId),
}

/// One phone, on UDP or on TCP, and the virtual clock.
pub struct Iut {
    pub engine: Engine,
    pub line: LineHandle,
    pub now: u64,
    pub transport: Transport,
    flow: Option<FlowId>,
    call: Option<CallHandle>,
    pub events: Vec<Event>,
    /// The addresses that it asked a connection to.
    pub connects: Vec<(Addr, Transport)>,
    /// Whether it gets them.
    pub connectable: bool,
    /// Whether it has a password, and how often it was asked for it.
    pub secret: bool,
    pub asked: usize,
    /// Whether its first message has an offer.
    pub offers: bool,
    /// How often it told that a session was agreed on.
    pub agreed: usize,
}

impl Iut {
    pub fn udp() -> Self {
        Self::new(Transport::Udp)
    }

    /// With a connection from the tester.
    pub fn tcp() -> Self {
        let mut iut = Self::new(Transport::Tcp);
        iut.open(TESTER, true);
        iut
    }

    pub fn new(transport: Transport) -> Self {
        Self::with(transport, |_| {})
    }

    pub fn with(transport: Transport, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new([9; 32]);
        config.retransmit = Retransmit::Rfc;
        config.roles.proxy = false;
        config.roles.registrar = false;
        change(&mut config);
        let mut engine = Engine::new(config, &Limits::TESTER).unwrap();
        let bound = Addr::v4(10, 0, 0, 1, 5060);
        for (id, transport) in [(UDP, Transport::Udp), (TCP, Transport::Tcp)] {
            let local = Local { transport, bound, host: "10.0.0.1", port: 5060, network: 0 };
            engine.set_local(Instant(0), id, local).unwrap();
        }
        let line = LineConfig { aor: "sip:bob@example.com", ..LineConfig::default() };
        let line = engine.add_line(Instant(0), line).unwrap();
        Self {
            engine,
            line,
            now: 0,
            transport,
            flow: None,
            call: None,
            events: Vec::new(),
            connects: Vec::new(),
            connectable: true,
            secret: true,
            asked: 0,
            offers: true,
            agreed: 0,
        }
    }

    pub fn at(&self) -> Instant {
        Instant(self.now)
    }

    fn open(&mut self, remote: Addr, accepted: bool) -> FlowId {
        let flow = FlowId(self.flow.map_or(1, |f| f.0 + 1));
        let info = FlowInfo { local: TCP, remote, transport: Transport::Tcp, accepted, names: &[] };
        self.engine.flow_opened(Instant(self.now), flow, info).unwrap();
        self.flow = Some(flow);
        flow
    }

    /// Takes what the engine has to say, opens the connections that it asks for, and returns what
    /// it sent.
    pub fn drain(&mut self) -> Vec<Out> {
        let mut sent = Vec::new();
        loop {
            let mut wanted = None;
            while let Some(output) = self.engine.poll() {
                match output {
                    Output::Transmit(t) => {
                        assert_eq!(t.path.flow.is_some(), t.path.local == TCP);
                        sent.push(Out {
                            to: t.path.remote,
                            text: String::from_utf8_lossy(t.bytes).into_owned(),
                        });
                    }
                    Output::Event(event, _) => {
                        if let Event::Call { call, .. } = event {
                            self.call = Some(call);
                        }
                        self.events.push(event);
                    }
                    Output::Query(id, Query::Connect { to, transport, .. }) => {
                        self.connects.push((to, transport));
                        wanted = Some(Wanted::Connection(id, to));
                    }
                    Output::Query(id, Query::Media { offer, .. }) => {
                        wanted = Some(Wanted::Media(id, !offer.is_empty()));
                    }
                    Output::Query(id, Query::Credentials { realm, user, .. }) => {
                        assert_eq!((realm, user), (REALM, "bob"));
                        self.asked += 1;
                        wanted = Some(Wanted::Secret(id));
                    }
                    Output::Forget(_) => {}
                    Output::Media { .. } => self.agreed += 1,
                    other => panic!("{other:?}"),
                }
            }
            let now = Instant(self.now);
            let (id, answer) = match wanted {
                None => return sent,
                Some(Wanted::Connection(id, to)) if self.connectable => {
                    (id, Answer::Connected(self.open(to, false)))
                }
                Some(Wanted::Connection(id, _)) => (id, Answer::Failed),
                Some(Wanted::Media(id, offer)) if offer || self.offers => {
                    (id, Answer::Media(&MEDIA))
                }
                Some(Wanted::Media(id, _)) => (id, Answer::NotFound),
                Some(Wanted::Secret(id)) => match self.secret {
                    true => (id, Answer::Password(PASSWORD)),
                    false => (id, Answer::NotFound),
                },
            };
            self.engine.answer(now, id, answer).unwrap();
        }
    }

    /// Gives it bytes of the tester's.
    pub fn feed(&mut self, bytes: &[u8]) -> (Option<Seen>, Vec<Out>) {
        let now = Instant(self.now);
        if self.transport == Transport::Udp {
            let path = Path { local: UDP, remote: TESTER, flow: None };
            let seen = self.engine.receive(now, path, bytes).unwrap();
            return (Some(seen), self.drain());
        }
        let (mut sent, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let taken = self.engine.receive_stream(now, self.flow.unwrap(), &bytes[at..]).unwrap();
            let more = self.drain();
            if taken == 0 && more.is_empty() {
                break;
            }
            at += taken;
            sent.extend(more);
        }
        (None, sent)
    }

    /// What it sends in answer.
    pub fn ask(&mut self, text: &str) -> Vec<Out> {
        self.feed(text.as_bytes()).1
    }

    /// Lets so many milliseconds pass; what it sent, with the time since the beginning.
    pub fn watch(&mut self, ms: u64) -> Vec<(u64, Out)> {
        let (start, end) = (self.now, self.now + ms);
        let mut sent: Vec<_> = self.drain().into_iter().map(|o| (0, o)).collect();
        while let Some(at) = self.engine.next_timeout().filter(|t| t.0 <= end) {
            self.now = self.now.max(at.0);
            self.engine.handle_timeout(Instant(self.now)).unwrap();
            let passed = self.now - start;
            sent.extend(self.drain().into_iter().map(|o| (passed, o)));
        }
        self.now = end;
        sent
    }

    pub fn run(&mut self, ms: u64) -> Vec<Out> {
        self.watch(ms).into_iter().map(|(_, o)| o).collect()
    }

    /// When it sends this within so many milliseconds: `INVITE`, or a status.
    pub fn times(&mut self, label: &str, ms: u64) -> Vec<u64> {
        let sent = self.watch(ms);
        sent.iter().filter(|(_, o)| o.is(label)).map(|(t, _)| *t).collect()
    }

    // What the person at the phone does.

    pub fn target(&self) -> &'static str {
        match self.transport {
            Transport::Udp => "sip:alice@10.0.0.9",
            _ => "sip:alice@10.0.0.9;transport=tcp",
        }
    }

    /// Calls the tester with an offer; the INVITE.
    pub fn dial(&mut self) -> Out {
        let (now, target) = (self.at(), self.target());
        self.call = Some(self.engine.invite(now, self.line, target, 0, Extras::default()).unwrap());
        let mut sent = self.drain();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    /// A call of the phone's, answered by the tester whose tag is `at`: the INVITE and the ACK.
    pub fn called(&mut self, more: &str) -> (Out, Out) {
        let invite = self.dial();
        let mut sent = self.ask(&invite.accept("200 OK", "at", &format!("{CONTACT}{more}")));
        assert_eq!(labels(&sent), ["ACK"]);
        (invite, sent.remove(0))
    }

    pub fn ring(&mut self, status: u16) -> Out {
        let (call, now) = (self.call(), self.at());
        self.engine.ring(now, call, status, Extras::default()).unwrap();
        self.drain().remove(0)
    }

    pub fn answer(&mut self) -> Out {
        let (call, now) = (self.call(), self.at());
        self.engine.answer_call(now, call, Extras::default()).unwrap();
        self.drain().remove(0)
    }

    pub fn reject(&mut self, status: u16) -> Out {
        let (call, now) = (self.call(), self.at());
        self.engine.reject(now, call, status, Extras::default()).unwrap();
        self.drain().remove(0)
    }

    pub fn hangup(&mut self) -> Vec<Out> {
        let (call, now) = (self.call(), self.at());
        self.engine.hangup(now, call).unwrap();
        self.drain()
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

    pub fn last_change(&self) -> Option<CallChange> {
        self.changes().last().copied()
    }

    /// The call that was last placed or told of.
    pub fn call(&self) -> CallHandle {
        self.call.unwrap()
    }

    /// Time passes until nothing is left of what the test did.
    pub fn finish(&mut self) {
        self.run(400_000);
        assert!(self.engine.is_quiescent(), "{:?}", self.engine.stats());
    }
}

impl Out {
    /// Whether it is this request, or a response with this status.
    pub fn is(&self, label: &str) -> bool {
        let first = self.first_line();
        first.strip_prefix("SIP/2.0 ").unwrap_or(first).starts_with(label)
    }

    /// `INVITE`, or `200`.
    pub fn label(&self) -> &str {
        let first = self.first_line();
        first.strip_prefix("SIP/2.0 ").unwrap_or(first).split(' ').next().unwrap_or("")
    }

    pub fn request_uri(&self) -> &str {
        self.first_line().split(' ').nth(1).unwrap_or("")
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, b)| b)
    }

    /// As `answer`, with a session description.
    pub fn accept(&self, status: &str, to_tag: &str, more: &str) -> String {
        let typed = format!("{more}Content-Type: application/sdp\r\n");
        let length = format!("Content-Length: {}", SDP.len());
        self.answer(status, to_tag, &typed).replace("Content-Length: 0", &length) + SDP
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().unwrap().parse().unwrap()
    }

    pub fn tag_of_from(&self) -> &str {
        param(self.header("From"), "tag")
    }
}

/// A refusal that asks for credentials: 401, or a proxy's 407.
pub fn challenge(request: &Out, status: u16, nonce: &str, more: &str) -> String {
    let (status, name) = match status {
        401 => ("401 Unauthorized", "WWW-Authenticate"),
        _ => ("407 Proxy Authentication Required", "Proxy-Authenticate"),
    };
    let field =
        format!("{name}: Digest realm=\"{REALM}\", nonce=\"{nonce}\", qop=\"auth\"{more}\r\n");
    request.answer(status, "at", &field)
}

/// Whether a request proves that its sender knows the password.
pub fn proves(request: &Out, status: u16, nonce: &str) -> bool {
    let name = if status == 401 { "Authorization" } else { "Proxy-Authorization" };
    let value = request.header(name).as_bytes();
    let Ok(c) = Credentials::parse(value, Span::new(0, value.len())) else { return false };
    let secret = Secret::Password(PASSWORD.as_bytes());
    let hash = ha1(Algorithm::Md5, b"bob", REALM.as_bytes(), &secret).unwrap();
    c.nonce.is_some_and(|n| n.of(value) == nonce.as_bytes())
        && c.uri.is_some_and(|u| u.of(value) == request.request_uri().as_bytes())
        && check(value, &c, &hash, request.label().as_bytes(), request.body().as_bytes())
}

pub fn labels(sent: &[Out]) -> Vec<&str> {
    sent.iter().map(Out::label).collect()
}

/// A request of the tester's.
#[derive(Clone)]
pub struct Ask {
    pub method: &'static str,
    pub uri: String,
    pub via: String,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub cseq: u32,
    pub more: String,
    pub body: String,
}

impl Ask {
    /// An INVITE with an offer.
    pub fn invite() -> Self {
        Self {
            more: format!("{CONTACT}Content-Type: application/sdp\r\n"),
            body: SDP.into(),
            ..Self::new("INVITE")
        }
    }

    /// Another request outside a dialog.
    pub fn new(method: &'static str) -> Self {
        Self {
            method,
            uri: "sip:bob@10.0.0.1".into(),
            via: "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKask1".into(),
            from: "Alice <sip:alice@example.com>;tag=at".into(),
            to: "<sip:bob@example.com>".into(),
            call_id: "c1".into(),
            cseq: 10,
            more: String::new(),
            body: String::new(),
        }
    }

    pub fn more(mut self, more: &str) -> Self {
        self.more.push_str(more);
        self
    }

    /// The ACK for a final response other than a 2xx.
    pub fn ack(&self, response: &Out) -> Self {
        let to = response.header("To").into();
        Self { method: "ACK", to, more: String::new(), body: String::new(), ..self.clone() }
    }

    /// The CANCEL of it.
    pub fn cancel(&self) -> Self {
        Self { method: "CANCEL", more: String::new(), body: String::new(), ..self.clone() }
    }

    /// The next request of the dialog that `response` made; an ACK has its INVITE's number.
    pub fn next(&self, method: &'static str, cseq: u32, response: &Out) -> Self {
        let mut ask = self.ack(response);
        (ask.method, ask.cseq) = (method, cseq);
        ask.via = format!("SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{method}{cseq}");
        ask
    }

    pub fn text(&self) -> String {
        let Self { method, uri, via, from, to, call_id, cseq, more, body } = self;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}
