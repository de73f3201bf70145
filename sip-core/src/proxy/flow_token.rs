//! Flow tokens (RFC 5626 5.2): the way to a device, as the user part of a Path or Record-Route URI of
//! ours. They need no memory, and nobody but the engines of one service can make them.

use core::net::IpAddr;

use crate::auth::digest::same;
use crate::cx::Cx;
use crate::path::{Addr, FlowId, LocalId, Path};

/// What every token begins with.
const PREFIX: &[u8] = b"flow-";
/// Bytes of identity, connection, port, scope and address.
const MOST: usize = 2 + 8 + 2 + 4 + 16;
/// The same for an IPv4 address, which has no scope.
const V4: usize = 2 + 8 + 2 + 4;
/// Bytes of the seal.
const SEAL: usize = 10;
/// Characters of the longest token.
pub(crate) const LONGEST: usize = 5 + ((MOST + SEAL) * 8).div_ceil(5);

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A token, by value.
#[derive(Clone, Copy)]
pub(crate) struct FlowToken {
    text: [u8; LONGEST],
    len: usize,
}

impl FlowToken {
    /// The token of a way.
    pub(crate) fn of(cx: &Cx, path: &Path) -> Self {
        let mut bytes = [0; MOST + SEAL];
        let body = lay_out(path, &mut bytes);
        let seal = seal(cx, bytes.get(..body).unwrap_or(&[]));
        if let Some(place) = bytes.get_mut(body..body + SEAL) {
            place.copy_from_slice(&seal);
        }
        let mut token = Self { text: [0; LONGEST], len: PREFIX.len() };
        if let Some(place) = token.text.get_mut(..PREFIX.len()) {
            place.copy_from_slice(PREFIX);
        }
        token.len += encode(
            bytes.get(..body + SEAL).unwrap_or(&[]),
            token.text.get_mut(PREFIX.len()..).unwrap_or(&mut []),
        );
        token
    }

    /// Its characters.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&[])
    }
}

/// Whether a user part says that it is a token of ours.
pub(crate) fn is_token(user: &[u8]) -> bool {
    user.starts_with(PREFIX)
}

/// The way that a token names; `None` where no engine of this service has made it.
pub(crate) fn open(cx: &Cx, user: &[u8]) -> Option<Path> {
    let mut bytes = [0; MOST + SEAL];
    let len = decode(user.strip_prefix(PREFIX)?, &mut bytes)?;
    let (body, mark) = bytes.get(..len)?.split_at_checked(len.checked_sub(SEAL)?)?;
    if !same(&seal(cx, body), mark) {
        return None;
    }
    read(body)
}

fn lay_out(path: &Path, out: &mut [u8; MOST + SEAL]) -> usize {
    let flow = path.flow.map_or(0, |f| f.0);
    let scope = path.remote.scope.to_be_bytes();
    let (v4, v6);
    let (scope, ip): (&[u8], &[u8]) = match path.remote.ip {
        IpAddr::V4(ip) => {
            v4 = ip.octets();
            (&[], &v4)
        }
        IpAddr::V6(ip) => {
            v6 = ip.octets();
            (&scope, &v6)
        }
    };
    let mut at = 0;
    let (local, port) = (path.local.0.to_be_bytes(), path.remote.port.to_be_bytes());
    for part in [&local[..], &flow.to_be_bytes(), &port, scope, ip] {
        let end = at + part.len();
        if let Some(place) = out.get_mut(at..end) {
            place.copy_from_slice(part);
        }
        at = end;
    }
    at
}

