//! A line: an address of record that the user agent serves, and its registration (RFC 3261 10.2).

use core::net::IpAddr;

use super::LineConfig;
use super::caller::hop_transport;
use super::policy::LinePolicy;
use super::{LineHandle, Low, Ua, record};
use crate::attempt::{AttemptHandle, Start};
use crate::cx::{Cx, Token, joined, write_error};
use crate::dialog::contact_value;
use crate::error::{Error, Limit, Misuse};
use crate::header::essentials::Essentials;
use crate::header::host::Host;
use crate::header::name_addr::NameAddr;
use crate::header::param;
use crate::header::uri::Uri;
use crate::header::uri::is_sips;
use crate::path::{LocalId, Path, parse_ip};
use crate::resolve::{Hop, NoWay, first_hop, proxy_hop};
use crate::store::pool::{BlockId, Pool};
use crate::store::queries::{Owner, OwnerKind};
use crate::store::ring::EventRecord;
use crate::store::timers::{TimerId, TimerKey, kind};
use crate::time::Instant;
use crate::tx::Failure;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::{Cursor, Span};
use crate::wire::start_line::Method;
use crate::wire::write::{WriteError, Writer};

/// The registration is refreshed.
pub(crate) const TIMER_REFRESH: u8 = kind::LINE;
/// The shutdown goes on.
pub(crate) const TIMER_SHUTDOWN: u8 = kind::LINE + 2;

/// Whether a line is registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Registration {
    Off,
    On,
    /// Being ended, as asked.
    Ending,
}

/// A line.
#[derive(Debug)]
pub(crate) struct Line {
    text: BlockId,
    aor: Span,
    display: Span,
    proxy: Span,
    user: Span,
    host: Span,
    pub(super) local: Option<LocalId>,
    expires: u32,
    any: bool,
    auth_user: Span,
    auth_realm: Span,
    instance: Span,
    pub(super) auth_peers: bool,
    number: u64,
    tag: Token<16>,
    call_id: Token<24>,
    cseq: u32,
    registration: Registration,
    /// What the REGISTER that is on its way does; the registration may have been changed since.
    sent: Registration,
    pub(super) policy: LinePolicy,
    /// Who has answered its last REGISTER.
    registrar: Option<IpAddr>,
    /// The route for its requests that the registrar has given (RFC 3608).
    service: Option<BlockId>,
    /// Its public GRUU, as the registrar has given it (RFC 5627 4.3).
    gruu: Option<BlockId>,
    /// The address that the registrar sees, where it is not ours.
    pub(super) mapped: Option<crate::path::Addr>,
    attempt: Option<AttemptHandle>,
    timer: Option<TimerId>,
}

