//! What of a request's route is ours: RFC 3261 16.4, and whether a URI names this side at all.

use super::identity::Sender;
use super::{edge, flow_token};
use crate::cx::Cx;
use crate::flow::Flows;
use crate::header::uri::is_sips;
use crate::header::{NameAddr, Uri};
use crate::path::{Path, Transport};
use crate::wire::name::Name;
use crate::wire::{MessageRef, Span};

/// The most Route values of ours that are taken off at once: the pair that this proxy writes where
/// a request changes the transport or the network (RFC 5658).
const OWN_ROUTES: u8 = 2;

/// Where a flow token in a Route of ours leads (RFC 5626 5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Onward {
    /// There is none, or it names the way that the request came by.
    #[default]
    Free,
    /// This way, whatever else the request says.
    Flow(Path),
    /// A connection that is there no more.
    Failed,
    /// A token that is none of ours.
    Forged,
}

impl Onward {
    /// What the user part of a Route of ours says of a request that came by `path`.
    fn of(cx: &Cx, flows: &Flows, user: &[u8], path: &Path) -> Self {
        match flow_token::open(cx, user) {
            None => Self::Forged,
            // RFC 5626 5.3.1: the request comes from the device that the token is for.
            Some(to) if to.flow == path.flow && to.remote == path.remote => Self::Free,
            Some(to) if edge::is_open(cx, flows, &to) => Self::Flow(to),
            Some(_) => Self::Failed,
        }
    }
}

/// What RFC 3261 16.4 changes in a request before it is forwarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    /// Route values of ours at the front, which go.
    pub popped: u8,
    /// The Request-URI is one of our Record-Route values, put there by a strict router: the last
    /// Route value takes its place.
    pub restored: bool,
    /// The Request-URI loses its maddr, port and transport, which mean this side.
    pub stripped: bool,
    /// Where a flow token leads.
    pub onward: Onward,
    /// The way that the request came by, where the requests that follow shall go back by it.
    pub home: Option<Path>,
    /// Who has sent the request.
    pub sender: Sender,
}

/// Whether `uri`, read from `text`, names one of our identities by host, port and transport.
pub(super) fn is_identity(cx: &Cx, text: &[u8], uri: &Uri) -> bool {
    if !uri.is_sip() {
        return false;
    }
    let (host, asked) = (uri.host.of(text), uri.transport.of(text));
    let transport = Transport::of(asked);
    if transport.is_none() && !asked.is_empty() {
        return false;
    }
    cx.locals.is_ours(host, uri.port, transport)
        // RFC 7118 5.3: `ws` stands for both.
        || transport == Some(Transport::Ws)
            && cx.locals.is_ours(host, uri.port, Some(Transport::Wss))
}

/// Whether this side is responsible for the resource that `uri` names: its host is one of our
/// domains, on a port where we can be, or one of our identities.
pub(crate) fn is_ours(cx: &Cx, text: &[u8], uri: &Uri) -> bool {
    if !uri.is_sip() {
        return false;
    }
    let here = |port| {
        matches!(port, 0 | 5060 | 5061) || cx.locals.iter().any(|l| l.effective_port() == port)
    };
    (cx.config.is_domain(uri.host.of(text)) && here(uri.port)) || is_identity(cx, text, uri)
}

/// Whether a Route value of this URI is for us to remove. A preloaded route may name us by a
/// domain of ours.
fn is_own_route(cx: &Cx, text: &[u8], uri: &Uri) -> bool {
    is_identity(cx, text, uri)
        || (uri.is_sip() && uri.port == 0 && cx.config.is_domain(uri.host.of(text)))
}

/// What a Route value of ours, not of a received request, says of the way; `None` for one that is
/// not ours.
pub(super) fn own_route(cx: &Cx, flows: &Flows, text: &[u8], value: Span) -> Option<Onward> {
    let uri = NameAddr::parse(text, value).ok()?.uri;
    let user = uri.user.of(text);
    is_identity(cx, text, &uri).then(|| match flow_token::is_token(user) {
        true => Onward::of(cx, flows, user, &Path::default()),
        false => Onward::Free,
    })
}

/// A Route value.
pub(super) fn route(m: &MessageRef<'_>, value: Span) -> Option<NameAddr> {
    NameAddr::parse(m.bytes(), value).ok()
}

