//! Every header value of the RFCs' own messages is read as its type and written back the same.

#[path = "support/vectors.rs"]
mod vectors;

use sansip::header::{self};
use sansip::wire::{Framing, Index, Name, Span, WireLimits, Writer, parse};

const SETS: [&str; 8] =
    ["rfc3665", "rfc3261", "rfc3515", "rfc3903", "rfc3891", "rfc6086", "rfc3581", "rfc4538"];

/// Fields that the RFCs print against their own grammar, or with a placeholder for a value; and two
/// where the next section's title has slipped into the vector.
const MISPRINTS: [(&str, Name); 9] = [
    ("rfc3665/2.5_F4_401.sip", Name::ContentLength),
    ("rfc3665/3.11_F14_ACK.sip", Name::ContentLength),
    ("rfc3665/2.1_F3_REGISTER.sip", Name::Authorization),
    ("rfc3261/23.3_m01_INVITE.sip", Name::ContentDisposition),
    ("rfc3261/22.1_m01_INVITE.sip", Name::Authorization),
    ("rfc3515/4.1_m01_REFER.sip", Name::ReferTo),
    ("rfc3515/4.2_m01_REFER.sip", Name::ReferTo),
    ("rfc3515/4.1_m03_NOTIFY.sip", Name::SubscriptionState),
    ("rfc3515/4.2_m03_NOTIFY.sip", Name::SubscriptionState),
];

fn squeezed(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|b| !b" \t\r\n<>".contains(b)).collect()
}

#[test]
fn values_of_complete_messages_survive_their_types() {
    let (mut values, mut messages) = (0, 0);
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).unwrap();
    for folder in SETS.iter().filter_map(|set| vectors::folder(set)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "sip") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let message = parse(&bytes, &limits, Framing::Datagram, &mut index).unwrap();
            messages += 1;
            for field in message.fields() {
                let value = message.text(field.value);
                let shown = format!("{} {:?} {}", path.display(), field.name, value.escape_ascii());
                let misprint =
                    |(file, name): &(&str, Name)| path.ends_with(file) && *name == field.name;
                let checked = header::check(field.name, value);
                if MISPRINTS.iter().any(misprint) {
                    assert!(checked.is_err(), "{shown}");
                    continue;
                }
                assert_eq!(checked, Ok(()), "{shown}");
                let once = rewritten(field.name, value, &shown);
                assert_eq!(squeezed(&once), squeezed(value), "{shown}");
                assert_eq!(rewritten(field.name, &once, &shown), once, "{shown}");
                values += 1;
            }
        }
    }
    assert!(messages == 0 || (messages > 240 && values > 1_800), "{messages} {values}");
}

fn rewritten(name: Name, value: &[u8], shown: &str) -> Vec<u8> {
    let mut buffer = vec![0; value.len() + 16];
    let mut out = Writer::new(&mut buffer);
    let whole = Span::new(0, value.len());
    header::rewrite(name, value, whole, &mut out.value(name))
        .unwrap_or_else(|e| panic!("{shown}: {e}"));
    out.written().to_vec()
}
