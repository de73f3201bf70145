//! Rules about two calls: Replaces (RFC 3891), Join (RFC 3911), and the focus of a conference
//! (RFC 4579).

use super::call::Call;
use super::clock::Due;
use super::table::State;
use super::transfer::{RETRY, Transfer};
use super::{CallHandle, EndReason, Extras, LineHandle, Low, Ua};
use crate::dialog::DialogState;
use crate::error::{Error, Limit};
use crate::header::Value as _;
use crate::header::essentials::Essentials;
use crate::header::param::Params;
use crate::header::replaces::{Join, Replaces};
use crate::store::queries::OwnerKind;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;

/// What a call that comes in wants with another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pair {
    /// To take its place.
    Replaces(CallHandle),
    /// To be mixed with it.
    Joins(CallHandle),
}

impl Transfer {
    pub(super) fn pair(&self) -> Option<Pair> {
        self.other.map(if self.joins { Pair::Joins } else { Pair::Replaces })
    }

    pub(super) const fn set_pair(&mut self, pair: Option<Pair>) {
        (self.other, self.joins) = match pair {
            Some(Pair::Replaces(other)) => (Some(other), false),
            Some(Pair::Joins(other)) => (Some(other), true),
            None => (None, false),
        };
    }
}

/// What a call has to do with others: see [`Engine::call_info`](crate::Engine::call_info).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CallInfo {
    /// Its line.
    pub line: Option<LineHandle>,
    /// The caller's number of the call.
    pub user: u64,
    /// The call whose place it takes once it is answered (RFC 3891).
    pub replaces: Option<CallHandle>,
    /// The call that it wants to be mixed with (RFC 3911). Whether it is, is the application's to
    /// decide.
    pub joins: Option<CallHandle>,
    /// The peer is the focus of a conference (RFC 4579 5.1).
    pub focus: bool,
}

/// Whether a call is being ended.
const fn over(call: &Call) -> bool {
    let ends =
        matches!(call.state, State::Leaving | State::Cancelling | State::Parting | State::Ended);
    ends || call.hang_up
}

/// Whether what the timer of a call brings is its answer in another's place. An UPDATE in its early
/// dialog may wait as well.
pub(super) fn is_due(call: &Call) -> bool {
    matches!(call.state, State::Incoming | State::Alerting)
        && matches!(call.transfer.pair(), Some(Pair::Replaces(_)))
        && !call.extensions.update.is_open()
}

/// The dialog that a header field names.
struct Named<'a> {
    call_id: &'a [u8],
    local_tag: &'a [u8],
    remote_tag: &'a [u8],
}

impl Ua {
    /// What an INVITE wants with another call; else the status that it earns.
    pub(super) fn pair_of(&self, low: &Low<'_>, m: &MessageRef<'_>) -> Result<Option<Pair>, u16> {
        let replaces = m.headers(Name::Replaces).count();
        let joins = m.headers(Name::Join).count();
        match (replaces, joins) {
            (0, 0) => Ok(None),
            (1, 0) => self.replaced(low, m).map(|h| Some(Pair::Replaces(h))),
            (0, 1) => self.joined(low, m).map(|h| Some(Pair::Joins(h))),
            // RFC 3891 3, RFC 3911 4
            _ => Err(400),
        }
    }

    // RFC 3891 3
    fn replaced(&self, low: &Low<'_>, m: &MessageRef<'_>) -> Result<CallHandle, u16> {
        let at = m.header_span(Name::Replaces).ok_or(400u16)?;
        let v = Replaces::parse(m.bytes(), at).map_err(|_| 400u16)?;
        let (Some(to), Some(from)) = (v.to_tag, v.from_tag) else { return Err(400) };
        let named =
            Named { call_id: m.text(v.call_id), local_tag: m.text(to), remote_tag: m.text(from) };
        let (h, early) = self.named(low, &named)?;
        if v.early_only && !early { Err(486) } else { Ok(h) }
    }

    // RFC 3911 4
    fn joined(&self, low: &Low<'_>, m: &MessageRef<'_>) -> Result<CallHandle, u16> {
        let at = m.header_span(Name::Join).ok_or(400u16)?;
        let v = Join::parse(m.bytes(), at).map_err(|_| 400u16)?;
        let (Some(to), Some(from)) = (v.to_tag, v.from_tag) else { return Err(400) };
        let named =
            Named { call_id: m.text(v.call_id), local_tag: m.text(to), remote_tag: m.text(from) };
        self.named(low, &named).map(|(h, _)| h)
    }

