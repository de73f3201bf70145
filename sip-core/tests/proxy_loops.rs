//! Requests that come back: loops, spirals and the fork bomb of RFC 5393, with the bound on what a
//! proxy sends.

#[path = "support/hop.rs"]
mod hop;

use std::collections::BTreeSet;

use hop::{Asked, Hop, ME, Routes, Sent, config, request, response};
use sansip::{Addr, Instant, Limits, Local, LocalId, Transport};

const CALLER: u8 = 1;

/// Takes what the proxy sends to itself back in, and gives what it sends to others.
fn turn(hop: &mut Hop) -> Vec<Sent> {
    let mut all = Vec::new();
    loop {
        let mut sent = hop.take();
        sent.append(&mut hop.trying);
        if sent.is_empty() {
            return all;
        }
        for message in sent {
            if message.to == ME {
                hop.receive(ME, &message.text);
            }
            all.push(message);
        }
    }
}

fn invites(sent: &[Sent]) -> Vec<&Sent> {
    sent.iter().filter(|s| s.start() == "INVITE").collect()
}

fn final_of(sent: &[Sent]) -> &str {
    let mut finals = sent.iter().filter(|s| s.to == CALLER && s.start() >= "200");
    let status = finals.next().unwrap().start();
    assert!(finals.all(|s| s.start() == status));
    status
}

fn acked(hop: &mut Hop, uri: &str) {
    hop.receive(CALLER, &request("ACK", uri, CALLER, 1, "To: <sip:b@example.com>;tag=x\r\n"));
}

fn aor(n: u8) -> String {
    format!("sip:u{n}@example.com")
}

/// So many users, each registered at the addresses of record of all.
fn bombed(hop: &mut Hop, users: u8) -> Vec<Sent> {
    hop.dns = Some(ME);
    for n in 0..users {
        for other in 0..users {
            hop.bind(&aor(n), &aor(other));
        }
    }
    hop.receive(CALLER, &request("INVITE", &aor(0), CALLER, 1, ""));
    turn(hop)
}

// RFC 5393 3: two users, each registered at both.
#[test]
fn the_fork_bomb_of_two_users_is_four_requests() {
    let mut hop = Hop::new();
    let sent = bombed(&mut hop, 2);
    assert_eq!(invites(&sent).len(), 4, "{:?}", sent.iter().map(Sent::label).collect::<Vec<_>>());
    assert_eq!(final_of(&sent), "482");
    acked(&mut hop, &aor(0));
    hop.finish();
}

// RFC 5393 5: loops are found where a request comes back as it was; that leaves every way through all
// users once, 9,864,100 requests among ten. Max-Breadth leaves at most 60 at once on each of ten steps.
#[test]
fn max_breadth_bounds_a_fork_bomb_that_loop_detection_alone_does_not() {
    let limits = Limits {
        transactions: 4_000,
        attempts: 2_000,
        forks: 2_000,
        queries: 2_000,
        outputs: 4_096,
        pool: 32 << 20,
        ..Limits::TESTER
    };
    for (breadth, most) in [(60u16, 600), (6, 60)] {
        let mut config = config();
        config.forking.breadth = breadth;
        let mut hop = Hop::with(config, &limits);
        let sent = bombed(&mut hop, 10);
        let all = invites(&sent);
        println!("Max-Breadth {breadth}: {} requests", all.len());
        assert!(all.len() <= most, "{}", all.len());
        // What a request may still become is part of what it was.
        for came in &all {
            let branch = came.all("Via")[0];
            let next = all.iter().filter(|s| {
                s.all("Via")
                    .get(1)
                    .is_some_and(|v| v.starts_with(branch.split(";rport").next().unwrap()))
            });
            let given: u32 = next.map(|s| s.one("Max-Breadth").parse::<u32>().unwrap()).sum();
            assert!(given <= came.one("Max-Breadth").parse().unwrap());
        }
        let last = final_of(&sent);
        assert!(["440", "482"].contains(&last), "{last}");
        acked(&mut hop, &aor(0));
        hop.finish();
    }
}

// RFC 3261 16.3 step 4
#[test]
fn a_request_that_comes_back_as_it_was_is_a_loop() {
    let mut hop = Hop::new();
    hop.routes = Routes::To(vec![(String::new(), "sip:10.0.0.100".into(), 1_000)]);
    hop.receive(CALLER, &request("INVITE", "sip:x@other.example", CALLER, 1, ""));
    let sent = turn(&mut hop);
    assert_eq!(invites(&sent).len(), 1);
    assert_eq!(final_of(&sent), "482");
    acked(&mut hop, "sip:x@other.example");
    hop.finish();
}

