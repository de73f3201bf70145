//! Dialogs (RFC 3261 12): who talks to whom, by which route, with which sequence numbers.

mod identity;
mod peer;
mod request;
pub mod session;

use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::header::essentials::Essentials;
use crate::header::name_addr::NameAddr;
use crate::header::uri::Scheme;
use crate::limits::Limits;
use crate::path::{FlowId, LocalId, MaybeFlow, Path, port_text};
use crate::store::index::{Index, Key};
use crate::store::pool::{BlockId, Pool};
use crate::store::queries::{Owner, OwnerKind};
use crate::store::slab::{Slab, handle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::Span;

pub use peer::Peer;
#[cfg(feature = "ua")]
pub(crate) use peer::Said;
pub use request::{Extra, InDialog, Kept, Made};
pub use session::{Exchange, Session};

handle!(
    /// A dialog.
    DialogHandle
);

/// RFC 3261 12: early until a 2xx, confirmed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialogState {
    /// Made by a provisional response.
    Early,
    /// Made or confirmed by a 2xx.
    Confirmed,
}

/// The parts of a dialog's text, which begins with the Call-ID, our From or To value and the peer's,
/// tags included, and ends with the remote target and the route set.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    call_id: u16,
    local: u16,
    remote: u16,
    local_tag: Span,
    remote_tag: Span,
    /// A URI.
    target: Span,
    /// The values of a Route header field, or nothing.
    routes: u16,
}

impl Text {
    const fn call_id(&self) -> Span {
        Span { at: 0, len: self.call_id }
    }

    const fn local(&self) -> Span {
        Span { at: self.call_id, len: self.local }
    }

    const fn remote(&self) -> Span {
        Span { at: self.call_id.saturating_add(self.local), len: self.remote }
    }

    const fn routes(&self) -> Span {
        Span { at: self.target.at.saturating_add(self.target.len), len: self.routes }
    }
}

/// A dialog.
#[derive(Debug)]
pub struct Dialog {
    pub(crate) state: DialogState,
    owner_kind: OwnerKind,
    owner_part: u8,
    owner_object: u64,
    /// The next dialog of the same call.
    pub next: Option<DialogHandle>,
    block: BlockId,
    text: Text,
    key: Key,
    /// Our last CSeq number.
    pub(crate) local_seq: u32,
    /// The peer's last CSeq number, if there was any.
    remote_seq: u32,
    remote_seen: bool,
    /// RFC 3261 12.1.1: made by a request to a sips URI over TLS.
    pub(crate) secure: bool,
    /// The identity at our end.
    pub(crate) local_id: LocalId,
    /// The connection that the peer's requests come by.
    flow: MaybeFlow,
    /// What the peer says of itself.
    pub(crate) peer: Peer,
    /// Whether there was a reliable provisional response, and the CSeq number and the RSeq of the
    /// last one (RFC 3262 4).
    reliable: bool,
    provisional: (u32, u32),
    /// Its session.
    pub(crate) session: Session,
}

impl Dialog {
    /// Whose it is.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        Owner::part(self.owner_kind, self.owner_object, self.owner_part)
    }

    /// It is another's from now on.
    pub const fn set_owner(&mut self, owner: Owner) {
        self.owner_kind = owner.kind;
        self.owner_object = owner.object;
        self.owner_part = owner.part;
    }

    /// The connection that the peer's requests come by.
    #[must_use]
    pub fn flow(&self) -> Option<FlowId> {
        self.flow.get()
    }

    /// The CSeq number and the RSeq of the last reliable provisional response (RFC 3262 4).
    #[must_use]
    pub fn reliable(&self) -> Option<(u32, u32)> {
        self.reliable.then_some(self.provisional)
    }

    /// Notes a reliable provisional response.
    pub const fn note_reliable(&mut self, cseq: u32, rseq: u32) {
        self.reliable = true;
        self.provisional = (cseq, rseq);
    }
}

/// What a request in a dialog is (RFC 3261 12.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// In order: the sequence number is noted.
    Next,
    /// Lower than one seen: answer 500.
    Lower,
}

/// The table of dialogs.
#[derive(Debug)]
pub struct Dialogs {
    slab: Slab<DialogHandle, Dialog>,
    index: Index,
}

/// What others call a dialog by.
#[derive(Clone, Copy, Debug)]
pub struct Names<'c> {
    /// Its Call-ID.
    pub call_id: &'c [u8],
    /// Our tag.
    pub local_tag: &'c [u8],
    /// The peer's.
    pub remote_tag: &'c [u8],
    /// The peer's From or To value, tag included.
    pub remote: &'c [u8],
}

