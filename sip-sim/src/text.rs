//! What a person reads off a message: a plain view for tests, ladders and scripted parties.
//!
//! It is not the engine's parser, on purpose: a simulation that judged the engine with the engine's
//! own eyes would be blind where they are. It takes anything that looks like a message, changes
//! nothing, and writes what it is told, right or wrong.

use std::fmt;
use std::net::SocketAddr;

use sansip::path::Addr;

/// A message as a list of header fields.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The request or status line.
    pub start: String,
    /// Name and value of each header field, in order, names as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

const COMPACT: [(&str, &str); 16] = [
    ("v", "Via"),
    ("f", "From"),
    ("t", "To"),
    ("i", "Call-ID"),
    ("m", "Contact"),
    ("l", "Content-Length"),
    ("c", "Content-Type"),
    ("e", "Content-Encoding"),
    ("k", "Supported"),
    ("s", "Subject"),
    ("o", "Event"),
    ("u", "Allow-Events"),
    ("r", "Refer-To"),
    ("b", "Referred-By"),
    ("x", "Session-Expires"),
    ("a", "Accept-Contact"),
];

fn long_name(name: &str) -> &str {
    COMPACT.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map_or(name, |(_, n)| n)
}

pub(crate) fn same_name(a: &str, b: &str) -> bool {
    long_name(a).eq_ignore_ascii_case(long_name(b))
}

impl Message {
    /// A message with this first line and nothing else.
    #[must_use]
    pub fn new(start: impl Into<String>) -> Self {
        Self { start: start.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Reads a message; `None` where the first line is not one of SIP's.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, body) = split_head(bytes);
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l));
        let start = lines.next()?.to_string();
        let is_sip = start.starts_with("SIP/") || start.split(' ').nth(2)?.starts_with("SIP/");
        if !is_sip {
            return None;
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.filter(|l| !l.is_empty()) {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                headers.push((name.trim().to_string(), value.trim().to_string()));
            }
        }
        Some(Self { start, headers, body: body.to_vec() })
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method: of the request, or of the request that the response answers.
    #[must_use]
    pub fn method(&self) -> &str {
        if self.start.starts_with("SIP/") {
            self.cseq().1
        } else {
            self.start.split(' ').next().unwrap_or("")
        }
    }

    /// The Request-URI of a request.
    #[must_use]
    pub fn uri(&self) -> &str {
        if self.start.starts_with("SIP/") { "" } else { self.start.split(' ').nth(1).unwrap_or("") }
    }

    /// Whether it is a request of this method.
    #[must_use]
    pub fn is_request(&self, method: &str) -> bool {
        self.status().is_none() && self.method() == method
    }

