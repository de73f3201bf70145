//! Proxy, requests: RFC 3261 16.3 to 16.6, for an INVITE, an ACK of a 2xx and a BYE; and for a CANCEL
//! whose INVITE was forwarded without keeping anything (16.10, 16.11).

use sansip::Limits;

use crate::hop::{Hop, Routes, Sent, config, response};
use crate::iut::Ask;
use crate::server::{BOB, BOUND, DEVICE, Role, TESTER, invite};

/// The proxy's own URI, as it record-routes.
const OWN: &str = "sip:10.0.0.100:5060;lr";

/// A request for bob.
fn ask(method: &'static str) -> Ask {
    if method == "INVITE" {
        return invite();
    }
    if method == "CANCEL" {
        let to = "<sip:bob@example.com>;tag=bt".into();
        return Ask { to, ..invite().cancel() };
    }
    let to = "<sip:bob@example.com>;tag=bt".into();
    Ask { uri: BOB.into(), to, ..Ask::new(method) }
}

/// The proxy under test; a CANCEL comes to one that keeps nothing.
fn proxy(method: &str) -> Hop {
    let mut config = config();
    config.edge.stateless = method == "CANCEL";
    let mut hop = Hop::with(config, &Limits::TESTER);
    hop.bind(BOB, BOUND);
    hop
}

/// The request is refused with this status.
#[track_caller]
fn refused(method: &str, text: &str, status: &str) -> Sent {
    let sent = only(&mut proxy(method), text);
    assert_eq!((sent.to, sent.start()), (TESTER, status), "{text}");
    sent
}

fn send(hop: &mut Hop, text: &str) -> Vec<Sent> {
    hop.receive(TESTER, text);
    hop.take()
}

#[track_caller]
fn only(hop: &mut Hop, text: &str) -> Sent {
    let mut sent = send(hop, text);
    assert_eq!(sent.len(), 1, "{text}{sent:?}");
    sent.remove(0)
}

/// A request that goes where its Request-URI says.
fn straight(method: &'static str) -> Ask {
    Ask { uri: BOUND.into(), ..ask(method) }
}

/// What becomes of a request for bob with these fields.
#[track_caller]
fn forwarded(ask: &Ask) -> Sent {
    let sent = only(&mut proxy(ask.method), &ask.text());
    assert_eq!(sent.start(), ask.method);
    sent
}

/// RFC 3261 16.3 step 2: a scheme that the proxy does not know gets 416.
fn unknown_scheme(method: &'static str) {
    for uri in ["mailto:bob@example.com", "h323:bob@example.com"] {
        refused(method, &Ask { uri: uri.into(), ..ask(method) }.text(), "416");
    }
}

/// RFC 3261 16.3 step 3: Max-Forwards 0 gets 483.
fn no_forwards_left(method: &'static str) {
    let text = ask(method).text().replace("Max-Forwards: 70", "Max-Forwards: 0");
    refused(method, &text, "483");
}

/// RFC 3261 16.3 step 5: what Proxy-Require asks for and is not known gets 420 with Unsupported.
fn unknown_extension(method: &'static str) {
    let text = ask(method).more("Proxy-Require: sip-future, sip-past\r\n").text();
    let refusal = refused(method, &text, "420");
    assert_eq!(refusal.all("Unsupported").join(", "), "sip-future, sip-past");
}

/// RFC 3261 16.4: a strict router before us puts our URI into the Request-URI and its own target at
/// the end of Route: both are put right.
fn after_a_strict_router(method: &'static str) {
    let more = format!("Route: <sip:10.0.0.8;lr>, <{BOUND}>\r\n");
    let sent = forwarded(&Ask { uri: OWN.into(), ..ask(method) }.more(&more));
    assert_eq!((sent.to, sent.uri(), sent.one("Route")), (8, BOUND, "<sip:10.0.0.8;lr>"));
}

