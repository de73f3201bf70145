//! The messages of RFC 4475 at a proxy and at a registrar, as datagrams: each in a fresh engine and
//! all in one.

#[path = "support/hop.rs"]
mod hop;
#[path = "support/vectors.rs"]
mod vectors;

use std::path::Path as FilePath;

use hop::{Hop, Routes, config};
use sansip::Limits;

/// What may come of a message.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// It goes on, with nothing changed but what RFC 3261 16.6 says.
    Forward,
    /// One of these answers.
    Answer(&'static [&'static str]),
    /// Nothing at all.
    Silence,
}
use Want::{Answer, Forward, Silence};

const AS_PROXY: [(&str, Want); 49] = [
    ("wsinv", Forward),
    ("intmeth", Forward),
    ("esc01", Forward),
    ("escnull", Forward),
    ("esc02", Forward),
    ("lwsdisp", Forward),
    ("longreq", Forward),
    ("dblreq", Forward),
    ("semiuri", Forward),
    ("transports", Forward),
    ("mpart01", Forward),
    ("unreason", Silence),
    ("noreason", Silence),
    ("badinv01", Answer(&["400"])),
    ("clerr", Answer(&["400"])),
    ("ncl", Answer(&["400"])),
    ("scalar02", Answer(&["400"])),
    ("scalarlg", Silence),
    ("quotbal", Answer(&["400"])),
    ("ltgtruri", Answer(&["400"])),
    ("lwsruri", Answer(&["400"])),
    ("lwsstart", Answer(&["400"])),
    ("trws", Answer(&["400"])),
    ("escruri", Answer(&["400"])),
    ("baddate", Forward),
    ("regbadct", Forward),
    ("badaspec", Answer(&["400"])),
    ("baddn", Answer(&["400"])),
    ("badvers", Answer(&["505"])),
    ("mismatch01", Answer(&["400"])),
    ("mismatch02", Answer(&["501", "400"])),
    ("bigcode", Silence),
    ("badbranch", Answer(&["400"])),
    ("insuf", Answer(&["400"])),
    ("unkscm", Answer(&["416"])),
    ("novelsc", Answer(&["416", "404"])),
    ("unksm2", Forward),
    ("bext01", Answer(&["420"])),
    ("invut", Forward),
    ("regaut01", Forward),
    ("multi01", Answer(&["400"])),
    ("mcl01", Answer(&["400"])),
    ("bcast", Silence),
    ("zeromf", Answer(&["483"])),
    ("cparam01", Forward),
    ("cparam02", Forward),
    ("regescrt", Forward),
    ("sdp01", Forward),
    ("inv2543", Forward),
];

fn proxy() -> Hop {
    let mut config = config();
    config.roles.registrar = false;
    config.domains.clear();
    let mut hop = Hop::with(config, &Limits::TESTER);
    hop.routes = Routes::To(vec![("".into(), "sip:10.0.0.2".into(), 0)]);
    hop.dns = Some(2);
    hop
}