/// What a dialog is made from.
struct Parts<'a> {
    call_id: &'a [u8],
    local: &'a [u8],
    local_tag: &'a [u8],
    remote: &'a [u8],
    remote_tag: &'a [u8],
    target: &'a [u8],
}

impl Dialogs {
    /// Room for `limits.dialogs`.
    pub fn new(limits: &Limits, tag: u8) -> Result<Self, Error> {
        Ok(Self {
            slab: Slab::new(limits.dialogs, tag, Limit::Dialogs)?,
            index: Index::new(limits.dialogs)?,
        })
    }

    /// The bytes that this room takes.
    #[must_use]
    pub const fn bytes(limits: &Limits) -> usize {
        Slab::<DialogHandle, Dialog>::bytes(limits.dialogs) + Index::bytes(limits.dialogs)
    }

    fn key(cx: &Cx, call_id: &[u8], local_tag: &[u8], remote_tag: &[u8]) -> Key {
        cx.keyer.start(b'D').part(call_id).part(local_tag).part(remote_tag).finish()
    }

    /// The dialog of a request that the peer sent (RFC 3261 12.2.2).
    #[must_use]
    pub fn of_request(&self, cx: &Cx, m: &MessageRef<'_>, e: &Essentials) -> Option<DialogHandle> {
        let to = e.to?.tag;
        if to.is_empty() {
            return None;
        }
        let from = e.from?.tag;
        let key = Self::key(cx, m.text(e.call_id), m.text(to), m.text(from));
        self.index.get(key).map(DialogHandle::from_raw)
    }

    /// The dialog of a request that we send.
    #[must_use]
    pub fn of_sent(&self, cx: &Cx, m: &MessageRef<'_>) -> Option<DialogHandle> {
        let tag = |name| Some(NameAddr::parse(m.bytes(), m.header_span(name)?).ok()?.tag);
        let (local, remote) = (tag(Name::From)?, tag(Name::To).filter(|t| !t.is_empty())?);
        let key = Self::key(cx, m.header(Name::CallId)?, m.text(local), m.text(remote));
        self.index.get(key).map(DialogHandle::from_raw)
    }

    /// The dialog of a response to a request that we sent.
    #[must_use]
    pub fn of_response(&self, cx: &Cx, m: &MessageRef<'_>, e: &Essentials) -> Option<DialogHandle> {
        let key = Self::key(cx, m.text(e.call_id), m.text(e.from?.tag), m.text(e.to?.tag));
        self.index.get(key).map(DialogHandle::from_raw)
    }

    /// The dialog with these names: as a Replaces, Join or Target-Dialog header field gives them.
    #[must_use]
    pub fn find(
        &self,
        cx: &Cx,
        call_id: &[u8],
        local_tag: &[u8],
        remote_tag: &[u8],
    ) -> Option<DialogHandle> {
        let key = Self::key(cx, call_id, local_tag, remote_tag);
        self.index.get(key).map(DialogHandle::from_raw)
    }

    /// A dialog of the callee, made by a request and our tag (RFC 3261 12.1.1).
    pub fn create_uas(
        &mut self,
        cx: &mut Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
        tag: &[u8],
        owner: Owner,
        path: &Path,
    ) -> Result<DialogHandle, Error> {
        let (Some(from), Some(cseq)) = (e.from, e.cseq) else { return Err(Error::Gone) };
        let local = m.header(Name::To).unwrap_or(&[]);
        let contact = e.contact.map(|c| c.uri_text);
        let parts = Parts {
            call_id: m.text(e.call_id),
            local,
            local_tag: tag,
            remote: m.header(Name::From).unwrap_or(&[]),
            remote_tag: m.text(from.tag),
            target: contact.map_or_else(|| m.text(from.uri_text), |s| m.text(s)),
        };
        let to_has_tag = e.to.is_some_and(|t| !t.tag.is_empty());
        let secure =
            e.uri.is_some_and(|u| u.scheme == Scheme::Sips) && cx.transport(path.local).is_secure();
        let (block, text) = pack(cx, m, &parts, !to_has_tag, false)?;
        let dialog = Dialog {
            state: DialogState::Early,
            owner_kind: owner.kind,
            owner_part: owner.part,
            owner_object: owner.object,
            next: None,
            block,
            text,
            key: Self::key(cx, parts.call_id, tag, parts.remote_tag),
            // The first request of ours starts anywhere below 2**31 (RFC 3261 8.1.1.5).
            local_seq: 0,
            remote_seq: cseq.number,
            remote_seen: true,
            secure,
            local_id: path.local,
            flow: MaybeFlow::of(path.flow),
            peer: Peer::of(m),
            reliable: false,
            provisional: (0, 0),
            session: Session::default(),
        };
        self.insert(cx, dialog)
    }

