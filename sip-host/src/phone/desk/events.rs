//! What happens becomes notices, and what the phone does by itself.

use sansip::sdp::Agreed;
use sansip::wire::Name;
use sansip::wire::message::MessageRef;
use sansip::{
    Answer, CallChange, CallHandle, Engine, Error, Event, Extras, Instant, LineChange, Query,
    QueryId, RequestHandle,
};

use super::change::AGAIN;
use super::policy::acted;
use super::words::{ended, lossy, party, reason, register_failure, status_text, yes};
use super::{Asked, Call, Desk, State, Todo};
use crate::phone::media::Negotiated;
use crate::phone::notice::Notice;

impl Desk {
    /// Something happened.
    pub fn event(&mut self, now: Instant, event: &Event, message: Option<MessageRef<'_>>) {
        match *event {
            Event::Call { call, user, change, .. } => {
                self.on_call(now, call, user, change, message);
            }
            Event::Line { change, .. } => self.on_line(now, change, message),
            Event::Request { request, .. } => {
                let method = message.map(|m| lossy(m.method_text())).unwrap_or_default();
                let text = format!("{method} came and was answered 200");
                self.tell_with(Notice::new(now.0, "request", None, text).with("method", method));
                self.todo.push_back(Todo::Respond(request));
            }
            Event::Transfer { request, call, .. } => self.on_asked(now, request, call, message),
            Event::Answered { status, .. } => {
                let allow = message.and_then(|m| m.header(Name::Allow)).map(lossy);
                let text = match &allow {
                    Some(allow) => {
                        format!("options: {}; it can {allow}", status_text(status, message))
                    }
                    None => format!("options: {}", status_text(status, message)),
                };
                let notice = Notice::new(now.0, "options", None, text);
                self.tell_with(notice.with("status", status).with("allow", allow));
            }
            Event::Limited(limit) => {
                self.tell(
                    now,
                    "limited",
                    None,
                    format!("something was refused: no room for {limit}"),
                );
            }
            _ => {}
        }
    }

    /// What both sides send and hear has changed.
    pub fn media(&mut self, now: Instant, handle: CallHandle, agreed: &Agreed<'_>) {
        let Some(number) = self.number_of(handle) else { return };
        let Some(call) = self.calls.get_mut(&number) else { return };
        let media = Negotiated::of(agreed);
        let mut notice = Notice::new(now.0, "media", Some(number), media.text.clone());
        notice.fields = media.fields();
        if call.media.replace(media).as_ref() != call.media.as_ref() {
            self.tell_with(notice);
        }
    }

    /// A question of the engine; whether it will be answered.
    pub fn query(&mut self, id: QueryId, query: &Query<'_>) -> bool {
        match query {
            Query::Media { .. } => self.todo.push_back(Todo::Media(id)),
            Query::Credentials { line: Some(_), .. } if self.settings.password.is_some() => {
                self.todo.push_back(Todo::Password(id));
            }
            _ => return false,
        }
        true
    }

    /// Another phone asks for a call.
    fn on_asked(
        &mut self,
        now: Instant,
        request: RequestHandle,
        call: Option<CallHandle>,
        message: Option<MessageRef<'_>>,
    ) {
        let call = call.and_then(|handle| self.number_of(handle));
        let (_, target) = message.map(|m| party(&m, Name::ReferTo)).unwrap_or_default();
        // What follows a question mark goes into the new call's header: nothing for a person.
        let target = target.split('?').next().unwrap_or_default().to_owned();
        let text = format!("you are asked to call {target}");
        let notice = Notice::new(now.0, "transfer_asked", call, text);
        self.tell_with(notice.with("target", target.as_str()));
        self.asked.push(Asked { request, call, target });
        if !self.settings.asks {
            self.todo.push_back(Todo::Transfer(request));
        }
    }

    fn on_line(&mut self, now: Instant, change: LineChange, message: Option<MessageRef<'_>>) {
        match change {
            LineChange::Registered { expires } => {
                let text = format!("{} is registered for {expires} s", self.settings.aor);
                // A refresh is no news to a person.
                if self.registered.replace(expires).is_none() {
                    let notice = Notice::new(now.0, "registered", None, text);
                    self.tell_with(notice.with("expires", expires));
                }
            }
            LineChange::Unregistered => {
                self.registered = None;
                self.tell(
                    now,
                    "unregistered",
                    None,
                    format!("{} is not registered any more", self.settings.aor),
                );
            }
            LineChange::Failed { status } => {
                self.registered = None;
                let text = format!("not registered: {}", register_failure(status, message));
                let notice = Notice::new(now.0, "register_failed", None, text);
                self.tell_with(notice.with("status", status));
            }
            _ => {}
        }
    }

    fn number_of(&self, handle: CallHandle) -> Option<u64> {
        self.calls.iter().find(|(_, c)| c.handle == handle).map(|(n, _)| *n)
    }

