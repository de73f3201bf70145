//! Challenges to our own requests, and what answers them (RFC 3261 22.2 and 22.3, RFC 8760).
//!
//! Any request of a line may be answered by 401 or 407. Its attempt keeps it, the application is
//! asked for the user's secret unless that is known, and it goes again with a higher CSeq number and
//! credentials. A challenge that cannot be answered ends the request like any other refusal.

use super::line::Line;
use super::referring::REFER;
use super::{LineHandle, Low, ReferHandle, Ua};
use crate::attempt::{AttemptHandle, Proving};
use crate::auth::digest::{is_session, strength};
use crate::auth::{Asked, Between, Hex, Known, Qop, Secret, ha1, question};
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::header::Value as _;
use crate::header::auth::{Algorithm, AuthInfo, Challenge, qop_has};
use crate::header::{CSeq, NameAddr};
use crate::path::{Addr, Path, Transport};
use crate::store::pool::BlockId;
use crate::store::queries::{Answer, Ask, Owner, OwnerKind, Query};
use crate::tx::TxHandle;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;

/// The challenges of one response that are looked at.
const LOOKED_AT: usize = 16;

/// How often a realm is answered in one request, stale nonces apart (AST-2020-002: a server that
/// sends a new nonce each time).
const TRIES: u32 = 2;

/// How often one realm of one request has been answered: 29 bits that name it, 2 that count, and
/// one for a stale nonce.
#[derive(Clone, Copy)]
struct Tried(u32);

impl Tried {
    const STALE: u32 = 1;
    const COUNT: u32 = 0b110;

    fn name(cx: &Cx, asked: &Asked<'_>) -> u32 {
        let key = cx.keyer.start(b'R').number(u64::from(asked.proxy)).part(asked.realm).finish();
        let short = u32::try_from(key.short() >> 32).unwrap_or(u32::MAX);
        // 0 is no realm.
        (short | 1 << 31) & !(Self::STALE | Self::COUNT)
    }

    /// The place of a realm, or a free one.
    fn place(tried: &[u32; 4], name: u32) -> Option<usize> {
        let is = |t: &u32| *t & !(Self::STALE | Self::COUNT) == name;
        tried.iter().position(is).or_else(|| tried.iter().position(|t| *t == 0))
    }

    const fn count(self) -> u32 {
        (self.0 & Self::COUNT) >> 1
    }

    const fn may(self, stale: bool) -> bool {
        if stale { self.0 & Self::STALE == 0 } else { self.count() < TRIES }
    }

    const fn and(self, name: u32, stale: bool) -> u32 {
        if stale { name | self.0 | Self::STALE } else { (name | self.0).saturating_add(2) }
    }
}

/// The challenges of a response, with their places among all of them.
fn challenges<'a>(m: &MessageRef<'a>) -> impl Iterator<Item = (usize, Asked<'a>)> + use<'a> {
    let m = *m;
    let of = |name| matches!(name, Name::WwwAuthenticate | Name::ProxyAuthenticate);
    let fields = m.fields().filter(move |f| of(f.name)).take(LOOKED_AT).enumerate();
    fields.filter_map(move |(i, field)| {
        let c = Challenge::parse(m.bytes(), field.value).ok()?;
        Some((i, asked(m.bytes(), &c, field.name == Name::ProxyAuthenticate)?))
    })
}

/// The challenge, if it is one that can be answered.
fn asked<'a>(bytes: &'a [u8], c: &Challenge, proxy: bool) -> Option<Asked<'a>> {
    let algorithm = Algorithm::of(bytes, c.algorithm);
    // RFC 8760 2.4: what is not understood is ignored.
    if !c.is_digest(bytes) || strength(algorithm) == 0 {
        return None;
    }
    let qop = match c.qop {
        None => None,
        Some(_) if qop_has(bytes, c.qop, b"auth") => Some(Qop::Auth),
        Some(_) if qop_has(bytes, c.qop, b"auth-int") => Some(Qop::AuthInt),
        Some(_) => return None,
    };
    if qop.is_none() && is_session(algorithm) {
        return None;
    }
    Some(Asked {
        proxy,
        realm: c.realm?.of(bytes),
        nonce: c.nonce?.of(bytes),
        opaque: c.opaque.map(|o| o.of(bytes)),
        algorithm,
        qop,
        stale: c.stale == Some(true),
    })
}

/// Whose challenge may be answered.
struct Judge<'a> {
    line: &'a Line,
    between: Between,
    in_dialog: bool,
}

