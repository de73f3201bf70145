//! The phone as an application of the driver: a desk, and who gives it commands.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::SocketAddr;
use std::rc::Rc;

use sansip::sdp::Agreed;
use sansip::wire::message::MessageRef;
use sansip::{CallHandle, Engine, Event, Instant, Query, QueryId, Transport};

use super::command::{self, Trace};
use super::desk::Desk;
use super::notice::Notice;
use super::script::Runner;
use crate::app::App;
use crate::driver::{Direction, Tap};

/// Where lines are written.
pub trait Screen {
    /// Writes one notice.
    fn notice(&mut self, notice: &Notice);

    /// Writes a line that is no event: a message on its way.
    fn line(&mut self, text: &str);

    /// A message that came or went, for a trace: as an event, and as text for people.
    fn traced(&mut self, _notice: &Notice, text: &str) {
        self.line(text);
    }

    /// The last command has been done: the next may be typed.
    fn prompt(&mut self) {}
}

/// Standard output, for people or as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// Whether each event is a JSON line.
    pub json: bool,
}

impl Plain {
    // What cannot be written (the reader has gone) is not worth stopping for.
    fn write(text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

impl Screen for Plain {
    fn notice(&mut self, notice: &Notice) {
        Self::write(&if self.json { notice.json().to_string() } else { notice.line(false) });
    }

    fn line(&mut self, text: &str) {
        if !self.json {
            Self::write(text);
        }
    }

    fn traced(&mut self, notice: &Notice, text: &str) {
        if self.json { self.notice(notice) } else { self.line(text) }
    }
}

/// A screen that the phone and the look at its messages share.
pub type Shared = Rc<RefCell<dyn Screen>>;

/// Who gives the commands.
#[derive(Debug)]
pub enum Orders {
    /// A person: lines typed and not yet done.
    Person(Vec<String>),
    /// A script.
    Script(Box<Runner>),
}

/// The application.
pub struct Console {
    desk: Desk,
    orders: Orders,
    screen: Shared,
    trace: Rc<Cell<Trace>>,
}

impl Console {
    /// A phone that takes its commands from there and tells there what happens.
    #[must_use]
    pub fn new(desk: Desk, orders: Orders, screen: Shared) -> Self {
        Self { desk, orders, screen, trace: Rc::default() }
    }

    /// Shows the messages when the person wants to see them.
    #[must_use]
    pub fn tap(&self) -> Tap {
        let (screen, trace) = (Rc::clone(&self.screen), Rc::clone(&self.trace));
        Box::new(move |tapped| {
            if trace.get() == Trace::Off {
                return;
            }
            let (arrow, direction, copy) = match tapped.direction {
                Direction::In => ("<-", "in", 0),
                Direction::Out { copy } => ("->", "out", copy),
            };
            let text = String::from_utf8_lossy(tapped.bytes);
            let body = match trace.get() {
                Trace::Full => text.replace('\r', ""),
                _ => text.lines().next().unwrap_or_default().to_owned(),
            };
            let again = if copy > 0 { format!(" (again, {copy})") } else { String::new() };
            let at = tapped.at.0;
            let remote = tapped.path.remote;
            let head = format!("{:>4}.{:03}  {arrow} {remote}{again}  ", at / 1_000, at % 1_000);
            let join = if trace.get() == Trace::Full { "\n" } else { "" };
            let notice = Notice::new(at, "trace", None, String::new())
                .with("direction", direction)
                .with("remote", remote.to_string())
                .with("copy", copy)
                .with("message", body.as_str());
            screen.borrow_mut().traced(&notice, &format!("{head}{join}{body}"));
        })
    }

    /// A line that was typed, or came from a script; `None` is its end.
    pub fn input(&mut self, line: Option<String>) {
        match (&mut self.orders, line) {
            (Orders::Person(lines), line) => lines.push(line.unwrap_or_else(|| "quit".into())),
            (Orders::Script(runner), line) => runner.push(line.as_deref()),
        }
    }

    /// The script, if there is one.
    #[must_use]
    pub fn script(&self) -> Option<&Runner> {
        match &self.orders {
            Orders::Script(runner) => Some(runner),
            Orders::Person(_) => None,
        }
    }

    /// Says where the phone listens.
    pub fn listening(&mut self, addresses: &[(Transport, SocketAddr)]) {
        let list: Vec<String> = addresses
            .iter()
            .map(|(transport, at)| format!("{}:{at}", transport.as_str().to_ascii_lowercase()))
            .collect();
        let mut notice =
            Notice::new(0, "listening", None, format!("listening at {}", list.join(", ")));
        for (transport, at) in addresses {
            notice = notice.with(&transport.as_str().to_ascii_lowercase(), at.to_string());
        }
        self.screen.borrow_mut().notice(&notice);
    }

    /// The phone.
    #[must_use]
    pub const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Tells what there is to tell.
    fn tell(&mut self) {
        while let Some(notice) = self.desk.notice() {
            if let Orders::Script(runner) = &mut self.orders {
                runner.saw(&notice);
            }
            self.screen.borrow_mut().notice(&notice);
        }
        self.trace.set(self.desk.trace());
    }

    fn obey(&mut self, now: Instant, engine: &mut Engine, line: &str) {
        let done = match command::parse(line) {
            Ok(None) => Ok(()),
            Ok(Some(command)) => self.desk.run(now, engine, command),
            Err(wrong) => Err(wrong),
        };
        if let Err(wrong) = done {
            self.tell();
            self.screen.borrow_mut().line(&format!("  {wrong}"));
        }
    }
}

impl App for Console {
    fn start(&mut self, now: Instant, engine: &mut Engine) {
        self.desk.start(now, engine);
        self.tell();
    }

    fn event(&mut self, now: Instant, event: &Event, message: Option<MessageRef<'_>>) {
        self.desk.event(now, event, message);
        self.tell();
    }

    fn media(&mut self, now: Instant, call: CallHandle, media: &Agreed<'_>) {
        self.desk.media(now, call, media);
        self.tell();
    }

    fn query(&mut self, _now: Instant, id: QueryId, query: &Query<'_>) -> bool {
        self.desk.query(id, query)
    }

    fn act(&mut self, now: Instant, engine: &mut Engine) {
        self.desk.act(now, engine);
        if let Orders::Person(lines) = &mut self.orders {
            for line in std::mem::take(lines) {
                self.obey(now, engine, &line);
                self.tell();
                if !self.desk.is_quitting() {
                    self.screen.borrow_mut().prompt();
                }
            }
        }
        loop {
            self.tell();
            let Orders::Script(runner) = &mut self.orders else { break };
            if self.desk.is_quitting() || !runner.step(now, &mut self.desk, engine) {
                break;
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let order = match &self.orders {
            Orders::Person(lines) => (!lines.is_empty()).then_some(0),
            Orders::Script(_) if self.desk.is_quitting() => None,
            Orders::Script(runner) => runner.next_timeout(),
        };
        order.into_iter().chain(self.desk.next_timeout()).min().map(Instant)
    }

    fn is_done(&self) -> bool {
        self.desk.is_quitting() || self.script().is_some_and(Runner::is_done)
    }

    fn stop(&mut self, _now: Instant) {
        self.desk.stop();
    }
}
