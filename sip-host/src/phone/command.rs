//! The command language of the phone: one command a line.

use std::fmt;

use sansip::{AutoAnswer, Follow as Redirects};

/// What a command says, read but not yet done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Explain one command, or list all.
    Help(Option<String>),
    /// Register the line.
    Register,
    /// End its registration.
    Unregister,
    /// Call someone.
    Call(String),
    /// Ring with a provisional status.
    Ring(Option<u64>, u16),
    /// Answer a call that came in.
    Answer(Option<u64>),
    /// Refuse a call that came in.
    Reject(Option<u64>, u16),
    /// Send a caller elsewhere.
    Redirect(Option<u64>, String),
    /// Hold the other side.
    Hold(Option<u64>),
    /// End that.
    Resume(Option<u64>),
    /// Ask the other side to talk to somebody else: a URI, a user or a call.
    Transfer(Option<u64>, String),
    /// Call whom another phone asks us to call.
    Accept(Option<u64>),
    /// Refuse that.
    Decline(Option<u64>, u16),
    /// Join these calls, or all.
    Conference(Vec<u64>),
    /// End that.
    Split,
    /// End one call, or the only one.
    Hangup(Option<u64>),
    /// End every call.
    HangupAll,
    /// Let a redirected call go on.
    Follow(Option<u64>),
    /// Ask somebody what it can do.
    Options(String),
    /// Change what the line does with calls.
    Set(Setting),
    /// List the calls.
    Calls,
    /// Show the line and the settings.
    Status,
    /// Show messages, or do not.
    Trace(Trace),
    /// End all calls, unregister and leave.
    Quit,
}

/// A setting of the line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Setting {
    /// Refuse every call with this status; `None` does not.
    Dnd(Option<u16>),
    /// Forward calls; `None` does not. The last is the seconds without answer, 0 for the default.
    Forward(Forward, Option<String>, u32),
    /// Forward no calls.
    ForwardOff,
    /// Let a second call ring.
    Waiting(bool),
    /// Answer without a person.
    AutoAnswer(AutoAnswer),
    /// Keep our identity back.
    Anonymous(bool),
    /// Refuse callers who do.
    RefuseAnonymous(bool),
    /// Follow redirections of our calls.
    Redirects(Redirects),
}

/// Which calls are forwarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forward {
    /// All.
    Always,
    /// Those that find the line busy.
    Busy,
    /// Those that nobody answers.
    NoAnswer,
}

/// How much of the messages is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Trace {
    /// Nothing.
    #[default]
    Off,
    /// The first line of each.
    Brief,
    /// Every byte.
    Full,
}

/// What kind of word stands at a place of a command: for help and completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// The number of a call.
    Call,
    /// A URI, or a user of the own domain.
    Target,
    /// A status code.
    Status,
    /// The name of a command.
    Command,
    /// One of these.
    One(&'static [&'static str]),
}

/// One command: its name, what may follow, and what it does.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Other names of it.
    pub also: &'static [&'static str],
    /// What follows it, as help shows it.
    pub usage: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// The kinds of words that follow it.
    pub words: &'static [Word],
}

const SWITCH: &[&str] = &["on", "off"];
const FORWARDS: &[&str] = &["always", "busy", "noanswer", "off"];
const ANONYMOUS: &[&str] = &["on", "off", "refuse", "take"];
const TRACES: &[&str] = &["on", "full", "off"];

