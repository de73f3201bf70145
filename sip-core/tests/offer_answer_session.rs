//! Offers and answers within a session: what stays in place, keys, what two descriptions amount to.

#[path = "support/sdp.rs"]
mod sdp;

use sansip::sdp::{
    Agreed, Codec, Direction, Hold, Kind, Media, MediaError, Origin, Stream, answer, check_answer,
    offer, profile, same_session, version,
};
use sdp::{ORIGIN, answered, essence, flows, made_of, offered, profile_with, reoffered, written};

const PCMU: &str = "0/PCMU/8000";

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn lines<'a>(description: &'a [u8], start: &str) -> Vec<&'a str> {
    text(description).lines().filter(|l| l.starts_with(start)).collect()
}

fn audio(port: u16) -> String {
    format!("audio {port} RTP/AVP sendrecv {PCMU}")
}

fn video(port: u16) -> String {
    format!("video {port} RTP/AVP sendrecv 31/H261/90000")
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

#[test]
fn a_hold_adds_no_stream_and_brings_none_back() {
    let both = profile_with(&format!("{} & {}", audio(4000), video(4002)));
    // The call is of sound alone, though we could do pictures.
    let theirs = made_of(&audio(6000));
    let ours = answered(&both, &theirs, None, Hold::No).unwrap();
    let held = reoffered(&both, (&ours, &theirs), Hold::SendOnly);
    assert_eq!(lines(&held, "m="), ["m=audio 4000 RTP/AVP 0"]);
    // They refuse our pictures: refused they stay.
    let ours = offered(&both, None, Hold::No);
    let theirs = answered(&profile_with(&audio(6000)), &ours, None, Hold::No).unwrap();
    assert_eq!(lines(&theirs, "m="), ["m=audio 6000 RTP/AVP 0", "m=video 0 RTP/AVP 31"]);
    let held = reoffered(&both, (&ours, &theirs), Hold::SendOnly);
    assert_eq!(lines(&held, "m="), ["m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 31"]);
    // Asked for again, they are offered in the same place.
    let again = offered(&both, Some((&held, &theirs)), Hold::No);
    assert_eq!(lines(&again, "m="), ["m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 31"]);
}

#[test]
fn streams_keep_their_places_whatever_the_order_of_the_profile() {
    let first = profile_with(&format!("{} & {}", audio(4000), video(4002)));
    let ours = offered(&first, None, Hold::No);
    let theirs = made_of(&format!("{} & {}", audio(6000), video(6002)));
    let offer = |streams: &str| {
        let made = offered(&profile_with(streams), Some((&ours, &theirs)), Hold::No);
        essence(&made).iter().map(|s| (s.kind.clone(), s.port)).collect::<Vec<_>>()
    };
    let is = |streams: &[(&str, u16)]| -> Vec<(String, u16)> {
        streams.iter().map(|(k, p)| (k.to_string(), *p)).collect()
    };
    let turned = format!("{} & {}", video(4002), audio(4000));
    assert_eq!(offer(&turned), is(&[("audio", 4000), ("video", 4002)]));
    // A new port is still the same stream; a stream that is gone has port 0.
    assert_eq!(offer(&audio(4444)), is(&[("audio", 4444), ("video", 0)]));
    // A second stream of a kind comes last.
    let more = format!("{} & {} & {}", audio(5000), audio(4000), video(4002));
    assert_eq!(offer(&more), is(&[("audio", 4000), ("video", 4002), ("audio", 5000)]));
    assert_eq!(offer(&video(4002)), is(&[("audio", 0), ("video", 4002)]));
    // Neither are other codecs at another port another stream.
    let opus = "audio 5000 RTP/AVP sendrecv 96/opus/48000/2";
    assert_eq!(offer(opus), is(&[("audio", 5000), ("video", 0)]));
}

#[test]
fn a_fax_takes_the_place_of_its_call_and_the_call_takes_it_back() {
    let codecs = [Codec { payload: 0, name: "t38", clock: 0, channels: 0, fmtp: "" }];
    let (stream, address) = phone(&codecs, "192.0.2.1");
    let stream = Stream { kind: Kind::Image, port: 4008, transport: "udptl", ..stream };
    let fax = written(&Media { address, streams: &[stream], bandwidth: 0 });
    let (ours, theirs) = (made_of(&audio(4000)), made_of(&audio(6000)));
    let made = offered(&fax, Some((&ours, &theirs)), Hold::No);
    assert_eq!(lines(&made, "m="), ["m=image 4008 udptl t38"]);
    let theirs = bytes("v=0\r\nc=IN IP4 h\r\nm=image 6008 udptl t38\r\n");
    let made = offered(&profile_with(&audio(4000)), Some((&made, &theirs)), Hold::No);
    assert_eq!(lines(&made, "m="), ["m=audio 4000 RTP/AVP 0"]);
}

#[test]
fn a_new_stream_takes_the_place_of_an_ended_one_of_its_kind() {
    let local = bytes("v=0\r\nc=IN IP4 h\r\nm=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n");
    let remote = bytes("v=0\r\nc=IN IP4 h\r\nm=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n");
    let made = offered(&profile_with(&video(4002)), Some((&local, &remote)), Hold::No);
    assert_eq!(lines(&made, "m="), ["m=audio 0 RTP/AVP 8", "m=video 4002 RTP/AVP 31"]);
    let text = profile_with("text 4004 RTP/AVP sendrecv 98/t140/1000");
    let made = offered(&text, Some((&local, &remote)), Hold::No);
    assert_eq!(
        lines(&made, "m="),
        ["m=audio 0 RTP/AVP 8", "m=video 0 RTP/AVP 31", "m=text 4004 RTP/AVP 98"]
    );
}

#[test]
fn a_reoffered_stream_is_answered_from_the_same_stream_of_ours() {
    let phone = profile_with(&format!("{} & {}", audio(4000), audio(4002)));
    let local = made_of(&format!("{} & {}", audio(4002), audio(4000)));
    let offer = made_of(&format!("{} & {}", audio(6000), audio(6002)));
    let fresh = answered(&phone, &offer, None, Hold::No).unwrap();
    assert_eq!(lines(&fresh, "m="), ["m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"]);
    let again = answered(&phone, &offer, Some((&local, &offer)), Hold::No).unwrap();
    assert_eq!(lines(&again, "m="), ["m=audio 4002 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"]);
}

#[test]
fn payload_types_keep_their_meaning_within_a_session() {
    let phone = profile_with(
        "audio 4000 RTP/AVP sendrecv 96/opus/48000/2,0/PCMU/8000,101/telephone-event/8000",
    );
    let theirs = made_of(
        "audio 6000 RTP/AVP sendrecv 101/opus/48000/2,0/PCMU/8000,100/telephone-event/8000",
    );
    let ours = answered(&phone, &theirs, None, Hold::No).unwrap();
    let again = reoffered(&phone, (&ours, &theirs), Hold::No);
    assert_eq!(lines(&again, "m="), ["m=audio 4000 RTP/AVP 101 0 100"]);
    // A number that meant something else is not used for a codec that is new.
    let theirs = made_of("audio 6000 RTP/AVP sendrecv 101/PCMU/8000,97/iLBC/8000");
    let ours = answered(&phone, &theirs, None, Hold::No).unwrap();
    let again = reoffered(&phone, (&ours, &theirs), Hold::No);
    assert_eq!(lines(&again, "m="), ["m=audio 4000 RTP/AVP 96 101 98"]);
    assert_eq!(lines(&again, "a=rtpmap:98"), ["a=rtpmap:98 telephone-event/8000"]);
    // Nor one that we alone had given a meaning.
    let ours = made_of("audio 4000 RTP/AVP sendrecv 0/PCMU/8000,96/iLBC/8000");
    let theirs = made_of(&audio(6000));
    let again = offered(&phone, Some((&ours, &theirs)), Hold::No);
    assert_eq!(lines(&again, "m="), ["m=audio 4000 RTP/AVP 97 0 101"]);
}

#[test]
fn versions_stay_where_nothing_changes() {
    let phone = profile_with(&audio(4000));
    let of = |version, hold| {
        let mut out = [0; 1024];
        let len = offer(&phone, None, Origin { id: 9, version }, hold, &mut out).unwrap();
        out[..len].to_vec()
    };
    let first = of(1, Hold::No);
    assert_eq!(version(&first), Some(Origin { id: 9, version: 1 }));
    assert!(same_session(&first, &of(u64::MAX, Hold::No)));
    assert!(!same_session(&first, &of(1, Hold::SendOnly)));
    let text = text(&first);
    for (from, to) in [("o=- 9", "o=- 8"), ("s=-", "s=x"), ("o=-", "o=x"), ("m=audio", "m=video")] {
        assert!(!same_session(&first, text.replace(from, to).as_bytes()), "{to}");
    }
    assert!(!same_session(&first, b"") && same_session(b"v=0\r\n", b"v=0\r\n"));
    assert_eq!(version(b"v=0\r\n"), None);
    assert_eq!(version(b"v=0\r\no=- 18446744073709551616 1 IN IP4 h\r\n"), None);
}

const KEY: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA";

fn keyed(transport: &str, key: &str) -> String {
    format!("audio 4000 {transport} sendrecv {PCMU}|{key}")
}

#[test]
fn keys_are_answered_with_the_offers_tag_and_ours() {
    let secure = profile_with(&keyed("RTP/SAVP", KEY));
    let offer = |keys: &[&str], transport: &str| {
        let plain = made_of(&audio(6000).replace("RTP/AVP", transport));
        let keys = keys.iter().map(|k| format!("a=crypto:{k}\r\n")).collect::<String>();
        bytes(&(text(&plain).to_owned() + &keys))
    };
    let other = "1 F8_128_HMAC_SHA1_80 inline:BBBB";
    let good = "7 AES_CM_128_HMAC_SHA1_80 inline:CCCC|2^20|1:4 WSH=64";
    let made = answered(&secure, &offer(&[other, good], "RTP/SAVP"), None, Hold::No).unwrap();
    assert_eq!(lines(&made, "m="), ["m=audio 4000 RTP/SAVP 0"]);
    assert_eq!(lines(&made, "a=crypto"), ["a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:AAAA"]);
    let refused = |profile: &[u8], offer: &[u8]| {
        answered(profile, offer, None, Hold::No).unwrap_err().warning
    };
    // RFC 4568 6.3: what its parameters ask for must be done too.
    let strict = "7 AES_CM_128_HMAC_SHA1_80 inline:CCCC UNENCRYPTED_SRTP";
    for keys in [&[other][..], &[strict], &[], &["x"]] {
        assert_eq!(refused(&secure, &offer(keys, "RTP/SAVP")), 306, "{keys:?}");
    }
    assert_eq!(refused(&secure, &offer(&[good], "RTP/AVP")), 302);
    let plain = profile_with(&audio(4000));
    assert_eq!(refused(&plain, &offer(&[good], "RTP/SAVP")), 302);
    let left_out = answered(&plain, &offer(&[good], "RTP/AVP"), None, Hold::No).unwrap();
    assert_eq!(lines(&left_out, "a=crypto"), [""; 0]);
}

#[test]
fn a_key_on_plain_rtp_encrypts_where_the_other_side_can() {
    let either = profile_with(&keyed("RTP/AVP", KEY));
    let secure = made_of(&keyed("RTP/SAVP", "3 AES_CM_128_HMAC_SHA1_80 inline:CCCC"));
    let made = answered(&either, &secure, None, Hold::No).unwrap();
    assert_eq!(lines(&made, "m="), ["m=audio 4000 RTP/SAVP 0"]);
    assert_eq!(lines(&made, "a=crypto"), ["a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:AAAA"]);
    let stream = Agreed { local: &made, remote: &secure }.streams().next().unwrap();
    assert!(stream.is_encrypted() && stream.remote_crypto.starts_with("3 "));
    assert!(!format!("{stream:?}").contains("inline"));
    // What is encrypted stays so.
    let again = reoffered(&either, (&made, &secure), Hold::SendOnly);
    assert_eq!(lines(&again, "m="), ["m=audio 4000 RTP/SAVP 0"]);
    let plain = made_of(&audio(6000));
    let made = answered(&either, &plain, None, Hold::No).unwrap();
    assert_eq!(lines(&made, "a=crypto"), [""; 0]);
    assert!(!Agreed { local: &made, remote: &plain }.streams().next().unwrap().is_encrypted());
}

fn phone<'a>(codecs: &'a [Codec<'a>], address: &str) -> (Stream<'a>, std::net::IpAddr) {
    let stream = Stream {
        kind: Kind::Audio,
        port: 4000,
        transport: "",
        codecs,
        direction: Direction::SendRecv,
        bandwidth: 64,
        ptime: 20,
        crypto: "",
    };
    (stream, address.parse().unwrap())
}

const TONES: Codec<'static> =
    Codec { payload: 101, name: "telephone-event", clock: 8000, channels: 0, fmtp: "0-15" };
const SOUND: Codec<'static> =
    Codec { payload: 0, name: "PCMU", clock: 8000, channels: 0, fmtp: "" };

#[test]
fn a_profile_becomes_an_offer_with_all_that_it_says() {
    let (stream, address) = phone(&[SOUND, TONES], "2001:db8::1");
    let profile = written(&Media { address, streams: &[stream], bandwidth: 100 });
    let made = offered(&profile, None, Hold::No);
    let expected = "v=0\r\no=- 7 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nb=AS:100\r\n\
        t=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\nb=AS:64\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
    assert_eq!(text(&made), expected);
    let zero = offered(&profile, None, Hold::Zero);
    assert_eq!(lines(&zero, "c="), ["c=IN IP6 ::"]);
    assert_eq!(lines(&zero, "o="), ["o=- 7 1 IN IP6 2001:db8::1"]);
    assert_eq!(
        lines(
            &offered(&written(&Media { address, streams: &[], bandwidth: 0 }), None, Hold::No),
            "m="
        ),
        [""; 0]
    );
}

#[test]
fn formats_that_are_no_payload_types_are_words() {
    let fax = Codec { payload: 0, name: "t38", clock: 0, channels: 0, fmtp: "" };
    let codecs = [Codec { name: "t37", ..fax }, fax];
    let (stream, address) = phone(&codecs, "192.0.2.1");
    let stream = Stream { kind: Kind::Image, transport: "udptl", ptime: 0, bandwidth: 0, ..stream };
    let profile = written(&Media { address, streams: &[stream], bandwidth: 0 });
    let offer = b"v=0\r\nc=IN IP4 192.0.2.9\r\nm=image 6000 UDPTL other T38\r\n";
    let made = answered(&profile, offer, None, Hold::No).unwrap();
    assert_eq!(lines(&made, "m="), ["m=image 4000 UDPTL t38"]);
    assert_eq!(lines(&made, "a="), ["a=sendrecv"]);
    assert_eq!(check_answer(offer, &made), Ok(()));
    let stream = Agreed { local: &made, remote: offer }.streams().next().unwrap();
    assert_eq!(stream.codecs().map(|c| c.name).collect::<Vec<_>>(), ["T38"]);
}

#[test]
fn media_that_no_description_can_hold_is_refused() {
    let codecs = [SOUND, TONES];
    let (good, address) = phone(&codecs, "192.0.2.1");
    let refused = |stream: Stream<'_>| {
        let mut out = [0; 2048];
        profile(&Media { address, streams: &[stream], bandwidth: 0 }, &mut out).unwrap_err()
    };
    assert_eq!(refused(Stream { port: 0, ..good }), MediaError::BadPort);
    assert_eq!(refused(Stream { kind: Kind::Other, ..good }), MediaError::BadKind);
    assert_eq!(refused(Stream { codecs: &[], ..good }), MediaError::Codecs);
    assert_eq!(refused(Stream { codecs: &[TONES; 33], ..good }), MediaError::Codecs);
    assert_eq!(refused(Stream { transport: "RTP/AVP 0\r\na=x", ..good }), MediaError::BadValue);
    for crypto in ["x", "1 suite key", "1 suite inline:", "x suite inline:k"] {
        assert_eq!(refused(Stream { crypto, ..good }), MediaError::BadCrypto);
    }
    assert_eq!(refused(Stream { crypto: "1 s inline:k\r\nm=x", ..good }), MediaError::BadValue);
    assert_eq!(refused(Stream { crypto: KEY, transport: "udptl", ..good }), MediaError::BadCrypto);
    let codec = |codec: Codec<'_>| refused(Stream { codecs: &[codec], ..good });
    assert_eq!(codec(Codec { payload: 128, ..TONES }), MediaError::BadPayload);
    assert_eq!(codec(Codec { payload: 8, ..SOUND }), MediaError::BadPayload);
    assert_eq!(codec(Codec { clock: 0, ..TONES }), MediaError::BadClock);
    for name in ["", "a b", "a/b", "a\r\nm=x", "a\0"] {
        assert_eq!(codec(Codec { name, ..TONES }), MediaError::BadValue, "{name}");
    }
    assert_eq!(codec(Codec { fmtp: "x\r\na=y", ..TONES }), MediaError::BadValue);
    assert_eq!(codec(Codec { name: "red", fmtp: "97/97", ..TONES }), MediaError::BadPayload);
    assert_eq!(refused(Stream { codecs: &[TONES, TONES], ..good }), MediaError::BadPayload);
    let mut out = [0; 8192];
    let many = Media { address, streams: &[good; 65], bandwidth: 0 };
    assert_eq!(profile(&many, &mut out), Err(MediaError::TooManyStreams));
}

