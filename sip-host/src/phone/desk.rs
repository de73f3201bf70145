//! A phone on a desk: commands become the engine's verbs, events become notices. No I/O.

use std::collections::{BTreeMap, VecDeque};

use sansip::header::NameAddr;
use sansip::wire::Name;
use sansip::wire::message::MessageRef;
use sansip::wire::scan::Span;
use sansip::{
    CallChange, CallHandle, EndReason, Engine, Error, Event, Extras, Instant, LineChange,
    LineConfig, LineHandle, Misuse, RequestHandle,
};

use super::command::{COMMANDS, Command, Trace, Wrong, find, target};
use super::media::{self, OwnMedia};
use super::notice::{Notice, REPLY};

/// What a phone is made of.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Its address of record.
    pub aor: String,
    /// Where its requests go; empty: where their Request-URI says.
    pub proxy: String,
    /// Whether it registers at its start.
    pub register: bool,
    /// Whether it takes only calls to the user of its address of record.
    pub only_aor: bool,
    /// Whether it rings by itself when a call comes in.
    pub rings: bool,
    /// The media that it has.
    pub media: OwnMedia,
}

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// We called; nothing but 100 came back.
    Calling,
    /// We called; it rings there.
    Ringing,
    /// It came in and waits for our answer.
    Incoming,
    /// We answered; the ACK is to come.
    Answered,
    /// Both sides are connected.
    Active,
}

impl State {
    /// Its name, as `expect` knows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::Ringing => "ringing",
            Self::Incoming => "incoming",
            Self::Answered => "answered",
            Self::Active => "active",
        }
    }
}

/// A call as this phone sees it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its handle.
    pub handle: CallHandle,
    /// Whether we made it.
    pub outgoing: bool,
    /// The other side's URI.
    pub peer: String,
    /// Where it stands.
    pub state: State,
    /// When it was connected.
    pub since: Option<u64>,
}

/// Something to do at the engine as soon as it can be borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Todo {
    Ring(CallHandle),
    Accept(CallHandle),
    Respond(RequestHandle),
}

/// The phone.
#[derive(Debug)]
pub struct Desk {
    settings: Settings,
    line: Option<LineHandle>,
    /// Seconds that the line is registered for.
    registered: Option<u32>,
    calls: BTreeMap<u64, Call>,
    numbered: u64,
    todo: VecDeque<Todo>,
    notices: VecDeque<Notice>,
    trace: Trace,
    quitting: bool,
}

