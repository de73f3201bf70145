//! Requests outside a dialog (RFC 3261 8.2), and what several verbs share.

use super::Extras;
use super::{CallHandle, Low, Ua};
use crate::config::{Config, Reliable};
use crate::error::{Error, Limit, Misuse};
use crate::header::essentials::Essentials;
use crate::header::uri::Scheme;
use crate::path::Path;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::ring::EventRecord;
use crate::store::timers::{TimerId, TimerKey, kind};
use crate::tx::{Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;

/// The methods that the user agent takes, as Allow carries them.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, UPDATE, PRACK, REFER, NOTIFY";

/// The same, as a list.
pub const METHODS: [Method; 10] = [
    Method::Invite,
    Method::Ack,
    Method::Cancel,
    Method::Bye,
    Method::Options,
    Method::Message,
    Method::Update,
    Method::Prack,
    Method::Refer,
    Method::Notify,
];

/// The option tags that the user agent supports, as Supported carries them (RFC 3261 20.37). A tag
/// stands here once all of its extension works; Require is checked against it.
pub const SUPPORTED: &str =
    "100rel, 199, answermode, from-change, histinfo, join, norefersub, replaces, tdialog, timer";

/// What a message that makes or refreshes a dialog says of us (RFC 3261 13.2.1, 13.3.1.4).
pub(super) fn abilities(config: &Config) -> [(Name, &'static [u8]); 2] {
    [(Name::Allow, ALLOW.as_bytes()), (Name::Supported, supported(config).as_bytes())]
}

/// What of [`SUPPORTED`] is supported by this engine.
pub(super) fn supported(config: &Config) -> &'static str {
    let without = SUPPORTED.strip_prefix("100rel, ");
    without.filter(|_| config.reliable == Reliable::Never).unwrap_or(SUPPORTED)
}

/// The types of body that it takes in a session.
pub(super) const ACCEPT: &[u8] = b"application/sdp, multipart/mixed, multipart/alternative";

/// A request of the application's has waited too long for its answer.
pub(crate) const TIMER_REQUEST: u8 = kind::LINE + 1;

/// The record number of a request for the application.
pub(crate) const EVENT_REQUEST: u16 = 0x301;

/// `<uri>`
pub(super) fn bracketed(uri: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    let end = uri.len() + 1;
    let full = Error::Full(Limit::MessageBytes);
    out.get_mut(1..end).ok_or(full)?.copy_from_slice(uri);
    *out.first_mut().ok_or(full)? = b'<';
    *out.get_mut(end).ok_or(full)? = b'>';
    Ok(end + 1)
}

/// A refusal of RFC 3261 8.2.
pub(super) struct Refusal<'a> {
    status: u16,
    fields: [Option<(Name, &'a [u8])>; 2],
}

impl<'a> Refusal<'a> {
    const fn plain(status: u16) -> Self {
        Self { status, fields: [None, None] }
    }

    const fn with(status: u16, name: Name, value: &'a [u8]) -> Self {
        Self { status, fields: [Some((name, value)), None] }
    }
}

fn inspect<'a>(
    cx: &crate::cx::Cx,
    m: &MessageRef<'a>,
    e: &Essentials,
    path: &Path,
) -> Option<Refusal<'a>> {
    // 8.2.1
    if m.method() == Method::Other {
        return Some(Refusal::with(501, Name::Allow, ALLOW.as_bytes()));
    }
    if !METHODS.contains(&m.method()) {
        return Some(Refusal::with(405, Name::Allow, ALLOW.as_bytes()));
    }
    // 8.2.2.1
    let have_tls = cx.locals.iter().any(|l| l.transport.is_secure());
    match e.uri.map(|u| u.scheme) {
        Some(Scheme::Sip) => {}
        Some(Scheme::Sips) if have_tls => {
            // RFC 3261 26.2.2: a sips URI is reached by TLS on every hop.
            if !cx.transport(path.local).is_secure() {
                return Some(Refusal::plain(403));
            }
        }
        _ => return Some(Refusal::plain(416)),
    }
    inspect_in_dialog(&cx.config, m)
}