/// RFC 3261 16.4: a first Route that is ours is removed.
fn own_route(method: &'static str) {
    let ask = Ask { uri: BOUND.into(), ..ask(method) };
    let sent =
        only(&mut anywhere(method), &ask.clone().more(&format!("Route: <{OWN}>\r\n")).text());
    assert_eq!((sent.to, sent.uri(), sent.all("Route").len()), (DEVICE, BOUND, 0));
    let sent = forwarded(&ask.more(&format!("Route: <{OWN}>, <sip:10.0.0.8;lr>\r\n")));
    assert_eq!((sent.to, sent.one("Route")), (8, "<sip:10.0.0.8;lr>"));
}

/// A proxy that sends what is not its own wherever it says.
fn anywhere(method: &str) -> Hop {
    let mut hop = proxy(method);
    hop.routes = Routes::To(vec![(String::new(), String::new(), 1_000)]);
    hop
}

fn sent_anywhere(method: &'static str, uri: &str) -> Sent {
    only(&mut anywhere(method), &Ask { uri: uri.into(), ..ask(method) }.text())
}

/// RFC 3261 16.5: with a maddr that is not ours the Request-URI is the only target.
fn maddr(method: &'static str) {
    let uri = "sip:bob@example.com;maddr=10.0.0.7";
    let sent = sent_anywhere(method, uri);
    assert_eq!((sent.to, sent.start(), sent.uri()), (7, method, uri));
}

/// RFC 3261 16.5: for a domain that is not ours the Request-URI is the only target.
fn foreign_domain(method: &'static str) {
    let sent = sent_anywhere(method, "sip:carol@10.0.0.6");
    assert_eq!((sent.to, sent.start(), sent.uri()), (6, method, "sip:carol@10.0.0.6"));
}

/// RFC 3261 16.5: what the Request-URI does not say clearly enough gets 485.
fn ambiguous(method: &'static str) {
    let mut hop = Hop::new();
    hop.routes = Routes::Reject(485);
    assert_eq!(
        only(&mut hop, &Ask { uri: "sip:b@example.com".into(), ..ask(method) }.text()).start(),
        "485"
    );
}

/// RFC 3261 16.5: within our domain the targets are those that the location service knows.
fn located(method: &'static str) {
    let sent = forwarded(&ask(method));
    assert_eq!((sent.to, sent.uri()), (DEVICE, BOUND));
}

/// RFC 3261 16.5: who is not there has no targets: 404, or 480.
fn nobody(method: &'static str) {
    let refusal = only(&mut Hop::new(), &ask(method).text());
    assert!(["404", "480"].contains(&refusal.start()), "{}", refusal.text);
}

/// RFC 3261 16.6 step 3: Max-Forwards goes down by one.
fn counts_down(method: &'static str) {
    for (came, goes) in [("70", "69"), ("1", "0"), ("255", "254")] {
        let text = straight(method).text();
        let text = text.replace("Max-Forwards: 70", &format!("Max-Forwards: {came}"));
        assert_eq!(only(&mut anywhere(method), &text).one("Max-Forwards"), goes);
    }
}

/// RFC 3261 16.6 step 3: where there is none, one is added.
fn adds_count(method: &'static str) -> String {
    let text = straight(method).text().replace("Max-Forwards: 70\r\n", "");
    only(&mut anywhere(method), &text).one("Max-Forwards").to_string()
}

/// RFC 3261 16.6 step 6: before a strict router its URI becomes the Request-URI, and that the last
/// Route.
fn before_a_strict_router(method: &'static str) {
    let more = format!("Route: <{OWN}>, <sip:10.0.0.8>, <sip:10.0.0.7;lr>\r\n");
    let sent = forwarded(&Ask { uri: BOUND.into(), ..ask(method) }.more(&more));
    assert_eq!((sent.to, sent.uri()), (8, "sip:10.0.0.8"));
    assert_eq!(sent.all("Route").join(", "), format!("<sip:10.0.0.7;lr>, <{BOUND}>"));
}

/// RFC 3261 16.6 step 7: a Route says where it goes, whatever the Request-URI says.
fn goes_by_route(method: &'static str) {
    let more = format!("Route: <{OWN}>, <sip:10.0.0.8;lr>\r\n");
    let sent = forwarded(&Ask { uri: BOUND.into(), ..ask(method) }.more(&more));
    assert_eq!((sent.to, sent.uri()), (8, BOUND));
}

