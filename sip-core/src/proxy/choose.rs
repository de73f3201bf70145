//! Which of the targets that were named are tried: those that suit the caller (RFC 3841 7.2), and for
//! a sips request those with a sips URI (RFC 3261 26.2.2, RFC 5630 5.3).

use super::instance::spare;
use super::preferences::suits;
use super::preprocess::is_secure;
use super::targets::rank;
use super::{Fork, ForkHandle, ForkLow, Forks};
use crate::cx::Cx;
use crate::error::Error;
use crate::store::queries::Target;
use crate::tx::Reply;
use crate::wire::MessageRef;
use crate::wire::name::Name;
use crate::wire::raw::RawWriter;

/// The most targets that are looked at.
const MOST: usize = 255;
/// In place of a rank.
const UNFIT: u32 = u32::MAX;

/// What became of a list of targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Chosen {
    /// None of them suits the caller.
    pub unsuited: bool,
    /// None of them may be reached by a sips request.
    pub insecure: bool,
}

impl Forks {
    /// Refuses a sips request for which there is no sips URI (RFC 5630 5.3).
    pub(super) fn refuse_insecure(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
    ) -> Result<(), Error> {
        let mut room = [0; 128];
        let incoming = self.forks.live(h)?.incoming;
        let host = low.down.cx.locals.get(incoming).map_or(&b"proxy"[..], |l| l.host());
        let mut w = RawWriter::new(&mut room);
        let parts = [&b"380 "[..], host, b" \"SIPS Not Allowed\""];
        let written = parts.iter().all(|part| w.bytes(part).is_ok());
        let len = if written { w.len() } else { 0 };
        let extra = [(Name::Warning, room.get(..len).unwrap_or(&[]))];
        let extra = if len == 0 { &[][..] } else { &extra[..] };
        self.refuse_by(low, h, |down, tx| {
            down.tx.reply(down.cx, tx, 480, &Reply { extra, ..Reply::default() })
        })
    }

    /// Adds those of `list` to the set that may be tried.
    pub(super) fn add_ranked<'t>(
        &mut self,
        cx: &mut Cx,
        h: ForkHandle,
        list: impl Iterator<Item = Target<'t>> + Clone,
    ) -> Result<Chosen, Error> {
        let mut ranks = [UNFIT; MOST];
        let chosen = judge(cx, self.forks.live(h)?, list.clone(), &mut ranks);
        let ranked = list.zip(ranks.iter().copied()).filter(|(_, rank)| *rank != UNFIT);
        self.add_to_set(cx, h, ranked)?;
        Ok(chosen)
    }
}

fn judge<'t>(
    cx: &Cx,
    fork: &Fork,
    list: impl Iterator<Item = Target<'t>> + Clone,
    ranks: &mut [u32; MOST],
) -> Chosen {
    let message = fork.request.and_then(|b| MessageRef::lazy(cx.pool.bytes_of(b)));
    let Some(m) = message else { return Chosen::default() };
    let secure = is_secure(m.request_uri());
    let (mut fit, mut chosen) = (false, Chosen::default());
    for (target, place) in list.clone().zip(ranks.iter_mut()) {
        if secure && fork.ours && !target.uri.is_empty() && !is_secure(target.uri.as_bytes()) {
            chosen.insecure = true;
            continue;
        }
        match suits(&m, target.params) {
            Some(suits) => (fit, *place) = (true, rank(target.q, suits)),
            None => chosen.unsuited = true,
        }
    }
    spare(&cx.keyer, list, ranks, UNFIT);
    if fit { Chosen::default() } else { chosen }
}
