//! Proxy, client transactions.

use crate::hop::{Sent, response};
use crate::iut::{Ask, T1, T2, T4};
use crate::proxied::{Proxied, labels, message};
use crate::server::{BOB, invite};

/// RFC 3261 17.1.1.1: on an unreliable transport the INVITE is repeated after T1, byte for byte.
#[test]
fn sip_cc_pr_tr_cl_ti_001() {
    let mut p = Proxied::invite();
    let sent = p.watch(T1);
    assert_eq!((sent.len(), sent[0].0, &sent[0].1.text), (1, T1, &p.forwarded.text));
}

/// RFC 3261 17.1.1.1: T1 is 500 ms unless something else is known.
#[test]
fn sip_cc_pr_tr_cl_ti_002() {
    assert_eq!(Proxied::invite().times("INVITE", T1), [500]);
}

/// RFC 3261 17.1.1.2: timer A doubles.
#[test]
fn sip_cc_pr_tr_cl_ti_003() {
    assert_eq!(Proxied::invite().times("INVITE", 15 * T1), [T1, 3 * T1, 7 * T1, 15 * T1]);
}

/// RFC 3261 17.1.1.2: timer B ends the repetitions after 64*T1, seven INVITEs in all.
#[test]
fn sip_cc_pr_tr_cl_ti_004() {
    let mut p = Proxied::invite();
    let again = p.times("INVITE", 64 * T1);
    assert_eq!((again.len(), again[5]), (6, 63 * T1));
}

/// RFC 3261 17.1.1.2, 16.8: that the device never answered counts as a 408.
#[test]
fn sip_cc_pr_tr_cl_ti_005() {
    assert_eq!(Proxied::invite().times("408", 70 * T1).first(), Some(&(64 * T1)));
}

/// RFC 3261 17.1.1.2: no INVITE is repeated in Proceeding.
#[test]
fn sip_cc_pr_tr_cl_ti_007() {
    let mut p = Proxied::invite();
    p.reply(100);
    assert!(p.watch(64 * T1).is_empty());
}

/// RFC 3261 17.1.1.2: on a reliable transport nothing is repeated, and timer B is the same.
#[test]
fn sip_cc_pr_tr_cl_ti_008() {
    let sent = Proxied::by(true).watch(64 * T1);
    assert_eq!((sent.len(), sent[0].0, sent[0].1.start()), (1, 64 * T1, "408"));
}

/// RFC 3261 17.1.1.2: timer D keeps Completed for at least 32 s on an unreliable transport: a
/// refusal that comes again is acknowledged again.
#[test]
fn sip_cc_pr_tr_cl_ti_009() {
    let mut p = Proxied::invite();
    let busy = p.refuse(486);
    p.ack(&busy);
    p.watch(32_000 - 1);
    assert_eq!(labels(&p.reply(486)), ["2 ACK"]);
    p.watch(1);
    assert!(p.is_over());
}

/// RFC 3261 17.1.1.2: timer D is zero on a reliable transport.
#[test]
fn sip_cc_pr_tr_cl_ti_010() {
    let mut p = Proxied::by(true);
    let busy = p.refuse(486);
    p.ack(&busy);
    p.watch(0);
    assert!(p.is_over());
}

/// RFC 3261 17.1.2.2: another request is repeated after T1.
#[test]
fn sip_cc_pr_tr_cl_ti_012() {
    let mut p = Proxied::ask(message());
    let sent = p.watch(T1);
    assert_eq!((sent.len(), sent[0].0, &sent[0].1.text), (1, T1, &p.forwarded.text));
}

/// RFC 3261 17.1.2.2: timer E doubles.
#[test]
fn sip_cc_pr_tr_cl_ti_013() {
    assert_eq!(Proxied::ask(message()).times("MESSAGE", 7 * T1), [T1, 3 * T1, 7 * T1]);
}

/// RFC 3261 17.1.2.2: but never beyond T2.
#[test]
fn sip_cc_pr_tr_cl_ti_014() {
    let times = Proxied::ask(message()).times("MESSAGE", 64 * T1);
    let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [1_000, 2_000, T2, T2, T2, T2, T2, T2, T2]);
}

/// RFC 3261 17.1.2.2, RFC 4320 4.1: timer F ends it after 64*T1; nobody is told by then.
#[test]
fn sip_cc_pr_tr_cl_ti_015() {
    let mut p = Proxied::ask(message());
    assert!(p.times("408", 70 * T1).is_empty());
    assert!(p.times("MESSAGE", 64 * T1).is_empty());
}

