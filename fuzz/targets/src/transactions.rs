//! A program of inputs into the transaction layer, on UDP and TCP. What it sends are SIP messages;
//! an unproven UDP source gets at most 3 times the bytes that it sent; each transaction of ours ends
//! once at most; and when every request is answered and time goes by, no transaction and no timer
//! is left.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sansip::tx::alone::{Output, TransactionLayer};
use sansip::tx::{Reply, TxHandle};
use sansip::wire::MessageRef;
use sansip::{Addr, Config, FlowId, Instant, Limits, Local, LocalId, Path, Retransmit, Transport};

use crate::program::{Heard, Program, answer, request};

const UDP: LocalId = LocalId(1);
const TCP: LocalId = LocalId(2);
const STATUSES: &[u16] = &[100, 180, 200, 200, 302, 404, 486, 487, 503, 600, 99, 700];
const METHODS: &[&str] = &["INVITE", "INVITE", "OPTIONS", "BYE", "NEWMETHOD", "ACK", "CANCEL"];

struct World<'a> {
    program: Program<'a>,
    layer: TransactionLayer,
    now: Instant,
    heard: Heard,
    servers: Vec<TxHandle>,
    clients: Vec<TxHandle>,
    flow: u64,
    /// Whether what is sent to a source is held against what it sent.
    bounded: bool,
    /// Bytes that came over UDP, and that went out, by the peer's address: a Via names the port.
    received: BTreeMap<IpAddr, usize>,
    sent: BTreeMap<IpAddr, usize>,
    /// Who has shown that it hears us: by a connection, or by a tag of ours.
    proven: BTreeSet<IpAddr>,
}

/// The first byte chooses the limits, the rest are inputs.
pub fn run(data: &[u8]) {
    let Some(mut world) = World::new(Program::new(data)) else { return };
    for _ in 0..400 {
        let Some(op) = world.program.byte() else { break };
        world.step(op);
    }
    world.finish();
}

impl<'a> World<'a> {
    fn new(mut program: Program<'a>) -> Option<Self> {
        let choice = program.small();
        let mut config = Config::new([3; 32]);
        let bounded = choice & 1 == 0;
        if !bounded {
            config.retransmit = Retransmit::Rfc;
        }
        let few = Limits { locals: 2, ..Limits::TINY };
        let limits = if choice & 2 == 0 { few } else { Limits { locals: 2, ..Limits::PHONE } };
        let mut layer = TransactionLayer::new(config, &limits).ok()?;
        let bound = Addr::v4(10, 0, 0, 1, 5060);
        let udp =
            Local { transport: Transport::Udp, bound, host: "10.0.0.1", port: 5060, network: 0 };
        layer.set_local(UDP, &udp).ok()?;
        layer.set_local(TCP, &Local { transport: Transport::Tcp, ..udp }).ok()?;
        Some(World {
            program,
            layer,
            now: Instant(1_000),
            heard: Heard::default(),
            servers: Vec::new(),
            clients: Vec::new(),
            flow: 1,
            bounded,
            received: BTreeMap::new(),
            sent: BTreeMap::new(),
            proven: BTreeSet::new(),
        })
    }

    fn step(&mut self, op: u8) {
        match op % 12 {
            0..=2 => {
                let path = self.path();
                let transport = if path.flow.is_some() { "TCP" } else { "UDP" };
                let message = request(&mut self.program, &self.heard, transport);
                self.receive(&path, &message);
            }
            3..=4 => {
                let path = self.path();
                let Some(message) = answer(&mut self.program, &self.heard) else { return };
                self.receive(&path, &message);
            }
            5 => self.send_request(),
            6..=7 => self.reply(),
            8 => self.pass(),
            9 => self.jump(),
            _ => self.odd(),
        }
        // One input in eight meets a ring in which outputs still wait.
        if op < 224 {
            self.drain();
        }
    }

    fn path(&mut self) -> Path {
        let n = self.program.small();
        let remote = Addr::v4(10, 0, 0, 2 + (n & 3) as u8, 5060);
        let flow = (n & 4 != 0).then_some(FlowId(self.flow));
        Path { local: if flow.is_some() { TCP } else { UDP }, remote, flow }
    }

    fn receive(&mut self, path: &Path, message: &[u8]) {
        let holds = |tag: &String| message.windows(tag.len()).any(|w| w == tag.as_bytes());
        if path.flow.is_some() || self.heard.tags.iter().any(holds) {
            self.proven.insert(path.remote.ip);
        } else {
            *self.received.entry(path.remote.ip).or_default() += message.len();
        }
        // Full is a good answer to a random program.
        let _ = self.layer.receive(self.now, path, message);
    }

