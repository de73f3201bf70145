//! Writing: what is written parses, what could break a line is refused, and answers copy what they
//! must.

#[path = "support/torture.rs"]
mod torture;
#[path = "support/vectors.rs"]
mod vectors;

use proptest::prelude::*;
use sansip::header::escape::unquote;
use sansip::header::{Essentials, NameAddr, Scheme};
use sansip::wire::write::{AddressParts, UriParts, ViaParts};
use sansip::wire::{
    Framing, Index, MessageRef, Name, ResponseParts, WireLimits, WriteError, Writer, parse,
    reason_phrase, response,
};

fn with_message<T>(bytes: &[u8], f: impl FnOnce(&MessageRef<'_>) -> T) -> T {
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    f(&parse(bytes, &limits, Framing::Datagram, &mut index).unwrap())
}

fn values(m: &MessageRef<'_>, name: Name) -> Vec<Vec<u8>> {
    m.values(name).map(|s| unfolded(m.text(s))).collect()
}

fn unfolded(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text).replace('\r', "\n");
    let parts: Vec<&str> = text.split('\n').map(str::trim).filter(|p| !p.is_empty()).collect();
    parts.join(" ").into_bytes()
}

/// A whole request written with the typed writers.
fn write_request(out: &mut [u8]) -> Result<usize, WriteError> {
    let mut w = Writer::new(out);
    w.request_line(b"INVITE", b"sip:bob@far.example;transport=tcp")?;
    w.via(&ViaParts {
        transport: b"TCP",
        host: b"2001:db8::1",
        port: 5070,
        branch: b"z9hG4bK1",
        rport: true,
        params: &[(b"x", Some(b"a b"))],
    })?;
    w.max_forwards(70)?;
    w.address(
        Name::From,
        &AddressParts {
            display: "J\u{f6}rg \"X\" \\".as_bytes(),
            uri: b"sip:j@near.example",
            tag: b"f",
            params: &[],
        },
    )?;
    w.address(Name::To, &AddressParts { uri: b"sip:bob@far.example", ..Default::default() })?;
    w.header(Name::CallId, b"a@b")?;
    w.cseq(u32::MAX, b"INVITE")?;
    w.field(Name::Contact, |v| {
        v.text(b"<")?;
        v.uri_of(&UriParts {
            scheme: Scheme::Sips,
            user: b"a b@c",
            host: b"[::1]",
            port: 0,
            params: &[(b"ob", None), (b"k", Some(b"v;w"))],
        })?;
        v.text(b">")?;
        v.param(b"expires", Some(b"60"))
    })?;
    w.named(b"X-Any", b"")?;
    w.uint(Name::Expires, 0)?;
    w.body(b"application/sdp", b"v=0\r\n")
}

#[test]
fn what_the_typed_writers_write_parses() {
    let mut out = [0; 1_000];
    let n = write_request(&mut out).unwrap();
    with_message(&out[..n], |m| {
        let e = Essentials::of(m);
        assert!(m.kinds().or(e.kinds()).is_empty(), "{:?} {:?}", m.kinds(), e.kinds());
        let via = e.via.unwrap();
        assert_eq!(m.text(via.host), b"[2001:db8::1]");
        assert_eq!((via.port, via.rport_asked, via.rport), (5070, true, None));
        let from = e.from.unwrap();
        let display: Vec<u8> = unquote(m.text(from.display)).collect();
        assert_eq!(display, "J\u{f6}rg \"X\" \\".as_bytes());
        assert_eq!(e.cseq.unwrap().number, u32::MAX);
        let contact = e.contact.unwrap();
        assert_eq!(m.text(contact.uri_text), b"sips:a%20b%40c@[::1];ob;k=v%3Bw");
        assert_eq!(contact.expires, Some(60));
        assert_eq!(m.header_named(b"x-any"), Some(&b""[..]));
        assert_eq!(m.body(), b"v=0\r\n");
        // Content-Length stands last.
        assert_eq!(m.fields().last().unwrap().name, Name::ContentLength);
    });
}

#[test]
fn a_slice_that_is_too_short_is_full() {
    let mut out = [0; 1_000];
    let n = write_request(&mut out).unwrap();
    for room in 0..n {
        assert_eq!(write_request(&mut out[..room]), Err(WriteError::Full), "{room}");
    }
}

