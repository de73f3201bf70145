//! The race conditions of RFC 5407: two phones act at nearly the same time, on a wire with delay that
//! loses, doubles or holds back some of the datagrams. Whatever crosses, each side has one outcome,
//! both have the same, the session is the same on both, and nothing is left.

#[path = "support/net.rs"]
mod net;
#[path = "support/race.rs"]
mod race;

use std::collections::BTreeSet;

use race::{A, B, Do, Fault, Outcome, Race, Says, Track};
use sansip::Reliable;

const FAULTS: [Fault; 3] = [Fault::Lost, Fault::Twice, Fault::Late];

/// None, and each of the first datagrams with each fault.
fn faults() -> impl Iterator<Item = Option<(usize, Fault)>> {
    let each = |n| FAULTS.map(|f| Some((n, f)));
    std::iter::once(None).chain((0..12).flat_map(each))
}

/// How a call may end on both sides; `-` is a call that goes on, or rings.
const PAIRS: [&str; 14] = [
    "- | -",
    // Nothing has been sent.
    "Abandoned 0 | -",
    "Hangup 0 | Hangup 0",
    "Hangup 0 | RemoteHangup 0",
    // The ACK of who has hung up does not answer the offer of the 2xx.
    "Hangup 0 | BadMedia 0",
    "BadMedia 0 | Hangup 0",
    "RemoteHangup 0 | Hangup 0",
    "Abandoned 487 | Cancelled 487",
    // The refusal crosses the CANCEL.
    "Abandoned 302 | Rejected 302",
    "Abandoned 480 | Rejected 480",
    "Abandoned 486 | Rejected 486",
    "Refused 302 | Rejected 302",
    "Refused 480 | Rejected 480",
    "Refused 486 | Rejected 486",
];

fn run(races: impl Iterator<Item = Race>) {
    let mut seen = BTreeSet::new();
    for race in races {
        let (text, [a, b]) = Track::new(&race).run();
        let named =
            |o: Outcome| o.map_or("-".to_string(), |(why, status)| format!("{why:?} {status}"));
        let pair = format!("{} | {}", named(a), named(b));
        assert!(PAIRS.contains(&pair.as_str()), "{pair}: {text}");
        seen.insert(pair);
    }
    assert!(seen.len() >= 3, "{seen:?}");
}

fn with_each_fault(races: Vec<Race>) -> impl Iterator<Item = Race> {
    races.into_iter().flat_map(|race| {
        faults().map(move |fault| Race { faults: fault.into_iter().collect(), ..race.clone() })
    })
}

/// When the other acts: before what was sent first arrives, at that moment, and after it, up to the
/// fourth trip.
fn moments(delay: u64) -> [u64; 6] {
    [0, delay, delay + 10, 2 * delay + 10, 2 * delay + 11, 3 * delay + 20]
}

const DELAYS: [u64; 2] = [40, 300];

/// What one does in a call that stands.
const IN_CALL: [Do; 5] = [Do::Hangup, Do::Hold, Do::Reinvite, Do::Refresh, Do::Update];

fn pairs<'a>(mine: &'a [Do], theirs: &'a [Do]) -> impl Iterator<Item = (Do, Do)> + 'a {
    mine.iter().flat_map(|a| theirs.iter().map(move |b| (*a, *b)))
}

// RFC 5407 3.1.1 to 3.1.3, 3.2.1: CANCEL, BYE and UPDATE cross ringing, answers and refusals.
fn set_up() -> Vec<Race> {
    let first = [Do::Ring, Do::Progress, Do::Answer, Do::Reject, Do::Redirect, Do::Hangup];
    let mut races = Vec::new();
    for (first, mine) in pairs(&first, &[Do::Hangup, Do::Refresh, Do::Update]) {
        for delay in DELAYS {
            let race = |t| Race::new(false, delay, &[(t, A, mine), (delay + 10, B, first)]);
            races.extend(moments(delay).map(race));
        }
    }
    races
}

// RFC 5407 3.1.4, 3.2.2, 3.3: BYE, re-INVITE, UPDATE, hold cross each other.
fn in_call() -> Vec<Race> {
    let mut races = Vec::new();
    for (mine, theirs) in pairs(&IN_CALL, &IN_CALL) {
        for delay in DELAYS {
            let race = |t| Race::new(true, delay, &[(20, A, mine), (t, B, theirs)]);
            races.extend(moments(delay).map(race));
        }
    }
    races
}

// RFC 5407 3.1.1, 3.1.4, 3.1.5, 3.2.2: with an early dialog, reliable or not, and at its answer.
fn at_the_answer() -> Vec<Race> {
    let mut races = Vec::new();
    for reliable in [Reliable::Never, Reliable::WithBody, Reliable::Always] {
        for (first, mine) in pairs(&[Do::Ring, Do::Progress], &IN_CALL) {
            for delay in DELAYS {
                let answer = [(delay + 10, B, first), (delay + 25, B, Do::Answer)];
                races.extend(moments(delay).map(|t| {
                    let acts = [&[(t + 15, A, mine)], &answer[..]].concat();
                    Race { reliable, ..Race::new(false, delay, &acts) }
                }));
            }
        }
    }
    races
}

