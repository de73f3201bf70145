//! Registration, registrar.

use crate::hop::{Hop, Routes, Sent, config, request};
use crate::iut::{Ask, PASSWORD};
use crate::server::{BOB, BOUND, Role, TESTER, challenging, invite, nonce, proven, register};
use sansip::Limits;

/// The registrar, to be asked several times.
struct Registrar {
    hop: Hop,
    count: u32,
}

impl Registrar {
    fn new() -> Self {
        Self { hop: Role::Registrar.hop(), count: 0 }
    }

    /// The next REGISTER of bob's, with these fields in place of a Contact.
    fn next(&mut self, more: &str) -> Ask {
        self.count += 1;
        let via = format!("SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKr{}", self.count);
        Ask { via, cseq: 10 + self.count, more: more.into(), ..register() }
    }

    fn send(&mut self, ask: &Ask) -> Sent {
        self.hop.receive(TESTER, &ask.text());
        self.hop.only()
    }

    /// What the next REGISTER gets.
    fn register(&mut self, more: &str) -> Sent {
        let ask = self.next(more);
        self.send(&ask)
    }

    /// The bindings that there are: each with what the 200 says of it.
    fn bindings(&mut self) -> Vec<String> {
        let ok = self.register("");
        assert_eq!(ok.start(), "200");
        let contacts = ok.all("Contact").join(", ");
        contacts.split(", ").filter(|c| !c.is_empty()).map(str::to_string).collect()
    }
}

fn bound(uri: &str, expires: u32) -> String {
    format!("<{uri}>;expires={expires}")
}

const OTHER: &str = "sip:bob@10.0.0.3";

/// RFC 3261 10.3: a REGISTER with a Contact binds it to the address of record in To, and the 200
/// lists it.
#[test]
fn sip_rg_rr_v_001() {
    let mut r = Registrar::new();
    let ok = r.register(&format!("Contact: <{BOUND}>\r\n"));
    assert_eq!((ok.start(), ok.one("Contact")), ("200", &*bound(BOUND, 3_600)));
    assert!(r.hop.store.contains_key(BOB));
}

/// RFC 3261 10.3 step 8: the 200 lists every binding, each with the time that it has left.
#[test]
fn sip_rg_rr_v_002() {
    let mut r = Registrar::new();
    r.register(&format!("Contact: <{BOUND}>;expires=600\r\n"));
    r.hop.run(100_000);
    let ok = r.register(&format!("Contact: <{OTHER}>;expires=700\r\n"));
    assert_eq!(
        ok.all("Contact").join(", "),
        format!("{}, {}", bound(BOUND, 500), bound(OTHER, 700))
    );
}

/// RFC 3261 10.2.1.1, 10.3 step 7: the expires parameter of a Contact says how long it is bound.
#[test]
fn sip_rg_rr_v_003() {
    let mut r = Registrar::new();
    let ok = r.register(&format!("Contact: <{BOUND}>;expires=120\r\nExpires: 900\r\n"));
    assert_eq!(ok.one("Contact"), bound(BOUND, 120));
    r.hop.run(121_000);
    assert_eq!(r.bindings(), [""; 0]);
}

/// RFC 3261 10.2.1.2: of several Contacts the q value is kept, and calls follow it.
#[test]
fn sip_rg_rr_v_004() {
    let mut r = Registrar::new();
    r.register(&format!("Contact: <{BOUND}>;q=0.2\r\nContact: <{OTHER}>;q=0.7\r\n"));
    let shown = r.bindings();
    assert!(shown.iter().any(|c| c.contains(BOUND) && c.contains("q=0.2")), "{shown:?}");
    assert!(shown.iter().any(|c| c.contains(OTHER) && c.contains("q=0.7")), "{shown:?}");
    r.hop.receive(TESTER, &invite().text());
    assert_eq!(r.hop.take()[0].uri(), OTHER);
}

/// RFC 3261 10.2.1.1, 10.3 step 7: without that parameter the Expires field says it.
#[test]
fn sip_rg_rr_v_005() {
    let ok = Registrar::new().register(&format!("Contact: <{BOUND}>\r\nExpires: 900\r\n"));
    assert_eq!(ok.one("Contact"), bound(BOUND, 900));
}

/// RFC 3261 10.2.1.1, 10.3 step 7: without either the registrar does.
#[test]
fn sip_rg_rr_v_006() {
    let ok = Registrar::new().register(&format!("Contact: <{BOUND}>\r\n"));
    assert_eq!(ok.one("Contact"), bound(BOUND, config().default_expires));
}