    fn on_call(
        &mut self,
        now: Instant,
        handle: CallHandle,
        user: u64,
        change: CallChange,
        message: Option<MessageRef<'_>>,
    ) {
        if change == CallChange::Incoming {
            return self.on_incoming(now, handle, message);
        }
        let number = if self.calls.get(&user).is_some_and(|c| c.handle == handle) {
            user
        } else {
            let Some(number) = self.number_of(handle) else { return };
            number
        };
        let Some(call) = self.calls.get_mut(&number) else { return };
        let of = |event, text: String| Notice::new(now.0, event, Some(number), text);
        let notice = match change {
            CallChange::Progress { status } => {
                call.state = State::Ringing;
                of("progress", status_text(status, message)).with("status", status)
            }
            CallChange::Answered { status } => {
                call.state = State::Active;
                call.since = Some(now.0);
                of("answered", format!("{} answered", call.peer)).with("status", status)
            }
            CallChange::Confirmed => {
                call.state = State::Active;
                call.since = Some(now.0);
                of("confirmed", format!("connected with {}", call.peer))
            }
            CallChange::Reinvite => {
                self.todo.push_back(Todo::Accept(handle));
                of("reinvite", "the other side changes the session".into())
            }
            CallChange::Reinvited { status } => {
                let text = format!("session change: {}", status_text(status, message));
                of("reinvited", text).with("status", status)
            }
            CallChange::Transfer { status, done } => {
                let text = status_text(status, message.filter(|m| m.status() == status));
                let over = if done { " (over)" } else { "" };
                let text = format!("transfer: {text}{over}");
                of("transfer", text).with("status", status).with("done", yes(done))
            }
            CallChange::Policy { what } => {
                let (name, text) = acted(what);
                of("policy", text.to_owned()).with("what", name)
            }
            CallChange::Redirected { status } => {
                let to = message.map(|m| party(&m, Name::Contact).1).unwrap_or_default();
                let text = format!("redirected to {to} ({status})");
                of("redirected", text).with("status", status).with("target", to)
            }
            CallChange::Ended { why, status } => {
                let text = ended(call, why, status, message, now);
                let why = reason(why);
                self.unjoin(now, number);
                self.calls.remove(&number);
                of("ended", text).with("why", why).with("status", status)
            }
            _ => return,
        };
        self.tell_with(notice);
    }

    fn on_incoming(&mut self, now: Instant, handle: CallHandle, message: Option<MessageRef<'_>>) {
        self.numbered += 1;
        let number = self.numbered;
        let (name, peer) = message.map(|m| party(&m, Name::From)).unwrap_or_default();
        let uri = message.map(|m| lossy(m.request_uri())).unwrap_or_default();
        let who = if name.is_empty() { peer.clone() } else { format!("{name} <{peer}>") };
        let notice = Notice::new(now.0, "incoming", Some(number), format!("{who} calls"));
        self.tell_with(notice.with("from", peer.as_str()).with("name", name).with("uri", uri));
        let call = Call {
            handle,
            outgoing: false,
            peer,
            state: State::Incoming,
            since: None,
            media: None,
            joined: false,
        };
        self.calls.insert(number, call);
        if self.settings.rings {
            self.todo.push_back(Todo::Ring(handle));
        }
    }

    /// When it wants to act though nothing happens.
    #[must_use]
    pub fn next_timeout(&self) -> Option<u64> {
        let room = (!self.todo.is_empty()).then_some(self.room_at);
        self.later.iter().map(|l| l.at).chain(room).min()
    }

    /// Does what events asked for, and what had to wait. What finds the engine without room is
    /// done later.
    pub fn act(&mut self, now: Instant, engine: &mut Engine) {
        self.changes_again(now, engine);
        while let Some(what) = self.todo.front().copied() {
            let done = match what {
                Todo::Ring(call) => match engine.call_info(call).and_then(|i| i.replaces) {
                    // The engine answers it by itself, with nobody alerted (RFC 3891 3).
                    Some(_) => Ok(()),
                    None => engine.ring(now, call, 180, Extras::default()),
                },
                Todo::Accept(call) => engine.answer_call(now, call, Extras::default()),
                Todo::Media(query) => {
                    self.settings.media.lend(|m| engine.answer(now, query, Answer::Media(m)))
                }
                Todo::Password(query) => match &self.settings.password {
                    Some(secret) => engine.answer(now, query, Answer::Password(&secret.0)),
                    None => engine.answer(now, query, Answer::Failed),
                },
                Todo::Transfer(request) => self.follow_by_itself(now, engine, request),
                Todo::Respond(request) => engine.respond(now, request, 200, Extras::default()),
            };
            if matches!(done, Err(Error::Full(_))) {
                self.room_at = now.0.saturating_add(AGAIN);
                return;
            }
            // Otherwise the call has moved on: its own event tells.
            self.todo.pop_front();
        }
    }
}
