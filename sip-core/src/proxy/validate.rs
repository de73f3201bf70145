//! Whether a request may be forwarded at all: RFC 3261 16.3.

use super::edge::has_option;
use super::identity;
use crate::config::PathUse;
use crate::cx::Cx;
use crate::error::Error;
use crate::header::{Essentials, Scheme};
use crate::path::Path;
use crate::tx::{Reply, Transactions};
use crate::wire::name::Name;
use crate::wire::scan::{Class, all};
use crate::wire::{MessageRef, Method};

/// How many unsupported extensions are listed.
const LISTED: usize = 16;

/// Answers a request that fails the checks, without keeping anything of it. False when it passes.
///
/// Its syntax (step 1) has been judged before. A proxy does not detect merged requests.
pub(super) fn refuse(
    tx: &mut Transactions,
    cx: &mut Cx,
    m: &MessageRef<'_>,
    e: &Essentials,
    path: &Path,
) -> Result<bool, Error> {
    let Some(status) = refusal(cx, m, e) else { return Ok(false) };
    let (list, count) = unsupported(m, Name::ProxyRequire, &[]);
    let extra = match status {
        420 => list.get(..count).unwrap_or(&[]),
        421 => &[(Name::Require, &b"path"[..])],
        _ => &[],
    };
    tx.reply_stateless(cx, m, e, path, status, &Reply { extra, ..Reply::default() })?;
    Ok(true)
}

/// The Unsupported fields of a 420: an option tag of `name` each that is not `known`, and how many.
pub(crate) fn unsupported<'a>(
    m: &MessageRef<'a>,
    name: Name,
    known: &[&[u8]],
) -> ([(Name, &'a [u8]); LISTED], usize) {
    let mut list = [(Name::Unsupported, &b""[..]); LISTED];
    let mut count = 0;
    let others = extensions(m, name)
        .filter(|tag| !known.iter().any(|known| tag.eq_ignore_ascii_case(known)));
    for (place, tag) in list.iter_mut().zip(others) {
        place.1 = tag;
        count += 1;
    }
    (list, count)
}

/// The status of the first check that fails.
pub(super) fn refusal(cx: &Cx, m: &MessageRef<'_>, e: &Essentials) -> Option<u16> {
    // Step 2. A sips URI is understood where there is TLS.
    let have_tls = || cx.locals.iter().any(|l| l.transport.is_secure());
    match e.uri.map(|uri| uri.scheme) {
        Some(Scheme::Sip | Scheme::Tel) => {}
        Some(Scheme::Sips) if have_tls() => {}
        _ => return Some(416),
    }
    // Step 3.
    if e.max_forwards == Some(0) {
        return Some(483);
    }
    if let Some(status) = identity::refusal(cx, m) {
        return Some(status);
    }
    // RFC 3327 5.2: who cannot be reached but through here has to know.
    if needs_path(cx, m) && !has_option(m, Name::Supported, b"path") {
        return Some(421);
    }
    // Step 5. No extension needs a proxy's help yet.
    extensions(m, Name::ProxyRequire).next().map(|_| 420)
}

fn needs_path(cx: &Cx, m: &MessageRef<'_>) -> bool {
    m.method() == Method::Register && cx.config.edge.path == PathUse::Required
}

fn extensions<'a>(m: &MessageRef<'a>, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let m = *m;
    m.values(name).map(move |v| m.text(v)).filter(|tag| all(tag, Class::TOKEN))
}
