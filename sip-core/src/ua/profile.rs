//! What a call can have on our side: a description of its own, or our description that holds, where
//! both say the same. A call that stands keeps it once.

use super::session::CallMedia;
use super::table::State;
use super::{CallHandle, Low, Ua};
use crate::dialog::{DialogHandle, Exchange};
use crate::error::Error;
use crate::sdp::{self, Hold};
use crate::store::pool::{BlockId, Pool};
use crate::store::queries::OwnerKind;

impl CallMedia {
    /// Whether there is a profile.
    pub(super) const fn is_given(&self) -> bool {
        self.profile.is_some() || self.agreed
    }
}

impl Ua {
    /// The profile in a block, held for the caller.
    pub(super) fn profile_of(
        &self,
        low: &mut Low<'_>,
        h: CallHandle,
    ) -> Result<Option<BlockId>, Error> {
        let call = self.calls.live(h)?;
        if let Some(profile) = call.media.profile {
            low.cx().pool.hold(profile);
            return Ok(Some(profile));
        }
        let session = call.dialog.filter(|_| call.media.agreed).and_then(|d| low.dialogs.get(d));
        match session.map(|d| d.session) {
            Some(session) => session.local_copy(&mut low.cx().pool),
            None => Ok(None),
        }
    }

    /// Gives the profile back where our description that holds says the same.
    pub(super) fn spare_profile(&mut self, low: &mut Low<'_>, h: CallHandle, d: DialogHandle) {
        let Some(call) = self.calls.get_mut(h).filter(|c| c.dialog == Some(d)) else { return };
        let stands = matches!(call.state, State::Accepted | State::Confirmed);
        let Some(session) = low.dialogs.get(d).map(|d| d.session) else { return };
        let open = session.exchange != Exchange::Stable || call.media.query.is_some();
        let Some(profile) = call.media.profile.filter(|_| stands && !open && !call.media.own)
        else {
            return;
        };
        if call.media.hold != Hold::No || call.media.before != Hold::No {
            return;
        }
        let pool = &mut low.down.cx.pool;
        let Some((local, _)) = session.descriptions(pool) else { return };
        let same = sdp::same_media(pool.bytes_of(profile), local);
        if same {
            pool.release(profile);
            call.media.profile = None;
            call.media.agreed = true;
        }
    }

    /// Another description of ours is to hold in this dialog: what the call can have is kept.
    pub(super) fn keep_profile(
        &mut self,
        low: &mut Low<'_>,
        d: DialogHandle,
        local: BlockId,
    ) -> Result<(), Error> {
        let Some(dialog) = low.dialogs.get(d).filter(|d| d.owner().kind == OwnerKind::Call) else {
            return Ok(());
        };
        let h = CallHandle::from_raw(dialog.owner().object);
        let Some(call) = self.calls.get_mut(h).filter(|c| c.media.agreed) else { return Ok(()) };
        let pool: &mut Pool = &mut low.down.cx.pool;
        let Some((old, _)) = dialog.session.descriptions(pool) else { return Ok(()) };
        if !sdp::same_media(old, pool.bytes_of(local)) {
            call.media.profile = dialog.session.local_copy(pool)?;
            call.media.agreed = false;
        }
        Ok(())
    }
}