/// S18: nobody can end a line, or smuggle a control byte, through any writer; and a refused field
/// leaves nothing behind.
#[test]
fn control_bytes_are_refused_everywhere() {
    type Put = fn(&mut Writer<'_>, &[u8]) -> Result<(), WriteError>;
    let puts: &[(&str, Put)] = &[
        ("method", |w, t| w.request_line(t, b"sip:a")),
        ("request uri", |w, t| w.request_line(b"A", t)),
        ("reason", |w, t| w.status_line(200, t)),
        ("value", |w, t| w.header(Name::Subject, t)),
        ("name", |w, t| w.named(t, b"x")),
        ("named value", |w, t| w.named(b"x", t)),
        ("cseq", |w, t| w.cseq(1, t)),
        ("via transport", |w, t| {
            w.via(&ViaParts { transport: t, host: b"a", branch: b"b", ..Default::default() })
        }),
        ("via host", |w, t| {
            w.via(&ViaParts { transport: b"T", host: t, branch: b"b", ..Default::default() })
        }),
        ("via branch", |w, t| {
            w.via(&ViaParts { transport: b"T", host: b"a", branch: t, ..Default::default() })
        }),
        ("display", |w, t| {
            w.address(Name::To, &AddressParts { display: t, uri: b"sip:a", ..Default::default() })
        }),
        ("uri", |w, t| w.address(Name::To, &AddressParts { uri: t, ..Default::default() })),
        ("tag", |w, t| {
            w.address(Name::To, &AddressParts { uri: b"sip:a", tag: t, ..Default::default() })
        }),
        ("param name", |w, t| {
            w.address(
                Name::To,
                &AddressParts { uri: b"sip:a", params: &[(t, None)], ..Default::default() },
            )
        }),
        ("param value", |w, t| {
            w.address(
                Name::To,
                &AddressParts { uri: b"sip:a", params: &[(b"p", Some(t))], ..Default::default() },
            )
        }),
        ("user", |w, t| {
            w.field(Name::To, |v| {
                v.uri_of(&UriParts {
                    scheme: Scheme::Sip,
                    user: t,
                    host: b"a",
                    port: 0,
                    params: &[],
                })
            })
        }),
        ("uri host", |w, t| {
            w.field(Name::To, |v| {
                v.uri_of(&UriParts {
                    scheme: Scheme::Sip,
                    user: b"",
                    host: t,
                    port: 0,
                    params: &[],
                })
            })
        }),
        ("uri param", |w, t| {
            w.field(Name::To, |v| {
                v.uri_of(&UriParts {
                    scheme: Scheme::Sip,
                    user: b"",
                    host: b"a",
                    port: 0,
                    params: &[(t, Some(t))],
                })
            })
        }),
        ("quoted", |w, t| w.field(Name::Warning, |v| v.quoted(t))),
        ("token", |w, t| w.field(Name::Allow, |v| v.token(t))),
    ];
    for (what, put) in puts {
        for c in (0..32u8).filter(|&c| c != b'\t').chain([127]) {
            for text in [&[c][..], &[b'a', c], &[c, b'a'], b"a\r\nVia: x", b"a\n b"] {
                let mut out = [0; 200];
                let mut w = Writer::new(&mut out);
                w.header(Name::UserAgent, b"first").unwrap();
                let before = w.len();
                let got = put(&mut w, text);
                assert!(
                    matches!(got, Err(WriteError::Forbidden { .. })),
                    "{what} {text:?} {got:?}"
                );
                assert_eq!(w.len(), before, "{what}");
            }
        }
    }
    let mut out = [0; 200];
    assert!(Writer::new(&mut out).body(b"a\r\nb", b"x").is_err());
    assert!(Writer::new(&mut out).body(b"", b"x").is_err());
    let mut w = Writer::new(&mut out);
    assert_eq!(w.uint(Name::ContentLength, 1), Err(WriteError::Reserved(Name::ContentLength)));
    assert_eq!(w.named(b"L", b"1"), Err(WriteError::Reserved(Name::ContentLength)));
    assert_eq!(w.header(Name::Other, b"1"), Err(WriteError::Reserved(Name::Other)));
    assert!(w.status_line(99, b"x").is_err() && w.status_line(700, b"x").is_err());
}

const STAMP: ResponseParts<'_> = ResponseParts {
    to_tag: Some(b"ours"),
    via_received: Some(b"192.0.2.9"),
    via_rport: Some(5062),
    via: None,
    to: None,
    record_route: true,
    contact: None,
    extra: &[],
    named: &[],
    body: None,
    rest: None,
};

