//! Which message may carry an offer or an answer in which state (RFC 6337): the six patterns of its
//! Table 1 with the states in which each may be used, what becomes of an offer of the peer's and of one
//! of ours in every state of a call, and how an offer that cannot be accepted is refused (Table 2).

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;
#[path = "support/race.rs"]
mod race;
#[path = "support/scene.rs"]
mod scene;

use race::{A, B, Do, Race, Says, Track};
use sansip::{CallChange, EndReason, Error, Extras, Misuse, Reliable};
use scene::{BAD, GOOD, Scene, labels, own, sound};

/// A message of the pattern; `+` where it has a description.
type Ladder = &'static [&'static str];

struct Pattern {
    /// As in Table 1, and in which column.
    name: &'static str,
    clause: &'static str,
    offers: bool,
    reliable: Reliable,
    acts: &'static [(u64, usize, Do)],
    says: [Says; 2],
    /// From here on.
    from: u64,
    ladder: Ladder,
}

const RINGS: (u64, usize, Do) = (60, B, Do::Ring);
const EARLY: (u64, usize, Do) = (60, B, Do::Progress);
const ANSWERS: (u64, usize, Do) = (300, B, Do::Answer);
const MEDIA: [Says; 2] = [Says::Media; 2];

const PATTERNS: &[Pattern] = &[
    Pattern {
        name: "1 initial: INVITE, 2xx",
        clause: "RFC 3261 13.2.1",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[RINGS, ANSWERS],
        says: MEDIA,
        from: 0,
        ladder: &["A>B INVITE +", "B>A 180 INVITE", "B>A 200 INVITE +", "A>B ACK"],
    },
    Pattern {
        name: "1 initial, the answer in an unreliable response before",
        clause: "RFC 3261 13.2.1, RFC 6337 3.1.1: the 2xx has it again",
        offers: true,
        reliable: Reliable::Never,
        acts: &[EARLY, ANSWERS],
        says: MEDIA,
        from: 0,
        ladder: &["A>B INVITE +", "B>A 183 INVITE +", "B>A 200 INVITE +", "A>B ACK"],
    },
    Pattern {
        name: "1 established",
        clause: "RFC 3261 14",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[ANSWERS, (1_000, A, Do::Hold)],
        says: MEDIA,
        from: 1_000,
        ladder: &["A>B INVITE +", "B>A 200 INVITE +", "A>B ACK"],
    },
    Pattern {
        name: "1 established, by the callee",
        clause: "RFC 3261 14",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[ANSWERS, (1_000, B, Do::Hold)],
        says: MEDIA,
        from: 1_000,
        ladder: &["B>A INVITE +", "A>B 200 INVITE +", "B>A ACK"],
    },
    Pattern {
        name: "2 initial: 2xx, ACK",
        clause: "RFC 3261 13.2.1",
        offers: false,
        reliable: Reliable::WithBody,
        acts: &[RINGS, ANSWERS],
        says: MEDIA,
        from: 0,
        ladder: &["A>B INVITE", "B>A 180 INVITE", "B>A 200 INVITE +", "A>B ACK +"],
    },
    Pattern {
        name: "2 initial, with an unreliable response before",
        clause: "RFC 6337 3.1: that makes no offer",
        offers: false,
        reliable: Reliable::Never,
        acts: &[EARLY, ANSWERS],
        says: MEDIA,
        from: 0,
        ladder: &["A>B INVITE", "B>A 183 INVITE", "B>A 200 INVITE +", "A>B ACK +"],
    },
    Pattern {
        name: "2 established",
        clause: "RFC 3261 14.1, 14.2",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[ANSWERS, (1_000, A, Do::Reinvite)],
        says: [Says::Text; 2],
        from: 1_000,
        ladder: &["A>B INVITE", "B>A 200 INVITE +", "A>B ACK +"],
    },
    Pattern {
        name: "2 established, by the callee",
        clause: "RFC 3261 14.1, 14.2",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[ANSWERS, (1_000, B, Do::Reinvite)],
        says: [Says::Media, Says::Text],
        from: 1_000,
        ladder: &["B>A INVITE", "A>B 200 INVITE +", "B>A ACK +"],
    },
    Pattern {
        name: "3 initial: INVITE, reliable 1xx",
        clause: "RFC 3262 5, RFC 6337 3.1: nothing after it has a description",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[EARLY, ANSWERS],
        says: MEDIA,
        from: 0,
        ladder: &[
            "A>B INVITE +",
            "B>A 183 INVITE +",
            "A>B PRACK",
            "B>A 200 PRACK",
            "B>A 200 INVITE",
            "A>B ACK",
        ],
    },
    Pattern {
        name: "4 initial: reliable 1xx, PRACK",
        clause: "RFC 3262 5",
        offers: false,
        reliable: Reliable::WithBody,
        acts: &[EARLY, ANSWERS],
        says: MEDIA,
        from: 0,
        ladder: &[
            "A>B INVITE",
            "B>A 183 INVITE +",
            "A>B PRACK +",
            "B>A 200 PRACK",
            "B>A 200 INVITE",
            "A>B ACK",
        ],
    },
    Pattern {
        name: "4 initial, by the applications",
        clause: "RFC 3262 5",
        offers: false,
        reliable: Reliable::WithBody,
        acts: &[EARLY, ANSWERS],
        says: [Says::Text, Says::Body],
        from: 0,
        ladder: &[
            "A>B INVITE",
            "B>A 183 INVITE +",
            "A>B PRACK +",
            "B>A 200 PRACK",
            "B>A 200 INVITE",
            "A>B ACK",
        ],
    },
    Pattern {
        name: "6 early: UPDATE, 2xx",
        clause: "RFC 3311 5.1",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[EARLY, (200, A, Do::Update), (400, B, Do::Answer)],
        says: MEDIA,
        from: 200,
        ladder: &["A>B UPDATE +", "B>A 200 UPDATE +", "B>A 200 INVITE", "A>B ACK"],
    },
    Pattern {
        name: "6 early, by the callee",
        clause: "RFC 3311 5.1",
        offers: false,
        reliable: Reliable::WithBody,
        acts: &[EARLY, (200, B, Do::Update), (400, B, Do::Answer)],
        says: MEDIA,
        from: 200,
        ladder: &["B>A UPDATE +", "A>B 200 UPDATE +", "B>A 200 INVITE", "A>B ACK"],
    },
    Pattern {
        name: "6 established",
        clause: "RFC 3311 5.1",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[ANSWERS, (1_000, A, Do::Update)],
        says: [Says::Text, Says::Body],
        from: 1_000,
        ladder: &["A>B UPDATE +", "B>A 200 UPDATE +"],
    },
    Pattern {
        name: "6 established, by the callee",
        clause: "RFC 3311 5.1",
        offers: true,
        reliable: Reliable::WithBody,
        acts: &[ANSWERS, (1_000, B, Do::Update)],
        says: [Says::Body, Says::Text],
        from: 1_000,
        ladder: &["B>A UPDATE +", "A>B 200 UPDATE +"],
    },
];

