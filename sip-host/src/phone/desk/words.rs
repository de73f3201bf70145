//! What a person reads.

use sansip::header::NameAddr;
use sansip::wire::Name;
use sansip::wire::message::MessageRef;
use sansip::wire::scan::Span;
use sansip::{EndReason, Error, Instant, Misuse};

use super::Call;
use crate::phone::command::Wrong;

pub(super) fn yes(so: bool) -> String {
    (if so { "yes" } else { "no" }).to_owned()
}

pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Display name and URI of a party.
pub(super) fn party(message: &MessageRef<'_>, name: Name) -> (String, String) {
    let value = message.header(name).unwrap_or_default();
    let Ok(who) = NameAddr::parse(value, Span::new(0, value.len())) else {
        return (String::new(), lossy(value));
    };
    let part = |span: Span| value.get(span.start()..span.end()).unwrap_or_default();
    let display = lossy(part(who.display));
    (display.trim_matches('"').to_owned(), lossy(part(who.uri_text)))
}

/// Why a registration failed.
pub(super) fn register_failure(status: u16, message: Option<MessageRef<'_>>) -> String {
    match (status, message) {
        (408, None) => "no answer".to_owned(),
        (503, None) => "no way to the registrar".to_owned(),
        _ => status_text(status, message),
    }
}

/// A status with its reason phrase, as the message has it.
pub(super) fn status_text(status: u16, message: Option<MessageRef<'_>>) -> String {
    let reason = message.map(|m| lossy(m.reason())).unwrap_or_default();
    match (status, reason.trim()) {
        (0, _) => "no answer".to_owned(),
        (_, "") => status.to_string(),
        (_, reason) => format!("{status} {reason}"),
    }
}

pub(super) fn duration(ms: u64) -> String {
    let s = ms / 1_000;
    format!("{}:{:02}", s / 60, s % 60)
}

/// What a person reads when a call has ended.
pub(super) fn ended(
    call: &Call,
    why: EndReason,
    status: u16,
    message: Option<MessageRef<'_>>,
    now: Instant,
) -> String {
    let after = call
        .since
        .map_or(String::new(), |at| format!(" after {}", duration(now.0.saturating_sub(at))));
    let peer = &call.peer;
    match why {
        EndReason::Hangup => format!("ended{after}: you hung up"),
        EndReason::RemoteHangup => format!("ended{after}: {peer} hung up"),
        EndReason::Refused => format!("ended: {peer} refused ({})", status_text(status, message)),
        EndReason::Rejected => format!("ended: refused with {status}"),
        EndReason::Abandoned => "ended: given up before an answer".to_owned(),
        EndReason::Cancelled => format!("ended: {peer} gave up before an answer"),
        EndReason::Timeout => "ended: nobody answered".to_owned(),
        EndReason::Unreachable => format!("ended{after}: no way to {peer}"),
        EndReason::NoAck => format!("ended: {peer} never acknowledged the answer"),
        EndReason::BadMedia => format!("ended: no session could be had with {peer}"),
        EndReason::Replaced => format!("ended{after}: another call took its place"),
        EndReason::Transferred => format!("ended{after}: transferred"),
        EndReason::SessionExpired => format!("ended{after}: the session was not refreshed"),
    }
}

/// The name of a reason, as `wait ended why=...` knows it.
#[must_use]
pub const fn reason(why: EndReason) -> &'static str {
    match why {
        EndReason::Hangup => "hangup",
        EndReason::RemoteHangup => "remote_hangup",
        EndReason::Refused => "refused",
        EndReason::Rejected => "rejected",
        EndReason::Abandoned => "abandoned",
        EndReason::Cancelled => "cancelled",
        EndReason::Timeout => "timeout",
        EndReason::Unreachable => "unreachable",
        EndReason::NoAck => "no_ack",
        EndReason::BadMedia => "bad_media",
        EndReason::Replaced => "replaced",
        EndReason::Transferred => "transferred",
        EndReason::SessionExpired => "session_expired",
    }
}

pub(super) fn in_state(why: Error, call: u64, verb: &str) -> Wrong {
    match why {
        Error::Gone => Wrong(format!("call {call} has ended")),
        Error::Late => Wrong(format!("too late to {verb} call {call}: it has just changed")),
        Error::Misuse(Misuse::State) => Wrong(format!("cannot {verb} call {call} in its state")),
        other => Wrong(other.to_string()),
    }
}

pub(super) fn said(why: Error, state: &str) -> Wrong {
    match why {
        Error::Misuse(Misuse::State) => Wrong(state.to_owned()),
        other => Wrong(other.to_string()),
    }
}
