//! Two proxies behind one name: one is killed with calls up, and the other goes on with them.

#[path = "support/dns.rs"]
mod dns;
#[path = "support/redis.rs"]
mod redis_server;
mod support;

use std::net::{Ipv4Addr, UdpSocket};

use dns::Zone;
use redis_server::Redis;
use support::Process;

const NAME: &str = "proxies.test";
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 2);

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
    let names = Zone::default().a(NAME, FIRST).a(NAME, SECOND).serve();
    let scene = Scene { redis, dns: names.at.to_string(), port: free_port() };
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
