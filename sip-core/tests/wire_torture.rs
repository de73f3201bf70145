//! RFC 4475 at the parse layer: what each role does with each message by its defects alone.

#[path = "support/torture.rs"]
mod torture;
#[path = "support/vectors.rs"]
mod vectors;

use sansip::header::Essentials;
use sansip::wire::Verdict::{Accept, Answer, Drop};
use sansip::wire::{DefectKind, Framing, Index, Role, Verdict, WireLimits, judge, parse};

const LIST: &[(&str, Verdict, Verdict, Verdict)] = &[
    // message, user agent, proxy, registrar
    ("wsinv", Accept, Accept, Accept),
    ("intmeth", Accept, Accept, Accept),
    ("esc01", Accept, Accept, Accept),
    ("escnull", Accept, Accept, Accept),
    ("esc02", Accept, Accept, Accept),
    ("lwsdisp", Accept, Accept, Accept),
    ("longreq", Accept, Accept, Accept),
    ("dblreq", Accept, Accept, Accept),
    ("semiuri", Accept, Accept, Accept),
    ("transports", Accept, Accept, Accept),
    ("mpart01", Accept, Accept, Accept),
    ("unreason", Accept, Accept, Accept),
    ("noreason", Accept, Accept, Accept),
    ("badinv01", Answer(400), Answer(400), Answer(400)),
    ("clerr", Answer(400), Answer(400), Answer(400)),
    ("ncl", Answer(400), Answer(400), Answer(400)),
    ("scalar02", Answer(400), Answer(400), Answer(400)),
    ("scalarlg", Drop, Drop, Drop),
    ("quotbal", Answer(400), Answer(400), Answer(400)),
    ("ltgtruri", Answer(400), Answer(400), Answer(400)),
    ("lwsruri", Answer(400), Answer(400), Answer(400)),
    ("lwsstart", Answer(400), Answer(400), Answer(400)),
    ("trws", Answer(400), Answer(400), Answer(400)),
    ("escruri", Answer(400), Answer(400), Answer(400)),
    ("baddate", Accept, Accept, Accept),
    ("regbadct", Answer(400), Accept, Answer(400)),
    ("badaspec", Answer(400), Answer(400), Answer(400)),
    ("baddn", Answer(400), Answer(400), Answer(400)),
    ("badvers", Answer(505), Answer(505), Answer(505)),
    ("mismatch01", Answer(400), Answer(400), Answer(400)),
    ("mismatch02", Answer(501), Answer(501), Answer(501)),
    ("bigcode", Drop, Drop, Drop),
    ("badbranch", Answer(400), Answer(400), Answer(400)),
    ("insuf", Answer(400), Answer(400), Answer(400)),
    ("unkscm", Answer(416), Answer(416), Answer(416)),
    ("novelsc", Answer(416), Answer(416), Answer(416)),
    ("unksm2", Accept, Accept, Answer(400)),
    ("bext01", Accept, Accept, Accept),
    ("invut", Accept, Accept, Accept),
    ("regaut01", Accept, Accept, Accept),
    ("multi01", Answer(400), Answer(400), Answer(400)),
    ("mcl01", Answer(400), Answer(400), Answer(400)),
    // Where its second Via leads is for the layer that forwards it to see.
    ("bcast", Accept, Accept, Accept),
    ("zeromf", Accept, Accept, Accept),
    ("cparam01", Accept, Accept, Accept),
    ("cparam02", Accept, Accept, Accept),
    ("regescrt", Accept, Accept, Accept),
    ("sdp01", Accept, Accept, Accept),
    ("inv2543", Accept, Accept, Accept),
];

/// Judges the message of each row that `bytes` gives, in the three roles.
fn judge_all(bytes: impl Fn(&str) -> Vec<u8>) {
    let names: Vec<&str> = LIST.iter().map(|row| row.0).collect();
    assert_eq!(names, torture::NAMES);
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    let mut wrong = Vec::new();
    for &(name, ua, proxy, registrar) in LIST {
        let bytes = bytes(name);
        let m = parse(&bytes, &limits, Framing::Datagram, &mut index).unwrap();
        let e = Essentials::of(&m);
        let got = [Role::UserAgent, Role::Proxy, Role::Registrar].map(|role| judge(role, &m, &e));
        if got != [ua, proxy, registrar] {
            let defects: Vec<_> = m.defects().chain(e.defects()).collect();
            wrong.push(format!("{name}: {got:?} for {defects:?}"));
        }
        assert_eq!(judge(Role::Tool, &m, &e), Accept, "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn our_messages_are_judged_as_the_table_says() {
    judge_all(torture::message);
}

#[test]
fn the_messages_of_the_rfc_are_judged_as_the_table_says() {
    let Some(folder) = vectors::folder("rfc4475") else { return };
    judge_all(|name| {
        let mut bytes = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
        if name == "baddn" {
            // The archive lacks the empty line at its end.
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    });
}

#[test]
fn an_unterminated_header_section_is_a_defect() {
    let Some(folder) = vectors::folder("rfc4475") else { return };
    let bytes = std::fs::read(folder.join("baddn.dat")).unwrap();
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    let m = parse(&bytes, &limits, Framing::Datagram, &mut index).unwrap();
    assert!(m.kinds().has(DefectKind::NoHeaderEnd));
}
