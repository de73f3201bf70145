//! Two proxies behind one name: one is killed with calls up, and the other goes on with them.

#[path = "support/redis.rs"]
mod redis_server;
mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use redis_server::Redis;
use support::{Process, udp};

const NAME: &str = "proxies.test";
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 2);

/// A name server that knows one name, with two addresses (RFC 1035 4.1).
fn name_server() -> SocketAddr {
    let socket = udp();
    let at = socket.local_addr().unwrap();
    socket.set_read_timeout(None).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = answer(&buffer[..n]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    at
}

fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let (mut name, mut at) = (String::new(), 12);
    while let length @ 1.. = usize::from(*question.get(at)?) {
        name.push_str(std::str::from_utf8(question.get(at + 1..=at + length)?).ok()?);
        name.push('.');
        at += length + 1;
    }
    let end = at + 5;
    let kind = u16::from_be_bytes(question.get(at + 1..at + 3)?.try_into().ok()?);
    let known = name.trim_end_matches('.').eq_ignore_ascii_case(NAME);
    let addresses: &[Ipv4Addr] = if known && kind == 1 { &[FIRST, SECOND] } else { &[] };
    let mut out = question.get(..2)?.to_vec();
    out.extend_from_slice(&[0x84, if known { 0 } else { 3 }, 0, 1, 0]);
    out.push(u8::try_from(addresses.len()).ok()?);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(question.get(12..end)?);
    for address in addresses {
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        out.extend_from_slice(&address.octets());
    }
    Some(out)
}

/// A port that is free at both addresses.
fn free_port() -> u16 {
    loop {
        let first = UdpSocket::bind((FIRST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if UdpSocket::bind((SECOND, port)).is_ok() {
            return port;
        }
    }
}

struct Scene {
    redis: Redis,
    dns: String,
    port: u16,
}

impl Scene {
    fn proxy(&self, at: Ipv4Addr) -> Process {
        let (listen, name) = (format!("udp:{at}:{}", self.port), format!("{NAME}:{}", self.port));
        let url = self.redis.url();
        let args = ["proxy", "--domain", "example.com", "--listen", &listen, "--store", &url];
        Process::start(&[&args[..], &["--advertise", &name, "--dns", &self.dns]].concat())
    }

    /// A phone whose requests go to the proxies by their name.
    fn phone(&self, user: &str, more: &[&str]) -> Process {
        let (aor, uri) = (format!("sip:{user}@example.com"), format!("sip:{NAME}:{}", self.port));
        let args = ["phone", "--listen", "udp:127.0.0.1:0", "--aor", &aor, "--proxy", &uri];
        Process::start(&[&args[..], &["--dns", &self.dns], more].concat())
    }
}

#[test]
fn when_one_proxy_is_killed_the_other_goes_on_with_its_calls() {
    let Some(redis) = Redis::start("failover") else { return };
    let scene = Scene { redis, dns: name_server().to_string(), port: free_port() };
    let first = scene.proxy(FIRST);
    let mut second = scene.proxy(SECOND);
    let mut bob = scene.phone("bob", &["--register", "--calls", "3"]);
    bob.wait_for("registered");
    let call = ["--call", "sip:bob@example.com", "--hangup-after"];
    // One hangs up while the first proxy lives, one when it has been killed.
    let mut early = scene.phone("alice", &[&call[..], &["100"]].concat());
    assert_eq!(early.end(), 0, "{:#?}", early.events);
    let mut late = scene.phone("alice", &[&call[..], &["2500"]].concat());
    late.wait_for("answered");
    bob.wait_for("confirmed");
    bob.wait_for("ended");
    bob.wait_for("confirmed");
    first.signal("-KILL");

    assert_eq!(late.end(), 0, "its BYE goes by the other: {:#?}", late.events);
    let ended = bob.wait_for("ended");
    assert_eq!(ended["why"], "remote_hangup", "{ended}");
    let mut new = scene.phone("carol", &[&call[..], &["100"]].concat());
    assert_eq!(new.end(), 0, "a new call: {:#?}", new.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
    let last = second.stop();
    assert!(last["received"].as_u64().unwrap() >= 6, "{last:#}");
}
