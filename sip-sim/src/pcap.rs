//! Captures that packet analysers open: pcap with raw IP packets (LINKTYPE_RAW, 101).
//!
//! IP, UDP and TCP headers are made up around the bytes, checksums and sequence numbers right.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use crate::trace::{Fate, Trace};

const LINKTYPE_RAW: u32 = 101;
const SEGMENT: usize = 1_400;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// Writes a capture.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    streams: BTreeMap<(SocketAddr, SocketAddr), u32>,
    ident: u16,
}

impl<W: Write> Writer<W> {
    /// Starts a capture.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(mut out: W) -> io::Result<Self> {
        // Microsecond stamps, version 2.4, no zone, largest packet 262,144.
        for word in [0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 262_144, LINKTYPE_RAW] {
            out.write_all(&u32::to_le_bytes(word))?;
        }
        Ok(Self { out, streams: BTreeMap::new(), ident: 0 })
    }

    /// A datagram.
    ///
    /// # Errors
    /// What the writer says; `InvalidInput` where the addresses are of two families or the bytes
    /// are too many for one datagram.
    pub fn udp(
        &mut self,
        time_us: u64,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> io::Result<()> {
        let length = u16::try_from(bytes.len() + 8).map_err(|_| too_long())?;
        let mut udp = Vec::with_capacity(bytes.len() + 8);
        for word in [from.port(), to.port(), length, 0] {
            udp.extend_from_slice(&word.to_be_bytes());
        }
        udp.extend_from_slice(bytes);
        let sum = match checksum(pseudo(from, to, 17, udp.len())? + words(&udp)) {
            0 => 0xffff,
            sum => sum,
        };
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
        self.packet(time_us, from, to, 17, &udp)
    }

    /// The three packets that open a stream.
    ///
    /// # Errors
    /// As [`Writer::udp`].
    pub fn open(&mut self, time_us: u64, client: SocketAddr, server: SocketAddr) -> io::Result<()> {
        self.streams.insert((client, server), 1);
        self.streams.insert((server, client), 1);
        self.segment(time_us, client, server, SYN, (0, 0), &[])?;
        self.segment(time_us, server, client, SYN | ACK, (0, 1), &[])?;
        self.segment(time_us, client, server, ACK, (1, 1), &[])
    }

    /// Bytes of a stream; opens it if [`Writer::open`] has not.
    ///
    /// # Errors
    /// As [`Writer::udp`].
    pub fn stream(
        &mut self,
        time_us: u64,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> io::Result<()> {
        if !self.streams.contains_key(&(from, to)) {
            self.open(time_us, from, to)?;
        }
        for piece in bytes.chunks(SEGMENT) {
            let at = self.numbers(from, to);
            self.segment(time_us, from, to, PSH | ACK, at, piece)?;
            let length = u32::try_from(piece.len()).unwrap_or(0);
            self.streams.insert((from, to), at.0.wrapping_add(length));
            let back = self.numbers(to, from);
            self.segment(time_us, to, from, ACK, back, &[])?;
        }
        Ok(())
    }

    /// The end of a stream, asked for by `from`.
    ///
    /// # Errors
    /// As [`Writer::udp`].
    pub fn close(
        &mut self,
        time_us: u64,
        from: SocketAddr,
        to: SocketAddr,
        reset: bool,
    ) -> io::Result<()> {
        let (mine, theirs) = self.numbers(from, to);
        if reset {
            self.segment(time_us, from, to, RST | ACK, (mine, theirs), &[])?;
        } else {
            self.segment(time_us, from, to, FIN | ACK, (mine, theirs), &[])?;
            self.segment(time_us, to, from, FIN | ACK, (theirs, mine + 1), &[])?;
            self.segment(time_us, from, to, ACK, (mine + 1, theirs + 1), &[])?;
        }
        self.streams.remove(&(from, to));
        self.streams.remove(&(to, from));
        Ok(())
    }

    /// Hands on what was written so far.
    ///
    /// # Errors
    /// What the writer says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn numbers(&self, from: SocketAddr, to: SocketAddr) -> (u32, u32) {
        let of = |a, b| self.streams.get(&(a, b)).copied().unwrap_or(1);
        (of(from, to), of(to, from))
    }

    fn segment(
        &mut self,
        time_us: u64,
        from: SocketAddr,
        to: SocketAddr,
        flags: u8,
        numbers: (u32, u32),
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut tcp = Vec::with_capacity(bytes.len() + 20);
        tcp.extend_from_slice(&from.port().to_be_bytes());
        tcp.extend_from_slice(&to.port().to_be_bytes());
        tcp.extend_from_slice(&numbers.0.to_be_bytes());
        tcp.extend_from_slice(&numbers.1.to_be_bytes());
        tcp.extend_from_slice(&[5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend_from_slice(bytes);
        let sum = checksum(pseudo(from, to, 6, tcp.len())? + words(&tcp));
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        self.packet(time_us, from, to, 6, &tcp)
    }

    fn packet(
        &mut self,
        time_us: u64,
        from: SocketAddr,
        to: SocketAddr,
        protocol: u8,
        payload: &[u8],
    ) -> io::Result<()> {
        let header = self.ip_header(from, to, protocol, payload.len())?;
        let length = u32::try_from(header.len() + payload.len()).map_err(|_| too_long())?;
        let seconds = u32::try_from(time_us / 1_000_000).unwrap_or(u32::MAX);
        let micros = u32::try_from(time_us % 1_000_000).unwrap_or(0);
        for word in [seconds, micros, length, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(&header)?;
        self.out.write_all(payload)
    }

    fn ip_header(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        protocol: u8,
        payload: usize,
    ) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(40);
        match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let total = u16::try_from(payload + 20).map_err(|_| too_long())?;
                self.ident = self.ident.wrapping_add(1);
                out.extend_from_slice(&[0x45, 0]);
                out.extend_from_slice(&total.to_be_bytes());
                out.extend_from_slice(&self.ident.to_be_bytes());
                out.extend_from_slice(&[0, 0, 64, protocol, 0, 0]);
                out.extend_from_slice(&from.octets());
                out.extend_from_slice(&to.octets());
                let sum = checksum(words(&out));
                out[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let total = u16::try_from(payload).map_err(|_| too_long())?;
                out.extend_from_slice(&[0x60, 0, 0, 0]);
                out.extend_from_slice(&total.to_be_bytes());
                out.extend_from_slice(&[protocol, 64]);
                out.extend_from_slice(&from.octets());
                out.extend_from_slice(&to.octets());
            }
            _ => return Err(two_families()),
        }
        Ok(out)
    }
}

/// The one's complement sum of 16-bit words, not yet folded.
fn words(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u64::from(*b));
    bytes.chunks(2).map(word).sum()
}

