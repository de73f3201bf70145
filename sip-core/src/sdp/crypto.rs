//! Keys in `a=crypto` attributes (RFC 4568).

use super::description::Section;
use super::line::{Fields, number};

/// The value of an `a=crypto` attribute (RFC 4568 section 9.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Crypto<'a> {
    /// Up to nine digits.
    pub(super) tag: &'a [u8],
    /// Name of the cryptographic suite.
    pub(super) suite: &'a [u8],
    /// Key parameters and session parameters.
    pub(super) rest: &'a [u8],
}

impl<'a> Crypto<'a> {
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::of(value);
        let (tag, suite) = (fields.next()?, fields.next()?);
        let rest = fields.rest();
        let key = fields.next()?;
        let keyed = key.len() > 7 && key.get(..7)?.eq_ignore_ascii_case(b"inline:");
        (tag.len() <= 9 && number(tag).is_some() && keyed).then_some(Self { tag, suite, rest })
    }

    /// Session parameters; the first field of the rest is the key.
    fn session_parameters(self) -> impl Iterator<Item = &'a [u8]> {
        Fields::of(self.rest).skip(1)
    }

    fn suits(self, ours: Self) -> bool {
        // RFC 4568 6.3.7: a window size hint may be ignored; other parameters bind both sides.
        let binding = |p: &&[u8]| !p.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"WSH="));
        self.suite.eq_ignore_ascii_case(ours.suite)
            && self
                .session_parameters()
                .filter(binding)
                .all(|p| ours.session_parameters().any(|o| o == p))
    }
}

/// Whether a transport is RTP with keys from `a=crypto`.
pub(super) fn is_secure(transport: &[u8]) -> bool {
    transport.eq_ignore_ascii_case(b"RTP/SAVP") || transport.eq_ignore_ascii_case(b"RTP/SAVPF")
}

/// Whether a stream of ours can answer this transport: the same, or the encrypted one where we have
/// a key.
pub(super) fn speaks(ours: &[u8], keyed: bool, theirs: &[u8]) -> bool {
    let upgrade = keyed
        && ((ours.eq_ignore_ascii_case(b"RTP/AVP") && theirs.eq_ignore_ascii_case(b"RTP/SAVP"))
            || (ours.eq_ignore_ascii_case(b"RTP/AVPF")
                && theirs.eq_ignore_ascii_case(b"RTP/SAVPF")));
    ours.eq_ignore_ascii_case(theirs) || upgrade
}

pub(super) fn own<'a>(stream: &Section<'a>) -> Option<Crypto<'a>> {
    stream.crypto().find_map(Crypto::parse)
}

/// The first of the offered keys whose suite is ours and whose session parameters we keep.
pub(super) fn accepted<'a>(offered: &Section<'a>, ours: Crypto<'_>) -> Option<Crypto<'a>> {
    offered.crypto().filter_map(Crypto::parse).find(|c| c.suits(ours))
}

/// Whether an answer takes exactly one of the offered keys (RFC 4568 section 5.1.3).
pub(super) fn answers(offered: &Section<'_>, answered: &Section<'_>) -> bool {
    let mut taken = answered.crypto();
    let (Some(one), None) = (taken.next(), taken.next()) else { return false };
    Crypto::parse(one).is_some_and(|one| {
        let mut offers = offered.crypto().filter_map(Crypto::parse);
        offers.any(|o| o.tag == one.tag && o.suite.eq_ignore_ascii_case(one.suite))
    })
}
