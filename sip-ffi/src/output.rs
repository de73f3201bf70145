//! What `sansip_poll` lends.

use std::ptr::null;

use sansip_core::sdp::Agreed;
use sansip_core::wire::MessageRef;
use sansip_core::{
    Algorithm, CallChange, EndReason, Event, Limits, LineChange, Output, PolicyAct, Query, SendId,
    Transmit,
};
use sansip_core::{Binding, CallHandle, LineHandle, QueryId, RequestHandle};

use crate::abi::{
    SansipAddr, SansipBytes, SansipCall, SansipFlow, SansipLine, SansipPath, SansipQuery,
    SansipRequest, SansipSendId, SansipStr, bytes_of,
};
use crate::config::{BINDINGS, SANSIP_MD5, SANSIP_SHA_256, SANSIP_SHA_512_256};
use crate::media::{LentMedia, SansipAgreed};

/// Send the bytes of u.transmit.
pub const SANSIP_TRANSMIT: u32 = 1;
/// Write what was lent for the flow u.close before, close it, then call sansip_flow_closed.
pub const SANSIP_CLOSE: u32 = 2;
/// Answer the question u.query, now or later, once: sansip_answer_...
pub const SANSIP_QUERY: u32 = 3;
/// The asker of the question u.forget has ended; a late answer is harmless.
pub const SANSIP_FORGET: u32 = 4;
/// Something happened: u.event.
pub const SANSIP_EVENT: u32 = 5;
/// The session of a call has changed: what to send and hear from now on is u.media.
pub const SANSIP_MEDIA: u32 = 6;

/// For sansip_answer_addresses: the IPv4 and IPv6 addresses of `text`, for `transport`.
pub const SANSIP_Q_DNS: u32 = 1;
/// For sansip_answer_connected, after sansip_flow_opened: a connection to `addr` by `transport`,
/// where TLS has to verify the name `text` (empty: none).
pub const SANSIP_Q_CONNECT: u32 = 2;
/// For sansip_answer_route or sansip_answer_reject: where to send `request`, whose Request-URI is
/// `text`. `ours` is not 0 if that is one of our domains or identities.
pub const SANSIP_Q_ROUTE: u32 = 3;
/// For sansip_answer_located: the bindings of the address of record `text`; to route `request`, or to
/// register where that is 0.
pub const SANSIP_Q_LOCATE: u32 = 4;
/// For sansip_answer_stored or sansip_answer_conflict: store `bindings` in place of all that the
/// address of record `text` has, if its version is still `version` (0: it has none).
pub const SANSIP_Q_STORE: u32 = 5;
/// For sansip_answer_password, sansip_answer_ha1 or sansip_answer_not_found: the secret of the user
/// `text` in `realm`, by `algorithm`. With `line` to answer a challenge to a request of that line,
/// without to check somebody else's credentials.
pub const SANSIP_Q_CREDENTIALS: u32 = 6;
/// For sansip_answer_media or sansip_answer_description: the media of `call` that no function gave.
/// `text` is the peer's offer; empty where it has made none. sansip_answer_not_found calls without,
/// and refuses a call that came in with 488.
pub const SANSIP_Q_MEDIA: u32 = 7;

