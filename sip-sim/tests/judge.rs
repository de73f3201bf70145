//! The judge of documented flows: passes what is drawn or required, and nothing else.

use sansip_sim::flow::Role::{self, A, B, P};
use sansip_sim::flow::find;
use sansip_sim::judge::{Judgement, Recorded};

type Said = (u64, Role, Role, &'static str);

const SETUP: &[Said] = &[
    (0, A, P, "INVITE"),
    (0, P, A, "100 INVITE"),
    (1, P, B, "INVITE"),
    (201, B, P, "100 INVITE"),
    (300, B, P, "180 INVITE"),
    (300, P, A, "180 INVITE"),
    (900, B, P, "200 INVITE"),
    (900, P, A, "200 INVITE"),
    (901, A, P, "ACK"),
    (901, P, B, "ACK"),
    (2_000, B, P, "BYE"),
    (2_000, P, A, "BYE"),
    (2_001, A, P, "200 BYE"),
    (2_001, P, B, "200 BYE"),
];

const BUSY: &[Said] = &[
    (0, A, P, "INVITE"),
    (0, P, A, "100 INVITE"),
    (1, P, B, "INVITE"),
    (2, B, P, "486 INVITE"),
    (2, P, B, "ACK"),
    (2, P, A, "486 INVITE"),
    (3, A, P, "ACK"),
];

const NO_ANSWER: &[Said] = &[
    (0, A, P, "INVITE"),
    (0, P, A, "100 INVITE"),
    (1, P, B, "INVITE"),
    (2, B, P, "180 INVITE"),
    (2, P, A, "180 INVITE"),
    (5_000, A, P, "CANCEL"),
    (5_000, P, A, "200 CANCEL"),
    (5_000, P, B, "CANCEL"),
    (5_001, B, P, "200 CANCEL"),
    (5_001, B, P, "487 INVITE"),
    (5_002, P, B, "ACK"),
    (5_002, P, A, "487 INVITE"),
    (5_003, A, P, "ACK"),
];

/// A well-formed message of these calls.
fn message(from: Role, to: Role, what: &str, refused: bool) -> Vec<u8> {
    let (first, method) = what.split_once(' ').unwrap_or(("", what));
    let response = !first.is_empty();
    let towards_b = (from == A || to == B) != response;
    let far = from == B || to == B;
    let hop_only = method == "CANCEL" || (method == "ACK" && refused);
    let own = if method == "ACK" && !refused { "ack" } else { "" };
    let kind = if method == "BYE" { "bye" } else { own };
    let end = if towards_b { "a" } else { "b" };
    let near_is_end = if towards_b { !far } else { far };
    let mut vias = Vec::new();
    if !near_is_end {
        vias.push(format!("Via: SIP/2.0/UDP p;branch=z9hG4bKp{kind}\r\n"));
    }
    if near_is_end || !hop_only {
        vias.push(format!("Via: SIP/2.0/UDP {end};branch=z9hG4bK{end}{kind}\r\n"));
    }
    let hops = if near_is_end || hop_only { 70 } else { 69 };
    let start = if response {
        format!("SIP/2.0 {first} x\r\n")
    } else {
        format!("{method} sip:x@example.com SIP/2.0\r\nMax-Forwards: {hops}\r\n")
    };
    let route = if what == "INVITE" && far { "Record-Route: <sip:p;lr>\r\n" } else { "" };
    let to_tag =
        if what == "100 INVITE" || what == "INVITE" || what == "CANCEL" { "" } else { ";tag=2" };
    format!(
        "{start}{}{route}From: <sip:1@x>;tag=1\r\nTo: <sip:2@x>{to_tag}\r\nCall-ID: c\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n",
        vias.concat()
    )
    .into_bytes()
}

fn judge_bytes(flow: &str, said: &[Said], bytes: &[Vec<u8>]) -> Judgement {
    let record: Vec<_> = said
        .iter()
        .zip(bytes)
        .map(|((time_ms, from, to, _), bytes)| {
            let (time_ms, from, to) = (*time_ms, *from, *to);
            Recorded { time_ms, from, to, bytes }
        })
        .collect();
    find(flow).unwrap().judge(&record)
}

fn build(flow: &str, said: &[Said]) -> Vec<Vec<u8>> {
    let refused = flow != "setup_disconnect";
    said.iter().map(|(_, from, to, what)| message(*from, *to, what, refused)).collect()
}

fn judge(flow: &str, said: &[Said]) -> Judgement {
    judge_bytes(flow, said, &build(flow, said))
}

#[track_caller]
fn fails(flow: &str, said: &[Said], why: &str) {
    let judgement = judge(flow, said);
    assert!(!judgement.passed() && judgement.to_string().contains(why), "{judgement}");
}

#[track_caller]
fn fails_edited(flow: &str, said: &[Said], at: usize, edit: (&str, &str), why: &str) {
    let mut bytes = build(flow, said);
    let text = String::from_utf8(bytes[at].clone()).unwrap();
    assert!(text.contains(edit.0), "{text}");
    bytes[at] = text.replace(edit.0, edit.1).into_bytes();
    let judgement = judge_bytes(flow, said, &bytes);
    assert!(!judgement.passed() && judgement.to_string().contains(why), "{judgement}");
}

fn edited(said: &[Said], edit: impl FnOnce(&mut Vec<Said>)) -> Vec<Said> {
    let mut said = said.to_vec();
    edit(&mut said);
    said
}

#[test]
fn the_three_flows_pass_with_the_differences_that_the_rfcs_require() {
    for (flow, said, differences) in
        [("setup_disconnect", SETUP, 1), ("called_busy", BUSY, 3), ("no_answer", NO_ANSWER, 6)]
    {
        let judgement = judge(flow, said);
        println!("{judgement}");
        assert!(judgement.passed(), "{judgement}");
        let told = judgement.to_string().matches("as RFC ").count();
        assert_eq!(told, differences, "{judgement}");
        assert!(judgement.to_string().lines().all(|l| l.len() <= 100));
    }
}

#[test]
fn what_happens_on_two_hops_at_once_may_come_in_either_order() {
    // The proxy may send on before it says 100; refuse to A before it acknowledges to B.
    let said = edited(SETUP, |s| s.swap(1, 2));
    assert!(judge("setup_disconnect", &said).passed());
    let said = edited(BUSY, |s| s.swap(4, 5));
    assert!(judge("called_busy", &said).passed());
    let said = edited(NO_ANSWER, |s| s.swap(8, 9));
    assert!(judge("no_answer", &said).passed());
}

#[test]
fn a_100_may_be_left_out_only_before_200_ms() {
    let said = edited(SETUP, |s| {
        s.remove(3);
    });
    fails("setup_disconnect", &said, "F3 100 B->P did not come");
    let said = edited(&said, |s| s[3].0 = 200);
    assert!(judge("setup_disconnect", &said).passed());
    let said = edited(SETUP, |s| {
        s.remove(1);
    });
    fails("setup_disconnect", &said, "F4 100 P->A did not come");
}

#[test]
fn a_step_that_is_missing_repeated_swapped_or_strange_fails() {
    for (flow, said) in
        [("setup_disconnect", SETUP), ("called_busy", BUSY), ("no_answer", NO_ANSWER)]
    {
        for at in 0..said.len() {
            let is_100 = said[at].3 == "100 INVITE";
            if !is_100 {
                let less = edited(said, |s| {
                    s.remove(at);
                });
                fails(flow, &less, "WRONG");
            }
            let twice = edited(said, |s| s.insert(at, said[at]));
            fails(flow, &twice, "it is a repetition");
        }
        let strange = edited(said, |s| s.push((9_000, B, P, "183 INVITE")));
        fails(flow, &strange, "neither drawn nor required");
        let direct = edited(said, |s| s.push((9_000, A, B, "ACK")));
        fails(flow, &direct, "neither drawn nor required");
    }
    fails("setup_disconnect", &edited(SETUP, |s| s.swap(5, 6)), "it came before F6 180 P->A");
    fails("setup_disconnect", &edited(SETUP, |s| s.swap(3, 4)), "F3");
}

#[test]
fn the_proxy_acknowledges_a_refusal_before_the_caller_does() {
    let late = edited(BUSY, |s| {
        let ack = s.remove(4);
        s.push(ack);
    });
    fails("called_busy", &late, "it came before F8 ACK P->B");
}

#[test]
fn messages_owe_each_other_what_the_rfcs_say() {
    let setup = |at, edit, why| fails_edited("setup_disconnect", SETUP, at, edit, why);
    setup(13, ("Call-ID: c", "Call-ID: d"), "8.1.1.4");
    setup(2, ("Record-Route: <sip:p;lr>\r\n", ""), "16.6 step 4");
    setup(2, ("Max-Forwards: 69", "Max-Forwards: 70"), "16.6 step 3");
    setup(2, ("Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\n", ""), "16.6 step 8");
    setup(6, ("z9hG4bKp\r", "z9hG4bKq\r"), "17.1.3");
    setup(7, ("From", "Via: SIP/2.0/UDP p;branch=z9hG4bKp\r\nFrom"), "16.7 step 3");
    setup(6, (";tag=2", ""), "8.2.6.2");
    setup(8, ("z9hG4bKaack", "z9hG4bKa"), "13.2.2.4");
    let busy = |at, edit, why| fails_edited("called_busy", BUSY, at, edit, why);
    busy(4, ("z9hG4bKp", "z9hG4bKz"), "17.1.1.3");
    let unanswered = |at, edit, why| fails_edited("no_answer", NO_ANSWER, at, edit, why);
    unanswered(7, ("z9hG4bKp", "z9hG4bKz"), "9.1");
    unanswered(10, ("From", "Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom"), "own Via");
}

#[test]
fn a_forwarded_100_fails() {
    let said = edited(SETUP, |s| {
        let own = s.remove(1);
        s.insert(3, (201, own.1, own.2, own.3));
    });
    assert!(judge("setup_disconnect", &said).passed(), "late, but its own");
    let mut bytes = build("setup_disconnect", &said);
    for at in [2, 3] {
        let text = String::from_utf8(bytes[at].clone()).unwrap();
        bytes[at] = text.replace("To: <sip:2@x>", "To: <sip:2@x>;tag=b").into_bytes();
    }
    let judgement = judge_bytes("setup_disconnect", &said, &bytes);
    assert!(judgement.to_string().contains("forwarded a 100"), "{judgement}");
}