/// The rules that hold inside a dialog too (RFC 3261 12.2.2).
pub(super) fn inspect_in_dialog<'a>(config: &Config, m: &MessageRef<'a>) -> Option<Refusal<'a>> {
    // 8.2.2.3; `refuse` names what is not supported.
    if m.method() != Method::Cancel && unsupported(config, m).next().is_some() {
        return Some(Refusal::plain(420));
    }
    if super::pair::misplaced(m) {
        return Some(Refusal::plain(400));
    }
    content(m)
}

/// What a request requires and we do not support.
fn unsupported<'a>(config: &Config, m: &MessageRef<'a>) -> impl Iterator<Item = &'a [u8]> {
    let ours = supported(config);
    let known = |tag: &[u8]| ours.split(", ").any(|t| t.as_bytes().eq_ignore_ascii_case(tag));
    let tags = m.values(Name::Require).map(|s| m.text(s).trim_ascii());
    tags.filter(move |t| !t.is_empty() && !known(t))
}

/// The value of Unsupported (RFC 3261 8.2.2.3). What does not fit is left out: the client learns of
/// it next time.
fn write_unsupported(config: &Config, m: &MessageRef<'_>, out: &mut [u8]) -> usize {
    let mut at = 0;
    for tag in unsupported(config, m) {
        let comma: &[u8] = if at == 0 { b"" } else { b", " };
        let end = at + comma.len() + tag.len();
        let Some(place) = out.get_mut(at..end) else { break };
        let (head, rest) = place.split_at_mut(comma.len());
        head.copy_from_slice(comma);
        rest.copy_from_slice(tag);
        at = end;
    }
    at
}

// RFC 3261 8.2.3
fn content<'a>(m: &MessageRef<'a>) -> Option<Refusal<'a>> {
    let encoded =
        m.header(Name::ContentEncoding).is_some_and(|v| !v.eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Some(Refusal::with(415, Name::AcceptEncoding, b"identity"));
    }
    if m.method() != Method::Invite {
        return None;
    }
    let known = |kind: &[u8]| starts(kind, b"application/sdp") || starts(kind, b"multipart/");
    if !m.body().is_empty() && !m.header(Name::ContentType).is_some_and(known) && !optional(m) {
        return Some(Refusal::with(415, Name::Accept, ACCEPT));
    }
    // 20.1: an answer would be a session description.
    let taken = |kind: &[u8]| {
        starts(kind, b"application/sdp")
            || starts(kind, b"application/*")
            || starts(kind, b"*/*")
            || starts(kind, b"multipart/")
    };
    let mut accepts = m.values(Name::Accept).peekable();
    if accepts.peek().is_some() && !accepts.any(|s| taken(m.text(s))) {
        return Some(Refusal::with(
            406,
            Name::Warning,
            b"399 sansip \"An answer would be application/sdp\"",
        ));
    }
    None
}

fn optional(m: &MessageRef<'_>) -> bool {
    // RFC 3261 20.11: a body that may be ignored.
    m.header(Name::ContentDisposition)
        .is_some_and(|v| v.windows(17).any(|w| w.eq_ignore_ascii_case(b"handling=optional")))
}

fn starts(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len()).is_some_and(|t| t.eq_ignore_ascii_case(with))
}

impl Ua {
    /// A request outside our dialogs, other than ACK and CANCEL.
    pub(crate) fn on_outside_request(
        &mut self,
        low: &mut Low<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        if let Some(refusal) = inspect(low.down.cx, m, e, path) {
            return refuse(low, m, e, path, &refusal);
        }
        // RFC 6665 4.1.2.4: it may be faster than the 2xx that makes its dialog, and comes again.
        if self.awaits_subscription(m) {
            return Ok(());
        }
        // RFC 3261 12.2.2: a To tag that names no dialog of ours, and what only a dialog has.
        let within = matches!(m.method(), Method::Bye | Method::Update | Method::Prack);
        if e.to.is_some_and(|t| !t.tag.is_empty()) || within {
            return refuse(low, m, e, path, &Refusal::plain(481));
        }
        let line = self.line_of(low.down.cx, m, e);
        if line.is_none() && m.method() != Method::Options {
            return refuse(low, m, e, path, &Refusal::plain(404));
        }
        if m.method() == Method::Invite
            && (Self::timer_refuses(low, m, e, path)? || Self::reliable_refuses(low, m, e, path)?)
        {
            return Ok(());
        }
        match m.method() {
            Method::Invite => match self.pair_of(low, m) {
                Ok(pair) => self.on_invite(low, line, pair, (m, e, path)),
                Err(status) => refuse(low, m, e, path, &Refusal::plain(status)),
            },
            Method::Refer => self.on_outside_refer(low, line, m, e, path),
            // RFC 3261 11.2
            Method::Options => self.say_abilities(low, line, m, e, path),
            _ => self.ask_application(low, line.map_or(0, super::LineHandle::raw), m, e, path),
        }
    }

