//! Digest responses: computed, written and checked (RFC 7616 3.4, RFC 8760).
//!
//! Every text here is as it stands between its quotes, escapes included: that is what both sides
//! hash (RFC 7616 3.4, `unq`).

use md5::Md5;
use sha2::Sha256;

use crate::header::auth::{Algorithm, AuthParams, Credentials, NonceCount};
use crate::wire::name::Name;
use crate::wire::write::{Value, WriteError, Writer};

/// Hexadecimal digits of a hash: 32 for MD5, 64 for the others. An HA1 is as good as a password,
/// so none is ever shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex {
    digits: [u8; 64],
    len: u8,
}

impl Hex {
    fn of(hash: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = Self { digits: [b'0'; 64], len: 0 };
        for (pair, byte) in hex.digits.chunks_exact_mut(2).zip(hash) {
            for (to, n) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *to = DIGITS.get(usize::from(n)).copied().unwrap_or(b'0');
            }
            hex.len = hex.len.saturating_add(2);
        }
        hex
    }

    /// The digits of an HA1 that somebody else has computed, in either case. `None` unless there
    /// are as many as the algorithm gives.
    #[must_use]
    pub fn parse(algorithm: Algorithm, text: &[u8]) -> Option<Self> {
        let len = digits_of(algorithm)?;
        if text.len() != usize::from(len) || !text.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut hex = Self { digits: [b'0'; 64], len };
        for (to, from) in hex.digits.iter_mut().zip(text) {
            *to = from.to_ascii_lowercase();
        }
        Some(hex)
    }

    /// The digits, in lower case.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl core::fmt::Debug for Hex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hex(secret)")
    }
}

/// What proves a user. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Secret<'a> {
    /// The password.
    Password(&'a [u8]),
    /// HA1 in hexadecimal: the hash of `user:realm:password` by the algorithm at hand.
    Ha1(&'a [u8]),
}

impl core::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(secret)",
            Self::Ha1(_) => "Ha1(secret)",
        })
    }
}

/// What of a request is protected (RFC 7616 3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Qop {
    /// Method and URI.
    Auth,
    /// The body too.
    AuthInt,
}

impl Qop {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// The protection that a client has chosen, with its nonce and count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protection<'a> {
    /// Which.
    pub qop: Qop,
    /// The client's nonce.
    pub cnonce: &'a [u8],
    /// How often the server's nonce was used: eight hexadecimal digits, hashed as they stand.
    pub nc: &'a [u8],
}

/// What a response is computed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proof<'a> {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The user name.
    pub username: &'a [u8],
    /// The realm of the challenge.
    pub realm: &'a [u8],
    /// The nonce of the challenge.
    pub nonce: &'a [u8],
    /// The opaque of the challenge.
    pub opaque: Option<&'a [u8]>,
    /// The protection; `None` where the challenge offers none (RFC 2069).
    pub protection: Option<Protection<'a>>,
    /// The method.
    pub method: &'a [u8],
    /// The Request-URI.
    pub uri: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

const fn digits_of(algorithm: Algorithm) -> Option<u8> {
    match algorithm {
        Algorithm::Md5 | Algorithm::Md5Sess => Some(32),
        Algorithm::Sha256 | Algorithm::Sha256Sess => Some(64),
        Algorithm::Sha512_256 | Algorithm::Sha512_256Sess if cfg!(feature = "sha512") => Some(64),
        _ => None,
    }
}

/// How strong an algorithm is, 0 for one that is not built in.
#[must_use]
pub const fn strength(algorithm: Algorithm) -> u8 {
    if digits_of(algorithm).is_none() {
        return 0;
    }
    match algorithm {
        Algorithm::Md5 => 1,
        Algorithm::Md5Sess => 2,
        Algorithm::Sha256 => 3,
        Algorithm::Sha256Sess => 4,
        Algorithm::Sha512_256 => 5,
        Algorithm::Sha512_256Sess => 6,
        Algorithm::Other => 0,
    }
}

/// Whether the hash of the credentials goes into a hash with both nonces (RFC 7616 3.4.2).
#[must_use]
pub const fn is_session(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Md5Sess | Algorithm::Sha256Sess | Algorithm::Sha512_256Sess)
}