#[test]
fn each_pattern_has_its_descriptions_where_table_1_says() {
    for p in PATTERNS {
        let race = Race {
            offers: p.offers,
            reliable: p.reliable,
            says: p.says,
            ..Race::new(false, 20, p.acts)
        };
        let mut track = Track::new(&race);
        track.start();
        track.pass(1_000);
        let sent = track.net.trace.iter().filter(|s| s.at >= 1_000 + p.from);
        let ladder: Vec<String> = sent
            .map(|s| {
                let arrow = if s.from == track.net.nodes[A].addr { "A>B" } else { "B>A" };
                let described = if s.bytes.ends_with(b"\r\n\r\n") { "" } else { " +" };
                format!("{arrow} {}{described}", s.label())
            })
            .collect();
        assert_eq!(ladder, p.ladder, "{} ({})", p.name, p.clause);
        let (text, ends) = Track::new(&race).run();
        assert_eq!(ends, [None; 2], "{} {text}", p.name);
    }
}

/// The states of a call, seen from our side.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// Called with an offer; 180.
    Ringing,
    /// Called with an offer; the answer went unreliably.
    Previewed,
    /// Called with an offer; the answer went reliably, and its PRACK is awaited.
    Unpracked,
    /// The same, and it has come.
    Early,
    /// Called without; our offer went reliably, and its PRACK with the answer is awaited.
    OfferedEarly,
    /// The same, and it has come.
    EarlyByUs,
    /// Our 2xx has the answer, and its ACK is awaited.
    Answered,
    /// Our 2xx has the offer, and its ACK with the answer is awaited.
    OfferedInAnswer,
    Standing,
    /// The peer's re-INVITE waits for our application; without an offer.
    Reinvited,
    ReinvitedWithout,
    /// The peer's offer in an UPDATE waits for our application.
    Updated,
    /// Our re-INVITE is on its way; without an offer.
    Reinviting,
    ReinvitingWithout,
    /// Our UPDATE is on its way; without an offer.
    Updating,
    Refreshing,
    /// Our BYE is on its way.
    Leaving,
    /// We called with an offer; 180.
    Calling,
    /// The answer came unreliably.
    CallingPreviewed,
    /// The answer came reliably.
    CallingEarly,
    /// We called without; 180.
    CallingWithout,
    /// The offer came reliably, and our application is asked for the answer.
    CallingAsked,
    /// It has given it: our PRACK has the answer.
    CallingAnswered,
    /// The offer came in the 2xx, and our application is asked for the answer.
    Acknowledging,
}