    /// OPTIONS for this element itself (RFC 3261 11.2).
    pub(crate) fn answer_options(
        &mut self,
        low: &mut Low<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        match inspect(low.down.cx, m, e, path) {
            Some(refusal) => refuse(low, m, e, path, &refusal),
            None => self.say_abilities(low, None, m, e, path),
        }
    }

    /// RFC 3261 11.2: as an INVITE would be answered now, with what we can do.
    fn say_abilities(
        &self,
        low: &mut Low<'_>,
        line: Option<super::LineHandle>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let config = &low.down.cx.config;
        let user_agent = [
            (Name::Allow, ALLOW.as_bytes()),
            (Name::Accept, ACCEPT),
            (Name::AcceptEncoding, &b"identity"[..]),
            (Name::Supported, supported(config).as_bytes()),
        ];
        // A proxy takes no bodies.
        let methods = if config.roles.registrar { "OPTIONS, REGISTER" } else { "OPTIONS" };
        let server = [(Name::Allow, methods.as_bytes()), (Name::Supported, &b""[..])];
        let fields = if config.roles.ua { &user_agent[..] } else { &server[..] };
        let mut contact = [0u8; 512];
        let (status, len) = self.would_answer(low.cx(), line, (m, e), &mut contact)?;
        let contact = (len > 0).then(|| contact.get(..len).unwrap_or(&[]));
        let reply = Reply { contact, extra: fields, ..Reply::default() };
        low.down.tx.reply_stateless(low.down.cx, m, e, path, status, &reply).map(|_| ())
    }

    /// Hands a request to the application.
    fn ask_application(
        &mut self,
        low: &mut Low<'_>,
        line: u64,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let cx = &mut *low.down.cx;
        let tx = low.down.tx.open_server(cx, Owner::default(), m, e, path)?;
        self.hand_over(low, line, None, tx).inspect_err(|_| low.down.tx.end(low.down.cx, tx))
    }

    /// Hands a request to the application, which has as long as the client waits.
    pub(super) fn hand_over(
        &mut self,
        low: &mut Low<'_>,
        line: u64,
        call: Option<CallHandle>,
        tx: TxHandle,
    ) -> Result<(), Error> {
        if self.waiting >= self.max_waiting {
            return Err(Error::Full(Limit::Transactions));
        }
        let cx = &mut *low.down.cx;
        let at = cx.now.after(cx.config.t1.saturating_mul(63));
        let timer = cx.timers.arm(at, TimerKey { kind: TIMER_REQUEST, object: tx.raw() })?;
        low.down.tx.set_owner(tx, Owner::new(OwnerKind::Request, timer.raw()));
        self.waiting += 1;
        let block = low.down.tx.request(cx, tx);
        if let Some(block) = block {
            cx.pool.hold(block);
        }
        cx.event(EventRecord {
            kind: EVENT_REQUEST,
            code: 0,
            object: tx.raw(),
            other: line,
            user: call.map_or(0, CallHandle::raw),
            block,
        })
    }

    /// The application answers a request that it was handed. Queues output.
    pub fn respond_request(
        &mut self,
        low: &mut Low<'_>,
        tx: TxHandle,
        status: u16,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let refusal = (300..700).contains(&status);
        let fits = |m| if m == Method::Refer && !refusal { Err(Misuse::BadStatus) } else { Ok(()) };
        let owner = request_owner(low, tx, fits)?;
        if owner.kind == OwnerKind::Refer {
            return self.reject_transfer(low, tx, status);
        }
        match self.call_of_offer(low, tx) {
            Some(of) => self.respond_offer(low, of, tx, status, extras)?,
            None => respond_plain(low, tx, status, extras)?,
        }
        if status >= 200 {
            low.down.tx.set_owner(tx, Owner::answered());
            self.waits_no_more(low, owner);
        }
        Ok(())
    }