impl Desk {
    /// A phone without a line yet: see [`Desk::start`].
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            line: None,
            registered: None,
            calls: BTreeMap::new(),
            numbered: 0,
            todo: VecDeque::new(),
            notices: VecDeque::new(),
            trace: Trace::Off,
            quitting: false,
        }
    }

    /// Adds the line, and registers it if the settings say so.
    pub fn start(&mut self, now: Instant, engine: &mut Engine) {
        let config = LineConfig {
            aor: &self.settings.aor,
            display: "",
            proxy: &self.settings.proxy,
            local: None,
            expires: 0,
            any: !self.settings.only_aor,
            user: 0,
            ..LineConfig::default()
        };
        match engine.add_line(now, config) {
            Ok(line) => self.line = Some(line),
            Err(why) => self.tell(now, "error", None, format!("no line: {why}")),
        }
        if self.settings.register
            && let Err(wrong) = self.run(now, engine, Command::Register)
        {
            self.tell(now, "error", None, wrong.0);
        }
    }

    /// The next thing to tell.
    pub fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// The calls, by number.
    #[must_use]
    pub const fn calls(&self) -> &BTreeMap<u64, Call> {
        &self.calls
    }

    /// How much of the messages is to be shown.
    #[must_use]
    pub const fn trace(&self) -> Trace {
        self.trace
    }

    /// Whether the person wants to leave.
    #[must_use]
    pub const fn is_quitting(&self) -> bool {
        self.quitting
    }

    /// Starts nothing new.
    pub fn stop(&mut self) {
        self.quitting = true;
        self.todo.clear();
    }

    fn tell(&mut self, now: Instant, event: &'static str, call: Option<u64>, text: String) {
        self.notices.push_back(Notice::new(now.0, event, call, text));
    }

    /// Tells what is no event.
    pub fn reply(&mut self, now: Instant, text: String) {
        self.tell(now, REPLY, None, text);
    }

    fn tell_with(&mut self, notice: Notice) {
        self.notices.push_back(notice);
    }

    /// Does what a command says.
    ///
    /// # Errors
    /// Why it cannot be done, in a sentence for the person who typed it.
    pub fn run(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        command: Command,
    ) -> Result<(), Wrong> {
        match command {
            Command::Help(about) => self.help(now, about.as_deref()),
            Command::Register => self.register(now, engine),
            Command::Unregister => {
                let line = self.line()?;
                engine.unregister(now, line).map_err(|why| said(why, "the line is not registered"))
            }
            Command::Call(to) => self.call(now, engine, &to),
            Command::Ring(call, status) => {
                let (number, call) = self.waiting(call, "ring")?;
                let rung = engine.ring(now, call, status, Extras::default());
                rung.map_err(|why| in_state(why, number, "ring"))?;
                self.tell(now, "rung", Some(number), format!("rings here ({status})"));
                Ok(())
            }
            Command::Answer(call) => self.answer(now, engine, call),
            Command::Reject(call, status) => {
                let (number, call) = self.waiting(call, "reject")?;
                let done = engine.reject(now, call, status, Extras::default());
                done.map_err(|why| in_state(why, number, "reject"))
            }
            Command::Redirect(call, to) => {
                let (number, call) = self.waiting(call, "redirect")?;
                let to = target(&to, &self.settings.aor)?;
                let done = engine.redirect(now, call, 302, &to, Extras::default());
                done.map_err(|why| in_state(why, number, "redirect"))
            }
            Command::Hangup(call) => {
                let (number, call) = self.pick(call, "hang up", |_| true)?;
                engine.hangup(now, call).map_err(|why| in_state(why, number, "hang up"))
            }
            Command::HangupAll => self.hangup_all(now, engine),
            Command::Calls => {
                self.list(now);
                Ok(())
            }
            Command::Status => {
                self.status(now);
                Ok(())
            }
            Command::Trace(trace) => {
                self.trace = trace;
                Ok(())
            }
            Command::Quit => {
                self.quitting = true;
                Ok(())
            }
        }
    }

    fn help(&mut self, now: Instant, about: Option<&str>) -> Result<(), Wrong> {
        let text = match about {
            None => {
                let lines: Vec<String> = COMMANDS.iter().map(ToString::to_string).collect();
                format!(
                    "the commands:\n{}\nCALL is a call's number; it may be left out where only one call fits.",
                    lines.join("\n")
                )
            }
            Some(name) => match find(name) {
                Some(entry) => entry.to_string().trim_start().to_owned(),
                None => return Err(Wrong(format!("no command '{name}'; 'help' lists them"))),
            },
        };
        self.reply(now, text);
        Ok(())
    }

    fn line(&self) -> Result<LineHandle, Wrong> {
        self.line.ok_or_else(|| Wrong("there is no line".into()))
    }

    fn register(&mut self, now: Instant, engine: &mut Engine) -> Result<(), Wrong> {
        let line = self.line()?;
        engine.register(now, line).map_err(|why| said(why, "a registration is under way"))
    }

    fn call(&mut self, now: Instant, engine: &mut Engine, to: &str) -> Result<(), Wrong> {
        let line = self.line()?;
        let to = target(to, &self.settings.aor)?;
        let number = self.numbered + 1;
        let sdp = self.sdp();
        let handle = engine
            .invite(now, line, &to, number, media::extras(&sdp))
            .map_err(|why| said(why, "the line cannot call now"))?;
        self.numbered = number;
        let notice = Notice::new(now.0, "calling", Some(number), format!("calling {to}"));
        self.tell_with(notice.with("target", to.as_str()));
        let call = Call { handle, outgoing: true, peer: to, state: State::Calling, since: None };
        self.calls.insert(number, call);
        Ok(())
    }

    fn answer(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        call: Option<u64>,
    ) -> Result<(), Wrong> {
        let (number, handle) = self.waiting(call, "answer")?;
        let sdp = self.sdp();
        let done = engine.answer_call(now, handle, media::extras(&sdp));
        done.map_err(|why| in_state(why, number, "answer"))?;
        if let Some(call) = self.calls.get_mut(&number) {
            call.state = State::Answered;
        }
        Ok(())
    }

    fn hangup_all(&mut self, now: Instant, engine: &mut Engine) -> Result<(), Wrong> {
        if self.calls.is_empty() {
            return Err(Wrong("there is no call".into()));
        }
        for (number, call) in &self.calls {
            match engine.hangup(now, call.handle) {
                Ok(()) | Err(Error::Gone | Error::Late) => {}
                Err(why) => return Err(in_state(why, *number, "hang up")),
            }
        }
        Ok(())
    }

    fn sdp(&self) -> String {
        self.settings.media.description()
    }

    /// The call that a command is about: the one named, else the only one that fits.
    fn pick(
        &self,
        number: Option<u64>,
        verb: &str,
        fits: impl Fn(&Call) -> bool,
    ) -> Result<(u64, CallHandle), Wrong> {
        if let Some(number) = number {
            let Some(call) = self.calls.get(&number) else {
                return Err(Wrong(format!("there is no call {number}; {}", self.which(|_| true))));
            };
            if !fits(call) {
                let state = call.state.name();
                return Err(Wrong(format!("call {number} is {state}: cannot {verb} it")));
            }
            return Ok((number, call.handle));
        }
        let mut all = self.calls.iter().filter(|(_, call)| fits(call));
        match (all.next(), all.next()) {
            (Some((number, call)), None) => Ok((*number, call.handle)),
            (None, _) if self.calls.is_empty() => Err(Wrong(format!("no call to {verb}"))),
            (None, _) => Err(Wrong(format!("no call to {verb}; {}", self.which(|_| true)))),
            (Some(_), Some(_)) => Err(Wrong(format!("{verb} which one? {}", self.which(fits)))),
        }
    }

    /// A call that waits for our answer.
    fn waiting(&self, number: Option<u64>, verb: &str) -> Result<(u64, CallHandle), Wrong> {
        self.pick(number, verb, |call| call.state == State::Incoming)
    }

    fn which(&self, fits: impl Fn(&Call) -> bool) -> String {
        let list: Vec<String> = self
            .calls
            .iter()
            .filter(|(_, call)| fits(call))
            .map(|(n, call)| format!("call {n} ({}, {})", call.peer, call.state.name()))
            .collect();
        if list.is_empty() { "there are no calls".into() } else { list.join(", ") }
    }

    fn list(&mut self, now: Instant) {
        let mut lines = vec![match self.calls.len() {
            0 => "no calls".to_owned(),
            1 => "1 call:".to_owned(),
            n => format!("{n} calls:"),
        }];
        for (number, call) in &self.calls {
            let arrow = if call.outgoing { "to" } else { "from" };
            let time = call.since.map_or(String::new(), |at| duration(now.0.saturating_sub(at)));
            lines.push(
                format!("  {number:>2}  {:<8} {time:>6}  {arrow} {}", call.state.name(), call.peer)
                    .trim_end()
                    .to_owned(),
            );
        }
        self.reply(now, lines.join("\n"));
    }

    fn status(&mut self, now: Instant) {
        let s = &self.settings;
        let registered = match self.registered {
            Some(seconds) => format!("registered for {seconds} s"),
            None => "not registered".to_owned(),
        };
        let proxy = if s.proxy.is_empty() { "none" } else { &s.proxy };
        let text = format!(
            "line {}: {registered}\n  proxy {proxy}\n  media at {}\n  calls: {}",
            s.aor,
            s.media.text(),
            self.calls.len(),
        );
        self.reply(now, text);
    }

    /// Whether what `expect line KEY=VALUE` asks is so.
    #[must_use]
    pub fn line_field(&self, key: &str) -> Option<String> {
        match key {
            "registered" => Some(yes(self.registered.is_some())),
            _ => None,
        }
    }

    /// What `expect call N KEY=VALUE` compares with.
    #[must_use]
    pub fn call_field(&self, number: u64, key: &str) -> Option<String> {
        let call = self.calls.get(&number)?;
        match key {
            "state" => Some(call.state.name().to_owned()),
            "peer" => Some(call.peer.clone()),
            "outgoing" => Some(yes(call.outgoing)),
            _ => None,
        }
    }

    /// Something happened.
    pub fn event(&mut self, now: Instant, event: &Event, message: Option<MessageRef<'_>>) {
        match *event {
            Event::Call { call, user, change, .. } => {
                self.on_call(now, call, user, change, message);
            }
            Event::Line { change, .. } => self.on_line(now, change, message),
            Event::Request { request, .. } => {
                let method = message.map(|m| lossy(m.method_text())).unwrap_or_default();
                let text = format!("{method} came and was answered 200");
                self.tell_with(Notice::new(now.0, "request", None, text).with("method", method));
                self.todo.push_back(Todo::Respond(request));
            }
            Event::Limited(limit) => {
                self.tell(
                    now,
                    "limited",
                    None,
                    format!("something was refused: no room for {limit}"),
                );
            }
            _ => {}
        }
    }

    fn on_line(&mut self, now: Instant, change: LineChange, message: Option<MessageRef<'_>>) {
        match change {
            LineChange::Registered { expires } => {
                let text = format!("{} is registered for {expires} s", self.settings.aor);
                // A refresh is no news to a person.
                if self.registered.replace(expires).is_none() {
                    let notice = Notice::new(now.0, "registered", None, text);
                    self.tell_with(notice.with("expires", expires));
                }
            }
            LineChange::Unregistered => {
                self.registered = None;
                self.tell(
                    now,
                    "unregistered",
                    None,
                    format!("{} is not registered any more", self.settings.aor),
                );
            }
            LineChange::Failed { status } => {
                self.registered = None;
                let text = format!("not registered: {}", register_failure(status, message));
                let notice = Notice::new(now.0, "register_failed", None, text);
                self.tell_with(notice.with("status", status));
            }
            _ => {}
        }
    }

    fn number_of(&self, handle: CallHandle) -> Option<u64> {
        self.calls.iter().find(|(_, c)| c.handle == handle).map(|(n, _)| *n)
    }

    fn on_call(
        &mut self,
        now: Instant,
        handle: CallHandle,
        user: u64,
        change: CallChange,
        message: Option<MessageRef<'_>>,
    ) {
        if change == CallChange::Incoming {
            return self.on_incoming(now, handle, message);
        }
        let number = if self.calls.get(&user).is_some_and(|c| c.handle == handle) {
            user
        } else {
            let Some(number) = self.number_of(handle) else { return };
            number
        };
        let Some(call) = self.calls.get_mut(&number) else { return };
        let of = |event, text: String| Notice::new(now.0, event, Some(number), text);
        let notice = match change {
            CallChange::Progress { status } => {
                call.state = State::Ringing;
                of("progress", status_text(status, message)).with("status", status)
            }
            CallChange::Answered { status } => {
                call.state = State::Active;
                call.since = Some(now.0);
                of("answered", format!("{} answered", call.peer)).with("status", status)
            }
            CallChange::Confirmed => {
                call.state = State::Active;
                call.since = Some(now.0);
                of("confirmed", format!("connected with {}", call.peer))
            }
            CallChange::Reinvite => {
                self.todo.push_back(Todo::Accept(handle));
                of("reinvite", "the other side changes the session".into())
            }
            CallChange::Reinvited { status } => {
                let text = format!("session change: {}", status_text(status, message));
                of("reinvited", text).with("status", status)
            }
            CallChange::Ended { why, status } => {
                let text = ended(call, why, status, message, now);
                let why = reason(why);
                self.calls.remove(&number);
                of("ended", text).with("why", why).with("status", status)
            }
            _ => return,
        };
        self.tell_with(notice);
    }

    fn on_incoming(&mut self, now: Instant, handle: CallHandle, message: Option<MessageRef<'_>>) {
        self.numbered += 1;
        let number = self.numbered;
        let (name, peer) = message.map(|m| party(&m, Name::From)).unwrap_or_default();
        let uri = message.map(|m| lossy(m.request_uri())).unwrap_or_default();
        let who = if name.is_empty() { peer.clone() } else { format!("{name} <{peer}>") };
        let notice = Notice::new(now.0, "incoming", Some(number), format!("{who} calls"));
        self.tell_with(notice.with("from", peer.as_str()).with("name", name).with("uri", uri));
        let call = Call { handle, outgoing: false, peer, state: State::Incoming, since: None };
        self.calls.insert(number, call);
        if self.settings.rings {
            self.todo.push_back(Todo::Ring(handle));
        }
    }

    /// Does what events asked for. What finds the engine without room is done later; whether
    /// there is such.
    pub fn act(&mut self, now: Instant, engine: &mut Engine) -> bool {
        while let Some(what) = self.todo.front().copied() {
            let done = match what {
                Todo::Ring(call) => engine.ring(now, call, 180, Extras::default()),
                Todo::Accept(call) => {
                    let sdp = self.sdp();
                    engine.answer_call(now, call, media::extras(&sdp))
                }
                Todo::Respond(request) => engine.respond(now, request, 200, Extras::default()),
            };
            if matches!(done, Err(Error::Full(_))) {
                return true;
            }
            // Otherwise the call has moved on: its own event tells.
            self.todo.pop_front();
        }
        false
    }
}

