//! The verbs of a request that the application is asked about.

use crate::name_of;
use crate::peer::{Bench, LOCAL, Out, PEER};
use sansip::{
    Config, Error, Event, Extras, Input, Instant, LineHandle, Misuse, Output, Path, Query,
    RequestHandle, Retransmit, SendId, Target,
};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const BODY: Extras<'static> =
    Extras { headers: &[], content_type: "application/sdp", body: SDP.as_bytes(), media: None };
const BOB: &str = "<sip:bob@example.com>";

/// What a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A MESSAGE outside calls.
    Outside,
    /// A MESSAGE in a call.
    Inside,
    /// An UPDATE with an offer, in a call.
    Offer,
    /// A REFER outside calls.
    ReferOutside,
    /// A REFER in a call.
    Refer,
    /// One that the proxy asks about: no verb is for it.
    Routed,
}

const KINDS: [Kind; 6] =
    [Kind::Outside, Kind::Inside, Kind::Offer, Kind::ReferOutside, Kind::Refer, Kind::Routed];

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It waits, but not so long that a provisional response may go (RFC 4320 4.1).
    Early,
    Waits,
    /// The application has answered it provisionally.
    Provisional,
    /// The application has answered it.
    Answered,
    /// The application has refused it.
    Refused,
    /// Nobody has, and the engine did.
    TimedOut,
    /// So long ago that its transaction has ended.
    Over,
    /// The application has answered it, and its transaction has ended.
    AnsweredOver,
    /// Its call has ended by the peer's BYE.
    CallEnded,
    /// The answer could not be sent (ICMP).
    Unsent,
    /// The line is taken out.
    LineGone,
}

const FATES: [Fate; 11] = [
    Fate::Early,
    Fate::Waits,
    Fate::Provisional,
    Fate::Answered,
    Fate::Refused,
    Fate::TimedOut,
    Fate::Over,
    Fate::AnsweredOver,
    Fate::CallEnded,
    Fate::Unsent,
    Fate::LineGone,
];

/// Milliseconds after which a provisional response may go.
const LATER: u64 = 4_100;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum V {
    Provisional,
    Respond,
    Refuse,
    Accept,
    Reject,
    AddTargets,
}

const VERBS: [V; 6] = [V::Provisional, V::Respond, V::Refuse, V::Accept, V::Reject, V::AddTargets];

const TARGETS: &[Target<'static>] =
    &[Target { uri: "sip:carol@10.0.0.7", next_hop: "", q: 1, path: "", params: "" }];

fn input(verb: V, kind: Kind, request: RequestHandle) -> Input<'static> {
    let extras = if kind == Kind::Offer { BODY } else { Extras::default() };
    match verb {
        V::Provisional => Input::Respond { request, status: 100, extras: Extras::default() },
        V::Respond => Input::Respond { request, status: 200, extras },
        V::Refuse => Input::Respond { request, status: 486, extras: Extras::default() },
        V::Accept => Input::AcceptTransfer { request, user: 0, extras: Extras::default() },
        V::Reject => Input::RejectTransfer { request, status: 603 },
        V::AddTargets => Input::AddTargets { request, targets: TARGETS, more: false },
    }
}

/// The inputs that have a row here.
pub fn rows() -> Vec<String> {
    let none = RequestHandle::from_raw(0);
    VERBS.iter().map(|verb| name_of(&input(*verb, Kind::Outside, none))).collect()
}

const STATE: Error = Error::Misuse(Misuse::State);

/// RFC 3261 8.2.6, RFC 3515 2.4.2.
fn expected(kind: Kind, fate: Fate, verb: V) -> Result<(), Error> {
    let refer = matches!(kind, Kind::Refer | Kind::ReferOutside);
    match fate {
        // RFC 3261 16.5
        _ if kind == Kind::Routed && verb == V::AddTargets => return Ok(()),
        _ if kind == Kind::Routed => return Err(STATE),
        Fate::Answered | Fate::Refused | Fate::AnsweredOver | Fate::Unsent | Fate::Over => {
            return Err(Error::Gone);
        }
        _ => {}
    }
    let early = match fate {
        Fate::CallEnded => kind != Kind::Offer,
        _ => matches!(fate, Fate::Early | Fate::LineGone),
    };
    let fits = match verb {
        // A REFER is taken by its own verb; any other refuses it.
        V::Provisional | V::Respond if refer => return Err(Error::Misuse(Misuse::BadStatus)),
        V::Provisional if early => {
            return Err(Error::Misuse(Misuse::BadStatus));
        }
        V::Provisional | V::Respond | V::Refuse => true,
        V::Accept => refer && fate != Fate::LineGone,
        V::Reject => refer,
        V::AddTargets => false,
    };
    match fate {
        _ if !fits => Err(STATE),
        Fate::TimedOut => Err(Error::Late),
        // RFC 3261 15.1.2: what the engine answers 487.
        Fate::CallEnded if kind == Kind::Offer => Err(Error::Late),
        _ => Ok(()),
    }
}

