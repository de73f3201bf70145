//! Session timers (RFC 4028): who refreshes, when, and what happens if nobody does.

use super::call::part;
use super::clock::Due;
use super::extensions::number_text;
use super::required::rewrite;
use super::table::{Act as CallAct, Happening as CallHappening, State as CallState};
use super::{CallHandle, EndReason, Low, Ua};
use crate::attempt::AttemptHandle;
use crate::config::Config;
use crate::cx::Cx;
use crate::dialog::{Peer, Said};
use crate::error::Error;
use crate::header::CSeq;
use crate::header::Value;
use crate::header::essentials::Essentials;
use crate::header::session::{MinSe, Refresher, SessionExpires};
use crate::path::Path;
use crate::store::queries::{Owner, OwnerKind};
use crate::time::Instant;
use crate::tx::{Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;

/// RFC 4028 5: no session may be asked to be refreshed more often, in seconds.
const LEAST: u32 = 90;

/// What is honoured of a peer that asks for less, in seconds.
const SHORTEST: u32 = 10;

/// How long a refresh waits for another request in the dialog, in milliseconds.
const BUSY: u64 = 2_000;

/// Who refreshes the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum State {
    /// Nobody: the session has no end of its own.
    #[default]
    Off,
    /// We do, when half of the interval has passed.
    Ours,
    /// Our refresh is on its way.
    Refreshing,
    /// The peer does.
    Theirs,
}

/// All states, in table order.
pub const STATES: [State; 4] = [State::Off, State::Ours, State::Refreshing, State::Theirs];

/// What happens to a session timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Happening {
    /// A 2xx, ours or the peer's, says that we refresh.
    AgreedOurs,
    /// A 2xx says that the peer refreshes.
    AgreedTheirs,
    /// A 2xx says nothing of a session timer.
    AgreedOff,
    /// It is time for our refresh.
    Due,
    /// Our refresh was refused, but the dialog stands.
    Refused,
    /// Our refresh had no answer, 408 or 481.
    Lost,
    /// The session is about to expire.
    Over,
}

/// All happenings, in table order.
pub const HAPPENINGS: [Happening; 7] = [
    Happening::AgreedOurs,
    Happening::AgreedTheirs,
    Happening::AgreedOff,
    Happening::Due,
    Happening::Refused,
    Happening::Lost,
    Happening::Over,
];

/// What a cell does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Wait for half of the interval.
    AwaitRefresh,
    /// Wait for the end.
    AwaitEnd,
    /// Wait for half of what is left.
    AwaitAgain,
    /// Wait for nothing any more.
    Disarm,
    /// Send the refresh.
    Refresh,
    /// Hang up.
    End,
}

/// The table: what state follows, and what is done.
#[must_use]
pub const fn step(state: State, happening: Happening) -> (State, Act) {
    use Happening as H;
    use State as S;
    match (state, happening) {
        // RFC 4028 7.2, 9
        (_, H::AgreedOurs) => (S::Ours, Act::AwaitRefresh),
        (_, H::AgreedTheirs) => (S::Theirs, Act::AwaitEnd),
        (S::Off, H::AgreedOff) => (S::Off, Act::Nothing),
        (_, H::AgreedOff) => (S::Off, Act::Disarm),
        // RFC 4028 10
        (S::Ours, H::Due) => (S::Refreshing, Act::Refresh),
        (S::Refreshing, H::Refused) => (S::Ours, Act::AwaitAgain),
        (S::Refreshing, H::Lost) => (S::Off, Act::End),
        (S::Ours | S::Refreshing | S::Theirs, H::Over) => (S::Off, Act::End),
        _ => (state, Act::Nothing),
    }
}

/// The session timer of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SessionTimer {
    pub(super) state: State,
    /// The re-INVITE on its way is the refresh.
    pub(super) reinviting: bool,
    /// Seconds, as agreed.
    interval: u32,
    /// The least that a 422 has asked for (RFC 4028 7.3), in seconds.
    min_se: u32,
    /// When it ends.
    until: Instant,
}

/// What was agreed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Agreed {
    /// Seconds.
    interval: u32,
    /// Whether we refresh.
    ours: bool,
}

/// What a request says of session timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Asked {
    expires: Option<u32>,
    refresher: Option<Refresher>,
    min: u32,
    supported: bool,
}

fn value<T: Value>(m: &MessageRef<'_>, name: Name) -> Option<T> {
    T::parse(m.bytes(), m.header_span(name)?).ok()
}

