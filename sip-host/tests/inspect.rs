//! `sansip inspect`: exit status, values, defects with their position.

mod support;

use serde_json::Value;
use support::run_with;

const CLEAN: &str = "INVITE sip:bob@example.com;user=phone SIP/2.0\r\n\
    v: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKabc\r\n\
    Max-Forwards: 70\r\n\
    From: \"Alice\" <sip:alice@example.com>;tag=1\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: one@192.0.2.1\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:alice@192.0.2.1:5070>\r\n\
    Content-Length: 0\r\n\r\n";

fn inspect(message: &str) -> (i32, Value) {
    let (status, out, err) = run_with(&["inspect", "--json", "-"], message.as_bytes());
    (status, serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}")))
}

#[test]
fn a_clean_message_has_typed_values_and_no_defects() {
    let (status, seen) = inspect(CLEAN);
    assert_eq!(status, 0, "{seen:#}");
    assert_eq!(seen["kind"], "request");
    assert_eq!(seen["method"], "INVITE");
    assert_eq!(seen["uri_parts"]["user"], "bob");
    assert_eq!(seen["defects"], serde_json::json!([]));
    let via = &seen["headers"][0];
    assert_eq!(
        (&via["name"], &via["written"], &via["line"]),
        (&"Via".into(), &"v".into(), &2.into())
    );
    assert_eq!(via["values"][0]["branch"], "z9hG4bKabc");
    assert_eq!(via["values"][0]["port"], 5070);
    assert_eq!(seen["headers"][1]["values"][0]["value"], 70);
    let (status, out, _) = run_with(&["inspect", "-"], CLEAN.as_bytes());
    assert_eq!(status, 0);
    assert!(out.contains("no defects") && out.contains("branch = z9hG4bKabc"), "{out}");
}

#[test]
fn each_defect_has_its_line_its_byte_its_clause_and_its_status() {
    let text =
        CLEAN.replace("CSeq: 1 INVITE", "CSeq: 1 BYE").replace("To: <sip:bob", "To: < sip:bob");
    let (status, seen) = inspect(&text);
    assert_eq!(status, 1);
    let defects = seen["defects"].as_array().unwrap();
    let of = |name: &str| {
        defects.iter().find(|d| d["header"] == name).unwrap_or_else(|| panic!("{seen:#}"))
    };
    let cseq = of("CSeq");
    assert_eq!(cseq["line"], 7);
    assert_eq!(cseq["offset"], text.find("BYE").unwrap());
    assert_eq!(cseq["clause"], "RFC 3261 8.1.1.5");
    assert_eq!(cseq["status"], 400);
    assert_eq!(of("To")["line"], 5);
    assert_eq!(seen["verdicts"]["proxy"], "answers 400");
}

#[test]
fn a_value_that_no_layer_needs_is_checked_too() {
    let text = CLEAN.replace("Max-Forwards: 70", "Max-Forwards: 70\r\nRetry-After: soon");
    let (status, seen) = inspect(&text);
    assert_eq!(status, 1);
    assert_eq!(seen["defects"][0]["header"], "Retry-After");
    assert_eq!(seen["defects"][0]["line"], 4);
}

#[test]
fn a_session_description_is_looked_at() {
    let body = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio nine RTP/AVP 0\r\n";
    let length =
        format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let text = CLEAN.replace("Content-Length: 0\r\n\r\n", &length);
    let (status, seen) = inspect(&text);
    assert_eq!(status, 1);
    assert_eq!(seen["defects"][0]["offset"], text.find("m=audio").unwrap());
    assert_eq!(seen["defects"][0]["clause"], "RFC 8866 5.14");
}

#[test]
fn positions_count_the_empty_lines_before_the_message() {
    let text = format!("\r\n\r\n{}", CLEAN.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"));
    let (_, seen) = inspect(&text);
    let cseq = seen["defects"].as_array().unwrap().iter().find(|d| d["header"] == "CSeq").unwrap();
    assert_eq!(cseq["line"], 9);
    assert_eq!(cseq["offset"], text.find("BYE").unwrap());
}

#[test]
fn what_is_no_message_gives_2() {
    for bytes in [&b""[..], b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", &[0; 300]] {
        let (status, out, _) = run_with(&["inspect", "-"], bytes);
        assert_eq!(status, 2, "{out}");
        assert!(out.contains("no SIP message"), "{out}");
    }
    let (status, _, err) = run_with(&["inspect", "/no/such/file"], b"");
    assert_eq!(status, 2);
    assert!(err.contains("/no/such/file"), "{err}");
}

#[test]
fn no_byte_of_a_message_reaches_the_terminal_raw() {
    let text = CLEAN.replace("Alice", "A\u{1b}[2Jlice");
    let (_, out, _) = run_with(&["inspect", "-"], text.as_bytes());
    assert!(!out.contains('\u{1b}'), "{out:?}");
}
