//! The text of a question for a user's secret: a digit for the algorithm, the realm, the user.

use crate::header::auth::Algorithm;
use crate::header::escape::unescape_quoted;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256];

/// Writes the text into `out`: its length, and how many of its bytes the realm has. `None` where it
/// does not fit or is no UTF-8, which nobody could be asked for. Realm and user are taken as they
/// stand between their quotes and lose their escapes.
#[must_use]
pub fn encode(
    algorithm: Algorithm,
    realm: &[u8],
    user: &[u8],
    out: &mut [u8],
) -> Option<(usize, u16)> {
    let index = ALGORITHMS.iter().position(|a| *a == super::digest::base(algorithm))?;
    let mut at = 0usize;
    let mut put = |byte: u8| {
        *out.get_mut(at)? = byte;
        at = at.checked_add(1)?;
        Some(at)
    };
    put(b'0'.checked_add(u8::try_from(index).ok()?)?)?;
    let mut split = 1;
    for byte in unescape_quoted(realm) {
        split = put(byte)?;
    }
    let mut len = split;
    for byte in unescape_quoted(user) {
        len = put(byte)?;
    }
    core::str::from_utf8(out.get(..len)?).ok()?;
    Some((len, u16::try_from(split.checked_sub(1)?).ok()?))
}

/// Algorithm, realm and user of a text whose realm has `split` bytes.
#[must_use]
pub fn decode(text: &str, split: u16) -> (Algorithm, &str, &str) {
    let index = text.bytes().next().map_or(0, |b| usize::from(b.wrapping_sub(b'0')));
    let algorithm = ALGORITHMS.get(index).copied().unwrap_or(Algorithm::Other);
    let rest = text.get(1..).unwrap_or("");
    let (realm, user) = rest.split_at_checked(usize::from(split)).unwrap_or((rest, ""));
    (algorithm, realm, user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_comes_out_without_its_escapes() {
        let mut out = [0; 30];
        let (len, split) =
            encode(Algorithm::Sha256Sess, b"a \\\"r\\\" \xc3\xa4", b"u\\\\v", &mut out).unwrap();
        let text = core::str::from_utf8(&out[..len]).unwrap();
        assert_eq!(decode(text, split), (Algorithm::Sha256, "a \"r\" \u{e4}", "u\\v"));
        assert_eq!(encode(Algorithm::Md5, b"\xff", b"u", &mut out), None);
        assert_eq!(encode(Algorithm::Md5, b"0123456789", b"01234567890123456789", &mut out), None);
        assert_eq!(encode(Algorithm::Other, b"r", b"u", &mut out), None);
    }
}
