//! Feeding what connections bring.

use std::task::Context;

use sansip::wire::framer::Frame;
use sansip::{Error, FlowEnd, FlowId, Instant, Path};

use super::tcp::{Read, State};
use super::{AGAIN, Direction, Driver, Tapped};
use crate::app::App;

/// Reads of one connection before the others have their turn.
const READS: usize = 8;

/// Bytes of a connection that may wait for the engine: the longest message, and a read behind it.
const INPUT_BOUND: usize = 2 * 65_536;

/// What came of feeding.
enum Fed {
    /// All that can be taken now was taken; the rest waits for more bytes.
    Rest(usize),
    /// The engine has no room.
    Stalled(usize),
    /// Nothing more is wanted from this connection.
    Done,
}

impl Fed {
    /// Where the rest of `len` bytes begins that is kept.
    const fn rest(&self, len: usize) -> usize {
        match self {
            Self::Rest(at) | Self::Stalled(at) => *at,
            Self::Done => len,
        }
    }
}

impl<A: App> Driver<A> {
    /// Serves the connections that were woken.
    pub(super) fn serve_flows(&mut self, cx: &Context<'_>, now: Instant) -> bool {
        let mut woken = std::mem::take(&mut self.woken);
        self.net.woken.take(cx, &mut woken);
        let any = !woken.is_empty();
        for id in woken.drain(..) {
            self.serve(id, now);
        }
        self.woken = woken;
        any
    }

    fn serve(&mut self, id: u64, now: Instant) {
        let Some(flow) = self.net.flows.get_mut(&id) else { return };
        flow.taken_up();
        if flow.flush().is_err() {
            return self.end_flow(id, now, FlowEnd::Reset);
        }
        match flow.state {
            State::Open => self.read_flow(id, now),
            State::Closing => {
                self.net.finish_closing(id);
                self.settle(now);
                self.drain_outputs(now);
            }
            State::Lingering => self.linger(id),
        }
    }

    fn read_flow(&mut self, id: u64, now: Instant) {
        if let Some(flow) = self.net.flows.get_mut(&id)
            && std::mem::take(&mut flow.again)
        {
            self.fed(id, 0, now);
        }
        for _ in 0..READS {
            let Some(flow) = self.net.flows.get_mut(&id) else { return };
            if flow.state != State::Open || flow.stalled {
                return;
            }
            if flow.input.len() >= INPUT_BOUND {
                return self.end_flow(id, now, FlowEnd::Reset);
            }
            match flow.read(&mut self.buffer) {
                Read::Bytes(n) | Read::Message(n) => {
                    self.net.hear(now.0, id);
                    self.fed(id, n, now);
                }
                Read::Pending => return,
                Read::End => return self.end_flow(id, now, FlowEnd::Closed),
                Read::Failed => return self.end_flow(id, now, FlowEnd::Reset),
            }
        }
        if let Some(flow) = self.net.flows.get(&id) {
            flow.wake();
        }
    }

    /// Feeds the first `n` bytes of the buffer, behind what waited, and keeps the rest.
    fn fed(&mut self, id: u64, n: usize, now: Instant) {
        let Some(flow) = self.net.flows.get_mut(&id) else { return };
        let mut waited = std::mem::take(&mut flow.input);
        let end = if waited.is_empty() {
            let buffer = std::mem::take(&mut self.buffer);
            let bytes = buffer.get(..n).unwrap_or(&[]);
            let end = self.feed(id, bytes, now);
            waited.extend_from_slice(bytes.get(end.rest(n)..).unwrap_or(&[]));
            self.buffer = buffer;
            end
        } else {
            waited.extend_from_slice(self.buffer.get(..n).unwrap_or(&[]));
            let end = self.feed(id, &waited, now);
            waited.drain(..end.rest(waited.len()));
            end
        };
        if let Some(flow) = self.net.flows.get_mut(&id) {
            flow.input = waited;
            if matches!(end, Fed::Stalled(_)) {
                flow.stalled = true;
                self.stalled.push(id);
                self.retry.get_or_insert(now.0.saturating_add(AGAIN));
            }
        }
    }

