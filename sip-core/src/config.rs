//! How an engine behaves.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::auth::digest::strength;
use crate::header::auth::Algorithm;
use crate::path::Addr;
use crate::sdp::Hold;
use crate::wire::Method;

/// Which roles the engine plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Roles {
    /// User agent: lines and calls.
    pub ua: bool,
    /// Proxy.
    pub proxy: bool,
    /// Registrar for [`Config::domains`].
    pub registrar: bool,
}

/// How much an engine sends to a UDP source that has not proven its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Retransmit {
    /// At most 3 times the bytes that the source sent for the transaction, repetitions included.
    #[default]
    Paid,
    /// As the timers of RFC 3261 17 say, without that bound. For closed networks and for tests of
    /// timers.
    Rfc,
}

/// Which provisional responses are sent reliably (RFC 3262), and what is said of that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Reliable {
    /// None, and 100rel is not supported: an INVITE that requires it gets 420.
    Never = 1,
    /// Those with a body, to a caller that supports it; all but 100, to one that requires it.
    #[default]
    WithBody = 2,
    /// All but 100, to a caller that supports it.
    Always = 3,
    /// All but 100; our INVITEs require it, and a caller that does not support it gets 421.
    Require = 4,
}

/// When the transferor of a call hangs it up (RFC 5589 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Leaves {
    /// When a NOTIFY says that the new call stands.
    #[default]
    OnFinalNotify = 1,
    /// When the REFER is accepted, whatever becomes of it.
    OnAccepted = 2,
    /// Never: the application hangs up.
    Never = 3,
}

/// What a transfer to a call does that still rings (RFC 5589 7.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Ringing {
    /// The REFER waits for the answer.
    #[default]
    Wait = 1,
    /// The REFER goes at once, with Replaces. A target by RFC 3891 3 answers that with 481.
    Replaces = 2,
    /// The ringing call is given up, and the REFER goes without Replaces.
    Blind = 3,
}

/// What becomes of a REFER that asks for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Transfers {
    /// The application is asked.
    #[default]
    Ask = 1,
    /// Those of a call's peer are done; about others the application is asked.
    Accept = 2,
    /// All are refused with 603.
    Refuse = 3,
}

/// A range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// Any address of the range.
    pub ip: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

impl Network {
    /// Whether the range holds `ip`.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (a, b, width) = match (self.ip, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (u128::from(a.to_bits()), u128::from(b.to_bits()), 32u32)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
            _ => return false,
        };
        let shift = width.saturating_sub(u32::from(self.prefix));
        a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
    }
}

/// Which requests are challenged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Challenged {
    /// None.
    #[default]
    None,
    /// REGISTER and INVITE, re-INVITE too.
    Calls,
    /// All but ACK and CANCEL, which nobody may challenge (RFC 3261 22.1).
    All,
}

/// How the proxy (407) and the registrar (401) challenge (RFC 3261 22, RFC 8760). The secrets are
/// asked for by [`Query::Credentials`](crate::Query::Credentials) without a line. Who is proven may
/// register its own address of record only, and call as itself only: anything else is 403.
#[derive(Clone, Debug, Default)]
pub struct Challenge {
    /// Which requests. Else than for `None`, `Limits::nonces` may not be 0.
    pub methods: Challenged,
    /// The realm, at most 100 bytes without quotes and backslashes.
    pub realm: String,
    /// The algorithms, in the order in which they are offered: the strongest first. At most four.
    pub algorithms: Vec<Algorithm>,
    /// Whether a request's body may be protected too (`auth-int`).
    pub integrity: bool,
    /// For how many milliseconds a nonce holds.
    pub nonce: u64,
}

impl Challenge {
    /// Whether a request with this method is challenged.
    #[must_use]
    pub const fn covers(&self, method: Method) -> bool {
        match self.methods {
            Challenged::None => false,
            Challenged::Calls => matches!(method, Method::Register | Method::Invite),
            Challenged::All => !matches!(method, Method::Ack | Method::Cancel),
        }
    }

