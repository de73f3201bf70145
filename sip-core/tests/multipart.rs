//! Multipart bodies: S03 of the security table, and what is written is read again.

use proptest::prelude::*;
use sansip::header::Value;
use sansip::header::content::ContentType;
use sansip::header::multipart::{
    MultipartError as E, MultipartLimits, MultipartWriteError, MultipartWriter, Parts, is_boundary,
};
use sansip::wire::{Name, Span, WriteError};

/// The parts as level, number of header fields, and content.
type Read = Vec<Result<(u8, usize, String), E>>;

fn read_with(content_type: &str, body: &[u8], limits: &MultipartLimits) -> Read {
    let bytes = [content_type.as_bytes(), body].concat();
    let split = content_type.len();
    let content_type = ContentType::parse(&bytes, Span::new(0, split)).unwrap();
    Parts::new(&bytes, &content_type, Span::new(split, bytes.len()), limits)
        .map(|part| {
            part.map(|p| {
                let content = String::from_utf8_lossy(p.body.of(&bytes)).into_owned();
                (p.depth, p.fields(&bytes).count(), content)
            })
        })
        .collect()
}

fn read(body: &str) -> Read {
    read_with("multipart/mixed;boundary=b", body.as_bytes(), &MultipartLimits::default())
}

fn part(depth: u8, fields: usize, content: &str) -> Result<(u8, usize, String), E> {
    Ok((depth, fields, content.to_owned()))
}

#[test]
fn parts_lie_between_delimiters() {
    assert_eq!(
        read(
            "preamble\r\n--b \t\r\nA: 1\r\nB: 2\r\n 3\r\n\r\none\r\ntwo\r\n--b\r\n\r\n\r\n--b--\r\nepilogue\r\n--b\r\n"
        ),
        [part(0, 2, "one\r\ntwo"), part(0, 0, "")]
    );
    assert_eq!(read("--b\r\n\r\nx\r\n--b--"), [part(0, 0, "x")], "closed without a line end");
    assert_eq!(read("--b\r\nA: 1\r\n--b--\r\n"), [part(0, 1, "")], "header fields and no body");
}

#[test]
fn empty_parts_have_no_length_and_no_fields() {
    assert_eq!(read("--b\r\n--b\r\n\r\n--b--"), [part(0, 0, ""), part(0, 0, "")]);
    assert_eq!(read("--b\r\n\r\n--b--"), [part(0, 0, "")]);
}

#[test]
fn a_delimiter_is_a_whole_line() {
    assert_eq!(
        read("--b\r\n\r\n--bc\r\n x--b\r\n--b x\r\n\n--b\n--b\r--b\r\n--b---\r\n--b--"),
        [part(0, 0, "--bc\r\n x--b\r\n--b x\r\n\n--b\n--b\r--b\r\n--b---")]
    );
}

#[test]
fn a_body_without_its_delimiters_is_an_error() {
    assert_eq!(read(""), [Err(E::NoParts)]);
    assert_eq!(read("hello"), [Err(E::NoParts)]);
    assert_eq!(read("--b--\r\n"), [Err(E::NoParts)]);
    assert_eq!(read("--b"), [part(0, 0, ""), Err(E::NotClosed)]);
    assert_eq!(read("--b\r\n\r\nx"), [part(0, 0, "x"), Err(E::NotClosed)]);
    assert_eq!(read("--b\r\nA: 1"), [part(0, 0, ""), Err(E::NotClosed)]);
}

#[test]
fn a_boundary_has_one_to_seventy_bytes() {
    let of = |boundary: &str| {
        let content_type = format!("multipart/mixed{boundary}");
        read_with(&content_type, b"--b\r\n\r\nx\r\n--b--", &MultipartLimits::default())
    };
    assert_eq!(of(""), [Err(E::Boundary)]);
    assert_eq!(of(";boundary=\"\""), [Err(E::Boundary)]);
    assert_eq!(of(";boundary=\"b \""), [Err(E::Boundary)]);
    assert_eq!(of(";boundary=\"b\\\"\""), [Err(E::Boundary)]);
    assert_eq!(of(&format!(";boundary={}", "b".repeat(71))), [Err(E::Boundary)]);
    assert_eq!(of(&format!(";boundary={}", "b".repeat(10_000))), [Err(E::Boundary)]);
    let long = "b".repeat(70);
    let body = format!("--{long}\r\n\r\nx\r\n--{long}--");
    let content_type = format!("multipart/mixed;boundary=\"{long}\"");
    let limits = MultipartLimits::default();
    assert_eq!(read_with(&content_type, body.as_bytes(), &limits), [part(0, 0, "x")]);
    assert!(is_boundary(b"a b?") && !is_boundary(b"a;b") && !is_boundary(b"\r\n"));
}

fn nested(levels: usize) -> String {
    let mut body = String::from("core");
    for level in (1..levels).rev() {
        let outer = "b".repeat(level);
        let inner = "b".repeat(level + 1);
        body = format!(
            "--{outer}\r\nContent-Type: multipart/mixed;boundary={inner}\r\n\r\n{body}\r\n--{outer}--"
        );
        if level + 1 == levels {
            body = body.replace("core", &format!("--{inner}\r\n\r\ncore\r\n--{inner}--"));
        }
    }
    body
}