/// All commands, in the order in which help lists them.
pub const COMMANDS: &[Entry] = &[
    entry("register", &[], "", "register the line, and keep it registered", &[]),
    entry("unregister", &[], "", "end the registration", &[]),
    entry(
        "call",
        &["dial", "c"],
        "URI|USER",
        "call someone; a bare user is one of your domain",
        &[Word::Target],
    ),
    entry(
        "ring",
        &[],
        "[CALL] [STATUS]",
        "ring, with 180 or another provisional status",
        &[Word::Call, Word::Status],
    ),
    entry("answer", &["a"], "[CALL]", "answer a call that came in", &[Word::Call]),
    entry(
        "reject",
        &["r"],
        "[CALL] [STATUS]",
        "refuse a call that came in, with 486 or another status",
        &[Word::Call, Word::Status],
    ),
    entry(
        "redirect",
        &[],
        "[CALL] URI|USER",
        "send a caller elsewhere (302)",
        &[Word::Call, Word::Target],
    ),
    entry("hold", &[], "[CALL]", "put the other side on hold", &[Word::Call]),
    entry("resume", &["unhold"], "[CALL]", "end the hold", &[Word::Call]),
    entry(
        "transfer",
        &["t"],
        "[CALL] URI|USER|CALL",
        "let the other side call somebody (blind), or take your place in a call (attended)",
        &[Word::Call, Word::Target],
    ),
    entry("accept", &[], "[CALL]", "call whom the other side asks you to call", &[Word::Call]),
    entry(
        "decline",
        &[],
        "[CALL] [STATUS]",
        "refuse that, with 603 or another status",
        &[Word::Call, Word::Status],
    ),
    entry(
        "conference",
        &["conf", "join"],
        "[CALL CALL...]",
        "join these calls, or all: held ones are resumed",
        &[Word::Call, Word::Call],
    ),
    entry("split", &[], "", "end the conference: its calls are held", &[]),
    entry(
        "hangup",
        &["h", "bye"],
        "[CALL|all]",
        "end a call: give it up, refuse it or hang up",
        &[Word::Call],
    ),
    entry("follow", &[], "[CALL]", "let a redirected call go on", &[Word::Call]),
    entry("dnd", &[], "on|off|STATUS", "do not disturb: refuse calls", &[Word::One(SWITCH)]),
    entry(
        "forward",
        &["fwd"],
        "always|busy|noanswer URI|USER|off [SECONDS]",
        "forward calls (302); 'forward off' ends all forwarding",
        &[Word::One(FORWARDS), Word::Target],
    ),
    entry(
        "waiting",
        &[],
        "on|off",
        "call waiting: without it the line is busy",
        &[Word::One(SWITCH)],
    ),
    entry(
        "autoanswer",
        &[],
        "on|asked|off",
        "answer every call, or those that ask for it, by itself",
        &[Word::One(&["on", "asked", "off"])],
    ),
    entry(
        "anonymous",
        &[],
        "on|off|refuse|take",
        "call anonymously; refuse such calls",
        &[Word::One(ANONYMOUS)],
    ),
    entry(
        "redirects",
        &[],
        "follow|ask|off",
        "what becomes of calls that are redirected",
        &[Word::One(&["follow", "ask", "off"])],
    ),
    entry("options", &["ping"], "URI|USER", "ask somebody what it can do", &[Word::Target]),
    entry("calls", &["l"], "", "list the calls: number, peer, state, media", &[]),
    entry("status", &["s"], "", "show the line, its registration and the settings", &[]),
    entry(
        "trace",
        &[],
        "on|full|off",
        "show each message: its first line, all of it, or nothing",
        &[Word::One(TRACES)],
    ),
    entry("help", &["?"], "[COMMAND]", "list the commands, or explain one", &[Word::Command]),
    entry("quit", &["exit", "q"], "", "end all calls, unregister and leave", &[]),
];

const fn entry(
    name: &'static str,
    also: &'static [&'static str],
    usage: &'static str,
    help: &'static str,
    words: &'static [Word],
) -> Entry {
    Entry { name, also, usage, help, words }
}

/// The entry of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    let is = |n: &str| n.eq_ignore_ascii_case(name);
    COMMANDS.iter().find(|e| is(e.name) || e.also.iter().any(|a| is(a)))
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = format!("{} {}", self.name, self.usage);
        write!(f, "  {left:<34} {}", self.help)?;
        if self.also.is_empty() { Ok(()) } else { write!(f, " ({})", self.also.join(", ")) }
    }
}

/// Why a line is no command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong(pub String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The words of a line, taken one by one.
#[derive(Debug)]
pub struct Words<'a> {
    entry: &'static Entry,
    left: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
}

impl<'a> Words<'a> {
    fn usage(&self, problem: &str) -> Wrong {
        Wrong(
            format!("{problem}; usage: {} {}", self.entry.name, self.entry.usage).trim_end().into(),
        )
    }

    /// The number of a call, if the next word is one.
    fn call(&mut self) -> Option<u64> {
        let number = call_number(self.left.peek()?)?;
        self.left.next();
        Some(number)
    }

