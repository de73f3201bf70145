//! Challenges of ours: by the proxy (407, RFC 3261 22.3) and the registrar (401, 22.2), with a
//! challenge for each algorithm (RFC 8760 2.3).
//!
//! A request without usable credentials is answered without keeping anything of it. Only one whose
//! nonce is ours and fresh is worth a question for its user's secret.

use core::net::IpAddr;

use super::preprocess::is_ours;
use crate::auth::digest::{base, protection};
use crate::auth::nonce::{Bound, Standing};
use crate::auth::{Secret, check, ha1, question};
use crate::config::Challenge;
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::header::aor::canonical;
use crate::header::auth::{Algorithm, Credentials, NewChallenge};
use crate::header::{Essentials, NameAddr, Uri, Value as _};
use crate::path::{Addr, Path, Transport};
use crate::store::pool::BlockId;
use crate::store::queries::{Answer, Ask, Owner, Query, QueryId};
use crate::tx::{Reply, Transactions, TxHandle};
use crate::wire::name::Name;
use crate::wire::scan::Span;
use crate::wire::write::Writer;
use crate::wire::{MessageRef, Method};

/// Who challenges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// The proxy.
    Proxy,
    /// The registrar.
    #[cfg(feature = "registrar")]
    Registrar,
}

impl By {
    const fn status(self) -> u16 {
        match self {
            Self::Proxy => 407,
            #[cfg(feature = "registrar")]
            Self::Registrar => 401,
        }
    }

    const fn asks(self) -> Name {
        match self {
            Self::Proxy => Name::ProxyAuthenticate,
            #[cfg(feature = "registrar")]
            Self::Registrar => Name::WwwAuthenticate,
        }
    }

    const fn answered(self) -> Name {
        match self {
            Self::Proxy => Name::ProxyAuthorization,
            #[cfg(feature = "registrar")]
            Self::Registrar => Name::Authorization,
        }
    }
}

/// What is to be done with a request that has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gate {
    /// Nobody is asked.
    Open,
    /// It is challenged.
    Closed {
        /// It had credentials whose nonce is too old.
        stale: bool,
    },
    /// Its credentials are to be checked.
    Ask,
}

/// What its credentials have shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    /// The user may send it.
    User,
    /// It is the user, but not for this address of record (10.3 step 4).
    Other,
    /// It is challenged again.
    Nothing {
        /// Only the nonce was used before.
        stale: bool,
    },
}

/// The bytes of an address that a nonce is bound to.
fn place(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The first credentials for our realm by an algorithm that is offered.
fn credentials(m: &MessageRef<'_>, challenge: &Challenge, by: By) -> Option<Credentials> {
    let fields = m.fields().filter(|f| f.name == by.answered());
    fields.filter_map(|f| Credentials::parse(m.bytes(), f.value).ok()).find(|c| {
        let algorithm = Algorithm::of(m.bytes(), c.algorithm);
        c.is_digest(m.bytes())
            && c.realm.is_some_and(|r| m.text(r) == challenge.realm.as_bytes())
            && challenge.algorithms.contains(&algorithm)
            && c.username.is_some()
            && c.userhash != Some(true)
            && protection(m.bytes(), c).is_ok()
    })
}

/// How often a nonce was used. Without a count it may be used once.
fn count(c: &Credentials) -> u32 {
    c.nc.map_or(1, |n| n.0)
}

/// Whether a request has to prove its sender, and could.
pub(crate) fn judge(cx: &mut Cx, m: &MessageRef<'_>, path: &Path, by: By) -> Gate {
    let challenge = &cx.config.challenge;
    // RFC 3325 3: a node of the trust domain has seen to it.
    let seen_to = by == By::Proxy && cx.config.edge.is_trusted(path.remote.ip);
    if seen_to || !challenge.covers(m.method()) {
        return Gate::Open;
    }
    let Some(c) = credentials(m, challenge, by) else { return Gate::Closed { stale: false } };
    let place = place(path.remote.ip);
    let bound = Bound { realm: challenge.realm.as_bytes(), place: &place };
    let nonce = c.nonce.map_or(&[][..], |n| m.text(n));
    let standing = cx.nonces.judge(cx.unix(), challenge.nonce, nonce, count(&c), &bound);
    if standing != Standing::Foreign {
        // What was sent to that address has come back from it.
        cx.prove(path);
    }
    if standing == Standing::Fresh { Gate::Ask } else { Gate::Closed { stale: true } }
}

/// The user as whom `m` has been proven.
pub(super) fn user<'a>(cx: &Cx, m: &MessageRef<'a>) -> Option<&'a [u8]> {
    let c = credentials(m, &cx.config.challenge, By::Proxy)?;
    Some(m.text(c.username?))
}