impl Asked {
    fn of(m: &MessageRef<'_>) -> Self {
        let said = Said::of(m);
        let expires = said.session_expires.and_then(|s| SessionExpires::parse(m.bytes(), s).ok());
        let min = said.min_se.and_then(|s| MinSe::parse(m.bytes(), s).ok());
        Self {
            expires: expires.map(|e| e.seconds),
            refresher: expires.and_then(|e| e.refresher),
            min: min.map_or(LEAST, |m| m.seconds.max(LEAST)),
            supported: said.has(Peer::TIMER),
        }
    }
}

/// What a 2xx to that request says (RFC 4028 9, table 2).
fn agree(config: &Config, asked: &Asked) -> Option<(u32, Refresher)> {
    let ours = (config.session_expires > 0).then(|| config.session_expires.max(config.min_se));
    let interval = match (asked.expires, ours) {
        // It may be lowered, but not below the Min-SE of the request, and never be raised.
        (Some(theirs), Some(ours)) => theirs.min(ours.max(asked.min)),
        (Some(theirs), None) => theirs,
        (None, Some(ours)) => ours.max(asked.min),
        (None, None) => return None,
    };
    let refresher =
        if asked.supported { asked.refresher.unwrap_or(Refresher::Uac) } else { Refresher::Uas };
    Some((interval, refresher))
}

/// The least that we accept, where a request asks for less and its sender can be told (RFC 4028 9).
fn too_small(config: &Config, asked: &Asked) -> Option<u32> {
    let expires = asked.expires?;
    (asked.supported && expires < config.min_se).then_some(config.min_se)
}

/// The header fields of a message about its session timer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    expires: [u8; 24],
    expires_len: usize,
    min: [u8; 10],
    min_len: usize,
    require: bool,
}

impl Fields {
    fn new(interval: u32, refresher: Option<Refresher>, min: u32, require: bool) -> Self {
        let mut f = Self { require, ..Self::default() };
        f.expires_len = number_text(interval, &mut f.expires);
        if let Some(refresher) = refresher {
            for part in [";refresher=", refresher.name()] {
                let end = f.expires_len + part.len();
                if let Some(place) = f.expires.get_mut(f.expires_len..end) {
                    place.copy_from_slice(part.as_bytes());
                    f.expires_len = end;
                }
            }
        }
        // RFC 4028 5: 90 where it is not said.
        if min > LEAST {
            f.min_len = number_text(min, &mut f.min);
        }
        f
    }

    /// Each field that there is.
    pub(super) fn each(&self) -> impl Iterator<Item = (Name, &[u8])> {
        let expires = self.expires.get(..self.expires_len).unwrap_or(&[]);
        let min = self.min.get(..self.min_len).unwrap_or(&[]);
        let require: &[u8] = if self.require { b"timer" } else { b"" };
        [(Name::SessionExpires, expires), (Name::MinSe, min), (Name::Require, require)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
    }
}

/// The fields of the INVITE that opens a call.
pub(super) fn first_fields(config: &Config, min_se: u32) -> Fields {
    if config.session_expires == 0 {
        return Fields::default();
    }
    let min = config.min_se.max(min_se);
    Fields::new(config.session_expires.max(min), None, min, false)
}

impl Ua {
    /// RFC 4028 7.3: an INVITE that asked for too short a session goes again with the Min-SE of its
    /// 422, if that is more than it knew of. Whether it does. May queue output.
    pub(crate) fn on_too_short(
        &mut self,
        low: &mut Low<'_>,
        attempt: AttemptHandle,
        tx: TxHandle,
        m: &MessageRef<'_>,
    ) -> Result<bool, Error> {
        let Some((_, owner, request, cseq)) = low.attempts.provable(attempt) else {
            return Ok(false);
        };
        let h = CallHandle::from_raw(owner.object);
        let ours = owner.kind == OwnerKind::Call && owner.part == part::INVITE;
        let calling = matches!(self.state(h), Ok(CallState::Calling | CallState::Proceeding));
        if !ours || !calling || !self.timer_raised(h, m) {
            return Ok(false);
        }
        let min_se = self.calls.live(h)?.extensions.timer.min_se;
        let fields = first_fields(&low.cx().config, min_se);
        // Without room for it, it is a refusal like any other.
        let own = [Name::SessionExpires, Name::MinSe];
        let Ok(again) = rewrite(low.cx(), request, &own, fields.each()) else { return Ok(false) };
        low.down.tx.set_owner(tx, Owner::default());
        low.attempts.replace(low.down.cx, attempt, again);
        let sent: Option<CSeq> = value(m, Name::CSeq);
        let last = cseq.max(sent.map_or(0, |c| c.number));
        low.attempts.resend(&mut low.down, attempt, last.saturating_add(1)).map(|_| true)
    }

