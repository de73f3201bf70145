//! Call establishment, originating endpoint.

use sansip::{CallChange, EndReason, Follow, Policy};

use crate::iut::{CONTACT, Iut, Out, T1, challenge, labels, proves};

/// An INVITE that waits for its final response, in the state Calling or Proceeding.
fn waiting(iut: &mut Iut, proceeding: bool) -> Out {
    let invite = iut.dial();
    if proceeding {
        assert!(iut.ask(&invite.answer("180 Ringing", "at", CONTACT)).is_empty());
    }
    invite
}

/// A provisional response stops the repetitions of the INVITE, and the call goes on waiting.
fn provisional(status: &str, told: Option<u16>, proceeding: bool) {
    let mut iut = Iut::udp();
    let invite = waiting(&mut iut, proceeding);
    let before = iut.changes().len();
    assert!(iut.ask(&invite.answer(status, "at", CONTACT)).is_empty());
    assert!(iut.run(40_000).is_empty(), "RFC 3261 17.1.1.2: no repetition, no timer B");
    let told: Vec<_> = told.map(|status| CallChange::Progress { status }).into_iter().collect();
    assert_eq!(iut.changes()[before..], told);
    assert_eq!(labels(&iut.ask(&invite.accept("200 OK", "at", CONTACT))), ["ACK"]);
}

/// RFC 3261 17.1.1.3: what the ACK of a final response other than a 2xx is made of.
fn is_ack_of(ack: &Out, invite: &Out, response: &Out) {
    assert_eq!(ack.request_uri(), invite.request_uri());
    for name in ["Call-ID", "From", "Via", "Route"] {
        assert_eq!(ack.all(name), invite.all(name), "{name}");
    }
    assert_eq!(ack.all("Via").len(), 1);
    assert_eq!(ack.header("To"), response.header("To"));
    assert_eq!(ack.header("CSeq"), format!("{} ACK", invite.cseq()));
}

/// A final response other than a 2xx is acknowledged by the transaction and ends the call, also
/// when it comes again.
fn refused(status: &str, proceeding: bool, again: bool) {
    let mut iut = Iut::udp();
    let invite = waiting(&mut iut, proceeding);
    let text = invite.answer(status, "at", "");
    let response = Out { to: invite.to, text: text.clone() };
    let sent = iut.ask(&text);
    assert_eq!(labels(&sent), ["ACK"]);
    is_ack_of(&sent[0], &invite, &response);
    let told = iut.changes();
    let number = response.label().parse().unwrap();
    let end = CallChange::Ended { why: EndReason::Refused, status: number };
    assert_eq!(told.last(), Some(&end));
    if again {
        iut.run(1_000);
        let repeated = iut.ask(&text);
        assert_eq!(labels(&repeated), ["ACK"]);
        assert_eq!(repeated[0].text, sent[0].text);
        assert_eq!(iut.changes(), told, "the user is told once");
    }
    iut.finish();
}

/// RFC 3261 8.1.1: the least that a request carries.
#[test]
fn sip_cc_oe_ce_v_001() {
    let invite = Iut::udp().dial();
    for name in ["To", "From", "CSeq", "Call-ID", "Max-Forwards", "Via", "Contact"] {
        assert_eq!(invite.all(name).len(), 1, "{name}");
    }
}

/// RFC 3261 8.1.1.1: the Request-URI of the first INVITE is the URI of To.
#[test]
fn sip_cc_oe_ce_v_002() {
    let invite = Iut::udp().dial();
    assert_eq!(format!("<{}>", invite.request_uri()), invite.header("To"));
}

/// RFC 3261 8.1.1.2: To names the callee and has no tag outside a dialog.
#[test]
fn sip_cc_oe_ce_v_003() {
    let invite = Iut::udp().dial();
    assert_eq!(invite.header("To"), "<sip:alice@10.0.0.9>");
    assert_eq!(invite.to_tag(), "");
}

