//! What the messages of a run mean to a reader: which media flow, who holds whom, who transfers or
//! forwards to whom. Read off the messages alone.

use crate::chart::{Chart, Entry};
use crate::text::{Message, uri_of};

/// A remark between the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The message after which it stands.
    pub after: usize,
    /// The columns that it is about.
    pub ends: (usize, usize),
    /// What a reader is told; empty where nothing is.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

/// What a remark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The media of a call between the two ends change.
    Media {
        /// The call.
        call: usize,
        /// Whether the first end sends to the second.
        there: bool,
        /// Whether the second end sends to the first.
        back: bool,
    },
    /// A call between the two ends is over.
    End {
        /// The call.
        call: usize,
    },
    /// A transfer is asked for (REFER), or made (Replaces).
    Transfer,
    /// A call is forwarded (3xx).
    Forward,
}

#[derive(Clone, Copy)]
struct Description {
    sends: bool,
    receives: bool,
}

struct Exchange {
    offerer: usize,
    answerer: usize,
    there: bool,
    back: bool,
}

pub(crate) fn tell(chart: &Chart) -> Vec<Mark> {
    let mut teller = Teller { chart, marks: Vec::new() };
    for (at, entry) in chart.entries().iter().enumerate() {
        if let Some(message) = entry.message.as_ref().filter(|_| !entry.again) {
            teller.take(at, entry, message);
        }
    }
    let mut marks = teller.marks;
    marks.sort_by_key(|m| m.after);
    let mut told = Vec::new();
    name_changes(chart, &marks, &mut told);
    told
}

/// The media of a call that are up.
struct Up {
    call: usize,
    ends: (usize, usize),
    what: String,
    there: bool,
    back: bool,
}

impl Up {
    fn is(&self, call: usize, ends: (usize, usize)) -> bool {
        self.call == call && (self.ends == ends || self.ends == (ends.1, ends.0))
    }
}

/// Gives the changes of media their words: a hold and its end are told by what was before.
fn name_changes(chart: &Chart, marks: &[Mark], told: &mut Vec<Mark>) {
    let mut all: Vec<Up> = Vec::new();
    for mark in marks {
        let mut mark = mark.clone();
        match mark.kind {
            Kind::Media { call, there, back } => {
                let known = all.iter().position(|u| u.is(call, mark.ends));
                let before = known.map(|at| {
                    let up = all.remove(at);
                    let as_now = up.ends == mark.ends;
                    (up.what, if as_now { (up.there, up.back) } else { (up.back, up.there) })
                });
                all.push(Up { call, ends: mark.ends, what: mark.text.clone(), there, back });
                if before.as_ref().is_some_and(|b| b.0 == mark.text && b.1 == (there, back)) {
                    continue;
                }
                let before = before.filter(|b| b.0 == mark.text).map(|b| b.1);
                mark.text = media_text(chart, call, mark.ends, (there, back), before, &mark.text);
            }
            Kind::End { call } => {
                let known = all.iter().position(|u| u.is(call, mark.ends));
                let Some(at) = known else { continue };
                mark.ends = all.remove(at).ends;
            }
            Kind::Transfer | Kind::Forward => {}
        }
        told.push(mark);
    }
}

fn media_text(
    chart: &Chart,
    call: usize,
    ends: (usize, usize),
    (there, back): (bool, bool),
    before: Option<(bool, bool)>,
    what: &str,
) -> String {
    let (a, b) = (name(chart, ends.0), name(chart, ends.1));
    let call = if chart.calls().len() > 1 { format!("call {}: ", call + 1) } else { String::new() };
    let media = match (there, back) {
        (true, true) => format!("{what} {a} ⇄ {b}"),
        (true, false) => format!("{what} {a} → {b} only"),
        (false, true) => format!("{what} {b} → {a} only"),
        (false, false) => "no media".to_string(),
    };
    let said = match before {
        Some((_, true)) if !back => format!("{a} holds {b}: {media}"),
        Some((true, _)) if !there => format!("{b} holds {a}: {media}"),
        Some((_, false)) if back => format!("{a} resumes {b}: {media}"),
        Some(_) => format!("changed: {media}"),
        None => media,
    };
    format!("{call}{said}")
}

struct Teller<'a> {
    chart: &'a Chart,
    marks: Vec<Mark>,
}

