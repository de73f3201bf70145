//! The messages of RFC 3261 and RFC 3665: byte-identical through an edit, clean where they are
//! complete, and with exactly the listed defects where they are not.

#[path = "support/vectors.rs"]
mod vectors;

use std::collections::BTreeMap;
use std::path::Path;

use sansip::header::{CSeq, Essentials, NameAddr, Uri, Via};
use sansip::wire::DefectKind::{self, *};
use sansip::wire::{Framing, Index, MessageRef, Name, Span, WireLimits, edit, parse};

/// All messages of a folder, by name.
fn messages(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e != "tsv"))
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&p).unwrap()))
        .collect()
}

fn defects(bytes: &[u8]) -> Vec<DefectKind> {
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    let m = parse(bytes, &limits, Framing::Datagram, &mut index).unwrap();
    let e = Essentials::of(&m);
    let listed: Vec<DefectKind> = m.defects().chain(e.defects()).map(|d| d.kind).collect();
    let kinds = m.kinds().or(e.kinds());
    assert!(listed.iter().all(|&k| kinds.has(k)));
    kinds.iter().collect()
}

/// Whether the indexed and the scanned view of a message agree.
fn views_agree(m: &MessageRef<'_>) {
    let lazy = MessageRef::lazy(m.bytes()).unwrap();
    assert!(m.fields().eq(lazy.fields()));
    assert_eq!(m.body(), lazy.body());
    assert_eq!(m.start(), lazy.start());
}

/// Every field edited to itself: the value replaced by its own bytes.
fn edited_to_itself(m: &MessageRef<'_>) -> Vec<u8> {
    let edits: Vec<edit::Edit<'_>> =
        m.fields().map(|f| edit::Edit::Replace { span: f.value, with: m.text(f.value) }).collect();
    let mut out = vec![0; 70_000];
    let n = edit::apply(m.bytes(), &edits, &mut out).unwrap();
    out.truncate(n);
    out
}