/// RFC 3261 8.1.1.3: From has a tag of at least 32 random bits, another in each call.
#[test]
fn sip_cc_oe_ce_v_004() {
    let mut iut = Iut::udp();
    let (one, two) = (iut.dial(), iut.dial());
    assert!(one.tag_of_from().len() >= 7 && two.tag_of_from().len() >= 7);
    assert_ne!(one.tag_of_from(), two.tag_of_from());
}

/// RFC 3261 8.1.1.5: the method of CSeq is that of the request, its number below 2**31.
#[test]
fn sip_cc_oe_ce_v_005() {
    let invite = Iut::udp().dial();
    assert!(invite.cseq() < 1 << 31);
    assert!(invite.header("CSeq").ends_with(" INVITE"));
}

/// RFC 3261 8.1.1.6: Max-Forwards begins with 70.
#[test]
fn sip_cc_oe_ce_v_006() {
    assert_eq!(Iut::udp().dial().header("Max-Forwards"), "70");
}

/// RFC 3261 8.1.1.7: Via says SIP/2.0 and has a branch with the magic cookie and more.
#[test]
fn sip_cc_oe_ce_v_007() {
    let invite = Iut::udp().dial();
    assert!(invite.header("Via").starts_with("SIP/2.0/UDP 10.0.0.1"));
    assert!(invite.branch().starts_with("z9hG4bK") && invite.branch().len() > 10);
}

/// RFC 3261 13.2.1: Allow in the INVITE says what can be used in the dialog.
#[test]
fn sip_cc_oe_ce_v_008() {
    let invite = Iut::udp().dial();
    let allow: Vec<&str> = invite.header("Allow").split(", ").collect();
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"] {
        assert!(allow.contains(&method), "{method}");
    }
}

/// RFC 3261 13.2.2.1: a 100 in Calling stops the repetitions; the call goes on.
#[test]
fn sip_cc_oe_ce_v_009() {
    provisional("100 Trying", None, false);
}

/// RFC 3261 13.2.2.1: so does a 180, which the user is told of.
#[test]
fn sip_cc_oe_ce_v_010() {
    provisional("180 Ringing", Some(180), false);
}

/// RFC 3261 8.1.3.2: so does a provisional response that nobody has heard of, as a 183.
#[test]
fn sip_cc_oe_ce_v_011() {
    provisional("145 Something", Some(145), false);
}

/// RFC 3261 8.1.3.2: nor does one harm in Proceeding.
#[test]
fn sip_cc_oe_ce_v_012() {
    provisional("199 Anything", Some(199), true);
}

fn answered(proceeding: bool) {
    let mut iut = Iut::udp();
    let invite = waiting(&mut iut, proceeding);
    let sent = iut.ask(&invite.accept("200 OK", "at", CONTACT));
    assert_eq!(labels(&sent), ["ACK"]);
    assert_eq!(sent[0].header("CSeq"), format!("{} ACK", invite.cseq()));
    assert_eq!(iut.last_change(), Some(CallChange::Answered { status: 200 }));
    assert!(iut.run(40_000).is_empty(), "the transaction sends nothing more");
}

/// RFC 3261 13.2.2.4: a 2xx in Calling gets an ACK with the INVITE's CSeq number.
#[test]
fn sip_cc_oe_ce_v_013() {
    answered(false);
}

/// RFC 3261 13.2.2.4: so does one in Proceeding.
#[test]
fn sip_cc_oe_ce_v_014() {
    answered(true);
}

/// RFC 3261 8.1.3.3: a response with more than one Via is discarded.
#[test]
fn sip_cc_oe_ce_v_015() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let ok = invite.accept("200 OK", "at", CONTACT);
    let extra = "\r\nVia: SIP/2.0/UDP 10.0.0.77;branch=z9hG4bKother\r\nFrom: ";
    assert!(iut.ask(&ok.replacen("\r\nFrom: ", extra, 1)).is_empty());
    assert!(iut.changes().is_empty());
    assert_eq!(labels(&iut.ask(&ok)), ["ACK"]);
}

