//! The phone from a script: commands, and what is to happen in between.

use std::collections::VecDeque;
use std::fmt;

use sansip::{Engine, Instant};

use super::command::{self, Command, Wrong};
use super::desk::Desk;
use super::notice::Notice;

/// The events that a script can wait for.
pub const EVENTS: &[&str] = &[
    "registered",
    "unregistered",
    "register_failed",
    "calling",
    "incoming",
    "rung",
    "progress",
    "answered",
    "confirmed",
    "media",
    "reinvite",
    "reinvited",
    "ended",
    "policy",
    "options",
    "redirected",
    "transferring",
    "transfer",
    "transfer_asked",
    "conference",
    "conference_ended",
    "request",
    "limited",
    "error",
];

/// How long `wait` waits where it does not say, in milliseconds.
const PATIENCE: u64 = 10_000;

/// Events kept for a `wait` to come; the oldest give way.
const KEPT: usize = 10_000;

/// A field and what it must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    key: String,
    /// Whether it is enough that the field contains the value.
    part: bool,
    value: String,
}

impl Condition {
    fn parse(word: &str) -> Option<Self> {
        let at = word.find(['=', '~']).filter(|at| *at > 0)?;
        let (key, rest) = word.split_at(at);
        let part = rest.starts_with('~');
        let value = rest.get(1..).unwrap_or_default().trim_matches('"');
        Some(Self { key: key.to_owned(), part, value: value.to_owned() })
    }

    fn holds(&self, field: Option<&str>) -> bool {
        match field {
            Some(field) if self.part => field.contains(&self.value),
            Some(field) => field == self.value,
            None => false,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.key, if self.part { '~' } else { '=' }, self.value)
    }
}

/// An event that is waited for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    event: String,
    call: Option<u64>,
    conditions: Vec<Condition>,
}

impl Pattern {
    fn fits(&self, notice: &Notice) -> bool {
        notice.event == self.event
            && (self.call.is_none() || notice.call == self.call)
            && self.conditions.iter().all(|c| c.holds(notice.field(&c.key).as_deref()))
    }
}

/// What is checked at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expectation {
    /// So many calls.
    Calls(usize),
    /// A call, and how it stands.
    Call(u64, Vec<Condition>),
    /// The line.
    Line(Vec<Condition>),
    /// An event that has not come, or was waited for before.
    No(Pattern),
}

/// One line of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A command that must work.
    Run(Command),
    /// A command that must be refused.
    Fails(Command),
    /// Wait for an event, at most so many milliseconds. Each event is waited for once; it may
    /// have come before.
    Wait(Pattern, u64),
    /// Let so many milliseconds pass.
    Sleep(u64),
    /// Check something.
    Expect(Expectation),
    /// Write this text.
    Say(String),
}

/// Reads one line; a line without a step is `None`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &str) -> Result<Option<Step>, Wrong> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let step = match word {
        "wait" => wait(rest)?,
        "sleep" => Step::Sleep(milliseconds(rest.trim())?),
        "expect" => Step::Expect(expectation(rest)?),
        "say" => Step::Say(rest.trim().to_owned()),
        "fails" => match command::parse(rest)? {
            Some(command) => Step::Fails(command),
            None => return Err(Wrong("a command is missing; usage: fails COMMAND".into())),
        },
        _ => return Ok(command::parse(line)?.map(Step::Run)),
    };
    Ok(Some(step))
}

const WAIT: &str = "usage: wait EVENT [CALL] [KEY=VALUE]... [within SECONDS]";
const EXPECT: &str = "usage: expect calls N | expect call N KEY=VALUE... | expect line KEY=VALUE... \
                      | expect no EVENT [CALL] [KEY=VALUE]...";

fn wait(rest: &str) -> Result<Step, Wrong> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (words, within) = match words.iter().position(|w| *w == "within") {
        None => (words.as_slice(), PATIENCE),
        Some(at) => {
            let time = words.get(at + 1..).unwrap_or_default().join(" ");
            (words.get(..at).unwrap_or_default(), milliseconds(&time)?)
        }
    };
    Ok(Step::Wait(pattern(words, WAIT)?, within))
}