    /// The realm, where anybody is challenged.
    #[cfg(feature = "proxy")]
    pub(crate) fn own_realm(&self) -> &[u8] {
        if self.methods == Challenged::None { &[] } else { self.realm.as_bytes() }
    }

    /// Whether it can be done as it says.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let plain = |c: u8| !matches!(c, b'"' | b'\\' | 0..=31 | 127);
        self.methods == Challenged::None
            || ((1..=100).contains(&self.realm.len())
                && self.realm.bytes().all(plain)
                && (1..=4).contains(&self.algorithms.len())
                && self.algorithms.iter().all(|a| strength(*a) > 0))
    }
}

/// Whether a proxy puts itself on the way to the devices that register through it (RFC 3327).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum PathUse {
    /// No.
    #[default]
    Never = 1,
    /// Where the device says that it supports it.
    Supported = 2,
    /// Always: a device that does not support it gets 421.
    Required = 3,
    /// Always, whatever the device says.
    Always = 4,
}

/// Which devices are reached where their requests come from, in place of where their Contact says.
/// Those of RFC 5626 and those on WebSockets are in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Nat {
    /// No others.
    Never = 1,
    /// Those whose Via and Contact name one IP address, and whose requests come from another, or come
    /// by TLS with a Contact that asks for TLS.
    #[default]
    Detect = 2,
    /// All whose requests come without a proxy between.
    Always = 3,
}

/// What the proxy and the registrar do at the edge of their domain.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Whether the proxy adds a Path to the REGISTERs that it forwards.
    pub path: PathUse,
    /// Who is reached where it came from.
    pub nat: Nat,
    /// The trust domain of RFC 3325: P-Asserted-Identity is believed from there, and told to there
    /// alone. Empty: it passes like any other field.
    pub trust: Vec<Network>,
    /// The Service-Route that registrations get (RFC 3608), as the field lists them; empty for none.
    pub service_route: String,
    /// Whether the registrar gives GRUUs (RFC 5627) to those who support them. Default true.
    pub gruu: bool,
    /// Whether requests are forwarded without keeping anything of them (RFC 3261 16.11), as far as
    /// they have one target and nothing is to be asked.
    pub stateless: bool,
    /// The most server transactions that requests from one address may have open, the trusted
    /// networks apart; more get 503. 0: no bound.
    pub per_source: u32,
}

impl Edge {
    /// The defaults.
    const NEW: Self = Self {
        path: PathUse::Never,
        nat: Nat::Detect,
        trust: Vec::new(),
        service_route: String::new(),
        gruu: true,
        stateless: false,
        per_source: 0,
    };

    /// Whether `ip` is in the trust domain.
    #[must_use]
    pub fn is_trusted(&self, ip: IpAddr) -> bool {
        self.trust.iter().any(|n| n.contains(ip))
    }
}

impl Default for Edge {
    fn default() -> Self {
        Self::NEW
    }
}

/// In what order the targets of a request are tried (RFC 3261 16.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Order {
    /// All at once.
    Parallel = 1,
    /// One after the other, the highest q first.
    Serial = 2,
    /// Those of the highest q at once, then those of the next.
    #[default]
    Mixed = 3,
}

/// What the proxy does with the targets of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forking {
    /// In what order they are tried.
    pub order: Order,
    /// How long targets may ring before those that come after them are tried and they are
    /// cancelled, in milliseconds. Of another request than INVITE the next is tried after 8*T1: its
    /// caller waits 64*T1 for all of them. Default 20,000.
    pub ring: u64,
    /// Whether the contacts of a 300, 301 or 302 are tried, where we are responsible for the
    /// Request-URI (RFC 3261 16.7 step 4). Default false.
    pub recurse: bool,
    /// Whether the caller is told of the targets by a 302, to try them itself, where we are
    /// responsible for the Request-URI (RFC 3261 8.3). Default false.
    pub redirect: bool,
    /// Whether what callers ask by Request-Disposition counts (RFC 3841 9.1). Default true.
    pub dispositions: bool,
    /// The Max-Breadth of a request that has none (RFC 5393 5.3.3): how many branches it may have
    /// at once, here and further on. 0 adds none. Default 60.
    pub breadth: u16,
    /// How long a request waits for late targets when nothing else is left to try, in
    /// milliseconds. Default 30,000.
    pub late: u64,
}

