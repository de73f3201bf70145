//! Several ways to one device (RFC 5626 7): the newest is tried, and the others one after another only
//! where it leads nowhere.

use super::edge::instance;
use super::targets::Entry;
use super::{Fork, ForkHandle, Forks};
use crate::cx::Cx;
use crate::store::index::Keyer;
use crate::store::queries::Target;
use crate::wire::Span;

/// The rank of a target that is tried only where a newer one of its device leads nowhere.
pub(super) const SPARE: u32 = 0;

/// A mark of the device that a Contact's parameters name; 0 for none.
fn mark(keyer: &Keyer, params: &[u8]) -> u64 {
    match instance(params, Span::new(0, params.len())) {
        (Some(id), _) => keyer.start(b'I').part(id).finish().short() | 1,
        (None, _) => 0,
    }
}

/// Makes spares of the targets whose device a later one of `list` is too. `unfit` in place of a rank
/// stays.
pub(super) fn spare<'t>(
    keyer: &Keyer,
    list: impl Iterator<Item = Target<'t>>,
    ranks: &mut [u32],
    unfit: u32,
) {
    let mut marks = [0u64; 255];
    let mut count = 0;
    for (place, target) in marks.iter_mut().zip(list) {
        *place = mark(keyer, target.params.as_bytes());
        count += 1;
    }
    // From the end, so that the marks behind are those of later targets that fit.
    for i in (0..count.min(ranks.len())).rev() {
        let (Some(own), Some(rank)) = (marks.get(i).copied(), ranks.get_mut(i)) else { continue };
        if *rank == unfit {
            if let Some(place) = marks.get_mut(i) {
                *place = 0;
            }
            continue;
        }
        let behind = marks.get(i.saturating_add(1)..count).unwrap_or(&[]);
        if own != 0 && behind.contains(&own) {
            *rank = SPARE;
        }
    }
}

impl Forks {
    /// The device of a target.
    pub(super) fn device(cx: &Cx, fork: &Fork, entry: Entry) -> u64 {
        let set = fork.targets.map_or(&[][..], |b| cx.pool.bytes_of(b));
        mark(&cx.keyer, entry.params.of(set))
    }

    /// Whether a target is not needed: another one of its device is being tried, or has led to it.
    pub(super) fn is_spent(&self, h: ForkHandle, device: u64, entry: Entry) -> bool {
        let lost = |status| matches!(status, 408 | 430 | 503);
        entry.rank == SPARE
            && device != 0
            && self
                .list(h)
                .any(|(_, b)| b.device == device && (b.attempt.is_some() || !lost(b.status)))
    }
}
