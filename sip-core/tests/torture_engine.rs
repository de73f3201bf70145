//! RFC 4475 against whole engines: each of its 49 messages given to a phone, to a proxy and to a
//! registrar, as a datagram and on a connection, each to a fresh engine and all to one. What has to
//! come of it is what the RFC says, every alternative that it leaves open allowed.

#[path = "support/subject.rs"]
mod subject;
#[path = "support/torture.rs"]
mod torture;
#[path = "support/vectors.rs"]
mod vectors;

use std::collections::BTreeSet;

use sansip::header::Essentials;
use sansip::wire::message::MessageRef;
use subject::{Field, Sent, Subject, fields};

/// What may come of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    /// One final response of these.
    Is(&'static [u16]),
    /// It goes to the next hop, with nothing changed but what RFC 3261 16.6 says.
    Forward,
    /// Either of the two.
    ForwardOr(&'static [u16]),
    /// Nothing at all.
    Silence,
    /// Nothing, and the connection is closed when half a message has waited too long.
    Wait,
    /// The connection is closed, with or without one of these before.
    Close(&'static [u16]),
}
use Want::{Close, Forward, ForwardOr, Is, Silence, Wait};

/// Message; as phone; as proxy; as registrar and proxy. The clauses are sections of RFC 4475.
const TABLE: [(&str, Want, Want, Want); 49] = [
    // 3.1.1. The To of wsinv names no dialog of ours: RFC 3261 12.2.2 lets us say so.
    ("wsinv", Is(&[200, 481]), Forward, Forward),
    ("intmeth", Is(&[501]), ForwardOr(&[404]), ForwardOr(&[404])),
    ("esc01", Is(&[200]), Forward, Forward),
    ("escnull", Is(&[405]), Forward, Is(&[200])),
    ("esc02", Is(&[501]), ForwardOr(&[404]), ForwardOr(&[404])),
    ("lwsdisp", Is(&[200]), Forward, Forward),
    ("longreq", Is(&[200]), Forward, Forward),
    ("dblreq", Is(&[405]), Forward, Is(&[200])),
    ("semiuri", Is(&[200]), Forward, Forward),
    ("transports", Is(&[200]), Forward, Forward),
    ("mpart01", Is(&[200, 405, 415]), Forward, Forward),
    ("unreason", Silence, Silence, Silence),
    ("noreason", Silence, Silence, Silence),
    // 3.1.2
    ("badinv01", Is(&[400]), Is(&[400]), Is(&[400])),
    ("clerr", Is(&[400]), Is(&[400]), Is(&[400])),
    ("ncl", Is(&[400]), Is(&[400]), Is(&[400])),
    ("scalar02", Is(&[400]), Is(&[400]), Is(&[400])),
    ("scalarlg", Silence, Silence, Silence),
    ("quotbal", Is(&[400]), Is(&[400]), Is(&[400])),
    ("ltgtruri", Is(&[400, 200]), ForwardOr(&[400]), ForwardOr(&[400])),
    ("lwsruri", Is(&[400]), Is(&[400]), Is(&[400])),
    ("lwsstart", Is(&[400, 200]), ForwardOr(&[400]), ForwardOr(&[400])),
    ("trws", Is(&[400, 200]), ForwardOr(&[400]), ForwardOr(&[400])),
    ("escruri", Is(&[400, 200]), ForwardOr(&[400]), ForwardOr(&[400])),
    ("baddate", Is(&[200, 400]), Forward, Forward),
    ("regbadct", Is(&[400]), ForwardOr(&[400]), Is(&[400])),
    ("badaspec", Is(&[400]), Is(&[400]), Is(&[400])),
    ("baddn", Is(&[400]), Is(&[400]), Is(&[400])),
    ("badvers", Is(&[505]), Is(&[505]), Is(&[505])),
    ("mismatch01", Is(&[400]), Is(&[400]), Is(&[400])),
    ("mismatch02", Is(&[501, 400]), Is(&[501, 400]), Is(&[501, 400])),
    ("bigcode", Silence, Silence, Silence),
    // 3.2, 3.3
    ("badbranch", Is(&[400]), Is(&[400]), Is(&[400])),
    ("insuf", Is(&[400]), Is(&[400]), Is(&[400])),
    ("unkscm", Is(&[416]), Is(&[416]), Is(&[416])),
    ("novelsc", Is(&[416, 404]), Is(&[416, 404]), Is(&[416, 404])),
    ("unksm2", Is(&[405, 400]), Forward, Is(&[400])),
    ("bext01", Is(&[420]), Is(&[420]), Is(&[420])),
    ("invut", Is(&[415]), Forward, Forward),
    ("regaut01", Is(&[405]), Forward, Is(&[200, 401])),
    ("multi01", Is(&[400]), Is(&[400]), Is(&[400])),
    ("mcl01", Is(&[400]), Is(&[400]), Is(&[400])),
    ("bcast", Silence, Silence, Silence),
    ("zeromf", Is(&[200]), Is(&[483]), Is(&[483])),
    ("cparam01", Is(&[405]), Forward, Is(&[200])),
    ("cparam02", Is(&[405]), Forward, Is(&[200])),
    ("regescrt", Is(&[405]), Forward, Is(&[200])),
    ("sdp01", Is(&[406, 400]), Forward, Forward),
    // 3.4
    ("inv2543", Is(&[200]), Forward, Forward),
];

/// On a stream the framing decides first.
fn on_stream(name: &str, want: Want) -> Want {
    match name {
        "clerr" => Wait,
        "ncl" | "mcl01" => Close(&[400]),
        // RFC 3261 20.14: a stream needs Content-Length.
        "inv2543" => Close(&[400]),
        _ => want,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Phone,
    Proxy,
    Registrar,
}

/// Where the messages come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Corpus {
    Own,
    Rfc,
}

impl Corpus {
    /// The bytes of a message; `None` where the folder is not there.
    fn bytes(self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Own => Some(torture::message(name)),
            Self::Rfc => {
                let folder = vectors::folder("rfc4475")?;
                let mut bytes = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
                if name == "baddn" {
                    // The archive lacks the empty line at its end.
                    bytes.extend_from_slice(b"\r\n");
                }
                Some(bytes)
            }
        }
    }

    fn domain(self) -> &'static str {
        if self == Self::Own { "r.example" } else { "example.com" }
    }

    fn subject(self, role: Role) -> Subject {
        match role {
            Role::Phone => Subject::phone(),
            Role::Proxy => Subject::proxy(),
            Role::Registrar => Subject::registrar(&[self.domain()]),
        }
    }
}

