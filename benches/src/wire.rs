//! Parsing, answering, printing and forwarding one message.

use std::hint::black_box;

use sansip::header::{Essentials, NameAddr, Via, check_at};
use sansip::wire::scan::Cursor;
use sansip::wire::{
    Edit, Framing, Index, MessageRef, Name, ResponseParts, Role, Verdict, WireLimits, WriteError,
    Writer, edit, judge, parse, response,
};

use crate::Work;
use crate::messages::{self, Plain};

/// What is done with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Start line, every header field named and located, framing.
    Index,
    /// That, and what every layer needs: request URI, top Via, From, To, Call-ID, CSeq, Contact,
    /// top Route, Max-Forwards, Content-Length.
    Typed,
    /// That, and every other Via, Route and Record-Route: what the peers' full parse gives.
    TypedSet,
    /// The index, and the typed value of every header field that there is.
    TypedAll,
    /// A 200 from an indexed request, with a tag, `received`, `rport` and Contact.
    Response,
    /// An indexed message written anew, field by field.
    Print,
    /// An indexed request with the edits of a record-routing proxy.
    Forward,
    /// All of a stateless proxy: index, typed values, judgement, edits.
    ForwardAll,
}

const OPERATIONS: [(&str, Operation); 8] = [
    ("index", Operation::Index),
    ("typed", Operation::Typed),
    ("typed-set", Operation::TypedSet),
    ("typed-all", Operation::TypedAll),
    ("response", Operation::Response),
    ("print", Operation::Print),
    ("forward", Operation::Forward),
    ("forward-all", Operation::ForwardAll),
];

/// The work `OPERATION/MESSAGE`.
#[must_use]
pub fn work(name: &str) -> Option<Box<dyn Work>> {
    let (operation, message) = name.split_once('/')?;
    let operation = OPERATIONS.iter().find(|o| o.0 == operation)?.1;
    let limits = WireLimits::default();
    Some(Box::new(Wire {
        bytes: messages::load(message)?,
        operation,
        limits,
        index: Index::new(&limits).ok()?,
        out: vec![0; 4_096],
    }))
}

struct Wire {
    bytes: Vec<u8>,
    operation: Operation,
    limits: WireLimits,
    index: Index,
    out: Vec<u8>,
}

impl Work for Wire {
    fn check(&mut self) {
        let plain = Plain::of(&self.bytes);
        let m = parse(&self.bytes, &self.limits, Framing::Datagram, &mut self.index)
            .expect("a message");
        let e = Essentials::of(&m);
        assert!(m.kinds().is_empty() && e.kinds().is_empty(), "defects");
        match self.operation {
            Operation::Index => check_index(&m, &plain),
            Operation::Typed => check_typed(&m, &e, &plain),
            Operation::TypedSet => {
                check_typed(&m, &e, &plain);
                let names = ["Via", "Route", "Record-Route"];
                let all: usize = names.iter().map(|n| plain.values(n).count()).sum();
                assert_eq!(typed_set(&m, &e), all);
            }
            Operation::TypedAll => assert_eq!(typed_all(&m), plain.fields.len()),
            Operation::Response => {
                let n = answer(&m, &e, &mut self.out).expect("room");
                check_answer(&self.out[..n], &plain);
            }
            Operation::Print => {
                let n = print(&m, &mut self.out).expect("room");
                let again = Plain::of(&self.out[..n]);
                assert_eq!(again.start, plain.start);
                assert_eq!(again.fields, plain.fields);
                assert_eq!(again.body, plain.body);
            }
            Operation::Forward | Operation::ForwardAll => {
                let n = forward(&m, &mut self.out).expect("room");
                check_forwarded(&self.out[..n], &plain);
            }
        }
    }

