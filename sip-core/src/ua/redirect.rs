//! The caller's side of a redirection: the target set, and the INVITE again (RFC 3261 8.1.3.4,
//! 19.1.5).

use super::call::{owner, part};
use super::clock::Due;
use super::diverted::{self, Digits};
use super::policy::Following;
use super::settings::Follow;
use super::table::State;
use super::target::{List, Records, Tried};
use super::{CallHandle, EndReason, LineHandle, Low, Ua, record};
use crate::attempt::Start;
use crate::cx::{Cx, joined, write_error};
use crate::dialog::contact_value;
use crate::error::{Error, Limit, Misuse};
use crate::header::uri::{Uri, UriHeaders, is_sips};
use crate::header::{CSeq, escape, uri_equal};
use crate::resolve::{Hop, NoWay, next_hop};
use crate::store::pool::BlockId;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;
use crate::wire::write::{WriteError, Writer};

/// A history in a block of its own begins like a message, so that it reads as one.
const HISTORY: &[u8] = b"sip:history";

/// How long an INVITE that found no room waits, in milliseconds.
const RETRY: u64 = 100;

/// More than one INVITE can be sent again for challenges.
const CHALLENGES: u32 = 16;

/// What a call has to go on with when it is redirected.
#[derive(Debug, Default)]
pub(super) struct Redirect {
    following: Following,
    /// The first INVITE, without Via.
    request: Option<BlockId>,
    /// The target set, once there is one.
    targets: Option<BlockId>,
    /// Where the call has been, as lines, where that is told (RFC 7044).
    history: Option<BlockId>,
    /// How many INVITEs there were.
    sent: u8,
    /// The best refusal so far.
    best: Option<BlockId>,
    best_status: u16,
    /// The number of redirections that led to the target at work.
    depth: u8,
    /// The CSeq number of the last INVITE.
    cseq: u32,
    /// A person is asked.
    asking: bool,
    /// There was no room to go on.
    pub(super) waiting: bool,
}

impl Redirect {
    fn blocks(&mut self) -> [Option<BlockId>; 4] {
        [self.request.take(), self.targets.take(), self.best.take(), self.history.take()]
    }
}

impl Ua {
    /// Keeps the INVITE of a call that goes on when it is redirected.
    pub(super) fn keep_invite(&mut self, low: &mut Low<'_>, h: CallHandle, request: BlockId) {
        let Some(call) = self.calls.get(h) else { return };
        let following = call.line.map_or(Following::default(), |l| self.following(l));
        if following.mode == Follow::Never {
            return;
        }
        low.cx().pool.hold(request);
        if let Some(call) = self.calls.get_mut(h) {
            call.redirect = Redirect {
                following,
                request: Some(request),
                cseq: 1,
                sent: 1,
                ..Redirect::default()
            };
        }
    }

    /// Frees what a call had to go on with.
    pub(super) fn end_redirect(cx: &mut Cx, redirect: &mut Redirect) {
        for block in redirect.blocks().into_iter().flatten() {
            cx.pool.release(block);
        }
        *redirect = Redirect::default();
    }

    /// A refusal of our INVITE: whether the call goes on.
    /// `block` holds the response; its hold is taken over if so.
    pub(super) fn refused(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        block: Option<BlockId>,
    ) -> Result<bool, Error> {
        let Some(block) = block else { return Ok(false) };
        self.note_cseq(low.cx(), h, block);
        self.note_history(low.cx(), h, status, Some(block));
        let goes_on = self.follows(low, h, status, block)?;
        if goes_on {
            low.cx().pool.release(block);
        }
        Ok(goes_on)
    }

    /// A challenge may have taken numbers of its own.
    fn note_cseq(&mut self, cx: &Cx, h: CallHandle, response: BlockId) {
        let seen = MessageRef::lazy(cx.pool.bytes_of(response)).and_then(|m| {
            CSeq::parse(m.bytes(), m.header_span(Name::CSeq)?).ok().map(|c| c.number)
        });
        if let (Some(seen), Some(call)) = (seen, self.calls.get_mut(h)) {
            call.redirect.cseq = call.redirect.cseq.max(seen);
        }
    }

