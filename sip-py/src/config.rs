//! Configuration and limits, read from the attributes of their Python classes.

use std::net::IpAddr;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sansip::sdp::Hold;
use sansip::wire::{Span, WireLimits};
use sansip::{
    Addr, Algorithm, Challenge, Challenged, Edge, Forking, Leaves, Nat, Network, Order, PathUse,
    Reliable, Retransmit, Ringing, Roles, Transfers,
};

/// The attributes of `sansip.Config`.
#[derive(FromPyObject)]
pub(crate) struct Config {
    seed: [u8; 32],
    cluster_key: [u8; 32],
    unix_at_zero_ms: u64,
    tag: u8,
    shard: u8,
    ua: bool,
    proxy: bool,
    registrar: bool,
    t1_ms: u64,
    t2_ms: u64,
    t4_ms: u64,
    paid: bool,
    trusted: Vec<(IpAddr, u8)>,
    product: String,
    domains: Vec<String>,
    ring_ms: u64,
    query_ms: u64,
    timer_c_ms: u64,
    timer_c_total_ms: u64,
    fork_order: String,
    fork_ring_ms: u64,
    fork_recurse: bool,
    fork_redirect: bool,
    dispositions: bool,
    max_breadth: u16,
    fork_late_ms: u64,
    record_route: bool,
    datagram_max: usize,
    ask_media: bool,
    hold: String,
    dns: bool,
    outbound: Option<Address>,
    transferor_leaves: String,
    transfer_ringing: String,
    transfer_to_aor: bool,
    refer_sub: bool,
    transfers: String,
    min_expires: u32,
    default_expires: u32,
    max_expires: u32,
    max_bindings: usize,
    challenge: Option<String>,
    realm: String,
    algorithms: Vec<String>,
    integrity: bool,
    nonce_ms: u64,
    session_expires: u32,
    min_se: u32,
    reliable: String,
    path_use: String,
    nat: String,
    trust: Vec<(IpAddr, u8)>,
    service_route: String,
    gruu: bool,
    stateless: bool,
    per_source: u32,
}

impl TryFrom<Config> for sansip::Config {
    type Error = PyErr;