fn pattern(words: &[&str], usage: &str) -> Result<Pattern, Wrong> {
    let Some((event, mut rest)) = words.split_first() else {
        return Err(Wrong(format!("an event is missing; {usage}")));
    };
    if !EVENTS.contains(event) {
        let list = EVENTS.join(", ");
        return Err(Wrong(format!("no event '{event}'; there are {list}")));
    }
    let call = rest.first().and_then(|w| w.parse().ok());
    if call.is_some() {
        rest = rest.get(1..).unwrap_or_default();
    }
    Ok(Pattern { event: (*event).to_owned(), call, conditions: conditions(rest, usage)? })
}

fn conditions(words: &[&str], usage: &str) -> Result<Vec<Condition>, Wrong> {
    let read = |word: &&str| {
        Condition::parse(word).ok_or_else(|| Wrong(format!("'{word}' is not KEY=VALUE; {usage}")))
    };
    words.iter().map(read).collect()
}

fn expectation(rest: &str) -> Result<Expectation, Wrong> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |word: &str| {
        word.parse::<u32>().map_err(|_| Wrong(format!("'{word}' is not a number; {EXPECT}")))
    };
    match words.as_slice() {
        ["calls", n] => Ok(Expectation::Calls(number(n)? as usize)),
        ["call", n, rest @ ..] => {
            Ok(Expectation::Call(number(n)?.into(), conditions(rest, EXPECT)?))
        }
        ["line", rest @ ..] if !rest.is_empty() => Ok(Expectation::Line(conditions(rest, EXPECT)?)),
        ["no", rest @ ..] => Ok(Expectation::No(pattern(rest, EXPECT)?)),
        _ => Err(Wrong(EXPECT.to_owned())),
    }
}

/// Reads `2`, `0.5`, `2s` or `500ms`.
fn milliseconds(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong(format!("'{text}' is not a time: 2, 0.5 or 500ms"));
    if let Some(ms) = text.strip_suffix("ms") {
        return ms.trim().parse::<u32>().map(u64::from).map_err(|_| wrong());
    }
    let seconds: f64 = text.trim_end_matches('s').trim().parse().map_err(|_| wrong())?;
    if (0.0..=1_000_000.0).contains(&seconds) {
        Ok((seconds * 1_000.0) as u64)
    } else {
        Err(wrong())
    }
}

/// A line of a script that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Its number, from 1.
    pub line: usize,
    /// What was expected and what was so instead.
    pub text: String,
}

/// Reads a whole script.
///
/// # Errors
/// The first line that is none.
pub fn read(text: &str) -> Result<Vec<(usize, Step)>, Failure> {
    let mut steps = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match parse(line) {
            Ok(Some(step)) => steps.push((at + 1, step)),
            Ok(None) => {}
            Err(wrong) => return Err(Failure { line: at + 1, text: wrong.0 }),
        }
    }
    Ok(steps)
}

/// Works through a script.
#[derive(Debug)]
pub struct Runner {
    steps: VecDeque<(usize, Step)>,
    /// Whether more may come.
    open: bool,
    /// How many lines have come.
    lines: usize,
    /// Events that no `wait` has taken.
    seen: VecDeque<Notice>,
    /// When the step in front is over.
    until: Option<u64>,
    failure: Option<Failure>,
}

impl Runner {
    /// A script that is there as a whole.
    #[must_use]
    pub fn whole(steps: Vec<(usize, Step)>) -> Self {
        Self { steps: steps.into(), open: false, ..Self::growing() }
    }

    /// A script whose lines are still to come.
    #[must_use]
    pub const fn growing() -> Self {
        Self {
            steps: VecDeque::new(),
            open: true,
            lines: 0,
            seen: VecDeque::new(),
            until: None,
            failure: None,
        }
    }

    /// One line more; `None` ends the script.
    pub fn push(&mut self, line: Option<&str>) {
        let Some(line) = line else {
            self.open = false;
            return;
        };
        self.lines += 1;
        match parse(line) {
            Ok(Some(step)) => self.steps.push_back((self.lines, step)),
            Ok(None) => {}
            Err(wrong) => self.fail(self.lines, wrong.0),
        }
    }

    fn fail(&mut self, line: usize, text: String) {
        if self.failure.is_none() {
            self.failure = Some(Failure { line, text });
        }
    }

    /// Something happened.
    pub fn saw(&mut self, notice: &Notice) {
        if EVENTS.contains(&notice.event) {
            if self.seen.len() >= KEPT {
                self.seen.pop_front();
            }
            self.seen.push_back(notice.clone());
        }
    }

