//! Proxy, responses: RFC 3261 16.7, with a proxy that keeps nothing and with one that forks.

use sansip::Limits;

use crate::hop::{Hop, Sent, config, response};
use crate::iut::Ask;
use crate::proxied::{Proxied, labels};
use crate::server::{BOB, BOUND, Role, TESTER, invite};

/// An INVITE for bob, who has these devices, and what each of them got.
struct Forked {
    hop: Hop,
    branches: Vec<Sent>,
}

impl Forked {
    fn to(devices: u8) -> Self {
        let mut hop = Role::Proxy.hop();
        for n in 3..devices + 2 {
            hop.bind(BOB, &format!("sip:bob@10.0.0.{n}"));
        }
        hop.receive(TESTER, &invite().text());
        let branches = hop.take();
        assert_eq!(branches.len(), usize::from(devices));
        Self { hop, branches }
    }

    /// A device's response; what comes of it, as labels.
    fn reply(&mut self, device: usize, status: u16, more: &str) -> Vec<Sent> {
        let text = response(&self.branches[device], status, &format!("t{device}"), more);
        self.hop.receive(self.branches[device].to, &text);
        self.hop.take()
    }

    fn says(&mut self, device: usize, status: u16) -> Vec<String> {
        labels(&self.reply(device, status, ""))
    }
}

/// What the tester gets when the devices answer so, one after the other; nothing before the last
/// has answered.
#[track_caller]
fn best(statuses: &[u16]) -> Sent {
    let mut f = Forked::to(u8::try_from(statuses.len()).unwrap());
    let last = statuses.len() - 1;
    for (n, status) in statuses.iter().enumerate() {
        let mut sent = f.reply(n, *status, "");
        let told = sent.iter().position(|s| s.to == TESTER);
        if n < last {
            assert_eq!(told, None, "{statuses:?}");
        } else {
            return sent.remove(told.expect("a final response"));
        }
    }
    unreachable!()
}

#[track_caller]
fn is_best(statuses: &[u16], want: &[u16]) {
    for statuses in [statuses.to_vec(), statuses.iter().rev().copied().collect()] {
        let status: u16 = best(&statuses).start().parse().unwrap();
        assert!(want.contains(&status), "{statuses:?}: {status}");
    }
}

/// A request that was forwarded without keeping anything, as the device got it (RFC 3261 16.11).
fn passed() -> (Hop, Sent) {
    let mut config = config();
    config.edge.stateless = true;
    let mut hop = Hop::with(config, &Limits::TESTER);
    let to = "<sip:bob@example.com>;tag=bt".into();
    hop.receive(TESTER, &Ask { uri: BOUND.into(), to, ..invite() }.text());
    let sent = hop.only();
    assert!(hop.engine.is_quiescent());
    (hop, sent)
}

/// A response with this status is passed back as it came, our Via apart.
fn passes(status: u16) {
    let (mut hop, sent) = passed();
    let text = response(&sent, status, "bt", "X-Why: any\r\n");
    hop.receive(sent.to, &text);
    let mut sent = hop.take();
    sent.append(&mut hop.trying);
    let back = sent.pop().expect("a response");
    assert_eq!((sent.len(), back.label()), (0, format!("9 {status}")));
    let (start, rest) = text.split_once("\r\n").unwrap();
    let rest = rest.split_once("\r\n").unwrap().1;
    assert_eq!(back.text, format!("{start}\r\n{rest}"));
    assert!(hop.engine.is_quiescent());
}

/// RFC 3261 16.7, 16.11: a response loses our Via, and goes where the next one says.
#[test]
fn sip_cc_pr_mp_rs_v_001() {
    passes(200);
}

/// RFC 3261 16.11, 18.1.2: one whose first Via is not ours is discarded.
#[test]
fn sip_cc_pr_mp_rs_v_002() {
    let (mut hop, sent) = passed();
    let text = response(&sent, 200, "bt", "").replace("10.0.0.100:5060", "10.0.0.77:5060");
    hop.receive(sent.to, &text);
    assert_eq!(hop.take(), []);
}

/// RFC 3261 16.7 step 3, 16.11: one that has no other Via goes no further.
#[test]
fn sip_cc_pr_mp_rs_v_004() {
    let (mut hop, sent) = passed();
    let text = response(&sent, 200, "bt", "");
    let own = format!("Via: {}\r\n", sent.all("Via")[0]);
    let other = format!("Via: {}\r\n", sent.all("Via")[1]);
    assert!(text.contains(&own) && text.contains(&other));
    hop.receive(sent.to, &text.replace(&other, ""));
    assert_eq!(hop.take(), []);
}

/// RFC 3261 16.7, 16.11: a 1xx is passed back.
#[test]
fn sip_cc_pr_mp_rs_v_005() {
    passes(180);
}