/// S09: whatever was received, an answer to it parses and leads back the same way.
fn check_answer(name: &str, bytes: &[u8]) {
    with_message(bytes, |request| {
        if !request.is_request() {
            return;
        }
        let mut out = vec![0; 70_000];
        let n = response(&mut out, request, 400, None, &STAMP).unwrap();
        with_message(&out[..n], |answer| {
            assert_eq!((answer.status(), answer.reason()), (400, &b"Bad Request"[..]), "{name}");
            for once in [Name::From, Name::CallId, Name::CSeq] {
                let first = request.header(once).map(unfolded);
                assert_eq!(answer.header(once).map(unfolded), first, "{name} {once:?}");
                assert!(answer.headers(once).count() <= 1, "{name}");
            }
            let all = [Name::Via, Name::RecordRoute];
            for list in all {
                let (a, b) = (values(request, list), values(answer, list));
                assert_eq!(a.len(), b.len(), "{name} {list:?}");
                assert!(a.iter().zip(&b).skip(1).all(|(a, b)| a == b), "{name}");
            }
            let (asked, e) = (Essentials::of(request), Essentials::of(answer));
            if let (Some(before), Some(after)) = (asked.via, e.via) {
                assert_eq!(request.text(before.branch), answer.text(after.branch), "{name}");
                assert_eq!(request.text(before.host), answer.text(after.host), "{name}");
                assert_eq!(answer.text(after.received), b"192.0.2.9", "{name}");
                assert_eq!(after.rport, before.rport_asked.then_some(5062), "{name}");
            }
            if let (Some(before), Some(after)) = (asked.to, e.to) {
                let tag = request.text(before.tag);
                let want = if tag.is_empty() { b"ours" } else { tag };
                assert_eq!(answer.text(after.tag), want, "{name}");
                assert_eq!(request.text(before.uri_text), answer.text(after.uri_text), "{name}");
            }
            assert_eq!(e.content_length, Some(0), "{name}");
        });
    });
}

#[test]
fn every_answer_parses_and_leads_back() {
    for name in torture::NAMES {
        check_answer(name, &torture::message(name));
    }
    for set in ["rfc4475", "rfc3261", "rfc3665", "rfc3515", "perf"] {
        let Some(folder) = vectors::folder(set) else { return };
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            if path.extension().is_some_and(|e| e == "tsv") || path.ends_with("test.dat") {
                continue;
            }
            check_answer(&path.display().to_string(), &bytes);
        }
    }
}

#[test]
fn the_top_via_is_stamped_as_rfc_3581_says() {
    let stamped = |via: &str| {
        let request = format!("OPTIONS sip:a SIP/2.0\r\nv: {via}\r\nv: SIP/2.0/UDP z\r\n\r\n");
        with_message(request.as_bytes(), |m| {
            let mut out = [0; 500];
            let n = response(&mut out, m, 200, None, &STAMP).unwrap();
            let text = String::from_utf8(out[..n].to_vec()).unwrap();
            let via = text.lines().nth(1).unwrap().to_owned();
            assert_eq!(text.lines().nth(2), Some("v: SIP/2.0/UDP z"));
            via.strip_prefix("Via: SIP/2.0/UDP ").unwrap().to_owned()
        })
    };
    let source = ";received=192.0.2.9";
    assert_eq!(stamped("SIP/2.0/UDP a;branch=b"), format!("a;branch=b{source}"));
    assert_eq!(stamped("SIP/2.0/UDP a;rport;branch=b"), format!("a;rport=5062;branch=b{source}"));
    assert_eq!(stamped("SIP/2.0/UDP a;rport=1;x"), format!("a;rport=5062;x{source}"));
    assert_eq!(stamped("SIP/2.0/UDP a ; received=1.2.3.4 ; x = y"), format!("a ; x = y{source}"));
    assert_eq!(stamped("SIP/2.0/UDP a;received=1;RECEIVED=2"), format!("a{source}"));
    assert_eq!(
        stamped("SIP/2.0/UDP a;received=1;rport;x;received=2;y"),
        format!("a;rport=5062;x;y{source}")
    );
    assert_eq!(
        stamped("SIP/2.0/UDP a;rport , SIP/2.0/UDP c;rport"),
        format!("a;rport=5062{source} , SIP/2.0/UDP c;rport")
    );
    assert_eq!(stamped("SIP/2.0/UDP a\r\n ;rport;\r\n x"), format!("a ;rport=5062; x{source}"));
}

#[test]
fn a_hundred_copies_timestamp_and_other_answers_do_not() {
    let request = "INVITE sip:a SIP/2.0\r\nTimestamp: 5.4\r\nRecord-Route: <sip:r;lr>\r\n\r\n";
    with_message(request.as_bytes(), |m| {
        let mut out = [0; 500];
        let parts = ResponseParts {
            contact: Some(b"<sip:c>"),
            extra: &[(Name::Allow, b"INVITE")],
            body: Some((b"text/plain", b"x")),
            ..Default::default()
        };
        let n = response(&mut out, m, 100, None, &ResponseParts::default()).unwrap();
        let hundred = "SIP/2.0 100 Trying\r\nTimestamp: 5.4\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(&out[..n], hundred.as_bytes());
        let n = response(&mut out, m, 299, Some("Mine"), &parts).unwrap();
        let want = "SIP/2.0 299 Mine\r\nContact: <sip:c>\r\nAllow: INVITE\r\n\
            Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx";
        assert_eq!(&out[..n], want.as_bytes());
    });
}