    /// Whether it has ended, or failed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.failure.is_some() || !self.open && self.steps.is_empty()
    }

    /// The line that failed.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// When it goes on though nothing happens.
    #[must_use]
    pub fn next_timeout(&self) -> Option<u64> {
        if self.is_done() || self.steps.is_empty() { None } else { Some(self.until.unwrap_or(0)) }
    }

    /// Does the next step if it can be done; whether it was. What it tells must be shown to
    /// [`Runner::saw`] before the next.
    pub fn step(&mut self, now: Instant, desk: &mut Desk, engine: &mut Engine) -> bool {
        if self.is_done() {
            return false;
        }
        let Some((line, step)) = self.steps.front().cloned() else { return false };
        let done = match step {
            Step::Run(command) => desk.run(now, engine, command).map(|()| true).map_err(|w| w.0),
            Step::Fails(command) => match desk.run(now, engine, command) {
                Ok(()) => Err("it worked, but should have been refused".into()),
                Err(_) => Ok(true),
            },
            Step::Sleep(ms) => Ok(self.is_over(now, ms)),
            Step::Wait(pattern, within) => self.wait(now, &pattern, within),
            Step::Expect(what) => self.check(desk, &what).map(|()| true),
            Step::Say(text) => {
                desk.reply(now, text);
                Ok(true)
            }
        };
        match done {
            Ok(false) => false,
            Ok(true) => {
                self.until = None;
                self.steps.pop_front();
                true
            }
            Err(text) => {
                self.fail(line, text);
                false
            }
        }
    }

    fn is_over(&mut self, now: Instant, ms: u64) -> bool {
        now.0 >= *self.until.get_or_insert(now.0.saturating_add(ms))
    }

    fn wait(&mut self, now: Instant, pattern: &Pattern, within: u64) -> Result<bool, String> {
        if let Some(at) = self.seen.iter().position(|n| pattern.fits(n)) {
            self.seen.remove(at);
            return Ok(true);
        }
        if !self.is_over(now, within) {
            return Ok(false);
        }
        let seconds = within as f64 / 1_000.0;
        let call = pattern.call.map_or(String::new(), |n| format!(" of call {n}"));
        let event = &pattern.event;
        Err(format!("no '{event}'{call} as wanted within {seconds} s; {}", self.instead(event)))
    }

    /// What came in place of what was waited for: the same event, else the last ones.
    fn instead(&self, event: &str) -> String {
        let show = |n: &Notice| n.json().to_string();
        let same: Vec<String> = self.seen.iter().filter(|n| n.event == event).map(show).collect();
        if !same.is_empty() {
            return format!("such events that came: {}", same.join(" "));
        }
        let skip = self.seen.len().saturating_sub(5);
        let last: Vec<String> = self.seen.iter().skip(skip).map(show).collect();
        if last.is_empty() {
            "nothing came".into()
        } else {
            format!("last came: {}", last.join(" "))
        }
    }

    fn check(&self, desk: &Desk, what: &Expectation) -> Result<(), String> {
        match what {
            Expectation::Calls(n) if desk.calls().len() == *n => Ok(()),
            Expectation::Calls(n) => {
                Err(format!("there are {} calls, not {n}", desk.calls().len()))
            }
            Expectation::Call(number, conditions) => {
                if !desk.calls().contains_key(number) {
                    return Err(format!("there is no call {number}"));
                }
                compare(conditions, |key| desk.call_field(*number, key))
                    .map_err(|text| format!("call {number}: {text}"))
            }
            Expectation::Line(conditions) => {
                compare(conditions, |key| desk.line_field(key)).map_err(|t| format!("line: {t}"))
            }
            Expectation::No(pattern) => match self.seen.iter().find(|n| pattern.fits(n)) {
                None => Ok(()),
                Some(notice) => Err(format!("it came: {}", notice.json())),
            },
        }
    }
}

