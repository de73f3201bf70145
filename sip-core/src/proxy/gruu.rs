//! GRUUs (RFC 5627): URIs that lead to one device of a user, made and read without memory.
//!
//! A public one is the address of record with the instance in `gr`. A temporary one hides both: its
//! user part holds, for the engines of the service alone, the user and a mark of the instance and of
//! the Call-ID by which it is registered, so that it ends with that registration (RFC 5627 5.4).

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sha2::Digest as _;

use super::edge::instance;
use super::flow_token::decode;
#[cfg(feature = "registrar")]
use super::flow_token::encode;
use crate::auth::digest::same;
use crate::cx::Cx;
use crate::header::escape::unescape;
use crate::header::{Uri, UriParams};
use crate::store::index::Keyer;
use crate::store::queries::Binding;
use crate::wire::Span;
#[cfg(feature = "registrar")]
use crate::wire::scan::{Class, is};

/// What the user part of a temporary GRUU begins with.
const PREFIX: &[u8] = b"tgruu.";
const SEAL: usize = 10;
/// Random bytes, and the mark.
const HEAD: usize = 4 + 8;
/// The longest user that a temporary GRUU is made for.
const USER: usize = 64;
const MOST: usize = SEAL + HEAD + USER;
/// The longest instance that is compared.
const INSTANCE: usize = 128;

/// Which of an address of record's bindings a Request-URI is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// All.
    Any,
    /// Those of this instance, so many bytes long.
    Instance([u8; INSTANCE], usize),
    /// Those with this mark.
    Mark(u64),
}

impl Wanted {
    /// What the Request-URI `text` wants.
    pub(super) fn of(cx: &Cx, text: &[u8]) -> Self {
        let Ok(uri) = Uri::parse(text) else { return Self::Any };
        match (gr(text, &uri), open(cx, uri.user.of(text))) {
            (Some(_), Some((mark, ..))) => Self::Mark(mark),
            (Some(value), None) => {
                let mut out = [0; INSTANCE];
                let mut len = 0;
                for byte in unescape(value) {
                    let Some(place) = out.get_mut(len) else { return Self::Any };
                    *place = byte;
                    len += 1;
                }
                Self::Instance(out, len)
            }
            (None, _) => Self::Any,
        }
    }

    /// Whether it is one device.
    pub(super) const fn is_one(&self) -> bool {
        !matches!(self, Self::Any)
    }

    /// Whether a binding is meant.
    pub(super) fn fits(&self, keyer: &Keyer, b: &Binding<'_>) -> bool {
        let params = b.params.as_bytes();
        let (id, _) = instance(params, Span::new(0, params.len()));
        match self {
            Self::Any => true,
            Self::Instance(wanted, len) => {
                id.map(bare).is_some_and(|id| wanted.get(..*len) == Some(id))
            }
            Self::Mark(wanted) => id.is_some_and(|id| mark(keyer, id, b.call_id) == *wanted),
        }
    }
}

/// Whether a Contact is a GRUU itself: nobody is reached by one's own address of record (RFC 5627
/// 5.1).
#[cfg(feature = "registrar")]
pub(crate) fn is_gruu(text: &[u8]) -> bool {
    Uri::parse(text).is_ok_and(|uri| gr(text, &uri).is_some())
}

/// The value of `gr`, empty for one without.
fn gr<'a>(text: &'a [u8], uri: &Uri) -> Option<&'a [u8]> {
    let found =
        UriParams::new(text, uri.params).find(|p| p.name.of(text).eq_ignore_ascii_case(b"gr"))?;
    Some(found.value.map_or(&[][..], |v| v.of(text)))
}

/// The instance without its angle brackets.
fn bare(id: &[u8]) -> &[u8] {
    id.strip_prefix(b"<").and_then(|i| i.strip_suffix(b">")).unwrap_or(id)
}

fn mark(keyer: &Keyer, instance: &[u8], call_id: &str) -> u64 {
    keyer.start(b'g').part(instance).part(call_id.as_bytes()).finish().short()
}

fn seal(cx: &Cx, body: &[u8]) -> [u8; SEAL] {
    let bits = cx.shared.start(b't').part(body).finish().bits().to_be_bytes();
    let mut out = [0; SEAL];
    for (to, from) in out.iter_mut().zip(bits) {
        *to = from;
    }
    out
}

/// Hides or shows `body`, whose seal starts the key stream: no two differing bodies have the same.
fn mask(cx: &Cx, seal: &[u8], body: &mut [u8]) {
    let key = sha2::Sha256::new().chain_update(cx.hidden).chain_update(seal).finalize();
    let mut stream = ChaCha20Rng::from_seed(key.into());
    let mut bytes = [0; MOST];
    stream.fill_bytes(&mut bytes);
    for (to, from) in body.iter_mut().zip(bytes) {
        *to ^= from;
    }
}