fn yes(so: bool) -> String {
    (if so { "yes" } else { "no" }).to_owned()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Display name and URI of a party.
fn party(message: &MessageRef<'_>, name: Name) -> (String, String) {
    let value = message.header(name).unwrap_or_default();
    let Ok(who) = NameAddr::parse(value, Span::new(0, value.len())) else {
        return (String::new(), lossy(value));
    };
    let part = |span: Span| value.get(span.start()..span.end()).unwrap_or_default();
    let display = lossy(part(who.display));
    (display.trim_matches('"').to_owned(), lossy(part(who.uri_text)))
}

/// Why a registration failed.
fn register_failure(status: u16, message: Option<MessageRef<'_>>) -> String {
    match (status, message) {
        (408, None) => "no answer".to_owned(),
        (503, None) => "no way to the registrar".to_owned(),
        _ => status_text(status, message),
    }
}

/// A status with its reason phrase, as the message has it.
fn status_text(status: u16, message: Option<MessageRef<'_>>) -> String {
    let reason = message.map(|m| lossy(m.reason())).unwrap_or_default();
    match (status, reason.trim()) {
        (0, _) => "no answer".to_owned(),
        (_, "") => status.to_string(),
        (_, reason) => format!("{status} {reason}"),
    }
}

fn duration(ms: u64) -> String {
    let s = ms / 1_000;
    format!("{}:{:02}", s / 60, s % 60)
}

/// What a person reads when a call has ended.
fn ended(
    call: &Call,
    why: EndReason,
    status: u16,
    message: Option<MessageRef<'_>>,
    now: Instant,
) -> String {
    let after = call
        .since
        .map_or(String::new(), |at| format!(" after {}", duration(now.0.saturating_sub(at))));
    let peer = &call.peer;
    match why {
        EndReason::Hangup => format!("ended{after}: you hung up"),
        EndReason::RemoteHangup => format!("ended{after}: {peer} hung up"),
        EndReason::Refused => format!("ended: {peer} refused ({})", status_text(status, message)),
        EndReason::Rejected => format!("ended: refused with {status}"),
        EndReason::Abandoned => "ended: given up before an answer".to_owned(),
        EndReason::Cancelled => format!("ended: {peer} gave up before an answer"),
        EndReason::Timeout => "ended: nobody answered".to_owned(),
        EndReason::Unreachable => format!("ended{after}: no way to {peer}"),
        EndReason::NoAck => format!("ended: {peer} never acknowledged the answer"),
        EndReason::BadMedia => format!("ended: no session could be had with {peer}"),
        EndReason::Replaced => format!("ended{after}: another call took its place"),
        EndReason::Transferred => format!("ended{after}: transferred"),
        EndReason::SessionExpired => format!("ended{after}: {peer} refreshed the session no more"),
    }
}

/// The name of a reason, as `wait ended why=...` knows it.
#[must_use]
pub const fn reason(why: EndReason) -> &'static str {
    match why {
        EndReason::Hangup => "hangup",
        EndReason::RemoteHangup => "remote_hangup",
        EndReason::Refused => "refused",
        EndReason::Rejected => "rejected",
        EndReason::Abandoned => "abandoned",
        EndReason::Cancelled => "cancelled",
        EndReason::Timeout => "timeout",
        EndReason::Unreachable => "unreachable",
        EndReason::NoAck => "no_ack",
        EndReason::BadMedia => "bad_media",
        EndReason::Replaced => "replaced",
        EndReason::Transferred => "transferred",
        EndReason::SessionExpired => "session_expired",
    }
}

fn in_state(why: Error, call: u64, verb: &str) -> Wrong {
    match why {
        Error::Gone => Wrong(format!("call {call} has ended")),
        Error::Late => Wrong(format!("too late to {verb} call {call}: it has just changed")),
        Error::Misuse(Misuse::State) => Wrong(format!("cannot {verb} call {call} in its state")),
        other => Wrong(other.to_string()),
    }
}

fn said(why: Error, state: &str) -> Wrong {
    match why {
        Error::Misuse(Misuse::State) => Wrong(state.to_owned()),
        other => Wrong(other.to_string()),
    }
}
