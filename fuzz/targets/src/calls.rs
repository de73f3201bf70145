//! Calls that stand or ring, a peer that knows their dialogs, and every verb of a call: re-INVITE,
//! UPDATE, PRACK, hold, transfer, challenges and session timers in any order, from both sides. A
//! refused input changes nothing; a call ends once; and when time goes by, nothing is left.

use sansip::wire::{MessageRef, Name, ResponseParts, response};
use sansip::{
    Addr, Answer, CallChange, CallHandle, Config, Engine, Event, Extras, Input, Instant, Leaves,
    Limits, LineConfig, LineHandle, Local, LocalId, Output, Path, Policy, Query, QueryId, Reliable,
    RequestHandle, Retransmit, Ringing, Transfers, Transport,
};

use crate::program::Program;

const UDP: LocalId = LocalId(1);
const PEER: Addr = Addr::v4(10, 0, 0, 2, 5060);
const DAY: u64 = 24 * 3_600 * 1_000;
const STATUSES: &[u16] = &[
    200, 200, 200, 180, 183, 199, 202, 302, 401, 407, 408, 415, 420, 421, 422, 481, 486, 487, 488,
    491, 500, 503,
];
const METHODS: &[&str] = &[
    "INVITE", "INVITE", "UPDATE", "UPDATE", "PRACK", "PRACK", "REFER", "REFER", "NOTIFY", "NOTIFY",
    "ACK", "ACK", "CANCEL", "BYE", "MESSAGE", "INFO", "OPTIONS",
];
const SDPS: &[&str] = &[
    "",
    "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
    "v=0\r\no=- 1 2 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n",
    "v=0\r\no=- 1 3 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4002 RTP/AVP 8\r\nm=video 4004 RTP/AVP 31\r\n",
    "v=0\r\nnot a description",
];
const FIELDS: &[&str] = &[
    "",
    "",
    "",
    "Supported: 100rel, timer, from-change\r\n",
    "Require: 100rel\r\n",
    "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n",
    "Session-Expires: 90;refresher=uas\r\nRequire: timer\r\n",
    "Min-SE: 200\r\n",
    "Refer-Sub: false\r\n",
    "Retry-After: 1\r\n",
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n",
    "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\"\r\n",
    "Authentication-Info: nextnonce=\"m\"\r\n",
    "Unsupported: 100rel, timer\r\n",
    "Require: timer\r\n",
    "Alert-Info: <urn:x>;info=alert-autoanswer\r\n",
];
const TARGETS: &[&str] = &[
    "sip:carol@10.0.0.3",
    "sip:carol@10.0.0.2",
    "sip:bob@10.0.0.1",
    "sips:x@10.0.0.3",
    "nonsense",
];
const FRAGMENTS: &[&str] =
    &["SIP/2.0 100 Trying", "SIP/2.0 180 R", "SIP/2.0 200 OK", "SIP/2.0 486 No", "x"];

/// A dialog as the peer has it.
#[derive(Clone, Debug)]
struct Dialog {
    id: String,
    theirs: String,
    ours: String,
    seq: u32,
    /// The number of the last INVITE of the peer's, and its branch.
    invite: (u32, String),
    /// What a PRACK acknowledges.
    rack: Option<String>,
}

struct World<'a> {
    program: Program<'a>,
    engine: Engine,
    now: Instant,
    line: LineHandle,
    dialogs: Vec<Dialog>,
    /// Requests of the engine's that the peer may answer.
    asked: Vec<Vec<u8>>,
    calls: Vec<CallHandle>,
    ended: Vec<CallHandle>,
    requests: Vec<RequestHandle>,
    queries: Vec<QueryId>,
    branch: u32,
    trace: bool,
}

/// The first bytes choose the settings, the rest what happens.
pub fn run(data: &[u8]) {
    let Some(mut world) = World::new(Program::new(data)) else { return };
    for _ in 0..300 {
        let Some(op) = world.program.byte() else { break };
        world.step(op);
    }
    world.finish();
}

