//! Names that the engine asks for: each is looked up by a task of its own, which hands its result
//! back through a channel. RFC 3263: NAPTR and SRV records count where the URI has no port.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{IntoName, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use sansip::{Addr, QueryId, Transport};
use tokio::sync::mpsc::UnboundedSender;

use super::services::{in_turn, of_naptr, usual};
use super::tcp::Opened;
use crate::proxy::routes::{HOPS, Hop};

/// How long NAPTR and SRV records are waited for, until the name's own addresses count.
const SERVICES: Duration = Duration::from_secs(12);

/// What a lookup found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Addresses, and for how many seconds they hold.
    Addresses(Vec<IpAddr>, u32),
    /// Where to try in turn, and for how many seconds that holds.
    Hops(Vec<(Addr, Transport)>, u32),
    Nothing,
    Failed,
}

/// The end of a task.
pub(super) enum Finished {
    Lookup(QueryId, Found),
    Connect(QueryId, Addr, io::Result<Opened>),
    /// The handshakes of an accepted connection; `None` where they failed.
    Accepted(Option<Box<Opened>>),
}

/// Looks names up: by the name server given, else by the system's configuration.
pub(super) struct Resolver {
    server: Option<SocketAddr>,
    /// Made when the first name comes; `None` again if the system's configuration cannot be used.
    names: Option<Names>,
    results: UnboundedSender<Finished>,
}

impl Resolver {
    pub(super) const fn new(
        server: Option<SocketAddr>,
        results: UnboundedSender<Finished>,
    ) -> Self {
        Self { server, names: None, results }
    }

    fn names(&mut self) -> Option<Names> {
        if self.names.is_none() {
            let mut builder = match self.server {
                Some(server) => {
                    let provider = TokioRuntimeProvider::default();
                    TokioResolver::builder_with_config(only(server), provider)
                }
                None => TokioResolver::builder_tokio().ok()?,
            };
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            // Two servers and two tries end well before the engine's deadline.
            options.timeout = Duration::from_secs(3);
            options.attempts = 2;
            let dns = Arc::new(builder.build().ok()?);
            // Without that file there is nothing in it.
            let hosts = Arc::new(Hosts::from_system().unwrap_or_default());
            self.names = Some(Names { dns, hosts });
        }
        self.names.clone()
    }

    /// Looks a name up, for one of the transports that there are where it is open.
    pub(super) fn lookup(&mut self, id: QueryId, hop: Hop, have: Vec<Transport>) {
        let (results, names) = (self.results.clone(), self.names());
        let Some(names) = names else {
            let _ = results.send(Finished::Lookup(id, Found::Failed));
            return;
        };
        tokio::spawn(async move {
            let found = names.find(&hop, &have).await;
            // The driver has ended: nobody waits for it.
            let _ = results.send(Finished::Lookup(id, found));
        });
    }

    /// Looks up those of the hops that are names, and answers with all in their order.
    pub(super) fn lookup_hops(&mut self, id: QueryId, hops: Vec<Hop>, have: Vec<Transport>) {
        let (results, names) = (self.results.clone(), self.names());
        tokio::spawn(async move {
            let (mut list, mut ttl) = (Vec::new(), u32::MAX);
            for hop in hops {
                let found = match (numeric(&hop.host), &names) {
                    (Some(ip), _) => Found::Addresses(vec![ip], u32::MAX),
                    (None, Some(names)) => names.find(&hop, &have).await,
                    (None, None) => Found::Failed,
                };
                match found {
                    Found::Addresses(ips, holds) => {
                        let usual = hop.transport.default_port();
                        let port = if hop.port == 0 { usual } else { hop.port };
                        list.extend(ips.iter().map(|ip| (Addr::new(*ip, port), hop.transport)));
                        ttl = ttl.min(holds);
                    }
                    Found::Hops(more, holds) => {
                        list.extend(more);
                        ttl = ttl.min(holds);
                    }
                    // One that cannot be looked up is left out: the next is tried.
                    Found::Nothing | Found::Failed => {}
                }
            }
            let _ = results.send(Finished::Lookup(id, Found::Hops(list, ttl)));
        });
    }
}

