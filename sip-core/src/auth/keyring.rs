//! What a client remembers of challenges that it has answered (RFC 3261 22.3, RFC 7616 3.6): for
//! each line, the realm, the peer that asked, its nonce, and the HA1, so that the next request to
//! that peer goes with credentials at once. A bounded number of them; the one that was used the
//! longest time ago gives way.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::digest::{Hex, Proof, Protection, Qop, base};
use crate::cx::Token;
use crate::error::{Error, Limit};
use crate::header::auth::Algorithm;
use crate::store::pool::{BlockId, Pool};
use crate::store::reserve;
use crate::wire::write::{WriteError, Writer};
use crate::wire::{MessageRef, Name, Span};

/// A challenge that is answered. Texts are as they stand between their quotes.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whether a proxy asks (RFC 3261 22.3), not the server of the request (22.2).
    pub proxy: bool,
    /// The realm.
    pub realm: &'a [u8],
    /// The server's nonce.
    pub nonce: &'a [u8],
    /// To be sent back.
    pub opaque: Option<&'a [u8]>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The protection that is offered and taken.
    pub qop: Option<Qop>,
    /// Only the nonce was too old.
    pub stale: bool,
}

/// Whose credentials go to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Between {
    /// The line.
    pub line: u64,
    /// The peer's address.
    pub peer: IpAddr,
}

struct Entry {
    between: Between,
    proxy: bool,
    algorithm: Algorithm,
    qop: Option<Qop>,
    text: BlockId,
    username: Span,
    realm: Span,
    nonce: Span,
    opaque: Option<Span>,
    ha1: Hex,
    cnonce: Token<16>,
    count: u32,
    used: u64,
}

/// The challenges that have been answered.
pub struct Keyring {
    entries: Vec<Entry>,
    places: usize,
    clock: u64,
}

impl Keyring {
    /// Room for so many.
    ///
    /// # Errors
    /// [`Limit::Memory`].
    pub fn new(places: usize) -> Result<Self, Error> {
        Ok(Self { entries: reserve(places)?, places, clock: 0 })
    }

    /// The bytes that such a table takes.
    #[must_use]
    pub const fn bytes(places: usize) -> usize {
        places * size_of::<Entry>()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether none can be.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.places == 0
    }

    /// Whether this peer has asked the line for this realm, and was answered.
    #[must_use]
    pub fn knows(&self, pool: &Pool, between: Between, realm: &[u8]) -> bool {
        self.entries
            .iter()
            .any(|e| e.between == between && e.realm.of(pool.bytes_of(e.text)) == realm)
    }

    /// The HA1 of a line's user in a realm, if it is known.
    #[must_use]
    pub fn ha1(&self, pool: &Pool, line: u64, username: &[u8], asked: &Asked<'_>) -> Option<Hex> {
        let fits = |e: &&Entry| {
            let bytes = pool.bytes_of(e.text);
            e.between.line == line
                && base(e.algorithm) == base(asked.algorithm)
                && e.realm.of(bytes) == asked.realm
                && e.username.of(bytes) == username
        };
        self.entries.iter().find(fits).map(|e| e.ha1)
    }

    /// Remembers a challenge with the HA1 that answers it, in place of an older one of the same
    /// realm and peer. The texts of `text` lie in a block of their own, whose hold is taken over.
    ///
    /// # Errors
    /// [`Limit::Memory`] where there is no place at all.
    pub fn put(
        &mut self,
        pool: &mut Pool,
        between: Between,
        (asked, ha1): (&Known, Hex),
        cnonce: Token<16>,
    ) -> Result<(), Error> {
        self.clock = self.clock.wrapping_add(1);
        let entry = Entry {
            between,
            proxy: asked.proxy,
            algorithm: asked.algorithm,
            qop: asked.qop,
            text: asked.text,
            username: asked.username,
            realm: asked.realm,
            nonce: asked.nonce,
            opaque: asked.opaque,
            ha1,
            cnonce,
            count: 0,
            used: self.clock,
        };
        let realm = asked.realm.of(pool.bytes_of(asked.text));
        let same = self.entries.iter().position(|e| {
            e.between == between
                && e.proxy == asked.proxy
                && e.realm.of(pool.bytes_of(e.text)) == realm
        });
        if same.is_none() && self.entries.len() < self.places {
            self.entries.push(entry);
            return Ok(());
        }
        let oldest = || self.entries.iter().enumerate().min_by_key(|(_, e)| e.used);
        let place = same.or_else(|| oldest().map(|(i, _)| i));
        match place.and_then(|i| self.entries.get_mut(i)) {
            Some(place) => {
                let old = core::mem::replace(place, entry);
                pool.release(old.text);
                Ok(())
            }
            None => {
                pool.release(asked.text);
                Err(Error::Full(Limit::Memory))
            }
        }
    }

