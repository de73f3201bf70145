//! Input that nobody should send: each is answered or ignored as stated, and the process answers a
//! valid OPTIONS afterwards.

mod support;

use std::io::Write;
use std::net::UdpSocket;
use std::time::Duration;

use support::{Messages, Process, headers, options, receive, request, status, tcp, udp};

struct Target {
    process: Process,
    ours: UdpSocket,
    asked: u32,
}

/// A phone, and a proxy, each listening on UDP and TCP.
fn targets() -> [Target; 2] {
    let phone = ["phone", "--aor", "sip:bob@example.com"];
    let proxy = ["proxy", "--domain", "example.com"];
    [&phone[..], &proxy[..]].map(|args| {
        let mut args = args.to_vec();
        args.extend_from_slice(&["--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0"]);
        Target { process: Process::start(&args), ours: udp(), asked: 0 }
    })
}

impl Target {
    fn send(&self, bytes: &[u8]) {
        self.ours.send_to(bytes, self.process.udp()).unwrap();
    }

    /// The element itself, which has no user part.
    fn uri(&self) -> String {
        format!("sip:{}", self.process.udp())
    }

    fn request(&self, method: &str, mark: &str) -> String {
        request(method, &self.uri(), "UDP", self.ours.local_addr().unwrap(), mark)
    }

    /// Sends a valid OPTIONS; the next datagram that comes is its 200: all before was ignored.
    fn answers_options(&mut self) {
        self.asked += 1;
        let mark = format!("valid{}", self.asked);
        let message = options(&self.uri(), "UDP", self.ours.local_addr().unwrap(), &mark);
        self.send(message.as_bytes());
        let answer = receive(&self.ours);
        assert_eq!(headers(&answer, "Call-ID"), [format!("{mark}@tester")], "{answer}");
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(self.process.is_running());
    }

    /// The answer to a bad message.
    fn answer_to(&self, message: &str) -> u16 {
        self.send(message.as_bytes());
        let answer = receive(&self.ours);
        assert_eq!(headers(&answer, "Call-ID"), headers(message, "Call-ID"), "{answer}");
        status(&answer)
    }
}

#[test]
fn an_empty_datagram_and_zeros_are_ignored() {
    for mut target in targets() {
        target.send(b"");
        target.answers_options();
        target.send(&vec![0; 65_507]);
        target.answers_options();
        target.send(b"\r\n\r\n");
        target.answers_options();
        target.send(&vec![b'A'; 65_507]);
        target.answers_options();
    }
}

#[test]
fn a_response_without_via_is_ignored() {
    for mut target in targets() {
        let from =
            "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=2\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\n";
        target.send(format!("SIP/2.0 200 OK\r\n{from}Content-Length: 0\r\n\r\n").as_bytes());
        target.answers_options();
    }
}

#[test]
fn over_udp_a_content_length_beyond_the_datagram_is_400_and_one_within_it_cuts_the_body() {
    for mut target in targets() {
        // RFC 3261 18.3: a body shorter than its Content-Length earns 400.
        let more =
            target.request("OPTIONS", "more").replace("Content-Length: 0", "Content-Length: 10");
        assert_eq!(target.answer_to(&format!("{more}12345")), 400);
        target.answers_options();
        // RFC 3261 18.3: bytes beyond the body are thrown away.
        let less = target.request("OPTIONS", "less");
        assert_eq!(target.answer_to(&format!("{less}INVITE sip:x SIP/2.0\r\n\r\n")), 200);
        target.answers_options();
    }
}

#[test]
fn over_tcp_a_content_length_beyond_the_bytes_waits_and_one_within_them_starts_a_message() {
    for mut target in targets() {
        let to = target.process.tcp();
        let stream = tcp(to);
        let own = stream.local_addr().unwrap();
        let uri = format!("sip:{to};transport=tcp");
        let more =
            options(&uri, "TCP", own, "more").replace("Content-Length: 0", "Content-Length: 10");
        (&stream).write_all(format!("{more}12345").as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let silent = std::io::Read::read(&mut &stream, &mut [0; 1]);
        assert!(silent.is_err(), "nothing comes before the body is whole: {silent:?}");
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        (&stream).write_all(b"67890").unwrap();
        let mut messages = Messages::of(&stream);
        assert_eq!(status(&messages.next().expect("an answer")), 200);

        // What follows the body begins the next message, and is none: the connection ends.
        let less = options(&uri, "TCP", own, "less");
        (&stream).write_all(format!("{less}12345\r\n\r\n").as_bytes()).unwrap();
        let answer = messages.next().expect("an answer to the whole message");
        assert_eq!((status(&answer), headers(&answer, "Call-ID")), (200, vec!["less@tester"]));
        assert_eq!(messages.next(), None);
        target.answers_options();
    }
}

#[test]
fn a_sips_uri_over_udp_is_refused() {
    // RFC 3261 26.2.2, 8.2.2.1: what cannot be had over TLS is not had without; a proxy that can
    // reach nothing by TLS has nowhere to send it.
    for mut target in targets() {
        let sips = target.request("OPTIONS", "sips").replace("OPTIONS sip:", "OPTIONS sips:bob@");
        let status = target.answer_to(&sips);
        assert!([403, 404, 416, 480, 503].contains(&status), "{status}");
        target.answers_options();
    }
}

#[test]
fn a_thousand_vias_are_refused() {
    for mut target in targets() {
        // Too many for a list header; and written out, too many bytes for a header section.
        for (one, status) in [
            ("Via:SIP/2.0/UDP 192.0.2.1\r\n", 400),
            ("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKother\r\n", 513),
        ] {
            let vias = one.repeat(999);
            let many = target
                .request("OPTIONS", "vias")
                .replace("Max-Forwards", &format!("{vias}Max-Forwards"));
            assert_eq!(many.matches("Via:").count(), 1_000);
            assert_eq!(target.answer_to(&many), status);
        }
        target.answers_options();
    }
}
