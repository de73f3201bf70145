//! Who a call was meant for before: Diversion (RFC 5806) and History-Info (RFC 7044) of a 302.

use super::line::Line;
use crate::cx::{Cx, joined, write_error};
use crate::error::Error;
use crate::store::pool::BlockId;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::write::{WriteError, Writer};

/// The rest of a 302 that says that `line` diverts the call of `request`, in a block that is held
/// once.
pub(super) fn write(
    cx: &mut Cx,
    request: BlockId,
    line: &Line,
    reason: &[u8],
    _cause: u16,
) -> Result<BlockId, Error> {
    let Cx { pool, scratch, .. } = cx;
    let m = MessageRef::lazy(pool.bytes_of(request)).ok_or(Error::Gone)?;
    let mut w = Writer::new(scratch);
    diversion(&mut w, &m, line.aor(pool), reason).map_err(write_error)?;
    let len = w.end().map_err(write_error)?;
    pool.copy_in(scratch.get(..len).unwrap_or(&[]))
}

/// RFC 5806 7.1: ours on top of those that came in.
fn diversion(
    w: &mut Writer<'_>,
    m: &MessageRef<'_>,
    aor: &[u8],
    reason: &[u8],
) -> Result<(), WriteError> {
    joined(w, Name::Diversion, &[b"<", aor, b">;reason=", reason, b";counter=1"])?;
    m.fields().filter(|f| f.name == Name::Diversion).try_for_each(|f| w.copy(m, &f))
}
