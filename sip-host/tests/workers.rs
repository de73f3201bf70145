//! Several engines behind the same addresses: which one a message comes to must not show.

mod support;

use std::io::{Read, Write};

use support::{Messages, Process, headers, options, receive, request, status, tcp, udp};

fn proxy(more: &[&str]) -> Process {
    let args = ["proxy", "--workers", "3", "--domain", "example.com"];
    let listens = ["--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0"];
    Process::start(&[&args[..], &listens, more].concat())
}

fn phone(user: &str, proxy: &str, transport: &str, more: &[&str]) -> Process {
    let aor = format!("sip:{user}@example.com");
    let listen = format!("{transport}:127.0.0.1:0");
    let args = ["phone", "--listen", &listen, "--aor", &aor, "--proxy", proxy];
    Process::start(&[&args, more].concat())
}

fn calls(transport: &str, uri: impl Fn(&Process) -> String) {
    let mut p = proxy(&[]);
    let uri = uri(&p);
    let mut bob = phone("bob", &uri, transport, &["--register", "--calls", "60"]);
    bob.wait_for("registered");
    let more = ["--call", "sip:bob@example.com", "--calls", "60", "--rate", "60"];
    let more = [&more[..], &["--hangup-after", "200"]].concat();
    let mut alice = phone("alice", &uri, transport, &more);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
    let last = p.stop();
    assert_eq!(last["dropped"], 0, "{last:#}");
    let (all, most) = (last["received"].as_u64().unwrap(), last["received_most"].as_u64().unwrap());
    assert!(most < all * 2 / 3, "one engine of three had {most} of {all} messages");
}

#[test]
fn calls_over_udp_spread_over_all_engines() {
    calls("udp", |p| format!("sip:{}", p.udp()));
}

/// One connection from the caller and one to the callee, and 60 calls over all engines.
#[test]
fn calls_of_one_tcp_connection_spread_over_all_engines() {
    calls("tcp", |p| format!("sip:{};transport=tcp", p.tcp()));
}

#[test]
fn a_stream_is_framed_once_for_all_engines() {
    let mut p = proxy(&[]);
    let to = format!("sip:{};transport=tcp", p.tcp());
    let stream = tcp(p.tcp());
    let ask = |mark: &str| options(&to, "TCP", stream.local_addr().unwrap(), mark);
    let marks: Vec<String> = (0..50).map(|i| format!("glued{i}")).collect();
    let all: String = marks.iter().map(|m| ask(m)).collect();
    for part in all.as_bytes().chunks(97) {
        (&stream).write_all(part).unwrap();
    }
    let mut messages = Messages::of(&stream);
    let mut answered: Vec<String> = Vec::new();
    for _ in &marks {
        let answer = messages.next().expect("an answer");
        assert_eq!(status(&answer), 200, "{answer}");
        answered.push(headers(&answer, "Call-ID")[0].trim_end_matches("@tester").to_owned());
    }
    answered.sort();
    let mut marks = marks;
    marks.sort();
    assert_eq!(answered, marks);
    // RFC 5626 4.4.1
    (&stream).write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    (&stream).read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    drop((stream, messages));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let last = p.stop();
    assert_eq!(last["flows"], 0, "every engine has heard of its end: {last:#}");
}

#[test]
fn a_stream_that_cannot_be_framed_is_refused_and_ends() {
    let p = proxy(&[]);
    let to = format!("sip:{};transport=tcp", p.tcp());
    for (length, with) in [
        ("", 400),
        ("Content-Length: 5\r\nContent-Length: 13\r\n", 400),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: 99999999999\r\n", 400),
    ] {
        let stream = tcp(p.tcp());
        let good = options(&to, "TCP", stream.local_addr().unwrap(), "bad");
        let bad = good.replace("Content-Length: 0\r\n", length);
        (&stream).write_all(format!("{bad}{good}").as_bytes()).unwrap();
        let mut messages = Messages::of(&stream);
        let refusal = messages.next().expect("an answer before the connection closes");
        assert_eq!(status(&refusal), with, "{length:?}: {refusal}");
        assert_eq!(messages.next(), None, "{length:?}");
    }
}

#[test]
fn an_unreachable_address_is_seen_by_the_engine_that_sent() {
    let free = udp();
    let target = format!("sip:bob@{}", free.local_addr().unwrap());
    drop(free);
    let p = proxy(&[]);
    let caller = udp();
    for i in 0..6 {
        let from = caller.local_addr().unwrap();
        let ask = request("OPTIONS", &target, "UDP", from, &format!("nobody{i}"));
        let begin = std::time::Instant::now();
        caller.send_to(ask.as_bytes(), p.udp()).unwrap();
        assert!(status(&receive(&caller)) >= 400);
        assert!(begin.elapsed().as_secs() < 5, "the ICMP error was not seen");
    }
}