#[test]
fn no_room_is_said_at_every_length() {
    let phone = profile_with(&audio(4000));
    let theirs = made_of(&audio(6000));
    let whole = answered(&phone, &theirs, None, Hold::No).unwrap();
    for room in 0..whole.len() {
        let mut out = vec![0; room];
        assert_eq!(offer(&phone, None, ORIGIN, Hold::No, &mut out), Err(MediaError::NoRoom));
        let refusal = answer(&phone, &theirs, None, ORIGIN, Hold::No, &mut out).unwrap_err();
        assert_eq!((refusal.status, refusal.warning), (488, 399));
    }
}

#[test]
fn the_nearest_line_says_address_and_direction() {
    let local = made_of(&format!("{} & {} & {}", audio(4000), video(4002), audio(4004)));
    let remote =
        b"v=0\r\nc=IN IP4 192.0.2.9\r\na=recvonly\r\na=unknown:x\r\nm=audio 6000 RTP/AVP 0\r\n\
        m=video 6002 RTP/AVP 31\r\nc=IN IP6 2001:db8::9\r\nb=AS:512\r\na=sendrecv\r\na=ptime:30\r\n\
        m=audio 6004 RTP/AVP 0\r\nc=IN IP4 media.example.org\r\na=what\r\n";
    let streams: Vec<_> = Agreed { local: &local, remote }.streams().collect();
    let remotes: Vec<_> = streams.iter().map(|s| s.remote.map(|r| r.0.to_string())).collect();
    assert_eq!(remotes, [Some("192.0.2.9".into()), Some("2001:db8::9".into()), None]);
    assert_eq!(streams[2].remote_host, "media.example.org");
    assert_eq!((streams[1].remote_bandwidth, streams[1].remote_ptime), (512, 30));
    assert_eq!((streams[0].remote_bandwidth, streams[0].remote_ptime), (0, 0));
    let directions: Vec<_> = streams.iter().map(|s| s.direction).collect();
    assert_eq!(directions, [Direction::SendOnly, Direction::SendRecv, Direction::SendOnly]);
    let answer = answered(&profile_with(&audio(4000)), remote, None, Hold::No).unwrap();
    assert_eq!(essence(&answer)[0].direction, Direction::SendOnly);
}

