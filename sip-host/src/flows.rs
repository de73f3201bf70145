//! Documented call flows between engines on real UDP sockets.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use sansip::{Addr, Binding, Leaves, Limits, Retransmit, Roles, Transport};
use sansip_sim::chart::Chart;
use sansip_sim::director::Director;
use sansip_sim::flow::{Flow, Role};
use sansip_sim::judge::{Judgement, Recorded, Verdict};
use sansip_sim::ladder::Ladder;
use sansip_sim::literal::{DOMAIN, PhonePrompt, Prompt, aor, policy, user};
use sansip_sim::pcap;
use sansip_sim::phone::Phone;
use sansip_sim::score::Score;

use crate::actor::Actor;
use crate::driver::{Clock, Direction, Driver, OpenError, Setup, Tapped};
use crate::listen::Listen;
use crate::proxy::{Memory, Place, Proxy, Settings};

/// How long a flow may take.
const LONGEST: Duration = Duration::from_secs(20);

/// How long the parties stay after the last call has ended, to see what should not come.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// Between what a machine gets and what it sends. More than a proxy needs for its 100.
const MACHINE_MS: u64 = 10;

/// Between what a person notices and does.
const PERSON_MS: u64 = 400;

/// A message that a party sent, and whether it came to the other.
#[derive(Clone, Debug)]
struct Sent {
    /// Since the first message.
    time_ms: u64,
    from: Role,
    to: Option<Role>,
    bytes: Vec<u8>,
    arrived: bool,
}

/// The messages of a run, in the order in which they were sent.
#[derive(Debug, Default)]
struct Record {
    sent: Vec<Sent>,
    parties: Vec<(Role, Addr)>,
}

impl Record {
    fn role(&self, addr: Addr) -> Option<Role> {
        self.parties.iter().find(|(_, a)| *a == addr).map(|(role, _)| *role)
    }

    fn note(&mut self, own: Role, t: &Tapped<'_>) {
        let other = self.role(t.path.remote);
        match t.direction {
            Direction::Out { .. } => self.sent.push(Sent {
                time_ms: t.at.0,
                from: own,
                to: other,
                bytes: t.bytes.to_vec(),
                arrived: false,
            }),
            Direction::In => {
                let same = |s: &&mut Sent| {
                    !s.arrived && Some(s.from) == other && s.to == Some(own) && s.bytes == t.bytes
                };
                if let Some(sent) = self.sent.iter_mut().find(same) {
                    sent.arrived = true;
                }
            }
        }
    }
}

/// How a flow ran.
#[derive(Debug)]
pub struct Run {
    flow: &'static Flow,
    parties: Vec<(Role, Addr)>,
    sent: Vec<Sent>,
    judgement: Judgement,
    /// What a phone was told to do and could not.
    refused: Vec<String>,
}

impl Run {
    /// Whether it ran as documented, or as the RFCs require where the documents differ from them,
    /// and every message arrived.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.judgement.passed() && self.refused.is_empty() && self.sent.iter().all(|s| s.arrived)
    }

    /// The flow.
    #[must_use]
    pub const fn flow(&self) -> &'static Flow {
        self.flow
    }

    fn names(&self) -> Vec<String> {
        self.parties.iter().map(|(role, addr)| format!("{role} {addr}")).collect()
    }

    fn column(&self, role: Option<Role>) -> usize {
        let found = self.parties.iter().position(|(r, _)| Some(*r) == role);
        found.unwrap_or(self.parties.len())
    }

    fn ladder(&self) -> Ladder {
        let mut names = self.names();
        if self.sent.iter().any(|s| s.to.is_none()) {
            names.push("elsewhere".into());
        }
        let mut ladder = Ladder::new(names);
        for s in &self.sent {
            let (from, to) = (self.column(Some(s.from)), self.column(s.to));
            ladder.add_bytes(s.time_ms, from, to, &s.bytes, !s.arrived);
        }
        ladder
    }

    /// The run for a picture.
    #[must_use]
    pub fn chart(&self) -> Chart {
        let mut chart = Chart::new(self.names()).titled(self.flow.title);
        for s in &self.sent {
            let (from, to) = (self.column(Some(s.from)), self.column(s.to));
            chart.add(s.time_ms, from, to, &s.bytes, !s.arrived);
        }
        chart.with_whole_messages()
    }

    /// Writes its messages to a capture, from this millisecond on; when the last was sent.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_pcap<W: Write>(&self, out: &mut pcap::Writer<W>, begin: u64) -> io::Result<u64> {
        let address = |role: Role| {
            let found = self.parties.iter().find(|(r, _)| *r == role);
            found.map(|(_, addr)| addr.to_socket())
        };
        let mut last = begin;
        for s in &self.sent {
            last = begin + s.time_ms;
            if let Some((from, to)) = address(s.from).zip(s.to.and_then(address)) {
                out.udp(last * 1_000, from, to, &s.bytes)?;
            }
        }
        Ok(last)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.flow.name, self.flow.title)?;
        writeln!(f, "{}", self.ladder())?;
        for line in self.judgement.lines.iter().filter(|l| l.verdict != Verdict::Drawn) {
            writeln!(f, "{line}")?;
        }
        for why in &self.refused {
            writeln!(f, "refused: {why}")?;
        }
        let lost = self.sent.iter().filter(|s| !s.arrived).count();
        if lost > 0 {
            writeln!(f, "{lost} of the messages never arrived")?;
        }
        writeln!(f, "{}", self.judgement.summary())
    }
}

