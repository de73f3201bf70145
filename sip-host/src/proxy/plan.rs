//! What the proxy is to do: the arguments and the file together, checked.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use sansip::shard::Shards;
use sansip::{Challenge, Challenged, Config, Limits, Roles};

use super::file::{self, File, Wrong, metrics};
use super::log::Log;
use super::remote::Remote;
use super::routes::Route;
use super::{Memory, Place, Settings};
use crate::commands::NOWHERE;
use crate::commands::proxy::ProxyArgs;
use crate::driver::{Clock, Seat, Setup, Tls};
use crate::listen::{Advertise, Listen, Usage, name_server, network};
use crate::users::Users;

/// Requests at once where nothing is said.
const REQUESTS: usize = 20_000;

/// What cannot be followed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// An argument.
    Usage(Usage),
    /// The file.
    File(Wrong),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(why) => why.fmt(f),
            Self::File(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Problem {}

impl From<Usage> for Problem {
    fn from(why: Usage) -> Self {
        Self::Usage(why)
    }
}

/// What can be changed only by starting anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fixed {
    /// Where to listen.
    pub listens: Vec<Listen>,
    /// What others are told.
    pub advertise: Option<Advertise>,
    /// The name server, if not the system's.
    pub dns: Option<SocketAddr>,
    /// How many engines.
    pub workers: u8,
    /// Requests at once.
    pub requests: usize,
    /// Where the bindings are.
    pub store: Option<String>,
    /// The secret that the machines of one service share.
    pub cluster_key: Option<[u8; 32]>,
    /// Where metrics are shown.
    pub metrics: Option<SocketAddr>,
    /// Where messages are written.
    pub capture: Option<PathBuf>,
}

/// What the proxy is to do.
#[derive(Debug)]
pub struct Plan {
    /// What stays.
    pub fixed: Fixed,
    /// What TLS is made of.
    pub tls: Option<Tls>,
    /// The engines' configuration, what differs between them apart.
    pub config: Config,
    /// What the application does.
    pub settings: Arc<Settings>,
    /// How long ending may take, in milliseconds.
    pub drain: Option<u64>,
    /// What is logged.
    pub log: Log,
}

fn limits(requests: usize) -> Limits {
    Limits {
        lines: 1,
        calls: 1,
        calls_in: 1,
        dialogs: 1,
        // A forwarded call takes three transactions and the wait of timers D and I after them.
        transactions: requests * 6,
        attempts: requests * 2,
        forks: requests * 2,
        queries: requests,
        pool: (requests * 12_000).max(16 << 20),
        ..Limits::SERVER
    }
}

fn in_range(name: &'static str, value: Option<usize>, most: usize) -> Result<(), Usage> {
    match value.filter(|n| *n == 0 || *n > most) {
        Some(n) => Err(Usage::new(name, &n.to_string(), format!("not from 1 to {most}"))),
        None => Ok(()),
    }
}

impl Plan {
    /// Reads the file, if there is one, and puts the arguments with it: lists are joined, and of
    /// single values the argument counts.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn of(args: &ProxyArgs) -> Result<Self, Problem> {
        let file = match &args.config {
            Some(path) => File::read(path).map_err(Problem::File)?,
            None => File::default(),
        };
        let fixed = fixed(args, &file)?;
        let mut routes = Vec::new();
        for text in &args.route {
            routes.push(Route::parse(text)?);
        }
        routes.extend(file.routes.iter().cloned());
        let users = args.users.as_ref().or(file.users.as_ref());
        let users = users.map(|path| Users::read(path)).transpose()?;
        let relay = !args.no_relay && file.relay.unwrap_or(true);
        Ok(Self {
            tls: tls(args, &file, &fixed.listens)?,
            config: config(args, &file, users.as_ref())?,
            settings: Arc::new(Settings { routes, trunks: file.trunks, relay, users }),
            drain: args.sockets.drain.or(file.drain),
            log: args.log.as_deref().map(Log::parse).transpose()?.or(file.log).unwrap_or_default(),
            fixed,
        })
    }

    /// The place of the bindings, for one engine.
    ///
    /// # Errors
    /// What is wrong with the URL of Redis.
    pub fn place(&self, memory: &Memory) -> Result<Place, Problem> {
        let Some(url) = &self.fixed.store else { return Ok(Place::Memory(memory.clone())) };
        let remote = Remote::new(url).map_err(|why| Usage::new("--store", url, why))?;
        Ok(Place::Remote(Box::new(remote)))
    }

    /// The seats of the engines; a single one needs none.
    #[must_use]
    pub fn seats(&self, secret: [u8; 16]) -> Vec<Option<Seat>> {
        match self.fixed.workers {
            1 => vec![None],
            n => Seat::all(Shards::new(secret, n)).into_iter().map(Some).collect(),
        }
    }

    /// The setup of the engine of this seat, which listens at these addresses.
    #[must_use]
    pub fn setup(&self, seat: Option<Seat>, clock: Clock, listens: Vec<Listen>) -> Setup {
        let mut setup = Setup::new(limits(self.fixed.requests.div_ceil(self.workers())));
        let number = seat.as_ref().map_or(0, Seat::number);
        setup.config = Config { tag: number, shard: number, ..self.config.clone() };
        setup.advertise.clone_from(&self.fixed.advertise);
        setup.tls.clone_from(&self.tls);
        setup.dns = self.fixed.dns;
        setup.listens = listens;
        setup.clock = clock;
        setup.counts_calls = self.config.record_route && self.fixed.metrics.is_some();
        setup.seat = seat;
        if let Some(ms) = self.drain {
            setup.drain = ms;
            setup.until_quiescent = true;
            setup.counts_calls = self.config.record_route;
        }
        setup
    }

    fn workers(&self) -> usize {
        usize::from(self.fixed.workers)
    }
}

