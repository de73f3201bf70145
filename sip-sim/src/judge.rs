//! Whether a recorded call ran as a documented flow: as it is drawn, or as the RFCs require where
//! the drawing departs from them. Any other difference is a failure.

use std::fmt;

use crate::flow::{Flow, Role, What};
use crate::judge_message::{Seen, Spoken, check_messages};
use crate::text::Message;

pub use crate::judge_message::Recorded;

/// Why a message of the plan is there.
#[derive(Clone, Copy, Debug)]
enum Basis {
    /// Step `n` (from 1), as drawn.
    Drawn(usize),
    /// Step `n`, but not as drawn.
    Instead(usize, Delta),
    /// No step shows it.
    Added(Delta),
}

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

const OWN_TRYING: Delta =
    Delta { why: "the proxy's own 100", clause: "RFC 3261 16.7 step 5, 17.2.1", optional: false };
const HOP_TRYING: Delta =
    Delta { why: "each hop may say 100", clause: "RFC 3261 17.2.1", optional: true };
const QUICK: Delta =
    Delta { why: "none: answered within 200 ms", clause: "RFC 3261 17.2.1", optional: true };
const HOP_ACK: Delta =
    Delta { why: "each hop makes its own ACK", clause: "RFC 3261 17.1.1.3", optional: false };
const OWN_CANCEL_OK: Delta =
    Delta { why: "the proxy's own answer", clause: "RFC 3261 9.2, 16.10", optional: false };
const TERMINATED: Delta =
    Delta { why: "the INVITE is answered too", clause: "RFC 3261 9.2", optional: false };
const TERMINATED_ON: Delta =
    Delta { why: "the proxy forwards it", clause: "RFC 3261 16.7 step 6, 16.10", optional: false };

