//! Looking at what comes back, and comparing descriptions.

use super::answer::is_multicast;
use super::crypto;
use super::description::{Description, MediaSection, MediaSlot, SdpLimits, Section, session_line};
use super::format::Formats;
use super::line::{OriginLine, number};
use super::media::{MAX_STREAMS, MediaError, Origin};
use super::write::SdpWriter;

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
    let line = session_line(sdp, b'o')?;
    let origin = OriginLine::parse(line.value)?;
    let before = usize::from(line.offset);
    let after = before.checked_add(2)?.checked_add(line.value.len())?;
    Some(((sdp.get(..before)?, sdp.get(after..)?), origin))
}

/// Writes a profile as [`profile`](super::profile()) made it with these numbers in its `o=` line: its
/// first offer. Its length; `None` without room.
#[must_use]
pub fn renumbered(profile: &[u8], origin: Origin, out: &mut [u8]) -> Option<usize> {
    let ((before, after), o) = around_origin(profile)?;
    let mut w = SdpWriter::new(out);
    let mut write = || {
        w.put(before)?;
        w.whole_line(b'o', |w| {
            w.field(o.username)?;
            w.suffix(b" ", Some(origin.id))?;
            w.suffix(b" ", Some(origin.version))?;
            w.put(b" ")?;
            w.fields(&[o.net_type, o.addr_type, o.address])
        })?;
        // The line has written its own end.
        w.put(after.strip_prefix(b"\r\n").unwrap_or(after))
    };
    write().ok()?;
    Some(w.written().len())
}

/// The numbers of the `o=` line; `None` where there is none or they are above `u64::MAX`.
#[must_use]
pub fn version(sdp: &[u8]) -> Option<Origin> {
    let origin = OriginLine::parse(session_line(sdp, b'o')?.value)?;
    Some(Origin { id: number(origin.session_id)?, version: number(origin.session_version)? })
}

#[cfg(test)]
mod tests {
    use super::super::media::{Codec, Hold, Kind, Media, Stream, profile};
    use super::super::{Direction, offer};
    use super::*;
    use std::vec::Vec;

    fn codec(payload: u8, name: &'static str, fmtp: &'static str) -> Codec<'static> {
        Codec { payload, name, clock: 8_000, channels: 1, fmtp }
    }

    const STREAM: Stream<'static> = Stream {
        kind: Kind::Audio,
        port: 4_000,
        transport: "",
        codecs: &[],
        direction: Direction::SendRecv,
        bandwidth: 0,
        ptime: 0,
        crypto: "",
    };

    /// Both ways to the first offer, if there are both.
    fn both(media: &Media<'_>) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut text, mut one, mut two) = ([0; 2_000], [0; 2_000], [0; 2_000]);
        let len = profile(media, &mut text).unwrap();
        let (text, origin) = (&text[..len], Origin { id: 4_711, version: 12 });
        let len = offer(text, None, origin, Hold::No, &mut one).unwrap();
        let whole = renumbered(text, origin, &mut two).map(|len| two[..len].to_vec());
        (one[..len].to_vec(), whole)
    }

    #[test]
    fn the_first_offer_is_the_profile_with_other_numbers() {
        let codecs = [codec(8, "PCMA", ""), codec(101, "telephone-event", "0-15")];
        let doubled = [codecs[0], codec(97, "red", "8/8")];
        let wide = [Codec { channels: 2, clock: 48_000, ..codec(96, "opus", "useinbandfec=1") }];
        let fax = [codec(0, "t38", "")];
        let audio = Stream { codecs: &codecs, ptime: 20, bandwidth: 64, ..STREAM };
        let inward = Stream { direction: Direction::RecvOnly, ..audio };
        let video = Stream { kind: Kind::Video, port: 5_000, codecs: &wide, ..STREAM };
        let twice = Stream { codecs: &doubled, ..STREAM };
        let image = Stream { kind: Kind::Image, transport: "udptl", codecs: &fax, ..STREAM };
        let crypto = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
        let keyed = Stream { transport: "RTP/SAVP", crypto, ..audio };
        let v6 = "2001:db8::7".parse().unwrap();
        let v4 = "192.0.2.1".parse().unwrap();
        for (address, streams, bandwidth) in [
            (v4, &[audio][..], 0),
            (v6, &[inward, video], 500),
            (v4, &[keyed, video, image], 0),
            (v4, &[twice], 0),
            (v4, &[], 0),
        ] {
            let (offer, whole) = both(&Media { address, streams, bandwidth });
            assert_eq!(whole, Some(offer));
        }
    }
}