impl Forking {
    const NEW: Self = Self {
        order: Order::Mixed,
        ring: 20_000,
        recurse: false,
        redirect: false,
        dispositions: true,
        breadth: 60,
        late: 30_000,
    };
}

impl Default for Forking {
    fn default() -> Self {
        Self::NEW
    }
}

/// How an engine behaves. Times are milliseconds.
///
/// The strings and lists are the caller's; the engine never grows them.
#[derive(Clone)]
pub struct Config {
    /// 32 random bytes, new at each start and for each engine. Feeds tags, branches and Call-IDs.
    /// All zeros is refused.
    pub seed: [u8; 32],
    /// A secret that the engines of one service share: it keys nonces and flow tokens.
    pub cluster_key: [u8; 32],
    /// The Unix time, in milliseconds, of `Instant(0)`; 0 if it is not known (then no Date).
    pub unix_at_zero: u64,
    /// Distinguishes the handles of the engines of one process.
    pub tag: u8,
    /// The shard that this engine is, carried in its branches.
    pub shard: u8,
    /// The roles.
    pub roles: Roles,
    /// RFC 3261 17.1.1.1: the round-trip estimate. Default 500.
    pub t1: u64,
    /// RFC 3261 17.1.2.2: the longest interval between repetitions. Default 4,000.
    pub t2: u64,
    /// RFC 3261 17.1.2.2: how long a message stays in the network. Default 5,000.
    pub t4: u64,
    /// A longer request does not go by UDP where TCP is possible (RFC 3261 18.1.1), in bytes; 0 for
    /// no bound. A peer that opens no TCP connection gets it by UDP all the same. Default 1,300.
    pub datagram_max: usize,
    /// How much is sent to an unproven UDP source.
    pub retransmit: Retransmit,
    /// Networks whose UDP sources need no proof.
    pub trusted: Vec<Network>,
    /// The User-Agent or Server header field; empty leaves it out.
    pub product: String,
    /// The domains that the proxy and the registrar are responsible for.
    pub domains: Vec<String>,
    /// How long a call may ring that we placed, before we cancel it. Default 180,000.
    pub ring: u64,
    /// How long a question waits for its answer before it counts as failed. Default 30,000.
    pub query: u64,
    /// Timer C of the proxy (RFC 3261 16.6 step 11): more than three minutes. Default 181,000.
    pub timer_c: u64,
    /// How long a response context lives at most, whatever provisional responses restart timer C.
    /// Default 3,600,000.
    pub timer_c_total: u64,
    /// What the proxy does with the targets of a request.
    pub forking: Forking,
    /// Whether the proxy stays in the path of the dialogs that it forwards. Default true.
    pub record_route: bool,
    /// Whether the application is asked for the media of a call that no verb gave, by
    /// [`Query::Media`](crate::Query::Media). Default true. False leaves session descriptions to
    /// it: messages then have the bodies that the verbs bring, and none without.
    pub ask_media: bool,
    /// How a call is put on hold. Default [`Hold::SendOnly`].
    pub hold: Hold,
    /// Whether the platform answers questions for addresses of names. Default true.
    pub dns: bool,
    /// Where the user agent sends every request outside a dialog whose line has no proxy of its
    /// own, if anywhere (RFC 3261 8.1.2). Its UDP source needs no proof.
    pub outbound: Option<Addr>,
    /// When the transferor hangs up. Default on the final NOTIFY.
    pub transferor_leaves: Leaves,
    /// What a transfer to a call does that still rings. Default: it waits for the answer.
    pub transfer_ringing: Ringing,
    /// Whether an attended transfer names the target by its address of record in place of its
    /// Contact. Default false.
    pub transfer_to_aor: bool,
    /// Whether our REFERs ask to be told of the progress; without, they carry `Refer-Sub: false`
    /// (RFC 4488). Default true.
    pub refer_sub: bool,
    /// What becomes of the peers' REFERs. Default: the application is asked.
    pub transfers: Transfers,
    /// The shortest registration that the registrar accepts, in seconds. Default 60.
    pub min_expires: u32,
    /// The registration that it gives where none is asked for, in seconds. Default 3,600.
    pub default_expires: u32,
    /// The longest registration that it gives, in seconds. Default 7,200.
    pub max_expires: u32,
    /// The most bindings of one address of record. Default 10.
    pub max_bindings: usize,
    /// What the proxy and the registrar do at the edge of their domain.
    pub edge: Edge,
    /// Whom the proxy and the registrar challenge. Default nobody; nonces hold for 300,000.
    pub challenge: Challenge,
    /// How long a session lasts without a refresh, in seconds: what calls ask for (RFC 4028). 0 asks
    /// for none, but honours what the peer asks for. Default 1,800.
    pub session_expires: u32,
    /// The shortest session that is accepted, in seconds; RFC 4028 5 wants at least 90. Default 90.
    pub min_se: u32,
    /// Which provisional responses are sent reliably.
    pub reliable: Reliable,
}

