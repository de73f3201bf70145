//! The parser.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sansip::header::Essentials;
use sansip::wire::{Framing, Index, Name, WireLimits};

type Bytes<'py> = Bound<'py, PyBytes>;
/// Kind, status, clause, text, field, position, length.
type Defect = (u8, u16, &'static str, &'static str, &'static str, u16, u16);

/// A message taken apart, as a dict: what `sansip.Message` is made from.
#[derive(IntoPyObject)]
pub(crate) struct Parsed<'py> {
    consumed: usize,
    raw: Bytes<'py>,
    method: Option<Bytes<'py>>,
    uri: Option<Bytes<'py>>,
    status: Option<u16>,
    reason: Option<Bytes<'py>>,
    fields: Vec<(Bytes<'py>, Bytes<'py>)>,
    body: Bytes<'py>,
    defects: Vec<Defect>,
}

/// Takes a message apart. Text in its place says why it is none.
#[pyfunction]
pub(crate) fn parse<'py>(
    py: Python<'py>,
    data: &[u8],
    stream: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let framing = if stream { Framing::Stream } else { Framing::Datagram };
    let limits = WireLimits { fields: 4_096, defects: 1_024, ..WireLimits::DEFAULT };
    let mut index = Index::new(&limits).map_err(|_| PyMemoryError::new_err("no memory"))?;
    let m = match sansip::wire::parse(data, &limits, framing, &mut index) {
        Ok(m) => m,
        Err(why) => return why.to_string().into_bound_py_any(py),
    };
    let essentials = Essentials::of(&m);
    let bytes = |b: &[u8]| PyBytes::new(py, b);
    let (is_request, is_response) = (m.is_request(), !m.is_request());
    Parsed {
        consumed: m.consumed(),
        raw: bytes(m.bytes()),
        method: is_request.then(|| bytes(m.method_text())),
        uri: is_request.then(|| bytes(m.request_uri())),
        status: is_response.then(|| m.status()),
        reason: is_response.then(|| bytes(m.reason())),
        fields: m
            .fields()
            .map(|f| (bytes(m.text(f.name_span())), bytes(m.text(f.value))))
            .collect(),
        body: bytes(m.body()),
        defects: m
            .defects()
            .chain(essentials.defects())
            .map(|d| {
                (d.code(), d.status(), d.clause(), d.text(), d.name.as_str(), d.at.at, d.at.len)
            })
            .collect(),
    }
    .into_bound_py_any(py)
}

/// The name of a header field as a key: in full, in lower case.
#[pyfunction]
pub(crate) fn header_key(name: &[u8]) -> Vec<u8> {
    match Name::of(name) {
        Name::Other => name.to_ascii_lowercase(),
        known => known.as_str().as_bytes().to_ascii_lowercase(),
    }
}
