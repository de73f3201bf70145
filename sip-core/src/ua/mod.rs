//! The user agent: lines and calls.

mod acknowledge;
mod answer_mode;
mod call;
mod callee;
mod caller;
mod clock;
mod credentials;
mod description;
mod diverted;
mod early;
mod event;
mod extensions;
mod identity;
mod line;
mod mapped;
mod notify;
mod options;
mod outside;
mod pair;
mod policy;
mod prack;
mod privacy;
mod profile;
mod redirect;
mod referred;
mod referring;
mod reinvite;
pub mod reliable;
mod required;
mod session;
pub mod session_timer;
mod settings;
mod shown;
pub mod table;
mod target;
mod transfer;
mod update;

pub use event::*;
pub use pair::CallInfo;
pub use settings::*;

use crate::attempt::{Attempts, Down};
use crate::cx::Cx;
use crate::dialog::Dialogs;
use crate::error::{Error, Limit};
use crate::limits::Limits;
use crate::store::pool::BlockId;
use crate::store::ring::EventRecord;
use crate::store::slab::Slab;

pub(crate) use call::Call;
pub(crate) use line::Line;
pub(crate) use line::TIMER_SHUTDOWN;
pub(crate) use options::EVENT_ANSWERED;
pub(crate) use outside::TIMER_REQUEST;
pub use outside::{ALLOW, METHODS, SUPPORTED};
pub(crate) use referred::EVENT_TRANSFER;
pub(crate) use referring::EVENT_REFER;
pub(crate) use session::media_error;
pub(crate) use shown::Verb;
pub(crate) use transfer::{Refer, ReferHandle};

/// The layers below the user agent.
pub struct Low<'a> {
    /// The dialogs.
    pub dialogs: &'a mut Dialogs,
    /// The attempts.
    pub attempts: &'a mut Attempts,
    /// What is below those.
    pub down: Down<'a>,
}

impl Low<'_> {
    pub(crate) fn cx(&mut self) -> &mut Cx {
        self.down.cx
    }
}

/// The user agent.
#[derive(Debug)]
pub struct Ua {
    pub(crate) lines: Slab<LineHandle, Line>,
    pub(crate) calls: Slab<CallHandle, Call>,
    pub(crate) refers: Slab<ReferHandle, Refer>,
    pub(crate) calls_in: usize,
    max_in: usize,
    /// Requests that wait for the application, and how many may.
    waiting: usize,
    max_waiting: usize,
    /// Calls whose first dialog is still to come, and REFERs outside one. Each keeps a place for it: a 2xx that finds none
    /// could be neither acknowledged nor ended.
    undecided: usize,
}

impl Ua {
    pub(crate) fn new(limits: &Limits, tag: u8) -> Result<Self, Error> {
        Ok(Self {
            lines: Slab::new(limits.lines, tag, Limit::Lines)?,
            calls: Slab::new(limits.calls, tag, Limit::Calls)?,
            refers: Slab::new(limits.calls, tag, Limit::Calls)?,
            calls_in: 0,
            max_in: limits.calls_in,
            waiting: 0,
            max_waiting: limits.requests(),
            undecided: 0,
        })
    }

    pub(crate) const fn bytes(limits: &Limits) -> usize {
        Slab::<LineHandle, Line>::bytes(limits.lines)
            + Slab::<CallHandle, Call>::bytes(limits.calls)
            + Slab::<ReferHandle, Refer>::bytes(limits.calls)
    }

    /// Whether there is a place for a dialog besides those that are kept.
    fn dialog_fits(&self, low: &Low<'_>) -> bool {
        low.dialogs.room() > self.undecided
    }

    /// Queues an event of a call.
    fn tell(
        &self,
        cx: &mut Cx,
        h: CallHandle,
        kind: u16,
        code: u16,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        let (line, user) = self.calls.get(h).map_or((None, 0), |c| (c.line, c.user));
        cx.event(EventRecord {
            kind,
            code,
            object: h.raw(),
            other: line.map_or(0, LineHandle::raw),
            user,
            block,
        })
    }
}
