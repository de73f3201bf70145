//! Whether a recorded call ran as a documented flow: as it is drawn, or as the RFCs require where
//! the drawing departs from them. Any other difference is a failure.

use std::fmt;

use crate::flow::What::{Request, Response};
use crate::flow::{Flow, Role};
use crate::judge_message::{Seen, Spoken, check_messages};
use crate::judge_plan::Basis::{Added, Drawn, Instead};
use crate::judge_plan::{MayMiss, Plan, Planned, plan};
use crate::text::Message;

pub use crate::judge_message::Recorded;

/// A difference that the RFCs require.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// What is different.
    pub why: &'static str,
    /// The clause.
    pub clause: &'static str,
    /// Whether the RFCs allow it, but do not require it.
    pub optional: bool,
}

const QUICK: Delta =
    Delta { why: "none: answered within 200 ms", clause: "RFC 3261 17.2.1", optional: true };
const OVERLAP: Delta =
    Delta { why: "the new call need not wait", clause: "RFC 5589 6.1", optional: true };
const SAME_CALL: Delta =
    Delta { why: "the same Call-ID again", clause: "RFC 3261 8.1.3.4", optional: true };

/// How one line of a judgement came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As the flow is drawn.
    Drawn,
    /// Not as drawn, but as the RFCs require.
    Required(Delta),
    /// Neither.
    Wrong(String),
}

/// One line of a judgement: a message that came, or one that did not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The step of the flow, from 1; `None` where no step shows the message.
    pub step: Option<usize>,
    /// When it came; `None` where it did not.
    pub time_ms: Option<u64>,
    /// Who sent it.
    pub from: Role,
    /// To whom.
    pub to: Role,
    /// What it is.
    pub what: String,
    /// How it came out.
    pub verdict: Verdict,
}

/// What is to be said of a recorded call.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The flow.
    pub flow: &'static str,
    /// Line by line, in the order of time; what did not come stands at the end.
    pub lines: Vec<Line>,
}

impl Flow {
    /// Judges a recorded call, in the order in which the messages were sent.
    #[must_use]
    pub fn judge(&self, record: &[Recorded<'_>]) -> Judgement {
        let mut judge = Judge::of(plan(self));
        let mut lines = Vec::new();
        let mut spoken = Vec::new();
        for (i, r) in record.iter().enumerate() {
            let Some(message) = Message::parse(r.bytes) else {
                lines.push(stray(r, None, "it is no SIP message"));
                continue;
            };
            let again = record[..i].iter().any(|e| e.is_same(r));
            match judge.place(r, &message) {
                _ if again => lines.push(stray(r, Some(&message), "it is a repetition")),
                Err(why) => lines.push(stray(r, Some(&message), &why)),
                Ok((at, instead)) => {
                    judge.take(at, i, &message);
                    let mut line = line_of(&judge.plan.planned[at], Some(r.time_ms));
                    line.verdict = instead.map_or(line.verdict, Verdict::Required);
                    if let Some(why) = judge.holds_otherwise(at, &message) {
                        line.verdict = Verdict::Wrong(why);
                    }
                    lines.push(line);
                    let call = judge.call_of(at);
                    let at = lines.len() - 1;
                    spoken.push(Seen { at, from: r.from, to: r.to, call, message });
                }
            }
        }
        let wrong = check_messages(&Spoken(&spoken), judge.plan.redirected);
        for (at, why) in wrong {
            lines[at].verdict = Verdict::Wrong(why);
        }
        lines.extend(judge.missing(record));
        Judgement { flow: self.name, lines }
    }
}

fn name_of(message: &Message) -> String {
    match message.status() {
        Some(status) if message.method() == "INVITE" => status.to_string(),
        Some(status) => format!("{status} {}", message.method()),
        None => message.method().to_string(),
    }
}

fn stray(r: &Recorded<'_>, message: Option<&Message>, why: &str) -> Line {
    Line {
        step: None,
        time_ms: Some(r.time_ms),
        from: r.from,
        to: r.to,
        what: message.map_or_else(|| format!("{} bytes", r.bytes.len()), name_of),
        verdict: Verdict::Wrong(why.to_string()),
    }
}

fn line_of(p: &Planned, time_ms: Option<u64>) -> Line {
    let (step, verdict) = match p.basis {
        Drawn(step) => (Some(step), Verdict::Drawn),
        Instead(step, delta) => (Some(step), Verdict::Required(delta)),
        Added(delta) => (None, Verdict::Required(delta)),
    };
    Line { step, time_ms, from: p.from, to: p.to, what: p.what.to_string(), verdict }
}

struct Judge {
    plan: Plan,
    /// The message of each place.
    matched: Vec<Option<usize>>,
    /// Call-ID and CSeq number of each transaction, once known.
    bound: Vec<Option<(String, u32)>>,
    /// What came in transactions that the plan does not count: the transaction, and the place.
    several: Vec<((String, u32), usize)>,
}

impl Judge {
    fn of(plan: Plan) -> Self {
        let matched = vec![None; plan.planned.len()];
        let bound = vec![None; plan.exchanges.len()];
        Self { plan, matched, bound, several: Vec::new() }
    }

