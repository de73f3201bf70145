//! The call flows of RFC 5589 sections 8 to 11: Referred-By, an ad hoc conference, several parties.
//! Each test is named after its section; `a` is the transferee, `b` the transferor and `c` the
//! target.
//!
//! Section 8: the token is a body of the application's, who signs it; there is no S/MIME here.
//! Section 9: without its subscriptions to the conference package (RFC 4575), which our phone does
//! not serve; as it is no focus (RFC 4579 4), it does not say `isfocus`. Section 11.1 is about what a
//! proxy would have to know of gateways and has no messages; 11.2 has those of figure 11 in section
//! 7.6.

#[path = "support/fields.rs"]
mod fields;
#[path = "support/message.rs"]
mod message;
#[path = "support/net.rs"]
mod net;
#[path = "support/script.rs"]
mod script;
#[path = "support/trio.rs"]
mod trio;

use sansip::{CallHandle, Extras};
use script::check;
use trio::{Trio, value};

const TOKEN: &str = "Content-ID: <20@b.example.com>\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n\
                     --s\r\nContent-Type: message/sipfrag\r\n\r\nReferred-By: <sip:b@10.0.0.2>\r\n--s--\r\n";

const SDP: &str = "Content-Type: application/sdp\r\n\r\nv=0\r\no=- 5 5 IN IP4 10.0.0.1\r\ns=-\r\n\
                   c=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A body with these parts.
fn parts(parts: &[&str]) -> String {
    let all: String = parts.iter().map(|p| format!("--u\r\n{p}\r\n")).collect();
    all + "--u--\r\n"
}

// Figure 16.
#[test]
fn section_8_transfer_with_referred_by() {
    let mut t = Trio::with_sound();
    let (_, b) = t.talk(0, 1);
    t.hold(1, b);
    let (consult, _) = t.talk(1, 2);
    t.hold(1, consult);
    let from = t.net.trace.len();
    let by = "<sip:b@10.0.0.2>;cid=\"20@b.example.com\"";
    let (signed, kind) = (parts(&[TOKEN]), "multipart/mixed;boundary=u");
    let extras = Extras {
        headers: &[("Referred-By", by)],
        content_type: kind,
        body: signed.as_bytes(),
        media: None,
    };
    let now = t.now();
    t.net.engine(1).transfer_to(now, b, consult, extras).unwrap();
    t.net.run(0);
    // RFC 3892 2.2: the header field is copied by the engine, the token by the application.
    let request = t.asked(0).0;
    let refer = t.sent("REFER").pop().unwrap();
    assert_eq!(value(&refer, "Referred-By"), by);
    let whole = parts(&[SDP, TOKEN]);
    let extras = Extras { content_type: kind, body: whole.as_bytes(), ..Extras::default() };
    let new = t.net.engine(0).accept_transfer(now, request, 5, extras).unwrap();
    t.net.run(1_000);
    let invite = t.sent("INVITE").pop().unwrap();
    assert_eq!(value(&invite, "Referred-By"), by);
    assert!(invite.contains(TOKEN), "{invite}");
    let c = t.incoming(2);
    t.hangup(2, c);
    assert!(!t.lives(0, new));
    check(
        &t.net,
        from,
        &[
            "b>a 1 REFER Refer-To=c?Replaces=2 Referred-By=b",
            "a>b 1 202 REFER",
            "a>b 1 NOTIFY refer active 100",
            "a>c 3 INVITE c Replaces=2 Referred-By=b",
            "b>a 1 200 NOTIFY",
            "c>a 3 200 INVITE sendrecv",
            "c>b 2 BYE",
            "a>c 3 ACK",
            "a>b 1 NOTIFY refer terminated(noresource) 200",
            "b>c 2 200 BYE",
            "b>a 1 200 NOTIFY",
            "b>a 1 BYE",
            "a>b 1 200 BYE",
            "c>a 3 BYE",
            "a>c 3 200 BYE",
        ],
    );
    t.finish();
}