#[test]
fn codecs_are_sent_under_their_numbers_and_received_under_ours() {
    let ours = made_of(
        "audio 4000 RTP/AVP sendrecv 96/opus/48000/2,0/PCMU/8000,101/telephone-event/8000?0-15",
    );
    let theirs = made_of(
        "audio 6000 RTP/AVP sendrecv 0/PCMU/8000,97/OPUS/48000/2?useinbandfec=1,101/telephone-event/8000?0-11,8/PCMA/8000",
    );
    let stream = Agreed { local: &ours, remote: &theirs }.streams().next().unwrap();
    let codecs: Vec<_> = stream
        .codecs()
        .map(|c| (c.name, c.send_payload, c.receive_payload, c.fmtp_remote))
        .collect();
    assert_eq!(
        codecs,
        [
            ("PCMU", 0, 0, ""),
            ("OPUS", 97, 96, "useinbandfec=1"),
            ("telephone-event", 101, 101, "0-11")
        ]
    );
    let refused = text(&theirs).replace("6000", "0");
    let stream = Agreed { local: &ours, remote: refused.as_bytes() }.streams().next().unwrap();
    assert!(stream.refused && stream.codecs().next().is_none());
    assert_eq!((stream.direction, stream.remote), (Direction::Inactive, None));
    assert!(!stream.held_by_peer && !stream.held_by_us);
}

