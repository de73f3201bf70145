//! A phone on a desk: commands become the engine's verbs, events become notices. No I/O.

mod change;
mod events;
mod policy;
mod words;

use std::collections::{BTreeMap, VecDeque};

use sansip::{
    CallHandle, Engine, Error, Extras, Instant, LineConfig, LineHandle, QueryId, RequestHandle,
};

use change::Later;
use policy::Rules;
pub use words::reason;
use words::{duration, in_state, said, yes};

use super::command::{COMMANDS, Command, Trace, Wrong, find, target};
use super::media::{Negotiated, OwnMedia};
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
    /// Whether a person decides about transfers that others ask for.
    pub asks: bool,
    /// The media that it has.
    pub media: OwnMedia,
    /// The user name that challenges are answered with; empty: that of the address of record.
    pub auth_user: String,
    /// The password for them.
    pub password: Option<Password>,
}

/// A password. It is not shown.
#[derive(Clone)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
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
    /// What was negotiated.
    pub media: Option<Negotiated>,
    /// Whether it is joined with others.
    pub joined: bool,
}

impl Call {
    /// Whether both sides are connected.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Active | State::Answered)
    }

    /// Whether we hold the other side.
    #[must_use]
    pub fn is_held_by_us(&self) -> bool {
        self.is_up() && self.media.as_ref().is_some_and(|m| matches!(m.held, "local" | "both"))
    }

    /// Where it stands, for people.
    fn stands(&self) -> &'static str {
        match self.media.as_ref().map_or("no", |m| m.held) {
            "local" if self.is_up() => "on hold",
            "remote" if self.is_up() => "held",
            "both" if self.is_up() => "held both",
            _ if self.joined => "joined",
            _ => self.state.name(),
        }
    }
}

/// Something to do at the engine as soon as it can be borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Todo {
    Ring(CallHandle),
    Accept(CallHandle),
    Respond(RequestHandle),
    Media(QueryId),
    Password(QueryId),
    Transfer(RequestHandle),
}

/// A transfer that another phone asks for.
#[derive(Clone, Debug)]
struct Asked {
    request: RequestHandle,
    call: Option<u64>,
    target: String,
}

/// The phone.
#[derive(Debug)]
pub struct Desk {
    later: Vec<Later>,
    rules: Rules,
    settings: Settings,
    line: Option<LineHandle>,
    /// Seconds that the line is registered for.
    registered: Option<u32>,
    calls: BTreeMap<u64, Call>,
    numbered: u64,
    todo: VecDeque<Todo>,
    /// Transfers that others ask for: the request, its call and where to.
    asked: Vec<Asked>,
    /// When there may be room for them.
    room_at: u64,
    notices: VecDeque<Notice>,
    trace: Trace,
    quitting: bool,
}

impl Desk {
    /// A phone without a line yet: see [`Desk::start`].
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            later: Vec::new(),
            rules: Rules::default(),
            settings,
            line: None,
            registered: None,
            calls: BTreeMap::new(),
            numbered: 0,
            todo: VecDeque::new(),
            asked: Vec::new(),
            room_at: 0,
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
            auth_user: &self.settings.auth_user,
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
            Command::Hold(call) => self.hold(now, engine, call),
            Command::Resume(call) => self.resume(now, engine, call),
            Command::Transfer(call, to) => self.transfer(now, engine, call, &to),
            Command::Accept(call) => self.accept(now, engine, call),
            Command::Decline(call, status) => self.decline(now, engine, call, status),
            Command::Conference(calls) => self.conference(now, engine, calls),
            Command::Options(to) => {
                let to = target(&to, &self.settings.aor)?;
                let line = self.line()?;
                let asked = engine.options(now, Some(line), &to, 0, Extras::default());
                asked.map_err(|why| said(why, "the line cannot ask now"))
            }
            Command::Follow(call) => self.go_on(now, engine, call),
            Command::Set(setting) => self.set(now, engine, setting),
            Command::Split => self.split(now, engine),
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
        let media = &self.settings.media;
        let handle = media
            .extras(|extras| engine.invite(now, line, &to, number, extras))
            .map_err(|why| said(why, "the line cannot call now"))?;
        self.numbered = number;
        let notice = Notice::new(now.0, "calling", Some(number), format!("calling {to}"));
        self.tell_with(notice.with("target", to.as_str()));
        let call = Call {
            handle,
            outgoing: true,
            peer: to,
            state: State::Calling,
            since: None,
            media: None,
            joined: false,
        };
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
        let media = &self.settings.media;
        let done = media.extras(|extras| engine.answer_call(now, handle, extras));
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
                let stands = call.stands();
                return Err(Wrong(format!("call {number} is {stands}: cannot {verb} it")));
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
            .map(|(n, call)| format!("call {n} ({}, {})", call.peer, call.stands()))
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
            let media = call.media.as_ref().map_or(String::new(), |m| format!("   {}", m.text));
            let time = call.since.map_or(String::new(), |at| duration(now.0.saturating_sub(at)));
            lines.push(
                format!(
                    "  {number:>2}  {:<9} {time:>6}  {arrow} {}{media}",
                    call.stands(),
                    call.peer
                )
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
        let mut lines = vec![
            format!("line {}: {registered}", s.aor),
            format!("proxy {proxy}"),
            format!("media at {}", s.media.text()),
        ];
        lines.extend(self.rules.lines());
        let text = lines.join("\n  ");
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
            "joined" => Some(yes(call.joined)),
            _ => Notice::text_of(call.media.as_ref()?.fields().get(key)?),
        }
    }
}