// RFC 5407 3.1.4, 3.1.5, 3.2.1: both act again as soon as each believes that the call stands.
fn at_the_ack() -> Vec<Race> {
    let mut races = Vec::new();
    for (mine, theirs) in pairs(&IN_CALL, &IN_CALL) {
        for delay in DELAYS {
            for (t, u) in [0, 1, delay].iter().flat_map(|t| [0, 1, 2 * delay].map(|u| (*t, u))) {
                let answer = (delay + 10, B, Do::Answer);
                let acts = [answer, (2 * delay + 10 + t, A, mine), (delay + 10 + u, B, theirs)];
                races.push(Race::new(false, delay, &acts));
            }
        }
    }
    races
}

// RFC 5407 3.1.1 to 3.1.3, RFC 3311 5.2: both act in an early dialog whose session is agreed.
fn early() -> Vec<Race> {
    let both = [Do::Hangup, Do::Refresh, Do::Update, Do::Answer, Do::Reject];
    let mut races = Vec::new();
    for (mine, theirs) in pairs(&both[..3], &both) {
        for delay in DELAYS {
            for u in [delay + 11, 3 * delay + 11, 3 * delay + 30] {
                let mine_at = [2 * delay + 10, 2 * delay + 11, 3 * delay + 20, 4 * delay + 30];
                races.extend(mine_at.map(|t| {
                    let acts = [(delay + 10, B, Do::Progress), (t, A, mine), (u, B, theirs)];
                    Race::new(false, delay, &acts)
                }));
            }
        }
    }
    races
}

// RFC 3311 5, RFC 6337 4: one changes the session and acts again before that has its answer.
fn twice() -> Vec<Race> {
    let changes = [Do::Hold, Do::Reinvite, Do::Refresh, Do::Update];
    let again = [Do::Hangup, Do::Answer, Do::Reject, Do::Hold, Do::Reinvite, Do::Update];
    let mut races = Vec::new();
    for ((first, second), theirs) in
        pairs(&changes, &again).flat_map(|p| IN_CALL.map(|theirs| (p, theirs)))
    {
        for (who, delay) in [(A, 40), (B, 40)] {
            let early = matches!(first, Do::Refresh | Do::Update);
            for t in [0, delay, delay + 10, 2 * delay + 15] {
                let acts = [(20, who, first), (30 + t, who, second), (25 + delay, 1 - who, theirs)];
                races.push(Race::new(true, delay, &acts));
                let ringing = (delay + 10, B, Do::Progress);
                let later = acts.map(|(at, who, what)| (at + 4 * delay, who, what));
                if early {
                    races.push(Race::new(false, delay, &[&[ringing], &later[..]].concat()));
                }
            }
        }
    }
    races
}

/// All of these.
fn all() -> Vec<Race> {
    [set_up(), in_call(), at_the_answer(), at_the_ack(), early(), twice()].concat()
}

#[test]
fn whatever_crosses_while_a_call_is_set_up_has_one_outcome() {
    run(with_each_fault(set_up()));
}

#[test]
fn whatever_crosses_in_a_call_that_stands_has_one_outcome() {
    run(with_each_fault(in_call()));
}

#[test]
fn whatever_crosses_the_answer_of_a_ringing_call_has_one_outcome() {
    run(with_each_fault(at_the_answer()));
}

#[test]
fn whatever_crosses_the_ack_has_one_outcome() {
    run(with_each_fault(at_the_ack()));
}

#[test]
fn whatever_crosses_in_an_early_dialog_has_one_outcome() {
    run(with_each_fault(early()));
}

#[test]
fn whatever_crosses_two_acts_of_one_side_has_one_outcome() {
    run(with_each_fault(twice()));
}

/// The ways in which the two may describe their sessions, but the usual one.
fn manners() -> Vec<([Says; 2], bool, u64)> {
    let all = [Says::Media, Says::Text, Says::Body];
    let mut manners = Vec::new();
    for says in all.iter().flat_map(|a| all.iter().map(move |b| [*a, *b])) {
        for (offers, thinks) in [(true, 0), (true, 60), (false, 0), (false, 60)] {
            let usual = says == [Says::Media; 2] && offers;
            // Who is not asked has nothing to answer an offer in a 2xx with.
            if !usual && (offers || says[A] != Says::Body) {
                manners.push((says, offers, thinks));
            }
        }
    }
    manners
}

fn in_each_manner(races: Vec<Race>) -> impl Iterator<Item = Race> {
    races.into_iter().flat_map(|race| {
        manners().into_iter().map(move |(says, offers, thinks)| Race {
            says,
            offers,
            thinks,
            ..race.clone()
        })
    })
}

#[test]
fn whoever_describes_the_session_and_whoever_offers_there_is_one_outcome() {
    run(in_each_manner(all()));
}

/// Numbers that look random, and are the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn fault(&mut self) -> (usize, Fault) {
        (self.roll(14), FAULTS[self.roll(3)])
    }
}

/// `RACES=n` runs n times as many, and others.
fn with_some_faults(races: Vec<Race>, seed: u64, many: usize) -> impl Iterator<Item = Race> {
    let times = std::env::var("RACES").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut dice = Dice(if times > 1 { seed + times as u64 } else { seed });
    (0..many * times).map(move |_| {
        let race = races[dice.roll(races.len())].clone();
        let faults = (0..=dice.roll(3)).map(|_| dice.fault()).collect();
        Race { faults, ..race }
    })
}

#[test]
fn some_faults_in_one_race_leave_one_outcome() {
    run(with_some_faults(all(), 1, 60_000));
}

#[test]
fn some_faults_leave_one_outcome_whoever_describes_the_session() {
    run(with_some_faults(in_each_manner(all()).collect(), 2, 60_000));
}
