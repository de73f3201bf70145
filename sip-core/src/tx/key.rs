//! What names a transaction: RFC 3261 17.1.3 for clients, 17.2.3 for servers.
//!
//! A key is a keyed hash, so it takes 16 bytes however long the fields are, and nobody outside can
//! make two that meet.

use crate::header::{Essentials, Via};
use crate::path::Transport;
use crate::store::index::{Key, Keyer};
use crate::wire::{MessageRef, Method};

const CLIENT: u8 = b'C';
const SERVER: u8 = b'R';
const SERVER_2543: u8 = b'r';
const MERGED: u8 = b'M';
const FLOW: u8 = b'W';
/// The cookie alone is no branch (RFC 4475 3.2.1).
const COOKIE: u16 = 7;

/// The key of a client transaction: the branch and the method of CSeq.
pub(super) fn client(keyer: &Keyer, branch: &[u8], method: &[u8]) -> Key {
    keyer.start(CLIENT).part(branch).part(method).finish()
}

/// The key of the list of a flow's transactions.
pub(super) fn flow(keyer: &Keyer, flow: u64) -> Key {
    keyer.start(FLOW).number(flow).finish()
}

/// The key under which a second arrival of a request by another way is found (RFC 3261 8.2.2.2).
/// `None` for a request inside a dialog, and when From or CSeq is missing.
pub(super) fn merged(keyer: &Keyer, m: &MessageRef<'_>, e: &Essentials) -> Option<Key> {
    let (from, cseq) = (e.from?, e.cseq?);
    if e.has_to_tag() {
        return None;
    }
    let key = keyer.start(MERGED).part(m.text(from.tag)).part(m.text(e.call_id));
    Some(key.number(u64::from(cseq.number)).part(m.method_text()).finish())
}

/// The port that sent-by means (RFC 3261 18.2.2).
pub(super) fn sent_by_port(m: &MessageRef<'_>, via: &Via) -> u16 {
    if via.port != 0 {
        return via.port;
    }
    Transport::of(m.text(via.transport)).map_or(5060, Transport::default_port)
}

/// Whether the branch is one of RFC 3261.
pub(super) fn has_branch(m: &MessageRef<'_>, via: &Via) -> bool {
    via.branch.len > COOKIE && via.has_cookie(m.bytes())
}

/// The key of the server transaction that a request with `method` in place of its own belongs to.
/// `to_tag` stands for the request's own To tag under the rules of RFC 2543.
fn server_with(
    keyer: &Keyer,
    m: &MessageRef<'_>,
    e: &Essentials,
    via: &Via,
    method: &[u8],
    to_tag: &[u8],
) -> Key {
    let port = u64::from(sent_by_port(m, via));
    if has_branch(m, via) {
        // A repetition has the Call-ID of its original. Who uses a branch twice (the messages of
        // RFC 4475 do) still gets two transactions.
        let key = keyer.start(SERVER).part_no_case(m.text(via.branch)).part(m.text(e.call_id));
        return key.part_no_case(m.text(via.host)).number(port).part(method).finish();
    }
    let from_tag = e.from.map_or(&[][..], |from| m.text(from.tag));
    let number = e.cseq.map_or(0, |cseq| u64::from(cseq.number));
    let key = keyer.start(SERVER_2543).part(m.request_uri()).part(to_tag).part(from_tag);
    let key = key.part(m.text(e.call_id)).number(number).part(method);
    let key = key.part_no_case(m.text(via.transport)).part_no_case(m.text(via.host)).number(port);
    key.part(m.text(via.branch)).finish()
}

fn to_tag<'a>(m: &MessageRef<'a>, e: &Essentials) -> &'a [u8] {
    e.to.map_or(&[][..], |to| m.text(to.tag))
}

/// The key of the server transaction that a request opens or repeats.
pub(super) fn server(keyer: &Keyer, m: &MessageRef<'_>, e: &Essentials, via: &Via) -> Key {
    server_with(keyer, m, e, via, m.method_text(), to_tag(m, e))
}

/// The key of the INVITE that a CANCEL is about (RFC 3261 9.2).
pub(super) fn cancelled(keyer: &Keyer, m: &MessageRef<'_>, e: &Essentials, via: &Via) -> Key {
    server_with(keyer, m, e, via, b"INVITE", to_tag(m, e))
}

/// The keys of the other requests that a CANCEL may be about (RFC 3261 9.2).
pub(super) fn cancelled_other<'a>(
    keyer: &'a Keyer,
    m: &'a MessageRef<'a>,
    e: &'a Essentials,
    via: &'a Via,
) -> impl Iterator<Item = Key> + 'a {
    let others = Method::ALL
        .iter()
        .filter(|m| !matches!(m, Method::Invite | Method::Ack | Method::Cancel | Method::Other));
    others.map(move |o| server_with(keyer, m, e, via, o.as_str().as_bytes(), to_tag(m, e)))
}

/// The keys of the INVITE that an ACK may belong to. With a branch of RFC 3261 there is one.
/// Under RFC 2543 the INVITE was inside a dialog, and has the ACK's To tag, or began one, and has
/// none; the ACK's To tag is then that of the response.
pub(super) fn acknowledged(
    keyer: &Keyer,
    m: &MessageRef<'_>,
    e: &Essentials,
    via: &Via,
) -> (Key, Option<Key>) {
    let key = |tag| server_with(keyer, m, e, via, b"INVITE", tag);
    (key(to_tag(m, e)), (!has_branch(m, via)).then(|| key(&[])))
}
