//! Floods at a proxy and registrar: what they can take is bounded and stated here, and those who
//! behave are served.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, Sent, config, request, response};
use sansip::{Algorithm, Challenge, Challenged, Ignored, Limits, Retransmit, Seen, footprint};

const BOB: &str = "sip:bob@example.com";
const CALLER: u8 = 1;
const CALLEE: u8 = 2;
const FLOOD: u8 = 9;

/// A proxy with room for this many requests at once, and bob's device.
fn proxy(forks: usize) -> Hop {
    let mut config = config();
    config.retransmit = Retransmit::Paid;
    let limits = Limits {
        forks,
        attempts: 2 * forks,
        transactions: 4 * forks,
        pool: forks * 12_000,
        ..Limits::TESTER
    };
    let mut hop = Hop::with(config, &limits);
    hop.bind(BOB, "sip:bob@10.0.0.2");
    hop
}

/// What in the dialog of this INVITE is sent next, by its caller.
fn next(hop: &Hop, method: &str, n: u32, ok: &Sent) -> String {
    let route = ok.one("Record-Route");
    let more = format!("To: {}\r\nRoute: {route}\r\n", ok.one("To"));
    let text = request(method, "sip:bob@10.0.0.2", CALLER, n, &more);
    text.replace("branch=z9hG4bK", &format!("branch=z9hG4bK{method}{}", hop.now))
}

/// A call that was set up before: its 200.
fn standing(hop: &mut Hop) -> Sent {
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    let invite = hop.only();
    hop.receive(CALLEE, &response(&invite, 200, "bt", "Contact: <sip:bob@10.0.0.2>\r\n"));
    let ok = hop.only();
    assert_eq!(ok.start(), "200");
    hop.receive(CALLER, &next(hop, "ACK", 1, &ok));
    assert_eq!(hop.labels(), ["2 ACK"]);
    ok
}

// S26
#[test]
fn a_flood_of_invites_is_refused_at_the_limit_and_calls_that_stand_can_end() {
    let mut hop = proxy(80);
    let ok = standing(&mut hop);
    hop.run(40_000);
    let (mut forwarded, mut refused, mut paid, mut sent) = (0u32, 0u32, 0usize, 0usize);
    for n in 1..=20_000 {
        let text =
            request("INVITE", BOB, FLOOD, n, "").replace("Call-ID: c9", &format!("Call-ID: f{n}"));
        paid += text.len();
        hop.receive(FLOOD, &text);
        for s in hop.take().into_iter().chain(core::mem::take(&mut hop.trying)) {
            match s.start() {
                "INVITE" => forwarded += 1,
                "503" => {
                    assert!(!s.one("Retry-After").is_empty());
                    refused += 1;
                }
                "100" => {}
                other => panic!("{other}"),
            }
            if s.to == FLOOD {
                sent += s.text.len();
            }
        }
    }
    // Seven eighths of the room are for requests that begin something.
    assert_eq!((forwarded, refused), (70, 20_000 - 70));
    assert!(sent <= 3 * paid, "{sent} bytes for {paid}");
    let stats = hop.engine.stats();
    assert_eq!((stats.forks, stats.refused_full), (70, u64::from(refused)), "{stats:?}");
    // Whoever has a call ends it.
    hop.receive(CALLER, &next(&hop, "BYE", 2, &ok));
    let bye = hop.only();
    assert_eq!((bye.to, bye.start()), (CALLEE, "BYE"));
    hop.receive(CALLEE, &response(&bye, 200, "bt", ""));
    assert_eq!(hop.labels(), ["1 200"]);
    // When the flood is over, calls come through again.
    hop.run(300_000);
    hop.take();
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 9, ""));
    assert_eq!(hop.labels(), ["2 INVITE"]);
    hop.finish();
}

