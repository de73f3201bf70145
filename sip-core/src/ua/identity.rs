//! Connected identity (RFC 4916): either side's identity may change within a dialog.

use super::{CallHandle, Extras, Low, Ua, record};
use crate::dialog::{DialogHandle, Peer};
use crate::error::{Error, Misuse};
use crate::header::name_addr::NameAddr;
use crate::header::uri_equal::equal;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::Span;

/// Whether it is the field of our identity, which is no field of the application's.
pub(super) fn is_from(name: &str) -> bool {
    name.eq_ignore_ascii_case("From") || name.eq_ignore_ascii_case("f")
}

/// The URI of a From or To value.
fn uri_of(value: &[u8]) -> Option<&[u8]> {
    NameAddr::parse(value, Span::new(0, value.len())).ok().map(|n| n.uri_text.of(value))
}

impl Ua {
    /// A From among the fields of a re-INVITE or UPDATE becomes our identity in the dialog
    /// (RFC 4916 4.4.1); its tag is ours to add.
    pub(super) fn change_identity(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let Some((_, from)) = extras.headers.iter().find(|(name, _)| is_from(name)) else {
            return Ok(());
        };
        let dialog = self.calls.live(h)?.dialog.ok_or(Error::Misuse(Misuse::State))?;
        if !low.dialogs.get(dialog).is_some_and(|d| d.peer.has(Peer::FROM_CHANGE)) {
            return Err(Error::Misuse(Misuse::State));
        }
        low.dialogs.rename_local(low.down.cx, dialog, from.as_bytes())
    }

    /// Whether the peer has another identity than before: the dialog takes it, and the application
    /// is told (RFC 4916 4.4.2).
    pub(super) fn note_identity(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let Some(from) = m.header(Name::From) else { return Ok(()) };
        let known = low.dialogs.remote(low.down.cx, dialog);
        let same = match (uri_of(known), uri_of(from)) {
            (Some(a), Some(b)) => equal(a, b),
            _ => true,
        };
        if same {
            return Ok(());
        }
        match low.dialogs.rename_remote(low.down.cx, dialog, from) {
            Ok(()) => {}
            // Without room for it the next request shows it again.
            Err(Error::Full(_)) => return Ok(()),
            Err(e) => return Err(e),
        }
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        self.tell(low.cx(), h, record::IDENTITY, 0, block)
    }
}
