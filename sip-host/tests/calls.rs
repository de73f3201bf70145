//! Calls between `sansip` processes, through `sansip proxy` and directly.

mod support;

use std::time::{Duration, Instant};

use support::{Process, udp};

fn proxy(more: &[&str]) -> Process {
    let mut args = vec!["proxy", "--domain", "example.com", "--drain", "40000"];
    args.extend_from_slice(&["--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0"]);
    args.extend_from_slice(more);
    Process::start(&args)
}

fn phone(user: &str, proxy: &str, transport: &str, more: &[&str]) -> Process {
    let aor = format!("sip:{user}@example.com");
    let listen = format!("{transport}:127.0.0.1:0");
    let mut args = vec!["phone", "--listen", &listen, "--aor", &aor, "--proxy", proxy];
    args.extend_from_slice(more);
    Process::start(&args)
}

/// A callee that is registered, and the proxy's URI.
fn registered(proxy: &Process, transport: &str, more: &[&str]) -> (Process, String) {
    let uri = match transport {
        "tcp" => format!("sip:{};transport=tcp", proxy.tcp()),
        _ => format!("sip:{}", proxy.udp()),
    };
    let mut args = vec!["--register"];
    args.extend_from_slice(more);
    let mut bob = phone("bob", &uri, transport, &args);
    bob.wait_for("registered");
    (bob, uri)
}

const CALL: [&str; 2] = ["--call", "sip:bob@example.com"];

fn call(proxy: &str, transport: &str, more: &[&str]) -> Process {
    let mut args = CALL.to_vec();
    args.extend_from_slice(more);
    phone("alice", proxy, transport, &args)
}

#[test]
fn a_call_through_the_proxy_leaves_nothing_behind() {
    let mut p = proxy(&[]);
    let (mut bob, uri) = registered(&p, "udp", &["--after", "300", "--calls", "1"]);
    let mut alice = call(&uri, "udp", &["--hangup-after", "300"]);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(alice.event("progress").unwrap()["status"], 180);
    assert_eq!(alice.event("answered").unwrap()["status"], 200);
    assert_eq!(alice.event("ended").unwrap()["why"], "hangup");
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
    assert!(bob.event("confirmed").is_some());
    assert_eq!(bob.event("ended").unwrap()["why"], "remote_hangup");
    assert!(bob.event("unregistered").is_some(), "{:#?}", bob.events);
    p.interrupt();
    assert_eq!(end_within(&mut p, Duration::from_secs(45)), 0);
    let last = p.events.last().unwrap();
    for count in ["transactions", "forks", "attempts", "timers", "queries", "blocks", "registered"]
    {
        assert_eq!(last[count], 0, "{count}: {last:#}");
    }
}

fn end_within(process: &mut Process, most: Duration) -> i32 {
    let end = Instant::now() + most;
    while process.is_running() {
        assert!(Instant::now() < end, "it does not end: {:#?}", process.events);
        std::thread::sleep(Duration::from_millis(50));
    }
    process.end()
}

#[test]
fn the_callee_may_hang_up_first() {
    let p = proxy(&[]);
    let (mut bob, uri) = registered(&p, "udp", &["--hangup-after", "200", "--calls", "1"]);
    let mut alice = call(&uri, "udp", &[]);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(alice.event("ended").unwrap()["why"], "remote_hangup");
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}

#[test]
fn a_busy_callee_fails_the_call_unless_that_was_wanted() {
    let p = proxy(&[]);
    let (mut bob, uri) = registered(&p, "udp", &["--answer", "486", "--calls", "2"]);
    let mut alice = call(&uri, "udp", &[]);
    assert_eq!(alice.end(), 1);
    let ended = alice.event("ended").unwrap();
    assert_eq!((&ended["why"], &ended["status"]), (&"refused".into(), &486.into()));
    let mut alice = call(&uri, "udp", &["--expect", "486"]);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}

