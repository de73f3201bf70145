//! Responses on their way back (RFC 3261 16.7 steps 3 and 7): without our Via, and with the
//! challenges of all branches.

use super::best::is_challenge;
use crate::cx::{Cx, write_error};
use crate::error::Error;
use crate::header::Essentials;
use crate::store::pool::BlockId;
use crate::wire::MessageRef;
use crate::wire::edit::{Edit, apply, at_end, lines, pop};
use crate::wire::name::Name;

/// The response without its top Via, in a block held once. `None` when no other Via is left: the
/// response was meant for us (16.7 step 3).
pub(super) fn without_via(
    cx: &mut Cx,
    m: &MessageRef<'_>,
    e: &Essentials,
) -> Result<Option<BlockId>, Error> {
    let Some((field, via)) = m.field(Name::Via).zip(e.via) else { return Ok(None) };
    let whole = lines(m, &field);
    let span = if via.whole.end() >= field.value.end() {
        whole
    } else if let Edit::Delete { span } = pop(m, &field) {
        span
    } else {
        return Ok(None);
    };
    if span == whole && m.fields().filter(|f| f.name == Name::Via).nth(1).is_none() {
        return Ok(None);
    }
    let (bytes, gone) = (m.bytes(), usize::from(span.len));
    let block = cx.pool.take(bytes.len().saturating_sub(gone))?;
    let (head, tail) = (bytes.get(..span.start()), bytes.get(span.end()..));
    let room = cx.pool.bytes_mut(block);
    if let Some((head, tail)) = head.zip(tail)
        && let Some((front, back)) = room.split_at_mut_checked(head.len())
        && back.len() == tail.len()
    {
        front.copy_from_slice(head);
        back.copy_from_slice(tail);
    }
    Ok(Some(block))
}

/// Adds the challenges of `others` to `best`, a 401 or 407 (16.7 step 7). Gives a new block held
/// once, in place of the hold on `best`; on failure nothing has changed.
pub(super) fn with_challenges(
    cx: &mut Cx,
    best: BlockId,
    others: impl Iterator<Item = BlockId>,
) -> Result<BlockId, Error> {
    let Cx { pool, scratch, .. } = cx;
    let mut len = apply(pool.bytes_of(best), &[], scratch).map_err(write_error)?;
    for other in others {
        if let Some(longer) = add_challenges(scratch, len, pool.bytes_of(other)) {
            len = longer;
        }
    }
    let block = pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
    pool.release(best);
    Ok(block)
}

/// Inserts the challenges of `other` at the end of the header section of the message of `len` bytes
/// in `room`; the new length. Nothing changes where they do not fit.
fn add_challenges(room: &mut [u8], len: usize, other: &[u8]) -> Option<usize> {
    let at = at_end(&MessageRef::lazy(room.get(..len)?)?);
    let other = MessageRef::lazy(other).filter(|m| is_challenge(m.status()))?;
    let fields = || {
        let wanted = |name| matches!(name, Name::WwwAuthenticate | Name::ProxyAuthenticate);
        other.fields().filter(move |f| wanted(f.name))
    };
    let more: usize = fields().map(|f| usize::from(lines(&other, &f).len)).sum();
    let longer = len.checked_add(more).filter(|n| *n <= room.len().min(65_535))?;
    room.copy_within(at..len, at.checked_add(more)?);
    let mut to = at;
    for field in fields() {
        let text = other.text(lines(&other, &field));
        let end = to.checked_add(text.len())?;
        room.get_mut(to..end)?.copy_from_slice(text);
        to = end;
    }
    Some(longer)
}
