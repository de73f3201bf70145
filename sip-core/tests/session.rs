//! The session of a call: media from the application, offers and answers in INVITE, its responses
//! and ACK, hold and resume (RFC 3264, RFC 6337).

#[path = "support/net.rs"]
mod net;

use std::net::IpAddr;

use net::Net;
use sansip::sdp::{Agreed, Codec, Direction, Kind, Media, Stream};
use sansip::{
    Answer, CallChange, CallHandle, EndReason, Error, Extras, Limits, LineConfig, LineHandle,
    Misuse, Reliable,
};

const PCMU: Codec<'static> =
    Codec { payload: 0, name: "PCMU", clock: 8_000, channels: 1, fmtp: "" };
const PCMA: Codec<'static> =
    Codec { payload: 8, name: "PCMA", clock: 8_000, channels: 1, fmtp: "" };

const fn audio(port: u16, codecs: &'static [Codec<'static>]) -> Stream<'static> {
    Stream {
        kind: Kind::Audio,
        port,
        transport: "",
        codecs,
        direction: Direction::SendRecv,
        bandwidth: 0,
        ptime: 20,
        crypto: "",
    }
}

fn media(n: usize, streams: &'static [Stream<'static>]) -> Media<'static> {
    let address: IpAddr = format!("192.0.2.{}", n + 1).parse().unwrap();
    Media { address, streams, bandwidth: 0 }
}

