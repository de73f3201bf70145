//! Offers and answers: the examples of RFC 3264 and RFC 4317, then each rule alone.

#[path = "support/sdp.rs"]
mod sdp;
#[path = "support/vectors.rs"]
mod vectors;

use sansip::sdp::{
    Agreed, Description, Direction, Hold, MediaSlot, SdpLimits, capabilities, check_answer,
};
use sdp::{
    ORIGIN, answered, essence, flows, made_of, offered, profile_of, profile_with, reoffered,
};

struct Step {
    title: String,
    direction: String,
    first: String,
    second: String,
    active: Option<String>,
}

/// The exchanges of the vectors. The file is flat enough to be read by its quotes.
fn exchanges() -> Vec<Vec<Step>> {
    let Some(folder) = vectors::folder("sdp") else { return vec![] };
    let text = std::fs::read_to_string(folder.join("rfc4317_rfc3264_exchanges.json")).unwrap();
    let mut quoted = text.split('"');
    let mut found: Vec<Vec<Step>> = vec![];
    let mut title = String::new();
    let value = |quoted: &mut std::str::Split<'_, char>| {
        let between = quoted.next().unwrap();
        if between.contains("null") {
            return None;
        }
        Some(quoted.next().unwrap().replace("\\r", "\r").replace("\\n", "\n"))
    };
    while let Some(word) = quoted.next() {
        match word {
            "title" => {
                title = value(&mut quoted).unwrap();
                found.push(vec![]);
            }
            "direction" => {
                let direction = value(&mut quoted).unwrap();
                let mut field = |name: &str| {
                    assert!(quoted.any(|w| w == name));
                    value(&mut quoted)
                };
                found.last_mut().unwrap().push(Step {
                    title: title.clone(),
                    direction,
                    first: field("sdp1").unwrap(),
                    second: field("sdp2").unwrap(),
                    active: field("expected_active"),
                });
            }
            _ => {}
        }
    }
    found
}

#[test]
fn answers_of_the_examples_come_out_of_the_answerers_media() {
    let mut answers = 0;
    for steps in exchanges() {
        let mut previous: Option<(Vec<u8>, Vec<u8>)> = None;
        for step in steps {
            let (offer, answerer) = (step.first.as_bytes(), profile_of(&step.second));
            let before = previous.as_ref().map(|(l, r)| (&l[..], &r[..]));
            let before = before.filter(|_| step.direction == "REMOTE_OFFER");
            let answer = answered(&answerer, offer, before, Hold::No).unwrap();
            // Section 10.2 answers all codecs in common; its "active" column keeps one of them.
            let narrowed = step.title.contains("10.2") || step.title.contains("2.2");
            let expected = match step.active.filter(|_| step.direction == "REMOTE_OFFER") {
                Some(active) if !narrowed => active,
                _ => step.second,
            };
            assert_eq!(essence(&answer), essence(expected.as_bytes()), "{}", step.title);
            assert_eq!(check_answer(offer, &answer), Ok(()), "{}", step.title);
            previous = Some((answer, offer.to_vec()));
            answers += 1;
        }
    }
    println!("{answers} answers");
}

#[test]
fn offers_of_the_examples_come_out_of_the_offerers_media() {
    let mut offers = 0;
    for steps in exchanges() {
        let mut previous: Option<(String, String)> = None;
        for step in steps {
            if step.direction == "LOCAL_OFFER" {
                let before = previous.as_ref().map(|(l, r)| (l.as_bytes(), r.as_bytes()));
                let made = offered(&profile_of(&step.first), before, Hold::No);
                assert_eq!(essence(&made), essence(step.first.as_bytes()), "{}", step.title);
                offers += 1;
                previous = Some((step.first, step.second));
            } else {
                previous = Some((step.active.unwrap_or(step.second), step.first));
            }
        }
    }
    println!("{offers} offers");
}

