//! The target set of a request (RFC 3261 16.5), as bytes in one block: what is still to be tried.

use crate::error::{Error, Limit};
use crate::header::{Uri, UriParams, equal};
use crate::store::queries::Target;
use crate::wire::Span;

/// One target, as spans of the encoded set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Entry {
    /// The new Request-URI; empty keeps the request's.
    pub uri: Span,
    /// The next hop in its place; empty for none.
    pub hop: Span,
    /// The routes that come before the request's own; empty for none.
    pub path: Span,
    /// What is known of the device, as parameters of a Contact.
    pub params: Span,
    /// Its place in the order: see [`rank`].
    pub rank: u32,
    /// Where the next entry begins.
    pub next: usize,
}

/// The lengths of the four texts, then the rank.
const HEAD: usize = 12;
/// Where the rank is.
const RANK: usize = 8;

/// A target's place in the order: its own preference, then how well it suits the caller (RFC 3841
/// 7.2.4), both in thousandths. The highest comes first; what is equal is one group.
pub(super) const fn rank(q: u16, suits: u16) -> u32 {
    ((q as u32) << 16) | suits as u32
}

impl Entry {
    /// The entry that begins at `at`.
    pub(super) fn at(set: &[u8], at: usize) -> Option<Self> {
        let len = |i: usize| {
            let two = set.get(i..i.checked_add(2)?)?;
            Some(usize::from(u16::from_le_bytes(two.try_into().ok()?)))
        };
        let rank = set.get(at.checked_add(RANK)?..at.checked_add(HEAD)?)?;
        let rank = u32::from_le_bytes(rank.try_into().ok()?);
        let uri = at.checked_add(HEAD)?;
        let hop = uri.checked_add(len(at)?)?;
        let path = hop.checked_add(len(at.checked_add(2)?)?)?;
        let params = path.checked_add(len(at.checked_add(4)?)?)?;
        let next = params.checked_add(len(at.checked_add(6)?)?)?;
        (next <= set.len()).then(|| Self {
            uri: Span::new(uri, hop),
            hop: Span::new(hop, path),
            path: Span::new(path, params),
            params: Span::new(params, next),
            rank,
            next,
        })
    }

    /// It as a target, from the set in which it is.
    pub(super) fn target(self, set: &[u8]) -> Ranked<'_> {
        let text = |span: Span| core::str::from_utf8(span.of(set)).unwrap_or("");
        let target = Target {
            uri: text(self.uri),
            next_hop: text(self.hop),
            q: u16::try_from(self.rank >> 16).unwrap_or(u16::MAX),
            path: text(self.path),
            params: text(self.params),
        };
        (target, self.rank)
    }
}

/// The entries of `set` from `at` on.
pub(super) fn entries(set: &[u8], at: usize) -> impl Iterator<Item = Entry> + Clone {
    core::iter::successors(Entry::at(set, at), |e| Entry::at(set, e.next))
}

/// A target and its rank.
pub(super) type Ranked<'a> = (Target<'a>, u32);

/// Encodes a target set into `out`: the bytes of `tried` first, then the targets, the highest rank
/// first and at most `most` of them. A URI that is in the set already is left out (16.5, 16.7 step
/// 4), and so is what is no URI. Returns the length and how many targets.
pub(super) fn encode<'a>(
    tried: &[u8],
    targets: impl Iterator<Item = Ranked<'a>> + Clone,
    most: usize,
    out: &mut [u8],
) -> Result<(usize, u8), Error> {
    let full = Error::Full(Limit::MessageBytes);
    out.get_mut(..tried.len()).ok_or(full)?.copy_from_slice(tried);
    let (mut len, mut count) = (tried.len(), 0u8);
    let mut ceiling = u32::MAX;
    // Each round takes the targets of the highest rank below the last round's.
    while let Some(rank) = targets.clone().map(|t| t.1).filter(|r| *r < ceiling).max() {
        for (target, _) in targets.clone().filter(|t| t.1 == rank) {
            if usize::from(count) >= most {
                return Ok((len, count));
            }
            let set = out.get(..len).unwrap_or(&[]);
            if !is_usable(&target) || is_known(set, &target) {
                continue;
            }
            len = put(out, len, &target, rank)?;
            count = count.saturating_add(1);
        }
        ceiling = rank;
    }
    Ok((len, count))
}

pub(super) fn is_usable(target: &Target<'_>) -> bool {
    let fits = |uri: &str| uri.is_empty() || Uri::parse(uri.as_bytes()).is_ok();
    fits(target.uri) && fits(target.next_hop)
}

fn is_known(set: &[u8], target: &Target<'_>) -> bool {
    entries(set, 0).any(|entry| {
        equal(entry.uri.of(set), target.uri.as_bytes())
            && entry.hop.of(set) == target.next_hop.as_bytes()
            && entry.path.of(set) == target.path.as_bytes()
    })
}