/// The mark and the user, with its length, of a temporary GRUU's user part.
fn open(cx: &Cx, user: &[u8]) -> Option<(u64, [u8; USER], usize)> {
    let mut bytes = [0; MOST];
    let len = decode(user.strip_prefix(PREFIX)?, &mut bytes)?;
    let (mark_of, body) = bytes.get_mut(..len)?.split_at_mut_checked(SEAL)?;
    mask(cx, mark_of, body);
    if !same(&seal(cx, body), mark_of) {
        return None;
    }
    let (_, rest) = body.split_first_chunk::<4>()?;
    let (mark, name) = rest.split_first_chunk::<8>()?;
    let mut out = [0; USER];
    out.get_mut(..name.len())?.copy_from_slice(name);
    Some((u64::from_be_bytes(*mark), out, name.len()))
}

/// The address of record that the Request-URI `text` is one of: that of its user, or of the user that
/// a temporary GRUU hides. `None` where it cannot be read.
pub(super) fn aor<'a>(cx: &Cx, text: &[u8], out: &'a mut [u8]) -> Option<&'a [u8]> {
    let uri = Uri::parse(text).ok()?;
    if !uri.user.of(text).starts_with(PREFIX) || gr(text, &uri).is_none() {
        return crate::header::aor::canonical(text, out);
    }
    let Some((_, user, len)) = open(cx, uri.user.of(text)) else {
        return crate::header::aor::canonical(text, out);
    };
    let host = uri.host.of(text);
    let mut to = Out { room: out, len: 0 };
    to.put(b"sip:")?;
    to.put(user.get(..len)?)?;
    to.put(b"@")?;
    to.put_lower(host)?;
    let Out { room, len } = to;
    room.get(..len)
}

/// Writes what a Contact gets of a registrar that gives GRUUs: `;pub-gruu="..";temp-gruu=".."`, each
/// as far as there can be one; how many bytes. `aor` is canonical.
#[cfg(feature = "registrar")]
pub(crate) fn write(cx: &mut Cx, aor: &[u8], b: &Binding<'_>, out: &mut [u8]) -> usize {
    let params = b.params.as_bytes();
    let (Some(id), _) = instance(params, Span::new(0, params.len())) else { return 0 };
    let Ok(uri) = Uri::parse(aor) else { return 0 };
    let mut to = Out { room: out, len: 0 };
    let written = write_public(&mut to, aor, id);
    let public = if written.is_some() { to.len } else { 0 };
    to.len = public;
    match write_temporary(cx, &mut to, aor, &uri, mark(&cx.shared, id, b.call_id)) {
        Some(()) => to.len,
        None => public,
    }
}

#[cfg(feature = "registrar")]
fn write_public(to: &mut Out<'_>, aor: &[u8], id: &[u8]) -> Option<()> {
    to.put(b";pub-gruu=\"")?;
    to.put(aor)?;
    to.put(b";gr=")?;
    for byte in bare(id) {
        to.put_param(*byte)?;
    }
    to.put(b"\"")
}

#[cfg(feature = "registrar")]
fn write_temporary(cx: &mut Cx, to: &mut Out<'_>, aor: &[u8], uri: &Uri, mark: u64) -> Option<()> {
    let (mut bytes, user) = ([0; MOST], uri.user.of(aor));
    let end = SEAL.checked_add(HEAD)?.checked_add(user.len())?;
    let random = cx.random().to_be_bytes();
    let body = bytes.get_mut(SEAL..end)?;
    let parts =
        random.iter().take(4).copied().chain(mark.to_be_bytes()).chain(user.iter().copied());
    body.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    let mark = seal(cx, body);
    mask(cx, &mark, body);
    bytes.get_mut(..SEAL)?.copy_from_slice(&mark);
    let mut text = [0; (MOST * 8).div_ceil(5)];
    let len = encode(bytes.get(..end)?, &mut text);
    for part in [b";temp-gruu=\"sip:", PREFIX, text.get(..len)?, b"@", uri.host.of(aor), b";gr\""] {
        to.put(part)?;
    }
    Some(())
}

struct Out<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.room.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    fn put_lower(&mut self, bytes: &[u8]) -> Option<()> {
        let start = self.len;
        self.put(bytes)?;
        self.room.get_mut(start..self.len)?.make_ascii_lowercase();
        Some(())
    }

    /// A byte of a parameter's value, escaped where it cannot stand there.
    #[cfg(feature = "registrar")]
    fn put_param(&mut self, byte: u8) -> Option<()> {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        if byte != b'%' && is(byte, Class::PARAM) {
            return self.put(&[byte]);
        }
        let digit = |n: u8| DIGITS.get(usize::from(n)).copied();
        self.put(&[b'%', digit(byte >> 4)?, digit(byte & 15)?])
    }
}