/// RFC 3261 16.6 step 8, 8.1.1.7: a Via on top, with our address and a branch with the cookie, the
/// others as they came.
fn via_on_top(method: &'static str) {
    let asked = straight(method);
    let sent = only(&mut anywhere(method), &asked.text());
    let vias = sent.all("Via");
    assert_eq!((vias.len(), vias[1]), (2, &*asked.via));
    assert!(vias[0].starts_with("SIP/2.0/UDP 10.0.0.100:5060;branch=z9hG4bK"), "{vias:?}");
}

/// The Request-URI that a device with this contact gets.
fn request_uri(contact: &str) -> String {
    let mut hop = Hop::new();
    hop.bind(BOB, contact);
    only(&mut hop, &invite().text()).uri().to_string()
}

/// RFC 3261 16.6 step 2, 19.1.1: a contact's method is left out of the Request-URI.
#[test]
fn sip_cc_pr_mp_rq_i_001() {
    assert_eq!(request_uri("sip:bob@10.0.0.2;method=BYE"), BOUND);
}

/// RFC 3261 16.6 step 2, 19.1.1: so are its header fields.
#[test]
fn sip_cc_pr_mp_rq_i_002() {
    assert_eq!(request_uri("sip:bob@10.0.0.2?Subject=x"), BOUND);
}

/// RFC 3261 16.6 step 2, 19.1.1: both together, and other parameters stay.
#[test]
fn sip_cc_pr_mp_rq_i_003() {
    let uri = "sip:bob@10.0.0.2;user=ip;method=BYE;new=1?Subject=x&a=b";
    assert_eq!(request_uri(uri), "sip:bob@10.0.0.2;user=ip;new=1");
}

/// RFC 3261 16.6 step 2: the Request-URI that came is gone, To stays as it was.
#[test]
fn sip_cc_pr_mp_rq_i_004() {
    let sent = forwarded(&invite());
    assert_eq!((sent.uri(), sent.one("To")), (BOUND, "<sip:bob@example.com>"));
}

/// RFC 3261 16.3 step 2: an INVITE whose scheme is not known gets 416.
#[test]
fn sip_cc_pr_mp_rq_v_001() {
    unknown_scheme("INVITE");
}

/// RFC 3261 16.3 step 3: one with Max-Forwards 0 gets 483.
#[test]
fn sip_cc_pr_mp_rq_v_002() {
    no_forwards_left("INVITE");
}

/// RFC 3261 16.3 step 5: one with an unknown Proxy-Require gets 420 with Unsupported.
#[test]
fn sip_cc_pr_mp_rq_v_003() {
    unknown_extension("INVITE");
}

/// RFC 3261 16.4: what a strict router did to one is put right.
#[test]
fn sip_cc_pr_mp_rq_v_004() {
    after_a_strict_router("INVITE");
}

/// RFC 3261 16.4: a first Route that is ours is removed.
#[test]
fn sip_cc_pr_mp_rq_v_005() {
    own_route("INVITE");
}

/// RFC 3261 16.5: with a maddr that is not ours the Request-URI is the only target.
#[test]
fn sip_cc_pr_mp_rq_v_006() {
    maddr("INVITE");
}

/// RFC 3261 16.5: so it is in a domain that is not ours.
#[test]
fn sip_cc_pr_mp_rq_v_007() {
    foreign_domain("INVITE");
}

/// RFC 3261 16.5: what is ambiguous gets 485.
#[test]
fn sip_cc_pr_mp_rq_v_008() {
    ambiguous("INVITE");
}

/// RFC 3261 16.5: in our domain the location service knows the targets; without any 404 or 480.
#[test]
fn sip_cc_pr_mp_rq_v_009() {
    located("INVITE");
    nobody("INVITE");
}

/// RFC 3261 16.6 step 3: Max-Forwards goes down by one.
#[test]
fn sip_cc_pr_mp_rq_v_011() {
    counts_down("INVITE");
}

/// RFC 3261 16.6 step 3: where there is none, one is added.
#[test]
fn sip_cc_pr_mp_rq_v_012() {
    assert!(!adds_count("INVITE").is_empty());
}

