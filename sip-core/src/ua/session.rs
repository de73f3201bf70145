//! The session of a call: offers and answers in whichever messages carry them (RFC 3264, RFC 6337),
//! hold, and the application's media.

use super::call::owner;
use super::identity::is_from;
use super::{CallHandle, Extras, Low, Ua, record};
use crate::cx::{Cx, write_error};
use crate::dialog::{DialogHandle, Exchange};
use crate::error::{Error, Limit, Misuse};
use crate::header::multipart::{MultipartLimits, Parts};
use crate::path::{Addr, Transport};
use crate::sdp::{self, Hold, Media, MediaError, Origin, Refusal};
use crate::store::pool::{BlockId, Pool};
use crate::store::queries::{Answer, Ask, Query, QueryId};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::write::Writer;

/// The type of a session description.
pub(super) const SDP: &[u8] = b"application/sdp";

/// What waits for the application's media.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Waits {
    /// Nothing.
    #[default]
    Nothing,
    /// Our INVITE.
    Invite,
    /// Our 2xx.
    Answer,
    /// Our ACK with this CSeq number, which has the answer (RFC 3261 13.2.2.4).
    Ack(u32),
    /// Our PRACK, which has the answer (RFC 3262 5).
    Prack,
}

/// What a call knows of its media.
#[derive(Debug, Default)]
pub(super) struct CallMedia {
    /// All that the call can have on our side, as a description.
    pub profile: Option<BlockId>,
    /// Our description that holds says the same, but for its numbers: there is no other.
    pub agreed: bool,
    /// The application makes its own descriptions: the profile is the one that we had before we
    /// held the peer.
    pub own: bool,
    /// How we hold the peer.
    pub hold: Hold,
    /// How we held it before the offer that is open.
    pub before: Hold,
    /// Our offer in the first INVITE: each of its dialogs starts with it.
    pub offer: Option<BlockId>,
    /// The open question.
    pub query: Option<QueryId>,
    /// What waits for its answer.
    pub waits: Waits,
    /// What is kept for it: the INVITE, or header fields of the application.
    pub parked: Option<BlockId>,
}

/// Where the description of a message comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Given {
    /// The call's profile.
    Profile,
    /// The body that the verb brought.
    Body,
    /// The application is asked.
    Ask,
    /// Nowhere: the message has none.
    Nothing,
}

/// The description that a message carries, by itself or as a part (RFC 5621).
pub(super) fn description<'m>(m: &MessageRef<'m>) -> Option<&'m [u8]> {
    let kind = m.header(Name::ContentType)?;
    if is_sdp(kind) {
        return Some(m.body()).filter(|b| !b.is_empty());
    }
    let parts = Parts::of(m, &MultipartLimits::default())?;
    let bytes = m.bytes();
    let mut parts = parts.map_while(Result::ok);
    let part = parts
        .find(|p| p.header(bytes, Name::ContentType).is_some_and(|kind| is_sdp(kind.of(bytes))))?;
    Some(part.body.of(bytes))
}

pub(super) fn is_sdp(kind: &[u8]) -> bool {
    let is = kind.get(..SDP.len()).is_some_and(|k| k.eq_ignore_ascii_case(SDP));
    is && matches!(kind.get(SDP.len()), None | Some(b';' | b' ' | b'\t'))
}

/// What an unusable description of ours means to the caller of a verb.
pub(crate) fn media_error(e: MediaError) -> Error {
    match e {
        MediaError::NoRoom => Error::Full(Limit::MessageBytes),
        _ => Error::Misuse(Misuse::Media),
    }
}

/// The application's header fields in a block, as they go into a message.
pub(super) fn park_fields(cx: &mut Cx, extras: &Extras<'_>) -> Result<Option<BlockId>, Error> {
    if extras.headers.is_empty() {
        return Ok(None);
    }
    let mut w = Writer::new(&mut cx.scratch);
    for (name, value) in extras.headers.iter().filter(|(name, _)| !is_from(name)) {
        w.named(name.as_bytes(), value.as_bytes()).map_err(write_error)?;
    }
    let len = w.written().len();
    cx.pool.copy_in(cx.scratch.get(..len).unwrap_or(&[])).map(Some)
}

