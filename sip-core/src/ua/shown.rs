//! What the application has been shown of a call, which may lag behind what the call is: a verb that
//! was right by that came late, any other never was right.

use super::event::{is_call, record};
use super::{CallHandle, Low, Ua};
use crate::error::{Error, Misuse};
use crate::store::ring::{EventRecord, Record};

/// A call as `poll` has shown it, with what the application itself did since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(crate) enum Shown {
    /// We placed it.
    Placed,
    /// We placed it, and it has a provisional response.
    Early,
    /// We placed it, and the application is asked whether it goes on.
    Asks,
    /// It came in.
    Arrived,
    /// It came in, and the application rings.
    Alerting,
    /// It is answered.
    Standing,
    /// It is answered, and the peer's re-INVITE waits for the application.
    Offered,
}

const ALL: [Shown; 7] = [
    Shown::Placed,
    Shown::Early,
    Shown::Asks,
    Shown::Arrived,
    Shown::Alerting,
    Shown::Standing,
    Shown::Offered,
];

/// What a verb asks for, as far as states go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    Ring,
    Answer,
    Reject,
    Redirect,
    Follow,
    Hangup,
    /// Hold and resume too.
    Reinvite,
    Update,
    Transfer,
    /// The other call of an attended transfer.
    Target,
}

impl Shown {
    pub(super) const fn first(caller: bool) -> Self {
        if caller { Self::Placed } else { Self::Arrived }
    }

    /// What it is when this event has been polled.
    const fn after(self, kind: u16) -> Self {
        match kind {
            record::PROGRESS => Self::Early,
            record::REDIRECTED => Self::Placed,
            record::REDIRECTED_ASKS => Self::Asks,
            record::ANSWERED | record::CONFIRMED | record::REINVITED => Self::Standing,
            record::REINVITE => Self::Offered,
            _ => self,
        }
    }

    /// What it is when the application's verb has worked.
    const fn did(self, verb: Verb) -> Self {
        match (self, verb) {
            (Self::Arrived, Verb::Ring) => Self::Alerting,
            (Self::Offered, Verb::Answer | Verb::Reject) => Self::Standing,
            (Self::Asks, Verb::Follow) => Self::Placed,
            _ => self,
        }
    }

    /// Whether a verb can be right in this state.
    const fn takes(self, verb: Verb) -> bool {
        use Verb as V;
        match verb {
            V::Hangup => true,
            V::Redirect => matches!(self, Self::Arrived | Self::Alerting),
            V::Ring | V::Answer | V::Reject => {
                matches!(self, Self::Arrived | Self::Alerting | Self::Offered)
            }
            V::Follow => matches!(self, Self::Asks),
            V::Reinvite => matches!(self, Self::Standing),
            // RFC 3311 5.1: as soon as there is a dialog.
            V::Update => !matches!(self, Self::Placed | Self::Asks | Self::Arrived),
            V::Transfer => matches!(self, Self::Standing | Self::Offered),
            // RFC 3891 4: nobody replaces a call that came in and is not answered.
            V::Target => !matches!(self, Self::Arrived | Self::Alerting),
        }
    }
}

/// The record of an end has in it what was shown of the call.
pub(super) const fn ended(shown: Shown, why: u16) -> u16 {
    record::ENDED | (shown as u16) << 4 | why
}

fn of_end(kind: u16) -> Option<Shown> {
    let at = usize::from((kind ^ record::ENDED) >> 4);
    if is_call(kind) && kind >= record::ENDED { ALL.get(at).copied() } else { None }
}

impl Ua {
    /// An event of a call has been polled.
    pub(crate) fn was_shown(&mut self, low: &mut Low<'_>, event: &EventRecord) {
        if !is_call(event.kind) || event.kind >= record::ENDED {
            return;
        }
        let h = CallHandle::from_raw(event.object);
        if let Some(call) = self.calls.get_mut(h) {
            call.shown = call.shown.after(event.kind);
            return;
        }
        // It has ended, which is still to be polled.
        for r in low.cx().out.iter_mut() {
            if let Record::Event(e) = r
                && e.object == event.object
                && let Some(shown) = of_end(e.kind)
            {
                e.kind = ended(shown.after(event.kind), e.kind & 0xF);
            }
        }
    }

    /// A verb of the application's has worked.
    pub(crate) fn has_done(&mut self, h: CallHandle, verb: Verb) {
        if let Some(call) = self.calls.get_mut(h) {
            call.shown = call.shown.did(verb);
        }
    }

    /// What was shown of a call: `Gone` if that it has ended.
    fn shown(&self, low: &mut Low<'_>, h: CallHandle) -> Result<Shown, Error> {
        if let Some(call) = self.calls.get(h) {
            return Ok(call.shown);
        }
        let of = |r: &Record| match r {
            Record::Event(e) if e.object == h.raw() => of_end(e.kind),
            _ => None,
        };
        low.cx().out.iter().find_map(of).ok_or(Error::Gone)
    }

    /// Whether something waits to be polled that takes verbs from a call and leaves it alive: the
    /// peer's re-INVITE, or a redirection.
    fn lags(low: &mut Low<'_>, h: CallHandle) -> bool {
        let takes = [record::REINVITE, record::REDIRECTED, record::REDIRECTED_ASKS];
        let of = |r: &Record| matches!(r, Record::Event(e) if e.object == h.raw() && takes.contains(&e.kind));
        low.cx().out.iter().any(of)
    }

    /// Whose fault it is that a verb was refused: `Misuse` if it was wrong by what was shown of its
    /// calls, `Late` if they have moved on since, `Gone` if the end of one was shown.
    pub(crate) fn blame(
        &self,
        low: &mut Low<'_>,
        calls: &[(CallHandle, Verb)],
        error: Error,
    ) -> Error {
        let state = Error::Misuse(Misuse::State);
        let never = error == state && !calls.iter().any(|(h, _)| Self::lags(low, *h));
        if never || !(error == state || matches!(error, Error::Gone | Error::Late)) {
            return error;
        }
        let mut right = true;
        for (h, verb) in calls {
            match self.shown(low, *h) {
                Ok(shown) => right &= shown.takes(*verb),
                Err(gone) => return gone,
            }
        }
        if right { Error::Late } else { state }
    }
}
