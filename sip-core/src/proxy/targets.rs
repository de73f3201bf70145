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
    /// Where the next entry begins.
    pub next: usize,
}

/// The lengths of the four texts.
const HEAD: usize = 8;

impl Entry {
    /// The entry that begins at `at`.
    pub(super) fn at(set: &[u8], at: usize) -> Option<Self> {
        let len = |i: usize| {
            let two = set.get(i..i.checked_add(2)?)?;
            Some(usize::from(u16::from_le_bytes(two.try_into().ok()?)))
        };
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
            next,
        })
    }
}

/// Encodes a target set into `out`, the highest q first and at most `most`. A URI that is in the
/// set already is left out (16.5), and so is what is no URI. Returns the length and how many.
pub(super) fn encode<'a>(
    targets: impl Iterator<Item = Target<'a>> + Clone,
    most: usize,
    out: &mut [u8],
) -> Result<(usize, u8), Error> {
    let (mut len, mut count) = (0usize, 0u8);
    let mut ceiling = u16::MAX;
    // Each round takes the targets of the highest q below the last round's.
    while let Some(q) = targets.clone().map(|t| t.q).filter(|q| *q < ceiling).max() {
        for target in targets.clone().filter(|t| t.q == q) {
            if usize::from(count) >= most {
                return Ok((len, count));
            }
            let set = out.get(..len).unwrap_or(&[]);
            if !is_usable(&target) || is_known(set, &target) {
                continue;
            }
            len = put(out, len, &target)?;
            count = count.saturating_add(1);
        }
        ceiling = q;
    }
    Ok((len, count))
}

fn is_usable(target: &Target<'_>) -> bool {
    let fits = |uri: &str| uri.is_empty() || Uri::parse(uri.as_bytes()).is_ok();
    fits(target.uri) && fits(target.next_hop)
}

fn is_known(set: &[u8], target: &Target<'_>) -> bool {
    let mut at = 0;
    while let Some(entry) = Entry::at(set, at) {
        if equal(entry.uri.of(set), target.uri.as_bytes())
            && entry.hop.of(set) == target.next_hop.as_bytes()
            && entry.path.of(set) == target.path.as_bytes()
        {
            return true;
        }
        at = entry.next;
    }
    false
}

fn put(out: &mut [u8], at: usize, target: &Target<'_>) -> Result<usize, Error> {
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
        let list: Vec<Target<'_>> =
            targets.iter().map(|(uri, q)| Target { uri, q: *q, ..Target::default() }).collect();
        let mut out = [0; 1_000];
        let (len, count) = encode(list.iter().copied(), most, &mut out).unwrap();
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
