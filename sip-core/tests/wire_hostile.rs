//! Hostile bytes: the families S01 to S08, S17, S28, S29 and S33 of the security requirements, as
//! far as the parse layer decides them.

#[path = "support/torture.rs"]
mod torture;
#[path = "support/vectors.rs"]
mod vectors;

use proptest::prelude::*;
use sansip::header::{CSeq, Essentials, NameAddr, Uri, Via, equal};
use sansip::wire::DefectKind::{self, *};
use sansip::wire::Verdict::{Accept, Answer, Drop};
use sansip::wire::{
    Frame, Framer, Framing, Index, Kinds, MessageRef, Method, Name, NotSip, Printed, ResponseParts,
    Role, Span, Verdict, WireLimits, judge, parse, response,
};

fn with_message<T>(bytes: &[u8], f: impl FnOnce(&MessageRef<'_>, &Essentials) -> T) -> T {
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    let m = parse(bytes, &limits, Framing::Datagram, &mut index).unwrap();
    f(&m, &Essentials::of(&m))
}

fn kinds(bytes: &[u8]) -> Kinds {
    with_message(bytes, |m, e| m.kinds().or(e.kinds()))
}

fn verdict(bytes: &[u8], role: Role) -> Verdict {
    with_message(bytes, |m, e| judge(role, m, e))
}

/// An INVITE with one field replaced, or left out when it is empty.
fn invite(method: &str, replaced: &str, with: &str) -> String {
    let mut text = format!("{method} sip:bob@far.example SIP/2.0\r\n");
    for (name, value) in [
        ("Via", "SIP/2.0/UDP h.example;branch=z9hG4bK1"),
        ("Max-Forwards", "70"),
        ("From", "<sip:al@near.example>;tag=f"),
        ("To", "<sip:bob@far.example>"),
        ("Call-ID", "c@h.example"),
        ("CSeq", &format!("1 {method}")),
        ("Contact", "<sip:al@h.example>"),
        ("Content-Length", "0"),
    ] {
        let value = if name == replaced { with } else { value };
        if !value.is_empty() {
            text += &format!("{name}: {value}\r\n");
        }
    }
    text + "\r\n"
}

/// S01: long tokens in the fields that keys are made of are kept whole or refused.
#[test]
fn s01_long_keys() {
    let sizes = (0..16).flat_map(|p| [(1usize << p) - 1, 1 << p, (1 << p) + 1]).filter(|&n| n > 0);
    for n in sizes {
        let long = "x".repeat(n);
        for (name, value, read) in [
            ("Via", format!("SIP/2.0/UDP h;branch=z9hG4bK{long}"), n + 7),
            ("Via", format!("SIP/2.0/UDP h;branch={long}"), n),
            ("From", format!("<sip:al@near.example>;tag={long}"), n),
            ("Call-ID", long.clone(), n),
            ("CSeq", format!("1 {long}"), n),
        ] {
            let text = invite(if name == "CSeq" { &long } else { "INVITE" }, name, &value);
            if text.len() > 65_535 {
                let limits = WireLimits::default();
                let mut index = Index::new(&limits).unwrap();
                let got = parse(text.as_bytes(), &limits, Framing::Datagram, &mut index);
                assert_eq!(got.err(), Some(NotSip::TooLong));
                continue;
            }
            with_message(text.as_bytes(), |m, e| {
                let got = match name {
                    "Via" => e.via.unwrap().branch,
                    "From" => e.from.unwrap().tag,
                    "Call-ID" => e.call_id,
                    _ => e.cseq.unwrap().method_text,
                };
                assert_eq!(usize::from(got.len), read, "{name} {n}");
                let over = text.len() > 32_768 || value.len() > 8_192;
                let want = if over { 400..=513 } else { 0..=0 };
                match judge(Role::UserAgent, m, e) {
                    Accept => assert!(!over, "{name} {n}"),
                    Answer(status) => assert!(want.contains(&status), "{name} {n} {status}"),
                    Drop => panic!("{name} {n}"),
                }
            });
        }
    }
}

/// S02: numbers that are none, negative, signed, padded or huge, in every number the layer reads.
#[test]
fn s02_numbers() {
    let huge = format!("1{}", "0".repeat(100));
    let max = u32::MAX;
    let cases: Vec<(&str, Option<u64>)> = vec![
        ("-1", None),
        ("+1", None),
        ("0", Some(0)),
        ("00000000009", Some(9)),
        ("256", Some(256)),
        ("65536", Some(65_536)),
        ("2147483647", Some(2_147_483_647)),
        ("2147483648", Some(2_147_483_648)),
        ("4294967295", Some(u64::from(max))),
        ("4294967296", Some(1 << 32)),
        ("18446744073709551616", Some(u64::MAX)),
        (&huge, Some(u64::MAX)),
        ("1e9", None),
        ("0x10", None),
        ("5 6", None),
        ("x", None),
    ];
    for (text, value) in cases {
        let fits = value.and_then(|v| u32::try_from(v).ok());
        let capped = value.map(|v| u32::try_from(v).unwrap_or(max));

        let cseq = invite("INVITE", "CSeq", &format!("{text} INVITE"));
        with_message(cseq.as_bytes(), |_, e| {
            assert_eq!(e.cseq.map(|c| c.number), fits, "CSeq {text}");
            assert_eq!(e.kinds().has(BadCSeq), fits.is_none(), "CSeq {text}");
        });
        let length = invite("INVITE", "Content-Length", text);
        with_message(length.as_bytes(), |m, e| {
            assert_eq!(e.content_length, fits, "Content-Length {text}");
            assert_eq!(m.body(), b"");
            let bad = value.is_none_or(|v| v > 65_535);
            assert_eq!(m.kinds().has(LengthBad), bad, "Content-Length {text}");
            assert_eq!(m.kinds().has(BodyShort), !bad && value != Some(0), "{text}");
        });
        let hops = invite("INVITE", "Max-Forwards", text);
        with_message(hops.as_bytes(), |_, e| {
            assert_eq!(e.max_forwards, capped.map(|n| n.min(255)), "Max-Forwards {text}");
            assert_eq!(e.kinds().has(BadMaxForwards), value.is_none());
            assert_eq!(e.kinds().has(MaxForwardsRange), value.is_some_and(|v| v > 255));
        });
        let expires = invite("REGISTER", "Contact", "<sip:a@b>")
            .replace("Contact: ", &format!("Expires: {text}\r\nContact: "));
        with_message(expires.as_bytes(), |_, e| assert_eq!(e.expires, capped, "Expires {text}"));
        let contact = format!("<sip:a@b;ttl={text}>;expires=\"{text}\"");
        with_message(invite("REGISTER", "Contact", &contact).as_bytes(), |_, e| {
            // A quoted number is no delta-seconds.
            assert!(e.contact.is_none_or(|c| c.expires.is_none()));
        });
        if !text.contains(' ') {
            let contact = format!("<sip:a@b>;expires={text}");
            with_message(invite("REGISTER", "Contact", &contact).as_bytes(), |_, e| {
                assert_eq!(e.contact.unwrap().expires, capped, "expires {text}");
            });
            let port = fits.and_then(|n| u16::try_from(n).ok()).filter(|&p| p > 0);
            let uri = Uri::parse(format!("sip:a@b:{text}").as_bytes());
            assert_eq!(uri.ok().map(|u| u.port), port, "port {text}");
            let ttl = Uri::parse(format!("sip:a@b;ttl={text}").as_bytes()).unwrap().ttl;
            assert_eq!(ttl, fits.and_then(|n| u8::try_from(n).ok()), "ttl {text}");
            let via = format!("SIP/2.0/UDP a;rport={text}");
            let via = Via::parse(via.as_bytes(), Span::new(0, via.len())).unwrap();
            assert_eq!(via.rport, fits.and_then(|n| u16::try_from(n).ok()), "rport {text}");
        }
    }
    for (text, want) in [
        ("0", Some(0)),
        ("1", Some(1000)),
        ("0.33", Some(330)),
        ("1.000", Some(1000)),
        ("0.1234", None),
        ("1.1", None),
        ("2", None),
        (".5", None),
        ("0.", Some(0)),
        ("-1", None),
        ("1e0", None),
    ] {
        assert_eq!(sansip::header::name_addr::quality(text.as_bytes()), want, "q {text}");
    }
}

/// S04 and S35: depth of nesting costs no stack; each of these is parsed, printed and answered.
#[test]
fn s04_nesting() {
    let n = 30_000;
    for unit in [
        "(", "<", "\"", "\\", "\\\"", "[", "{", ",", ";", "=", "%", "\r\n ", ":", "@", "<<>",
        "<,>", "\"\\", "sip:", ";a=\"",
    ] {
        let deep = unit.repeat(n / unit.len());
        for name in ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Subject"] {
            let text = if name == "Route" || name == "Subject" {
                invite("INVITE", "", "")
                    .replace("\r\n\r\n", &format!("\r\n{name}: x{deep}\r\n\r\n"))
            } else {
                invite("INVITE", name, &format!("x{deep}"))
            };
            with_message(text.as_bytes(), |m, e| {
                // Folds at the end of a value are no part of it.
                let empty = unit == "\r\n ";
                assert!(empty || judge(Role::Proxy, m, e) != Accept, "{name} {unit}");
                assert!(Printed(*m).to_string().len() >= n / unit.len());
                assert!(m.values(Name::Contact).count() <= n);
                let mut out = vec![0; 70_000];
                assert!(response(&mut out, m, 400, None, &ResponseParts::default()).is_ok());
            });
        }
    }
}

