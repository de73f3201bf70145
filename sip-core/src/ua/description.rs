//! Where a session description of PRACK, UPDATE and their responses comes from and goes to
//! (RFC 3262 5, RFC 3311 5, RFC 6337 2).

use super::outside::write_extras;
use super::table::State;
use super::{CallHandle, Extras, Low, Ua};
use crate::dialog::DialogHandle;
use crate::error::Error;
use crate::store::pool::BlockId;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;

/// Where the offer/answer exchange of a dialog stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exchange {
    /// No offer is open.
    Stable,
    /// We made an offer; its answer is awaited.
    Offered,
    /// The peer made an offer; it waits for our answer.
    Asked,
}

/// What a description in a message of the peer's was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    /// There was none, or it answered our offer.
    Done,
    /// An offer that the application has to answer.
    Ask,
}

/// Whether a message carries a session description.
pub(super) fn describes(m: &MessageRef<'_>) -> bool {
    let with = |v: &[u8], kind: &[u8]| {
        v.get(..kind.len()).is_some_and(|head| head.eq_ignore_ascii_case(kind))
    };
    !m.body().is_empty()
        && m.header(Name::ContentType)
            .is_some_and(|v| with(v, b"application/sdp") || with(v, b"multipart/"))
}

impl Ua {
    /// The rest of a request that changes nothing of the session: our description as it is.
    pub(super) fn same_description(
        &self,
        low: &mut Low<'_>,
        _dialog: DialogHandle,
    ) -> Result<BlockId, Error> {
        low.cx().build(|w| write_extras(w, &Extras::default()))
    }

    /// Where the exchange of a dialog stands.
    pub(super) fn exchange(&self, low: &Low<'_>, h: CallHandle, dialog: DialogHandle) -> Exchange {
        let Some(call) = self.calls.get(h) else { return Exchange::Stable };
        let described = low.dialogs.get(dialog).is_some_and(|d| d.described);
        let early = described && call.state != State::Confirmed;
        let calling = matches!(call.state, State::Calling | State::Proceeding | State::Cancelling);
        let update = &call.extensions.update;
        if (calling && !early) || call.reinvite.is_some() || update.offers() {
            Exchange::Offered
        } else if (call.invite.is_some() && !early) || self.is_asked(low, h) {
            Exchange::Asked
        } else {
            Exchange::Stable
        }
    }

    /// Takes the description of a PRACK, an UPDATE or a response to one of those.
    pub(super) fn take_description(
        &mut self,
        low: &Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        m: &MessageRef<'_>,
    ) -> Taken {
        let asked = m.is_request() && describes(m);
        if asked && self.exchange(low, h, dialog) == Exchange::Stable {
            Taken::Ask
        } else {
            Taken::Done
        }
    }
}
