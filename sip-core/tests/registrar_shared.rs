//! Two engines with one store: what they register at the same time, message by message and answer by
//! answer in every order, is all there in the end.

#[path = "support/hop.rs"]
mod hop;

use hop::{Bound, Hop, config, request};
use sansip::Limits;

const BOB: &str = "sip:bob@example.com";
type Store = std::collections::BTreeMap<String, (u64, Vec<Bound>)>;

fn engine(seed: u8) -> Hop {
    let mut config = config();
    config.seed = [seed; 32];
    let mut hop = Hop::with(config, &Limits::TESTER);
    hop.hold = true;
    hop
}

fn register(from: u8, more: &str) -> String {
    let to = "To: Bob <sip:bob@example.com>\r\n";
    request("REGISTER", "sip:example.com", from, 1, &format!("{to}{more}"))
}

/// Lets one engine take one step: it gets its REGISTER, or its question is answered from the store.
/// False when it has nothing left to do.
fn step(hop: &mut Hop, store: &mut Store, message: &mut Option<(u8, String)>) -> bool {
    core::mem::swap(&mut hop.store, store);
    let did = match message.take() {
        Some((from, text)) => {
            hop.receive(from, &text);
            true
        }
        None if !hop.held.is_empty() => {
            hop.answer_held();
            true
        }
        None => false,
    };
    core::mem::swap(&mut hop.store, store);
    did
}

/// Runs two REGISTERs in the order that the bits of `order` say; whose turn it is counts only where
/// both have something to do. What is stored in the end, the answers, and how many steps there were.
fn run(before: &Store, a: &str, b: &str, order: u32) -> (Vec<String>, [String; 2], u32) {
    let mut store = before.clone();
    let mut hops = [engine(1), engine(2)];
    let mut messages = [Some((1, register(1, a))), Some((2, register(2, b)))];
    let mut steps = 0;
    loop {
        let first = (order >> steps.min(31) & 1) as usize;
        let [m, n] = [first, 1 - first];
        let did = step(&mut hops[m], &mut store, &mut messages[m])
            || step(&mut hops[n], &mut store, &mut messages[n]);
        if !did {
            break;
        }
        steps += 1;
    }
    let answers = hops.each_mut().map(|hop| hop.only().start().to_string());
    for hop in &mut hops {
        hop.store = store.clone();
        hop.finish();
    }
    let mut uris: Vec<String> = store[BOB].1.iter().map(|b| b.uri.clone()).collect();
    uris.sort();
    (uris, answers, steps)
}

fn stored(uris: &[&str]) -> Store {
    let mut hop = Hop::new();
    uris.iter().for_each(|uri| hop.bind(BOB, uri));
    hop.store
}

// RFC 3261 10.3 step 7: both, as if one had come after the other.
#[test]
fn nothing_is_lost_in_whatever_order_two_engines_take_turns() {
    let two = "Contact: <sip:bob@10.0.0.2>\r\n";
    let three = "Contact: <sip:bob@10.0.0.3>\r\n";
    let no_nine = "Contact: <sip:bob@10.0.0.9>;expires=0\r\n";
    let (x2, x3, x9) = ("sip:bob@10.0.0.2", "sip:bob@10.0.0.3", "sip:bob@10.0.0.9");
    let cases: [(&[&str], &str, &str, &[&str]); 4] = [
        (&[], two, three, &[x2, x3]),
        (&[x9], two, three, &[x2, x3, x9]),
        (&[x9], two, no_nine, &[x2]),
        (&[x2, x9], two, no_nine, &[x2]),
    ];
    let mut longest = 0;
    for (before, a, b, want) in cases {
        for order in 0..1 << 10 {
            let (uris, answers, steps) = run(&stored(before), a, b, order);
            assert_eq!(uris, want, "{a}{b}{order:b}");
            assert_eq!(answers, ["200", "200"], "{a}{b}{order:b}");
            longest = longest.max(steps);
        }
    }
    // A REGISTER, a look, a store, and for the loser a look and a store more.
    assert_eq!(longest, 8, "every order was tried");
}

// RFC 3261 10.3 step 6, 10.2.2
#[test]
fn one_who_leaves_while_another_comes_takes_what_there_was() {
    let all = "Contact: *\r\nExpires: 0\r\n";
    let three = "Contact: <sip:bob@10.0.0.3>\r\n";
    let before = stored(&["sip:bob@10.0.0.9"]);
    let mut outcomes = std::collections::BTreeSet::new();
    for order in 0..1 << 10 {
        let (uris, answers, _) = run(&before, all, three, order);
        assert_eq!(answers, ["200", "200"], "{order:b}");
        assert!(uris.is_empty() || uris == ["sip:bob@10.0.0.3"], "{uris:?}");
        outcomes.insert(uris.len());
    }
    assert_eq!(outcomes.len(), 2, "before it, or after it");
}