/// S05: as many copies of a field as fit: all are there, and past the limit it is 400.
#[test]
fn s05_repeated_fields() {
    for &name in Name::ALL {
        let line = match name.compact() {
            Some(c) => format!("{}:1\r\n", c as char),
            None => format!("{}:1\r\n", name.as_str()),
        };
        for copies in [1, 2, 64, 65, 255, 256, 257, 65_000 / line.len() - 10] {
            let text = format!("OPTIONS sip:a SIP/2.0\r\n{}\r\n", line.repeat(copies));
            with_message(text.as_bytes(), |m, e| {
                assert_eq!(m.headers(name).count(), copies);
                assert_eq!(m.kinds().has(TooManyFields), copies > 256, "{name:?} {copies}");
                let many = name.is_list() && (65..=256).contains(&copies);
                assert_eq!(m.kinds().has(TooManyValues), many, "{name:?} {copies}");
                let twice = [DuplicateKey, Duplicate, DuplicateNote];
                let repeated = twice.iter().any(|&k| e.kinds().has(k));
                assert_eq!(repeated, name.is_single() && copies > 1, "{name:?} {copies}");
                if name == Name::Via && copies > 64 {
                    assert_eq!(judge(Role::UserAgent, m, e), Drop, "the Via here is malformed");
                }
            });
        }
    }
    let vias = "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n".repeat(1_000);
    let text = invite("INVITE", "Via", "").replacen("\r\n", &format!("\r\n{vias}"), 1);
    assert_eq!(verdict(text.as_bytes(), Role::UserAgent), Answer(513));
    let vias = format!("Via: SIP/2.0/UDP a{}\r\n", ", SIP/2.0/UDP b".repeat(64));
    let text = invite("INVITE", "Via", "").replacen("\r\n", &format!("\r\n{vias}"), 1);
    assert_eq!(verdict(text.as_bytes(), Role::UserAgent), Answer(400));
    assert!(kinds(text.as_bytes()).has(TooManyValues));
    let params = ";a".repeat(65);
    for (name, value) in [
        ("Via", format!("SIP/2.0/UDP a{params}")),
        ("From", format!("<sip:a@b>;tag=f{params}")),
        ("To", format!("<sip:a@b{params}>")),
    ] {
        let text = invite("INVITE", name, &value);
        assert!(kinds(text.as_bytes()).has(TooManyParams), "{name}");
    }
    let subject = invite("INVITE", "", "").replace("\r\n\r\n", &format!("\r\ns: {params}\r\n\r\n"));
    assert!(kinds(subject.as_bytes()).is_empty());
}