impl Plan {
    /// What is to be done with `m`, which came by `path` and whose Request-URI is `uri`.
    pub(super) fn of(cx: &Cx, flows: &Flows, m: &MessageRef<'_>, uri: &Uri, path: &Path) -> Self {
        let mut plan =
            Self { home: edge::home(cx, m, path), sender: Sender::of(cx, path), ..Self::default() };
        let bytes = m.bytes();
        let mut routes = 0usize;
        let mut leading = true;
        for value in m.values(Name::Route) {
            routes = routes.saturating_add(1);
            let own = route(m, value).map(|r| r.uri).filter(|uri| is_own_route(cx, bytes, uri));
            leading = leading && plan.popped < OWN_ROUTES && own.is_some();
            if let Some(uri) = own.filter(|_| leading) {
                plan.popped = plan.popped.saturating_add(1);
                plan.follow(cx, flows, uri.user.of(bytes), path);
            }
        }
        // Our Record-Route has no user part but a token of ours, and is a loose router's.
        let user = uri.user.of(bytes);
        let recorded = user.is_empty() || flow_token::is_token(user);
        if uri.lr && recorded && routes > 0 && is_identity(cx, bytes, uri) {
            plan.follow(cx, flows, user, path);
            plan.restored = true;
            // The last value is not both popped and restored.
            plan.popped = plan.popped.min(u8::try_from(routes - 1).unwrap_or(u8::MAX));
        }
        plan.stripped = !plan.restored && is_own_maddr(cx, m, uri, path);
        plan
    }

    /// Takes in the user part of a Route of ours. A later token counts, unless one has failed.
    fn follow(&mut self, cx: &Cx, flows: &Flows, user: &[u8], path: &Path) {
        if flow_token::is_token(user) && matches!(self.onward, Onward::Free | Onward::Flow(_)) {
            match Onward::of(cx, flows, user, path) {
                Onward::Free => {}
                other => self.onward = other,
            }
        }
    }

    /// The status for a token that leads nowhere (RFC 5626 5.3).
    pub(super) const fn refusal(&self) -> Option<u16> {
        match self.onward {
            Onward::Free | Onward::Flow(_) => None,
            Onward::Failed => Some(430),
            Onward::Forged => Some(403),
        }
    }

    /// The Request-URI that the request goes on with. `room` is for one that has to be written
    /// anew; one that does not fit stays as it came.
    pub(super) fn request_uri<'a>(self, m: &MessageRef<'a>, room: &'a mut [u8]) -> &'a [u8] {
        if self.restored {
            let last = m.values(Name::Route).last().and_then(|value| route(m, value));
            return last.map_or(m.request_uri(), |r| m.text(r.uri_text));
        }
        if self.stripped {
            return strip(m, room).unwrap_or_else(|| m.request_uri());
        }
        m.request_uri()
    }

    /// Whether a token or a Route value that stays leads the way (RFC 3261 16.6 step 7).
    pub(super) fn leaves_route(self, m: &MessageRef<'_>) -> bool {
        if self.onward != Onward::Free {
            return true;
        }
        let gone = usize::from(self.popped) + usize::from(self.restored);
        m.values(Name::Route).nth(gone).is_some()
    }
}

/// Whether the Request-URI's maddr is ours and names the port and transport by which the request
/// came.
fn is_own_maddr(cx: &Cx, m: &MessageRef<'_>, uri: &Uri, path: &Path) -> bool {
    let (maddr, asked) = (m.text(uri.maddr), m.text(uri.transport));
    let Some(local) = cx.locals.get(path.local) else { return false };
    if maddr.is_empty() || !(asked.is_empty() || Transport::of(asked) == Some(local.transport)) {
        return false;
    }
    let port = if uri.port == 0 { local.transport.default_port() } else { uri.port };
    (cx.locals.is_ours(maddr, port, Some(local.transport)) || cx.config.is_domain(maddr))
        && (port == local.effective_port() || port == local.bound.port)
}

/// Writes the Request-URI without maddr, port and transport.
fn strip<'a>(m: &MessageRef<'_>, room: &'a mut [u8]) -> Option<&'a [u8]> {
    let uri = Uri::parse_at(m.bytes(), m.request_uri_span()).ok()?;
    let mut len = 0usize;
    let mut put = |part: &[u8]| {
        let end = len.checked_add(part.len())?;
        room.get_mut(len..end)?.copy_from_slice(part);
        len = end;
        Some(())
    };
    let head = Span::new(m.request_uri_span().start(), uri.host.end());
    put(m.text(head))?;
    for param in crate::header::UriParams::new(m.bytes(), uri.params) {
        let name = m.text(param.name);
        if name.eq_ignore_ascii_case(b"maddr") || name.eq_ignore_ascii_case(b"transport") {
            continue;
        }
        put(b";")?;
        put(name)?;
        if let Some(value) = param.value {
            put(b"=")?;
            put(m.text(value))?;
        }
    }
    room.get(..len)
}

/// Whether the URI's scheme asks for TLS on every hop (RFC 3261 26.2.2).
pub(super) fn is_secure(text: &[u8]) -> bool {
    is_sips(text)
}
