//! What the user agent is told and what it tells: plain values, there whether the layer is built or
//! not.

use super::settings::PolicyAct;
use crate::path::{Addr, LocalId};
use crate::sdp::Media;
use crate::store::slab::handle;
use crate::wire::message::MessageRef;

handle!(
    /// A call.
    CallHandle
);
handle!(
    /// A line.
    LineHandle
);

/// What a verb may add to the message that it sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// Header fields, as name and value. `Misuse(BadHeader)` for a value with CR, LF or another
    /// control byte, and for a field that only the engine writes: Via, From (but see
    /// [`update`](crate::Engine::update)), To, Call-ID, CSeq, Max-Forwards, Content-Type and
    /// Content-Length.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body's Content-Type; needed with a body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The call's media, in place of a body: kept for all its offers and answers.
    pub media: Option<&'a Media<'a>>,
}

/// A line: an address of record that the user agent serves.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineConfig<'a> {
    /// The address of record: a `sip:` or `sips:` URI.
    pub aor: &'a str,
    /// The display name; empty for none.
    pub display: &'a str,
    /// Where its requests outside dialogs go: a URI; empty sends them by their Request-URI.
    pub proxy: &'a str,
    /// The identity that it uses; `None` picks one by transport.
    pub local: Option<LocalId>,
    /// How long a registration shall last, in seconds; 0 takes 3,600.
    pub expires: u32,
    /// Whether it takes requests whose Request-URI no line has: a phone that answers whatever
    /// reaches it. Else those get 404 (RFC 3261 8.2.2.1).
    pub any: bool,
    /// The user name that challenges are answered with; empty takes the user part of the address
    /// of record (RFC 3261 22.1).
    pub auth_user: &'a str,
    /// The only realm whose challenges are answered; empty for any, which the application then
    /// decides: see [`Query::Credentials`](crate::Query::Credentials).
    pub auth_realm: &'a str,
    /// The device that it is on, as a URN: `urn:uuid:...`. With it the line registers as that
    /// instance and asks for GRUUs (RFC 5626 4.1, RFC 5627 4.2); a public one that it gets is its
    /// Contact in dialogs from then on. Empty for none.
    pub instance: &'a str,
    /// Whether a challenge in a dialog is answered whoever sends it. Else only the peers are that
    /// have challenged the line outside a dialog, for the same realm, and the line's own proxy and
    /// registrar, for `auth_realm` or a realm that is called as the line's domain or the proxy: the
    /// other party of a call could ask for what is meant for our proxy.
    pub auth_peers: bool,
    /// The caller's own number, given back in its events.
    pub user: u64,
}

/// Why a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EndReason {
    /// We hung up an answered call (RFC 3261 15.1.1).
    Hangup = 1,
    /// The peer hung up, answered or not (RFC 3261 15.1.2).
    RemoteHangup = 2,
    /// The peer refused it, with the status (RFC 3261 13.2.2.3).
    Refused = 3,
    /// We refused it, with the status (RFC 3261 13.3.1.3): by a verb, by policy, or because nobody
    /// answered.
    Rejected = 4,
    /// We gave it up before it was answered (RFC 3261 9.1).
    Abandoned = 5,
    /// The peer gave it up before we answered (RFC 3261 9.2).
    Cancelled = 6,
    /// Nobody answered: no response at all (RFC 3261 8.1.3.1), or it rang as long as it may.
    Timeout = 7,
    /// There was no way to the peer, or it was lost (RFC 3261 8.1.3.1, 17.1.4).
    Unreachable = 8,
    /// The ACK of our answer never came (RFC 3261 13.3.1.4).
    NoAck = 9,
    /// The session was not refreshed in time (RFC 4028 10).
    SessionExpired = 13,
    /// Another call took its place (RFC 3891).
    Replaced = 11,
    /// It was transferred, and we left it (RFC 5589).
    Transferred = 12,
    /// The peer accepted, but with an answer that cannot be used, or without one (RFC 3261
    /// 13.2.2.4); or its offer could not be answered.
    BadMedia = 10,
}

