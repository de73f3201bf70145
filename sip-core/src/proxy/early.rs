//! 199 Early Dialog Terminated (RFC 6228): the caller learns at once that a branch which rang has
//! failed, while others are still tried.

use super::{Branch, BranchHandle, ForkHandle, ForkLow, Forks};
use crate::cx::Cx;
use crate::error::Error;
use crate::header::Essentials;
use crate::store::pool::BlockId;
use crate::tx::Reply;
use crate::wire::name::Name;
use crate::wire::{MessageRef, Method};

/// Bytes of the tags of a branch, each with its length before it.
const ROOM: usize = 256;
/// Free outputs that are left to what matters more.
const OUTPUTS: usize = 4;

/// Whether the caller wants to be told: it says so, begins a dialog, and does not want all
/// provisional responses to be reliable, which a proxy's are not (RFC 6228 5, 6).
pub(super) fn is_wanted(m: &MessageRef<'_>, e: &Essentials) -> bool {
    let lists = |name, tag: &[u8]| m.values(name).any(|v| m.text(v).eq_ignore_ascii_case(tag));
    m.method() == Method::Invite
        && e.to.is_some_and(|to| to.tag.is_empty())
        && lists(Name::Supported, b"199")
        && !lists(Name::Require, b"100rel")
}

/// The tags in a list of them.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let step = |at: usize| {
        let end = at.checked_add(1)?.checked_add(usize::from(*list.get(at)?))?;
        Some((list.get(at.checked_add(1)?..end)?, end))
    };
    core::iter::successors(step(0), move |(_, end)| step(*end)).map(|(tag, _)| tag)
}

/// Remembers the early dialog that a provisional response belongs to, or forgets the one that a 199
/// ends. Without room nothing changes.
pub(super) fn note(cx: &mut Cx, branch: &mut Branch, m: &MessageRef<'_>, e: &Essentials) {
    let tag = e.to.map_or(&[][..], |to| m.text(to.tag));
    let old = branch.tags.map_or(&[][..], |b| cx.pool.bytes_of(b));
    let ends = m.status() == 199;
    if tag.is_empty() || tags(old).any(|t| t == tag) != ends {
        return;
    }
    let mut room = [0; ROOM];
    let mut len = 0usize;
    let more = (!ends).then_some(tag);
    for tag in tags(old).filter(|t| *t != tag).chain(more) {
        let Ok(size) = u8::try_from(tag.len()) else { return };
        let Some([place, rest @ ..]) = room.get_mut(len..) else { return };
        let Some(rest) = rest.get_mut(..tag.len()) else { return };
        *place = size;
        rest.copy_from_slice(tag);
        len += 1 + tag.len();
    }
    let Ok(block) = cx.pool.copy_in(room.get(..len).unwrap_or(&[])) else { return };
    if let Some(old) = branch.tags.replace(block) {
        cx.pool.release(old);
    }
}

impl Forks {
    /// The branch has failed with `status`: tells the caller of its early dialogs, unless that
    /// response goes back at once.
    pub(super) fn early_ended(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        b: BranchHandle,
        status: u16,
    ) {
        let Some(block) = self.branches.get_mut(b).and_then(|b| b.tags.take()) else { return };
        let fork = self.forks.get(h).filter(|f| !f.done && !f.cancelled && !f.is_settled());
        if let Some(tx) = fork.and_then(|f| f.tx) {
            let mut room = [0; ROOM];
            let list = copied(low.down.cx, block, &mut room);
            let digits = [status / 100, status / 10 % 10, status % 10];
            let [a, b, c] = digits.map(|d| b'0'.saturating_add(u8::try_from(d).unwrap_or(0)));
            let reason = [b'S', b'I', b'P', b';', b'c', b'a', b'u', b's', b'e', b'=', a, b, c];
            for tag in tags(list) {
                let extra = [(Name::Reason, &reason[..])];
                let reply = Reply { to_tag: Some(tag), extra: &extra, ..Reply::default() };
                if low.down.cx.out.room() < OUTPUTS {
                    break;
                }
                // One that cannot be sent is lost, as on the network: it is not reliable.
                let _: Result<(), Error> = low.down.tx.reply(low.down.cx, tx, 199, &reply);
            }
        }
        low.down.cx.pool.release(block);
    }
}

fn copied<'r>(cx: &Cx, block: BlockId, room: &'r mut [u8; ROOM]) -> &'r [u8] {
    let bytes = cx.pool.bytes_of(block);
    let Some(place) = room.get_mut(..bytes.len()) else { return &[] };
    place.copy_from_slice(bytes);
    place
}