/// A call came in; the message is its INVITE. Ring, answer, reject or redirect it.
pub const SANSIP_EV_CALL_INCOMING: u32 = 0x101;
/// A provisional response came, `status` 101 to 199; the message is that response.
pub const SANSIP_EV_CALL_PROGRESS: u32 = 0x102;
/// The peer answered, `status` 200 to 299; the message is that response. The ACK is on its way.
pub const SANSIP_EV_CALL_ANSWERED: u32 = 0x103;
/// The peer has our answer; the message is its ACK.
pub const SANSIP_EV_CALL_CONFIRMED: u32 = 0x104;
/// The peer wants to change the session; the message is its re-INVITE. Answer or reject it.
pub const SANSIP_EV_CALL_REINVITE: u32 = 0x105;
/// Our re-INVITE was answered with `status`; the message is the response, if one came.
pub const SANSIP_EV_CALL_REINVITED: u32 = 0x106;
/// Our UPDATE was answered with `status`; the message is the response, if one came.
pub const SANSIP_EV_CALL_UPDATED: u32 = 0x132;
/// The peer is somebody else now; the message is the request whose From says so (RFC 4916).
pub const SANSIP_EV_CALL_IDENTITY: u32 = 0x133;
/// The line's policy was first; what it did is `why`, SANSIP_POLICY_.... A person's verb comes too
/// late now.
pub const SANSIP_EV_CALL_POLICY: u32 = 0x108;
/// Our INVITE was redirected with `status`, and the call goes on: by itself, or when sansip_follow
/// says so, as the line's policy has it. The message is the response.
pub const SANSIP_EV_CALL_REDIRECTED: u32 = 0x109;
/// The transfer that we asked for goes on: the peer answered our REFER, or its NOTIFY says how the
/// new call goes, by `status`. The message is that response or NOTIFY.
pub const SANSIP_EV_CALL_TRANSFER: u32 = 0x10C;
/// The transfer that we asked for is over: it worked with `status` 200 to 299, else the call is
/// the person's again; 408 where nothing came, 503 where there was no way.
pub const SANSIP_EV_CALL_TRANSFERRED: u32 = 0x10D;
/// The engine has placed this call because a peer asked for it; the message is its REFER.
pub const SANSIP_EV_CALL_REFERRED: u32 = 0x10E;
/// The call has ended, `why` is SANSIP_END_..., `status` the one that ended it or 0. The handle is
/// stale from now on.
pub const SANSIP_EV_CALL_ENDED: u32 = 0x107;
/// The line is registered for `expires_s` seconds, and will be refreshed in time.
pub const SANSIP_EV_LINE_REGISTERED: u32 = 0x201;
/// The line is not registered any more, as asked.
pub const SANSIP_EV_LINE_UNREGISTERED: u32 = 0x202;
/// The line could not be registered; `status` is the refusal, 408 where nothing came back, 503
/// where there was no way.
pub const SANSIP_EV_LINE_FAILED: u32 = 0x203;
/// The registrar sees another address than we tell, or no longer does: `addr` (RFC 3581).
/// sansip_set_local can take it. The message is its response.
pub const SANSIP_EV_LINE_MAPPED: u32 = 0x204;
/// A request that the engine leaves to you: answer it by sansip_respond, else the engine does.
pub const SANSIP_EV_REQUEST: u32 = 0x301;
/// A peer asks by REFER, the message, for a call: sansip_accept_transfer or sansip_reject_transfer,
/// else the engine answers 480. `call` is the one that it came in or names, 0 if there is none.
pub const SANSIP_EV_TRANSFER: u32 = 0x302;
/// Our request of sansip_options was answered with `status`, 408 where nothing came, 503 where there
/// was no way; `user` is your own number of it, the message is the response.
pub const SANSIP_EV_ANSWERED: u32 = 0x501;
/// Our request of sansip_refer goes on: `status` is what was answered to it, or what a NOTIFY, the
/// message, says of the new call; `user` is your own number of it.
pub const SANSIP_EV_REFER_PROGRESS: u32 = 0x502;
/// The same, and it is over: with 2xx it worked; 408 where nothing came, 503 where there was no way.
pub const SANSIP_EV_REFER_ENDED: u32 = 0x503;
/// Everything has failed that was to be tried for `request`, which waits for late targets: see
/// sansip_add_targets. `status` is what goes back when no more come.
pub const SANSIP_EV_EXHAUSTED: u32 = 0x601;
/// The limit whose error is `code` was reached, and something was refused because of it.
pub const SANSIP_EV_LIMITED: u32 = 0x401;

