//! Reliable provisional responses as tables (RFC 3262): the side that sends them, and the side that
//! receives them.

/// The state of the side that sends them, for one INVITE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Sender {
    /// None is unacknowledged.
    #[default]
    Idle,
    /// One is repeated until its PRACK.
    Sent,
    /// The same, and our 2xx waits for that PRACK.
    Holding,
    /// One is unacknowledged, but our final response has gone: it is not repeated.
    Silent,
}

/// All states of the sender, in table order.
pub const SENDERS: [Sender; 4] = [Sender::Idle, Sender::Sent, Sender::Holding, Sender::Silent];

/// What happens to the sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SenderHappening {
    /// The application sends a provisional response that is to be reliable.
    Provisional,
    /// A final response goes out, while no session description is unacknowledged.
    Final,
    /// A 2xx is to go out, while a session description is unacknowledged.
    Success,
    /// The PRACK of the one that is unacknowledged.
    Prack,
    /// It is time to repeat it.
    Due,
    /// It has been repeated for 64*T1.
    Over,
}

/// All happenings of the sender, in table order.
pub const SENDER_HAPPENINGS: [SenderHappening; 6] = [
    SenderHappening::Provisional,
    SenderHappening::Final,
    SenderHappening::Success,
    SenderHappening::Prack,
    SenderHappening::Due,
    SenderHappening::Over,
];

/// What a cell of the sender does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SenderAct {
    /// Nothing.
    Nothing,
    /// Send it and repeat it.
    Send,
    /// Keep it until the one before is acknowledged.
    Queue,
    /// The verb comes too late.
    Late,
    /// Send the final response.
    SendFinal,
    /// Send the final response and repeat the provisional one no more.
    SendFinalAndStop,
    /// Keep the 2xx until the PRACK.
    Hold,
    /// Answer the PRACK with 2xx, and send what was queued.
    Accept,
    /// Answer the PRACK with 2xx, and send the 2xx that waits.
    AcceptAndRelease,
    /// Answer the PRACK with 481.
    Refuse,
    /// Send it again.
    Repeat,
    /// Answer the INVITE with 504 and end the call.
    GiveUp,
}

/// The sender's table (RFC 3262 3): what state follows, and what is done.
#[must_use]
pub const fn sender(state: Sender, happening: SenderHappening) -> (Sender, SenderAct) {
    use Sender as S;
    use SenderAct as A;
    use SenderHappening as H;
    match (state, happening) {
        (S::Idle, H::Provisional) => (S::Sent, A::Send),
        (S::Sent, H::Provisional) => (S::Sent, A::Queue),
        (S::Holding | S::Silent, H::Provisional) => (state, A::Late),
        (S::Idle | S::Silent, H::Final | H::Success) => (state, A::SendFinal),
        (S::Sent | S::Holding, H::Final) => (S::Silent, A::SendFinalAndStop),
        (S::Sent, H::Success) => (S::Holding, A::Hold),
        (S::Holding, H::Success) => (S::Holding, A::Late),
        (S::Idle, H::Prack) => (S::Idle, A::Refuse),
        (S::Sent | S::Silent, H::Prack) => (S::Idle, A::Accept),
        (S::Holding, H::Prack) => (S::Idle, A::AcceptAndRelease),
        (S::Sent | S::Holding, H::Due) => (state, A::Repeat),
        (S::Sent | S::Holding, H::Over) => (S::Idle, A::GiveUp),
        (S::Idle | S::Silent, H::Due | H::Over) => (state, A::Nothing),
    }
}

/// The state of the side that receives them, for one early dialog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Receiver {
    /// None has come.
    Fresh,
    /// One has come, with this RSeq or after it.
    Following,
    /// The INVITE has its final response.
    Over,
}

/// All states of the receiver, in table order.
pub const RECEIVERS: [Receiver; 3] = [Receiver::Fresh, Receiver::Following, Receiver::Over];