impl Line {
    pub(super) fn proxy<'p>(&self, pool: &'p Pool) -> &'p [u8] {
        self.proxy.of(pool.bytes_of(self.text))
    }

    pub(super) fn user_part<'p>(&self, pool: &'p Pool) -> &'p [u8] {
        self.user.of(pool.bytes_of(self.text))
    }

    /// The user name of credentials, as it stands between quotes.
    pub(super) fn auth_user<'p>(&self, pool: &'p Pool) -> &'p [u8] {
        let span = if self.auth_user.is_empty() { self.user } else { self.auth_user };
        span.of(pool.bytes_of(self.text))
    }

    /// The only realm whose challenges are answered, as it stands between quotes; empty for any.
    pub(super) fn auth_realm<'p>(&self, pool: &'p Pool) -> &'p [u8] {
        self.auth_realm.of(pool.bytes_of(self.text))
    }

    pub(super) fn aor<'p>(&self, pool: &'p Pool) -> &'p [u8] {
        self.aor.of(pool.bytes_of(self.text))
    }

    /// Where its request to `target` goes first: to its proxy, else to the first of the route that the
    /// registrar has given (RFC 3261 8.1.2, RFC 3608 6.1).
    pub(super) fn hop(&self, cx: &Cx, target: &[u8]) -> Result<Hop, NoWay> {
        let given = self.service.map_or(&[][..], |b| cx.pool.bytes_of(b));
        let first = NameAddr::next(&mut Cursor::new(given, Span::new(0, given.len())));
        match first {
            Ok(first) if self.proxy(&cx.pool).is_empty() => {
                proxy_hop(cx, first.uri_text.of(given), target)
            }
            _ => self.home_hop(cx, target),
        }
    }

    /// Where its REGISTER goes first.
    fn home_hop(&self, cx: &Cx, target: &[u8]) -> Result<Hop, NoWay> {
        let proxy = self.proxy(&cx.pool);
        if proxy.is_empty() { first_hop(cx, target) } else { proxy_hop(cx, proxy, target) }
    }

    /// Whether a peer is the line's own proxy or registrar, and the realm one that it may ask for
    /// in a dialog: that of the line, or named after the domain or the proxy.
    pub(super) fn is_home(&self, pool: &Pool, peer: IpAddr, realm: &[u8]) -> bool {
        let proxy = self.proxy(pool);
        let host = Uri::parse(proxy).map_or(&[][..], |uri| uri.host.of(proxy));
        let near = self.registrar == Some(peer) || parse_ip(host) == Some(peer);
        let domain = self.host.of(pool.bytes_of(self.text));
        let named = |name: &[u8]| !name.is_empty() && name.eq_ignore_ascii_case(realm);
        near && (named(self.auth_realm(pool)) || named(domain) || named(host))
    }

    /// The identity for a hop.
    pub(super) fn identity(&self, cx: &Cx, hop: Option<&Hop>) -> Option<LocalId> {
        let transport = hop_transport(hop)?;
        let right = |id: &LocalId| cx.locals.get(*id).is_some_and(|e| e.transport == transport);
        let to = match hop {
            Some(Hop::Address { to, .. }) => Some(*to),
            _ => None,
        };
        self.local.filter(right).or_else(|| match to {
            Some(to) => cx.locals.pick(transport, to, self.local),
            None => cx.locals.iter().find(|e| e.transport == transport).map(|e| e.id),
        })
    }

    /// `"display" <aor>;tag=...`
    pub(super) fn write_from(
        &self,
        w: &mut Writer<'_>,
        pool: &Pool,
        tag: &[u8],
    ) -> Result<(), WriteError> {
        let bytes = pool.bytes_of(self.text);
        let aor = self.aor.of(bytes);
        let display = self.display.of(bytes);
        if display.is_empty() {
            return joined(w, Name::From, &[b"<", aor, b">;tag=", tag]);
        }
        joined(w, Name::From, &[display, b" <", aor, b">;tag=", tag])
    }

    /// `P-Preferred-Identity: "display" <aor>` (RFC 3325 9.2)
    pub(super) fn write_identity(&self, w: &mut Writer<'_>, pool: &Pool) -> Result<(), WriteError> {
        let bytes = pool.bytes_of(self.text);
        let (aor, display) = (self.aor.of(bytes), self.display.of(bytes));
        let space: &[u8] = if display.is_empty() { b"" } else { b" " };
        joined(w, Name::PPreferredIdentity, &[display, space, b"<", aor, b">"])
    }

    /// Whether its own calls keep its identity back.
    pub(super) const fn is_anonymous(&self) -> bool {
        self.policy.is_anonymous()
    }

    /// The preloaded route: that of the registrar (RFC 3608 6.1), else that to its proxy.
    pub(super) fn write_route(
        &self,
        w: &mut Writer<'_>,
        pool: &Pool,
        secure: bool,
    ) -> Result<(), WriteError> {
        match self.service {
            Some(given) => joined(w, Name::Route, &[pool.bytes_of(given)]),
            None => self.write_home_route(w, pool, secure),
        }
    }

    /// The outbound proxy as a preloaded route (RFC 3261 8.1.2): a secure one if `secure`.
    fn write_home_route(
        &self,
        w: &mut Writer<'_>,
        pool: &Pool,
        secure: bool,
    ) -> Result<(), WriteError> {
        let proxy = self.proxy(pool);
        let Ok(uri) = Uri::parse(proxy) else { return Ok(()) };
        let end: &[u8] = if uri.lr { b">" } else { b";lr>" };
        let rest = proxy.get(uri.scheme_text.end()..).unwrap_or(&[]);
        let scheme = if secure { b"sips" } else { uri.scheme_text.of(proxy) };
        joined(w, Name::Route, &[b"<", scheme, rest, end])
    }
}

