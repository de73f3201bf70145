//! Challenges and credentials: WWW-Authenticate, Proxy-Authenticate, Authorization,
//! Proxy-Authorization, Authentication-Info, Proxy-Authentication-Info (RFC 3261 20.7 and 22,
//! RFC 7616, RFC 8760).
//!
//! Spans of quoted strings are without their quotes and with their escapes, which is what a digest
//! is computed over (RFC 7616 section 3.4, `unq`).

use super::param::Param;
use super::parts::{Slot, unquoted, write_param_value};
use super::value::{Part, See, Value, ValueErrorKind, lws, token};
use crate::wire::scan::{Class, Cursor, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

/// Digest algorithms (RFC 8760 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `MD5`; also where nothing is said.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`.
    Sha512_256,
    /// `SHA-512-256-sess`.
    Sha512_256Sess,
    /// Another: the challenge must be ignored (RFC 8760 section 2.4).
    Other,
}

const ALGORITHMS: [(&str, Algorithm); 6] = [
    ("MD5", Algorithm::Md5),
    ("MD5-sess", Algorithm::Md5Sess),
    ("SHA-256", Algorithm::Sha256),
    ("SHA-256-sess", Algorithm::Sha256Sess),
    ("SHA-512-256", Algorithm::Sha512_256),
    ("SHA-512-256-sess", Algorithm::Sha512_256Sess),
];

impl Algorithm {
    /// The algorithm that the parameter names.
    #[must_use]
    pub fn of(bytes: &[u8], algorithm: Option<Span>) -> Self {
        let Some(span) = algorithm else { return Self::Md5 };
        let text = span.of(bytes);
        let known = ALGORITHMS.iter().find(|(n, _)| n.as_bytes().eq_ignore_ascii_case(text));
        known.map_or(Self::Other, |&(_, algorithm)| algorithm)
    }

    /// As it is written; empty for [`Algorithm::Other`].
    #[must_use]
    pub fn name(self) -> &'static str {
        ALGORITHMS.iter().find(|(_, a)| *a == self).map_or("", |(name, _)| name)
    }
}

/// Whether a `qop` value, a list with commas, has this choice.
#[must_use]
pub fn qop_has(bytes: &[u8], qop: Option<Span>, choice: &[u8]) -> bool {
    let list = qop.map(|q| q.of(bytes)).unwrap_or_default();
    list.split(|&b| b == b',').any(|q| q.trim_ascii().eq_ignore_ascii_case(choice))
}

/// `nc`: eight hexadecimal digits (RFC 7616 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NonceCount(pub u32);

impl Slot for Option<NonceCount> {
    fn fill(&mut self, c: &Cursor<'_>, p: Param) -> Result<(), ValueErrorKind> {
        let digits = c.text(unquoted(c, p.value.ok_or(ValueErrorKind::Param)?));
        if digits.len() != 8 {
            return Err(ValueErrorKind::Number);
        }
        let mut count = 0_u32;
        for &b in digits {
            let digit = char::from(b).to_digit(16).ok_or(ValueErrorKind::Number)?;
            count = count.wrapping_shl(4) | digit;
        }
        match self.replace(NonceCount(count)) {
            None => Ok(()),
            Some(_) => Err(ValueErrorKind::Repeated),
        }
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn see(&self, name: &'static str, see: &mut See<'_>) {
        if let Some(count) = *self {
            see(name, Part::Number(u64::from(count.0)));
        }
    }
}

/// The parameters of a challenge or of credentials: `name=value` with commas between.
#[derive(Clone, Debug)]
pub struct AuthParams<'a> {
    cursor: Cursor<'a>,
}

impl<'a> AuthParams<'a> {
    /// The parameters in `span` of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], span: Span) -> Self {
        Self { cursor: Cursor::new(bytes, span) }
    }
}

impl Iterator for AuthParams<'_> {
    type Item = Param;

    fn next(&mut self) -> Option<Param> {
        next_param(&mut self.cursor).ok().flatten()
    }
}

