//! Making offers (RFC 3264 sections 5 and 8).

use super::attribute::Direction;
use super::crypto;
use super::description::{Description, MediaSection, MediaSlot, SdpLimits};
use super::format::{Formats, common};
use super::line::MediaLine;
use super::media::{Hold, Kind, MAX_STREAMS, MediaError, Origin};
use super::numbers::Numbers;
use super::section::{Defaults, Live, held, write_none, write_session};
use super::write::SdpWriter;

/// Which stream of the profile each `m=` line gets.
pub(super) type Places = [Option<usize>; MAX_STREAMS];

/// Writes an offer of all that the profile holds: the first of a session, one that changes it, and
/// the one in a response to a request without an offer (RFC 3261 section 14.2).
///
/// `previous` is what was last agreed, our description and theirs. Its `m=` lines keep their places:
/// a stream of the profile goes where the stream of its port was, or else one in use of its kind
/// that the profile no longer has, or a fax where its call was; a new one takes the place of one of
/// its kind that has port 0, or comes last; what the profile no longer has gets port 0. Payload
/// types keep the meaning that they have in the session.
///
/// To change nothing but the hold, use [`reoffer`].
///
/// Gives the length of the offer. Where [`same_session`](super::same_session) says that nothing has
/// changed, the version of `previous` is to be used.
///
/// # Errors
/// [`MediaError::Sdp`] for a profile or previous description that cannot be read, `NoRoom`,
/// `TooManyStreams` when there would be more than 64 `m=` lines.
pub fn offer(
    profile: &[u8],
    previous: Option<(&[u8], &[u8])>,
    origin: Origin,
    hold: Hold,
    out: &mut [u8],
) -> Result<usize, MediaError> {
    with_previous(profile, previous, origin, hold, true, out)
}

/// Writes an offer of the streams in use, for a hold, its end, and a refresh: as [`offer`], but
/// streams that were refused, have ended or never were in the session are not offered.
///
/// # Errors
/// As for [`offer`].
pub fn reoffer(
    profile: &[u8],
    previous: (&[u8], &[u8]),
    origin: Origin,
    hold: Hold,
    out: &mut [u8],
) -> Result<usize, MediaError> {
    with_previous(profile, Some(previous), origin, hold, false, out)
}

/// Writes what the profile holds as a description of capabilities, all ports 0 and without keys, for
/// a response to OPTIONS (RFC 3264 section 9). The session id is to be one that no session has.
///
/// # Errors
/// [`MediaError::Sdp`] for a profile that cannot be read, `NoRoom`.
pub fn capabilities(profile: &[u8], origin: Origin, out: &mut [u8]) -> Result<usize, MediaError> {
    let mut slots = [MediaSlot::default(); MAX_STREAMS];
    let profile = Description::parse(profile, &mut slots, &SdpLimits::default())?;
    let mut w = SdpWriter::new(out);
    write_session(&mut w, &profile, origin, Hold::No, None)?;
    let wishes = Defaults::of(&profile.session());
    for stream in profile.media() {
        let formats = Formats::of(&stream);
        Live {
            ours: &stream,
            formats: &formats,
            numbers: &Numbers::offering(&formats, None, None),
            port: 0,
            hold: Hold::No,
            theirs: None,
            transport: stream.line.proto,
            direction: wishes.direction(&stream),
            crypto: None,
        }
        .write(&mut w)?;
    }
    Ok(w.written().len())
}

fn with_previous(
    profile: &[u8],
    previous: Option<(&[u8], &[u8])>,
    origin: Origin,
    hold: Hold,
    all: bool,
    out: &mut [u8],
) -> Result<usize, MediaError> {
    const EMPTY: &[u8] = b"v=0\r\n";
    let limits = SdpLimits::default();
    let mut slots = [[MediaSlot::default(); MAX_STREAMS]; 3];
    let [ours, local, remote] = &mut slots;
    let profile = Description::parse(profile, ours, &limits)?;
    let (l, r) = previous.unwrap_or((EMPTY, EMPTY));
    let local = Description::parse(l, local, &limits)?;
    let remote = Description::parse(r, remote, &limits)?;
    let defaults = Defaults::of(&remote.session());
    let session = Session { local, remote, defaults, wishes: Defaults::of(&profile.session()) };
    let (places, count) = session.places(&profile, all)?;
    let mut w = SdpWriter::new(out);
    write_session(&mut w, &profile, origin, hold, None)?;
    for (index, place) in places.iter().enumerate().take(count) {
        match place.and_then(|stream| profile.media_at(stream)) {
            Some(stream) => session.write(&mut w, index, &stream, hold)?,
            None => {
                let line = session.line(index).ok_or(MediaError::BadValue)?;
                write_none(&mut w, &line)?;
            }
        }
    }
    Ok(w.written().len())
}

struct Session<'a> {
    local: Description<'a>,
    remote: Description<'a>,
    /// Theirs.
    defaults: Defaults<'a>,
    /// Of the profile.
    wishes: Defaults<'a>,
}