impl Teller<'_> {
    fn take(&mut self, at: usize, entry: &Entry, message: &Message) {
        let first_hop = self.first_hop(entry, |m| {
            m.start.split(' ').next() == message.start.split(' ').next()
                && m.status() == message.status()
        }) == Some(at);
        match (message.status(), message.method()) {
            (None, "REFER") if first_hop => self.refer(at, entry, message),
            (None, "INVITE") if first_hop => self.replaces(at, entry, message),
            (None, "BYE") if first_hop => self.bye(at, entry),
            (Some(300..=399), "INVITE") if first_hop => self.forward(at, entry, message),
            (Some(101..=199), "INVITE") if first_hop => self.media(entry, false),
            (Some(200..=299), "INVITE" | "UPDATE") if first_hop => self.media(entry, true),
            _ => {}
        }
    }

    /// The entries of the same transaction.
    fn hops<'b>(
        &'b self,
        entry: &'b Entry,
    ) -> impl Iterator<Item = (usize, &'b Entry, &'b Message)> {
        let key = (entry.call, entry.transaction);
        self.chart.entries().iter().enumerate().filter_map(move |(i, e)| {
            let m = e.message.as_ref()?;
            ((e.call, e.transaction) == key && !e.again).then_some((i, e, m))
        })
    }

    fn first_hop(&self, entry: &Entry, is: impl Fn(&Message) -> bool) -> Option<usize> {
        self.hops(entry).find(|(_, _, m)| is(m)).map(|(i, _, _)| i)
    }

    fn last_hop(&self, entry: &Entry, is: impl Fn(&Message) -> bool) -> Option<(usize, &Entry)> {
        let (key, all) = ((entry.call, entry.transaction), self.chart.entries());
        let fits = |e: &Entry| {
            (e.call, e.transaction) == key && !e.again && e.message.as_ref().is_some_and(&is)
        };
        all.iter().enumerate().rfind(|(_, e)| fits(e))
    }

    fn refer(&mut self, at: usize, entry: &Entry, message: &Message) {
        let last = self.last_hop(entry, |m| m.is_request("REFER"));
        let transferee = last.map_or(entry.to, |(_, e)| e.to);
        let target = uri_of(message.header("Refer-To").unwrap_or("")).to_string();
        let (uri, headers) = target.split_once('?').unwrap_or((&target, ""));
        let after = headers.to_ascii_lowercase().contains("replaces=");
        let how = if after { ", in place of its own call" } else { "" };
        let names = (name(self.chart, entry.from), name(self.chart, transferee));
        let text = format!("{} transfers {} to {uri}{how}", names.0, names.1);
        self.mark(at, (entry.from, transferee), text, Kind::Transfer);
    }

    fn replaces(&mut self, at: usize, entry: &Entry, message: &Message) {
        let Some(value) = message.header("Replaces") else { return };
        let id = value.split(';').next().unwrap_or("").trim();
        let which = self.chart.calls().iter().position(|c| c == id);
        let which =
            which.map_or_else(|| "a call unseen here".to_string(), |n| format!("call {}", n + 1));
        let last = self.last_hop(entry, |m| m.is_request("INVITE"));
        let to = last.map_or(entry.to, |(_, e)| e.to);
        let text = format!("in place of {which}");
        self.mark(at, (entry.from, to), text, Kind::Transfer);
    }

    fn forward(&mut self, at: usize, entry: &Entry, message: &Message) {
        let to = message.contact().unwrap_or_default();
        let text = format!("{} forwards to {to}", name(self.chart, entry.from));
        self.mark(at, (entry.from, entry.to), text, Kind::Forward);
    }

    fn bye(&mut self, at: usize, entry: &Entry) {
        let answered = self.hops(entry).find(|(_, _, m)| m.status().is_some());
        let last = self.last_hop(entry, |m| m.is_request("BYE"));
        let other = answered.map(|(_, e, _)| e.from).or(last.map(|(_, e)| e.to));
        let ends = (entry.from, other.unwrap_or(entry.to));
        self.mark(at, ends, String::new(), Kind::End { call: entry.call });
    }

    fn media(&mut self, entry: &Entry, is_final: bool) {
        let Some(exchange) = self.exchange(entry) else { return };
        let status = entry.message.as_ref().and_then(Message::status);
        let acknowledged = self.last_hop(entry, |m| is_final && m.is_request("ACK"));
        let last = acknowledged.or_else(|| self.last_hop(entry, |m| m.status() == status));
        let Some((after, _)) = last else { return };
        let ends = (exchange.offerer, exchange.answerer);
        let (there, back) = (exchange.there, exchange.back);
        let text = if is_final { "media" } else { "early media" }.to_string();
        self.mark(after, ends, text, Kind::Media { call: entry.call, there, back });
    }

    /// The offer and answer that a response completes (RFC 3264 5, 6; in the ACK: RFC 3261 13.2.1).
    fn exchange(&self, response: &Entry) -> Option<Exchange> {
        let answer = response.message.as_ref()?;
        let of = |is: &dyn Fn(&Message) -> bool| {
            self.hops(response).find(|(_, _, m)| is(m)).map(|(_, e, m)| (e.from, describe(m)))
        };
        let method = answer.method();
        let (asker, offered) = of(&|m| m.is_request(method))?;
        let (offer, offerer, other, answerer) = match (offered, describe(answer)) {
            (Some(offer), Some(other)) => (offer, asker, other, response.from),
            (None, Some(offer)) => (offer, response.from, of(&|m| m.is_request("ACK"))?.1?, asker),
            _ => return None,
        };
        let there = offer.sends && other.receives;
        let back = offer.receives && other.sends;
        Some(Exchange { offerer, answerer, there, back })
    }

    fn mark(&mut self, after: usize, ends: (usize, usize), text: String, kind: Kind) {
        self.marks.push(Mark { after, ends, text, kind });
    }
}

fn name(chart: &Chart, column: usize) -> &str {
    chart.columns().get(column).map_or("?", |c| &c.name)
}

/// What the session description of a message says of its sender's media.
fn describe(m: &Message) -> Option<Description> {
    let direction = m.direction()?;
    let text = String::from_utf8_lossy(&m.body);
    let mut streams = text.lines().filter_map(|l| l.strip_prefix("m=")?.split(' ').nth(1));
    let rejected = streams.all(|port| port.split('/').next() == Some("0"));
    // RFC 3264 8.4: the older form of hold.
    let dark = text.lines().any(|l| l.starts_with("c=IN IP4 0.0.0.0"));
    Some(Description {
        sends: !rejected && matches!(direction, "sendrecv" | "sendonly"),
        receives: !rejected && !dark && matches!(direction, "sendrecv" | "recvonly"),
    })
}

/// The status line that a NOTIFY of a transfer carries (RFC 3515 2.4.5).
pub(crate) fn progress(m: &Message) -> Option<String> {
    let kind = m.header("Content-Type")?.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&m.body);
    let line = text.lines().next().filter(|_| kind.contains("sipfrag"))?;
    Some(line.strip_prefix("SIP/2.0 ").unwrap_or(line).trim().to_string())
}
