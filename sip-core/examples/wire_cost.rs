//! Runs one operation of the wire layer N times, to be counted under `valgrind --tool=callgrind`:
//! the slope between two N is the cost of one.
//!
//! `wire_cost index|typed|response|edit FILE N`, or with `worst:FAMILY:BYTES` in place of FILE a
//! hostile message of so many bytes; `wire_cost families - 0` lists the families.

use std::hint::black_box;

use sansip::header::Essentials;
use sansip::wire::{
    Framing, Index, Name, ResponseParts, Role, WireLimits, edit, judge, parse, response,
};

/// Header fields that are meant to cost much: a name, what is repeated, and what it begins with.
const FAMILIES: &[(&str, &str, &str)] = &[
    ("fold", "Subject: a", "\r\n b"),
    ("fold-to", "To: <sip:a@b>", "\r\n ;x"),
    ("space", "Subject: a", " "),
    ("space-to", "To: a", " "),
    ("space-colon", "Subject", " "),
    ("comma-contact", "Contact: <sip:a@b>", ",<sip:a@b>"),
    ("comma-empty", "Contact: ", ","),
    ("comma-via", "Via: SIP/2.0/UDP a", ",SIP/2.0/UDP b"),
    ("comma-route", "Route: <sip:a;lr>", ", <sip:b;lr>"),
    ("comma-allow", "Allow: A", ",A"),
    ("quote", "To: ", "\""),
    ("quote-pair", "To: ", "\"\" "),
    ("quote-escape", "To: \"", "\\\""),
    ("quote-backslash", "To: \"", "\\\\"),
    ("quote-contact", "Contact: ", "\","),
    ("angle", "To: ", "<"),
    ("angle-contact", "Contact: ", "<>,"),
    ("param-to", "To: <sip:a@b>", ";a=b"),
    ("param-empty", "To: <sip:a@b>", ";"),
    ("param-quoted", "To: <sip:a@b>", ";a=\"b\""),
    ("param-via", "Via: SIP/2.0/UDP a", ";a=b"),
    ("param-uri", "To: <sip:a@b", ";a=b"),
    ("param-tag", "To: <sip:a@b>", ";tag=b"),
    ("param-branch", "Via: SIP/2.0/UDP a", ";branch=b"),
    ("param-received", "Via: SIP/2.0/UDP a", ";received=b"),
    ("user", "To: <sip:", "a"),
    ("user-colon", "To: <sip:", "a:"),
    ("user-at", "To: <sip:", "a@"),
    ("escape", "To: <sip:", "%41"),
    ("escape-bare", "To: sip:", "%"),
    ("host", "To: <sip:a@", "b."),
    ("host-six", "To: <sip:a@[", "a:"),
    ("uri-header", "To: <sip:a@b?", "a=b&"),
    ("display", "To: ", "a "),
    ("display-utf8", "To: ", "\u{e9}"),
    ("call-id", "Call-ID: ", "a@"),
    ("cseq", "CSeq: ", "0"),
    ("length", "Content-Length: ", "0"),
    ("lines", "", "x\r\n"),
    ("fields", "", "x:\r\n"),
    ("vias", "", "v:SIP/2.0/UDP a\r\n"),
    ("tos", "", "t:<sip:a@b>\r\n"),
    ("lengths", "", "l:0\r\n"),
    ("contacts", "", "m:<sip:a@b>\r\n"),
    ("bare-lf", "", "x:\n"),
    ("controls", "Subject: ", "\u{1}"),
    ("tabs", "Subject: a", "\t"),
    ("semicolons", "Subject: ", ";"),
];