/// A message that has to come.
struct Planned {
    from: Role,
    to: Role,
    what: What,
    basis: Basis,
    /// Places in the plan that come before it.
    after: &'static [usize],
    /// Whether it may be missing where the next response of the hop came within 200 ms, or always.
    may_miss: MayMiss,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MayMiss {
    No,
    WhenQuick,
    Always,
}

const fn planned(
    (from, to): (Role, Role),
    what: What,
    basis: Basis,
    after: &'static [usize],
) -> Planned {
    Planned { from, to, what, basis, after, may_miss: MayMiss::No }
}

const fn may_miss(planned: Planned, may_miss: MayMiss) -> Planned {
    Planned { may_miss, ..planned }
}

use Basis::{Added, Drawn, Instead};
use What::{Request, Response};
const AP: (Role, Role) = (Role::A, Role::P);
const PA: (Role, Role) = (Role::P, Role::A);
const PB: (Role, Role) = (Role::P, Role::B);
const BP: (Role, Role) = (Role::B, Role::P);

const SETUP_DISCONNECT: &[Planned] = &[
    planned(AP, Request("INVITE"), Drawn(1), &[]),
    may_miss(
        planned(PA, Response(100, "INVITE"), Instead(4, OWN_TRYING), &[0]),
        MayMiss::WhenQuick,
    ),
    planned(PB, Request("INVITE"), Drawn(2), &[0]),
    may_miss(planned(BP, Response(100, "INVITE"), Drawn(3), &[2]), MayMiss::WhenQuick),
    planned(BP, Response(180, "INVITE"), Drawn(5), &[2, 3]),
    planned(PA, Response(180, "INVITE"), Drawn(6), &[1, 4]),
    planned(BP, Response(200, "INVITE"), Drawn(7), &[5]),
    planned(PA, Response(200, "INVITE"), Drawn(8), &[6]),
    planned(AP, Request("ACK"), Drawn(9), &[7]),
    planned(PB, Request("ACK"), Drawn(10), &[8]),
    planned(BP, Request("BYE"), Drawn(11), &[9]),
    planned(PA, Request("BYE"), Drawn(12), &[10]),
    planned(AP, Response(200, "BYE"), Drawn(13), &[11]),
    planned(PB, Response(200, "BYE"), Drawn(14), &[12]),
];

const CALLED_BUSY: &[Planned] = &[
    planned(AP, Request("INVITE"), Drawn(1), &[]),
    may_miss(
        planned(PA, Response(100, "INVITE"), Instead(4, OWN_TRYING), &[0]),
        MayMiss::WhenQuick,
    ),
    planned(PB, Request("INVITE"), Drawn(2), &[0]),
    may_miss(planned(BP, Response(100, "INVITE"), Drawn(3), &[2]), MayMiss::WhenQuick),
    planned(BP, Response(486, "INVITE"), Drawn(5), &[2, 3]),
    planned(PB, Request("ACK"), Instead(8, HOP_ACK), &[4]),
    planned(PA, Response(486, "INVITE"), Drawn(6), &[1, 4]),
    planned(AP, Request("ACK"), Drawn(7), &[5, 6]),
];

const NO_ANSWER: &[Planned] = &[
    planned(AP, Request("INVITE"), Drawn(1), &[]),
    may_miss(planned(PA, Response(100, "INVITE"), Added(OWN_TRYING), &[0]), MayMiss::WhenQuick),
    planned(PB, Request("INVITE"), Drawn(2), &[0]),
    may_miss(planned(BP, Response(100, "INVITE"), Added(HOP_TRYING), &[2]), MayMiss::Always),
    planned(BP, Response(180, "INVITE"), Drawn(3), &[2, 3]),
    planned(PA, Response(180, "INVITE"), Drawn(4), &[1, 4]),
    planned(AP, Request("CANCEL"), Drawn(5), &[5]),
    planned(PA, Response(200, "CANCEL"), Instead(8, OWN_CANCEL_OK), &[6]),
    planned(PB, Request("CANCEL"), Drawn(6), &[6]),
    planned(BP, Response(200, "CANCEL"), Drawn(7), &[8]),
    planned(BP, Response(487, "INVITE"), Added(TERMINATED), &[8]),
    planned(PB, Request("ACK"), Added(HOP_ACK), &[10]),
    planned(PA, Response(487, "INVITE"), Added(TERMINATED_ON), &[10]),
    planned(AP, Request("ACK"), Added(HOP_ACK), &[11, 12]),
];

fn plan(name: &str) -> Option<&'static [Planned]> {
    match name {
        "setup_disconnect" => Some(SETUP_DISCONNECT),
        "called_busy" => Some(CALLED_BUSY),
        "no_answer" => Some(NO_ANSWER),
        _ => None,
    }
}

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
    /// Whether [`Flow::judge`] can judge it.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        plan(self.name).is_some()
    }

    /// Judges a recorded call, in the order in which the messages were sent. `None` where this
    /// flow cannot be judged yet.
    #[must_use]
    pub fn judge(&self, record: &[Recorded<'_>]) -> Option<Judgement> {
        let plan = plan(self.name)?;
        let mut matched: Vec<Option<usize>> = vec![None; plan.len()];
        let mut lines = Vec::new();
        let mut spoken = Vec::new();
        for (i, r) in record.iter().enumerate() {
            let Some(message) = Message::parse(r.bytes) else {
                lines.push(stray(r, None, "it is no SIP message"));
                continue;
            };
            let again = record[..i].iter().any(|e| e.is_same(r));
            match place(plan, &matched, r, &message) {
                _ if again => lines.push(stray(r, Some(&message), "it is a repetition")),
                Err(why) => lines.push(stray(r, Some(&message), &why)),
                Ok(at) => {
                    matched[at] = Some(i);
                    lines.push(line_of(&plan[at], Some(r.time_ms)));
                    spoken.push(Seen { at: lines.len() - 1, from: r.from, to: r.to, message });
                }
            }
        }
        let wrong = check_messages(&Spoken(&spoken));
        for (at, why) in wrong {
            lines[at].verdict = Verdict::Wrong(why);
        }
        for (at, p) in plan.iter().enumerate().filter(|(at, _)| matched[*at].is_none()) {
            lines.extend(missing(plan, &matched, record, at, p));
        }
        Some(Judgement { flow: self.name, lines })
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

/// The place of a message in the plan.
fn place(
    plan: &[Planned],
    matched: &[Option<usize>],
    r: &Recorded<'_>,
    message: &Message,
) -> Result<usize, String> {
    let fits = |p: &Planned| {
        let same = match p.what {
            Request(method) => message.is_request(method),
            Response(status, method) => {
                message.status() == Some(status) && message.method() == method
            }
        };
        same && (p.from, p.to) == (r.from, r.to)
    };
    let found = plan.iter().enumerate().find(|(at, p)| matched[*at].is_none() && fits(p));
    let Some((at, p)) = found else {
        return Err("neither drawn nor required here".to_string());
    };
    let early = |before: usize| matched[before].is_none() && plan[before].may_miss == MayMiss::No;
    // The steps that are drawn keep the order in which they are drawn.
    let drawn = |p: &Planned| if let Drawn(step) = p.basis { Some(step) } else { None };
    let overtaken = (0..plan.len()).find(|other| {
        let is_earlier = drawn(&plan[*other]).zip(drawn(p)).is_some_and(|(o, p)| o < p);
        is_earlier && early(*other)
    });
    // An optional message that comes after what it should come before is out of order too.
    let late = (at + 1..plan.len()).find(|l| matched[*l].is_some() && plan[*l].after.contains(&at));
    match p.after.iter().copied().find(|b| early(*b)).or(overtaken) {
        Some(before) => Err(format!("it came before {}", describe(&plan[before]))),
        None => match late {
            Some(later) => Err(format!("it came after {}", describe(&plan[later]))),
            None => Ok(at),
        },
    }
}

fn describe(p: &Planned) -> String {
    match p.basis {
        Drawn(step) | Instead(step, _) => format!("F{step} {} {}->{}", p.what, p.from, p.to),
        Added(_) => format!("{} {}->{}", p.what, p.from, p.to),
    }
}

/// What is to be said of a message that did not come.
fn missing(
    plan: &[Planned],
    matched: &[Option<usize>],
    record: &[Recorded<'_>],
    at: usize,
    p: &Planned,
) -> Option<Line> {
    let mut line = line_of(p, None);
    let time = |wanted: &dyn Fn(&Planned) -> bool| {
        let found = plan.iter().zip(matched).find(|(q, m)| wanted(q) && m.is_some())?;
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
        MayMiss::WhenQuick if quick => Verdict::Required(QUICK),
        _ => Verdict::Wrong(format!("{} did not come", describe(&plan[at]))),
    };
    Some(line)
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