use At::{
    Acknowledging, Answered, Calling, CallingAnswered, CallingAsked, CallingEarly,
    CallingPreviewed, CallingWithout, Early, EarlyByUs, Leaving, OfferedEarly, OfferedInAnswer,
    Previewed, Refreshing, Reinvited, ReinvitedWithout, Reinviting, ReinvitingWithout, Ringing,
    Standing, Unpracked, Updated, Updating,
};

fn scene(at: At) -> Scene {
    let mut s = match at {
        Ringing | Previewed | Unpracked | Early => Scene::called(true),
        OfferedEarly | EarlyByUs | OfferedInAnswer => Scene::called(false),
        Answered => Scene::called(true),
        Calling | CallingPreviewed | CallingEarly => Scene::calling(true),
        CallingWithout | CallingAsked | CallingAnswered | Acknowledging => Scene::calling(false),
        _ => Scene::standing(!matches!(
            at,
            Reinvited | ReinvitedWithout | Updated | ReinvitingWithout
        )),
    };
    match at {
        Ringing => s.ring(180, Extras::default()),
        Previewed => {
            s = Scene::called_plainly();
            s.ring(183, sound());
        }
        Unpracked | OfferedEarly => s.ring(183, sound()),
        Early => {
            s.ring(183, sound());
            s.prack(None);
        }
        EarlyByUs => {
            s.ring(183, sound());
            s.prack(Some(GOOD));
        }
        Answered | OfferedInAnswer => s.answer(sound()),
        Standing => {}
        Reinvited => drop(s.send("INVITE", Some(GOOD), "")),
        ReinvitedWithout => drop(s.send("INVITE", None, "")),
        Updated => drop(s.send("UPDATE", Some(GOOD), "")),
        Reinviting => drop(s.verb(|e, now, call| e.hold(now, call))),
        ReinvitingWithout => {
            let _ = s.verb(|e, now, call| e.reinvite(now, call, Extras::default()));
        }
        Updating => drop(s.verb(|e, now, call| e.update(now, call, sound()))),
        Refreshing => drop(s.verb(|e, now, call| e.update(now, call, Extras::default()))),
        Leaving => drop(s.verb(|e, now, call| e.hangup(now, call))),
        Calling | CallingWithout => s.answers("180 Ringing", "", None),
        CallingPreviewed => s.answers("183 Session Progress", "", Some(GOOD)),
        CallingEarly => {
            s.answers("183 Session Progress", "Require: 100rel\r\nRSeq: 1\r\n", Some(GOOD));
        }
        CallingAsked | CallingAnswered => {
            s.answers("183 Session Progress", "Require: 100rel\r\nRSeq: 1\r\n", Some(GOOD));
            if at == CallingAnswered {
                s.say();
            }
        }
        Acknowledging => s.answers("200 OK", "", Some(GOOD)),
    }
    s
}

