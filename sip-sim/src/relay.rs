//! What a proxy does that passes on whatever comes, as the guides draw it: without transactions
//! (RFC 3261 16.11), with Record-Route in every INVITE.

use sansip::path::Addr;

use crate::text::{Message, address, reason, same_name};

/// A request on its way on. `contact` takes the place of an address of record.
pub(crate) fn request(message: &Message, own: Addr, contact: &str) -> Message {
    let mut m = message.clone();
    // RFC 3261 16.11: the same branch for what belongs together, CANCEL and ACK among it.
    let branch = message.branch().unwrap_or("").trim_start_matches("z9hG4bK");
    m.add_first("Via", format!("SIP/2.0/UDP {own};branch=z9hG4bK-p{branch}"));
    let ours = m.list("Route").first().and_then(|r| address(crate::text::uri_of(r))) == Some(own);
    if ours {
        let rest = m.list("Route").split_off(1);
        m.remove("Route");
        for route in rest {
            m.add("Route", route);
        }
    }
    if address(m.uri()).is_none() {
        m.start = format!("{} {contact} SIP/2.0", m.method());
    }
    if m.is_request("INVITE") {
        m.add_first("Record-Route", format!("<sip:{own};lr>"));
    }
    let left = m.header("Max-Forwards").and_then(|v| v.parse::<u32>().ok());
    m.set("Max-Forwards", left.map_or(70, |n| n.saturating_sub(1)).to_string());
    m
}

/// A response on its way back: without the proxy's Via.
pub(crate) fn response(message: &Message) -> Message {
    let mut m = message.clone();
    let rest = m.list("Via").split_off(1);
    m.remove("Via");
    for via in rest.into_iter().rev() {
        m.add_first("Via", via);
    }
    m
}

/// The proxy's own answer to a request in a dialog.
pub(crate) fn answer(request: &Message, status: u16) -> Message {
    let mut m = Message::new(format!("SIP/2.0 {status} {}", reason(status)));
    for (name, value) in &request.headers {
        if ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|n| same_name(name, n)) {
            m.add(name, value.clone());
        }
    }
    m
}

/// The proxy's own ACK of a refusal (RFC 3261 17.1.1.3).
pub(crate) fn ack(invite: &Message, refusal: &Message) -> Message {
    let mut m = Message::new(format!("ACK {} SIP/2.0", invite.uri()));
    m.add("Via", invite.list("Via").first().cloned().unwrap_or_default());
    m.add("Max-Forwards", "70");
    for name in ["From", "Call-ID"] {
        m.add(name, invite.header(name).unwrap_or(""));
    }
    m.add("To", refusal.header("To").unwrap_or(""));
    m.add("CSeq", format!("{} ACK", invite.cseq().0));
    m
}
