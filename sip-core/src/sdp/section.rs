//! Writing the parts that offers and answers are made of.

use super::attribute::Direction;
use super::crypto::Crypto;
use super::description::{Description, MediaSection, Section};
use super::format::{Format, Formats, References};
use super::line::{Connection, MediaLine};
use super::media::{Hold, Origin, write_rtpmap};
use super::numbers::Numbers;
use super::write::{SdpWriteError, SdpWriter};

/// What the session level says for the streams that do not say it themselves (RFC 8866 sections 5.7
/// and 6.7), read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults<'a> {
    connection: Option<Connection<'a>>,
    direction: Direction,
}

impl<'a> Defaults<'a> {
    pub(super) fn of(session: &Section<'a>) -> Self {
        Self {
            connection: session.connections().next(),
            direction: session.direction().unwrap_or_default(),
        }
    }

    pub(super) fn connection(&self, media: &MediaSection<'a>) -> Option<Connection<'a>> {
        media.section.connections().next().or(self.connection)
    }

    pub(super) fn direction(&self, media: &MediaSection<'_>) -> Direction {
        media.section.direction().unwrap_or(self.direction)
    }
}

/// What we do under a hold: whether we send, and whether we receive.
pub(super) const fn held(direction: Direction, hold: Hold) -> (bool, bool) {
    match hold {
        Hold::No => (direction.sends(), direction.receives()),
        Hold::SendOnly | Hold::Zero => (direction.sends(), false),
        Hold::Inactive => (false, false),
    }
}

/// Our address: the session's, else that of the first stream.
pub(super) fn own_connection<'a>(profile: &Description<'a>) -> Option<Connection<'a>> {
    let mut media = profile.media().flat_map(|m| m.section.connections());
    profile.session().connections().next().or_else(|| media.next())
}

fn write_connection(
    w: &mut SdpWriter<'_>,
    own: &Connection<'_>,
    hold: Hold,
) -> Result<(), SdpWriteError> {
    let nowhere: &[u8] = if own.is_ip6() { b"::" } else { b"0.0.0.0" };
    let address = if hold == Hold::Zero { nowhere } else { own.address };
    w.whole_line(b'c', |w| w.fields(&[own.net_type, own.addr_type, address]))
}

/// The session level. `times` is where `t=` comes from.
pub(super) fn write_session(
    w: &mut SdpWriter<'_>,
    profile: &Description<'_>,
    origin: Origin,
    hold: Hold,
    times: Option<&Section<'_>>,
) -> Result<(), SdpWriteError> {
    let own = own_connection(profile).ok_or(SdpWriteError::BadField)?;
    w.version()?;
    w.whole_line(b'o', |w| {
        w.put(b"- ")?;
        w.number(origin.id)?;
        w.suffix(b" ", Some(origin.version))?;
        w.put(b" ")?;
        w.fields(&[own.net_type, own.addr_type, own.address])
    })?;
    w.line(b's', b"-")?;
    write_connection(w, &own, hold)?;
    for bandwidth in profile.session().values(b'b') {
        w.line(b'b', bandwidth)?;
    }
    let mut written = false;
    for time in times.into_iter().flat_map(|s| s.values(b't')) {
        w.line(b't', time)?;
        written = true;
    }
    if written { Ok(()) } else { w.line(b't', b"0 0") }
}

/// A stream that is refused or has ended: port 0, and the first format because there must be one
/// (RFC 3264 sections 6 and 8.2).
pub(super) fn write_none(w: &mut SdpWriter<'_>, line: &MediaLine<'_>) -> Result<(), SdpWriteError> {
    let mut formats = line.formats;
    w.whole_line(b'm', |w| {
        let format = formats.next().unwrap_or_default();
        w.fields(&[line.kind, b"0", line.proto, format])
    })
}