    fn follows(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        block: BlockId,
    ) -> Result<bool, Error> {
        let redirect = &self.calls.live(h)?.redirect;
        if redirect.request.is_none() {
            return Ok(false);
        }
        let mode = redirect.following.mode;
        // RFC 3261 8.1.3.2: an unknown 3xx is a 300; 21.3.5: what to do after a 380 is in its body.
        let elsewhere = (300..400).contains(&status) && status != 380;
        // RFC 3261 21.4.23: which of several was meant is for a person to say.
        if (elsewhere || status == 485) && self.note_targets(low, h, block).unwrap_or(false) {
            low.cx().pool.hold(block);
            let asks = mode == Follow::Ask || status == 485;
            let kind = if asks { record::REDIRECTED_ASKS } else { record::REDIRECTED };
            self.tell(low.cx(), h, kind, status, Some(block))?;
            self.keep_only(low, h, None);
            if asks {
                self.calls.live_mut(h)?.redirect.asking = true;
                return Ok(true);
            }
            return self.follow_on(low, h);
        }
        // RFC 3261 21.6: a 6xx speaks for all targets.
        if status >= 600 || self.calls.live(h)?.redirect.targets.is_none() {
            return Ok(false);
        }
        self.note_refusal(low, h, status, Some(block));
        self.keep_only(low, h, None);
        self.follow_on(low, h)
    }

    /// Our INVITE has failed without a response: whether the call goes on.
    pub(super) fn failed_target(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
    ) -> Result<bool, Error> {
        if self.calls.live(h)?.redirect.targets.is_none() {
            return Ok(false);
        }
        // Challenges may have taken numbers that no response has shown.
        let r = &mut self.calls.live_mut(h)?.redirect;
        r.cseq = r.cseq.saturating_add(CHALLENGES);
        self.note_refusal(low, h, status, None);
        self.note_history(low.cx(), h, status, None);
        self.keep_only(low, h, None);
        self.follow_on(low, h)
    }

    /// Remembers where the call has been, if its INVITE tells that: what the response says, else
    /// what is known, with the reason why it goes on (RFC 7044 9.1). Without room for it the history
    /// stays as it was.
    fn note_history(&mut self, cx: &mut Cx, h: CallHandle, status: u16, response: Option<BlockId>) {
        let Some(r) = self.calls.get_mut(h).map(|c| &mut c.redirect) else { return };
        let Cx { pool, scratch, .. } = cx;
        let tells = |b: &BlockId| {
            let m = MessageRef::lazy(pool.bytes_of(*b));
            m.is_some_and(|m| m.header(Name::HistoryInfo).is_some())
        };
        let Some(request) = r.request.filter(tells) else { return };
        let from = response.filter(tells).or(r.history).unwrap_or(request);
        let Some(m) = MessageRef::lazy(pool.bytes_of(from)) else { return };
        let mut w = Writer::new(scratch);
        let index = Digits::of(r.sent.into());
        let written = w
            .request_line(b"INVITE", HISTORY)
            .and_then(|()| diverted::history(&mut w, &m, index.as_bytes(), status));
        let len = w.written().len();
        let Some(block) =
            written.ok().and_then(|()| pool.copy_in(scratch.get(..len).unwrap_or(&[])).ok())
        else {
            return;
        };
        if let Some(old) = r.history.replace(block) {
            pool.release(old);
        }
    }

    /// The INVITE has gone to a target: its entry belongs to the history.
    fn note_target(
        &mut self,
        cx: &mut Cx,
        h: CallHandle,
        list: BlockId,
        next: super::target::Next,
    ) {
        let Some(r) = self.calls.get_mut(h).map(|c| &mut c.redirect) else { return };
        let (Some(past), Some(request)) = (r.history, r.request) else { return };
        let Cx { pool, scratch, .. } = cx;
        let bytes = pool.bytes_of(list);
        let first = MessageRef::lazy(pool.bytes_of(request)).map_or(&[][..], |m| m.request_uri());
        let uri = if next.proxy { first } else { next.uri.of(bytes) };
        let place = (u16::from(r.sent).saturating_add(1), next.from.into());
        let cause = diverted::cause_of(next.lines.of(bytes));
        let mut w = Writer::new(scratch);
        let written = w
            .request_line(b"INVITE", HISTORY)
            .and_then(|()| w.written_fields(fields_of(pool.bytes_of(past))))
            .and_then(|()| diverted::new_target(&mut w, (uri, first), place, cause));
        let len = w.written().len();
        let Some(block) =
            written.ok().and_then(|()| pool.copy_in(scratch.get(..len).unwrap_or(&[])).ok())
        else {
            return;
        };
        pool.release(past);
        r.history = Some(block);
    }

