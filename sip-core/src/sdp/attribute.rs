//! `a=` lines (RFC 8866 sections 5.13 and 6).

use super::line::{number, split_once, trim_spaces};

/// `a=`: a property (`a=recvonly`) or a value (`a=ptime:20`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name, compared with case (RFC 8866 section 5.13).
    pub name: &'a [u8],
    /// What follows the colon, where there is one.
    pub value: Option<&'a [u8]>,
}

impl<'a> Attribute<'a> {
    /// Reads the value of an `a=` line. An attribute without a name has an empty one.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Self {
        let (name, value) = split_once(value, b':');
        Self { name: trim_spaces(name), value }
    }
}

/// Which way a stream flows, as its sender sees it (RFC 8866 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both ways; what is meant where nothing is said.
    #[default]
    SendRecv,
    /// The sender of the description only sends.
    SendOnly,
    /// The sender of the description only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The direction of a sender that sends or not, receives or not.
    #[must_use]
    pub const fn flow(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction that an attribute of this name states.
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|d| d.name().as_bytes() == name)
    }

    /// Whether the sender of the description sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the sender of the description receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow as the other side sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both => both,
        }
    }
}

/// `a=rtpmap:`: the codec of a payload type (RFC 8866 section 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// Payload type, 0 to 127.
    pub payload: u8,
    /// Encoding name, compared without case.
    pub encoding: &'a [u8],
    /// Clock rate in hertz.
    pub clock_rate: u32,
    /// Encoding parameters: for audio the number of channels.
    pub params: Option<&'a [u8]>,
}

impl<'a> RtpMap<'a> {
    /// Reads the value of an `rtpmap` attribute.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (payload, rest) = split_once(trim_spaces(value), b' ');
        let payload = u8::try_from(number(payload)?).ok().filter(|&p| p < 128)?;
        Self::of(payload, trim_spaces(rest?))
    }

    /// What stands behind the payload type, without spaces around it.
    pub(super) fn of(payload: u8, codec: &'a [u8]) -> Option<Self> {
        let (encoding, rest) = split_once(codec, b'/');
        let (clock_rate, params) = split_once(rest?, b'/');
        let clock_rate = u32::try_from(number(clock_rate)?).ok()?;
        (!encoding.is_empty()).then_some(Self { payload, encoding, clock_rate, params })
    }

    /// Number of audio channels: 1 where nothing is said.
    #[must_use]
    pub fn channels(&self) -> Option<u8> {
        match self.params {
            None => Some(1),
            Some(params) => u8::try_from(number(params)?).ok().filter(|&c| c > 0),
        }
    }
}

/// `a=fmtp:`: parameters of one format (RFC 8866 section 6.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fmtp<'a> {
    /// The format, as in the `m=` line.
    pub format: &'a [u8],
    /// Its parameters, in that format's own syntax.
    pub params: &'a [u8],
}

impl<'a> Fmtp<'a> {
    /// Reads the value of an `fmtp` attribute.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (format, params) = split_once(trim_spaces(value), b' ');
        (!format.is_empty()).then_some(Self { format, params: trim_spaces(params?) })
    }

    /// The parameters as `name=value` pairs separated by `;`, the form that most formats use.
    #[must_use]
    pub const fn pairs(&self) -> FmtpParams<'a> {
        FmtpParams { rest: Some(self.params) }
    }
}

/// Iterates over `name=value;name` parameters; the value is `None` where there is no `=`.
#[derive(Clone, Copy, Debug)]
pub struct FmtpParams<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for FmtpParams<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (pair, rest) = split_once(self.rest?, b';');
            self.rest = rest;
            let pair = trim_spaces(pair);
            if !pair.is_empty() {
                let (name, value) = split_once(pair, b'=');
                return Some((trim_spaces(name), value.map(trim_spaces)));
            }
        }
    }
}

/// Reads `20` or `2.5` milliseconds as microseconds (RFC 8866 section 6.4: a positive integer or
/// real). More than three decimals are cut off.
pub(super) fn milliseconds(value: &[u8]) -> Option<u32> {
    let (whole, decimals) = split_once(trim_spaces(value), b'.');
    let whole = u32::try_from(number(whole)?).ok()?.checked_mul(1_000)?;
    let mut decimal = 0_u32;
    if let Some(decimals) = decimals {
        number(decimals.get(..decimals.len().min(18))?)?;
        if !decimals.iter().all(u8::is_ascii_digit) {
            return None;
        }
        for place in 0..3 {
            let digit = decimals.get(place).map_or(0, |b| u32::from(b.wrapping_sub(b'0')));
            decimal = decimal.checked_mul(10)?.checked_add(digit)?;
        }
    }
    whole.checked_add(decimal).filter(|&us| us > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn rtpmap_reads_channels_and_bounds_the_payload_type() {
        let map = RtpMap::parse(b"96 L16/44100/2").unwrap();
        assert_eq!((map.payload, map.encoding, map.clock_rate), (96, &b"L16"[..], 44_100));
        assert_eq!(map.channels(), Some(2));
        assert_eq!(RtpMap::parse(b"0 PCMU/8000").unwrap().channels(), Some(1));
        for bad in [
            "",
            "0",
            "0 PCMU",
            "128 PCMU/8000",
            "256 a/1",
            "x a/1",
            "0 /8000",
            "0 a/-1",
            "0 a/4294967296",
        ] {
            assert_eq!(RtpMap::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn fmtp_splits_pairs() {
        let fmtp = Fmtp::parse(b"97 mode-set=0,2; octet-align=1;;robust").unwrap();
        assert_eq!(fmtp.format, b"97");
        let pairs: Vec<_> = fmtp.pairs().collect();
        assert_eq!(
            pairs,
            [
                (&b"mode-set"[..], Some(&b"0,2"[..])),
                (b"octet-align", Some(b"1")),
                (b"robust", None),
            ]
        );
        assert_eq!(Fmtp::parse(b"101 0-15").unwrap().params, b"0-15");
        assert_eq!(Fmtp::parse(b"101"), None);
    }

    #[test]
    fn packet_times_may_be_fractions() {
        assert_eq!(milliseconds(b"20"), Some(20_000));
        assert_eq!(milliseconds(b"2.5"), Some(2_500));
        assert_eq!(milliseconds(b"0.1259999999999999999999999"), Some(125));
        for bad in ["", "0", "0.0001", "-1", ".5", "1.", "1.x", "1.5x", "4294968"] {
            assert_eq!(milliseconds(bad.as_bytes()), None, "{bad}");
        }
    }
}
