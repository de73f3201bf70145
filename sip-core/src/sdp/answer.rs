//! Making answers (RFC 3264 section 6).

use super::attribute::Direction;
use super::crypto::{self, Crypto};
use super::description::{Description, MediaSection, MediaSlot, SdpLimits};
use super::format::{Formats, common};
use super::line::Connection;
use super::media::{Hold, MAX_STREAMS, Origin};
use super::numbers::Numbers;
use super::offer::Places;
use super::section::{Defaults, Live, held, own_connection, write_none, write_session};
use super::write::{SdpWriteError, SdpWriter};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an offer is not answered: the response to give, with its Warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{status}, warning {warning}")]
pub struct Refusal {
    /// 488, or 400 for an offer that cannot be read, or 500 for a profile that cannot.
    pub status: u16,
    /// The code of the Warning header field (RFC 3261 section 20.43).
    pub warning: u16,
}

impl Refusal {
    const MALFORMED: Self = Self { status: 400, warning: 399 };
    const TOO_LONG: Self = Self { status: 488, warning: 399 };
    const NO_PROFILE: Self = Self { status: 500, warning: 399 };

    /// The text of the Warning.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match (self.warning, self.status) {
            (300, _) => "Incompatible network protocol",
            (301, _) => "Incompatible network address formats",
            (302, _) => "Incompatible transport protocol",
            (304, _) => "Media type not available",
            (305, _) => "Incompatible media format",
            (306, _) => "Attribute not understood",
            (330, _) => "Multicast not available",
            (_, 400) => "Malformed session description",
            (_, 488) => "Session description too long",
            _ => "No media",
        }
    }
}

impl From<SdpWriteError> for Refusal {
    fn from(error: SdpWriteError) -> Self {
        match error {
            SdpWriteError::NoRoom => Self::TOO_LONG,
            SdpWriteError::ControlByte | SdpWriteError::BadField => Self::MALFORMED,
        }
    }
}

/// Why a stream does not fit, from the least near miss to the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Misfit {
    Kind,
    Network,
    AddressType,
    Multicast,
    Transport,
    Crypto,
    Formats,
}

impl Misfit {
    // RFC 3261 20.43.
    const fn warning(self) -> u16 {
        match self {
            Self::Network => 300,
            Self::AddressType => 301,
            Self::Transport => 302,
            Self::Kind => 304,
            Self::Formats => 305,
            Self::Crypto => 306,
            Self::Multicast => 330,
        }
    }
}

/// Writes the answer to an offer, from what the profile holds. Gives its length.
///
/// It has the offer's `m=` lines in their order. Each gets the stream of the profile that it had in
/// `previous` (our last agreed description and theirs), else the first of its kind with a codec in
/// common that no other has; what nothing fits gets port 0. Formats keep the order and the payload
/// types of the offer. A stream flows where the offer, the profile and the hold let it.
///
/// An encrypted stream (`RTP/SAVP`) is accepted where our crypto value has a suite that is offered,
/// and answered with that one's tag; `a=crypto` on `RTP/AVP` is answered likewise or left out.
///
/// # Errors
/// [`Refusal`]: 400 for an offer that cannot be read or has a stream without `c=`, 488 when streams
/// are offered and none fits, with the Warning of the nearest miss, or when `out` is too short. An
/// offer without `m=` lines, or with all ports 0, is answered.
pub fn answer(
    profile: &[u8],
    offer: &[u8],
    previous: Option<(&[u8], &[u8])>,
    origin: Origin,
    hold: Hold,
    out: &mut [u8],
) -> Result<usize, Refusal> {
    let limits = SdpLimits::default();
    let mut slots = [[MediaSlot::default(); MAX_STREAMS]; 3];
    let [ours, theirs, before] = &mut slots;
    let profile = Description::parse(profile, ours, &limits).map_err(|_| Refusal::NO_PROFILE)?;
    let offer = Description::parse(offer, theirs, &limits).map_err(|_| Refusal::MALFORMED)?;
    let defaults = Defaults::of(&offer.session());
    if offer.media().any(|m| m.line.port > 0 && defaults.connection(&m).is_none()) {
        return Err(Refusal::MALFORMED);
    }
    let before = previous.and_then(|(local, _)| Description::parse(local, before, &limits).ok());
    let own = own_connection(&profile).ok_or(Refusal::NO_PROFILE)?;
    let wishes = Defaults::of(&profile.session());
    let exchange = Exchange { profile, own, wishes, offer, defaults };
    let places = exchange.places(before.as_ref())?;
    let mut w = SdpWriter::new(out);
    write_session(&mut w, &profile, origin, hold, Some(&offer.session()))?;
    for (media, place) in offer.media().zip(places) {
        match place.and_then(|stream| profile.media_at(stream)) {
            Some(stream) => exchange.write(&mut w, &stream, &media, hold)?,
            None => write_none(&mut w, &media.line)?,
        }
    }
    Ok(w.written().len())
}