    fn call_of(&self, at: usize) -> Option<usize> {
        self.plan.planned[at].exchange.map(|e| self.plan.exchanges[e].call)
    }

    fn take(&mut self, at: usize, number: usize, message: &Message) {
        self.matched[at] = Some(number);
        match self.plan.planned[at].exchange {
            Some(e) => self.bound[e] = self.bound[e].take().or_else(|| Some(key(message))),
            None => self.several.push((key(message), at)),
        }
    }

    /// The place of a message in the plan, and the difference that it makes there.
    fn place(&self, r: &Recorded<'_>, message: &Message) -> Result<(usize, Option<Delta>), String> {
        let kind = |p: &Planned| {
            let same = match p.what {
                Request(method) => message.is_request(method),
                Response(status, method) => {
                    message.status() == Some(status) && message.method() == method
                }
            };
            same && (p.from, p.to) == (r.from, r.to)
        };
        let fits = |at: &usize| {
            let p = &self.plan.planned[*at];
            // What may come in several transactions may come again.
            kind(p) && (self.matched[*at].is_none() || p.exchange.is_none())
        };
        let all = || (0..self.plan.planned.len()).filter(fits);
        let exchange = |at: &usize| self.plan.planned[*at].exchange;
        let own = |at: &usize| exchange(at).is_some_and(|e| self.bound[e] == Some(key(message)));
        let fresh = |at: &usize| exchange(at).is_some_and(|e| self.bound[e].is_none());
        let any = |at: &usize| exchange(at).is_none();
        // What belongs to no transaction that is known is judged by the first that it could be of.
        let found = all().find(own).or_else(|| all().find(fresh)).or_else(|| all().find(any));
        let found = found.or_else(|| all().next());
        let Some(at) = found else { return Err("neither drawn nor required here".to_string()) };
        self.in_order(at).map(|instead| (at, instead.or_else(|| self.redirected(at, message))))
    }

    fn in_order(&self, at: usize) -> Result<Option<Delta>, String> {
        let planned = &self.plan.planned;
        let p = &planned[at];
        let early = |before: usize| {
            self.matched[before].is_none() && planned[before].may_miss == MayMiss::No
        };
        // The steps that are drawn keep the order in which they are drawn.
        let drawn = |p: &Planned| if let Drawn(step) = p.basis { Some(step) } else { None };
        let overtaken = (0..planned.len()).find(|other| {
            let o = &planned[*other];
            // What keeps no order of its own holds nobody up.
            let loose = o.free && !p.free;
            drawn(o).zip(drawn(p)).is_some_and(|(o, p)| o < p) && early(*other) && !loose
        });
        // An optional message that comes after what it should come before is out of order too.
        let late = (0..planned.len()).find(|l| {
            self.matched[*l].is_some() && p.exchange.is_some() && planned[*l].after.contains(&at)
        });
        let before = p.after.iter().copied().find(|b| early(*b));
        match (before.or(overtaken.filter(|_| !p.free)), late) {
            (Some(before), _) => Err(format!("it came before {}", describe(&planned[before]))),
            (None, Some(later)) => Err(format!("it came after {}", describe(&planned[later]))),
            (None, None) => {
                let begins = p.what == Request("INVITE") && p.to == Role::P;
                Ok(overtaken.filter(|_| begins).map(|_| OVERLAP))
            }
        }
    }

    /// RFC 3264 8.4: the re-INVITEs that are drawn hold; the one that is added resumes.
    fn holds_otherwise(&self, at: usize, message: &Message) -> Option<String> {
        let p = &self.plan.planned[at];
        let again = p.exchange.is_some_and(|e| !self.plan.exchanges[e].opens);
        if p.what != Request("INVITE") || !again {
            return None;
        }
        let offer = message.direction().unwrap_or("no direction");
        let holds = matches!(offer, "sendonly" | "inactive");
        let resumes = matches!(p.basis, Added(_));
        (holds == resumes).then(|| {
            let meant = if resumes { "resumes" } else { "holds" };
            format!("it {meant}, and offers {offer} (RFC 3264 8.4)")
        })
    }