    /// A dialog of the caller, made by a response with a To tag (RFC 3261 12.1.2).
    pub fn create_uac(
        &mut self,
        cx: &mut Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
        owner: Owner,
        path: &Path,
        secure: bool,
    ) -> Result<DialogHandle, Error> {
        let (Some(from), Some(to), Some(cseq)) = (e.from, e.to, e.cseq) else {
            return Err(Error::Gone);
        };
        let contact = e.contact.map(|c| c.uri_text);
        let parts = Parts {
            call_id: m.text(e.call_id),
            local: m.header(Name::From).unwrap_or(&[]),
            local_tag: m.text(from.tag),
            remote: m.header(Name::To).unwrap_or(&[]),
            remote_tag: m.text(to.tag),
            target: contact.map_or_else(|| m.text(to.uri_text), |s| m.text(s)),
        };
        let key = Self::key(cx, parts.call_id, parts.local_tag, parts.remote_tag);
        let (block, text) = pack(cx, m, &parts, false, true)?;
        let dialog = Dialog {
            state: DialogState::Early,
            owner_kind: owner.kind,
            owner_part: owner.part,
            owner_object: owner.object,
            next: None,
            block,
            text,
            key,
            local_seq: cseq.number,
            remote_seq: 0,
            remote_seen: false,
            secure,
            local_id: path.local,
            flow: MaybeFlow::of(path.flow),
            peer: Peer::of(m),
            reliable: false,
            provisional: (0, 0),
            session: Session::default(),
        };
        self.insert(cx, dialog)
    }

    fn insert(&mut self, cx: &mut Cx, dialog: Dialog) -> Result<DialogHandle, Error> {
        let (block, key) = (dialog.block, dialog.key);
        let h = self.slab.insert(dialog).inspect_err(|_| cx.pool.release(block))?;
        self.index.insert(key, h.raw());
        Ok(h)
    }

    /// A 2xx has confirmed it: the route set is the one of this response (RFC 3261 13.2.2.4).
    pub fn confirm_uac(
        &mut self,
        cx: &mut Cx,
        h: DialogHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        let d = self.slab.live_mut(h)?;
        d.state = DialogState::Confirmed;
        d.peer.learn(m);
        let target = e.contact.map_or(Target::Kept, |c| Target::Text(m.text(c.uri_text)));
        repack(cx, d, target, Some(m))
    }

    /// Confirms the callee's side.
    pub fn confirm_uas(&mut self, h: DialogHandle) -> Result<(), Error> {
        self.slab.live_mut(h)?.state = DialogState::Confirmed;
        Ok(())
    }

    /// A request of the peer: notes its CSeq (RFC 3261 12.2.2).
    pub fn note_request(
        &mut self,
        h: DialogHandle,
        number: u32,
        path: &Path,
    ) -> Result<Order, Error> {
        let d = self.slab.live_mut(h)?;
        if d.remote_seen && number < d.remote_seq {
            return Ok(Order::Lower);
        }
        (d.remote_seq, d.remote_seen) = (number, true);
        d.flow = MaybeFlow::of(path.flow);
        Ok(Order::Next)
    }

    /// The 2xx to a target refresh request of ours: its Contact becomes the remote target
    /// (RFC 3261 12.2.1.2).
    pub fn refresh_target(
        &mut self,
        cx: &mut Cx,
        h: DialogHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let Some(contact) = contact_uri(m) else { return Ok(()) };
        self.set_target(cx, h, Target::Text(m.text(contact)))
    }

    /// The peer's target refresh request, stored in `request`, is accepted: its Contact becomes the
    /// remote target (RFC 3261 12.2.2).
    pub fn accept_target(
        &mut self,
        cx: &mut Cx,
        h: DialogHandle,
        request: BlockId,
    ) -> Result<(), Error> {
        let contact = MessageRef::lazy(cx.pool.bytes_of(request)).and_then(|m| contact_uri(&m));
        let Some(contact) = contact else { return Ok(()) };
        self.set_target(cx, h, Target::Stored(request, contact))
    }

    fn set_target(
        &mut self,
        cx: &mut Cx,
        h: DialogHandle,
        target: Target<'_>,
    ) -> Result<(), Error> {
        let d = self.slab.live_mut(h)?;
        if target.of(&cx.pool, d) == d.text.target.of(cx.pool.bytes_of(d.block)) {
            return Ok(());
        }
        repack(cx, d, target, None)
    }

