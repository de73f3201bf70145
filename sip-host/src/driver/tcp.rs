//! One connection: what was read and not yet taken, and what is written and not yet gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use sansip::wire::framer::Framer;
use sansip::wire::limits::WireLimits;
use sansip::{Addr, FlowId, LocalId, Path, QueryId, Transport};
use tokio::net::TcpStream;

use super::link::{Bytes, Got, Link};

/// The connections that have something to do, and whom to wake for it.
#[derive(Default)]
pub(super) struct Woken {
    list: Mutex<Vec<u64>>,
    task: Mutex<Option<Waker>>,
}

impl Woken {
    /// Moves the list into `out`, and remembers the task that is woken for the next.
    pub(super) fn take(&self, cx: &Context<'_>, out: &mut Vec<u64>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.as_ref().is_some_and(|t| t.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        drop(task);
        out.append(&mut self.list.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn push(&self, id: u64) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }
}

struct FlowWaker {
    id: u64,
    queued: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for FlowWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.woken.push(self.id);
        }
    }
}

/// Where a connection is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Open,
    /// The engine wants it closed: what was written goes first.
    Closing,
    /// Our side is shut; what the peer still sends is thrown away until it closes too, so that no
    /// reset overtakes our last bytes.
    Lingering,
}

/// What reading gave.
pub(super) enum Read {
    Bytes(usize),
    /// A whole message.
    Message(usize),
    /// Nothing now; the flow is woken when there is.
    Pending,
    /// The peer closed it.
    End,
    Failed,
}

/// The connection can take no more: it failed, or more waits than may.
#[derive(Debug)]
pub(super) struct Lost;

/// How a connection is made up.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) transport: Transport,
    /// The identity at our end.
    pub(super) local: LocalId,
    pub(super) remote: Addr,
    pub(super) accepted: bool,
    /// The names that TLS verified.
    pub(super) names: Vec<String>,
}

impl Opened {
    /// A TCP connection, whatever goes over it.
    pub(super) fn tcp(
        stream: TcpStream,
        transport: Transport,
        local: LocalId,
        remote: Addr,
        accepted: bool,
    ) -> Self {
        let _ = stream.set_nodelay(true);
        let link = Link::Bytes(Bytes::Tcp(stream));
        Self { link, transport, local, remote, accepted, names: Vec::new() }
    }
}

/// One connection.
pub(super) struct Flow {
    link: Link,
    pub(super) local: LocalId,
    pub(super) remote: Addr,
    pub(super) state: State,
    /// Read, but not yet taken by the engine.
    pub(super) input: Vec<u8>,
    /// The engine had no room: nothing is read until it has.
    pub(super) stalled: bool,
    /// What waited for that room is to be offered again.
    pub(super) again: bool,
    /// Who asked for it, until that is answered.
    pub(super) asked: Option<QueryId>,
    /// Cuts what comes into messages, where its engine does not.
    pub(super) framer: Framer,
    /// When half a message has waited for its rest long enough.
    pub(super) half: Option<u64>,
    /// Something has come by it.
    pub(super) heard: bool,
    /// Not yet written: from `written` on.
    output: Vec<u8>,
    written: usize,
    /// What was taken for writing has not all gone.
    unflushed: bool,
    /// Our side is to be shut, and is not yet.
    shutting: bool,
    flag: Arc<FlowWaker>,
    waker: Waker,
}

impl Flow {
    pub(super) fn new(id: u64, opened: Opened, woken: &Arc<Woken>, wire: &WireLimits) -> Self {
        let flag =
            Arc::new(FlowWaker { id, queued: AtomicBool::new(false), woken: Arc::clone(woken) });
        Self {
            link: opened.link,
            local: opened.local,
            remote: opened.remote,
            state: State::Open,
            input: Vec::new(),
            stalled: false,
            again: false,
            asked: None,
            framer: Framer::new(wire),
            half: None,
            heard: false,
            output: Vec::new(),
            written: 0,
            unflushed: false,
            shutting: false,
            waker: Waker::from(Arc::clone(&flag)),
            flag,
        }
    }

    /// Its work has begun: from now on it can be woken again.
    pub(super) fn taken_up(&self) {
        self.flag.queued.store(false, Ordering::Release);
    }

    /// Has its work done soon.
    pub(super) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    /// The way that its messages take.
    pub(super) const fn path(&self, id: FlowId) -> Path {
        Path { local: self.local, remote: self.remote, flow: Some(id) }
    }

    /// Whether it brings whole messages.
    pub(super) const fn is_messages(&self) -> bool {
        self.link.is_messages()
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Read {
        let mut cx = Context::from_waker(&self.waker);
        match self.link.poll_read(&mut cx, buffer) {
            Poll::Pending => Read::Pending,
            Poll::Ready(Ok(Got::Bytes(0))) => Read::End,
            Poll::Ready(Ok(Got::Bytes(n))) => Read::Bytes(n),
            Poll::Ready(Ok(Got::Message(n))) => Read::Message(n),
            Poll::Ready(Err(_)) => Read::Failed,
        }
    }

    /// Writes `bytes`, or keeps what does not go now; at most `bound` bytes wait.
    pub(super) fn write(&mut self, bytes: &[u8], bound: usize) -> Result<(), Lost> {
        let mut gone = 0;
        if self.waiting() == 0 {
            let mut cx = Context::from_waker(&self.waker);
            gone = match self.link.poll_write(&mut cx, bytes) {
                Poll::Ready(Ok(n)) => n,
                Poll::Pending => 0,
                Poll::Ready(Err(_)) => return Err(Lost),
            };
            self.unflushed = true;
        }
        let rest = bytes.get(gone..).unwrap_or(&[]);
        if self.waiting() + rest.len() > bound {
            return Err(Lost);
        }
        self.output.extend_from_slice(rest);
        self.flush()
    }

    /// How many bytes wait to be written.
    fn waiting(&self) -> usize {
        self.output.len() - self.written
    }

    /// Whether something waits to be written.
    pub(super) fn is_writing(&self) -> bool {
        self.unflushed || self.waiting() > 0
    }

    /// Writes what waits, as far as it goes; the flow is woken when more goes.
    pub(super) fn flush(&mut self) -> Result<(), Lost> {
        let mut cx = Context::from_waker(&self.waker);
        while self.output.len() > self.written {
            let rest = self.output.get(self.written..).unwrap_or(&[]);
            match self.link.poll_write(&mut cx, rest) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(n)) => self.written += n,
                Poll::Ready(Err(_)) => return Err(Lost),
            }
        }
        self.output.clear();
        self.written = 0;
        if self.unflushed {
            match self.link.poll_flush(&mut cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => return Err(Lost),
            }
        }
        Ok(())
    }

    /// Shuts our side.
    pub(super) fn shut(&mut self) -> Result<(), Lost> {
        self.state = State::Lingering;
        self.input = Vec::new();
        self.shutting = true;
        self.finish_shutting()
    }

    /// Goes on shutting our side, if that could not be done at once.
    pub(super) fn finish_shutting(&mut self) -> Result<(), Lost> {
        if self.shutting {
            match self.link.poll_shut(&mut Context::from_waker(&self.waker)) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.shutting = false,
                Poll::Ready(Err(_)) => return Err(Lost),
            }
        }
        Ok(())
    }
}