fn put(out: &mut [u8], at: usize, target: &Target<'_>, rank: u32) -> Result<usize, Error> {
    let full = Error::Full(Limit::MessageBytes);
    let uri_at = at.checked_add(HEAD).ok_or(full)?;
    let room = out.get_mut(uri_at..).ok_or(full)?;
    let uri_len = put_request_uri(target.uri.as_bytes(), room).ok_or(full)?;
    let mut end = uri_at.checked_add(uri_len).ok_or(full)?;
    let mut lens = [uri_len, 0, 0, 0];
    for (text, len) in [target.next_hop, target.path, target.params].iter().zip(&mut lens[1..]) {
        let start = end;
        end = start.checked_add(text.len()).ok_or(full)?;
        out.get_mut(start..end).ok_or(full)?.copy_from_slice(text.as_bytes());
        *len = text.len();
    }
    for (i, len) in lens.into_iter().enumerate() {
        let (place, len) = (at + 2 * i, u16::try_from(len).map_err(|_| full)?);
        out.get_mut(place..place + 2).ok_or(full)?.copy_from_slice(&len.to_le_bytes());
    }
    out.get_mut(at + RANK..uri_at).ok_or(full)?.copy_from_slice(&rank.to_le_bytes());
    Ok(end)
}

/// Writes a URI as a Request-URI: without header fields and `method`, which RFC 3261 19.1.1 keeps
/// out of one (16.6 step 2).
fn put_request_uri(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut len = 0usize;
    let mut add = |part: &[u8]| {
        let end = len.checked_add(part.len())?;
        out.get_mut(len..end)?.copy_from_slice(part);
        len = end;
        Some(())
    };
    let uri = Uri::parse(text).ok().filter(Uri::is_sip);
    let Some(uri) = uri.filter(|u| !u.headers.is_empty() || !u.method.is_empty()) else {
        add(text)?;
        return Some(len);
    };
    let head = if uri.params.is_empty() {
        uri.headers.start().saturating_sub(1)
    } else {
        uri.params.start()
    };
    add(text.get(..head)?)?;
    for param in UriParams::new(text, uri.params) {
        let name = param.name.of(text);
        if name.eq_ignore_ascii_case(b"method") {
            continue;
        }
        add(b";")?;
        add(name)?;
        if let Some(value) = param.value {
            add(b"=")?;
            add(value.of(text))?;
        }
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn encoded(targets: &[(&'static str, u16)], most: usize) -> Vec<String> {
        let list: Vec<Ranked<'_>> = targets
            .iter()
            .map(|(uri, q)| (Target { uri, q: *q, ..Target::default() }, rank(*q, 1_000)))
            .collect();
        let mut out = [0; 1_000];
        let (len, count) = encode(&[], list.iter().copied(), most, &mut out).unwrap();
        let set = &out[..len];
        let (mut at, mut uris) = (0, Vec::new());
        while let Some(e) = Entry::at(set, at) {
            uris.push(String::from_utf8(e.uri.of(set).to_vec()).unwrap());
            at = e.next;
        }
        assert_eq!(uris.len(), usize::from(count));
        assert_eq!(at, len);
        uris
    }

    #[test]
    fn the_highest_q_comes_first_and_equal_ones_keep_their_order() {
        let got =
            encoded(&[("sip:a@h", 1), ("sip:b@h", 900), ("sip:c@h", 1), ("sip:d@h", 1000)], 9);
        assert_eq!(got, ["sip:d@h", "sip:b@h", "sip:a@h", "sip:c@h"]);
        let got = encoded(&[("sip:a@h", 1), ("sip:b@h", 900), ("sip:c@h", 1)], 2);
        assert_eq!(got, ["sip:b@h", "sip:a@h"]);
    }

    // RFC 3261 16.5
    #[test]
    fn a_uri_is_in_the_set_once() {
        let got = encoded(&[("sip:a@H", 1), ("sip:%61@h", 1), ("sip:a@h:5060", 1)], 9);
        assert_eq!(got, ["sip:a@H", "sip:a@h:5060"]);
    }

    // RFC 3261 16.6 step 2, 19.1.1
    #[test]
    fn what_may_not_stand_in_a_request_uri_goes() {
        for (given, want) in [
            ("sip:a@h?Route=%3Csip:x%3E", "sip:a@h"),
            ("sip:a@h:1;x=1;method=INVITE;lr?a=b", "sip:a@h:1;x=1;lr"),
            ("sip:a;b?@h;y", "sip:a;b?@h;y"),
            ("sip:a?b@h?c=d", "sip:a?b@h"),
            ("tel:+1;method=x", "tel:+1;method=x"),
        ] {
            assert_eq!(encoded(&[(given, 0)], 9), [want], "{given}");
        }
        assert!(encoded(&[("no uri", 0)], 9).is_empty());
    }
}