impl Judge<'_> {
    fn allows(&self, cx: &Cx, tried: &[u32; 4], asked: &Asked<'_>) -> bool {
        let realm = self.line.auth_realm(&cx.pool);
        if !realm.is_empty() && realm != asked.realm {
            return false;
        }
        // CVE-2021-41158: the other party of a call is not given what is meant for our proxy.
        let peer_may = !self.in_dialog
            || self.line.auth_peers
            || self.line.is_home(&cx.pool, self.between.peer, asked.realm)
            || cx.keyring.knows(&cx.pool, self.between, asked.realm);
        let place = Tried::place(tried, Tried::name(cx, asked));
        let count = place.and_then(|i| tried.get(i)).copied();
        peer_may && count.is_some_and(|t| Tried(t).may(asked.stale))
    }

    /// The next challenge to answer: of the first realm that is left the strongest.
    fn next<'m>(
        &self,
        cx: &Cx,
        m: &MessageRef<'m>,
        proving: &Proving,
    ) -> Option<(usize, Asked<'m>)> {
        let left = |i: usize| proving.done & (1 << i) == 0;
        let mut best: Option<(usize, Asked<'m>)> = None;
        for (i, asked) in challenges(m).filter(|(i, _)| left(*i)) {
            let better = match &best {
                None => self.allows(cx, &proving.tried, &asked),
                Some((_, b)) => {
                    same_realm(b, &asked) && strength(asked.algorithm) > strength(b.algorithm)
                }
            };
            if better {
                best = Some((i, asked));
            }
        }
        best
    }
}

fn same_realm(a: &Asked<'_>, b: &Asked<'_>) -> bool {
    a.proxy == b.proxy && a.realm == b.realm
}

/// What is known of an attempt while it is challenged.
pub(super) struct Case {
    attempt: AttemptHandle,
    line: LineHandle,
    owner: Owner,
    pub(super) request: BlockId,
    cseq: u32,
}