    /// The next word, which must be there.
    fn need(&mut self, what: &str) -> Result<&'a str, Wrong> {
        self.left.next().ok_or_else(|| self.usage(&format!("{what} is missing")))
    }

    fn status(&mut self, default: u16, from: u16, to: u16) -> Result<u16, Wrong> {
        let Some(word) = self.left.next() else { return Ok(default) };
        match word.parse() {
            Ok(status) if (from..=to).contains(&status) => Ok(status),
            _ => Err(self.usage(&format!("'{word}' is not a status from {from} to {to}"))),
        }
    }

    /// A call and a status. One number alone is the status if it has three digits.
    fn call_and_status(
        &mut self,
        default: u16,
        from: u16,
        to: u16,
    ) -> Result<(Option<u64>, u16), Wrong> {
        let alone = self.left.clone().count() == 1;
        let long = self.left.peek().is_some_and(|w| w.len() == 3);
        let call = if alone && long { None } else { self.call() };
        Ok((call, self.status(default, from, to)?))
    }

    fn end<T>(mut self, value: T) -> Result<T, Wrong> {
        match self.left.next() {
            None => Ok(value),
            Some(word) => Err(self.usage(&format!("'{word}' is too much"))),
        }
    }
}

/// The number of a call: `3`, `#3` or `call3`.
pub(super) fn call_number(word: &str) -> Option<u64> {
    let digits = word.strip_prefix('#').or_else(|| word.strip_prefix("call")).unwrap_or(word);
    digits.parse().ok().filter(|n| *n > 0 && digits.len() <= 6)
}

/// Reads one line. An empty line, or one with a comment alone, is `None`.
///
/// # Errors
/// What is wrong with it, in a sentence for the person who typed it.
pub fn parse(line: &str) -> Result<Option<Command>, Wrong> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut words = line.split_whitespace().peekable();
    let name = words.next().unwrap_or_default();
    let Some(entry) = find(name) else { return Err(unknown(name)) };
    command(Words { entry, left: words }).map(Some)
}

fn command(mut w: Words<'_>) -> Result<Command, Wrong> {
    match w.entry.name {
        "help" => {
            let about = w.left.next().map(str::to_owned);
            w.end(Command::Help(about))
        }
        "register" => w.end(Command::Register),
        "unregister" => w.end(Command::Unregister),
        "call" => {
            let target = w.need("whom to call")?.to_owned();
            w.end(Command::Call(target))
        }
        "ring" => {
            let (call, status) = w.call_and_status(180, 101, 199)?;
            w.end(Command::Ring(call, status))
        }
        "answer" => {
            let call = w.call();
            w.end(Command::Answer(call))
        }
        "reject" => {
            let (call, status) = w.call_and_status(486, 400, 699)?;
            w.end(Command::Reject(call, status))
        }
        "redirect" => {
            let call = if w.left.clone().count() > 1 { w.call() } else { None };
            let to = w.need("where to")?.to_owned();
            w.end(Command::Redirect(call, to))
        }
        "hangup" => {
            if w.left.next_if(|word| word.eq_ignore_ascii_case("all")).is_some() {
                return w.end(Command::HangupAll);
            }
            let call = w.call();
            w.end(Command::Hangup(call))
        }
        "hold" | "resume" => {
            let hold = w.entry.name == "hold";
            let call = w.call();
            w.end(if hold { Command::Hold(call) } else { Command::Resume(call) })
        }
        "transfer" => {
            let call = if w.left.clone().count() > 1 { w.call() } else { None };
            let to = w.need("where to")?.to_owned();
            w.end(Command::Transfer(call, to))
        }
        "accept" => {
            let call = w.call();
            w.end(Command::Accept(call))
        }
        "decline" => {
            let (call, status) = w.call_and_status(603, 300, 699)?;
            w.end(Command::Decline(call, status))
        }
        "conference" => {
            let calls = std::iter::from_fn(|| w.call()).collect();
            w.end(Command::Conference(calls))
        }
        "split" => w.end(Command::Split),
        "follow" => {
            let call = w.call();
            w.end(Command::Follow(call))
        }
        "dnd" | "forward" | "waiting" | "autoanswer" | "anonymous" | "redirects" => {
            let setting = setting(&mut w)?;
            w.end(Command::Set(setting))
        }
        "options" => {
            let target = w.need("whom to ask")?.to_owned();
            w.end(Command::Options(target))
        }
        "calls" => w.end(Command::Calls),
        "status" => w.end(Command::Status),
        "trace" => trace(w),
        _ => w.end(Command::Quit),
    }
}

