//! A phone that does what it was set to do, or what a script tells it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use sansip::sdp::{Codec, Direction, Kind, Media, Stream};

use sansip::{
    Answer, CallChange, CallHandle, EndReason, Error, Event, Extras, LineChange, LineConfig,
    LineHandle, Policy, QueryId, RequestHandle,
};

use crate::app::{App, Asked, Io};
use crate::text::Message;

/// What a phone does with a call that comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answering {
    /// The provisional response that it sends at once; 0 for none.
    pub ring: u16,
    /// After how many milliseconds it answers; `None` leaves it ringing.
    pub after: Option<u64>,
    /// With which status it answers: 200 takes the call, 300 and above refuse it.
    pub status: u16,
}

/// How a call ended for this phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The number that the caller gave it (`X-Call`), from 1; 0 without.
    pub number: u64,
    /// Whether it came in.
    pub incoming: bool,
    /// When it began and ended.
    pub span: (u64, u64),
    /// Whether it was answered with a 2xx, sent or received.
    pub answered: bool,
    /// Why it ended.
    pub why: EndReason,
    /// The status that ended it.
    pub status: u16,
}

#[derive(Clone, Debug)]
struct Live {
    number: u64,
    incoming: bool,
    since: u64,
    answered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alarm {
    Place,
    Answer(CallHandle),
    GiveUp(CallHandle),
    Hangup(CallHandle),
}

#[derive(Clone, Debug)]
struct Placing {
    target: String,
    left: u64,
    every_ms: u64,
}

/// A phone. Set what it shall do, then give it to [`World::add_engine`](crate::world::World::add_engine).
///
/// Verbs of a script: `invite URI`, `ring N`, `answer`, `reject N`, `redirect N URI`, `hangup`,
/// `hold`, `resume`, `transfer N URI`, `transfer_to N M`, `reinvite`, `register`, `unregister`, `shutdown`; those about a call mean the newest, or
/// with a number at the end the one of that number, from 1 in the order in which they began.
#[derive(Clone, Debug)]
pub struct Phone {
    aor: String,
    proxy: String,
    /// What it does with calls that come in; `None` leaves them to the script.
    pub answering: Option<Answering>,
    /// Hangs up so many milliseconds after the call was answered.
    pub hangup_after: Option<u64>,
    /// Gives up a call that it placed after so many milliseconds without an answer.
    pub give_up_after: Option<u64>,
    /// Leaves its session descriptions to the engine, and does what the peer asks for: answers
    /// re-INVITEs, follows transfers. Else its descriptions are its own, and what is asked is left
    /// to the script.
    pub whole: bool,
    /// Registers at the start.
    pub register: bool,
    policy: Policy<'static>,
    media: &'static Media<'static>,
    placing: Option<Placing>,
    line: Option<LineHandle>,
    live: BTreeMap<u64, Live>,
    calls: Vec<CallHandle>,
    alarms: BTreeMap<(u64, u64), Alarm>,
    count: u64,
    placed: u64,
    /// Every change of every call, with its time.
    pub changes: Vec<(u64, CallChange)>,
    /// Every change of the line, with its time.
    pub line_changes: Vec<(u64, LineChange)>,
    /// How the calls ended.
    pub outcomes: Vec<Outcome>,
    /// Calls that could not even be placed.
    pub refused: Vec<Error>,
}

/// An engine without room is asked again so many milliseconds later.
const FULL_MS: u64 = 10;

const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0\r\n";
/// All that it can have, for the engine to offer and to answer from.
const MEDIA: Media<'static> = Media {
    address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    streams: &[Stream {
        kind: Kind::Audio,
        port: 4_000,
        transport: "",
        codecs: &[Codec { payload: 0, name: "PCMU", clock: 8_000, channels: 1, fmtp: "" }],
        direction: Direction::SendRecv,
        bandwidth: 0,
        ptime: 0,
        crypto: "",
    }],
    bandwidth: 0,
};