    /// Remembers the best refusal: the one of the lowest class, the later of two (RFC 3261 16.7
    /// step 6).
    fn note_refusal(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        block: Option<BlockId>,
    ) {
        let Some(call) = self.calls.get_mut(h) else { return };
        let r = &mut call.redirect;
        if r.best_status != 0 && r.best_status / 100 < status / 100 {
            return;
        }
        r.best_status = status;
        if let Some(old) = r.best.take() {
            low.down.cx.pool.release(old);
        }
        if let Some(block) = block {
            low.down.cx.pool.hold(block);
        }
        r.best = block;
    }

    /// What a call ends with whose last refusal is this one: the better refusal of an earlier
    /// target, if there was one. Takes over the hold on the block and gives one.
    pub(super) fn best_refusal(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        block: Option<BlockId>,
    ) -> (u16, Option<BlockId>) {
        if let Some(call) = self.calls.get_mut(h) {
            let r = &mut call.redirect;
            let worse = status < 400 || r.best_status / 100 < status / 100;
            if r.best_status != 0 && worse && status < 600 {
                if let Some(worse) = block {
                    low.down.cx.pool.release(worse);
                }
                return (r.best_status, r.best.take());
            }
        }
        (status, block)
    }

    /// Adds the Contacts of a 3xx to the target set. Whether there is a new one.
    fn note_targets(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        response: BlockId,
    ) -> Result<bool, Error> {
        let r = &mut self.calls.live_mut(h)?.redirect;
        if r.depth >= r.following.depth {
            return Ok(false);
        }
        let Cx { pool, scratch, .. } = &mut *low.down.cx;
        let first = r.request.map_or(&[][..], |b| pool.bytes_of(b));
        let first = MessageRef::lazy(first).map_or(&[][..], |m| m.request_uri());
        let old = r.targets.map_or(&[][..], |b| pool.bytes_of(b));
        let mut list = List::begin(scratch, old, first)?;
        let m = MessageRef::lazy(pool.bytes_of(response)).ok_or(Error::Gone)?;
        let place = (r.depth.saturating_add(1), r.sent);
        let fresh = list.add_contacts(&m, place, r.following.targets);
        if !fresh {
            return Ok(false);
        }
        let len = list.len();
        let block = pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
        if let Some(old) = r.targets.replace(block) {
            pool.release(old);
        }
        Ok(true)
    }