/// All texts of at most `len` bytes over `alphabet`.
fn exhaustive(alphabet: &[u8], len: usize, mut f: impl FnMut(&[u8])) {
    let mut digits = vec![0usize; len];
    let mut text = Vec::with_capacity(len);
    loop {
        text.clear();
        text.extend(digits.iter().take_while(|&&d| d > 0).map(|&d| alphabet[d - 1]));
        // Digits behind the first 0 would give the same text again.
        if digits.iter().skip(text.len()).all(|&d| d == 0) {
            f(&text);
        }
        let Some(at) = digits.iter().rposition(|&d| d < alphabet.len()) else { return };
        digits[at] += 1;
        digits[at + 1..].fill(0);
    }
}

/// S07: every short text of the characters that matter, as a name and address.
#[test]
fn s07_every_short_address() {
    let mut accepted = 0;
    let mut count = 0;
    exhaustive(b"\"\\<> ;@:a", 6, |text| {
        count += 1;
        let span = Span::new(0, text.len());
        let Ok(v) = NameAddr::parse(text, span) else { return };
        accepted += 1;
        // What was read can be read again by itself.
        let uri = Uri::parse(v.uri_text.of(text)).unwrap();
        assert_eq!(uri.scheme, v.uri.scheme, "{text:?}");
        assert!(!v.uri_text.of(text).contains(&b' '));
        let again = NameAddr::parse(text, v.whole).unwrap();
        assert_eq!((again.uri_text, again.tag, again.display), (v.uri_text, v.tag, v.display));
        let display = v.display.of(text);
        assert!(!display.starts_with(b"\"") || display.ends_with(b"\""), "{text:?}");
    });
    assert_eq!(count, (0..=6).map(|n| 9usize.pow(n)).sum::<usize>());
    assert!(accepted > 100);
    // Whole SIP addresses around every short display name.
    exhaustive(b"\"\\<> ;@:a", 4, |text| {
        let mut value = text.to_vec();
        value.extend_from_slice(b"<sip:a@b>;tag=x");
        if let Ok(v) = NameAddr::parse(&value, Span::new(0, value.len()))
            && v.fault == sansip::wire::Fault::None
        {
            assert_eq!(v.uri_text.of(&value), b"sip:a@b", "{text:?}");
            assert_eq!(v.tag.of(&value), b"x");
        }
    });
}