/// The algorithm whose HA1 this one starts from.
#[must_use]
pub const fn base(algorithm: Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Md5Sess => Algorithm::Md5,
        Algorithm::Sha256Sess => Algorithm::Sha256,
        Algorithm::Sha512_256Sess => Algorithm::Sha512_256,
        other => other,
    }
}

/// The hash of the parts with colons between them.
fn joined(algorithm: Algorithm, parts: &[&[u8]]) -> Option<Hex> {
    fn hash<D: sha2::Digest>(parts: &[&[u8]]) -> Hex {
        let mut hasher = D::new();
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                hasher.update(b":");
            }
            hasher.update(part);
        }
        Hex::of(&hasher.finalize())
    }
    match algorithm {
        Algorithm::Md5 | Algorithm::Md5Sess => Some(hash::<Md5>(parts)),
        Algorithm::Sha256 | Algorithm::Sha256Sess => Some(hash::<Sha256>(parts)),
        // RFC 8760 2.2: SHA-512/256 of FIPS 180-4, with an initial value of its own.
        #[cfg(feature = "sha512")]
        Algorithm::Sha512_256 | Algorithm::Sha512_256Sess => Some(hash::<sha2::Sha512_256>(parts)),
        _ => None,
    }
}

/// HA1: the hash of `user:realm:password`, or the one given. `None` for an algorithm that is not
/// built in and for an HA1 of another one.
#[must_use]
pub fn ha1(
    algorithm: Algorithm,
    username: &[u8],
    realm: &[u8],
    secret: &Secret<'_>,
) -> Option<Hex> {
    match secret {
        Secret::Password(password) => joined(algorithm, &[username, realm, password]),
        Secret::Ha1(hex) => Hex::parse(algorithm, hex),
    }
}

/// The response (RFC 7616 3.4.1). `None` for an algorithm that is not built in, and for a `-sess`
/// one without a client's nonce.
#[must_use]
pub fn response(ha1: &Hex, proof: &Proof<'_>) -> Option<Hex> {
    let algorithm = proof.algorithm;
    let a1 = if is_session(algorithm) {
        // RFC 7616 3.4.2
        joined(algorithm, &[ha1.as_bytes(), proof.nonce, proof.protection?.cnonce])?
    } else {
        *ha1
    };
    // RFC 7616 3.4.3
    let a2 = match proof.protection.map(|p| p.qop) {
        Some(Qop::AuthInt) => {
            let body = joined(algorithm, &[proof.body])?;
            joined(algorithm, &[proof.method, proof.uri, body.as_bytes()])?
        }
        _ => joined(algorithm, &[proof.method, proof.uri])?,
    };
    match proof.protection {
        Some(p) => {
            let qop = p.qop.name().as_bytes();
            let parts = [a1.as_bytes(), proof.nonce, p.nc, p.cnonce, qop, a2.as_bytes()];
            joined(algorithm, &parts)
        }
        None => joined(algorithm, &[a1.as_bytes(), proof.nonce, a2.as_bytes()]),
    }
}

impl Proof<'_> {
    /// Writes the value of Authorization or Proxy-Authorization.
    ///
    /// # Errors
    /// [`WriteError::Forbidden`] for a control byte in a text and for an algorithm that is not
    /// built in; [`WriteError::Full`].
    pub fn write(&self, ha1: &Hex, out: &mut Value<'_, '_>) -> Result<(), WriteError> {
        let none = WriteError::Forbidden { name: Name::Authorization, byte: 0 };
        let response = response(ha1, self).ok_or(none)?;
        quoted(out, b"Digest username=\"", self.username)?;
        quoted(out, b", realm=\"", self.realm)?;
        quoted(out, b", nonce=\"", self.nonce)?;
        quoted(out, b", uri=\"", self.uri)?;
        quoted(out, b", response=\"", response.as_bytes())?;
        out.text(b", algorithm=")?;
        out.text(self.algorithm.name().as_bytes())?;
        if let Some(opaque) = self.opaque {
            quoted(out, b", opaque=\"", opaque)?;
        }
        let Some(p) = self.protection else { return Ok(()) };
        // RFC 7616 3.4: neither qop nor nc is quoted.
        out.text(b", qop=")?;
        out.text(p.qop.name().as_bytes())?;
        quoted(out, b", cnonce=\"", p.cnonce)?;
        out.text(b", nc=")?;
        out.token(p.nc)
    }

    /// Writes that value into `out`; its length.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_to(&self, ha1: &Hex, out: &mut [u8]) -> Result<usize, WriteError> {
        let mut w = Writer::new(out);
        self.write(ha1, &mut w.value(Name::Authorization))?;
        Ok(w.len())
    }
}

