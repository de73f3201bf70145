//! Errors that say whose fault it is.
//!
//! What a peer does wrong is never an [`Error`]: [`Seen::Ignored`] tells it, with the clause. An
//! [`Error`] is about this side: too little room, a handle whose object has ended, a call that can
//! never be right, or one that came too late.

use thiserror::Error as ThisError;

/// Why an input was refused. Nothing has changed when one is returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A container of [`Limits`](crate::Limits) has no room for all that the input may need.
    /// For a datagram this is packet loss; for a stream it is back-pressure: poll, then try again.
    #[error("no room left: {0}")]
    Full(Limit),
    /// The handle names an object that has ended, as the application knows, or one of another
    /// engine.
    #[error("the handle's object has ended or belongs to another engine")]
    Gone,
    /// The call was invalid even in the state last shown by `poll`: its arguments are not usable, or
    /// the object never took this.
    #[error("misuse: {0}")]
    Misuse(Misuse),
    /// The call was valid in the state last shown, but the object has moved on: a CANCEL, a timer
    /// or a policy was first. For a call and for a line an event that says so has been queued; a
    /// request of the peer's that the engine has answered in the application's place is `Gone` soon.
    #[error("too late: the object has moved on")]
    Late,
}

/// The limit that was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
#[repr(u8)]
pub enum Limit {
    /// The output ring: call `poll`.
    #[error("outputs (poll first)")]
    Outputs = 1,
    /// The block pool.
    #[error("bytes of the block pool")]
    Blocks,
    /// The transaction table.
    #[error("transactions")]
    Transactions,
    /// The dialog table.
    #[error("dialogs")]
    Dialogs,
    /// The call table.
    #[error("calls")]
    Calls,
    /// The line table.
    #[error("lines")]
    Lines,
    /// The timer heap.
    #[error("timers")]
    Timers,
    /// The table of open questions.
    #[error("queries")]
    Queries,
    /// The table of flows.
    #[error("flows")]
    Flows,
    /// The table of requests on their way to a target set.
    #[error("attempts")]
    Attempts,
    /// The table of response contexts.
    #[error("response contexts")]
    Forks,
    /// The table of local identities.
    #[error("local identities")]
    Locals,
    /// The bytes of one message.
    #[error("bytes of a message")]
    MessageBytes,
    /// Memory could not be reserved at construction.
    #[error("memory")]
    Memory,
}

#[cfg(feature = "ua")]
impl Limit {
    const ALL: [Self; 14] = [
        Self::Outputs,
        Self::Blocks,
        Self::Transactions,
        Self::Dialogs,
        Self::Calls,
        Self::Lines,
        Self::Timers,
        Self::Queries,
        Self::Flows,
        Self::Attempts,
        Self::Forks,
        Self::Locals,
        Self::MessageBytes,
        Self::Memory,
    ];

    pub(crate) fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|l| *l as u16 == number)
    }
}

/// What was wrong with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
#[repr(u8)]
pub enum Misuse {
    /// `Config.seed` is all zeros: tags and branches could be guessed.
    #[error("the seed is all zeros")]
    ZeroSeed = 1,
    /// A limit is zero or out of its range.
    #[error("a limit is out of range")]
    BadLimit,
    /// The URI cannot be parsed or its scheme is not one this verb takes.
    #[error("the URI is not usable")]
    BadUri,
    /// A header name or value holds a control byte, CR or LF, or cannot be parsed.
    #[error("a header is not usable")]
    BadHeader,
    /// The status code is outside the verb's range.
    #[error("the status code is outside the verb's range")]
    BadStatus,
    /// The object's state does not allow this verb.
    #[error("the object's state does not allow this")]
    State,
    /// A flow was named that is not open, or opened twice, or its number was used before.
    #[error("the flow is not open, or its number was used before")]
    Flow,
    /// A local identity was named that has no entry.
    #[error("the local identity has no entry")]
    Local,
    /// The answer is not one for this kind of question.
    #[error("the answer does not fit the question")]
    Answer,
    /// The bytes given are no SIP message.
    #[error("the bytes are no SIP message")]
    NotSip,
    /// The verb needs a role that was left out when the library was built.
    #[error("this role was left out when the library was built")]
    NotBuilt,
    /// Media that no session description can hold, media and a body together, or none where the
    /// call needs some.
    #[error("the media is not usable")]
    Media,
}

