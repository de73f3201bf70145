//! One TCP connection: what was read and not yet taken, and what is written and not yet gone.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use sansip::{Addr, LocalId};
use socket2::SockRef;
use tokio::net::TcpStream;

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
    /// Nothing now; the flow is woken when there is.
    Pending,
    /// The peer closed it.
    End,
    Failed,
}

/// The connection can take no more: it failed, or more waits than may.
#[derive(Debug)]
pub(super) struct Lost;

/// One connection.
pub(super) struct Flow {
    pub(super) stream: TcpStream,
    pub(super) local: LocalId,
    pub(super) remote: Addr,
    pub(super) state: State,
    /// Read, but not yet taken by the engine.
    pub(super) input: Vec<u8>,
    /// The engine had no room: nothing is read until it has.
    pub(super) stalled: bool,
    /// What waited for that room is to be offered again.
    pub(super) again: bool,
    /// Not yet written: from `written` on.
    output: Vec<u8>,
    written: usize,
    flag: Arc<FlowWaker>,
    waker: Waker,
}

impl Flow {
    pub(super) fn new(
        id: u64,
        stream: TcpStream,
        local: LocalId,
        remote: Addr,
        woken: &Arc<Woken>,
    ) -> Self {
        let _ = stream.set_nodelay(true);
        let flag =
            Arc::new(FlowWaker { id, queued: AtomicBool::new(false), woken: Arc::clone(woken) });
        Self {
            stream,
            local,
            remote,
            state: State::Open,
            input: Vec::new(),
            stalled: false,
            again: false,
            output: Vec::new(),
            written: 0,
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

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Read {
        loop {
            match self.stream.try_read(buffer) {
                Ok(0) => return Read::End,
                Ok(n) => return Read::Bytes(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Read::Failed,
            }
            match self.stream.poll_read_ready(&mut Context::from_waker(&self.waker)) {
                Poll::Pending => return Read::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Read::Failed,
            }
        }
    }

    /// Writes `bytes`, or keeps what does not go now; at most `bound` bytes wait.
    pub(super) fn write(&mut self, bytes: &[u8], bound: usize) -> Result<(), Lost> {
        let mut gone = 0;
        if self.waiting() == 0 {
            gone = loop {
                match SockRef::from(&self.stream).send(bytes) {
                    Ok(n) => break n,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break 0,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return Err(Lost),
                }
            };
        }
        let rest = bytes.get(gone..).unwrap_or(&[]);
        if rest.is_empty() {
            return Ok(());
        }
        if self.waiting() + rest.len() > bound {
            return Err(Lost);
        }
        self.output.extend_from_slice(rest);
        self.flush()
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.output.len() - self.written
    }

    /// Writes what waits, as far as it goes; the flow is woken when more goes.
    pub(super) fn flush(&mut self) -> Result<(), Lost> {
        while self.waiting() > 0 {
            match self.stream.poll_write_ready(&mut Context::from_waker(&self.waker)) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(Lost),
            }
            match self.stream.try_write(self.output.get(self.written..).unwrap_or(&[])) {
                Ok(n) => self.written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Lost),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Shuts our side.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        self.state = State::Lingering;
        self.input = Vec::new();
        SockRef::from(&self.stream).shutdown(Shutdown::Write)
    }
}