#[test]
fn parts_inside_parts_follow_the_part_that_holds_them() {
    // Each boundary is the beginning of the one inside it.
    let parts = read(&nested(3));
    let shape: Vec<_> =
        parts.iter().flatten().map(|(depth, fields, _)| (*depth, *fields)).collect();
    assert_eq!(shape, [(0, 1), (1, 1), (2, 0)]);
    assert_eq!(parts.last(), Some(&part(2, 0, "core")));
    let four = read(&nested(4));
    assert!(four.iter().all(Result::is_ok) && four.len() == 4);
    let five = read(&nested(5));
    assert_eq!(five.len(), 5);
    assert_eq!(five.last(), Some(&Err(E::TooDeep)));
    let bad = "--b\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--";
    assert_eq!(read(bad), [part(0, 1, "x"), Err(E::Boundary), part(0, 0, "y")]);
}

#[test]
fn parts_are_counted_over_all_levels() {
    let many = |n| "--b\r\n\r\n".repeat(n) + "--b--";
    let parts = read(&many(32));
    assert!(parts.len() == 32 && parts.iter().all(Result::is_ok));
    for n in [33, 8_000] {
        let parts = read(&many(n));
        assert_eq!((parts.len(), parts.last()), (33, Some(&Err(E::TooManyParts))));
    }
    let inner = "--bb\r\n\r\n".repeat(3) + "--bb--";
    let body =
        format!("--b\r\nContent-Type: multipart/x;boundary=bb\r\n\r\n{inner}\r\n--b\r\n\r\n--b--");
    let limits = MultipartLimits { parts: 4, depth: 2 };
    let parts = read_with("multipart/mixed;boundary=b", body.as_bytes(), &limits);
    assert_eq!((parts.len(), parts.last()), (5, Some(&Err(E::TooManyParts))));
}

#[test]
fn fields_of_a_part_are_found_by_name() {
    let head = "multipart/mixed;boundary=b";
    let body =
        "--b\r\nContent-type : text/plain\r\nno field\r\ncontent-id: <a@b>\r\n\r\nx\r\n--b--";
    let bytes = [head, body].concat().into_bytes();
    let content_type = ContentType::parse(&bytes, Span::new(0, head.len())).unwrap();
    let span = Span::new(head.len(), bytes.len());
    let limits = MultipartLimits::default();
    let part = Parts::new(&bytes, &content_type, span, &limits).next().unwrap().unwrap();
    assert!(part.content_type(&bytes).unwrap().media.is(&bytes, b"text", b"plain"));
    assert_eq!(part.header_named(&bytes, b"Content-ID").unwrap().of(&bytes), b"<a@b>");
    assert_eq!(part.header(&bytes, Name::ContentDisposition), None);
}

#[test]
fn nothing_written_can_end_a_part_or_a_field() {
    let mut buffer = [0; 200];
    let mut w = MultipartWriter::new(&mut buffer, b"b").unwrap();
    for content in [&b"--b"[..], b"x\r\n--b--\r\n", b"x\n--b", b"--bc"] {
        assert_eq!(w.part(&[], content), Err(MultipartWriteError::Collision));
    }
    let evil = [(&b"X-A"[..], &b"1\r\n\r\n--b"[..])];
    let forbidden = |byte| WriteError::Forbidden { name: Name::Other, byte };
    assert_eq!(w.part(&evil, b"x"), Err(forbidden(b'\r').into()));
    assert_eq!(w.part(&[(b"A:", b"1")], b"x"), Err(forbidden(b':').into()));
    assert_eq!(w.part(&[], &[b'x'; 300]), Err(WriteError::Full.into()));
    w.part(&[(b"Content-Type", b"text/plain")], b"x").unwrap();
    let len = w.finish().unwrap();
    assert_eq!(buffer[..len], *b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n");
    assert!(MultipartWriter::new(&mut [], b"").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_the_same(
        boundary in "[a-z'()+_,./:=?-]{1,5}",
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..8),
    ) {
        let mut buffer = [0; 1_000];
        let mut w = MultipartWriter::new(&mut buffer, boundary.as_bytes()).unwrap();
        let mut written = vec![];
        for content in contents {
            if w.part(&[(b"A", b"1")], &content).is_ok() {
                written.push(Ok((0, 1, String::from_utf8_lossy(&content).into_owned())));
            }
        }
        if written.is_empty() {
            written.push(Err(E::NoParts));
        }
        let len = w.finish().unwrap();
        let body = &buffer[..len];
        let content_type = format!("multipart/mixed;boundary=\"{boundary}\"");
        prop_assert_eq!(read_with(&content_type, body, &MultipartLimits::default()), written);
    }

    #[test]
    fn any_body_ends(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "--b", "--bb", "--", "\r\n", "\r", "\n", "x", "Content-Type: multipart/x;boundary=bb", " ", ":",
            ]),
            0..40,
        ),
    ) {
        let body = pieces.concat();
        for part in read(&body).into_iter().flatten() {
            prop_assert!(body.contains(&part.2));
        }
    }
}