fn field(m: &MessageRef<'_>, name: Name) -> String {
    m.header(name).map_or(String::new(), |v| String::from_utf8_lossy(v).into_owned())
}

impl<'a> World<'a> {
    fn new(mut program: Program<'a>) -> Option<Self> {
        let mut config = Config::new([9; 32]);
        config.roles.proxy = false;
        config.roles.registrar = false;
        config.retransmit = Retransmit::Rfc;
        config.ask_media = program.small() & 3 == 0;
        config.transfers = program.pick(&[Transfers::Ask, Transfers::Accept, Transfers::Refuse]);
        config.transferor_leaves =
            program.pick(&[Leaves::OnFinalNotify, Leaves::OnAccepted, Leaves::Never]);
        config.transfer_ringing = program.pick(&[Ringing::Wait, Ringing::Replaces, Ringing::Blind]);
        config.reliable = program.pick(&[
            Reliable::WithBody,
            Reliable::Always,
            Reliable::Require,
            Reliable::Never,
        ]);
        config.session_expires = program.pick(&[0, 90, 1_800]);
        let small = program.small() & 3 == 0;
        let base = if small { Limits::TINY } else { Limits::PHONE };
        let mut engine = Engine::new(config, &base).ok()?;
        let bound = Addr::v4(10, 0, 0, 1, 5060);
        let entry =
            Local { transport: Transport::Udp, bound, host: "10.0.0.1", port: 5060, network: 0 };
        engine.set_local(Instant(0), UDP, entry).ok()?;
        let line = LineConfig { aor: "sip:bob@example.com", any: true, ..LineConfig::default() };
        let line = engine.add_line(Instant(0), line).ok()?;
        let auto = program.pick(&[
            sansip::AutoAnswer::Never,
            sansip::AutoAnswer::Asked,
            sansip::AutoAnswer::Always,
        ]);
        let follow = program.pick(&[sansip::Follow::Never, sansip::Follow::Ask]);
        let policy = Policy { auto_answer: auto, follow, ..Policy::default() };
        engine.set_policy(Instant(0), line, policy).ok()?;
        Some(World {
            program,
            engine,
            now: Instant(1_000),
            line,
            dialogs: Vec::new(),
            asked: Vec::new(),
            calls: Vec::new(),
            ended: Vec::new(),
            requests: Vec::new(),
            queries: Vec::new(),
            branch: 0,
            trace: std::env::var_os("FUZZ_TRACE").is_some(),
        })
    }

    fn step(&mut self, op: u8) {
        match op % 16 {
            0 => self.receive_invite(),
            1..=4 => self.receive_in_dialog(),
            5..=7 => self.receive_response(),
            8..=12 => self.verb(),
            13 => self.answer(),
            14 => self.jump(),
            _ => self.pass(),
        }
        // One input in eight meets outputs that still wait.
        if op < 224 {
            self.drain();
        }
    }

    fn apply(&mut self, input: &Input<'_>) {
        let before = self.engine.stats();
        let done = self.engine.apply(self.now, input);
        if self.trace {
            let text = match input {
                Input::Receive { message, .. } => String::from_utf8_lossy(message).into_owned(),
                other => format!("{other:?}"),
            };
            eprintln!("{:?} <- {text}\n{done:?} {:?}", self.now, self.engine.stats());
        }
        if done.is_err() {
            assert_eq!(before, self.engine.stats(), "{done:?} for {input:?}");
        }
        if let Ok(sansip::Done::Call(call)) = done {
            self.calls.push(call);
        }
    }

    fn receive(&mut self, text: &str) {
        let path = Path { local: UDP, remote: PEER, flow: None };
        self.apply(&Input::Receive { path, message: text.as_bytes() });
    }

    fn new_branch(&mut self) -> String {
        self.branch += 1;
        format!("z9hG4bKp{}", self.branch)
    }