    fn run(&mut self, n: u32) {
        let Self { bytes, operation, limits, index, out } = self;
        let from_bytes = matches!(
            operation,
            Operation::Index
                | Operation::Typed
                | Operation::TypedSet
                | Operation::TypedAll
                | Operation::ForwardAll
        );
        if from_bytes {
            for _ in 0..n {
                let m = parse(black_box(bytes), limits, Framing::Datagram, index);
                let m = m.expect("a message");
                match operation {
                    Operation::Index => drop(black_box(m.body().len())),
                    Operation::Typed => drop(black_box(Essentials::of(&m))),
                    Operation::TypedSet => {
                        let e = Essentials::of(&m);
                        black_box(typed_set(&m, black_box(&e)));
                    }
                    Operation::TypedAll => drop(black_box(typed_all(&m))),
                    _ => {
                        let e = Essentials::of(&m);
                        assert!(judge(Role::Proxy, &m, black_box(&e)) == Verdict::Accept);
                        black_box(forward(&m, out).expect("room"));
                    }
                }
            }
            return;
        }
        let m = parse(bytes, limits, Framing::Datagram, index).expect("a message");
        let e = Essentials::of(&m);
        for _ in 0..n {
            let m = black_box(&m);
            let done = match operation {
                Operation::Response => answer(m, black_box(&e), out),
                Operation::Print => print(m, out),
                _ => forward(m, out),
            };
            black_box(done.expect("room"));
        }
    }
}

/// How many values there are in Via, Route and Record-Route, each of them read; the top Via and the
/// top Route have been.
fn typed_set(m: &MessageRef<'_>, e: &Essentials) -> usize {
    let (mut via, mut route) = (e.via.map(|v| v.whole), e.route.map(|r| r.whole));
    let mut found = 0;
    for field in m.fields() {
        let mut c = Cursor::new(m.bytes(), field.value);
        let read = match field.name {
            Name::Via => via.take(),
            Name::Route => route.take(),
            Name::RecordRoute => None,
            _ => continue,
        };
        let mut more = true;
        if let Some(whole) = read {
            c.at = whole.end();
            found += 1;
            more = c.eat(b',');
        }
        while more {
            if field.name == Name::Via {
                black_box(Via::next(&mut c).expect("a Via"));
            } else {
                black_box(NameAddr::next(&mut c).expect("a route"));
            }
            found += 1;
            more = c.eat(b',');
        }
    }
    found
}

/// How many fields are by their grammar, each value of them read.
fn typed_all(m: &MessageRef<'_>) -> usize {
    m.fields().filter(|f| check_at(f.name, m.bytes(), f.value).is_ok()).count()
}

fn answer(m: &MessageRef<'_>, e: &Essentials, out: &mut [u8]) -> Result<usize, WriteError> {
    let parts = ResponseParts {
        to_tag: Some(b"a6c85cf"),
        via_received: Some(b"192.0.2.101"),
        via_rport: Some(5060),
        via: e.via.as_ref(),
        to: e.to.as_ref(),
        record_route: true,
        contact: Some(b"<sip:li@192.0.2.4>"),
        ..ResponseParts::default()
    };
    response(out, m, 200, None, &parts)
}

fn print(m: &MessageRef<'_>, out: &mut [u8]) -> Result<usize, WriteError> {
    let mut w = Writer::new(out);
    if m.is_request() {
        w.request_line(m.method_text(), m.request_uri())?;
    } else {
        w.status_line(m.status(), m.reason())?;
    }
    let mut content_type: &[u8] = b"";
    for field in m.fields() {
        match field.name {
            Name::ContentLength => {}
            Name::ContentType => content_type = m.text(field.value),
            _ => w.copy(m, &field)?,
        }
    }
    match m.body() {
        [] => w.end(),
        body => w.body(content_type, body),
    }
}

/// RFC 3261 16.6: a new Request-URI, one hop less, Record-Route and Via.
fn forward(m: &MessageRef<'_>, out: &mut [u8]) -> Result<usize, WriteError> {
    let top = edit::before_first(m, Name::Via);
    let hops = m.header_span(Name::MaxForwards).unwrap_or_default();
    let mut edits = [
        Edit::Replace { span: m.request_uri_span(), with: b"sip:li@192.0.2.4" },
        Edit::Insert { at: top, text: b"Record-Route: <sip:proxy.example.com;lr>\r\n" },
        Edit::Insert { at: top, text: VIA },
        Edit::Replace { span: hops, with: b"69" },
    ];
    edit::sort(&mut edits);
    edit::apply(m.bytes(), &edits, out)
}