    /// The fields of a request of ours in the call's dialog (RFC 4028 7.4): who refreshes goes on.
    pub(super) fn timer_fields(&self, cx: &Cx, h: CallHandle) -> Fields {
        let Some(t) = self.calls.get(h).map(|c| c.extensions.timer) else {
            return Fields::default();
        };
        let refresher = match t.state {
            State::Off => return first_fields(&cx.config, t.min_se),
            State::Ours | State::Refreshing => Refresher::Uac,
            State::Theirs => Refresher::Uas,
        };
        let min = cx.config.min_se.max(t.min_se);
        Fields::new(t.interval.max(t.min_se), Some(refresher), min, false)
    }

    /// What our 2xx to a request that is stored in `tx` says: its fields, and what is agreed.
    pub(super) fn timer_answer(
        &self,
        low: &Low<'_>,
        h: CallHandle,
        tx: TxHandle,
    ) -> (Fields, Option<Agreed>) {
        let cx = &*low.down.cx;
        let bytes = low.down.tx.request(cx, tx).map_or(&[][..], |b| cx.pool.bytes_of(b));
        let Some(m) = MessageRef::lazy(bytes) else { return (Fields::default(), None) };
        let mut asked = Asked::of(&m);
        let dialog = self.calls.get(h).and_then(|c| low.dialogs.get(c.dialog?));
        asked.supported |= dialog.is_some_and(|d| d.peer.has(Peer::TIMER));
        match agree(&cx.config, &asked) {
            Some((interval, refresher)) => {
                let fields = Fields::new(interval, Some(refresher), 0, asked.supported);
                (fields, Some(Agreed { interval, ours: refresher == Refresher::Uas }))
            }
            None => (Fields::default(), None),
        }
    }

    /// A 2xx of ours has gone out, or one of the peer's has come: the session begins anew.
    pub(super) fn timer_agreed(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        agreed: Option<Agreed>,
    ) -> Result<(), Error> {
        let now = low.cx().now;
        let Some(call) = self.calls.get_mut(h) else { return Ok(()) };
        let timer = &mut call.extensions.timer;
        let happening = match agreed {
            None => Happening::AgreedOff,
            Some(Agreed { ours: true, .. }) => Happening::AgreedOurs,
            Some(_) => Happening::AgreedTheirs,
        };
        if let Some(a) = agreed {
            timer.interval = a.interval;
            let seconds = a.interval.max(SHORTEST);
            // RFC 4028 10: a BYE so much before the end.
            let early = seconds.div_euclid(3).min(32);
            timer.until = now.after(u64::from(seconds - early).saturating_mul(1_000));
        }
        self.timer_step(low, h, happening)
    }

    /// The 2xx of the peer to a request of ours that carried [`timer_fields`](Self::timer_fields).
    pub(super) fn timer_answered(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let said: Option<SessionExpires> = value(m, Name::SessionExpires);
        // RFC 4028 9: who refreshes must be said; the UAC can who is not told.
        let agreed =
            said.map(|s| Agreed { interval: s.seconds, ours: s.refresher != Some(Refresher::Uas) });
        self.timer_agreed(low, h, agreed)
    }

    /// A 422 to a request of ours: whether asking for more may help (RFC 4028 7.3).
    pub(super) fn timer_raised(&mut self, h: CallHandle, m: &MessageRef<'_>) -> bool {
        let min: Option<MinSe> = value(m, Name::MinSe);
        let Some((call, min)) = self.calls.get_mut(h).zip(min) else { return false };
        let timer = &mut call.extensions.timer;
        let more = min.seconds > timer.min_se;
        timer.min_se = timer.min_se.max(min.seconds);
        more
    }