    /// The dialog.
    #[must_use]
    pub fn get(&self, h: DialogHandle) -> Option<&Dialog> {
        self.slab.get(h)
    }

    /// The dialog.
    pub fn get_mut(&mut self, h: DialogHandle) -> Option<&mut Dialog> {
        self.slab.get_mut(h)
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag<'c>(&self, cx: &'c Cx, h: DialogHandle) -> &'c [u8] {
        self.slab.get(h).map_or(&[], |d| d.text.local_tag.of(cx.pool.bytes_of(d.block)))
    }

    /// The remote target's URI.
    #[must_use]
    pub fn target<'c>(&self, cx: &'c Cx, h: DialogHandle) -> &'c [u8] {
        self.slab.get(h).map_or(&[], |d| d.text.target.of(cx.pool.bytes_of(d.block)))
    }

    /// What others call it by.
    #[must_use]
    pub fn names<'c>(&self, cx: &'c Cx, h: DialogHandle) -> Option<Names<'c>> {
        let d = self.slab.get(h)?;
        let bytes = cx.pool.bytes_of(d.block);
        Some(Names {
            call_id: d.text.call_id().of(bytes),
            local_tag: d.text.local_tag.of(bytes),
            remote_tag: d.text.remote_tag.of(bytes),
            remote: d.text.remote().of(bytes),
        })
    }

    /// Ends a dialog.
    pub fn end(&mut self, cx: &mut Cx, h: DialogHandle) -> Option<Dialog> {
        let mut dialog = self.slab.remove(h)?;
        self.index.remove(dialog.key, h.raw());
        cx.pool.release(dialog.block);
        dialog.session.release(&mut cx.pool);
        Some(dialog)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// How many more fit.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.slab.room()
    }
}

/// The URI of the first Contact.
pub(crate) fn contact_uri(m: &MessageRef<'_>) -> Option<Span> {
    let value = m.values(Name::Contact).next()?;
    NameAddr::parse(m.bytes(), value).ok().map(|c| c.uri_text)
}

struct Packer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Packer<'_> {
    fn since(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    /// Where `part` stands in `value`, which was put at `at`; else it is put too.
    fn again(&mut self, at: usize, value: &[u8], part: &[u8]) -> Result<Span, Error> {
        let found = match value.len().checked_sub(part.len()) {
            // As a rule a tag is the last parameter.
            Some(last) if value.ends_with(part) => Some(last),
            Some(_) if !part.is_empty() => value.windows(part.len()).position(|w| w == part),
            _ => None,
        };
        match found {
            Some(found) => Ok(Span::new(at + found, at + found + part.len())),
            None => self.put(part),
        }
    }

    fn put(&mut self, part: &[u8]) -> Result<Span, Error> {
        let end = self.at + part.len();
        let place = self.out.get_mut(self.at..end).ok_or(Error::Full(Limit::MessageBytes))?;
        place.copy_from_slice(part);
        let span = Span::new(self.at, end);
        self.at = end;
        Ok(span)
    }
}

/// Puts a dialog's text into one block. `add_tag`: our value lacks the tag yet. `reverse`: the
/// Record-Route values are the caller's (RFC 3261 12.1.2), else the callee's (12.1.1).
fn pack(
    cx: &mut Cx,
    m: &MessageRef<'_>,
    parts: &Parts<'_>,
    add_tag: bool,
    reverse: bool,
) -> Result<(BlockId, Text), Error> {
    let mut p = Packer { out: &mut cx.scratch, at: 0 };
    let mut text = Text { call_id: p.put(parts.call_id)?.len, ..Text::default() };
    let start = p.at;
    p.put(parts.local)?;
    if add_tag {
        p.put(b";tag=")?;
        text.local_tag = p.put(parts.local_tag)?;
    }
    text.local = p.since(start).len;
    let at = p.at;
    text.remote = p.put(parts.remote)?.len;
    if !add_tag {
        text.local_tag = p.again(start, parts.local, parts.local_tag)?;
    }
    text.remote_tag = p.again(at, parts.remote, parts.remote_tag)?;
    text.target = p.put(parts.target)?;
    text.routes = put_routes(&mut p, m, reverse)?.len;
    let len = p.at;
    let block = cx.pool.copy_in(cx.scratch.get(..len).unwrap_or(&[]))?;
    Ok((block, text))
}