fn read(body: &[u8]) -> Option<Path> {
    let (local, rest) = body.split_first_chunk::<2>()?;
    let (flow, rest) = rest.split_first_chunk::<8>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (scope, ip) = match body.len() {
        V4 => (0, IpAddr::from(<[u8; 4]>::try_from(rest).ok()?)),
        _ => {
            let (scope, rest) = rest.split_first_chunk::<4>()?;
            (u32::from_be_bytes(*scope), IpAddr::from(<[u8; 16]>::try_from(rest).ok()?))
        }
    };
    let flow = u64::from_be_bytes(*flow);
    Some(Path {
        local: LocalId(u16::from_be_bytes(*local)),
        remote: Addr { ip, port: u16::from_be_bytes(*port), scope },
        flow: (flow != 0).then_some(FlowId(flow)),
    })
}

fn seal(cx: &Cx, body: &[u8]) -> [u8; SEAL] {
    let bits = cx.shared.start(b'f').part(body).finish().bits().to_be_bytes();
    let mut out = [0; SEAL];
    for (to, from) in out.iter_mut().zip(bits) {
        *to = from;
    }
    out
}

/// Writes `bytes` in base32; the length.
pub(crate) fn encode(bytes: &[u8], out: &mut [u8]) -> usize {
    let (mut bits, mut held, mut len) = (0u32, 0u32, 0usize);
    let mut out = out.iter_mut();
    let mut put = |value: u32| {
        let c = ALPHABET.get((value & 31) as usize).copied().unwrap_or(b'a');
        if let Some(place) = out.next() {
            *place = c;
            len += 1;
        }
    };
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            put(bits >> held);
        }
    }
    if held > 0 {
        put(bits << (5 - held));
    }
    len
}

/// Reads base32; the length. `None` for what is none, or too long.
pub(crate) fn decode(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut bits, mut held, mut len) = (0u32, 0u32, 0usize);
    for c in text {
        let digit = ALPHABET.iter().position(|a| a == c)?;
        bits = (bits << 5) | u32::try_from(digit).ok()?;
        held += 5;
        if held >= 8 {
            held -= 8;
            *out.get_mut(len)? = (bits >> held).to_le_bytes()[0];
            len += 1;
        }
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::limits::Limits;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn cx(key: u8) -> Cx {
        let mut config = Config::new([1; 32]);
        config.cluster_key = [key; 32];
        Cx::new(config, &Limits::TINY).unwrap()
    }

    fn path() -> impl Strategy<Value = Path> {
        let v4 = any::<[u8; 4]>().prop_map(|b| (IpAddr::from(b), 0));
        let v6 = (any::<[u8; 16]>(), any::<u32>()).prop_map(|(b, scope)| (IpAddr::from(b), scope));
        (any::<u16>(), prop_oneof![v4, v6], any::<u16>(), any::<u64>()).prop_map(
            |(local, (ip, scope), port, flow)| Path {
                local: LocalId(local),
                remote: Addr { ip, port, scope },
                flow: (flow > 0).then_some(FlowId(flow)),
            },
        )
    }

    proptest! {
        #[test]
        fn a_token_is_opened_by_its_service_alone(path in path(), at in any::<usize>(), by in 1u8..32) {
            let token = FlowToken::of(&cx(1), &path);
            let text = token.as_bytes();
            prop_assert!(is_token(text) && text.len() <= LONGEST);
            prop_assert_eq!(open(&cx(1), text), Some(path));
            prop_assert_eq!(open(&cx(1), &text.to_ascii_uppercase()[..]), None, "the prefix");
            prop_assert_eq!(open(&cx(2), text), None);
            // One digit is another. What a last one adds to whole bytes is not read.
            let mut forged: Vec<u8> = text.to_vec();
            let at = PREFIX.len() + at % (text.len() - PREFIX.len() - 1);
            let digit = ALPHABET.iter().position(|a| *a == forged[at]).unwrap();
            forged[at] = ALPHABET[digit ^ usize::from(by)];
            prop_assert_eq!(open(&cx(1), &forged), None);
        }

        #[test]
        fn any_bytes_can_be_opened(user in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut text = PREFIX.to_vec();
            text.extend(user);
            prop_assert_eq!(open(&cx(1), &text), None);
        }
    }
}
