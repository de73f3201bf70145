//! The session descriptions of PRACK, UPDATE and their responses, and when another offer may be made
//! (RFC 3262 5, RFC 3311 5, RFC 6337 2).

use super::call::Again;
use super::extensions::number_text;
use super::session::{description, rest};
use super::table::State;
use super::{CallHandle, Extras, Low, Ua};
use crate::dialog::{DialogHandle, Exchange};
use crate::error::Error;
use crate::sdp::Refusal;
use crate::store::pool::BlockId;
use crate::wire::message::MessageRef;

/// What a description in a message of the peer's was.
#[derive(Clone, Copy, Debug)]
pub(super) enum Taken {
    /// There was none, or it answered our offer.
    Done,
    /// An offer, and our answer to it: a block held once.
    Answer(BlockId),
    /// An offer from which no session can be had.
    Refuse(Refusal),
    /// An offer that the application has to answer.
    Ask,
}

/// The value of Warning that says why an offer is refused (RFC 3261 20.43); its length.
pub(super) fn warning(refusal: &Refusal, out: &mut [u8]) -> usize {
    let mut code = [0u8; 5];
    let len = number_text(u32::from(refusal.warning), &mut code);
    let code = code.get(..len).unwrap_or(&[]);
    let mut at = 0;
    for part in [code, b" sansip \"", refusal.text().as_bytes(), b"\""] {
        let end = at + part.len();
        let Some(place) = out.get_mut(at..end) else { return 0 };
        place.copy_from_slice(part);
        at = end;
    }
    at
}

impl Ua {
    /// Where the exchange of a dialog stands for another offer. Before the 2xx only a reliable
    /// response settles the first one (RFC 3311 5.1).
    pub(super) fn exchange(&self, low: &Low<'_>, h: CallHandle, dialog: DialogHandle) -> Exchange {
        let (Some(call), Some(d)) = (self.calls.get(h), low.dialogs.get(dialog)) else {
            return Exchange::Stable;
        };
        let calling = matches!(call.state, State::Calling | State::Proceeding | State::Cancelling);
        let called = matches!(call.state, State::Incoming | State::Alerting);
        let open = d.session.preview || d.session.agreed().is_none();
        match d.session.exchange {
            // RFC 6337 4.3: an INVITE without an offer is as good as one.
            Exchange::Stable if call.reinvite.is_some() && call.asks(&d.session) => {
                Exchange::Offered
            }
            Exchange::Stable if call.invite.is_some() && call.no_offer => Exchange::Asked,
            Exchange::Stable if calling && open => Exchange::Offered,
            Exchange::Stable if (called && open) || self.awaits_prack(h) => Exchange::Asked,
            other => other,
        }
    }

    /// Takes the description of a PRACK, an UPDATE or a 2xx to one of those.
    pub(super) fn take_description(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        m: &MessageRef<'_>,
    ) -> Result<Taken, Error> {
        let exchange = low.dialogs.get(d).map(|d| d.session.exchange);
        let Some(sdp) = description(m) else { return Ok(Taken::Done) };
        match exchange {
            Some(Exchange::Offered) => {
                let good = self.answer_agreed(low, h, d, sdp)?;
                self.answer_is_final(low, d);
                if !good {
                    Self::roll_back_offer(low, d);
                }
                self.tell_media(low, h, d)?;
                let call = self.calls.live(h)?;
                if !good && call.media.is_given() && call.state == State::Confirmed {
                    self.end_unusable(low, h)?;
                }
                Ok(Taken::Done)
            }
            Some(Exchange::Stable) if m.is_request() => {
                self.offer_came(low, d, sdp)?;
                if !self.calls.live(h)?.media.is_given() {
                    return Ok(Taken::Ask);
                }
                let made = self.local_description(low, h, d);
                if !matches!(made, Ok(Ok(_))) {
                    Self::roll_back_offer(low, d);
                }
                Ok(match made? {
                    Ok(Some(answer)) => Taken::Answer(answer),
                    Ok(None) => Taken::Done,
                    Err(refusal) => Taken::Refuse(refusal),
                })
            }
            _ => Ok(Taken::Done),
        }
    }

    /// The open offer of a dialog has failed: what was agreed before stands.
    pub(super) fn roll_back_offer(low: &mut Low<'_>, d: DialogHandle) {
        if let Some(dialog) = low.dialogs.get_mut(d) {
            dialog.session.roll_back(&mut low.down.cx.pool);
        }
    }

    /// What a re-INVITE carries that changes nothing: our description as it is.
    pub(super) fn same_description(
        &self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
    ) -> Result<Again, Error> {
        let agreed = low.dialogs.get(d).is_some_and(|d| d.session.agreed().is_some());
        if agreed || self.calls.live(h)?.media.is_given() {
            return Ok(Again::Offer { fields: None, in_use: true });
        }
        rest(low.cx(), &Extras::default(), None, None).map(Again::Kept)
    }
}
