//! Bytes as a program: choices for the targets that drive state machines, and the messages that the
//! programs send.

use sansip::wire::{MessageRef, Name, ResponseParts, response};

/// Reads choices from bytes; at the end every choice is 0.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    rest: &'a [u8],
}

impl<'a> Program<'a> {
    /// A program from its first byte.
    #[must_use]
    pub const fn new(rest: &'a [u8]) -> Self {
        Program { rest }
    }

    /// The next byte, `None` at the end.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// A number up to 255.
    pub fn small(&mut self) -> usize {
        usize::from(self.byte().unwrap_or(0))
    }

    /// A number up to 65,535.
    pub fn number(&mut self) -> usize {
        self.small() << 8 | self.small()
    }

    /// One of these; they may not be empty.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.small() % from.len()]
    }

    /// One of these if there are any.
    pub fn pick_any<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let n = self.small();
        (!from.is_empty()).then(|| from[n % from.len()])
    }

    /// So many bytes, or what is left of them.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}

const METHODS: &[&str] = &[
    "INVITE",
    "INVITE",
    "INVITE",
    "ACK",
    "ACK",
    "BYE",
    "BYE",
    "CANCEL",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "MESSAGE",
    "SUBSCRIBE",
    "PRACK",
    "NEWMETHOD",
];
const USERS: &[&str] = &["alice", "alice", "bob", "nobody"];
const STATUSES: &[u16] =
    &[100, 180, 183, 200, 200, 202, 302, 401, 404, 408, 481, 486, 487, 491, 500, 503, 603, 699];
const EXTRAS: &[&str] = &[
    "",
    "",
    "",
    "Require: 100rel\r\n",
    "Proxy-Require: foo\r\n",
    "Contact: *\r\nExpires: 0\r\n",
    "Contact: <sip:alice@10.0.0.9>;expires=60, <sip:bob@10.0.0.8:5070>;q=0.5\r\n",
    "Route: <sip:10.0.0.1;lr>\r\n",
    "Route: <sip:10.0.0.1;lr>, <sip:10.0.0.3;lr>\r\n",
    "Record-Route: <sip:10.0.0.3;lr>\r\n",
    "Max-Forwards: 0\r\n",
    "Expires: 1\r\n",
    "Retry-After: 3\r\n",
    "Content-Type: application/unknown\r\n",
];

/// What was heard from the machine under test that later messages refer to.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Messages that it sent, the last ones.
    pub sent: Vec<Vec<u8>>,
    /// Tags that it put into To.
    pub tags: Vec<String>,
}

impl Heard {
    /// Notes what was sent.
    pub fn note(&mut self, bytes: &[u8]) {
        let Some(m) = MessageRef::lazy(bytes) else { return };
        let tag = m.header(Name::To).and_then(|to| {
            let text = String::from_utf8_lossy(to).into_owned();
            text.split_once(";tag=").map(|(_, tag)| tag.to_string())
        });
        if let Some(tag) = tag.filter(|tag| !self.tags.contains(tag)) {
            self.tags.push(tag);
        }
        self.sent.push(bytes.to_vec());
        if self.sent.len() > 16 {
            self.sent.remove(0);
        }
    }
}

/// A request of few names and numbers, so that requests of one program meet in their transactions
/// and dialogs.
pub fn request(program: &mut Program<'_>, heard: &Heard, transport: &str) -> Vec<u8> {
    let method = program.pick(METHODS);
    let numbers = program.small();
    let (branch, call) = (numbers & 3, numbers >> 2 & 3);
    let cseq = 1 + (numbers >> 4 & 3);
    let user = program.pick(USERS);
    let host = if numbers >> 6 & 1 == 0 { "10.0.0.1" } else { "example.com" };
    let choices = program.small();
    let tag = match choices & 3 {
        0 | 1 => String::new(),
        2 => heard.tags.last().map(|t| format!(";tag={t}")).unwrap_or_default(),
        _ => program
            .pick_any(&heard.tags.iter().collect::<Vec<_>>())
            .map_or(";tag=unknown".to_string(), |t| format!(";tag={t}")),
    };
    let body = if choices >> 2 & 1 == 0 { "" } else { "v=0\r\n" };
    let max_forwards = if choices >> 3 & 7 == 0 { "" } else { "Max-Forwards: 9\r\n" };
    let cookie = if choices >> 6 == 3 { "" } else { ";branch=z9hG4bK" };
    let extra = program.pick(EXTRAS);
    let branch = if cookie.is_empty() { String::new() } else { format!("b{branch}") };
    let mut out = format!(
        "{method} sip:{user}@{host} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} 10.0.0.2:5060{cookie}{branch}\r\n\
         From: <sip:carol@10.0.0.2>;tag=f{call}\r\n\
         To: <sip:{user}@{host}>{tag}\r\n\
         Call-ID: c{call}\r\n\
         CSeq: {cseq} {method}\r\n\
         Contact: <sip:carol@10.0.0.2>\r\n\
         {max_forwards}{extra}\
         Content-Length: {}\r\n\r\n{body}",
        body.len(),
    )
    .into_bytes();
    if program.small() > 240 {
        spoil(program, &mut out);
    }
    out
}

/// A response to one of the requests that were sent, by any of three peers.
pub fn answer(program: &mut Program<'_>, heard: &Heard) -> Option<Vec<u8>> {
    let requests: Vec<MessageRef<'_>> = heard
        .sent
        .iter()
        .filter_map(|s| MessageRef::lazy(s))
        .filter(MessageRef::is_request)
        .collect();
    let back = program.small() % 4;
    let request = requests.iter().rev().nth(back.min(requests.len().saturating_sub(1)))?;
    let tag = program.pick(&[b"t1", b"t1", b"t2", b"t3"]);
    let contact: Option<&[u8]> = program.pick(&[
        Some(&b"<sip:bob@10.0.0.2:5062>"[..]),
        None,
        Some(b"<sip:bob@10.0.0.3>;expires=60"),
        Some(b"<sip:bob@unknown.example.com;transport=tcp>"),
    ]);
    let parts = ResponseParts {
        to_tag: Some(tag),
        contact,
        record_route: program.small() & 1 == 0,
        ..ResponseParts::default()
    };
    let mut out = vec![0; 65_535];
    let len = response(&mut out, request, program.pick(STATUSES), None, &parts).ok()?;
    out.truncate(len);
    if program.small() > 240 {
        spoil(program, &mut out);
    }
    Some(out)
}

/// Writes over some bytes.
fn spoil(program: &mut Program<'_>, bytes: &mut [u8]) {
    for _ in 0..program.small() % 4 {
        let at = program.number() % bytes.len();
        bytes[at] = program.small() as u8;
    }
}