const STREAMS: [&[Stream<'static>]; 2] =
    [&[audio(4_000, &[PCMU, PCMA])], &[audio(5_000, &[PCMA, PCMU])]];

/// Two phones that are asked for their media.
struct Pair {
    net: Net,
    lines: [LineHandle; 2],
}

const A: usize = 0;
const B: usize = 1;

impl Pair {
    fn new() -> Self {
        Self::with(Reliable::WithBody)
    }

    fn with(reliable: Reliable) -> Self {
        let mut net = Net::new();
        let lines = ["alice", "bob"].map(|name| {
            let n = net.nodes.len();
            let mut config = net::config(n as u8 + 1);
            (config.roles.proxy, config.roles.registrar, config.ask_media) = (false, false, true);
            config.reliable = reliable;
            net.add(name, config, &Limits::TESTER);
            let aor = format!("sip:{name}@10.0.0.{}", n + 1);
            let line = LineConfig { aor: &aor, user: 7, ..LineConfig::default() };
            let now = net.at();
            net.engine(n).add_line(now, line).unwrap()
        });
        Self { net, lines }
    }

    fn answer(&mut self, n: usize, answer: Answer<'_>) -> String {
        let (id, offer) = self.net.nodes[n].asked.pop().expect("a question for media");
        let now = self.net.at();
        self.net.engine(n).answer(now, id, answer).unwrap();
        self.net.settle();
        offer
    }

    fn invite(&mut self, extras: Extras<'_>) -> CallHandle {
        let now = self.net.at();
        let line = self.lines[A];
        let call = self.net.engine(A).invite(now, line, "sip:bob@10.0.0.2", 0, extras).unwrap();
        self.net.settle();
        call
    }

    fn pick_up(&mut self, extras: Extras<'_>) -> CallHandle {
        let (now, call) = (self.net.at(), self.net.call(B));
        self.net.engine(B).answer_call(now, call, extras).unwrap();
        self.net.settle();
        call
    }

    /// A call that both sides gave their media to.
    fn talk(&mut self) -> (CallHandle, CallHandle) {
        let (a, b) = (media(A, STREAMS[A]), media(B, STREAMS[B]));
        let call = self.invite(Extras { media: Some(&a), ..Extras::default() });
        (call, self.pick_up(Extras { media: Some(&b), ..Extras::default() }))
    }

    /// What a side sends and hears: direction, whether it holds and is held, where to, codec.
    fn hears(&self, n: usize) -> (Direction, bool, bool, Option<(IpAddr, u16)>, String) {
        let heard = self.net.nodes[n].media.last().expect("media");
        let agreed = Agreed { local: heard.local.as_bytes(), remote: heard.remote.as_bytes() };
        let s = agreed.streams().next().unwrap();
        let codec = s.codecs().next().map_or(String::new(), |c| c.name.to_string());
        (s.direction, s.held_by_us, s.held_by_peer, s.remote, codec)
    }

    fn version(&self, n: usize) -> u64 {
        let local = &self.net.nodes[n].media.last().unwrap().local;
        sansip::sdp::version(local.as_bytes()).unwrap().version
    }

    fn hang_up(mut self, call: CallHandle) {
        let now = self.net.at();
        self.net.engine(A).hangup(now, call).unwrap();
        self.net.finish();
    }
}

fn ip(n: usize) -> IpAddr {
    format!("192.0.2.{}", n + 1).parse().unwrap()
}

#[test]
fn media_that_the_verbs_give_is_offered_and_answered() {
    let mut p = Pair::new();
    let (call, _) = p.talk();
    let flows = Direction::SendRecv;
    assert_eq!(p.hears(A), (flows, false, false, Some((ip(B), 5_000)), "PCMU".into()));
    assert_eq!(p.hears(B), (flows, false, false, Some((ip(A), 4_000)), "PCMU".into()));
    assert_eq!((p.net.nodes[A].media.len(), p.net.nodes[B].media.len()), (1, 1));
    p.hang_up(call);
}

#[test]
fn media_that_no_verb_gives_is_asked_for() {
    let mut p = Pair::new();
    let call = p.invite(Extras::default());
    assert!(p.net.trace.is_empty(), "the INVITE waits for the answer");
    assert_eq!(p.answer(A, Answer::Media(&media(A, STREAMS[A]))), "");
    assert_eq!(p.net.trace[0].label(), "INVITE");
    p.pick_up(Extras { headers: &[("X-Kept", "yes")], ..Extras::default() });
    let offer = p.answer(B, Answer::Media(&media(B, STREAMS[B])));
    assert!(offer.contains("m=audio 4000 RTP/AVP 0 8"), "{offer}");
    let ok = p.net.trace.iter().find(|s| s.label() == "200 INVITE").unwrap();
    assert!(String::from_utf8_lossy(&ok.bytes).contains("X-Kept: yes"));
    assert_eq!(p.hears(A).3, Some((ip(B), 5_000)));
    p.hang_up(call);
}

#[test]
fn a_caller_without_media_lets_the_callee_offer_and_answers_in_the_ack() {
    let mut p = Pair::new();
    let call = p.invite(Extras::default());
    p.answer(A, Answer::NotFound);
    let b = media(B, STREAMS[B]);
    p.pick_up(Extras { media: Some(&b), ..Extras::default() });
    assert!(!p.net.trace.iter().any(|s| s.label() == "ACK"), "the ACK waits for the answer");
    let offer = p.answer(A, Answer::Media(&media(A, STREAMS[A])));
    assert!(offer.contains("m=audio 5000"), "{offer}");
    let ack = p.net.trace.iter().find(|s| s.label() == "ACK").unwrap();
    assert!(String::from_utf8_lossy(&ack.bytes).contains("m=audio 4000"));
    assert_eq!((p.hears(A).4, p.hears(B).4), ("PCMA".to_string(), "PCMA".to_string()));
    p.hang_up(call);
}

#[test]
fn a_call_that_ends_while_its_ack_waits_is_acknowledged_first() {
    let mut p = Pair::new();
    let call = p.invite(Extras::default());
    p.answer(A, Answer::NotFound);
    let b = media(B, STREAMS[B]);
    p.pick_up(Extras { media: Some(&b), ..Extras::default() });
    let now = p.net.at();
    p.net.engine(A).hangup(now, call).unwrap();
    p.net.settle();
    let ladder: Vec<String> = p.net.trace.iter().map(net::Sent::label).collect();
    let ack = ladder.iter().position(|l| l == "ACK").unwrap();
    assert!(ladder.iter().position(|l| l == "BYE").is_some_and(|bye| ack < bye), "{ladder:?}");
    p.net.finish();
}

#[test]
fn an_offer_that_nothing_fits_is_refused_with_a_warning() {
    const G729: &[Stream<'static>] = &[audio(
        5_000,
        &[Codec { payload: 18, name: "G729", clock: 8_000, channels: 1, fmtp: "" }],
    )];
    let mut p = Pair::new();
    let (a, b) = (media(A, STREAMS[A]), media(B, G729));
    p.invite(Extras { media: Some(&a), ..Extras::default() });
    p.pick_up(Extras { media: Some(&b), ..Extras::default() });
    let refusal = p.net.trace.iter().find(|s| s.label() == "488 INVITE").unwrap();
    assert!(String::from_utf8_lossy(&refusal.bytes).contains("Warning: 305 "));
    let ended = |n, why, status| {
        assert_eq!(p.net.changes(n).last(), Some(&CallChange::Ended { why, status }));
    };
    ended(A, EndReason::Refused, 488);
    ended(B, EndReason::BadMedia, 488);
    p.net.finish();
}

#[test]
fn hold_and_resume_by_each_side_and_by_both() {
    let mut p = Pair::new();
    let (call, peer) = p.talk();
    let step = |p: &mut Pair, n: usize, call, hold: bool| {
        let now = p.net.at();
        let done =
            if hold { p.net.engine(n).hold(now, call) } else { p.net.engine(n).resume(now, call) };
        done.unwrap();
        p.net.settle();
    };
    let before = p.version(A);
    step(&mut p, A, call, true);
    assert_eq!(p.version(A), before + 1, "RFC 3264 8");
    let directions = |p: &Pair| (p.hears(A).0, p.hears(B).0);
    assert_eq!(directions(&p), (Direction::SendOnly, Direction::RecvOnly));
    assert!(p.hears(A).1 && p.hears(B).2, "one holds, the other is held");
    step(&mut p, B, peer, true);
    assert_eq!(directions(&p), (Direction::Inactive, Direction::Inactive));
    step(&mut p, A, call, false);
    assert_eq!(directions(&p), (Direction::RecvOnly, Direction::SendOnly), "B holds still");
    step(&mut p, B, peer, false);
    assert_eq!(directions(&p), (Direction::SendRecv, Direction::SendRecv));
    p.hang_up(call);
}

#[test]
fn a_refused_hold_leaves_the_session_as_it_was() {
    let mut p = Pair::new();
    let (call, _) = p.talk();
    let sdp = p.net.nodes[A].media.len();
    let now = p.net.at();
    // The peer is gone: nothing comes back to the re-INVITE but a 488 that we put in its place.
    p.net.drop = Box::new(|s| s.label() == "INVITE");
    p.net.engine(A).hold(now, call).unwrap();
    p.net.settle();
    let sent = p.net.trace.last().unwrap().clone();
    let refusal = refuse(&sent.bytes, "488 Not Acceptable Here");
    let path = sansip::Path { local: net::LOCAL, remote: sent.to, flow: None };
    p.net.engine(A).receive(now, path, &refusal).unwrap();
    p.net.drop = Box::new(|_| false);
    p.net.settle();
    assert_eq!(p.net.changes(A).last(), Some(&CallChange::Reinvited { status: 488 }));
    assert_eq!(p.net.nodes[A].media.len(), sdp, "nothing has changed");
    p.net.engine(A).hold(now, call).unwrap();
    p.net.settle();
    assert_eq!(p.hears(A).0, Direction::SendOnly, "it can be held again");
    p.hang_up(call);
}

/// A response to a request, made by hand.
fn refuse(request: &[u8], status: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    let head = text.split("\r\n\r\n").next().unwrap();
    let copied = head
        .lines()
        .filter(|l| ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|n| l.starts_with(n)));
    let fields: String = copied.map(|l| format!("{l}\r\n")).collect();
    format!("SIP/2.0 {status}\r\n{fields}Content-Length: 0\r\n\r\n").into_bytes()
}

