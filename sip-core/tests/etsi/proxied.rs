//! A request that goes through the proxy under test: the tester on both sides of it.

use sansip::FlowId;

use crate::hop::{Hop, Sent, config, response};
use crate::iut::Ask;
use crate::server::{BOB, BOUND, DEVICE, TESTER, invite};
use sansip::Limits;

/// The proxy, what was asked, and what became of it.
pub struct Proxied {
    pub hop: Hop,
    pub ask: Ask,
    pub forwarded: Sent,
    /// The connections of the tester and the device, where they have any.
    flows: Option<(FlowId, FlowId)>,
}

impl Proxied {
    /// The INVITE, over UDP on both sides.
    pub fn invite() -> Self {
        Self::ask(invite())
    }

    /// A request over UDP on both sides.
    pub fn ask(ask: Ask) -> Self {
        let mut hop = Hop::with(config(), &Limits::TESTER);
        hop.bind(BOB, BOUND);
        hop.receive(TESTER, &ask.text());
        let forwarded = hop.only();
        assert_eq!((forwarded.to, forwarded.start()), (DEVICE, ask.method));
        Self { hop, ask, forwarded, flows: None }
    }

    /// A request over TCP on both sides.
    pub fn tcp(mut ask: Ask) -> Self {
        let mut hop = Hop::new();
        hop.tcp();
        hop.bind(BOB, &format!("{BOUND};transport=tcp"));
        let flow = hop.open(TESTER, true);
        ask.via = ask.via.replace("UDP", "TCP");
        hop.receive_flow(flow, &ask.text());
        let forwarded = hop.only();
        let device = forwarded.flow.unwrap();
        Self { hop, ask, forwarded, flows: Some((flow, device)) }
    }

    /// An INVITE, over UDP or TCP.
    pub fn by(tcp: bool) -> Self {
        if tcp { Self::tcp(invite()) } else { Self::invite() }
    }

    /// The tester says something else; what comes of it.
    pub fn say(&mut self, ask: &Ask) -> Vec<Sent> {
        match self.flows {
            None => {
                self.hop.receive(TESTER, &ask.text());
            }
            Some((flow, _)) => self.hop.receive_flow(flow, &ask.text()),
        }
        self.hop.take()
    }

    /// The device answers; what comes of it.
    pub fn device(&mut self, text: &str) -> Vec<Sent> {
        match self.flows {
            None => {
                self.hop.receive(DEVICE, text);
            }
            Some((_, flow)) => self.hop.receive_flow(flow, text),
        }
        self.hop.take()
    }

    /// The device's response to the forwarded request.
    pub fn reply(&mut self, status: u16) -> Vec<Sent> {
        let text = response(&self.forwarded, status, "bt", "Contact: <sip:bob@10.0.0.2>\r\n");
        self.device(&text)
    }

    /// The tester refused: the proxy's response to it.
    pub fn refuse(&mut self, status: u16) -> Sent {
        let mut sent = self.reply(status);
        let last = sent.pop().unwrap();
        assert_eq!((last.to, last.start()), (TESTER, &*status.to_string()));
        last
    }

    /// The tester's ACK of that.
    pub fn ack(&mut self, refusal: &Sent) -> Vec<Sent> {
        let ack = self.ack_of(refusal);
        self.say(&ack)
    }

    pub fn ack_of(&self, refusal: &Sent) -> Ask {
        let to = refusal.one("To").into();
        Ask { method: "ACK", to, more: String::new(), body: String::new(), ..self.ask.clone() }
    }

    /// Lets so many milliseconds pass; what is sent, and when.
    pub fn watch(&mut self, ms: u64) -> Vec<(u64, Sent)> {
        let (start, end) = (self.hop.now, self.hop.now + ms);
        let mut sent = Vec::new();
        loop {
            let next = self.hop.engine.next_timeout().map_or(end, |t| t.0.max(self.hop.now));
            self.hop.run(next.min(end) - self.hop.now);
            let passed = self.hop.now - start;
            sent.extend(self.hop.take().into_iter().map(|s| (passed, s)));
            if next >= end {
                return sent;
            }
        }
    }

    /// When it sends this within so many milliseconds: `INVITE`, or a status.
    pub fn times(&mut self, label: &str, ms: u64) -> Vec<u64> {
        let sent = self.watch(ms);
        sent.iter().filter(|(_, s)| s.start() == label).map(|(at, _)| *at).collect()
    }

    pub fn is_over(&self) -> bool {
        self.hop.engine.is_quiescent()
    }
}

/// `9 200`, and so on.
pub fn labels(sent: &[Sent]) -> Vec<String> {
    sent.iter().map(Sent::label).collect()
}

/// A request other than an INVITE.
pub fn message() -> Ask {
    Ask { uri: BOB.into(), ..Ask::new("MESSAGE") }
}
