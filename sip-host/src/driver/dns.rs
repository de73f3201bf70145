//! Names that the engine asks for: each is looked up by a task of its own, which hands its result
//! back through a channel.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use sansip::{Addr, QueryId, Transport};
use tokio::sync::mpsc::UnboundedSender;

use super::tcp::Opened;
use crate::proxy::routes::Hop;

/// What a lookup found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Addresses, and for how many seconds they hold.
    Addresses(Vec<IpAddr>, u32),
    /// Where to try in turn.
    Hops(Vec<(Addr, Transport)>),
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
    inner: Option<Arc<TokioResolver>>,
    results: UnboundedSender<Finished>,
}

impl Resolver {
    pub(super) const fn new(
        server: Option<SocketAddr>,
        results: UnboundedSender<Finished>,
    ) -> Self {
        Self { server, inner: None, results }
    }

    fn inner(&mut self) -> Option<Arc<TokioResolver>> {
        if self.inner.is_none() {
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
            self.inner = Some(Arc::new(builder.build().ok()?));
        }
        self.inner.clone()
    }

    pub(super) fn lookup(&mut self, id: QueryId, name: &str) {
        let results = self.results.clone();
        let Some(resolver) = self.inner() else {
            let _ = results.send(Finished::Lookup(id, Found::Failed));
            return;
        };
        let name = name.to_owned();
        tokio::spawn(async move {
            let found = match resolver.lookup_ip(name).await {
                Ok(found) => {
                    let left =
                        found.valid_until().saturating_duration_since(std::time::Instant::now());
                    let ttl = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
                    let addresses: Vec<IpAddr> = found.iter().collect();
                    if addresses.is_empty() {
                        Found::Nothing
                    } else {
                        Found::Addresses(addresses, ttl)
                    }
                }
                Err(e) if e.is_no_records_found() || e.is_nx_domain() => Found::Nothing,
                Err(_) => Found::Failed,
            };
            // The driver has ended: nobody waits for it.
            let _ = results.send(Finished::Lookup(id, found));
        });
    }

    /// Looks up those of the hops that are names, and answers with all in their order.
    pub(super) fn lookup_hops(&mut self, id: QueryId, hops: Vec<Hop>) {
        let (results, resolver) = (self.results.clone(), self.inner());
        tokio::spawn(async move {
            let mut list = Vec::new();
            for Hop { host, port, transport } in hops {
                let bare = host.trim_matches(['[', ']']);
                let at = |ip| (Addr::new(ip, port), transport);
                match (bare.parse::<IpAddr>(), &resolver) {
                    (Ok(ip), _) => list.push(at(ip)),
                    // One that cannot be looked up is left out: the next is tried.
                    (Err(_), Some(resolver)) => {
                        let found = resolver.lookup_ip(host).await;
                        list.extend(found.iter().flat_map(|found| found.iter()).map(at));
                    }
                    (Err(_), None) => {}
                }
            }
            let _ = results.send(Finished::Lookup(id, Found::Hops(list)));
        });
    }
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