/// Why a flow could not be run.
#[derive(Debug)]
pub enum FlowError {
    /// A socket or an engine could not be made.
    Open(OpenError),
    /// A party has no socket.
    NoSocket,
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(why) => why.fmt(f),
            Self::NoSocket => f.write_str("a party has no socket"),
        }
    }
}

impl From<OpenError> for FlowError {
    fn from(why: OpenError) -> Self {
        Self::Open(why)
    }
}

/// Runs a flow on free ports of 127.0.0.1. Needs a tokio runtime.
///
/// # Errors
/// [`FlowError`].
pub async fn run(flow: &'static Flow) -> Result<Run, FlowError> {
    let clock = Clock::start();
    let mut stage = Stage::open(flow, clock)?;
    let refused = stage.play().await;
    let Stage { phones, proxy, record, .. } = stage;
    drop((phones, proxy));
    let mut record = record.take();
    let begin = record.sent.first().map_or(0, |s| s.time_ms);
    for s in &mut record.sent {
        s.time_ms = s.time_ms.saturating_sub(begin);
    }
    let recorded: Vec<Recorded<'_>> = record
        .sent
        .iter()
        .map(|s| Recorded {
            time_ms: s.time_ms,
            from: s.from,
            to: s.to.unwrap_or(s.from),
            bytes: &s.bytes,
        })
        .collect();
    let judgement = flow.judge(&recorded);
    Ok(Run { flow, parties: record.parties, sent: record.sent, judgement, refused })
}

