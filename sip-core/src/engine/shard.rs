//! Which of several engines a raw message is for.
//!
//! Engines share nothing, one a core. A request goes by its Call-ID, so that all of a call, its
//! CANCEL and its retransmissions meet in one engine; a response goes where its branch was made.

use core::fmt;

use crate::header::Via;
use crate::store::index::Keyer;
use crate::tx::Branch;
use crate::wire::{MessageRef, Name};

/// The engines of one service, numbered from 0: each has its number as
/// [`Config::shard`](crate::Config::shard).
#[derive(Clone, Copy)]
pub struct Shards {
    keyer: Keyer,
    count: u8,
}

impl Shards {
    /// So many engines, at least 1. Nobody without the secret can choose the engine of a call, and
    /// so none can be overloaded by choosing Call-IDs.
    #[must_use]
    pub const fn new(secret: [u8; 16], count: u8) -> Self {
        Self { keyer: Keyer::new(secret), count: if count == 0 { 1 } else { count } }
    }

    /// How many engines there are.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// The engine that a message is for; the first for what is no message or has no Call-ID.
    #[must_use]
    pub fn key(&self, message: &[u8]) -> u8 {
        if self.count == 1 {
            return 0;
        }
        // RFC 3261 7.5: empty lines before the start line are ignored.
        let blank = message.iter().take_while(|c| matches!(c, b'\r' | b'\n')).count();
        let Some(m) = MessageRef::lazy(message.get(blank..).unwrap_or(&[])) else { return 0 };
        let marked = if m.is_request() { None } else { marked(&m) };
        if let Some(shard) = marked.filter(|shard| *shard < self.count) {
            return shard;
        }
        let Some(call_id) = m.header(Name::CallId) else { return 0 };
        let hash = self.keyer.start(b'C').part(call_id).finish().short();
        u8::try_from(hash.checked_rem(u64::from(self.count)).unwrap_or(0)).unwrap_or(0)
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").field("count", &self.count).finish_non_exhaustive()
    }
}

/// The mark of the engine that made a response's branch.
fn marked(m: &MessageRef<'_>) -> Option<u8> {
    let via = Via::parse(m.bytes(), m.header_span(Name::Via)?).ok()?;
    Branch::shard_of(via.branch.of(m.bytes()))
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use super::*;
    use crate::config::Config;
    use crate::cx::Cx;
    use crate::limits::Limits;
    use crate::tx::Transactions;

    const SHARDS: Shards = Shards::new([7; 16], 4);

    fn request(call_id: &str) -> String {
        format!("INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n{call_id}\r\n\r\n")
    }

    fn key(message: &str) -> u8 {
        SHARDS.key(message.as_bytes())
    }

    #[test]
    fn a_call_id_finds_its_engine_however_it_is_written() {
        let one = key(&request("Call-ID: abc@h"));
        for other in ["i: abc@h", "call-id :  abc@h ", "CALL-ID:\r\n abc@h"] {
            assert_eq!(key(&request(other)), one, "{other}");
        }
        assert_eq!(key(&format!("\r\n\r\n{}", request("i: abc@h"))), one);
    }

    #[test]
    fn calls_spread_evenly() {
        let mut of = [0; 4];
        for i in 0..4_000 {
            of[usize::from(key(&request(&format!("Call-ID: call{i}@example.com"))))] += 1;
        }
        assert!(of.iter().all(|n| (900..1_100).contains(n)), "{of:?}");
    }

    #[test]
    fn a_response_goes_where_its_branch_was_made_and_a_strangers_by_its_call_id() {
        let config = Config { shard: 3, ..Config::new([1; 32]) };
        let mut cx = Cx::new(config, &Limits::TINY).unwrap();
        let branch = Transactions::new_branch(&mut cx);
        let branch = core::str::from_utf8(branch.as_bytes()).unwrap();
        let response = |branch: &str, id: usize| {
            format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch={branch}, SIP/2.0/UDP i\r\n\
                 Call-ID: c{id}\r\n\r\n"
            )
        };
        for id in 0..20 {
            assert_eq!(key(&response(branch, id)), 3);
            let by_call_id = key(&request(&format!("Call-ID: c{id}")));
            assert_eq!(key(&response("z9hG4bKabc", id)), by_call_id);
            // A mark of an engine that there is not.
            assert_eq!(key(&response("z9hG4bKaaaaaaaaaaaaaaaa77", id)), by_call_id);
        }
    }

    #[test]
    fn what_is_no_message_is_the_first_engines() {
        for junk in ["", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "INVITE sip:b@h SIP/2.0\r\n\r\n"] {
            assert_eq!(key(junk), 0, "{junk:?}");
        }
        assert_eq!(Shards::new([7; 16], 0).key(request("i: abc").as_bytes()), 0);
    }
}