/// What comes to the receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Coming {
    /// A reliable one, the first or with the next RSeq.
    Next,
    /// A reliable one again.
    Again,
    /// A reliable one whose predecessors have not come.
    Gap,
    /// One that is not reliable.
    Plain,
    /// One that is reliable by its word, but cannot be acknowledged: without RSeq or To tag.
    Broken,
    /// The final response.
    Final,
}

/// All that comes, in table order.
pub const COMINGS: [Coming; 6] =
    [Coming::Next, Coming::Again, Coming::Gap, Coming::Plain, Coming::Broken, Coming::Final];

/// What a cell of the receiver does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ReceiverAct {
    /// Send the PRACK, and take the response.
    Acknowledge,
    /// Take the response.
    Take,
    /// Drop it.
    Drop,
}

/// The receiver's table (RFC 3262 4): what state follows, and what is done.
#[must_use]
pub const fn receiver(state: Receiver, coming: Coming) -> (Receiver, ReceiverAct) {
    use Coming as C;
    use Receiver as S;
    use ReceiverAct as A;
    match (state, coming) {
        (S::Fresh, C::Next | C::Again | C::Gap) => (S::Following, A::Acknowledge),
        (S::Following, C::Next) => (S::Following, A::Acknowledge),
        (S::Following, C::Again | C::Gap) | (S::Over, C::Next | C::Again | C::Gap) => {
            (state, A::Drop)
        }
        (S::Fresh | S::Following, C::Plain | C::Broken) => (state, A::Take),
        (S::Over, C::Plain | C::Broken) => (S::Over, A::Drop),
        (S::Fresh | S::Following, C::Final) => (S::Over, A::Take),
        (S::Over, C::Final) => (S::Over, A::Take),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SenderAct as A;

    // RFC 3262 3, cell by cell: the rows are the states, the columns the happenings.
    #[test]
    fn every_cell_of_the_sender_is_as_its_clause_says() {
        use Sender::{Holding, Idle, Sent, Silent};
        let rows = [
            [
                (Sent, A::Send),
                (Idle, A::SendFinal),
                (Idle, A::SendFinal),
                (Idle, A::Refuse),
                (Idle, A::Nothing),
                (Idle, A::Nothing),
            ],
            [
                (Sent, A::Queue),
                (Silent, A::SendFinalAndStop),
                (Holding, A::Hold),
                (Idle, A::Accept),
                (Sent, A::Repeat),
                (Idle, A::GiveUp),
            ],
            [
                (Holding, A::Late),
                (Silent, A::SendFinalAndStop),
                (Holding, A::Late),
                (Idle, A::AcceptAndRelease),
                (Holding, A::Repeat),
                (Idle, A::GiveUp),
            ],
            [
                (Silent, A::Late),
                (Silent, A::SendFinal),
                (Silent, A::SendFinal),
                (Idle, A::Accept),
                (Silent, A::Nothing),
                (Silent, A::Nothing),
            ],
        ];
        for (state, row) in SENDERS.into_iter().zip(rows) {
            for (happening, expected) in SENDER_HAPPENINGS.into_iter().zip(row) {
                assert_eq!(sender(state, happening), expected, "{state:?} {happening:?}");
            }
        }
    }

    // RFC 3262 4, cell by cell.
    #[test]
    fn every_cell_of_the_receiver_is_as_its_clause_says() {
        use Receiver::{Following, Fresh, Over};
        use ReceiverAct::{Acknowledge, Drop, Take};
        let rows = [
            [
                (Following, Acknowledge),
                (Following, Acknowledge),
                (Following, Acknowledge),
                (Fresh, Take),
                (Fresh, Take),
                (Over, Take),
            ],
            [
                (Following, Acknowledge),
                (Following, Drop),
                (Following, Drop),
                (Following, Take),
                (Following, Take),
                (Over, Take),
            ],
            [(Over, Drop), (Over, Drop), (Over, Drop), (Over, Drop), (Over, Drop), (Over, Take)],
        ];
        for (state, row) in RECEIVERS.into_iter().zip(rows) {
            for (what, expected) in COMINGS.into_iter().zip(row) {
                assert_eq!(receiver(state, what), expected, "{state:?} {what:?}");
            }
        }
    }
}
