//! The registrar, message by message: RFC 3261 10.3.

#[path = "support/hop.rs"]
mod hop;

use hop::{Asked, Hop, Sent, config, request, response};
use sansip::{Answer, Instant, Limits};

const BOB: &str = "sip:bob@example.com";

fn register(n: u32, more: &str) -> String {
    let to = if more.contains("To:") { "" } else { "To: Bob <sip:bob@example.com>\r\n" };
    request("REGISTER", "sip:example.com", 1, n, &format!("{to}{more}"))
}

fn registered(hop: &mut Hop, n: u32, more: &str) -> Sent {
    hop.receive(1, &register(n, more));
    hop.only()
}

#[test]
fn a_device_registers_is_shown_refreshes_and_leaves() {
    let mut hop = Hop::new();
    let ok = registered(&mut hop, 1, "Contact: \"B\" <sip:bob@10.0.0.2;x>;q=0.5;a=b\r\n");
    assert_eq!(ok.start(), "200");
    let shown = "<sip:bob@10.0.0.2;x>;a=b;q=0.5;expires=3600";
    assert_eq!(ok.one("Contact"), shown);
    assert_eq!(ok.one("Date"), "Sun, 09 Sep 2001 01:46:40 GMT");
    assert!(ok.one("To").contains(";tag="));
    assert_eq!(
        hop.asked,
        [
            Asked::Locate(BOB.into()),
            Asked::Store { aor: BOB.into(), version: 0, uris: vec!["sip:bob@10.0.0.2;x".into()] },
        ]
    );
    // A fetch stores nothing.
    hop.asked.clear();
    hop.run(100_000);
    let ok = registered(&mut hop, 2, "");
    assert_eq!(ok.one("Contact"), shown.replace("3600", "3500"));
    assert_eq!(hop.asked, [Asked::Locate(BOB.into())]);
    // A second device, then the first leaves.
    let ok = registered(&mut hop, 3, "Contact: <sip:bob@10.0.0.3>;expires=120\r\n");
    assert_eq!(
        ok.one("Contact"),
        format!("{}, <sip:bob@10.0.0.3>;expires=120", shown.replace("3600", "3500"))
    );
    let ok = registered(&mut hop, 4, "Contact: <sip:bob@10.0.0.2;x>;expires=0\r\n");
    assert_eq!(ok.one("Contact"), "<sip:bob@10.0.0.3>;expires=120");
    // Calls reach whom there is, and the Request-URI has no parameters of the Contact field.
    hop.receive(4, &request("INVITE", "sip:Bob@example.com", 4, 1, ""));
    assert_eq!(hop.labels(), ["4 404"], "another user");
    hop.receive(4, &request("INVITE", "sip:%62ob@EXAMPLE.com:5060;transport=udp", 4, 2, ""));
    let invite = hop.only();
    assert_eq!((invite.to, invite.uri()), (3, "sip:bob@10.0.0.3"));
    hop.receive(3, &response(&invite, 486, "t", ""));
    hop.take();
    let ok = registered(&mut hop, 5, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!((ok.start(), ok.all("Contact").len()), ("200", 0));
    hop.finish();
}

#[test]
fn what_cannot_be_registered_is_refused() {
    let cases = [
        ("To: <sip:bob@elsewhere.example>\r\n", "404"),
        ("To: <tel:+1>\r\n", "400"),
        ("To: <sip:bob@example.net>\r\n", "404"),
        ("Require: one, two\r\n", "420"),
        ("Contact: *\r\n", "400"),
        ("Contact: *\r\nContact: <sip:a@h>\r\nExpires: 0\r\n", "400"),
        ("Contact: <sip:a@h\r\n", "400"),
        ("Contact: <sip:a@10.0.0.2>;expires=10\r\n", "423"),
    ];
    for (more, status) in cases {
        let mut hop = Hop::new();
        let sent = registered(&mut hop, 1, more);
        assert_eq!(sent.start(), status, "{more}");
        match status {
            "420" => assert_eq!(sent.all("Unsupported"), ["one", "two"]),
            "423" => assert_eq!(sent.one("Min-Expires"), "60"),
            _ => assert_eq!(hop.asked, []),
        }
        assert!(hop.store.is_empty());
        hop.finish();
    }
    let mut config = config();
    config.max_bindings = 1;
    let mut hop = Hop::with(config, &Limits::TESTER);
    assert_eq!(registered(&mut hop, 1, "Contact: <sip:a@10.0.0.2>\r\n").start(), "200");
    assert_eq!(registered(&mut hop, 2, "Contact: <sip:a@10.0.0.3>\r\n").start(), "403");
    // Out of order.
    assert_eq!(registered(&mut hop, 1, "Contact: <sip:a@10.0.0.2>\r\n").start(), "200");
    let late = register(1, "Contact: <sip:a@10.0.0.2>\r\n").replace("x1\r", "xB\r");
    hop.receive(1, &late);
    assert_eq!(hop.only().start(), "500");
    hop.finish();
}

// Two REGISTERs for one address of record that cross lose nothing.
#[test]
fn a_conflict_applies_the_rule_again() {
    let mut hop = Hop::new();
    hop.hold = true;
    hop.receive(1, &register(1, "Contact: <sip:bob@10.0.0.2>\r\n"));
    let other = register(1, "Contact: <sip:bob@10.0.0.3>\r\n");
    hop.receive(2, &other.replace("z9hG4bK1x", "z9hG4bK2x").replace("Call-ID: c1", "Call-ID: c2"));
    assert_eq!(hop.held.len(), 2);
    // Both have read version 0; the answers come before either stores.
    let now = Instant(hop.now);
    for (id, _) in core::mem::take(&mut hop.held) {
        hop.engine.answer(now, id, Answer::Located { version: 0, bindings: &[] }).unwrap();
    }
    hop.hold = false;
    hop.drain();
    let stores = hop.asked.iter().filter(|a| matches!(a, Asked::Store { .. })).count();
    assert_eq!(stores, 3);
    assert_eq!(hop.store[BOB].1.len(), 2);
    let mut sent = hop.take();
    sent.sort_by_key(|s| s.text.len());
    assert_eq!(sent.iter().map(Sent::start).collect::<Vec<_>>(), ["200", "200"]);
    assert!(
        sent[1].one("Contact").contains("10.0.0.2") && sent[1].one("Contact").contains("10.0.0.3")
    );
    hop.finish();
}

#[test]
fn a_store_that_never_agrees_or_fails_ends_the_request() {
    for (answer, want) in [(Answer::Conflict, "503"), (Answer::Failed, "500")] {
        let mut hop = Hop::new();
        hop.hold = true;
        hop.receive(1, &register(1, "Contact: <sip:bob@10.0.0.2>\r\n"));
        let mut rounds = 0;
        while hop.sent.is_empty() {
            rounds += 1;
            assert!(rounds < 10, "bounded");
            let now = Instant(hop.now);
            for (id, asked) in core::mem::take(&mut hop.held) {
                let answer = match asked {
                    Asked::Locate(_) => Answer::Located { version: rounds, bindings: &[] },
                    _ => answer,
                };
                hop.engine.answer(now, id, answer).unwrap();
            }
            hop.drain();
        }
        assert_eq!(hop.only().start(), want);
        hop.finish();
    }
    // Nobody answers the question: it fails at its deadline.
    let mut hop = Hop::new();
    hop.hold = true;
    hop.receive(1, &register(1, ""));
    hop.run(30_000);
    assert!(hop.labels().contains(&"1 500".to_string()));
    hop.finish();
    // No such address of record.
    let mut hop = Hop::new();
    hop.hold = true;
    hop.receive(1, &register(1, ""));
    let (id, _) = hop.held.remove(0);
    hop.engine.answer(Instant(0), id, Answer::NotFound).unwrap();
    hop.drain();
    assert_eq!(hop.only().start(), "404");
    hop.finish();
}

#[test]
fn a_full_table_answers_503() {
    let mut hop = Hop::with(config(), &Limits { queries: 2, ..Limits::TESTER });
    hop.hold = true;
    for n in 1..=2 {
        hop.receive(1, &register(n, ""));
        assert_eq!(hop.take(), []);
    }
    hop.receive(1, &register(3, ""));
    let sent = hop.only();
    assert_eq!((sent.start(), sent.one("Retry-After")), ("503", "10"));
    hop.release();
    assert_eq!(hop.labels(), ["1 200", "1 200"]);
    hop.finish();
}

// RFC 3261 10.2: a third party registers a device of somebody else; whose it is, To says.
#[test]
fn a_third_party_registers_for_another() {
    let mut hop = Hop::new();
    let text = register(1, "Contact: <sip:bob@10.0.0.2>\r\n");
    hop.receive(1, &text.replace("From: <sip:a@example.com>", "From: <sip:boss@example.net>"));
    assert_eq!(hop.only().start(), "200");
    assert_eq!(hop.store[BOB].1[0].uri, "sip:bob@10.0.0.2");
    assert_eq!(hop.store.len(), 1);
    hop.receive(4, &request("MESSAGE", BOB, 4, 1, ""));
    assert_eq!(hop.only().to, 2);
    hop.finish();
}

// S31: more devices than there may be are refused, and those that there are stay.
#[test]
fn the_devices_of_a_user_are_bounded_and_none_gives_way() {
    let mut hop = Hop::new();
    for n in 1..=10 {
        let ok = registered(&mut hop, n, &format!("Contact: <sip:bob@10.0.1.{n}>\r\n"));
        assert_eq!(ok.start(), "200");
    }
    let before = hop.store[BOB].clone();
    for n in 11..=20 {
        let more = format!("Contact: <sip:bob@10.0.1.{n}>\r\n");
        assert_eq!(registered(&mut hop, n, &more).start(), "403");
    }
    assert_eq!(hop.store[BOB], before);
    let again = registered(&mut hop, 21, "Contact: <sip:bob@10.0.1.3>\r\n");
    assert_eq!(again.start(), "200", "a known one registers again");
    hop.finish();
}