/// Asks for the secret of the user whose credentials `m` carries.
pub(crate) fn ask(
    cx: &mut Cx,
    asker: Owner,
    m: &MessageRef<'_>,
    path: &Path,
    by: By,
) -> Result<QueryId, Error> {
    let mut text = [0; 512];
    let encoded = credentials(m, &cx.config.challenge, by).and_then(|c| {
        let algorithm = Algorithm::of(m.bytes(), c.algorithm);
        let realm = cx.config.challenge.realm.as_bytes();
        question::encode(algorithm, realm, m.text(c.username?), &mut text)
    });
    let (len, split) = encoded.ok_or(Error::Full(Limit::MessageBytes))?;
    let text = text.get(..len).unwrap_or(&[]);
    // The port says where the realm ends.
    let about = (Addr::new(path.remote.ip, split), Transport::Udp);
    cx.ask(Ask::Credentials, asker, text, about, 0)
}

/// Whether `answer` bears out the credentials of the stored `request`.
pub(crate) fn verify(
    cx: &mut Cx,
    request: BlockId,
    query: &Query,
    answer: &Answer<'_>,
    by: By,
) -> Shown {
    let nothing = Shown::Nothing { stale: false };
    let Some(m) = MessageRef::lazy(cx.pool.bytes_of(request)) else { return nothing };
    let Some(c) = credentials(&m, &cx.config.challenge, by) else { return nothing };
    let user = c.username.map_or(&[][..], |u| m.text(u));
    let realm = cx.config.challenge.realm.as_bytes();
    let algorithm = base(Algorithm::of(m.bytes(), c.algorithm));
    let (secret, known) = match answer {
        Answer::Password(password) => (Secret::Password(password.as_bytes()), true),
        Answer::Ha1(digits) => (Secret::Ha1(digits.as_bytes()), true),
        // A user that there is not takes as long as a wrong password.
        _ => (Secret::Password(b""), false),
    };
    if matches!(secret, Secret::Ha1(_)) {
        // So does one whose hash is known.
        core::hint::black_box(ha1(algorithm, user, realm, &Secret::Password(b"")));
    }
    let Some(hash) = ha1(algorithm, user, realm, &secret) else { return nothing };
    let right = check(m.bytes(), &c, &hash, m.method_text(), m.body());
    if !(right && known) {
        return nothing;
    }
    let allowed = is_own(cx, &m, user);
    let place = place(query.addr.ip);
    let unix = cx.unix();
    let Cx { pool, nonces, config, .. } = cx;
    let Some(m) = MessageRef::lazy(pool.bytes_of(request)) else { return nothing };
    let nonce = c.nonce.map_or(&[][..], |n| m.text(n));
    let bound = Bound { realm: config.challenge.realm.as_bytes(), place: &place };
    match nonces.spend(unix, config.challenge.nonce, nonce, count(&c), &bound) {
        Standing::Fresh if allowed => Shown::User,
        Standing::Fresh => Shown::Other,
        Standing::Stale | Standing::Foreign => Shown::Nothing { stale: true },
    }
}

/// Whether a user may send what says it comes from there: REGISTER for its own address of record
/// (RFC 3261 10.3 step 4), a request outside a dialog from itself.
fn is_own(cx: &Cx, m: &MessageRef<'_>, user: &[u8]) -> bool {
    let address = |name| NameAddr::parse(m.bytes(), m.header_span(name)?).ok();
    let Some(to) = address(Name::To) else { return false };
    if m.method() == Method::Register {
        return is_user(cx, m.text(to.uri_text), user);
    }
    if !to.tag.is_empty() {
        // The callee's From is what the caller has dialled.
        return true;
    }
    let Some(from) = address(Name::From) else { return false };
    // RFC 3323 4.1.1.3: who is proven may stay unnamed.
    m.text(from.uri.host).eq_ignore_ascii_case(b"anonymous.invalid")
        || is_user(cx, m.text(from.uri_text), user)
}