#[test]
fn every_status_has_a_reason() {
    assert_eq!(reason_phrase(416), "Unsupported URI Scheme");
    assert_eq!(reason_phrase(299), "Success");
    for status in 0..=u16::MAX {
        assert!(!reason_phrase(status).is_empty());
    }
}

proptest! {
    /// S07: a name and address reads back as it was written.
    #[test]
    fn addresses_read_back(
        display in "[ -~\u{e0}-\u{ff}]{0,20}",
        user in "[ -~]{0,12}",
        host in prop_oneof!["[a-z0-9.-]{1,20}", Just("[2001:db8::5]".to_owned())],
        port in any::<u16>(),
        tag in "[a-zA-Z0-9.!%*_+`'~-]{0,10}",
        value in "[ -~]{0,10}",
    ) {
        let mut out = [0; 400];
        let mut uri = [0; 200];
        let mut w = Writer::new(&mut uri);
        let parts = UriParts {
            scheme: Scheme::Sip,
            user: user.as_bytes(),
            host: host.as_bytes(),
            port,
            params: &[(b"lr", None), (b"p", Some(value.as_bytes()))],
        };
        w.field(Name::To, |v| v.uri_of(&parts)).unwrap();
        let end = w.len() - 2;
        let uri = &uri[4..end];
        let mut w = Writer::new(&mut out);
        w.request_line(b"OPTIONS", uri).unwrap();
        let parts = AddressParts {
            display: display.as_bytes(),
            uri,
            tag: tag.as_bytes(),
            params: &[(b"x", Some(value.as_bytes()))],
        };
        w.address(Name::To, &parts).unwrap();
        let n = w.end().unwrap();
        with_message(&out[..n], |m| {
            prop_assert!(m.kinds().is_empty(), "{:?}", m.kinds());
            let to = NameAddr::parse(m.bytes(), m.header_span(Name::To).unwrap()).unwrap();
            let shown: Vec<u8> = unquote(m.text(to.display)).collect();
            prop_assert_eq!(shown, display.as_bytes());
            let read = sansip::header::escape::unescape(m.text(to.uri.user));
            prop_assert_eq!(read.collect::<Vec<u8>>(), user.as_bytes());
            prop_assert_eq!(m.text(to.uri.host), host.as_bytes());
            prop_assert_eq!(to.uri.port, port);
            prop_assert!(to.uri.lr);
            prop_assert_eq!(m.text(to.tag), tag.as_bytes());
            let x = sansip::header::param(m.bytes(), to.params, b"X").unwrap();
            prop_assert_eq!(unquote(m.text(x)).collect::<Vec<u8>>(), value.as_bytes());
            Ok(())
        })?;
    }

    /// Any message that was written has the fields that were written, in their order.
    #[test]
    fn fields_read_back(fields in prop::collection::vec(("[a-zA-Z-]{1,20}", "[ -~\t\u{80}-\u{ff}]{0,40}"), 0..20), body in prop::collection::vec(any::<u8>(), 0..50)) {
        let mut out = vec![0; 4_000];
        let mut w = Writer::new(&mut out);
        w.status_line(200, b"OK").unwrap();
        let mut written = Vec::new();
        for (name, value) in &fields {
            let done = w.named(name.as_bytes(), value.as_bytes());
            if Name::of(name.as_bytes()) == Name::ContentLength {
                prop_assert!(done.is_err());
            } else {
                done.unwrap();
                written.push((name.clone(), value.trim_matches([' ', '\t']).to_owned()));
            }
        }
        let n = w.body(b"x/y", &body).unwrap();
        with_message(&out[..n], |m| {
            let read: Vec<(String, String)> = m.fields().map(|f| {
                let text = |s| String::from_utf8(m.text(s).to_vec()).unwrap();
                (text(f.name_span()), text(f.value))
            }).collect();
            let (read, last) = read.split_at(read.len() - 2);
            prop_assert_eq!(read, &written[..]);
            prop_assert_eq!(&last[0].1, "x/y");
            prop_assert_eq!(m.body(), &body[..]);
            prop_assert!(m.kinds().is_empty());
            Ok(())
        })?;
    }
}