/// We hung up an answered call.
pub const SANSIP_END_HANGUP: u32 = 1;
/// The peer hung up.
pub const SANSIP_END_REMOTE_HANGUP: u32 = 2;
/// The peer refused the call.
pub const SANSIP_END_REFUSED: u32 = 3;
/// We refused it.
pub const SANSIP_END_REJECTED: u32 = 4;
/// We gave it up before it was answered.
pub const SANSIP_END_ABANDONED: u32 = 5;
/// The peer gave it up before we answered.
pub const SANSIP_END_CANCELLED: u32 = 6;
/// Nobody answered.
pub const SANSIP_END_TIMEOUT: u32 = 7;
/// There was no way to the peer, or it was lost.
pub const SANSIP_END_UNREACHABLE: u32 = 8;
/// The ACK of our answer never came.
pub const SANSIP_END_NO_ACK: u32 = 9;
/// The session was not refreshed in time.
pub const SANSIP_END_SESSION_EXPIRED: u32 = 13;
/// Another call took its place (RFC 3891).
pub const SANSIP_END_REPLACED: u32 = 11;
/// It was transferred, and we left it.
pub const SANSIP_END_TRANSFERRED: u32 = 12;
/// The peer's answer, or its offer, could not be used.
pub const SANSIP_END_BAD_MEDIA: u32 = 10;

/// It was forwarded, as every call is.
pub const SANSIP_POLICY_FORWARD_ALWAYS: u32 = 1;
/// It was forwarded because the line is busy.
pub const SANSIP_POLICY_FORWARD_BUSY: u32 = 2;
/// It was forwarded because nobody answered.
pub const SANSIP_POLICY_FORWARD_NO_ANSWER: u32 = 3;
/// It was forwarded because nobody is to be disturbed.
pub const SANSIP_POLICY_FORWARD_DND: u32 = 4;
/// It was refused because nobody is to be disturbed.
pub const SANSIP_POLICY_DND: u32 = 5;
/// It was refused because the line is busy.
pub const SANSIP_POLICY_BUSY: u32 = 6;
/// It was refused because it came without its caller's identity.
pub const SANSIP_POLICY_ANONYMOUS: u32 = 7;
/// It was answered.
pub const SANSIP_POLICY_AUTO_ANSWER: u32 = 8;
/// It was refused because it requires to be answered without a person.
pub const SANSIP_POLICY_ANSWER_MODE: u32 = 9;

/// Bytes to send. With path.flow set, write them to that connection, whole and in order; else send
/// one datagram from the socket of path.local to path.remote.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipTransmit {
    /// Where to.
    pub path: SansipPath,
    /// The bytes.
    pub p: *const u8,
    /// How many.
    pub n: usize,
    /// Which object sends: the same for a message and its repetitions.
    pub send: SansipSendId,
    /// 0 for the first time, then counting the repetitions.
    pub copy: u32,
    /// 0.
    pub reserved: u32,
}

/// A contact of an address of record (RFC 3261 10).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipBinding {
    /// The contact's URI as it was registered.
    pub uri: SansipStr,
    /// Its parameters other than q and expires, as they were.
    pub params: SansipStr,
    /// The Call-ID of the REGISTER that made it.
    pub call_id: SansipStr,
    /// The routes to it (RFC 3327). To be kept as it is.
    pub path: SansipStr,
    /// The CSeq of that REGISTER.
    pub cseq: u32,
    /// Seconds until it expires, from now.
    pub expires_s: u32,
    /// Preference, 0 to 1000.
    pub q: u32,
    /// 0.
    pub reserved: u32,
}

/// A question. One whose kind you do not know: sansip_answer_failed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipQuestion {
    /// To be named in the answer.
    pub id: SansipQuery,
    /// SANSIP_Q_...
    pub kind: u32,
    /// SANSIP_UDP and so on, where the kind says so.
    pub transport: u32,
    /// Where the kind says so.
    pub text: SansipStr,
    /// Where the kind says so.
    pub addr: SansipAddr,
    /// Where the kind says so.
    pub ours: u32,
    /// Where the kind says so.
    pub request: SansipRequest,
    /// Where the kind says so.
    pub version: u64,
    /// Where the kind says so.
    pub bindings: *const SansipBinding,
    /// How many.
    pub n_bindings: usize,
    /// Where the kind says so.
    pub realm: SansipStr,
    /// Where the kind says so; 0 for none.
    pub line: SansipLine,
    /// SANSIP_MD5 and so on, where the kind says so.
    pub algorithm: u32,
    /// 0.
    pub reserved: u32,
    /// Where the kind says so.
    pub call: SansipCall,
}