/// S08: every short text of the characters that matter, as a URI.
#[test]
fn s08_every_short_uri() {
    let mut accepted = 0;
    exhaustive(b"%0@:;?[]/a", 5, |text| {
        for scheme in ["sip:", "sips:", "tel:", "x:"] {
            let mut uri = scheme.as_bytes().to_vec();
            uri.extend_from_slice(text);
            let Ok(u) = Uri::parse(&uri) else { continue };
            accepted += 1;
            assert!(equal(&uri, &uri));
            let parts = [u.scheme_text, u.user, u.password, u.host, u.params, u.headers, u.opaque];
            let total: usize = parts.iter().map(|p| p.end() - p.start()).sum();
            assert!(total < uri.len(), "the parts do not overlap");
            let user: Vec<u8> = sansip::header::escape::unescape(u.user.of(&uri)).collect();
            assert!(user.len() <= u.user.of(&uri).len());
        }
    });
    assert!(accepted > 10_000, "{accepted}");
}

/// S17: a name is a token, with nothing but white space before the colon.
#[test]
fn s17_names() {
    for c in 0..=255u8 {
        for at in [0, 3, 7] {
            let mut name = b"Call-ID".to_vec();
            name.insert(at, c);
            let mut text = b"OPTIONS sip:a SIP/2.0\r\n".to_vec();
            text.extend_from_slice(&name);
            text.extend_from_slice(b": x\r\nSubject: y\r\n\r\n");
            with_message(&text, |m, _| {
                let token = sansip::wire::scan::is(c, sansip::wire::scan::Class::TOKEN);
                let padded = at == 7 && matches!(c, b' ' | b'\t');
                let cut = c == b':' && at > 0;
                let folded = at == 0 && matches!(c, b' ' | b'\t');
                if padded {
                    assert_eq!(m.header(Name::CallId), Some(&b"x"[..]));
                    assert_eq!(m.header_named(b"call-id"), Some(&b"x"[..]));
                } else if token {
                    assert_eq!(m.header(Name::CallId), None, "{c} {at}");
                    assert_eq!(m.header_named(&name), Some(&b"x"[..]), "{c} {at}");
                } else if !cut && c != b'\n' && !folded {
                    assert!(m.kinds().has(HeaderLine), "{c} {at}");
                    assert_eq!(m.header(Name::CallId), None, "{c} {at}");
                }
                let empty_line = c == b'\n' && at == 0;
                let next = (!empty_line).then_some(&b"y"[..]);
                assert_eq!(m.header(Name::Subject), next, "{c} {at}");
            });
        }
    }
}