    /// Fields and a body, as a message ends.
    fn tail(&mut self) -> String {
        let fields = self.program.pick(FIELDS);
        let body = self.program.pick(SDPS);
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!("{fields}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    fn receive_invite(&mut self) {
        let branch = self.new_branch();
        let tail = self.tail();
        let joins = self.program.small();
        let other = self.program.pick_any(&(0..self.dialogs.len()).collect::<Vec<_>>());
        let joins = match other.and_then(|n| self.dialogs.get(n)).filter(|_| joins & 3 == 0) {
            Some(d) => {
                let tag = |v: &str| v.split("tag=").nth(1).unwrap_or("").to_string();
                let name = if joins & 4 == 0 { "Replaces" } else { "Join" };
                let (to, from) = (tag(&d.ours), tag(&d.theirs));
                format!("{name}: {};to-tag={to};from-tag={from}\r\n", d.id)
            }
            None => String::new(),
        };
        let text = format!(
            "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch={branch}\r\nMax-Forwards: 70\r\nFrom: <sip:p@example.com>;tag=p{}\r\nTo: <sip:bob@example.com>\r\nCall-ID: i{}\r\nCSeq: 1 INVITE\r\nContact: <sip:p@10.0.0.2>\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, REFER, NOTIFY\r\n{joins}{tail}",
            self.branch, self.branch
        );
        self.receive(&text);
    }

    /// The number of a dialog, if there is any.
    fn dialog(&mut self) -> Option<usize> {
        let n = self.program.small();
        (!self.dialogs.is_empty()).then(|| n % self.dialogs.len())
    }

    fn receive_in_dialog(&mut self) {
        let Some(n) = self.dialog() else { return };
        let method = self.program.pick(METHODS);
        let lower = self.program.small() > 250;
        let fresh = self.new_branch();
        let d = &mut self.dialogs[n];
        let (number, branch) = match method {
            "ACK" => (d.invite.0, fresh),
            "CANCEL" => d.invite.clone(),
            _ => {
                d.seq = if lower { d.seq.saturating_sub(1) } else { d.seq + 1 };
                (d.seq, fresh)
            }
        };
        if method == "INVITE" {
            d.invite = (number, branch.clone());
        }
        let (id, theirs, ours, rack) =
            (d.id.clone(), d.theirs.clone(), d.ours.clone(), d.rack.clone());
        let (more, tail) = match method {
            "NOTIFY" => {
                let body = self.program.pick(FRAGMENTS);
                let state = self.program.pick(&["active", "terminated;reason=noresource"]);
                let more = format!(
                    "Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n"
                );
                (more, format!("Content-Length: {}\r\n\r\n{body}", body.len()))
            }
            "REFER" => (format!("Refer-To: {}\r\n", self.refer_to()), self.tail()),
            "PRACK" => (rack.map_or(String::new(), |r| format!("RAck: {r}\r\n")), self.tail()),
            "ACK" | "CANCEL" | "BYE" if lower => (String::new(), self.tail()),
            "CANCEL" | "BYE" => (String::new(), "Content-Length: 0\r\n\r\n".into()),
            _ => (String::new(), self.tail()),
        };
        let text = format!(
            "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch={branch}\r\nMax-Forwards: 70\r\nFrom: {theirs}\r\nTo: {ours}\r\nCall-ID: {id}\r\nCSeq: {number} {method}\r\nContact: <sip:p@10.0.0.2>\r\n{more}{tail}"
        );
        self.receive(&text);
    }

    fn refer_to(&mut self) -> String {
        let target = self.program.pick(TARGETS);
        match self.dialog().filter(|n| n & 1 == 0).and_then(|n| self.dialogs.get(n)) {
            Some(d) => {
                let tag = |v: &str| v.split("tag=").nth(1).unwrap_or("").to_string();
                let (to, from) = (tag(&d.theirs), tag(&d.ours));
                format!("<{target}?Replaces={}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}>", d.id)
            }
            None => format!("<{target}>"),
        }
    }

    fn receive_response(&mut self) {
        let back = self.program.small() % 4;
        let status = self.program.pick(STATUSES);
        let tag = self.program.pick(&["r1", "r1", "r1", "r2"]);
        let (fields, body) = (self.program.pick(FIELDS), self.program.pick(SDPS));
        let rseq = self.program.small();
        let Some(at) = self.asked.len().checked_sub(1 + back) else { return };
        let Some(request) = MessageRef::lazy(&self.asked[at]) else { return };
        let parts = ResponseParts {
            to_tag: Some(tag.as_bytes()),
            contact: Some(b"<sip:p@10.0.0.2>"),
            record_route: true,
            ..ResponseParts::default()
        };
        let mut out = vec![0; 8_192];
        let Ok(len) = response(&mut out, &request, status, None, &parts) else { return };
        let text = String::from_utf8_lossy(&out[..len]).into_owned();
        let mut head = text.replace("Content-Length: 0\r\n\r\n", fields);
        if (101..200).contains(&status) && rseq & 1 == 1 {
            head += &format!("Require: 100rel\r\nRSeq: {}\r\n", rseq >> 1);
        }
        if status >= 300 || body.is_empty() {
            head += "Content-Length: 0\r\n\r\n";
        } else {
            head += &format!(
                "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
        if self.program.small() & 7 == 0 {
            head = head.replacen("Contact: ", "Allow: INVITE, ACK, BYE, CANCEL\r\nContact: ", 1);
        } else {
            head = head.replacen(
                "Contact: ",
                "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, REFER, NOTIFY, PRACK\r\nContact: ",
                1,
            );
        }
        self.receive(&head);
    }

    fn verb(&mut self) {
        let op = self.program.small();
        let body = self.program.pick(SDPS).as_bytes();
        let content_type = if body.is_empty() { "" } else { "application/sdp" };
        let headers: &[(&str, &str)] = self.program.pick(&[
            &[][..],
            &[("Subject", "x")],
            &[("From", "<sip:other@example.com>")],
            &[("Require", "100rel")],
        ]);
        let extras = Extras { headers, content_type, body, media: None };
        let status = self.program.pick(&[180, 183, 199, 200, 302, 486, 488, 603, 0]);
        let target = self.program.pick(TARGETS);
        let line = self.line;
        let call = self.program.pick_any(&self.calls);
        let other = self.program.pick_any(&self.calls);
        let request = self.program.pick_any(&self.requests);
        let input = match (op % 20, call, other, request) {
            (0 | 1, ..) => Input::Invite { line, target, user: 0, extras },
            (2 | 3, Some(call), ..) => Input::AnswerCall { call, extras },
            (4, Some(call), ..) => Input::Ring { call, status, extras },
            (5, Some(call), ..) => Input::Reject { call, status, extras },
            (6, Some(call), ..) => Input::Hangup { call },
            (7, Some(call), ..) => Input::Reinvite { call, extras },
            (8, Some(call), ..) => Input::Hold { call },
            (9, Some(call), ..) => Input::Resume { call },
            (10 | 11, Some(call), ..) => Input::Update { call, extras },
            (12, Some(call), ..) => Input::Transfer { call, target, keep: status == 180, extras },
            (13, Some(call), Some(other), _) => Input::TransferTo { call, other, extras },
            (14, Some(call), ..) => Input::Follow { call, target: "" },
            (15, Some(call), ..) => Input::Redirect { call, status, contact: target, extras },
            (16 | 17, _, _, Some(request)) => Input::AcceptTransfer { request, user: 0, extras },
            (18, _, _, Some(request)) => Input::RejectTransfer { request, status },
            (19, _, _, Some(request)) => Input::Respond { request, status, extras },
            _ => return,
        };
        self.apply(&input);
    }

    fn answer(&mut self) {
        let Some(query) = self.program.pick_any(&self.queries) else { return };
        let answer = match self.program.small() % 5 {
            0 => Answer::Failed,
            1 => Answer::NotFound,
            2 => Answer::Password("p"),
            3 => Answer::Description(self.program.pick(SDPS)),
            _ => Answer::Addresses(&[], 1),
        };
        self.apply(&Input::Answer { query, answer });
    }

    fn jump(&mut self) {
        if let Some(next) = self.engine.next_timeout() {
            self.now = self.now.max(next);
            self.apply(&Input::HandleTimeout);
        }
    }

    fn pass(&mut self) {
        let ms = self.program.number() as u64;
        self.now = self.now.after(ms);
        self.apply(&Input::HandleTimeout);
    }

    /// What a message of the engine's tells the peer.
    fn learn(&mut self, bytes: &[u8]) {
        let Some(m) = MessageRef::lazy(bytes) else { return };
        let (from, to) = (field(&m, Name::From), field(&m, Name::To));
        let cseq = field(&m, Name::CSeq);
        if m.is_request() {
            if !matches!(m.method_text(), b"ACK") {
                self.asked.push(bytes.to_vec());
                if self.asked.len() > 8 {
                    self.asked.remove(0);
                }
            }
        } else if !cseq.ends_with(" INVITE") || m.status() > 299 {
            return;
        }
        if !to.contains("tag=") {
            return;
        }
        let (theirs, ours) = if m.is_request() { (to, from) } else { (from, to) };
        let id = field(&m, Name::CallId);
        let rseq = field(&m, Name::RSeq);
        let rack = (!rseq.is_empty()).then(|| format!("{rseq} {cseq}"));
        if let Some(d) = self.dialogs.iter_mut().find(|d| d.id == id && d.ours == ours) {
            d.rack = rack.or(d.rack.take());
            return;
        }
        let number: u32 = cseq.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1);
        let (seq, invite) = if m.is_request() {
            (1_000, (1_000, String::new()))
        } else {
            let via = field(&m, Name::Via);
            let branch = via.split("branch=").nth(1).unwrap_or("").split(';').next();
            (number, (number, branch.unwrap_or("").to_string()))
        };
        self.dialogs.push(Dialog { id, theirs, ours, seq, invite, rack });
        if self.dialogs.len() > 6 {
            self.dialogs.remove(0);
        }
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            let Some(output) = self.engine.poll() else { return };
            let mut sent = None;
            match output {
                Output::Transmit(t) => {
                    assert!(MessageRef::lazy(t.bytes).is_some(), "{}", t.bytes.escape_ascii());
                    sent = Some(t.bytes.to_vec());
                }
                Output::Query(id, query) => {
                    assert!(!matches!(query, Query::Locate { .. } | Query::Store { .. }));
                    self.queries.push(id);
                }
                Output::Event(Event::Call { call, change, .. }, _) => {
                    if self.trace {
                        eprintln!("{:?} {call:?} {change:?}", self.now);
                    }
                    assert!(!self.ended.contains(&call), "{change:?} after the end");
                    if matches!(change, CallChange::Ended { .. }) {
                        self.ended.push(call);
                    } else if !self.calls.contains(&call) {
                        self.calls.push(call);
                    }
                }
                Output::Event(
                    Event::Request { request, .. } | Event::Transfer { request, .. },
                    _,
                ) => self.requests.push(request),
                _ => {}
            }
            if let Some(sent) = sent {
                if self.trace {
                    eprintln!("{:?} -> {}", self.now, String::from_utf8_lossy(&sent));
                }
                self.learn(&sent);
            }
        }
        panic!("outputs without end: {:?}", self.engine.stats());
    }

    /// The program is over: all hang up, nobody answers any more, time passes.
    fn finish(mut self) {
        self.drain();
        let _ = self.engine.shutdown(self.now);
        self.drain();
        let end = self.now.after(DAY);
        for _ in 0..10_000 {
            let Some(next) = self.engine.next_timeout().filter(|t| *t <= end) else { break };
            self.now = self.now.max(next);
            let _ = self.engine.handle_timeout(self.now);
            self.drain();
        }
        assert!(self.engine.is_quiescent(), "left over: {:?}", self.engine.stats());
        for call in &self.calls {
            assert!(self.ended.contains(call), "{call:?} has not ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random programs reach what this target is for.
    #[test]
    fn random_programs_end_clean() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..400 {
            let mut bytes = Vec::new();
            for _ in 0..200 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.extend(state.to_le_bytes());
            }
            run(&bytes);
        }
    }
}