/// Something that happened. Skip one whose kind you do not know.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipEvent {
    /// SANSIP_EV_...
    pub kind: u32,
    /// A SIP status, where the kind says so.
    pub status: u32,
    /// SANSIP_END_... or SANSIP_POLICY_..., where the kind says so.
    pub why: u32,
    /// Where the kind says so.
    pub expires_s: u32,
    /// SANSIP_E_FULL_..., where the kind says so.
    pub code: i32,
    /// The line, 0 if there is none.
    pub line: SansipLine,
    /// The call, 0 if it is no event of a call; that of a request which came in one.
    pub call: SansipCall,
    /// The request, 0 if it is no event of a request.
    pub request: SansipRequest,
    /// Your own number of the call, or of the line.
    pub user: u64,
    /// Where the kind says so.
    pub addr: SansipAddr,
    /// The message that caused it, for sansip_read and sansip_header; empty if none did.
    pub message: SansipBytes,
}

/// What an output holds, by its kind.
#[repr(C)]
#[derive(Clone, Copy)]
pub union SansipOutputUnion {
    /// SANSIP_TRANSMIT.
    pub transmit: SansipTransmit,
    /// SANSIP_CLOSE.
    pub close: SansipFlow,
    /// SANSIP_QUERY.
    pub query: SansipQuestion,
    /// SANSIP_FORGET.
    pub forget: SansipQuery,
    /// SANSIP_EVENT.
    pub event: SansipEvent,
    /// SANSIP_MEDIA.
    pub media: SansipAgreed,
}

/// One thing that the engine wants done or known. Skip one whose kind you do not know.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipOutput {
    /// SANSIP_TRANSMIT and so on.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// The output.
    pub u: SansipOutputUnion,
}

/// What is lent: the output, and all that it points to. Apart from the engine, so that no input
/// touches it, and so that lent bytes may be an argument of any call.
pub(crate) struct Lent {
    pub(crate) output: SansipOutput,
    bytes: Vec<u8>,
    bindings: Vec<SansipBinding>,
    media: LentMedia,
}

const fn algorithm_code(algorithm: Algorithm) -> u32 {
    match algorithm {
        Algorithm::Md5 | Algorithm::Md5Sess => SANSIP_MD5,
        Algorithm::Sha256 | Algorithm::Sha256Sess => SANSIP_SHA_256,
        Algorithm::Sha512_256 | Algorithm::Sha512_256Sess => SANSIP_SHA_512_256,
        Algorithm::Other => 0,
    }
}

/// The largest block of the engine's pool: a message, rounded up.
fn largest(limits: &Limits) -> usize {
    let message = usize::from(limits.wire.message);
    message.saturating_add(4).next_power_of_two().min(usize::from(u16::MAX))
}

fn bindings_of(limits: &Limits) -> usize {
    if limits.forks == 0 { 0 } else { BINDINGS }
}

impl Lent {
    pub(crate) fn bytes(limits: &Limits) -> usize {
        let bindings = bindings_of(limits) * size_of::<SansipBinding>();
        size_of::<Self>() + largest(limits) + bindings + LentMedia::bytes(limits)
    }