struct World {
    bench: Bench,
    kind: Kind,
    request: RequestHandle,
    line: LineHandle,
    ok: Option<Out>,
    query: Option<sansip::QueryId>,
}

fn request(method: &str, to: &str, call_id: &str, cseq: u32, more: &str) -> String {
    let uri = if to.contains("carol") { "sip:carol@10.0.0.7" } else { "sip:bob@10.0.0.1" };
    let head = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{call_id}{cseq}{method}\r\nMax-Forwards: 70\r\nFrom: <sip:p@example.com>;tag=pt\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:p@10.0.0.9>\r\n"
    );
    if more == "sdp" {
        let length = SDP.len();
        return head
            + &format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{SDP}");
    }
    head + more + "Content-Length: 0\r\n\r\n"
}

impl World {
    fn new(kind: Kind) -> Self {
        let mut config = Config::new([5; 32]);
        config.ask_media = false;
        config.retransmit = Retransmit::Rfc;
        config.roles.proxy = kind == Kind::Routed;
        config.roles.registrar = false;
        let bench = Bench::new(config);
        let line = bench.line;
        let request = RequestHandle::from_raw(0);
        let mut world = Self { bench, kind, request, line, ok: None, query: None };
        if matches!(kind, Kind::Inside | Kind::Offer | Kind::Refer) {
            world.establish();
        }
        world.ask();
        world
    }

    fn establish(&mut self) {
        self.bench.ask(&request("INVITE", BOB, "call", 1, "sdp"));
        let (now, call) = (self.bench.at(), self.bench.call());
        self.bench.engine.answer_call(now, call, BODY).unwrap();
        let ok = self.bench.drain().remove(0);
        self.bench.ask(&request("ACK", ok.header("To"), "call", 1, ""));
        self.ok = Some(ok);
    }

    fn ask(&mut self) {
        let inside = self.ok.as_ref().map(|ok| ok.header("To").to_string());
        let refer = "Refer-To: <sip:carol@10.0.0.7>\r\n";
        let to = inside.as_deref().unwrap_or(BOB);
        let text = match self.kind {
            Kind::Outside => request("MESSAGE", to, "out", 1, ""),
            Kind::Inside => request("MESSAGE", to, "call", 2, ""),
            Kind::Offer => request("UPDATE", to, "call", 2, "sdp"),
            Kind::ReferOutside => request("REFER", to, "out", 1, refer),
            Kind::Refer => request("REFER", to, "call", 2, refer),
            Kind::Routed => request("MESSAGE", "<sip:carol@10.0.0.7>", "out", 1, ""),
        };
        if self.kind == Kind::Routed {
            return self.ask_proxy(&text);
        }
        self.bench.ask(&text);
        self.request = match self.bench.events.last() {
            Some(Event::Request { request, .. } | Event::Transfer { request, .. }) => *request,
            other => panic!("{:?}: {other:?}", self.kind),
        };
    }

    fn ask_proxy(&mut self, text: &str) {
        let path = Path { local: LOCAL, remote: PEER, flow: None };
        let now = self.bench.at();
        self.bench.engine.receive(now, path, text.as_bytes()).unwrap();
        while let Some(output) = self.bench.engine.poll() {
            if let Output::Query(id, Query::Route { request, .. }) = output {
                self.request = request;
                self.query = Some(id);
            }
        }
    }

    fn apply(&mut self, verb: V) -> Result<(), Error> {
        let now = self.bench.at();
        self.bench.engine.apply(now, &input(verb, self.kind, self.request)).map(drop)
    }

    /// The verb by which the application takes it.
    fn take(&mut self) {
        let refer = matches!(self.kind, Kind::Refer | Kind::ReferOutside);
        self.apply(if refer { V::Accept } else { V::Respond }).unwrap();
        self.bench.drain();
    }