/// RFC 3261 16.7, 16.11: a 100 too, by a proxy that keeps nothing.
#[test]
fn sip_cc_pr_mp_rs_v_006() {
    passes(100);
}

/// RFC 3261 16.7, 16.11: a 2xx is.
#[test]
fn sip_cc_pr_mp_rs_v_007() {
    passes(202);
}

/// RFC 3261 16.7, 16.11: a 3xx is.
#[test]
fn sip_cc_pr_mp_rs_v_008() {
    passes(302);
}

/// RFC 3261 16.7, 16.11: a 4xx is.
#[test]
fn sip_cc_pr_mp_rs_v_009() {
    passes(486);
}

/// RFC 3261 16.7, 16.11: a 5xx is.
#[test]
fn sip_cc_pr_mp_rs_v_010() {
    passes(503);
}

/// RFC 3261 16.7, 16.11: a 6xx is.
#[test]
fn sip_cc_pr_mp_rs_v_011() {
    passes(603);
}

/// RFC 3261 16.7 step 5: a 100 is not passed on.
#[test]
fn sip_cc_pr_mp_rs_v_012() {
    assert!(Proxied::invite().reply(100).is_empty());
}

/// RFC 3261 16.7 step 5: every other provisional response is, at once.
#[test]
fn sip_cc_pr_mp_rs_v_013() {
    for status in [101, 180, 181, 182, 183, 199] {
        assert_eq!(labels(&Proxied::invite().reply(status)), [format!("9 {status}")]);
    }
}

/// RFC 3261 16.7 step 5: a 2xx is passed on at once, while another device still rings.
#[test]
fn sip_cc_pr_mp_rs_v_014() {
    let mut f = Forked::to(2);
    f.says(1, 180);
    assert_eq!(f.says(0, 200).first().map(String::as_str), Some("9 200"));
}

/// RFC 3261 16.7 step 5: so is a second 2xx, of another device.
#[test]
fn sip_cc_pr_mp_rs_v_015() {
    let mut f = Forked::to(2);
    f.says(0, 200);
    assert_eq!(f.says(1, 200), ["9 200"]);
}

/// RFC 3261 16.7 steps 5 and 6: any other final response waits until all have answered.
#[test]
fn sip_cc_pr_mp_rs_v_016() {
    for status in [302, 404, 486, 500] {
        let mut f = Forked::to(2);
        assert_eq!(f.says(0, status), ["2 ACK"], "{status}");
        assert_eq!(f.says(1, status), ["3 ACK".to_string(), format!("9 {status}")]);
    }
}

/// RFC 3261 16.7 step 5: after a 2xx no refusal is passed on.
#[test]
fn sip_cc_pr_mp_rs_v_017() {
    let mut f = Forked::to(2);
    f.says(0, 200);
    assert_eq!(f.says(1, 486), ["3 ACK"]);
    f.hop.run(200_000);
    assert!(f.hop.take().iter().all(|s| s.to != TESTER));
}

/// RFC 3261 16.7 step 6: the final response goes on the INVITE's server transaction: with its Vias,
/// ours removed.
#[test]
fn sip_cc_pr_mp_rs_v_018() {
    let sent = best(&[404, 486]);
    assert_eq!(sent.all("Via"), ["SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKask1"]);
}

/// RFC 3261 16.7 step 6: there is one final response, however many devices refuse.
#[test]
fn sip_cc_pr_mp_rs_v_019() {
    let mut f = Forked::to(3);
    let all: Vec<String> = (0..3).flat_map(|n| f.says(n, 486)).collect();
    assert_eq!(all.iter().filter(|l| l.starts_with("9 ")).count(), 1, "{all:?}");
}

/// RFC 3261 16.7 step 6: where there is a 6xx, it is chosen.
#[test]
fn sip_cc_pr_mp_rs_v_020() {
    for other in [302, 404, 500] {
        is_best(&[other, 603], &[603]);
    }
}

/// RFC 3261 16.7 step 6: of two 6xx one is chosen.
#[test]
fn sip_cc_pr_mp_rs_v_021() {
    is_best(&[600, 603], &[600, 603]);
}

/// RFC 3261 16.7 step 6: without a 6xx the lowest class: a 3xx before 4xx and 5xx.
#[test]
fn sip_cc_pr_mp_rs_v_022() {
    for other in [404, 486, 500] {
        is_best(&[302, other], &[302]);
    }
}

/// RFC 3261 16.7 step 6: a 4xx before a 5xx.
#[test]
fn sip_cc_pr_mp_rs_v_023() {
    for other in [500, 501, 504] {
        is_best(&[404, other], &[404]);
    }
}