    pub(crate) fn new(limits: &Limits) -> Option<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(largest(limits)).ok()?;
        let mut bindings = Vec::new();
        bindings.try_reserve_exact(bindings_of(limits)).ok()?;
        let u = SansipOutputUnion { forget: SansipQuery { v: 0 } };
        let media = LentMedia::new(limits)?;
        Some(Self { output: SansipOutput { kind: 0, reserved: 0, u }, bytes, bindings, media })
    }

    /// Copies `bytes` to where they are lent from. There is room for the largest block.
    fn keep(&mut self, bytes: &[u8]) -> SansipBytes {
        let at = self.bytes.len();
        if self.bytes.capacity() - at < bytes.len() {
            return SansipBytes::NONE;
        }
        self.bytes.extend_from_slice(bytes);
        bytes_of(&self.bytes[at..])
    }

    fn keep_text(&mut self, text: &str) -> SansipStr {
        let kept = self.keep(text.as_bytes());
        SansipStr { p: kept.p.cast(), n: kept.n }
    }

    /// Makes `output` the one that is lent. `false` for one that has no form in C.
    pub(crate) fn set(&mut self, output: &Output<'_>) -> bool {
        self.bytes.clear();
        self.bindings.clear();
        let (kind, u) = match *output {
            Output::Transmit(t) => {
                (SANSIP_TRANSMIT, SansipOutputUnion { transmit: self.transmit(&t) })
            }
            Output::Close(flow) => {
                (SANSIP_CLOSE, SansipOutputUnion { close: SansipFlow { v: flow.0 } })
            }
            Output::Query(id, query) => {
                (SANSIP_QUERY, SansipOutputUnion { query: self.question(id, &query) })
            }
            Output::Forget(id) => {
                (SANSIP_FORGET, SansipOutputUnion { forget: SansipQuery { v: id.raw() } })
            }
            Output::Event(event, message) => {
                (SANSIP_EVENT, SansipOutputUnion { event: self.event(&event, message) })
            }
            Output::Media { call, line, user, media } => {
                let media = self.agreed((call, line, user), &media);
                (SANSIP_MEDIA, SansipOutputUnion { media })
            }
            _ => return false,
        };
        self.output = SansipOutput { kind, reserved: 0, u };
        true
    }

    fn agreed(
        &mut self,
        of: (CallHandle, Option<LineHandle>, u64),
        media: &Agreed<'_>,
    ) -> SansipAgreed {
        let at = self.bytes.len();
        // Both stand in one block of the pool, so there is room for them.
        self.keep(media.local);
        self.keep(media.remote);
        let kept = &self.bytes[at..];
        let (local, remote) = kept.split_at_checked(media.local.len()).unwrap_or((kept, &[]));
        self.media.set(of, &Agreed { local, remote })
    }

    fn transmit(&mut self, t: &Transmit<'_>) -> SansipTransmit {
        let kept = self.keep(t.bytes);
        let SendId(send) = t.send;
        SansipTransmit {
            path: t.path.into(),
            p: kept.p.cast(),
            n: kept.n,
            send: SansipSendId { v: send },
            copy: t.copy.into(),
            reserved: 0,
        }
    }

    fn question(&mut self, id: QueryId, query: &Query<'_>) -> SansipQuestion {
        let mut q = SansipQuestion {
            id: SansipQuery { v: id.raw() },
            kind: 0,
            transport: 0,
            text: SansipStr::NONE,
            addr: SansipAddr::NONE,
            ours: 0,
            request: SansipRequest { v: 0 },
            version: 0,
            bindings: null(),
            n_bindings: 0,
            realm: SansipStr::NONE,
            line: SansipLine { v: 0 },
            algorithm: 0,
            reserved: 0,
            call: SansipCall { v: 0 },
        };
        match *query {
            Query::Dns { name, transport, .. } => {
                q.kind = SANSIP_Q_DNS;
                q.text = self.keep_text(name);
                q.transport = transport as u32;
            }
            Query::Connect { to, transport, name } => {
                q.kind = SANSIP_Q_CONNECT;
                q.addr = to.into();
                q.transport = transport as u32;
                q.text = self.keep_text(name);
            }
            Query::Route { request, uri, ours } => {
                q.kind = SANSIP_Q_ROUTE;
                q.request = SansipRequest { v: request.raw() };
                q.text = self.keep_text(uri);
                q.ours = ours.into();
            }
            Query::Credentials { line, realm, algorithm, user } => {
                q.kind = SANSIP_Q_CREDENTIALS;
                q.line = SansipLine { v: line.map_or(0, LineHandle::raw) };
                q.realm = self.keep_text(realm);
                q.text = self.keep_text(user);
                q.algorithm = algorithm_code(algorithm);
            }
            Query::Media { call, offer } => {
                q.kind = SANSIP_Q_MEDIA;
                q.call = SansipCall { v: call.raw() };
                q.text = self.keep_text(offer);
            }
            Query::Locate { aor, request } => {
                q.kind = SANSIP_Q_LOCATE;
                q.request = SansipRequest { v: request.map_or(0, RequestHandle::raw) };
                q.text = self.keep_text(aor);
            }
            Query::Store { aor, version, bindings } => {
                q.kind = SANSIP_Q_STORE;
                q.text = self.keep_text(aor);
                q.version = version;
                self.keep_bindings(bindings);
                q.bindings = self.bindings.as_ptr();
                q.n_bindings = self.bindings.len();
            }
            _ => {}
        }
        q
    }

    fn keep_bindings<'b>(&mut self, bindings: impl Iterator<Item = Binding<'b>>) {
        for b in bindings.take(self.bindings.capacity()) {
            let binding = SansipBinding {
                uri: self.keep_text(b.uri),
                params: self.keep_text(b.params),
                call_id: self.keep_text(b.call_id),
                path: self.keep_text(b.path),
                cseq: b.cseq,
                expires_s: b.expires,
                q: b.q.into(),
                reserved: 0,
            };
            self.bindings.push(binding);
        }
    }

    fn event(&mut self, event: &Event, message: Option<MessageRef<'_>>) -> SansipEvent {
        let mut e = SansipEvent {
            kind: 0,
            status: 0,
            why: 0,
            expires_s: 0,
            code: 0,
            line: SansipLine { v: 0 },
            call: SansipCall { v: 0 },
            request: SansipRequest { v: 0 },
            user: 0,
            addr: SansipAddr::NONE,
            message: message.map_or(SansipBytes::NONE, |m| self.keep(m.bytes())),
        };
        let line = |line: Option<LineHandle>| SansipLine { v: line.map_or(0, LineHandle::raw) };
        match *event {
            Event::Call { call, line: of, user, change } => {
                e.call = SansipCall { v: CallHandle::raw(call) };
                e.line = line(of);
                e.user = user;
                call_change(&mut e, change);
            }
            Event::Line { line: of, user, change } => {
                e.line = line(Some(of));
                e.user = user;
                line_change(&mut e, change);
            }
            Event::Request { request, line: of, call } => {
                e.kind = SANSIP_EV_REQUEST;
                e.request = SansipRequest { v: RequestHandle::raw(request) };
                e.line = line(of);
                e.call = SansipCall { v: call.map_or(0, CallHandle::raw) };
            }
            Event::Transfer { request, call, line: of } => {
                e.kind = SANSIP_EV_TRANSFER;
                e.request = SansipRequest { v: RequestHandle::raw(request) };
                e.call = SansipCall { v: call.map_or(0, CallHandle::raw) };
                e.line = line(of);
            }
            Event::Answered { user, status } => {
                e.kind = SANSIP_EV_ANSWERED;
                e.user = user;
                e.status = status.into();
            }
            Event::Refer { user, status, done } => {
                e.kind = if done { SANSIP_EV_REFER_ENDED } else { SANSIP_EV_REFER_PROGRESS };
                e.user = user;
                e.status = status.into();
            }
            Event::Exhausted { request, status } => {
                e.kind = SANSIP_EV_EXHAUSTED;
                e.request = SansipRequest { v: RequestHandle::raw(request) };
                e.status = status.into();
            }
            Event::Limited(limit) => {
                e.kind = SANSIP_EV_LIMITED;
                e.code = sansip_core::Error::Full(limit).code();
            }
            _ => {}
        }
        e
    }
}