    /// A server names the nonce of the next request: of the realm that was answered with `cnonce`,
    /// or of the only one there is (RFC 7616 3.5). Without room the old nonce stays, and is
    /// challenged as stale.
    pub fn next_nonce(
        &mut self,
        pool: &mut Pool,
        scratch: &mut [u8],
        (between, proxy): (Between, bool),
        cnonce: Option<&[u8]>,
        nonce: &[u8],
    ) {
        let fits = |e: &Entry| {
            let same = cnonce.is_none_or(|c| c == e.cnonce.as_bytes());
            e.between == between && e.proxy == proxy && same
        };
        let mut fitting = self.entries.iter_mut().filter(|e| fits(e));
        let (Some(entry), None) = (fitting.next(), fitting.next()) else { return };
        let bytes = pool.bytes_of(entry.text);
        let asked = Asked {
            proxy,
            realm: entry.realm.of(bytes),
            nonce,
            opaque: entry.opaque.map(|o| o.of(bytes)),
            algorithm: entry.algorithm,
            qop: entry.qop,
            stale: false,
        };
        let packed = Known::pack(&asked, entry.username.of(bytes), scratch);
        let Some((len, known)) = packed.filter(|_| !nonce.is_empty()) else { return };
        let Ok(text) = pool.copy_in(scratch.get(..len).unwrap_or(&[])) else { return };
        let known = known(text);
        pool.release(core::mem::replace(&mut entry.text, text));
        (entry.username, entry.realm) = (known.username, known.realm);
        (entry.nonce, entry.opaque) = (known.nonce, known.opaque);
        entry.count = 0;
    }

    /// Forgets all that a line has answered.
    pub fn forget(&mut self, pool: &mut Pool, line: u64) {
        self.entries.retain(|e| {
            let stays = e.between.line != line;
            if !stays {
                pool.release(e.text);
            }
            stays
        });
    }

    /// Whether a request between these two goes with credentials.
    #[must_use]
    pub fn has(&self, between: Between) -> bool {
        self.entries.iter().any(|e| e.between == between)
    }

    /// Writes the credentials that go with `request`, a field for each realm, and counts them
    /// (RFC 7616 3.4: `nc`).
    ///
    /// # Errors
    /// As [`Proof::write`].
    pub fn write(
        &mut self,
        pool: &Pool,
        between: Between,
        request: &MessageRef<'_>,
        w: &mut Writer<'_>,
    ) -> Result<(), WriteError> {
        self.clock = self.clock.wrapping_add(1);
        for e in self.entries.iter_mut().filter(|e| e.between == between) {
            e.used = self.clock;
            e.count = e.count.saturating_add(1);
            let bytes = pool.bytes_of(e.text);
            let nc = hex8(e.count);
            let cnonce = e.cnonce.as_bytes();
            let proof = Proof {
                algorithm: e.algorithm,
                username: e.username.of(bytes),
                realm: e.realm.of(bytes),
                nonce: e.nonce.of(bytes),
                opaque: e.opaque.map(|o| o.of(bytes)),
                protection: e.qop.map(|qop| Protection { qop, cnonce, nc: &nc }),
                method: request.method_text(),
                uri: request.request_uri(),
                body: request.body(),
            };
            let name = if e.proxy { Name::ProxyAuthorization } else { Name::Authorization };
            w.field(name, |v| proof.write(&e.ha1, v))?;
        }
        Ok(())
    }
}

impl core::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keyring").field("held", &self.len()).finish_non_exhaustive()
    }
}

/// A challenge with the user that answers it, its texts in a block.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    proxy: bool,
    algorithm: Algorithm,
    qop: Option<Qop>,
    text: BlockId,
    username: Span,
    realm: Span,
    nonce: Span,
    opaque: Option<Span>,
}

impl Known {
    /// Copies the texts into `room`; what is known lies in `text` as soon as that holds them.
    pub fn pack(
        asked: &Asked<'_>,
        username: &[u8],
        room: &mut [u8],
    ) -> Option<(usize, impl FnOnce(BlockId) -> Self + use<>)> {
        let mut at = 0usize;
        let mut put = |text: &[u8]| {
            let end = at.checked_add(text.len())?;
            room.get_mut(at..end)?.copy_from_slice(text);
            let span = Span::new(at, end);
            at = end;
            Some(span)
        };
        let (user, realm) = (put(username)?, put(asked.realm)?);
        let nonce = put(asked.nonce)?;
        let opaque = match asked.opaque {
            Some(opaque) => Some(put(opaque)?),
            None => None,
        };
        let (proxy, algorithm, qop) = (asked.proxy, asked.algorithm, asked.qop);
        let known =
            move |text| Self { proxy, algorithm, qop, text, username: user, realm, nonce, opaque };
        Some((at, known))
    }
}