fn setting(w: &mut Words<'_>) -> Result<Setting, Wrong> {
    let name = w.entry.name;
    let word = w.need("what to set")?.to_ascii_lowercase();
    Ok(match (name, word.as_str()) {
        ("dnd", "off") => Setting::Dnd(None),
        ("dnd", "on") => Setting::Dnd(Some(w.status(480, 400, 699)?)),
        ("dnd", status) => match status.parse() {
            Ok(status @ 400..700) => Setting::Dnd(Some(status)),
            _ => return Err(w.usage(&format!("'{status}' is not a status from 400 to 699"))),
        },
        ("forward", "off") => Setting::ForwardOff,
        ("forward", "always") => forward(w, Forward::Always)?,
        ("forward", "busy") => forward(w, Forward::Busy)?,
        ("forward", "noanswer") => forward(w, Forward::NoAnswer)?,
        ("waiting", "on") => Setting::Waiting(true),
        ("waiting", "off") => Setting::Waiting(false),
        ("autoanswer", "on") => Setting::AutoAnswer(AutoAnswer::Always),
        ("autoanswer", "asked") => Setting::AutoAnswer(AutoAnswer::Asked),
        ("autoanswer", "off") => Setting::AutoAnswer(AutoAnswer::Never),
        ("anonymous", "on") => Setting::Anonymous(true),
        ("anonymous", "off") => Setting::Anonymous(false),
        ("anonymous", "refuse") => Setting::RefuseAnonymous(true),
        ("anonymous", "take") => Setting::RefuseAnonymous(false),
        ("redirects", "follow") => Setting::Redirects(Redirects::Follow),
        ("redirects", "ask") => Setting::Redirects(Redirects::Ask),
        ("redirects", "off") => Setting::Redirects(Redirects::Never),
        _ => return Err(w.usage(&format!("'{word}' is none of these"))),
    })
}

fn forward(w: &mut Words<'_>, which: Forward) -> Result<Setting, Wrong> {
    let to = w.need("where to, or 'off',")?;
    let to = (!to.eq_ignore_ascii_case("off")).then(|| to.to_owned());
    let after = match (which, w.left.peek().map(|word| word.parse())) {
        (Forward::NoAnswer, Some(Ok(seconds @ 1..=600))) => {
            w.left.next();
            seconds
        }
        (Forward::NoAnswer, Some(_)) => return Err(w.usage("seconds are from 1 to 600")),
        _ => 0,
    };
    Ok(Setting::Forward(which, to, after))
}

fn trace(mut w: Words<'_>) -> Result<Command, Wrong> {
    let trace = match w.left.next().unwrap_or("on") {
        "on" | "brief" => Trace::Brief,
        "full" | "all" => Trace::Full,
        "off" => Trace::Off,
        other => return Err(w.usage(&format!("'{other}' is not on, full or off"))),
    };
    w.end(Command::Trace(trace))
}

fn unknown(name: &str) -> Wrong {
    let near = COMMANDS.iter().map(|e| (distance(name, e.name), e.name)).min();
    match near {
        Some((0..=2, near)) => {
            Wrong(format!("no command '{name}'; '{near}' perhaps? 'help' lists them"))
        }
        _ => Wrong(format!("no command '{name}'; 'help' lists them")),
    }
}