/// S10: each mandatory field left out of each method, and each two of them.
#[test]
fn s10_missing_fields() {
    let fields = [
        ("Via", NoVia),
        ("From", NoFrom),
        ("To", NoTo),
        ("Call-ID", NoCallId),
        ("CSeq", NoCSeq),
        ("Max-Forwards", NoMaxForwards),
    ];
    for &method in Method::ALL {
        for (a, first) in fields {
            for (b, second) in fields {
                let text = invite(method.as_str(), a, "");
                let text: String = text
                    .split_inclusive("\r\n")
                    .filter(|l| !l.starts_with(&format!("{b}:")))
                    .collect();
                let want = match (method, first, second) {
                    (_, NoMaxForwards, NoMaxForwards) => Accept,
                    (_, NoVia, _) | (_, _, NoVia) | (Method::Ack, _, _) => Drop,
                    _ => Answer(400),
                };
                assert!(kinds(text.as_bytes()).has(first), "{a} {b}");
                assert!(kinds(text.as_bytes()).has(second), "{a} {b}");
                for role in [Role::UserAgent, Role::Proxy, Role::Registrar] {
                    assert_eq!(verdict(text.as_bytes(), role), want, "{method:?} {a} {b}");
                }
            }
        }
    }
    let text = invite("INVITE", "Contact", "");
    assert_eq!(verdict(text.as_bytes(), Role::UserAgent), Answer(400));
    assert_eq!(verdict(text.as_bytes(), Role::Proxy), Accept);
}

/// S28: the same branch with another sent-by or method is told apart.
#[test]
fn s28_keys() {
    let key = |method: &str, via: &str| {
        with_message(invite(method, "Via", via).as_bytes(), |m, e| {
            let via = e.via.unwrap();
            let text = |s: Span| m.text(s).to_vec();
            (text(via.branch), text(via.host), via.port, text(e.cseq.unwrap().method_text))
        })
    };
    let all = [
        key("INVITE", "SIP/2.0/UDP a;branch=z9hG4bK1"),
        key("INVITE", "SIP/2.0/UDP b;branch=z9hG4bK1"),
        key("INVITE", "SIP/2.0/UDP a:5061;branch=z9hG4bK1"),
        key("INVITE", "SIP/2.0/UDP a;branch=z9hG4bK1x"),
        key("CANCEL", "SIP/2.0/UDP a;branch=z9hG4bK1"),
    ];
    for (i, a) in all.iter().enumerate() {
        assert!(all.iter().skip(i + 1).all(|b| a != b));
    }
}

/// S29: messages of valid framing, concatenated and cut anywhere, come out alike; one of bad
/// framing ends its stream.
#[test]
fn s29_streams() {
    let mut good: Vec<Vec<u8>> = Vec::new();
    let mut bad: Vec<Vec<u8>> = Vec::new();
    let mut all: Vec<Vec<u8>> = torture::NAMES.iter().map(|n| torture::message(n)).collect();
    for set in ["rfc4475", "rfc3665"] {
        let Some(folder) = vectors::folder(set) else { break };
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        for path in paths.into_iter().filter(|p| p.extension().is_some_and(|e| e != "tsv")) {
            all.push(std::fs::read(path).unwrap());
        }
    }
    for bytes in all {
        match Framer::new(&WireLimits::default()).scan(&bytes) {
            Frame::Message(n) if n == bytes.len() => good.push(bytes),
            Frame::Message(_) | Frame::NeedMore => {}
            Frame::Bad { .. } => bad.push(bytes),
            other => panic!("{other:?}"),
        }
    }
    assert!(good.len() > 30 && bad.len() > 4, "{} {}", good.len(), bad.len());
    let stream: Vec<u8> = good.concat();
    for step in [1, 2, 3, 7, 100, 1_460, stream.len()] {
        assert_eq!(framed(&stream, step).0, good, "{step}");
    }
    for bad in bad {
        let stream = [&good[0][..], &bad[..], &good[1][..]].concat();
        for step in [1, 1_460] {
            let (messages, end) = framed(&stream, step);
            assert_eq!(messages, &good[..1]);
            assert!(matches!(end, Some(Frame::Bad { .. })), "{end:?}");
        }
    }
    // Cut in two at every byte.
    let pair = [&good[0][..], &good[1][..]].concat();
    for cut in 0..pair.len() {
        let mut framer = Framer::new(&WireLimits::default());
        let mut taken = 0;
        let mut messages = 0;
        for to in [cut, pair.len()] {
            while let Frame::Message(n) = framer.scan(&pair[taken..to]) {
                taken += n;
                messages += 1;
            }
        }
        assert_eq!((messages, taken), (2, pair.len()), "{cut}");
    }
}