/// The rest of a message, from its first header field of the application to its end, in a block
/// held once: the fields (as they are, or in a block of their own), and the description or the
/// application's own body.
pub(super) fn rest(
    cx: &mut Cx,
    extras: &Extras<'_>,
    fields: Option<BlockId>,
    sdp: Option<BlockId>,
) -> Result<BlockId, Error> {
    let Cx { pool, scratch, .. } = cx;
    let mut w = Writer::new(scratch);
    let parked = fields.map_or(&[][..], |b| pool.bytes_of(b));
    w.written_fields(parked).map_err(write_error)?;
    for (name, value) in extras.headers.iter().filter(|(name, _)| !is_from(name)) {
        w.named(name.as_bytes(), value.as_bytes()).map_err(write_error)?;
    }
    let written = match sdp {
        Some(block) => w.body(SDP, pool.bytes_of(block)),
        None if extras.body.is_empty() => w.end(),
        None => w.body(extras.content_type.as_bytes(), extras.body),
    };
    let len = written.map_err(write_error)?;
    pool.copy_in(scratch.get(..len).unwrap_or(&[]))
}

/// What a description of ours is chosen from, and our last one: without profile that one stands for
/// it.
fn sides<'p>(
    pool: &'p Pool,
    profile: Option<BlockId>,
    previous: Option<(&'p [u8], &'p [u8])>,
) -> Result<(&'p [u8], &'p [u8]), Error> {
    match (profile, previous) {
        (Some(block), _) => Ok((pool.bytes_of(block), previous.map_or(&[][..], |p| p.0))),
        (None, Some((local, _))) => Ok((local, local)),
        (None, None) => Err(Error::Misuse(Misuse::Media)),
    }
}

/// Writes a description; one that has not changed keeps its version (RFC 3264 8). Its length.
fn versioned<E>(
    origin: Origin,
    last: &[u8],
    out: &mut [u8],
    write: impl Fn(Origin, &mut [u8]) -> Result<usize, E>,
) -> Result<usize, E> {
    let len = write(origin, out)?;
    if last.is_empty() || !sdp::same_session(out.get(..len).unwrap_or(&[]), last) {
        return Ok(len);
    }
    write(Origin { version: origin.version.wrapping_sub(1), ..origin }, out)
}

/// The application's own body as a description in a block, if it is one.
pub(super) fn own_description(
    pool: &mut Pool,
    extras: &Extras<'_>,
) -> Result<Option<BlockId>, Error> {
    if extras.body.is_empty() || !is_sdp(extras.content_type.as_bytes()) {
        return Ok(None);
    }
    pool.copy_in(extras.body).map(Some)
}

impl Ua {
    /// Where a description for a message of this call comes from. Media that the verb brought
    /// becomes the call's profile.
    pub(super) fn given(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        extras: &Extras<'_>,
    ) -> Result<Given, Error> {
        if let Some(media) = extras.media {
            if !extras.body.is_empty() {
                return Err(Error::Misuse(Misuse::Media));
            }
            self.set_profile(low.cx(), h, media)?;
        }
        let call = self.calls.live(h)?;
        Ok(if !extras.body.is_empty() {
            Given::Body
        } else if call.has_profile() {
            Given::Profile
        } else if low.down.cx.config.ask_media {
            Given::Ask
        } else {
            Given::Nothing
        })
    }

    /// What the call can have on our side from now on.
    pub(super) fn set_profile(
        &mut self,
        cx: &mut Cx,
        h: CallHandle,
        media: &Media<'_>,
    ) -> Result<(), Error> {
        let len = sdp::profile(media, &mut cx.scratch).map_err(media_error)?;
        let block = cx.pool.copy_in(cx.scratch.get(..len).unwrap_or(&[]))?;
        match self.calls.get_mut(h) {
            Some(call) => {
                call.media.own = false;
                call.media.agreed = false;
                if let Some(old) = call.media.profile.replace(block) {
                    cx.pool.release(old);
                }
            }
            None => cx.pool.release(block),
        }
        Ok(())
    }

    /// What the application's own description says, before we hold the peer; a block held once.
    fn own_profile(&self, low: &mut Low<'_>, h: CallHandle) -> Result<Option<BlockId>, Error> {
        let call = self.calls.live(h)?;
        if call.media.hold != Hold::No || call.has_profile() {
            return Ok(None);
        }
        let session = call.dialog.and_then(|d| low.dialogs.get(d)).map(|d| d.session);
        let Cx { pool, scratch, .. } = &mut *low.down.cx;
        let Some((local, _)) = session.as_ref().and_then(|s| s.descriptions(pool)) else {
            return Err(Error::Misuse(Misuse::Media));
        };
        let len = local.len();
        let full = Error::Full(Limit::MessageBytes);
        scratch.get_mut(..len).ok_or(full)?.copy_from_slice(local);
        pool.copy_in(scratch.get(..len).unwrap_or(&[])).map(Some)
    }

