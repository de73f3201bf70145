//! The verbs: what an application tells the engine to do.

use std::ffi::c_void;
use std::ptr::null;

use sansip_core::{
    CallHandle, Engine, Error, Extras, Instant, LineConfig, LineHandle, Misuse, RequestHandle,
    Target,
};

use crate::abi::{
    SansipBytes, SansipCall, SansipLine, SansipPath, SansipRequest, SansipStr, Sized32, array,
    bytes, fill, item, local, read, store,
};
use crate::answer::SansipTarget;
use crate::code::{Code, SANSIP_NOT_FOUND};
use crate::engine::SansipEngine;
use crate::guard::{look_at_engine, with_engine};
use crate::media::{SansipMedia, with_media};

/// A header field.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipField {
    /// Its name.
    pub name: SansipStr,
    /// Its value.
    pub value: SansipStr,
}

/// What a function that sends may add to its message. NULL in its place adds nothing.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipExtras {
    /// sizeof(sansip_extras).
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Header fields. One whose value holds CR, LF or another control byte is
    /// SANSIP_E_BAD_HEADER.
    pub fields: *const SansipField,
    /// How many, at most 32.
    pub n_fields: usize,
    /// The body's Content-Type; needed with a body.
    pub content_type: SansipStr,
    /// The body.
    pub body: SansipBytes,
    /// The call's media in place of a body, kept for all its offers and answers; NULL: what the call
    /// has, or SANSIP_Q_MEDIA asks for it. Media that is not usable, or a body beside it, is
    /// SANSIP_E_MEDIA.
    pub media: *const SansipMedia,
}

// SAFETY: integers, pointers and structs of them, the size first.
unsafe impl Sized32 for SansipExtras {}

/// [`Extras`] and what they borrow.
struct Adds<'a> {
    fields: [(&'a str, &'a str); 32],
    n: usize,
    content_type: &'a str,
    body: &'a [u8],
    media: *const SansipMedia,
}

impl<'a> Adds<'a> {
    /// # Safety
    /// `p` is null, or it and its pointers are valid.
    unsafe fn read(p: *const SansipExtras) -> Result<Self, Code> {
        let fields = [("", ""); 32];
        let mut adds = Adds { fields, n: 0, content_type: "", body: &[], media: null() };
        if p.is_null() {
            return Ok(adds);
        }
        // SAFETY: passed on.
        unsafe {
            let from = read(p)?;
            adds.n = array(from.fields, from.n_fields, adds.fields.len())?;
            for (i, field) in adds.fields.iter_mut().enumerate().take(adds.n) {
                let from = item(from.fields, i);
                *field = (from.name.text()?, from.value.text()?);
            }
            adds.content_type = from.content_type.text()?;
            adds.body = bytes(from.body.p, from.body.n)?;
            adds.media = from.media;
        }
        Ok(adds)
    }

    /// # Safety
    /// The media that it names is valid.
    unsafe fn with<R>(&self, f: impl FnOnce(Extras<'_>) -> Result<R, Error>) -> Result<R, Code> {
        let headers = &self.fields[..self.n];
        let (content_type, body) = (self.content_type, self.body);
        // SAFETY: passed on.
        unsafe {
            with_media(self.media, |media| Ok(f(Extras { headers, content_type, body, media })?))
        }
    }
}

pub(crate) fn status(status: u32) -> Result<u16, Code> {
    u16::try_from(status).map_err(|_| Error::Misuse(Misuse::BadStatus).into())
}

/// # Safety
/// As for [`with_engine`].
pub(crate) unsafe fn verb(
    engine: *mut SansipEngine,
    f: impl FnOnce(&mut Engine) -> Result<(), Code>,
) -> i32 {
    // SAFETY: passed on.
    unsafe { with_engine(engine, |e| f(e).map(|()| 0)) }
}

/// A line: an address of record that the user agent serves.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipLineConfig {
    /// sizeof(sansip_line_config).
    pub size: u32,
    /// The identity that it uses; 0 picks one by transport.
    pub local: u32,
    /// How long a registration shall last, in seconds; 0: 3600.
    pub expires_s: u32,
    /// Not 0: it takes requests whose Request-URI no line has. Else those get 404.
    pub any: u32,
    /// The address of record: a sip: or sips: URI.
    pub aor: SansipStr,
    /// The display name; empty for none.
    pub display: SansipStr,
    /// Where its requests outside dialogs go: a URI; empty sends them by their Request-URI.
    pub proxy: SansipStr,
    /// Your own number, given back in its events.
    pub user: u64,
    /// The user name that challenges are answered with; empty: the user part of the address of
    /// record.
    pub auth_user: SansipStr,
    /// The only realm whose challenges are answered; empty: any, which SANSIP_Q_CREDENTIALS decides.
    pub auth_realm: SansipStr,
    /// Not 0: a challenge in a dialog is answered whoever sends it. Else only peers are that have
    /// challenged the line outside a dialog, for the same realm.
    pub auth_peers: u32,
    /// 0.
    pub reserved: u32,
    /// The device that it is on, as a URN: urn:uuid:... With it the line registers as that instance,
    /// and a public GRUU that it gets is its Contact in dialogs (RFC 5627). Empty for none.
    pub instance: SansipStr,
}