/// The parties of a flow on their sockets.
struct Stage {
    clock: Clock,
    phones: Vec<(Role, Driver<Actor>)>,
    proxy: Driver<Proxy>,
    record: Rc<RefCell<Record>>,
    director: Director,
    /// The messages of the record that the director has heard.
    heard: usize,
    /// What the phones are told when all that is drawn has come.
    afterwards: Vec<(Role, &'static str)>,
}

impl Stage {
    fn open(flow: &'static Flow, clock: Clock) -> Result<Self, FlowError> {
        let mut proxy = open_proxy(clock)?;
        let at_proxy = proxy.addresses().first().map(|(_, a)| *a).ok_or(FlowError::NoSocket)?;
        let mut parties = vec![(Role::P, Addr::from(at_proxy))];
        let mut phones = Vec::new();
        for role in flow.users.iter().copied() {
            let phone = open_phone(clock, flow, role, at_proxy)?;
            let at = phone.addresses().first().map(|(_, a)| *a).ok_or(FlowError::NoSocket)?;
            let now = proxy.now();
            let contact = format!("sip:{}@{at}", user(role));
            proxy.app.bind(now, &aor(role), &binding(&contact));
            parties.push((role, at.into()));
            phones.push((role, phone));
        }
        // The columns: the proxy next to the first user.
        parties.swap(0, 1);
        let record = Rc::new(RefCell::new(Record { sent: Vec::new(), parties }));
        let tap = |role: Role| {
            let record = Rc::clone(&record);
            Box::new(move |t: &Tapped<'_>| record.borrow_mut().note(role, t))
        };
        proxy.tap(tap(Role::P));
        for (role, phone) in &mut phones {
            phone.tap(tap(*role));
        }
        let director = Director::new(flow).paced(MACHINE_MS, PERSON_MS);
        let afterwards = match flow.name {
            "conference" => vec![(Role::A, "resume 1")],
            _ => Vec::new(),
        };
        Ok(Self { clock, phones, proxy, record, director, heard: 0, afterwards })
    }

    /// Plays until all that is drawn has come, and a moment longer; the verbs that were refused.
    async fn play(&mut self) -> Vec<String> {
        let mut end = Box::pin(tokio::time::sleep(LONGEST));
        let mut turn = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut ending = false;
        poll_fn(|cx| {
            let _ = self.proxy.poll(cx);
            for (_, phone) in &mut self.phones {
                let _ = phone.poll(cx);
            }
            self.direct();
            if !ending && self.director.is_complete() {
                ending = true;
                for (role, verb) in std::mem::take(&mut self.afterwards) {
                    self.tell(role, verb);
                }
                end.as_mut().reset(tokio::time::Instant::now() + AFTERWARDS);
            }
            let asked = self.phones.iter().any(|(_, p)| p.app.is_asked());
            if asked {
                cx.waker().wake_by_ref();
            }
            if let Some(at) = self.director.next() {
                let left = at.saturating_sub(self.clock.now().0);
                turn.as_mut().reset(tokio::time::Instant::now() + Duration::from_millis(left));
                if turn.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
            }
            if end.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.phones.iter_mut().flat_map(|(_, p)| std::mem::take(&mut p.app.refused)).collect()
    }

    fn direct(&mut self) {
        let record = self.record.borrow();
        for s in record.sent.iter().skip(self.heard).take_while(|s| s.arrived) {
            self.director.hear(s.time_ms, s.from, s.to.unwrap_or(s.from), &s.bytes);
            self.heard += 1;
        }
        drop(record);
        let now = self.clock.now().0;
        let told = |score: &Score, role: Role, at: usize| PhonePrompt.verb(score, role, at);
        self.director.schedule(now, |score, role, at| told(score, role, at).is_some());
        while let Some(at) = self.director.pop(now) {
            let role = self.director.score().steps[at].from;
            if let Some(verb) = told(self.director.score(), role, at) {
                self.tell(role, &verb);
            }
        }
    }

    fn tell(&mut self, role: Role, verb: &str) {
        if let Some((_, phone)) = self.phones.iter_mut().find(|(r, _)| *r == role) {
            phone.app.tell(verb);
        }
    }
}

fn setup(clock: Clock) -> Setup {
    let limits = Limits { pool: 1 << 20, ..Limits::TESTER };
    let mut setup = Setup { clock, hold: true, ..Setup::new(limits) };
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    setup.listens.push(Listen {
        transport: Transport::Udp,
        address,
        text: "udp:127.0.0.1:0".into(),
    });
    setup.config.retransmit = Retransmit::Rfc;
    // A machine that stalls for half a second must not look like a network that loses messages.
    setup.config.t1 = 2_000;
    setup
}

fn open_proxy(clock: Clock) -> Result<Driver<Proxy>, OpenError> {
    let mut setup = setup(clock);
    setup.config.roles = Roles { ua: false, proxy: true, registrar: true };
    setup.config.domains = vec![DOMAIN.into()];
    // Who is transferred to is called by the Contact of the call (RFC 5589 7.1).
    let settings = Settings { relay: true, ..Settings::default() };
    Driver::open(setup, Proxy::new(Arc::new(settings), Place::Memory(Memory::default())))
}

fn open_phone(
    clock: Clock,
    flow: &Flow,
    role: Role,
    proxy: SocketAddr,
) -> Result<Driver<Actor>, OpenError> {
    let mut setup = setup(clock);
    setup.config.roles = Roles { ua: true, proxy: false, registrar: false };
    // As documented: the transferor leaves before the new call; where a NOTIFY is drawn, after it.
    let notified = flow.steps.iter().any(|s| s.what.method() == "NOTIFY");
    setup.config.transferor_leaves = if notified { Leaves::Never } else { Leaves::OnAccepted };
    let phone = Phone::new(&aor(role)).via(&format!("sip:{proxy};lr")).as_a_whole();
    Driver::open(setup, Actor::new(phone.by_policy(policy(flow.name, role))))
}

fn binding(uri: &str) -> Binding<'_> {
    Binding { uri, q: 1_000, expires: 3_600, call_id: "flow", cseq: 1, ..Binding::default() }
}
