//! The life of a call as a table (RFC 3261 13, 14, 15; 9 for CANCEL).

/// The states of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// We sent an INVITE; nothing has come back.
    Calling,
    /// We sent an INVITE; a provisional response has come.
    Proceeding,
    /// We gave the INVITE up; its end is awaited.
    Cancelling,
    /// An INVITE came; the application has not spoken.
    Incoming,
    /// An INVITE came; the application has sent a provisional response.
    Alerting,
    /// We sent a 2xx; its ACK is awaited.
    Accepted,
    /// As `Accepted`, and we hang up as soon as that is allowed (RFC 3261 15).
    Parting,
    /// Both sides know that there is a session.
    Confirmed,
    /// We sent a BYE; its end is awaited.
    Leaving,
    /// Nothing is left.
    Ended,
}

/// All states, in table order.
pub const STATES: [State; 10] = [
    State::Calling,
    State::Proceeding,
    State::Cancelling,
    State::Incoming,
    State::Alerting,
    State::Accepted,
    State::Parting,
    State::Confirmed,
    State::Leaving,
    State::Ended,
];

/// What happens to a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Happening {
    /// A provisional response to our INVITE.
    Provisional,
    /// The first 2xx to our INVITE.
    Success,
    /// Any other final response to our INVITE.
    Refusal,
    /// Our INVITE, or the peer's, has failed without a response.
    Failure,
    /// The ringing has lasted as long as it may.
    RingOver,
    /// The application hangs up.
    Hangup,
    /// The application sends a provisional response.
    Ring,
    /// The application answers.
    Answer,
    /// The application refuses.
    Reject,
    /// The peer's CANCEL.
    Cancel,
    /// The ACK of our 2xx.
    Ack,
    /// No ACK has come within 64*T1.
    NoAck,
    /// The peer's BYE.
    Bye,
    /// The end of our BYE.
    ByeEnded,
}

/// All happenings, in table order.
pub const HAPPENINGS: [Happening; 14] = [
    Happening::Provisional,
    Happening::Success,
    Happening::Refusal,
    Happening::Failure,
    Happening::RingOver,
    Happening::Hangup,
    Happening::Ring,
    Happening::Answer,
    Happening::Reject,
    Happening::Cancel,
    Happening::Ack,
    Happening::NoAck,
    Happening::Bye,
    Happening::ByeEnded,
];

/// What a cell does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// The verb comes too late, or makes no sense here.
    Late,
    /// Tell the application of the provisional response.
    TellProgress,
    /// Send the ACK and tell that the call is answered.
    AckAndTell,
    /// Send the ACK and a BYE: the 2xx crossed our CANCEL.
    AckAndBye,
    /// Send a CANCEL, or give up what is not sent yet.
    GiveUp,
    /// Send the provisional response.
    SendProvisional,
    /// Send the 2xx and repeat it until the ACK.
    SendSuccess,
    /// Send the refusal and tell that the call has ended.
    SendRefusal,
    /// Send 487 for the INVITE and tell that the call has ended.
    SendTerminated,
    /// Tell that the session stands.
    TellConfirmed,
    /// Send a BYE.
    SendBye,
    /// Tell that the call has ended.
    TellEnded,
}

/// The table: what state follows, and what is done.
#[must_use]
pub const fn step(state: State, happening: Happening) -> (State, Act) {
    use Act as A;
    use Happening as H;
    use State as S;
    match (state, happening) {
        // RFC 3261 13.2.2
        (S::Calling | S::Proceeding, H::Provisional) => (S::Proceeding, A::TellProgress),
        (S::Calling | S::Proceeding, H::Success) => (S::Confirmed, A::AckAndTell),
        (S::Calling | S::Proceeding, H::Refusal | H::Failure) => (S::Ended, A::TellEnded),
        // RFC 3261 9.1, 15
        (S::Calling | S::Proceeding, H::Hangup | H::RingOver) => (S::Cancelling, A::GiveUp),
        (S::Cancelling, H::Success) => (S::Leaving, A::AckAndBye),
        (S::Cancelling, H::Refusal | H::Failure) => (S::Ended, A::TellEnded),
        // RFC 3261 13.3.1
        (S::Incoming | S::Alerting, H::Ring) => (S::Alerting, A::SendProvisional),
        (S::Incoming | S::Alerting, H::Answer) => (S::Accepted, A::SendSuccess),
        (S::Incoming | S::Alerting, H::Reject | H::Hangup | H::RingOver) => {
            (S::Ended, A::SendRefusal)
        }
        // RFC 3261 9.2, 15.1.2
        (S::Incoming | S::Alerting, H::Cancel | H::Bye) => (S::Ended, A::SendTerminated),
        (S::Incoming | S::Alerting, H::Failure) => (S::Ended, A::TellEnded),
        // RFC 3261 13.3.1.4
        (S::Accepted, H::Ack) => (S::Confirmed, A::TellConfirmed),
        (S::Accepted | S::Confirmed | S::Parting, H::NoAck) | (S::Parting, H::Ack) => {
            (S::Leaving, A::SendBye)
        }
        (S::Accepted | S::Confirmed | S::Parting, H::Bye) => (S::Ended, A::TellEnded),
        // RFC 3261 15: no BYE before the ACK
        (S::Accepted, H::Hangup) => (S::Parting, A::Nothing),
        (S::Confirmed, H::Hangup) => (S::Leaving, A::SendBye),
        (S::Leaving, H::ByeEnded) => (S::Ended, A::TellEnded),
        (S::Cancelling | S::Parting | S::Leaving, H::Hangup) => (state, A::Nothing),
        (_, H::Ring | H::Answer | H::Reject | H::Hangup) => (state, A::Late),
        _ => (state, A::Nothing),
    }
}