fn hex8(n: u32) -> [u8; 8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [b'0'; 8];
    let mut left = n;
    for to in out.iter_mut().rev() {
        *to = usize::try_from(left & 15).ok().and_then(|i| DIGITS.get(i)).copied().unwrap_or(b'0');
        left >>= 4;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::ToOwned as _;
    use std::format;
    use std::string::String;
    use std::vec::Vec as Lines;

    const A: Between = Between { line: 1, peer: IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1)) };
    const B: Between = Between { line: 2, ..A };
    const C: Between = Between { peer: IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 2)), ..A };

    fn asked<'a>(realm: &'a str, nonce: &'a str) -> Asked<'a> {
        Asked {
            proxy: false,
            realm: realm.as_bytes(),
            nonce: nonce.as_bytes(),
            opaque: None,
            algorithm: Algorithm::Md5,
            qop: Some(Qop::Auth),
            stale: false,
        }
    }

    struct Bench {
        ring: Keyring,
        pool: Pool,
    }

    impl Bench {
        fn new(places: usize) -> Self {
            Self { ring: Keyring::new(places).unwrap(), pool: Pool::new(8_000, 1_000).unwrap() }
        }

        fn put(&mut self, between: Between, asked: &Asked<'_>) -> Result<(), Error> {
            let mut room = [0; 200];
            let (len, known) = Known::pack(asked, b"u", &mut room).unwrap();
            let text = self.pool.copy_in(&room[..len]).unwrap();
            let ha1 = Hex::parse(Algorithm::Md5, &[b'1'; 32]).unwrap();
            self.ring.put(&mut self.pool, between, (&known(text), ha1), Token([b'c'; 16]))
        }

        /// `realm nonce nc` of each field that a request would get.
        fn lines(&mut self, between: Between) -> Lines<String> {
            let request = MessageRef::lazy(b"BYE sip:h SIP/2.0\r\n\r\n").unwrap();
            let mut out = [0; 2_000];
            let mut w = Writer::new(&mut out);
            self.ring.write(&self.pool, between, &request, &mut w).unwrap();
            let text = String::from_utf8(w.written().to_vec()).unwrap();
            let part = |line: &str, name: &str| {
                let at = line.find(name).unwrap() + name.len();
                line[at..].split(['"', ',']).next().unwrap().trim().to_owned()
            };
            let of = |l: &str| {
                format!("{} {} {}", part(l, "realm=\""), part(l, "nonce=\""), part(l, "nc="))
            };
            text.lines().map(of).collect()
        }
    }

    #[test]
    fn credentials_go_to_the_peer_that_asked_and_count() {
        let mut b = Bench::new(4);
        b.put(A, &asked("r", "n")).unwrap();
        assert_eq!(b.lines(A), ["r n 00000001"]);
        assert_eq!(b.lines(A), ["r n 00000002"]);
        assert!(b.lines(B).is_empty() && b.lines(C).is_empty());
        assert!(b.ring.knows(&b.pool, A, b"r") && !b.ring.knows(&b.pool, A, b"R"));
        // A new nonce starts anew, whatever the realm did before.
        b.put(A, &asked("r", "m")).unwrap();
        b.put(A, &Asked { proxy: true, ..asked("r", "p") }).unwrap();
        assert_eq!(b.lines(A), ["r m 00000001", "r p 00000001"]);
    }

    #[test]
    fn the_one_unused_the_longest_gives_way_and_nothing_is_left_behind() {
        let mut b = Bench::new(2);
        b.put(A, &asked("r", "n")).unwrap();
        b.put(C, &asked("s", "n")).unwrap();
        b.lines(A);
        b.put(B, &asked("t", "n")).unwrap();
        assert!(b.ring.has(A) && b.ring.has(B) && !b.ring.has(C));
        assert_eq!(b.pool.live(), 2);
        b.ring.forget(&mut b.pool, 1);
        b.ring.forget(&mut b.pool, 2);
        assert!(b.ring.is_empty());
        assert_eq!(b.pool.live(), 0);
        let mut none = Bench::new(0);
        assert!(none.ring.is_closed());
        assert_eq!(none.put(A, &asked("r", "n")), Err(Error::Full(Limit::Memory)));
        assert_eq!(none.pool.live(), 0);
    }

    // S36
    #[test]
    fn debug_shows_no_secret() {
        let mut b = Bench::new(2);
        b.put(A, &asked("r", "n")).unwrap();
        assert_eq!(format!("{:?}", b.ring), "Keyring { held: 1, .. }");
    }
}
