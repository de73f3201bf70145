//! The typed values of description lines (RFC 8866 section 5).

/// The fields of a line value, separated by one space each (RFC 8866 section 9).
///
/// Runs of spaces and spaces at either end are tolerated: no empty field is ever given.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `value`.
    #[must_use]
    pub const fn of(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    /// What has not been taken yet, without spaces around it.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        trim_spaces(self.rest)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (field, rest) = split_field(self.rest)?;
        self.rest = rest;
        Some(field)
    }
}

fn split_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = bytes.iter().position(|&b| b != b' ')?;
    let from = bytes.get(start..)?;
    let len = from.iter().position(|&b| b == b' ').unwrap_or(from.len());
    from.split_at_checked(len)
}

pub(super) fn trim_spaces(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

/// Splits at the first `by`; the second part is `None` where there is none.
pub(super) fn split_once(bytes: &[u8], by: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|&b| b == by) {
        Some(at) => (bytes.get(..at).unwrap_or(bytes), bytes.get(at.saturating_add(1)..)),
        None => (bytes, None),
    }
}

/// A number of decimal digits only; `None` when empty, otherwise written or above `u64::MAX`.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |sum, &b| match b {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(b.wrapping_sub(b'0'))),
        _ => None,
    })
}

/// `o=`: who made the description, and which version of it this is (RFC 8866 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginLine<'a> {
    /// User name, or `-`.
    pub username: &'a [u8],
    /// Session id: digits of any length.
    pub session_id: &'a [u8],
    /// Session version: digits of any length.
    pub session_version: &'a [u8],
    /// `IN`.
    pub net_type: &'a [u8],
    /// `IP4` or `IP6`.
    pub addr_type: &'a [u8],
    /// Address of the host that made the description.
    pub address: &'a [u8],
}

impl<'a> OriginLine<'a> {
    /// Reads the value of an `o=` line; `None` unless it has exactly six fields and both ids are
    /// digits.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::of(value);
        let origin = Self {
            username: fields.next()?,
            session_id: fields.next()?,
            session_version: fields.next()?,
            net_type: fields.next()?,
            addr_type: fields.next()?,
            address: fields.next()?,
        };
        let digits = |id: &[u8]| id.iter().all(u8::is_ascii_digit);
        (fields.next().is_none() && digits(origin.session_id) && digits(origin.session_version))
            .then_some(origin)
    }
}

/// `c=`: where the media goes (RFC 8866 section 5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// `IN`.
    pub net_type: &'a [u8],
    /// `IP4`, `IP6` or another address type.
    pub addr_type: &'a [u8],
    /// The address or host name without TTL and count.
    pub address: &'a [u8],
    /// Time to live of an IPv4 multicast address.
    pub ttl: Option<u8>,
    /// How many contiguous multicast addresses, where the line says so.
    pub count: Option<u32>,
}

impl<'a> Connection<'a> {
    /// Reads the value of a `c=` line; `None` unless it has exactly three fields and its suffixes
    /// are numbers in range: `/ttl` and `/ttl/count` for `IP4`, `/count` for `IP6`.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::of(value);
        let (net_type, addr_type, whole) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() {
            return None;
        }
        let plain = Self { net_type, addr_type, address: whole, ttl: None, count: None };
        if !plain.is_ip4() && !plain.is_ip6() {
            return Some(plain);
        }
        let (address, suffix) = split_once(whole, b'/');
        if address.is_empty() {
            return None;
        }
        let plain = Self { address, ..plain };
        let Some(suffix) = suffix else { return Some(plain) };
        if plain.is_ip6() {
            return Some(Self { count: Some(positive(suffix)?), ..plain });
        }
        let (ttl, count) = split_once(suffix, b'/');
        let ttl = Some(u8::try_from(number(ttl)?).ok()?);
        let count = match count {
            Some(count) => Some(positive(count)?),
            None => None,
        };
        Some(Self { ttl, count, ..plain })
    }

    /// Whether the address type is `IP4`.
    #[must_use]
    pub fn is_ip4(&self) -> bool {
        self.addr_type.eq_ignore_ascii_case(b"IP4")
    }

    /// Whether the address type is `IP6`.
    #[must_use]
    pub fn is_ip6(&self) -> bool {
        self.addr_type.eq_ignore_ascii_case(b"IP6")
    }

    /// Whether this is the "no address" of old hold and of late addressing: `0.0.0.0` or `::`
    /// (RFC 3264 sections 5.1 and 8.4).
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        (self.is_ip4() && self.address == b"0.0.0.0") || (self.is_ip6() && self.address == b"::")
    }
}

fn positive(bytes: &[u8]) -> Option<u32> {
    u32::try_from(number(bytes)?).ok().filter(|&n| n > 0)
}

