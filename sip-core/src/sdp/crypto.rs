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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crypto_values_have_tag_suite_and_key() {
        let read = Crypto::parse(b"12 SUITE inline:KEY|2^20 KDR=1").unwrap();
        assert_eq!(
            (read.tag, read.suite, read.rest),
            (&b"12"[..], &b"SUITE"[..], &b"inline:KEY|2^20 KDR=1"[..])
        );
        for bad in
            ["", "1", "1 S", "1 S key:K", "1 S inline:", "-1 S inline:K", "1234567890 S inline:K"]
        {
            assert!(Crypto::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn session_parameters_bind_both_sides_but_for_the_window_hint() {
        let suits = |offered: &str, ours: &str| {
            let read = |v: &str| std::string::String::from("1 ") + v;
            let (offered, ours) = (read(offered), read(ours));
            let ours = Crypto::parse(ours.as_bytes()).unwrap();
            Crypto::parse(offered.as_bytes()).unwrap().suits(ours)
        };
        assert!(suits("S inline:K", "s inline:L"));
        assert!(suits("S inline:K WSH=128", "S inline:L"));
        assert!(suits("S inline:K KDR=1", "S inline:L KDR=1"));
        assert!(!suits("S inline:K KDR=1", "S inline:L KDR=2"));
        assert!(!suits("S inline:K UNAUTHENTICATED_SRTP", "S inline:L"));
        assert!(!suits("S inline:K", "T inline:K"));
    }

    #[test]
    fn plain_rtp_with_a_key_speaks_the_encrypted_one_too() {
        assert!(speaks(b"RTP/AVP", true, b"RTP/SAVP") && speaks(b"RTP/AVPF", true, b"RTP/SAVPF"));
        assert!(!speaks(b"RTP/AVP", false, b"RTP/SAVP") && !speaks(b"RTP/SAVP", true, b"RTP/AVP"));
        assert!(!speaks(b"RTP/AVP", true, b"RTP/SAVPF") && speaks(b"udptl", false, b"UDPTL"));
    }
}