#[test]
fn the_exchanges_of_rfc_3264_section_10_run_from_first_offer_to_last_answer() {
    let Some(folder) = vectors::folder("sdp") else { return };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    for exchange in
        [["10.1_02", "10.1_03", "10.1_04", "10.1_05"], ["10.2_06", "10.2_07", "10.2_08", "10.2_09"]]
    {
        let [offer, answer, again, last] = exchange.map(|n| read(&format!("rfc3264_{n}.sdp")));
        let first = offered(&profile_of(&offer), None, Hold::No);
        assert_eq!(essence(&first), essence(offer.as_bytes()));
        let second = answered(&profile_of(&answer), &first, None, Hold::No).unwrap();
        assert_eq!(essence(&second), essence(answer.as_bytes()));
        let bob_asks = exchange[0] == "10.1_02";
        let (asker, other) = if bob_asks { (&second, &first) } else { (&first, &second) };
        let third = offered(&profile_of(&again), Some((asker, other)), Hold::No);
        assert_eq!(essence(&third), essence(again.as_bytes()));
        let before = if bob_asks { (&first[..], &second[..]) } else { (&second[..], &first[..]) };
        let fourth = answered(&profile_of(&last), &third, Some(before), Hold::No).unwrap();
        assert_eq!(essence(&fourth), essence(last.as_bytes()));
        assert_eq!(check_answer(&third, &fourth), Ok(()));
    }
}

#[test]
fn capabilities_have_no_port_and_are_no_offer_of_a_stream() {
    let Some(folder) = vectors::folder("sdp") else { return };
    let text = std::fs::read_to_string(folder.join("rfc3264_9_01.sdp")).unwrap();
    let profile = profile_of(&text.replace(" 0 RTP", " 4000 RTP"));
    let mut out = [0; 1024];
    let len = capabilities(&profile, ORIGIN, &mut out).unwrap();
    let formats = |d: &[u8]| -> Vec<Vec<u8>> {
        let mut slots = [MediaSlot::default(); 4];
        let d = Description::parse(d, &mut slots, &SdpLimits::default()).unwrap();
        d.media().map(|m| m.section.value(b'm').unwrap().to_vec()).collect()
    };
    assert_eq!(formats(&out[..len]), formats(text.as_bytes()));
    let answer = answered(&profile, text.as_bytes(), None, Hold::No).unwrap();
    assert!(essence(&answer).iter().all(|s| s.port == 0));
}

const PHONE: &str =
    "audio 4000 RTP/AVP sendrecv 0/PCMU/8000,8/PCMA/8000,101/telephone-event/8000?0-15";

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn lines<'a>(description: &'a [u8], start: &str) -> Vec<&'a str> {
    text(description).lines().filter(|l| l.starts_with(start)).collect()
}

fn refused(profile: &[u8], offer: &[u8]) -> (u16, u16) {
    let refusal = answered(profile, offer, None, Hold::No).unwrap_err();
    (refusal.status, refusal.warning)
}

