//! Session descriptions: what is read is written back the same.

use proptest::prelude::*;
use sansip::sdp::{
    Attribute, Bandwidth, Connection, Description, Direction, Fields, Fmtp, Line, MediaLine,
    MediaSlot, OriginLine, RtpMap, SdpError, SdpLimits, SdpWriteError, SdpWriter, Timing,
};
use std::path::PathBuf;

fn vectors() -> Option<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let beside = manifest.ancestors().map(|dir| dir.join("shared/reference/vectors"));
    let given = std::env::var_os("SANSIP_VECTORS").map(PathBuf::from);
    let found = given.into_iter().chain(beside).find(|dir| dir.is_dir());
    if found.is_none() {
        println!("skipped: no folder shared/reference/vectors, and SANSIP_VECTORS is not set");
    }
    found
}

fn write_typed(w: &mut SdpWriter<'_>, line: &Line<'_>) -> Result<(), SdpWriteError> {
    match line.kind {
        b'v' => w.version(),
        b'o' => w.origin(&OriginLine::parse(line.value).unwrap()),
        b'c' => w.connection(&Connection::parse(line.value).unwrap()),
        b'b' => w.bandwidth(&Bandwidth::parse(line.value).unwrap()),
        b't' => w.timing(&Timing::parse(line.value).unwrap()),
        b'm' => w.media(&MediaLine::parse(line.value).unwrap()),
        b'a' => {
            let a = Attribute::parse(line.value);
            let value = a.value.unwrap_or_default();
            match (a.name, Direction::of(a.name)) {
                (b"rtpmap", _) => w.rtpmap(&RtpMap::parse(value).unwrap()),
                (b"fmtp", _) => w.fmtp(&Fmtp::parse(value).unwrap()),
                (_, Some(direction)) => w.direction(direction),
                _ => w.attribute(a.name, a.value),
            }
        }
        _ => w.copy(line),
    }
}

fn rewritten(body: &[u8]) -> Result<Vec<u8>, SdpError> {
    let mut slots = [MediaSlot::default(); 64];
    let description = Description::parse(body, &mut slots, &SdpLimits::default())?;
    let mut buffer = vec![0; body.len()];
    let mut writer = SdpWriter::new(&mut buffer);
    let media = description.media().map(|m| m.section);
    for section in core::iter::once(description.session()).chain(media) {
        for line in section.lines() {
            write_typed(&mut writer, &line).unwrap();
        }
    }
    Ok(writer.finish().to_vec())
}

#[test]
fn documented_descriptions_are_written_back_byte_for_byte() {
    let Some(vectors) = vectors() else { return };
    let mut bodies = 0;
    for folder in ["sdp", "rfc3665"] {
        for entry in std::fs::read_dir(vectors.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let body = match path.extension().and_then(|e| e.to_str()) {
                Some("sdp") => &bytes[..],
                Some("sip") => {
                    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
                    &bytes[head + 4..]
                }
                _ => continue,
            };
            if body.starts_with(b"v=") {
                assert_eq!(rewritten(body).as_deref(), Ok(body), "{}", path.display());
                bodies += 1;
            }
        }
    }
    let exchanges = vectors.join("sdp/rfc4317_rfc3264_exchanges.json");
    for quoted in std::fs::read_to_string(exchanges).unwrap().split('"') {
        if quoted.starts_with("v=") {
            let body = quoted.replace("\\r\\n", "\r\n");
            assert_eq!(rewritten(body.as_bytes()).as_deref(), Ok(body.as_bytes()), "{body}");
            bodies += 1;
        }
    }
    assert!(bodies > 100, "{bodies}");
}