    /// A request that waited for the application has been answered, or its transaction has failed.
    pub(crate) fn waits_no_more(&mut self, low: &mut Low<'_>, owner: Owner) {
        low.cx().timers.cancel(TimerId::from_raw(owner.object));
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// The application never answered: the engine does.
    pub(crate) fn request_unanswered(
        &mut self,
        low: &mut Low<'_>,
        key: TimerKey,
    ) -> Result<(), Error> {
        self.waiting = self.waiting.saturating_sub(1);
        let tx = TxHandle::from_raw(key.object);
        if low.down.tx.owner(tx).is_none_or(|o| o.kind != OwnerKind::Request) {
            return Ok(());
        }
        low.down.tx.set_owner(tx, Owner::default());
        self.offer_unanswered(low, tx);
        // RFC 3311 5.2: an UPDATE that would have to wait for the user.
        let update = low.down.tx.method(tx) == Some(Method::Update);
        let status = if update { 504 } else { 480 };
        match low.down.tx.reply(low.down.cx, tx, status, &Reply::default()) {
            // Its client gives up by itself within T1 (RFC 4320 4.2).
            Err(Error::Full(_)) => Ok(()),
            other => other,
        }
    }

    /// A request in a dialog that no call handles: RFC 3261 8.2.1 for its method.
    pub(super) fn answer_otherwise(
        &mut self,
        low: &mut Low<'_>,
        tx: TxHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let allow = [(Name::Allow, ALLOW.as_bytes())];
        let status = match m.method() {
            Method::Options => 200,
            Method::Other => 501,
            _ => 405,
        };
        let reply = Reply { extra: &allow, ..Reply::default() };
        low.down.tx.reply(low.down.cx, tx, status, &reply)
    }
}

/// Whose a request is that a verb is for, if the verb `fits` it: `Gone` once the application has
/// answered it, `Misuse` where it never was right, `Late` where the engine was first.
pub(super) fn request_owner(
    low: &Low<'_>,
    tx: TxHandle,
    fits: impl Fn(Method) -> Result<(), Misuse>,
) -> Result<Owner, Error> {
    let owner = low.down.tx.owner(tx).filter(|o| low.down.tx.is_server(tx) && !o.was_answered());
    let owner = owner.ok_or(Error::Gone)?;
    let ours = matches!(owner.kind, OwnerKind::Request | OwnerKind::Refer | OwnerKind::None);
    let method = low.down.tx.method(tx).filter(|_| ours).ok_or(Misuse::State);
    method.and_then(fits).map_err(Error::Misuse)?;
    if owner.kind == OwnerKind::None { Err(Error::Late) } else { Ok(owner) }
}

fn respond_plain(
    low: &mut Low<'_>,
    tx: TxHandle,
    status: u16,
    extras: &Extras<'_>,
) -> Result<(), Error> {
    let tag = low.cx().tag();
    let reply = Reply {
        to_tag: Some(tag.as_bytes()),
        named: extras.headers,
        body: (!extras.body.is_empty()).then_some((extras.content_type.as_bytes(), extras.body)),
        ..Reply::default()
    };
    low.down.tx.reply(low.down.cx, tx, status, &reply)
}

pub(super) fn refuse(
    low: &mut Low<'_>,
    m: &MessageRef<'_>,
    e: &Essentials,
    path: &Path,
    refusal: &Refusal<'_>,
) -> Result<(), Error> {
    let mut text = [0u8; 256];
    let len =
        if refusal.status == 420 { write_unsupported(&low.cx().config, m, &mut text) } else { 0 };
    let named = text.get(..len).filter(|t| !t.is_empty()).map(|t| (Name::Unsupported, t));
    let mut fields = [(Name::Other, &[][..]); 3];
    let mut n = 0;
    for (place, field) in fields.iter_mut().zip(refusal.fields.iter().chain([&named]).flatten()) {
        *place = *field;
        n += 1;
    }
    let reply = Reply { extra: fields.get(..n).unwrap_or(&[]), ..Reply::default() };
    low.down.tx.reply_stateless(low.down.cx, m, e, path, refusal.status, &reply).map(|_| ())
}
