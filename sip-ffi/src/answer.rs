//! Answers to the engine's questions.

use std::net::{IpAddr, Ipv4Addr};

use sansip_core::{Answer, Binding, Instant, QueryId, Target};

use crate::abi::{SansipAddr, SansipFlow, SansipQuery, SansipStr, array, item};
use crate::code::{ARGUMENT, Code, Outcome};
use crate::config::BINDINGS;
use crate::engine::SansipEngine;
use crate::guard::with_engine;
use crate::media::{SansipMedia, with_media};
use crate::output::SansipBinding;

/// A target of a request that the proxy forwards.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipTarget {
    /// The new Request-URI; empty keeps the one that came.
    pub uri: SansipStr,
    /// Where to send it in spite of its Request-URI: a URI; empty for none.
    pub next_hop: SansipStr,
    /// Routes that the request gets before its own, as one Route field lists them (RFC 3327); empty
    /// for none.
    pub path: SansipStr,
    /// The parameters of its Contact: what it can do (RFC 3840), for the caller's preferences (RFC
    /// 3841), and which device it is. Empty for one that says nothing.
    pub params: SansipStr,
    /// Preference, 0 to 1000, higher first.
    pub q: u32,
    /// 0.
    pub reserved: u32,
}

impl SansipTarget {
    /// # Safety
    /// The texts are valid.
    pub(crate) unsafe fn read<'a>(self) -> Result<Target<'a>, Code> {
        // SAFETY: passed on.
        unsafe {
            Ok(Target {
                uri: self.uri.text()?,
                next_hop: self.next_hop.text()?,
                q: quality(self.q)?,
                path: self.path.text()?,
                params: self.params.text()?,
            })
        }
    }
}

/// # Safety
/// As for [`with_engine`].
unsafe fn answer(engine: *mut SansipEngine, now: u64, query: SansipQuery, a: Answer<'_>) -> i32 {
    // SAFETY: passed on.
    unsafe {
        with_engine(engine, |e| -> Outcome {
            e.answer(Instant(now), QueryId::from_raw(query.v), a)?;
            Ok(0)
        })
    }
}

/// Runs `f` on what can go wrong before the engine is reached.
macro_rules! given {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(code) => return code.0,
        }
    };
}

/// To SANSIP_Q_DNS: the addresses, best first (at most 16; ports do not matter), and for how many
/// seconds they hold. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_addresses(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    addrs: *const SansipAddr,
    n: usize,
    ttl_s: u32,
) -> i32 {
    let mut ips = [IpAddr::V4(Ipv4Addr::UNSPECIFIED); 16];
    let n = given!(array(addrs, n, ips.len()));
    for (i, ip) in ips.iter_mut().enumerate().take(n) {
        // SAFETY: by the header's rules, `n` are there.
        *ip = given!(unsafe { item(addrs, i) }.ip());
    }
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::Addresses(&ips[..n], ttl_s)) }
}

/// To SANSIP_Q_DNS: the name has no addresses. To SANSIP_Q_LOCATE: there is no such address of
/// record. To SANSIP_Q_MEDIA: none. To SANSIP_Q_CREDENTIALS: no such user, or none by this
/// algorithm. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_not_found(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::NotFound) }
}

/// To any question: it could not be done. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_failed(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::Failed) }
}

/// To SANSIP_Q_CONNECT: this connection, reported by sansip_flow_opened before. May queue output.
/// Errors: SANSIP_E_FLOW.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_connected(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    flow: SansipFlow,
) -> i32 {
    let flow = given!(flow.get());
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::Connected(flow)) }
}

/// To SANSIP_Q_ROUTE: try these targets, at most 32; none is 404. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_route(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    targets: *const SansipTarget,
    n: usize,
) -> i32 {
    let mut list = [Target::default(); 32];
    let n = given!(array(targets, n, list.len()));
    for (i, target) in list.iter_mut().enumerate().take(n) {
        // SAFETY: by the header's rules, `n` are there, and their texts are valid.
        *target = given!(unsafe { item(targets, i).read() });
    }
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::Route(&list[..n])) }
}

/// To SANSIP_Q_ROUTE: refuse the request with this status, 300 to 699. May queue output.
/// Errors: SANSIP_E_BAD_STATUS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_reject(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    status: u32,
) -> i32 {
    let status = given!(crate::verb::status(status));
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::Reject(status)) }
}

/// To SANSIP_Q_LOCATE: the bindings that have not expired, at most 32, and their version, which
/// SANSIP_Q_STORE will name. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_located(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    version: u64,
    bindings: *const SansipBinding,
    n: usize,
) -> i32 {
    let mut list = [Binding::default(); BINDINGS];
    let n = given!(array(bindings, n, list.len()));
    for (i, binding) in list.iter_mut().enumerate().take(n) {
        // SAFETY: by the header's rules, `n` are there, and their texts are valid.
        unsafe {
            let from = item(bindings, i);
            binding.uri = given!(from.uri.text());
            binding.params = given!(from.params.text());
            binding.call_id = given!(from.call_id.text());
            binding.path = given!(from.path.text());
            binding.q = given!(quality(from.q));
            binding.expires = from.expires_s;
            binding.cseq = from.cseq;
        }
    }
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::Located { version, bindings: &list[..n] }) }
}

/// To SANSIP_Q_STORE: done. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_stored(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::Stored) }
}

/// To SANSIP_Q_STORE: the version is not the one named; the engine asks again. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_conflict(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { answer(engine, now_ms, query, Answer::Conflict) }
}

/// To SANSIP_Q_MEDIA: all that the call can have on our side; kept for all its offers and answers.
/// May queue output. Errors: SANSIP_E_MEDIA.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_media(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    media: *const SansipMedia,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        with_engine(engine, |e| {
            with_media(media, |media| {
                let media = media.ok_or(ARGUMENT)?;
                let query = QueryId::from_raw(query.v);
                e.answer(Instant(now_ms), query, Answer::Media(media))?;
                Ok(0)
            })
        })
    }
}

/// To SANSIP_Q_MEDIA: a session description of your own, an offer or the answer to the peer's. May
/// queue output. Errors: SANSIP_E_MEDIA.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_description(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    description: SansipStr,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        let description = given!(description.text());
        answer(engine, now_ms, query, Answer::Description(description))
    }
}

/// To SANSIP_Q_CREDENTIALS: the password. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_password(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    password: SansipStr,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        let password = given!(password.text());
        answer(engine, now_ms, query, Answer::Password(password))
    }
}

/// To SANSIP_Q_CREDENTIALS: HA1 in hexadecimal, the hash of user:realm:password by the algorithm
/// that was asked for. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_ha1(
    engine: *mut SansipEngine,
    now_ms: u64,
    query: SansipQuery,
    ha1: SansipStr,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        let ha1 = given!(ha1.text());
        answer(engine, now_ms, query, Answer::Ha1(ha1))
    }
}

fn quality(q: u32) -> Result<u16, Code> {
    u16::try_from(q).ok().filter(|q| *q <= 1_000).ok_or(ARGUMENT)
}
