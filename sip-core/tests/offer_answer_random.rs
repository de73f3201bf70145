//! Offers and answers of all sorts: two sides over a whole session, and what hostile peers send.

#[path = "support/sdp.rs"]
mod sdp;

use proptest::prelude::*;
use sansip::sdp::{
    Agreed, Description, Direction, Hold, MediaSlot, SdpLimits, check_answer, same_session, version,
};
use sdp::{ORIGIN, answered, essence, offered, profile_with, reoffered};
use std::fmt::Write as _;

const POOLS: [(&str, &[&str]); 3] = [
    (
        "audio",
        &["PCMU/8000", "PCMA/8000", "opus/48000/2", "iLBC/8000", "telephone-event/8000?0-15"],
    ),
    ("video", &["VP8/90000", "H264/90000?packetization-mode=1", "H264/90000"]),
    ("text", &["t140/1000"]),
];
const SUITES: [&str; 2] = ["AES_CM_128_HMAC_SHA1_80", "F8_128_HMAC_SHA1_80"];

/// One stream: kind, how many of its codecs from which on, first payload type, transport, key,
/// direction.
type Choice = (usize, usize, usize, u8, usize, usize, usize);

fn streams(choices: &[Choice], port: u16) -> String {
    let one = |(index, choice): (usize, &Choice)| {
        let &(kind, from, count, first, transport, suite, direction) = choice;
        let (kind, pool) = POOLS[kind];
        let codecs: Vec<String> = (0..count.min(pool.len()))
            .map(|i| format!("{}/{}", usize::from(first) + i, pool[(from + i) % pool.len()]))
            .collect();
        let direction = ["sendrecv", "sendonly", "recvonly", "inactive"][direction];
        let key = format!("|1 {} inline:KEY", SUITES[suite]);
        let (transport, key) =
            [("RTP/AVP", ""), ("RTP/AVP", &key[..]), ("RTP/SAVP", &key[..])][transport];
        let port = usize::from(port) + 2 * index;
        format!("{kind} {port} {transport} {direction} {}{key}", codecs.join(","))
    };
    choices.iter().enumerate().map(one).collect::<Vec<_>>().join(" & ")
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    // Mostly what gets along: sound in plain RTP.
    let kind = prop_oneof![3 => Just(0_usize), 1 => 0..3_usize];
    let transport = prop_oneof![4 => Just(0_usize), 1 => 0..3_usize];
    let direction = prop_oneof![4 => Just(0_usize), 1 => 0..4_usize];
    let one = (kind, 0..5_usize, 1..6_usize, 96..100_u8, transport, 0..2_usize, direction);
    prop::collection::vec(one, 1..4)
}

fn hold() -> impl Strategy<Value = Hold> {
    prop_oneof![
        3 => Just(Hold::No),
        1 => Just(Hold::SendOnly),
        1 => Just(Hold::Inactive),
        1 => Just(Hold::Zero),
    ]
}

/// Who offers, the hold of both, new media for who offers, and whether all of it is offered.
type Turn = (bool, Hold, Hold, Option<Vec<Choice>>);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let media = prop_oneof![3 => Just(None), 1 => choices().prop_map(Some)];
    prop::collection::vec((any::<bool>(), hold(), hold(), media), 1..8)
}

fn sound(description: &[u8]) {
    let mut slots = [MediaSlot::default(); 64];
    let d = Description::parse(description, &mut slots, &SdpLimits::default()).unwrap();
    d.defects(|defect| panic!("{defect}"));
}

/// What each payload type stands for in each section.
fn meanings(description: &[u8]) -> Vec<Vec<(u8, Vec<u8>, u32)>> {
    let mut slots = [MediaSlot::default(); 64];
    let d = Description::parse(description, &mut slots, &SdpLimits::default()).unwrap();
    let maps = |m: sansip::sdp::MediaSection<'_>| {
        m.section
            .rtpmaps()
            .map(|r| (r.payload, r.encoding.to_ascii_lowercase(), r.clock_rate))
            .collect()
    };
    d.media().map(maps).collect()
}

fn keeps_meanings(offer: &[u8], before: &[u8]) {
    for (now, then) in meanings(offer).iter().zip(meanings(before)) {
        for (payload, codec, clock) in now {
            let old = then.iter().find(|(p, _, _)| p == payload);
            assert!(old.is_none_or(|o| (&o.1, &o.2) == (codec, clock)), "{payload} changes");
        }
    }
}

// RFC 3264 6.1.
fn may_answer(offered: Direction, answered: Direction) -> bool {
    (offered.sends() || !answered.receives()) && (offered.receives() || !answered.sends())
}

