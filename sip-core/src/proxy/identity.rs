//! Who is calling, at the edge of the trust domain: P-Asserted-Identity (RFC 3325) and Privacy (RFC
//! 3323).

use super::forward::Leg;
use crate::cx::Cx;
use crate::header::aor::canonical;
use crate::path::Path;
use crate::resolve::Hop;
use crate::wire::edit::lines;
use crate::wire::name::Name;
use crate::wire::scan::Span;
use crate::wire::{MessageRef, Method};

/// What is known of a request's sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Sender {
    /// Nothing.
    #[default]
    Stranger,
    /// It has proven to be a user of ours.
    User,
    /// It is of the trust domain.
    Trusted,
}

impl Sender {
    /// What the address says of a request that came by `path`.
    pub(super) fn of(cx: &Cx, path: &Path) -> Self {
        if cx.config.edge.is_trusted(path.remote.ip) { Self::Trusted } else { Self::Stranger }
    }
}

/// What becomes of identities in one copy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Identity<'a> {
    /// P-Asserted-Identity goes.
    pub untold: bool,
    /// P-Preferred-Identity goes: it is for the first proxy alone (RFC 3325 9.2).
    pub preferred: bool,
    /// What is asserted, a complete line; empty for nothing.
    pub asserted: &'a [u8],
}

/// Room for an asserted identity.
pub(super) const ROOM: usize = 320;

impl<'a> Identity<'a> {
    /// What becomes of them in the copy of `m` that leaves by `leg` (RFC 3325 5).
    pub(super) fn of(
        cx: &Cx,
        m: &MessageRef<'_>,
        sender: Sender,
        leg: &Leg,
        room: &'a mut [u8; ROOM],
    ) -> Self {
        // 9.1: they have no meaning in these.
        if cx.config.edge.trust.is_empty() || matches!(m.method(), Method::Ack | Method::Cancel) {
            return Self::default();
        }
        let told = tells(m, is_trusted(cx, leg));
        let trusted = sender == Sender::Trusted;
        let mut len = 0;
        if told && sender == Sender::User {
            len = assert(cx, m, room).unwrap_or(0);
        }
        Self {
            untold: !(trusted && told),
            preferred: !trusted || !told,
            asserted: room.get(..len).unwrap_or(&[]),
        }
    }
}

/// Whether the next hop is of the trust domain. One whose address is yet to be found is not.
fn is_trusted(cx: &Cx, leg: &Leg) -> bool {
    let to = match (&leg.hop, leg.device) {
        (_, Some(path)) => path.remote.ip,
        (Ok(Hop::Address { to, .. }), None) => to.ip,
        _ => return false,
    };
    cx.config.edge.is_trusted(to)
}

/// Whether identities are told to the next hop: within the trust domain always, outside it only where
/// the user wants no privacy at all (RFC 3325 7, 9.3).
pub(super) fn tells(m: &MessageRef<'_>, trusted: bool) -> bool {
    trusted || privacy(m, b"none")
}

/// Whether Privacy lists this value (RFC 3323 4.2).
fn privacy(m: &MessageRef<'_>, wanted: &[u8]) -> bool {
    m.headers(Name::Privacy).any(|value| {
        value.split(|c| *c == b';').any(|v| v.trim_ascii().eq_ignore_ascii_case(wanted))
    })
}

/// The most fields that are taken out of one copy: a request that has more is refused.
const MOST: usize = 8;

/// Why a request is refused for what it says of identities: it says too much, or it insists on a
/// privacy that no proxy can give (RFC 3323 4.2 `critical`).
pub(super) fn refusal(cx: &Cx, m: &MessageRef<'_>) -> Option<u16> {
    if cx.config.edge.trust.is_empty() {
        return None;
    }
    let all = Identity { untold: true, preferred: true, asserted: &[] };
    if gone(m, &all).nth(MOST).is_some() {
        return Some(400);
    }
    let more: [&[u8]; 3] = [b"header", b"session", b"user"];
    let refused = privacy(m, b"critical") && more.iter().any(|level| privacy(m, level));
    refused.then_some(500)
}

/// Writes the identity of the user who has proven to be one.
fn assert(cx: &Cx, m: &MessageRef<'_>, room: &mut [u8; ROOM]) -> Option<usize> {
    let user = super::authenticate::user(cx, m)?;
    let realm = cx.config.challenge.realm.as_bytes();
    let domain = if cx.config.is_domain(realm) {
        realm
    } else {
        cx.config.domains.first().map_or(realm, |d| d.as_bytes())
    };
    let (at, domain): (&[u8], &[u8]) =
        if user.contains(&b'@') { (b"", b"") } else { (b"@", domain) };
    let (mut raw, mut clean, mut len) = ([0; ROOM], [0; ROOM], 0usize);
    for part in [&b"sip:"[..], user, at, domain] {
        let end = len.checked_add(part.len())?;
        raw.get_mut(len..end)?.copy_from_slice(part);
        len = end;
    }
    let aor = canonical(raw.get(..len)?, &mut clean)?;
    let mut len = 0usize;
    for part in [&b"P-Asserted-Identity: <"[..], aor, b">\r\n"] {
        let end = len.checked_add(part.len())?;
        room.get_mut(len..end)?.copy_from_slice(part);
        len = end;
    }
    Some(len)
}

/// The lines of `m` that go.
pub(super) fn gone<'a>(
    m: &MessageRef<'a>,
    identity: &Identity<'_>,
) -> impl Iterator<Item = Span> + use<'a> {
    let (m, untold, preferred) = (*m, identity.untold, identity.preferred);
    let goes = move |name| match name {
        Name::PAssertedIdentity => untold,
        Name::PPreferredIdentity => preferred,
        _ => false,
    };
    let any = untold || preferred;
    m.fields().filter(move |f| any && goes(f.name)).map(move |f| lines(&m, &f))
}
