//! A network of directed links with loss, delay, jitter, duplication and darkness, from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Range;
use std::sync::Arc;

use sansip::path::{Addr, Transport};

use crate::seed::Seed;
use crate::stream::{End, Stream};
use crate::trace::{Fate, Loss, Packet, StreamRecord, Trace};

/// A node of the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct NodeId(pub usize);

/// A stream between two nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct StreamId(pub u64);

/// How the bytes of a write arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cut {
    /// As they were written.
    #[default]
    Whole,
    /// In pieces of this many bytes.
    Every(usize),
    /// In pieces of 1 to 200 bytes.
    Random,
}

/// What one direction between two nodes does to packets. The default is a perfect link without
/// delay.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The probability that a datagram is lost. A stream sends again after 200, 400, 800 ms.
    pub loss: f64,
    /// The probability that a datagram arrives twice.
    pub duplicate: f64,
    /// Milliseconds on the way.
    pub delay: u64,
    /// Up to so many milliseconds more, each datagram its own: they overtake each other.
    pub jitter: u64,
    /// The largest datagram that passes, in bytes; 0 is no limit.
    pub mtu: usize,
    /// Milliseconds in which nothing that is sent arrives (a stream goes on at the end).
    pub blackouts: Vec<Range<u64>>,
    /// How streams are cut.
    pub cut: Cut,
}

impl Link {
    /// A link that loses with this probability.
    #[must_use]
    pub fn lossy(loss: f64) -> Self {
        Self { loss, ..Self::default() }
    }

    /// A link that takes `delay` milliseconds.
    #[must_use]
    pub fn slow(delay: u64) -> Self {
        Self { delay, ..Self::default() }
    }

    fn dark_until(&self, now: u64) -> Option<u64> {
        self.blackouts.iter().find(|b| b.contains(&now)).map(|b| b.end)
    }
}