// SAFETY: integers and structs of a pointer and an integer, the size first.
unsafe impl Sized32 for SansipLineConfig {}

/// Adds a line. Queues nothing.
/// Errors: SANSIP_E_FULL_LINES, SANSIP_E_FULL_BLOCKS, SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_line_add(
    engine: *mut SansipEngine,
    now_ms: u64,
    config: *const SansipLineConfig,
    out: *mut SansipLine,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let from = read(config)?;
            store(out, SansipLine { v: 0 })?;
            let line = LineConfig {
                aor: from.aor.text()?,
                display: from.display.text()?,
                proxy: from.proxy.text()?,
                local: if from.local == 0 { None } else { Some(local(from.local)?) },
                expires: from.expires_s,
                any: from.any != 0,
                user: from.user,
                auth_user: from.auth_user.text()?,
                auth_realm: from.auth_realm.text()?,
                instance: from.instance.text()?,
                auth_peers: from.auth_peers != 0,
            };
            let line = e.add_line(Instant(now_ms), line)?;
            store(out, SansipLine { v: line.raw() })
        })
    }
}

/// Takes a line out; its calls go on. Unregister it first. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_line_remove(
    engine: *mut SansipEngine,
    now_ms: u64,
    line: SansipLine,
) -> i32 {
    let line = LineHandle::from_raw(line.v);
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.remove_line(Instant(now_ms), line)?)) }
}

/// Registers a line and keeps it registered (RFC 3261 10.2). May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_STATE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_register(
    engine: *mut SansipEngine,
    now_ms: u64,
    line: SansipLine,
) -> i32 {
    let line = LineHandle::from_raw(line.v);
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.register(Instant(now_ms), line)?)) }
}

/// Ends a line's registration (RFC 3261 10.2.2). May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_STATE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_unregister(
    engine: *mut SansipEngine,
    now_ms: u64,
    line: SansipLine,
) -> i32 {
    let line = LineHandle::from_raw(line.v);
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.unregister(Instant(now_ms), line)?)) }
}

/// Calls `target`, a sip: or sips: URI (RFC 3261 13.2). `user` comes back in the call's events. May
/// queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_invite(
    engine: *mut SansipEngine,
    now_ms: u64,
    line: SansipLine,
    target: SansipStr,
    user: u64,
    extras: *const SansipExtras,
    out: *mut SansipCall,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            store(out, SansipCall { v: 0 })?;
            let (line, adds) = (LineHandle::from_raw(line.v), Adds::read(extras)?);
            let target = target.text()?;
            let call = adds.with(|x| e.invite(Instant(now_ms), line, target, user, x))?;
            store(out, SansipCall { v: call.raw() })
        })
    }
}

/// Sends a provisional response to an incoming call, 101 to 199. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_HEADER,
/// SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_ring(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    status: u32,
    extras: *const SansipExtras,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let adds = Adds::read(extras)?;
            let status = self::status(status)?;
            adds.with(|x| e.ring(Instant(now_ms), call, status, x))
        })
    }
}

/// Answers a call or a re-INVITE with 200. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_answer_call(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    extras: *const SansipExtras,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let adds = Adds::read(extras)?;
            adds.with(|x| e.answer_call(Instant(now_ms), call, x))
        })
    }
}

/// Refuses a call or a re-INVITE, 300 to 699; 0 as the line's policy says, else 486. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_HEADER,
/// SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_reject(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    status: u32,
    extras: *const SansipExtras,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let adds = Adds::read(extras)?;
            let status = self::status(status)?;
            adds.with(|x| e.reject(Instant(now_ms), call, status, x))
        })
    }
}

/// Sends the caller elsewhere: a 3xx with the URI `contact` as its Contact. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_URI,
/// SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_redirect(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    status: u32,
    contact: SansipStr,
    extras: *const SansipExtras,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let (contact, adds) = (contact.text()?, Adds::read(extras)?);
            let status = self::status(status)?;
            adds.with(|x| e.redirect(Instant(now_ms), call, status, contact, x))
        })
    }
}