/// What a request of the peer's meets: the status, 0 where the application is asked, with `+` where the
/// response has a description.
type Met = &'static str;

/// A state; UPDATE with an offer and without; re-INVITE with an offer and without.
const MEETS: &[(At, [Met; 4], &str)] = &[
    (Ringing, ["500", "200", "500", "500"], "RFC 3311 5.2; RFC 3261 14.2"),
    (Previewed, ["500", "200", "500", "500"], "RFC 6337 3.1.1: not answered reliably"),
    (Unpracked, ["500", "200", "500", "500"], "RFC 3262 5; RFC 6337 4.3"),
    (Early, ["200 +", "200", "500", "500"], "RFC 3311 5.2"),
    (OfferedEarly, ["491", "200", "500", "500"], "RFC 3311 5.2; RFC 3261 14.2"),
    (EarlyByUs, ["200 +", "200", "500", "500"], "RFC 3311 5.2"),
    (Answered, ["200 +", "200", "200 +", "200 +"], "RFC 5407 3.1.4"),
    (OfferedInAnswer, ["491", "200", "491", "491"], "RFC 3311 5.2; RFC 5407 3.1.5"),
    (Standing, ["200 +", "200", "200 +", "200 +"], "RFC 3311 5.2; RFC 3261 14.2"),
    (Reinvited, ["500", "200", "500", "500"], "RFC 3311 5.2; RFC 3261 14.2"),
    (ReinvitedWithout, ["500", "200", "500", "500"], "RFC 6337 4.3; RFC 3261 14.2"),
    (Updated, ["500", "500", "500", "500"], "RFC 3311 5.2; RFC 6337 4.3"),
    (Reinviting, ["491", "200", "491", "491"], "RFC 3311 5.2; RFC 3261 14.2"),
    (ReinvitingWithout, ["491", "200", "491", "491"], "RFC 6337 4.3; RFC 3261 14.2"),
    (Updating, ["491", "200", "491", "491"], "RFC 3311 5.2; RFC 6337 4.3"),
    (Refreshing, ["200 +", "200", "200 +", "200 +"], "RFC 3311 5.2: it has no offer"),
    (Leaving, ["481", "481", "481", "481"], "RFC 5407 3.2.2"),
    (Calling, ["491", "200", "491", "491"], "RFC 3311 5.2; RFC 3261 14.2"),
    (CallingPreviewed, ["491", "200", "491", "491"], "RFC 6337 3.1.1: not answered reliably"),
    (CallingEarly, ["200 +", "200", "491", "491"], "RFC 3311 5.2; RFC 3261 14.2"),
    (CallingWithout, ["491", "200", "491", "491"], "RFC 6337 4.3; RFC 3261 14.2"),
    (CallingAsked, ["500", "200", "491", "491"], "RFC 3311 5.2; RFC 3261 14.2"),
    (CallingAnswered, ["0", "200", "491", "491"], "RFC 3311 5.2; RFC 3261 14.2"),
    (Acknowledging, ["500", "200", "491", "491"], "RFC 3311 5.2; RFC 6337 4.3"),
];

const PROBES: [(&str, Option<&str>); 4] =
    [("UPDATE", Some(GOOD)), ("UPDATE", None), ("INVITE", Some(GOOD)), ("INVITE", None)];

