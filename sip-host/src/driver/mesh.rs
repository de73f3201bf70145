//! The engines of one service, each with a driver on a thread of its own, and what they hand each
//! other. They share no state: a message goes to the engine that it is for, and every engine hears
//! of each connection that opens or closes. Who took a connection up reads it, frames it and writes
//! to it; of a datagram's address each has a socket of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use sansip::shard::Shards;
use sansip::{Addr, FlowEnd, FlowId, LocalId, Path, SendEnd, Transport};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Messages that may wait for one engine. More are lost, or stay in the connection they came by.
const WAITING: usize = 8_192;

/// What one hands another.
pub(super) enum Letter {
    /// A message for its engine.
    Message(Path, Vec<u8>),
    /// A connection has opened.
    Opened(Arc<News>),
    /// A connection has ended.
    Closed(u64, FlowEnd),
    /// Bytes for a connection of its own.
    Write(u64, Vec<u8>),
    /// A connection of its own is to be closed.
    Close(u64),
    /// Datagrams to this address do not arrive.
    Lost(LocalId, Addr, SendEnd),
}

/// A connection that has opened.
pub(super) struct News {
    pub(super) id: u64,
    pub(super) local: LocalId,
    pub(super) remote: Addr,
    pub(super) transport: Transport,
    pub(super) accepted: bool,
    pub(super) names: Vec<String>,
}

struct Mailbox {
    sender: UnboundedSender<Letter>,
    /// Messages that wait in it.
    waiting: AtomicUsize,
    /// Whether its owner is to end and has nothing left to do.
    quiet: AtomicBool,
}

struct Mesh {
    shards: Shards,
    /// Held while a connection is announced, so that all hear of them in the order of their
    /// numbers.
    last_flow: Mutex<u64>,
    boxes: Vec<Mailbox>,
}

/// One place among the engines of a service.
pub struct Seat {
    mesh: Arc<Mesh>,
    me: u8,
    inbox: UnboundedReceiver<Letter>,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("me", &self.me).finish_non_exhaustive()
    }
}

/// The bits of a connection's number that say whose it is.
const OWNER: u32 = 8;

impl Seat {
    /// The places of so many engines: one for each of `shards`.
    #[must_use]
    pub fn all(shards: Shards) -> Vec<Self> {
        let (boxes, inboxes): (Vec<_>, Vec<_>) = (0..shards.count())
            .map(|_| {
                let (sender, inbox) = unbounded_channel();
                (
                    Mailbox { sender, waiting: AtomicUsize::new(0), quiet: AtomicBool::new(false) },
                    inbox,
                )
            })
            .unzip();
        let mesh = Arc::new(Mesh { shards, last_flow: Mutex::new(0), boxes });
        let seat = |(me, inbox)| Self { mesh: Arc::clone(&mesh), me, inbox };
        (0..shards.count()).zip(inboxes).map(seat).collect()
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.me
    }

    /// Whether all are quiet, itself as it says: only together they end, since each gets messages
    /// that are for the others.
    pub(super) fn all_quiet(&self, quiet: bool) -> bool {
        if let Some(own) = self.mesh.boxes.get(usize::from(self.me)) {
            own.quiet.store(quiet, Ordering::Relaxed);
        }
        self.mesh.boxes.iter().all(|one| one.quiet.load(Ordering::Relaxed))
    }

    /// The engine that a message is for; `None` for the own.
    pub(super) fn other_for(&self, message: &[u8]) -> Option<u8> {
        let shard = self.mesh.shards.key(message);
        (shard != self.me).then_some(shard)
    }

    fn send(&self, to: u8, letter: Letter) {
        if let Some(other) = self.mesh.boxes.get(usize::from(to)) {
            // One that has ended takes nothing any more.
            let _ = other.sender.send(letter);
        }
    }

    /// Hands a message over, if not too many wait there already.
    pub(super) fn hand_over(&self, to: u8, path: Path, bytes: &[u8]) -> bool {
        let Some(other) = self.mesh.boxes.get(usize::from(to)) else { return false };
        if other.waiting.load(Ordering::Relaxed) >= WAITING {
            return false;
        }
        other.waiting.fetch_add(1, Ordering::Relaxed);
        self.send(to, Letter::Message(path, bytes.to_vec()));
        true
    }

    fn tell_others(&self, letter: impl Fn() -> Letter) {
        for other in (0..self.mesh.shards.count()).filter(|other| *other != self.me) {
            self.send(other, letter());
        }
    }

    /// Numbers a connection of its own and tells all of it, itself included.
    pub(super) fn announce(&self, news: impl FnOnce(u64) -> News) -> u64 {
        let mut last = self.mesh.last_flow.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        let id = (*last << OWNER) | u64::from(self.me);
        let news = Arc::new(news(id));
        for to in 0..self.mesh.shards.count() {
            self.send(to, Letter::Opened(Arc::clone(&news)));
        }
        id
    }

    /// Whether a connection is its own.
    pub(super) const fn owns(&self, id: u64) -> bool {
        owner(id) == self.me
    }

    pub(super) fn closed(&self, id: u64, why: FlowEnd) {
        self.tell_others(|| Letter::Closed(id, why));
    }

    pub(super) fn lost(&self, local: LocalId, to: Addr, why: SendEnd) {
        self.tell_others(|| Letter::Lost(local, to, why));
    }

    pub(super) fn write(&self, flow: FlowId, bytes: &[u8]) {
        self.send(owner(flow.0), Letter::Write(flow.0, bytes.to_vec()));
    }

    pub(super) fn close(&self, id: u64) {
        self.send(owner(id), Letter::Close(id));
    }

    /// The next letter.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Letter> {
        let Poll::Ready(Some(letter)) = self.inbox.poll_recv(cx) else { return None };
        if let (Letter::Message(..), Some(own)) =
            (&letter, self.mesh.boxes.get(usize::from(self.me)))
        {
            own.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        Some(letter)
    }
}

const fn owner(id: u64) -> u8 {
    id.to_le_bytes()[0]
}
