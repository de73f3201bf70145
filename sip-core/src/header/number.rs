//! Fields that are numbers: Max-Forwards, Expires, RSeq, RAck, Retry-After, Timestamp and so on.

use super::parts::{Head, parameterised};
use super::value::{Part, See, Value, ValueErrorKind, lws, number, token};
use crate::wire::scan::{Class, Cursor, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

/// A number from `MIN` to `MAX`, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ranged<const MIN: u32, const MAX: u32> {
    /// The number.
    pub value: u32,
}

/// Content-Length in bytes (RFC 3261 20.14).
pub type ContentLength = Ranged<0, { u32::MAX }>;
/// Max-Forwards, 0 to 255 (RFC 3261 20.22).
pub type MaxForwards = Ranged<0, 255>;
/// Max-Breadth (RFC 5393 section 5.3.3).
pub type MaxBreadth = Ranged<0, { u32::MAX }>;
/// Expires in seconds (RFC 3261 20.19).
pub type Expires = Ranged<0, { u32::MAX }>;
/// Min-Expires in seconds (RFC 3261 20.23).
pub type MinExpires = Ranged<0, { u32::MAX }>;
/// Flow-Timer in seconds (RFC 5626 section 11.2).
pub type FlowTimer = Ranged<0, { u32::MAX }>;
/// RSeq, from 1 (RFC 3262 section 7.1).
pub type RSeq = Ranged<1, { u32::MAX }>;

fn ranged(c: &mut Cursor<'_>, min: u32, max: u32) -> Result<u32, ValueErrorKind> {
    let start = c.at;
    let value = number(c)?;
    if value < min || value > max {
        c.at = start;
        return Err(ValueErrorKind::Range);
    }
    Ok(value)
}

impl<const MIN: u32, const MAX: u32> Value for Ranged<MIN, MAX> {
    const CLAUSE: &'static str = "RFC 3261 25.1";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        ranged(c, MIN, MAX).map(|value| Self { value })
    }

    fn write(&self, _: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.number(self.value)
    }

    fn parts(&self, see: &mut See<'_>) {
        see("value", Part::Number(u64::from(self.value)));
    }
}

/// RAck: which reliable provisional response is acknowledged (RFC 3262 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck {
    /// RSeq of the response.
    pub rseq: u32,
    /// CSeq number of the response.
    pub cseq: u32,
    /// CSeq method of the response.
    pub method: Span,
}

impl Value for RAck {
    const CLAUSE: &'static str = "RFC 3262 7.2";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        let rseq = ranged(c, 1, u32::MAX)?;
        lws(c)?;
        let cseq = number(c)?;
        lws(c)?;
        Ok(Self { rseq, cseq, method: token(c)? })
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.number(self.rseq)?;
            w.put(b" ")?;
            w.number(self.cseq)?;
            w.put(b" ")?;
            w.token(self.method.of(bytes))
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        see("rseq", Part::Number(u64::from(self.rseq)));
        see("cseq", Part::Number(u64::from(self.cseq)));
        see("method", Part::Text(self.method));
    }
}

/// How long to wait, and maybe why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Seconds.
    pub seconds: u32,
    /// The comment, with its parentheses.
    pub comment: Option<Span>,
}

/// Seconds and a comment.
#[derive(Clone, Copy, Debug)]
pub struct DelayHead;

impl Head for DelayHead {
    type Out = Delay;

    fn read(c: &mut Cursor<'_>) -> Result<Delay, ValueErrorKind> {
        let seconds = number(c)?;
        c.ws();
        let comment = if c.peek() == b'(' { Some(comment(c)?) } else { None };
        Ok(Delay { seconds, comment })
    }

    fn write(out: Delay, bytes: &[u8], w: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        w.number(out.seconds)?;
        if let Some(comment) = out.comment {
            w.put(b" ")?;
            w.received(comment.of(bytes))?;
        }
        Ok(())
    }

    fn see(out: Delay, _: &'static str, see: &mut See<'_>) {
        see("seconds", Part::Number(u64::from(out.seconds)));
        if let Some(comment) = out.comment {
            see("comment", Part::Text(comment));
        }
    }
}

/// Takes a comment with those inside it (RFC 3261 25.1).
fn comment(c: &mut Cursor<'_>) -> Result<Span, ValueErrorKind> {
    let start = c.at;
    let mut depth = 0_u32;
    let mut escaped = false;
    for &b in c.rest() {
        c.at = c.at.saturating_add(1);
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Ok(c.since(start));
        }
    }
    c.at = start;
    Err(ValueErrorKind::Syntax)
}

parameterised! {
    /// When to try again (RFC 3261 20.33).
    RetryAfter, "RFC 3261 20.33" {
        /// Seconds, and why.
        delay: DelayHead;
        /// For how many seconds the callee can then be reached.
        duration: Option<u32> = "duration";
    }
}

/// When a request was sent, by a clock of the sender's own, and how long the answer took (RFC 3261
/// 20.38). The digits are the sender's: they are echoed, not reckoned with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds, maybe with a fraction.
    pub stamp: Span,
    /// Seconds between request and response, maybe with a fraction.
    pub delay: Option<Span>,
}

fn decimal(c: &mut Cursor<'_>) -> Span {
    let start = c.at;
    c.run(Class::DIGIT);
    if c.eat(b'.') {
        c.run(Class::DIGIT);
    }
    c.since(start)
}

impl Value for Timestamp {
    const CLAUSE: &'static str = "RFC 3261 20.38";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        if !c.peek().is_ascii_digit() {
            return Err(ValueErrorKind::Number);
        }
        let stamp = decimal(c);
        let before = c.at;
        c.ws();
        let delay = if c.at > before && !c.done() { Some(decimal(c)) } else { None };
        Ok(Self { stamp, delay: delay.filter(|d| !d.is_empty()) })
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.of_class(self.stamp.of(bytes), Class::HOST)?;
            match self.delay {
                Some(delay) => {
                    w.put(b" ")?;
                    w.of_class(delay.of(bytes), Class::HOST)
                }
                None => Ok(()),
            }
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        see("stamp", Part::Text(self.stamp));
        if let Some(delay) = self.delay {
            see("delay", Part::Text(delay));
        }
    }
}
