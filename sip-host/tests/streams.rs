//! TCP as peers really use it: cut anywhere, glued, kept alive, wrongly framed, dripping
//! (RFC 3261 7.5, 18.3, 20.14; RFC 5626 4.4.1).

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use support::{Messages, Process, headers, options, request, status, tcp};

const PHONE: [&str; 7] = [
    "phone",
    "--listen",
    "udp:127.0.0.1:0",
    "--listen",
    "tcp:127.0.0.1:0",
    "--aor",
    "sip:bob@example.com",
];

fn ask(to: SocketAddr, from: &TcpStream, mark: &str) -> String {
    let from = from.local_addr().unwrap();
    options(&format!("sip:bob@{to};transport=tcp"), "TCP", from, mark)
}

fn answered(messages: &mut Messages, mark: &str) {
    let answer = messages.next().expect("an answer before the connection closes");
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(headers(&answer, "Call-ID"), [format!("{mark}@tester")]);
}

/// The phone still answers, on a connection of its own.
fn still_answers(phone: &mut Process) {
    let stream = tcp(phone.tcp());
    (&stream).write_all(ask(phone.tcp(), &stream, "after").as_bytes()).unwrap();
    answered(&mut Messages::of(&stream), "after");
    assert!(phone.is_running());
}

#[test]
fn messages_glued_together_are_answered_in_order() {
    let phone = Process::start(&PHONE);
    let stream = tcp(phone.tcp());
    let marks: Vec<String> = (0..50).map(|i| format!("glued{i}")).collect();
    let all: String = marks.iter().map(|m| ask(phone.tcp(), &stream, m)).collect();
    (&stream).write_all(all.as_bytes()).unwrap();
    let mut messages = Messages::of(&stream);
    for mark in &marks {
        answered(&mut messages, mark);
    }
}

#[test]
fn a_message_cut_anywhere_is_one_message() {
    let phone = Process::start(&PHONE);
    let stream = tcp(phone.tcp());
    let mut messages = Messages::of(&stream);
    let length = ask(phone.tcp(), &stream, "cut000").len();
    for cut in (1..length).step_by(13) {
        let mark = format!("cut{cut:03}");
        let message = ask(phone.tcp(), &stream, &mark);
        let (a, b) = message.as_bytes().split_at(cut);
        (&stream).write_all(a).unwrap();
        // Long enough that the two parts are read apart.
        std::thread::sleep(Duration::from_millis(5));
        (&stream).write_all(b).unwrap();
        answered(&mut messages, &mark);
    }
}

#[test]
fn a_drip_of_single_bytes_is_one_message() {
    let mut phone = Process::start(&PHONE);
    let stream = tcp(phone.tcp());
    for byte in ask(phone.tcp(), &stream, "drip").as_bytes() {
        (&stream).write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_micros(300));
    }
    answered(&mut Messages::of(&stream), "drip");
    still_answers(&mut phone);
}

#[test]
fn a_keep_alive_between_messages_is_answered_by_one_crlf() {
    let phone = Process::start(&PHONE);
    let stream = tcp(phone.tcp());
    let first = ask(phone.tcp(), &stream, "first");
    (&stream).write_all(first.as_bytes()).unwrap();
    answered(&mut Messages::of(&stream), "first");
    (&stream).write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    std::io::Read::read_exact(&mut &stream, &mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    let second = ask(phone.tcp(), &stream, "second");
    (&stream).write_all(second.as_bytes()).unwrap();
    answered(&mut Messages::of(&stream), "second");
}

/// The header section is whole, so that it is answered; what follows cannot be framed, so that the
/// connection closes and nothing more of it is read.
fn is_refused_and_closed(length: &str, with: u16) {
    let mut phone = Process::start(&PHONE);
    let stream = tcp(phone.tcp());
    let good = ask(phone.tcp(), &stream, "good");
    let bad = ask(phone.tcp(), &stream, "bad").replace("Content-Length: 0\r\n", length);
    let after = ask(phone.tcp(), &stream, "smuggled");
    (&stream).write_all(format!("{good}{bad}{after}").as_bytes()).unwrap();
    let mut messages = Messages::of(&stream);
    answered(&mut messages, "good");
    let refusal = messages.next().expect("an answer before the connection closes");
    assert_eq!(status(&refusal), with, "{length:?}: {refusal}");
    assert_eq!(headers(&refusal, "Call-ID"), ["bad@tester"]);
    assert_eq!(messages.next(), None, "{length:?}");
    still_answers(&mut phone);
}

#[test]
fn a_stream_that_cannot_be_framed_ends() {
    is_refused_and_closed("", 400);
    is_refused_and_closed("Content-Length: 5\r\nContent-Length: 13\r\n", 400);
    is_refused_and_closed("Content-Length: -1\r\n", 400);
    is_refused_and_closed("Content-Length: 99999999999\r\n", 513);
    is_refused_and_closed("Content-Length: 0 0\r\n", 400);
}

/// What came whole is done, also where the bytes behind it end the connection at once.
#[test]
fn a_registration_in_front_of_junk_is_answered_before_the_connection_closes() {
    let args = ["proxy", "--listen", "tcp:127.0.0.1:0", "--domain", "example.com"];
    let p = Process::start(&args);
    let stream = tcp(p.tcp());
    let own = stream.local_addr().unwrap();
    let register = request("REGISTER", "sip:example.com", "TCP", own, "glued")
        .replace("To: <sip:example.com>", "To: <sip:tester@example.com>");
    (&stream).write_all(format!("{register}GET / HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
    let mut messages = Messages::of(&stream);
    answered(&mut messages, "glued");
    assert_eq!(messages.next(), None);
}

#[test]
fn a_header_section_without_end_ends_its_connection() {
    let mut phone = Process::start(&PHONE);
    let stream = tcp(phone.tcp());
    let start = ask(phone.tcp(), &stream, "endless");
    let start = start.strip_suffix("\r\n").unwrap();
    (&stream).write_all(start.as_bytes()).unwrap();
    let line = format!("X: {}\r\n", "x".repeat(1_000));
    for _ in 0..200 {
        // It may be closed by now.
        if (&stream).write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    let mut messages = Messages::of(&stream);
    while let Some(answer) = messages.next() {
        assert!(status(&answer) >= 400, "{answer}");
    }
    still_answers(&mut phone);
}

#[test]
fn bytes_that_are_no_message_end_their_connection() {
    let mut phone = Process::start(&PHONE);
    for junk in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0; 5_000], &[0xff; 100_000]] {
        let stream = tcp(phone.tcp());
        // It may be closed while this is still on its way.
        let _ = (&stream).write_all(junk);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        assert_eq!(Messages::of(&stream).next(), None);
    }
    still_answers(&mut phone);
}

#[test]
fn connections_that_say_nothing_or_vanish_leave_nothing() {
    let mut phone = Process::start(&PHONE);
    let idle: Vec<TcpStream> = (0..100).map(|_| tcp(phone.tcp())).collect();
    for (i, stream) in idle.iter().enumerate() {
        let message = ask(phone.tcp(), stream, &format!("half{i}"));
        let part = &message.as_bytes()[..i.min(message.len())];
        (&mut &*stream).write_all(part).unwrap();
    }
    still_answers(&mut phone);
    drop(idle);
    still_answers(&mut phone);
    std::thread::sleep(Duration::from_millis(300));
    let last = phone.stop();
    assert_eq!(last["flows"], 0, "{last:#}");
    assert_eq!(last["calls"], 0);
}