/// A line's text in the making.
struct Text<'a> {
    room: &'a mut [u8],
    at: usize,
}

impl Text<'_> {
    fn put(&mut self, part: &[u8]) -> Result<Span, Error> {
        let end = self.at + part.len();
        let place = self.room.get_mut(self.at..end).ok_or(Error::Full(Limit::MessageBytes))?;
        place.copy_from_slice(part);
        let span = Span::new(self.at, end);
        self.at = end;
        Ok(span)
    }

    /// As it stands between quotes.
    fn put_escaped(&mut self, text: &str) -> Result<Span, Error> {
        let start = self.at;
        for c in text.bytes() {
            if matches!(c, b'"' | b'\\') {
                self.put(b"\\")?;
            }
            self.put(&[c])?;
        }
        Ok(Span::new(start, self.at))
    }
}

impl Ua {
    /// Adds a line. Queues nothing.
    pub fn add_line(&mut self, cx: &mut Cx, config: &LineConfig<'_>) -> Result<LineHandle, Error> {
        let bad = Error::Misuse(Misuse::BadUri);
        let uri = Uri::parse(config.aor.as_bytes()).map_err(|_| bad)?;
        // RFC 3261 19.1.1, table 1: it stands in From and To.
        let may_stand = uri.headers.is_empty() && uri.method.is_empty();
        if !uri.is_sip() || uri.host.is_empty() || !may_stand {
            return Err(bad);
        }
        if !config.proxy.is_empty()
            && !Uri::parse(config.proxy.as_bytes()).is_ok_and(|u| u.is_sip())
        {
            return Err(bad);
        }
        let plain = |c: u8| c > b' ' && c < 127 && !b"<>\"\\".contains(&c);
        if !config.instance.bytes().all(plain) {
            return Err(Error::Misuse(Misuse::BadHeader));
        }
        for text in [config.display, config.auth_user, config.auth_realm] {
            if text.bytes().any(|c| c < 32 || c == 127) {
                return Err(Error::Misuse(Misuse::BadHeader));
            }
        }
        if self.lines.room() == 0 {
            return Err(Error::Full(Limit::Lines));
        }
        let mut text = Text { room: &mut cx.scratch, at: 0 };
        let aor = text.put(config.aor.as_bytes())?;
        let mut display = Span::default();
        if !config.display.is_empty() {
            let start = text.put(b"\"")?;
            text.put_escaped(config.display)?;
            let end = text.put(b"\"")?;
            display = Span::new(start.start(), end.end());
        }
        let proxy = text.put(config.proxy.as_bytes())?;
        let auth_user = text.put_escaped(config.auth_user)?;
        let auth_realm = text.put_escaped(config.auth_realm)?;
        let instance = text.put(config.instance.as_bytes())?;
        let at = text.at;
        let text = cx.pool.copy_in(cx.scratch.get(..at).unwrap_or(&[]))?;
        let line = Line {
            text,
            aor,
            display,
            proxy,
            user: uri.user,
            host: uri.host,
            local: config.local,
            expires: if config.expires == 0 { 3_600 } else { config.expires },
            any: config.any,
            auth_user,
            auth_realm,
            instance,
            auth_peers: config.auth_peers,
            number: config.user,
            tag: cx.tag(),
            call_id: cx.word(),
            cseq: 0,
            registration: Registration::Off,
            sent: Registration::Off,
            policy: LinePolicy::default(),
            registrar: None,
            service: None,
            gruu: None,
            mapped: None,
            attempt: None,
            timer: None,
        };
        self.lines.insert(line)
    }