/// RFC 3261 12.2.1.1: the ACK of a 2xx goes to its Contact, in the dialog that it made.
#[test]
fn sip_cc_oe_ce_v_016() {
    let (invite, ack) = Iut::udp().called("");
    assert_eq!(ack.first_line(), "ACK sip:alice@10.0.0.9 SIP/2.0");
    assert!(ack.all("Route").is_empty());
    assert_eq!(ack.header("To"), format!("{};tag=at", invite.header("To")));
    for name in ["From", "Call-ID"] {
        assert_eq!(ack.header(name), invite.header(name));
    }
}

/// RFC 3261 12.2.1.1: its Route is the Record-Route of the 2xx, reversed, where the routers are
/// loose.
#[test]
fn sip_cc_oe_ce_v_017() {
    let route = "Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>\r\n";
    let (_, ack) = Iut::udp().called(route);
    assert_eq!(ack.request_uri(), "sip:alice@10.0.0.9");
    assert_eq!(ack.all("Route").join(", "), "<sip:10.0.0.7;lr>, <sip:10.0.0.8;lr>");
    assert_eq!(ack.to.to_string(), "10.0.0.7:5060");
}

/// RFC 3261 12.2.1.1: a strict router is the Request-URI, and the target the last Route.
#[test]
fn sip_cc_oe_ce_v_018() {
    let route = "Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7>\r\n";
    let (_, ack) = Iut::udp().called(route);
    assert_eq!(ack.request_uri(), "sip:10.0.0.7");
    assert_eq!(ack.all("Route").join(", "), "<sip:10.0.0.8;lr>, <sip:alice@10.0.0.9>");
    assert_eq!(ack.to.to_string(), "10.0.0.7:5060");
}

/// The ACKs of two 2xx that differ in the tag of To alone.
fn forked(iut: &mut Iut) -> (Out, Vec<Out>) {
    let invite = iut.dial();
    let mut acks = Vec::new();
    for tag in ["one", "two"] {
        let sent = iut.ask(&invite.accept("200 OK", tag, CONTACT));
        acks.extend(sent.into_iter().filter(|o| o.label() == "ACK"));
    }
    (invite, acks)
}

/// RFC 3261 13.2.2.4: each 2xx of a fork gets an ACK with its own To.
#[test]
fn sip_cc_oe_ce_v_019() {
    let (invite, acks) = forked(&mut Iut::udp());
    let tags: Vec<&str> = acks.iter().map(Out::to_tag).collect();
    assert_eq!(tags, ["one", "two"]);
    assert!(acks.iter().all(|a| a.header("To").starts_with(invite.header("To"))));
}

/// RFC 3261 17.1.1.3, 8.1.1.7: the ACK of a 2xx is a request by itself, with a branch of its own.
#[test]
fn sip_cc_oe_ce_v_020() {
    let (invite, ack) = Iut::udp().called("");
    assert!(ack.branch().starts_with("z9hG4bK"));
    assert_ne!(ack.branch(), invite.branch());
    assert_eq!(ack.header("Max-Forwards"), "70");
}

/// RFC 3261 13.2.2.4: a 2xx that comes again gets the same ACK again.
#[test]
fn sip_cc_oe_ce_v_021() {
    let mut iut = Iut::udp();
    let (invite, ack) = iut.called("");
    for _ in 0..3 {
        iut.run(500);
        let again = iut.ask(&invite.accept("200 OK", "at", CONTACT));
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].text, ack.text);
    }
    assert_eq!(iut.changes().len(), 1, "the user is told once");
}