/// Hangs up: CANCEL, BYE or a refusal, whatever the call's state asks for. Never
/// SANSIP_E_FULL_... May queue output. Errors: SANSIP_E_GONE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_hangup(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.hangup(Instant(now_ms), call)?)) }
}

/// Changes the session by a re-INVITE (RFC 3261 14.1). May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_reinvite(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    extras: *const SansipExtras,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let adds = Adds::read(extras)?;
            adds.with(|x| e.reinvite(Instant(now_ms), call, x))
        })
    }
}

/// Sends an UPDATE (RFC 3311 5.1), before the call is answered too. A From among the fields becomes
/// our identity in the call, if the peer supports that. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_update(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    extras: *const SansipExtras,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let adds = Adds::read(extras)?;
            adds.with(|x| e.update(Instant(now_ms), call, x))
        })
    }
}

/// Asks the peer to call `target` in our place: a blind transfer (RFC 3515, RFC 5589). The call
/// ends as the config's transferor_leaves says; with `keep` not 0 it stays: so the focus of a
/// conference is asked to invite somebody. Its progress: SANSIP_EV_CALL_TRANSFER and
/// SANSIP_EV_CALL_TRANSFERRED. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER,
/// SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_transfer(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    target: SansipStr,
    keep: u32,
    extras: *const SansipExtras,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let (target, adds) = (target.text()?, Adds::read(extras)?);
            adds.with(|x| e.transfer(Instant(now_ms), call, target, keep != 0, x))
        })
    }
}

/// Asks the peer of `call` to take our place in `other`: an attended transfer (RFC 3891, RFC
/// 5589). While `other` rings, the config's transfer_ringing says what happens. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_transfer_to(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    other: SansipCall,
    extras: *const SansipExtras,
) -> i32 {
    let (call, other) = (CallHandle::from_raw(call.v), CallHandle::from_raw(other.v));
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let adds = Adds::read(extras)?;
            adds.with(|x| e.transfer_to(Instant(now_ms), call, other, x))
        })
    }
}

/// Places the call that SANSIP_EV_TRANSFER asks for, and tells the peer how it goes. May queue
/// output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_accept_transfer(
    engine: *mut SansipEngine,
    now_ms: u64,
    request: SansipRequest,
    user: u64,
    extras: *const SansipExtras,
    out: *mut SansipCall,
) -> i32 {
    let request = RequestHandle::from_raw(request.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            store(out, SansipCall { v: 0 })?;
            let adds = Adds::read(extras)?;
            let call = adds.with(|x| e.accept_transfer(Instant(now_ms), request, user, x))?;
            store(out, SansipCall { v: call.raw() })
        })
    }
}

/// Refuses what SANSIP_EV_TRANSFER asks for, 300 to 699. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_BAD_STATUS, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_reject_transfer(
    engine: *mut SansipEngine,
    now_ms: u64,
    request: SansipRequest,
    status: u32,
) -> i32 {
    let request = RequestHandle::from_raw(request.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| Ok(e.reject_transfer(Instant(now_ms), request, self::status(status)?)?))
    }
}

/// What a call has to do with others.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipCallInfo {
    /// sizeof(sansip_call_info).
    pub size: u32,
    /// Not 0: the peer is the focus of a conference (RFC 4579).
    pub focus: u32,
    /// Its line, 0 if there is none.
    pub line: SansipLine,
    /// Your own number of the call.
    pub user: u64,
    /// The call whose place it takes once it is answered (RFC 3891), 0 if there is none.
    pub replaces: SansipCall,
    /// The call that it wants to be mixed with (RFC 3911), 0 if there is none.
    pub joins: SansipCall,
}

// SAFETY: integers and structs of one, the size first.
unsafe impl Sized32 for SansipCallInfo {}

/// What a call has to do with others. Set out->size first. Returns SANSIP_NOT_FOUND once the call
/// has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_call_info(
    engine: *const SansipEngine,
    call: SansipCall,
    out: *mut SansipCallInfo,
) -> i32 {
    let none = SansipCall { v: 0 };
    let empty = SansipCallInfo {
        size: 0,
        focus: 0,
        line: SansipLine { v: 0 },
        user: 0,
        replaces: none,
        joins: none,
    };
    // SAFETY: by the header's rules.
    unsafe {
        look_at_engine(engine, |e| {
            let Some(info) = e.call_info(CallHandle::from_raw(call.v)) else {
                fill(out, empty)?;
                return Ok(SANSIP_NOT_FOUND);
            };
            let handle = |h: Option<CallHandle>| SansipCall { v: h.map_or(0, CallHandle::raw) };
            let info = SansipCallInfo {
                focus: info.focus.into(),
                line: SansipLine { v: info.line.map_or(0, LineHandle::raw) },
                user: info.user,
                replaces: handle(info.replaces),
                joins: handle(info.joins),
                ..empty
            };
            fill(out, info).map(|()| 0)
        })
    }
}