const fn sdp() -> Extras<'static> {
    Extras { headers: &[], content_type: "application/sdp", body: SDP, media: None }
}

impl Phone {
    /// A phone that does nothing by itself, for this address of record.
    #[must_use]
    pub fn new(aor: &str) -> Self {
        Self {
            aor: aor.to_string(),
            proxy: String::new(),
            answering: None,
            hangup_after: None,
            give_up_after: None,
            whole: false,
            register: false,
            policy: Policy::default(),
            media: &MEDIA,
            placing: None,
            line: None,
            live: BTreeMap::new(),
            calls: Vec::new(),
            alarms: BTreeMap::new(),
            count: 0,
            placed: 0,
            changes: Vec::new(),
            line_changes: Vec::new(),
            outcomes: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Sends its requests outside dialogs to this URI.
    #[must_use]
    pub fn via(mut self, proxy: &str) -> Self {
        self.proxy = proxy.to_string();
        self
    }

    /// Rings with 180 and answers with `status` after `after` milliseconds.
    #[must_use]
    pub const fn answers(mut self, status: u16, after: u64) -> Self {
        self.answering = Some(Answering { ring: 180, after: Some(after), status });
        self
    }

    /// Rings with 180 and never answers.
    #[must_use]
    pub const fn rings(mut self) -> Self {
        self.answering = Some(Answering { ring: 180, after: None, status: 0 });
        self
    }

    /// Answers with `status` after `after` milliseconds without ringing before.
    #[must_use]
    pub const fn answers_silently(mut self, status: u16, after: u64) -> Self {
        self.answering = Some(Answering { ring: 0, after: Some(after), status });
        self
    }

    /// Hangs up `after` milliseconds after the call is up (for a callee: after its ACK).
    #[must_use]
    pub const fn hangs_up(mut self, after: u64) -> Self {
        self.hangup_after = Some(after);
        self
    }

    /// Gives up a call that nobody answered for so long.
    #[must_use]
    pub const fn gives_up(mut self, after: u64) -> Self {
        self.give_up_after = Some(after);
        self
    }

    /// Places `count` calls to `target`, one every `every_ms` milliseconds, from the start.
    #[must_use]
    pub fn calls(mut self, target: &str, count: u64, every_ms: u64) -> Self {
        self.placing = Some(Placing { target: target.to_string(), left: count, every_ms });
        self
    }

    /// Leaves its session descriptions to the engine; answers re-INVITEs and follows transfers.
    #[must_use]
    pub const fn as_a_whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Offers this where its session descriptions are left to the engine, and answers from it.
    #[must_use]
    pub const fn with_media(mut self, media: &'static Media<'static>) -> Self {
        self.media = media;
        self
    }

    /// Lets its line do this with calls before a person does.
    #[must_use]
    pub const fn by_policy(mut self, policy: Policy<'static>) -> Self {
        self.policy = policy;
        self
    }

    /// Registers at the start.
    #[must_use]
    pub const fn registers(mut self) -> Self {
        self.register = true;
        self
    }

    /// How many calls live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.len()
    }

    fn alarm(&mut self, at: u64, alarm: Alarm) {
        self.count += 1;
        self.alarms.insert((at, self.count), alarm);
    }

    fn invite(&mut self, io: &mut Io<'_>, target: &str) -> Result<(), Error> {
        let Some(line) = self.line else { return Err(Error::Gone) };
        self.placed += 1;
        let number = self.placed;
        let text = number.to_string();
        let headers = [("X-Call", text.as_str())];
        let extras = Extras { headers: &headers, ..self.sdp() };
        let call = io.engine.invite(io.now, line, target, number, extras)?;
        let since = io.now.0;
        self.live.insert(call.raw(), Live { number, incoming: false, since, answered: false });
        self.calls.push(call);
        if let Some(after) = self.give_up_after {
            self.alarm(since + after, Alarm::GiveUp(call));
        }
        Ok(())
    }

    /// What its INVITEs and answers carry.
    fn sdp(&self) -> Extras<'static> {
        if self.whole { Extras::default() } else { sdp() }
    }

