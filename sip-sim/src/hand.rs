//! The hand that moves a scripted party.

use sansip::path::Addr;

use crate::network::NodeId;
use crate::party::{Party, Received, Way};
use crate::text::Message;
use crate::world::{Node, World};

/// How long [`Hand::expect`] waits: 64 * T1 and a second.
const PATIENCE_MS: u64 = 33_000;

/// What a message is expected to be: `INVITE`, `180`, `200 BYE`, `*`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct What {
    /// The status of a response, `None` for a request.
    pub status: Option<u16>,
    /// The method; empty fits any.
    pub method: String,
}

impl What {
    /// Reads `INVITE`, `180`, `200 BYE` or `*`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (first, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        match first.parse() {
            Ok(status) => Self { status: Some(status), method: rest.trim().to_string() },
            Err(_) => Self { status: None, method: first.trim_start_matches('*').to_string() },
        }
    }

    /// Whether a message is that.
    #[must_use]
    pub fn fits(&self, message: &Message) -> bool {
        let any = self.status.is_none() && self.method.is_empty();
        any || (self.status == message.status()
            && (self.method.is_empty() || self.method == message.method()))
    }
}

/// A scripted party at work in its world. What it sends leaves at once; time passes only in
/// [`Hand::expect`] and [`Hand::wait_for`].
#[derive(Debug)]
pub struct Hand<'w> {
    world: &'w mut World,
    node: NodeId,
}

impl<'w> Hand<'w> {
    pub(crate) fn new(world: &'w mut World, node: NodeId) -> Self {
        Self { world, node }
    }

    /// The party itself: its legs, its inbox, its next hop.
    ///
    /// # Panics
    /// Where the node is no scripted party.
    pub fn state(&mut self) -> &mut Party {
        match self.world.nodes.get_mut(self.node.0) {
            Some(Node::Party(party)) => party,
            _ => panic!("node {} is no scripted party", self.node.0),
        }
    }

    /// Sends its requests outside dialogs to this address.
    pub fn next_hop(&mut self, to: Addr) -> &mut Self {
        self.state().next_hop = Some(to);
        self
    }

    /// Opens a TCP connection and sends over it from now on.
    pub fn connect(&mut self, to: Addr) -> &mut Self {
        self.world.connect(self.node, to);
        let patience = self.world.now() + PATIENCE_MS;
        while self.state().stream.is_none() && self.world.next().is_some_and(|at| at <= patience) {
            self.world.step();
        }
        assert!(self.state().stream.is_some(), "no connection to {to}");
        self
    }

    /// Sends an INVITE that opens a new leg.
    pub fn invite(&mut self, uri: &str) -> Message {
        self.request("INVITE", uri)
    }

    /// Sends a request outside dialogs.
    pub fn request(&mut self, method: &str, uri: &str) -> Message {
        let message = self.state().request(method, uri);
        self.send(message)
    }

    /// Sends a request in the current leg.
    pub fn within(&mut self, method: &str) -> Message {
        let message = self.state().within(method);
        self.send(message)
    }

    /// Sends the ACK of the last final response.
    pub fn ack(&mut self) -> Message {
        let message = self.state().ack();
        self.send(message)
    }

    /// Sends the CANCEL of the last INVITE.
    pub fn cancel(&mut self) -> Message {
        let message = self.state().cancel();
        self.send(message)
    }

    /// Sends a BYE.
    pub fn bye(&mut self) -> Message {
        self.within("BYE")
    }

    /// Answers the newest request that is still open.
    pub fn respond(&mut self, status: u16) -> Message {
        self.respond_with(status, "", |_| {})
    }

    /// Answers the newest open request of this method (empty: of any) with a response that `edit`
    /// may change before it leaves.
    pub fn respond_with(
        &mut self,
        status: u16,
        method: &str,
        edit: impl FnOnce(&mut Message),
    ) -> Message {
        let (mut message, way) = self.state().response(status, method);
        edit(&mut message);
        self.send_over(way, message)
    }

    /// Sends a message as it is, the way that its Route, the next hop or its Request-URI say.
    ///
    /// # Panics
    /// Where none of them is a numeric address.
    pub fn send(&mut self, message: Message) -> Message {
        let way = self.state().way_of(&message);
        let way = way.unwrap_or_else(|| panic!("nowhere to send:\n{message:?}"));
        self.send_over(way, message)
    }

    /// Sends a message as it is, that way.
    pub fn send_over(&mut self, way: Way, message: Message) -> Message {
        self.state().sent(&message, way);
        self.write(way, &message.to_bytes());
        message
    }

    /// Sends any bytes: as a datagram, or over the party's stream if it has one.
    pub fn send_raw(&mut self, to: Addr, bytes: &[u8]) {
        let way = self.state().stream.map_or(Way::Udp(to), Way::Stream);
        self.write(way, bytes);
    }

    fn write(&mut self, way: Way, bytes: &[u8]) {
        let (now, from) = (self.world.now(), self.state().addr);
        match way {
            Way::Udp(to) => self.world.net.send(now, self.node, from, to, bytes, 0),
            Way::Stream(stream) => self.world.net.write(now, self.node, stream, bytes),
        };
    }

    /// The next message that it gets, which has to be `what` (see [`What::of`]); lets time pass.
    ///
    /// # Panics
    /// Where another message comes, or none within 33 seconds.
    #[track_caller]
    pub fn expect(&mut self, what: &str) -> Message {
        match self.next_message() {
            Some(got) if What::of(what).fits(&got.message) => got.message,
            Some(got) => panic!(
                "{} expected {what}, and got at {} ms:\n{}\n{}",
                self.name(),
                got.at,
                String::from_utf8_lossy(&got.bytes),
                self.world.ladder()
            ),
            None => {
                panic!("{} waited in vain for {what}\n{}", self.name(), self.world.ladder())
            }
        }
    }

    /// The next message that is `what`; passes over others.
    ///
    /// # Panics
    /// Where none comes within 33 seconds.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str) -> Message {
        let until = self.world.now() + PATIENCE_MS;
        while let Some(got) = self.next_message() {
            if What::of(what).fits(&got.message) {
                return got.message;
            }
            if self.world.now() > until {
                break;
            }
        }
        panic!("{} waited in vain for {what}\n{}", self.name(), self.world.ladder())
    }

    fn name(&self) -> String {
        self.world.names()[self.node.0].clone()
    }

    fn next_message(&mut self) -> Option<Received> {
        let patience = self.world.now() + PATIENCE_MS;
        loop {
            if let Some(got) = self.state().inbox.pop_front() {
                return Some(got);
            }
            if self.world.next().is_none_or(|at| at > patience) {
                return None;
            }
            self.world.step();
        }
    }
}