#[test]
fn two_holds_that_cross_end_in_both_after_491() {
    let mut p = Pair::new();
    let (call, peer) = p.talk();
    let now = p.net.at();
    p.net.engine(A).hold(now, call).unwrap();
    p.net.engine(B).hold(now, peer).unwrap();
    p.net.run(10_000);
    let glare = p.net.trace.iter().filter(|s| s.label() == "491 INVITE").count();
    assert_eq!(glare, 2, "RFC 3261 14.1, 14.2");
    assert_eq!((p.hears(A).0, p.hears(B).0), (Direction::Inactive, Direction::Inactive));
    p.hang_up(call);
}

#[test]
fn early_media_is_answered_once_and_repeated_in_the_2xx() {
    for reliable in [Reliable::Never, Reliable::WithBody] {
        early_media(reliable);
    }
}

fn early_media(reliable: Reliable) {
    let mut p = Pair::with(reliable);
    let (a, b) = (media(A, STREAMS[A]), media(B, STREAMS[B]));
    let call = p.invite(Extras { media: Some(&a), ..Extras::default() });
    let (now, peer) = (p.net.at(), p.net.call(B));
    let extras = Extras { media: Some(&b), ..Extras::default() };
    p.net.engine(B).ring(now, peer, 183, extras).unwrap();
    p.net.settle();
    assert_eq!(p.hears(A).3, Some((ip(B), 5_000)), "before the call is answered");
    p.pick_up(Extras::default());
    let body = |label: &str| {
        let sent = p.net.trace.iter().find(|s| s.label() == label).unwrap();
        String::from_utf8_lossy(&sent.bytes).split("\r\n\r\n").nth(1).unwrap().to_string()
    };
    // RFC 3261 13.2.1: repeated after an unreliable response, and not after a reliable one.
    let again = if reliable == Reliable::Never { body("183 INVITE") } else { String::new() };
    assert_eq!(body("200 INVITE"), again);
    assert_eq!((p.net.nodes[A].media.len(), p.net.nodes[B].media.len()), (1, 1));
    p.hang_up(call);
}