// RFC 5393 4.2: a spiral comes back with another Request-URI, and is none.
#[test]
fn a_request_that_comes_back_for_somebody_else_is_no_loop() {
    let mut hop = Hop::new();
    hop.dns = Some(ME);
    hop.bind("sip:alias@example.com", "sip:b@example.net");
    hop.bind("sip:b@example.net", "sip:b@10.0.0.2");
    hop.receive(CALLER, &request("INVITE", "sip:alias@example.com", CALLER, 1, ""));
    let sent = turn(&mut hop);
    let all = invites(&sent);
    assert_eq!(all.iter().map(|s| s.to).collect::<Vec<_>>(), [ME, 2]);
    assert_eq!(all[1].all("Via").len(), 3);
    let marks: BTreeSet<&str> = all[1].all("Via")[..2].iter().map(|v| mark(v)).collect();
    assert_eq!(marks.len(), 2, "each arrival has its own mark");
    let answer = response(all[1], 200, "t", "Contact: <sip:b@10.0.0.2>\r\n");
    hop.receive(2, &answer);
    let back = turn(&mut hop);
    assert_eq!(final_of(&back), "200");
    hop.finish();
}

/// What a branch of ours ends with.
fn mark(via: &str) -> &str {
    let branch = via.split("branch=").nth(1).unwrap().split(';').next().unwrap();
    &branch[branch.len() - 6..]
}

// RFC 5393 4.2.1: whatever decides where a request goes is in the mark, and nothing else.
#[test]
fn the_mark_changes_with_what_decides_where_a_request_goes() {
    let marked = |uri: &str, more: &str, from: &str, to: &str| {
        let mut hop = Hop::new();
        hop.bind("sip:b@example.com", "sip:b@10.0.0.2");
        hop.bind("sip:c@example.com", "sip:b@10.0.0.2");
        let text = request("INVITE", uri, CALLER, 1, more).replace(from, to);
        hop.receive(CALLER, &text);
        mark(hop.take()[0].all("Via")[0]).to_string()
    };
    let bob = "sip:b@example.com";
    let plain = marked(bob, "", "", "");
    for (from, to) in [
        ("branch=z9hG4bK1x1", "branch=z9hG4bKother"),
        ("Max-Forwards: 70", "Max-Forwards: 20"),
        ("Contact: <sip:a@10.0.0.1>", "Contact: <sip:a@10.0.0.1>;x"),
    ] {
        assert_eq!(marked(bob, "", from, to), plain, "{to}");
    }
    let auth = "Proxy-Authorization: Digest realm=\"r\"\r\n";
    let others = [
        marked("sip:c@example.com", "", "", ""),
        marked(bob, "", "tag=f1", "tag=f2"),
        marked(bob, "", "Call-ID: c1", "Call-ID: c2"),
        marked(bob, "", "CSeq: 1 ", "CSeq: 2 "),
        marked(bob, auth, "", ""),
        marked(bob, "Route: <sip:10.0.0.100;lr>\r\n", "", ""),
        marked(bob, "To: <sip:b@example.com>;tag=x\r\n", "", ""),
    ];
    let all: BTreeSet<&String> = others.iter().chain([&plain]).collect();
    assert_eq!(all.len(), 8, "{plain} {others:?}");
}

#[test]
fn max_breadth_is_added_by_setting_and_kept_in_any_case() {
    for (set, fields, want) in [
        (60, "", Some("59")),
        (0, "", None),
        (0, "Max-Breadth: 9\r\n", Some("8")),
        (60, "Max-Breadth: 900000\r\n", Some("65534")),
        (60, "Max-Breadth: many\r\n", Some("59")),
    ] {
        let mut config = config();
        config.forking.breadth = set;
        let mut hop = Hop::with(config, &Limits::TESTER);
        hop.bind("sip:b@example.com", "sip:b@10.0.0.2");
        hop.receive(CALLER, &request("INVITE", "sip:b@example.com", CALLER, 1, fields));
        let sent = hop.take();
        assert_eq!(sent[0].all("Max-Breadth").first().copied(), want, "{set} {fields}");
    }
}

const TLS: LocalId = LocalId(3);

/// Bob's contacts, and who is tried for a sips request.
fn secure(contacts: &[&str]) -> (Hop, Vec<Asked>) {
    let mut hop = Hop::new();
    let bound = Addr::v4(10, 0, 0, ME, 5061);
    let local =
        Local { transport: Transport::Tls, bound, host: "10.0.0.100", port: 5061, network: 0 };
    hop.engine.set_local(Instant(0), TLS, local).unwrap();
    for uri in contacts {
        hop.bind("sip:b@example.com", uri);
    }
    hop.receive(CALLER, &request("INVITE", "sips:b@example.com", CALLER, 1, ""));
    let asked = hop.asked.split_off(1);
    (hop, asked)
}

// RFC 3261 26.2.2, RFC 5630 5.3
#[test]
fn a_sips_request_goes_to_sips_contacts_alone() {
    let (_, asked) = secure(&["sip:b@10.0.0.2", "sips:b@10.0.0.3"]);
    assert_eq!(asked, [Asked::Connect(3)]);
    let (mut hop, asked) = secure(&["sip:b@10.0.0.2"]);
    assert_eq!(asked, []);
    let refused = hop.only();
    assert_eq!((refused.to, refused.start()), (CALLER, "480"));
    assert_eq!(refused.one("Warning"), "380 10.0.0.100 \"SIPS Not Allowed\"");
}