    /// Takes a line out; its calls go on without it. Queues nothing: unregister it first.
    pub fn remove_line(&mut self, low: &mut Low<'_>, h: LineHandle) -> Result<(), Error> {
        let line = self.lines.remove(h).ok_or(Error::Gone)?;
        let Cx { pool, keyring, .. } = low.cx();
        keyring.forget(pool, h.raw());
        pool.release(line.text);
        for block in [line.service, line.gruu].into_iter().flatten() {
            pool.release(block);
        }
        Self::drop_line_policy(low.cx(), &line.policy);
        if let Some(timer) = line.timer {
            low.cx().timers.cancel(timer);
        }
        if let Some(attempt) = line.attempt {
            low.attempts.end(&mut low.down, attempt);
        }
        Ok(())
    }

    /// The user part of a line's Contact; the whole of its URI where that is a GRUU and fits.
    pub(super) fn contact_user(&self, cx: &Cx, line: Option<LineHandle>, out: &mut [u8]) -> usize {
        let line = line.and_then(|l| self.lines.get(l));
        let gruu = line.and_then(|l| l.gruu).map(|b| cx.pool.bytes_of(b));
        let user = match gruu.filter(|g| g.len() <= out.len()) {
            Some(gruu) => gruu,
            None => line.map_or(&[][..], |l| l.user_part(&cx.pool)),
        };
        match out.get_mut(..user.len()) {
            Some(place) => {
                place.copy_from_slice(user);
                user.len()
            }
            None => 0,
        }
    }

