//! Ladder diagrams in plain text.
//!
//! Takes [`Hop`]s from anywhere: a simulation's trace ([`of_trace`]) or what a program saw on real
//! sockets ([`Ladder::add_bytes`]).

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use crate::network::NodeId;
use crate::text;
use crate::trace::{Fate, Packet, Trace};

/// One message on its way from one column to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// When it was sent, in milliseconds.
    pub time_ms: u64,
    /// The column that sent it.
    pub from: usize,
    /// The column that it is for.
    pub to: usize,
    /// What stands on the arrow.
    pub label: String,
    /// Whether it never arrived.
    pub lost: bool,
    /// Whether it is a repetition of an earlier one.
    pub again: bool,
    /// What stands to its right, if anything.
    pub note: String,
}

/// A diagram: a column for each party, a row for each hop, no row wider than [`Ladder::width`].
#[derive(Clone, Debug)]
pub struct Ladder {
    names: Vec<String>,
    hops: Vec<Hop>,
    width: usize,
    seen: BTreeSet<(usize, usize, Vec<u8>)>,
}

/// A gap of time that earns a row of its own.
const PAUSE_MS: u64 = 1_000;
const LEFT: usize = 9;
const WIDEST: usize = 34;
const NARROWEST: usize = 12;

impl Ladder {
    /// A diagram with these columns, 100 wide.
    #[must_use]
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self { names, hops: Vec::new(), width: 100, seen: BTreeSet::new() }
    }

    /// Changes the width.
    #[must_use]
    pub const fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// Adds a hop. Hops are drawn in the order in which they are added.
    pub fn add(&mut self, hop: Hop) -> &mut Self {
        self.hops.push(hop);
        self
    }

    /// Adds a message by its bytes: the label and whether it is a repetition are read off them.
    pub fn add_bytes(
        &mut self,
        time_ms: u64,
        from: usize,
        to: usize,
        bytes: &[u8],
        lost: bool,
    ) -> &mut Self {
        let again = !self.seen.insert((from, to, bytes.to_vec()));
        let label = text::label(bytes);
        self.add(Hop { time_ms, from, to, label, lost, again, note: String::new() })
    }

    /// The last hop that was added, to give it a note.
    pub fn last_mut(&mut self) -> Option<&mut Hop> {
        self.hops.last_mut()
    }

    /// Whether there is nothing to draw.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hops.is_empty()
    }

    /// Columns between two lifelines.
    fn span(&self) -> usize {
        let notes = self.hops.iter().map(|h| h.note.chars().count() + 2).max().unwrap_or(0);
        let half = self.names.last().map_or(0, |n| n.chars().count().div_ceil(2)).max(notes);
        let gaps = self.names.len().saturating_sub(1).max(1);
        let room = self.width.saturating_sub(LEFT + self.lead() + half.max(2) + 1);
        (room / gaps).clamp(NARROWEST, WIDEST)
    }

    /// Columns from the time to the first lifeline, so that a long first name has room.
    fn lead(&self) -> usize {
        self.names.first().map_or(0, |n| n.chars().count() / 2).max(2)
    }

    fn heads(&self, span: usize) -> String {
        let mut row = Row::new(LEFT + self.lead() + span * self.names.len());
        for (i, name) in self.names.iter().enumerate() {
            let short = shorten(name, span.saturating_sub(2));
            let at = LEFT + self.lead() + i * span;
            row.put(at.saturating_sub(short.chars().count() / 2), &short);
        }
        row.text()
    }

    fn lifelines(&self, span: usize, line: char) -> Row {
        let mut row = Row::new(LEFT + self.lead() + span * self.names.len());
        for i in 0..self.names.len() {
            row.set(LEFT + self.lead() + i * span, line);
        }
        row
    }

    fn arrow(&self, hop: &Hop, span: usize) -> String {
        let mut row = self.lifelines(span, '│');
        let x = |i: usize| LEFT + self.lead() + i * span;
        let (a, b) = (x(hop.from), x(hop.to));
        let time = hop.time_ms.to_string();
        row.put(LEFT.saturating_sub(2 + time.len()), &time);
        if hop.from == hop.to {
            row.put(a + 2, &format!("↺ {}", shorten(&hop.label, span.saturating_sub(5))));
            return self.finish(&row, hop);
        }
        let (left, right) = (a.min(b), a.max(b));
        let shaft = if hop.again { '╌' } else { '─' };
        for at in left + 1..right {
            let crosses = (at - x(0)).is_multiple_of(span);
            row.set(at, if crosses { '┼' } else { shaft });
        }
        row.set(a, if a < b { '├' } else { '┤' });
        let head = if hop.lost {
            let stop =
                if a < b { left + (right - left) * 4 / 5 } else { right - (right - left) * 4 / 5 };
            let gone = if a < b { stop..right } else { left + 1..stop + 1 };
            for at in gone {
                row.set(at, if (at - x(0)).is_multiple_of(span) { '│' } else { ' ' });
            }
            row.set(stop, '✗');
            if a < b { left + 1..stop } else { stop + 1..right }
        } else {
            row.set(if a < b { right - 1 } else { left + 1 }, if a < b { '▶' } else { '◀' });
            if a < b { left + 1..right - 1 } else { left + 2..right }
        };
        let room = head.len().saturating_sub(2);
        let short = fit(&hop.label, room);
        let mark = if hop.again && room >= short.chars().count() + 2 { " ↻" } else { "" };
        let label = format!(" {short}{mark} ");
        let pad = head.len().saturating_sub(label.chars().count()) / 2;
        row.put(head.start + pad, &label);
        self.finish(&row, hop)
    }

    fn finish(&self, row: &Row, hop: &Hop) -> String {
        if hop.note.is_empty() { row.text() } else { format!("{}  {}", row.text(), hop.note) }
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.span();
        let mut heads = self.heads(span).chars().collect::<Vec<_>>();
        let unit: Vec<char> = format!("{:>w$}", "ms", w = LEFT - 2).chars().collect();
        for (to, from) in heads.iter_mut().zip(unit) {
            if *to == ' ' {
                *to = from;
            }
        }
        writeln!(f, "{}", heads.into_iter().collect::<String>().trim_end())?;
        let still = self.lifelines(span, '│').text();
        writeln!(f, "{still}")?;
        let mut last: Option<u64> = None;
        for hop in &self.hops {
            if last.is_some_and(|t| hop.time_ms.saturating_sub(t) >= PAUSE_MS) {
                writeln!(f, "{}", self.lifelines(span, '┊').text())?;
            }
            last = Some(hop.time_ms);
            writeln!(f, "{}", self.arrow(hop, span))?;
        }
        f.write_str(&still)?;
        f.write_char('\n')
    }
}