/// The message put together again from its typed values, with nothing left out.
fn rebuilt(m: &MessageRef<'_>) -> Vec<u8> {
    let bytes = m.bytes();
    let mut out = bytes[..m.headers_at()].to_vec();
    for f in m.fields() {
        let lines = edit::lines(m, &f);
        let value = f.value;
        let typed = match f.name {
            Name::Via => list(bytes, value, |b, s| Via::parse(b, s).unwrap().whole),
            Name::From | Name::To | Name::Contact | Name::Route | Name::RecordRoute => {
                list(bytes, value, |b, s| {
                    if s.of(b) == b"*" {
                        return s;
                    }
                    let v = NameAddr::parse(b, s).unwrap();
                    assert_eq!(Uri::parse(v.uri_text.of(b)).unwrap().scheme, v.uri.scheme);
                    v.whole
                })
            }
            Name::CSeq => {
                let cseq = CSeq::parse(bytes, value).unwrap();
                let method = std::str::from_utf8(cseq.method_text.of(bytes)).unwrap();
                format!("{} {method}", cseq.number).into_bytes()
            }
            _ => value.of(bytes).to_vec(),
        };
        out.extend_from_slice(&bytes[lines.start()..value.start()]);
        out.extend_from_slice(&typed);
        out.extend_from_slice(&bytes[value.end()..lines.end()]);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(m.body());
    out
}

fn list(bytes: &[u8], value: Span, read: impl Fn(&[u8], Span) -> Span) -> Vec<u8> {
    let mut out = Vec::new();
    let mut c = sansip::wire::scan::Cursor::new(bytes, value);
    let mut from = value.start();
    while let Some(item) = c.item() {
        let whole = read(bytes, item);
        out.extend_from_slice(&bytes[from..whole.start()]);
        out.extend_from_slice(whole.of(bytes));
        from = whole.end();
        if !c.eat(b',') {
            break;
        }
    }
    out.extend_from_slice(&bytes[from..value.end()]);
    out
}

#[test]
fn every_message_is_the_same_after_an_edit() {
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    let mut count = 0;
    for set in [
        "rfc3261", "rfc3665", "rfc3428", "rfc3515", "rfc3581", "rfc3891", "rfc3903", "rfc6086",
        "perf",
    ] {
        let Some(folder) = vectors::folder(set) else { return };
        for (name, bytes) in messages(&folder) {
            let m = parse(&bytes, &limits, Framing::Datagram, &mut index).unwrap();
            let whole = m.consumed();
            assert!(whole == bytes.len() || m.kinds().has(Excess), "{name}");
            assert_eq!(edited_to_itself(&m), &bytes[..whole], "{name}");
            views_agree(&m);
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn rfc_3665_is_clean_and_round_trips() {
    let Some(folder) = vectors::folder("rfc3665") else { return };
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    let all = messages(&folder);
    assert_eq!(all.len(), 178);
    for (name, bytes) in all {
        let want: &[DefectKind] = match name.as_str() {
            // The one request of the document without Max-Forwards.
            "2.5_F1_REGISTER.sip" => &[NoMaxForwards],
            // These vectors hold the heading that follows in the document, as a fold of
            // Content-Length.
            "2.5_F4_401.sip" | "3.11_F14_ACK.sip" => &[LengthBad],
            _ => &[],
        };
        assert_eq!(defects(&bytes), want, "{name}");
        let m = parse(&bytes, &limits, Framing::Datagram, &mut index).unwrap();
        assert_eq!(rebuilt(&m), bytes, "{name}");
    }
}

#[test]
fn rfc_3261_has_exactly_these_defects() {
    let Some(folder) = vectors::folder("rfc3261") else { return };
    let all = messages(&folder);
    assert_eq!(all.len(), 47);
    let listed: BTreeMap<&str, &[DefectKind]> = RFC3261.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, bytes) in &all {
        let want = listed.get(name.as_str()).copied().unwrap_or(&[]);
        let got = defects(bytes);
        if got != want {
            wrong.push(format!("(\"{name}\", &{got:?}),"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const BODY_NOT_SHOWN: &[DefectKind] = &[BodyShort];
const NOTHING_BUT_ROUTES: &[DefectKind] = &[NoVia, NoFrom, NoTo, NoCallId, NoCSeq, NoMaxForwards];
const NOTHING_OF_A_RESPONSE: &[DefectKind] = &[NoVia, NoFrom, NoTo, NoCallId, NoCSeq];

/// The fragments, the messages whose body is not shown, and those with a wrong Content-Length; all
/// others are clean.
const RFC3261: &[(&str, &[DefectKind])] = &[
    ("4_m01_INVITE.hdr", BODY_NOT_SHOWN),
    ("4_m02_200.hdr", BODY_NOT_SHOWN),
    ("11.2_m01_200.hdr", BODY_NOT_SHOWN),
    ("16.12.1.1_m01_INVITE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.1_m02_INVITE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.1_m03_INVITE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.1_m04_200.sip", NOTHING_OF_A_RESPONSE),
    ("16.12.1.1_m05_BYE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.1_m06_BYE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.2_m01_INVITE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.2_m02_BYE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.2_m03_BYE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.2_m04_BYE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.2_m05_BYE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.3_m01_INVITE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.3_m02_INVITE.sip", NOTHING_BUT_ROUTES),
    ("16.12.1.3_m03_200.sip", NOTHING_OF_A_RESPONSE),
    ("16.12.1.3_m04_200.sip", NOTHING_OF_A_RESPONSE),
    ("16.12.1.3_m05_BYE.sip", NOTHING_BUT_ROUTES),
    ("17.1.1.3_m01_INVITE.sip", &[NoContact]),
    ("18.2.1_m01_INVITE.sip", &[NoFrom, NoTo, NoCallId, NoCSeq, NoMaxForwards, OldBranch]),
    ("18.2.1_m02_INVITE.sip", &[NoFrom, NoTo, NoCallId, NoCSeq, NoMaxForwards, OldBranch]),
    ("20.18_m01_404.sip", NOTHING_OF_A_RESPONSE),
    ("21.4.23_m01_485.sip", NOTHING_OF_A_RESPONSE),
    ("22.1_m01_INVITE.sip", NOTHING_BUT_ROUTES),
    ("23.4.2_m01_INVITE.bad", &[BodyShort]),
    ("23.4.2_m02_INVITE.bad", &[BadFrom, BadTo, Excess]),
    ("23.4.3_m01_INVITE.bad", &[BodyShort]),
    ("24.2_F1_INVITE.hdr", BODY_NOT_SHOWN),
    ("24.2_F3_INVITE.hdr", BODY_NOT_SHOWN),
    ("24.2_F5_INVITE.hdr", BODY_NOT_SHOWN),
    ("24.2_F9_200.hdr", BODY_NOT_SHOWN),
    ("24.2_F10_200.hdr", BODY_NOT_SHOWN),
    ("24.2_F11_200.hdr", BODY_NOT_SHOWN),
];