    /// Follows a transfer (RFC 3515).
    fn transferred(&mut self, io: &mut Io<'_>, request: RequestHandle) {
        self.placed += 1;
        let number = self.placed;
        if let Ok(call) = io.engine.accept_transfer(io.now, request, number, Extras::default()) {
            let since = io.now.0;
            self.live.insert(call.raw(), Live { number, incoming: false, since, answered: false });
            self.calls.push(call);
        }
    }

    fn incoming(&mut self, io: &mut Io<'_>, call: CallHandle, message: Option<&[u8]>) {
        let number =
            message.and_then(|m| Message::parse(m)?.header("X-Call")?.parse().ok()).unwrap_or(0);
        let since = io.now.0;
        self.live.insert(call.raw(), Live { number, incoming: true, since, answered: false });
        self.calls.push(call);
        let Some(how) = self.answering else { return };
        if how.ring != 0 {
            let _ = io.engine.ring(io.now, call, how.ring, Extras::default());
        }
        match how.after {
            Some(0) => {
                if let Err(Error::Full(_)) = self.answer(io, call) {
                    self.alarm(since + FULL_MS, Alarm::Answer(call));
                }
            }
            Some(after) => self.alarm(since + after, Alarm::Answer(call)),
            None => {}
        }
    }

    fn answer(&mut self, io: &mut Io<'_>, call: CallHandle) -> Result<(), Error> {
        let status = self.answering.map_or(200, |a| a.status);
        if status < 300 {
            io.engine.answer_call(io.now, call, self.sdp())?;
        } else {
            io.engine.reject(io.now, call, status, Extras::default())?;
        }
        if let Some(live) = self.live.get_mut(&call.raw()) {
            live.answered = status < 300;
        }
        Ok(())
    }

    fn call_changed(
        &mut self,
        io: &mut Io<'_>,
        call: CallHandle,
        change: CallChange,
        message: Option<&[u8]>,
    ) {
        let now = io.now.0;
        self.changes.push((now, change));
        match change {
            CallChange::Incoming => self.incoming(io, call, message),
            CallChange::Answered { .. } | CallChange::Confirmed => {
                if let Some(live) = self.live.get_mut(&call.raw()) {
                    live.answered = true;
                }
                if let Some(after) = self.hangup_after {
                    self.alarm(now + after, Alarm::Hangup(call));
                }
            }
            CallChange::Reinvite if self.whole || self.answering.is_some() => {
                let _ = io.engine.answer_call(io.now, call, Extras::default());
            }
            CallChange::Ended { why, status } => {
                if let Some(live) = self.live.remove(&call.raw()) {
                    self.outcomes.push(Outcome {
                        number: live.number,
                        incoming: live.incoming,
                        span: (live.since, now),
                        answered: live.answered,
                        why,
                        status,
                    });
                }
            }
            _ => {}
        }
    }
}

impl App for Phone {
    fn on_start(&mut self, io: &mut Io<'_>) {
        let line = LineConfig {
            aor: &self.aor,
            display: "",
            proxy: &self.proxy,
            local: None,
            expires: 0,
            any: true,
            user: 0,
            ..LineConfig::default()
        };
        let line = io.engine.add_line(io.now, line).expect("a phone's line");
        io.engine.set_policy(io.now, line, self.policy).expect("a phone's policy");
        self.line = Some(line);
        if self.register {
            io.engine.register(io.now, line).expect("a phone's registration");
        }
        if self.placing.is_some() {
            self.alarm(io.now.0, Alarm::Place);
        }
    }

    fn on_event(&mut self, io: &mut Io<'_>, event: Event, message: Option<&[u8]>) {
        match event {
            Event::Call { call, change, .. } => self.call_changed(io, call, change, message),
            Event::Transfer { request, .. } if self.whole => self.transferred(io, request),
            Event::Line { change, .. } => self.line_changes.push((io.now.0, change)),
            _ => {}
        }
    }

