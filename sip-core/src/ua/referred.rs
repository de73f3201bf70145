//! Transfer, the transferee's side: REFER in, and the call that it asks for (RFC 3515 2.4.2,
//! RFC 5589).

use super::Extras;
use super::outside::request_owner;
use super::session::{media_error, rest};
use super::table::State;
use super::transfer::{MESSAGE, Phase, REFER_TO, RETRY, Refer, ReferHandle, Text, says_no};
use super::{CallHandle, LineHandle, Low, Ua, record};
use crate::config::Transfers;
use crate::dialog::{DialogHandle, DialogState, contact_value};
use crate::error::{Error, Limit, Misuse};
use crate::header::Value as _;
use crate::header::escape::unescape;
use crate::header::essentials::Essentials;
use crate::header::refer::ReferTo;
use crate::header::replaces::TargetDialog;
use crate::header::uri::UriHeaders;
use crate::path::Path;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::ring::EventRecord;
use crate::tx::{Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::Span;
use crate::wire::start_line::Method;

/// The record number of a REFER for the application.
pub(crate) const EVENT_TRANSFER: u16 = 0x302;

/// The header fields that a Refer-To may put into our INVITE (RFC 3261 19.1.5: those that are safe
/// to honour).
const HONOURED: [Name; 9] = [
    Name::Replaces,
    Name::Join,
    Name::TargetDialog,
    Name::Require,
    Name::AcceptContact,
    Name::RejectContact,
    Name::Subject,
    Name::InReplyTo,
    Name::UserToUser,
];

const FIELDS: usize = 8;

/// The call that a REFER asks for.
pub(super) struct Wanted {
    text: Text<REFER_TO>,
    target: Span,
    fields: [(Name, Span); FIELDS],
    n: usize,
}

impl Wanted {
    /// Reads it; else the status that the REFER earns.
    fn read(m: &MessageRef<'_>) -> Result<Self, u16> {
        // RFC 3515 2.4.2: exactly one.
        if m.headers(Name::ReferTo).count() != 1 {
            return Err(400);
        }
        let at = m.header_span(Name::ReferTo).ok_or(400u16)?;
        let to = ReferTo::parse(m.bytes(), at).map_err(|_| 400u16)?.addr;
        if !to.uri.is_sip() {
            return Err(416);
        }
        let method = m.text(to.uri.method);
        if !method.is_empty() && !method.eq_ignore_ascii_case(b"INVITE") {
            return Err(501);
        }
        let none = (Name::Other, Span::default());
        let mut wanted =
            Self { text: Text::new(), target: Span::default(), fields: [none; FIELDS], n: 0 };
        wanted.fill(m, &to.uri, to.uri_text).map_err(|e| if e { 414u16 } else { 400 })?;
        Ok(wanted)
    }

    /// True where it is too long, false where it is malformed.
    fn fill(
        &mut self,
        m: &MessageRef<'_>,
        uri: &crate::header::uri::Uri,
        text: Span,
    ) -> Result<(), bool> {
        let bytes = m.text(text);
        let bare = bytes.split(|c| *c == b'?').next().unwrap_or(bytes);
        // RFC 3261 19.1.1: a Request-URI has no method parameter.
        let cut = (!uri.method.is_empty()).then(|| {
            let value = uri.method.start().saturating_sub(text.start());
            (value.saturating_sub(b";method=".len()), value + usize::from(uri.method.len))
        });
        let (from, to) = cut.unwrap_or((bare.len(), bare.len()));
        let kept = bare.iter().take(from).chain(bare.iter().skip(to)).copied();
        self.target = self.text.put(kept).map_err(|_| true)?;
        for header in UriHeaders::new(m.bytes(), uri.headers) {
            let name = Name::of(m.text(header.name));
            if HONOURED.contains(&name) {
                self.add(name, unescape(header.value.map_or(&[], |v| m.text(v))))?;
            }
        }
        // RFC 3892 2.2
        match m.header(Name::ReferredBy) {
            Some(by) => self.add(Name::ReferredBy, by.iter().copied()),
            None => Ok(()),
        }
    }

    fn add(&mut self, name: Name, value: impl Iterator<Item = u8> + Clone) -> Result<(), bool> {
        if value.clone().any(|c| c < 32 || c == 127) {
            return Err(false);
        }
        let span = self.text.put(value).map_err(|_| true)?;
        *self.fields.get_mut(self.n).ok_or(true)? = (name, span);
        self.n += 1;
        Ok(())
    }
}

/// What a REFER came with.
struct Came {
    call: Option<CallHandle>,
    line: Option<LineHandle>,
    /// It shows that its sender is in the call.
    trusted: bool,
}

impl Ua {
    /// A REFER in a call's dialog.
    pub(super) fn on_refer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        tx: TxHandle,
        m: &MessageRef<'_>,
        number: u32,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        let over = matches!(call.state, State::Cancelling | State::Leaving | State::Ended);
        let status = match Wanted::read(m) {
            Err(status) => status,
            Ok(_) if over => 481,
            // One at a time.
            Ok(_) if call.transfer.theirs.is_some() => 491,
            Ok(_) if low.cx().config.transfers == Transfers::Refuse => 603,
            Ok(_) => 0,
        };
        if status != 0 {
            return low.down.tx.reply(low.down.cx, tx, status, &Reply::default());
        }
        let line = call.line;
        let r = self.admit_refer(low, line, tx, m, number)?;
        let call = self.calls.live_mut(h)?;
        let named = core::mem::replace(&mut call.transfer.referred, true);
        call.transfer.theirs = Some(r);
        if let Some(refer) = self.refers.get_mut(r) {
            refer.call = Some(h);
            refer.dialog = Some(dialog);
            refer.named = named;
        }
        let came = Came { call: Some(h), line, trusted: true };
        self.decide(low, r, tx, &came).inspect_err(|_| self.end_refer(low, r))
    }

    /// A REFER outside our dialogs.
    pub(super) fn on_outside_refer(
        &mut self,
        low: &mut Low<'_>,
        line: Option<LineHandle>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let refused = match Wanted::read(m) {
            Err(status) => Some(status),
            Ok(_) if low.cx().config.transfers == Transfers::Refuse => Some(603),
            Ok(_) => None,
        };
        if let Some(status) = refused {
            let sent =
                low.down.tx.reply_stateless(low.down.cx, m, e, path, status, &Reply::default());
            return sent.map(|_| ());
        }
        if !self.dialog_fits(low) {
            return Err(Error::Full(Limit::Dialogs));
        }
        let call = self.target_dialog(low, m);
        let tx = low.down.tx.open_server(low.down.cx, Owner::default(), m, e, path)?;
        let number = e.cseq.map_or(0, |c| c.number);
        let made = self.admit_refer(low, line, tx, m, number);
        let r = made.inspect_err(|_| low.down.tx.end(low.down.cx, tx))?;
        let came = Came { call, line, trusted: call.is_some() };
        let done = self.open_dialog(low, r, m, e, path);
        done.and_then(|()| self.decide(low, r, tx, &came)).inspect_err(|_| {
            self.end_refer(low, r);
            low.down.tx.end(low.down.cx, tx);
        })
    }

    /// The dialog of a REFER that came outside of one (RFC 3515 4).
    fn open_dialog(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let tag = low.cx().tag();
        let owner = Owner::new(OwnerKind::Refer, r.raw());
        let cx = &mut *low.down.cx;
        let dialog = low.dialogs.create_uas(cx, m, e, tag.as_bytes(), owner, path)?;
        if let Some(refer) = self.refers.get_mut(r) {
            refer.dialog = Some(dialog);
        }
        Ok(())
    }

    /// The call whose dialog a Target-Dialog names (RFC 4538 4).
    fn target_dialog(&self, low: &Low<'_>, m: &MessageRef<'_>) -> Option<CallHandle> {
        let at = m.header_span(Name::TargetDialog)?;
        let names = TargetDialog::parse(m.bytes(), at).ok()?;
        // RFC 4538 3: the tags are seen from our side.
        let (ours, theirs) = (m.text(names.local_tag?), m.text(names.remote_tag?));
        let d = low.dialogs.find(low.down.cx, m.text(names.call_id), ours, theirs)?;
        let owner = low.dialogs.get(d)?.owner();
        let h = CallHandle::from_raw(owner.object);
        (owner.kind == OwnerKind::Call && self.calls.get(h).is_some()).then_some(h)
    }

    fn admit_refer(
        &mut self,
        low: &mut Low<'_>,
        line: Option<LineHandle>,
        tx: TxHandle,
        m: &MessageRef<'_>,
        number: u32,
    ) -> Result<ReferHandle, Error> {
        // As long as its client waits.
        let until = low.cx().now.after(low.down.cx.config.t1.saturating_mul(63));
        let mut refer = Refer::new(Phase::Asked(tx), until);
        refer.line = line;
        refer.seq = number;
        // RFC 4488 4
        refer.quiet = m.header(Name::ReferSub).is_some_and(says_no);
        self.refers.insert(refer)
    }

    /// Takes a REFER by policy, or asks the application.
    fn decide(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        tx: TxHandle,
        came: &Came,
    ) -> Result<(), Error> {
        low.down.tx.set_owner(tx, Owner::new(OwnerKind::Refer, r.raw()));
        let refer = self.refers.live_mut(r)?;
        if came.trusted && low.cx().config.transfers == Transfers::Accept && came.line.is_some() {
            refer.phase = Phase::Granted(tx);
            let now = low.cx().now;
            return self.arm_refer(low.cx(), r, now);
        }
        let until = refer.until;
        self.arm_refer(low.cx(), r, until)?;
        let block = low.down.tx.request(low.down.cx, tx);
        if let Some(block) = block {
            low.cx().pool.hold(block);
        }
        low.cx().event(EventRecord {
            kind: EVENT_TRANSFER,
            code: 0,
            object: tx.raw(),
            other: came.line.map_or(0, LineHandle::raw),
            user: came.call.map_or(0, CallHandle::raw),
            block,
        })
    }

    /// The REFER that the application was asked about.
    fn asked(&self, low: &Low<'_>, tx: TxHandle) -> Result<ReferHandle, Error> {
        let fits = |m| if m == Method::Refer { Ok(()) } else { Err(Misuse::State) };
        let owner = request_owner(low, tx, fits)?;
        let r = ReferHandle::from_raw(owner.object);
        let asks = self.refers.get(r).is_some_and(|x| x.phase == Phase::Asked(tx));
        if asks { Ok(r) } else { Err(Error::Late) }
    }

    /// The application takes a REFER: the call is placed. Queues output.
    pub fn accept_transfer(
        &mut self,
        low: &mut Low<'_>,
        tx: TxHandle,
        user: u64,
        extras: &Extras<'_>,
    ) -> Result<CallHandle, Error> {
        let r = self.asked(low, tx)?;
        self.take(low, (r, tx), user, extras)
    }

    fn take(
        &mut self,
        low: &mut Low<'_>,
        (r, tx): (ReferHandle, TxHandle),
        user: u64,
        extras: &Extras<'_>,
    ) -> Result<CallHandle, Error> {
        let line = self.refers.live(r)?.line.filter(|line| self.lines.get(*line).is_some());
        let line = line.ok_or(Error::Misuse(Misuse::State))?;
        self.room_to_take(low)?;
        // Behind the 202 nothing may be found to be wrong.
        let dry = rest(low.cx(), extras, None, None)?;
        low.cx().pool.release(dry);
        if let Some(media) = extras.media {
            crate::sdp::profile(media, &mut low.cx().scratch).map_err(media_error)?;
        }
        let request = low.down.tx.request(low.down.cx, tx).ok_or(Error::Gone)?;
        let wanted = MessageRef::lazy(low.cx().pool.bytes_of(request))
            .and_then(|m| Wanted::read(&m).ok())
            .ok_or(Error::Misuse(Misuse::BadUri))?;
        self.accept_refer(low, r, tx)?;
        // The INVITE comes first where there is not room for both.
        if low.cx().has_room(4, 5, MESSAGE) {
            self.notify(low, r);
        }
        let bytes = wanted.text.as_bytes();
        let mut fields = [(Name::Other, &[][..]); FIELDS];
        for (place, (name, span)) in fields.iter_mut().zip(wanted.fields) {
            *place = (name, span.of(bytes));
        }
        let fields = fields.get(..wanted.n).unwrap_or(&[]);
        let target = core::str::from_utf8(wanted.target.of(bytes));
        let target = target.map_err(|_| Error::Misuse(Misuse::BadUri))?;
        let placed = self.place(low, line, target, user, extras, fields);
        match placed {
            Ok(h) => {
                // A peer without a subscription has been forgotten already.
                if let Some(refer) = self.refers.get_mut(r) {
                    refer.other = Some(h);
                    self.calls.live_mut(h)?.transfer.placed_by = Some(r);
                }
                self.notify(low, r);
            }
            Err(_) => self.say(low, r, 503),
        }
        placed
    }

    /// Whether the 202, the first NOTIFY and the INVITE find their room.
    fn room_to_take(&self, low: &mut Low<'_>) -> Result<(), Error> {
        if self.calls.room() == 0 {
            return Err(Error::Full(Limit::Calls));
        }
        if !self.dialog_fits(low) {
            return Err(Error::Full(Limit::Dialogs));
        }
        if low.attempts.room() < 2 {
            return Err(Error::Full(Limit::Attempts));
        }
        if !low.down.tx.room_for(2) {
            return Err(Error::Full(Limit::Transactions));
        }
        // Both next hops, and the media.
        if low.cx().queries.room() < 2 {
            return Err(Error::Full(Limit::Queries));
        }
        if low.cx().has_room(4, 4, MESSAGE) { Ok(()) } else { Err(Error::Full(Limit::Blocks)) }
    }

    /// Sends the 202 (RFC 3515 2.4.2).
    fn accept_refer(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        tx: TxHandle,
    ) -> Result<(), Error> {
        let refer = self.refers.live(r)?;
        let (dialog, quiet) = (refer.dialog.ok_or(Error::Gone)?, refer.quiet);
        let mut user = [0u8; 128];
        let len = self.contact_user(low.cx(), refer.line, &mut user);
        let mut contact = [0u8; 256];
        let (local, secure) =
            low.dialogs.get(dialog).map(|d| (d.local_id, d.secure)).ok_or(Error::Gone)?;
        let user = user.get(..len).unwrap_or(&[]);
        let len = contact_value(low.cx(), local, user, secure, &mut contact);
        let mut tag = Text::<64>::new();
        tag.all(&[low.dialogs.local_tag(low.down.cx, dialog)])?;
        // RFC 4488 4
        let fields = [(Name::ReferSub, &b"false"[..])];
        let reply = Reply {
            to_tag: Some(tag.as_bytes()),
            record_route: true,
            contact: contact.get(..len),
            extra: if quiet { &fields } else { &[] },
            ..Reply::default()
        };
        low.down.tx.reply(low.down.cx, tx, 202, &reply)?;
        low.down.tx.set_owner(tx, Owner::answered());
        if let Some(d) = low.dialogs.get_mut(dialog) {
            d.state = DialogState::Confirmed;
        }
        // The new call's end comes before that.
        let (ring, t1) = (low.cx().config.ring, low.cx().config.t1);
        let until = low.cx().now.after(ring.saturating_add(t1.saturating_mul(256)));
        let refer = self.refers.live_mut(r)?;
        refer.phase = Phase::Taken;
        refer.next = 100;
        refer.until = until;
        self.arm_refer(low.cx(), r, until)
    }

    /// The application refuses a REFER. Queues output.
    pub fn reject_transfer(
        &mut self,
        low: &mut Low<'_>,
        tx: TxHandle,
        status: u16,
    ) -> Result<(), Error> {
        let r = self.asked(low, tx)?;
        if !(300..700).contains(&status) {
            return Err(Error::Misuse(Misuse::BadStatus));
        }
        self.refuse_refer(low, r, tx, status)?;
        low.down.tx.set_owner(tx, Owner::answered());
        Ok(())
    }

    fn refuse_refer(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        tx: TxHandle,
        status: u16,
    ) -> Result<(), Error> {
        low.down.tx.reply(low.down.cx, tx, status, &Reply::default())?;
        low.down.tx.set_owner(tx, Owner::default());
        self.end_refer(low, r);
        Ok(())
    }

    /// The application never answered: the engine does.
    pub(super) fn refer_unanswered(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        tx: TxHandle,
    ) -> Result<(), Error> {
        match self.refuse_refer(low, r, tx, 480) {
            // Its client gives up by itself within T1 (RFC 4320 4.2).
            Err(_) => {
                low.down.tx.set_owner(tx, Owner::default());
                self.end_refer(low, r);
                Ok(())
            }
            done => done,
        }
    }

    /// A REFER that policy takes: as soon as there is room.
    pub(super) fn take_granted(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        tx: TxHandle,
    ) -> Result<(), Error> {
        let until = self.refers.live(r)?.until;
        if low.cx().now >= until {
            return self.refer_unanswered(low, r, tx);
        }
        let request = low.down.tx.request(low.down.cx, tx);
        if let Some(block) = request {
            low.cx().pool.hold(block);
        }
        let taken = self.take(low, (r, tx), 0, &Extras::default());
        match (taken, request) {
            (Ok(h), block) => return self.tell(low.cx(), h, record::REFERRED, 0, block),
            (Err(_), Some(block)) => low.cx().pool.release(block),
            (Err(_), None) => {}
        }
        match (taken, self.refers.get(r).map(|x| x.phase)) {
            (Err(Error::Full(limit)), Some(Phase::Granted(_))) if limit != Limit::MessageBytes => {
                let at = low.cx().now.after(RETRY);
                self.arm_refer(low.cx(), r, at)
            }
            (_, Some(Phase::Granted(_))) => self.refer_unanswered(low, r, tx),
            _ => Ok(()),
        }
    }

    /// The transaction of a REFER that waits has failed.
    pub(crate) fn on_refer_gone(&mut self, low: &mut Low<'_>, from: Owner) {
        self.end_refer(low, ReferHandle::from_raw(from.object));
    }
}