fn good_answer(offer: &[u8], answer: &[u8]) {
    sound(answer);
    assert_eq!(check_answer(offer, answer), Ok(()));
    for (o, a) in essence(offer).iter().zip(essence(answer)) {
        if a.port > 0 {
            assert!(may_answer(o.direction, a.direction));
            let mut left = o.formats.iter();
            assert!(a.formats.iter().all(|f| left.any(|o| o == f)), "order of {:?}", a.formats);
        }
    }
}

fn mirror(a: &[u8], b: &[u8]) {
    let here: Vec<_> = Agreed { local: a, remote: b }.streams().collect();
    let there: Vec<_> = Agreed { local: b, remote: a }.streams().collect();
    assert_eq!(here.len(), there.len());
    for (x, y) in here.iter().zip(&there) {
        assert_eq!((x.refused, x.direction), (y.refused, y.direction.reversed()));
        assert_eq!((x.held_by_us, x.held_by_peer), (y.held_by_peer, y.held_by_us));
        assert_eq!((x.local_crypto, x.is_encrypted()), (y.remote_crypto, y.is_encrypted()));
        let codecs = |s: &sansip::sdp::AgreedStream<'_>, turned: bool| {
            let numbers = |c: sansip::sdp::AgreedCodec<'_>| match turned {
                true => (c.receive_payload, c.send_payload, c.name.to_owned()),
                false => (c.send_payload, c.receive_payload, c.name.to_owned()),
            };
            let mut all: Vec<_> = s.codecs().map(numbers).collect();
            all.sort();
            all
        };
        assert_eq!(codecs(x, false), codecs(y, true));
        assert_eq!(x.refused, x.codecs().next().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn sessions_stay_in_order_whatever_two_sides_do(
        first in choices(), second in choices(), turns in turns(),
    ) {
        let mut profiles =
            [profile_with(&streams(&first, 4000)), profile_with(&streams(&second, 6000))];
        let mut agreed: Option<[Vec<u8>; 2]> = None;
        for (number, (turned, our_hold, their_hold, media)) in turns.into_iter().enumerate() {
            let (us, them) = if turned { (1, 0) } else { (0, 1) };
            if let Some(media) = &media {
                profiles[us] = profile_with(&streams(media, 8000 + 100 * number as u16));
            }
            let before = agreed.as_ref().map(|a| (&a[us][..], &a[them][..]));
            let offer = match (before, &media) {
                (Some(before), None) => reoffered(&profiles[us], before, our_hold),
                _ => offered(&profiles[us], before, our_hold),
            };
            sound(&offer);
            if let Some((local, remote)) = before {
                prop_assert!(essence(&offer).len() >= essence(local).len());
                keeps_meanings(&offer, local);
                keeps_meanings(&offer, remote);
            }
            let theirs = before.map(|(l, r)| (r, l));
            match answered(&profiles[them], &offer, theirs, their_hold) {
                Ok(answer) => {
                    good_answer(&offer, &answer);
                    mirror(&offer, &answer);
                    let again = reoffered(&profiles[us], (&offer, &answer), our_hold);
                    let flow = |local| sdp::flows(local, &answer).iter().map(|f| f.0).collect::<Vec<_>>();
                    prop_assert_eq!(flow(&again), flow(&offer));
                    agreed = Some(if turned { [answer, offer] } else { [offer, answer] });
                }
                Err(refusal) => prop_assert_eq!(refusal.status, 488),
            }
        }
    }

    #[test]
    fn damaged_offers_are_answered_well_or_refused(
        ours in choices(), theirs in choices(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..12),
    ) {
        let profile = profile_with(&streams(&ours, 4000));
        let good = offered(&profile_with(&streams(&theirs, 6000)), None, Hold::No);
        let mut bad = good.clone();
        for (at, what, byte) in cuts {
            let at = at.index(bad.len());
            match what {
                0 => bad[at] = byte,
                1 => bad.insert(at, b" \r\n:=/019ma"[usize::from(byte) % 11]),
                2 => drop(bad.remove(at)),
                _ => bad.extend_from_slice(&good[at.min(good.len())..]),
            }
            bad.truncate(6000);
            if bad.is_empty() {
                bad.push(b'v');
            }
        }
        let before: sdp::Previous<'_> = Some((&bad, &good));
        let all = [(None, Hold::No), (before, Hold::Zero)];
        for (previous, hold) in all {
            match answered(&profile, &bad, previous, hold) {
                Ok(answer) => prop_assert_eq!(check_answer(&bad, &answer), Ok(())),
                Err(refusal) => prop_assert!(matches!(refusal.status, 400 | 488)),
            }
        }
        let mut out = [0; 9000];
        for (l, r) in [(&bad, &good), (&good, &bad), (&bad, &bad)] {
            let _ = sansip::sdp::offer(&profile, Some((l, r)), ORIGIN, Hold::SendOnly, &mut out);
            let _ = sansip::sdp::offer(l, None, ORIGIN, Hold::No, &mut out);
            let _ = answered(l, r, None, Hold::No);
            let _ = check_answer(l, r);
            let _ = (same_session(l, r), version(l));
            for stream in (Agreed { local: l, remote: r }).streams() {
                prop_assert!(stream.codecs().count() <= 128);
            }
        }
    }

    #[test]
    fn answers_to_any_lines_that_are_a_description_pass(
        lines in prop::collection::vec("[mcabtos]=(audio|IN IP[46]|rtpmap:|crypto:1 |sendonly|[ -~]{0,6})( 0| 4000| h| 0\\.0\\.0\\.0)?( RTP/S?AVP)?( [0-9]{1,3}){0,3}(/[a-zA-Z]{1,4}/8000)?", 0..12),
    ) {
        let text = "v=0\r\n".to_owned() + &lines.join("\r\n") + "\r\n";
        let profile = profile_with("audio 4000 RTP/AVP sendrecv 0/PCMU/8000,8/PCMA/8000,101/telephone-event/8000");
        if let Ok(answer) = answered(&profile, text.as_bytes(), None, Hold::No) {
            prop_assert_eq!(check_answer(text.as_bytes(), &answer), Ok(()), "{}", text);
        }
    }
}