/// `b=`: bandwidth (RFC 8866 section 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth<'a> {
    /// `CT`, `AS`, or another modifier; an `X-` name is experimental.
    pub modifier: &'a [u8],
    /// The figure, in kilobits a second for `CT` and `AS`.
    pub value: u64,
}

impl<'a> Bandwidth<'a> {
    /// Reads the value of a `b=` line.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (modifier, figure) = split_once(value, b':');
        (!modifier.is_empty() && !modifier.contains(&b' '))
            .then_some(Self { modifier, value: number(trim_spaces(figure?))? })
    }
}

/// `t=`: when the session is on, in seconds since 1900; 0 is unbounded (RFC 8866 section 5.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Start.
    pub start: u64,
    /// End.
    pub stop: u64,
}

impl Timing {
    /// Reads the value of a `t=` line.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(value);
        let timing = Self { start: number(fields.next()?)?, stop: number(fields.next()?)? };
        fields.next().is_none().then_some(timing)
    }
}

/// Reads a time of `r=` and `z=` lines in seconds: digits and at most one unit of `d`, `h`, `m`,
/// `s`, with a `-` before it where `z=` goes back (RFC 8866 sections 5.10 and 5.11).
#[must_use]
pub fn typed_time(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (digits, unit) = match text {
        [digits @ .., b'd'] => (digits, 86_400),
        [digits @ .., b'h'] => (digits, 3_600),
        [digits @ .., b'm'] => (digits, 60),
        [digits @ .., b's'] => (digits, 1),
        _ => (text, 1),
    };
    let seconds = i64::try_from(number(digits)?).ok()?.checked_mul(unit)?;
    if negative { seconds.checked_neg() } else { Some(seconds) }
}

/// `r=`: repetitions of the times before it (RFC 8866 section 5.10).
#[derive(Clone, Copy, Debug)]
pub struct Repeat<'a> {
    /// Seconds from one repetition to the next.
    pub interval: i64,
    /// Seconds that each lasts.
    pub duration: i64,
    /// Offsets from the start time, each a [`typed_time`].
    pub offsets: Fields<'a>,
}

impl<'a> Repeat<'a> {
    /// Reads the value of an `r=` line; `None` unless every field is a time and there is an offset.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::of(value);
        let time = |f: &'a [u8]| typed_time(f).filter(|&t| t >= 0);
        let interval = time(fields.next()?)?;
        let duration = time(fields.next()?)?;
        let mut offsets = fields;
        offsets.next()?;
        fields.all(|f| time(f).is_some()).then_some(())?;
        let mut offsets = Fields::of(value);
        offsets.next()?;
        offsets.next()?;
        Some(Self { interval, duration, offsets })
    }
}

/// One entry of `z=`: from `at` on, times are shifted by `offset` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Seconds since 1900.
    pub at: u64,
    /// Seconds to shift by.
    pub offset: i64,
}

/// `z=`: time zone adjustments (RFC 8866 section 5.11).
#[derive(Clone, Copy, Debug)]
pub struct Zones<'a> {
    fields: Fields<'a>,
}

impl<'a> Zones<'a> {
    /// Reads the value of a `z=` line; `None` unless it is whole pairs, at least one.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let zones = Self { fields: Fields::of(value) };
        let pairs = zones.count();
        let fields = Fields::of(value).count();
        (pairs > 0 && pairs.checked_mul(2) == Some(fields)).then_some(zones)
    }
}

impl Iterator for Zones<'_> {
    type Item = Zone;

    fn next(&mut self) -> Option<Zone> {
        Some(Zone { at: number(self.fields.next()?)?, offset: typed_time(self.fields.next()?)? })
    }
}

/// `k=`: an encryption key, obsolete (RFC 8866 section 5.12).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// `clear`, `base64`, `uri` or `prompt`.
    pub method: &'a [u8],
    /// The key or where to get it.
    pub key: Option<&'a [u8]>,
}

impl<'a> Key<'a> {
    /// Reads the value of a `k=` line.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (method, key) = split_once(value, b':');
        (!method.is_empty()).then_some(Self { method, key })
    }
}

impl core::fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(not shown)")
    }
}

/// `m=`: one stream of media (RFC 8866 section 5.14).
#[derive(Clone, Copy, Debug)]
pub struct MediaLine<'a> {
    /// `audio`, `video`, `text`, `application`, `message`, `image` or another.
    pub kind: &'a [u8],
    /// Port; 0 is a refused or ended stream (RFC 3264 section 6).
    pub port: u16,
    /// Number of ports, where the line says so.
    pub count: Option<u32>,
    /// `RTP/AVP`, `RTP/SAVP`, `udp` or another.
    pub proto: &'a [u8],
    /// Format names; payload types where `proto` is a profile of RTP. Never empty.
    pub formats: Fields<'a>,
}

