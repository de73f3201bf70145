//! The calls that stand, seen from what a proxy sends: it keeps nothing of them itself, but when
//! it ends it waits for their end, and operators want to know how many there are.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use sansip::wire::{MessageRef, Name};

/// Calls that are counted at most: one whose BYE went another way stays until there are so many.
const MOST: usize = 1 << 20;

/// A call whose end has not been seen for so long is forgotten then, in milliseconds.
const OLD: u64 = 3_600_000;

/// Calls by their Call-ID.
#[derive(Default)]
pub(super) struct Standing {
    hasher: RandomState,
    since: HashMap<u64, u64>,
}

impl Standing {
    /// A message is sent on.
    pub(super) fn sent(&mut self, now: u64, bytes: &[u8]) {
        let ends = bytes.starts_with(b"BYE ");
        if !ends && !bytes.starts_with(b"SIP/2.0 2") {
            return;
        }
        let Some(m) = MessageRef::lazy(bytes) else { return };
        let Some(call_id) = m.header(Name::CallId) else { return };
        let key = self.hasher.hash_one(call_id);
        if ends {
            self.since.remove(&key);
        } else if m.header(Name::CSeq).is_some_and(|v| v.ends_with(b"INVITE")) {
            if self.since.len() >= MOST {
                self.since.retain(|_, at| *at + OLD > now);
            }
            if self.since.len() < MOST {
                self.since.entry(key).or_insert(now);
            }
        }
    }

    /// How many stand.
    pub(super) fn len(&self) -> usize {
        self.since.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_stands_from_its_2xx_to_its_bye() {
        let mut calls = Standing::default();
        let response = |status: &str, method: &str| {
            format!("SIP/2.0 {status}\r\nCall-ID: a\r\nCSeq: 1 {method}\r\n\r\n")
        };
        calls.sent(0, response("180 Ringing", "INVITE").as_bytes());
        calls.sent(0, response("200 OK", "OPTIONS").as_bytes());
        assert_eq!(calls.len(), 0);
        calls.sent(0, response("200 OK", "INVITE").as_bytes());
        calls.sent(0, response("200 OK", "INVITE").as_bytes());
        assert_eq!(calls.len(), 1);
        calls.sent(0, b"BYE sip:b@h SIP/2.0\r\nCall-ID: b\r\n\r\n");
        assert_eq!(calls.len(), 1, "of another call");
        calls.sent(0, b"BYE sip:b@h SIP/2.0\r\ni: a\r\n\r\n");
        assert_eq!(calls.len(), 0);
    }
}
