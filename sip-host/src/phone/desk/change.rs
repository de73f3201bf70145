//! Changes of calls that stand: hold, transfer, conference.

use sansip::{CallHandle, Engine, Error, Extras, Instant, Misuse, RequestHandle};

use super::words::{in_state, said};
use super::{Asked, Call, Desk, State};
use crate::phone::command::{Wrong, call_number, target};
use crate::phone::notice::Notice;

/// How often a change is tried again while another of the same session goes on (RFC 3261 14.1),
/// and how long, in milliseconds.
pub(super) const AGAIN: u64 = 20;
const PATIENCE: u64 = 5_000;

/// A change of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    Hold,
    Resume,
    /// A blind transfer, to this URI.
    Transfer(String),
    /// An attended one, to the peer of this call.
    TransferTo(CallHandle),
}

impl Change {
    const fn name(&self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Transfer(_) | Self::TransferTo(_) => "transfer",
        }
    }
}

/// A change that waits until another is over.
#[derive(Clone, Debug)]
pub(super) struct Later {
    change: Change,
    number: u64,
    pub(super) at: u64,
    until: u64,
}

impl Desk {
    pub(super) fn hold(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        call: Option<u64>,
    ) -> Result<(), Wrong> {
        let free = |c: &Call| c.is_up() && !c.is_held_by_us();
        let (number, _) = self.pick(call, "hold", free)?;
        self.unjoin(now, number);
        self.change(now, engine, Change::Hold, number)
    }

    pub(super) fn resume(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        call: Option<u64>,
    ) -> Result<(), Wrong> {
        let (number, _) = self.pick(call, "resume", Call::is_held_by_us)?;
        self.change(now, engine, Change::Resume, number)
    }

    /// To a call if there is one of this number, else to a URI.
    pub(super) fn transfer(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        call: Option<u64>,
        to: &str,
    ) -> Result<(), Wrong> {
        let other = call_number(to).and_then(|n| Some((n, self.calls.get(&n)?.handle)));
        if let Some((number, handle)) = other {
            let up = |c: &Call| c.is_up() && c.handle != handle;
            let (from, _) = self.pick(call, "transfer", up)?;
            let text = format!("asks {} to talk to {}", self.peer(from), self.peer(number));
            let notice = Notice::new(now.0, "transferring", Some(from), text);
            self.tell_with(notice.with("to_call", number));
            return self.change(now, engine, Change::TransferTo(handle), from);
        }
        let (from, _) = self.pick(call, "transfer", Call::is_up)?;
        let uri = target(to, &self.settings.aor)?;
        let text = format!("asks {} to call {uri}", self.peer(from));
        let notice = Notice::new(now.0, "transferring", Some(from), text);
        self.tell_with(notice.with("target", uri.as_str()));
        self.change(now, engine, Change::Transfer(uri), from)
    }

    fn peer(&self, number: u64) -> &str {
        self.calls.get(&number).map_or("", |c| &c.peer)
    }

    fn take_asked(&mut self, call: Option<u64>) -> Result<Asked, Wrong> {
        let at = self.asked.iter().position(|a| call.is_none() || a.call == call);
        match at {
            Some(at) => Ok(self.asked.remove(at)),
            None => Err(Wrong("nobody asks for a transfer".into())),
        }
    }

    pub(super) fn accept(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        call: Option<u64>,
    ) -> Result<(), Wrong> {
        let asked = self.take_asked(call)?;
        self.follow(now, engine, &asked).map_err(|why| said(why, "the transfer is over"))
    }

    /// Places the call that a transfer asks for.
    fn follow(&mut self, now: Instant, engine: &mut Engine, asked: &Asked) -> Result<(), Error> {
        let number = self.numbered + 1;
        let media = &self.settings.media;
        let handle = media.extras(|e| engine.accept_transfer(now, asked.request, number, e))?;
        self.numbered = number;
        let peer = asked.target.clone();
        let text = format!("calling {peer}, as asked");
        let notice = Notice::new(now.0, "calling", Some(number), text);
        self.tell_with(notice.with("target", peer.as_str()).with("for_call", asked.call));
        let call = Call {
            handle,
            outgoing: true,
            peer,
            state: State::Calling,
            since: None,
            media: None,
            joined: false,
        };
        self.calls.insert(number, call);
        Ok(())
    }

    /// The same without a person.
    pub(super) fn follow_by_itself(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        request: RequestHandle,
    ) -> Result<(), Error> {
        let Some(at) = self.asked.iter().position(|a| a.request == request) else {
            return Ok(());
        };
        let asked = self.asked.remove(at);
        let done = self.follow(now, engine, &asked);
        match done {
            Err(Error::Full(_)) => self.asked.push(asked),
            Err(why) => {
                // The peer is told that it does not go, not left without an answer.
                let _ = engine.reject_transfer(now, request, 603);
                self.tell(now, "error", asked.call, format!("cannot call {}: {why}", asked.target));
                return Ok(());
            }
            Ok(()) => {}
        }
        done
    }