/// RFC 3261 13.2.2.4: so does the 2xx that confirmed an early dialog.
#[test]
fn sip_cc_oe_ce_v_022() {
    let mut iut = Iut::udp();
    let invite = waiting(&mut iut, true);
    let ok = invite.accept("200 OK", "at", CONTACT);
    let (first, again) = (iut.ask(&ok), iut.ask(&ok));
    assert_eq!((first.len(), again.len()), (1, 1));
    assert_eq!(first[0].text, again[0].text);
}

/// RFC 3261 13.2.2.4: a dialog of a fork that is not wanted is acknowledged and ended by a BYE.
#[test]
fn sip_cc_oe_ce_v_023() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    iut.ask(&invite.accept("200 OK", "one", CONTACT));
    let sent = iut.ask(&invite.accept("200 OK", "two", CONTACT));
    assert_eq!(labels(&sent), ["ACK", "BYE"]);
    assert!(sent.iter().all(|o| o.to_tag() == "two"));
    assert!(sent[1].cseq() > sent[0].cseq());
    iut.ask(&sent[1].answer("200 OK", "", ""));
    assert_eq!(iut.last_change(), Some(CallChange::Answered { status: 200 }), "the first stands");
}

/// RFC 3261 13.2.2.2: a 3xx in Calling is acknowledged and ends the call.
#[test]
fn sip_cc_oe_ce_v_024() {
    refused("300 Multiple Choices", false, false);
}

/// RFC 3261 13.2.2.2: so is one in Proceeding.
#[test]
fn sip_cc_oe_ce_v_025() {
    refused("301 Moved Permanently", true, false);
}

/// RFC 3261 17.1.1.3: its ACK has one Via, and no body.
#[test]
fn sip_cc_oe_ce_v_026() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let ack = iut.ask(&invite.answer("380 Alternative Service", "at", "")).remove(0);
    assert_eq!(ack.all("Via"), invite.all("Via"));
    assert_eq!((ack.header("Content-Length"), ack.body()), ("0", ""));
    assert!(ack.all("Content-Type").is_empty());
}

/// RFC 3261 17.1.1.2: a 3xx that comes again in Completed is acknowledged again.
#[test]
fn sip_cc_oe_ce_v_027() {
    refused("302 Moved Temporarily", false, true);
}

/// RFC 3261 17.1.1.3: an early dialog has no say in the ACK of a 3xx.
#[test]
fn sip_cc_oe_ce_v_028() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let early = "Contact: <sip:alice@10.0.0.66>\r\nRecord-Route: <sip:10.0.0.7;lr>\r\n";
    iut.ask(&invite.answer("180 Ringing", "at", early));
    let text = invite.answer("305 Use Proxy", "at", "");
    let ack = iut.ask(&text).remove(0);
    is_ack_of(&ack, &invite, &Out { to: invite.to, text });
    assert_eq!(ack.to, invite.to);
    iut.finish();
}

/// RFC 3261 13.2.2.3: a 4xx in Calling is acknowledged and ends the call.
#[test]
fn sip_cc_oe_ce_v_032() {
    refused("404 Not Found", false, false);
}

/// RFC 3261 13.2.2.3: so is one in Proceeding.
#[test]
fn sip_cc_oe_ce_v_033() {
    refused("486 Busy Here", true, false);
}

/// RFC 3261 17.1.1.2: a 4xx that comes again in Completed is acknowledged again.
#[test]
fn sip_cc_oe_ce_v_034() {
    refused("480 Temporarily Unavailable", false, true);
}

/// RFC 3261 13.2.2.3: a 5xx in Calling is acknowledged and ends the call.
#[test]
fn sip_cc_oe_ce_v_035() {
    refused("500 Server Internal Error", false, false);
}

/// RFC 3261 13.2.2.3: so is one in Proceeding.
#[test]
fn sip_cc_oe_ce_v_036() {
    refused("503 Service Unavailable", true, false);
}

/// RFC 3261 17.1.1.2: a 5xx that comes again in Completed is acknowledged again.
#[test]
fn sip_cc_oe_ce_v_037() {
    refused("501 Not Implemented", false, true);
}