#[test]
fn an_answer_that_cannot_be_used_is_named_with_its_clause() {
    let offer = made_of(&format!("{} & {}", audio(4000), video(4002)));
    let good = made_of(&format!("{} & {}", audio(6000), video(6002)));
    let check =
        |from: &str, to: &str| check_answer(&offer, text(&good).replacen(from, to, 1).as_bytes());
    assert_eq!(check("", ""), Ok(()));
    assert_eq!(check("video 6002", "video 0"), Ok(()));
    assert_eq!(check("m=audio", "m=video"), Err(MediaError::AnswerKind));
    assert_eq!(check("RTP/AVP", "RTP/SAVP"), Err(MediaError::AnswerTransport));
    assert_eq!(check("AVP 0", "AVP 8"), Err(MediaError::AnswerFormats));
    assert_eq!(check("192.0.2.1", "224.0.0.9"), Err(MediaError::AnswerAddress));
    assert_eq!(check("c=IN IP4 192.0.2.1\r\n", ""), Err(MediaError::AnswerAddress));
    assert!(matches!(check("v=0", "v=1"), Err(MediaError::Sdp(_))));
    assert_eq!(check_answer(&offer, &made_of(&audio(6000))), Err(MediaError::AnswerCount));
    let more = made_of(&format!("{} & {} & {}", audio(6000), video(6002), audio(6004)));
    assert_eq!(check_answer(&offer, &more), Err(MediaError::AnswerCount));
    assert_eq!(check_answer(b"v=0\r\n", b"v=0\r\n"), Ok(()));
    let ended = text(&offer).replace("4000", "0");
    assert_eq!(check_answer(ended.as_bytes(), &good), Err(MediaError::AnswerPort));
    let secure = |key: &str| made_of(&keyed("RTP/SAVP", key));
    let offer = secure(KEY);
    assert_eq!(check_answer(&offer, &secure("1 AES_CM_128_HMAC_SHA1_80 inline:Z")), Ok(()));
    for key in ["2 AES_CM_128_HMAC_SHA1_80 inline:Z", "1 F8_128_HMAC_SHA1_80 inline:Z", ""] {
        assert_eq!(check_answer(&offer, &secure(key)), Err(MediaError::AnswerCrypto), "{key}");
    }
    assert!(MediaError::AnswerCount.to_string().contains("RFC 3264 6"));
}