/// What came of a message: answers to it, and copies that were forwarded.
struct Came {
    answers: Vec<Sent>,
    forwarded: Vec<Sent>,
    closed: bool,
}

/// Gives a message to the subject.
fn give(subject: &mut Subject, stream: bool, bytes: &[u8], want: Want) -> Came {
    subject.sent.clear();
    let calls = call_ids(bytes);
    let flow = stream.then(|| subject.open());
    match flow {
        Some(flow) => subject.tcp(flow, bytes),
        None => drop(subject.udp(bytes).unwrap()),
    }
    if want == Wait {
        assert!(!flow.is_some_and(|f| subject.closed.contains(&f)), "it waits for the rest");
        subject.run(33_000);
    }
    let ours = |s: &Sent| s.bytes.windows(8).any(|w| w == b"10.0.0.1");
    let mut came = Came {
        answers: Vec::new(),
        forwarded: Vec::new(),
        closed: flow.is_some_and(|f| subject.closed.contains(&f)),
    };
    for sent in subject.take() {
        // A second message in the same bytes has another Call-ID.
        let mine = calls.is_empty() || call_ids(&sent.bytes).iter().any(|c| calls.contains(c));
        match sent.status() {
            Some(100..=199) => {}
            Some(_) if mine => came.answers.push(sent),
            // The ACK of the next hop's 480 is no copy.
            None if mine && ours(&sent) && sent.method() != b"ACK" => came.forwarded.push(sent),
            _ => {}
        }
    }
    if let Some(flow) = flow {
        subject.end(flow);
    }
    came
}

fn call_ids(bytes: &[u8]) -> Vec<String> {
    fields(bytes).0.into_iter().filter(|f| f.name == "call-id").map(|f| f.value).collect()
}

fn statuses(came: &Came) -> Vec<u16> {
    came.answers.iter().filter_map(Sent::status).collect()
}

/// Why what came is not what was wanted.
fn miss(name: &str, bytes: &[u8], came: &Came, want: Want) -> Option<String> {
    let statuses = statuses(came);
    let one_of = |list: &[u16]| {
        matches!(&statuses[..], [s] if list.contains(s)) && came.forwarded.is_empty()
    };
    let forwarded = || came.forwarded.first().map(|f| changed(name, bytes, &f.bytes));
    let nothing = statuses.is_empty() && came.forwarded.is_empty();
    let good = match want {
        Is(list) => one_of(list),
        // The next hop's 480 comes back.
        Forward | ForwardOr(_) if !came.forwarded.is_empty() => {
            if let Some(Err(why)) = forwarded() {
                return Some(format!("{name}: {why}"));
            }
            statuses == [480] && came.forwarded.len() == 1
        }
        ForwardOr(list) => one_of(list),
        Forward => false,
        Silence => nothing,
        Wait => nothing && came.closed,
        Close(list) => came.closed && (nothing || one_of(list)),
    };
    let said = format!(
        "{name}: wanted {want:?}, came {statuses:?}, {} forwarded, closed {}",
        came.forwarded.len(),
        came.closed
    );
    (!good).then_some(said)
}