    fn try_from(c: Config) -> PyResult<Self> {
        let mut to = Self::new(c.seed);
        to.transferor_leaves = match c.transferor_leaves.as_str() {
            "on final notify" => Leaves::OnFinalNotify,
            "on accepted" => Leaves::OnAccepted,
            "never" => Leaves::Never,
            _ => return Err(PyValueError::new_err("no such transferor_leaves")),
        };
        to.transfer_ringing = match c.transfer_ringing.as_str() {
            "wait" => Ringing::Wait,
            "replaces" => Ringing::Replaces,
            "blind" => Ringing::Blind,
            _ => return Err(PyValueError::new_err("no such transfer_ringing")),
        };
        to.transfers = match c.transfers.as_str() {
            "ask" => Transfers::Ask,
            "accept" => Transfers::Accept,
            "refuse" => Transfers::Refuse,
            _ => return Err(PyValueError::new_err("no such transfers")),
        };
        to.hold = match c.hold.as_str() {
            "sendonly" => Hold::SendOnly,
            "inactive" => Hold::Inactive,
            "zero" => Hold::Zero,
            _ => return Err(PyValueError::new_err("no such hold")),
        };
        to.datagram_max = c.datagram_max;
        to.ask_media = c.ask_media;
        to.transfer_to_aor = c.transfer_to_aor;
        to.refer_sub = c.refer_sub;
        to.cluster_key = c.cluster_key;
        to.unix_at_zero = c.unix_at_zero_ms;
        to.tag = c.tag;
        to.shard = c.shard;
        to.roles = Roles { ua: c.ua, proxy: c.proxy, registrar: c.registrar };
        to.t1 = c.t1_ms;
        to.t2 = c.t2_ms;
        to.t4 = c.t4_ms;
        to.retransmit = if c.paid { Retransmit::Paid } else { Retransmit::Rfc };
        to.trusted = c.trusted.into_iter().map(|(ip, prefix)| Network { ip, prefix }).collect();
        to.product = c.product;
        to.domains = c.domains;
        to.ring = c.ring_ms;
        to.query = c.query_ms;
        to.timer_c = c.timer_c_ms;
        to.timer_c_total = c.timer_c_total_ms;
        to.forking = Forking {
            order: match c.fork_order.as_str() {
                "parallel" => Order::Parallel,
                "serial" => Order::Serial,
                _ => Order::Mixed,
            },
            ring: c.fork_ring_ms,
            recurse: c.fork_recurse,
            redirect: c.fork_redirect,
            dispositions: c.dispositions,
            breadth: c.max_breadth,
            late: c.fork_late_ms,
        };
        to.record_route = c.record_route;
        to.dns = c.dns;
        to.outbound = c.outbound.map(Addr::from);
        to.min_expires = c.min_expires;
        to.default_expires = c.default_expires;
        to.max_expires = c.max_expires;
        to.max_bindings = c.max_bindings;
        to.challenge = Challenge {
            methods: match c.challenge.as_deref() {
                None => Challenged::None,
                Some("calls") => Challenged::Calls,
                // The class takes no other word.
                Some(_) => Challenged::All,
            },
            realm: c.realm,
            algorithms: c.algorithms.iter().map(|name| algorithm(name)).collect(),
            integrity: c.integrity,
            nonce: c.nonce_ms,
        };
        to.edge = Edge {
            path: match c.path_use.as_str() {
                "never" => PathUse::Never,
                "supported" => PathUse::Supported,
                "required" => PathUse::Required,
                "always" => PathUse::Always,
                _ => return Err(PyValueError::new_err("no such path_use")),
            },
            nat: match c.nat.as_str() {
                "never" => Nat::Never,
                "detect" => Nat::Detect,
                "always" => Nat::Always,
                _ => return Err(PyValueError::new_err("no such nat")),
            },
            trust: c.trust.into_iter().map(|(ip, prefix)| Network { ip, prefix }).collect(),
            service_route: c.service_route,
            gruu: c.gruu,
            stateless: c.stateless,
            per_source: c.per_source,
        };
        to.session_expires = c.session_expires;
        to.min_se = c.min_se;
        to.reliable = match c.reliable.as_str() {
            "never" => Reliable::Never,
            "always" => Reliable::Always,
            "require" => Reliable::Require,
            _ => Reliable::WithBody,
        };
        Ok(to)
    }
}

fn algorithm(name: &str) -> Algorithm {
    Algorithm::of(name.as_bytes(), Some(Span::new(0, name.len())))
}

/// The attributes of `sansip.Addr`.
#[derive(FromPyObject)]
pub(crate) struct Address {
    host: IpAddr,
    port: u16,
    scope: u32,
}

impl From<Address> for Addr {
    fn from(a: Address) -> Self {
        Self { scope: a.scope, ..Self::new(a.host, a.port) }
    }
}

macro_rules! limits {
    ($($name:ident)*; $($wire:ident)*) => {
        /// The attributes of `sansip.Limits`.
        #[derive(FromPyObject)]
        pub(crate) struct Limits {
            $($name: usize,)*
            $($wire: u16,)*
        }

        impl From<Limits> for sansip::Limits {
            fn from(l: Limits) -> Self {
                Self {
                    $($name: l.$name,)*
                    wire: WireLimits { $($wire: l.$wire,)* ..WireLimits::DEFAULT },
                }
            }
        }

        fn values(l: &sansip::Limits) -> Vec<(&'static str, usize)> {
            vec![
                $((stringify!($name), l.$name),)*
                $((stringify!($wire), l.wire.$wire.into()),)*
            ]
        }
    };
}

limits! {
    lines calls calls_in dialogs transactions attempts forks branches flows locals queries outputs
    pool sources credentials nonces;
    message header_section fields value list params uri defects
}

/// The attributes of a preset of `sansip.Limits`, by its name.
#[pyfunction]
pub(crate) fn preset(name: &str) -> PyResult<Vec<(&'static str, usize)>> {
    Ok(values(match name {
        "tiny" => &sansip::Limits::TINY,
        "phone" => &sansip::Limits::PHONE,
        "server" => &sansip::Limits::SERVER,
        "tester" => &sansip::Limits::TESTER,
        _ => return Err(PyValueError::new_err("no such preset")),
    }))
}

/// The bytes that an engine with these limits reserves.
#[pyfunction]
pub(crate) fn footprint(limits: Limits) -> usize {
    sansip::footprint(&limits.into())
}