    /// The numbers of our next description: those of the last one, counted on (RFC 3264 5, 8).
    fn origin(&self, low: &mut Low<'_>, d: Option<DialogHandle>) -> Origin {
        let last = d
            .and_then(|d| low.dialogs.get(d))
            .and_then(|d| d.session.descriptions(&low.down.cx.pool))
            .and_then(|(local, _)| sdp::version(local));
        match last {
            Some(o) => Origin { id: o.id, version: o.version.wrapping_add(1) },
            // Below 2**31: peers keep it in all kinds of integers.
            None => Origin { id: low.cx().random() >> 33, version: 1 },
        }
    }

    /// Our offer: all that the profile holds, or, with `in_use`, the streams of the session. Without
    /// profile what we have agreed to before stands for it.
    pub(super) fn make_offer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: Option<DialogHandle>,
        in_use: bool,
    ) -> Result<BlockId, Error> {
        let origin = self.origin(low, d);
        let call = self.calls.live(h)?;
        let session = d.and_then(|d| low.dialogs.get(d)).map(|d| d.session);
        let Cx { pool, scratch, .. } = &mut *low.down.cx;
        let previous = session.as_ref().and_then(|s| s.descriptions(pool));
        let (profile, last) = sides(pool, call.media.profile, previous)?;
        let hold = call.media.hold;
        let first = previous.is_none() && hold == Hold::No && call.has_profile();
        let whole = if first { sdp::renumbered(profile, origin, scratch) } else { None };
        if let Some(len) = whole {
            return pool.copy_in(scratch.get(..len).unwrap_or(&[]));
        }
        let len = versioned(origin, last, scratch, |origin, out| match previous {
            Some(previous) if in_use => sdp::reoffer(profile, previous, origin, hold, out),
            _ => sdp::offer(profile, previous, origin, hold, out),
        })
        .map_err(media_error)?;
        pool.copy_in(scratch.get(..len).unwrap_or(&[]))
    }

    /// Our answer to the offer that is open in the dialog.
    fn make_answer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
    ) -> Result<Result<BlockId, Refusal>, Error> {
        let origin = self.origin(low, Some(d));
        let call = self.calls.live(h)?;
        let Some(session) = low.dialogs.get(d).map(|d| d.session) else { return Err(Error::Gone) };
        let Cx { pool, scratch, .. } = &mut *low.down.cx;
        let Some(offer) = session.open() else { return Err(Error::Misuse(Misuse::State)) };
        let offer = pool.bytes_of(offer);
        let previous = session.descriptions(pool);
        let (profile, last) = sides(pool, call.media.profile, previous)?;
        let hold = call.media.hold;
        let written = versioned(origin, last, scratch, |origin, out| {
            sdp::answer(profile, offer, previous, origin, hold, out)
        });
        let len = match written {
            Ok(len) => len,
            Err(refusal) => return Ok(Err(refusal)),
        };
        pool.copy_in(scratch.get(..len).unwrap_or(&[])).map(Ok)
    }

    /// The description for a response of ours that may carry one: the answer to the open offer, the
    /// same answer again after an unreliable provisional response had it (RFC 3261 13.3.1), or our
    /// offer where the request had none. A block held once, or none if the exchange needs nothing.
    pub(super) fn local_description(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
    ) -> Result<Result<Option<BlockId>, Refusal>, Error> {
        let Some(session) = low.dialogs.get(d).map(|d| d.session) else { return Err(Error::Gone) };
        match session.exchange {
            Exchange::Asked => match self.make_answer(low, h, d)? {
                Ok(answer) => self.agree_on(low, d, Some(answer), None).map(|()| Ok(Some(answer))),
                Err(refusal) => Ok(Err(refusal)),
            },
            Exchange::Stable if session.preview => session.local_copy(&mut low.cx().pool).map(Ok),
            Exchange::Offered => {
                if let Some(open) = session.open() {
                    low.cx().pool.hold(open);
                }
                Ok(Ok(session.open()))
            }
            Exchange::Stable => Ok(Ok(None)),
        }
    }

    /// What local_description gives, and an offer of ours where the peer's INVITE had none.
    pub(super) fn success_description(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
    ) -> Result<Result<Option<BlockId>, Refusal>, Error> {
        let Some(session) = low.dialogs.get(d).map(|d| d.session) else { return Err(Error::Gone) };
        if session.exchange == Exchange::Offered && self.awaits_prack(h) {
            // Our offer went with a provisional response; its answer comes with the PRACK.
            return Ok(Ok(None));
        }
        if session.exchange != Exchange::Stable || !self.calls.live(h)?.no_offer {
            return self.local_description(low, h, d);
        }
        let offer = self.make_offer(low, h, Some(d), false)?;
        self.offer_sent(low, d, offer);
        Ok(Ok(Some(offer)))
    }

    /// Our offer is on its way in this dialog; the hold stays the caller's.
    pub(super) fn offer_sent(&mut self, low: &mut Low<'_>, d: DialogHandle, offer: BlockId) {
        if let Some(dialog) = low.dialogs.get_mut(d) {
            low.down.cx.pool.hold(offer);
            dialog.session.offered(&mut low.down.cx.pool, offer);
        }
    }

    /// The peer's offer has come in this dialog.
    pub(super) fn offer_came(
        &mut self,
        low: &mut Low<'_>,
        d: DialogHandle,
        sdp: &[u8],
    ) -> Result<(), Error> {
        let Some(dialog) = low.dialogs.get_mut(d) else { return Err(Error::Gone) };
        let pool = &mut low.down.cx.pool;
        let offer = pool.copy_in(sdp)?;
        dialog.session.asked(pool, offer);
        Ok(())
    }

    /// The answer to our offer has come in this dialog. False if it cannot be used (RFC 3264 6).
    pub(super) fn answer_agreed(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        sdp: &[u8],
    ) -> Result<bool, Error> {
        let Some(session) = low.dialogs.get(d).map(|d| d.session) else { return Err(Error::Gone) };
        let Some(offer) = session.open().filter(|_| session.exchange == Exchange::Offered) else {
            return Ok(false);
        };
        if sdp::check_answer(low.down.cx.pool.bytes_of(offer), sdp).is_err() {
            return Ok(false);
        }
        let answer = low.cx().pool.copy_in(sdp)?;
        let agreed = self.agree_on(low, d, None, Some(answer));
        low.cx().pool.release(answer);
        agreed?;
        if let Some(call) = self.calls.get_mut(h) {
            call.media.before = call.media.hold;
        }
        Ok(true)
    }

    /// What is agreed on from now on: the open offer and this answer.
    pub(super) fn agree_on(
        &mut self,
        low: &mut Low<'_>,
        d: DialogHandle,
        local: Option<BlockId>,
        remote: Option<BlockId>,
    ) -> Result<(), Error> {
        let open = low.dialogs.get(d).ok_or(Error::Gone)?.session.open();
        let (Some(local), Some(remote)) = (local.or(open), remote.or(open)) else { return Ok(()) };
        self.keep_profile(low, d, local)?;
        let Some(dialog) = low.dialogs.get_mut(d) else { return Err(Error::Gone) };
        dialog.session.agree(&mut low.down.cx.pool, local, remote)?;
        dialog.session.preview = true;
        dialog.session.untold = true;
        Ok(())
    }

    /// Tells the application what it is to send and hear, if that has changed. Queues output.
    pub(super) fn tell_media(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
    ) -> Result<(), Error> {
        self.spare_profile(low, h, d);
        let Some(dialog) = low.dialogs.get_mut(d) else { return Ok(()) };
        let Some(agreed) = dialog.session.agreed() else { return Ok(()) };
        if !core::mem::take(&mut dialog.session.untold) {
            return Ok(());
        }
        low.cx().pool.hold(agreed);
        self.tell(low.cx(), h, record::MEDIA, 0, Some(agreed))
    }

    /// No final response repeats the answer any more.
    pub(super) fn answer_is_final(&mut self, low: &mut Low<'_>, d: DialogHandle) {
        if let Some(dialog) = low.dialogs.get_mut(d) {
            dialog.session.preview = false;
        }
    }

    /// The open offer has failed, ours or the peer's: all is as before (RFC 3261 14.1, 14.2).
    pub(super) fn roll_back(&mut self, low: &mut Low<'_>, h: CallHandle) {
        let Some(call) = self.calls.get_mut(h) else { return };
        call.media.hold = call.media.before;
        if let Some(d) = call.dialog {
            Self::roll_back_offer(low, d);
        }
    }

    /// Asks the application for the media of a call. Queues output.
    pub(super) fn ask_media(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: Option<DialogHandle>,
        waits: Waits,
        parked: Option<BlockId>,
    ) -> Result<(), Error> {
        let open = d.and_then(|d| low.dialogs.get(d)).and_then(|d| d.session.open());
        let cx = low.cx();
        let nobody = (Addr::default(), Transport::Udp);
        let asked = cx.ask(Ask::Media, owner(h, 0), &[], nobody, 0);
        let id = match asked {
            Ok(id) => id,
            Err(e) => {
                if let Some(block) = parked {
                    cx.pool.release(block);
                }
                return Err(e);
            }
        };
        if let Some(query) = cx.queries.get_mut(id) {
            query.text = open;
            query.number = h.raw();
        }
        if let Some(block) = open {
            cx.pool.hold(block);
        }
        let call = self.calls.live_mut(h)?;
        call.media.query = Some(id);
        call.media.waits = waits;
        call.media.parked = parked;
        Ok(())
    }

    /// Nothing waits for the application's media any more.
    pub(super) fn media_unasked(&mut self, low: &mut Low<'_>, h: CallHandle) {
        let Some(call) = self.calls.get_mut(h) else { return };
        let (query, parked) = (call.media.query.take(), call.media.parked.take());
        call.media.waits = Waits::Nothing;
        if let Some(query) = query {
            low.cx().forget_query(query);
        }
        if let Some(block) = parked {
            low.cx().pool.release(block);
        }
    }

    /// The application has said what media a call has. Queues output.
    pub(crate) fn on_media(
        &mut self,
        low: &mut Low<'_>,
        query: &Query,
        answer: &Answer<'_>,
    ) -> Result<(), Error> {
        let h = CallHandle::from_raw(query.asker.object);
        let Some(call) = self.calls.get_mut(h) else { return Ok(()) };
        call.media.query = None;
        let (waits, parked) = (core::mem::take(&mut call.media.waits), call.media.parked.take());
        let own = match answer {
            Answer::Media(media) => {
                self.set_profile(low.cx(), h, media)?;
                Extras::default()
            }
            Answer::Description(text) => Extras {
                content_type: "application/sdp",
                body: text.as_bytes(),
                ..Extras::default()
            },
            _ => Extras::default(),
        };
        let done = match waits {
            Waits::Nothing => Ok(()),
            Waits::Invite => self.invite_with(low, h, parked, &own),
            Waits::Answer => self.answer_with(low, h, parked, &own),
            Waits::Ack(number) => self.ack_with(low, h, number, &own),
            Waits::Prack => self.prack_with(low, h, &own),
        };
        if let Some(block) = parked {
            low.cx().pool.release(block);
        }
        done
    }

    /// Frees what a call holds of its media.
    pub(super) fn forget_media(low: &mut Low<'_>, media: &CallMedia) {
        if let Some(query) = media.query {
            low.cx().forget_query(query);
        }
        for block in [media.profile, media.offer, media.parked].into_iter().flatten() {
            low.cx().pool.release(block);
        }
    }

    /// Puts the peer on hold, as [`Config::hold`](crate::Config::hold) says (RFC 3264 8.4).
    /// Queues output.
    pub fn hold(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let hold = low.cx().config.hold;
        self.change_hold(low, h, hold)
    }

    /// Ends the hold (RFC 3264 8.4). Queues output.
    pub fn resume(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        self.change_hold(low, h, Hold::No)
    }

    fn change_hold(&mut self, low: &mut Low<'_>, h: CallHandle, hold: Hold) -> Result<(), Error> {
        self.may_reinvite(low, h)?;
        let call = self.calls.live_mut(h)?;
        if call.media.hold == hold {
            return Ok(());
        }
        let own = self.own_profile(low, h)?;
        let call = self.calls.live_mut(h)?;
        let media = &mut call.media;
        let last = (media.hold, media.before, media.profile, media.own);
        (media.hold, media.before) = (hold, media.hold);
        if own.is_some() {
            (media.profile, media.own) = (own, true);
        }
        let sent = self.reoffer(low, h, true, &Extras::default());
        if sent.is_err()
            && let Some(call) = self.calls.get_mut(h)
        {
            let media = &mut call.media;
            (media.hold, media.before, media.profile, media.own) = last;
        }
        let unused = if sent.is_ok() { own.and(last.2) } else { own };
        unused.into_iter().for_each(|block| low.cx().pool.release(block));
        sent
    }
}