fn call_change(e: &mut SansipEvent, change: CallChange) {
    let (kind, status) = match change {
        CallChange::Incoming => (SANSIP_EV_CALL_INCOMING, 0),
        CallChange::Progress { status } => (SANSIP_EV_CALL_PROGRESS, status),
        CallChange::Answered { status } => (SANSIP_EV_CALL_ANSWERED, status),
        CallChange::Confirmed => (SANSIP_EV_CALL_CONFIRMED, 0),
        CallChange::Reinvite => (SANSIP_EV_CALL_REINVITE, 0),
        CallChange::Reinvited { status } => (SANSIP_EV_CALL_REINVITED, status),
        CallChange::Updated { status } => (SANSIP_EV_CALL_UPDATED, status),
        CallChange::Identity => (SANSIP_EV_CALL_IDENTITY, 0),
        CallChange::Policy { what } => {
            e.why = policy(what);
            (SANSIP_EV_CALL_POLICY, 0)
        }
        CallChange::Redirected { status } => (SANSIP_EV_CALL_REDIRECTED, status),
        CallChange::Transfer { status, done: false } => (SANSIP_EV_CALL_TRANSFER, status),
        CallChange::Transfer { status, done: true } => (SANSIP_EV_CALL_TRANSFERRED, status),
        CallChange::Referred => (SANSIP_EV_CALL_REFERRED, 0),
        CallChange::Ended { why, status } => {
            e.why = match why {
                EndReason::Hangup => SANSIP_END_HANGUP,
                EndReason::RemoteHangup => SANSIP_END_REMOTE_HANGUP,
                EndReason::Refused => SANSIP_END_REFUSED,
                EndReason::Rejected => SANSIP_END_REJECTED,
                EndReason::Abandoned => SANSIP_END_ABANDONED,
                EndReason::Cancelled => SANSIP_END_CANCELLED,
                EndReason::Timeout => SANSIP_END_TIMEOUT,
                EndReason::Unreachable => SANSIP_END_UNREACHABLE,
                EndReason::NoAck => SANSIP_END_NO_ACK,
                EndReason::SessionExpired => SANSIP_END_SESSION_EXPIRED,
                EndReason::Replaced => SANSIP_END_REPLACED,
                EndReason::Transferred => SANSIP_END_TRANSFERRED,
                EndReason::BadMedia => SANSIP_END_BAD_MEDIA,
            };
            (SANSIP_EV_CALL_ENDED, status)
        }
        _ => (0, 0),
    };
    e.kind = kind;
    e.status = status.into();
}