/// RFC 3261 10.2.2: a Contact that expires in 0 seconds is removed, another stays.
#[test]
fn sip_rg_rr_v_007() {
    let mut r = Registrar::new();
    r.register(&format!("Contact: <{BOUND}>, <{OTHER}>\r\n"));
    let ok = r.register(&format!("Contact: <{BOUND}>;expires=0\r\n"));
    assert_eq!((ok.start(), ok.one("Contact")), ("200", &*bound(OTHER, 3_600)));
    let ok = r.register(&format!("Contact: <{OTHER}>\r\nExpires: 0\r\n"));
    assert_eq!((ok.start(), ok.all("Contact").len()), ("200", 0));
}

/// RFC 3261 10.2.2, 10.3 step 6: `*` with Expires 0 removes all bindings.
#[test]
fn sip_rg_rr_v_008() {
    let mut r = Registrar::new();
    r.register(&format!("Contact: <{BOUND}>, <{OTHER}>\r\n"));
    let ok = r.register("Contact: *\r\nExpires: 0\r\n");
    assert_eq!((ok.start(), ok.all("Contact").len()), ("200", 0));
    assert_eq!(r.bindings(), [""; 0]);
}

/// RFC 3261 10.2, 20.10: a Contact may have a name and parameters, or no brackets at all.
#[test]
fn sip_rg_rr_v_009() {
    let mut r = Registrar::new();
    let ok =
        r.register(&format!("Contact: \"Bob, at home\" <{BOUND};user=ip>;methods=\"INVITE\"\r\n"));
    let shown = ok.one("Contact");
    assert!(shown.contains(&format!("<{BOUND};user=ip>")), "{shown}");
    assert!(shown.contains("methods=\"INVITE\""), "{shown}");
    // Without brackets parameters are the field's (RFC 3261 20).
    let ok = Registrar::new().register(&format!("Contact: {BOUND};expires=99\r\n"));
    assert_eq!(ok.one("Contact"), bound(BOUND, 99));
}

/// RFC 3261 10.3: a REGISTER without a Contact changes nothing and gets the bindings.
#[test]
fn sip_rg_rr_v_010() {
    let mut r = Registrar::new();
    assert_eq!(r.bindings(), [""; 0]);
    r.register(&format!("Contact: <{BOUND}>;expires=600\r\n"));
    let before = r.hop.store.clone();
    assert_eq!(r.bindings(), [bound(BOUND, 600)]);
    assert_eq!(r.hop.store, before);
}

/// RFC 3261 10.3 step 7: the same Contact again is refreshed, not doubled.
#[test]
fn sip_rg_rr_v_011() {
    let mut r = Registrar::new();
    r.register(&format!("Contact: <{BOUND}>;expires=600\r\n"));
    r.hop.run(300_000);
    let ok = r.register(&format!("Contact: <{BOUND}>;expires=600\r\n"));
    assert_eq!(ok.one("Contact"), bound(BOUND, 600));
    r.hop.run(400_000);
    assert_eq!(r.bindings(), [bound(BOUND, 200)]);
}

/// RFC 3261 10.3 step 7: Contacts are the same by the rules for URIs (19.1.4).
#[test]
fn sip_rg_rr_v_012() {
    let mut r = Registrar::new();
    r.register("Contact: <sip:bob@device.example;user=ip>\r\n");
    let ok = r.register("Contact: <SIP:%62ob@DEVICE.example;user=IP>;expires=700\r\n");
    let shown = ok.all("Contact");
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains("expires=700"));
    let ok = r.register("Contact: <sip:Bob@device.example;user=ip>\r\n");
    assert_eq!(ok.all("Contact").join(", ").matches("<").count(), 2, "another user part");
}

/// RFC 3261 10.3 step 7: a request that is older than the binding by CSeq, with the same Call-ID,
/// changes nothing.
#[test]
fn sip_rg_rr_v_013() {
    let mut r = Registrar::new();
    r.count = 50;
    r.register(&format!("Contact: <{BOUND}>;expires=600\r\n"));
    let late = Ask { cseq: 20, more: format!("Contact: <{BOUND}>;expires=0\r\n"), ..register() };
    let refusal = r.send(&late);
    assert!(refusal.start() >= "400", "{}", refusal.text);
    assert_eq!(r.bindings(), [bound(BOUND, 600)]);
}