impl<'a> MediaLine<'a> {
    /// Reads the value of an `m=` line; `None` when a field is missing, or when port or count are
    /// no numbers in range.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::of(value);
        let kind = fields.next()?;
        let (port, count) = split_once(fields.next()?, b'/');
        let proto = fields.next()?;
        let port = u16::try_from(number(port)?).ok()?;
        let count = match count {
            Some(count) => Some(positive(count)?),
            None => None,
        };
        let formats = fields;
        fields.next()?;
        Some(Self { kind, port, count, proto, formats })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn connection_suffixes_follow_the_address_type() {
        let of =
            |v: &'static str| Connection::parse(v.as_bytes()).map(|c| (c.address, c.ttl, c.count));
        assert_eq!(of("IN IP4 192.0.2.1"), Some((&b"192.0.2.1"[..], None, None)));
        assert_eq!(of("IN IP4 224.2.1.1/127"), Some((&b"224.2.1.1"[..], Some(127), None)));
        assert_eq!(of("IN IP4 224.2.1.1/127/3"), Some((&b"224.2.1.1"[..], Some(127), Some(3))));
        assert_eq!(of("IN IP6 FF15::101/3"), Some((&b"FF15::101"[..], None, Some(3))));
        assert_eq!(of("X Y a/b/c"), Some((&b"a/b/c"[..], None, None)));
        for bad in [
            "",
            "IN",
            "IN IP4",
            "IN IP4 a b",
            "IN IP4 /1",
            "IN IP4 a/256",
            "IN IP4 a/-1",
            "IN IP4 a/1/0",
            "IN IP6 a/1/2",
            "IN IP6 a/0",
            "IN IP6 a/4294967296",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn old_hold_is_recognised() {
        let held = |v: &'static str| Connection::parse(v.as_bytes()).unwrap().is_unspecified();
        assert!(held("IN IP4 0.0.0.0") && held("IN IP6 ::"));
        assert!(!held("IN IP4 0.0.0.1") && !held("IN IP6 ::1"));
    }

    #[test]
    fn media_line_numbers_never_wrap() {
        let of = |v: &'static str| MediaLine::parse(v.as_bytes()).map(|m| (m.port, m.count));
        assert_eq!(of("video 49170/2 RTP/AVP 31"), Some((49170, Some(2))));
        assert_eq!(of("audio 0 RTP/AVP 0"), Some((0, None)));
        assert_eq!(of("audio 65535 RTP/AVP 0 8 "), Some((65535, None)));
        for bad in [
            "audio 65536 RTP/AVP 0",
            "audio -1 RTP/AVP 0",
            "audio +1 RTP/AVP 0",
            "audio 18446744073709551617 RTP/AVP 0",
            "audio 1/0 RTP/AVP 0",
            "audio 1/4294967296 RTP/AVP 0",
            "audio 1/ RTP/AVP 0",
            "audio 1 RTP/AVP",
            "audio 1",
            "audio",
            "",
            "audio 0x10 RTP/AVP 0",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn repeats_and_zones_take_units_and_signs() {
        let r = Repeat::parse(b"7d 1h 0 25h").unwrap();
        assert_eq!((r.interval, r.duration), (604_800, 3_600));
        assert_eq!(r.offsets.map(typed_time).collect::<Vec<_>>(), [Some(0), Some(90_000)]);
        assert!(Repeat::parse(b"7d 1h").is_none());
        assert!(Repeat::parse(b"7d 1h 1w").is_none());
        let z: Vec<_> = Zones::parse(b"2882844526 -1h 2898848070 0").unwrap().collect();
        assert_eq!(
            z,
            [Zone { at: 2_882_844_526, offset: -3_600 }, Zone { at: 2_898_848_070, offset: 0 }]
        );
        assert!(Zones::parse(b"2882844526").is_none());
        assert!(Zones::parse(b"2882844526 -1h x 0").is_none());
        assert_eq!(typed_time(b"9223372036854775807d"), None);
        assert_eq!(typed_time(b"--1"), None);
    }

    #[test]
    fn origin_has_six_fields_and_ids_of_any_length() {
        let o = OriginLine::parse(b"- 99999999999999999999999 1 IN IP4 h").unwrap();
        assert_eq!(o.session_id, b"99999999999999999999999");
        assert!(OriginLine::parse(b"- 1 1 IN IP4").is_none());
        assert!(OriginLine::parse(b"- 1 1 IN IP4 h x").is_none());
        assert!(OriginLine::parse(b"- 1 -1 IN IP4 h").is_none());
    }

    #[test]
    fn keys_are_not_printed() {
        let key = Key::parse(b"clear:secret").unwrap();
        assert_eq!(key.key, Some(&b"secret"[..]));
        assert!(!std::format!("{key:?}").contains("secret"));
    }
}