    /// The first field of this name, long or compact.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| same_name(n, name)).map(|(_, v)| v.as_str())
    }

    /// The values of all fields of this name, comma lists taken apart.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let fields = self.headers.iter().filter(|(n, _)| same_name(n, name));
        fields.flat_map(|(_, v)| split_list(v)).collect()
    }

    /// Adds a field at the end.
    pub fn add(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.headers.push((name.to_string(), value.into()));
        self
    }

    /// Puts a field in front of all others.
    pub fn add_first(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.headers.insert(0, (name.to_string(), value.into()));
        self
    }

    /// Gives the first field of this name a new value, or adds it.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        let value = value.into();
        match self.headers.iter_mut().find(|(n, _)| same_name(n, name)) {
            Some((_, old)) => *old = value,
            None => self.headers.push((name.to_string(), value)),
        }
        self
    }

    /// Takes all fields of this name out.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.headers.retain(|(n, _)| !same_name(n, name));
        self
    }

    /// Sets a body and its type.
    pub fn with_body(mut self, content_type: &str, body: &str) -> Self {
        self.set("Content-Type", content_type);
        self.body = body.as_bytes().to_vec();
        self
    }

    /// The tag of From or To.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        param(self.header(name)?, "tag")
    }

    /// The branch of the top Via.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        param(self.header("Via")?, "branch").map(|b| b.split(',').next().unwrap_or(b).trim())
    }

    /// The number and method of CSeq.
    #[must_use]
    pub fn cseq(&self) -> (u32, &str) {
        let value = self.header("CSeq").unwrap_or("");
        let (number, method) = value.split_once(' ').unwrap_or((value, ""));
        (number.trim().parse().unwrap_or(0), method.trim())
    }

    /// The URI of the first Contact.
    #[must_use]
    pub fn contact(&self) -> Option<String> {
        self.list("Contact").first().map(|c| uri_of(c).to_string())
    }

    /// Its bytes. Content-Length is right unless a field says otherwise.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.start.clone();
        out.push_str("\r\n");
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.header("Content-Length").is_none() {
            out.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        out.push_str("\r\n");
        let mut bytes = out.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// What a ladder calls it: `INVITE (sdp)`, `180 Ringing`, `200 OK (BYE)`.
    #[must_use]
    pub fn label(&self) -> String {
        let media = match self.direction() {
            Some("sendrecv") => "sdp",
            Some(direction) => direction,
            None => "",
        };
        let method = self.method();
        let mut extra = Vec::new();
        let name = match self.status() {
            None => method.to_string(),
            Some(status) => {
                if method != "INVITE" || (200..300).contains(&status) {
                    extra.push(method);
                }
                self.start.split_once(' ').map_or("", |(_, rest)| rest).to_string()
            }
        };
        if !media.is_empty() {
            extra.push(media);
        }
        if extra.is_empty() { name } else { format!("{name} ({})", extra.join(", ")) }
    }

    /// The direction that a session description in the body asks for (RFC 8866 6.7).
    #[must_use]
    pub fn direction(&self) -> Option<&'static str> {
        let is_sdp = self.header("Content-Type")?.to_ascii_lowercase().contains("application/sdp");
        if !is_sdp || self.body.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(&self.body);
        let given = ["sendonly", "recvonly", "inactive"]
            .into_iter()
            .find(|d| text.lines().any(|l| l.strip_prefix("a=") == Some(d)));
        Some(given.unwrap_or("sendrecv"))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

fn split_head(bytes: &[u8]) -> (&[u8], &[u8]) {
    let find = |what: &[u8]| bytes.windows(what.len()).position(|w| w == what);
    match (find(b"\r\n\r\n"), find(b"\n\n")) {
        (Some(at), None) => (&bytes[..at], &bytes[at + 4..]),
        (Some(at), Some(other)) if at <= other => (&bytes[..at], &bytes[at + 4..]),
        (_, Some(at)) => (&bytes[..at], &bytes[at + 2..]),
        (None, None) => (bytes, &[]),
    }
}

/// The bytes of the first whole message of a stream: header section plus Content-Length.
#[must_use]
pub fn frame(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = Message::parse(&bytes[..at]);
    let length = head.and_then(|m| m.header("Content-Length")?.parse().ok()).unwrap_or(0);
    (bytes.len() >= at + length).then_some(at + length)
}

/// Takes a comma list apart, commas in quotes and in angle brackets left alone.
fn split_list(value: &str) -> Vec<String> {
    let (mut out, mut item) = (Vec::new(), String::new());
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    for c in value.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            ',' if !quoted && !angle => {
                out.push(std::mem::take(&mut item).trim().to_string());
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    out.push(item.trim().to_string());
    out.retain(|i| !i.is_empty());
    out
}

/// The URI of a name-addr or addr-spec, without the header field's own parameters.
#[must_use]
pub fn uri_of(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(rest),
        None => value.split(';').next().unwrap_or(value).trim(),
    }
}

/// A parameter after the URI, or of a value without brackets.
#[must_use]
pub fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rsplit_once('>').map_or(value, |(_, rest)| rest);
    after.split(';').skip(1).find_map(|p| {
        let (n, v) = p.split_once('=').unwrap_or((p, ""));
        n.trim().eq_ignore_ascii_case(name).then(|| v.trim())
    })
}

/// The numeric address that a URI or a Via's sent-by names; port 5060 where it has none.
#[must_use]
pub fn address(value: &str) -> Option<Addr> {
    let bare = value.split_once(':').filter(|(s, _)| s.starts_with("sip")).map_or(value, |s| s.1);
    let host = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
    let host = host.split([';', '?', '>', ' ']).next().unwrap_or(host);
    if let Ok(addr) = host.parse::<SocketAddr>() {
        return Some(addr.into());
    }
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some(Addr::new(ip, 5060))
}