/// The messages of a stream that comes in steps, and what ended it.
fn framed(stream: &[u8], step: usize) -> (Vec<Vec<u8>>, Option<Frame>) {
    let mut framer = Framer::new(&WireLimits::default());
    let mut messages = Vec::new();
    let (mut from, mut to) = (0, step.min(stream.len()));
    loop {
        match framer.scan(&stream[from..to]) {
            Frame::NeedMore if to == stream.len() => return (messages, None),
            Frame::NeedMore => to = (to + step).min(stream.len()),
            Frame::Message(n) => {
                messages.push(stream[from..from + n].to_vec());
                from += n;
            }
            Frame::KeepAlive(n) | Frame::Skip(n) => from += n,
            end @ Frame::Bad { .. } => return (messages, Some(end)),
        }
    }
}

#[test]
fn what_is_no_message() {
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    let mut no = |bytes: &[u8]| parse(bytes, &limits, Framing::Datagram, &mut index).err();
    assert_eq!(no(b""), Some(NotSip::Empty));
    assert_eq!(no(b"\r\n\r\n"), Some(NotSip::Empty));
    assert_eq!(no(&[0; 65_507]), Some(NotSip::StartLine));
    assert_eq!(no(&[b'\n'; 65_507]), Some(NotSip::Empty));
    assert_eq!(no(b"GET / HTTP/1.1\r\n\r\n"), Some(NotSip::StartLine));
}

#[test]
fn line_ends_and_control_bytes() {
    let base = invite("INVITE", "", "");
    let with = |from: &str, to: &str| kinds(base.replace(from, to).as_bytes());
    let only = |kind: DefectKind| {
        let mut set = Kinds::NONE;
        set.add(kind);
        set
    };
    assert!(kinds(base.as_bytes()).is_empty());
    assert_eq!(with("70\r\n", "70\n"), only(BareLf));
    assert_eq!(with("SIP/2.0\r\nVia", "SIP/2.0\nVia"), only(BareLf));
    assert_eq!(with("0\r\n\r\n", "0\r\n\n"), only(BareLf));
    // A NUL that makes up for a missing CR in the count is still found.
    let both = with("70\r\n", "70\ns: \0\r\n");
    assert!(both.has(BareLf) && both.has(Control));
    for c in ["\0", "\r", "\u{7}", "\u{1f}"] {
        assert_eq!(with("70\r\n", &format!("70\r\ns: a{c}b\r\n")), only(Control), "{c:?}");
        assert_eq!(with("70\r\n", &format!("70\r\ns: \"a{c}b\"\r\n")), only(Control), "{c:?}");
    }
    assert!(with("70\r\n", "70\r\ns: \"a\\\0b\"\r\n").is_empty());
    assert_eq!(with("70\r\n", "70\r\ns: \"a\\\rb\"\r\n"), only(Control));
    assert_eq!(with("70\r\n", "70\r\ns: \"a\\\\\0b\"\r\n"), only(Control));
    assert!(with("70\r\n", "70\r\ns: a\tb\r\n").is_empty());
    assert!(with("70\r\n", "70\r\ns: a\r\n b\r\n \r\n\tc\r\n").is_empty());
    assert_eq!(kinds(format!("\r\n\r\n{base}").as_bytes()), only(LeadingCrlf));
    assert_eq!(kinds(format!("{base}x").as_bytes()), only(Excess));
}