#[test]
fn a_call_that_nobody_answers_is_given_up() {
    let p = proxy(&[]);
    let (mut bob, uri) = registered(&p, "udp", &["--answer", "180", "--calls", "1"]);
    let mut alice = call(&uri, "udp", &["--cancel-after", "500"]);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(alice.event("ended").unwrap()["why"], "abandoned");
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
    assert_eq!(bob.event("ended").unwrap()["why"], "cancelled");
}

#[test]
fn calls_over_tcp() {
    let p = proxy(&[]);
    let (mut bob, uri) = registered(&p, "tcp", &["--calls", "20"]);
    let more = ["--calls", "20", "--rate", "50", "--hangup-after", "100"];
    let mut alice = call(&uri, "tcp", &more);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}

#[test]
fn a_caller_on_udp_reaches_a_callee_on_tcp() {
    let p = proxy(&[]);
    let (mut bob, _) = registered(&p, "tcp", &["--calls", "1"]);
    let mut alice = call(&format!("sip:{}", p.udp()), "udp", &["--hangup-after", "200"]);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}

#[test]
fn a_user_without_binding_is_not_found_unless_a_route_takes_the_call() {
    let p = proxy(&[]);
    let mut alice = call(&format!("sip:{}", p.udp()), "udp", &["--expect", "404"]);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);

    let carol =
        ["phone", "--listen", "udp:127.0.0.1:0", "--aor", "sip:carol@example.com", "--calls", "1"];
    let mut carol = Process::start(&carol);
    let route = format!("*=sip:{}", carol.udp());
    let p = proxy(&["--route", &route]);
    let mut alice = call(&format!("sip:{}", p.udp()), "udp", &["--hangup-after", "100"]);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(carol.end(), 0, "{:#?}", carol.events);
    assert_eq!(carol.event("incoming").unwrap()["uri"], "sip:bob@example.com");
}

#[test]
fn a_port_where_nobody_listens_ends_the_call_at_once() {
    let free = udp();
    let target = format!("sip:bob@{}", free.local_addr().unwrap());
    drop(free);
    let begin = Instant::now();
    let args = [
        "phone",
        "--listen",
        "udp:127.0.0.1:0",
        "--aor",
        "sip:alice@example.com",
        "--call",
        &target,
    ];
    let mut alice = Process::start(&args);
    assert_eq!(alice.end(), 1);
    assert_eq!(alice.event("ended").unwrap()["why"], "unreachable", "{:#?}", alice.events);
    assert!(begin.elapsed() < Duration::from_secs(5), "the ICMP error was not seen");
}

#[test]
fn a_redirected_caller_is_told_where_to_go() {
    let p = proxy(&[]);
    let more = ["--answer", "302", "--redirect-to", "sip:carol@example.com", "--calls", "1"];
    let (mut bob, uri) = registered(&p, "udp", &more);
    let mut alice = call(&uri, "udp", &["--expect", "302"]);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}

#[test]
fn ctrl_c_ends_the_calls_of_a_phone() {
    let p = proxy(&[]);
    let (mut bob, uri) = registered(&p, "udp", &["--calls", "1"]);
    let mut alice = call(&uri, "udp", &[]);
    alice.wait_for("answered");
    bob.wait_for("confirmed");
    let last = alice.stop();
    assert_eq!(last["calls"], 0);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
    assert_eq!(bob.event("ended").unwrap()["why"], "remote_hangup");
}

#[test]
fn who_takes_only_calls_to_its_own_address_refuses_others() {
    let bob =
        ["phone", "--listen", "udp:127.0.0.1:0", "--aor", "sip:bob@example.com", "--only-aor"];
    let bob = Process::start(&bob);
    let carol = format!("sip:carol@{}", bob.udp());
    let args = ["phone", "--listen", "udp:127.0.0.1:0", "--aor", "sip:alice@example.com"];
    let mut alice = Process::start(&[&args[..], &["--call", &carol, "--expect", "404"]].concat());
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
}
