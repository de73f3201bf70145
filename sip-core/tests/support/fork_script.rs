//! Scripts of forked requests: what the caller, the devices and the application do, and every message
//! of the proxy with its millisecond. A script is compared with what happened line by line, and each
//! message of the proxy byte by byte with what the request or response that it comes from makes it.
//!
//! ```text
//! # the first of two to answer wins          a case and its name
//! targets 2 3;q=0.5                           devices 10.0.0.2 and 10.0.0.3
//! set ring=5000                               settings
//!   0 1> INVITE +Supported: 199               the caller sends, with more fields
//!   0 >1 100                                  the proxy sends: of its own
//!   0 >2 INVITE 60                            with this Max-Breadth
//! 100 2> 180                                  a device answers, with its tag
//! 100 >1 180/2                                the proxy passes on what device 2 sent
//! 200 app add 4 more                          the application adds a target; more may come
//! 300 ! exhausted 480                         an event
//! ```
//!
//! The caller acknowledges, and devices answer 100 to an INVITE (but those of `silent`) and 200 to a
//! CANCEL by themselves; that is not shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use sansip::{Event, Instant, Limits, Order, Target};

use crate::hop::{Bound, Hop, Sent, config, request, response};

const CALLER: u8 = 1;
const BOB: &str = "sip:b@example.com";

/// One case.
pub struct Case<'a> {
    pub name: &'a str,
    setup: Vec<&'a str>,
    lines: Vec<&'a str>,
}

/// The cases of a file.
pub fn cases(text: &str) -> Vec<Case<'_>> {
    let mut list: Vec<Case<'_>> = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if let Some(name) = line.strip_prefix("# ") {
            list.push(Case { name, setup: Vec::new(), lines: Vec::new() });
            continue;
        }
        let case = list.last_mut().expect("a name comes first");
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            case.lines.push(line);
        } else {
            case.setup.push(line);
        }
    }
    list
}

/// What happened, as a script.
pub fn play(case: &Case<'_>) -> String {
    println!("{}", case.name);
    let mut stage = Stage::new(&case.setup);
    for line in &case.lines {
        let (at, what) = line.split_once(' ').unwrap();
        let what = what.trim();
        if !what.starts_with(['>', '!']) {
            stage.run_to(at.parse().unwrap());
            stage.act(what);
        }
    }
    let last = case.lines.last().and_then(|l| l.split(' ').next()?.parse().ok());
    stage.run_to(last.unwrap_or(0));
    let trace = stage.trace.clone();
    stage.finish(case.name);
    trace
}

/// Plays every case and compares it with its script.
pub fn check(text: &str) -> usize {
    let all = cases(text);
    for case in &all {
        let got = play(case);
        let want = case.lines.iter().fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "{}", line.split_whitespace().collect::<Vec<_>>().join(" "));
            all
        });
        let show = |text: &str| text.lines().map(|l| format!("  {l}\n")).collect::<String>();
        assert!(got == want, "{}\nwanted:\n{}got:\n{}", case.name, show(&want), show(&got));
    }
    all.len()
}

/// Checks the cases of a file beside the test. With `BLESS` set it is written with what happened, to be
/// read and judged before it is kept.
pub fn check_file(name: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fork_table").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    if std::env::var_os("BLESS").is_none() {
        return check(&text);
    }
    let mut out = String::new();
    for case in cases(&text) {
        let _ = writeln!(out, "# {}", case.name);
        case.setup.iter().for_each(|line| writeln!(out, "{line}").unwrap());
        for line in play(&case).lines() {
            let (at, what) = line.split_once(' ').unwrap();
            let _ = writeln!(out, "{at:>6} {what}");
        }
        out.push('\n');
    }
    std::fs::write(&path, out.trim_end().to_string() + "\n").unwrap();
    0
}

