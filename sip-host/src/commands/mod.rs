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
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

use crate::driver::{Driver, End, OpenError, Setup, Tls, TlsFiles};
use crate::listen::{Advertise, Listen, Usage, name_server, network};

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
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT")]
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

    /// The name server to ask in place of the system's
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub dns: Option<String>,

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
        setup.listens = self.listens()?;
        if setup.listens.is_empty() {
            return Err(Usage::new("--listen", "", NOWHERE));
        }
        setup.dns = self.dns.as_deref().map(name_server).transpose()?;
        setup.tls = tls_for(&self.files(), &setup.listens)?;
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

/// What is said where no place to listen at is given.
pub(crate) const NOWHERE: &str = "say where to listen: --listen udp:127.0.0.1:5060";

impl SocketArgs {
    /// The places to listen at.
    ///
    /// # Errors
    /// The first wrong one.
    pub(crate) fn listens(&self) -> Result<Vec<Listen>, Usage> {
        self.listen.iter().map(|text| Listen::parse(text)).collect()
    }

    /// The files of TLS.
    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            issuers: self.tls_ca.clone(),
        }
    }
}

/// What TLS is made of, where a place to listen at needs it.
///
/// # Errors
/// What it needs and does not have.
pub(crate) fn tls_for(files: &TlsFiles, listens: &[Listen]) -> Result<Option<Tls>, Usage> {
    let Some(secure) = listens.iter().find(|l| l.transport.is_secure()) else { return Ok(None) };
    if files.certificate.is_none() {
        let problem = "needs a certificate: give --tls-cert and --tls-key";
        return Err(Usage::new("--listen", &secure.text, problem));
    }
    Tls::load(files).map(Some).map_err(|wrong| {
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
    let mut signals = Signals::stop();
    std::future::poll_fn(|cx| {
        while signals.poll(cx).is_ready() {
            driver.stop();
        }
        driver.poll(cx)
    })
    .await
}

/// Signals of the system.
#[cfg(unix)]
pub(crate) struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    /// Ctrl-C and SIGTERM.
    pub(crate) fn stop() -> Self {
        Self::of(&[SignalKind::interrupt(), SignalKind::terminate()])
    }

    /// SIGHUP.
    pub(crate) fn reload() -> Self {
        Self::of(&[SignalKind::hangup()])
    }

    fn of(kinds: &[SignalKind]) -> Self {
        // Without a handler the signal ends the process the system's way.
        Self(kinds.iter().filter_map(|kind| signal(*kind).ok()).collect())
    }

    pub(crate) fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        for signal in &mut self.0 {
            if signal.poll_recv(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
        }
        std::task::Poll::Pending
    }
}

#[cfg(not(unix))]
pub(crate) struct Signals(std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>>>>);

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn stop() -> Self {
        Self(Box::pin(tokio::signal::ctrl_c()))
    }

    pub(crate) fn reload() -> Self {
        Self(Box::pin(std::future::pending()))
    }

    pub(crate) fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let ready = self.0.as_mut().poll(cx).map(drop);
        if ready.is_ready() {
            *self = Self::stop();
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

/// A JSON line of these counts.
pub(crate) fn counts_line(event: &str, at: u64, stats: &Stats, dropped: u64) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("event".into(), json!(event));
    line.insert("at".into(), json!(at));
    add_stats(&mut line, stats);
    line.insert("dropped".into(), json!(dropped));
    line
}

/// A JSON line of an engine's counts.
pub(crate) fn stats_line<A: crate::app::App>(
    event: &str,
    driver: &Driver<A>,
) -> Map<String, Value> {
    counts_line(event, driver.now().0, &driver.engine.stats(), driver.dropped)
}