/// RFC 3261 10.3 step 7: with another Call-ID, that of a phone that was restarted, any CSeq will do.
#[test]
fn sip_rg_rr_v_014() {
    let mut r = Registrar::new();
    r.count = 50;
    r.register(&format!("Contact: <{BOUND}>;expires=600\r\n"));
    let more = format!("Contact: <{BOUND}>;expires=700\r\n");
    let ok = r.send(&Ask { cseq: 1, call_id: "restarted".into(), more, ..register() });
    assert_eq!((ok.start(), ok.one("Contact")), ("200", &*bound(BOUND, 700)));
}

/// RFC 3261 10.3 step 7: what is too brief gets 423 with Min-Expires, and what it names will do.
#[test]
fn sip_rg_rr_v_015() {
    let mut r = Registrar::new();
    let refusal = r.register(&format!("Contact: <{BOUND}>;expires=5\r\n"));
    assert_eq!(refusal.start(), "423");
    let least = refusal.one("Min-Expires").to_string();
    let ok = r.register(&format!("Contact: <{BOUND}>;expires={least}\r\n"));
    assert_eq!((ok.start(), ok.one("Contact")), ("200", &*bound(BOUND, least.parse().unwrap())));
}

/// RFC 3261 10.3 step 7: what is too long is shortened, and the 200 says so.
#[test]
fn sip_rg_rr_v_016() {
    let ok = Registrar::new().register(&format!("Contact: <{BOUND}>;expires=4294967295\r\n"));
    assert_eq!(ok.one("Contact"), bound(BOUND, config().max_expires));
}

/// RFC 3261 10.3 step 1: for a domain that is not the registrar's the request is none of its
/// bindings' affair.
#[test]
fn sip_rg_rr_v_017() {
    let mut hop = Role::Registrar.hop();
    hop.routes = Routes::To(vec![(String::new(), String::new(), 1_000)]);
    hop.receive(TESTER, &Ask { uri: "sip:10.0.0.8".into(), ..register() }.text());
    let sent = hop.only();
    assert_eq!((sent.to, sent.start(), sent.uri()), (8, "REGISTER", "sip:10.0.0.8"));
    assert!(hop.store.is_empty());
}

/// RFC 3261 10.3 step 3, 22.2: who has not proven who he is gets 401 with a challenge.
#[test]
fn sip_rg_rr_v_018() {
    let mut hop = challenging(Role::Registrar);
    hop.receive(TESTER, &register().text());
    let refusal = hop.only();
    assert_eq!(refusal.start(), "401");
    let challenge = refusal.one("WWW-Authenticate");
    assert!(challenge.starts_with("Digest realm=\"example.com\""), "{challenge}");
    assert!(!nonce(&refusal).is_empty() && hop.store.is_empty());
}

/// RFC 3261 10.3 step 4: who is proven but may not change this address of record gets 403.
#[test]
fn sip_rg_rr_v_019() {
    let mut hop = challenging(Role::Registrar);
    hop.users.push(("carol".into(), PASSWORD.into()));
    hop.receive(TESTER, &register().text());
    let nonce = nonce(&hop.only());
    hop.receive(TESTER, &proven(&register(), "carol", PASSWORD, &nonce).text());
    assert_eq!(hop.only().start(), "403");
    assert!(hop.store.is_empty());
}

/// RFC 3261 10.2.1.2: a Contact without a q value is bound as well as one with it.
#[test]
fn sip_rg_rr_v_020() {
    let mut r = Registrar::new();
    let ok = r.register(&format!("Contact: <{BOUND}>\r\nContact: <{OTHER}>;q=0.5\r\n"));
    let shown = ok.all("Contact").join(", ");
    assert!(shown.contains(BOUND) && shown.contains(OTHER), "{shown}");
    r.hop.receive(TESTER, &invite().text());
    assert_eq!(r.hop.take()[0].uri(), BOUND, "RFC 3261 16.6: without q it is 1.0");
}

/// RFC 3261 10.3 step 3, 22.2: credentials for that challenge are taken.
#[test]
fn sip_rg_rr_v_021() {
    let mut hop = challenging(Role::Registrar);
    hop.receive(TESTER, &register().text());
    let nonce = nonce(&hop.only());
    hop.receive(TESTER, &proven(&register(), "bob", PASSWORD, &nonce).text());
    let ok = hop.only();
    assert_eq!((ok.start(), ok.one("Contact")), ("200", &*bound(BOUND, 3_600)));
}