/// RFC 3261 16.6 step 3: it is added once, whatever else is changed.
#[test]
fn sip_cc_pr_mp_rq_v_013() {
    let text = invite().more(&format!("Route: <{OWN}>\r\n")).text();
    let text = text.replace("Max-Forwards: 70\r\n", "").replace(BOB, BOUND);
    assert_eq!(only(&mut anywhere("INVITE"), &text).all("Max-Forwards").len(), 1);
}

/// RFC 3261 16.6 step 3: its value is 70.
#[test]
fn sip_cc_pr_mp_rq_v_014() {
    assert_eq!(adds_count("INVITE"), "70");
}

/// RFC 3261 16.6 step 6: before a strict router the Request-URI becomes the last Route.
#[test]
fn sip_cc_pr_mp_rq_v_015() {
    before_a_strict_router("INVITE");
}

/// RFC 3261 16.6 step 7: a Route says where it goes.
#[test]
fn sip_cc_pr_mp_rq_v_016() {
    goes_by_route("INVITE");
}

/// RFC 3261 16.6 step 7: without a Route the Request-URI does.
#[test]
fn sip_cc_pr_mp_rq_v_017() {
    located("INVITE");
}

/// RFC 3261 16.6 step 8, 8.1.1.7: a Via with our address and a branch comes on top.
#[test]
fn sip_cc_pr_mp_rq_v_018() {
    via_on_top("INVITE");
}

/// RFC 3261 16.4: what a strict router did to an ACK is put right.
#[test]
fn sip_cc_pr_mp_rq_v_019() {
    after_a_strict_router("ACK");
}

/// RFC 3261 16.4: a first Route of an ACK that is ours is removed.
#[test]
fn sip_cc_pr_mp_rq_v_020() {
    own_route("ACK");
}

/// RFC 3261 16.5: an ACK with a maddr that is not ours goes there.
#[test]
fn sip_cc_pr_mp_rq_v_021() {
    maddr("ACK");
}

/// RFC 3261 16.5: one for a domain that is not ours goes to its Request-URI.
#[test]
fn sip_cc_pr_mp_rq_v_022() {
    foreign_domain("ACK");
}

/// RFC 3261 16.6 step 3: its Max-Forwards goes down by one.
#[test]
fn sip_cc_pr_mp_rq_v_023() {
    counts_down("ACK");
}

/// RFC 3261 16.6 step 3: where there is none, one is added.
#[test]
fn sip_cc_pr_mp_rq_v_024() {
    assert!(!adds_count("ACK").is_empty());
}

/// RFC 3261 16.3 step 3, 17: with none left it goes no further, and nobody is told.
#[test]
fn sip_cc_pr_mp_rq_v_025() {
    let text = ask("ACK").text().replace("Max-Forwards: 70", "Max-Forwards: 0");
    assert!(send(&mut Role::Proxy.hop(), &text).is_empty());
}

/// RFC 3261 16.6 step 3: the value that is added is 70.
#[test]
fn sip_cc_pr_mp_rq_v_026() {
    assert_eq!(adds_count("ACK"), "70");
}

/// RFC 3261 16.6 steps 6 and 7: before a strict router its Request-URI becomes the last Route.
#[test]
fn sip_cc_pr_mp_rq_v_027() {
    before_a_strict_router("ACK");
}

/// RFC 3261 16.6 step 7: a Route says where it goes.
#[test]
fn sip_cc_pr_mp_rq_v_029() {
    goes_by_route("ACK");
}

/// RFC 3261 16.6 step 8, 8.1.1.7: a Via with our address and a branch comes on top.
#[test]
fn sip_cc_pr_mp_rq_v_030() {
    via_on_top("ACK");
}

/// RFC 3261 16.10, 16.3 step 2: a CANCEL whose scheme is not known gets 416.
#[test]
fn sip_cc_pr_mp_rq_v_031() {
    unknown_scheme("CANCEL");
}

/// RFC 3261 16.10, 16.3 step 3: one with Max-Forwards 0 gets 483.
#[test]
fn sip_cc_pr_mp_rq_v_032() {
    no_forwards_left("CANCEL");
}