/// Whether an address of record is a user's: `user@host` names it whole; `user` is its user part, in
/// the domain that is the realm, if one is.
fn is_user(cx: &Cx, aor: &[u8], user: &[u8]) -> bool {
    let (mut a, mut b) = ([0; 512], [0; 512]);
    let Some(canonical_aor) = canonical(aor, &mut a) else { return false };
    let Ok(uri) = Uri::parse(canonical_aor) else { return false };
    let host = uri.host.of(canonical_aor);
    let domain = if user.contains(&b'@') { &[][..] } else { host };
    let at: &[u8] = if domain.is_empty() { b"" } else { b"@" };
    let mut named = [0; 512];
    let mut len = 0;
    for part in [&b"sip:"[..], user, at, domain] {
        let end = len + part.len();
        let Some(place) = named.get_mut(len..end) else { return false };
        place.copy_from_slice(part);
        len = end;
    }
    let named = named.get(..len).and_then(|n| canonical(n, &mut b));
    let realm = cx.config.challenge.realm.as_bytes();
    let other = cx.config.is_domain(realm)
        && cx.config.is_domain(host)
        && !realm.eq_ignore_ascii_case(host);
    named == Some(canonical_aor) && is_ours(cx, aor, &Uri::parse(aor).unwrap_or(uri)) && !other
}

/// The challenges that are sent: at most this many algorithms.
const OFFERED: usize = 4;
/// Room for one.
const ROOM: usize = 280;

/// Makes the challenges and has them sent.
fn with_challenges<R>(
    cx: &mut Cx,
    ip: IpAddr,
    by: By,
    stale: bool,
    send: impl FnOnce(&mut Cx, &[(Name, &[u8])]) -> R,
) -> R {
    let mark = u32::try_from(cx.random() & u64::from(u32::MAX)).unwrap_or(0);
    let challenge = &cx.config.challenge;
    let place = place(ip);
    let bound = Bound { realm: challenge.realm.as_bytes(), place: &place };
    let nonce = cx.nonces.make(cx.unix(), mark, &bound).text();
    let mut room = [[0u8; ROOM]; OFFERED];
    let mut lens = [0usize; OFFERED];
    let qop: &[u8] = if challenge.integrity { b"auth,auth-int" } else { b"auth" };
    for ((room, len), algorithm) in room.iter_mut().zip(&mut lens).zip(&challenge.algorithms) {
        let new = NewChallenge {
            realm: challenge.realm.as_bytes(),
            nonce: &nonce,
            opaque: None,
            algorithm: *algorithm,
            qop: Some(qop),
            stale,
        };
        let mut w = Writer::new(room);
        // A realm that was accepted fits.
        *len = new.write(&mut w.value(by.asks())).map_or(0, |()| w.len());
    }
    let mut fields = [(by.asks(), &[][..]); OFFERED];
    let mut n = 0;
    for (field, (room, len)) in fields.iter_mut().zip(room.iter().zip(lens)) {
        if len > 0 {
            field.1 = room.get(..len).unwrap_or(&[]);
            n += 1;
        }
    }
    send(cx, fields.get(..n).unwrap_or(&[]))
}

/// Challenges a request of which nothing is kept. Queues output.
pub(crate) fn refuse(
    tx: &mut Transactions,
    cx: &mut Cx,
    (m, e, path): (&MessageRef<'_>, &Essentials, &Path),
    by: By,
    stale: bool,
) -> Result<(), Error> {
    with_challenges(cx, path.remote.ip, by, stale, |cx, extra| {
        let reply = Reply { extra, ..Reply::default() };
        tx.reply_stateless(cx, m, e, path, by.status(), &reply).map(drop)
    })
}

/// Challenges the request of a transaction. Queues output.
pub(crate) fn reply(
    tx: &mut Transactions,
    cx: &mut Cx,
    (server, ip): (TxHandle, IpAddr),
    by: By,
    stale: bool,
) -> Result<(), Error> {
    with_challenges(cx, ip, by, stale, |cx, extra| {
        tx.reply(cx, server, by.status(), &Reply { extra, ..Reply::default() })
    })
}

/// Where the fields begin and end that are for us alone: Proxy-Authorization for our realm (RFC 3261
/// 22.3).
pub(super) fn own_fields<'a>(
    m: &MessageRef<'a>,
    realm: &'a [u8],
) -> impl Iterator<Item = Span> + use<'a> {
    let m = *m;
    let wanted = !realm.is_empty() && m.may_have(Name::ProxyAuthorization);
    let fields = m.fields().take(if wanted { usize::MAX } else { 0 });
    let fields = fields.filter(|f| f.name == Name::ProxyAuthorization);
    fields
        .filter(move |f| {
            let c = Credentials::parse(m.bytes(), f.value).ok();
            c.and_then(|c| c.realm).is_some_and(|r| m.text(r) == realm)
        })
        .map(move |f| crate::wire::edit::lines(&m, &f))
}