struct Row(Vec<char>);

impl Row {
    fn new(width: usize) -> Self {
        Self(vec![' '; width])
    }

    fn set(&mut self, at: usize, c: char) {
        if at >= self.0.len() {
            self.0.resize(at + 1, ' ');
        }
        self.0[at] = c;
    }

    fn put(&mut self, at: usize, text: &str) {
        for (i, c) in text.chars().enumerate() {
            self.set(at + i, c);
        }
    }

    fn text(&self) -> String {
        self.0.iter().collect::<String>().trim_end().to_string()
    }
}

fn shorten(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_string();
    }
    let mut short: String = text.chars().take(room.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Leaves out what stands in brackets, from the last to the first, before it cuts.
fn fit(label: &str, room: usize) -> String {
    let mut short = label.to_string();
    while short.chars().count() > room {
        short = match (short.rsplit_once(", "), short.split_once(" (")) {
            (Some((rest, _)), Some(_)) => format!("{rest})"),
            (_, Some((rest, _))) => rest.to_string(),
            _ => return shorten(&short, room),
        };
    }
    short
}

/// The ladder of what a trace keeps, a column for each node in the order of `names`. What came
/// later than the millisecond after it was sent says when.
#[must_use]
pub fn of_trace(trace: &Trace, names: &[String]) -> Ladder {
    of_packets(trace.packets(), names)
}

/// The ladder of some packets.
#[must_use]
pub fn of_packets<'a>(packets: impl Iterator<Item = &'a Packet>, names: &[String]) -> Ladder {
    let mut names = names.to_vec();
    let elsewhere = names.len();
    let packets: Vec<_> = packets.collect();
    if packets.iter().any(|p| p.to_node.is_none()) {
        names.push("nobody".to_string());
    }
    let mut ladder = Ladder::new(names);
    for p in packets {
        let NodeId(from) = p.from_node;
        let to = p.to_node.map_or(elsewhere, |n| n.0);
        ladder.add_bytes(p.sent, from, to, &p.bytes, p.is_lost());
        if let Some(hop) = ladder.last_mut() {
            hop.note = match p.fate {
                Fate::Delivered(at) if at > p.sent => format!("+{}", at - p.sent),
                _ => String::new(),
            };
            if p.duplicate {
                hop.note.push_str(" twice");
            }
        }
    }
    ladder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(time_ms: u64, from: usize, to: usize, label: &str) -> Hop {
        let label = label.to_string();
        Hop { time_ms, from, to, label, lost: false, again: false, note: String::new() }
    }

    fn sample(names: &[&str]) -> Ladder {
        let mut l = Ladder::new(names.iter().copied());
        l.add(hop(0, 0, 1, "INVITE (sdp)"));
        l.add(hop(0, 1, 0, "100 Trying"));
        l.add(Hop { lost: true, ..hop(0, 1, 2, "INVITE (sdp)") });
        l.add(Hop { again: true, note: "+20".into(), ..hop(500, 1, 2, "INVITE (sdp)") });
        l.add(Hop { lost: true, ..hop(700, 2, 1, "180 Ringing") });
        l.add(hop(12_000, 2, 1, "200 OK (INVITE, sdp)"));
        l.add(hop(12_000, 1, 0, "200 OK (INVITE, sdp)"));
        l.add(hop(12_000, 0, 2, "ACK"));
        l
    }

    #[test]
    fn a_ladder_is_drawn_like_this() {
        let drawn = sample(&["alice", "proxy", "bob"]).width(70).to_string();
        let expected = "
     ms  alice                     proxy                      bob
           │                         │                         │
      0    ├───── INVITE (sdp) ─────▶│                         │
      0    │◀────── 100 Trying ──────┤                         │
      0    │                         ├── INVITE (sdp) ───✗     │
    500    │                         ├╌╌╌╌ INVITE (sdp) ↻ ╌╌╌╌▶│  +20
    700    │                         │     ✗─── 180 Ringing ───┤
           ┊                         ┊                         ┊
  12000    │                         │◀─ 200 OK (INVITE, sdp) ─┤
  12000    │◀─ 200 OK (INVITE, sdp) ─┤                         │
  12000    ├────────────────────── ACK ───────────────────────▶│
           │                         │                         │
";
        assert_eq!(drawn, expected.trim_start_matches('\n'));
    }

    #[test]
    fn no_row_is_wider_than_100_with_up_to_six_parties() {
        let names = ["alice@example.com", "proxy", "bob", "carol", "registrar", "a very long name"];
        for n in 3..=names.len() {
            let drawn = sample(&names[..n]).to_string();
            assert!(drawn.lines().all(|l| l.chars().count() <= 100), "{drawn}");
        }
    }

    #[test]
    fn repetitions_are_read_off_the_bytes() {
        let mut l = Ladder::new(["a", "b"]);
        for time in [0, 500] {
            l.add_bytes(time, 0, 1, b"OPTIONS sip:b SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n", false);
        }
        l.add_bytes(500, 1, 0, b"OPTIONS sip:b SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n", false);
        let again: Vec<_> = l.hops.iter().map(|h| h.again).collect();
        assert_eq!(again, [false, true, false]);
    }
}