impl<'a> Session<'a> {
    fn count(&self) -> usize {
        self.local.media_count().max(self.remote.media_count())
    }

    fn line(&self, index: usize) -> Option<MediaLine<'a>> {
        let media = self.local.media_at(index).or_else(|| self.remote.media_at(index));
        media.map(|m| m.line)
    }

    /// Both sides' streams, where both have a port.
    fn in_use(&self, index: usize) -> Option<(MediaSection<'a>, MediaSection<'a>)> {
        let (local, remote) = (self.local.media_at(index)?, self.remote.media_at(index)?);
        (local.line.port > 0 && remote.line.port > 0).then_some((local, remote))
    }

    // RFC 3264 8.1, 8.2.
    fn places(&self, profile: &Description<'_>, all: bool) -> Result<(Places, usize), MediaError> {
        let mut places: Places = [None; MAX_STREAMS];
        let mut count = self.count();
        let same =
            |a: &MediaLine<'_>, b: &MediaSection<'_>| a.kind.eq_ignore_ascii_case(b.line.kind);
        self.tie(profile, &mut places, |index, line, stream| {
            same(line, stream)
                && line.port == stream.line.port
                && (all || self.in_use(index).is_some())
        });
        self.tie(profile, &mut places, |index, line, stream| {
            let used = self.in_use(index).filter(|_| same(line, stream));
            used.is_some_and(|(l, _)| common(&Formats::of(stream), &Formats::of(&l)).is_some())
        });
        if !all {
            return Ok((places, count));
        }
        // RFC 3264 8.3.2: other codecs are no other stream.
        self.tie(profile, &mut places, |index, line, stream| {
            same(line, stream) && self.in_use(index).is_some()
        });
        // RFC 3264 8.3.3: a fax goes on in the place of its call, and the other way round.
        self.tie(profile, &mut places, |index, line, stream| {
            let kinds = [Kind::of(line.kind), Kind::of(stream.line.kind)];
            self.in_use(index).is_some()
                && (kinds == [Kind::Audio, Kind::Image] || kinds == [Kind::Image, Kind::Audio])
        });
        self.tie(profile, &mut places, |index, line, stream| {
            same(line, stream) && self.in_use(index).is_none()
        });
        for (number, stream) in profile.media().enumerate() {
            if stream.line.port > 0 && !places.contains(&Some(number)) {
                *places.get_mut(count).ok_or(MediaError::TooManyStreams)? = Some(number);
                count = count.saturating_add(1);
            }
        }
        Ok((places, count))
    }

    /// Gives each stream that has no place yet the first free one that suits it.
    fn tie(
        &self,
        profile: &Description<'_>,
        places: &mut Places,
        suits: impl Fn(usize, &MediaLine<'_>, &MediaSection<'_>) -> bool,
    ) {
        for (number, stream) in profile.media().enumerate() {
            if stream.line.port == 0 || places.contains(&Some(number)) {
                continue;
            }
            let mut free = places.iter_mut().enumerate().take(self.count());
            let place = free.find(|(index, place)| {
                let line = self.line(*index).filter(|_| place.is_none());
                line.is_some_and(|line| suits(*index, &line, &stream))
            });
            if let Some((_, place)) = place {
                *place = Some(number);
            }
        }
    }

    fn write(
        &self,
        w: &mut SdpWriter<'_>,
        index: usize,
        stream: &MediaSection<'_>,
        hold: Hold,
    ) -> Result<(), MediaError> {
        let formats = Formats::of(stream);
        let local = self.local.media_at(index).map(|m| Formats::of(&m));
        let remote = self.remote.media_at(index).map(|m| Formats::of(&m));
        let numbers = Numbers::offering(&formats, local.as_ref(), remote.as_ref());
        let own = crypto::own(&stream.section);
        let kept = self.in_use(index).map(|(local, _)| local.line.proto);
        let kept = kept.filter(|kept| crypto::speaks(stream.line.proto, own.is_some(), kept));
        Live {
            ours: stream,
            formats: &formats,
            numbers: &numbers,
            port: stream.line.port,
            hold,
            theirs: None,
            transport: kept.unwrap_or(stream.line.proto),
            direction: self.direction(index, stream, hold),
            crypto: own.map(|key| (key.tag, key)),
        }
        .write(w)?;
        Ok(())
    }

    fn direction(&self, index: usize, stream: &MediaSection<'_>, hold: Hold) -> Direction {
        let (sends, receives) = held(self.wishes.direction(stream), hold);
        // RFC 3264 8.4: who is held already holds with inactive.
        let held_too = hold != Hold::No
            && self.in_use(index).is_some_and(|(_, theirs)| {
                let nowhere = self.defaults.connection(&theirs).is_some_and(|c| c.is_unspecified());
                nowhere || !self.defaults.direction(&theirs).receives()
            });
        Direction::flow(sends && !held_too, receives)
    }
}