/// What changed in a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CallChange {
    /// It came in; the message is its INVITE (RFC 3261 13.3.1). From now on it takes ring, answer,
    /// reject, redirect and hangup.
    Incoming,
    /// A provisional response came to a call of ours that is not answered, with a To tag or without
    /// (RFC 3261 13.2.2.1); the message is that response. From now on it takes update, if there is a
    /// dialog and the peer allows it.
    Progress {
        /// 101 to 199. A 199 ends the early dialog of its To tag (RFC 6228).
        status: u16,
    },
    /// The peer answered a call of ours; the ACK is on its way (RFC 3261 13.2.2.4). The message is the
    /// 2xx. From now on it takes re-INVITE, hold, resume, update and transfer.
    Answered {
        /// 200 to 299.
        status: u16,
    },
    /// The peer has our answer to a call that came in; the message is its ACK (RFC 3261 13.3.1.4), or
    /// its re-INVITE if that came before.
    /// From now on it takes the same verbs as an answered call of ours.
    Confirmed,
    /// The peer wants to change the session of an answered call; the message is its re-INVITE (RFC
    /// 3261 14.2). Ring, answer or reject it: until then it takes no re-INVITE, hold or resume.
    Reinvite,
    /// Our re-INVITE, hold or resume in an answered call has its final response (RFC 3261 14.1); the
    /// message is that, unless it failed without. With 408 or 481 the call ends.
    Reinvited {
        /// The final status.
        status: u16,
    },
    /// Our UPDATE, before the call was answered or after, has its final response (RFC 3311 5.3); the
    /// message is that, unless it failed without.
    Updated {
        /// The final status.
        status: u16,
    },
    /// The peer of a call with a dialog is somebody else now; the message is the request whose From
    /// says so (RFC 4916 4.4.2).
    Identity,
    /// The policy of the line of a call that came in was first; a person's verb comes too late now
    /// (RFC 3261 13.3.1; RFC 5373 for an answer).
    Policy {
        /// What it did.
        what: PolicyAct,
    },
    /// Our INVITE was redirected before it was answered, and the call goes on (RFC 3261 8.1.3.4): by
    /// itself, or when
    /// [`follow`](crate::Engine::follow) says so, as the line's policy has it. The message is the
    /// response.
    Redirected {
        /// 300 to 399, or 485.
        status: u16,
    },
    /// The transfer that we asked for in an answered call goes on: what the peer answered to our
    /// REFER, or what its NOTIFY says of the new call (RFC 3515 2.4.5). The message is that response
    /// or NOTIFY.
    Transfer {
        /// The status; 408 where nothing came, 503 where there was no way.
        status: u16,
        /// It is over: with 2xx it worked, else the call is the person's again.
        done: bool,
    },
    /// The engine has placed this call because a peer asked for it (RFC 3515 2.4.2); the message is
    /// its REFER. It takes hangup, like any call of ours that is not answered.
    Referred,
    /// It has ended, in whatever state it was (RFC 3261 15); every verb is `Gone` from now on.
    Ended {
        /// Why.
        why: EndReason,
        /// The status that ended it, 0 where there is none.
        status: u16,
    },
}

/// What changed in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LineChange {
    /// It is registered for so many seconds, for the first time or again, and will be refreshed in
    /// time (RFC 3261 10.2.4).
    Registered {
        /// Seconds.
        expires: u32,
    },
    /// It was registered, and is not any more, as asked (RFC 3261 10.2.2).
    Unregistered,
    /// The registrar sees another address than we tell (a NAT is between), or no longer does (RFC
    /// 3581 4): [`set_local`](crate::Engine::set_local) can take it. The message is its response.
    Mapped {
        /// The address that the response was sent to.
        address: Addr,
    },
    /// It could not be registered, or not be refreshed or removed (RFC 3261 10.2.7); the message is
    /// the refusal, if there was one.
    Failed {
        /// The status; 408 where nothing came back, 503 where there was no way.
        status: u16,
    },
}

