//! A call of one engine with a peer that is written out, in a state of its session.
#![allow(dead_code)]

use crate::net;
use crate::peer::{Bench, Out, param};
use crate::race;
use sansip::{Answer, CallHandle, Engine, Error, Event, Extras, Instant};

pub const GOOD: &str = "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 7000 RTP/AVP 0\r\n";

/// No codec of ours.
pub const BAD: &str = "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 7000 RTP/AVP 97\r\na=rtpmap:97 nothing/8000\r\n";

const CONTACT: &str =
    "Contact: <sip:alice@10.0.0.9>\r\nAllow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK\r\n";

pub fn own(text: &str) -> Extras<'_> {
    Extras { content_type: "application/sdp", body: text.as_bytes(), ..Extras::default() }
}

/// The call's media.
pub fn sound() -> Extras<'static> {
    Extras { media: Some(Box::leak(Box::new(race::media(0)))), ..Extras::default() }
}

pub fn labels(sent: &[Out]) -> Vec<String> {
    let label = |o: &Out| {
        let mut words = o.first_line().split(' ');
        match words.next() {
            Some("SIP/2.0") => format!("{} {}", words.next().unwrap_or(""), o.header("CSeq")),
            method => method.unwrap_or("").to_string(),
        }
    };
    sent.iter().map(label).collect()
}

fn with_body(message: &str, sdp: Option<&str>) -> String {
    let Some(sdp) = sdp else { return message.to_string() };
    let typed =
        format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    message.replace("Content-Length: 0\r\n\r\n", &typed)
}

pub struct Scene {
    pub b: Bench,
    pub call: CallHandle,
    /// The call has media of its own.
    pub media: bool,
    /// Of the peer's last request.
    pub cseq: u32,
    call_id: String,
    /// From and To of the peer's requests.
    from: String,
    to: String,
    /// Our INVITE, or our last request in the call.
    request: Option<Out>,
    rseq: String,
}

fn bench(asks: bool) -> Bench {
    let mut config = net::config(9);
    (config.roles.proxy, config.roles.registrar) = (false, false);
    (config.session_expires, config.ask_media) = (0, asks);
    Bench::new(config)
}

impl Scene {
    fn invited(sdp: Option<&str>, supported: &str) -> Self {
        let mut b = bench(false);
        let (from, to) = ("<sip:alice@example.com>;tag=at", "<sip:bob@example.com>");
        let invite = format!(
            "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n{CONTACT}{supported}Content-Length: 0\r\n\r\n"
        );
        b.ask(&with_body(&invite, sdp));
        Self {
            call: b.call(),
            b,
            media: true,
            cseq: 1,
            call_id: "c1".into(),
            from: from.into(),
            to: to.into(),
            request: None,
            rseq: String::new(),
        }
    }

    /// An INVITE has come, with an offer or without.
    pub fn called(offer: bool) -> Self {
        Self::invited(offer.then_some(GOOD), "Supported: 100rel\r\n")
    }

    /// From a caller that knows no reliable provisional responses.
    pub fn called_plainly() -> Self {
        Self::invited(Some(GOOD), "")
    }

    pub fn called_with(offer: &str) -> Self {
        Self::invited(Some(offer), "")
    }

    /// A call that stands; its application has given it media, or makes descriptions of its own.
    pub fn standing(media: bool) -> Self {
        let mut s = Self::invited(Some(GOOD), "");
        s.media = media;
        s.answer(if media { sound() } else { own(GOOD) });
        s.cseq = 0;
        s.send("ACK", None, "");
        s
    }