#[test]
fn each_offer_of_the_peers_meets_what_the_state_demands() {
    for (at, met, clause) in MEETS {
        for ((method, sdp), expected) in PROBES.into_iter().zip(met) {
            let mut s = scene(*at);
            let before = s.session();
            let sent = s.send(method, sdp, "");
            let of = format!("{} {method}", s.cseq);
            let response =
                sent.iter().find(|o| o.header("CSeq") == of && o.text.starts_with("SIP"));
            let found = response.map_or("0".to_string(), |o| {
                let described = if o.text.ends_with("\r\n\r\n") { "" } else { " +" };
                format!("{}{described}", o.first_line().split(' ').nth(1).unwrap())
            });
            let what = format!("{at:?} {method} {} ({clause})", sdp.is_some());
            assert_eq!(found, *expected, "{what}: {:?}", labels(&sent));
            // RFC 3261 14.2, RFC 3311 5.2
            let later = response.is_some_and(|o| o.header("Retry-After").parse::<u32>().is_ok());
            assert_eq!(later, found == "500", "{what}");
            if !found.starts_with('2') {
                assert_eq!(s.session(), before, "{what}: what was agreed stands");
            }
            s.end();
        }
    }
}

type Said = Result<(), Error>;

const STATE: Said = Err(Error::Misuse(Misuse::State));
const LATE: Said = Err(Error::Late);
const GOES: Said = Ok(());

/// A state; our UPDATE with an offer and without; our re-INVITE.
const MAY: &[(At, [Said; 3], &str)] = &[
    (Ringing, [STATE, GOES, STATE], "RFC 3311 5.1; RFC 3261 14.1"),
    (Previewed, [STATE, GOES, STATE], "RFC 3311 5.1"),
    (Unpracked, [STATE, GOES, STATE], "RFC 3311 5.1"),
    (Early, [GOES, GOES, STATE], "RFC 3311 5.1"),
    (OfferedEarly, [STATE, GOES, STATE], "RFC 3311 5.1"),
    (EarlyByUs, [GOES, GOES, STATE], "RFC 3311 5.1"),
    (Answered, [GOES, GOES, STATE], "it goes with the ACK; RFC 3261 14.1"),
    (OfferedInAnswer, [STATE, GOES, STATE], "RFC 3311 5.1; RFC 3261 14.1"),
    (Standing, [GOES, GOES, GOES], "RFC 3311 5.1; RFC 3261 14.1"),
    (Reinvited, [STATE, GOES, STATE], "RFC 3311 5.1; RFC 3261 14.1"),
    (ReinvitedWithout, [STATE, GOES, STATE], "RFC 6337 4.3; RFC 3261 14.1"),
    (Updated, [STATE, GOES, STATE], "RFC 3311 5.1; RFC 6337 4.3"),
    (Reinviting, [STATE, GOES, STATE], "RFC 3311 5.1; RFC 3261 14.1"),
    (ReinvitingWithout, [STATE, GOES, STATE], "RFC 6337 4.3; RFC 3261 14.1"),
    (Updating, [STATE, STATE, STATE], "RFC 3311 5.1; RFC 6337 4.3"),
    (Refreshing, [STATE, STATE, GOES], "RFC 3311 5.1: one at a time"),
    (Leaving, [LATE, LATE, LATE], "RFC 3261 15"),
    (Calling, [STATE, GOES, STATE], "RFC 3311 5.1; RFC 3261 14.1"),
    (CallingPreviewed, [STATE, GOES, STATE], "RFC 3311 5.1"),
    (CallingEarly, [GOES, GOES, STATE], "RFC 3311 5.1"),
    (CallingWithout, [STATE, GOES, STATE], "RFC 3311 5.1"),
    (CallingAsked, [STATE, GOES, STATE], "RFC 3311 5.1"),
    (CallingAnswered, [GOES, GOES, STATE], "RFC 3311 5.1"),
    (Acknowledging, [STATE, GOES, STATE], "RFC 3311 5.1; RFC 6337 4.3"),
];

#[test]
fn each_offer_of_ours_is_made_where_the_state_allows_it() {
    assert_eq!(MAY.len(), MEETS.len());
    for (at, may, clause) in MAY {
        for (n, expected) in may.iter().enumerate() {
            let mut s = scene(*at);
            let done = s.verb(|e, now, call| match n {
                0 => e.update(now, call, own(GOOD)),
                1 => e.update(now, call, Extras::default()),
                _ => e.reinvite(now, call, own(GOOD)),
            });
            assert_eq!(done, *expected, "{at:?} {n} ({clause})");
            s.end();
        }
    }
}

