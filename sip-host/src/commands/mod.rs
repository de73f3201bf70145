//! The commands: what they take, and running them.

pub mod flows;
pub mod inspect;
pub mod phone;
pub mod proxy;

use std::fmt::Display;
use std::path::PathBuf;

use clap::Args;
use sansip::Stats;
use serde_json::{Map, Value, json};

use crate::driver::{Driver, End, OpenError, Setup, Tls, TlsFiles};
use crate::listen::{Advertise, Listen, Usage, network};

/// Exit status: everything went as wanted.
pub const OK: u8 = 0;
/// Exit status: something did not.
pub const FAILED: u8 = 1;
/// Exit status: a wrong argument, or one that cannot be followed here.
pub const USAGE: u8 = 2;

/// Where to listen, and what every command with sockets takes.
#[derive(Args, Debug)]
pub struct SocketArgs {
    /// Where to listen: udp:ADDRESS[:PORT], or tcp, tls, ws, wss in place of udp. May be given
    /// several times; port 0 takes a free one, an IPv6 address goes in brackets
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT", required = true)]
    pub listen: Vec<String>,

    /// The host (and port) that others are told, in place of the address listened at
    #[arg(long, value_name = "HOST[:PORT]")]
    pub advertise: Option<String>,

    /// The certificate to show on tls and wss, followed by those that lead to its issuer (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// The issuers whose certificates are believed, in place of the system's (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// A network whose senders need not prove their address, such as 10.0.0.0/8. May be given
    /// several times
    #[arg(long, value_name = "NETWORK")]
    pub trust: Vec<String>,

    /// After Ctrl-C, or when all is done, wait at most this long until nothing at all is left (by
    /// default what only waits for repetitions is not waited for)
    #[arg(long, value_name = "MS")]
    pub drain: Option<u64>,
}

impl SocketArgs {
    /// Enters them into a setup.
    ///
    /// # Errors
    /// The first wrong argument.
    pub fn apply(&self, setup: &mut Setup) -> Result<(), Usage> {
        for text in &self.listen {
            setup.listens.push(Listen::parse(text)?);
        }
        setup.tls = self.tls(&setup.listens)?;
        setup.advertise = self.advertise.as_deref().map(Advertise::parse).transpose()?;
        for text in &self.trust {
            setup.config.trusted.push(network(text)?);
        }
        if let Some(ms) = self.drain {
            setup.drain = ms;
            setup.until_quiescent = true;
        }
        Ok(())
    }
}

impl SocketArgs {
    /// What TLS is made of, where a place to listen at needs it.
    fn tls(&self, listens: &[Listen]) -> Result<Option<Tls>, Usage> {
        let secure = listens.iter().find(|l| l.transport.is_secure());
        let files = TlsFiles {
            certificate: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            issuers: self.tls_ca.clone(),
        };
        let Some(secure) = secure else { return Ok(None) };
        if files.certificate.is_none() {
            let problem = "needs a certificate: give --tls-cert and --tls-key";
            return Err(Usage::new("--listen", &secure.text, problem));
        }
        Tls::load(&files).map(Some).map_err(|wrong| {
            let is = |file: &Option<PathBuf>| wrong.file.is_some() && wrong.file == *file;
            let argument = if is(&files.issuers) {
                "--tls-ca"
            } else if is(&files.key) {
                "--tls-key"
            } else {
                "--tls-cert"
            };
            let file = wrong.file.unwrap_or_default();
            Usage::new(argument, &file.display().to_string(), wrong.problem)
        })
    }
}

/// Prints what is wrong and gives the exit status of a usage error.
pub(crate) fn refuse(problem: &dyn Display) -> u8 {
    eprintln!("sansip: {problem}");
    USAGE
}

/// The runtime that a command runs on: one thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, OpenError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(OpenError::Runtime)
}

/// Runs a driver until it ends; the first Ctrl-C or SIGTERM begins to end it, a second ends it.
pub(crate) async fn run_until_signal<A: crate::app::App>(driver: &mut Driver<A>) -> End {
    let mut signals = Signals::new();
    std::future::poll_fn(|cx| {
        while signals.poll(cx).is_ready() {
            driver.stop();
        }
        driver.poll(cx)
    })
    .await
}

#[cfg(unix)]
struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // Without a handler the signal ends the process the system's way.
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Self(kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect())
    }

    fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        for signal in &mut self.0 {
            if signal.poll_recv(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
        }
        std::task::Poll::Pending
    }
}

#[cfg(not(unix))]
struct Signals(std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>>>>);

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self(Box::pin(tokio::signal::ctrl_c()))
    }

    fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let ready = self.0.as_mut().poll(cx).map(drop);
        if ready.is_ready() {
            *self = Self::new();
        }
        ready
    }
}

/// An engine's counts as fields of a JSON line.
pub(crate) fn add_stats(line: &mut Map<String, Value>, stats: &Stats) {
    for (name, count) in [
        ("calls", stats.calls),
        ("lines", stats.lines),
        ("dialogs", stats.dialogs),
        ("transactions", stats.transactions),
        ("attempts", stats.attempts),
        ("forks", stats.forks),
        ("timers", stats.timers),
        ("queries", stats.queries),
        ("flows", stats.flows),
        ("outputs", stats.outputs),
        ("blocks", stats.blocks),
        ("pool_bytes", stats.pool_bytes),
    ] {
        line.insert(name.into(), json!(count));
    }
    line.insert("received".into(), json!(stats.received));
    line.insert("ignored".into(), json!(stats.ignored));
    line.insert("refused_full".into(), json!(stats.refused_full));
}

/// A JSON line of an engine's counts.
pub(crate) fn stats_line<A: crate::app::App>(
    event: &str,
    driver: &Driver<A>,
) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("event".into(), json!(event));
    line.insert("at".into(), json!(driver.now().0));
    add_stats(&mut line, &driver.engine.stats());
    line.insert("dropped".into(), json!(driver.dropped));
    line
}
