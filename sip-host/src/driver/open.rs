//! Binding the sockets and making the engine.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sansip::{Config, Engine, Error, Instant, Limits, Local, LocalId, Transport};

use super::net::{Net, Parts};
use super::standing::Standing;
use super::{BUFFER, Clock, Driver, Place, Seat, Tls};
use crate::app::App;
use crate::listen::{Advertise, Listen, host_text, outward};

/// What a driver is made of.
#[derive(Debug)]
pub struct Setup {
    /// Where it listens, in order of preference.
    pub listens: Vec<Listen>,
    /// What others are told in place of the bound addresses.
    pub advertise: Option<Advertise>,
    /// What TLS is made of, where a place to listen at needs it.
    pub tls: Option<Tls>,
    /// The name server that is asked, if not those of the system.
    pub dns: Option<SocketAddr>,
    /// Its place among other engines, which listen at the same addresses.
    pub seat: Option<Seat>,
    /// The engine's configuration; its seed is drawn by [`Driver::open`], and its cluster key where
    /// there is none.
    pub config: Config,
    /// The engine's limits.
    pub limits: Limits,
    /// Bytes that may wait to be written to one connection.
    pub write_bound: usize,
    /// How long ending may take, in milliseconds.
    pub drain: u64,
    /// Whether ending waits, within that time, until the engine holds nothing at all; else only
    /// until it has nothing more to say, leaving what absorbs repetitions.
    pub until_quiescent: bool,
    /// Whether the calls of others that it forwards are counted, and waited for when it ends.
    pub counts_calls: bool,
    /// Whether it goes on when its application is done.
    pub hold: bool,
    /// Where the engine's time begins.
    pub clock: Clock,
}

impl Setup {
    /// The defaults: listens nowhere yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            listens: Vec::new(),
            advertise: None,
            tls: None,
            dns: None,
            seat: None,
            config: Config::new([0; 32]),
            limits,
            write_bound: 1 << 20,
            drain: 5_000,
            until_quiescent: false,
            counts_calls: false,
            hold: false,
            clock: Clock::start(),
        }
    }
}

/// Why a driver could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// A socket could not be bound.
    Bind {
        /// The argument.
        listen: String,
        /// Why.
        why: io::Error,
    },
    /// The engine refused its configuration or its limits.
    Engine(Error),
    /// The system gives no random bytes.
    Random(getrandom::Error),
    /// The runtime that waits for the sockets could not be made.
    Runtime(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { listen, why } => {
                let hint = match why.kind() {
                    io::ErrorKind::AddrInUse => "the port is in use",
                    io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
                    io::ErrorKind::PermissionDenied => "the port needs privileges (below 1024)",
                    _ => return write!(f, "--listen {listen}: {why}"),
                };
                write!(f, "--listen {listen}: {hint} ({why})")
            }
            Self::Engine(why) => write!(f, "the engine could not be made: {why}"),
            Self::Random(why) => write!(f, "the system gives no random bytes: {why}"),
            Self::Runtime(why) => write!(f, "the system gives nothing to wait with: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<Error> for OpenError {
    fn from(why: Error) -> Self {
        Self::Engine(why)
    }
}

impl<A: App> Driver<A> {
    /// Binds the sockets and makes the engine. Needs the tokio runtime that it will run on.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(mut setup: Setup, app: A) -> Result<Self, OpenError> {
        getrandom::fill(&mut setup.config.seed).map_err(OpenError::Random)?;
        if setup.config.cluster_key == [0; 32] {
            getrandom::fill(&mut setup.config.cluster_key).map_err(OpenError::Random)?;
        }
        let clock = setup.clock;
        if let Ok(unix) = std::time::UNIX_EPOCH.elapsed() {
            let unix = u64::try_from(unix.as_millis()).unwrap_or(0);
            setup.config.unix_at_zero = unix.saturating_sub(clock.now().0);
        }
        let mut net = Net::new(Parts {
            bound: setup.write_bound,
            tls: setup.tls,
            seat: setup.seat,
            dns: setup.dns,
            wire: setup.limits.wire,
            patience: setup.config.t1.saturating_mul(64),
        });
        let mut bound = Vec::new();
        for listen in &setup.listens {
            let local = LocalId(u16::try_from(bound.len()).unwrap_or(u16::MAX));
            let address = net
                .bind(listen.transport, listen.address, local)
                .map_err(|why| OpenError::Bind { listen: listen.text.clone(), why })?;
            bound.push((listen.transport, address));
        }
        let mut engine = Engine::new(setup.config, &setup.limits)?;
        let places = identities(&mut engine, clock.now(), &bound, setup.advertise.as_ref())?;
        Ok(Self {
            engine,
            app,
            net,
            places,
            addresses: bound,
            clock,
            buffer: vec![0; BUFFER],
            answers: Vec::new(),
            woken: Vec::new(),
            stalled: Vec::new(),
            sleep: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            sleeps_until: None,
            retry: None,
            started: false,
            ends_at: None,
            drain: setup.drain,
            until_quiescent: setup.until_quiescent,
            hold: setup.hold,
            tap: None,
            standing: setup.counts_calls.then(Standing::default),
            parked: None,
            orders: None,
            dropped: 0,
        })
    }
}

/// Enters each bound address as an identity, and after them the loopback address of those that are
/// bound to all addresses: a request to it is to us as well.
fn identities(
    engine: &mut Engine,
    now: Instant,
    bound: &[(Transport, SocketAddr)],
    advertise: Option<&Advertise>,
) -> Result<Vec<Place>, Error> {
    let mut places = Vec::new();
    let mut udp = 0;
    for (transport, address) in bound {
        let socket = (*transport == Transport::Udp).then_some(udp);
        udp += usize::from(socket.is_some());
        let host = advertise.map_or_else(|| host_text(outward(address.ip())), |a| a.host.clone());
        let port = advertise.and_then(|a| a.port).unwrap_or(address.port());
        let place = Place { transport: *transport, socket };
        enter(engine, now, &mut places, place, *address, &host, port)?;
    }
    let aliases = places.clone();
    for (place, (_, address)) in aliases.into_iter().zip(bound) {
        if address.ip().is_unspecified() {
            let ip: IpAddr = match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
            let alias = SocketAddr::new(ip, address.port());
            enter(engine, now, &mut places, place, alias, &host_text(ip), address.port())?;
        }
    }
    Ok(places)
}

fn enter(
    engine: &mut Engine,
    now: Instant,
    places: &mut Vec<Place>,
    place: Place,
    bound: SocketAddr,
    host: &str,
    port: u16,
) -> Result<(), Error> {
    let local = LocalId(u16::try_from(places.len()).unwrap_or(u16::MAX));
    let entry = Local { transport: place.transport, bound: bound.into(), host, port, network: 0 };
    engine.set_local(now, local, entry)?;
    places.push(place);
    Ok(())
}
