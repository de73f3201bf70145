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

#[cfg(test)]
mod tests {
    use super::*;
    use Act as A;
    use Happening as H;
    use State as S;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// Every cell that does something, with its clause. All others do nothing, or say `Late` to a
    /// verb.
    const CELLS: &[(State, Happening, State, Act, &str)] = &[
        (S::Calling, H::Provisional, S::Proceeding, A::TellProgress, "RFC 3261 13.2.2.1"),
        (S::Calling, H::Success, S::Confirmed, A::AckAndTell, "RFC 3261 13.2.2.4"),
        (S::Calling, H::Refusal, S::Ended, A::TellEnded, "RFC 3261 13.2.2.3"),
        (S::Calling, H::Failure, S::Ended, A::TellEnded, "RFC 3261 8.1.3.1"),
        (S::Calling, H::RingOver, S::Cancelling, A::GiveUp, "RFC 3261 9.1"),
        (S::Calling, H::Hangup, S::Cancelling, A::GiveUp, "RFC 3261 9.1"),
        (S::Proceeding, H::Provisional, S::Proceeding, A::TellProgress, "RFC 3261 13.2.2.1"),
        (S::Proceeding, H::Success, S::Confirmed, A::AckAndTell, "RFC 3261 13.2.2.4"),
        (S::Proceeding, H::Refusal, S::Ended, A::TellEnded, "RFC 3261 13.2.2.3"),
        (S::Proceeding, H::Failure, S::Ended, A::TellEnded, "RFC 3261 8.1.3.1"),
        (S::Proceeding, H::RingOver, S::Cancelling, A::GiveUp, "RFC 3261 9.1"),
        (S::Proceeding, H::Hangup, S::Cancelling, A::GiveUp, "RFC 3261 15"),
        (S::Cancelling, H::Success, S::Leaving, A::AckAndBye, "RFC 3261 9.1, 13.2.2.4"),
        (S::Cancelling, H::Refusal, S::Ended, A::TellEnded, "RFC 3261 9.1"),
        (S::Cancelling, H::Failure, S::Ended, A::TellEnded, "RFC 3261 9.1"),
        (S::Incoming, H::Ring, S::Alerting, A::SendProvisional, "RFC 3261 13.3.1.1"),
        (S::Incoming, H::Answer, S::Accepted, A::SendSuccess, "RFC 3261 13.3.1.4"),
        (S::Incoming, H::Reject, S::Ended, A::SendRefusal, "RFC 3261 13.3.1.3"),
        (S::Incoming, H::Hangup, S::Ended, A::SendRefusal, "RFC 3261 13.3.1.3"),
        (S::Incoming, H::RingOver, S::Ended, A::SendRefusal, "RFC 3261 13.3.1.3"),
        (S::Incoming, H::Cancel, S::Ended, A::SendTerminated, "RFC 3261 9.2"),
        (S::Incoming, H::Bye, S::Ended, A::SendTerminated, "RFC 3261 15.1.2"),
        (S::Incoming, H::Failure, S::Ended, A::TellEnded, "RFC 3261 17.2.4"),
        (S::Alerting, H::Ring, S::Alerting, A::SendProvisional, "RFC 3261 13.3.1.1"),
        (S::Alerting, H::Answer, S::Accepted, A::SendSuccess, "RFC 3261 13.3.1.4"),
        (S::Alerting, H::Reject, S::Ended, A::SendRefusal, "RFC 3261 13.3.1.3"),
        (S::Alerting, H::Hangup, S::Ended, A::SendRefusal, "RFC 3261 13.3.1.3"),
        (S::Alerting, H::RingOver, S::Ended, A::SendRefusal, "RFC 3261 13.3.1.3"),
        (S::Alerting, H::Cancel, S::Ended, A::SendTerminated, "RFC 3261 9.2"),
        (S::Alerting, H::Bye, S::Ended, A::SendTerminated, "RFC 3261 15.1.2"),
        (S::Alerting, H::Failure, S::Ended, A::TellEnded, "RFC 3261 17.2.4"),
        (S::Accepted, H::Ack, S::Confirmed, A::TellConfirmed, "RFC 3261 13.3.1.4"),
        (S::Accepted, H::NoAck, S::Leaving, A::SendBye, "RFC 3261 13.3.1.4"),
        (S::Accepted, H::Bye, S::Ended, A::TellEnded, "RFC 3261 15.1.2"),
        (S::Accepted, H::Hangup, S::Parting, A::Nothing, "RFC 3261 15"),
        (S::Parting, H::Ack, S::Leaving, A::SendBye, "RFC 3261 15"),
        (S::Parting, H::NoAck, S::Leaving, A::SendBye, "RFC 3261 15"),
        (S::Parting, H::Bye, S::Ended, A::TellEnded, "RFC 3261 15.1.2"),
        (S::Confirmed, H::Bye, S::Ended, A::TellEnded, "RFC 3261 15.1.2"),
        (S::Confirmed, H::Hangup, S::Leaving, A::SendBye, "RFC 3261 15.1.1"),
        (S::Confirmed, H::NoAck, S::Leaving, A::SendBye, "RFC 3261 14.2"),
        (S::Leaving, H::ByeEnded, S::Ended, A::TellEnded, "RFC 3261 15.1.1"),
    ];

    #[test]
    fn every_cell_is_as_its_clause_says() {
        for state in STATES {
            for happening in HAPPENINGS {
                let verb = matches!(happening, H::Ring | H::Answer | H::Reject | H::Hangup);
                let again = matches!(state, S::Cancelling | S::Parting | S::Leaving)
                    && happening == H::Hangup;
                let idle = if verb && !again { A::Late } else { A::Nothing };
                let listed = CELLS.iter().find(|c| c.0 == state && c.1 == happening);
                let expected = listed.map_or((state, idle), |c| (c.2, c.3));
                let clause = listed.map_or("no clause: nothing happens", |c| c.4);
                assert_eq!(step(state, happening), expected, "{state:?} {happening:?} ({clause})");
            }
        }
    }

    #[test]
    fn every_state_is_reached_and_every_state_but_the_last_is_left() {
        for state in STATES {
            let start = matches!(state, S::Calling | S::Incoming);
            assert!(start || CELLS.iter().any(|c| c.2 == state && c.0 != state), "{state:?}");
            assert!(state == S::Ended || CELLS.iter().any(|c| c.0 == state && c.2 != state));
        }
    }

    #[test]
    fn the_page_in_docs_is_drawn_from_the_table() {
        let mut page = String::from(
            "# The life of a call\n\nDrawn from the table in `sip-core/src/ua/table.rs`; a test holds this page against it.\n\n```mermaid\nstateDiagram-v2\n    [*] --> Calling: invite\n    [*] --> Incoming: INVITE\n",
        );
        for (state, happening, next, act, _) in CELLS {
            page += &format!("    {state:?} --> {next:?}: {happening:?} / {act:?}\n");
        }
        page += "    Ended --> [*]\n```\n\n| state | happening | next | does | clause |\n|---|---|---|---|---|\n";
        for (state, happening, next, act, clause) in CELLS {
            page += &format!("| {state:?} | {happening:?} | {next:?} | {act:?} | {clause} |\n");
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/calls.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let written: Vec<u8> = std::fs::read(path).unwrap_or_default();
        assert!(written == page.as_bytes(), "docs/calls.md differs; write it with BLESS=1");
    }
}