impl Config {
    /// The defaults with this seed and all roles that were built.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            cluster_key: [0; 32],
            unix_at_zero: 0,
            tag: 0,
            shard: 0,
            roles: Roles {
                ua: true,
                proxy: cfg!(feature = "proxy"),
                registrar: cfg!(feature = "registrar"),
            },
            t1: 500,
            t2: 4_000,
            t4: 5_000,
            datagram_max: 1_300,
            retransmit: Retransmit::Paid,
            trusted: Vec::new(),
            product: String::new(),
            domains: Vec::new(),
            ring: 180_000,
            query: 30_000,
            timer_c: 181_000,
            timer_c_total: 3_600_000,
            forking: Forking::NEW,
            record_route: true,
            ask_media: true,
            hold: Hold::SendOnly,
            dns: true,
            outbound: None,
            transferor_leaves: Leaves::OnFinalNotify,
            transfer_ringing: Ringing::Wait,
            transfer_to_aor: false,
            refer_sub: true,
            transfers: Transfers::Ask,
            min_expires: 60,
            default_expires: 3_600,
            max_expires: 7_200,
            max_bindings: 10,
            edge: Edge::NEW,
            challenge: Challenge {
                methods: Challenged::None,
                realm: String::new(),
                algorithms: Vec::new(),
                integrity: false,
                nonce: 300_000,
            },
            session_expires: 1_800,
            min_se: 90,
            reliable: Reliable::WithBody,
        }
    }

    /// Whether `host` is one of the domains that we are responsible for.
    #[must_use]
    pub fn is_domain(&self, host: &[u8]) -> bool {
        self.domains.iter().any(|d| d.as_bytes().eq_ignore_ascii_case(host))
    }

    /// Whether a UDP source at `ip` needs no proof.
    #[must_use]
    pub fn is_trusted(&self, ip: IpAddr) -> bool {
        self.outbound.is_some_and(|a| a.ip == ip) || self.trusted.iter().any(|n| n.contains(ip))
    }
}

impl core::fmt::Debug for Config {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Config")
            .field("roles", &self.roles)
            .field("domains", &self.domains)
            .field("retransmit", &self.retransmit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn a_network_counts_its_leading_bits() {
        let net = |s: &str, prefix| Network { ip: s.parse().unwrap(), prefix };
        assert!(net("10.1.0.0", 16).contains("10.1.255.1".parse().unwrap()));
        assert!(!net("10.1.0.0", 16).contains("10.2.0.1".parse().unwrap()));
        assert!(net("0.0.0.0", 0).contains("9.9.9.9".parse().unwrap()));
        assert!(!net("0.0.0.0", 0).contains("::1".parse().unwrap()));
        assert!(net("::1", 128).contains("::1".parse().unwrap()));
        assert!(!net("::1", 128).contains("::2".parse().unwrap()));
    }

    #[test]
    fn debug_prints_no_secret() {
        let mut config = Config::new([0xA7; 32]);
        config.cluster_key = [0xA7; 32];
        let shown = format!("{config:?}");
        assert!(!shown.contains("167") && !shown.to_lowercase().contains("a7"));
    }
}
