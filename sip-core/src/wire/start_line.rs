//! The first line of a message (RFC 3261 7.1 and 7.2).

use super::scan::{Class, Cursor, Span};

macro_rules! methods {
    ($($variant:ident, $text:literal, $bytes:literal, $clause:literal;)*) => {
        /// A request method. Methods are compared with regard to case (RFC 3261 7.1).
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        #[repr(u8)]
        pub enum Method {
            $(
                #[doc = concat!("`", $text, "`, ", $clause, ".")]
                $variant,
            )*
            /// A method that the engine does not know; the message keeps its text.
            #[default]
            Other,
        }

        impl Method {
            /// Every method that the engine knows, without [`Method::Other`].
            pub const ALL: &'static [Method] = &[$(Method::$variant),*];

            /// The method that `text` names.
            #[must_use]
            pub fn of(text: &[u8]) -> Method {
                match text {
                    $($bytes => Method::$variant,)*
                    _ => Method::Other,
                }
            }

            /// Its name; empty for [`Method::Other`].
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Method::$variant => $text,)*
                    Method::Other => "",
                }
            }

            /// Where it is defined.
            #[must_use]
            pub const fn clause(self) -> &'static str {
                match self {
                    $(Method::$variant => $clause,)*
                    Method::Other => "RFC 3261 8.2.1",
                }
            }
        }
    };
}

methods! {
    Invite, "INVITE", b"INVITE", "RFC 3261 13";
    Ack, "ACK", b"ACK", "RFC 3261 17.1.1.3";
    Bye, "BYE", b"BYE", "RFC 3261 15";
    Cancel, "CANCEL", b"CANCEL", "RFC 3261 9";
    Options, "OPTIONS", b"OPTIONS", "RFC 3261 11";
    Register, "REGISTER", b"REGISTER", "RFC 3261 10";
    Prack, "PRACK", b"PRACK", "RFC 3262 6";
    Subscribe, "SUBSCRIBE", b"SUBSCRIBE", "RFC 6665 3.1";
    Notify, "NOTIFY", b"NOTIFY", "RFC 6665 3.2";
    Publish, "PUBLISH", b"PUBLISH", "RFC 3903 11.1";
    Info, "INFO", b"INFO", "RFC 6086 4";
    Refer, "REFER", b"REFER", "RFC 3515 2";
    Message, "MESSAGE", b"MESSAGE", "RFC 3428";
    Update, "UPDATE", b"UPDATE", "RFC 3311";
}

/// The first line of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartLine {
    /// `Method SP Request-URI SP SIP-Version`.
    Request {
        /// The method.
        method: Method,
        /// Its text, which alone tells unknown methods apart.
        method_text: Span,
        /// The request URI.
        uri: Span,
        /// Whether the version is 2.0, the only one.
        version_ok: bool,
        /// Whether single spaces separate its three parts and nothing follows.
        spaces_ok: bool,
    },
    /// `SIP-Version SP Status-Code SP Reason-Phrase`.
    Response {
        /// The status code, 100 to 699; 0 when it is no such number.
        status: u16,
        /// The reason phrase, which may be empty.
        reason: Span,
        /// Whether the version is 2.0, the only one.
        version_ok: bool,
        /// Whether single spaces separate its three parts.
        spaces_ok: bool,
    },
}

impl StartLine {
    /// Reads the line of `line`, which is without its CRLF. `None` when it is no start line of SIP:
    /// neither `SIP/` and a number before a space, nor a token first and a SIP version last.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8], line: Span) -> Option<StartLine> {
        let mut c = Cursor::new(bytes, line);
        let method_text = c.run(Class::TOKEN);
        if c.peek() == b'/' {
            return response(bytes, line);
        }
        if method_text.is_empty() || !matches!(c.peek(), b' ' | b'\t') {
            return None;
        }
        let method = Method::of(c.text(method_text));
        let uri_at = c.at.wrapping_add(1);
        // By the grammar, the usual case.
        let plain = matches!(c.rest(), [b' ', first, .., last, b' ', b'S', b'I', b'P', b'/', b'2', b'.', b'0']
            if !blank(*first) && !blank(*last));
        if plain {
            let uri = Span::new(uri_at, c.end().saturating_sub(8));
            return Some(StartLine::Request {
                method,
                method_text,
                uri,
                version_ok: true,
                spaces_ok: true,
            });
        }
        odd_request(bytes, line, method, method_text)
    }
}

fn blank(c: u8) -> bool {
    c == b' ' || c == b'\t'
}

/// A request line with other spaces, another version or a URI of one byte.
#[cold]
fn odd_request(bytes: &[u8], line: Span, method: Method, method_text: Span) -> Option<StartLine> {
    let rest = Span::new(method_text.end(), line.end()).trimmed(bytes);
    let text = rest.of(bytes);
    let version_len = text.iter().rev().take_while(|&&c| !blank(c)).count();
    let version = Span::new(rest.end().checked_sub(version_len)?, rest.end());
    let version_ok = version_ok(version.of(bytes))?;
    let uri = Span::new(rest.start(), version.start().max(rest.start())).trimmed(bytes);
    let spaces_ok = uri.start() == method_text.end().saturating_add(1)
        && version.start() == uri.end().saturating_add(1)
        && version.end() == line.end()
        && bytes.get(method_text.end()) == Some(&b' ')
        && bytes.get(uri.end()) == Some(&b' ')
        && !uri.is_empty();
    Some(StartLine::Request { method, method_text, uri, version_ok, spaces_ok })
}