fn put_routes(p: &mut Packer<'_>, m: &MessageRef<'_>, reverse: bool) -> Result<Span, Error> {
    let start = p.at;
    if reverse {
        // Each value is put in front of those before it: from the back of what was counted.
        let total: usize = m.values(Name::RecordRoute).map(|s| usize::from(s.len) + 2).sum();
        let mut end = start + total;
        let all = p.out.get_mut(start..end).ok_or(Error::Full(Limit::MessageBytes))?;
        all.fill(b' ');
        let out_end = end;
        for span in m.values(Name::RecordRoute) {
            let value = m.text(span);
            let at = end - value.len() - 2;
            if let Some(place) = p.out.get_mut(at..end - 2) {
                place.copy_from_slice(value);
            }
            if let Some(comma) = p.out.get_mut(end - 2) {
                *comma = b',';
            }
            end = at;
        }
        p.at = out_end.saturating_sub(2).max(start);
    } else {
        for (i, span) in m.values(Name::RecordRoute).enumerate() {
            if i > 0 {
                p.put(b", ")?;
            }
            p.put(m.text(span))?;
        }
    }
    Ok(Span::new(start, p.at))
}

/// Where a remote target is found.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// In the dialog: it stays.
    Kept,
    /// In a message that has just come.
    Text(&'a [u8]),
    /// In a stored message.
    Stored(BlockId, Span),
}

impl Target<'_> {
    fn of<'t>(&'t self, pool: &'t Pool, d: &Dialog) -> &'t [u8] {
        match self {
            Self::Kept => d.text.target.of(pool.bytes_of(d.block)),
            Self::Text(text) => text,
            Self::Stored(block, span) => span.of(pool.bytes_of(*block)),
        }
    }
}

/// Writes the text anew with another target, and with the routes of `m` if it is given.
fn repack(
    cx: &mut Cx,
    d: &mut Dialog,
    target: Target<'_>,
    m: Option<&MessageRef<'_>>,
) -> Result<(), Error> {
    let Cx { pool, scratch, .. } = cx;
    let old = pool.bytes_of(d.block);
    let mut p = Packer { out: scratch, at: 0 };
    let t = d.text;
    let fixed = usize::from(t.target.at);
    p.put(old.get(..fixed).unwrap_or(&[]))?;
    let mut text = t;
    text.target = p.put(target.of(pool, d))?;
    text.routes = match m {
        Some(m) => put_routes(&mut p, m, true)?.len,
        None => p.put(t.routes().of(old))?.len,
    };
    let len = p.at;
    let new = scratch.get(..len).unwrap_or(&[]);
    if new != old {
        let block = pool.copy_in(new)?;
        pool.release(d.block);
        d.block = block;
    }
    d.text = text;
    Ok(())
}

/// Writes `<sip:user@host:port;transport=x>` of an identity: our Contact (RFC 3261 8.1.1.8). What has
/// an `@` is no user part but a whole URI, a GRUU (RFC 5627 4.4).
pub(crate) fn contact_value(
    cx: &Cx,
    local: LocalId,
    user: &[u8],
    secure: bool,
    out: &mut [u8],
) -> usize {
    let Some(entry) = cx.locals.get(local) else { return 0 };
    let mut port = [0u8; 6];
    let port = if entry.port == 0 { &[][..] } else { port_text(entry.port, &mut port) };
    let transport: &[u8] = match entry.transport {
        crate::path::Transport::Udp => b"",
        _ if secure => b"",
        crate::path::Transport::Tcp => b";transport=tcp",
        crate::path::Transport::Tls => b";transport=tls",
        crate::path::Transport::Ws | crate::path::Transport::Wss => b";transport=ws",
    };
    let at_sign: &[u8] = if user.is_empty() { b"" } else { b"@" };
    let scheme: &[u8] = if secure { b"<sips:" } else { b"<sip:" };
    let mut p = Packer { out, at: 0 };
    let rest = user.strip_prefix(b"sips:").or_else(|| user.strip_prefix(b"sip:"));
    let whole = rest.filter(|rest| rest.contains(&b'@'));
    let parts = match whole {
        Some(rest) => [scheme, rest, b"", b"", b"", b"", b">"],
        None => [scheme, user, at_sign, entry.host(), port, transport, b">"],
    };
    for part in parts {
        if p.put(part).is_err() {
            return 0;
        }
    }
    p.at
}

/// Whether a URI text has the `lr` parameter.
fn is_loose(route: &[u8]) -> bool {
    NameAddr::parse(route, Span::new(0, route.len())).is_ok_and(|n| n.uri.lr)
}

/// The URI of a Route value.
fn route_uri(route: &[u8]) -> &[u8] {
    NameAddr::parse(route, Span::new(0, route.len())).map_or(&[], |n| n.uri_text.of(route))
}