/// Something that happens at a node.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A datagram arrives.
    Datagram {
        /// Where.
        node: NodeId,
        /// From which address.
        from: Addr,
        /// To which address of the node.
        to: Addr,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// A datagram that the node sent found nobody (ICMP).
    Unreachable {
        /// The node that sent it.
        node: NodeId,
        /// What the sender called it.
        tag: u64,
    },
    /// A stream was opened to the node.
    Accepted {
        /// Where.
        node: NodeId,
        /// Which.
        stream: StreamId,
        /// The peer's address.
        from: Addr,
        /// The node's address.
        to: Addr,
    },
    /// A stream that the node asked for is open.
    Connected {
        /// Where.
        node: NodeId,
        /// Which.
        stream: StreamId,
    },
    /// A stream that the node asked for was refused.
    Refused {
        /// Where.
        node: NodeId,
        /// Which.
        stream: StreamId,
    },
    /// Bytes of a stream arrive.
    Bytes {
        /// Where.
        node: NodeId,
        /// Which.
        stream: StreamId,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// The peer ended a stream.
    Ended {
        /// Where.
        node: NodeId,
        /// Which.
        stream: StreamId,
        /// Whether by a reset.
        reset: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Item {
    Datagram { number: u64, from_node: NodeId, from: Addr, to: Addr, tag: u64, bytes: Arc<[u8]> },
    Open { stream: StreamId },
    Opened { stream: StreamId },
    Refused { stream: StreamId },
    Bytes { stream: StreamId, to_server: bool, bytes: Arc<[u8]>, last_of: Option<u64> },
    End { stream: StreamId, to_server: bool, reset: bool },
}

#[derive(Debug)]
struct Due {
    at: u64,
    order: u64,
    item: Item,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The network.
#[derive(Debug)]
pub struct Network {
    link: Link,
    links: BTreeMap<(NodeId, NodeId), Link>,
    homes: BTreeMap<Addr, NodeId>,
    queue: BinaryHeap<Reverse<Due>>,
    capacity: usize,
    order: u64,
    seed: Seed,
    pub(crate) streams: BTreeMap<StreamId, Stream>,
    next_stream: u64,
    counts: BTreeMap<(NodeId, Option<NodeId>), u64>,
    lose: BTreeSet<(NodeId, NodeId, u64)>,
    icmp: bool,
    /// What was sent.
    pub trace: Trace,
}

impl Network {
    /// A perfect network without nodes. Everything that chance decides comes from `seed`. It holds
    /// at most 1,000,000 packets; the trace keeps the last 100,000.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            link: Link::default(),
            links: BTreeMap::new(),
            homes: BTreeMap::new(),
            queue: BinaryHeap::new(),
            capacity: 1_000_000,
            order: 0,
            seed: Seed::new(seed),
            streams: BTreeMap::new(),
            next_stream: 1,
            counts: BTreeMap::new(),
            lose: BTreeSet::new(),
            icmp: false,
            trace: Trace::new(100_000),
        }
    }

    /// Sets the link between all pairs that have none of their own.
    pub fn set_default(&mut self, link: Link) {
        self.link = link;
    }

    /// Sets the link from one node to another.
    pub fn set_link(&mut self, from: NodeId, to: NodeId, link: Link) {
        self.links.insert((from, to), link);
    }

    /// Sets the link in both directions.
    pub fn set_links(&mut self, a: NodeId, b: NodeId, link: &Link) {
        self.set_link(a, b, link.clone());
        self.set_link(b, a, link.clone());
    }

    /// The most packets on their way at once; what is above is lost.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Whether a sender hears that nobody is bound where its datagram went. Default false.
    pub fn set_icmp(&mut self, on: bool) {
        self.icmp = on;
    }

    /// Loses the `nth` packet (from 0) that `from` sends to `to`, counted from the start.
    pub fn lose(&mut self, from: NodeId, to: NodeId, nth: u64) {
        self.lose.insert((from, to, nth));
    }

    /// How many packets `from` has sent to `to`.
    #[must_use]
    pub fn count(&self, from: NodeId, to: NodeId) -> u64 {
        self.counts.get(&(from, Some(to))).copied().unwrap_or(0)
    }

    /// Gives an address to a node; an address has one node.
    pub fn bind(&mut self, node: NodeId, addr: Addr) {
        self.homes.insert(addr, node);
    }

    /// Takes an address away: datagrams to it find nobody, streams are refused.
    pub fn unbind(&mut self, addr: Addr) {
        self.homes.remove(&addr);
    }

    /// The node bound to an address.
    #[must_use]
    pub fn home(&self, addr: Addr) -> Option<NodeId> {
        self.homes.get(&addr).copied()
    }

    /// How many packets are on their way.
    #[must_use]
    pub fn flying(&self) -> usize {
        self.queue.len()
    }

    /// When the next delivery is due.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        self.queue.peek().map(|d| d.0.at)
    }

    /// Sends a datagram; `tag` comes back if nobody is there. Returns the packet's number.
    pub fn send(
        &mut self,
        now: u64,
        node: NodeId,
        from: Addr,
        to: Addr,
        bytes: &[u8],
        tag: u64,
    ) -> u64 {
        let to_node = self.home(to);
        let link = self.link_of(node, to_node);
        // Every datagram takes the same draws, so that one setting does not change another's luck.
        let lost = self.seed.chance(link.loss);
        let twice = self.seed.chance(link.duplicate);
        let waits = [self.seed.up_to(link.jitter), self.seed.up_to(link.jitter)];
        let loss = if self.on_purpose(node, to_node) {
            Some(Loss::OnPurpose)
        } else if link.mtu != 0 && bytes.len() > link.mtu {
            Some(Loss::TooLarge)
        } else if link.dark_until(now).is_some() {
            Some(Loss::Blackout)
        } else if lost {
            Some(Loss::Chance)
        } else {
            None
        };
        let bytes: Arc<[u8]> = bytes.into();
        let mut packet = Packet {
            number: 0,
            sent: now,
            fate: loss.map_or(Fate::Flying, Fate::Lost),
            from_node: node,
            to_node,
            from,
            to,
            transport: Transport::Udp,
            stream: None,
            duplicate: false,
            bytes,
        };
        let first = self.launch(now + link.delay + waits[0], packet.clone(), tag);
        if twice && loss.is_none() {
            packet.duplicate = true;
            self.launch(now + link.delay + waits[1], packet, tag);
        }
        first
    }

    fn launch(&mut self, at: u64, mut packet: Packet, tag: u64) -> u64 {
        if packet.fate == Fate::Flying && self.queue.len() >= self.capacity {
            packet.fate = Fate::Lost(Loss::Overflow);
        }
        let flies = packet.fate == Fate::Flying;
        let (from_node, from, to) = (packet.from_node, packet.from, packet.to);
        let bytes = Arc::clone(&packet.bytes);
        let number = self.trace.add(packet);
        if flies {
            self.push(at, Item::Datagram { number, from_node, from, to, tag, bytes });
        }
        number
    }

    fn on_purpose(&mut self, from: NodeId, to: Option<NodeId>) -> bool {
        let count = self.counts.entry((from, to)).or_insert(0);
        let nth = *count;
        *count += 1;
        to.is_some_and(|to| self.lose.remove(&(from, to, nth)))
    }

    fn link_of(&self, from: NodeId, to: Option<NodeId>) -> Link {
        to.and_then(|to| self.links.get(&(from, to))).unwrap_or(&self.link).clone()
    }

    fn push(&mut self, at: u64, item: Item) {
        let order = self.order;
        self.order += 1;
        self.queue.push(Reverse(Due { at, order, item }));
    }

    /// Asks for a stream from `from` (its port may be 0: one is chosen) to `to`.
    pub fn connect(
        &mut self,
        now: u64,
        node: NodeId,
        from: Addr,
        to: Addr,
        transport: Transport,
    ) -> StreamId {
        let stream = StreamId(self.next_stream);
        self.next_stream += 1;
        let port = 49_152 + u16::try_from(stream.0 % 16_384).unwrap_or(0);
        let from = if from.port == 0 { Addr { port, ..from } } else { from };
        let server = self.home(to);
        let link = self.link_of(node, server);
        let start = link.dark_until(now).unwrap_or(now) + link.delay;
        self.streams.insert(
            stream,
            Stream::new(End::new(node, from), End::new(server.unwrap_or(node), to), transport),
        );
        self.trace.opened(StreamRecord {
            stream,
            client: from,
            server: to,
            opened: now,
            ended: None,
        });
        self.push(start, Item::Open { stream });
        stream
    }

    /// Writes to a stream that is open at this end. Returns the packet's number; what is written
    /// to an ended stream is lost.
    pub fn write(&mut self, now: u64, node: NodeId, stream: StreamId, bytes: &[u8]) -> u64 {
        let Some(found) = self.streams.get(&stream) else {
            return self.trace.sent();
        };
        let to_server = found.is_client(node);
        let (mine, theirs) = found.ends(to_server);
        let (from, to, to_node) = (mine.addr, theirs.addr, theirs.node);
        let open = mine.open;
        let earliest = theirs.last_due;
        let transport = found.transport;
        let link = self.link_of(node, Some(to_node));
        self.on_purpose(node, Some(to_node));
        let bytes: Arc<[u8]> = bytes.into();
        let number = self.trace.add(Packet {
            number: 0,
            sent: now,
            fate: if open { Fate::Flying } else { Fate::Lost(Loss::Ended) },
            from_node: node,
            to_node: Some(to_node),
            from,
            to,
            transport,
            stream: Some(stream),
            duplicate: false,
            bytes: Arc::clone(&bytes),
        });
        if !open {
            return number;
        }
        let mut at =
            link.dark_until(now).unwrap_or(now) + link.delay + self.seed.up_to(link.jitter);
        let mut again = 200;
        while again <= 3_200 && self.seed.chance(link.loss) {
            at += again;
            again *= 2;
        }
        let at = at.max(earliest);
        let pieces = self.pieces(bytes.len(), link.cut);
        let count = pieces.len();
        for (i, piece) in pieces.into_iter().enumerate() {
            let last_of = (i + 1 == count).then_some(number);
            self.push(at, Item::Bytes { stream, to_server, bytes: bytes[piece].into(), last_of });
        }
        if let Some(s) = self.streams.get_mut(&stream) {
            s.end_mut(to_server).last_due = at;
        }
        number
    }

    fn pieces(&mut self, len: usize, cut: Cut) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        let mut start = 0;
        while start < len {
            let size = match cut {
                Cut::Whole => len,
                Cut::Every(n) => n.max(1),
                Cut::Random => 1 + usize::try_from(self.seed.up_to(199)).unwrap_or(0),
            };
            let end = (start + size).min(len);
            out.push(start..end);
            start = end;
        }
        out
    }

    /// The address at the other end of a stream.
    #[must_use]
    pub fn peer(&self, stream: StreamId, node: NodeId) -> Option<Addr> {
        self.streams.get(&stream).map(|s| s.ends(s.is_client(node)).1.addr)
    }

    /// Ends a stream at this end: in order after what was written, or at once by a reset.
    pub fn end(&mut self, now: u64, node: NodeId, stream: StreamId, reset: bool) {
        let Some(found) = self.streams.get_mut(&stream) else { return };
        let to_server = found.is_client(node);
        if !found.ends(to_server).0.open {
            return;
        }
        found.end_mut(!to_server).open = false;
        if reset {
            found.end_mut(to_server).open = false;
        }
        let peer = found.ends(to_server).1;
        let (peer_node, last) = (peer.node, peer.last_due);
        let link = self.link_of(node, Some(peer_node));
        let at =
            (link.dark_until(now).unwrap_or(now) + link.delay).max(if reset { 0 } else { last });
        self.trace.ended(stream, now, to_server, reset);
        self.push(at, Item::End { stream, to_server, reset });
    }

    /// Resets all streams of a node, and takes its addresses away: it has died.
    pub fn kill(&mut self, now: u64, node: NodeId) {
        self.homes.retain(|_, n| *n != node);
        let its = |s: &Stream| s.is_client(node) || s.ends(true).1.node == node;
        let streams: Vec<_> =
            self.streams.iter().filter(|(_, s)| its(s)).map(|(id, _)| *id).collect();
        for stream in streams {
            self.end(now, node, stream, true);
        }
    }

    /// The next delivery that is due by `now`. Items that come to nothing are passed over.
    pub fn pop(&mut self, now: u64) -> Option<Delivery> {
        loop {
            if self.next_due()? > now {
                return None;
            }
            let due = self.queue.pop()?.0;
            if let Some(delivery) = self.deliver(due.at, due.item) {
                return Some(delivery);
            }
        }
    }

    fn deliver(&mut self, at: u64, item: Item) -> Option<Delivery> {
        match item {
            Item::Datagram { number, from_node, from, to, tag, bytes } => {
                let Some(node) = self.home(to) else {
                    self.trace.settle(number, Fate::Lost(Loss::Nobody));
                    return self.icmp.then_some(Delivery::Unreachable { node: from_node, tag });
                };
                self.trace.settle(number, Fate::Delivered(at));
                Some(Delivery::Datagram { node, from, to, bytes })
            }
            Item::Open { stream } => self.opening(at, stream),
            Item::Opened { stream } => {
                let found = self.streams.get_mut(&stream)?;
                let client = found.end_mut(false);
                client.open = true;
                Some(Delivery::Connected { node: client.node, stream })
            }
            Item::Refused { stream } => {
                let node = self.streams.remove(&stream)?.ends(true).0.node;
                Some(Delivery::Refused { node, stream })
            }
            Item::Bytes { stream, to_server, bytes, last_of } => {
                let arrives = self.streams.get(&stream).map(|s| s.ends(to_server).1);
                let open = arrives.is_some_and(|end| end.open);
                let fate = if open { Fate::Delivered(at) } else { Fate::Lost(Loss::Ended) };
                if let Some(number) = last_of {
                    self.trace.settle(number, fate);
                }
                let node = arrives.filter(|_| open)?.node;
                Some(Delivery::Bytes { node, stream, bytes })
            }
            Item::End { stream, to_server, reset } => {
                let found = self.streams.get_mut(&stream)?;
                let end = found.end_mut(to_server);
                let node = end.node;
                let was_open = std::mem::replace(&mut end.open, false);
                self.streams.remove(&stream);
                (was_open || reset).then_some(Delivery::Ended { node, stream, reset })
            }
        }
    }

    fn opening(&mut self, at: u64, stream: StreamId) -> Option<Delivery> {
        let found = self.streams.get(&stream)?;
        let (client, server) = found.ends(true);
        let (from, to, client_node) = (client.addr, server.addr, client.node);
        let home = self.home(to);
        let back = self.link_of(home.unwrap_or(client_node), Some(client_node));
        let answer = back.dark_until(at).unwrap_or(at) + back.delay;
        let Some(node) = home else {
            self.push(answer, Item::Refused { stream });
            return None;
        };
        if let Some(s) = self.streams.get_mut(&stream) {
            let end = s.end_mut(true);
            end.open = true;
            end.node = node;
            s.end_mut(false).last_due = answer;
        }
        self.push(answer, Item::Opened { stream });
        Some(Delivery::Accepted { node, stream, from, to })
    }
}
