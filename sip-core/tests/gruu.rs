//! URIs that lead to one device of a user: RFC 5627.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, Sent, config, request, response};
use sansip::Limits;

const BOB: &str = "sip:bob@example.com";
const PUBLIC: &str = "sip:bob@example.com;gr=urn:uuid:1";

fn register(n: u32, more: &str) -> String {
    let to = "To: <sip:bob@example.com>\r\nSupported: gruu\r\n";
    request("REGISTER", "sip:example.com", 1, n, &format!("{to}{more}"))
}

fn device(host: &str, id: &str) -> String {
    format!("Contact: <sip:bob@{host}>;+sip.instance=\"<urn:uuid:{id}>\"\r\n")
}

fn registered(hop: &mut Hop, n: u32, more: &str) -> Sent {
    hop.receive(1, &register(n, more));
    hop.only()
}

/// The temporary GRUU in a 200.
fn temporary(ok: &Sent) -> String {
    let contact = ok.one("Contact");
    contact.split("temp-gruu=\"").nth(1).unwrap().split('"').next().unwrap().to_string()
}

fn goes_to(hop: &mut Hop, uri: &str, n: u32) -> String {
    hop.receive(4, &request("MESSAGE", uri, 4, n, ""));
    hop.run(0);
    let sent = hop.take();
    let labels: Vec<String> = sent.iter().map(Sent::label).collect();
    for s in sent.iter().filter(|s| s.start() == "MESSAGE") {
        hop.receive(s.to, &response(s, 200, "t", ""));
    }
    hop.take();
    labels.join(" ")
}

// 5.3, 5.4
#[test]
fn a_device_is_given_its_own_uris_and_is_reached_by_them_alone() {
    let mut hop = Hop::new();
    let ok = registered(&mut hop, 1, &device("10.0.0.2", "1"));
    assert!(ok.one("Contact").contains(&format!(";pub-gruu=\"{PUBLIC}\"")), "{}", ok.text);
    let first = temporary(&ok);
    assert!(first.starts_with("sip:tgruu.") && first.ends_with("@example.com;gr"), "{first}");
    assert!(!first.contains("bob") && !first.contains("uuid"));
    hop.bind(BOB, "sip:bob@10.0.0.3");
    assert_eq!(goes_to(&mut hop, PUBLIC, 1), "2 MESSAGE");
    assert_eq!(goes_to(&mut hop, "sip:bob@example.com;gr=urn%3Auuid:1", 2), "2 MESSAGE");
    assert_eq!(goes_to(&mut hop, &first, 3), "2 MESSAGE");
    // Each registration gives another one, and those of before hold on.
    let second = temporary(&registered(&mut hop, 2, &device("10.0.0.2", "1")));
    assert_ne!(first, second);
    assert_eq!(goes_to(&mut hop, &first, 4), "2 MESSAGE");
    assert_eq!(goes_to(&mut hop, &second, 5), "2 MESSAGE");
    // 5.5: another device, or one that has gone.
    assert_eq!(goes_to(&mut hop, "sip:bob@example.com;gr=urn:uuid:2", 6), "4 480");
    assert_eq!(goes_to(&mut hop, "sip:no@example.com;gr=urn:uuid:1", 7), "4 404");
    assert_eq!(goes_to(&mut hop, &first.replace("tgruu.", "tgruu.a"), 8), "4 404");
    hop.finish();
}

// 5.4: a temporary one ends with the registration that it was given to.
#[test]
fn a_new_call_id_ends_the_temporary_uris_of_before() {
    let mut hop = Hop::new();
    let old = temporary(&registered(&mut hop, 1, &device("10.0.0.2", "1")));
    hop.receive(1, &register(2, &device("10.0.0.2", "1")).replace("Call-ID: c1", "Call-ID: d1"));
    let new = temporary(&hop.only());
    assert_eq!(goes_to(&mut hop, &old, 1), "4 480");
    assert_eq!(goes_to(&mut hop, &new, 2), "2 MESSAGE");
    assert_eq!(goes_to(&mut hop, PUBLIC, 3), "2 MESSAGE", "the public one stays");
    hop.finish();
}

// 5.1 to 5.3
#[test]
fn a_uri_of_its_own_is_for_those_who_ask_and_is_no_contact() {
    let mut hop = Hop::new();
    let plain = register(1, &device("10.0.0.2", "1")).replace("Supported: gruu\r\n", "");
    hop.receive(1, &plain);
    assert!(!hop.only().text.contains("gruu"));
    let ok = registered(&mut hop, 2, "Contact: <sip:bob@10.0.0.3>\r\n");
    assert_eq!(ok.text.matches("pub-gruu").count(), 1, "no instance, no GRUU");
    // A device that sends back what it was given does not make it its own.
    let more =
        device("10.0.0.2", "1").replace("\r\n", ";pub-gruu=\"sip:mallory@example.com;gr\"\r\n");
    let ok = registered(&mut hop, 3, &more);
    assert!(!ok.text.contains("mallory"), "{}", ok.text);
    let own = format!("Contact: <{PUBLIC}>;+sip.instance=\"<urn:uuid:1>\"\r\n");
    assert_eq!(registered(&mut hop, 4, &own).start(), "403");
    hop.finish();

    let mut config = config();
    config.edge.gruu = false;
    let mut hop = Hop::with(config, &Limits::TESTER);
    assert!(!registered(&mut hop, 1, &device("10.0.0.2", "1")).text.contains("gruu"));
    hop.finish();
}

#[test]
fn the_engines_of_a_service_read_each_others_uris() {
    let engine = |seed: u8, key: u8| {
        let mut config = config();
        (config.seed, config.cluster_key) = ([seed; 32], [key; 32]);
        Hop::with(config, &Limits::TESTER)
    };
    let mut a = engine(1, 7);
    let uri = temporary(&registered(&mut a, 1, &device("10.0.0.2", "1")));
    for (key, label) in [(7, "2 MESSAGE"), (8, "4 404")] {
        let mut b = engine(2, key);
        b.store = a.store.clone();
        assert_eq!(goes_to(&mut b, &uri, 1), label);
        b.finish();
    }
    a.finish();
}
