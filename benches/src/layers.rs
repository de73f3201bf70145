//! A call over two transaction layers in one process: INVITE, 180, 200, ACK, BYE, 200, each message
//! written, carried as bytes and parsed again, and every timer run to its end. Dialogs are left to
//! this user: tags and CSeq are put into the requests by hand.

use sansip::tx::alone::{Output, TransactionLayer};
use sansip::tx::{Reply, TxHandle};
use sansip::wire::write::{AddressParts, ViaParts};
use sansip::wire::{Method, Name, Writer};
use sansip::{Addr, Config, Instant, Limits, Local, LocalId, Path, Transport};

use crate::Work;
use crate::calls::{ANSWER, OFFER};

pub(crate) const ADDRESSES: [Addr; 2] =
    [Addr::v4(192, 0, 2, 1, 5060), Addr::v4(192, 0, 2, 2, 5060)];

/// One layer at one of [`ADDRESSES`].
pub(crate) fn layer(who: usize, limits: &Limits) -> TransactionLayer {
    let bound = ADDRESSES[who];
    let mut layer = TransactionLayer::new(Config::new([who as u8 + 1; 32]), limits).expect("room");
    let host = bound.ip.to_string();
    let local = Local { transport: Transport::Udp, bound, host: &host, port: 5060, network: 0 };
    layer.set_local(LocalId(0), &local).expect("a local identity");
    layer
}

/// The way to one of [`ADDRESSES`].
pub(crate) fn way_to(who: usize) -> Path {
    Path { local: LocalId(0), remote: ADDRESSES[who], flow: None }
}

/// Two layers.
pub struct Call {
    caller: TransactionLayer,
    callee: TransactionLayer,
    now: u64,
    made: u32,
    out: Vec<u8>,
    messages: u32,
}

/// What the caller has seen.
struct Progress {
    invite: TxHandle,
    ringing: bool,
    answered: bool,
    ended: bool,
}

impl Default for Call {
    fn default() -> Self {
        Self::new()
    }
}

impl Call {
    /// Two layers with nothing to do.
    ///
    /// # Panics
    /// Without memory.
    #[must_use]
    pub fn new() -> Self {
        let [caller, callee] = [0, 1].map(|who| layer(who, &Limits::TESTER));
        Self { caller, callee, now: 1_000, made: 0, out: vec![0; 2_048], messages: 0 }
    }

    /// Writes a request of the caller; its length.
    fn write(&mut self, method: Method, cseq: u32, body: &[u8]) -> usize {
        let mut w = Writer::new(&mut self.out);
        let name = method.as_str().as_bytes();
        w.request_line(name, b"sip:li@192.0.2.2:5060").expect("room");
        if method == Method::Ack {
            // The ACK of a 2xx is a transaction of its own that no layer keeps.
            let branch = format_branch(self.made);
            w.via(&ViaParts {
                transport: b"UDP",
                host: b"192.0.2.1",
                port: 5060,
                branch: &branch,
                rport: true,
                params: &[],
            })
            .expect("room");
        }
        w.max_forwards(70).expect("room");
        let from = AddressParts {
            display: b"Maria",
            uri: b"sip:maria@harbor.example.org",
            tag: b"4087213956",
            params: &[],
        };
        w.address(Name::From, &from).expect("room");
        let tag: &[u8] = if method == Method::Invite { b"" } else { b"d93b60e" };
        let to =
            AddressParts { display: b"Li", uri: b"sip:li@summit.example.org", tag, params: &[] };
        w.address(Name::To, &to).expect("room");
        w.header(Name::CallId, &call_id(self.made)).expect("room");
        w.cseq(cseq, name).expect("room");
        w.header(Name::Contact, b"<sip:maria@192.0.2.1:5060>").expect("room");
        if method == Method::Invite {
            w.header(Name::Supported, b"replaces, timer, 100rel").expect("room");
            w.header(Name::UserAgent, b"Deskphone/3.1").expect("room");
        }
        match body {
            [] => w.end(),
            body => w.body(b"application/sdp", body),
        }
        .expect("room")
    }

