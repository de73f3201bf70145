//! What a line's policy can be told, and what it tells.

/// What a line does with calls before a person does, and how its own calls go on when they are
/// redirected. The default leaves everything to the person.
///
/// Of several that apply to a call the first of this order acts: refusing anonymous calls,
/// `always`, do-not-disturb, being busy, answering, `no_answer`. A policy and a person race: whoever is first
/// wins; [`CallChange::Policy`](super::CallChange::Policy) says that a policy was, and the person's
/// verb is [`Late`](crate::Error::Late).
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy<'a> {
    /// Where every call is forwarded to by a 302: a URI; empty for nowhere.
    pub always: &'a str,
    /// Where calls are forwarded to while the line is busy: a URI; empty for nowhere (486).
    pub busy: &'a str,
    /// Where calls are forwarded to that nobody answers: a URI; empty for nowhere.
    pub no_answer: &'a str,
    /// After how many seconds nobody has answered; 0 takes 20.
    pub no_answer_after: u32,
    /// Do not disturb: calls are refused, or forwarded to `dnd_to`.
    pub dnd: bool,
    /// The status of that refusal, 400 to 699; 0 takes 480.
    pub dnd_status: u16,
    /// Where calls are forwarded to meanwhile: a URI; empty refuses them.
    pub dnd_to: &'a str,
    /// The status of a person's [`reject`](crate::Engine::reject) that names none, 400 to 699; 0
    /// takes 486.
    pub refuse_status: u16,
    /// The line is busy while it has a call: call waiting is off.
    pub no_waiting: bool,
    /// The line is busy while it has so many calls; 0 for no bound.
    pub calls: u16,
    /// Calls that are not refused or forwarded at once are answered 180 by the engine, and so is a
    /// call before it is forwarded because the line is busy.
    pub ring: bool,
    /// Which calls the engine answers by itself, with the media that the application gives the call.
    pub auto_answer: AutoAnswer,
    /// Calls without the caller's identity are refused with 433 (RFC 5079).
    pub refuse_anonymous: bool,
    /// The line's own calls keep its identity back (RFC 3323, RFC 3325 9.2). A call's own Privacy
    /// among its header fields comes first: `id` or `user` keep it back, `none` shows it.
    pub anonymous: bool,
    /// The line's own calls tell where they have been (History-Info, RFC 7044).
    pub history: bool,
    /// What becomes of the line's own calls that are redirected (RFC 3261 8.1.3.4).
    pub follow: Follow,
    /// To how many targets such a call goes on at most; 0 takes 5, and 16 is the most.
    pub targets: u8,
    /// How many redirections may follow one another; 0 takes 5.
    pub depth: u8,
}

/// Which calls the engine answers by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum AutoAnswer {
    /// None; an Answer-Mode that requires it is refused with 403 (RFC 5373 4.2).
    #[default]
    Never = 0,
    /// Those whose caller asks for it, by Answer-Mode (RFC 5373), by Alert-Info
    /// (`info=alert-autoanswer`, `Auto Answer`, `Intercom`) or by `answer-after=` seconds in
    /// Alert-Info or Call-Info. Priv-Answer-Mode counts from trusted networks alone.
    Asked = 1,
    /// Every call, unless its caller asks for a person.
    Always = 2,
}

/// What becomes of a call of ours that is redirected (RFC 3261 8.1.3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Follow {
    /// It ends, refused with the 3xx.
    #[default]
    Never = 0,
    /// A person decides: [`follow`](crate::Engine::follow) or hang up.
    Ask = 1,
    /// It goes on by itself.
    Follow = 2,
}

/// What a policy did with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PolicyAct {
    /// It was forwarded, as every call is: 302 (RFC 3261 21.3.3).
    ForwardAlways = 1,
    /// It was forwarded because the line is busy: 302 (RFC 3261 21.3.3).
    ForwardBusy = 2,
    /// It was forwarded because nobody answered: 302 (RFC 3261 21.3.3).
    ForwardNoAnswer = 3,
    /// It was forwarded because nobody is to be disturbed: 302 (RFC 3261 21.3.3).
    ForwardDnd = 4,
    /// It was refused because nobody is to be disturbed, by the policy's status (RFC 3261 21.4.18,
    /// 21.6.2).
    Dnd = 5,
    /// It was refused because the line is busy (RFC 3261 21.4.24).
    Busy = 6,
    /// It was refused because it came without its caller's identity (RFC 5079).
    Anonymous = 7,
    /// It was answered (RFC 5373; Alert-Info, RFC 3261 20.4; Call-Info, 20.9).
    AutoAnswer = 8,
    /// It was refused because it requires to be answered without a person (RFC 5373 4.2).
    AnswerMode = 9,
}

impl PolicyAct {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::ForwardAlways,
        Self::ForwardBusy,
        Self::ForwardNoAnswer,
        Self::ForwardDnd,
        Self::Dnd,
        Self::Busy,
        Self::Anonymous,
        Self::AutoAnswer,
        Self::AnswerMode,
    ];

    /// Why a call was diverted, as Diversion says it (RFC 5806 4), and the cause of RFC 7544 7;
    /// nothing for what is no diversion.
    pub(super) const fn reason(self) -> Option<(&'static [u8], u16)> {
        match self {
            Self::ForwardAlways => Some((b"unconditional", 302)),
            Self::ForwardBusy => Some((b"user-busy", 486)),
            Self::ForwardNoAnswer => Some((b"no-answer", 408)),
            Self::ForwardDnd => Some((b"do-not-disturb", 404)),
            Self::Dnd | Self::Busy | Self::Anonymous | Self::AutoAnswer | Self::AnswerMode => None,
        }
    }
}
