//! Who gets a message: the only file that knows all layers.

use super::Core;
use crate::attempt::{AttemptHandle, FromAttempt};
use crate::dialog::DialogHandle;
use crate::error::{Error, Ignored, Limit, Seen};
use crate::header::essentials::Essentials;
use crate::header::name_addr::NameAddr;
use crate::path::{FlowId, Path};
use crate::store::queries::{Owner, OwnerKind};
use crate::store::ring::Record;
use crate::tx::{Failure, FromRequest, FromResponse, FromTimer, Reply, TxHandle};
use crate::ua::CallHandle;
use crate::wire::defect::{Role, Verdict, judge};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;

/// Milliseconds between two events that tell of a full table.
const LIMITED: u64 = 1_000;

/// Who a new request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Destination {
    Ua,
    Registrar,
    Proxy,
    /// OPTIONS that asks this very element (RFC 3261 11).
    Ourselves,
}

/// A received message with what was read of it.
pub(super) type Received<'m, 'a> = (&'m MessageRef<'a>, &'m Essentials, &'m Path);

impl Core {
    pub(super) fn on_message(&mut self, m: &MessageRef<'_>, path: &Path) -> Result<Seen, Error> {
        let e = Essentials::of(m);
        if m.is_request() { self.on_request(m, &e, path) } else { self.on_response(m, &e, path) }
    }