fn token() -> impl Strategy<Value = String> {
    "[!-9;-~]{1,8}"
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("byte-string", |b| !matches!(b, 0 | b'\r' | b'\n'));
    prop::collection::vec(byte, 0..12)
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let written = |write: &dyn Fn(&mut SdpWriter<'_>) -> Result<(), SdpWriteError>| {
        let mut buffer = [0; 256];
        let mut writer = SdpWriter::new(&mut buffer);
        write(&mut writer).unwrap();
        writer.finish().to_vec()
    };
    prop_oneof![
        (token(), any::<u64>(), any::<u64>(), token()).prop_map(move |(u, i, v, a)| {
            let (i, v) = (i.to_string(), v.to_string());
            written(&|w| {
                w.origin(&OriginLine {
                    username: u.as_bytes(),
                    session_id: i.as_bytes(),
                    session_version: v.as_bytes(),
                    net_type: b"IN",
                    addr_type: b"IP4",
                    address: a.as_bytes(),
                })
            })
        }),
        ("[a-z0-9.]{1,9}", any::<Option<u8>>(), 1_u32..).prop_map(move |(a, ttl, count)| {
            let count = ttl.map(|_| count);
            let address = a.as_bytes();
            written(&|w| {
                w.connection(&Connection {
                    net_type: b"IN",
                    addr_type: b"IP4",
                    address,
                    ttl,
                    count,
                })
            })
        }),
        (token(), any::<u64>()).prop_map(move |(m, value)| written(&|w| {
            w.bandwidth(&Bandwidth { modifier: m.as_bytes(), value })
        })),
        (any::<u64>(), any::<u64>())
            .prop_map(move |(start, stop)| written(&|w| w.timing(&Timing { start, stop }))),
        (token(), any::<u16>(), prop::option::of(1_u32..), token(), token()).prop_map(
            move |(kind, port, count, proto, formats)| {
                let (kind, proto) = (kind.as_bytes(), proto.as_bytes());
                let formats = Fields::of(formats.as_bytes());
                written(&|w| w.media(&MediaLine { kind, port, count, proto, formats }))
            }
        ),
        (0_u8..128, "[^/\\pC\\pZ]{1,5}", any::<u32>(), any::<Option<u8>>()).prop_map(
            move |(payload, encoding, clock_rate, channels)| {
                let channels = channels.map(|c| c.to_string());
                let params = channels.as_ref().map(String::as_bytes);
                let encoding = encoding.as_bytes();
                written(&|w| w.rtpmap(&RtpMap { payload, encoding, clock_rate, params }))
            }
        ),
        (token(), text()).prop_map(move |(name, value)| {
            let name = format!("x{name}");
            written(&|w| w.attribute(name.as_bytes(), Some(&value)))
        }),
        ("[d-lnp-su-z]", text())
            .prop_map(move |(kind, value)| written(&|w| w.line(kind.as_bytes()[0], &value)))
            .prop_filter("v= is always 0", |l| l[0] != b'v'),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_written_the_same(lines in prop::collection::vec(line(), 0..20)) {
        let body = [&b"v=0\r\n"[..], &lines.concat()].concat();
        prop_assert_eq!(rewritten(&body), Ok(body));
    }

    #[test]
    fn any_bytes_end_in_a_description_or_an_error_on_a_line(
        body in prop::collection::vec(
            prop::sample::select(vec![
                &b"v=0\r\n"[..], b"m=audio 1 RTP/AVP 0\r\n", b"c=IN IP4 h/", b"\r", b"\n", b"=", b" ",
                b"a=rtpmap:1 x/", b"z=1 -1h", b"\xff",
            ]),
            0..12,
        ),
    ) {
        let body = [&b"v=0\n"[..], &body.concat()].concat();
        let mut slots = [MediaSlot::default(); 4];
        match Description::parse(&body, &mut slots, &SdpLimits::default()) {
            Ok(d) => {
                let mut sections = d.session().bytes().to_vec();
                d.media().for_each(|m| sections.extend_from_slice(m.section.bytes()));
                prop_assert_eq!(&sections, &body);
                d.defects(|e| usize::from(e.offset) < body.len());
            }
            Err(e) => prop_assert!(usize::from(e.offset) < body.len() && e.line > 0),
        }
    }
}