/// The address that a host is in itself: no name, and not asked for (RFC 3263 4.2).
fn numeric(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

/// What names are looked up with.
#[derive(Clone)]
struct Names {
    dns: Arc<TokioResolver>,
    /// The machine's own names, of which nobody else is asked.
    hosts: Arc<Hosts>,
}

impl Names {
    async fn find(&self, hop: &Hop, have: &[Transport]) -> Found {
        if let Some(ip) = numeric(&hop.host) {
            return Found::Addresses(vec![ip], u32::MAX);
        }
        let host = hop.host.trim_end_matches('.');
        // RFC 3263 4.2: with a port there is no SRV. A name without a dot is no domain of SIP.
        if hop.port == 0 && host.contains('.') && !self.is_own(host) {
            let served = tokio::time::timeout(SERVICES, self.served(host, hop, have)).await;
            if let Ok(Some(found)) = served {
                return found;
            }
        }
        match self.dns.lookup_ip(host).await {
            Ok(found) => {
                let addresses: Vec<IpAddr> = found.iter().collect();
                if addresses.is_empty() {
                    return Found::Nothing;
                }
                Found::Addresses(addresses, seconds_until(found.valid_until()))
            }
            Err(e) if is_none(&e) => Found::Nothing,
            Err(_) => Found::Failed,
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let Ok(name) = host.into_name() else { return false };
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .any(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)).is_some())
    }

    /// Where the services of a name are; `None` where it has none, or nobody can tell.
    async fn served(&self, host: &str, hop: &Hop, have: &[Transport]) -> Option<Found> {
        let mut services = Vec::new();
        if hop.open {
            let found = self.records(&format!("{host}."), RecordType::NAPTR).await.ok()?;
            let records: Vec<_> = found
                .iter()
                .flat_map(Lookup::answers)
                .filter_map(|r| if let RData::NAPTR(n) = &r.data { Some(n) } else { None })
                .collect();
            services = of_naptr(&records, hop.transport.is_secure(), have);
        }
        if services.is_empty() {
            services = usual(host, hop, have);
        }
        let (mut hops, mut ttl, mut any) = (Vec::new(), u32::MAX, false);
        for service in services {
            let Ok(found) = self.records(&service.name, RecordType::SRV).await else { break };
            let Some(found) = found else { continue };
            ttl = ttl.min(seconds_until(found.valid_until()));
            let of = |r: &hickory_resolver::proto::rr::Record| match &r.data {
                RData::SRV(srv) => Some(srv.clone()),
                _ => None,
            };
            let servers = in_turn(found.answers().iter().filter_map(of).collect(), draw);
            any |= !servers.is_empty();
            // RFC 2782: the root as target says that there is no such service.
            for server in servers.iter().filter(|s| !s.target.is_root()) {
                if hops.len() >= HOPS {
                    break;
                }
                let Ok(found) = self.dns.lookup_ip(server.target.clone()).await else { continue };
                ttl = ttl.min(seconds_until(found.valid_until()));
                hops.extend(found.iter().map(|ip| (Addr::new(ip, server.port), service.transport)));
            }
            if hops.len() >= HOPS {
                break;
            }
        }
        match any {
            false => None,
            true if hops.is_empty() => Some(Found::Nothing),
            true => Some(Found::Hops(hops, ttl)),
        }
    }

    /// Records, if there are any.
    ///
    /// # Errors
    /// Nobody can tell.
    async fn records(&self, name: &str, kind: RecordType) -> Result<Option<Lookup>, NetError> {
        match self.dns.lookup(name, kind).await {
            Ok(found) => Ok(Some(found)),
            Err(e) if is_none(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

fn is_none(why: &NetError) -> bool {
    why.is_no_records_found() || why.is_nx_domain()
}

fn seconds_until(end: Instant) -> u32 {
    let left = end.saturating_duration_since(Instant::now());
    u32::try_from(left.as_secs()).unwrap_or(u32::MAX)
}

/// A number from 0 to `most`, by lot; 0 where the system has no randomness.
fn draw(most: u32) -> u32 {
    let mut bytes = [0; 4];
    let drawn = getrandom::fill(&mut bytes).map_or(0, |()| u32::from_ne_bytes(bytes));
    most.checked_add(1).and_then(|n| drawn.checked_rem(n)).unwrap_or(0)
}

/// One name server, by UDP and TCP.
fn only(server: SocketAddr) -> ResolverConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
    let server = NameServerConfig::new(server.ip(), true, connections);
    ResolverConfig::from_name_servers(vec![server])
}