fn compare(conditions: &[Condition], field: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    for condition in conditions {
        let found = field(&condition.key);
        if !condition.holds(found.as_deref()) {
            return Err(match found {
                Some(found) => format!("wanted {condition}, but it is '{found}'"),
                None => format!("wanted {condition}, but there is no '{}'", condition.key),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sansip::{Config, Limits};

    use super::*;
    use crate::phone::desk::Settings;

    fn wrong(line: &str) -> String {
        parse(line).unwrap_err().0
    }

    fn ended(call: u64, status: u16) -> Notice {
        Notice::new(1, "ended", Some(call), String::new()).with("status", status)
    }

    /// A script that runs to its end or its failure while `notices` have come.
    fn run(text: &str, notices: &[Notice], until: u64) -> Runner {
        let mut engine = Engine::new(Config::new([1; 32]), &Limits::PHONE).unwrap();
        let mut desk = Desk::new(Settings { aor: "sip:a@b".into(), ..Settings::default() });
        let mut runner = Runner::whole(read(text).unwrap());
        notices.iter().for_each(|n| runner.saw(n));
        for now in 0..=until {
            while runner.step(Instant(now), &mut desk, &mut engine) {}
        }
        runner
    }

    fn failure(text: &str, notices: &[Notice]) -> String {
        let runner = run(text, notices, 2_000);
        let failure = runner.failure().unwrap();
        format!("{}: {}", failure.line, failure.text)
    }

    #[test]
    fn a_script_is_refused_with_the_line_that_is_wrong() {
        let failure = read("# first\n\ncall bob\nwait ansered\n").unwrap_err();
        assert_eq!(failure.line, 4);
        assert!(failure.text.starts_with("no event 'ansered'; there are registered"));
        assert!(wrong("wait").contains("usage: wait EVENT"));
        assert!(wrong("wait ended 1 486").contains("'486' is not KEY=VALUE"));
        assert!(wrong("sleep long").contains("'long' is not a time"));
        assert!(wrong("expect").contains("usage: expect calls N"));
        assert!(wrong("wait ended within").contains("'' is not a time"));
    }

    #[test]
    fn times_are_seconds_or_milliseconds() {
        let sleep = |line| parse(line).unwrap().unwrap();
        assert_eq!(sleep("sleep 2"), Step::Sleep(2_000));
        assert_eq!(sleep("sleep 0.25 s"), Step::Sleep(250));
        assert_eq!(sleep("sleep 250ms"), Step::Sleep(250));
    }

    #[test]
    fn an_event_is_waited_for_once_and_may_have_come_before() {
        let one = [ended(1, 486), ended(2, 200)];
        assert!(run("wait ended 2 status=200\nwait ended", &one, 0).is_done());
        let text = failure("wait ended 1\nwait ended 1 within 1", &one);
        assert!(text.starts_with("2: no 'ended' of call 1 as wanted within 1 s; such events"));
        assert!(text.contains("\"call\":2"), "{text}");
        assert!(run("wait ended status~8", &one, 0).is_done());
        assert!(failure("wait ended status~9 within 1", &one).starts_with("1: "));
    }

    #[test]
    fn a_wait_ends_when_its_time_is_over_and_not_before() {
        let runner = run("wait registered within 1", &[], 999);
        assert!(!runner.is_done());
        assert_eq!(runner.next_timeout(), Some(1_000));
        assert_eq!(
            failure("wait registered within 1", &[]),
            "1: no 'registered' as wanted within 1 s; nothing came"
        );
    }

    #[test]
    fn expectations_say_what_is_so_instead() {
        assert!(run("expect calls 0\nexpect line registered=no", &[], 0).is_done());
        assert_eq!(failure("expect calls 1", &[]), "1: there are 0 calls, not 1");
        assert_eq!(failure("expect call 3 state=active", &[]), "1: there is no call 3");
        let text = failure("expect line registered=yes", &[]);
        assert_eq!(text, "1: line: wanted registered=yes, but it is 'no'");
        assert!(failure("expect no ended", &[ended(1, 486)]).starts_with("1: it came: {"));
        assert!(run("wait ended\nexpect no ended", &[ended(1, 486)], 0).failure().is_none());
    }

    #[test]
    fn a_command_that_is_refused_fails_the_script_unless_that_was_wanted() {
        assert_eq!(failure("answer", &[]), "1: no call to answer");
        assert!(run("fails answer", &[], 0).failure().is_none());
        assert_eq!(failure("fails calls", &[]), "1: it worked, but should have been refused");
    }

    #[test]
    fn a_growing_script_waits_for_its_lines() {
        let mut runner = Runner::growing();
        assert!(!runner.is_done());
        assert_eq!(runner.next_timeout(), None);
        runner.push(Some("# nothing"));
        runner.push(Some("bogus"));
        assert_eq!(runner.failure().unwrap().line, 2);
        let mut runner = Runner::growing();
        runner.push(None);
        assert!(runner.is_done());
    }
}