/// RFC 3261 17.1.2.2: on a reliable transport nothing is repeated.
#[test]
fn sip_cc_pr_tr_cl_ti_016() {
    assert!(Proxied::tcp(message()).times("MESSAGE", 64 * T1).is_empty());
}

/// RFC 3261 17.1.2.2: in Proceeding it is repeated every T2.
#[test]
fn sip_cc_pr_tr_cl_ti_017() {
    let mut p = Proxied::ask(message());
    p.watch(T1);
    p.reply(100);
    let times = p.times("MESSAGE", 16_000);
    let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.len() >= 2 && gaps.iter().all(|g| *g == T2), "{times:?}");
}

/// RFC 3261 17.1.2.2: timer K absorbs repeated responses for T4.
#[test]
fn sip_cc_pr_tr_cl_ti_018() {
    let mut p = Proxied::ask(message());
    p.reply(200);
    let all = p.hop.engine.stats().transactions;
    p.watch(T4 - 1);
    assert!(p.reply(200).is_empty());
    assert_eq!(p.hop.engine.stats().transactions, all);
    p.watch(1);
    assert_eq!(p.hop.engine.stats().transactions, all - 1);
}

/// RFC 3261 17.1.2.2, 9.1: a CANCEL is repeated as any request is; the INVITE that it was for ends
/// 64*T1 after it.
#[test]
fn sip_cc_pr_tr_cl_ti_019() {
    let mut p = Proxied::invite();
    p.reply(180);
    let cancel = p.ask.cancel();
    p.say(&cancel);
    let sent = p.watch(64 * T1);
    let cancels = sent.iter().filter(|(_, s)| s.start() == "CANCEL").map(|(at, _)| *at);
    assert_eq!(cancels.take(3).collect::<Vec<_>>(), [T1, 3 * T1, 7 * T1]);
    let end = sent.iter().find(|(_, s)| s.start() == "487").map(|(at, _)| *at);
    assert_eq!(end, Some(64 * T1));
}

/// The CANCEL that the device gets.
fn cancelled() -> (Proxied, Sent) {
    let mut p = Proxied::invite();
    p.reply(180);
    let cancel = p.ask.cancel();
    let sent = p.say(&cancel).remove(1);
    (p, sent)
}

/// RFC 3261 16.10, 9.1: Request-URI, Call-ID, To, From and the number in CSeq are the INVITE's.
#[test]
fn sip_cc_pr_tr_cl_v_001() {
    let (p, cancel) = cancelled();
    let invite = &p.forwarded;
    assert_eq!((cancel.start(), cancel.uri()), ("CANCEL", invite.uri()));
    for name in ["Call-ID", "To", "From"] {
        assert_eq!(cancel.one(name), invite.one(name));
    }
    assert_eq!(cancel.one("CSeq"), "10 CANCEL");
}

/// RFC 3261 9.1: it has one Via, the top one of the INVITE.
#[test]
fn sip_cc_pr_tr_cl_v_002() {
    let (p, cancel) = cancelled();
    assert_eq!(cancel.one("Via"), p.forwarded.all("Via")[0]);
}

/// RFC 3261 9.1: it has the Route of the INVITE, and no Require or Proxy-Require.
#[test]
fn sip_cc_pr_tr_cl_v_003() {
    let route = "Route: <sip:10.0.0.100;lr>, <sip:10.0.0.2;lr>\r\nRequire: x\r\n";
    let mut p = Proxied::ask(invite().more(route));
    p.reply(180);
    let cancel = p.ask.cancel();
    let sent = p.say(&cancel).remove(1);
    assert_eq!((sent.start(), sent.one("Route")), ("CANCEL", p.forwarded.one("Route")));
    assert!(sent.all("Require").is_empty() && sent.all("Proxy-Require").is_empty());
}

/// RFC 3261 9.1: it waits for a provisional response.
#[test]
fn sip_cc_pr_tr_cl_v_004() {
    let mut p = Proxied::invite();
    let cancel = p.ask.cancel();
    assert_eq!(labels(&p.say(&cancel)), ["9 200"]);
    assert_eq!(labels(&p.reply(100)), ["2 CANCEL"]);
}