    /// Whether this can happen to a request of this kind.
    fn happens(&mut self, fate: Fate) -> bool {
        let refer = matches!(self.kind, Kind::Refer | Kind::ReferOutside);
        match fate {
            Fate::Early => {}
            Fate::Waits => self.wait(LATER),
            _ if self.kind == Kind::Routed => return false,
            Fate::Provisional if refer => return false,
            Fate::Provisional => {
                self.wait(LATER);
                self.apply(V::Provisional).unwrap();
            }
            Fate::Answered => self.take(),
            Fate::Refused => self.apply(V::Refuse).unwrap(),
            Fate::TimedOut => self.wait(31_600),
            Fate::Over => self.wait(70_000),
            Fate::AnsweredOver => {
                self.take();
                self.wait(40_000);
            }
            Fate::CallEnded => {
                let Some(to) = self.ok.as_ref().map(|ok| ok.header("To").to_string()) else {
                    return false;
                };
                self.bench.ask(&request("BYE", &to, "call", 3, ""));
            }
            Fate::Unsent => {
                self.apply(V::Refuse).unwrap();
                self.bench.drain();
                let (now, send) = (self.bench.at(), SendId(self.request.raw()));
                let why = sansip::SendEnd::Unreachable;
                self.bench.engine.send_failed(now, send, why).unwrap();
            }
            Fate::LineGone => {
                let now = self.bench.at();
                self.bench.engine.remove_line(now, self.line).unwrap();
            }
        }
        true
    }

    /// So many milliseconds pass, and nothing is polled.
    fn wait(&mut self, ms: u64) {
        let end = self.bench.now + ms;
        while self.bench.now < end {
            self.bench.now = end.min(self.bench.now + 500);
            self.bench.engine.handle_timeout(Instant(self.bench.now)).unwrap();
        }
    }

    /// All that comes out from now on.
    fn rest(mut self) -> String {
        if self.kind == Kind::Routed {
            return String::new();
        }
        let events = self.bench.events.len();
        self.bench.drain();
        self.bench.run(300_000);
        let sent: Vec<&str> = self.bench.sent.iter().map(|o| o.text.as_str()).collect();
        format!("{}\n{:?}", sent.concat(), &self.bench.events[events..])
    }
}

#[test]
fn every_verb_of_a_request_works_or_says_whose_fault_it_is() {
    let mut wrong = Vec::new();
    let mut ran = 0;
    for (kind, fate) in KINDS.into_iter().flat_map(|k| FATES.map(|f| (k, f))) {
        let mut world = World::new(kind);
        if !world.happens(fate) {
            continue;
        }
        let untouched = world.rest();
        for verb in VERBS {
            let mut world = World::new(kind);
            world.happens(fate);
            let before = format!("{:?}", world.bench.engine.stats());
            let (got, wanted) = (world.apply(verb), expected(kind, fate, verb));
            ran += 1;
            if got != wanted {
                wrong.push(format!("{verb:?} of {kind:?} {fate:?}: {got:?}, not {wanted:?}"));
            } else if got.is_err() {
                let after = format!("{:?}", world.bench.engine.stats());
                if before != after || world.rest() != untouched {
                    wrong.push(format!("{verb:?} of {kind:?} {fate:?}: something changed"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {ran}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran >= 200, "{ran}");
}

#[test]
fn targets_come_too_late_for_a_request_that_is_answered() {
    let mut world = World::new(Kind::Routed);
    world.wait(100);
    let (now, query) = (world.bench.at(), world.query.unwrap());
    world.bench.engine.answer(now, query, sansip::Answer::Reject(403)).unwrap();
    let before = world.bench.engine.stats();
    assert_eq!(world.apply(V::AddTargets), Err(Error::Late));
    assert_eq!(before, world.bench.engine.stats());
    world.bench.drain();
    world.wait(40_000);
    assert_eq!(world.apply(V::AddTargets), Err(Error::Gone));
}

#[test]
fn a_request_that_nobody_told_of_is_gone() {
    for verb in VERBS {
        for raw in [0, 7, u64::MAX] {
            let mut world = World::new(Kind::Outside);
            world.request = RequestHandle::from_raw(raw);
            assert_eq!(world.apply(verb), Err(Error::Gone), "{verb:?} {raw}");
        }
    }
}