    pub(super) fn decline(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        call: Option<u64>,
        status: u16,
    ) -> Result<(), Wrong> {
        let asked = self.take_asked(call)?;
        let done = engine.reject_transfer(now, asked.request, status);
        done.map_err(|why| said(why, "the transfer is over"))
    }

    /// Joins two calls, or all that stand. The media is mixed by whoever has it.
    pub(super) fn conference(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        calls: Vec<u64>,
    ) -> Result<(), Wrong> {
        let calls = if calls.is_empty() {
            self.calls.iter().filter(|(_, c)| c.is_up()).map(|(n, _)| *n).collect()
        } else {
            calls
        };
        for number in &calls {
            self.pick(Some(*number), "join", Call::is_up)?;
        }
        if calls.len() < 2 {
            return Err(Wrong("a conference needs two calls that stand".into()));
        }
        for number in &calls {
            if self.calls.get(number).is_some_and(Call::is_held_by_us) {
                self.change(now, engine, Change::Resume, *number)?;
            }
        }
        let mut who = Vec::new();
        for number in &calls {
            if let Some(call) = self.calls.get_mut(number) {
                call.joined = true;
                who.push(call.peer.clone());
            }
        }
        let notice = Notice::new(now.0, "conference", None, format!("joined: {}", who.join(", ")));
        let list: Vec<String> = calls.iter().map(ToString::to_string).collect();
        self.tell_with(notice.with("calls", list.join(" ")));
        Ok(())
    }

    /// Ends the conference: all its calls are held.
    pub(super) fn split(&mut self, now: Instant, engine: &mut Engine) -> Result<(), Wrong> {
        let joined = self.calls.iter().filter(|(_, c)| c.joined);
        let joined: Vec<u64> = joined.map(|(n, _)| *n).collect();
        if joined.is_empty() {
            return Err(Wrong("there is no conference".into()));
        }
        for number in joined {
            self.unjoin(now, number);
            if self.calls.get(&number).is_some_and(|c| !c.is_held_by_us()) {
                self.change(now, engine, Change::Hold, number)?;
            }
        }
        Ok(())
    }

    /// A call leaves the conference; one alone is none.
    pub(super) fn unjoin(&mut self, now: Instant, number: u64) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if !std::mem::take(&mut call.joined) {
            return;
        }
        if self.calls.values().filter(|c| c.joined).count() < 2 {
            self.calls.values_mut().for_each(|c| c.joined = false);
            self.tell(now, "conference_ended", None, "the conference is over".into());
        }
    }

    /// Changes a session; while another change of it goes on, a little later.
    fn change(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        change: Change,
        number: u64,
    ) -> Result<(), Wrong> {
        match self.try_change(now, engine, &change, number) {
            Some(Err(Error::Misuse(Misuse::State) | Error::Late)) => {
                let until = now.0.saturating_add(PATIENCE);
                self.later.push(Later { change, number, at: now.0.saturating_add(AGAIN), until });
                Ok(())
            }
            Some(done) => done.map_err(|why| in_state(why, number, change.name())),
            None => Err(Wrong(format!("there is no call {number}"))),
        }
    }

    fn try_change(
        &self,
        now: Instant,
        engine: &mut Engine,
        change: &Change,
        number: u64,
    ) -> Option<Result<(), Error>> {
        let call = self.calls.get(&number)?.handle;
        Some(match change {
            Change::Hold => engine.hold(now, call),
            Change::Resume => engine.resume(now, call),
            Change::Transfer(to) => engine.transfer(now, call, to, false, Extras::default()),
            Change::TransferTo(other) => engine.transfer_to(now, call, *other, Extras::default()),
        })
    }

    /// Tries again what had to wait.
    pub(super) fn changes_again(&mut self, now: Instant, engine: &mut Engine) {
        let (due, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.later).into_iter().partition(|l| l.at <= now.0);
        self.later = rest;
        for mut later in due {
            match self.try_change(now, engine, &later.change, later.number) {
                // The call has ended: its own event tells.
                None | Some(Ok(()) | Err(Error::Gone)) => {}
                Some(Err(_)) if now.0 < later.until => {
                    later.at = now.0.saturating_add(AGAIN);
                    self.later.push(later);
                }
                Some(Err(why)) => {
                    let wrong = in_state(why, later.number, later.change.name());
                    self.tell(now, "error", Some(later.number), wrong.0);
                }
            }
        }
    }
}