const MOVED: &[Stream<'static>] = &[audio(4_444, &[PCMU])];

// RFC 3311 5.2: an offer in an UPDATE is answered from the call's media, before the 2xx too.
#[test]
fn an_offer_in_an_update_is_answered_by_the_engine() {
    for early in [true, false] {
        let mut p = Pair::new();
        let (a, b) = (media(A, STREAMS[A]), media(B, STREAMS[B]));
        let call = p.invite(Extras { media: Some(&a), ..Extras::default() });
        let (now, peer) = (p.net.at(), p.net.call(B));
        let extras = Extras { media: Some(&b), ..Extras::default() };
        p.net.engine(B).ring(now, peer, 183, extras).unwrap();
        p.net.settle();
        if !early {
            p.pick_up(Extras::default());
        }
        let moved = media(A, MOVED);
        let extras = Extras { media: Some(&moved), ..Extras::default() };
        p.net.engine(A).update(now, call, extras).unwrap();
        p.net.settle();
        let count = |label: &str| p.net.trace.iter().filter(|s| s.label() == label).count();
        assert_eq!((count("UPDATE"), count("200 UPDATE")), (1, 1));
        assert_eq!(p.hears(B).3, Some((ip(A), 4_444)), "early: {early}");
        assert_eq!(p.net.changes(A).last(), Some(&CallChange::Updated { status: 200 }));
        if early {
            p.pick_up(Extras::default());
        }
        p.hang_up(call);
    }
}

// RFC 3262 5: the INVITE had no offer; the reliable response makes it, and the PRACK answers.
#[test]
fn an_offer_in_a_reliable_provisional_response_is_answered_in_the_prack() {
    let mut p = Pair::new();
    let call = p.invite(Extras::default());
    p.answer(A, Answer::NotFound);
    let (now, peer) = (p.net.at(), p.net.call(B));
    let b = media(B, STREAMS[B]);
    let extras = Extras { media: Some(&b), ..Extras::default() };
    p.net.engine(B).ring(now, peer, 183, extras).unwrap();
    p.net.settle();
    let a = media(A, STREAMS[A]);
    assert!(p.answer(A, Answer::Media(&a)).contains("m=audio 5000"));
    assert_eq!(p.hears(A).3, Some((ip(B), 5_000)));
    p.pick_up(Extras::default());
    p.hang_up(call);
}

#[test]
fn an_answer_that_cannot_be_used_ends_the_call() {
    let mut p = Pair::new();
    let a = media(A, STREAMS[A]);
    let call = p.invite(Extras { media: Some(&a), ..Extras::default() });
    // One m= line was offered; the answer has two.
    let two = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
        m=audio 6000 RTP/AVP 0\r\nm=video 6002 RTP/AVP 31\r\n";
    let extras = Extras { content_type: "application/sdp", body: two, ..Extras::default() };
    p.pick_up(extras);
    let ladder: Vec<String> = p.net.trace.iter().map(net::Sent::label).collect();
    assert_eq!(ladder[ladder.len() - 3..], ["ACK", "BYE", "200 BYE"], "RFC 3261 13.2.2.4");
    let why = EndReason::BadMedia;
    assert_eq!(p.net.changes(A).last(), Some(&CallChange::Ended { why, status: 0 }));
    assert!(p.net.nodes[A].media.is_empty());
    let now = p.net.at();
    assert_eq!(p.net.engine(A).hangup(now, call), Err(Error::Gone));
    p.net.finish();
}

#[test]
fn an_application_with_its_own_descriptions_can_hold_and_resume_too() {
    let body = |n: u8| {
        format!(
            "v=0\r\no=- 9 1 IN IP4 192.0.2.{n}\r\ns=-\r\nc=IN IP4 192.0.2.{n}\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 0\r\n"
        )
    };
    let own = |text: &'static str| Extras {
        content_type: "application/sdp",
        body: text.as_bytes(),
        ..Extras::default()
    };
    let mut p = Pair::new();
    let call = p.invite(own(body(1).leak()));
    let peer = p.pick_up(own(body(2).leak()));
    for (hold, direction) in [(true, "a=sendonly"), (false, "a=sendrecv")] {
        let now = p.net.at();
        let engine = p.net.engine(A);
        if hold {
            engine.hold(now, call).unwrap();
        } else {
            engine.resume(now, call).unwrap();
        }
        p.net.settle();
        // The peer makes its own answers as well.
        assert_eq!(p.net.changes(B).last(), Some(&CallChange::Reinvite));
        let offer = p.net.trace.last().unwrap().bytes.clone();
        assert!(String::from_utf8_lossy(&offer).contains(direction), "{direction}");
        p.net.engine(B).answer_call(now, peer, own(body(2).leak())).unwrap();
        p.net.settle();
    }
    assert_eq!(p.hears(A).0, Direction::SendRecv);
    p.hang_up(call);
}