/// How many letters differ between two words (Levenshtein); words are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(32).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(32).enumerate() {
        let mut before = i;
        let mut left = i + 1;
        for (j, y) in b.iter().enumerate() {
            let over = row.get(j + 1).copied().unwrap_or(before);
            let cost = (before + usize::from(x != *y)).min(over + 1).min(left + 1);
            before = over;
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            left = cost;
        }
        if let Some(last) = row.last_mut() {
            *last = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The URI that a target stands for: a whole URI, `user@host`, or a user of the domain of `aor`.
///
/// # Errors
/// What is wrong with it.
pub fn target(text: &str, aor: &str) -> Result<String, Wrong> {
    let scheme = text.split_once(':').map(|(s, _)| s.to_ascii_lowercase());
    let uri = match scheme.as_deref() {
        Some("sip" | "sips") => text.to_owned(),
        _ if text.contains('@') => format!("sip:{text}"),
        Some("tel") => {
            return Err(Wrong(format!("'{text}': give a sip: URI or the number alone")));
        }
        _ => {
            let rest = aor.split_once('@').map_or("", |(_, rest)| rest);
            let domain = rest.split([';', '?']).next().unwrap_or_default();
            let scheme = aor.split_once(':').map_or("sip", |(s, _)| s);
            format!("{scheme}:{text}@{domain}")
        }
    };
    crate::proxy::routes::check_uri(&uri).map_err(Wrong)?;
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Command {
        parse(line).unwrap().unwrap()
    }

    fn wrong(line: &str) -> String {
        parse(line).unwrap_err().0
    }

    #[test]
    fn a_line_is_a_command_by_any_of_its_names() {
        assert_eq!(said("call bob"), Command::Call("bob".into()));
        assert_eq!(said("  CALL   sip:bob@h "), Command::Call("sip:bob@h".into()));
        assert_eq!(said("dial bob"), said("c bob"));
        assert_eq!(said("answer"), Command::Answer(None));
        assert_eq!(said("a #2"), Command::Answer(Some(2)));
        assert_eq!(said("hangup all"), Command::HangupAll);
        assert_eq!(parse("   "), Ok(None));
        assert_eq!(parse("# a note"), Ok(None));
    }

    #[test]
    fn a_status_stands_alone_or_after_its_call() {
        assert_eq!(said("reject"), Command::Reject(None, 486));
        assert_eq!(said("reject 603"), Command::Reject(None, 603));
        assert_eq!(said("reject 2"), Command::Reject(Some(2), 486));
        assert_eq!(said("reject 2 480"), Command::Reject(Some(2), 480));
        assert_eq!(said("ring 1 183"), Command::Ring(Some(1), 183));
        assert_eq!(said("redirect carol"), Command::Redirect(None, "carol".into()));
        assert_eq!(said("redirect 1 carol"), Command::Redirect(Some(1), "carol".into()));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_right_form() {
        assert_eq!(wrong("call"), "whom to call is missing; usage: call URI|USER");
        assert_eq!(
            wrong("reject 1 200"),
            "'200' is not a status from 400 to 699; usage: reject [CALL] [STATUS]"
        );
        assert!(wrong("answer 1 2").starts_with("'2' is too much; usage: answer [CALL]"));
        assert!(wrong("hagnup").contains("'hangup' perhaps?"));
        assert_eq!(wrong("frobnicate"), "no command 'frobnicate'; 'help' lists them");
        assert!(wrong("trace loud").contains("'loud' is not on, full or off"));
    }

    #[test]
    fn settings_are_switched_and_forwarding_has_a_target() {
        assert_eq!(said("dnd on"), Command::Set(Setting::Dnd(Some(480))));
        assert_eq!(said("dnd 603"), Command::Set(Setting::Dnd(Some(603))));
        assert_eq!(said("dnd off"), Command::Set(Setting::Dnd(None)));
        let to = Some("bob".to_owned());
        let no_answer = Setting::Forward(Forward::NoAnswer, to, 15);
        assert_eq!(said("forward noanswer bob 15"), Command::Set(no_answer));
        let none = Setting::Forward(Forward::Busy, None, 0);
        assert_eq!(said("forward busy off"), Command::Set(none));
        assert!(wrong("forward busy").contains("where to, or 'off', is missing"));
        assert!(wrong("forward noanswer bob 0").contains("seconds are from 1 to 600"));
        assert!(wrong("forward sometimes bob").contains("'sometimes' is none of these"));
        assert!(wrong("dnd perhaps").contains("'perhaps' is not a status"));
    }

    #[test]
    fn a_bare_user_is_one_of_the_own_domain() {
        let aor = "sip:alice@example.com;transport=tcp";
        let of = |text: &str| target(text, aor).unwrap();
        assert_eq!(of("bob"), "sip:bob@example.com");
        assert_eq!(of("1234"), "sip:1234@example.com");
        assert_eq!(of("bob@10.0.0.1:5070"), "sip:bob@10.0.0.1:5070");
        assert_eq!(of("sips:bob@example.org"), "sips:bob@example.org");
        assert!(target("tel:+1", aor).is_err());
        assert!(target("sip:", aor).is_err());
    }

    #[test]
    fn the_distance_of_words_counts_changed_letters() {
        for (a, b, d) in
            [("hold", "hold", 0), ("hodl", "hold", 2), ("ansver", "answer", 1), ("", "abc", 3)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }

    #[test]
    fn every_command_is_parsed_and_explained() {
        for e in COMMANDS {
            let sample = e.words.iter().map(|w| match w {
                Word::Call => "1",
                Word::Target => "bob",
                Word::Status => continue_status(e.name),
                Word::Command => "call",
                Word::One(list) => list[0],
            });
            let line = format!("{} {}", e.name, sample.collect::<Vec<_>>().join(" "));
            assert!(parse(&line).is_ok(), "{line}: {:?}", parse(&line));
            assert!(!e.help.is_empty());
            assert_eq!(find(e.name).unwrap().name, e.name);
        }
    }

    fn continue_status(name: &str) -> &'static str {
        if name == "ring" { "183" } else { "486" }
    }
}
