//! Answers to questions: what fits the question is taken once, what does not is `Misuse` and leaves
//! it open, and what comes too late is harmless.

use crate::name_of;
use sansip::{
    Addr, Answer, Config, Engine, Error, Extras, FlowId, Input, Instant, Limits, LineConfig, Local,
    LocalId, Misuse, Output, Path, Query, QueryId, Target, Transport,
};

const UDP: LocalId = LocalId(1);
const TCP: LocalId = LocalId(2);
const AT: Instant = Instant(1_000);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Q {
    Dns,
    Connect,
    Route,
    Locate,
    Store,
    Media,
    Credentials,
}

const QUESTIONS: [Q; 7] =
    [Q::Dns, Q::Connect, Q::Route, Q::Locate, Q::Store, Q::Media, Q::Credentials];

fn kind(query: &Query<'_>) -> Option<Q> {
    Some(match query {
        Query::Dns { .. } => Q::Dns,
        Query::Connect { .. } => Q::Connect,
        Query::Route { .. } => Q::Route,
        Query::Locate { .. } => Q::Locate,
        Query::Store { .. } => Q::Store,
        Query::Media { .. } => Q::Media,
        Query::Credentials { .. } => Q::Credentials,
        _ => return None,
    })
}

/// Each answer with the questions that it fits.
fn answers() -> Vec<(Answer<'static>, &'static [Q])> {
    const IPS: &[core::net::IpAddr] =
        &[core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 2))];
    const TARGETS: &[Target<'static>] =
        &[Target { uri: "sip:x@10.0.0.3", next_hop: "", q: 1, path: "", params: "" }];
    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    vec![
        (Answer::Addresses(IPS, 60), &[Q::Dns]),
        (Answer::NotFound, &[Q::Dns, Q::Route, Q::Locate, Q::Media, Q::Credentials]),
        (Answer::Failed, &QUESTIONS),
        (Answer::Description(SDP), &[Q::Media]),
        (Answer::Connected(FlowId(1)), &[Q::Connect]),
        (Answer::Route(TARGETS), &[Q::Route]),
        (Answer::Reject(403), &[Q::Route, Q::Locate, Q::Store]),
        (Answer::Located { version: 1, bindings: &[] }, &[Q::Locate]),
        (Answer::Stored, &[Q::Store]),
        (Answer::Conflict, &[Q::Store]),
        (Answer::Password("secret"), &[Q::Credentials]),
        (Answer::Ha1("00000000000000000000000000000000"), &[Q::Credentials]),
    ]
}

/// The inputs that have a row here.
pub fn rows() -> Vec<String> {
    let query = QueryId::from_raw(0);
    vec![name_of(&Input::Answer { query, answer: Answer::Failed })]
}

struct World {
    engine: Engine,
    query: QueryId,
    sent: Vec<String>,
    last: Option<QueryId>,
}

fn request(method: &str, uri: &str, to: &str, more: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKq\r\nMax-Forwards: 70\r\nFrom: <sip:p@example.com>;tag=pt\r\nTo: {to}\r\nCall-ID: q\r\nCSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

impl World {
    /// An engine that asks this.
    fn new(asks: Q) -> Self {
        let mut config = Config::new([8; 32]);
        config.domains = vec!["example.com".into()];
        config.dns = true;
        let mut engine = Engine::new(config, &Limits::TESTER).unwrap();
        for (id, transport) in [(UDP, Transport::Udp), (TCP, Transport::Tcp)] {
            let bound = Addr::v4(10, 0, 0, 1, 5060);
            let entry = Local { transport, bound, host: "10.0.0.1", port: 5060, network: 0 };
            engine.set_local(AT, id, entry).unwrap();
        }
        let query = QueryId::from_raw(0);
        let mut world = Self { engine, query, sent: Vec::new(), last: None };
        world.provoke(asks);
        world.query = world.last.unwrap_or_else(|| panic!("{asks:?} was not asked"));
        world
    }

    fn provoke(&mut self, asks: Q) {
        let contact = "Contact: <sip:p@10.0.0.9>\r\n";
        let to = "<sip:ann@example.com>";
        let line = LineConfig { aor: "sip:bob@10.0.0.8", ..LineConfig::default() };
        let line = self.engine.add_line(AT, line).unwrap();
        let extras = Extras { content_type: "text/plain", body: b"x", ..Extras::default() };
        let options = |engine: &mut Engine, target| {
            engine.options(AT, Some(line), target, 0, extras).unwrap();
        };
        match asks {
            Q::Dns => options(&mut self.engine, "sip:x@far.example"),
            Q::Connect => options(&mut self.engine, "sip:x@10.0.0.2;transport=tcp"),
            Q::Route => self.receive(&request("MESSAGE", "sip:x@far.example", to, "")),
            Q::Locate | Q::Store => {
                self.receive(&request("REGISTER", "sip:example.com", to, contact));
            }
            Q::Media => {
                let bare = Extras::default();
                self.engine.invite(AT, line, "sip:x@10.0.0.9", 0, bare).unwrap();
            }
            Q::Credentials => self.engine.register(AT, line).unwrap(),
        }
        self.drain();
        match asks {
            Q::Store => {
                let query = self.last.unwrap();
                let located = Answer::Located { version: 1, bindings: &[] };
                self.engine.answer(AT, query, located).unwrap();
            }
            Q::Credentials => {
                let fields: Vec<&str> = self.sent[0]
                    .lines()
                    .filter(|l| {
                        ["Via", "From", "To", "Call-ID", "CSeq"]
                            .contains(&l.split(':').next().unwrap())
                    })
                    .collect();
                let text = format!(
                    "SIP/2.0 401 No\r\n{}\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\nContent-Length: 0\r\n\r\n",
                    fields.join("\r\n")
                );
                self.receive(&text);
            }
            _ => {}
        }
        self.drain();
        if asks == Q::Connect {
            let remote = Addr::v4(10, 0, 0, 2, 5060);
            let info = sansip::FlowInfo {
                local: TCP,
                remote,
                transport: Transport::Tcp,
                accepted: false,
                names: &[],
            };
            self.engine.flow_opened(AT, FlowId(1), info).unwrap();
        } else {
            let info = sansip::FlowInfo {
                local: TCP,
                remote: Addr::v4(10, 0, 0, 77, 5060),
                transport: Transport::Tcp,
                accepted: true,
                names: &[],
            };
            self.engine.flow_opened(AT, FlowId(1), info).unwrap();
        }
    }

    fn receive(&mut self, text: &str) {
        let path = Path { local: UDP, remote: Addr::v4(10, 0, 0, 9, 5060), flow: None };
        self.engine.receive(AT, path, text.as_bytes()).unwrap();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit(t) => {
                    self.sent.push(String::from_utf8_lossy(t.bytes).into_owned());
                }
                Output::Query(id, query) => self.last = kind(&query).map(|_| id),
                _ => {}
            }
        }
    }

    fn answer(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        let query = self.query;
        self.engine.apply(AT, &Input::Answer { query, answer }).map(drop)
    }
}