/// RFC 3261 9.1: after a final response there is nothing to cancel.
#[test]
fn sip_cc_pr_tr_cl_v_005() {
    let mut p = Proxied::invite();
    p.reply(200);
    let cancel = p.ask.cancel();
    assert_eq!(labels(&p.say(&cancel)), ["9 200"]);
    assert!(p.watch(64 * T1).iter().all(|(_, s)| s.start() != "CANCEL"));
}

/// The ACK that the device gets for a refusal.
fn acked() -> (Proxied, Sent) {
    let mut p = Proxied::invite();
    let ack = p.reply(486).remove(0);
    assert_eq!(ack.label(), "2 ACK");
    (p, ack)
}

/// RFC 3261 16.7, 17.1.1.3: a refusal is acknowledged by the proxy, before anybody else knows of it.
#[test]
fn sip_cc_pr_tr_cl_v_006() {
    let (p, ack) = acked();
    assert_eq!(ack.uri(), p.forwarded.uri());
    assert_eq!(ack.one("CSeq"), "10 ACK");
}

/// RFC 3261 17.1.1.3: Call-ID and From of the ACK are the INVITE's, To is the response's.
#[test]
fn sip_cc_pr_tr_cl_v_007() {
    let (p, ack) = acked();
    assert_eq!(ack.one("Call-ID"), p.forwarded.one("Call-ID"));
    assert_eq!(ack.one("From"), p.forwarded.one("From"));
    assert_eq!(ack.one("To"), format!("{};tag=bt", p.forwarded.one("To")));
}

/// RFC 3261 17.1.1.3: it has one Via, the top one of the INVITE.
#[test]
fn sip_cc_pr_tr_cl_v_008() {
    let (p, ack) = acked();
    assert_eq!(ack.one("Via"), p.forwarded.all("Via")[0]);
}

/// RFC 3261 17.1.1.3: and the Route of the INVITE.
#[test]
fn sip_cc_pr_tr_cl_v_009() {
    let route = "Route: <sip:10.0.0.100;lr>, <sip:10.0.0.2;lr>\r\n";
    let mut p = Proxied::ask(invite().more(route));
    let ack = p.reply(486).remove(0);
    assert_eq!((ack.start(), ack.one("Route")), ("ACK", p.forwarded.one("Route")));
}

/// RFC 3261 17.1.1.2: a refusal that comes again in Completed is acknowledged again, and not passed
/// on again.
#[test]
fn sip_cc_pr_tr_cl_v_010() {
    let (mut p, ack) = acked();
    let again = p.reply(486);
    assert_eq!((again.len(), &again[0].text), (1, &ack.text));
}

/// RFC 3261 17.1.1.2: in Completed a provisional response is nobody's.
#[test]
fn sip_cc_pr_tr_cl_v_011() {
    let (mut p, _) = acked();
    assert!(p.reply(180).is_empty());
}

/// RFC 3261 22.2: a device's challenge is passed on as it is.
#[test]
fn sip_cc_pr_tr_cl_v_012() {
    let mut p = Proxied::invite();
    let field = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\"\r\n";
    let text = response(&p.forwarded, 401, "bt", field);
    let sent = p.device(&text);
    assert_eq!(labels(&sent), ["2 ACK", "9 401"]);
    assert_eq!(sent[1].one("WWW-Authenticate"), "Digest realm=\"pbx\", nonce=\"n1\"");
}

/// RFC 3261 22.2, 22.3: what answers it goes to the device as it is.
#[test]
fn sip_cc_pr_tr_cl_v_013() {
    let field = "Authorization: Digest username=\"a\", realm=\"pbx\", nonce=\"n1\", uri=\"sip:bob@example.com\", response=\"0\"\r\n";
    let p = Proxied::ask(invite().more(field));
    assert_eq!(format!("Authorization: {}\r\n", p.forwarded.one("Authorization")), field);
}

/// RFC 3261 22.2, 22.3: so do credentials for the realm of another proxy.
#[test]
fn sip_cc_pr_tr_cl_v_014() {
    let value = "Digest username=\"a\", realm=\"elsewhere\", nonce=\"n1\", uri=\"sip:bob@example.com\", response=\"0\"";
    let p = Proxied::ask(invite().more(&format!("Proxy-Authorization: {value}\r\n")));
    assert_eq!(p.forwarded.one("Proxy-Authorization"), value);
    assert_eq!(Ask { uri: BOB.into(), ..invite() }.text(), invite().text());
}