/// RFC 3261 13.2.2.3: a 6xx in Calling is acknowledged and ends the call; a 500 that comes after
/// it is nothing new to the user.
#[test]
fn sip_cc_oe_ce_v_038() {
    refused("600 Busy Everywhere", false, false);
    let mut iut = Iut::udp();
    let invite = iut.dial();
    iut.ask(&invite.answer("600 Busy Everywhere", "at", ""));
    iut.ask(&invite.answer("500 Server Internal Error", "at", ""));
    let end = CallChange::Ended { why: EndReason::Refused, status: 600 };
    assert_eq!(iut.changes(), [end]);
}

/// RFC 3261 13.2.2.3: so is one in Proceeding.
#[test]
fn sip_cc_oe_ce_v_039() {
    refused("604 Does Not Exist Anywhere", true, false);
}

/// RFC 3261 17.1.1.2: a 6xx that comes again in Completed is acknowledged again.
#[test]
fn sip_cc_oe_ce_v_040() {
    refused("603 Decline", true, true);
}

/// RFC 3261 17.1.3: a final response with another branch or method is for nobody.
#[test]
fn sip_cc_oe_ce_v_041() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let busy = invite.answer("486 Busy Here", "at", "");
    assert!(iut.ask(&busy.replace(invite.branch(), "z9hG4bKother")).is_empty());
    assert!(iut.ask(&busy.replace(" INVITE\r\n", " OPTIONS\r\n")).is_empty());
    assert!(iut.changes().is_empty());
    assert_eq!(labels(&iut.ask(&busy)), ["ACK"]);
}

/// RFC 3261 8.1.3.2: a final response that nobody has heard of counts as the x00 of its class.
#[test]
fn sip_cc_oe_ce_v_042() {
    for status in ["499 Odd", "588 Odd", "699 Odd"] {
        refused(status, false, true);
    }
}

/// RFC 3261 13.2.1: the INVITE carries the offer of a session.
#[test]
fn sip_cc_oe_ce_v_044() {
    let invite = Iut::udp().dial();
    assert_eq!(invite.header("Content-Type"), "application/sdp");
    assert!(invite.body().contains("\r\nm=audio 4000 RTP/AVP 0\r\n"));
}

/// RFC 3261 20.14: Content-Length is the length of the body.
#[test]
fn sip_cc_oe_ce_v_045() {
    let invite = Iut::udp().dial();
    assert_eq!(invite.header("Content-Length"), invite.body().len().to_string());
}

/// RFC 3261 20.15: a body has a Content-Type.
#[test]
fn sip_cc_oe_ce_v_046() {
    let invite = Iut::udp().dial();
    assert!(!invite.body().is_empty());
    assert_eq!(invite.all("Content-Type"), ["application/sdp"]);
}

/// RFC 3261 7.4: the body follows an empty line, in the type that the header section says.
#[test]
fn sip_cc_oe_ce_v_047() {
    let invite = Iut::udp().dial();
    assert!(invite.text.contains("\r\n\r\nv=0\r\n"));
    assert!(invite.all("Content-Encoding").is_empty());
}

/// RFC 3261 13.2.1: without an offer in the INVITE, the answer to that of the 2xx is in the ACK.
#[test]
fn sip_cc_oe_ce_v_048() {
    let mut iut = Iut::udp();
    iut.offers = false;
    let invite = iut.dial();
    assert_eq!((invite.body(), invite.header("Content-Length")), ("", "0"));
    let sent = iut.ask(&invite.accept("200 OK", "at", CONTACT));
    assert_eq!((labels(&sent), sent[0].header("Content-Type")), (vec!["ACK"], "application/sdp"));
    assert!(sent[0].body().contains("m=audio 4000 "));
    assert_eq!(iut.agreed, 1);
}