#[test]
fn limits_are_configurable_and_exact() {
    let text = invite("INVITE", "", "");
    let check = |limits: WireLimits, kind: DefectKind| {
        let mut index = Index::new(&limits).unwrap();
        let m = parse(text.as_bytes(), &limits, Framing::Datagram, &mut index).unwrap();
        m.kinds().has(kind)
    };
    let base = WireLimits::default();
    let len = text.len() as u16;
    assert!(!check(WireLimits { message: len, ..base }, TooLong));
    assert!(check(WireLimits { message: len - 1, ..base }, TooLong));
    assert!(!check(WireLimits { header_section: len, ..base }, HeadersTooLong));
    assert!(check(WireLimits { header_section: len - 1, ..base }, HeadersTooLong));
    assert!(!check(WireLimits { fields: 8, ..base }, TooManyFields));
    assert!(check(WireLimits { fields: 7, ..base }, TooManyFields));
    assert!(!check(WireLimits { value: 37, ..base }, ValueTooLong));
    assert!(check(WireLimits { value: 36, ..base }, ValueTooLong));
    assert!(!check(WireLimits { uri: 19, ..base }, UriTooLong));
    assert!(check(WireLimits { uri: 18, ..base }, UriTooLong));
    assert!(!check(WireLimits { params: 1, ..base }, TooManyParams));
    assert!(check(WireLimits { params: 0, ..base }, TooManyParams));
    assert!(!check(WireLimits { list: 1, ..base }, TooManyValues));
    assert!(check(WireLimits { list: 0, ..base }, TooManyValues));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// S33: no bytes make anything of the layer panic, and both views of a message agree.
    #[test]
    fn s33_any_bytes(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        "(INVITE|SIP/2.0 200|OPTIONS) sip:[a-c@:;?=%<>\"\\[\\]]{0,20} SIP/2.0\r\n((Via|v|f|To|m|i|CSeq|l|Route|x)[ \t]?:[ -~\t]{0,40}(\r\n|\n|\r\n )){0,12}\r\n[ -~]{0,20}"
            .prop_map(String::into_bytes),
    ]) {
        let limits = WireLimits::default();
        let mut index = Index::new(&limits).unwrap();
        for framing in [Framing::Datagram, Framing::Stream] {
            let Ok(m) = parse(&bytes, &limits, framing, &mut index) else { continue };
            let e = Essentials::of(&m);
            for role in [Role::UserAgent, Role::Proxy, Role::Registrar] {
                if judge(role, &m, &e) == Accept {
                    prop_assert!(e.from.is_some() && e.to.is_some() && e.via.is_some());
                    prop_assert!(e.cseq.is_some() && !e.call_id.is_empty());
                    prop_assert!(!m.is_request() || e.uri.is_some());
                }
            }
            let lazy = MessageRef::lazy(m.bytes()).unwrap();
            prop_assert!(m.fields().eq(lazy.fields()));
            prop_assert!(Printed(m).to_string().len() < 100_000);
            for &name in Name::ALL {
                prop_assert!(m.values(name).all(|s| s.end() <= m.bytes().len()));
            }
            let mut out = vec![0; 2_000];
            if m.is_request() && let Ok(n) = response(&mut out, &m, 400, None, &ResponseParts::default()) {
                let answer = MessageRef::lazy(&out[..n]).unwrap();
                prop_assert_eq!(answer.headers(Name::Via).count(), m.headers(Name::Via).count());
            }
        }
        let _ = Framer::new(&limits).scan(&bytes);
        let span = Span::new(0, bytes.len());
        let _ = (NameAddr::parse(&bytes, span), Via::parse(&bytes, span), CSeq::parse(&bytes, span));
        let _ = Uri::parse(&bytes);
    }

    /// Whatever the framer calls a message, the parser reads to its last byte.
    #[test]
    fn framer_and_parser_agree(text in "OPTIONS sip:a SIP/2.0(\r\n|\n)((l|Content-Length)[ ]?:[ ]{0,2}[0-9]{1,2}(\r\n|\n|\r\n )|x: y(\r\n|\n|\r\n\t)){0,4}(\r\n|\n)[a-z\r\n]{0,40}") {
        let limits = WireLimits::default();
        let mut index = Index::new(&limits).unwrap();
        if let Frame::Message(n) = Framer::new(&limits).scan(text.as_bytes()) {
            let m = parse(text.as_bytes(), &limits, Framing::Stream, &mut index).unwrap();
            prop_assert_eq!(m.consumed(), n);
            prop_assert!(!m.kinds().has(LengthConflict) && !m.kinds().has(LengthMissing));
        }
    }
}