    /// The line that a request is for: by the user part and one of our identities or the line's
    /// own host, else one that takes any request.
    pub(crate) fn line_of(
        &self,
        cx: &Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Option<LineHandle> {
        self.line_by_user(cx, m, e)
            .or_else(|| self.lines.iter().find(|(_, l)| l.any).map(|(h, _)| h))
    }

    /// The line whose user part and host the Request-URI has.
    pub(crate) fn line_by_user(
        &self,
        cx: &Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Option<LineHandle> {
        let uri = e.uri.filter(Uri::is_sip)?;
        let (user, host) = (m.text(uri.user), m.text(uri.host));
        let ours = cx.locals.is_ours(host, uri.port, None);
        let fits = |l: &Line| {
            let bytes = cx.pool.bytes_of(l.text);
            let same_user = crate::header::escape::same_escaped(l.user.of(bytes), user, false);
            same_user && (ours || Host::same(l.host.of(bytes), host))
        };
        self.lines.iter().find(|(_, l)| fits(l)).map(|(h, _)| h)
    }

    /// Registers a line and keeps it registered. May queue output.
    pub fn register(&mut self, low: &mut Low<'_>, h: LineHandle) -> Result<(), Error> {
        self.change_registration(low, h, Registration::On)
    }

    /// Ends the registration of a line. May queue output.
    pub fn unregister(&mut self, low: &mut Low<'_>, h: LineHandle) -> Result<(), Error> {
        self.change_registration(low, h, Registration::Ending)
    }

    fn change_registration(
        &mut self,
        low: &mut Low<'_>,
        h: LineHandle,
        wanted: Registration,
    ) -> Result<(), Error> {
        // RFC 3261 10.2: no new REGISTER while one is open. Its end is followed by the next.
        if self.lines.live(h)?.attempt.is_none() {
            self.send_register(low, h, wanted)?;
        }
        self.lines.live_mut(h)?.registration = wanted;
        Ok(())
    }

    /// Sends what the registration asks for now; without room a second later.
    fn go_on_registering(&mut self, low: &mut Low<'_>, h: LineHandle) -> Result<(), Error> {
        let wanted = self.lines.live(h)?.registration;
        if wanted == Registration::Off {
            return Ok(());
        }
        match self.send_register(low, h, wanted) {
            Err(Error::Full(_)) => {
                let at = low.cx().now.after(1_000);
                self.arm_line(low.cx(), h, at)
            }
            other => other,
        }
    }

    fn arm_line(&mut self, cx: &mut Cx, h: LineHandle, at: Instant) -> Result<(), Error> {
        let line = self.lines.live_mut(h)?;
        if let Some(old) = line.timer.take() {
            cx.timers.cancel(old);
        }
        line.timer = Some(cx.timers.arm(at, TimerKey { kind: TIMER_REFRESH, object: h.raw() })?);
        Ok(())
    }

    /// Ends the next registration that stands. Whether there was one. Queues output.
    pub(super) fn unregister_one(&mut self, low: &mut Low<'_>) -> Result<bool, Error> {
        let on =
            self.lines.iter().find(|(_, l)| l.registration == Registration::On).map(|(h, _)| h);
        match on {
            Some(h) => self.unregister(low, h).map(|()| true),
            None => Ok(false),
        }
    }

    fn send_register(
        &mut self,
        low: &mut Low<'_>,
        h: LineHandle,
        wanted: Registration,
    ) -> Result<(), Error> {
        let line = self.lines.live(h)?;
        let expires = if wanted == Registration::On { line.expires } else { 0 };
        let cseq = line.cseq.wrapping_add(1);
        let cx = &mut *low.down.cx;
        let mut uri = [0u8; 300];
        let uri_len = registrar_uri(line, &cx.pool, &mut uri)?;
        let uri = uri.get(..uri_len).unwrap_or(&[]);
        let hop = line.home_hop(cx, uri);
        let near = line.identity(cx, hop.as_ref().ok()).or(line.local);
        let secure = is_sips(line.aor(&cx.pool));
        let mut contact = [0u8; 256];
        let len = near
            .map_or(0, |id| contact_value(cx, id, line.user_part(&cx.pool), secure, &mut contact));
        let contact = contact.get(..len).unwrap_or(&[]);
        let Cx { pool, scratch, config, .. } = cx;
        let product = config.product.as_bytes();
        let w = Writer::new(scratch);
        let len = write_register(w, line, pool, (uri, contact, expires, cseq), product)
            .map_err(write_error)?;
        let request = pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
        let owner = Owner::new(OwnerKind::Line, h.raw());
        let method = Method::Register;
        let start =
            Start { owner, request, method, hop, near, flow: None, line: h.raw(), mark: None };
        let (attempt, _) = low.attempts.start(&mut low.down, &start)?;
        let line = self.lines.live_mut(h)?;
        (line.attempt, line.cseq, line.sent) = (Some(attempt), cseq, wanted);
        if let Some(timer) = line.timer.take() {
            low.down.cx.timers.cancel(timer);
        }
        Ok(())
    }

    pub(super) fn tell_line(
        &self,
        cx: &mut Cx,
        h: LineHandle,
        kind: u16,
        code: u16,
        other: u64,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        let user = self.lines.get(h).map_or(0, |l| l.number);
        cx.event(EventRecord { kind, code, object: h.raw(), other, user, block })
    }

    /// A response to our REGISTER (RFC 3261 10.2.1, 10.2.8).
    pub(crate) fn on_line_response(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        (m, e): (&MessageRef<'_>, &Essentials),
        path: &Path,
    ) -> Result<(), Error> {
        let h = LineHandle::from_raw(from.object);
        let status = m.status();
        let Some(line) = self.lines.get_mut(h).filter(|_| status >= 200) else { return Ok(()) };
        line.attempt = None;
        line.registrar = (status < 300).then_some(path.remote.ip).or(line.registrar);
        if line.registration != line.sent {
            return self.go_on_registering(low, h);
        }
        self.note_address(low, h, m)?;
        let line = self.lines.live_mut(h)?;
        if (200..300).contains(&status) {
            if line.sent == Registration::Ending {
                line.registration = Registration::Off;
                return self.tell_line(low.cx(), h, record::UNREGISTERED, 0, 0, None);
            }
            let given = granted(low.down.cx, line, m, e);
            self.keep_service_route(low.cx(), h, m)?;
            self.keep_gruu(low.cx(), h, m)?;
            // A quarter of the time, but at most 30 s, is left for the refresh.
            let refresh = given.saturating_sub((given / 4).min(30)).max(1);
            let at = low.down.cx.now.after(u64::from(refresh) * 1000);
            self.arm_line(low.cx(), h, at)?;
            return self.tell_line(low.cx(), h, record::REGISTERED, status, u64::from(given), None);
        }
        // RFC 3261 10.2.8
        if status == 423
            && line.sent == Registration::On
            && let Some(least) = m.header(Name::MinExpires).and_then(crate::wire::scan::decimal)
            && least > line.expires
        {
            line.expires = least;
            return self.go_on_registering(low, h);
        }
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        self.on_register_refused(low, h, status, block)
    }

    /// The Service-Route of a registration is the route from now on (RFC 3608 6.1): also none. What
    /// is no route of loose routers is none.
    fn keep_service_route(
        &mut self,
        cx: &mut Cx,
        h: LineHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let mut len = Some(0usize);
        for value in m.values(Name::ServiceRoute) {
            let loose = NameAddr::parse(m.bytes(), value).is_ok_and(|r| r.uri.lr && r.uri.is_sip());
            let comma: &[u8] = if len == Some(0) { b"" } else { b", " };
            for part in [comma, m.text(value)] {
                let start = len.filter(|_| loose && !part.iter().any(u8::is_ascii_control));
                len = start.and_then(|start| {
                    let end = start.checked_add(part.len())?;
                    cx.scratch.get_mut(start..end)?.copy_from_slice(part);
                    Some(end)
                });
            }
        }
        let text = cx.scratch.get(..len.unwrap_or(0)).unwrap_or(&[]);
        let line = self.lines.live_mut(h)?;
        let same = line.service.map_or(&[][..], |b| cx.pool.bytes_of(b)) == text;
        if same {
            return Ok(());
        }
        // Without room for a new one the old one holds until the next refresh.
        let new = if text.is_empty() { None } else { Some(cx.pool.copy_in(text)) };
        let Ok(new) = new.transpose() else { return Ok(()) };
        if let Some(old) = core::mem::replace(&mut line.service, new) {
            cx.pool.release(old);
        }
        Ok(())
    }

    /// The public GRUU that a registration gives the line (RFC 5627 4.3): also none.
    fn keep_gruu(&mut self, cx: &mut Cx, h: LineHandle, m: &MessageRef<'_>) -> Result<(), Error> {
        let line = self.lines.live_mut(h)?;
        let own = line.instance.of(cx.pool.bytes_of(line.text));
        let given = m.values(Name::Contact).find_map(|value| {
            let contact = NameAddr::parse(m.bytes(), value).ok()?;
            let quoted = |name| Some(m.text(param(m.bytes(), contact.params, name)?));
            let id = unquoted(quoted(b"+sip.instance")?);
            let id = id.strip_prefix(b"<").and_then(|id| id.strip_suffix(b">"));
            if own.is_empty() || id != Some(own) {
                return None;
            }
            let gruu = unquoted(quoted(b"pub-gruu")?);
            Uri::parse(gruu).is_ok_and(|uri| uri.is_sip() && !uri.user.is_empty()).then_some(gruu)
        });
        let text = given.unwrap_or(&[]);
        if line.gruu.map_or(&[][..], |b| cx.pool.bytes_of(b)) == text {
            return Ok(());
        }
        let new = if text.is_empty() { None } else { Some(cx.pool.copy_in(text)) };
        let Ok(new) = new.transpose() else { return Ok(()) };
        if let Some(old) = core::mem::replace(&mut line.gruu, new) {
            cx.pool.release(old);
        }
        Ok(())
    }

    /// The end of a REGISTER that the registrar refuses.
    pub(super) fn on_register_refused(
        &mut self,
        low: &mut Low<'_>,
        h: LineHandle,
        status: u16,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        let release = |cx: &mut Cx| block.into_iter().for_each(|b| cx.pool.release(b));
        let Some(line) = self.lines.get_mut(h) else {
            release(low.cx());
            return Ok(());
        };
        line.attempt = None;
        if line.registration != line.sent {
            release(low.cx());
            return self.go_on_registering(low, h);
        }
        line.registration = Registration::Off;
        self.tell_line(low.cx(), h, record::REGISTER_FAILED, status, 0, block)
    }

    /// The REGISTER on its way has gone again with this CSeq number.
    pub(super) fn set_register_seq(&mut self, h: LineHandle, cseq: u32) {
        if let Some(line) = self.lines.get_mut(h) {
            line.cseq = cseq;
        }
    }

    /// Our REGISTER has failed without a response.
    pub(crate) fn on_line_failure(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        why: Failure,
    ) -> Result<(), Error> {
        let h = LineHandle::from_raw(from.object);
        let Some(line) = self.lines.get_mut(h) else { return Ok(()) };
        line.attempt = None;
        if line.registration != line.sent {
            return self.go_on_registering(low, h);
        }
        line.registration = Registration::Off;
        let status = if why == Failure::Timeout { 408 } else { 503 };
        self.tell_line(low.cx(), h, record::REGISTER_FAILED, status, 0, None)
    }

    /// It is time to refresh a registration.
    pub(crate) fn on_line_timer(&mut self, low: &mut Low<'_>, key: TimerKey) -> Result<(), Error> {
        let h = LineHandle::from_raw(key.object);
        let Some(line) = self.lines.get_mut(h) else { return Ok(()) };
        line.timer = None;
        self.go_on_registering(low, h)
    }
}

// RFC 3261 10.2
fn write_register(
    mut w: Writer<'_>,
    line: &Line,
    pool: &Pool,
    (uri, contact, expires, cseq): (&[u8], &[u8], u32, u32),
    product: &[u8],
) -> Result<usize, WriteError> {
    w.request_line(b"REGISTER", uri)?;
    w.header(Name::MaxForwards, b"70")?;
    line.write_home_route(&mut w, pool, is_sips(uri))?;
    line.write_from(&mut w, pool, line.tag.as_bytes())?;
    joined(&mut w, Name::To, &[b"<", line.aor(pool), b">"])?;
    w.header(Name::CallId, line.call_id.as_bytes())?;
    w.cseq(cseq, b"REGISTER")?;
    let instance = line.instance.of(pool.bytes_of(line.text));
    if instance.is_empty() {
        w.header(Name::Contact, contact)?;
    } else {
        // RFC 5627 4.2
        let parts: [&[u8]; 4] = [contact, b";+sip.instance=\"<", instance, b">\""];
        joined(&mut w, Name::Contact, &parts)?;
        w.header(Name::Supported, b"path, gruu")?;
    }
    w.uint(Name::Expires, expires)?;
    if !product.is_empty() {
        w.header(Name::UserAgent, product)?;
    }
    w.end()
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")).unwrap_or(text)
}

/// `sip:host` of the address of record (RFC 3261 10.2: no user part).
fn registrar_uri(line: &Line, pool: &Pool, out: &mut [u8]) -> Result<usize, Error> {
    let bytes = pool.bytes_of(line.text);
    let scheme: &[u8] = if is_sips(line.aor.of(bytes)) { b"sips:" } else { b"sip:" };
    // The host with its port, up to the parameters.
    let rest = Span::new(line.host.start(), line.aor.end()).of(bytes);
    let end = rest.iter().position(|c| matches!(c, b';' | b'?')).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or(rest);
    let full = Error::Full(Limit::MessageBytes);
    let all = scheme.len() + host.len();
    out.get_mut(..scheme.len()).ok_or(full)?.copy_from_slice(scheme);
    out.get_mut(scheme.len()..all).ok_or(full)?.copy_from_slice(host);
    Ok(all)
}

/// For how long the registrar has registered our Contact, in seconds.
fn granted(cx: &Cx, line: &Line, m: &MessageRef<'_>, e: &Essentials) -> u32 {
    let user = line.user_part(&cx.pool);
    let ours = m.values(Name::Contact).find_map(|span| {
        let contact = NameAddr::parse(m.bytes(), span).ok()?;
        let same = m.text(contact.uri.user) == user
            && cx.locals.is_ours(m.text(contact.uri.host), contact.uri.port, None);
        if same { contact.expires } else { None }
    });
    ours.or(e.expires).unwrap_or(line.expires)
}
