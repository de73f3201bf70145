//! Where the responses to a request go: RFC 3261 18.2.2 and RFC 3581.

use super::key::sent_by_port;
use crate::cx::Cx;
use crate::header::Via;
use crate::path::{Addr, Path, parse_ip};
use crate::wire::MessageRef;

/// The way for the responses to a request that came over `path` with this top Via.
pub(super) fn response_path(cx: &Cx, m: &MessageRef<'_>, via: &Via, path: &Path) -> Path {
    // RFC 3261 18.2.2: a reliable transport answers on the connection of the request.
    if path.flow.is_some() || cx.transport(path.local).is_reliable() {
        return *path;
    }
    let port = sent_by_port(m, via);
    let remote = if via.maddr.is_empty() {
        // RFC 3581 4, else RFC 3261 18.2.1: `received` is always the source.
        let port = if via.rport_asked { path.remote.port } else { port };
        Addr { port, ..path.remote }
    } else {
        // A name in maddr would need a look-up, which a response cannot wait for.
        let named = parse_ip(m.text(via.maddr));
        named.map_or(Addr { port, ..path.remote }, |ip| Addr::new(ip, port))
    };
    Path { remote, ..*path }
}

/// Whether responses can be sent that way at all. To ourselves they may go only if the request
/// came from ourselves, which only the caller can tell.
pub(super) fn is_usable(cx: &Cx, way: &Path, from_ourselves: impl FnOnce() -> bool) -> bool {
    if way.flow.is_some() {
        return true;
    }
    way.remote.is_sendable() && (!cx.locals.is_bound(way.remote) || from_ourselves())
}
