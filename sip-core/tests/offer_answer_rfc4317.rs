//! What happens in the examples of RFC 4317, in media of our own.

#[path = "support/sdp.rs"]
mod sdp;

use sansip::sdp::{Agreed, Direction, Hold, check_answer, same_session};
use sdp::{answered, flows, made_of, offered, profile_with, reoffered};

const PCMU: &str = "0/PCMU/8000";
const SOUNDS: &str = "0/PCMU/8000,8/PCMA/8000,97/iLBC/8000";
const ILBC: &str = "97/iLBC/8000";
const TONES: &str = "98/telephone-event/8000";
const BOTH: [Direction; 1] = [Direction::SendRecv];

fn sound(port: u16, codecs: &str) -> String {
    format!("audio {port} RTP/AVP sendrecv {codecs}")
}

fn pictures(port: u16, codecs: &str) -> String {
    format!("video {port} RTP/AVP sendrecv {codecs}")
}

const H261: &str = "31/H261/90000";
const MPV: &str = "32/MPV/90000";

fn two(first: &str, second: &str) -> Vec<u8> {
    profile_with(&format!("{first} & {second}"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn media(description: &[u8]) -> Vec<&str> {
    text(description).lines().filter_map(|l| l.strip_prefix("m=")).collect()
}

fn directions(local: &[u8], remote: &[u8]) -> Vec<Direction> {
    flows(local, remote).iter().map(|f| f.0).collect()
}

/// A first exchange without holds: the offer and its answer.
fn exchange(offerer: &[u8], answerer: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let offer = offered(offerer, None, Hold::No);
    let answer = answered(answerer, &offer, None, Hold::No).unwrap();
    assert_eq!(check_answer(&offer, &answer), Ok(()));
    (offer, answer)
}

// 2.1, 2.2
#[test]
fn codecs_are_chosen_and_then_narrowed() {
    let alice = two(&sound(4000, SOUNDS), &pictures(4002, &format!("{H261},{MPV}")));
    let (_, answer) = exchange(&alice, &two(&sound(6000, PCMU), &pictures(6002, MPV)));
    assert_eq!(media(&answer), ["audio 6000 RTP/AVP 0", "video 6002 RTP/AVP 32"]);
    let bob = profile_with(&sound(6000, "0/PCMU/8000,8/PCMA/8000"));
    let (offer, answer) = exchange(&alice, &bob);
    assert_eq!(media(&answer), ["audio 6000 RTP/AVP 0 8", "video 0 RTP/AVP 31"]);
    let narrow = profile_with(&sound(4004, PCMU));
    let second = offered(&narrow, Some((&offer, &answer)), Hold::No);
    assert_eq!(media(&second), ["audio 4004 RTP/AVP 0", "video 0 RTP/AVP 31"]);
    let last = answered(&bob, &second, Some((&answer, &offer)), Hold::No).unwrap();
    assert_eq!(media(&last), ["audio 6000 RTP/AVP 0", "video 0 RTP/AVP 31"]);
}

// 2.3
#[test]
fn an_answer_may_number_a_codec_in_its_own_way() {
    let offer = offered(&profile_with(&sound(4000, SOUNDS)), None, Hold::No);
    let answer = made_of(&sound(6000, "99/iLBC/8000"));
    assert_eq!(check_answer(&offer, &answer), Ok(()));
    let stream = Agreed { local: &offer, remote: &answer }.streams().next().unwrap();
    let codecs: Vec<_> = stream.codecs().map(|c| (c.send_payload, c.receive_payload)).collect();
    assert_eq!(codecs, [(99, 97)]);
}

// 2.4, 2.6
#[test]
fn tones_have_a_stream_of_their_own_or_one_of_two_streams_is_declined() {
    let tones = format!("audio 4002 RTP/AVP sendonly {TONES}");
    let alice = two(&sound(4000, "0/PCMU/8000,97/iLBC/8000"), &tones);
    let bob = two(&sound(6000, ILBC), &sound(6002, TONES));
    let (offer, answer) = exchange(&alice, &bob);
    assert_eq!(media(&answer), ["audio 6000 RTP/AVP 97", "audio 6002 RTP/AVP 98"]);
    assert_eq!(directions(&answer, &offer), [Direction::SendRecv, Direction::RecvOnly]);
    let alice = two(&sound(4000, PCMU), &sound(4002, "97/iLBC/8000,101/telephone-event/8000"));
    let bob = profile_with(&sound(6000, "97/iLBC/8000,101/telephone-event/8000"));
    let (_, answer) = exchange(&alice, &bob);
    assert_eq!(media(&answer), ["audio 0 RTP/AVP 0", "audio 6000 RTP/AVP 97 101"]);
}

// 2.5
#[test]
fn a_new_address_of_the_other_side_changes_nothing_of_ours() {
    let alice = two(&sound(4000, ILBC), &pictures(4002, H261));
    let (offer, answer) = exchange(&alice, &two(&sound(6000, ILBC), &pictures(6002, H261)));
    let moved = two(&sound(6010, ILBC), &pictures(6012, H261));
    let second = offered(&moved, Some((&answer, &offer)), Hold::No);
    let second = text(&second).replace("192.0.2.1", "192.0.2.77").into_bytes();
    let last = answered(&alice, &second, Some((&offer, &answer)), Hold::No).unwrap();
    assert!(same_session(&last, &offer));
    let remote = Agreed { local: &last, remote: &second }.streams().next().unwrap().remote;
    assert_eq!(remote, Some(("192.0.2.77".parse().unwrap(), 6010)));
}

// 2.7
#[test]
fn a_codec_is_added_to_a_stream() {
    let bob = two(&sound(6000, ILBC), &pictures(6002, &format!("{H261},{MPV}")));
    let (offer, answer) = exchange(&two(&sound(4000, ILBC), &pictures(4002, H261)), &bob);
    assert_eq!(media(&answer)[1], "video 6002 RTP/AVP 31");
    let more = two(&sound(4000, ILBC), &pictures(4002, &format!("{H261},{MPV}")));
    let second = offered(&more, Some((&offer, &answer)), Hold::No);
    let last = answered(&bob, &second, Some((&answer, &offer)), Hold::No).unwrap();
    assert_eq!(media(&last), ["audio 6000 RTP/AVP 97", "video 6002 RTP/AVP 31 32"]);
}

// 2.8
#[test]
fn pictures_go_elsewhere_than_sound() {
    let alice = two(&sound(4000, SOUNDS), &pictures(4002, MPV));
    let offer = offered(&alice, None, Hold::No);
    let answer = text(&made_of(&format!("{} & {}", sound(6000, PCMU), pictures(6002, MPV))))
        .replace("RTP/AVP 32\r\n", "RTP/AVP 32\r\nc=IN IP4 mixer.example.org\r\n");
    assert_eq!(check_answer(&offer, answer.as_bytes()), Ok(()));
    let streams = Agreed { local: &offer, remote: answer.as_bytes() }.streams();
    let hosts: Vec<_> = streams.map(|s| s.remote_host).collect();
    assert_eq!(hosts, ["192.0.2.1", "mixer.example.org"]);
}

// 3.1
#[test]
fn an_answer_holds_and_the_next_offer_resumes() {
    let (alice, bob) = (profile_with(&sound(4000, SOUNDS)), profile_with(&sound(6000, ILBC)));
    let offer = offered(&alice, None, Hold::No);
    let answer = answered(&bob, &offer, None, Hold::SendOnly).unwrap();
    assert_eq!(directions(&answer, &offer), [Direction::SendOnly]);
    let second = reoffered(&bob, (&answer, &offer), Hold::No);
    let moved = profile_with(&sound(4010, ILBC));
    let last = answered(&moved, &second, Some((&offer, &answer)), Hold::No).unwrap();
    assert_eq!(media(&last), ["audio 4010 RTP/AVP 97"]);
    assert_eq!(directions(&last, &second), BOTH);
}

// 3.2; its second answer does not mirror the hold, against RFC 3264 6.1: ours does.
#[test]
fn one_of_two_streams_is_held() {
    let tones = |port: u16, way: &str| format!("audio {port} RTP/AVP {way} {TONES}");
    let alice = two(&sound(4000, "0/PCMU/8000,97/iLBC/8000"), &tones(4002, "sendonly"));
    let (offer, answer) = exchange(&alice, &two(&sound(6000, ILBC), &tones(6002, "recvonly")));
    let held = two(&sound(6000, ILBC).replace("sendrecv", "sendonly"), &tones(6002, "recvonly"));
    let second = offered(&held, Some((&answer, &offer)), Hold::No);
    let last = answered(&alice, &second, Some((&offer, &answer)), Hold::No).unwrap();
    assert_eq!(directions(&last, &second), [Direction::RecvOnly, Direction::SendOnly]);
    // The other side's unmirrored answer is read as what it can be.
    let unmirrored = text(&last).replace("a=recvonly", "a=sendrecv");
    assert_eq!(check_answer(&second, unmirrored.as_bytes()), Ok(()));
    let ours = directions(&second, unmirrored.as_bytes());
    assert_eq!(ours, [Direction::SendOnly, Direction::RecvOnly]);
}

// 4.1, 4.2
#[test]
fn streams_are_added() {
    let alice = profile_with(&sound(4000, "0/PCMU/8000,97/iLBC/8000"));
    let (offer, answer) = exchange(&alice, &profile_with(&sound(6000, ILBC)));
    let events = format!("audio 6002 RTP/AVP recvonly {TONES}");
    let second = offered(&two(&sound(6000, ILBC), &events), Some((&answer, &offer)), Hold::No);
    assert_eq!(media(&second), ["audio 6000 RTP/AVP 97", "audio 6002 RTP/AVP 98"]);
    let with_tones = two(&sound(4000, ILBC), &sound(4002, TONES));
    let last = answered(&with_tones, &second, Some((&offer, &answer)), Hold::No).unwrap();
    assert_eq!(media(&last), ["audio 4000 RTP/AVP 97", "audio 4002 RTP/AVP 98"]);
    assert_eq!(directions(&last, &second), [Direction::SendRecv, Direction::SendOnly]);
    let alice = two(&sound(4000, ILBC), &pictures(4004, H261));
    let second = offered(&alice, Some((&offer, &answer)), Hold::No);
    let bob = two(&sound(6000, ILBC), &pictures(6004, H261));
    let last = answered(&bob, &second, Some((&answer, &offer)), Hold::No).unwrap();
    assert_eq!(media(&last), ["audio 6000 RTP/AVP 97", "video 6004 RTP/AVP 31"]);
}

// 4.3
#[test]
fn a_stream_is_deleted() {
    let alice = two(&sound(4000, ILBC), &pictures(4002, H261));
    let (offer, answer) = exchange(&alice, &two(&sound(6000, ILBC), &pictures(6002, H261)));
    let less = profile_with(&sound(6000, ILBC));
    let second = offered(&less, Some((&answer, &offer)), Hold::No);
    assert_eq!(media(&second), ["audio 6000 RTP/AVP 97", "video 0 RTP/AVP 31"]);
    let last = answered(&alice, &second, Some((&offer, &answer)), Hold::No).unwrap();
    assert_eq!(media(&last), ["audio 4000 RTP/AVP 97", "video 0 RTP/AVP 31"]);
    assert_eq!(check_answer(&second, &last), Ok(()));
}

// 5.1
#[test]
fn media_come_to_a_session_without() {
    let nothing = made_of("");
    let bob = profile_with(&sound(6000, ILBC));
    let answer = answered(&bob, &nothing, None, Hold::No).unwrap();
    assert_eq!(media(&answer), [""; 0]);
    assert_eq!(check_answer(&nothing, &answer), Ok(()));
    let alice = profile_with(&sound(4000, ILBC));
    let second = offered(&alice, Some((&nothing, &answer)), Hold::No);
    let last = answered(&bob, &second, Some((&answer, &nothing)), Hold::No).unwrap();
    assert_eq!(directions(&last, &second), BOTH);
}

// 5.2, 5.3
#[test]
fn nowhere_is_an_address_until_there_is_one() {
    let bob = profile_with(&sound(6000, ILBC));
    let nowhere = text(&made_of(&sound(4000, ILBC))).replace("192.0.2.1", "0.0.0.0").into_bytes();
    let answer = answered(&bob, &nowhere, None, Hold::No).unwrap();
    assert!(text(&answer).contains("a=sendrecv"), "RFC 6337 5.4");
    assert_eq!(directions(&answer, &nowhere), [Direction::RecvOnly]);
    let second = made_of(&sound(4002, ILBC));
    let last = answered(&bob, &second, Some((&answer, &nowhere)), Hold::No).unwrap();
    assert!(same_session(&answer, &last));
    assert_eq!(directions(&last, &second), BOTH);
    // The answer is from nowhere.
    let offer = made_of(&sound(4000, ILBC));
    let answer = answered(&bob, &offer, None, Hold::Zero).unwrap();
    assert_eq!(directions(&offer, &answer), [Direction::RecvOnly]);
    let second = reoffered(&bob, (&answer, &offer), Hold::No);
    let alice = profile_with(&sound(4000, ILBC));
    let last = answered(&alice, &second, Some((&offer, &answer)), Hold::No).unwrap();
    assert_eq!(directions(&last, &second), BOTH);
}
