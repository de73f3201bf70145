//! The address that a registrar sees us at (RFC 3581 4).

use super::{LineHandle, Low, Ua, record};
use crate::error::Error;
use crate::header::Via;
use crate::path::{Addr, Transport, parse_ip};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;

/// What `received` and `rport` say of the top Via of a response, and whether it is another address
/// than the one that we told ourselves.
fn seen(m: &MessageRef<'_>) -> Option<(Addr, bool)> {
    let via = Via::parse(m.bytes(), m.header_span(Name::Via)?).ok()?;
    let own = parse_ip(m.text(via.host));
    let ip = if via.received.is_empty() { own? } else { parse_ip(m.text(via.received))? };
    let default = Transport::of(m.text(via.transport)).map_or(5060, Transport::default_port);
    let own_port = if via.port == 0 { default } else { via.port };
    let port = via.rport.unwrap_or(own_port);
    Some((Addr::new(ip, port), own != Some(ip.to_canonical()) || port != own_port))
}

/// The address that a response was sent to.
pub(super) fn address(m: &MessageRef<'_>) -> Option<Addr> {
    seen(m).map(|(address, _)| address)
}

impl Ua {
    /// Tells the address that the registrar sees, if it is not the one that we have told, or last
    /// was not.
    pub(super) fn note_address(
        &mut self,
        low: &mut Low<'_>,
        h: LineHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let Some((address, other)) = seen(m) else { return Ok(()) };
        let now = other.then_some(address);
        let line = self.lines.live(h)?;
        if line.mapped == now {
            return Ok(());
        }
        // Without room it is told by the next response.
        let Ok(block) = low.cx().pool.copy_in(m.bytes()) else { return Ok(()) };
        self.lines.live_mut(h)?.mapped = now;
        self.tell_line(low.cx(), h, record::MAPPED, 0, 0, Some(block))
    }
}
