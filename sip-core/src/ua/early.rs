//! The early dialogs of a call that forked: each has its own route, session and sequence numbers
//! (RFC 3261 12.1, 13.2.2.1), and each may end alone (RFC 6228).

use super::{CallHandle, Low, Ua};
use crate::dialog::{DialogHandle, DialogState};
use crate::header::essentials::Essentials;
use crate::wire::message::MessageRef;

impl Ua {
    /// RFC 6228 4: a 199 ends the early dialog that it names; the others go on.
    pub(super) fn end_early(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) {
        if m.status() != 199 {
            return;
        }
        let Some(ended) = low.dialogs.of_response(low.down.cx, m, e) else { return };
        let early = low.dialogs.get(ended).is_some_and(|d| d.state == DialogState::Early);
        if early && self.unlink(low, h, ended) {
            self.end_refer_in(low, h, ended);
            low.dialogs.end(low.down.cx, ended);
        }
    }

    /// Takes a dialog out of the call's list. Whether it was there.
    fn unlink(&mut self, low: &mut Low<'_>, h: CallHandle, gone: DialogHandle) -> bool {
        let Some(call) = self.calls.get_mut(h) else { return false };
        let next = low.dialogs.get(gone).and_then(|d| d.next);
        if call.dialog == Some(gone) {
            call.dialog = next;
            // The call has no dialog again, and keeps a place for its next one.
            self.undecided += usize::from(next.is_none());
            return true;
        }
        let mut at = call.dialog;
        while let Some(d) = at {
            let Some(dialog) = low.dialogs.get_mut(d) else { return false };
            if dialog.next == Some(gone) {
                dialog.next = next;
                return true;
            }
            at = dialog.next;
        }
        false
    }
}