/// The numbers of our events in the ring.
pub(crate) mod record {
    pub const INCOMING: u16 = 0x101;
    pub const PROGRESS: u16 = 0x102;
    pub const ANSWERED: u16 = 0x103;
    pub const CONFIRMED: u16 = 0x104;
    pub const REINVITE: u16 = 0x105;
    pub const REINVITED: u16 = 0x106;
    pub const UPDATED: u16 = 0x132;
    pub const IDENTITY: u16 = 0x133;
    pub const POLICY: u16 = 0x130;
    pub const REDIRECTED: u16 = 0x131;
    /// The application says how it goes on.
    pub const REDIRECTED_ASKS: u16 = 0x134;
    /// Plus one when the transfer is over.
    pub const TRANSFER: u16 = 0x10C;
    pub const REFERRED: u16 = 0x10E;
    /// The block has both descriptions.
    pub const MEDIA: u16 = 0x107;
    /// With the reason in the last four bits, and what was shown of the call before those.
    pub const ENDED: u16 = 0x180;
    pub const REGISTERED: u16 = 0x201;
    pub const UNREGISTERED: u16 = 0x202;
    pub const REGISTER_FAILED: u16 = 0x203;
    /// The block has the response.
    pub const MAPPED: u16 = 0x204;
}

pub(crate) use record::MEDIA;

/// Whether a record is an event of a call.
pub(crate) const fn is_call(kind: u16) -> bool {
    kind >> 8 == 1
}

/// Turns a record back into what changed.
pub(crate) fn call_change(kind: u16, code: u16) -> Option<CallChange> {
    let why = |n: u16| {
        [
            EndReason::Hangup,
            EndReason::RemoteHangup,
            EndReason::Refused,
            EndReason::Rejected,
            EndReason::Abandoned,
            EndReason::Cancelled,
            EndReason::Timeout,
            EndReason::Unreachable,
            EndReason::NoAck,
            EndReason::SessionExpired,
            EndReason::Replaced,
            EndReason::Transferred,
            EndReason::BadMedia,
        ]
        .into_iter()
        .find(|r| *r as u16 == n)
    };
    Some(match kind {
        record::INCOMING => CallChange::Incoming,
        record::PROGRESS => CallChange::Progress { status: code },
        record::ANSWERED => CallChange::Answered { status: code },
        record::CONFIRMED => CallChange::Confirmed,
        record::REINVITE => CallChange::Reinvite,
        record::REINVITED => CallChange::Reinvited { status: code },
        record::UPDATED => CallChange::Updated { status: code },
        record::IDENTITY => CallChange::Identity,
        record::POLICY => {
            CallChange::Policy { what: PolicyAct::ALL.into_iter().find(|p| *p as u16 == code)? }
        }
        record::REDIRECTED | record::REDIRECTED_ASKS => CallChange::Redirected { status: code },
        record::TRANSFER => CallChange::Transfer { status: code, done: false },
        n if n == record::TRANSFER + 1 => CallChange::Transfer { status: code, done: true },
        record::REFERRED => CallChange::Referred,
        n => {
            let reason = (n >= record::ENDED).then_some(n & 0xF)?;
            CallChange::Ended { why: why(reason)?, status: code }
        }
    })
}

/// Turns a record back into what changed. The seconds of a registration travel in `other`.
pub(crate) fn line_change(
    kind: u16,
    code: u16,
    other: u64,
    message: Option<&MessageRef<'_>>,
) -> Option<LineChange> {
    Some(match kind {
        record::REGISTERED => {
            LineChange::Registered { expires: u32::try_from(other).unwrap_or(u32::MAX) }
        }
        record::UNREGISTERED => LineChange::Unregistered,
        record::REGISTER_FAILED => LineChange::Failed { status: code },
        record::MAPPED => LineChange::Mapped { address: super::mapped::address(message?)? },
        _ => return None,
    })
}