    fn call(&mut self) {
        self.made += 1;
        let n = self.write(Method::Invite, 1, OFFER);
        let (now, to) = (Instant(self.now), way_to(1));
        let invite = self.caller.send_request(now, &to, &self.out[..n]).expect("room");
        let mut seen = Progress { invite, ringing: false, answered: false, ended: false };
        let (mut acknowledged, mut idle) = (false, 0);
        while idle < 2 {
            let sent = self.carry_from_caller() + self.carry_from_callee(&mut seen);
            self.messages += sent;
            idle = if sent == 0 { idle + 1 } else { 0 };
            if seen.answered && !acknowledged {
                acknowledged = true;
                let n = self.write(Method::Ack, 1, b"");
                self.caller.send(now, &to, &self.out[..n]).expect("room");
                let n = self.write(Method::Bye, 2, b"");
                self.caller.send_request(now, &to, &self.out[..n]).expect("room");
            }
        }
        assert!(seen.ringing && seen.ended, "the call has run");
        for layer in [&mut self.caller, &mut self.callee] {
            while let Some(due) = layer.next_timeout() {
                self.now = self.now.max(due.0);
                layer.handle_timeout(due).expect("room");
            }
            assert!(layer.transactions().is_empty());
        }
    }

    /// Carries what the caller sends; how many messages.
    fn carry_from_caller(&mut self) -> u32 {
        let (now, mut sent) = (Instant(self.now), 0);
        while let Some(output) = self.caller.poll() {
            if let Output::Transmit(t) = output {
                sent += 1;
                self.callee.receive(now, &way_to(0), t.bytes).expect("room");
            }
        }
        sent
    }

    /// Carries what the callee sends, and answers for it; how many messages.
    fn carry_from_callee(&mut self, seen: &mut Progress) -> u32 {
        let (now, mut sent, mut asked) = (Instant(self.now), 0, None);
        while let Some(output) = self.callee.poll() {
            match output {
                Output::Transmit(t) => {
                    sent += 1;
                    self.caller.receive(now, &way_to(1), t.bytes).expect("room");
                }
                Output::Request(tx, m) => asked = Some((tx, m.method())),
                _ => {}
            }
        }
        while let Some(output) = self.caller.poll() {
            if let Output::Response(tx, m) = output {
                match (m.status(), tx == seen.invite) {
                    (180, true) => seen.ringing = true,
                    (200, true) => seen.answered = true,
                    (200, false) => seen.ended = true,
                    other => panic!("{other:?}"),
                }
            }
        }
        let Some((tx, method)) = asked else { return sent };
        let reply = Reply { to_tag: Some(b"d93b60e"), ..Reply::default() };
        if method == Method::Invite {
            let contact: Option<&[u8]> = Some(b"<sip:li@192.0.2.2:5060>");
            let reply = Reply { contact, ..reply };
            self.callee.reply(now, tx, 180, &reply).expect("room");
            let body: Option<(&[u8], &[u8])> = Some((b"application/sdp", ANSWER));
            self.callee.reply(now, tx, 200, &Reply { body, ..reply }).expect("room");
        } else {
            self.callee.reply(now, tx, 200, &reply).expect("room");
        }
        sent
    }
}

/// `c` and eight hexadecimal digits: text of its own for each call without an allocation.
fn digits(number: u32) -> [u8; 8] {
    core::array::from_fn(|i| b"0123456789abcdef"[(number >> (28 - 4 * i)) as usize & 15])
}

fn call_id(number: u32) -> [u8; 24] {
    let mut text = *b"c--------@harbor.example";
    text[1..9].copy_from_slice(&digits(number));
    text
}

fn format_branch(number: u32) -> [u8; 16] {
    let mut text = *b"z9hG4bKa--------";
    text[8..].copy_from_slice(&digits(number));
    text
}

impl Work for Call {
    fn check(&mut self) {
        self.messages = 0;
        self.call();
        assert_eq!(self.messages, 6, "INVITE, 180, 200, ACK, BYE, 200");
    }

    fn run(&mut self, n: u32) {
        for _ in 0..n {
            self.call();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_six_messages_and_leaves_nothing() {
        let mut call = Call::new();
        call.check();
        call.run(3);
        assert_eq!(call.made, 4);
    }
}