fn check(hop: &mut Hop, folder: &FilePath, name: &str, want: Want) {
    let bytes = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
    hop.receive_bytes(1, &bytes);
    let sent = hop.take();
    match want {
        Silence => assert_eq!(sent, [], "{name}"),
        Answer(allowed) => {
            assert_eq!(sent.len(), 1, "{name} {sent:?}");
            assert!(allowed.contains(&sent[0].start()), "{name} {}", sent[0].text);
            assert_ne!(sent[0].to, 2);
        }
        Forward => {
            assert_eq!(sent.len(), 1, "{name} {sent:?}");
            if name == "mpart01" {
                // Its Route is a strict router's (RFC 3261 16.6 step 6), 127.0.0.1.
                let (uri, route) = (b"sip:kumiko@example.org", b"sip:127.0.0.1:5080");
                let plain = |b: &[u8]| replaced(b, uri, route);
                assert!(sent[0].bytes.starts_with(b"MESSAGE sip:127.0.0.1:5080 SIP/2.0\r\n"));
                assert_eq!(sent[0].one("Route"), "<sip:kumiko@example.org>");
                return same_but_for_the_hop(name, &plain(&bytes), &plain(&sent[0].bytes));
            }
            assert_eq!(sent[0].to, 2, "{name} {}", sent[0].text);
            same_but_for_the_hop(name, &bytes, &sent[0].bytes);
        }
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|w| w == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Every line of what came is in what left, in order and byte for byte, but for Max-Forwards and
/// the marks in the top Via.
fn same_but_for_the_hop(name: &str, came: &[u8], left: &[u8]) {
    let split =
        |b: &[u8]| -> Vec<Vec<u8>> { b.split(|c| *c == b'\n').map(<[u8]>::to_vec).collect() };
    let ours = |line: &[u8]| {
        let text = String::from_utf8_lossy(line).to_ascii_lowercase();
        text.starts_with("max-forwards")
            || text.starts_with("max-breadth")
            || text.starts_with("via: sip/2.0/udp 10.0.0.100")
            || text.starts_with("record-route: <sip:10.0.0.100")
    };
    let (came, left) = (split(came), split(left));
    let mut left = left.iter().filter(|l| !ours(l));
    for line in came.iter().filter(|l| !ours(l)) {
        let Some(got) = left.next() else {
            assert_eq!(name, "dblreq", "{name} ends early");
            return;
        };
        let got = String::from_utf8_lossy(got);
        let line = String::from_utf8_lossy(line);
        let marked = got.contains(";received=") && got.starts_with(line.trim_end());
        assert!(got == line || marked, "{name}\n{line}\n{got}");
        if name == "dblreq" && line == "\r" {
            assert_eq!(left.next().map(Vec::len), Some(0), "the second message stays behind");
            return;
        }
    }
    assert_eq!(left.next(), None, "{name}");
}

#[test]
fn each_alone_at_a_proxy() {
    let Some(folder) = vectors::folder("rfc4475") else { return };
    for (name, want) in AS_PROXY {
        let mut hop = proxy();
        check(&mut hop, &folder, name, want);
        hop.finish();
    }
}

#[test]
fn all_at_one_proxy() {
    let Some(folder) = vectors::folder("rfc4475") else { return };
    let mut hop = proxy();
    for (name, want) in AS_PROXY {
        check(&mut hop, &folder, name, want);
    }
    hop.finish();
}

/// What the registrar answers to those that are REGISTERs, and the Contacts of a 200.
const AS_REGISTRAR: [(&str, &str, &[&str]); 8] = [
    (
        "escnull",
        "200",
        &[
            "<sip:%00@host5.example.com>;expires=3600",
            "<sip:%00%00@host5.example.com>;expires=3600",
        ],
    ),
    ("dblreq", "200", &["<sip:j.user@host.example.com>;expires=3600"]),
    ("regbadct", "400", &[]),
    ("unksm2", "400", &[]),
    ("regaut01", "200", &[]),
    ("cparam01", "200", &["<sip:+19725552222@gw1.example.net>;unknownparam;expires=3600"]),
    ("cparam02", "200", &["<sip:+19725552222@gw1.example.net;unknownparam>;expires=3600"]),
    ("regescrt", "200", &["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>;expires=3600"]),
];

#[test]
fn the_registers_at_a_registrar() {
    let Some(folder) = vectors::folder("rfc4475") else { return };
    let mut one = Hop::new();
    for (name, status, contacts) in AS_REGISTRAR {
        let bytes = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
        let mut alone = Hop::new();
        for hop in [&mut alone, &mut one] {
            hop.receive_bytes(1, &bytes);
            let sent = hop.take();
            assert_eq!(sent.len(), 1, "{name}");
            assert_eq!(sent[0].start(), status, "{name} {}", sent[0].text);
            let shown = sent[0].all("Contact").join(", ");
            for contact in contacts {
                assert!(shown.contains(contact), "{name} {shown}");
            }
        }
        alone.finish();
    }
    one.finish();
}
