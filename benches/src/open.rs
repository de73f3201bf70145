//! One more request while many transactions are open: what does not grow with them.

use sansip::Instant;
use sansip::Limits;
use sansip::tx::Reply;
use sansip::tx::alone::{Output, TransactionLayer};

use crate::Work;
use crate::layers::{layer, way_to};

/// A layer with open INVITE transactions.
pub struct Next {
    layer: TransactionLayer,
    open: usize,
    made: u32,
    request: Vec<u8>,
    /// Where what differs from request to request stands: in the branch and in the Call-ID.
    differ: Vec<usize>,
}

/// How many more requests there is room for.
const MORE: usize = 5_000;

impl Next {
    /// A layer in which so many INVITEs wait for their answers.
    ///
    /// # Panics
    /// Without memory.
    #[must_use]
    pub fn new(open: usize) -> Self {
        let limits = Limits {
            transactions: open + MORE,
            pool: (open * 1_600 + MORE * 2_000).max(4 << 20),
            ..Limits::TESTER
        };
        let request = text("INVITE");
        let differ = places(&request);
        let mut next = Self { layer: layer(0, &limits), open, made: 0, request, differ };
        for _ in 0..open {
            next.one(100);
        }
        next.request = text("OPTIONS");
        next.differ = places(&next.request);
        next
    }

    /// Takes a request with a new branch, answers it and sends the answer.
    fn one(&mut self, status: u16) {
        self.made += 1;
        for at in &self.differ {
            for (i, digit) in self.request[*at..at + MARK.len()].iter_mut().enumerate() {
                *digit = b'a' + (self.made >> (28 - 4 * i)) as u8 % 16;
            }
        }
        let now = Instant(1_000);
        self.layer.receive(now, &way_to(1), &self.request).expect("room");
        let mut asked = None;
        while let Some(output) = self.layer.poll() {
            if let Output::Request(tx, _) = output {
                asked = Some(tx);
            }
        }
        let tx = asked.expect("a new request");
        self.layer.reply(now, tx, status, &Reply::default()).expect("room");
        let mut sent = 0;
        while let Some(output) = self.layer.poll() {
            sent += usize::from(matches!(output, Output::Transmit(_)));
        }
        assert_eq!(sent, 1);
    }
}

const MARK: &[u8] = b"########";

fn places(request: &[u8]) -> Vec<usize> {
    (0..request.len()).filter(|at| request[*at..].starts_with(MARK)).collect()
}

fn text(method: &str) -> Vec<u8> {
    format!(
        "{method} sip:li@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK-########;rport\r\n\
         Max-Forwards: 70\r\n\
         To: Li <sip:li@summit.example.org>\r\n\
         From: Maria <sip:maria@harbor.example.org>;tag=4087213956\r\n\
         Call-ID: ########@harbor.example.org\r\n\
         CSeq: 1 {method}\r\n\
         Contact: <sip:maria@192.0.2.2:5060>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

impl Work for Next {
    fn check(&mut self) {
        let before = self.layer.transactions().len();
        self.one(200);
        assert_eq!(self.layer.transactions().len(), before + 1);
        assert!(before >= self.open);
    }

    fn run(&mut self, n: u32) {
        for _ in 0..n {
            self.one(200);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_ones_stay_open() {
        let mut next = Next::new(50);
        next.check();
        next.run(10);
        assert_eq!(next.layer.transactions().len(), 61);
    }
}