#[test]
fn media_and_a_body_together_or_media_that_no_description_holds_are_misuse() {
    let mut p = Pair::new();
    let a = media(A, STREAMS[A]);
    let both = Extras {
        media: Some(&a),
        content_type: "application/sdp",
        body: b"v=0\r\n",
        ..Extras::default()
    };
    const NO_CODEC: &[Stream<'static>] = &[audio(4_000, &[])];
    let none = media(A, NO_CODEC);
    let now = p.net.at();
    for extras in [both, Extras { media: Some(&none), ..Extras::default() }] {
        let line = p.lines[A];
        let call = p.net.engine(A).invite(now, line, "sip:bob@10.0.0.2", 0, extras);
        assert_eq!(call, Err(Error::Misuse(Misuse::Media)));
    }
    p.net.finish();
}

// RFC 3261 14.1: the re-INVITE that is tried again after 491 makes the same offer again.
#[test]
fn an_offer_of_the_applications_own_is_answered_after_glare() {
    let body = |n: u8, direction: &str| {
        format!(
            "v=0\r\no=- 9 1 IN IP4 192.0.2.{n}\r\ns=-\r\nc=IN IP4 192.0.2.{n}\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 0\r\na={direction}\r\n"
        )
    };
    let own = |text: String| Extras {
        content_type: "application/sdp",
        body: text.leak().as_bytes(),
        ..Extras::default()
    };
    let mut p = Pair::new();
    let call = p.invite(own(body(1, "sendrecv")));
    let peer = p.pick_up(own(body(2, "sendrecv")));
    let now = p.net.at();
    p.net.engine(A).reinvite(now, call, own(body(1, "sendonly"))).unwrap();
    p.net.engine(B).reinvite(now, peer, own(body(2, "inactive"))).unwrap();
    for _ in 0..100 {
        p.net.run(100);
        for (n, call) in [(A, call), (B, peer)] {
            if p.net.changes(n).last() == Some(&CallChange::Reinvite) {
                let now = p.net.at();
                let answer = own(body(n as u8 + 1, "recvonly"));
                let _ = p.net.engine(n).answer_call(now, call, answer);
                p.net.settle();
            }
        }
    }
    assert!(p.net.nodes[A].media.len() >= 3, "{}", p.net.nodes[A].media.len());
    assert_eq!(p.net.nodes[A].media.len(), p.net.nodes[B].media.len());
    p.hang_up(call);
}
