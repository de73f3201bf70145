//! Races that once went wrong, each as it was found.

#[path = "support/net.rs"]
mod net;
#[path = "support/race.rs"]
mod race;

use race::{A, B, Do, Fault, Outcome, Race, Says, Track};
use sansip::{EndReason, Reliable};

const BOTH: [Outcome; 2] = [None, None];

fn goes_on(race: &Race) -> String {
    let (text, ends) = Track::new(race).run();
    assert_eq!(ends, BOTH, "{text}");
    text
}

fn count(text: &str, what: &str) -> usize {
    text.lines().filter(|l| l.ends_with(what)).count()
}

/// Whether the 2xx to the first INVITE has a description.
fn describes_in_2xx(race: &Race) -> bool {
    let mut track = Track::new(race);
    track.start();
    track.pass(500);
    let mut sent = track.net.trace.iter().filter(|s| s.label() == "200 INVITE");
    !sent.next().expect("a 2xx").bytes.ends_with(b"\r\n\r\n")
}

// RFC 3261 13.2.2.4
#[test]
fn a_2xx_that_comes_again_does_not_answer_the_next_reinvite() {
    let acts = [(20, A, Do::Hold), (125, A, Do::Reinvite)];
    let faults = vec![(1, Fault::Twice)];
    let text = goes_on(&Race { faults, ..Race::new(true, 40, &acts) });
    assert_eq!(count(&text, "bob>alice 200 INVITE"), 3, "{text}");
}

// RFC 3262 4, 5; RFC 3261 12.2.2
#[test]
fn a_prack_with_an_answer_is_made_again_when_an_update_has_overtaken_it() {
    let acts = [(50, B, Do::Progress), (180, A, Do::Refresh), (2_000, B, Do::Answer)];
    for (says, fault) in [Says::Media, Says::Text, Says::Body]
        .into_iter()
        .flat_map(|says| [Fault::Late, Fault::Lost].map(|f| (says, f)))
    {
        let race = Race {
            says: [if says == Says::Body { Says::Text } else { says }, says],
            offers: false,
            faults: vec![(2, fault)],
            ..Race::new(false, 40, &acts)
        };
        let text = goes_on(&race);
        let refused = count(&text, "bob>alice 500 PRACK");
        assert!(refused > 0 && count(&text, "bob>alice 200 PRACK") > 0, "{text}");
    }
}

// RFC 3311 5.1, RFC 6337 3.1: the exchange of the INVITE is over, that of the UPDATE is not.
#[test]
fn a_2xx_does_not_answer_the_offer_of_an_update() {
    let acts = [(50, B, Do::Progress), (91, A, Do::Update), (150, B, Do::Answer)];
    for thinks in [0, 60] {
        let says = [Says::Media, Says::Body];
        let text = goes_on(&Race { says, thinks, ..Race::new(false, 40, &acts) });
        assert_eq!(count(&text, "bob>alice 200 UPDATE"), 1, "{text}");
    }
}

#[test]
fn a_2xx_does_not_make_the_offer_of_an_update_again() {
    let acts = [(50, B, Do::Progress), (180, B, Do::Update), (190, B, Do::Answer)];
    for says in [[Says::Media; 2], [Says::Body; 2], [Says::Text; 2]] {
        let race = Race { says, ..Race::new(false, 40, &acts) };
        assert!(!describes_in_2xx(&race));
        let text = goes_on(&race);
        assert_eq!(count(&text, "alice>bob 200 UPDATE"), 1, "{text}");
    }
}

#[test]
fn a_2xx_leaves_the_offer_of_the_peers_update_open() {
    let acts = [(50, B, Do::Progress), (180, B, Do::Update), (190, B, Do::Answer)];
    let says = [Says::Body, Says::Media];
    let text = goes_on(&Race { says, thinks: 60, ..Race::new(false, 40, &acts) });
    assert_eq!(count(&text, "alice>bob 200 UPDATE"), 1, "{text}");
}

// RFC 3261 13.2.1, 13.3.1.4
#[test]
fn another_answer_in_the_2xx_than_in_an_unreliable_response_is_what_holds() {
    let acts = [(50, B, Do::Progress), (180, B, Do::Answer)];
    let says = [Says::Body; 2];
    goes_on(&Race { says, reliable: Reliable::Never, ..Race::new(false, 40, &acts) });
}

// RFC 6337 3.1
#[test]
fn a_session_that_was_agreed_reliably_is_not_described_again_in_the_2xx() {
    let acts = [(50, B, Do::Progress), (180, B, Do::Answer)];
    for (says, offers) in [(Says::Body, true), (Says::Text, false)] {
        let race = Race { says: [says, Says::Body], offers, ..Race::new(false, 40, &acts) };
        assert!(!describes_in_2xx(&race));
        goes_on(&race);
    }
}

// RFC 3311 4, RFC 3261 12.1: before its 2xx has come the caller may not know the dialog.
#[test]
fn an_update_of_the_callee_waits_for_the_ack() {
    let acts = [(310, B, Do::Answer), (311, B, Do::Update)];
    for says in [Says::Media, Says::Text, Says::Body] {
        let faults = vec![(1, Fault::Late)];
        let race = Race { says: [says; 2], faults, ..Race::new(false, 300, &acts) };
        let text = goes_on(&race);
        assert_eq!(count(&text, "481 UPDATE"), 0, "{text}");
        assert!(count(&text, "alice>bob 200 UPDATE") > 0, "{text}");
        let at = |what| text.lines().position(|l| l.ends_with(what)).expect(what);
        assert!(at("alice>bob ACK") < at("bob>alice UPDATE"), "{text}");
    }
}

// RFC 6337 4.3: an INVITE without an offer is as good as one.
#[test]
fn while_a_reinvite_without_an_offer_is_open_no_update_makes_one() {
    for (who, at) in [(A, 70), (B, 90)] {
        let acts = [(20, A, Do::Reinvite), (at, who, Do::Update)];
        let says = [Says::Text; 2];
        let text = goes_on(&Race { says, thinks: 60, ..Race::new(true, 40, &acts) });
        assert_eq!(count(&text, "UPDATE"), 0, "{text}");
    }
}

// RFC 3261 9.1, 13.2.2.4: who has hung up answers no offer, and the other hangs up too.
#[test]
fn a_call_that_was_given_up_does_not_wait_for_the_answer_to_the_offer_of_its_2xx() {
    let acts = [(0, A, Do::Hangup), (50, B, Do::Answer)];
    let (text, ends) = Track::new(&Race { offers: false, ..Race::new(false, 40, &acts) }).run();
    let expected = [Some((EndReason::Hangup, 0)), Some((EndReason::BadMedia, 0))];
    assert_eq!(ends, expected, "{text}");
}