/// RFC 3261 16.7 step 6: of the 4xx those that help the caller are preferred: 401.
#[test]
fn sip_cc_pr_mp_rs_v_024() {
    is_best(&[401, 404], &[401]);
}

/// RFC 3261 16.7 step 6: so is 407.
#[test]
fn sip_cc_pr_mp_rs_v_025() {
    is_best(&[407, 486], &[407]);
}

/// RFC 3261 16.7 step 6: so is 415.
#[test]
fn sip_cc_pr_mp_rs_v_026() {
    is_best(&[415, 404], &[415]);
}

/// RFC 3261 16.7 step 6: so is 420.
#[test]
fn sip_cc_pr_mp_rs_v_027() {
    is_best(&[420, 404], &[420]);
}

/// RFC 3261 16.7 step 6: so is 484.
#[test]
fn sip_cc_pr_mp_rs_v_028() {
    is_best(&[484, 404], &[484]);
}

/// RFC 3261 16.7 step 6: also where the other is an 486.
#[test]
fn sip_cc_pr_mp_rs_v_029() {
    for helps in [401, 407, 415, 420, 484] {
        is_best(&[helps, 486], &[helps]);
    }
}

/// RFC 3261 16.7 step 6: but a 6xx before them.
#[test]
fn sip_cc_pr_mp_rs_v_030() {
    for helps in [401, 407, 415, 420, 484] {
        is_best(&[helps, 600], &[600]);
    }
}

/// RFC 3261 16.7 step 6: and a 3xx.
#[test]
fn sip_cc_pr_mp_rs_v_031() {
    for helps in [415, 420, 484] {
        is_best(&[helps, 302], &[302]);
    }
}

/// RFC 3261 16.7 step 6: a 503 is no response for the caller: a 500 goes in its place.
#[test]
fn sip_cc_pr_mp_rs_v_032() {
    is_best(&[503, 503], &[500]);
    is_best(&[503, 404], &[404]);
}

/// RFC 3261 16.7 step 7: a 401 is passed on with the challenges of all 401s.
#[test]
fn sip_cc_pr_mp_rs_v_033() {
    let mut f = Forked::to(2);
    f.reply(0, 401, "WWW-Authenticate: Digest realm=\"one\", nonce=\"1\"\r\n");
    let sent = f.reply(1, 401, "WWW-Authenticate: Digest realm=\"two\", nonce=\"2\"\r\n");
    let mut realms = sent.last().unwrap().all("WWW-Authenticate");
    realms.sort_unstable();
    assert_eq!(realms, ["Digest realm=\"one\", nonce=\"1\"", "Digest realm=\"two\", nonce=\"2\""]);
}

/// RFC 3261 16.7 step 7: and with those of the 407s.
#[test]
fn sip_cc_pr_mp_rs_v_034() {
    let mut f = Forked::to(2);
    f.reply(0, 407, "Proxy-Authenticate: Digest realm=\"one\", nonce=\"1\"\r\n");
    let sent = f.reply(1, 401, "WWW-Authenticate: Digest realm=\"two\", nonce=\"2\"\r\n");
    let last = sent.last().unwrap();
    assert_eq!(last.one("Proxy-Authenticate"), "Digest realm=\"one\", nonce=\"1\"");
    assert_eq!(last.one("WWW-Authenticate"), "Digest realm=\"two\", nonce=\"2\"");
}

/// RFC 3261 16.7 step 6: a device that is never heard of counts as a 408.
#[test]
fn sip_cc_pr_mp_rs_v_035() {
    let mut f = Forked::to(2);
    f.says(0, 500);
    f.hop.run(64 * 500);
    let sent = f.hop.take();
    assert_eq!(sent.last().unwrap().label(), "9 408");
}

/// RFC 3261 16.7 step 6: of three devices' answers it is the same: 6xx.
#[test]
fn sip_cc_pr_mp_rs_v_036() {
    is_best(&[404, 603, 302], &[603]);
}

/// RFC 3261 16.7 step 6: of three, 3xx.
#[test]
fn sip_cc_pr_mp_rs_v_037() {
    is_best(&[500, 302, 404], &[302]);
}

/// RFC 3261 16.7 step 6: of three, 4xx.
#[test]
fn sip_cc_pr_mp_rs_v_038() {
    is_best(&[500, 404, 501], &[404]);
}

/// RFC 3261 16.7 step 6: of three, 5xx.
#[test]
fn sip_cc_pr_mp_rs_v_039() {
    is_best(&[500, 501, 504], &[500, 501, 504]);
}