/// RFC 3261 20.14: on a stream Content-Length says where the message ends.
#[test]
fn sip_cc_oe_ce_v_049() {
    let invite = Iut::tcp().dial();
    assert!(invite.header("Via").starts_with("SIP/2.0/TCP "));
    assert_eq!(invite.header("Content-Length"), invite.body().len().to_string());
    assert!(invite.body().starts_with("v=0\r\n"));
}

/// A phone whose line follows redirections by itself.
fn following() -> Iut {
    let mut iut = Iut::udp();
    let policy = Policy { follow: Follow::Follow, ..Policy::default() };
    let now = iut.at();
    iut.engine.set_policy(now, iut.line, policy).unwrap();
    iut
}

/// The INVITE that follows a redirection; the first.
fn followed(iut: &mut Iut, status: &str, contacts: &str) -> (Out, Out) {
    let first = iut.dial();
    let mut sent = iut.ask(&first.answer(status, "rt", contacts));
    assert_eq!(labels(&sent), ["ACK", "INVITE"]);
    (first, sent.remove(1))
}

/// RFC 3261 8.1.3.4, 21.3.4: a 305 is acknowledged, and the call goes to the proxy in its Contact.
#[test]
fn sip_cc_oe_ce_v_029() {
    let proxy = "Contact: <sip:10.0.0.7:5090;lr>\r\n";
    let (_, second) = followed(&mut following(), "305 Use Proxy", proxy);
    assert_eq!(second.to.to_string(), "10.0.0.7:5090");
}

/// RFC 3261 8.1.3.4: a new request goes to each Contact in the order of its q, until one answers.
#[test]
fn sip_cc_oe_ce_v_030() {
    let mut iut = following();
    let contacts = "Contact: <sip:x@10.0.0.9>;q=0.2, <sip:y@10.0.0.9>;q=0.7\r\n";
    let (_, second) = followed(&mut iut, "300 Multiple Choices", contacts);
    assert_eq!(second.request_uri(), "sip:y@10.0.0.9");
    let sent = iut.ask(&second.answer("480 Temporarily Unavailable", "yt", ""));
    assert_eq!(labels(&sent), ["ACK", "INVITE"]);
    assert_eq!(sent[1].request_uri(), "sip:x@10.0.0.9");
    assert_eq!(labels(&iut.ask(&sent[1].accept("200 OK", "xt", CONTACT))), ["ACK"]);
    assert_eq!(iut.last_change(), Some(CallChange::Answered { status: 200 }));
}

/// RFC 3261 8.1.3.4: no URI is tried twice.
#[test]
fn sip_cc_oe_ce_v_031() {
    let mut iut = following();
    let (_, second) = followed(&mut iut, "302 Moved Temporarily", "Contact: <sip:x@10.0.0.9>\r\n");
    let again = "Contact: <sip:alice@10.0.0.9>, <sip:x@10.0.0.9>\r\n";
    assert_eq!(labels(&iut.ask(&second.answer("302 Moved Temporarily", "xt", again))), ["ACK"]);
    assert!(matches!(iut.last_change(), Some(CallChange::Ended { .. })));
    iut.finish();
}

/// RFC 3261 21.3.3, 8.1.3.4: a 302 is followed with the same To, From and Call-ID and the next
/// CSeq number, in a transaction of its own.
#[test]
fn sip_cc_oe_ce_v_043() {
    let mut iut = following();
    let moved = "Contact: <sip:carol@10.0.0.9>\r\n";
    let (first, second) = followed(&mut iut, "302 Moved Temporarily", moved);
    assert_eq!(second.request_uri(), "sip:carol@10.0.0.9");
    for name in ["To", "From", "Call-ID"] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    assert_eq!(second.cseq(), first.cseq() + 1);
    assert_ne!(second.branch(), first.branch());
    assert_eq!(second.body(), first.body());
    assert_eq!(labels(&iut.ask(&second.accept("200 OK", "ct", CONTACT))), ["ACK"]);
}