/// Takes one parameter and the comma after it; empty elements are passed over.
fn next_param(c: &mut Cursor<'_>) -> Result<Option<Param>, ValueErrorKind> {
    c.ws();
    while c.eat(b',') {
        c.ws();
    }
    if c.done() {
        return Ok(None);
    }
    let name = token(c)?;
    if !c.eat_ws(b'=') {
        return Err(ValueErrorKind::Param);
    }
    let value = match c.peek() {
        b'"' => c.quoted().ok_or(ValueErrorKind::Param)?,
        _ => c.run(Class::LOOSE | Class::UTF8),
    };
    c.ws();
    if value.is_empty() || !(c.done() || c.peek() == b',') {
        return Err(ValueErrorKind::Param);
    }
    Ok(Some(Param { name, value: Some(value) }))
}

fn read_digest<'a>(
    c: &mut Cursor<'a>,
    mut known: impl FnMut(&Cursor<'a>, &'a [u8], Param) -> Result<(), ValueErrorKind>,
) -> Result<Span, ValueErrorKind> {
    let start = c.at;
    let mut seen = false;
    while let Some(p) = next_param(c)? {
        known(c, c.text(p.name), p)?;
        seen = true;
    }
    if seen { Ok(c.since(start).trimmed(c.bytes())) } else { Err(ValueErrorKind::Missing) }
}

/// The parameters of a scheme that is not Digest: not looked into, but for the end of quotes.
fn read_opaque(c: &mut Cursor<'_>) -> Result<Span, ValueErrorKind> {
    let start = c.at;
    while !c.done() {
        c.until(b"\"");
        if !c.done() {
            c.quoted().ok_or(ValueErrorKind::Syntax)?;
        }
    }
    Ok(c.since(start).trimmed(c.bytes()))
}

fn write_auth_params(
    w: &mut ValueWriter<'_, '_>,
    bytes: &[u8],
    params: Span,
) -> Result<(), WriteError> {
    for (index, p) in AuthParams::new(bytes, params).enumerate() {
        if index > 0 {
            w.put(b", ")?;
        }
        w.token(p.name.of(bytes))?;
        w.put(b"=")?;
        write_param_value(w, p.value.unwrap_or_default().of(bytes))?;
    }
    Ok(())
}

const fn openly(_: &str, part: Part) -> Part {
    part
}

/// The parts of credentials that are no secret stay; the rest is marked.
fn masked(name: &str, part: Part) -> Part {
    match part {
        Part::Text(text) if matches!(name, "response" | "cnonce" | "params") => Part::Secret(text),
        part => part,
    }
}