    /// Refuses a request that asks for too short a session (RFC 4028 9). Whether it did.
    pub(super) fn timer_refuses(
        low: &mut Low<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<bool, Error> {
        if m.header_span(Name::SessionExpires).is_none() {
            return Ok(false);
        }
        let Some(min) = too_small(&low.cx().config, &Asked::of(m)) else { return Ok(false) };
        let mut text = [0u8; 10];
        let len = number_text(min, &mut text);
        let fields = [(Name::MinSe, text.get(..len).unwrap_or(&[]))];
        let reply = Reply { extra: &fields, ..Reply::default() };
        low.down.tx.reply_stateless(low.down.cx, m, e, path, 422, &reply).map(|_| true)
    }

    /// Sends a refresh: an UPDATE where the peer takes it, else a re-INVITE (RFC 4028 7.4).
    pub(super) fn send_refresh(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let dialog = self.calls.live(h)?.dialog.ok_or(Error::Gone)?;
        if low.dialogs.get(dialog).is_some_and(|d| d.peer.has(Peer::UPDATE)) {
            return self.send_update(low, h, dialog, true);
        }
        let again = self.same_description(low, h, dialog)?;
        self.send_reinvite(low, h, again)?;
        self.calls.live_mut(h)?.extensions.timer.reinviting = true;
        Ok(())
    }

    /// Whether the re-INVITE that has ended was a refresh.
    pub(super) fn reinvite_refreshed(&mut self, h: CallHandle) -> bool {
        let timer = self.calls.get_mut(h).map(|c| &mut c.extensions.timer);
        timer.is_some_and(|t| core::mem::take(&mut t.reinviting))
    }

    /// Whether another request of the dialog has the word.
    fn dialog_busy(&self, low: &Low<'_>, h: CallHandle) -> bool {
        self.calls.get(h).is_some_and(|c| {
            c.invite.is_some()
                || c.repeating.is_some()
                || c.reinvite.is_some()
                || c.again.is_some()
                || c.extensions.update.is_open()
        }) || self.is_asked(low, h)
    }

    /// The timer of the session has fired.
    pub(super) fn timer_fired(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let now = low.cx().now;
        let Some(t) = self.calls.get(h).map(|c| c.extensions.timer) else { return Ok(()) };
        let due = t.state == State::Ours && now < t.until;
        if due && self.dialog_busy(low, h) {
            let at = now.after(BUSY).min(t.until);
            return self.arm(low.cx(), h, Due::Session, at);
        }
        self.timer_step(low, h, if due { Happening::Due } else { Happening::Over })
    }

    pub(super) fn timer_step(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        happening: Happening,
    ) -> Result<(), Error> {
        let now = low.cx().now;
        let Some(call) = self.calls.get_mut(h) else { return Ok(()) };
        let t = &mut call.extensions.timer;
        let (next, act) = step(t.state, happening);
        t.state = next;
        let (until, interval) = (t.until, t.interval.max(SHORTEST));
        match act {
            Act::Nothing => Ok(()),
            Act::AwaitRefresh => {
                let half = u64::from(interval).saturating_mul(500);
                self.arm(low.cx(), h, Due::Session, now.after(half))
            }
            Act::AwaitEnd => self.arm(low.cx(), h, Due::Session, until),
            Act::AwaitAgain => {
                let left = until.0.saturating_sub(now.0);
                let wait = if left > 2 * BUSY { left.div_euclid(2) } else { left };
                self.arm(low.cx(), h, Due::Session, now.after(wait))
            }
            Act::Disarm => {
                self.disarm(low.cx(), h, Due::Session);
                Ok(())
            }
            Act::Refresh => {
                self.arm(low.cx(), h, Due::Session, until)?;
                match self.send_refresh(low, h) {
                    Ok(()) => Ok(()),
                    Err(_) => self.timer_step(low, h, Happening::Refused),
                }
            }
            Act::End => self.timer_ends(low, h),
        }
    }

    fn timer_ends(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        self.disarm(low.cx(), h, Due::Session);
        let Some(call) = self.calls.get_mut(h) else { return Ok(()) };
        call.end = Some(EndReason::SessionExpired);
        if self.act(h, CallHappening::Hangup)? != CallAct::SendBye {
            return self.hangup(low, h);
        }
        self.step(h, CallHappening::Hangup)?;
        self.send_bye(low, h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Act as A;
    use Happening as H;
    use State as S;
    use std::format;

    /// Every cell that does something, with its clause.
    const CELLS: &[(State, Happening, State, Act, &str)] = &[
        (S::Off, H::AgreedOurs, S::Ours, A::AwaitRefresh, "RFC 4028 7.2, 9"),
        (S::Off, H::AgreedTheirs, S::Theirs, A::AwaitEnd, "RFC 4028 7.2, 9"),
        (S::Ours, H::AgreedOurs, S::Ours, A::AwaitRefresh, "RFC 4028 7.4"),
        (S::Ours, H::AgreedTheirs, S::Theirs, A::AwaitEnd, "RFC 4028 7.4"),
        (S::Ours, H::AgreedOff, S::Off, A::Disarm, "RFC 4028 7.2"),
        (S::Ours, H::Due, S::Refreshing, A::Refresh, "RFC 4028 10"),
        (S::Ours, H::Over, S::Off, A::End, "RFC 4028 10"),
        (S::Refreshing, H::AgreedOurs, S::Ours, A::AwaitRefresh, "RFC 4028 7.2"),
        (S::Refreshing, H::AgreedTheirs, S::Theirs, A::AwaitEnd, "RFC 4028 7.2"),
        (S::Refreshing, H::AgreedOff, S::Off, A::Disarm, "RFC 4028 7.2"),
        (S::Refreshing, H::Refused, S::Ours, A::AwaitAgain, "RFC 4028 7.4"),
        (S::Refreshing, H::Lost, S::Off, A::End, "RFC 4028 10"),
        (S::Refreshing, H::Over, S::Off, A::End, "RFC 4028 10"),
        (S::Theirs, H::AgreedOurs, S::Ours, A::AwaitRefresh, "RFC 4028 7.4"),
        (S::Theirs, H::AgreedTheirs, S::Theirs, A::AwaitEnd, "RFC 4028 7.4"),
        (S::Theirs, H::AgreedOff, S::Off, A::Disarm, "RFC 4028 7.2"),
        (S::Theirs, H::Over, S::Off, A::End, "RFC 4028 10"),
    ];

    #[test]
    fn every_cell_is_as_its_clause_says() {
        for state in STATES {
            for happening in HAPPENINGS {
                let listed = CELLS.iter().find(|c| c.0 == state && c.1 == happening);
                let expected = listed.map_or((state, A::Nothing), |c| (c.2, c.3));
                let clause = listed.map_or("no clause: nothing happens", |c| c.4);
                assert_eq!(step(state, happening), expected, "{state:?} {happening:?} ({clause})");
            }
        }
    }

    fn asked(fields: &str) -> Asked {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{fields}\r\n");
        Asked::of(&MessageRef::lazy(text.as_bytes()).unwrap())
    }

    fn config(session_expires: u32) -> Config {
        let mut config = Config::new([1; 32]);
        config.session_expires = session_expires;
        config
    }

    // RFC 4028 9: table 2, and what may become of the interval.
    #[test]
    fn the_2xx_says_what_table_2_allows() {
        use Refresher::{Uac, Uas};
        let t = "Supported: timer\r\n";
        for (fields, ours, expected) in [
            ("", 0, None),
            ("", 1_800, Some((1_800, Uas))),
            (t, 1_800, Some((1_800, Uac))),
            (t, 0, None),
            ("Session-Expires: 600\r\n", 1_800, Some((600, Uas))),
            ("Session-Expires: 600;refresher=uac\r\n", 0, Some((600, Uas))),
            ("Supported: timer\r\nx: 600\r\n", 1_800, Some((600, Uac))),
            ("Supported: timer\r\nx: 600;refresher=uas\r\n", 0, Some((600, Uas))),
            ("Supported: timer\r\nx: 600;refresher=uac\r\n", 1_800, Some((600, Uac))),
            ("Supported: timer\r\nx: 3600\r\n", 1_800, Some((1_800, Uac))),
            ("Supported: timer\r\nx: 3600\r\nMin-SE: 2400\r\n", 1_800, Some((2_400, Uac))),
            ("Supported: timer\r\nMin-SE: 2400\r\n", 1_800, Some((2_400, Uac))),
        ] {
            assert_eq!(agree(&config(ours), &asked(fields)), expected, "{fields} with {ours}");
        }
    }

    // RFC 4028 9: 422 only where its sender understands it.
    #[test]
    fn only_a_peer_that_supports_timers_is_told_that_its_session_is_too_short() {
        let config = config(1_800);
        let least = |fields| too_small(&config, &asked(fields));
        assert_eq!(least("Session-Expires: 89\r\nSupported: timer\r\n"), Some(90));
        assert_eq!(least("Session-Expires: 90\r\nSupported: timer\r\n"), None);
        assert_eq!(least("Session-Expires: 30\r\n"), None);
        assert_eq!(least("Supported: timer\r\n"), None);
    }
}