fn hostile(family: &str, size: usize) -> Vec<u8> {
    let found = FAMILIES.iter().find(|f| f.0 == family);
    let &(_, start, unit) = found.expect("a family");
    let mut text = String::from("OPTIONS sip:bob@far.example SIP/2.0\r\n");
    for (name, line) in [
        ("Via: ", "Via: SIP/2.0/UDP h.example;branch=z9hG4bK1\r\n"),
        ("To: ", "To: <sip:bob@far.example>\r\n"),
        ("From: ", "From: <sip:al@near.example>;tag=f\r\n"),
        ("Call-ID: ", "Call-ID: c@h.example\r\n"),
        ("CSeq: ", "CSeq: 1 OPTIONS\r\n"),
    ] {
        if !start.starts_with(name) {
            text += line;
        }
    }
    text += start;
    let room = size.saturating_sub(text.len() + 4);
    text += &unit.repeat(room / unit.len());
    text += "\r\n\r\n";
    text.into_bytes()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, what, file, n] = &args[..] else { panic!("wire_cost OPERATION FILE N") };
    if what == "families" {
        FAMILIES.iter().for_each(|f| println!("{}", f.0));
        return;
    }
    let message = match file.split(':').collect::<Vec<_>>()[..] {
        ["worst", family, size] => hostile(family, size.parse().expect("a size")),
        _ => std::fs::read(file).expect("a file"),
    };
    let n: u32 = n.parse().expect("a number");
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).expect("memory");
    let mut out = vec![0; 70_000];
    let mut sum = 0usize;
    let stamp = ResponseParts {
        to_tag: Some(b"a6c85cf"),
        via_received: Some(b"192.0.2.101"),
        via_rport: Some(5060),
        record_route: true,
        contact: Some(b"<sip:bob@192.0.2.4>"),
        ..Default::default()
    };
    let bytes = &message[..];
    if what == "response" || what == "edit" {
        let m = parse(bytes, &limits, Framing::Datagram, &mut index).expect("a message");
        let e = Essentials::of(&m);
        let stamp = ResponseParts { via: e.via.as_ref(), ..stamp };
        for _ in 0..n {
            let m = black_box(&m);
            let done = if what == "response" {
                response(&mut out, m, 200, None, &stamp)
            } else {
                forward(m, &mut out)
            };
            sum = sum.wrapping_add(black_box(done).expect("room"));
        }
        println!("{}", String::from_utf8_lossy(&out[..sum / n.max(1) as usize]));
        return;
    }
    for _ in 0..n {
        let bytes = black_box(bytes);
        let m = parse(bytes, &limits, Framing::Datagram, &mut index).expect("a message");
        sum = sum.wrapping_add(match what.as_str() {
            "index" => m.body().len(),
            "typed" => {
                let e = Essentials::of(&m);
                black_box(&e).via.map_or(0, |v| usize::from(v.branch.len))
            }
            // All that a refused message goes through.
            "refuse" => {
                let e = Essentials::of(&m);
                black_box(judge(Role::UserAgent, &m, &e));
                response(&mut out, &m, 400, None, &stamp).unwrap_or(0)
            }
            other => panic!("{other}?"),
        });
    }
    eprintln!("{what} {sum} Essentials {} bytes", size_of::<Essentials>());
}

/// What a proxy does to a request it forwards.
fn forward(
    m: &sansip::wire::MessageRef<'_>,
    out: &mut [u8],
) -> Result<usize, sansip::wire::WriteError> {
    let hops = m.header_span(Name::MaxForwards).unwrap_or_default();
    let via = b"Via: SIP/2.0/UDP proxy.example.com;branch=z9hG4bK87asdks7\r\n";
    let route = b"Record-Route: <sip:proxy.example.com;lr>\r\n";
    let edits = [
        edit::Edit::Replace { span: m.request_uri_span(), with: b"sip:bob@192.0.2.4" },
        edit::Edit::Insert { at: edit::before_first(m, Name::Via), text: via },
        edit::Edit::Insert { at: edit::before_first(m, Name::Via), text: route },
        edit::Edit::Replace { span: hops, with: b"69" },
    ];
    edit::apply(m.bytes(), &edits, out)
}