impl Ua {
    fn judge<'l>(&'l self, cx: &Cx, case: &Case, peer: core::net::IpAddr) -> Option<Judge<'l>> {
        let request = MessageRef::lazy(cx.pool.bytes_of(case.request))?;
        let to = NameAddr::parse(request.bytes(), request.header_span(Name::To)?).ok()?;
        Some(Judge {
            line: self.lines.get(case.line)?,
            between: Between { line: case.line.raw(), peer },
            in_dialog: !to.tag.is_empty(),
        })
    }

    pub(super) fn case(low: &Low<'_>, attempt: AttemptHandle) -> Option<Case> {
        let (line, owner, request, cseq) = low.attempts.provable(attempt)?;
        Some(Case { attempt, line: LineHandle::from_raw(line), owner, request, cseq })
    }

    /// A 401 or 407 to a request of an attempt. False where there is nothing in it that could be
    /// answered: then it is a refusal like any other. May queue output.
    pub(crate) fn on_challenge(
        &mut self,
        low: &mut Low<'_>,
        attempt: AttemptHandle,
        tx: TxHandle,
        m: &MessageRef<'_>,
        path: &Path,
    ) -> Result<bool, Error> {
        let Some(case) = Self::case(low, attempt) else { return Ok(false) };
        if low.cx().keyring.is_closed() {
            return Ok(false);
        }
        let tried = low.attempts.proving(attempt).map_or([0; 4], |p| p.tried);
        let fresh = Proving { tried, ..Proving::default() };
        let judge = self.judge(low.down.cx, &case, path.remote.ip);
        if judge.and_then(|j| j.next(low.down.cx, m, &fresh)).is_none() {
            return Ok(false);
        }
        // Without room for it, it is a refusal: it does not come again.
        let Ok(response) = low.cx().pool.copy_in(m.bytes()) else { return Ok(false) };
        low.down.tx.set_owner(tx, Owner::default());
        low.attempts.challenged(attempt, response, path.remote.ip);
        self.prove(low, &case).map(|()| true)
    }

    /// A 2xx to a request of an attempt: the server may name the nonce of the next request (RFC 7616
    /// 3.5, RFC 7615 4), which then needs no challenge. Queues nothing.
    pub(crate) fn on_proven(
        &self,
        low: &mut Low<'_>,
        attempt: AttemptHandle,
        m: &MessageRef<'_>,
        path: &Path,
    ) {
        let Some((line, ..)) = low.attempts.provable(attempt) else { return };
        let between = Between { line, peer: path.remote.ip };
        let Cx { pool, scratch, keyring, .. } = &mut *low.down.cx;
        for (name, proxy) in
            [(Name::AuthenticationInfo, false), (Name::ProxyAuthenticationInfo, true)]
        {
            let info = m.header_span(name).and_then(|at| AuthInfo::parse(m.bytes(), at).ok());
            let Some((info, nonce)) = info.and_then(|i| Some((i, i.nextnonce?))) else { continue };
            let cnonce = info.cnonce.map(|c| m.text(c));
            keyring.next_nonce(pool, scratch, (between, proxy), cnonce, m.text(nonce));
        }
    }

    /// The application's answer to a question for a secret. May queue output.
    pub(crate) fn on_secret(
        &mut self,
        low: &mut Low<'_>,
        query: &Query,
        answer: &Answer<'_>,
    ) -> Result<(), Error> {
        let attempt = AttemptHandle::from_raw(query.asker.object);
        if !low.attempts.asked(attempt) {
            return Ok(());
        }
        let Some(case) = Self::case(low, attempt) else { return Ok(()) };
        let secret = match answer {
            Answer::Password(password) => Some(Secret::Password(password.as_bytes())),
            Answer::Ha1(digits) => Some(Secret::Ha1(digits.as_bytes())),
            _ => None,
        };
        let at = low.attempts.proving(attempt).map_or(0, |p| usize::from(p.at));
        let taken = secret.is_some_and(|s| self.take_secret(low, &case, at, &s).is_some());
        if !taken && let Some(p) = low.attempts.proving_mut(attempt) {
            // A weaker challenge of the same realm may have a secret.
            p.done |= 1 << at;
        }
        self.prove(low, &case)
    }

    /// Answers the challenge at `at` with this secret.
    fn take_secret(
        &self,
        low: &mut Low<'_>,
        case: &Case,
        at: usize,
        secret: &Secret<'_>,
    ) -> Option<()> {
        let cx = &*low.down.cx;
        let response = low.attempts.proving(case.attempt)?.response?;
        let m = MessageRef::lazy(cx.pool.bytes_of(response))?;
        let (_, asked) = challenges(&m).find(|(i, _)| *i == at)?;
        let user = self.lines.get(case.line)?.auth_user(&cx.pool);
        let hash = ha1(asked.algorithm, user, asked.realm, secret)?;
        self.remember(low, case, at, hash)
    }

    /// Puts the challenge at `at` into the keyring and is done with its realm.
    fn remember(&self, low: &mut Low<'_>, case: &Case, at: usize, hash: Hex) -> Option<()> {
        let proving = low.attempts.proving(case.attempt)?;
        let (response, peer) = (proving.response?, proving.peer?);
        let cnonce = low.down.cx.tag();
        let Cx { pool, scratch, keyring, .. } = &mut *low.down.cx;
        let m = MessageRef::lazy(pool.bytes_of(response))?;
        let (_, asked) = challenges(&m).find(|(i, _)| *i == at)?;
        let same = challenges(&m).filter(|(_, a)| same_realm(a, &asked));
        let done = same.fold(0, |bits, (i, _)| bits | 1 << i);
        let user = self.lines.get(case.line)?.auth_user(pool);
        let (len, known) = Known::pack(&asked, user, scratch)?;
        let stale = asked.stale;
        let text = pool.copy_in(scratch.get(..len)?).ok()?;
        let between = Between { line: case.line.raw(), peer };
        keyring.put(pool, between, (&known(text), hash), cnonce).ok()?;
        let m = MessageRef::lazy(low.down.cx.pool.bytes_of(response))?;
        let (_, asked) = challenges(&m).find(|(i, _)| *i == at)?;
        let name = Tried::name(low.down.cx, &asked);
        let proving = low.attempts.proving_mut(case.attempt)?;
        proving.done |= done;
        proving.answered = true;
        let place = Tried::place(&proving.tried, name)?;
        let tried = proving.tried.get_mut(place)?;
        *tried = Tried(*tried).and(name, stale);
        Some(())
    }

    /// Answers challenge after challenge; then sends the request again, or gives up.
    fn prove(&mut self, low: &mut Low<'_>, case: &Case) -> Result<(), Error> {
        // Each turn is done with a challenge.
        for _ in 0..=LOOKED_AT {
            let Some((at, known)) = self.next_challenge(low, case) else { break };
            if let Some(p) = low.attempts.proving_mut(case.attempt) {
                p.at = u8::try_from(at).unwrap_or(u8::MAX);
            }
            let done = match known {
                Some(hash) => self.remember(low, case, at, hash),
                None => match self.ask_secret(low, case, at) {
                    Ok(()) => return Ok(()),
                    Err(_) => None,
                },
            };
            if done.is_none()
                && let Some(p) = low.attempts.proving_mut(case.attempt)
            {
                p.done |= 1 << at;
            }
        }
        if low.attempts.proving(case.attempt).is_some_and(|p| p.answered) {
            return self.send_again(low, case);
        }
        self.challenge_stands(low, case)
    }

    /// The next challenge, and the HA1 that answers it if that is known and has not failed yet.
    fn next_challenge(&self, low: &Low<'_>, case: &Case) -> Option<(usize, Option<Hex>)> {
        let cx = &*low.down.cx;
        let proving = low.attempts.proving(case.attempt)?;
        let judge = self.judge(cx, case, proving.peer?)?;
        let m = MessageRef::lazy(cx.pool.bytes_of(proving.response?))?;
        let (at, asked) = judge.next(cx, &m, proving)?;
        let place = Tried::place(&proving.tried, Tried::name(cx, &asked));
        let tried = place.and_then(|i| proving.tried.get(i)).copied().unwrap_or(0);
        let untried = asked.stale || Tried(tried).count() == 0;
        let user = judge.line.auth_user(&cx.pool);
        let known = cx.keyring.ha1(&cx.pool, case.line.raw(), user, &asked);
        Some((at, known.filter(|_| untried)))
    }

    fn ask_secret(&self, low: &mut Low<'_>, case: &Case, at: usize) -> Result<(), Error> {
        let response = low.attempts.proving(case.attempt).and_then(|p| p.response);
        let cx = &mut *low.down.cx;
        let mut text = [0; 512];
        let encoded = response.and_then(|block| {
            let m = MessageRef::lazy(cx.pool.bytes_of(block))?;
            let (_, asked) = challenges(&m).find(|(i, _)| *i == at)?;
            let user = self.lines.get(case.line)?.auth_user(&cx.pool);
            question::encode(asked.algorithm, asked.realm, user, &mut text)
        });
        let (len, split) = encoded.ok_or(Error::Full(Limit::MessageBytes))?;
        let asker = Owner::new(OwnerKind::Attempt, case.attempt.raw());
        let about = (Addr { port: split, ..Addr::default() }, Transport::Udp);
        let text = text.get(..len).unwrap_or(&[]);
        let query = cx.ask(Ask::Credentials, asker, text, about, case.line.raw())?;
        low.attempts.asking(case.attempt, query);
        Ok(())
    }

    /// RFC 3261 22.2: the same request with a higher CSeq number.
    pub(super) fn send_again(&mut self, low: &mut Low<'_>, case: &Case) -> Result<(), Error> {
        let cx = &*low.down.cx;
        let m = MessageRef::lazy(cx.pool.bytes_of(case.request)).ok_or(Error::Gone)?;
        let own = m.header_span(Name::CSeq).and_then(|at| CSeq::parse(m.bytes(), at).ok());
        let last = if case.cseq == 0 { own.map_or(0, |c| c.number) } else { case.cseq };
        let dialog = low.dialogs.of_sent(cx, &m);
        let next = if let Some(d) = dialog.and_then(|d| low.dialogs.get_mut(d)) {
            d.local_seq = d.local_seq.max(last).saturating_add(1);
            d.local_seq
        } else {
            let next = last.saturating_add(1);
            if case.owner.kind == OwnerKind::Line {
                self.set_register_seq(case.line, next);
            }
            next
        };
        self.sent_again(case.owner, next);
        // What comes of it comes from a timer or a response.
        low.attempts.resend(&mut low.down, case.attempt, next).map(drop)
    }

    /// The challenge cannot be answered: it is the final response.
    fn challenge_stands(&mut self, low: &mut Low<'_>, case: &Case) -> Result<(), Error> {
        let response = low.attempts.take_challenge(case.attempt);
        low.attempts.end(&mut low.down, case.attempt);
        let Some(block) = response else { return Ok(()) };
        let status = MessageRef::lazy(low.cx().pool.bytes_of(block)).map_or(401, |m| m.status());
        match case.owner.kind {
            OwnerKind::Call => self.on_refusal(low, case.owner, status, block),
            OwnerKind::Line => self.on_register_refused(low, case.line, status, Some(block)),
            OwnerKind::App => Self::tell_answered(low.cx(), case.owner, status, Some(block)),
            OwnerKind::Refer if case.owner.part == REFER => {
                let r = ReferHandle::from_raw(case.owner.object);
                self.outcome(low, r, status, Some(block))
            }
            OwnerKind::Refer => {
                low.cx().pool.release(block);
                self.on_notify_response(low, case.owner, status)
            }
            _ => {
                low.cx().pool.release(block);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S14
    #[test]
    fn two_tries_and_one_for_a_stale_nonce() {
        let name = 0x8000_0010;
        let mut t = Tried(0);
        assert!(t.may(false) && t.may(true));
        t = Tried(t.and(name, false));
        assert!(t.may(false) && t.may(true));
        t = Tried(t.and(name, true));
        assert!(t.may(false) && !t.may(true));
        t = Tried(t.and(name, false));
        assert!(!t.may(false) && !t.may(true));
        assert_eq!(Tried::place(&[t.0, 0, 0, 0], name), Some(0));
        assert_eq!(Tried::place(&[t.0, 0, 0, 0], name + 8), Some(1));
        assert_eq!(Tried::place(&[t.0; 4], name + 8), None, "no place, no try");
    }
}