/// The INVITE again, with credentials, after a 401 or a 407; the first.
fn proven(iut: &mut Iut, status: u16) -> (Out, Out) {
    let first = iut.dial();
    let mut sent = iut.ask(&challenge(&first, status, "n1", ""));
    assert_eq!(labels(&sent), ["ACK", "INVITE"]);
    let second = sent.remove(1);
    assert!(proves(&second, status, "n1"), "{}", second.text);
    assert!(iut.changes().is_empty());
    (first, second)
}

/// RFC 3261 22.2: after a 401 the INVITE goes again with Authorization for its realm and nonce.
#[test]
fn sip_cc_oe_ce_v_050() {
    let mut iut = Iut::udp();
    let (_, second) = proven(&mut iut, 401);
    assert_eq!(labels(&iut.ask(&second.accept("200 OK", "at", CONTACT))), ["ACK"]);
    assert_eq!(iut.last_change(), Some(CallChange::Answered { status: 200 }));
}

/// RFC 3261 8.1.3.5: it has the Call-ID, To and From of the first, and the next CSeq number.
#[test]
fn sip_cc_oe_ce_v_051() {
    let (first, second) = proven(&mut Iut::udp(), 401);
    for name in ["Call-ID", "To", "From"] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    assert_eq!(second.cseq(), first.cseq() + 1);
    assert_ne!(second.branch(), first.branch());
    assert_eq!(second.body(), first.body());
}

/// RFC 3261 22.3: after a 407 it has Proxy-Authorization, and the ACK of its 2xx has it too.
#[test]
fn sip_cc_oe_ce_v_052() {
    let mut iut = Iut::udp();
    let (_, second) = proven(&mut iut, 407);
    let ack = iut.ask(&second.accept("200 OK", "at", CONTACT)).remove(0);
    assert_eq!(ack.header("Proxy-Authorization"), second.header("Proxy-Authorization"));
}

/// RFC 3261 22.2: credentials that were refused are not used again, the user is asked anew, and
/// without any the 401 ends the call; a nonce that is only stale is answered at once.
#[test]
fn sip_cc_oe_ce_v_053() {
    let end = CallChange::Ended { why: EndReason::Refused, status: 401 };
    let mut iut = Iut::udp();
    iut.secret = false;
    let invite = iut.dial();
    assert_eq!(labels(&iut.ask(&challenge(&invite, 401, "n1", ""))), ["ACK"]);
    assert_eq!((iut.asked, iut.last_change()), (1, Some(end)));

    let mut iut = Iut::udp();
    let (_, second) = proven(&mut iut, 401);
    let sent = iut.ask(&challenge(&second, 401, "n2", ", stale=true"));
    assert_eq!(labels(&sent), ["ACK", "INVITE"]);
    assert!(proves(&sent[1], 401, "n2"));
    assert_eq!(iut.asked, 1);
    iut.secret = false;
    assert_eq!(labels(&iut.ask(&challenge(&sent[1], 401, "n3", ""))), ["ACK"]);
    assert_eq!((iut.asked, iut.last_change()), (2, Some(end)));
}

/// RFC 3261 17.1.1.2: on an unreliable transport the INVITE is repeated after T1.
#[test]
fn sip_cc_oe_ce_ti_001() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let sent = iut.watch(T1);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, &sent[0].1.text), (T1, &invite.text));
}

/// RFC 3261 17.1.1.1: T1 is 500 ms unless something else is known.
#[test]
fn sip_cc_oe_ce_ti_002() {
    let mut iut = Iut::udp();
    iut.dial();
    assert_eq!(iut.times("INVITE", 600), [500]);
}

/// RFC 3261 17.1.1.2: timer A doubles.
#[test]
fn sip_cc_oe_ce_ti_003() {
    let mut iut = Iut::udp();
    iut.dial();
    assert_eq!(iut.times("INVITE", 31 * T1), [T1, 3 * T1, 7 * T1, 15 * T1, 31 * T1]);
}

