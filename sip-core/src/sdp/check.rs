//! Looking at what comes back, and comparing descriptions.

use super::answer::is_multicast;
use super::crypto;
use super::description::{Description, MediaSection, MediaSlot, SdpLimits, Section, split};
use super::format::Formats;
use super::line::{OriginLine, number};
use super::media::{MAX_STREAMS, MediaError, Origin};

/// Whether an answer can be used with the offer that it answers. What RFC 3264 asks for beyond that
/// (the `t=` line, the direction) is not looked at: [`Agreed`](super::Agreed) takes no more from
/// either side than the other grants.
///
/// # Errors
/// The first [`MediaError`] that makes it unusable, with the clause.
pub fn check_answer(offer: &[u8], answer: &[u8]) -> Result<(), MediaError> {
    let limits = SdpLimits::default();
    let mut slots = [[MediaSlot::default(); MAX_STREAMS]; 2];
    let [offered, answered] = &mut slots;
    let offer = Description::parse(offer, offered, &limits)?;
    let answer = Description::parse(answer, answered, &limits)?;
    if offer.media_count() != answer.media_count() {
        return Err(MediaError::AnswerCount);
    }
    let (from, to) = (offer.session(), answer.session());
    for (offered, answered) in offer.media().zip(answer.media()) {
        if !offered.line.kind.eq_ignore_ascii_case(answered.line.kind) {
            return Err(MediaError::AnswerKind);
        }
        if answered.line.port > 0 {
            check_accepted((&from, &offered), (&to, &answered))?;
        }
    }
    Ok(())
}

fn check_accepted<'a>(
    (from, offered): (&Section<'a>, &MediaSection<'a>),
    (to, answered): (&Section<'a>, &MediaSection<'a>),
) -> Result<(), MediaError> {
    if offered.line.port == 0 {
        return Err(MediaError::AnswerPort);
    }
    if !offered.line.proto.eq_ignore_ascii_case(answered.line.proto) {
        return Err(MediaError::AnswerTransport);
    }
    let connection = |session: &Section<'a>, media: &MediaSection<'a>| {
        media.section.connections().next().or_else(|| session.connections().next())
    };
    let to = connection(to, answered).ok_or(MediaError::AnswerAddress)?;
    if is_multicast(&to) && !connection(from, offered).is_some_and(|c| is_multicast(&c)) {
        return Err(MediaError::AnswerAddress);
    }
    let offers = Formats::of(offered);
    if !Formats::of(answered).iter().any(|f| offers.find(&f).is_some()) {
        return Err(MediaError::AnswerFormats);
    }
    let keyed = offered.section.crypto().next().is_some();
    if crypto::is_secure(offered.line.proto)
        && keyed
        && !crypto::answers(&offered.section, &answered.section)
    {
        return Err(MediaError::AnswerCrypto);
    }
    Ok(())
}

/// Whether two descriptions are equal apart from the version in `o=`. An offer that is equal to the
/// last one keeps its version (RFC 3264 section 8).
#[must_use]
pub fn same_session(a: &[u8], b: &[u8]) -> bool {
    let (Some((a, a_origin)), Some((b, b_origin))) = (around_origin(a), around_origin(b)) else {
        return a == b;
    };
    a == b && OriginLine { session_version: b_origin.session_version, ..a_origin } == b_origin
}

/// Whether two descriptions differ in the numbers of their `o=` line only.
#[must_use]
pub fn same_media(a: &[u8], b: &[u8]) -> bool {
    let (Some((a, a_origin)), Some((b, b_origin))) = (around_origin(a), around_origin(b)) else {
        return a == b;
    };
    let (session_id, session_version) = (b_origin.session_id, b_origin.session_version);
    a == b && OriginLine { session_id, session_version, ..a_origin } == b_origin
}

type Around<'a> = ((&'a [u8], &'a [u8]), OriginLine<'a>);

fn around_origin(sdp: &[u8]) -> Option<Around<'_>> {
    let (session, _) = split(sdp);
    let value = session.value(b'o')?;
    let origin = OriginLine::parse(value)?;
    let line = session.lines().find(|l| l.kind == b'o')?;
    let before = usize::from(line.offset);
    let after = before.checked_add(2)?.checked_add(value.len())?;
    Some(((sdp.get(..before)?, sdp.get(after..)?), origin))
}

/// The numbers of the `o=` line; `None` where there is none or they are above `u64::MAX`.
#[must_use]
pub fn version(sdp: &[u8]) -> Option<Origin> {
    let (session, _) = split(sdp);
    let origin = OriginLine::parse(session.value(b'o')?)?;
    Some(Origin { id: number(origin.session_id)?, version: number(origin.session_version)? })
}