// Figure 17.
#[test]
fn section_9_transfer_as_an_ad_hoc_conference() {
    let mut t = Trio::with_sound();
    let (_, b) = t.talk(0, 1);
    t.hold(1, b);
    let target = t.dials[2].clone();
    let consult = t.dial(1, &target, &[("Require", "replaces")]);
    let peer = t.incoming(2);
    t.alert(2, peer);
    t.answer(2, peer);
    t.hold(1, consult);
    t.transfer_to(1, b, consult);
    t.accept(0);
    t.net.run(1_000);
    assert!(!t.lives(1, b) && !t.lives(1, consult) && !t.lives(2, peer));
    check(
        &t.net,
        0,
        &[
            "a>b 1 INVITE b sendrecv",
            "b>a 1 180 INVITE",
            "b>a 1 200 INVITE sendrecv",
            "a>b 1 ACK",
            "b>a 1 INVITE sendonly",
            "a>b 1 200 INVITE recvonly",
            "b>a 1 ACK",
            "b>c 2 INVITE c Require=replaces sendrecv",
            "c>b 2 180 INVITE",
            "c>b 2 200 INVITE sendrecv",
            "b>c 2 ACK",
            "b>c 2 INVITE sendonly",
            "c>b 2 200 INVITE recvonly",
            "b>c 2 ACK",
            "b>a 1 REFER Refer-To=c?Replaces=2 Referred-By=b",
            "a>b 1 202 REFER",
            "a>b 1 NOTIFY refer active 100",
            "a>c 3 INVITE c Replaces=2 Referred-By=b sendrecv",
            "b>a 1 200 NOTIFY",
            "c>a 3 200 INVITE sendrecv",
            "c>b 2 BYE",
            "a>c 3 ACK",
            "a>b 1 NOTIFY refer terminated(noresource) 200",
            "b>c 2 200 BYE",
            "b>a 1 200 NOTIFY",
            "b>a 1 BYE",
            "a>b 1 200 BYE",
        ],
    );
    t.finish();
}

/// `n` asks the peer of a call to call phone `to`, which takes the call: that.
fn refer(t: &mut Trio, n: usize, call: CallHandle, (by, to): (usize, usize)) -> CallHandle {
    let (now, target) = (t.now(), t.dials[to].clone());
    t.net.engine(n).transfer(now, call, &target, false, Extras::default()).unwrap();
    t.net.run(0);
    let new = t.accept(by);
    let c = t.incoming(to);
    t.answer(to, c);
    new
}

// Figure 18: the originator, the facilitator, the screener and the recipient.
#[test]
fn section_10_transfer_with_multiple_parties() {
    let mut t = Trio::of(&["o", "f", "s", "r"]);
    let (_, first) = t.talk(0, 1);
    t.hold(1, first);
    let (_, second) = t.talk(1, 2);
    t.hold(2, second);
    let (third, _) = t.talk(2, 3);
    t.hold(2, third);
    let fifth = refer(&mut t, 2, second, (1, 3));
    t.hangup(2, third);
    t.hold(1, fifth);
    refer(&mut t, 1, first, (0, 3));
    let seventh = t.incoming(3);
    t.hangup(1, fifth);
    t.hangup(3, seventh);
    check(
        &t.net,
        0,
        &[
            "o>f 1 INVITE f sendrecv",
            "f>o 1 180 INVITE",
            "f>o 1 200 INVITE sendrecv",
            "o>f 1 ACK",
            "f>o 1 INVITE sendonly",
            "o>f 1 200 INVITE recvonly",
            "f>o 1 ACK",
            "f>s 2 INVITE s sendrecv",
            "s>f 2 180 INVITE",
            "s>f 2 200 INVITE sendrecv",
            "f>s 2 ACK",
            "s>f 2 INVITE sendonly",
            "f>s 2 200 INVITE recvonly",
            "s>f 2 ACK",
            "s>r 3 INVITE r sendrecv",
            "r>s 3 180 INVITE",
            "r>s 3 200 INVITE sendrecv",
            "s>r 3 ACK",
            "s>r 3 INVITE sendonly",
            "r>s 3 200 INVITE recvonly",
            "s>r 3 ACK",
            "s>f 2 REFER Refer-To=r Referred-By=s",
            "f>s 2 202 REFER",
            "f>s 2 NOTIFY refer active 100",
            "f>r 4 INVITE r Referred-By=s sendrecv",
            "s>f 2 200 NOTIFY",
            "r>f 4 200 INVITE sendrecv",
            "f>r 4 ACK",
            "f>s 2 NOTIFY refer terminated(noresource) 200",
            "s>f 2 200 NOTIFY",
            "s>f 2 BYE",
            "f>s 2 200 BYE",
            "s>r 3 BYE",
            "r>s 3 200 BYE",
            "f>r 4 INVITE sendonly",
            "r>f 4 200 INVITE recvonly",
            "f>r 4 ACK",
            "f>o 1 REFER Refer-To=r Referred-By=f",
            "o>f 1 202 REFER",
            "o>f 1 NOTIFY refer active 100",
            "o>r 5 INVITE r Referred-By=f sendrecv",
            "f>o 1 200 NOTIFY",
            "r>o 5 200 INVITE sendrecv",
            "o>r 5 ACK",
            "o>f 1 NOTIFY refer terminated(noresource) 200",
            "f>o 1 200 NOTIFY",
            "f>o 1 BYE",
            "o>f 1 200 BYE",
            "f>r 4 BYE",
            "r>f 4 200 BYE",
            "r>o 5 BYE",
            "o>r 5 200 BYE",
        ],
    );
    t.finish();
}