/// RFC 3261 16.7 step 6: with one device its refusal is passed on as it is: 3xx.
#[test]
fn sip_cc_pr_mp_rs_v_040() {
    let mut p = Proxied::invite();
    let contact = "Contact: <sip:bob@10.0.0.77>\r\n";
    let text = response(&p.forwarded, 302, "bt", contact);
    let sent = p.device(&text);
    assert_eq!(labels(&sent), ["2 ACK", "9 302"]);
    assert_eq!(sent[1].one("Contact"), "<sip:bob@10.0.0.77>");
}

/// RFC 3261 16.7 step 6: 4xx.
#[test]
fn sip_cc_pr_mp_rs_v_041() {
    assert_eq!(Proxied::invite().refuse(486).one("To"), "<sip:bob@example.com>;tag=bt");
}

/// RFC 3261 16.7 step 6: 5xx.
#[test]
fn sip_cc_pr_mp_rs_v_042() {
    Proxied::invite().refuse(500);
    Proxied::invite().refuse(504);
}

/// RFC 3261 16.7 step 6: 6xx.
#[test]
fn sip_cc_pr_mp_rs_v_043() {
    Proxied::invite().refuse(603);
}

/// RFC 3261 16.7 step 6: what it does not understand of a response goes on as it came.
#[test]
fn sip_cc_pr_mp_rs_v_044() {
    let mut p = Proxied::invite();
    let text = response(&p.forwarded, 486, "bt", "X-Unknown: any, thing;at=\"all\"\r\n");
    assert_eq!(p.device(&text)[1].one("X-Unknown"), "any, thing;at=\"all\"");
}

/// RFC 3261 16.7 step 6: a status that nobody has heard of counts as the 00 of its class.
#[test]
fn sip_cc_pr_mp_rs_v_045() {
    is_best(&[499, 599], &[499]);
    is_best(&[399, 404], &[399]);
}

/// RFC 3261 16.7 step 10: a 2xx ends what still rings, by a CANCEL.
#[test]
fn sip_cc_pr_mp_rs_v_046() {
    let mut f = Forked::to(3);
    f.says(1, 180);
    f.says(2, 180);
    assert_eq!(f.says(0, 200), ["9 200", "4 CANCEL", "3 CANCEL"]);
}

/// RFC 3261 16.7 step 6: once a final response has been sent no other follows but a 2xx.
#[test]
fn sip_cc_pr_mp_rs_v_047() {
    let mut f = Forked::to(2);
    f.says(0, 486);
    f.says(1, 404);
    assert_eq!(f.says(0, 486), ["2 ACK"], "its repetition is acknowledged and no more");
}

/// RFC 3261 16.7 step 6, RFC 6026: a 2xx that comes after a 6xx of another is passed on.
#[test]
fn sip_cc_pr_mp_rs_v_048() {
    let mut f = Forked::to(2);
    f.says(1, 180);
    f.says(0, 603);
    assert_eq!(f.says(1, 200), ["9 200"]);
}

/// RFC 3261 16.7 step 6: the 487s of the devices that were cancelled are not preferred to the
/// refusal that there is.
#[test]
fn sip_cc_pr_mp_rs_v_049() {
    let mut f = Forked::to(2);
    f.says(1, 180);
    f.says(0, 603);
    let sent = f.says(1, 487);
    assert_eq!(sent, ["3 ACK", "9 603"]);
}

/// RFC 3261 16.7 step 10: a 6xx ends what still rings, by a CANCEL, and waits for it.
#[test]
fn sip_cc_pr_mp_rs_v_050() {
    let mut f = Forked::to(2);
    f.says(1, 180);
    assert_eq!(f.says(0, 603), ["2 ACK", "3 CANCEL"]);
}

/// RFC 3261 16.7 step 10, 9.1: a device that has not even said 100 is cancelled when it does.
#[test]
fn sip_cc_pr_mp_rs_v_051() {
    let mut f = Forked::to(2);
    assert_eq!(f.says(0, 200), ["9 200"]);
    assert_eq!(f.says(1, 180).last().map(String::as_str), Some("3 CANCEL"));
}

/// RFC 3261 16.7 step 10: a device that has answered is not cancelled.
#[test]
fn sip_cc_pr_mp_rs_v_052() {
    let mut f = Forked::to(2);
    f.says(1, 486);
    assert_eq!(f.says(0, 200), ["9 200"]);
    f.hop.run(64 * 500);
    assert!(f.hop.take().iter().all(|s| s.start() != "CANCEL"));
}

/// RFC 3261 16.7 steps 5 and 10: the 487 of a device that was cancelled is acknowledged, and goes no
/// further.
#[test]
fn sip_cc_pr_mp_rs_v_053() {
    let mut f = Forked::to(2);
    f.says(1, 180);
    f.says(0, 200);
    assert_eq!(f.says(1, 487), ["3 ACK"]);
}