fn quoted(out: &mut Value<'_, '_>, name: &[u8], text: &[u8]) -> Result<(), WriteError> {
    out.text(name)?;
    out.text(text)?;
    out.text(b"\"")
}

/// The protection that received credentials name; `Err` for one that does not exist or lacks its
/// parts.
pub(crate) fn protection<'a>(
    bytes: &'a [u8],
    c: &Credentials,
) -> Result<Option<Protection<'a>>, ()> {
    let Some(name) = c.qop.map(|q| q.of(bytes)) else { return Ok(None) };
    let known = [Qop::Auth, Qop::AuthInt];
    let qop = known.into_iter().find(|q| q.name().as_bytes().eq_ignore_ascii_case(name));
    let nc = AuthParams::new(bytes, c.params)
        .find(|p| p.name.of(bytes).eq_ignore_ascii_case(b"nc"))
        .and_then(|p| p.value)
        .map(|v| v.of(bytes).trim_ascii());
    let nc = nc.map(|nc| nc.strip_prefix(b"\"").unwrap_or(nc));
    let nc = nc.map(|nc| nc.strip_suffix(b"\"").unwrap_or(nc));
    match (qop, c.cnonce, nc, c.nc) {
        (Some(qop), Some(cnonce), Some(nc), Some(NonceCount(1..))) => {
            Ok(Some(Protection { qop, cnonce: cnonce.of(bytes), nc }))
        }
        _ => Err(()),
    }
}

/// Whether received credentials, read from `bytes`, hold for a request with this method and body.
/// The comparison takes the same time whatever differs.
#[must_use]
pub fn check(bytes: &[u8], c: &Credentials, ha1: &Hex, method: &[u8], body: &[u8]) -> bool {
    let text = |span: Option<crate::wire::Span>| span.map_or(&[][..], |s| s.of(bytes));
    let Ok(protection) = protection(bytes, c) else { return false };
    let proof = Proof {
        algorithm: Algorithm::of(bytes, c.algorithm),
        username: text(c.username),
        realm: text(c.realm),
        nonce: text(c.nonce),
        opaque: None,
        protection,
        method,
        uri: text(c.uri),
        body,
    };
    let Some(expected) = response(ha1, &proof) else { return false };
    let mut given = Hex { digits: [b'0'; 64], len: expected.len };
    let received = text(c.response);
    for (to, from) in given.digits.iter_mut().zip(received) {
        *to = from.to_ascii_lowercase();
    }
    same(given.as_bytes(), expected.as_bytes()) && received.len() == usize::from(expected.len)
}