/// A target as it is written: `2;q=0.5;video`, or `2@name` for a name.
fn target(word: &str) -> (String, u16, String) {
    let (uri, params) = word.split_once(';').map_or((word, ""), |(u, p)| (u, p));
    let (user, host) = uri.split_once('@').unwrap_or(("b", uri));
    let host = if host.parse::<u8>().is_ok() { format!("10.0.0.{host}") } else { host.into() };
    let mut q = 1_000;
    let mut rest = String::new();
    for param in params.split(';').filter(|p| !p.is_empty()) {
        match param.strip_prefix("q=") {
            Some(value) => q = (value.parse::<f64>().unwrap() * 1_000.0).round() as u16,
            None => rest = format!("{rest};{param}"),
        }
    }
    (format!("sip:{user}@{host}"), q, rest)
}

struct Stage {
    hop: Hop,
    trace: String,
    /// What was sent and received, for the comparison of bytes.
    invite: String,
    method: &'static str,
    copies: BTreeMap<u8, Sent>,
    answers: Vec<(u8, u16, String)>,
    silent: Vec<u8>,
    shown: usize,
}

impl Stage {
    fn new(setup: &[&str]) -> Self {
        let mut config = config();
        let (mut targets, mut silent, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for line in setup {
            let mut words = line.split_whitespace();
            match words.next().unwrap() {
                "targets" => targets.extend(words.map(target)),
                "silent" => silent.extend(words.map(|w| w.parse::<u8>().unwrap())),
                "names" => names.extend(words.map(|w| w.parse::<u8>().unwrap())),
                "set" => words.for_each(|w| set(&mut config, w)),
                other => panic!("{other}"),
            }
        }
        let limits =
            Limits { transactions: 60, attempts: 30, forks: 4, branches: 8, ..Limits::TESTER };
        let mut hop = Hop::with(config, &Limits { pool: 1 << 18, ..limits });
        for (uri, q, params) in targets {
            let entry = hop.store.entry(BOB.into()).or_insert((1, Vec::new()));
            entry.1.push(Bound {
                uri,
                params,
                q,
                until: u64::MAX / 2,
                call_id: "x".into(),
                cseq: 1,
                path: String::new(),
            });
        }
        hop.dns = names.first().copied();
        hop.more_dns = names.get(1..).unwrap_or(&[]).to_vec();
        Self {
            hop,
            trace: String::new(),
            invite: String::new(),
            method: "INVITE",
            copies: BTreeMap::new(),
            answers: Vec::new(),
            silent,
            shown: 0,
        }
    }

    fn say(&mut self, what: &str) {
        let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(self.trace, "{} {what}", self.hop.now);
    }

    fn run_to(&mut self, end: u64) {
        self.hop.run(0);
        self.look();
        while let Some(next) = self.hop.engine.next_timeout().filter(|t| t.0 <= end) {
            self.hop.run(next.0.saturating_sub(self.hop.now));
            self.look();
        }
        self.hop.now = self.hop.now.max(end);
    }

    fn act(&mut self, what: &str) {
        self.say(what);
        let (who, rest) = what.split_once(' ').unwrap();
        match who {
            "app" => self.app(rest),
            "1>" => self.caller(rest),
            device => self.device(device.trim_end_matches('>').parse().unwrap(), rest),
        }
        self.look();
    }

    fn app(&mut self, what: &str) {
        if what == "answer" {
            return self.hop.release();
        }
        if what == "hold" {
            self.hop.hold = true;
            return;
        }
        let more = what.ends_with("more");
        let list: Vec<_> = what
            .split_whitespace()
            .filter(|w| !matches!(*w, "add" | "more" | "close" | "late" | "gone"))
            .map(target)
            .collect();
        let list: Vec<Target<'_>> = list
            .iter()
            .map(|(uri, q, params)| Target { uri, q: *q, params, ..Target::default() })
            .collect();
        let (now, request) = (Instant(self.hop.now), self.hop.routing.unwrap());
        let got = self.hop.engine.add_targets(now, request, &list, more);
        let want = match what.split(' ').next_back() {
            Some("late") => Err(sansip::Error::Late),
            Some("gone") => Err(sansip::Error::Gone),
            _ => Ok(()),
        };
        assert_eq!(got, want);
        self.hop.drain();
    }

    fn caller(&mut self, what: &str) {
        let mut parts = what.split(" +");
        let method = parts.next().unwrap().trim();
        let more: String = parts.map(|f| format!("{f}\r\n")).collect();
        let text = request(method, BOB, CALLER, 1, &more);
        if method != "CANCEL" && method != "ACK" {
            self.method = if method == "INVITE" { "INVITE" } else { "MESSAGE" };
            self.invite = text.clone();
        }
        self.hop.receive(CALLER, &text);
    }

    /// `180`, `180 tag`, `302 <contact>, <contact>`, `401`.
    fn device(&mut self, from: u8, what: &str) {
        let (status, rest) = what.split_once(' ').unwrap_or((what, ""));
        let status: u16 = status.parse().unwrap();
        let (tag, more) = match status {
            300..=399 => (String::new(), format!("Contact: {rest}\r\n")),
            401 => (String::new(), format!("WWW-Authenticate: Digest realm=\"{from}\"\r\n")),
            407 => (String::new(), format!("Proxy-Authenticate: Digest realm=\"{from}\"\r\n")),
            _ => (rest.to_string(), String::new()),
        };
        let tag = if tag.is_empty() { format!("t{from}") } else { tag };
        let text = response(&self.copies[&from], status, &tag, &more);
        self.answers.push((from, status, text.clone()));
        self.hop.receive(from, &text);
    }

    /// Shows what was sent, and does what the others do by themselves.
    fn look(&mut self) {
        loop {
            for event in core::mem::take(&mut self.hop.events) {
                match event {
                    Event::Exhausted { status, .. } => self.say(&format!("! exhausted {status}")),
                    other => panic!("{other:?}"),
                }
            }
            let trying = core::mem::take(&mut self.hop.trying);
            for sent in trying {
                assert_eq!(sent.text, self.own(&sent, 100, ""));
                self.say(">1 100");
            }
            let sent = self.hop.take();
            if sent.is_empty() {
                return;
            }
            for message in sent {
                let label = self.label(&message);
                self.say(&format!(">{} {label}", message.to));
                self.shown += 1;
                self.react(&message);
            }
        }
    }

    fn react(&mut self, sent: &Sent) {
        match sent.start() {
            "INVITE" if !self.silent.contains(&sent.to) => {
                self.hop.receive(sent.to, &response(sent, 100, "", ""));
            }
            "CANCEL" => {
                self.hop.receive(sent.to, &response(sent, 200, "x", ""));
            }
            "ACK" | "INVITE" => {}
            status if self.method == "INVITE" && sent.to == CALLER && status >= "300" => {
                let to = format!("To: {}\r\n", sent.one("To"));
                self.hop.receive(CALLER, &request("ACK", BOB, CALLER, 1, &to));
            }
            _ => {}
        }
    }

    /// What a message is, once its bytes are what they must be.
    fn label(&mut self, sent: &Sent) -> String {
        match sent.start() {
            "ACK" => {
                let finals = self.answers.iter().rev();
                let last = finals.filter(|(n, s, _)| *n == sent.to && *s >= 300);
                let to = last.map(|(_, _, text)| line(text, "To")).next().unwrap();
                assert_eq!(sent.text, self.excerpt(sent, "ACK", Some(&to)));
                "ACK".into()
            }
            "CANCEL" => {
                if line(&sent.text, "CSeq").contains("CANCEL") {
                    assert_eq!(sent.text, self.excerpt(sent, "CANCEL", None));
                }
                "CANCEL".into()
            }
            start if start == self.method => self.copy(sent),
            "200" if line(&sent.text, "CSeq").contains("CANCEL") => "200 CANCEL".into(),
            _ => self.passed(sent),
        }
    }

    /// RFC 3261 16.6: the copy is the request with these changes and no other.
    fn copy(&mut self, sent: &Sent) -> String {
        if self.copies.get(&sent.to).is_some_and(|old| old.text == sent.text) {
            return format!("{} again", self.method);
        }
        let breadth = sent.one("Max-Breadth");
        let via = format!("Via: {}\r\n", sent.all("Via")[0]);
        assert!(via.starts_with("Via: SIP/2.0/UDP 10.0.0.100:5060;branch=z9hG4bK"), "{via}");
        let first = format!("{} {} SIP/2.0\r\n", self.method, sent.uri());
        let added =
            if self.method == "INVITE" { "Record-Route: <sip:10.0.0.100:5060;lr>\r\n" } else { "" };
        let had = self.invite.contains("\r\nMax-Breadth:");
        let added = match had {
            false => format!("{added}Max-Breadth: {breadth}\r\n"),
            true => added.to_string(),
        };
        let (_, rest) = self.invite.split_once("\r\n").unwrap();
        let (own_via, rest) = rest.split_once("\r\n").unwrap();
        let rest: String = rest
            .replace("Max-Forwards: 70", "Max-Forwards: 69")
            .split_inclusive("\r\n")
            .map(|l| match l.starts_with("Max-Breadth") {
                true => format!("Max-Breadth: {breadth}\r\n"),
                false => l.to_string(),
            })
            .collect();
        assert_eq!(sent.text, format!("{first}{via}{own_via}\r\n{added}{rest}"));
        let other = format!("sip:b@10.0.0.{}", sent.to) != sent.uri();
        let uri = if other { format!(" {}", sent.uri()) } else { String::new() };
        let label = format!("{} {breadth}{uri}", self.method);
        self.copies.insert(sent.to, sent.clone());
        label
    }

    /// RFC 3261 9.1, 17.1.1.3: what of the INVITE goes into CANCEL and ACK.
    fn excerpt(&self, sent: &Sent, method: &str, to: Option<&str>) -> String {
        let invite = &self.copies[&sent.to];
        let mut text = format!("{method} {} SIP/2.0\r\n", invite.uri());
        let _ = write!(text, "Via: {}\r\n", invite.all("Via")[0]);
        let to = to.unwrap_or(invite.one("To"));
        let _ = write!(text, "From: {}\r\nTo: {to}\r\n", invite.one("From"));
        let _ = write!(text, "Call-ID: {}\r\nCSeq: 1 {method}\r\n", invite.one("Call-ID"));
        text + "Max-Forwards: 69\r\nContent-Length: 0\r\n\r\n"
    }

    /// A response: whose it is, or our own.
    fn passed(&self, sent: &Sent) -> String {
        let status: u16 = sent.start().parse().unwrap();
        for (from, of, text) in self.answers.iter().rev().filter(|a| a.1 == status) {
            let passed = without_via(text);
            if passed == sent.text {
                return format!("{of}/{from}");
            }
            // The challenges of others follow (16.7 step 7).
            let head = passed.strip_suffix("\r\n").unwrap();
            let Some(more) = sent.text.strip_prefix(head) else { continue };
            let mut more = more.strip_suffix("\r\n").unwrap().to_string();
            let mut label = format!("{of}/{from}");
            for (other, _, text) in self.answers.iter().filter(|a| matches!(a.1, 401 | 407)) {
                let challenge = text.lines().find(|l| l.contains("-Authenticate: "));
                let challenge = format!("{}\r\n", challenge.unwrap());
                if *other != *from && more.contains(&challenge) {
                    more = more.replacen(&challenge, "", 1);
                    let _ = write!(label, "+{other}");
                }
            }
            assert_eq!(more, "", "{}", sent.text);
            return label;
        }
        if let Some(label) = self.shortened(sent, status) {
            return label;
        }
        let mut extra = String::new();
        let mut label = status.to_string();
        for name in ["Reason", "Contact", "Warning", "Retry-After"] {
            for value in sent.all(name) {
                let _ = write!(extra, "{name}: {value}\r\n");
                let _ = write!(label, " {value}");
            }
        }
        assert_eq!(sent.text, self.own(sent, status, &extra));
        if status == 199 {
            let (_, tag) = sent.one("To").split_once("tag=").unwrap();
            let _ = write!(label, " {tag}");
        }
        label
    }

    /// A 3xx of which some contacts are followed (16.7 step 4): the others stand at its end.
    fn shortened(&self, sent: &Sent, status: u16) -> Option<String> {
        let bare = |text: &str| -> String {
            text.split_inclusive("\r\n").filter(|l| !l.starts_with("Contact: ")).collect()
        };
        let same = |a: &&(u8, u16, String)| bare(&without_via(&a.2)) == bare(&sent.text);
        let (from, _, all) = self.answers.iter().filter(|a| a.1 == status).find(same)?;
        let left = sent.all("Contact").join(", ");
        assert!(all.contains(&left) && sent.text.ends_with(&format!("{left}\r\n\r\n")));
        Some(format!("{status}/{from} {left}"))
    }

    /// RFC 3261 8.2.6: a response of our own to the request.
    fn own(&self, sent: &Sent, status: u16, extra: &str) -> String {
        let first = sent.text.split_once("\r\n").unwrap().0;
        assert!(first.starts_with(&format!("SIP/2.0 {status} ")));
        let request = &self.invite;
        let mut text = format!("{first}\r\nVia: {}\r\n", line(request, "Via"));
        let to = line(request, "To");
        let tagged = sent.one("To");
        match tagged.strip_prefix(to.as_str()) {
            Some("") => assert_eq!(status, 100),
            Some(tag) => assert!(tag.starts_with(";tag=") && tag.len() > 6, "{tag}"),
            None => panic!("{tagged}"),
        }
        let _ = write!(text, "From: {}\r\nTo: {tagged}\r\n", line(request, "From"));
        let _ = write!(text, "Call-ID: {}\r\n", line(request, "Call-ID"));
        let _ = write!(text, "CSeq: 1 {}\r\n", self.method);
        text + extra + "Content-Length: 0\r\n\r\n"
    }

    /// Nothing follows, and nothing is left.
    fn finish(mut self, name: &str) {
        let shown = self.trace.clone();
        // Accepted transactions, and those that absorb.
        self.run_to(self.hop.now + 200_000);
        assert_eq!(self.trace, shown, "{name}: something follows");
        self.hop.finish();
    }
}

fn set(config: &mut sansip::Config, word: &str) {
    let (name, value) = word.split_once('=').unwrap_or((word, "1"));
    let number = || value.parse::<u64>().unwrap();
    match name {
        "parallel" => config.forking.order = Order::Parallel,
        "serial" => config.forking.order = Order::Serial,
        "recurse" => config.forking.recurse = true,
        "redirect" => config.forking.redirect = true,
        "ring" => config.forking.ring = number(),
        "late" => config.forking.late = number(),
        "breadth" => config.forking.breadth = number() as u16,
        "timer_c" => config.timer_c = number(),
        "total" => config.timer_c_total = number(),
        other => panic!("{other}"),
    }
}

/// The value of a field.
fn line(text: &str, name: &str) -> String {
    let found = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("{name} in {text}")).to_string()
}

/// A response without its top Via (RFC 3261 16.7 step 3).
fn without_via(text: &str) -> String {
    let (first, rest) = text.split_once("\r\n").unwrap();
    let (_, rest) = rest.split_once("\r\n").unwrap();
    format!("{first}\r\n{rest}")
}
