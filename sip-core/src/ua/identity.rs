//! Connected identity (RFC 4916): either side's identity may change within a dialog.

use super::outside::write_named;
use super::{CallHandle, Extras, Low, Ua, record};
use crate::dialog::{DialogHandle, Peer};
use crate::error::{Error, Misuse};
use crate::header::name_addr::NameAddr;
use crate::header::uri_equal::equal;
use crate::store::pool::BlockId;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::Span;

fn is_from(name: &str) -> bool {
    name.eq_ignore_ascii_case("From") || name.eq_ignore_ascii_case("f")
}

/// The URI of a From or To value.
fn uri_of(value: &[u8]) -> Option<&[u8]> {
    NameAddr::parse(value, Span::new(0, value.len())).ok().map(|n| n.uri_text.of(value))
}

impl Ua {
    /// Keeps what the application adds to a re-INVITE or UPDATE. A From among its fields becomes our
    /// identity in the dialog (RFC 4916 4.4.1); its tag is ours to add.
    pub(super) fn keep_in_dialog(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        extras: &Extras<'_>,
    ) -> Result<BlockId, Error> {
        self.calls.live(h)?;
        let others = extras.headers.iter().filter(|(name, _)| !is_from(name));
        let kept = low.cx().build(|w| write_named(w, others, extras))?;
        let Some((_, from)) = extras.headers.iter().find(|(name, _)| is_from(name)) else {
            return Ok(kept);
        };
        let renamed = match low.dialogs.get(dialog) {
            Some(d) if d.peer.has(Peer::FROM_CHANGE) => {
                low.dialogs.rename_local(low.down.cx, dialog, from.as_bytes())
            }
            _ => Err(Error::Misuse(Misuse::State)),
        };
        renamed.map(|()| kept).inspect_err(|_| low.cx().pool.release(kept))
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
