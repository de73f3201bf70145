//! Which payload types our codecs go under in one description.

use super::format::{Format, Formats, MAX_CODECS};

/// Pairs of the payload type written and the one in the profile, in the order written.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pairs: [(u8, u8); MAX_CODECS],
    len: usize,
}

impl Numbers {
    const NONE: Self = Self { pairs: [(0, 0); MAX_CODECS], len: 0 };

    fn push(&mut self, written: u8, ours: u8) {
        if let Some(room) = self.pairs.get_mut(self.len) {
            *room = (written, ours);
            self.len = self.len.saturating_add(1);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        self.pairs.iter().take(self.len).copied()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn written(&self, ours: u8) -> Option<u8> {
        self.iter().find(|&(_, o)| o == ours).map(|(w, _)| w)
    }

    /// The codecs that both sides have: in the offer's order and under its numbers (RFC 3264
    /// section 6.1).
    pub(super) fn answering(ours: &Formats<'_>, theirs: &Formats<'_>) -> Self {
        let mut numbers = Self::NONE;
        for format in theirs.iter().filter(|_| ours.is_rtp()) {
            let own = ours.find(&format).filter(|own| numbers.written(own.payload).is_none());
            if let Some(own) = own {
                numbers.push(format.payload, own.payload);
            }
        }
        numbers.resolved(ours)
    }

    /// All codecs of ours, under the numbers that they had in the session. A number that stood for
    /// another codec is not used (RFC 3264 section 8.3.2).
    pub(super) fn offering(
        ours: &Formats<'_>,
        local: Option<&Formats<'_>>,
        remote: Option<&Formats<'_>>,
    ) -> Self {
        let mut numbers = Self::NONE;
        for format in ours.iter().filter(|_| ours.is_rtp()) {
            let before = local.and_then(|l| l.find(&format)).map(|f| f.payload);
            let means_else = |p: u8, side: Option<&Formats<'_>>| {
                side.and_then(|s| s.payload(p)).is_some_and(|f| !f.same(&format))
            };
            let free = |p: &u8| numbers.iter().all(|(w, _)| w != *p) && !means_else(*p, local);
            let spare = (96..128).chain(35..64).filter(|&p| ours.payload(p).is_none());
            let wanted = before.into_iter().chain([format.payload]).chain(spare).filter(free);
            // A peer that has named all of them does not get its way.
            let best = wanted.clone().find(|&p| !means_else(p, remote));
            if let Some(number) = best.or_else(|| wanted.clone().next()) {
                numbers.push(number, format.payload);
            }
        }
        numbers.resolved(ours)
    }

    /// Without the codecs whose parameters speak of one that is not there.
    fn resolved(self, ours: &Formats<'_>) -> Self {
        let mut kept = Self::NONE;
        let there = |f: Format<'_>| f.references().all(|p| p.is_some_and(|p| self.has(p)));
        for (written, own) in self.iter() {
            if ours.payload(own).is_some_and(there) {
                kept.push(written, own);
            }
        }
        kept
    }

    fn has(&self, ours: u8) -> bool {
        self.written(ours).is_some()
    }
}
