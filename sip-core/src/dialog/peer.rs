//! What the peer of a dialog says of itself.

use crate::wire::message::MessageRef;
use crate::wire::name::Name;

/// What the peer of a dialog takes and supports: one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Peer(u8);

impl Peer {
    /// It takes UPDATE (RFC 3311 4).
    pub const UPDATE: u8 = 1;
    /// It supports session timers (RFC 4028).
    pub const TIMER: u8 = 1 << 1;
    /// It supports reliable provisional responses (RFC 3262).
    pub const RELIABLE: u8 = 1 << 2;
    /// It takes another identity within a dialog (RFC 4916).
    pub const FROM_CHANGE: u8 = 1 << 3;

    const SAYS: [(Name, &[u8], u8); 7] = [
        (Name::Allow, b"UPDATE", Self::UPDATE),
        (Name::Supported, b"timer", Self::TIMER),
        (Name::Require, b"timer", Self::TIMER),
        (Name::Supported, b"100rel", Self::RELIABLE),
        (Name::Require, b"100rel", Self::RELIABLE),
        (Name::Supported, b"from-change", Self::FROM_CHANGE),
        (Name::Require, b"from-change", Self::FROM_CHANGE),
    ];

    /// What this message of the peer's says.
    #[must_use]
    pub fn of(m: &MessageRef<'_>) -> Self {
        let mut peer = Self::default();
        peer.learn(m);
        peer
    }

    /// What it says now. A field that is not there says nothing.
    pub fn learn(&mut self, m: &MessageRef<'_>) {
        for name in [Name::Allow, Name::Supported] {
            if m.header_span(name).is_some() {
                let said = Self::SAYS.iter().filter(|(n, ..)| *n == name);
                self.0 &= !said.fold(0, |bits, (_, _, bit)| bits | bit);
            }
        }
        for name in [Name::Allow, Name::Supported, Name::Require] {
            for value in m.values(name) {
                let text = m.text(value).trim_ascii();
                // RFC 3261 7.1: methods are compared with case, option tags without.
                let same = |to: &[u8]| {
                    if name == Name::Allow { to == text } else { to.eq_ignore_ascii_case(text) }
                };
                for (_, _, bit) in Self::SAYS.iter().filter(|(n, t, _)| *n == name && same(t)) {
                    self.0 |= bit;
                }
            }
        }
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

    #[test]
    fn what_a_message_does_not_say_stays_as_it_was() {
        let text = message("Allow: INVITE, UPDATE\r\nk: timer, 100REL\r\n");
        let mut peer = Peer::of(&MessageRef::lazy(text.as_bytes()).unwrap());
        assert!(peer.has(Peer::UPDATE) && peer.has(Peer::TIMER) && peer.has(Peer::RELIABLE));
        assert!(!peer.has(Peer::FROM_CHANGE));
        let text = message("Supported: from-change\r\n");
        peer.learn(&MessageRef::lazy(text.as_bytes()).unwrap());
        assert!(peer.has(Peer::UPDATE) && peer.has(Peer::FROM_CHANGE));
        assert!(!peer.has(Peer::TIMER) && !peer.has(Peer::RELIABLE));
        let text = message("Allow: update\r\nSupported:\r\nRequire: timer\r\n");
        peer.learn(&MessageRef::lazy(text.as_bytes()).unwrap());
        assert!(!peer.has(Peer::UPDATE) && !peer.has(Peer::FROM_CHANGE) && peer.has(Peer::TIMER));
    }
}
