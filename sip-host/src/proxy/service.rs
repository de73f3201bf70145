//! The engines of a proxy, each on a thread of its own, and what is done with them together.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use sansip::{Config, Stats, Transport};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::capture::Capture;
use super::plan::{Plan, Problem};
use super::{Memory, Proxy};
use crate::commands::runtime;
use crate::driver::{Clock, Driver, End, OpenError, Order, Setup};
use crate::listen::Usage;

/// Counts of all engines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// The engines' own.
    pub stats: Stats,
    /// Calls that stand, where they are counted.
    pub standing: usize,
    /// Messages that the busiest engine has received.
    pub received_most: u64,
    /// Datagrams that found no room.
    pub dropped: u64,
    /// Addresses of record with a binding in memory.
    pub registered: usize,
    /// How often Redis did not answer.
    pub store_failures: u64,
    /// How many engines these are of.
    pub engines: usize,
}

impl Counts {
    fn of(driver: &Driver<Proxy>) -> Self {
        Self {
            stats: driver.engine.stats(),
            standing: driver.standing(),
            received_most: driver.engine.stats().received,
            dropped: driver.dropped,
            registered: driver.app.registered(driver.now()),
            store_failures: driver.app.store_failures(),
            engines: 1,
        }
    }

    /// All engines know of all connections and share the bindings in memory.
    fn add(&mut self, other: Self) {
        let flows = self.stats.flows.max(other.stats.flows);
        self.stats += other.stats;
        self.stats.flows = flows;
        self.standing += other.standing;
        self.received_most = self.received_most.max(other.received_most);
        self.dropped += other.dropped;
        self.registered = self.registered.max(other.registered);
        self.store_failures += other.store_failures;
        self.engines += other.engines;
    }
}