/// RFC 3261 17.1.1.2: timer B ends the repetitions after 64*T1, seven INVITEs in all.
#[test]
fn sip_cc_oe_ce_ti_004() {
    let mut iut = Iut::udp();
    iut.dial();
    assert_eq!(iut.times("INVITE", 200_000).len(), 6);
    assert!(iut.engine.is_quiescent());
}

/// RFC 3261 17.1.1.2: no INVITE is repeated in Proceeding.
#[test]
fn sip_cc_oe_ce_ti_005() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    iut.run(3 * T1);
    iut.ask(&invite.answer("100 Trying", "", ""));
    assert!(iut.times("INVITE", 170_000).is_empty());
}

/// RFC 3261 17.1.1.2, 8.1.3.1: timer B tells the user of a timeout, which counts as a 408.
#[test]
fn sip_cc_oe_ce_ti_006() {
    let mut iut = Iut::udp();
    iut.dial();
    iut.run(64 * T1 - 1);
    assert!(iut.changes().is_empty());
    iut.run(1);
    let end = CallChange::Ended { why: EndReason::Timeout, status: 408 };
    assert_eq!(iut.changes(), [end]);
}

/// RFC 3261 17.1.1.2: on a reliable transport nothing is repeated, and timer B is the same.
#[test]
fn sip_cc_oe_ce_ti_007() {
    let mut iut = Iut::tcp();
    iut.dial();
    assert!(iut.run(64 * T1).is_empty());
    let end = CallChange::Ended { why: EndReason::Timeout, status: 408 };
    assert_eq!(iut.changes(), [end]);
}

/// RFC 3261 17.1.1.2: timer D keeps Completed for at least 32 s on an unreliable transport.
#[test]
fn sip_cc_oe_ce_ti_008() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let busy = invite.answer("486 Busy Here", "at", "");
    iut.ask(&busy);
    for ms in [5_000, 5_000, 21_000, 999] {
        iut.run(ms);
        assert_eq!(labels(&iut.ask(&busy)), ["ACK"]);
    }
}

/// RFC 3261 17.1.1.2: timer D is zero on a reliable transport: no ACK is repeated.
#[test]
fn sip_cc_oe_ce_ti_009() {
    let mut iut = Iut::tcp();
    let invite = iut.dial();
    let busy = invite.answer("486 Busy Here", "at", "");
    assert_eq!(labels(&iut.ask(&busy)), ["ACK"]);
    iut.run(1);
    assert!(iut.ask(&busy).is_empty());
    assert!(iut.engine.is_quiescent());
}

/// RFC 3261 17.1.1.2: after timer D the transaction is gone.
#[test]
fn sip_cc_oe_ce_ti_010() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let busy = invite.answer("486 Busy Here", "at", "");
    iut.ask(&busy);
    iut.run(33_000);
    assert!(iut.ask(&busy).is_empty());
    assert!(iut.engine.is_quiescent());
}

/// RFC 3261 13.2.2.4: for 64*T1 after the first 2xx its repetitions are acknowledged.
#[test]
fn sip_cc_oe_ce_ti_011() {
    let mut iut = Iut::udp();
    let (invite, _) = iut.called("");
    for ms in [5_000, 5_000, 20_000, 1_999] {
        iut.run(ms);
        assert_eq!(labels(&iut.ask(&invite.accept("200 OK", "at", CONTACT))), ["ACK"]);
    }
}

/// RFC 3261 13.2.2.4, RFC 6026 7.2: after that they are for nobody.
#[test]
fn sip_cc_oe_ce_ti_012() {
    let mut iut = Iut::udp();
    let (invite, _) = iut.called("");
    iut.run(64 * T1 + 1_000);
    assert!(iut.ask(&invite.accept("200 OK", "at", CONTACT)).is_empty());
    assert_eq!(labels(&iut.hangup()), ["BYE"], "the call stands");
}
