//! Every input is a value.

use crate::engine::output::{Answer, CallHandle, LineHandle, RequestHandle, SendId};
use crate::path::{FlowId, Local, LocalId, Path};
use crate::store::queries::{QueryId, Target};

pub use crate::flow::{FlowEnd, FlowInfo};
pub use crate::ua::{AutoAnswer, Extras, Follow, LineConfig, Policy};

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
    SetPolicy { line: LineHandle, policy: Policy<'a> },
    Register { line: LineHandle },
    Unregister { line: LineHandle },
    Invite { line: LineHandle, target: &'a str, user: u64, extras: Extras<'a> },
    Ring { call: CallHandle, status: u16, extras: Extras<'a> },
    AnswerCall { call: CallHandle, extras: Extras<'a> },
    Reject { call: CallHandle, status: u16, extras: Extras<'a> },
    Redirect { call: CallHandle, status: u16, contact: &'a str, extras: Extras<'a> },
    Follow { call: CallHandle, target: &'a str },
    Hangup { call: CallHandle },
    Reinvite { call: CallHandle, extras: Extras<'a> },
    Update { call: CallHandle, extras: Extras<'a> },
    Transfer { call: CallHandle, target: &'a str, keep: bool, extras: Extras<'a> },
    TransferTo { call: CallHandle, other: CallHandle, extras: Extras<'a> },
    AcceptTransfer { request: RequestHandle, user: u64, extras: Extras<'a> },
    RejectTransfer { request: RequestHandle, status: u16 },
    Hold { call: CallHandle },
    Resume { call: CallHandle },
    Refer { line: LineHandle, target: &'a str, to: &'a str, user: u64, extras: Extras<'a> },
    Options { line: Option<LineHandle>, target: &'a str, user: u64, extras: Extras<'a> },
    Respond { request: RequestHandle, status: u16, extras: Extras<'a> },
    AddTargets { request: RequestHandle, targets: &'a [Target<'a>], more: bool },
    Send { path: Path, bytes: &'a [u8] },
    Drain,
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