#[test]
fn formats_keep_the_offers_order_and_payload_types() {
    let offer = made_of(
        "audio 6000 RTP/AVP sendrecv 96/telephone-event/8000?0-11,9/G722/8000,8/PCMA/8000,110/pcmu/8000",
    );
    let answer = answered(&profile_with(PHONE), &offer, None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 4000 RTP/AVP 96 8 110"]);
    assert_eq!(lines(&answer, "a=rtpmap:96"), ["a=rtpmap:96 telephone-event/8000"]);
    assert_eq!(lines(&answer, "a=fmtp"), ["a=fmtp:96 0-15"]);
    assert_eq!(lines(&answer, "a=rtpmap:110"), ["a=rtpmap:110 PCMU/8000"]);
}

#[test]
fn static_payload_types_need_no_rtpmap_and_dynamic_ones_do() {
    let bare = |formats: &str| {
        format!("v=0\r\nc=IN IP4 h\r\nm=audio 6000 RTP/AVP {formats}\r\n").into_bytes()
    };
    let phone = profile_with(PHONE);
    let answer = answered(&phone, &bare("18 8 101 0"), None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 4000 RTP/AVP 8 0"]);
    assert_eq!(refused(&phone, &bare("101")), (488, 305));
    assert_eq!(refused(&phone, &bare("999 x 128 -1")), (488, 305));
}

#[test]
fn tones_alone_are_a_stream_only_where_nothing_else_is_asked_for() {
    let phone = profile_with(PHONE);
    let with = |codecs: &str| made_of(&format!("audio 6000 RTP/AVP sendrecv {codecs}"));
    let other = "96/opus/48000/2,101/telephone-event/8000";
    assert_eq!(refused(&phone, &with(other)), (488, 305));
    let tones = with("98/telephone-event/8000");
    let answer = answered(&phone, &tones, None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 4000 RTP/AVP 98"]);
    // A stream of tones does not take the place of one with a codec.
    let both = made_of(
        "audio 6000 RTP/AVP sendonly 98/telephone-event/8000 & audio 6002 RTP/AVP sendrecv 0/PCMU/8000",
    );
    let answer = answered(&phone, &both, None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 0 RTP/AVP 98", "m=audio 4000 RTP/AVP 0"]);
}

#[test]
fn a_configuration_is_part_of_the_format() {
    let ours =
        "video 4002 RTP/AVP sendrecv 97/H264/90000?profile-level-id=42e01f;packetization-mode=1";
    let offer = made_of(
        "video 6 RTP/AVP sendrecv 96/H264/90000,98/H264/90000?packetization-mode=1 & audio 8 RTP/AVP sendrecv 0/PCMU/8000",
    );
    let answer = answered(&profile_with(ours), &offer, None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "m=video"), ["m=video 4002 RTP/AVP 98"]);
}

#[test]
fn parameters_that_name_payload_types_follow_the_offers() {
    let ours = "text 4004 RTP/AVP sendrecv 100/t140/1000,101/red/1000?100/100/100";
    let offer = made_of("text 6 RTP/AVP sendrecv 99/red/1000?98/98,98/t140/1000");
    let answer = answered(&profile_with(ours), &offer, None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=text 4004 RTP/AVP 99 98"]);
    assert_eq!(lines(&answer, "a=fmtp"), ["a=fmtp:99 98/98/98"]);
    // Redundancy of what is not there is left out.
    let video = "video 4006 RTP/AVP sendrecv 97/VP8/90000,98/rtx/90000?apt=97;rtx-time=3";
    let offer = made_of("video 6 RTP/AVP sendrecv 31/H261/90000,96/rtx/90000?apt=31");
    assert_eq!(refused(&profile_with(video), &offer), (488, 305));
    let offer = made_of("video 6 RTP/AVP sendrecv 120/VP8/90000,121/rtx/90000?apt=120");
    let answer = answered(&profile_with(video), &offer, None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "a=fmtp"), ["a=fmtp:121 apt=120;rtx-time=3"]);
    // Left out even where the rest of the stream fits ...
    let two = "video 4006 RTP/AVP sendrecv 97/VP8/90000,31/H261/90000,98/rtx/90000?apt=31";
    let answer = answered(&profile_with(two), &offer, None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=video 4006 RTP/AVP 120"]);
    // ... and where nothing else is left of it.
    let tones =
        profile_with("audio 4000 RTP/AVP sendrecv 98/telephone-event/8000,99/red/8000?98/98");
    let offer = made_of("audio 6 RTP/AVP sendrecv 0/PCMU/8000,97/red/8000?0/0");
    assert_eq!(refused(&tones, &offer), (488, 305));
}

#[test]
fn streams_that_nothing_fits_get_port_0_and_keep_their_place() {
    let offer = made_of(
        "video 6 RTP/AVP sendrecv 31/H261/90000,34/H263/90000 & audio 8 RTP/AVP sendrecv 0/PCMU/8000 & audio 10 RTP/AVP sendrecv 0/PCMU/8000",
    );
    let answer = answered(&profile_with(PHONE), &offer, None, Hold::No).unwrap();
    assert_eq!(
        lines(&answer, "m="),
        ["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 0", "m=audio 0 RTP/AVP 0"]
    );
}

#[test]
fn the_warning_tells_the_nearest_miss() {
    let phone = profile_with(PHONE);
    let media = |c: &str, m: &str| format!("v=0\r\nc={c}\r\nm={m}\r\n").into_bytes();
    let good = "audio 6 RTP/AVP 0";
    assert_eq!(refused(&phone, &media("ATM NSAP x", good)), (488, 300));
    assert_eq!(refused(&phone, &media("IN IP6 2001:db8::1", good)), (488, 301));
    assert_eq!(refused(&phone, &media("IN IP4 h", "audio 6 RTP/SAVP 0")), (488, 302));
    assert_eq!(refused(&phone, &media("IN IP4 h", "video 6 RTP/AVP 31")), (488, 304));
    assert_eq!(refused(&phone, &media("IN IP4 h", "audio 6 RTP/AVP 18")), (488, 305));
    assert_eq!(refused(&phone, &media("IN IP4 224.2.1.1/127", good)), (488, 330));
    let two = "video 6 RTP/AVP 31\r\nm=audio 6 RTP/AVP 18";
    assert_eq!(refused(&phone, &media("IN IP4 h", two)), (488, 305));
    for c in ["IN IP4 h.invalid", "IN IP4 0.0.0.0", "IN IP6 ::"] {
        assert!(answered(&phone, &media(c, good), None, Hold::No).is_ok(), "{c}");
    }
}

#[test]
fn an_offer_that_cannot_be_read_is_malformed_and_one_without_media_is_not() {
    let phone = profile_with(PHONE);
    for bad in ["", "x", "v=1\r\n", "v=0\r\nm=audio\r\n", "v=0\r\nm=audio 99999 RTP/AVP 0\r\n"] {
        assert_eq!(refused(&phone, bad.as_bytes()), (400, 399), "{bad}");
    }
    assert_eq!(refused(&phone, b"v=0\r\nm=audio 6 RTP/AVP 0\r\n"), (400, 399));
    let answer = answered(&phone, b"v=0\r\nt=5 9\r\n", None, Hold::No).unwrap();
    assert_eq!((lines(&answer, "m=").len(), lines(&answer, "t=")), (0, vec!["t=5 9"]));
    assert_eq!(
        answered(&phone, b"v=0\r\nm=audio 0 RTP/AVP 0\r\n", None, Hold::No).map(|_| ()),
        Ok(())
    );
}

const DIRECTIONS: [Direction; 4] =
    [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

fn stream(direction: Direction, port: u16) -> String {
    format!("audio {port} RTP/AVP {} 0/PCMU/8000", direction.name())
}

/// Answers to sendrecv, sendonly, recvonly, inactive, for what we want (in that order) under each
/// hold: b both, s sendonly, r recvonly, n inactive.
const ANSWERS: [(Hold, [&str; 4]); 4] = [
    (Hold::No, ["brsn", "snsn", "rrnn", "nnnn"]),
    (Hold::SendOnly, ["snsn", "snsn", "nnnn", "nnnn"]),
    (Hold::Zero, ["snsn", "snsn", "nnnn", "nnnn"]),
    (Hold::Inactive, ["nnnn", "nnnn", "nnnn", "nnnn"]),
];

fn letter(direction: Direction) -> char {
    match direction {
        Direction::SendRecv => 'b',
        Direction::SendOnly => 's',
        Direction::RecvOnly => 'r',
        Direction::Inactive => 'n',
    }
}

#[test]
fn directions_of_answers_are_those_of_the_table() {
    for (hold, rows) in ANSWERS {
        for (ours, row) in DIRECTIONS.into_iter().zip(rows) {
            let profile = profile_with(&stream(ours, 4000));
            for (theirs, expected) in DIRECTIONS.into_iter().zip(row.chars()) {
                let offer = made_of(&stream(theirs, 6000));
                let answer = answered(&profile, &offer, None, hold).unwrap();
                let given = letter(essence(&answer)[0].direction);
                assert_eq!(given, expected, "{theirs:?} to {ours:?} under {hold:?}");
                let zero = lines(&answer, "c=") == ["c=IN IP4 0.0.0.0"];
                assert_eq!(zero, hold == Hold::Zero);
                // Both sides read the same flow out of it.
                let (here, there) = (flows(&answer, &offer)[0].0, flows(&offer, &answer)[0].0);
                assert_eq!(here.reversed(), there, "{theirs:?} to {ours:?} under {hold:?}");
            }
        }
    }
}

#[test]
fn directions_of_offers_follow_our_wish_and_both_holds() {
    // Wishes in the order of DIRECTIONS; the other side holds us or does not.
    let table = [
        (Hold::No, "bsrn", "bsrn"),
        (Hold::SendOnly, "ssnn", "nnnn"),
        (Hold::Zero, "ssnn", "nnnn"),
        (Hold::Inactive, "nnnn", "nnnn"),
    ];
    for (hold, free, held) in table {
        for (at, ours) in DIRECTIONS.into_iter().enumerate() {
            let profile = profile_with(&stream(ours, 4000));
            let local = made_of(&stream(ours, 4000));
            let zero =
                text(&made_of(&stream(Direction::SendRecv, 6000))).replace("192.0.2.1", "0.0.0.0");
            let remotes = [
                (made_of(&stream(Direction::SendRecv, 6000)), free),
                (made_of(&stream(Direction::RecvOnly, 6000)), free),
                (made_of(&stream(Direction::SendOnly, 6000)), held),
                (made_of(&stream(Direction::Inactive, 6000)), held),
                (zero.into_bytes(), held),
            ];
            for (remote, row) in remotes {
                let made = reoffered(&profile, (&local, &remote), hold);
                let expected = row.chars().nth(at).unwrap();
                assert_eq!(
                    letter(essence(&made)[0].direction),
                    expected,
                    "{ours:?} {hold:?} {}",
                    text(&remote)
                );
            }
        }
    }
}

#[test]
fn hold_resume_and_both_holding_at_once() {
    let (a, b) = (profile_with(PHONE), profile_with(&PHONE.replace("4000", "6000")));
    let exchange = |from: &[u8], to: &[u8], before: (&[u8], &[u8]), holds: (Hold, Hold)| {
        let offer = reoffered(from, before, holds.0);
        let answer = answered(to, &offer, Some((before.1, before.0)), holds.1).unwrap();
        (offer, answer)
    };
    let offer = offered(&a, None, Hold::No);
    let answer = answered(&b, &offer, None, Hold::No).unwrap();
    assert_eq!(flows(&offer, &answer), [(Direction::SendRecv, false, false)]);
    let (a1, b1) = exchange(&a, &b, (&offer, &answer), (Hold::SendOnly, Hold::No));
    assert_eq!(flows(&a1, &b1), [(Direction::SendOnly, false, true)]);
    assert_eq!(flows(&b1, &a1), [(Direction::RecvOnly, true, false)]);
    let (b2, a2) = exchange(&b, &a, (&b1, &a1), (Hold::SendOnly, Hold::SendOnly));
    assert_eq!(flows(&a2, &b2), [(Direction::Inactive, true, true)]);
    // A resumes; B still holds.
    let (a3, b3) = exchange(&a, &b, (&a2, &b2), (Hold::No, Hold::SendOnly));
    assert_eq!(flows(&b3, &a3), [(Direction::SendOnly, false, true)]);
    let (b4, a4) = exchange(&b, &a, (&b3, &a3), (Hold::No, Hold::No));
    assert_eq!(flows(&a4, &b4), [(Direction::SendRecv, false, false)]);
    let (a5, b5) = exchange(&a, &b, (&a4, &b4), (Hold::Zero, Hold::No));
    assert_eq!(flows(&b5, &a5), [(Direction::RecvOnly, true, false)]);
    assert!(Agreed { local: &b5, remote: &a5 }.streams().all(|s| s.remote.is_none()));
}