fn refusal(offer: &str) -> Option<u16> {
    let profile = profile_with("audio 4000 RTP/AVP sendrecv 0/PCMU/8000,101/telephone-event/8000");
    answered(&profile, offer.as_bytes(), None, Hold::No).err().map(|r| r.status)
}

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

#[test]
fn more_than_the_limits_is_refused_at_once() {
    let of = |line: &str, count: usize| HEAD.to_owned() + &line.repeat(count);
    assert_eq!(refusal(&of("m=audio 6000 RTP/AVP 0\r\n", 64)), None);
    assert_eq!(refusal(&of("m=audio 6000 RTP/AVP 0\r\n", 65)), Some(400));
    assert_eq!(refusal(&of("m=audio 6000 RTP/AVP 0\r\n", 10_000)), Some(400));
    assert_eq!(refusal(&of("a=rtpmap:0 PCMU/8000\r\n", 10_000)), Some(400));
    let answer = of("m=audio 6000 RTP/AVP 0\r\n", 10_000);
    assert!(check_answer(HEAD.as_bytes(), answer.as_bytes()).is_err());
    let deep = of("m=audio 6000 RTP/AVP", 1) + &" 0".repeat(30_000) + "\r\n";
    assert_eq!(refusal(&deep), None);
    let unknown = of("m=audio 6000 RTP/AVP", 1) + &" 99".repeat(20_000) + "\r\n";
    assert_eq!(refusal(&unknown), Some(488));
}

/// The dearest offers we know of 64 KiB: what each byte makes us do stays bounded.
#[test]
fn dear_offers_cost_little() {
    let mut all = vec![];
    let mut formats = String::from("m=audio 6000 RTP/AVP");
    (0..128).for_each(|p| write!(formats, " {p}").unwrap());
    formats += "\r\n";
    for payload in (96..128).cycle().take(6) {
        write!(formats, "a=rtpmap:{payload} x/8000\r\n").unwrap();
    }
    all.push(HEAD.to_owned() + &formats.repeat(60));
    let attributes = "a=sendrec\r\n".repeat(440);
    all.push(
        HEAD.replace("c=IN IP4 192.0.2.1\r\n", "")
            + &attributes
            + "c=IN IP4 h\r\n"
            + &"m=audio 6 RTP/AVP 9\r\n".repeat(60),
    );
    let keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:K UNENCRYPTED_SRTP\r\n".repeat(6);
    all.push(HEAD.to_owned() + &("m=audio 6 RTP/SAVP 9\r\n".to_owned() + &keys).repeat(64));
    let profile = profile_with(
        "audio 4000 RTP/AVP sendrecv 96/opus/48000/2,0/PCMU/8000,8/PCMA/8000,9/G722/8000,18/G729/8000,101/telephone-event/8000|1 AES_CM_128_HMAC_SHA1_80 inline:KEY & video 4002 RTP/AVP sendrecv 97/VP8/90000",
    );
    for offer in all {
        let started = std::time::Instant::now();
        let rounds: u32 = 10;
        for _ in 0..rounds {
            let _ = answered(&profile, offer.as_bytes(), None, Hold::No);
        }
        let each = started.elapsed() / rounds;
        println!("{} bytes: {each:?}", offer.len());
        assert!(each.as_millis() < 100, "{each:?}");
    }
}