/// A stream that is offered or accepted.
pub(super) struct Live<'a> {
    pub(super) ours: &'a MediaSection<'a>,
    pub(super) formats: &'a Formats<'a>,
    pub(super) numbers: &'a Numbers,
    pub(super) port: u16,
    pub(super) hold: Hold,
    /// What the other side has, where that limits formats that are not of RTP.
    pub(super) theirs: Option<&'a Formats<'a>>,
    pub(super) transport: &'a [u8],
    pub(super) direction: Direction,
    /// The tag to use, and our key.
    pub(super) crypto: Option<(&'a [u8], Crypto<'a>)>,
}

impl<'a> Live<'a> {
    /// The formats with the payload type that each is written under.
    fn chosen(&self) -> impl Iterator<Item = (u8, Format<'a>)> + '_ {
        let numbers = self.numbers.iter();
        let coded = numbers.filter_map(|(n, own)| Some((n, self.formats.payload(own)?)));
        let words = self.formats.iter().filter(|_| !self.formats.is_rtp());
        let shared = words.filter(|f| self.theirs.is_none_or(|t| t.find(f).is_some()));
        coded.chain(shared.map(|f| (0, f)))
    }

    fn write_format(
        &self,
        w: &mut SdpWriter<'_>,
        number: u8,
        format: &Format<'_>,
    ) -> Result<(), SdpWriteError> {
        if self.formats.is_rtp() { w.number(u64::from(number)) } else { w.field(format.name) }
    }

    pub(super) fn write(&self, w: &mut SdpWriter<'_>) -> Result<(), SdpWriteError> {
        w.whole_line(b'm', |w| {
            w.field(self.ours.line.kind)?;
            w.suffix(b" ", Some(u64::from(self.port)))?;
            w.put(b" ")?;
            w.field(self.transport)?;
            for (number, format) in self.chosen() {
                w.put(b" ")?;
                self.write_format(w, number, &format)?;
            }
            Ok(())
        })?;
        if let Some(own) = self.ours.section.connections().next() {
            write_connection(w, &own, self.hold)?;
        }
        for bandwidth in self.ours.section.values(b'b') {
            w.line(b'b', bandwidth)?;
        }
        for (number, format) in self.chosen() {
            if self.formats.is_rtp() {
                write_rtpmap(w, number, (format.name, format.clock, format.channels))?;
            }
            if !format.fmtp.is_empty() {
                self.write_fmtp(w, number, &format)?;
            }
        }
        if let Some(ptime) = self.ours.section.attribute(b"ptime") {
            w.attribute(b"ptime", Some(ptime))?;
        }
        if let Some((tag, key)) = self.crypto {
            w.whole_line(b'a', |w| {
                w.put(b"crypto:")?;
                w.fields(&[tag, key.suite])?;
                w.put(b" ")?;
                w.text(key.rest)
            })?;
        }
        w.direction(self.direction)
    }

    fn write_fmtp(
        &self,
        w: &mut SdpWriter<'_>,
        number: u8,
        format: &Format<'_>,
    ) -> Result<(), SdpWriteError> {
        let written = |p: Option<u8>| p.and_then(|p| self.numbers.written(p)).map(u64::from);
        w.whole_line(b'a', |w| {
            w.put(b"fmtp:")?;
            self.write_format(w, number, format)?;
            w.put(b" ")?;
            match format.references() {
                References::List(None) => w.text(format.fmtp),
                References::List(list) => {
                    for (index, payload) in References::List(list).enumerate() {
                        w.put(if index > 0 { b"/" } else { b"" })?;
                        w.suffix(b"", written(payload))?;
                    }
                    Ok(())
                }
                References::Parameter(pairs) => {
                    for (index, (name, value)) in pairs.enumerate() {
                        w.put(if index > 0 { b";" } else { b"" })?;
                        w.text(name)?;
                        match References::parameter(name, value) {
                            Some(payload) => w.suffix(b"=", written(payload))?,
                            None if value.is_some() => {
                                w.put(b"=")?;
                                w.text(value.unwrap_or_default())?;
                            }
                            None => {}
                        }
                    }
                    Ok(())
                }
            }
        })
    }
}
