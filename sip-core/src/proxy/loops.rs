//! Whether a request has been here before in the same shape: a loop, not a spiral (RFC 5393 4.2).

use crate::cx::{Cx, base32};
use crate::header::{Essentials, Via};
use crate::path::Transport;
use crate::tx::{Branch, LoopMark};
use crate::wire::MessageRef;
use crate::wire::name::Name;

/// What of a request decides where it goes, in short (RFC 5393 4.2.1): the tags, Call-ID, CSeq number,
/// Request-URI as it came, Route, Proxy-Require and Proxy-Authorization. One of them has changed when a
/// request comes back as a spiral.
pub(super) fn mark(cx: &Cx, m: &MessageRef<'_>, e: &Essentials) -> LoopMark {
    let tag = |addr: Option<crate::header::NameAddr>| addr.map_or(&[][..], |a| m.text(a.tag));
    let key = cx.keyer.start(b'L').part(m.request_uri()).part(tag(e.from)).part(tag(e.to));
    let mut key = key.part(m.text(e.call_id)).number(e.cseq.map_or(0, |c| u64::from(c.number)));
    let decides = |n| matches!(n, Name::Route | Name::ProxyRequire | Name::ProxyAuthorization);
    for field in m.fields().filter(|f| decides(f.name)) {
        key = key.part(m.text(field.value));
    }
    base32(u128::from(key.finish().short()))
}

/// Whether a Via of ours carries the mark (RFC 3261 16.3 step 4).
pub(super) fn is_loop(cx: &Cx, m: &MessageRef<'_>, e: &Essentials, mark: LoopMark) -> bool {
    m.values(Name::Via).any(|value| {
        let read = e.via.filter(|via| via.whole.at == value.at);
        let via = read.or_else(|| Via::parse(m.bytes(), value).ok());
        via.is_some_and(|via| {
            let branch = m.text(via.branch);
            let transport = Transport::of(m.text(via.transport));
            branch.len() == Branch::MARKED
                && branch.ends_with(mark.as_bytes())
                && cx.locals.is_ours(m.text(via.host), via.port, transport)
        })
    })
}