#[test]
fn every_answer_to_every_question_is_taken_once_or_does_not_fit() {
    for question in QUESTIONS {
        for (answer, fits) in answers() {
            let mut world = World::new(question);
            let before = world.engine.stats();
            let got = world.answer(answer);
            if !fits.contains(&question) {
                assert_eq!(got, Err(Error::Misuse(Misuse::Answer)), "{answer:?} to {question:?}");
                assert_eq!(before, world.engine.stats(), "{answer:?} to {question:?}");
                // It is open still.
                assert_eq!(world.answer(Answer::Failed), Ok(()), "{question:?}");
                continue;
            }
            assert_eq!(got, Ok(()), "{answer:?} to {question:?}");
            let after = world.engine.stats();
            assert_ne!(before, after, "{answer:?} to {question:?} has no effect");
            for (second, _) in answers() {
                assert_eq!(world.answer(second), Ok(()), "{second:?} to {question:?}, answered");
                assert_eq!(after, world.engine.stats(), "{second:?} to {question:?}, answered");
            }
        }
    }
}

#[test]
fn an_answer_after_the_deadline_or_to_nothing_is_harmless() {
    for question in QUESTIONS {
        let mut world = World::new(question);
        world.engine.handle_timeout(Instant(40_000_000)).unwrap();
        world.drain();
        let nothing = QueryId::from_raw(77);
        for query in [world.query, nothing] {
            world.query = query;
            for (answer, _) in answers() {
                let before = world.engine.stats();
                assert_eq!(world.answer(answer), Ok(()), "{answer:?} to {question:?}");
                assert_eq!(before, world.engine.stats(), "{answer:?} to {question:?}");
            }
        }
    }
}

#[test]
fn a_connection_or_media_that_is_unusable_leaves_the_question_open() {
    let mut world = World::new(Q::Connect);
    let before = world.engine.stats();
    let flow = Answer::Connected(FlowId(99));
    assert_eq!(world.answer(flow), Err(Error::Misuse(Misuse::Flow)));
    assert_eq!(before, world.engine.stats());
    assert_eq!(world.answer(Answer::Connected(FlowId(1))), Ok(()));
    let mut world = World::new(Q::Media);
    let before = world.engine.stats();
    let stream = sansip::sdp::Stream {
        kind: sansip::sdp::Kind::Audio,
        port: 0,
        transport: "",
        codecs: &[],
        direction: sansip::sdp::Direction::SendRecv,
        bandwidth: 0,
        ptime: 0,
        crypto: "",
    };
    let address = core::net::IpAddr::from([10, 0, 0, 1]);
    let media = sansip::sdp::Media { address, streams: &[stream], bandwidth: 0 };
    assert_eq!(world.answer(Answer::Media(&media)), Err(Error::Misuse(Misuse::Media)));
    assert_eq!(before, world.engine.stats());
    assert_eq!(world.answer(Answer::NotFound), Ok(()));
}
