//! Record-Route (RFC 3261 16.6 step 4): by what URI the rest of a dialog comes back to us.

use crate::cx::Cx;
use crate::path::{LocalEntry, LocalId, Transport};
use crate::resolve::{self, Hop, NoWay};
use crate::wire::Method;

/// The longest two fields: a host has 63 bytes at most.
const LONGEST: usize = 256;

/// The Record-Route fields that a copy gets, complete lines.
pub(super) struct RecordRoute {
    bytes: [u8; LONGEST],
    len: usize,
}

/// Whether a request of this method may begin a dialog whose further requests we want to see: the
/// NOTIFY too, because each one that a forked SUBSCRIBE earns makes a dialog (RFC 6665 4.3).
const fn begins_dialog(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Subscribe | Method::Notify | Method::Refer)
}

impl RecordRoute {
    /// The fields for a request that came to `incoming` and leaves by `hop`: one for both sides,
    /// or one for each where they differ in transport or network (RFC 5658), the outgoing side's
    /// on top. `secure` says that the Request-URI is a sips URI.
    pub(super) fn of(
        cx: &Cx,
        method: Method,
        incoming: LocalId,
        hop: &Result<Hop, NoWay>,
        secure: bool,
    ) -> Self {
        let mut fields = Self { bytes: [0; LONGEST], len: 0 };
        if !cx.config.record_route || !begins_dialog(method) {
            return fields;
        }
        let outgoing = hop.as_ref().ok().and_then(|hop| outgoing(cx, incoming, hop));
        if let Some(entry) = outgoing.filter(|id| *id != incoming).and_then(|id| cx.locals.get(id))
        {
            fields.add(entry, secure);
        }
        if let Some(entry) = cx.locals.get(incoming) {
            fields.add(entry, secure);
        }
        fields
    }

    /// The lines.
    pub(super) fn lines(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    fn add(&mut self, entry: &LocalEntry, secure: bool) {
        // A sips URI asks for TLS on every hop, so that a side without TLS cannot have one.
        let secure = secure && entry.transport.is_secure();
        let transport: &[u8] = match entry.transport {
            Transport::Udp => b"",
            Transport::Ws | Transport::Wss => b";transport=ws",
            _ if secure => b"",
            Transport::Tcp => b";transport=tcp",
            Transport::Tls => b";transport=tls",
        };
        let mut port = [0u8; 6];
        let port = match entry.port {
            0 => &[][..],
            n => crate::path::port_text(n, &mut port),
        };
        let scheme: &[u8] = if secure { b"sips:" } else { b"sip:" };
        let start = self.len;
        for part in [b"Record-Route: <", scheme, entry.host(), port, transport, b";lr>\r\n"] {
            let end = self.len.saturating_add(part.len());
            let Some(room) = self.bytes.get_mut(self.len..end) else {
                self.len = start;
                return;
            };
            room.copy_from_slice(part);
            self.len = end;
        }
    }
}

/// The identity by which a request leaves, as far as it is known before a name is resolved.
fn outgoing(cx: &Cx, incoming: LocalId, hop: &Hop) -> Option<LocalId> {
    match hop {
        Hop::Address { to, transport, .. } => {
            resolve::identity(cx, *transport, to.ip, Some(incoming))
        }
        Hop::Name { transport, .. } if cx.transport(incoming) == *transport => Some(incoming),
        Hop::Name { transport, .. } => {
            cx.locals.iter().find(|l| l.transport == *transport).map(|l| l.id)
        }
    }
}
