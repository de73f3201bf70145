//! Bindings in Redis, which several proxies share. Skipped where there is no redis-server, unless
//! SANSIP_NEEDS_REDIS is set.

#[path = "support/redis.rs"]
mod redis_server;
mod support;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use redis_server::Redis;
use support::{PATIENCE, Process, headers, receive, request, status, udp};

fn proxy(redis: &Redis, more: &[&str]) -> Process {
    let url = redis.url();
    let args = ["proxy", "--domain", "example.com", "--listen", "udp:127.0.0.1:0"];
    Process::start(&[&args[..], &["--store", &url], more].concat())
}

fn phone(user: &str, proxy: SocketAddr, more: &[&str]) -> Process {
    let (aor, uri) = (format!("sip:{user}@example.com"), format!("sip:{proxy}"));
    let args = ["phone", "--listen", "udp:127.0.0.1:0", "--aor", &aor, "--proxy", &uri];
    Process::start(&[&args, more].concat())
}

const CALL: [&str; 4] = ["--call", "sip:bob@example.com", "--hangup-after", "100"];

/// A REGISTER of this user's that comes from `from`, which is its Contact.
fn register(user: &str, from: &UdpSocket, mark: &str) -> String {
    let aor = format!("sip:{user}@example.com");
    let own = from.local_addr().unwrap();
    let message = request("REGISTER", &aor, "UDP", own, mark);
    message
        .replacen(&aor, "sip:example.com", 1)
        .replace("Max-Forwards", "Expires: 60\r\nMax-Forwards")
}

/// The next final response.
fn last(socket: &UdpSocket) -> String {
    loop {
        let response = receive(socket);
        if status(&response) >= 200 {
            return response;
        }
    }
}

fn answer(to: SocketAddr, socket: &UdpSocket, message: &str) -> String {
    socket.send_to(message.as_bytes(), to).unwrap();
    last(socket)
}

#[test]
fn who_registers_at_one_proxy_is_reached_through_the_other() {
    let Some(redis) = Redis::start("two") else { return };
    let (a, b) = (proxy(&redis, &[]), proxy(&redis, &["--workers", "2"]));
    let mut bob = phone("bob", a.udp(), &["--register", "--calls", "2"]);
    bob.wait_for("registered");
    for p in [&a, &b] {
        let mut alice = phone("alice", p.udp(), &CALL);
        assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    }
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
    let mut late = phone("alice", b.udp(), &[&CALL[..], &["--expect", "480"]].concat());
    assert_ne!(late.end(), 2, "bob has unregistered: {:#?}", late.events);
    assert!(late.event("answered").is_none());
}

#[test]
fn bindings_end_with_their_time_in_redis_too() {
    let Some(redis) = Redis::start("expiry") else { return };
    let p = proxy(&redis, &[]);
    let socket = udp();
    assert_eq!(status(&answer(p.udp(), &socket, &register("bob", &socket, "once"))), 200);
    let mut c = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    let mut lives = |key: &str| redis::cmd("PTTL").arg(key).query::<i64>(&mut c).unwrap();
    let left = lives("sansip:aor:sip:bob@example.com");
    assert!((50_000..=60_000).contains(&left), "{left}");
    let contact = format!("sansip:contact:sip:tester@{}", socket.local_addr().unwrap());
    assert!((50_000..=60_000).contains(&lives(&contact)));
}

/// Registrations of one address at two proxies at once: none of them is lost (RFC 3261 10.3).
#[test]
fn registrations_at_two_proxies_at_once_lose_nothing() {
    let Some(redis) = Redis::start("conflict") else { return };
    let proxies = [proxy(&redis, &["--workers", "2"]), proxy(&redis, &["--workers", "2"])];
    let sockets: Vec<UdpSocket> = (0..8).map(|_| udp()).collect();
    for (i, socket) in sockets.iter().enumerate() {
        let message = register("bob", socket, &format!("race{i}"));
        socket.send_to(message.as_bytes(), proxies[i % 2].udp()).unwrap();
    }
    let mut refused = Vec::new();
    for (i, socket) in sockets.iter().enumerate() {
        match status(&last(socket)) {
            200 => {}
            503 => refused.push(i),
            other => panic!("{other}"),
        }
    }
    // One that lost the race too often is told so, and comes again.
    for i in refused {
        let message = register("bob", &sockets[i], &format!("again{i}"));
        assert_eq!(status(&answer(proxies[i % 2].udp(), &sockets[i], &message)), 200);
    }
    let ask = register("bob", &sockets[0], "ask");
    let ask: String = ask.split_inclusive("\r\n").filter(|l| !l.starts_with("Contact")).collect();
    let all = answer(proxies[1].udp(), &sockets[0], &ask);
    let contacts: usize = headers(&all, "Contact").iter().map(|v| v.matches("<sip:").count()).sum();
    assert_eq!(contacts, 8, "{all}");
}

#[test]
fn while_redis_is_away_calls_go_on_and_registrations_are_refused() {
    let Some(mut redis) = Redis::start("away") else { return };
    let p = proxy(&redis, &["--no-relay"]);
    let socket = udp();
    let mut bob = phone("bob", p.udp(), &["--register", "--calls", "3"]);
    bob.wait_for("registered");
    let call = || {
        let begin = Instant::now();
        let mut alice = phone("alice", p.udp(), &CALL);
        assert_eq!(alice.end(), 0, "{:#?}", alice.events);
        begin.elapsed()
    };
    call();

    redis.stop();
    let refusal = answer(p.udp(), &socket, &register("carol", &socket, "away"));
    assert_eq!(status(&refusal), 503, "{refusal}");
    assert_eq!(headers(&refusal, "Retry-After").len(), 1, "{refusal}");
    assert!(call() < Duration::from_secs(10));
    let unknown =
        request("OPTIONS", "sip:carol@example.com", "UDP", socket.local_addr().unwrap(), "x");
    assert!(matches!(status(&answer(p.udp(), &socket, &unknown)), 503 | 500));

    redis.again();
    let end = Instant::now() + PATIENCE;
    let mut n = 0;
    loop {
        let again = answer(p.udp(), &socket, &register("carol", &socket, &format!("back{n}")));
        if status(&again) == 200 {
            break;
        }
        assert!(Instant::now() < end, "it does not recover: {again}");
        n += 1;
        std::thread::sleep(Duration::from_millis(200));
    }
    call();
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}