    /// A call that was redirected may keep its Call-ID, or take another as drawn.
    fn redirected(&self, at: usize, message: &Message) -> Option<Delta> {
        let (new, old) = self.plan.redirected?;
        let p = &self.plan.planned[at];
        let begins =
            p.what == Request("INVITE") && p.to == Role::P && self.call_of(at) == Some(new);
        let first = self.plan.exchanges.iter().position(|e| e.call == old)?;
        let same = self.bound[first].as_ref().map(|b| b.0.as_str()) == message.header("Call-ID");
        (begins && same).then_some(SAME_CALL)
    }

    /// What is to be said of the messages that did not come.
    fn missing(&self, record: &[Recorded<'_>]) -> Vec<Line> {
        let absent = |at: &usize| self.matched[*at].is_none();
        let all = (0..self.matched.len()).filter(absent);
        all.filter_map(|at| self.absent(record, at)).chain(self.incomplete()).collect()
    }

    /// Transactions beyond those that the plan counts are whole too.
    fn incomplete(&self) -> Vec<Line> {
        let planned = &self.plan.planned;
        let places: Vec<usize> =
            (0..planned.len()).filter(|at| planned[*at].exchange.is_none()).collect();
        let mut lines = Vec::new();
        for (at, (key, _)) in self.several.iter().enumerate() {
            if self.several[..at].iter().any(|(k, _)| k == key) {
                continue;
            }
            let came = |place: &&usize| !self.several.contains(&(key.clone(), **place));
            for place in places.iter().filter(came) {
                let mut line = line_of(&planned[*place], None);
                let what = describe(&planned[*place]);
                line.verdict = Verdict::Wrong(format!("{what} of CSeq {} did not come", key.1));
                lines.push(line);
            }
        }
        lines
    }

    fn absent(&self, record: &[Recorded<'_>], at: usize) -> Option<Line> {
        let p = &self.plan.planned[at];
        let mut line = line_of(p, None);
        let time = |wanted: &dyn Fn(&Planned) -> bool| {
            let mut all = self.plan.planned.iter().zip(&self.matched);
            let found = all.find(|(q, m)| q.exchange == p.exchange && wanted(q) && m.is_some())?;
            record.get((*found.1)?).map(|r| r.time_ms)
        };
        let asked = time(&|q| q.what == Request("INVITE") && (q.from, q.to) == (p.to, p.from));
        let next = time(&|q| {
            let responds = matches!(q.what, Response(status, "INVITE") if status > 100);
            responds && (q.from, q.to) == (p.from, p.to)
        });
        let quick = asked.zip(next).is_some_and(|(a, n)| n.saturating_sub(a) <= 200);
        line.verdict = match p.may_miss {
            MayMiss::Always => return None,
            // Where the drawing has none either, there is nothing to say.
            MayMiss::WhenQuick if quick && matches!(p.basis, Added(_)) => return None,
            MayMiss::WhenQuick if quick => Verdict::Required(QUICK),
            _ => Verdict::Wrong(format!("{} did not come", describe(p))),
        };
        Some(line)
    }
}

fn key(message: &Message) -> (String, u32) {
    (message.header("Call-ID").unwrap_or("").to_string(), message.cseq().0)
}

fn describe(p: &Planned) -> String {
    match p.basis {
        Drawn(step) | Instead(step, _) => format!("F{step} {} {}->{}", p.what, p.from, p.to),
        Added(_) => format!("{} {}->{}", p.what, p.from, p.to),
    }
}

impl Judgement {
    /// Whether it ran as documented, or as the RFCs require.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.lines.iter().any(|l| matches!(l.verdict, Verdict::Wrong(_)))
    }

    /// One sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |f: fn(&Verdict) -> bool| self.lines.iter().filter(|l| f(&l.verdict)).count();
        let required = count(|v| matches!(v, Verdict::Required(_)));
        let wrong = count(|v| matches!(v, Verdict::Wrong(_)));
        let s = |n: usize| if n == 1 { "" } else { "s" };
        match (wrong, required) {
            (0, 0) => format!("{} ran as documented", self.flow),
            (0, n) => format!(
                "{} ran as documented, but for {n} difference{} that the RFCs require",
                self.flow,
                s(n)
            ),
            (n, _) => format!("{} did NOT run as documented: {n} difference{}", self.flow, s(n)),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step.map_or_else(|| "-".to_string(), |n| format!("F{n}"));
        let time = self.time_ms.map_or_else(String::new, |t| t.to_string());
        write!(f, "{step:>4} {:<10} {}>{} {time:>6}  ", self.what, self.from, self.to)?;
        match &self.verdict {
            Verdict::Drawn => f.write_str("as drawn"),
            Verdict::Required(d) => {
                let verb = if d.optional { "allows" } else { "requires" };
                write!(f, "as {} {verb}: {}", d.clause, d.why)
            }
            Verdict::Wrong(why) => write!(f, "WRONG: {why}"),
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "{}", self.summary())
    }
}