// S26, S22: wrong passwords cost nothing that stays.
#[test]
fn a_flood_of_registers_with_wrong_passwords_leaves_nothing() {
    let mut config = config();
    config.retransmit = Retransmit::Paid;
    config.challenge = Challenge {
        methods: Challenged::All,
        realm: "example.com".into(),
        algorithms: [Algorithm::Md5].into(),
        ..config.challenge
    };
    let mut hop = Hop::with(config, &Limits { transactions: 50, ..Limits::TESTER });
    hop.users = vec![("bob".into(), "zanzibar".into())];
    hop.receive(FLOOD, &register(FLOOD, 1, ""));
    let challenge = hop.only().one("WWW-Authenticate").to_string();
    let nonce = challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
    let before = hop.engine.stats();
    let (mut paid, mut sent) = (0, 0);
    for n in 2..50_000u32 {
        let nonce = if n % 2 == 0 { nonce.clone() } else { format!("{n:032x}") };
        let guess = format!(
            "Authorization: Digest username=\"bob\", realm=\"example.com\", nonce=\"{nonce}\", \
             uri=\"sip:example.com\", response=\"{n:032x}\", algorithm=MD5, qop=auth, \
             cnonce=\"c\", nc={:08x}\r\n",
            n
        );
        let text = register(FLOOD, n, &guess);
        paid += text.len();
        hop.receive(FLOOD, &text);
        for s in hop.take() {
            assert!(["401", "503"].contains(&s.start()), "{}", s.text);
            sent += s.text.len();
        }
        hop.run(1);
        sent += hop.take().iter().map(|s| s.text.len()).sum::<usize>();
    }
    assert!(sent <= 3 * paid, "{sent} bytes for {paid}");
    hop.run(40_000);
    hop.take();
    let after = hop.engine.stats();
    assert_eq!((after.transactions, after.blocks, after.queries), (0, before.blocks, 0));
    assert!(hop.store.is_empty());
}

fn register(from: u8, n: u32, more: &str) -> String {
    let contact = format!("To: <{BOB}>\r\nContact: <sip:bob@10.0.0.{from}>\r\n");
    let text = request("REGISTER", "sip:example.com", from, n, &format!("{contact}{more}"));
    text.replace("From: <sip:a@", "From: <sip:bob@")
}

// S24, S28
#[test]
fn spoofed_responses_change_nothing() {
    let mut hop = proxy(80);
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    let invite = hop.only();
    let before = hop.engine.stats();
    let branch = invite.all("Via")[0].split("branch=").nth(1).unwrap().to_string();
    for n in 0..50_000u32 {
        let guess = format!("z9hG4bK{n:013}{}", &branch[branch.len() - 2..]);
        let status = [180, 200, 302, 486, 603][n as usize % 5];
        let forged = response(&invite, status, "evil", "Contact: <sip:evil@10.0.0.9>\r\n");
        let forged = match n % 3 {
            0 => forged.replace(&branch, &guess),
            1 => forged.replace("10.0.0.100:5060;branch", "10.0.0.9:5060;branch"),
            _ => forged.replace("1 INVITE", "1 MESSAGE"),
        };
        let seen = hop.receive(FLOOD, &forged);
        assert!(matches!(seen, Seen::Ignored(Ignored::StrayResponse)), "{seen:?}: {forged}");
    }
    assert_eq!(hop.take(), []);
    let after = hop.engine.stats();
    assert_eq!((after.ignored, after.received), (50_000, before.received + 50_000));
    let held =
        |s: sansip::Stats| (s.forks, s.attempts, s.transactions, s.timers, s.blocks, s.pool_bytes);
    assert_eq!(held(after), held(before));
    hop.receive(CALLEE, &response(&invite, 200, "bt", "Contact: <sip:bob@10.0.0.2>\r\n"));
    assert_eq!(hop.labels(), ["1 200"]);
    hop.finish();
}

// S30
#[test]
fn a_connection_that_says_nothing_costs_at_most_4_kib() {
    let bytes = |flows| footprint(&Limits { flows, ..Limits::SERVER });
    let each = (bytes(20_000) - bytes(10_000)) / 10_000;
    assert!(each <= 4_096, "{each}");
    println!("{each} bytes a connection");
}
