//! When two URIs are the same (RFC 3261 19.1.4, RFC 3966 4).

use super::escape::same_escaped;
use super::host::Host;
use super::param::Param;
use super::uri::{Scheme, Uri, UriHeaders, UriParams};

/// Parameters or header fields that are compared in any order; with more of them in one URI, two
/// URIs are the same only if their texts are.
const MANY: usize = 64;

/// Whether two URIs are the same by the rules of their scheme. What is no URI is only ever the
/// same as the same bytes.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    let (Ok(left), Ok(right)) = (Uri::parse(a), Uri::parse(b)) else { return false };
    same(Side { text: a, uri: &left }, Side { text: b, uri: &right })
}

/// A URI with the bytes that its spans point into.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The bytes.
    pub text: &'a [u8],
    /// The URI.
    pub uri: &'a Uri,
}

/// Whether two parsed URIs are the same by the rules of their scheme.
#[must_use]
pub fn same(a: Side<'_>, b: Side<'_>) -> bool {
    if a.uri.scheme != b.uri.scheme {
        return false;
    }
    match a.uri.scheme {
        Scheme::Sip | Scheme::Sips => same_sip(a, b),
        Scheme::Tel => same_tel(a, b),
        Scheme::Other => {
            let scheme = |s: Side<'_>| s.uri.scheme_text;
            scheme(a).of(a.text).eq_ignore_ascii_case(scheme(b).of(b.text))
                && a.uri.opaque.of(a.text) == b.uri.opaque.of(b.text)
        }
    }
}

impl<'a> Side<'a> {
    fn params(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
        pairs(self.text, UriParams::new(self.text, self.uri.params))
    }

    fn headers(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
        pairs(self.text, UriHeaders::new(self.text, self.uri.headers))
    }
}

fn pairs(
    text: &[u8],
    params: impl Iterator<Item = Param> + Clone,
) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    params.map(move |p| (p.name.of(text), p.value.unwrap_or_default().of(text)))
}

fn same_sip(a: Side<'_>, b: Side<'_>) -> bool {
    let user = |s: Side<'_>| (s.uri.user.is_empty(), s.uri.password.is_empty());
    user(a) == user(b)
        && same_escaped(a.uri.user.of(a.text), b.uri.user.of(b.text), false)
        && same_escaped(a.uri.password.of(a.text), b.uri.password.of(b.text), false)
        && Host::same(a.uri.host.of(a.text), b.uri.host.of(b.text))
        && a.uri.port == b.uri.port
        && same_params(a, b)
        && same_headers(a, b)
}

/// A parameter of both must have the same value; these may not stand in one of them alone, all
/// others may.
fn same_params(a: Side<'_>, b: Side<'_>) -> bool {
    const BOTH_OR_NONE: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];
    if a.params().count() > MANY || b.params().count() > MANY {
        return false;
    }
    let agree = |x: Side<'_>, y: Side<'_>| {
        x.params().all(|(name, value)| {
            match y.params().find(|(other, _)| same_escaped(name, other, true)) {
                Some((_, other)) => same_escaped(value, other, true),
                None => !BOTH_OR_NONE.iter().any(|n| same_escaped(name, n, true)),
            }
        })
    };
    agree(a, b) && agree(b, a)
}

/// Header fields are never ignored: each must stand in both, and as often.
fn same_headers(a: Side<'_>, b: Side<'_>) -> bool {
    if a.headers().count() != b.headers().count() || a.headers().count() > MANY {
        return false;
    }
    let count = |s: Side<'_>, name: &[u8], value: &[u8]| {
        s.headers()
            .filter(|(n, v)| same_escaped(n, name, true) && same_escaped(v, value, false))
            .count()
    };
    a.headers().all(|(name, value)| count(a, name, value) == count(b, name, value))
}

/// The characters of a telephone number without its visual separators.
fn digits(s: Side<'_>) -> impl Iterator<Item = u8> {
    super::escape::unescape(s.uri.user.of(s.text))
        .filter(|c| !matches!(c, b'-' | b'.' | b'(' | b')'))
        .map(|c| c.to_ascii_lowercase())
}

/// RFC 3966 4: numbers without their visual separators, both global or both local, and the same
/// parameters in any order.
fn same_tel(a: Side<'_>, b: Side<'_>) -> bool {
    if !digits(a).eq(digits(b)) || a.params().count() > MANY || b.params().count() > MANY {
        return false;
    }
    let within = |x: Side<'_>, y: Side<'_>| {
        x.params().all(|(name, value)| {
            y.params().any(|(n, v)| same_escaped(name, n, true) && same_escaped(value, v, true))
        })
    };
    within(a, b) && within(b, a)
}

#[cfg(test)]
mod tests {
    use super::equal;

    #[track_caller]
    fn check(a: &str, b: &str, want: bool) {
        assert_eq!(equal(a.as_bytes(), b.as_bytes()), want, "{a} {b}");
        assert_eq!(equal(b.as_bytes(), a.as_bytes()), want, "{b} {a}");
    }

    #[test]
    fn sip_uris() {
        check("sip:a@h;x=1", "sip:a@h;X=1", true);
        check("sip:a@h;x=1", "sip:a@h;x=2", false);
        check("sip:a@h;transport=udp", "sip:a@h", false);
        check("sip:a@[::1]", "sip:a@[0:0:0:0:0:0:0:1]", true);
        check("sip:a@h?s=1&t=2", "sip:a@h?T=2&S=1", true);
        check("sip:a@h?s=1&s=1&t=2", "sip:a@h?s=1&t=2&t=2", false);
        check("sip:a@h?s=A", "sip:a@h?s=a", false);
        check("sip:a@h", "sip:a@h:5060", false);
        check("sips:a@h", "sip:a@h", false);
        check("sip:%41@h", "sip:A@h", true);
    }

    #[test]
    fn tel_uris() {
        check("tel:+1-201-555-0123", "tel:+12015550123", true);
        check("tel:+1(201)555.0123", "tel:+12015550123", true);
        check("tel:+12015550123", "tel:12015550123", false);
        check("tel:123;phone-context=a.example", "tel:12-3;PHONE-CONTEXT=A.example", true);
        check("tel:123;phone-context=a.example", "tel:123;phone-context=b.example", false);
        check("tel:123;isub=1;ext=2", "tel:123;ext=2;isub=1", true);
        check("tel:123;ext=2", "tel:123", false);
    }

    #[test]
    fn other_schemes_and_no_uris() {
        check("http://a/B", "HTTP://a/B", true);
        check("http://a/B", "http://a/b", false);
        check("not a uri", "not a uri", true);
        check("not a uri", "not  a uri", false);
    }
}
