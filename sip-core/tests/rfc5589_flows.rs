//! The call flows of RFC 5589 between three phones: `a` is the transferee, `b` the transferor and `c`
//! the target. Each test is named after its section.

#[path = "support/net.rs"]
mod net;
#[path = "support/trio.rs"]
mod trio;

use sansip::{CallHandle, Extras};
use trio::{Trio, value};

const HELD: [&str; 3] = ["b>a INVITE", "a>b 200 INVITE", "b>a ACK"];

fn hold(t: &mut Trio, call: CallHandle) {
    let now = t.now();
    t.net.engine(1).hold(now, call).unwrap();
    t.net.run(10);
}

fn tag<'a>(text: &'a str, name: &str) -> &'a str {
    value(text, name).split_once(";tag=").map_or("", |(_, tag)| tag)
}

/// All messages of a call have its Call-ID and its two tags.
fn one_dialog(texts: &[String]) {
    let id = value(&texts[0], "Call-ID");
    for text in texts.iter().filter(|t| value(t, "Call-ID") == id) {
        let tags = [tag(text, "From"), tag(text, "To")];
        let first = tag(&texts[0], "From");
        assert!(tags.contains(&first), "{text}");
    }
}

#[test]
fn section_6_1_successful_transfer() {
    let mut t = Trio::with_sound();
    let (_, b) = t.talk(0, 1);
    let from = t.net.trace.len();
    hold(&mut t, b);
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.alert(2, c);
    t.answer(2, c);
    let ladder = t.ladder(from);
    assert_eq!(ladder[..3], HELD);
    assert_eq!(
        ladder[3..],
        [
            "b>a REFER",
            "a>b 202 REFER",
            "a>b NOTIFY",
            "a>c INVITE",
            "b>a 200 NOTIFY",
            "c>a 180 INVITE",
            "a>b NOTIFY",
            "b>a 200 NOTIFY",
            "c>a 200 INVITE",
            "a>c ACK",
            "a>b NOTIFY",
            "b>a 200 NOTIFY",
            "b>a BYE",
            "a>b 200 BYE",
        ]
    );
    let (invites, refer) = (t.sent("INVITE"), t.sent("REFER").remove(0));
    // The hold, the REFER and the BYE are in the first dialog, the transferee's INVITE is in none.
    let first = value(&invites[0], "Call-ID");
    for text in [&invites[1], &refer, &t.sent("BYE")[0], &t.sent("NOTIFY")[0]] {
        assert_eq!(value(text, "Call-ID"), first);
    }
    assert!(invites[1].contains("a=sendonly"));
    assert_ne!(value(&invites[2], "Call-ID"), first);
    assert_eq!(tag(&invites[2], "To"), "");
    assert_eq!(value(&refer, "Refer-To"), "<sip:c@10.0.0.3>");
    one_dialog(&[invites, t.sent("REFER"), t.sent("BYE")].concat());
    assert!(t.lives(0, new) && t.lives(2, c) && !t.lives(1, b));
    t.finish();
}

#[test]
fn section_6_3_1_target_busy() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    hold(&mut t, b);
    t.refer(b);
    t.accept(0);
    let c = t.net.call(2);
    t.reject(2, c, 486);
    let last = t.sent("NOTIFY").pop().unwrap();
    assert!(last.ends_with("SIP/2.0 486 Busy Here\r\n"), "{last}");
    assert_eq!(value(&last, "Subscription-State"), "terminated;reason=noresource");
    assert_eq!(t.told(1, b).last(), Some(&(486, true)));
    // The transferor takes the transferee back.
    let from = t.net.trace.len();
    let now = t.now();
    t.net.engine(1).resume(now, b).unwrap();
    t.net.run(10);
    assert_eq!(t.ladder(from), HELD);
    let resumed = t.sent("INVITE").pop().unwrap();
    assert!(resumed.contains("m=audio") && !resumed.contains("a=sendonly"), "{resumed}");
    assert!(t.lives(0, a));
    t.hangup(1, b);
    t.finish();
}

#[test]
fn section_6_3_2_transfer_target_does_not_answer() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    hold(&mut t, b);
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.alert(2, c);
    let from = t.net.trace.len();
    t.net.run(30_000);
    t.hangup(0, new);
    assert_eq!(t.ladder(from)[..4], ["a>c CANCEL", "c>a 200 CANCEL", "c>a 487 INVITE", "a>c ACK"]);
    assert_eq!(t.told(1, b).last(), Some(&(487, true)));
    assert!(t.lives(0, a) && t.lives(1, b));
    t.hangup(1, b);
    t.finish();
}

#[test]
fn section_7_3_attended_transfer() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    hold(&mut t, b);
    let (consult, peer) = t.talk(1, 2);
    hold(&mut t, consult);
    let from = t.net.trace.len();
    let now = t.now();
    t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
    t.net.run(0);
    let new = t.accept(0);
    let c = t.incoming(2);
    t.net.run(1_000);
    // RFC 3891 3: the dialog as the target sees it, and the call goes to the target's own phone.
    let consulted = t.sent("INVITE").into_iter().find(|i| i.contains("sip:c@10.0.0.3")).unwrap();
    let ok = t.sent("200 INVITE");
    let ok = ok.iter().find(|o| value(o, "Call-ID") == value(&consulted, "Call-ID")).unwrap();
    let invite = t.sent("INVITE").pop().unwrap();
    let (to, by) = (format!(";to-tag={}", tag(ok, "To")), format!(";from-tag={}", tag(ok, "From")));
    let replaces = value(&invite, "Replaces");
    assert!(replaces.starts_with(value(ok, "Call-ID")), "{invite}");
    assert!(replaces.contains(&to) && replaces.contains(&by), "{invite}");
    let ladder = t.ladder(from);
    assert_eq!(ladder[..4], ["b>a REFER", "a>b 202 REFER", "a>b NOTIFY", "a>c INVITE"]);
    assert!(
        ladder.contains(&"c>b BYE".to_string()),
        "the target ends what is replaced: {ladder:?}"
    );
    assert!(ladder.contains(&"b>a BYE".to_string()));
    assert!(!t.lives(1, consult) && !t.lives(2, peer) && !t.lives(0, a) && !t.lives(1, b));
    assert!(t.lives(0, new) && t.lives(2, c));
    t.finish();
}