impl Error {
    /// A stable number for the C API: `-100 - limit`, -1 for `Gone`, `-200 - misuse`, -2 for `Late`.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Gone => -1,
            Self::Late => -2,
            Self::Full(limit) => -100 - limit as i32,
            Self::Misuse(what) => -200 - what as i32,
        }
    }
}

/// What became of a message that `receive` took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Some layer used it. Output may be queued.
    Used,
    /// Nothing was done with it, and why.
    Ignored(Ignored),
}

/// Why a message was ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
#[repr(u8)]
pub enum Ignored {
    /// The bytes are no SIP message.
    #[error("no SIP message")]
    NotSip = 1,
    /// Nothing but white space: a keep-alive.
    #[error("keep-alive")]
    KeepAlive,
    /// A response with a defect that a client drops.
    #[error("a defective response")]
    BadResponse,
    /// An ACK with a defect: an ACK is never answered.
    #[error("a defective ACK")]
    BadAck,
    /// A request so defective that no answer could be built or sent.
    #[error("a request that cannot be answered")]
    Unanswerable,
    /// A response that matches no transaction.
    #[error("a response that matches no transaction")]
    StrayResponse,
    /// An ACK that matches neither a transaction nor a dialog.
    #[error("an ACK that matches neither a transaction nor a dialog")]
    StrayAck,
    /// A response whose next hop is broadcast, multicast, unspecified or ourselves.
    #[error("a response with nowhere to go")]
    NowhereToGo,
    /// A repetition that the transaction absorbed.
    #[error("a repetition")]
    Repeated,
    /// The answer would exceed what the unproven source has paid for.
    #[error("the source has not paid for an answer")]
    Unpaid,
    /// A request with a CSeq lower than one seen in its dialog (answered 500) or a repeated one.
    #[error("out of order in its dialog")]
    OutOfOrder,
}

impl Ignored {
    /// The clause that lets it be ignored.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::NotSip => "RFC 3261 7",
            Self::KeepAlive => "RFC 5626 4.4.1",
            Self::BadResponse => "RFC 3261 16.3, 18.1.2",
            Self::BadAck => "RFC 3261 17.1.1.3",
            Self::Unanswerable => "RFC 3261 8.2.6",
            Self::StrayResponse => "RFC 3261 18.1.2, RFC 6026 7.1",
            Self::StrayAck => "RFC 3261 17.2.3",
            Self::NowhereToGo => "RFC 3261 16.7 step 9, RFC 4475 3.3.10",
            Self::Repeated => "RFC 3261 17.2",
            Self::Unpaid => "RFC 3261 26.3.2.4",
            Self::OutOfOrder => "RFC 3261 12.2.2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn codes_are_stable_and_apart() {
        assert_eq!(Error::Gone.code(), -1);
        assert_eq!(Error::Late.code(), -2);
        assert_eq!(Error::Full(Limit::Outputs).code(), -101);
        assert_eq!(Error::Full(Limit::Memory).code(), -114);
        assert_eq!(Error::Misuse(Misuse::ZeroSeed).code(), -201);
        assert_eq!(Error::Misuse(Misuse::NotBuilt).code(), -211);
    }

    #[test]
    fn an_error_reads_as_a_sentence_about_its_owner() {
        assert_eq!(Error::Full(Limit::Calls).to_string(), "no room left: calls");
        assert!(Error::Misuse(Misuse::ZeroSeed).to_string().contains("seed"));
    }
}
