//! What went over the simulated network.

use std::collections::VecDeque;
use std::hash::Hasher;
use std::sync::Arc;

use sansip::path::{Addr, Transport};
use siphasher::sip::SipHasher24;

use crate::network::{NodeId, StreamId};

/// Why a packet did not arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Loss {
    /// The link's loss.
    Chance = 1,
    /// The link was dark.
    Blackout,
    /// The datagram is larger than the link takes.
    TooLarge,
    /// Nobody is bound there.
    Nobody,
    /// The network holds as many packets as it may.
    Overflow,
    /// The script said so.
    OnPurpose,
    /// The stream had ended.
    Ended,
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is still on its way.
    Flying,
    /// It arrived at this millisecond; for a write to a stream: its last byte.
    Delivered(u64),
    /// It never arrives.
    Lost(Loss),
}

/// A datagram, or one write to a stream.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Counts the packets of the simulation from 0.
    pub number: u64,
    /// The millisecond at which it was sent.
    pub sent: u64,
    /// What became of it.
    pub fate: Fate,
    /// The node that sent it.
    pub from_node: NodeId,
    /// The node that it is for, if one is bound there.
    pub to_node: Option<NodeId>,
    /// The source address.
    pub from: Addr,
    /// The destination address.
    pub to: Addr,
    /// The transport.
    pub transport: Transport,
    /// The stream, for stream transports.
    pub stream: Option<StreamId>,
    /// Whether the network made it: a duplicate of another packet.
    pub duplicate: bool,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

impl Packet {
    /// Whether it was lost.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self.fate, Fate::Lost(_))
    }
}

/// A stream's life.
#[derive(Clone, Copy, Debug)]
pub struct StreamRecord {
    /// Which.
    pub stream: StreamId,
    /// The address of the side that opened it.
    pub client: Addr,
    /// The address of the side that accepted it.
    pub server: Addr,
    /// When it was asked for.
    pub opened: u64,
    /// When it ended, whether the client ended it, and whether by a reset.
    pub ended: Option<(u64, bool, bool)>,
}

/// The record of a simulation: the last packets whole, all of them in the hash.
#[derive(Clone, Debug)]
pub struct Trace {
    packets: VecDeque<Packet>,
    streams: VecDeque<StreamRecord>,
    keep: usize,
    next: u64,
    hash: SipHasher24,
}

impl Trace {
    /// An empty trace that keeps the last `keep` packets.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self {
            packets: VecDeque::new(),
            streams: VecDeque::new(),
            keep,
            next: 0,
            hash: SipHasher24::new(),
        }
    }

    /// The packets that are kept, oldest first.
    pub fn packets(&self) -> impl DoubleEndedIterator<Item = &Packet> + ExactSizeIterator {
        self.packets.iter()
    }

    /// The streams that are kept, oldest first.
    pub fn streams(&self) -> impl Iterator<Item = &StreamRecord> {
        self.streams.iter()
    }

    /// How many packets were sent so far; also the number of the next one.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.next
    }

    /// A hash of all that was sent, when, and what became of it. Two runs with the same hash went
    /// byte for byte alike.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// Changes how many packets are kept; 0 keeps none (the hash goes on).
    pub fn keep(&mut self, keep: usize) {
        self.keep = keep;
        while self.packets.len() > keep {
            self.packets.pop_front();
        }
    }

    pub(crate) fn add(&mut self, mut packet: Packet) -> u64 {
        packet.number = self.next;
        self.next += 1;
        self.hash.write_u64(packet.sent);
        self.hash_addr(packet.from);
        self.hash_addr(packet.to);
        self.hash.write_u8(packet.transport as u8);
        self.hash.write_u8(u8::from(packet.duplicate));
        self.hash.write_u64(packet.bytes.len() as u64);
        self.hash.write(&packet.bytes);
        let (number, fate) = (packet.number, packet.fate);
        if self.keep > 0 {
            if self.packets.len() == self.keep {
                self.packets.pop_front();
            }
            self.packets.push_back(packet);
        }
        self.hash_fate(number, fate);
        number
    }

    pub(crate) fn settle(&mut self, number: u64, fate: Fate) {
        self.hash_fate(number, fate);
        let first = self.packets.front().map_or(self.next, |p| p.number);
        let at = number.checked_sub(first).and_then(|i| usize::try_from(i).ok());
        if let Some(packet) = at.and_then(|i| self.packets.get_mut(i)) {
            packet.fate = fate;
        }
    }

    pub(crate) fn opened(&mut self, record: StreamRecord) {
        if self.keep > 0 && self.streams.len() >= self.keep {
            self.streams.pop_front();
        }
        self.streams.push_back(record);
    }

    pub(crate) fn ended(&mut self, stream: StreamId, at: u64, by_client: bool, reset: bool) {
        self.hash.write_u64(stream.0);
        self.hash.write_u64(at);
        if let Some(record) = self.streams.iter_mut().rev().find(|r| r.stream == stream) {
            record.ended = record.ended.or(Some((at, by_client, reset)));
        }
    }

    fn hash_addr(&mut self, addr: Addr) {
        match addr.ip {
            std::net::IpAddr::V4(ip) => self.hash.write(&ip.octets()),
            std::net::IpAddr::V6(ip) => self.hash.write(&ip.octets()),
        }
        self.hash.write_u16(addr.port);
    }

    fn hash_fate(&mut self, number: u64, fate: Fate) {
        let (kind, value) = match fate {
            Fate::Flying => return,
            Fate::Delivered(at) => (0, at),
            Fate::Lost(why) => (1, why as u64),
        };
        self.hash.write_u64(number);
        self.hash.write_u8(kind);
        self.hash.write_u64(value);
    }
}
