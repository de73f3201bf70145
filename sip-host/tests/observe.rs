//! What operators see of `sansip proxy`: metrics, a capture, logs.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use support::{PATIENCE, Process, receive, request, run, status, udp};

const ARGS: [&str; 5] = ["proxy", "--domain", "example.com", "--listen", "udp:127.0.0.1:0"];

fn ask(p: &Process, mark: &str) {
    let socket = udp();
    let from = socket.local_addr().unwrap();
    let message = request("OPTIONS", "sip:b@example.com", "UDP", from, mark);
    socket.send_to(message.as_bytes(), p.udp()).unwrap();
    assert_eq!(status(&receive(&socket)), 404);
}

fn get(at: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn prometheus_reads_the_counts_of_all_engines() {
    let more = ["--metrics", "127.0.0.1:0", "--workers", "2"];
    let mut p = Process::start(&[&ARGS[..], &more].concat());
    let told = p.wait_for("challenges");
    assert_eq!(told["methods"].as_array().map(Vec::len), Some(0));
    let at = p.event("metrics").unwrap()["at"].as_str().unwrap().to_owned();
    let at = at.strip_prefix("http://").and_then(|a| a.strip_suffix("/metrics")).unwrap();
    for i in 0..5 {
        ask(&p, &format!("counted{i}"));
    }
    let answer = get(at, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\nsansip_received_total 5\n"), "{answer}");
    assert!(answer.contains("\nsansip_engines 2\n"), "{answer}");
    assert!(get(at, "/").starts_with("HTTP/1.1 404 "));
    let taken = run(&[&ARGS[..], &["--metrics", at]].concat());
    assert_eq!(taken.0, 2);
    assert!(taken.2.contains(&format!("--metrics {at}: ")), "{}", taken.2);
}

#[test]
fn a_capture_holds_every_message() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capture.pcap");
    let name = file.to_str().unwrap();
    let mut p = Process::start(&[&ARGS[..], &["--capture", name, "--workers", "2"]].concat());
    ask(&p, "captured");
    p.stop();
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(bytes[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(text.matches("OPTIONS sip:b@example.com SIP/2.0").count(), 1);
    assert_eq!(text.matches("SIP/2.0 404 ").count(), 1);
    let (code, _, err) = run(&[&ARGS[..], &["--capture", "/nonexistent/x.pcap"]].concat());
    assert_eq!(code, 2);
    assert!(err.contains("--capture /nonexistent/x.pcap: "), "{err}");
}

#[test]
fn a_level_of_logs_that_there_is_not_is_refused() {
    let (code, _, err) = run(&[&ARGS[..], &["--log", "loud"]].concat());
    assert_eq!(code, 2);
    assert!(err.contains("--log loud: give off, error, warn"), "{err}");
}
