//! Following a 3xx in the caller's place (RFC 3261 16.7 step 4).

use super::targets::rank;
use super::{ForkHandle, Forks};
use crate::cx::Cx;
use crate::error::Error;
use crate::header::contact::Contact;
use crate::header::parts::Quality;
use crate::header::{Scheme, Value as _};
use crate::store::pool::BlockId;
use crate::store::queries::Target;
use crate::wire::MessageRef;
use crate::wire::edit::{at_end, lines};
use crate::wire::name::Name;
use crate::wire::scan::Span;

/// The most contacts of a response that are looked at.
const MOST: usize = 32;

/// What became of a 3xx.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Followed {
    /// Nothing: it counts as it is.
    No,
    /// All of its contacts are targets, so that it counts no more.
    Whole,
    /// Some are; the others are for the caller.
    Partly,
}

/// A contact that is followed: its URI and q.
fn target_of<'a>(m: &MessageRef<'a>, value: Span, secure: bool) -> Option<Target<'a>> {
    let Ok(Contact::Addr(contact)) = Contact::parse(m.bytes(), value) else { return None };
    let followed = match contact.addr.uri.scheme {
        Scheme::Sips => true,
        // "a proxy SHOULD NOT recurse to a non-SIPS URI"
        Scheme::Sip => !secure,
        _ => false,
    };
    let uri = core::str::from_utf8(m.text(contact.addr.uri_text)).ok().filter(|_| followed)?;
    Some(Target { uri, q: contact.q.unwrap_or(Quality::FULL).0, ..Target::default() })
}

impl Forks {
    /// Makes targets of the contacts of `m`, a 3xx: of all that can be, or where there is no room for
    /// them, of none.
    pub(super) fn follow(
        &mut self,
        cx: &mut Cx,
        h: ForkHandle,
        m: &MessageRef<'_>,
        secure: bool,
    ) -> Result<Followed, Error> {
        let values = m.values(Name::Contact);
        let all = values.clone().count();
        let targets = values.take(MOST).filter_map(|value| target_of(m, value, secure));
        let followed = targets.clone().count();
        let taken = self.forks.get(h).map_or(0, |f| usize::from(f.parts) + usize::from(f.left));
        if followed == 0 || followed > self.most.saturating_sub(taken) {
            return Ok(Followed::No);
        }
        self.add_to_set(cx, h, targets.map(|t| (t, rank(t.q, Quality::FULL.0))))?;
        Ok(if followed == all { Followed::Whole } else { Followed::Partly })
    }
}

/// The response in `block` without the contacts that are followed, which nobody else need try. Takes
/// over the hold on it; without room it is left as it is.
pub(super) fn without_followed(cx: &mut Cx, block: BlockId, secure: bool) -> BlockId {
    let Cx { pool, scratch, .. } = cx;
    let len = MessageRef::lazy(pool.bytes_of(block)).and_then(|m| rest(&m, secure, scratch));
    let Some(shorter) = len.and_then(|n| pool.copy_in(scratch.get(..n)?).ok()) else {
        return block;
    };
    pool.release(block);
    shorter
}

fn rest(m: &MessageRef<'_>, secure: bool, out: &mut [u8]) -> Option<usize> {
    let mut len = 0usize;
    let mut put = |text: &[u8]| {
        let end = len.checked_add(text.len())?;
        out.get_mut(len..end)?.copy_from_slice(text);
        len = end;
        Some(())
    };
    let (mut from, end) = (0, at_end(m));
    for field in m.fields().filter(|f| f.name == Name::Contact) {
        let lines = lines(m, &field);
        put(m.bytes().get(from..lines.start())?)?;
        from = lines.end();
    }
    put(m.bytes().get(from..end)?)?;
    let is_followed = |i, value| i < MOST && target_of(m, value, secure).is_some();
    for (_, value) in m.values(Name::Contact).enumerate().filter(|(i, v)| !is_followed(*i, *v)) {
        for part in [b"Contact: ", m.text(value), b"\r\n"] {
            put(part)?;
        }
    }
    put(m.bytes().get(end..)?)?;
    Some(len)
}