/// RFC 3261 10.3 step 3, 22.2: wrong credentials are challenged anew.
#[test]
fn sip_rg_rr_v_022() {
    let mut hop = challenging(Role::Registrar);
    hop.receive(TESTER, &register().text());
    let first = nonce(&hop.only());
    hop.receive(TESTER, &proven(&register(), "bob", "guessed", &first).text());
    let refusal = hop.only();
    assert_eq!(refusal.start(), "401");
    assert_ne!(nonce(&refusal), first);
    assert!(hop.store.is_empty());
}

/// RFC 3261 10.3 step 2: an extension that it does not have gets 420 with Unsupported.
#[test]
fn sip_rg_rr_i_001() {
    let refusal =
        Role::Registrar.refuses(&register().more("Require: sip-future\r\n").text(), "420");
    assert_eq!(refusal.one("Unsupported"), "sip-future");
}

/// RFC 3261 10.3 step 5, 19.1.1: an address of record that is none gets 404, what is no SIP URI 400.
#[test]
fn sip_rg_rr_i_002() {
    let to = |to: &str| Ask { to: to.into(), ..register() }.text();
    Role::Registrar.refuses(&to("<sip:bob@elsewhere.example>"), "404");
    Role::Registrar.refuses(&to("<tel:+1>"), "400");
}

/// RFC 3261 10.3 step 6: `*` beside another Contact, or with an Expires other than 0, gets 400.
#[test]
fn sip_rg_rr_i_003() {
    for more in [
        "Contact: *\r\n".to_string(),
        "Contact: *\r\nExpires: 60\r\n".to_string(),
        format!("Contact: *\r\nContact: <{BOUND}>\r\nExpires: 0\r\n"),
        format!("Contact: *, <{BOUND}>\r\nExpires: 0\r\n"),
    ] {
        let mut r = Registrar::new();
        r.register(&format!("Contact: <{OTHER}>\r\n"));
        assert_eq!(r.register(&more).start(), "400", "{more}");
        assert_eq!(r.bindings(), [bound(OTHER, 3_600)]);
    }
}

/// RFC 3261 10.3 step 7: an expiry that is no number is as if there were none.
#[test]
fn sip_rg_rr_i_004() {
    let ok = Registrar::new().register(&format!("Contact: <{BOUND}>;expires=soon\r\n"));
    assert_eq!((ok.start(), ok.one("Contact")), ("200", &*bound(BOUND, 3_600)));
    let ok = Registrar::new().register(&format!("Contact: <{BOUND}>\r\nExpires: soon\r\n"));
    assert_eq!((ok.start(), ok.one("Contact")), ("200", &*bound(BOUND, 3_600)));
}

/// RFC 3261 10.3 step 6: `*` out of order, by Call-ID and CSeq, removes nothing.
#[test]
fn sip_rg_rr_o_001() {
    let mut r = Registrar::new();
    r.count = 50;
    r.register(&format!("Contact: <{BOUND}>;expires=600\r\n"));
    let more = "Contact: *\r\nExpires: 0\r\n".to_string();
    assert!(r.send(&Ask { cseq: 20, more, ..register() }).start() >= "400");
    assert_eq!(r.bindings(), [bound(BOUND, 600)]);
}

/// RFC 3261 10.3: where one of several Contacts cannot be bound, none is: all or nothing.
#[test]
fn sip_rg_rr_o_002() {
    let mut r = Registrar::new();
    let refusal = r.register(&format!("Contact: <{BOUND}>;expires=600, <{OTHER}>;expires=5\r\n"));
    assert_eq!(refusal.start(), "423");
    assert_eq!(r.bindings(), [""; 0]);
    let mut config = config();
    config.max_bindings = 1;
    let mut hop = Hop::with(config, &Limits::TESTER);
    let more = format!("To: <{BOB}>\r\nContact: <{BOUND}>, <{OTHER}>\r\n");
    hop.receive(TESTER, &request("REGISTER", "sip:example.com", TESTER, 1, &more));
    assert!(hop.only().start() >= "400" && hop.store.is_empty());
}

/// RFC 3261 10.3: a REGISTER with a To tag, as in a dialog, makes none and is served.
#[test]
fn sip_rg_rr_o_003() {
    let text = Ask { to: "<sip:bob@example.com>;tag=x".into(), ..register() }.text();
    let ok = Role::Registrar.serves(&text);
    assert!(ok.all("Record-Route").is_empty());
    let rr = register().more("Record-Route: <sip:10.0.0.8;lr>\r\n").text();
    assert!(Role::Registrar.serves(&rr).all("Record-Route").is_empty(), "RFC 3261 10.3");
}