/// What a proxy may change (RFC 3261 16.6, RFC 5393 5.3).
const HOP: [&str; 6] =
    ["via", "route", "record-route", "max-forwards", "max-breadth", "content-length"];

/// Whether nothing else has changed: the other fields are there, in order and byte for byte, and so
/// is the body.
fn changed(name: &str, came: &[u8], left: &[u8]) -> Result<(), String> {
    let ((came_fields, came_body), (left_fields, left_body)) = (fields(came), fields(left));
    let kept = |all: &[Field]| -> Vec<Vec<u8>> {
        all.iter().filter(|f| !HOP.contains(&&*f.name)).map(|f| f.line.clone()).collect()
    };
    if kept(&came_fields) != kept(&left_fields) {
        return Err("header fields changed".into());
    }
    let length = came_fields.iter().find(|f| f.name == "content-length");
    let length = length.and_then(|f| f.value.parse().ok()).unwrap_or(came_body.len());
    if came_body.get(..length) != Some(left_body) {
        return Err("body changed".into());
    }
    let values = |all: &[Field], name: &str| -> String {
        let of = all.iter().filter(|f| f.name == name);
        of.map(|f| f.value.split_whitespace().collect::<String>()).collect::<Vec<_>>().join(",")
    };
    let (was, is) = (values(&came_fields, "via"), values(&left_fields, "via"));
    let (top, below) = is.split_once(',').unwrap_or((&is, ""));
    if !top.contains("10.0.0.1:5060;branch=z9hG4bK") {
        return Err(format!("top Via {top}"));
    }
    // Ours is on top, and `received` is added to the next.
    let below = below.replace(";received=10.0.0.9", "").replace(";rport=5060", ";rport");
    let below = below.replace(";rport=40000", ";rport");
    if below != was {
        return Err(format!("Via was {was}, is {below}"));
    }
    let hops = |all: &[Field]| values(all, "max-forwards").parse::<u32>().ok();
    match (hops(&came_fields), hops(&left_fields)) {
        (Some(was @ 1..=255), Some(is)) if is + 1 == was => {}
        (None, Some(70)) => {}
        other => return Err(format!("Max-Forwards {other:?}")),
    }
    start_line(name, came, left)
}

/// The request line stays, but where a strict router is next (RFC 3261 16.6 step 6).
fn start_line(name: &str, came: &[u8], left: &[u8]) -> Result<(), String> {
    let line = |b: &[u8]| {
        let end = b.windows(2).position(|w| w == b"\r\n").unwrap_or(b.len());
        String::from_utf8_lossy(&b[..end]).into_owned()
    };
    let (was, is) = (line(came), line(left));
    let strict = fields(came).0.iter().any(|f| f.name == "route" && !f.value.contains(";lr"));
    let want = match (name, strict) {
        ("mpart01", true) => "MESSAGE sip:127.0.0.1:5080 SIP/2.0".into(),
        _ => was,
    };
    if is == want { Ok(()) } else { Err(format!("start line {is}")) }
}