    fn placed(asks: bool, extras: Extras<'_>) -> Self {
        let mut b = bench(asks);
        let now = b.at();
        let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, extras).unwrap();
        let mut sent = b.drain();
        if sent.is_empty() {
            let (id, _) = b.media_asked.remove(0);
            b.engine.answer(now, id, Answer::NotFound).unwrap();
            sent = b.drain();
        }
        let invite = sent.remove(0);
        Self {
            b,
            call,
            media: !asks,
            cseq: 0,
            call_id: invite.header("Call-ID").to_string(),
            from: format!("{};tag=at", invite.header("To")),
            to: invite.header("From").to_string(),
            request: Some(invite),
            rseq: String::new(),
        }
    }

    /// Our INVITE is on its way, with an offer or without; the application is asked for the answer.
    pub fn calling(offer: bool) -> Self {
        if offer { Self::placed(false, sound()) } else { Self::calling_later() }
    }

    pub fn calling_later() -> Self {
        Self::placed(true, Extras::default())
    }

    /// The peer's response to our first request, or to our last one in the call.
    pub fn answers(&mut self, status: &str, more: &str, sdp: Option<&str>) {
        let request = self.request.clone().expect("a request");
        let more = format!("{CONTACT}{more}");
        let sent = self.b.ask(&with_body(&request.answer(status, "at", &more), sdp));
        for o in sent.iter().filter(|o| o.first_line().starts_with("PRACK")) {
            self.b.ask(&o.answer("200 OK", "", ""));
        }
    }

    /// The same to our last request.
    pub fn answers_last(&mut self, status: &str, more: &str, sdp: Option<&str>) {
        self.request = self
            .b
            .sent
            .iter()
            .rfind(|o| !o.text.starts_with("SIP") && !o.text.starts_with("ACK"))
            .cloned();
        self.answers(status, more, sdp);
    }

    pub fn verb(
        &mut self,
        verb: impl FnOnce(&mut Engine, Instant, CallHandle) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (now, call) = (self.b.at(), self.call);
        let done = verb(&mut self.b.engine, now, call);
        self.b.drain();
        done
    }

    /// What a verb sends.
    pub fn verb_sends(
        &mut self,
        verb: impl FnOnce(&mut Engine, Instant, CallHandle) -> Result<(), Error>,
    ) -> Vec<Out> {
        let n = self.b.sent.len();
        self.verb(verb).unwrap();
        self.b.sent[n..].to_vec()
    }

    fn tagged(&mut self, sent: &[Out]) {
        let Some(tag) = sent.iter().map(Out::to_tag).find(|t| !t.is_empty()) else { return };
        if param(&self.to, "tag").is_empty() {
            self.to = format!("{};tag={tag}", self.to);
        }
        if let Some(o) = sent.iter().find(|o| !o.header("RSeq").is_empty()) {
            self.rseq = o.header("RSeq").to_string();
        }
    }

    pub fn ring(&mut self, status: u16, extras: Extras<'_>) {
        let sent = self.verb_sends(|e, now, call| e.ring(now, call, status, extras));
        self.tagged(&sent);
    }

    pub fn answer(&mut self, extras: Extras<'_>) {
        let sent = self.verb_sends(|e, now, call| e.answer_call(now, call, extras));
        self.tagged(&sent);
    }

    /// A request of the peer's in the call, and what we send.
    pub fn send(&mut self, method: &str, sdp: Option<&str>, more: &str) -> Vec<Out> {
        self.cseq += 1;
        let (cseq, from, to, call_id) = (self.cseq, &self.from, &self.to, &self.call_id);
        let request = format!(
            "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{CONTACT}{more}Content-Length: 0\r\n\r\n"
        );
        self.b.ask(&with_body(&request, sdp))
    }

    pub fn prack_sends(&mut self, sdp: Option<&str>) -> Vec<Out> {
        let rack = format!("RAck: {} 1 INVITE\r\n", self.rseq);
        self.send("PRACK", sdp, &rack)
    }

    pub fn prack(&mut self, sdp: Option<&str>) {
        assert_eq!(labels(&self.prack_sends(sdp)), [format!("200 {} PRACK", self.cseq)]);
    }

    /// The application gives what it is asked for: a description of its own.
    pub fn say(&mut self) {
        let (id, _) = self.b.media_asked.remove(0);
        let now = self.b.at();
        self.b.engine.answer(now, id, Answer::Description(GOOD)).unwrap();
        let sent = self.b.drain();
        for o in sent.iter().filter(|o| o.first_line().starts_with("PRACK")) {
            self.b.ask(&o.answer("200 OK", "", ""));
        }
    }

    /// The same: its media. What is sent.
    pub fn say_media(&mut self) -> Vec<Out> {
        let (id, _) = self.b.media_asked.remove(0);
        let (now, media) = (self.b.at(), race::media(0));
        self.b.engine.answer(now, id, Answer::Media(&media)).unwrap();
        self.b.drain()
    }

    /// What the call has agreed on, as it was told.
    pub fn session(&self) -> Option<String> {
        self.b.media.last().cloned()
    }

    /// Everybody leaves, and nothing is left.
    pub fn end(&mut self) {
        let (now, call) = (self.b.at(), self.call);
        let _ = self.b.engine.hangup(now, call);
        self.b.drain();
        self.b.finish();
        let s = self.b.engine.stats();
        assert_eq!(s.blocks, s.lines, "{s:?}");
        let open = |e: &Event| matches!(e, Event::Call { call, .. } if *call == self.call);
        assert!(self.b.events.iter().any(open));
    }
}