const fn policy(what: PolicyAct) -> u32 {
    match what {
        PolicyAct::ForwardAlways => SANSIP_POLICY_FORWARD_ALWAYS,
        PolicyAct::ForwardBusy => SANSIP_POLICY_FORWARD_BUSY,
        PolicyAct::ForwardNoAnswer => SANSIP_POLICY_FORWARD_NO_ANSWER,
        PolicyAct::ForwardDnd => SANSIP_POLICY_FORWARD_DND,
        PolicyAct::Dnd => SANSIP_POLICY_DND,
        PolicyAct::Busy => SANSIP_POLICY_BUSY,
        PolicyAct::Anonymous => SANSIP_POLICY_ANONYMOUS,
        PolicyAct::AutoAnswer => SANSIP_POLICY_AUTO_ANSWER,
        PolicyAct::AnswerMode => SANSIP_POLICY_ANSWER_MODE,
    }
}

fn line_change(e: &mut SansipEvent, change: LineChange) {
    match change {
        LineChange::Registered { expires } => {
            e.kind = SANSIP_EV_LINE_REGISTERED;
            e.expires_s = expires;
        }
        LineChange::Unregistered => e.kind = SANSIP_EV_LINE_UNREGISTERED,
        LineChange::Mapped { address } => {
            e.kind = SANSIP_EV_LINE_MAPPED;
            e.addr = address.into();
        }
        LineChange::Failed { status } => {
            e.kind = SANSIP_EV_LINE_FAILED;
            e.status = status.into();
        }
        _ => {}
    }
}