/// Whether two texts of one length are the same, in a time that does not tell where they differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let differ = a.iter().zip(b).fold(0, |all, (x, y)| core::hint::black_box(all | (x ^ y)));
    a.len() == b.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Value as _;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn proof() -> Proof<'static> {
        Proof {
            algorithm: Algorithm::Sha256,
            username: b"al\\\"ice",
            realm: b"a \\\"b\\\"",
            nonce: b"n0",
            opaque: Some(b"o"),
            protection: Some(Protection { qop: Qop::Auth, cnonce: b"c", nc: b"0000000a" }),
            method: b"REGISTER",
            uri: b"sip:h",
            body: b"body",
        }
    }

    fn written(proof: &Proof<'_>) -> String {
        let ha1 = ha1(proof.algorithm, proof.username, proof.realm, &Secret::Password(b"pw"));
        let mut out = [0; 500];
        let len = proof.write_to(&ha1.unwrap(), &mut out).unwrap();
        String::from_utf8(out[..len].to_vec()).unwrap()
    }

    fn holds(value: &str, method: &str, body: &str) -> bool {
        let bytes = value.as_bytes();
        let c = Credentials::parse(bytes, crate::wire::Span::new(0, bytes.len())).unwrap();
        let (user, realm) = (c.username.unwrap().of(bytes), c.realm.unwrap().of(bytes));
        let algorithm = Algorithm::of(bytes, c.algorithm);
        let ha1 = ha1(algorithm, user, realm, &Secret::Password(b"pw")).unwrap();
        check(bytes, &c, &ha1, method.as_bytes(), body.as_bytes())
    }

    #[test]
    fn what_is_written_holds_and_any_change_breaks_it() {
        let algorithms = [Algorithm::Md5, Algorithm::Md5Sess, Algorithm::Sha256Sess];
        for algorithm in algorithms.into_iter().chain([Algorithm::Sha256]) {
            for qop in [None, Some(Qop::Auth), Some(Qop::AuthInt)] {
                let mut p = Proof { algorithm, ..proof() };
                p.protection = qop.and_then(|qop| Some(Protection { qop, ..p.protection? }));
                if p.protection.is_none() && is_session(algorithm) {
                    assert_eq!(response(&Hex::of(&[0; 16]), &p), None, "no cnonce to hash");
                    continue;
                }
                let value = written(&p);
                assert!(holds(&value, "REGISTER", "body"), "{value}");
                assert!(!holds(&value, "INVITE", "body"), "{value}");
                assert_eq!(holds(&value, "REGISTER", "other"), qop != Some(Qop::AuthInt));
                for (from, to) in [("n0", "n1"), ("sip:h", "sip:i"), ("al\\", "an\\")] {
                    assert!(!holds(&value.replace(from, to), "REGISTER", "body"), "{value}");
                }
                let at = value.find("response=\"").unwrap() + 10;
                for place in [at, at + 31] {
                    let mut bytes = value.clone().into_bytes();
                    bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
                    assert!(!holds(&String::from_utf8(bytes).unwrap(), "REGISTER", "body"));
                }
                let shorter = format!("{}{}", &value[..at], &value[at + 1..]);
                assert!(!holds(&shorter, "REGISTER", "body"));
            }
        }
    }

    #[test]
    fn the_count_is_hashed_as_it_stands() {
        let upper = Protection { nc: b"0000000A", ..proof().protection.unwrap() };
        let value = written(&Proof { protection: Some(upper), ..proof() });
        assert!(holds(&value, "REGISTER", ""));
        assert!(!holds(&value.replace("0000000A", "0000000a"), "REGISTER", ""));
        // Some quote it.
        assert!(holds(&value.replace("nc=0000000A", "nc=\"0000000A\""), "REGISTER", ""));
    }

    // RFC 7616 3.4: with qop come cnonce and nc.
    #[test]
    fn a_protection_without_its_parts_holds_nothing() {
        let value = written(&proof());
        for part in [", cnonce=\"c\"", ", nc=0000000a"] {
            assert!(!holds(&value.replace(part, ""), "REGISTER", ""));
        }
        assert!(!holds(&value.replace("qop=auth", "qop=other"), "REGISTER", ""));
        assert!(!holds(&value.replace("0000000a", "00000000"), "REGISTER", ""));
    }

    #[test]
    fn an_ha1_has_the_digits_of_its_algorithm() {
        let md5 = "939e7578ED9e3c518a452acee763bce9";
        assert_eq!(
            Hex::parse(Algorithm::Md5, md5.as_bytes()).unwrap().as_bytes(),
            md5.to_ascii_lowercase().as_bytes()
        );
        assert_eq!(Hex::parse(Algorithm::Sha256, md5.as_bytes()), None);
        assert_eq!(Hex::parse(Algorithm::Md5, md5.replace('E', "g").as_bytes()), None);
        assert_eq!(Hex::parse(Algorithm::Other, md5.as_bytes()), None);
    }

    // S36
    #[test]
    fn debug_shows_no_secret() {
        let ha1 = ha1(Algorithm::Md5, b"u", b"r", &Secret::Password(b"hunter2")).unwrap();
        let digits = String::from_utf8(ha1.as_bytes().to_vec()).unwrap();
        let shown: Vec<String> = [
            format!("{ha1:?}"),
            format!("{:?}", Secret::Password(b"hunter2")),
            format!("{:?}", Secret::Ha1(ha1.as_bytes())),
        ]
        .into();
        for text in shown {
            assert!(text.contains("secret") && !text.contains("hunter2"), "{text}");
            assert!(!text.contains(&digits) && !text.contains("104"), "{text}");
        }
    }
}