    /// The call with this dialog, and whether the dialog is early.
    fn named(&self, low: &Low<'_>, n: &Named<'_>) -> Result<(CallHandle, bool), u16> {
        let find = |tag| low.dialogs.find(low.down.cx, n.call_id, n.local_tag, tag);
        // RFC 3891 6.1: a tag of zero stands for none as well (RFC 2543).
        let without = || if n.remote_tag == b"0" { find(b"") } else { None };
        let d = find(n.remote_tag).or_else(without).ok_or(481u16)?;
        let dialog = low.dialogs.get(d).ok_or(481u16)?;
        // One that was not made by an INVITE, or whose call is over.
        if dialog.owner().kind != OwnerKind::Call {
            return Err(481);
        }
        let h = CallHandle::from_raw(dialog.owner().object);
        let call = self.calls.get(h).ok_or(481u16)?;
        let early = dialog.state == DialogState::Early;
        match () {
            () if over(call) => Err(603),
            // An early dialog that we did not initiate.
            () if early && !call.caller => Err(481),
            () => Ok((h, early)),
        }
    }

    /// A call came in that takes another one's place: where the engine has that one's media it
    /// answers by itself, with nobody alerted (RFC 3891 3), as soon as there is room.
    pub(super) fn answers_itself(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let pair = self.calls.live(h)?.transfer.pair();
        let Some(Pair::Replaces(old)) = pair else { return Ok(()) };
        if !self.calls.get(old).is_some_and(Call::has_profile) {
            return Ok(());
        }
        // Without room for it a person is asked.
        let Ok(Some(profile)) = self.profile_of(low, old) else { return Ok(()) };
        let call = self.calls.live_mut(h)?;
        call.media.profile = Some(profile);
        let now = low.cx().now;
        self.arm(low.cx(), h, Due::Again, now)
    }

    /// Its time has come.
    pub(super) fn answer_in_place(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
    ) -> Result<(), Error> {
        let pair = self.calls.live(h)?.transfer.pair();
        let stands = matches!(pair, Some(Pair::Replaces(old))
            if self.calls.get(old).is_some_and(|c| !over(c)));
        let done = if stands {
            self.answer(low, h, &Extras::default())
        } else {
            // It was just terminated.
            self.reject(low, h, 603, &Extras::default())
        };
        match done {
            Err(Error::Full(limit)) if limit != Limit::MessageBytes => {
                let at = low.cx().now.after(RETRY);
                self.arm(low.cx(), h, Due::Again, at)
            }
            _ => Ok(()),
        }
    }

    /// A call that takes another one's place is answered: that one goes, by BYE or CANCEL.
    pub(super) fn take_place(&mut self, low: &mut Low<'_>, h: CallHandle) {
        let pair = self.calls.get(h).and_then(|c| c.transfer.pair());
        if let Some(Pair::Replaces(old)) = pair {
            self.leave(low, old, EndReason::Replaced);
        }
    }

    /// What a call has to do with others.
    pub(crate) fn call_info(&self, h: CallHandle) -> Option<CallInfo> {
        let call = self.calls.get(h)?;
        let pair = call.transfer.pair();
        let live = |h: CallHandle| self.calls.get(h).is_some();
        Some(CallInfo {
            line: call.line,
            user: call.user,
            replaces: match pair {
                Some(Pair::Replaces(old)) if live(old) => Some(old),
                _ => None,
            },
            joins: match pair {
                Some(Pair::Joins(with)) if live(with) => Some(with),
                _ => None,
            },
            focus: call.transfer.focus,
        })
    }
}

/// Whether the sender's Contact has the parameter `isfocus` (RFC 3840 9).
pub(super) fn is_focus(m: &MessageRef<'_>, e: &Essentials) -> bool {
    e.contact.is_some_and(|c| {
        Params::new(m.bytes(), c.params).any(|p| m.text(p.name).eq_ignore_ascii_case(b"isfocus"))
    })
}

/// Whether a request names a method that may carry Replaces or Join (RFC 3891 3, RFC 3911 4).
pub(super) fn misplaced(m: &MessageRef<'_>) -> bool {
    m.method() != Method::Invite
        && (m.header(Name::Replaces).is_some() || m.header(Name::Join).is_some())
}
