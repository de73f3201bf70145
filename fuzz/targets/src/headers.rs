//! Typed values: a value that is by its grammar can be shown and written, and what was written is
//! by the grammar again and does not change when it is written once more.

use sansip::header::typed::{check_at, describe, rewrite};
use sansip::header::{Uri, equal};
use sansip::sdp::{Description, MediaSlot, SdpLimits};
use sansip::wire::{Framing, Index, Name, Span, WireLimits, Writer, parse};

/// A message gives its fields and its body; other bytes are one value of every name.
pub fn run(data: &[u8]) {
    let limits = WireLimits::DEFAULT;
    let mut index = Index::new(&limits).unwrap();
    if let Ok(m) = parse(data, &limits, Framing::Datagram, &mut index) {
        m.fields().for_each(|f| value(f.name, m.bytes(), f.value));
        uri(m.request_uri());
        sdp(m.body());
        return;
    }
    sdp(data);
    let (halves, _) = data.split_at(data.len().min(600));
    let (a, b) = halves.split_at(halves.len() / 2);
    uri(a);
    assert_eq!(equal(a, b), equal(b, a), "URI comparison goes both ways");
    for &name in Name::ALL {
        value(name, data, Span::new(0, data.len()));
    }
}

fn value(name: Name, bytes: &[u8], span: Span) {
    let valid = check_at(name, bytes, span).is_ok();
    let described = describe(name, bytes, span, &mut |_, _| {}).is_ok();
    assert_eq!(valid, described, "{name:?} can be shown if it is valid");
    let Some(once) = written(name, bytes, span) else { return };
    assert!(valid, "{name:?} is written only if it is valid");
    assert!(!once.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)), "{name:?} is one line");
    let all = Span::new(0, once.len());
    let shown = once.escape_ascii();
    assert_eq!(check_at(name, &once, all), Ok(()), "{name:?} was written as {shown}");
    let twice = written(name, &once, all).expect("what was written can be written");
    assert_eq!(once, twice, "{name:?}: {shown}");
}

fn written(name: Name, bytes: &[u8], span: Span) -> Option<Vec<u8>> {
    let mut out = vec![0; 65_535];
    let mut writer = Writer::new(&mut out);
    rewrite(name, bytes, span, &mut writer.value(name)).ok()?;
    Some(writer.written().to_vec())
}

fn uri(text: &[u8]) {
    if Uri::parse(text).is_ok() {
        assert!(equal(text, text), "a URI equals itself: {}", text.escape_ascii());
    }
}

fn sdp(body: &[u8]) {
    let mut slots = [MediaSlot::default(); 8];
    let limits = SdpLimits { media: 8, ..SdpLimits::default() };
    let Ok(description) = Description::parse(body, &mut slots, &limits) else { return };
    assert!(description.media().count() == description.media_count());
    for media in description.media() {
        let _ = description.connection(&media);
        let _ = description.direction(&media);
    }
    description.defects(|_| true);
}