const VIA: &[u8] = b"Via: SIP/2.0/UDP proxy.example.com;branch=z9hG4bK87asdks7.1\r\n";

fn check_index(m: &MessageRef<'_>, plain: &Plain<'_>) {
    assert_eq!(m.fields().count(), plain.fields.len());
    for (field, (name, value)) in m.fields().zip(&plain.fields) {
        assert_eq!(field.name, Name::of(name.as_bytes()));
        assert_eq!(m.text(field.value), value.as_bytes());
    }
    assert_eq!(m.body(), plain.body.as_bytes());
}

fn check_typed(m: &MessageRef<'_>, e: &Essentials, plain: &Plain<'_>) {
    let text = |span| std::str::from_utf8(m.text(span)).expect("text");
    let via = e.via.expect("a Via");
    assert_eq!(text(via.branch), Plain::param(plain.value("Via"), "branch"));
    let (from, to) = (e.from.expect("From"), e.to.expect("To"));
    assert_eq!(text(from.tag), Plain::param(plain.value("From"), "tag"));
    assert_eq!(text(to.tag), Plain::param(plain.value("To"), "tag"));
    assert!(plain.value("From").contains(text(from.uri_text)) && !from.uri_text.is_empty());
    assert_eq!(text(e.call_id), plain.value("Call-ID"));
    let cseq = e.cseq.expect("CSeq");
    assert_eq!(format!("{} {}", cseq.number, text(cseq.method_text)), plain.value("CSeq"));
    let contact = plain.values("Contact").next();
    assert_eq!(e.contact.map(|c| text(c.whole)), contact);
    if let Some(uri) = e.uri {
        let host = text(uri.host);
        assert!(!host.is_empty() && plain.start.contains(host));
    }
    assert_eq!(e.content_length, plain.value("Content-Length").parse().ok());
}

fn check_answer(out: &[u8], plain: &Plain<'_>) {
    let got = Plain::of(out);
    assert_eq!(got.start, "SIP/2.0 200 OK");
    for name in ["From", "Call-ID", "CSeq"] {
        assert_eq!(got.value(name), plain.value(name));
    }
    let to = plain.value("To");
    let tagged = if to.contains(";tag=") { to.to_string() } else { format!("{to};tag=a6c85cf") };
    assert_eq!(got.value("To"), tagged);
    assert_eq!(got.values("Via").count(), plain.values("Via").count());
    let (via, asked) = (got.value("Via"), plain.value("Via"));
    assert_eq!(Plain::param(via, "branch"), Plain::param(asked, "branch"));
    assert_eq!(Plain::param(via, "received"), "192.0.2.101");
    assert_eq!(Plain::param(via, "rport"), if asked.contains(";rport") { "5060" } else { "" });
    assert_eq!(got.values("Record-Route").count(), plain.values("Record-Route").count());
    assert_eq!(got.value("Contact"), "<sip:li@192.0.2.4>");
    assert_eq!(got.value("Content-Length"), "0");
}

fn check_forwarded(out: &[u8], plain: &Plain<'_>) {
    let got = Plain::of(out);
    let method = plain.start.split(' ').next().expect("a method");
    assert_eq!(got.start, format!("{method} sip:li@192.0.2.4 SIP/2.0"));
    assert_eq!(got.values("Via").count(), plain.values("Via").count() + 1);
    assert_eq!(Plain::param(got.value("Via"), "branch"), "z9hG4bK87asdks7.1");
    assert_eq!(got.value("Record-Route"), "<sip:proxy.example.com;lr>");
    assert_eq!(got.value("Max-Forwards"), "69");
    assert_eq!(got.body, plain.body);
    assert_eq!(got.fields.len(), plain.fields.len() + 2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_answers_right_for_every_message() {
        for (operation, kind) in OPERATIONS {
            for name in messages::NAMES {
                let request = !matches!(name, "b_200");
                let acknowledged = name == "d_ack";
                if kind == Operation::Response && (!request || acknowledged)
                    || matches!(kind, Operation::Forward | Operation::ForwardAll) && !request
                {
                    continue;
                }
                let mut work = work(&format!("{operation}/{name}")).unwrap();
                work.check();
                work.run(2);
            }
        }
    }
}