/// RFC 3261 16.10, 16.3 step 5: one with an unknown Proxy-Require gets 420 with Unsupported.
#[test]
fn sip_cc_pr_mp_rq_v_033() {
    unknown_extension("CANCEL");
}

/// RFC 3261 16.10, 16.4: what a strict router did to one is put right.
#[test]
fn sip_cc_pr_mp_rq_v_034() {
    after_a_strict_router("CANCEL");
}

/// RFC 3261 16.10, 16.4: a first Route that is ours is removed.
#[test]
fn sip_cc_pr_mp_rq_v_035() {
    own_route("CANCEL");
}

/// RFC 3261 16.10, 16.5: with a maddr that is not ours it goes there.
#[test]
fn sip_cc_pr_mp_rq_v_036() {
    maddr("CANCEL");
}

/// RFC 3261 16.10, 16.5: for a domain that is not ours it goes to its Request-URI.
#[test]
fn sip_cc_pr_mp_rq_v_037() {
    foreign_domain("CANCEL");
}

/// RFC 3261 16.10: what was forwarded to the targets of the location service is cancelled there.
#[test]
fn sip_cc_pr_mp_rq_v_039() {
    let mut hop = Role::Proxy.hop();
    hop.bind(BOB, "sip:bob@10.0.0.3");
    let invites = send(&mut hop, &invite().text());
    for invite in &invites {
        hop.receive(invite.to, &response(invite, 180, "t", ""));
    }
    hop.take();
    let sent: Vec<String> =
        send(&mut hop, &invite().cancel().text()).iter().map(Sent::label).collect();
    assert_eq!(sent, ["9 200", "3 CANCEL", "2 CANCEL"]);
}

/// RFC 3261 16.10, 16.6 step 3: its Max-Forwards goes down by one.
#[test]
fn sip_cc_pr_mp_rq_v_041() {
    counts_down("CANCEL");
}

/// RFC 3261 16.10, 16.6 step 3: where there is none, one is added.
#[test]
fn sip_cc_pr_mp_rq_v_042() {
    assert!(!adds_count("CANCEL").is_empty());
}

/// RFC 3261 16.10, 16.6 step 3: it is added once.
#[test]
fn sip_cc_pr_mp_rq_v_043() {
    let text = straight("CANCEL").text().replace("Max-Forwards: 70\r\n", "");
    assert_eq!(only(&mut anywhere("CANCEL"), &text).all("Max-Forwards").len(), 1);
}

/// RFC 3261 16.10, 16.6 step 3: its value is 70.
#[test]
fn sip_cc_pr_mp_rq_v_044() {
    assert_eq!(adds_count("CANCEL"), "70");
}

/// RFC 3261 16.10, 16.6 steps 6 and 7: before a strict router its Request-URI becomes the last Route.
#[test]
fn sip_cc_pr_mp_rq_v_045() {
    before_a_strict_router("CANCEL");
}

/// RFC 3261 16.10, 16.6 step 7: a Route says where it goes.
#[test]
fn sip_cc_pr_mp_rq_v_046() {
    goes_by_route("CANCEL");
}

/// RFC 3261 16.10, 16.6 step 7: without a Route the Request-URI does.
#[test]
fn sip_cc_pr_mp_rq_v_047() {
    let sent = only(&mut anywhere("CANCEL"), &straight("CANCEL").text());
    assert_eq!((sent.to, sent.start(), sent.uri()), (DEVICE, "CANCEL", BOUND));
}

/// RFC 3261 16.10, 16.6 step 8, 16.11: its Via has the branch that its INVITE got.
#[test]
fn sip_cc_pr_mp_rq_v_048() {
    via_on_top("CANCEL");
    let mut hop = anywhere("CANCEL");
    let to = "<sip:bob@example.com>;tag=bt".to_string();
    let invite = Ask { uri: BOUND.into(), to, ..invite() };
    let branches: Vec<String> = [&invite, &invite.cancel()]
        .map(|ask| only(&mut hop, &ask.text()).all("Via")[0].to_string())
        .into();
    assert_eq!(branches[0], branches[1]);
}

/// RFC 3261 16.3 step 2: a BYE whose scheme is not known gets 416.
#[test]
fn sip_cc_pr_mp_rq_v_049() {
    unknown_scheme("BYE");
}