fn fixed(args: &ProxyArgs, file: &File) -> Result<Fixed, Problem> {
    in_range("--requests", args.requests, 1_000_000)?;
    in_range("--workers", args.workers, 64)?;
    let mut listens = args.sockets.listens()?;
    listens.extend(file.listens.iter().cloned());
    if listens.is_empty() {
        return Err(Usage::new("--listen", "", NOWHERE).into());
    }
    let advertise = args.sockets.advertise.as_deref().map(Advertise::parse).transpose()?;
    let key = args.cluster_key.as_deref().map(file::cluster_key).transpose()?;
    let store = args.store.clone().or_else(|| file.store.clone()).filter(|s| s != "memory");
    if let Some(url) = &store {
        Remote::new(url).map_err(|why| Usage::new("--store", url, why))?;
    }
    let workers = args.workers.or(file.workers).unwrap_or(1);
    Ok(Fixed {
        listens,
        dns: args.sockets.dns.as_deref().map(name_server).transpose()?.or(file.dns),
        advertise: advertise.or_else(|| file.advertise.clone()),
        workers: u8::try_from(workers).unwrap_or(64),
        requests: args.requests.or(file.requests).unwrap_or(REQUESTS),
        store,
        cluster_key: key.or(file.cluster_key),
        metrics: args.metrics.as_deref().map(metrics).transpose()?.or(file.metrics),
        capture: args.capture.clone().or_else(|| file.capture.clone()),
    })
}

fn tls(args: &ProxyArgs, file: &File, listens: &[Listen]) -> Result<Option<Tls>, Problem> {
    let mut files = args.sockets.files();
    let theirs = file.tls.clone();
    if files.certificate.is_none() && files.key.is_none() {
        (files.certificate, files.key) = (theirs.certificate, theirs.key);
    }
    files.issuers = files.issuers.or(theirs.issuers);
    crate::commands::tls_for(&files, listens).map_err(Problem::Usage)
}

fn config(args: &ProxyArgs, file: &File, users: Option<&Users>) -> Result<Config, Problem> {
    let mut config = Config::new([0; 32]);
    for name in &args.domain {
        config.domains.push(file::domain(name)?);
    }
    config.domains.extend(file.domains.iter().cloned());
    for text in &args.sockets.trust {
        config.trusted.push(network(text)?);
    }
    config.trusted.extend(file.trust.iter().copied());
    config.roles = Roles { ua: false, proxy: true, registrar: true };
    config.record_route = !args.no_record_route && file.record_route.unwrap_or(true);
    config.product = concat!("sansip/", env!("CARGO_PKG_VERSION")).into();
    let [min, default, max] = file.expires;
    config.min_expires = min.unwrap_or(config.min_expires);
    config.default_expires = default.unwrap_or(config.default_expires);
    config.max_expires = max.unwrap_or(config.max_expires);
    config.max_bindings = file.max_bindings.unwrap_or(config.max_bindings);
    config.forking = file.forking;
    config.edge = file.edge.clone();
    if let Some(users) = users {
        config.challenge = Challenge {
            methods: Challenged::Calls,
            realm: users.realm().to_owned(),
            algorithms: users.algorithms(),
            integrity: true,
            ..config.challenge
        };
    }
    Ok(config)
}