struct Exchange<'a> {
    profile: Description<'a>,
    /// Our address.
    own: Connection<'a>,
    wishes: Defaults<'a>,
    offer: Description<'a>,
    defaults: Defaults<'a>,
}

impl<'a> Exchange<'a> {
    fn places(&self, before: Option<&Description<'_>>) -> Result<Places, Refusal> {
        let mut places: Places = [None; MAX_STREAMS];
        let mut nearest = None;
        let mut live = false;
        // Streams that go on; then those with a codec; then those with tones and the like alone.
        for pass in 0..3 {
            for (index, media) in self.offer.media().enumerate().filter(|(_, m)| m.line.port > 0) {
                live = true;
                let port = before.and_then(|b| b.media_at(index)).map(|b| b.line.port);
                if places.get(index).is_some_and(Option::is_some) || (pass == 0 && port.is_none()) {
                    continue;
                }
                let theirs = Formats::of(&media);
                for (number, stream) in self.profile.media().enumerate() {
                    if stream.line.port == 0
                        || places.contains(&Some(number))
                        || (pass == 0 && port != Some(stream.line.port))
                    {
                        continue;
                    }
                    match self.fit(&stream, &media, &theirs) {
                        Ok(codec) if codec || pass != 1 => {
                            if let Some(place) = places.get_mut(index) {
                                *place = Some(number);
                            }
                            break;
                        }
                        Ok(_) => {}
                        Err(misfit) => nearest = nearest.max(Some(misfit)),
                    }
                }
            }
        }
        // RFC 3264 6.1: nothing in common with all streams; RFC 3261 21.4.26.
        if live && places.iter().all(Option::is_none) {
            let warning = nearest.unwrap_or(Misfit::Kind).warning();
            return Err(Refusal { status: 488, warning });
        }
        Ok(places)
    }

    /// Whether a stream of ours can answer one of theirs; `false` for one that only has tones.
    fn fit(
        &self,
        ours: &MediaSection<'_>,
        theirs: &MediaSection<'a>,
        formats: &Formats<'_>,
    ) -> Result<bool, Misfit> {
        if !ours.line.kind.eq_ignore_ascii_case(theirs.line.kind) {
            return Err(Misfit::Kind);
        }
        fit_address(&self.own, &self.defaults.connection(theirs).ok_or(Misfit::Network)?)?;
        let key = crypto::own(&ours.section);
        if !crypto::speaks(ours.line.proto, key.is_some(), theirs.line.proto) {
            return Err(Misfit::Transport);
        }
        if crypto::is_secure(theirs.line.proto)
            && key.and_then(|key| crypto::accepted(&theirs.section, key)).is_none()
        {
            return Err(Misfit::Crypto);
        }
        let ours = Formats::of(ours);
        let codec = common(&ours, formats).ok_or(Misfit::Formats)?;
        // Tones and the like may each need something that is not there.
        if !codec && ours.is_rtp() && Numbers::answering(&ours, formats).is_empty() {
            return Err(Misfit::Formats);
        }
        Ok(codec)
    }

    fn write(
        &self,
        w: &mut SdpWriter<'_>,
        ours: &MediaSection<'_>,
        theirs: &MediaSection<'a>,
        hold: Hold,
    ) -> Result<(), SdpWriteError> {
        let formats = Formats::of(ours);
        let offered = Formats::of(theirs);
        let numbers = Numbers::answering(&formats, &offered);
        let crypto = crypto::own(&ours.section).and_then(|key| {
            let taken: Crypto<'_> = crypto::accepted(&theirs.section, key)?;
            Some((taken.tag, key))
        });
        let (sends, receives) = held(self.wishes.direction(ours), hold);
        // RFC 3264 6.1; an address of 0.0.0.0 changes nothing of it (RFC 6337 5.4).
        let wish = self.defaults.direction(theirs);
        let direction = Direction::flow(sends && wish.receives(), receives && wish.sends());
        Live {
            ours,
            formats: &formats,
            numbers: &numbers,
            port: ours.line.port,
            hold,
            theirs: Some(&offered),
            transport: theirs.line.proto,
            direction,
            crypto,
        }
        .write(w)
    }
}

fn fit_address(ours: &Connection<'_>, theirs: &Connection<'_>) -> Result<(), Misfit> {
    if !theirs.net_type.eq_ignore_ascii_case(ours.net_type) {
        return Err(Misfit::Network);
    }
    // The "no address" of old hold is of either type.
    if !theirs.addr_type.eq_ignore_ascii_case(ours.addr_type) && !theirs.is_unspecified() {
        return Err(Misfit::AddressType);
    }
    if is_multicast(theirs) { Err(Misfit::Multicast) } else { Ok(()) }
}

pub(super) fn is_multicast(connection: &Connection<'_>) -> bool {
    numeric(connection).is_some_and(|address| address.is_multicast())
}

/// The address of a `c=` line that is not a name.
pub(super) fn numeric(connection: &Connection<'_>) -> Option<IpAddr> {
    let text = core::str::from_utf8(connection.address).ok()?;
    if connection.is_ip4() {
        return text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    connection.is_ip6().then(|| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6))?
}