/// RFC 3261 16.3 step 3: one with Max-Forwards 0 gets 483.
#[test]
fn sip_cc_pr_mp_rq_v_050() {
    no_forwards_left("BYE");
}

/// RFC 3261 16.3 step 5: one with an unknown Proxy-Require gets 420 with Unsupported.
#[test]
fn sip_cc_pr_mp_rq_v_051() {
    unknown_extension("BYE");
}

/// RFC 3261 16.4: what a strict router did to one is put right.
#[test]
fn sip_cc_pr_mp_rq_v_052() {
    after_a_strict_router("BYE");
}

/// RFC 3261 16.4: a first Route that is ours is removed.
#[test]
fn sip_cc_pr_mp_rq_v_053() {
    own_route("BYE");
}

/// RFC 3261 16.5: with a maddr that is not ours the Request-URI is the only target.
#[test]
fn sip_cc_pr_mp_rq_v_054() {
    maddr("BYE");
}

/// RFC 3261 16.5: so it is in a domain that is not ours.
#[test]
fn sip_cc_pr_mp_rq_v_055() {
    foreign_domain("BYE");
}

/// RFC 3261 16.5: what is ambiguous gets 485.
#[test]
fn sip_cc_pr_mp_rq_v_056() {
    ambiguous("BYE");
}

/// RFC 3261 16.5: in our domain the location service knows the targets.
#[test]
fn sip_cc_pr_mp_rq_v_057() {
    located("BYE");
}

/// RFC 3261 16.5: without any it gets 404 or 480.
#[test]
fn sip_cc_pr_mp_rq_v_058() {
    nobody("BYE");
}

/// RFC 3261 16.6 step 3: its Max-Forwards goes down by one.
#[test]
fn sip_cc_pr_mp_rq_v_059() {
    counts_down("BYE");
}

/// RFC 3261 16.6 step 3: where there is none, one is added.
#[test]
fn sip_cc_pr_mp_rq_v_060() {
    assert!(!adds_count("BYE").is_empty());
}

/// RFC 3261 16.6 step 3: it is added once.
#[test]
fn sip_cc_pr_mp_rq_v_061() {
    let text = ask("BYE").text().replace("Max-Forwards: 70\r\n", "");
    assert_eq!(only(&mut Role::Proxy.hop(), &text).all("Max-Forwards").len(), 1);
}

/// RFC 3261 16.6 step 3: its value is 70.
#[test]
fn sip_cc_pr_mp_rq_v_062() {
    assert_eq!(adds_count("BYE"), "70");
}

/// RFC 3261 16.6 steps 6 and 7: before a strict router its Request-URI becomes the last Route.
#[test]
fn sip_cc_pr_mp_rq_v_063() {
    before_a_strict_router("BYE");
}

/// RFC 3261 16.6 step 7: a Route says where it goes.
#[test]
fn sip_cc_pr_mp_rq_v_064() {
    goes_by_route("BYE");
}

/// RFC 3261 16.6 step 7: without a Route the Request-URI does.
#[test]
fn sip_cc_pr_mp_rq_v_065() {
    located("BYE");
}

/// RFC 3261 16.6 step 8, 8.1.1.7: a Via with our address and a branch comes on top.
#[test]
fn sip_cc_pr_mp_rq_v_066() {
    via_on_top("BYE");
}

/// RFC 3261 16.5, 16.6 steps 7 and 10: with several targets each gets a copy of its own, with its
/// own branch and its own transaction.
#[test]
fn sip_cc_pr_mp_rq_v_067() {
    let mut hop = Role::Proxy.hop();
    hop.bind(BOB, "sip:bob@10.0.0.3");
    let sent = send(&mut hop, &invite().text());
    assert_eq!(sent.iter().map(|s| s.to).collect::<Vec<_>>(), [DEVICE, 3]);
    assert_ne!(sent[0].all("Via")[0], sent[1].all("Via")[0]);
    hop.run(500);
    let again: Vec<_> = hop.take().into_iter().map(|s| s.text).collect();
    assert_eq!(again, [&*sent[0].text, &*sent[1].text]);
}
