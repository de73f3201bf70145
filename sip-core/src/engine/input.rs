//! Every input is a value.

use crate::engine::output::{Answer, CallHandle, LineHandle, RequestHandle, SendId};
use crate::path::{Addr, FlowId, Local, LocalId, Path, Transport};
use crate::store::queries::QueryId;

/// What is known of a connection that has opened.
#[derive(Clone, Copy, Debug)]
pub struct FlowInfo<'a> {
    /// The identity at our end.
    pub local: LocalId,
    /// The peer's address.
    pub remote: Addr,
    /// The transport.
    pub transport: Transport,
    /// Whether the peer opened it.
    pub accepted: bool,
    /// The names that TLS verified; empty without TLS.
    pub names: &'a [&'a str],
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FlowEnd {
    /// The peer closed it.
    Closed = 1,
    /// It was reset, or writing failed.
    Reset = 2,
    /// We closed it, asked by `Output::Close`.
    Asked = 3,
}

/// Why a datagram could not be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SendEnd {
    /// Nobody listens there (ICMP), or there is no way there.
    Unreachable = 1,
    /// It is larger than the path takes.
    TooLarge = 2,
    /// Anything else.
    Other = 3,
}

/// What a verb may add to the message that it sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// Header fields, as name and value. A value with CR, LF or another control byte is `Misuse`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body's Content-Type; needed with a body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// A line: an address of record that the user agent serves.
#[derive(Clone, Copy, Debug)]
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
    /// The caller's own number, given back in its events.
    pub user: u64,
}

/// An input of the engine: plain data, so that it can be recorded, replayed and fuzzed.
///
/// Each is the same as the method of its name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Input<'a> {
    Receive { path: Path, message: &'a [u8] },
    ReceiveStream { flow: FlowId, bytes: &'a [u8] },
    FlowOpened { flow: FlowId, info: FlowInfo<'a> },
    FlowClosed { flow: FlowId, why: FlowEnd },
    SendFailed { send: SendId, why: SendEnd },
    SetLocal { local: LocalId, entry: Local<'a> },
    HandleTimeout,
    Answer { query: QueryId, answer: Answer<'a> },
    AddLine { line: LineConfig<'a> },
    RemoveLine { line: LineHandle },
    Register { line: LineHandle },
    Unregister { line: LineHandle },
    Invite { line: LineHandle, target: &'a str, user: u64, extras: Extras<'a> },
    Ring { call: CallHandle, status: u16, extras: Extras<'a> },
    AnswerCall { call: CallHandle, extras: Extras<'a> },
    Reject { call: CallHandle, status: u16, extras: Extras<'a> },
    Redirect { call: CallHandle, status: u16, contact: &'a str, extras: Extras<'a> },
    Hangup { call: CallHandle },
    Reinvite { call: CallHandle, extras: Extras<'a> },
    Respond { request: RequestHandle, status: u16, extras: Extras<'a> },
    Send { path: Path, bytes: &'a [u8] },
    Shutdown,
}

/// What an input that worked gives back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Done {
    /// Nothing but that it worked.
    Nothing,
    /// What became of a message.
    Seen(crate::error::Seen),
    /// How many bytes of the stream were taken.
    Taken(usize),
    /// A new line.
    Line(LineHandle),
    /// A new call.
    Call(CallHandle),
}