    fn on_query(&mut self, io: &mut Io<'_>, id: QueryId, query: &Asked) {
        match query {
            Asked::Media { .. } if self.whole => {
                io.answer(id, Answer::Media(self.media));
            }
            _ => io.answer(id, Answer::Failed),
        }
    }

    fn next_alarm(&self) -> Option<u64> {
        self.alarms.first_key_value().map(|((at, _), _)| *at)
    }

    /// One at a time: between two the engine is polled.
    fn on_alarm(&mut self, io: &mut Io<'_>) {
        let Some(((at, _), alarm)) = self.alarms.pop_first() else { return };
        if at > io.now.0 {
            self.alarm(at, alarm);
            return;
        }
        let done = match alarm {
            Alarm::Answer(call) => self.answer(io, call),
            Alarm::GiveUp(call) => match self.live.get(&call.raw()) {
                Some(live) if !live.answered => io.engine.hangup(io.now, call),
                _ => Ok(()),
            },
            Alarm::Hangup(call) => io.engine.hangup(io.now, call),
            Alarm::Place => {
                self.place(io);
                Ok(())
            }
        };
        if let Err(Error::Full(_)) = done {
            self.alarm(io.now.0 + FULL_MS, alarm);
        }
    }

    fn on_verb(&mut self, io: &mut Io<'_>, words: &[&str]) -> Result<(), String> {
        let status = |word: &str| word.parse::<u16>().map_err(|_| format!("no status: {word}"));
        let line = self.line.ok_or("it has no line")?;
        let call = |n: &[&str]| self.call(n);
        let none = Extras::default;
        let done = match words {
            ["invite", target] => self.invite(io, target),
            ["ring", code, n @ ..] => io.engine.ring(io.now, call(n)?, status(code)?, none()),
            ["answer", n @ ..] => io.engine.answer_call(io.now, call(n)?, self.sdp()),
            ["reject", code, n @ ..] => io.engine.reject(io.now, call(n)?, status(code)?, none()),
            ["redirect", code, to, n @ ..] => {
                io.engine.redirect(io.now, call(n)?, status(code)?, to, none())
            }
            ["hangup", n @ ..] => io.engine.hangup(io.now, call(n)?),
            ["reinvite", n @ ..] => io.engine.reinvite(io.now, call(n)?, self.sdp()),
            ["hold", n @ ..] => io.engine.hold(io.now, call(n)?),
            ["resume", n @ ..] => io.engine.resume(io.now, call(n)?),
            ["transfer", n, target] => {
                io.engine.transfer(io.now, call(&[n])?, target, false, none())
            }
            ["transfer_to", n, other] => {
                io.engine.transfer_to(io.now, call(&[n])?, call(&[other])?, none())
            }
            ["register"] => io.engine.register(io.now, line),
            ["unregister"] => io.engine.unregister(io.now, line),
            ["shutdown"] => io.engine.shutdown(io.now),
            _ => return Err(format!("a phone has no verb {words:?}")),
        };
        done.map_err(|e| e.to_string())
    }
}

impl Phone {
    /// The call that the end of a verb names.
    fn call(&self, number: &[&str]) -> Result<CallHandle, String> {
        let known = match number {
            [] => self.calls.last(),
            [n] => n.parse().ok().and_then(|n: usize| self.calls.get(n.checked_sub(1)?)),
            _ => None,
        };
        known.copied().ok_or_else(|| "it has no such call".to_string())
    }

    fn place(&mut self, io: &mut Io<'_>) {
        let Some(mut placing) = self.placing.take() else { return };
        if placing.left == 0 {
            return;
        }
        placing.left -= 1;
        if let Err(error) = self.invite(io, &placing.target) {
            self.refused.push(error);
        }
        if placing.left > 0 {
            self.alarm(io.now.0 + placing.every_ms, Alarm::Place);
        }
        self.placing = Some(placing);
    }
}