macro_rules! schemes {
    ($(
        $(#[$doc:meta])*
        $name:ident, $clause:literal, $shown:path {
            $($(#[$param_doc:meta])* $param:ident: $slot:ty = $text:literal $($must:ident)?;)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The scheme. Only of `Digest` the parameters below are read.
            pub scheme: Span,
            $($(#[$param_doc])* pub $param: $slot,)*
            /// All parameters; see [`AuthParams`] where the scheme has any.
            pub params: Span,
        }

        impl $name {
            /// Whether the scheme is Digest.
            #[must_use]
            pub fn is_digest(&self, bytes: &[u8]) -> bool {
                self.scheme.of(bytes).eq_ignore_ascii_case(b"Digest")
            }
        }

        impl Value for $name {
            const CLAUSE: &'static str = $clause;

            fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
                let scheme = token(c)?;
                lws(c)?;
                $(let mut $param = <$slot>::default();)*
                if !c.text(scheme).eq_ignore_ascii_case(b"Digest") {
                    return Ok(Self { scheme, $($param,)* params: read_opaque(c)? });
                }
                let params = read_digest(c, |c, name, p| {
                    $(if name.eq_ignore_ascii_case($text.as_bytes()) {
                        return $param.fill(c, p);
                    })*
                    Ok(())
                })?;
                $($(if !$param.$must() {
                    return Err(ValueErrorKind::Missing);
                })?)*
                Ok(Self { scheme, $($param,)* params })
            }

            fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
                out.whole(|w| {
                    w.token(self.scheme.of(bytes))?;
                    w.put(b" ")?;
                    if self.is_digest(bytes) {
                        write_auth_params(w, bytes, self.params)
                    } else {
                        w.received(self.params.of(bytes))
                    }
                })
            }

            fn parts(&self, see: &mut See<'_>) {
                let see: &mut See<'_> = &mut |name, part| see(name, $shown(name, part));
                see("scheme", Part::Text(self.scheme));
                $(self.$param.see($text, see);)*
                see("params", Part::Text(self.params));
            }
        }
    )*};
}

schemes! {
    /// WWW-Authenticate and Proxy-Authenticate: what a server asks for.
    Challenge, "RFC 3261 20.44", openly {
        /// Whose users are asked for.
        realm: Option<Span> = "realm" is_set;
        /// The server's nonce.
        nonce: Option<Span> = "nonce" is_set;
        /// To be sent back as it is.
        opaque: Option<Span> = "opaque";
        /// URIs that share the credentials.
        domain: Option<Span> = "domain";
        /// See [`Algorithm::of`].
        algorithm: Option<Span> = "algorithm";
        /// Choices of protection with commas between; see [`qop_has`].
        qop: Option<Span> = "qop";
        /// The nonce was too old, not the password wrong.
        stale: Option<bool> = "stale";
        /// The user name may be sent as a hash.
        userhash: Option<bool> = "userhash";
        /// `UTF-8`.
        charset: Option<Span> = "charset";
    }

    /// Authorization and Proxy-Authorization: what a client answers.
    Credentials, "RFC 3261 20.7", masked {
        /// User name, or its hash.
        username: Option<Span> = "username";
        /// User name in RFC 5987 form.
        username_ext: Option<Span> = "username*";
        /// Realm of the challenge.
        realm: Option<Span> = "realm" is_set;
        /// Nonce of the challenge.
        nonce: Option<Span> = "nonce" is_set;
        /// The request URI that was hashed.
        uri: Option<Span> = "uri" is_set;
        /// The digest.
        response: Option<Span> = "response" is_set;
        /// See [`Algorithm::of`].
        algorithm: Option<Span> = "algorithm";
        /// The client's nonce.
        cnonce: Option<Span> = "cnonce";
        /// Opaque of the challenge.
        opaque: Option<Span> = "opaque";
        /// Protection chosen.
        qop: Option<Span> = "qop";
        /// How often this nonce was used.
        nc: Option<NonceCount> = "nc";
        /// The user name is a hash.
        userhash: Option<bool> = "userhash";
    }
}

/// Authentication-Info and Proxy-Authentication-Info: what a server adds to its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthInfo {
    /// The nonce to use next.
    pub nextnonce: Option<Span>,
    /// Protection of the answer.
    pub qop: Option<Span>,
    /// The server's own digest.
    pub rspauth: Option<Span>,
    /// The client's nonce.
    pub cnonce: Option<Span>,
    /// The client's count.
    pub nc: Option<NonceCount>,
    /// All parameters; see [`AuthParams`].
    pub params: Span,
}

impl Value for AuthInfo {
    const CLAUSE: &'static str = "RFC 3261 20.6";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        let mut info = Self::default();
        let params = read_digest(c, |c, name, p| match name {
            n if n.eq_ignore_ascii_case(b"nextnonce") => info.nextnonce.fill(c, p),
            n if n.eq_ignore_ascii_case(b"qop") => info.qop.fill(c, p),
            n if n.eq_ignore_ascii_case(b"rspauth") => info.rspauth.fill(c, p),
            n if n.eq_ignore_ascii_case(b"cnonce") => info.cnonce.fill(c, p),
            n if n.eq_ignore_ascii_case(b"nc") => info.nc.fill(c, p),
            _ => Ok(()),
        })?;
        Ok(Self { params, ..info })
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| write_auth_params(w, bytes, self.params))
    }

    fn parts(&self, see: &mut See<'_>) {
        self.nextnonce.see("nextnonce", see);
        self.qop.see("qop", see);
        self.rspauth.see("rspauth", see);
        self.cnonce.see("cnonce", see);
        self.nc.see("nc", see);
        see("params", Part::Text(self.params));
    }
}