/// Whether a SIP version is 2.0; `None` when it is no SIP version.
fn version_ok(text: &[u8]) -> Option<bool> {
    let (name, number) = text.split_at_checked(4)?;
    if !name.eq_ignore_ascii_case(b"SIP/") {
        return None;
    }
    let dot = number.iter().position(|&c| c == b'.')?;
    let (major, minor) = number.split_at_checked(dot)?;
    let digits = |d: &[u8]| !d.is_empty() && d.iter().all(u8::is_ascii_digit);
    (digits(major) && digits(minor.get(1..)?)).then(|| number == b"2.0")
}

fn response(bytes: &[u8], line: Span) -> Option<StartLine> {
    let mut c = Cursor::new(bytes, line);
    let version = c.until(b" \t");
    let version_ok = version_ok(c.text(version))?;
    let mut spaces_ok = c.eat(b' ');
    let gap = c.at;
    c.run(Class::WS);
    spaces_ok &= c.at == gap;
    let code = c.until(b" \t");
    let status = match c.text(code) {
        &[a @ b'1'..=b'6', b @ b'0'..=b'9', z @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(z - b'0')
        }
        // RFC 4475 3.1.2.19: a number of more than three digits is no status.
        text if text.first().is_some_and(u8::is_ascii_digit) => 0,
        _ => return None,
    };
    spaces_ok &= c.eat(b' ');
    let reason = Span::new(c.at, c.end());
    Some(StartLine::Response { status, reason, version_ok, spaces_ok })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<StartLine> {
        StartLine::parse(line.as_bytes(), Span::new(0, line.len()))
    }

    fn request(line: &str) -> (Method, &str, &str, bool, bool) {
        match parse(line) {
            Some(StartLine::Request { method, method_text: m, uri, version_ok, spaces_ok }) => (
                method,
                &line[m.start()..m.end()],
                &line[uri.start()..uri.end()],
                version_ok,
                spaces_ok,
            ),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn reply(line: &str) -> (u16, &str, bool, bool) {
        match parse(line) {
            Some(StartLine::Response { status, reason, version_ok, spaces_ok }) => {
                (status, &line[reason.start()..reason.end()], version_ok, spaces_ok)
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn request_lines() {
        use Method::{Invite, Other};
        assert_eq!(request("INVITE sip:a@b SIP/2.0"), (Invite, "INVITE", "sip:a@b", true, true));
        assert_eq!(request("invite sip:a@b SIP/2.0").0, Other);
        assert_eq!(request("INVITE x sip/2.0"), (Invite, "INVITE", "x", true, true));
        assert!(!request("INVITE sip:a SIP/7.0").3);
        assert!(!request("INVITE sip:a SIP/2.00").3);
        assert_eq!(request("INVITE  sip:a SIP/2.0"), (Invite, "INVITE", "sip:a", true, false));
        assert_eq!(request("INVITE sip:a  SIP/2.0"), (Invite, "INVITE", "sip:a", true, false));
        assert_eq!(request("INVITE sip:a SIP/2.0 "), (Invite, "INVITE", "sip:a", true, false));
        assert!(!request("INVITE\tsip:a SIP/2.0").4);
        assert_eq!(request("INVITE sip:a;x lr SIP/2.0").2, "sip:a;x lr");
        assert_eq!(request("INVITE SIP/2.0"), (Invite, "INVITE", "", true, false));
    }

    #[test]
    fn what_is_no_start_line() {
        for line in [
            "",
            " ",
            "INVITE",
            "INVITE ",
            "INVITE sip:a@b",
            "GET / HTTP/1.1",
            "INVITE sip:a SIP/",
            "INVITE sip:a SIP/2",
            "INVITE sip:a SIP/x.0",
            "IN VITE sip:a HTTP/2.0",
            ": sip:a SIP/2.0",
            "SIP/2.0",
            "SIP/2.0 ",
            "SIP/2.0 OK",
            "SIP/x 200 OK",
            "HTTP/1.1 200 OK",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn status_lines() {
        assert_eq!(reply("SIP/2.0 200 OK"), (200, "OK", true, true));
        assert_eq!(reply("sip/2.0 200 OK"), (200, "OK", true, true));
        assert_eq!(reply("SIP/2.0 100 "), (100, "", true, true));
        assert_eq!(reply("SIP/2.0 100"), (100, "", true, false));
        assert_eq!(reply("SIP/2.0  100 x"), (100, "x", true, false));
        assert_eq!(reply("SIP/3.0 699 a b"), (699, "a b", false, true));
        for bad in ["4294967301", "099", "700", "1000", "20", "2x0", "0"] {
            assert_eq!(reply(&std::format!("SIP/2.0 {bad} x")).0, 0);
        }
    }

    #[test]
    fn every_method_is_found_and_case_matters() {
        for &m in Method::ALL {
            assert_eq!(Method::of(m.as_str().as_bytes()), m);
            assert_eq!(Method::of(m.as_str().to_ascii_lowercase().as_bytes()), Method::Other);
        }
    }
}
