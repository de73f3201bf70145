//! Live counts and totals.

use super::Core;
use crate::time::Instant;

/// What an engine holds now, and what it has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Live calls.
    pub calls: usize,
    /// Live lines.
    pub lines: usize,
    /// Live dialogs.
    pub dialogs: usize,
    /// Live transactions.
    pub transactions: usize,
    /// Requests on their way.
    pub attempts: usize,
    /// Live response contexts and REGISTERs at work.
    pub forks: usize,
    /// REFERs that wait, or whose subscription goes on.
    pub transfers: usize,
    /// Armed timers.
    pub timers: usize,
    /// Open questions.
    pub queries: usize,
    /// Open connections.
    pub flows: usize,
    /// Waiting outputs.
    pub outputs: usize,
    /// Held blocks. A line holds one.
    pub blocks: usize,
    /// Bytes of the pool that are held.
    pub pool_bytes: usize,
    /// Messages received.
    pub received: u64,
    /// Of those, ignored.
    pub ignored: u64,
    /// Requests refused with 503 because a table was full.
    pub refused_full: u64,
}

impl core::ops::AddAssign for Stats {
    /// The counts of another engine beside these.
    fn add_assign(&mut self, other: Self) {
        let counts = [
            (&mut self.calls, other.calls),
            (&mut self.lines, other.lines),
            (&mut self.dialogs, other.dialogs),
            (&mut self.transactions, other.transactions),
            (&mut self.attempts, other.attempts),
            (&mut self.forks, other.forks),
            (&mut self.transfers, other.transfers),
            (&mut self.timers, other.timers),
            (&mut self.queries, other.queries),
            (&mut self.flows, other.flows),
            (&mut self.outputs, other.outputs),
            (&mut self.blocks, other.blocks),
            (&mut self.pool_bytes, other.pool_bytes),
        ];
        for (sum, more) in counts {
            *sum = sum.saturating_add(more);
        }
        let totals = [
            (&mut self.received, other.received),
            (&mut self.ignored, other.ignored),
            (&mut self.refused_full, other.refused_full),
        ];
        for (sum, more) in totals {
            *sum = sum.saturating_add(more);
        }
    }
}

/// Totals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub received: u64,
    pub ignored: u64,
    pub refused_full: u64,
    /// When the application was last told of a full table.
    pub limited: Option<Instant>,
}

impl Core {
    pub(super) fn stats(&self) -> Stats {
        Stats {
            calls: self.ua.calls.len(),
            lines: self.ua.lines.len(),
            dialogs: self.dialogs.len(),
            transactions: self.tx.len(),
            attempts: self.attempts.len(),
            forks: self.forks.len() + self.registrar.len(),
            transfers: self.ua.refers.len(),
            timers: self.cx.timers.len(),
            queries: self.cx.queries.len(),
            flows: self.flows.len(),
            outputs: self.cx.out.len(),
            blocks: self.cx.pool.live(),
            pool_bytes: self.cx.pool.held_bytes(),
            received: self.counts.received,
            ignored: self.counts.ignored,
            refused_full: self.counts.refused_full,
        }
    }
}
