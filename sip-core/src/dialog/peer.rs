//! What the peer of a dialog says of itself.

use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::Span;

/// What one message says of its sender, read in one walk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    /// The bits of [`Peer`] that it has.
    has: u8,
    /// Of those, the ones that it requires.
    required: u8,
    /// The bits that its fields are the last word on.
    named: u8,
    /// Its Session-Expires (RFC 4028 4).
    pub session_expires: Option<Span>,
    /// Its Min-SE (RFC 4028 5).
    pub min_se: Option<Span>,
}

impl Said {
    pub(crate) fn of(m: &MessageRef<'_>) -> Self {
        let mut said = Self::default();
        for field in m.fields() {
            let named = match field.name {
                Name::Allow => Peer::UPDATE,
                Name::Supported => Peer::OPTIONS,
                Name::Require => 0,
                Name::SessionExpires => {
                    said.session_expires.get_or_insert(field.value);
                    continue;
                }
                Name::MinSe => {
                    said.min_se.get_or_insert(field.value);
                    continue;
                }
                _ => continue,
            };
            said.named |= named;
            let value = m.text(field.value);
            let has = if field.name == Name::Allow { methods(value) } else { options(value) };
            said.has |= has;
            said.required |= if field.name == Name::Require { has } else { 0 };
        }
        said
    }

    /// Whether it has the bit.
    #[cfg(feature = "ua")]
    pub(crate) const fn has(&self, bit: u8) -> bool {
        self.has & bit != 0
    }
}

/// What the methods in Allow say. RFC 3261 7.1: they are compared with case.
fn methods(value: &[u8]) -> u8 {
    const UPDATE: &[u8] = b"UPDATE";
    let apart = |b: Option<&u8>| b.is_none_or(|b| *b == b',' || b.is_ascii_whitespace());
    let updates = memchr::memchr_iter(b'U', value).any(|at| {
        let (before, rest) = value.split_at_checked(at).unwrap_or_default();
        rest.starts_with(UPDATE) && apart(before.last()) && apart(rest.get(UPDATE.len()))
    });
    if updates { Peer::UPDATE } else { 0 }
}

/// What option tags say. RFC 3261 7.1: they are compared without case.
fn options(value: &[u8]) -> u8 {
    let (mut bits, mut start) = (0, 0);
    for (at, b) in value.iter().enumerate() {
        if *b == b',' {
            bits |= option(value.get(start..at).unwrap_or(&[]));
            start = at.wrapping_add(1);
        }
    }
    bits | option(value.get(start..).unwrap_or(&[]))
}

fn option(tag: &[u8]) -> u8 {
    let tag = tag.strip_prefix(b" ").unwrap_or(tag);
    let tag = match tag {
        [b'!'..=b'~', .., b'!'..=b'~'] => tag,
        _ => tag.trim_ascii(),
    };
    match tag.len() {
        5 if tag.eq_ignore_ascii_case(b"timer") => Peer::TIMER,
        6 if tag.eq_ignore_ascii_case(b"100rel") => Peer::RELIABLE,
        11 if tag.eq_ignore_ascii_case(b"from-change") => Peer::FROM_CHANGE,
        _ => 0,
    }
}

/// What the peer of a dialog takes and supports: one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Peer(u8);

impl Peer {
    /// It takes UPDATE (RFC 3311 4).
    pub const UPDATE: u8 = 1;
    /// It supports session timers (RFC 4028).
    pub const TIMER: u8 = 1 << 1;
    /// It supports reliable provisional responses in the request that made the dialog (RFC 3262).
    pub const RELIABLE: u8 = 1 << 2;
    /// It takes another identity within a dialog (RFC 4916).
    pub const FROM_CHANGE: u8 = 1 << 3;

    /// It asks in its INVITE for what must be reliable (RFC 3262 3), and nothing later changes that.
    pub const INSISTS: u8 = 1 << 4;

    /// What Supported is the last word on.
    const OPTIONS: u8 = Self::TIMER | Self::FROM_CHANGE;

    /// What this message of the peer's, which makes the dialog, says.
    #[must_use]
    pub fn of(m: &MessageRef<'_>) -> Self {
        let said = Said::of(m);
        Self(said.has | if said.required & Self::RELIABLE == 0 { 0 } else { Self::INSISTS })
    }

    /// What it says now. A field that is not there says nothing.
    pub fn learn(&mut self, m: &MessageRef<'_>) {
        let said = Said::of(m);
        let learned = Self::UPDATE | Self::OPTIONS;
        self.0 = (self.0 & !said.named) | (said.has & learned);
    }

    /// Whether it has the bit.
    #[must_use]
    pub const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// It has shown that it has not.
    pub const fn lacks(&mut self, bit: u8) {
        self.0 &= !bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    fn message(fields: &str) -> std::string::String {
        format!("UPDATE sip:a@b SIP/2.0\r\n{fields}\r\n")
    }

    fn lazy(text: &str) -> MessageRef<'_> {
        MessageRef::lazy(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_a_message_does_not_say_stays_as_it_was() {
        let text = message("Allow: INVITE, UPDATE\r\nk: timer, 100REL\r\n");
        let mut peer = Peer::of(&lazy(&text));
        assert!(peer.has(Peer::UPDATE) && peer.has(Peer::TIMER) && peer.has(Peer::RELIABLE));
        assert!(!peer.has(Peer::FROM_CHANGE));
        peer.learn(&lazy(&message("Supported: from-change\r\n")));
        assert!(peer.has(Peer::UPDATE) && peer.has(Peer::FROM_CHANGE) && !peer.has(Peer::TIMER));
        peer.learn(&lazy(&message("Allow: update\r\nSupported:\r\nRequire: timer\r\n")));
        assert!(!peer.has(Peer::UPDATE) && !peer.has(Peer::FROM_CHANGE) && peer.has(Peer::TIMER));
        peer.learn(&lazy(&message("Allow: INVITE\r\nAllow: BYE,\r\n UPDATE , X\r\n")));
        assert!(peer.has(Peer::UPDATE), "of several fields and lines each is read");
        peer.learn(&lazy(&message("Allow: XUPDATE, UPDATES, UPDATE-X\r\nk: a,\r\n\ttimer \r\n")));
        assert!(!peer.has(Peer::UPDATE) && peer.has(Peer::TIMER));
    }

    #[test]
    fn only_what_makes_the_dialog_says_whether_provisionals_can_be_reliable() {
        let mut peer = Peer::of(&lazy(&message("Require: 100rel\r\n")));
        peer.learn(&lazy(&message("Supported: timer\r\n")));
        assert!(peer.has(Peer::RELIABLE) && peer.has(Peer::INSISTS));
        let mut peer = Peer::of(&lazy(&message("Supported: timer\r\n")));
        peer.learn(&lazy(&message("Require: 100rel\r\n")));
        assert!(!peer.has(Peer::RELIABLE) && !peer.has(Peer::INSISTS));
    }
}
