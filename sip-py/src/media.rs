//! A call's media, read from the attributes of its Python classes, and what was agreed on as tuples.

use std::net::IpAddr;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sansip::sdp::{Agreed, AgreedStream, Codec, Direction, Kind, Media, Stream};

/// The attributes of `sansip.Media`.
#[derive(FromPyObject)]
pub(crate) struct MediaIn {
    address: IpAddr,
    streams: Vec<StreamIn>,
    bandwidth: u32,
}

/// The attributes of `sansip.Stream`.
#[derive(FromPyObject)]
struct StreamIn {
    kind: String,
    port: u16,
    codecs: Vec<CodecIn>,
    transport: String,
    direction: String,
    bandwidth: u32,
    ptime: u16,
    crypto: String,
}

/// The attributes of `sansip.Codec`.
#[derive(FromPyObject)]
struct CodecIn {
    name: String,
    payload: u8,
    clock: u32,
    channels: u8,
    fmtp: String,
}

fn kind(name: &str) -> PyResult<Kind> {
    match Kind::of(name.as_bytes()) {
        Kind::Other => Err(PyValueError::new_err("no such kind of stream")),
        kind => Ok(kind),
    }
}

fn direction(name: &str) -> PyResult<Direction> {
    Direction::of(name.as_bytes()).ok_or_else(|| PyValueError::new_err("no such direction"))
}

impl MediaIn {
    /// The media, for as long as `f` runs.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Media<'_>) -> PyResult<R>) -> PyResult<R> {
        let codecs: Vec<Vec<Codec<'_>>> =
            self.streams.iter().map(|s| s.codecs.iter().map(CodecIn::get).collect()).collect();
        let streams = self.streams.iter().zip(&codecs).map(|(s, codecs)| s.get(codecs));
        let streams: Vec<Stream<'_>> = streams.collect::<PyResult<_>>()?;
        f(&Media { address: self.address, streams: &streams, bandwidth: self.bandwidth })
    }
}

impl StreamIn {
    fn get<'a>(&'a self, codecs: &'a [Codec<'a>]) -> PyResult<Stream<'a>> {
        Ok(Stream {
            kind: kind(&self.kind)?,
            port: self.port,
            transport: &self.transport,
            codecs,
            direction: direction(&self.direction)?,
            bandwidth: self.bandwidth,
            ptime: self.ptime,
            crypto: &self.crypto,
        })
    }
}

impl CodecIn {
    fn get(&self) -> Codec<'_> {
        Codec {
            payload: self.payload,
            name: &self.name,
            clock: self.clock,
            channels: self.channels,
            fmtp: &self.fmtp,
        }
    }
}

/// The streams as tuples: the members of `sansip.AgreedStream` in their order.
pub(crate) fn streams<'py>(
    py: Python<'py>,
    media: &Agreed<'_>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    media.streams().map(|stream| of_stream(py, &stream)).collect()
}

fn of_stream<'py>(py: Python<'py>, s: &AgreedStream<'_>) -> PyResult<Bound<'py, PyAny>> {
    let codecs: Vec<_> = s
        .codecs()
        .map(|c| (c.name, c.clock, c.channels, c.send_payload, c.receive_payload, c.fmtp_remote))
        .collect();
    let states = (s.refused, s.direction.name(), s.held_by_peer, s.held_by_us);
    let remote = s.remote.map(|(ip, port)| (ip.to_string(), port));
    let there = (remote, s.remote_host, s.remote_port, s.remote_bandwidth, s.remote_ptime);
    let keys = (s.transport, s.local_crypto, s.remote_crypto);
    (s.kind.name(), states, s.local_port, there, keys, codecs).into_bound_py_any(py)
}