    /// Sends the INVITE to the next target, or as soon as there is room for it. Whether there was
    /// one.
    fn follow_on(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<bool, Error> {
        loop {
            let r = &self.calls.live(h)?.redirect;
            let Some(block) = r.targets else { return Ok(false) };
            let Some(next) = Records::new(low.down.cx.pool.bytes_of(block)).next_target() else {
                return Ok(false);
            };
            match self.invite_again(low, h, block, next) {
                Err(Error::Full(limit)) if limit != Limit::MessageBytes => {
                    self.calls.live_mut(h)?.redirect.waiting = true;
                    let at = low.cx().now.after(RETRY);
                    self.arm(low.cx(), h, Due::Again, at)?;
                    return Ok(true);
                }
                sent => {
                    if let Some(state) = low.down.cx.pool.bytes_mut(block).get_mut(next.at) {
                        *state = Tried::Yes as u8;
                    }
                    if sent.is_ok() {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// The INVITE to a target: the same Call-ID, To and From, the next CSeq (RFC 3261 8.1.3.4).
    fn invite_again(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        list: BlockId,
        next: super::target::Next,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        let (Some(kept), line) = (call.redirect.request, call.line) else {
            return Err(Error::Gone);
        };
        let cseq = call.redirect.cseq.saturating_add(1);
        let (past, sent) = (call.redirect.history, call.redirect.sent.saturating_add(1));
        let cx = &mut *low.down.cx;
        let way = self.way_to(cx, line, list, next)?;
        let mut user = [0u8; 128];
        let len = self.contact_user_of(cx, h, &mut user);
        let user = user.get(..len).unwrap_or(&[]);
        let mut contact = [0u8; 256];
        let len = way.near.map_or(0, |id| contact_value(cx, id, user, way.secure, &mut contact));
        let Cx { pool, scratch, .. } = &mut *cx;
        let m = MessageRef::lazy(pool.bytes_of(kept)).ok_or(Error::Gone)?;
        let bytes = pool.bytes_of(list);
        let again = Again {
            uri: if next.proxy { m.request_uri() } else { next.uri.of(bytes) },
            proxy: next.proxy.then(|| next.uri.of(bytes)),
            headers: next.headers.of(bytes),
            lines: next.lines.of(bytes),
            contact: contact.get(..len).unwrap_or(&[]),
            cseq,
            past: past.map_or(&[][..], |b| fields_of(pool.bytes_of(b))),
            place: (sent.into(), next.from.into()),
        };
        let len = again.write(Writer::new(scratch), &m).map_err(write_error)?;
        let request = pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
        let start = Start {
            owner: owner(h, part::INVITE),
            request,
            method: Method::Invite,
            hop: way.hop,
            near: way.near,
            flow: None,
            line: line.map_or(0, LineHandle::raw),
            mark: None,
        };
        let (attempt, _) = low.attempts.start(&mut low.down, &start)?;
        self.note_target(low.cx(), h, list, next);
        let call = self.calls.live_mut(h)?;
        call.attempt = Some(attempt);
        call.redirect.cseq = cseq;
        call.redirect.sent = sent;
        call.redirect.depth = next.depth;
        let at = low.cx().now.after(low.down.cx.config.ring);
        self.arm(low.cx(), h, Due::Ring, at)
    }

    /// Where the INVITE to a target goes first (RFC 3261 8.1.2).
    fn way_to(
        &self,
        cx: &Cx,
        line: Option<LineHandle>,
        list: BlockId,
        next: super::target::Next,
    ) -> Result<Way, Error> {
        let uri = next.uri.of(cx.pool.bytes_of(list));
        let line = line.and_then(|l| self.lines.get(l)).ok_or(Error::Gone)?;
        let hop = if next.proxy { next_hop(cx, uri) } else { line.hop(cx, uri) };
        let near = line.identity(cx, hop.as_ref().ok()).or(line.local);
        Ok(Way { hop, near, secure: is_sips(uri) })
    }

    /// The person lets a redirected call go on: to this target of the redirection, or to the best
    /// if it is empty. May queue output.
    pub fn follow(&mut self, low: &mut Low<'_>, h: CallHandle, target: &str) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        if !call.redirect.asking {
            let open = matches!(call.state, State::Calling | State::Proceeding);
            return Err(if open { Error::Misuse(Misuse::State) } else { Error::Late });
        }
        if !target.is_empty() {
            let block = call.redirect.targets.ok_or(Error::Late)?;
            let bytes = low.down.cx.pool.bytes_mut(block);
            let found = Records::new(bytes)
                .find(|t| t.waits() && uri_equal::equal(t.uri.of(bytes), target.as_bytes()));
            let at = found.map(|t| t.at).ok_or(Error::Misuse(Misuse::BadUri))?;
            if let Some(state) = bytes.get_mut(at) {
                *state = Tried::Chosen as u8;
            }
        }
        self.calls.live_mut(h)?.redirect.asking = false;
        self.follow_or_end(low, h)
    }

    /// Goes on, or ends the call if there is no target any more.
    pub(super) fn follow_or_end(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        self.calls.live_mut(h)?.redirect.waiting = false;
        if self.follow_on(low, h)? {
            return Ok(());
        }
        let r = &mut self.calls.live_mut(h)?.redirect;
        let (status, block) = (r.best_status, r.best.take());
        let status = if status == 0 { 503 } else { status };
        self.ended(low, h, EndReason::Refused, status, block)
    }
}

/// Where an INVITE goes.
struct Way {
    hop: Result<Hop, NoWay>,
    near: Option<crate::path::LocalId>,
    secure: bool,
}

/// An INVITE once more, to another target.
struct Again<'a> {
    uri: &'a [u8],
    /// RFC 3261 21.3.4: the proxy that has to be used.
    proxy: Option<&'a [u8]>,
    /// The header part of the target's URI.
    headers: &'a [u8],
    /// Header fields that the redirection brought.
    lines: &'a [u8],
    contact: &'a [u8],
    cseq: u32,
    /// Where the call has been, as lines; empty where that is not told.
    past: &'a [u8],
    /// The number of this INVITE, and of the one whose redirection brought the target.
    place: (u16, u16),
}

/// The lines behind the first.
fn fields_of(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|c| *c == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes.get(end..).unwrap_or(&[])
}

impl Again<'_> {
    fn write(&self, mut w: Writer<'_>, m: &MessageRef<'_>) -> Result<usize, WriteError> {
        w.request_line(m.method_text(), self.uri)?;
        if let Some(proxy) = self.proxy {
            let loose = Uri::parse(proxy).is_ok_and(|u| u.lr);
            let end: &[u8] = if loose { b">" } else { b";lr>" };
            joined(&mut w, Name::Route, &[b"<", proxy, end])?;
        }
        for field in m.fields() {
            match field.name {
                Name::CSeq => w.cseq(self.cseq, m.method_text())?,
                Name::Contact if !self.contact.is_empty() => {
                    w.header(Name::Contact, self.contact)?;
                }
                Name::Route if self.proxy.is_some() => {}
                // What was proven, was proven for another Request-URI.
                Name::Authorization | Name::ProxyAuthorization => {}
                Name::ContentLength | Name::ContentType => {}
                Name::Diversion if !self.lines.is_empty() => {}
                Name::HistoryInfo if !self.past.is_empty() => {}
                _ if self.replaces(m.text(field.name_span())) => {}
                _ => w.copy(m, &field)?,
            }
        }
        w.written_fields(self.lines)?;
        if !self.past.is_empty() {
            w.written_fields(self.past)?;
            let cause = diverted::cause_of(self.lines);
            diverted::new_target(&mut w, (self.uri, m.request_uri()), self.place, cause)?;
        }
        self.write_headers(&mut w)?;
        match m.header(Name::ContentType).filter(|_| !m.body().is_empty()) {
            Some(kind) => w.body(kind, m.body()),
            None => w.end(),
        }
    }

    /// The header fields of the URI that may be taken, each with its value still escaped.
    fn allowed(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        UriHeaders::new(self.headers, crate::wire::scan::Span::new(0, self.headers.len()))
            .map(|p| (p.name.of(self.headers), p.value.unwrap_or_default().of(self.headers)))
            .filter(|(name, _)| ALLOWED.contains(&Name::of(name)))
    }

    fn replaces(&self, name: &[u8]) -> bool {
        let known = Name::of(name);
        known != Name::Other && self.allowed().any(|(n, _)| Name::of(n) == known)
    }

    // RFC 3261 19.1.5
    fn write_headers(&self, w: &mut Writer<'_>) -> Result<(), WriteError> {
        for (name, value) in self.allowed() {
            let mut plain = [0u8; 256];
            let mut n = 0;
            for (place, byte) in plain.iter_mut().zip(escape::unescape(value)) {
                *place = byte;
                n += 1;
            }
            if escape::unescape(value).count() > n {
                continue;
            }
            // A value with control bytes is left out.
            if w.named(name, plain.get(..n).unwrap_or(&[])) == Err(WriteError::Full) {
                return Err(WriteError::Full);
            }
        }
        Ok(())
    }
}

/// What a URI may put into a request (RFC 3261 19.1.5): nothing that says who we are, what we can
/// or which way the request goes.
const ALLOWED: [Name; 8] = [
    Name::Subject,
    Name::Priority,
    Name::Replaces,
    Name::InReplyTo,
    Name::AcceptContact,
    Name::RejectContact,
    Name::RequestDisposition,
    Name::UserToUser,
];
