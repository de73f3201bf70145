//! Our own messages for each section of RFC 4475, written from what it says of them. The bytes are
//! in `tests/torture`, a file each.
#![allow(dead_code)]

/// The bytes of the message called `name`.
pub fn message(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/torture/{name}.dat", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The names of the messages, in the RFC's order.
pub const NAMES: [&str; 49] = [
    // 3.1.1.1: folds, compact forms, odd case, leading zeros, white space everywhere.
    "wsinv",
    // 3.1.1.2: the whole alphabet of tokens, user parts and words.
    "intmeth",
    // 3.1.1.3: escapes in user part and parameters.
    "esc01",
    // 3.1.1.4: escaped NULs.
    "escnull",
    // 3.1.1.5: escapes where they mean nothing.
    "esc02",
    // 3.1.1.6: no space before the angle bracket.
    "lwsdisp",
    // 3.1.1.7: long values, many Via.
    "longreq",
    // 3.1.1.8: another request behind the first, in one datagram.
    "dblreq",
    // 3.1.1.9: semicolons in the user part.
    "semiuri",
    // 3.1.1.10: known and unknown transports.
    "transports",
    // 3.1.1.11: a binary multipart body.
    "mpart01",
    // 3.1.1.12 and 3.1.1.13: reason phrases.
    "unreason",
    "noreason",
    // 3.1.2.1: empty parameters and values.
    "badinv01",
    // 3.1.2.2 and 3.1.2.3: Content-Length that lies.
    "clerr",
    "ncl",
    // 3.1.2.4 and 3.1.2.5: numbers that are too large.
    "scalar02",
    "scalarlg",
    // 3.1.2.6: a quote without end.
    "quotbal",
    // 3.1.2.7 to 3.1.2.11: start lines and request URIs.
    "ltgtruri",
    "lwsruri",
    "lwsstart",
    "trws",
    "escruri",
    // 3.1.2.12: a time zone that is not GMT.
    "baddate",
    // 3.1.2.13 to 3.1.2.15: names and addresses.
    "regbadct",
    "badaspec",
    "baddn",
    // 3.1.2.16: another version.
    "badvers",
    // 3.1.2.17 and 3.1.2.18: another method in CSeq.
    "mismatch01",
    "mismatch02",
    // 3.1.2.19: a status of ten digits.
    "bigcode",
    // 3.2.1: a branch that is nothing but the cookie.
    "badbranch",
    // 3.3.1: no From, To, Call-ID.
    "insuf",
    // 3.3.2 to 3.3.4: schemes.
    "unkscm",
    "novelsc",
    "unksm2",
    // 3.3.5 to 3.3.7: what other layers refuse.
    "bext01",
    "invut",
    "regaut01",
    // 3.3.8 and 3.3.9: fields that may appear once.
    "multi01",
    "mcl01",
    // 3.3.10: a Via that leads to everybody.
    "bcast",
    // 3.3.11 to 3.3.15.
    "zeromf",
    "cparam01",
    "cparam02",
    "regescrt",
    "sdp01",
    // 3.4.1: a caller of RFC 2543.
    "inv2543",
];