    fn on_response(
        &mut self,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<Seen, Error> {
        if judge(Role::UserAgent, m, e) != Verdict::Accept {
            return Ok(Seen::Ignored(Ignored::BadResponse));
        }
        if self.is_misrouted(m, e) {
            return Ok(Seen::Ignored(Ignored::StrayResponse));
        }
        match self.tx.on_response(&mut self.cx, m, e, path) {
            FromResponse::Absorbed => self.on_absorbed(m, e, path),
            FromResponse::Response { tx, owner } => {
                self.deliver(owner, tx, (m, e, path))?;
                Ok(Seen::Used)
            }
            FromResponse::Stray => self.on_stray(m, e),
        }
    }

    // RFC 3261 13.2.2.4, 16.7 step 5: a fork beyond may answer an INVITE after it was refused.
    fn on_absorbed(
        &mut self,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<Seen, Error> {
        let invite = e.cseq.is_some_and(|c| c.method == Method::Invite);
        if !invite || !(200..300).contains(&m.status()) {
            return Ok(Seen::Ignored(Ignored::Repeated));
        }
        match self.tx.owner_of_response(&self.cx, m, e) {
            Some(owner) if owner.kind == OwnerKind::Call => {
                let (ua, mut low) = self.low();
                ua.on_late_success(&mut low, owner, m, e, path)?;
            }
            Some(owner) if owner.kind == OwnerKind::Fork => {
                let (forks, mut low) = self.fork_low();
                forks.on_late_success(&mut low, owner, m, e)?;
            }
            _ => return Ok(Seen::Ignored(Ignored::Repeated)),
        }
        Ok(Seen::Used)
    }

    /// RFC 3261 8.1.3.3: a response to a user agent has one Via.
    fn is_misrouted(&self, m: &MessageRef<'_>, e: &Essentials) -> bool {
        if self.ua.lines.is_empty() || !has_two_vias(m) {
            return false;
        }
        let owner = self.tx.owner_of_response(&self.cx, m, e).and_then(|o| match o.kind {
            OwnerKind::Attempt => self.attempts.owner(AttemptHandle::from_raw(o.object)),
            _ => Some(o),
        });
        owner.is_some_and(|o| o.kind != OwnerKind::Fork)
    }

    // RFC 3261 13.2.2.4: a 2xx whose ACK was lost; RFC 6026 7.1: a proxy drops all others.
    fn on_stray(&mut self, m: &MessageRef<'_>, e: &Essentials) -> Result<Seen, Error> {
        let invite = e.cseq.is_some_and(|c| c.method == Method::Invite);
        if invite && (200..300).contains(&m.status()) {
            let (ua, mut low) = self.low();
            if ua.on_stray_success(&mut low, m, e)? {
                return Ok(Seen::Used);
            }
        }
        if self.cx.config.roles.proxy {
            let (forks, mut low) = self.fork_low();
            if forks.on_stray_response(&mut low, m, e)? {
                return Ok(Seen::Used);
            }
        }
        Ok(Seen::Ignored(Ignored::StrayResponse))
    }

    /// Whether a response makes the request of an attempt go again, or a question about that. May
    /// queue output.
    fn goes_again(
        &mut self,
        h: AttemptHandle,
        tx: TxHandle,
        (m, _, path): Received<'_, '_>,
    ) -> Result<bool, Error> {
        let (ua, mut low) = self.low();
        match m.status() {
            200..=299 => {
                ua.on_proven(&mut low, h, m, path);
                Ok(false)
            }
            401 | 407 => ua.on_challenge(&mut low, h, tx, m, path),
            420 | 421 => ua.on_extension_refused(&mut low, h, tx, m),
            422 => ua.on_too_short(&mut low, h, tx, m),
            _ => Ok(false),
        }
    }

    /// A response for its owner.
    fn deliver(
        &mut self,
        owner: Owner,
        tx: TxHandle,
        (m, e, path): Received<'_, '_>,
    ) -> Result<(), Error> {
        match owner.kind {
            OwnerKind::Attempt => {
                let h = AttemptHandle::from_raw(owner.object);
                if self.goes_again(h, tx, (m, e, path))? {
                    return Ok(());
                }
                let mut down = crate::attempt::Down {
                    tx: &mut self.tx,
                    flows: &mut self.flows,
                    cx: &mut self.cx,
                };
                match self.attempts.on_response(&mut down, h, tx, m.status())? {
                    FromAttempt::Response { owner, tx } if owner.kind != OwnerKind::Attempt => {
                        self.deliver(owner, tx, (m, e, path))
                    }
                    other => self.pass_attempt(other),
                }
            }
            OwnerKind::Call => {
                let (ua, mut low) = self.low();
                ua.on_response(&mut low, owner, m, e, path)
            }
            OwnerKind::Line => {
                let (ua, mut low) = self.low();
                ua.on_line_response(&mut low, owner, (m, e), path)
            }
            OwnerKind::Fork => {
                let (forks, mut low) = self.fork_low();
                forks.on_response(&mut low, owner, m, e, path)
            }
            OwnerKind::Refer => {
                let (ua, mut low) = self.low();
                ua.on_subscription_response(&mut low, owner, m, e, path)
            }
            OwnerKind::App => {
                let (ua, mut low) = self.low();
                ua.on_answered(&mut low, owner, m)
            }
            OwnerKind::None | OwnerKind::Registrar | OwnerKind::Request => Ok(()),
        }
    }

    /// What an attempt passes up, other than a response.
    pub(super) fn pass_attempt(&mut self, from: FromAttempt) -> Result<(), Error> {
        match from {
            FromAttempt::Failed { owner, why } => self.client_failed(owner, why),
            FromAttempt::AckSent { owner, block, path } => {
                match owner.kind {
                    OwnerKind::Call => {
                        let h = CallHandle::from_raw(owner.object);
                        self.ua.keep_ack(&mut self.cx, h, block, path);
                    }
                    _ => self.cx.pool.release(block),
                }
                Ok(())
            }
            FromAttempt::Nothing | FromAttempt::Response { .. } => Ok(()),
        }
    }

    fn client_failed(&mut self, owner: Owner, why: Failure) -> Result<(), Error> {
        match owner.kind {
            OwnerKind::Attempt => {
                let h = AttemptHandle::from_raw(owner.object);
                let mut down = crate::attempt::Down {
                    tx: &mut self.tx,
                    flows: &mut self.flows,
                    cx: &mut self.cx,
                };
                match self.attempts.on_failure(&mut down, h, why)? {
                    FromAttempt::Failed { owner, why } if owner.kind != OwnerKind::Attempt => {
                        self.client_failed(owner, why)
                    }
                    other => self.pass_attempt(other),
                }
            }
            OwnerKind::Call => {
                let (ua, mut low) = self.low();
                ua.on_failure(&mut low, owner, why)
            }
            OwnerKind::Line => {
                let (ua, mut low) = self.low();
                ua.on_line_failure(&mut low, owner, why)
            }
            OwnerKind::Fork => {
                let (forks, mut low) = self.fork_low();
                forks.on_failure(&mut low, owner, why)
            }
            OwnerKind::Refer => {
                let (ua, mut low) = self.low();
                ua.on_subscription_failure(&mut low, owner, why)
            }
            OwnerKind::App => {
                let (ua, mut low) = self.low();
                ua.on_unanswered(&mut low, owner, why)
            }
            OwnerKind::None | OwnerKind::Registrar | OwnerKind::Request => Ok(()),
        }
    }

    /// A transaction has failed.
    pub(super) fn pass_failure(&mut self, from: FromTimer) -> Result<(), Error> {
        let FromTimer::Failed { owner, why, .. } = from else { return Ok(()) };
        // Client transactions belong to attempts; all others are a server's.
        match owner.kind {
            OwnerKind::Attempt => self.client_failed(owner, why),
            OwnerKind::Call => {
                let (ua, mut low) = self.low();
                ua.on_server_failure(&mut low, owner, why)
            }
            OwnerKind::Fork => {
                let (forks, mut low) = self.fork_low();
                forks.on_server_failure(&mut low, owner, why)
            }
            OwnerKind::Request => {
                let (ua, mut low) = self.low();
                ua.waits_no_more(&mut low, owner);
                Ok(())
            }
            OwnerKind::Refer => {
                let (ua, mut low) = self.low();
                ua.on_refer_gone(&mut low, owner);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn send_failed(&mut self, send: super::output::SendId) -> Result<(), Error> {
        let from = self.tx.send_failed(&mut self.cx, TxHandle::from_raw(send.0));
        self.pass_failure(from)
    }

    /// Closes a connection: nothing more is taken from it.
    pub(super) fn close(&mut self, id: FlowId) -> Result<(), Error> {
        let fresh = match self.flows.get_mut(&self.cx, id) {
            Some(flow) => !core::mem::replace(&mut flow.closing, true),
            None => false,
        };
        if fresh { self.cx.out.push(Record::Close(id)) } else { Ok(()) }
    }

    /// Refuses a request by its defect alone.
    pub(super) fn refuse(
        &mut self,
        m: &MessageRef<'_>,
        path: &Path,
        status: u16,
    ) -> Result<Seen, Error> {
        let e = Essentials::of(m);
        if !m.is_request() || m.method() == Method::Ack {
            return Ok(Seen::Ignored(Ignored::BadAck));
        }
        self.answer_stateless((m, &e, path), status, &[])
    }

    fn answer_stateless(
        &mut self,
        (m, e, path): Received<'_, '_>,
        status: u16,
        extra: &[(Name, &[u8])],
    ) -> Result<Seen, Error> {
        let reply = Reply { extra, ..Reply::default() };
        let sent = self.tx.reply_stateless(&mut self.cx, m, e, path, status, &reply)?;
        Ok(if sent { Seen::Used } else { Seen::Ignored(Ignored::Unpaid) })
    }

    fn on_request(
        &mut self,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<Seen, Error> {
        let destination = self.destination(m, e);
        let role = match destination {
            Destination::Ua | Destination::Ourselves => Role::UserAgent,
            Destination::Registrar => Role::Registrar,
            Destination::Proxy => Role::Proxy,
        };
        match judge(role, m, e) {
            Verdict::Accept => {}
            Verdict::Drop if m.method() == Method::Ack => {
                return Ok(Seen::Ignored(Ignored::BadAck));
            }
            Verdict::Drop => return Ok(Seen::Ignored(Ignored::Unanswerable)),
            Verdict::Answer(status) => return self.answer_stateless((m, e, path), status, &[]),
        }
        match self.tx.on_request(&mut self.cx, m, e, path) {
            FromRequest::Repeated | FromRequest::Absorbed => Ok(Seen::Ignored(Ignored::Repeated)),
            FromRequest::Ack { owner, .. } => self.on_ack(Some(owner), destination, (m, e, path)),
            FromRequest::Cancel { invite } => self.on_cancel(invite, (m, e, path)),
            // RFC 3261 8.2.2.2 is a rule for user agents: a proxy lets both branches pass.
            FromRequest::Merged if matches!(destination, Destination::Ua) => {
                self.answer_stateless((m, e, path), 482, &[])
            }
            FromRequest::Merged | FromRequest::New if m.method() == Method::Ack => {
                self.on_ack(None, destination, (m, e, path))
            }
            FromRequest::Merged | FromRequest::New => self.on_new(destination, (m, e, path)),
            FromRequest::Unanswerable => Ok(Seen::Ignored(Ignored::NowhereToGo)),
        }
    }

    /// The dialog of ours that a request belongs to.
    fn dialog_of(&self, m: &MessageRef<'_>, e: &Essentials) -> Option<DialogHandle> {
        if self.dialogs.is_empty() { None } else { self.dialogs.of_request(&self.cx, m, e) }
    }

    fn on_ack(
        &mut self,
        owner: Option<Owner>,
        destination: Destination,
        (m, e, path): Received<'_, '_>,
    ) -> Result<Seen, Error> {
        let by_dialog = self.dialog_of(m, e);
        if let Some(d) = by_dialog {
            self.cx.prove(path);
            // A dialog without a call has no INVITE.
            let owner = self.dialogs.get(d).map(|d| d.owner());
            let h = owner.filter(|o| o.kind == OwnerKind::Call).map_or(0, |o| o.object);
            let (ua, mut low) = self.low();
            return ua.on_ack(&mut low, CallHandle::from_raw(h), m, e);
        }
        let forked = owner.is_some_and(|o| o.kind == OwnerKind::Fork);
        if forked || (self.cx.config.roles.proxy && destination == Destination::Proxy) {
            let (forks, mut low) = self.fork_low();
            forks.on_ack(&mut low, m, e, path)?;
            return Ok(Seen::Used);
        }
        Ok(Seen::Ignored(Ignored::StrayAck))
    }

    // RFC 3261 9.2, 16.10
    fn on_cancel(
        &mut self,
        invite: Option<(TxHandle, Owner)>,
        received: Received<'_, '_>,
    ) -> Result<Seen, Error> {
        let (m, e, path) = received;
        let Some((tx, owner)) = invite else {
            if self.cx.config.roles.proxy && self.destination(m, e) == Destination::Proxy {
                let (forks, mut low) = self.fork_low();
                if forks.on_stray_cancel(&mut low, (m, e), path)? {
                    return Ok(Seen::Used);
                }
            }
            let other = self.tx.cancels_another(&self.cx, m, e);
            return self.answer_stateless(received, if other { 200 } else { 481 }, &[]);
        };
        let tag = (owner.kind == OwnerKind::Call)
            .then(|| self.ua.tag(CallHandle::from_raw(owner.object)))
            .flatten();
        // The To tag is the one of the INVITE's responses, also when its call is over.
        let mut last = [0; 64];
        let len = self.last_tag(tx, &mut last);
        let last = last.get(..len).filter(|t| !t.is_empty());
        let reply =
            Reply { to_tag: tag.as_ref().map(|t| t.as_bytes()).or(last), ..Reply::default() };
        let sent = self.tx.reply_stateless(&mut self.cx, m, e, path, 200, &reply)?;
        let seen = if sent { Seen::Used } else { Seen::Ignored(Ignored::Unpaid) };
        match owner.kind {
            OwnerKind::Call => {
                let (ua, mut low) = self.low();
                ua.on_cancel(&mut low, owner)?;
            }
            OwnerKind::Fork => {
                let (forks, mut low) = self.fork_low();
                forks.on_cancel(&mut low, owner)?;
            }
            _ => {}
        }
        Ok(seen)
    }

    /// The To tag of a transaction's last response, if it is not longer than ours are.
    fn last_tag(&self, tx: TxHandle, out: &mut [u8; 64]) -> usize {
        let bytes = self.tx.last_response(tx).map_or(&[][..], |b| self.cx.pool.bytes_of(b));
        let tag = MessageRef::lazy(bytes).and_then(|m| {
            let to = NameAddr::parse(bytes, m.header_span(Name::To)?).ok()?;
            Some(to.tag.of(bytes))
        });
        let Some((tag, place)) = tag.and_then(|t| Some((t, out.get_mut(..t.len())?))) else {
            return 0;
        };
        place.copy_from_slice(tag);
        tag.len()
    }

    /// Who a request is for, a transaction apart. The order is the rule.
    pub(super) fn destination(&self, m: &MessageRef<'_>, e: &Essentials) -> Destination {
        let roles = self.cx.config.roles;
        if roles.ua && self.dialog_of(m, e).is_some() {
            return Destination::Ua;
        }
        let ours = |host, port| self.cx.locals.is_ours(host, port, None);
        if let Some(route) = e.route {
            let top_is_ours = ours(m.text(route.uri.host), route.uri.port);
            let more = m.values(Name::Route).nth(1).is_some();
            // RFC 5626 5.3: a token says whose it is.
            let named = crate::proxy::is_flow_token(m.text(route.uri.user));
            if roles.proxy && (more || named || !top_is_ours) {
                return Destination::Proxy;
            }
        }
        if roles.ua && self.ua.line_by_user(&self.cx, m, e).is_some() {
            return Destination::Ua;
        }
        let host = e.uri.map(|u| (m.text(u.host), u.port, u.user.is_empty()));
        let here = |host, port| self.cx.config.is_domain(host) || ours(host, port);
        if roles.registrar
            && m.method() == Method::Register
            && host.is_some_and(|(host, port, _)| here(host, port))
            && !self.cx.config.domains.is_empty()
        {
            return Destination::Registrar;
        }
        let to_us = host.is_some_and(|(host, port, no_user)| no_user && here(host, port));
        if m.method() == Method::Options && to_us && e.route.is_none() {
            return Destination::Ourselves;
        }
        if roles.proxy { Destination::Proxy } else { Destination::Ua }
    }

    fn on_new(
        &mut self,
        destination: Destination,
        (m, e, path): Received<'_, '_>,
    ) -> Result<Seen, Error> {
        let in_dialog = self.dialog_of(m, e);
        if self.draining && !e.has_to_tag() {
            return self.answer_stateless((m, e, path), 503, &[(Name::RetryAfter, b"10")]);
        }
        // What is promised to calls for their BYE is not given to strangers.
        let kept = if in_dialog.is_some() { 0 } else { self.cx.promised as usize };
        let crowded = in_dialog.is_none() && self.tx.is_source_full(&self.cx, path);
        if crowded || !self.tx.room_for(1 + kept) {
            return self.refuse_full(Limit::Transactions, (m, e, path));
        }
        let done = match (destination, in_dialog) {
            (Destination::Ua, Some(dialog)) => {
                self.cx.prove(path);
                let (ua, mut low) = self.low();
                ua.on_dialog_request(&mut low, dialog, m, e, path)
            }
            (Destination::Ua, None) => {
                let (ua, mut low) = self.low();
                ua.on_outside_request(&mut low, m, e, path)
            }
            (Destination::Ourselves, _) => {
                let (ua, mut low) = self.low();
                ua.answer_options(&mut low, m, e, path)
            }
            (Destination::Registrar, _) => {
                let mut down = crate::attempt::Down {
                    tx: &mut self.tx,
                    flows: &mut self.flows,
                    cx: &mut self.cx,
                };
                self.registrar.on_request(&mut down, m, e, path)
            }
            (Destination::Proxy, _) => {
                let (forks, mut low) = self.fork_low();
                forks.on_request(&mut low, m, e, path)
            }
        };
        match done {
            Ok(()) => Ok(Seen::Used),
            Err(Error::Full(limit)) if limit != Limit::Outputs && limit != Limit::Blocks => {
                self.refuse_full(limit, (m, e, path))
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses a request for which there is no room (RFC 3261 21.5.4). The application is told, but
    /// not for each.
    fn refuse_full(&mut self, limit: Limit, received: Received<'_, '_>) -> Result<Seen, Error> {
        let seen = self.answer_stateless(received, 503, &[(Name::RetryAfter, b"10")])?;
        self.counts.refused_full += 1;
        let now = self.cx.now;
        if self.counts.limited.is_none_or(|last| last.after(LIMITED) <= now) {
            self.counts.limited = Some(now);
            // Without room the next one tells.
            let _ = self.cx.event(super::output::limited(limit));
        }
        Ok(seen)
    }
}

/// Whether there is a second Via value.
fn has_two_vias(m: &MessageRef<'_>) -> bool {
    let mut vias = m.fields().filter(|f| f.name == Name::Via);
    let first = vias.next().map_or(&[][..], |f| m.text(f.value));
    vias.next().is_some() || (first.contains(&b',') && m.values(Name::Via).nth(1).is_some())
}