/// What a ladder calls these bytes.
#[must_use]
pub fn label(bytes: &[u8]) -> String {
    match Message::parse(bytes) {
        Some(message) => message.label(),
        None if bytes.iter().all(u8::is_ascii_whitespace) => "keep-alive".to_string(),
        None => format!("{} bytes", bytes.len()),
    }
}

/// A session description: one audio stream with two codecs, in this direction.
#[must_use]
pub fn sdp(ip: &str, version: u64, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 0 8\r\na={direction}\r\n"
    )
}

/// The reason phrase of a status.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        491 => "Request Pending",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:bob@example.com SIP/2.0\r\n\
        v: SIP/2.0/UDP a.example.com;branch=z9hG4bK1, SIP/2.0/TCP b;branch=z9hG4bK2\r\n\
        Via: SIP/2.0/UDP c;branch=z9hG4bK3\r\nf: \"A, <b>\" <sip:a@x>;tag=1\r\nTo: <sip:b@x;tag=no>\r\n\
        m: \"x, y\" <sip:a@1.2.3.4;a=b>;q=1, <sip:b@5.6.7.8>\r\nCSeq: 7 INVITE\r\n\
        c: application/sdp\r\nSubject: a\r\n  b\r\n\r\nv=0\r\na=sendonly\r\n";

    #[test]
    fn a_message_reads_by_long_and_compact_names() {
        let m = Message::parse(INVITE).unwrap();
        assert_eq!((m.method(), m.uri(), m.status()), ("INVITE", "sip:bob@example.com", None));
        assert_eq!(m.list("Via").len(), 3);
        assert_eq!(m.branch(), Some("z9hG4bK1"));
        assert_eq!((m.tag("From"), m.tag("To")), (Some("1"), None));
        assert_eq!(m.contact().as_deref(), Some("sip:a@1.2.3.4;a=b"));
        assert_eq!(m.list("Contact").len(), 2);
        assert_eq!(m.cseq(), (7, "INVITE"));
        assert_eq!(m.header("subject"), Some("a b"));
        assert_eq!(m.label(), "INVITE (sendonly)");
    }

    #[test]
    fn a_response_is_named_by_its_phrase_and_its_method() {
        let of = |status: &str, cseq: &str| {
            label(format!("SIP/2.0 {status}\r\nCSeq: 1 {cseq}\r\n\r\n").as_bytes())
        };
        assert_eq!(of("180 Ringing", "INVITE"), "180 Ringing");
        assert_eq!(of("200 OK", "INVITE"), "200 OK (INVITE)");
        assert_eq!(of("200 OK", "BYE"), "200 OK (BYE)");
        assert_eq!(label(b"\r\n\r\n"), "keep-alive");
        assert_eq!(label(b"hello"), "5 bytes");
    }

    #[test]
    fn an_address_is_read_off_a_uri() {
        let is = |uri: &str, addr: Option<&str>| {
            assert_eq!(address(uri).map(|a| a.to_string()).as_deref(), addr, "{uri}");
        };
        is("sip:bob@10.0.0.1:5070;lr", Some("10.0.0.1:5070"));
        is("sip:10.0.0.1;lr", Some("10.0.0.1:5060"));
        is("sips:b@[fd00::1]:5061", Some("[fd00::1]:5061"));
        is("sip:b@[fd00::1];x", Some("[fd00::1]:5060"));
        is("sip:bob@example.com", None);
    }

    #[test]
    fn a_stream_is_framed_by_content_length() {
        let one = b"SIP/2.0 200 OK\r\nl: 3\r\n\r\nabc";
        let mut both = one.to_vec();
        both.extend_from_slice(b"NEXT");
        assert_eq!(frame(&both), Some(one.len()));
        assert_eq!(frame(&one[..one.len() - 1]), None);
    }

    #[test]
    fn what_is_written_is_what_was_said_even_a_lie() {
        let mut m = Message::new("OPTIONS sip:x SIP/2.0");
        m.add("Content-Length", "999");
        assert_eq!(m.to_bytes(), b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 999\r\n\r\n");
    }
}