/// A Digest challenge to be written. Nothing is unescaped: give the text that is meant.
#[derive(Clone, Copy, Debug)]
pub struct NewChallenge<'a> {
    /// Realm.
    pub realm: &'a [u8],
    /// Nonce.
    pub nonce: &'a [u8],
    /// Opaque.
    pub opaque: Option<&'a [u8]>,
    /// Algorithm; [`Algorithm::Other`] writes none.
    pub algorithm: Algorithm,
    /// Choices of protection, as `auth` or `auth,auth-int`.
    pub qop: Option<&'a [u8]>,
    /// The nonce was too old.
    pub stale: bool,
}

impl NewChallenge<'_> {
    /// Writes the value of WWW-Authenticate or Proxy-Authenticate.
    ///
    /// # Errors
    /// [`WriteError::Forbidden`] for a control byte in a text, [`WriteError::Full`].
    pub fn write(&self, out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.put(b"Digest realm=")?;
            w.quoted(self.realm)?;
            w.put(b", nonce=")?;
            w.quoted(self.nonce)?;
            quoted(w, b", opaque=", self.opaque)?;
            if self.algorithm != Algorithm::Other {
                w.put(b", algorithm=")?;
                w.put(self.algorithm.name().as_bytes())?;
            }
            quoted(w, b", qop=", self.qop)?;
            if self.stale { w.put(b", stale=true") } else { Ok(()) }
        })
    }
}

/// Digest credentials to be written.
#[derive(Clone, Copy)]
pub struct NewCredentials<'a> {
    /// User name.
    pub username: &'a [u8],
    /// Realm of the challenge, without escapes.
    pub realm: &'a [u8],
    /// Nonce of the challenge, without escapes.
    pub nonce: &'a [u8],
    /// Request URI.
    pub uri: &'a [u8],
    /// The digest in hexadecimal.
    pub response: &'a [u8],
    /// Algorithm; [`Algorithm::Other`] writes none.
    pub algorithm: Algorithm,
    /// Opaque of the challenge, without escapes.
    pub opaque: Option<&'a [u8]>,
    /// Protection with the client's nonce and count, if the challenge had any.
    pub qop: Option<NewQop<'a>>,
}

/// The protection of [`NewCredentials`].
#[derive(Clone, Copy)]
pub struct NewQop<'a> {
    /// `auth` or `auth-int`.
    pub qop: &'a [u8],
    /// The client's nonce.
    pub cnonce: &'a [u8],
    /// How often the nonce was used.
    pub nc: u32,
}

impl NewCredentials<'_> {
    /// Writes the value of Authorization or Proxy-Authorization.
    ///
    /// # Errors
    /// [`WriteError::Forbidden`] for a control byte or a qop that is no token; [`WriteError::Full`].
    pub fn write(&self, out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.put(b"Digest ")?;
            quoted(w, b"username=", Some(self.username))?;
            quoted(w, b", realm=", Some(self.realm))?;
            quoted(w, b", nonce=", Some(self.nonce))?;
            quoted(w, b", uri=", Some(self.uri))?;
            quoted(w, b", response=", Some(self.response))?;
            if self.algorithm != Algorithm::Other {
                w.put(b", algorithm=")?;
                w.put(self.algorithm.name().as_bytes())?;
            }
            quoted(w, b", opaque=", self.opaque)?;
            let Some(qop) = self.qop else { return Ok(()) };
            w.put(b", qop=")?;
            w.token(qop.qop)?;
            quoted(w, b", cnonce=", Some(qop.cnonce))?;
            w.put(b", nc=")?;
            w.hex8(qop.nc)
        })
    }
}

fn quoted(
    w: &mut ValueWriter<'_, '_>,
    name: &[u8],
    value: Option<&[u8]>,
) -> Result<(), WriteError> {
    match value {
        Some(value) => {
            w.put(name)?;
            w.quoted(value)
        }
        None => Ok(()),
    }
}
