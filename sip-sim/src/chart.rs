//! What a picture of a run shows: parties, messages, and what the messages mean.
//!
//! A [`Chart`] takes messages from anywhere, as [`crate::ladder::Ladder`] does; [`crate::svg`] and
//! [`crate::mermaid`] draw it.

use std::collections::BTreeSet;

use crate::network::NodeId;
use crate::story::{self, Mark};
use crate::text::{self, Message};
use crate::trace::{Fate, Packet, Trace};

/// A party: the column that it has in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What stands below the name, such as an address.
    pub detail: String,
}

/// A message on its way from one column to another.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was sent, in milliseconds.
    pub time_ms: u64,
    /// The column that sent it.
    pub from: usize,
    /// The column that it is for.
    pub to: usize,
    /// Whether it never arrived.
    pub lost: bool,
    /// Whether the same bytes went the same way before.
    pub again: bool,
    /// What is said of it besides.
    pub note: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How they read, if they are a message.
    pub message: Option<Message>,
    /// The call (Call-ID) that it belongs to, counted from 0 in the order of appearance.
    pub call: usize,
    /// The transaction within the call, counted from 0. CANCEL and ACK count to their INVITE, and
    /// all hops of a request to one.
    pub transaction: usize,
}

impl Entry {
    /// Its first line; for bytes that are no message, how many they are.
    #[must_use]
    pub fn first_line(&self) -> String {
        match &self.message {
            Some(message) => message.start.clone(),
            None => text::label(&self.bytes),
        }
    }

    /// What stands on its arrow: what it is, then what it is about, then a remark.
    #[must_use]
    pub fn label(&self) -> (String, String, String) {
        let Some(m) = &self.message else {
            return (text::label(&self.bytes), String::new(), self.remark(""));
        };
        let said = match m.direction() {
            Some("sendrecv") => "sdp".to_string(),
            Some(direction) => direction.to_string(),
            None => story::progress(m).unwrap_or_default(),
        };
        let remark = self.remark(&said);
        if m.status().is_none() {
            return (m.method().to_string(), m.uri().to_string(), remark);
        }
        let phrase = m.start.split_once(' ').map_or("", |(_, rest)| rest).to_string();
        let about = if m.method() == "INVITE" { "" } else { m.method() };
        (phrase, about.to_string(), remark)
    }

    fn remark(&self, said: &str) -> String {
        let again = if self.again { "again" } else { "" };
        let lost = if self.lost { "lost" } else { "" };
        let all: Vec<&str> =
            [said, again, lost, &self.note].into_iter().filter(|w| !w.is_empty()).collect();
        all.join(", ")
    }
}

/// A run as a picture shows it.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// Whether a picture carries the messages whole (where it can), or their first lines alone.
    pub whole: bool,
    columns: Vec<Column>,
    entries: Vec<Entry>,
    seen: BTreeSet<(usize, usize, Vec<u8>)>,
    calls: Vec<String>,
    transactions: Vec<Vec<(String, u32, String)>>,
}

impl Chart {
    /// A chart with these columns. What follows a name's first space stands below it.
    #[must_use]
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let columns = names.into_iter().map(|n| {
            let (name, detail) = n.as_ref().split_once(' ').unwrap_or((n.as_ref(), ""));
            Column { name: name.to_string(), detail: detail.to_string() }
        });
        Self { columns: columns.collect(), ..Self::default() }
    }

    /// The same with a title.
    #[must_use]
    pub fn titled(mut self, title: &str) -> Self {
        self.title = title.to_string();
        self
    }

    /// The same with whole messages.
    #[must_use]
    pub const fn with_whole_messages(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Adds a message, in the order in which they were sent. A column beyond the last adds one
    /// called `elsewhere`.
    pub fn add(&mut self, time_ms: u64, from: usize, to: usize, bytes: &[u8], lost: bool) {
        let from = self.column(from);
        let to = self.column(to);
        let again = !self.seen.insert((from, to, bytes.to_vec()));
        let message = Message::parse(bytes);
        let (call, transaction) = message.as_ref().map_or((0, 0), |m| self.place(m));
        self.entries.push(Entry {
            time_ms,
            from,
            to,
            lost,
            again,
            note: String::new(),
            bytes: bytes.to_vec(),
            message,
            call,
            transaction,
        });
    }

    /// The chart of what a trace keeps, a column for each node in the order of `names`.
    #[must_use]
    pub fn of_trace(trace: &Trace, names: &[String]) -> Self {
        let mut chart = Self::new(names);
        for p in trace.packets() {
            chart.add_packet(p);
        }
        chart
    }

    fn add_packet(&mut self, p: &Packet) {
        let NodeId(from) = p.from_node;
        let to = p.to_node.map_or(usize::MAX, |n| n.0);
        self.add(p.sent, from, to, &p.bytes, p.is_lost());
        if let (Fate::Delivered(at), Some(entry)) = (p.fate, self.entries.last_mut())
            && at > p.sent
        {
            entry.note = format!("+{} ms", at - p.sent);
        }
    }

    fn column(&mut self, wanted: usize) -> usize {
        if wanted < self.columns.len() {
            return wanted;
        }
        let name = "elsewhere".to_string();
        let known = self.columns.iter().position(|c| c.name == name);
        known.unwrap_or_else(|| {
            self.columns.push(Column { name, detail: String::new() });
            self.columns.len() - 1
        })
    }

    fn place(&mut self, m: &Message) -> (usize, usize) {
        let id = m.header("Call-ID").unwrap_or("").to_string();
        let call = position(&mut self.calls, id);
        if self.transactions.len() <= call {
            self.transactions.resize(call + 1, Vec::new());
        }
        let method = match m.method() {
            "ACK" | "CANCEL" => "INVITE",
            other => other,
        };
        let key = (m.tag("From").unwrap_or("").to_string(), m.cseq().0, method.to_string());
        (call, position(&mut self.transactions[call], key))
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The messages, in the order in which they were sent.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The Call-IDs, in the order of appearance.
    #[must_use]
    pub fn calls(&self) -> &[String] {
        &self.calls
    }

    /// What the messages mean: media, holds, transfers, forwarding, ends.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        story::tell(self)
    }
}

fn position<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    all.iter().position(|o| *o == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}

/// Columns that a text takes in a font of one width.
pub(crate) fn width_of(text: &str) -> usize {
    text.chars()
        .map(|c| if c < '\u{1100}' || ('\u{2000}'..'\u{2e80}').contains(&c) { 1 } else { 2 })
        .sum()
}

/// The text cut to so many columns.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if width_of(text) <= room {
        return text.to_string();
    }
    let (mut short, mut taken) = (String::new(), 1);
    for c in text.chars() {
        taken += width_of(c.encode_utf8(&mut [0; 4]));
        if taken > room {
            break;
        }
        short.push(c);
    }
    if room == 0 {
        return short;
    }
    format!("{}…", short.trim_end())
}
