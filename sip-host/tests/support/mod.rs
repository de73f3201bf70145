//! Runs the `sansip` command and talks to it over sockets of 127.0.0.1.

#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running `sansip`.
pub struct Process {
    child: Child,
    lines: Receiver<Value>,
    pub events: Vec<Value>,
}

impl Process {
    /// Starts it and waits until it says where it listens.
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sansip"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sansip starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).expect("each line is JSON");
                if sender.send(value).is_err() {
                    break;
                }
            }
        });
        let mut this = Self { child, lines, events: Vec::new() };
        this.wait_for("listening");
        this
    }

    /// Waits for the next event of this name.
    pub fn wait_for(&mut self, event: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.events.push(line.clone());
                    if line["event"] == event {
                        return line;
                    }
                }
                Err(why) => panic!("no event '{event}' ({why:?}), but {:#?}", self.events),
            }
        }
    }

    pub fn address(&self, transport: &str) -> SocketAddr {
        self.events[0][transport].as_str().expect("it listens there").parse().expect("an address")
    }

    pub fn udp(&self) -> SocketAddr {
        self.address("udp")
    }

    pub fn tcp(&self) -> SocketAddr {
        self.address("tcp")
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.signal("-INT");
    }

    /// Waits for its end; its exit status.
    pub fn end(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.events.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:#?}", self.events),
            }
        }
        self.child.wait().expect("it has ended").code().expect("an exit status")
    }

    /// Interrupts it and waits for its end; its last line.
    pub fn stop(&mut self) -> Value {
        self.interrupt();
        assert_eq!(self.end(), 0, "{:#?}", self.events);
        let last = self.events.last().expect("a last line").clone();
        assert_eq!(last["event"], "stopped");
        last
    }

    /// The event of this name that came, if one did.
    pub fn event(&self, event: &str) -> Option<&Value> {
        self.events.iter().find(|e| e["event"] == event)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `sansip` to its end: exit status, standard output, standard error.
pub fn run(args: &[&str]) -> (i32, String, String) {
    run_with(args, b"")
}

/// The same, with this standard input.
pub fn run_with(args: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sansip"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sansip starts");
    // It may end without reading.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let out = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (out.status.code().expect("an exit status"), text(out.stdout), text(out.stderr))
}

/// A UDP socket of ours.
pub fn udp() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// The next datagram as text.
pub fn receive(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let (n, _) = socket.recv_from(&mut buffer).expect("a datagram");
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}

/// A TCP connection of ours.
pub fn tcp(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("it accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Reads messages off a stream, by their header sections and Content-Length.
pub struct Messages {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Messages {
    pub fn of(stream: &TcpStream) -> Self {
        Self { stream: stream.try_clone().expect("a clone"), bytes: Vec::new() }
    }

    fn whole(&self) -> Option<usize> {
        let end = self.bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length:")).unwrap_or("0");
        let all = end + length.trim().parse::<usize>().expect("a length");
        (self.bytes.len() >= all).then_some(all)
    }

    /// The next message; `None` when the other side has closed.
    pub fn next(&mut self) -> Option<String> {
        loop {
            if let Some(n) = self.whole() {
                let message: Vec<u8> = self.bytes.drain(..n).collect();
                return Some(String::from_utf8_lossy(&message).into_owned());
            }
            let mut buffer = [0; 4_096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => self.bytes.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(e) => panic!("{e}; so far {:?}", String::from_utf8_lossy(&self.bytes)),
            }
        }
    }
}

/// The status of a response.
pub fn status(message: &str) -> u16 {
    let code = message.strip_prefix("SIP/2.0 ").and_then(|m| m.get(..3));
    code.and_then(|c| c.parse().ok()).unwrap_or_else(|| panic!("no response: {message}"))
}

/// The values of a header field.
pub fn headers<'m>(message: &'m str, name: &str) -> Vec<&'m str> {
    let head = message.split("\r\n\r\n").next().unwrap_or(message);
    let fields = head.lines().skip(1).filter_map(|l| l.split_once(':'));
    fields.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()).collect()
}

/// An OPTIONS to `to`, with a branch and a Call-ID made from `mark`, whose answer comes to `from`.
pub fn options(to: &str, transport: &str, from: SocketAddr, mark: &str) -> String {
    request("OPTIONS", to, transport, from, mark)
}

/// A request outside a dialog.
pub fn request(method: &str, to: &str, transport: &str, from: SocketAddr, mark: &str) -> String {
    format!(
        "{method} {to} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {from};branch=z9hG4bK{mark};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:tester@example.com>;tag=t{mark}\r\n\
         To: <{to}>\r\n\
         Call-ID: {mark}@tester\r\n\
         CSeq: 1 {method}\r\n\
         Contact: <sip:tester@{from}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}
