//! Connections that want to cost: thousands that say nothing, one that drips, one that never reads.

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{Messages, Process, options, receive, status, tcp, udp};

const PROXY: [&str; 7] = [
    "proxy",
    "--listen",
    "udp:127.0.0.1:0",
    "--listen",
    "tcp:127.0.0.1:0",
    "--domain",
    "example.com",
];

/// Files that this process may have open, as many as `wanted` where that can be had.
fn files(wanted: u64) -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let more = wanted.min(hard).max(soft);
    setrlimit(Resource::RLIMIT_NOFILE, more, hard).expect("up to the hard limit");
    more
}

/// An OPTIONS over UDP is answered.
fn answers(proxy: &Process, mark: &str) {
    let socket = udp();
    let to = format!("sip:{}", proxy.udp());
    let ask = options(&to, "UDP", socket.local_addr().unwrap(), mark);
    socket.send_to(ask.as_bytes(), proxy.udp()).unwrap();
    assert_eq!(status(&receive(&socket)), 200);
}

fn ask(proxy: &Process, stream: &TcpStream, mark: &str) -> String {
    let to = format!("sip:{};transport=tcp", proxy.tcp());
    options(&to, "TCP", stream.local_addr().unwrap(), mark)
}

/// What it takes of memory, in bytes.
fn resident(proxy: &Process) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).expect("Linux");
    let line = text.lines().find(|l| l.starts_with("VmRSS")).expect("a figure");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

fn connect(to: SocketAddr) -> TcpStream {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect(to) {
            Ok(stream) => return stream,
            Err(e) => assert!(Instant::now() < end, "{e}"),
        }
    }
}

// S30
#[test]
fn ten_thousand_connections_that_say_nothing_cost_little_and_end() {
    const IDLE: usize = 10_000;
    // The proxy inherits the limit.
    if files(IDLE as u64 + 500) < IDLE as u64 + 500 {
        println!("skipped: too few files may be open");
        return;
    }
    let mut proxy = Process::start(&PROXY);
    answers(&proxy, "before");
    let before = resident(&proxy);
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| connect(proxy.tcp())).collect();
    answers(&proxy, "among");
    let each = resident(&proxy).saturating_sub(before) / IDLE as u64;
    println!("{each} bytes a connection");
    assert!(each <= 4_096, "{each} bytes a connection");
    // After 64*T1 of silence they are closed, and there is room again.
    sleep(Duration::from_secs(33));
    let stream = tcp(proxy.tcp());
    (&stream).write_all(ask(&proxy, &stream, "after").as_bytes()).unwrap();
    assert_eq!(status(&Messages::of(&stream).next().expect("an answer")), 200);
    assert!(idle.iter().rev().take(50).all(|s| Messages::of(s).next().is_none()));
    drop((idle, stream));
    sleep(Duration::from_millis(500));
    assert_eq!(proxy.stop()["flows"], 0);
}

#[test]
fn a_message_that_drips_keeps_nobody_waiting() {
    let proxy = Process::start(&PROXY);
    let slow = tcp(proxy.tcp());
    let text = ask(&proxy, &slow, "drip");
    for (n, byte) in text.as_bytes().chunks(8).enumerate() {
        (&slow).write_all(byte).unwrap();
        if n % 10 == 0 {
            answers(&proxy, &format!("meanwhile{n}"));
        }
    }
    assert_eq!(status(&Messages::of(&slow).next().expect("an answer")), 200);
}

/// What it wants to say to a connection that never reads waits up to a bound; then the connection
/// is lost, and nothing else.
#[test]
fn a_connection_that_never_reads_is_bounded_and_lost() {
    let mut proxy = Process::start(&PROXY);
    let before = resident(&proxy);
    let deaf = tcp(proxy.tcp());
    deaf.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut sent = 0usize;
    for n in 0..400_000 {
        let text = ask(&proxy, &deaf, &format!("deaf{n}"));
        if (&deaf).write_all(text.as_bytes()).is_err() {
            break;
        }
        sent += text.len();
    }
    answers(&proxy, "after");
    let grown = resident(&proxy).saturating_sub(before);
    println!("{sent} bytes sent, {grown} bytes more in memory");
    assert!(grown < 8 << 20, "{grown} bytes for {sent}");
    drop(deaf);
    sleep(Duration::from_millis(500));
    assert_eq!(proxy.stop()["flows"], 0);
}