#[test]
fn one_stream_is_held_and_the_other_goes_on() {
    let both =
        |first: &str| made_of(&format!("audio 4000 RTP/AVP {first} {PCMU} & {}", audio(4002)));
    let (local, remote) = (both("sendonly"), both("recvonly"));
    assert_eq!(
        flows(&local, &remote),
        [(Direction::SendOnly, false, true), (Direction::SendRecv, false, false)]
    );
}

#[test]
fn a_description_of_the_applications_own_serves_as_profile() {
    let own = b"v=0\r\no=me 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\na=sendonly\r\nm=audio 0 RTP/AVP 0\r\n\
        m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.8\r\na=x:y\r\nm=video 4002 RTP/AVP 31\r\nc=IN IP4 192.0.2.9\r\n";
    let theirs = made_of(&format!("{} & {}", audio(6000), video(6002)));
    let answer = answered(own, &theirs, None, Hold::No).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 31"]);
    let addresses = ["c=IN IP4 192.0.2.8", "c=IN IP4 192.0.2.8", "c=IN IP4 192.0.2.9"];
    assert_eq!(lines(&answer, "c="), addresses);
    assert!(essence(&answer).iter().all(|s| s.direction == Direction::SendOnly));
    let offer = offered(own, None, Hold::Zero);
    assert_eq!(lines(&offer, "m="), ["m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 31"]);
    assert_eq!(lines(&offer, "c="), ["c=IN IP4 0.0.0.0"; 3]);
    let ended = b"v=0\r\nc=IN IP4 192.0.2.8\r\nm=audio 0 RTP/AVP 0\r\n";
    assert_eq!(answered(ended, &theirs, None, Hold::No).unwrap_err().status, 488);
}
