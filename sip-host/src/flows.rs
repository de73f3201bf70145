//! Documented call flows between three engines on real UDP sockets.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use sansip::{Addr, Binding, Limits, Retransmit, Roles, Transport};
use sansip_sim::chart::Chart;
use sansip_sim::flow::{Flow, Role};
use sansip_sim::judge::{Judgement, Recorded, Verdict};
use sansip_sim::ladder::Ladder;
use sansip_sim::pcap;

use crate::driver::{Clock, Direction, Driver, OpenError, Setup, Tapped};
use crate::listen::Listen;
use crate::phone::{Phone, Plan, Reaction};
use crate::proxy::Proxy;
use crate::report::Report;

/// How long a flow may take.
const LONGEST: Duration = Duration::from_secs(20);

/// How long the parties stay after the last call has ended, to see what should not come.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// The domain of the users.
const DOMAIN: &str = "example.com";

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
}

impl Run {
    /// Whether it ran as documented, or as the RFCs require where the documents differ from them,
    /// and every message arrived.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.judgement.passed() && self.sent.iter().all(|s| s.arrived)
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
    /// It cannot be run yet.
    NotBuilt,
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
    let mut proxy = open_proxy(clock)?;
    let next = proxy.addresses().first().map(|(_, a)| *a).ok_or(FlowError::NotBuilt)?;
    let (plan_a, plan_b) = plans(flow.name, next).ok_or(FlowError::NotBuilt)?;
    let mut a = open_phone(clock, plan_a)?;
    let mut b = open_phone(clock, plan_b)?;
    let address = |d: &[(Transport, SocketAddr)]| d.first().map(|(_, a)| *a);
    let (Some(at_a), Some(at_b)) = (address(a.addresses()), address(b.addresses())) else {
        return Err(FlowError::NotBuilt);
    };
    let now = proxy.now();
    proxy.app.bind(now, &format!("sip:alice@{DOMAIN}"), &binding(&format!("sip:alice@{at_a}")));
    proxy.app.bind(now, &format!("sip:bob@{DOMAIN}"), &binding(&format!("sip:bob@{at_b}")));
    let parties = vec![(Role::A, at_a.into()), (Role::P, next.into()), (Role::B, at_b.into())];
    let record = Rc::new(RefCell::new(Record { sent: Vec::new(), parties }));
    let tap = |role: Role| {
        let record = Rc::clone(&record);
        Box::new(move |t: &Tapped<'_>| record.borrow_mut().note(role, t))
    };
    a.tap(tap(Role::A));
    b.tap(tap(Role::B));
    proxy.tap(tap(Role::P));
    together(&mut a, &mut b, &mut proxy).await;
    drop((a, b, proxy));
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
    let judgement = flow.judge(&recorded).ok_or(FlowError::NotBuilt)?;
    Ok(Run { flow, parties: record.parties, sent: record.sent, judgement })
}

/// Polls all three until both phones have had their call, and a moment longer.
async fn together(a: &mut Driver<Phone>, b: &mut Driver<Phone>, p: &mut Driver<Proxy>) {
    let mut end = Box::pin(tokio::time::sleep(LONGEST));
    let mut ending = false;
    poll_fn(|cx| {
        let _ = (a.poll(cx), b.poll(cx), p.poll(cx));
        if !ending && a.app.has_ended() && b.app.has_ended() {
            ending = true;
            end.as_mut().reset(tokio::time::Instant::now() + AFTERWARDS);
        }
        if end.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
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
    Driver::open(setup, Proxy::new(Vec::new(), false))
}

fn open_phone(clock: Clock, plan: Plan) -> Result<Driver<Phone>, OpenError> {
    let mut setup = setup(clock);
    setup.config.roles = Roles { ua: true, proxy: false, registrar: false };
    Driver::open(setup, Phone::new(plan, Report::quiet()))
}

fn binding(uri: &str) -> Binding<'_> {
    Binding { uri, params: "", q: 1_000, expires: 3_600, call_id: "flow", cseq: 1 }
}

/// What the caller and the callee do; `None` for a flow that cannot be run yet.
fn plans(name: &str, proxy: SocketAddr) -> Option<(Plan, Plan)> {
    let plan = |user: &str| Plan {
        aor: format!("sip:{user}@{DOMAIN}"),
        proxy: format!("sip:{proxy};lr"),
        calls: Some(1),
        ..Plan::default()
    };
    let a = Plan { target: Some(format!("sip:bob@{DOMAIN}")), ..plan("alice") };
    // Each pause is longer than the 200 ms in which a callee need not say 100 (RFC 3261 17.2.1).
    let b = plan("bob");
    Some(match name {
        "setup_disconnect" => {
            (a, Plan { ring: Some(300), after: 900, hangup_after: Some(600), ..b })
        }
        "called_busy" => (a, Plan { reaction: Reaction::Refuse(486), after: 300, ..b }),
        "no_answer" => {
            let a = Plan { cancel_after: Some(900), ..a };
            (a, Plan { reaction: Reaction::Ring(180), ..b })
        }
        _ => return None,
    })
}