fn checksum(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

fn pseudo(from: SocketAddr, to: SocketAddr, protocol: u8, length: usize) -> io::Result<u64> {
    let ends = match (from.ip(), to.ip()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => words(&a.octets()) + words(&b.octets()),
        (IpAddr::V6(a), IpAddr::V6(b)) => words(&a.octets()) + words(&b.octets()),
        _ => return Err(two_families()),
    };
    Ok(ends + u64::from(protocol) + length as u64)
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "too long for one IP packet")
}

fn two_families() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "addresses of two families")
}

/// Writes what a trace keeps, as its senders saw it: what was lost on the way is there too.
///
/// # Errors
/// As [`Writer::udp`].
pub fn write_trace<W: Write>(trace: &Trace, out: W) -> io::Result<W> {
    enum What<'a> {
        Open,
        Bytes(&'a crate::trace::Packet),
        Close(bool, bool),
    }
    let mut all = Vec::new();
    for (i, s) in trace.streams().enumerate() {
        all.push((s.opened, 0, i as u64, s.client, s.server, What::Open));
        if let Some((at, by_client, reset)) = s.ended {
            let what = What::Close(by_client, reset);
            all.push((at, 2, i as u64, s.client, s.server, what));
        }
    }
    for p in trace.packets().filter(|p| !matches!(p.fate, Fate::Lost(crate::trace::Loss::Ended))) {
        all.push((p.sent, 1, p.number, p.from, p.to, What::Bytes(p)));
    }
    all.sort_by_key(|(time, kind, number, ..)| (*time, *kind, *number));
    let mut writer = Writer::new(out)?;
    for (time, _, _, a, b, what) in all {
        let (time, a, b) = (time * 1_000, a.to_socket(), b.to_socket());
        match what {
            What::Open => writer.open(time, a, b)?,
            What::Bytes(p) if p.stream.is_some() => writer.stream(time, a, b, &p.bytes)?,
            What::Bytes(p) => writer.udp(time, a, b, &p.bytes)?,
            What::Close(true, reset) => writer.close(time, a, b, reset)?,
            What::Close(false, reset) => writer.close(time, b, a, reset)?,
        }
    }
    writer.finish()
}