/// The carrier of an offer that cannot be accepted; what is sent.
const REFUSED: &[(&str, &[&str], &str)] = &[
    ("INVITE", &["488 1 INVITE"], "RFC 6337 Table 2, 1 and 3; RFC 3261 13.3.1.3"),
    ("2xx", &["ACK", "BYE"], "RFC 6337 Table 2, 2; RFC 3261 13.2.2.4"),
    ("1xx", &["PRACK", "CANCEL"], "RFC 6337 Table 2, 4: there is no way to refuse it"),
    ("PRACK", &["488 2 PRACK"], "RFC 6337 Table 2, 5"),
    ("UPDATE", &["488 2 UPDATE"], "RFC 6337 Table 2, 6; RFC 3311 5.2"),
    ("re-INVITE", &["488 2 INVITE"], "RFC 3261 14.2; RFC 6141 3.4"),
];

#[test]
fn each_offer_that_cannot_be_accepted_is_refused_where_table_2_says() {
    for (carrier, expected, clause) in REFUSED {
        let (mut s, sent) = match *carrier {
            "INVITE" => {
                let mut s = Scene::called_with(BAD);
                let sent = s.verb_sends(|e, now, call| e.answer_call(now, call, sound()));
                (s, sent)
            }
            "2xx" | "1xx" => {
                let mut s = Scene::calling_later();
                let reliable = "Require: 100rel\r\nRSeq: 1\r\n";
                match *carrier {
                    "2xx" => s.answers("200 OK", "", Some(BAD)),
                    _ => s.answers("183 Session Progress", reliable, Some(BAD)),
                }
                let sent = s.say_media();
                (s, sent)
            }
            "PRACK" => {
                let mut s = scene(Unpracked);
                let sent = s.prack_sends(Some(BAD));
                (s, sent)
            }
            _ => {
                let mut s = Scene::standing(true);
                let method = carrier.trim_start_matches("re-");
                let sent = s.send(method, Some(BAD), "");
                (s, sent)
            }
        };
        assert_eq!(labels(&sent), *expected, "{carrier} ({clause})");
        if let Some(refusal) = sent.iter().find(|o| o.first_line().contains(" 488 ")) {
            assert!(refusal.header("Warning").starts_with("30"), "{carrier}: RFC 3261 20.43");
        }
        let ends = s.b.changes().iter().any(|c| matches!(c, CallChange::Ended { .. }));
        assert_eq!(ends, *carrier == "INVITE", "{carrier}");
        s.end();
        if matches!(*carrier, "2xx" | "1xx") {
            let end = s.b.changes().last().copied();
            let why = |c| matches!(c, CallChange::Ended { why: EndReason::BadMedia, .. });
            assert!(end.is_some_and(why), "{carrier}: {end:?}");
        }
    }
}

/// Our offer is refused in its carrier: all is as before (RFC 3261 14.1, RFC 3311 5.3, RFC 6141 3.5).
#[test]
fn an_offer_of_ours_that_is_refused_leaves_the_session_as_it_was() {
    for (at, status) in [(Reinviting, "488 No"), (Reinviting, "491 No"), (Updating, "488 No")]
        .into_iter()
        .chain([(Updating, "491 No"), (Updating, "500 No"), (ReinvitingWithout, "488 No")])
    {
        let mut s = scene(at);
        let before = s.session();
        s.answers_last(status, "", None);
        assert_eq!(s.session(), before, "{at:?} {status}");
        // And another offer may be made, by either side.
        let sent = s.send("UPDATE", Some(GOOD), "");
        let answered = sent.iter().any(|o| o.first_line().starts_with("SIP/2.0 200"));
        assert!(answered || !s.media, "{at:?} {status}: {:?}", labels(&sent));
        s.end();
    }
}