    fn send_request(&mut self) {
        // Whom we call is not who is amplified: programs that are held to the bound only serve.
        if self.bounded {
            return;
        }
        let path = self.path();
        let method = self.program.pick(METHODS);
        let number = self.program.small();
        let message = format!(
            "{method} sip:bob@10.0.0.2 SIP/2.0\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@10.0.0.1>;tag=a\r\nTo: <sip:bob@10.0.0.2>\r\n\
             Call-ID: o{number}\r\nCSeq: 1 {method}\r\nContact: <sip:alice@10.0.0.1>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        if let Ok(tx) = self.layer.send_request(self.now, &path, message.as_bytes()) {
            self.clients.push(tx);
        }
    }

    fn reply(&mut self) {
        let Some(tx) = self.program.pick_any(&self.servers) else { return };
        let status = self.program.pick(STATUSES);
        let _ = self.layer.reply(self.now, tx, status, &Reply::default());
    }

    fn pass(&mut self) {
        let ms = self.program.number() as u64;
        self.now = self.now.after(ms * self.program.pick(&[1, 1, 10]));
        let _ = self.layer.handle_timeout(self.now);
    }

    fn jump(&mut self) {
        if let Some(next) = self.layer.next_timeout() {
            self.now = self.now.max(next);
            let _ = self.layer.handle_timeout(self.now);
        }
    }

    fn odd(&mut self) {
        let client = self.program.pick_any(&self.clients);
        let server = self.program.pick_any(&self.servers);
        match (self.program.small() % 8, client, server) {
            (0..=1, Some(tx), _) => {
                if let Ok(Some(cancel)) = self.layer.cancel(self.now, tx) {
                    self.clients.push(cancel);
                }
            }
            (2, Some(tx), _) | (3, _, Some(tx)) => {
                let _ = self.layer.send_failed(self.now, tx);
            }
            (4, Some(tx), _) | (5, _, Some(tx)) => self.layer.end(tx),
            (6, ..) => {
                let _ = self.layer.flow_closed(self.now, FlowId(self.flow));
                self.flow += 1;
            }
            _ => {
                // What was sent comes back: a mirror.
                let Some(message) = self.heard.sent.last().cloned() else { return };
                let path = self.path();
                self.receive(&path, &message);
            }
        }
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            let Some(output) = self.layer.poll() else { return };
            match output {
                Output::Transmit(t) => {
                    assert!(MessageRef::lazy(t.bytes).is_some(), "{}", t.bytes.escape_ascii());
                    let ip = t.path.remote.ip;
                    let sent = self.sent.entry(ip).or_default();
                    *sent += t.bytes.len();
                    let most = 3 * self.received.get(&ip).copied().unwrap_or(0);
                    let free = !self.bounded || self.proven.contains(&ip);
                    assert!(free || *sent <= most, "{sent} bytes sent to {ip}, at most {most}");
                    self.heard.note(t.bytes);
                }
                Output::Request(tx, _) | Output::Merged(tx, _) | Output::Cancel { tx, .. } => {
                    self.servers.push(tx);
                }
                Output::Failed(tx, _) => {
                    let gone = self.layer.transactions().state(tx).is_none();
                    let failed = self.clients.iter().filter(|c| **c == tx).count();
                    assert!(gone || failed == 0, "a client transaction that failed is gone");
                    self.clients.retain(|c| *c != tx);
                }
                _ => {}
            }
        }
        panic!("outputs without end");
    }

    /// The program is over: what waits for its user is answered, and time passes.
    fn finish(mut self) {
        self.drain();
        for tx in self.servers.clone() {
            // Those of the ended are Gone, those with a final response Late or Misuse.
            let _ = self.layer.reply(self.now, tx, 500, &Reply::default());
            self.drain();
            // A 2xx keeps the server transaction for its user (RFC 6026 7.1), a lost transport too.
            if self.layer.next_timeout().is_none() {
                self.layer.end(tx);
            }
        }
        // An INVITE that only ever heard provisional responses waits for its user.
        let far = self.now.after(3_600_000);
        for _ in 0..10_000 {
            let Some(next) = self.layer.next_timeout().filter(|t| *t <= far) else { break };
            self.now = self.now.max(next);
            let _ = self.layer.handle_timeout(self.now);
            self.drain();
        }
        assert_eq!(self.layer.next_timeout(), None, "a timer is left");
        for tx in self.clients.iter().chain(&self.servers) {
            self.layer.end(*tx);
        }
        self.drain();
        let left = self.layer.transactions().len();
        assert_eq!((left, self.layer.next_timeout()), (0, None), "transactions or timers left");
    }
}