/// What the notes of the table ask of the answer, beyond its status. Every answer parses, and leads
/// back by the Vias of its request.
fn notes(name: &str, role: Role, bytes: &[u8], answer: &Sent) -> Result<(), String> {
    let m = MessageRef::lazy(&answer.bytes).ok_or("the answer does not parse")?;
    let e = Essentials::of(&m);
    if m.is_request() || e.via.is_none() && name != "badinv01" {
        return Err(format!("the answer is no response: {}", answer.text()));
    }
    let came = Sent { bytes: bytes.to_vec(), ..answer.clone() };
    if answer.all("via").len() != came.all("via").len() {
        return Err("the answer's Via fields are not those of the request".into());
    }
    let status = answer.status().unwrap_or(0);
    let allow = answer.one("Allow");
    let has = |wanted: &str| wanted.split(',').all(|w| allow.split(',').any(|a| a.trim() == w));
    if (status == 405 || name == "intmeth") && !has("INVITE,ACK,BYE,CANCEL,OPTIONS") {
        return Err(format!("Allow: {allow}"));
    }
    let (field, wanted): (&str, &[&str]) = match (name, role, status) {
        ("bext01", Role::Phone, _) => {
            ("Unsupported", &["nothingSupportsThis", "nothingSupportsThisEither"])
        }
        ("bext01", ..) => ("Unsupported", &["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]),
        ("invut", ..) => ("Accept", &["application/sdp"]),
        ("sdp01", _, 406) => ("Warning", &["399"]),
        _ => return Ok(()),
    };
    let value = answer.all(field).join(", ");
    let words: Vec<&str> = value.split([',', ' ']).collect();
    if wanted.iter().all(|w| words.contains(w)) { Ok(()) } else { Err(format!("{field}: {value}")) }
}

/// What makes two requests one transaction (RFC 3261 17.2.3).
fn transaction(bytes: &[u8]) -> Option<String> {
    let m = MessageRef::lazy(bytes)?;
    let via = Essentials::of(&m).via?;
    let text = |s| String::from_utf8_lossy(m.text(s)).into_owned();
    Some(format!("{:?} {} {} {}", m.method(), text(via.host), via.port, text(via.branch)))
}

/// One message given and judged.
fn one(
    subject: &mut Subject,
    role: Role,
    stream: bool,
    name: &str,
    bytes: &[u8],
    want: Want,
) -> Option<String> {
    let want = if stream { on_stream(name, want) } else { want };
    let came = give(subject, stream, bytes, want);
    subject.ping();
    miss(name, bytes, &came, want).or_else(|| {
        let told = came.answers.first().filter(|a| a.status() != Some(480));
        let why = told.and_then(|a| notes(name, role, bytes, a).err());
        why.map(|why| format!("{name}: {why}"))
    })
}

/// All messages, each to a fresh engine, or all to one.
fn run(corpus: Corpus, role: Role, stream: bool, cold: bool) {
    let mut subject = corpus.subject(role);
    let (mut seen, mut misses, mut later) = (BTreeSet::new(), Vec::new(), Vec::new());
    for (name, phone, proxy, registrar) in TABLE {
        let Some(bytes) = corpus.bytes(name) else { return };
        let want = match role {
            Role::Phone => phone,
            Role::Proxy => proxy,
            Role::Registrar => registrar,
        };
        if cold {
            subject.finish();
            subject = corpus.subject(role);
        } else if !stream && transaction(&bytes).is_some_and(|key| !seen.insert(key)) {
            // As a datagram it would be a repetition, until the first one's transaction is gone.
            later.push((name, bytes, want));
            continue;
        }
        misses.extend(one(&mut subject, role, stream, name, &bytes, want));
    }
    for (name, bytes, want) in later {
        subject.run(65_000);
        misses.extend(one(&mut subject, role, stream, name, &bytes, want));
    }
    subject.finish();
    assert!(
        misses.is_empty(),
        "{corpus:?} {role:?} {}/49\n{}",
        49 - misses.len(),
        misses.join("\n")
    );
}

macro_rules! runs {
    ($($name:ident: $corpus:ident $role:ident $stream:literal $cold:literal;)*) => {
        $(#[test] fn $name() { run(Corpus::$corpus, Role::$role, $stream, $cold); })*
    };
}

runs! {
    own_phone_udp_cold: Own Phone false true;
    own_phone_udp_continuous: Own Phone false false;
    own_phone_tcp_cold: Own Phone true true;
    own_phone_tcp_continuous: Own Phone true false;
    own_proxy_udp_cold: Own Proxy false true;
    own_proxy_udp_continuous: Own Proxy false false;
    own_proxy_tcp_cold: Own Proxy true true;
    own_proxy_tcp_continuous: Own Proxy true false;
    own_registrar_udp_cold: Own Registrar false true;
    own_registrar_udp_continuous: Own Registrar false false;
    own_registrar_tcp_cold: Own Registrar true true;
    own_registrar_tcp_continuous: Own Registrar true false;
    rfc_phone_udp_cold: Rfc Phone false true;
    rfc_phone_udp_continuous: Rfc Phone false false;
    rfc_phone_tcp_cold: Rfc Phone true true;
    rfc_phone_tcp_continuous: Rfc Phone true false;
    rfc_proxy_udp_cold: Rfc Proxy false true;
    rfc_proxy_udp_continuous: Rfc Proxy false false;
    rfc_proxy_tcp_cold: Rfc Proxy true true;
    rfc_proxy_tcp_continuous: Rfc Proxy true false;
    rfc_registrar_udp_cold: Rfc Registrar false true;
    rfc_registrar_udp_continuous: Rfc Registrar false false;
    rfc_registrar_tcp_cold: Rfc Registrar true true;
    rfc_registrar_tcp_continuous: Rfc Registrar true false;
}

#[test]
fn the_table_has_the_messages_of_the_rfc() {
    assert_eq!(TABLE.map(|row| row.0), torture::NAMES);
    let Some(folder) = vectors::folder("rfc4475") else { return };
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let files = index.lines().skip(1).filter_map(|l| l.split_once(".dat"));
    let listed: Vec<&str> = files.map(|(name, _)| name).filter(|n| *n != "test").collect();
    assert_eq!(listed, torture::NAMES);
}