    /// Feeds bytes of a connection until the engine takes no more.
    fn feed(&mut self, id: u64, bytes: &[u8], now: Instant) -> Fed {
        let Some(flow) = self.net.flows.get(&id) else { return Fed::Done };
        if flow.is_messages() {
            let path = flow.path(FlowId(id));
            let taken = bytes.is_empty() || self.take_message(path, bytes, now);
            return if taken { Fed::Done } else { Fed::Stalled(0) };
        }
        if self.net.seat().is_some() {
            return self.feed_framed(id, bytes, now);
        }
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            if !self.net.flows.get(&id).is_some_and(|f| f.state == State::Open) {
                return Fed::Done;
            }
            match self.engine.receive_stream(now, FlowId(id), rest) {
                Ok(taken) => {
                    self.show_stream(id, rest.get(..taken).unwrap_or(&[]), now);
                    at += taken;
                    if !self.drain_outputs(now) && taken == 0 {
                        return Fed::Rest(at);
                    }
                }
                Err(Error::Full(_)) => {
                    if !self.drain_outputs(now) {
                        return Fed::Stalled(at);
                    }
                }
                Err(_) => return Fed::Done,
            }
        }
        Fed::Rest(at)
    }

    /// Cuts bytes of a connection into messages, and gives each to the engine that it is for.
    fn feed_framed(&mut self, id: u64, bytes: &[u8], now: Instant) -> Fed {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            let Some(flow) = self.net.flows.get_mut(&id).filter(|f| f.state == State::Open) else {
                return Fed::Done;
            };
            let path = flow.path(FlowId(id));
            match flow.framer.scan(rest) {
                Frame::NeedMore => {
                    self.net.set_half(now.0, id, true);
                    return Fed::Rest(at);
                }
                Frame::Skip(n) => at += n.max(1),
                // RFC 5626 4.4.1
                Frame::KeepAlive(n) => {
                    self.net.write(id, b"\r\n");
                    at += n.max(1);
                }
                Frame::Message(n) => {
                    if !self.take_message(path, rest.get(..n).unwrap_or(rest), now) {
                        return Fed::Stalled(at);
                    }
                    self.net.set_half(now.0, id, false);
                    at += n.max(1);
                }
                Frame::Bad { consumed, header_whole, .. } => {
                    // It is refused without a state, so that any engine can do it.
                    if header_whole {
                        let _ =
                            self.engine.receive(now, path, rest.get(..consumed).unwrap_or(rest));
                        self.drain_outputs(now);
                    }
                    self.net.close(now.0, id);
                    return Fed::Done;
                }
            }
        }
        Fed::Rest(at)
    }

    /// Gives a whole message to the engine that it is for; false where that has no room.
    fn take_message(&mut self, path: Path, bytes: &[u8], now: Instant) -> bool {
        let seat = self.net.seat();
        let taken = match seat.and_then(|seat| Some((seat, seat.other_for(bytes)?))) {
            Some((seat, other)) => seat.hand_over(other, path, bytes),
            None => self.receive_whole(path, bytes, now),
        };
        if let (true, Some(tap)) = (taken, &mut self.tap) {
            tap(&Tapped { at: now, direction: Direction::In, path, bytes });
        }
        taken
    }

    /// Feeds a whole message to the own engine; false where that has no room.
    pub(super) fn receive_whole(&mut self, path: Path, bytes: &[u8], now: Instant) -> bool {
        loop {
            let full = matches!(self.engine.receive(now, path, bytes), Err(Error::Full(_)));
            if !self.drain_outputs(now) || !full {
                return !full;
            }
        }
    }

    fn show_stream(&mut self, id: u64, bytes: &[u8], now: Instant) {
        if let (Some(tap), Some(flow)) = (&mut self.tap, self.net.flows.get(&id))
            && !bytes.is_empty()
        {
            let path = flow.path(FlowId(id));
            tap(&Tapped { at: now, direction: Direction::In, path, bytes });
        }
    }

    /// Throws away what still comes on a connection that we have closed.
    fn linger(&mut self, id: u64) {
        if self.net.flows.get_mut(&id).is_some_and(|f| f.finish_shutting().is_err()) {
            self.net.flows.remove(&id);
        }
        for _ in 0..READS {
            let Some(flow) = self.net.flows.get_mut(&id) else { return };
            match flow.read(&mut self.buffer) {
                Read::Bytes(_) | Read::Message(_) => {}
                Read::Pending => return,
                Read::End | Read::Failed => {
                    self.net.flows.remove(&id);
                    return;
                }
            }
        }
        if let Some(flow) = self.net.flows.get(&id) {
            flow.wake();
        }
    }

    fn end_flow(&mut self, id: u64, now: Instant, why: FlowEnd) {
        self.drain_outputs(now);
        self.net.lose(id, why);
        self.settle(now);
        self.drain_outputs(now);
    }
}