/// Why a service could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A socket or an engine.
    Open(OpenError),
    /// What was asked for.
    Problem(Problem),
    /// A thread.
    Thread(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(why) => why.fmt(f),
            Self::Problem(why) => why.fmt(f),
            Self::Thread(why) => write!(f, "a thread could not be made: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

type Addresses = Vec<(Transport, SocketAddr)>;

/// What an engine's thread is given.
struct Brief {
    setup: Setup,
    app: Proxy,
    capture: Option<Capture>,
    opened: oneshot::Sender<Result<Addresses, OpenError>>,
    orders: UnboundedReceiver<Order<Proxy>>,
    ended: UnboundedSender<(End, Counts)>,
}

/// What has the engines of a proxy do something.
#[derive(Clone, Default)]
pub struct Engines(Vec<UnboundedSender<Order<Proxy>>>);

impl Engines {
    /// Has every engine do something.
    fn order(&self, order: impl Fn() -> Order<Proxy>) {
        for orders in &self.0 {
            // One that has ended obeys no more.
            let _ = orders.send(order());
        }
    }

    /// The counts of all engines.
    pub async fn counts(&self) -> Counts {
        let (sender, mut receiver) = unbounded_channel();
        self.order(|| {
            let sender = sender.clone();
            Box::new(move |driver| {
                let _ = sender.send(Counts::of(driver));
            })
        });
        drop(sender);
        let mut sum = Counts::default();
        while let Some(counts) = receiver.recv().await {
            sum.add(counts);
        }
        sum
    }
}

/// The engines of a proxy.
pub struct Service {
    engines: Engines,
    threads: Vec<JoinHandle<()>>,
    ended: UnboundedReceiver<(End, Counts)>,
    /// Engines that have not ended.
    left: usize,
    /// How those have ended that have.
    end: End,
    last: Counts,
    addresses: Addresses,
    clock: Clock,
}

impl Service {
    /// Starts the engines. They all listen at the same addresses.
    ///
    /// # Errors
    /// [`StartError`]; what was started ends.
    pub async fn start(plan: &Plan) -> Result<Self, StartError> {
        let clock = Clock::start();
        let memory = Memory::default();
        let capture = match &plan.fixed.capture {
            Some(path) => Some(Capture::create(path).map_err(|why| {
                let usage = Usage::new("--capture", &path.display().to_string(), why.to_string());
                StartError::Problem(usage.into())
            })?),
            None => None,
        };
        let random = || {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map(|()| secret)
        };
        let secret = random().map_err(|e| StartError::Open(OpenError::Random(e)))?;
        let shared = match plan.fixed.cluster_key {
            Some(key) => key,
            None => random().map_err(|e| StartError::Open(OpenError::Random(e)))?,
        };
        let (ends, ended) = unbounded_channel();
        let mut this = Self {
            engines: Engines::default(),
            threads: Vec::new(),
            ended,
            left: 0,
            end: End::Quiet,
            last: Counts::default(),
            addresses: Vec::new(),
            clock,
        };
        let mut listens = plan.fixed.listens.clone();
        let seats = plan.seats(secret.first_chunk().copied().unwrap_or_default());
        for seat in seats {
            let mut setup = plan.setup(seat, clock, listens.clone());
            setup.config.cluster_key = shared;
            let place = plan.place(&memory).map_err(StartError::Problem)?;
            let app = Proxy::new(plan.settings.clone(), place);
            let (opened, is_open) = oneshot::channel();
            let (sender, orders) = unbounded_channel();
            let capture = capture.clone();
            let brief = Brief { setup, app, capture, opened, orders, ended: ends.clone() };
            let thread = std::thread::Builder::new().name(format!("engine-{}", this.threads.len()));
            let thread = thread.spawn(move || work(brief)).map_err(StartError::Thread)?;
            this.threads.push(thread);
            let addresses = match is_open.await {
                Ok(opened) => opened.map_err(StartError::Open)?,
                Err(_) => return Err(StartError::Thread(std::io::ErrorKind::BrokenPipe.into())),
            };
            // Those that follow take the ports that the first was given.
            for (listen, (_, address)) in listens.iter_mut().zip(&addresses) {
                listen.address = *address;
            }
            this.addresses = addresses;
            this.engines.0.push(sender);
            this.left += 1;
        }
        Ok(this)
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[(Transport, SocketAddr)] {
        &self.addresses
    }

    /// The engines, to have them do something.
    #[must_use]
    pub const fn engines(&self) -> &Engines {
        &self.engines
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.clock.now().0
    }

    /// Begins to end all; a second time ends at once.
    pub fn stop(&self) {
        self.engines.order(|| Box::new(Driver::stop));
    }

    /// Puts other settings in place of all, without a word to those who call.
    pub fn reload(&self, plan: &Plan) {
        self.engines.order(|| {
            let (settings, config): (_, Config) = (plan.settings.clone(), plan.config.clone());
            let tls = plan.tls.clone();
            Box::new(move |driver| {
                let now = driver.now();
                // What the engine would refuse was refused when it was read.
                let _ = driver.engine.set_config(now, config);
                driver.app.set(settings);
                driver.certify(tls);
            })
        });
    }

    /// Waits until all engines have ended: whether all were quiet, and their last counts.
    pub async fn ended(&mut self) -> (End, Counts) {
        while self.left > 0 {
            let Some((how, counts)) = self.ended.recv().await else { break };
            self.left -= 1;
            if how == End::Late {
                self.end = how;
            }
            self.last.add(counts);
        }
        (self.end, self.last)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Twice: whatever is left.
        self.stop();
        self.stop();
        self.engines.0.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One engine's thread.
fn work(brief: Brief) {
    let Brief { setup, app, capture, opened, orders, ended } = brief;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => {
            let _ = opened.send(Err(why));
            return;
        }
    };
    runtime.block_on(async {
        let mut driver = match Driver::open(setup, app) {
            Ok(driver) => driver,
            Err(why) => {
                let _ = opened.send(Err(why));
                return;
            }
        };
        driver.obey(orders);
        if let Some(capture) = capture {
            driver.tap(capture.tap(driver.addresses()));
        }
        if opened.send(Ok(driver.addresses().to_vec())).is_err() {
            return;
        }
        let end = poll_fn(|cx| driver.poll(cx)).await;
        let _ = ended.send((end, Counts::of(&driver)));
    });
}