/// Puts the peer of an answered call on hold (RFC 3264 8.4). May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_MEDIA, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_hold(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.hold(Instant(now_ms), call)?)) }
}

/// Ends the hold of a call (RFC 3264 8.4). May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_MEDIA, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_resume(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.resume(Instant(now_ms), call)?)) }
}

/// Asks `target`, a sip: or sips: URI, to call `to`, in a REFER outside calls (RFC 3515 2.4).
/// SANSIP_EV_REFER_PROGRESS and SANSIP_EV_REFER_ENDED tell how it goes and give `user` back. May queue
/// output.
/// Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_refer(
    engine: *mut SansipEngine,
    now_ms: u64,
    line: SansipLine,
    target: SansipStr,
    to: SansipStr,
    user: u64,
    extras: *const SansipExtras,
) -> i32 {
    let line = LineHandle::from_raw(line.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let (target, to, adds) = (target.text()?, to.text()?, Adds::read(extras)?);
            adds.with(|x| e.refer(Instant(now_ms), line, target, to, user, x))
        })
    }
}

/// Asks `target`, a sip: or sips: URI, what it can do, as a line or (0) as the engine itself (RFC 3261
/// 11.1). SANSIP_EV_ANSWERED tells the answer and gives `user` back. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_options(
    engine: *mut SansipEngine,
    now_ms: u64,
    line: SansipLine,
    target: SansipStr,
    user: u64,
    extras: *const SansipExtras,
) -> i32 {
    let line = (line.v != 0).then(|| LineHandle::from_raw(line.v));
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let (target, adds) = (target.text()?, Adds::read(extras)?);
            adds.with(|x| e.options(Instant(now_ms), line, target, user, x))
        })
    }
}

/// Answers a request that SANSIP_EV_REQUEST brought, 100 to 699. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_HEADER,
/// SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_respond(
    engine: *mut SansipEngine,
    now_ms: u64,
    request: SansipRequest,
    status: u32,
    extras: *const SansipExtras,
) -> i32 {
    let request = RequestHandle::from_raw(request.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let adds = Adds::read(extras)?;
            let status = self::status(status)?;
            adds.with(|x| e.respond(Instant(now_ms), request, status, x))
        })
    }
}

/// Adds targets, at most 32, to a request that the proxy is forwarding, which SANSIP_Q_ROUTE or
/// SANSIP_Q_LOCATE has asked about (RFC 3261 16.5): a device that has registered since, or was woken
/// first (RFC 8599). They take their places by q; a URI that was named before is not tried again. With
/// `more` not 0 the request stays open: when nothing is left to try, SANSIP_EV_EXHAUSTED tells so and
/// it waits for others; say it before the question is answered, without targets, where that may be so
/// from the start. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_URI, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_add_targets(
    engine: *mut SansipEngine,
    now_ms: u64,
    request: SansipRequest,
    targets: *const SansipTarget,
    n: usize,
    more: u32,
) -> i32 {
    let request = RequestHandle::from_raw(request.v);
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let mut list = [Target::default(); 32];
            let n = array(targets, n, list.len())?;
            for (i, target) in list.iter_mut().enumerate().take(n) {
                *target = item(targets, i).read()?;
            }
            Ok(e.add_targets(Instant(now_ms), request, &list[..n], more != 0)?)
        })
    }
}

/// Sends these bytes, whatever they are. May queue output.
/// Errors: SANSIP_E_LOCAL, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_send(
    engine: *mut SansipEngine,
    now_ms: u64,
    path: *const SansipPath,
    p: *const c_void,
    n: usize,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let path = item(array(path, 1, 1).map(|_| path)?, 0).get()?;
            Ok(e.send(Instant(now_ms), path, bytes(p, n)?)?)
        })
    }
}

/// Lets what goes on come to its end, and refuses what is new with 503; go on until
/// sansip_is_quiescent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_drain(engine: *mut SansipEngine, now_ms: u64) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.drain(Instant(now_ms))?)) }
}

/// Ends all calls and registrations. May queue output; go on until sansip_is_quiescent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_shutdown(engine: *mut SansipEngine, now_ms: u64) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.shutdown(Instant(now_ms))?)) }
}
