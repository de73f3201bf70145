//! How much room an engine has and how it behaves.

use sansip_core::{
    Algorithm, Challenge, Challenged, Config, Edge, Error, Forking, Leaves, Limit, Limits, Nat,
    Network, Order, PathUse, Reliable, Retransmit, Ringing, Roles, Transfers,
};

use crate::abi::{SansipAddr, SansipStr, Sized32, array, fill, item, read};
use crate::code::{ARGUMENT, Code};
use crate::guard::guard;
use crate::media::{SANSIP_HOLD_SENDONLY, hold};

/// The room of every table. Take a preset and change what differs; 0 is 0, but in the members from
/// `message` on it means the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipLimits {
    /// sizeof(sansip_limits).
    pub size: u32,
    /// Lines (addresses of record that the user agent serves).
    pub lines: u32,
    /// Calls, both directions together.
    pub calls: u32,
    /// Calls that others may open; lower than `calls` keeps room to dial out.
    pub calls_in: u32,
    /// Dialogs. A call that forks has several.
    pub dialogs: u32,
    /// Transactions, all four kinds together.
    pub transactions: u32,
    /// Requests on their way to a target set.
    pub attempts: u32,
    /// Requests that the proxy and the registrar work on.
    pub forks: u32,
    /// Branches of one of those, at most 255.
    pub branches: u32,
    /// Connections.
    pub flows: u32,
    /// Local identities.
    pub locals: u32,
    /// Open questions.
    pub queries: u32,
    /// Places of the output ring, at least 8.
    pub outputs: u32,
    /// Bytes of the block pool.
    pub pool: u32,
    /// Sources that are remembered as proven.
    pub sources: u32,
    /// Challenges that lines have answered and remember: one for each line, realm and peer. Without
    /// any no challenge is answered.
    pub credentials: u32,
    /// Nonces of ours whose use is remembered; needed where others are challenged.
    pub nonces: u32,
    /// Bytes of a message, 500 to 65535.
    pub message: u32,
    /// Bytes of its start line and header section.
    pub header_section: u32,
    /// Its header fields.
    pub fields: u32,
    /// Bytes of one field's value.
    pub value: u32,
    /// Items of a list header.
    pub list: u32,
    /// Parameters of one value.
    pub params: u32,
    /// Bytes of the request URI.
    pub uri: u32,
    /// Defects that are listed with their position.
    pub defects: u32,
}

// SAFETY: integers alone, the size first.
unsafe impl Sized32 for SansipLimits {}

impl From<&Limits> for SansipLimits {
    fn from(l: &Limits) -> Self {
        let n = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            size: 0,
            lines: n(l.lines),
            calls: n(l.calls),
            calls_in: n(l.calls_in),
            dialogs: n(l.dialogs),
            transactions: n(l.transactions),
            attempts: n(l.attempts),
            forks: n(l.forks),
            branches: n(l.branches),
            flows: n(l.flows),
            locals: n(l.locals),
            queries: n(l.queries),
            outputs: n(l.outputs),
            pool: n(l.pool),
            sources: n(l.sources),
            credentials: n(l.credentials),
            nonces: n(l.nonces),
            message: l.wire.message.into(),
            header_section: l.wire.header_section.into(),
            fields: l.wire.fields.into(),
            value: l.wire.value.into(),
            list: l.wire.list.into(),
            params: l.wire.params.into(),
            uri: l.wire.uri.into(),
            defects: l.wire.defects.into(),
        }
    }
}

/// A member whose 0 means its default.
fn or<T: TryFrom<u32>>(n: u32, default: T) -> Result<T, Code> {
    if n == 0 { Ok(default) } else { T::try_from(n).map_err(|_| ARGUMENT) }
}

impl SansipLimits {
    pub(crate) fn get(&self) -> Result<Limits, Code> {
        let mut l = Limits::TESTER;
        let n = |n: u32| n as usize;
        l.lines = n(self.lines);
        l.calls = n(self.calls);
        l.calls_in = n(self.calls_in);
        l.dialogs = n(self.dialogs);
        l.transactions = n(self.transactions);
        l.attempts = n(self.attempts);
        l.forks = n(self.forks);
        l.branches = n(self.branches);
        l.flows = n(self.flows);
        l.locals = n(self.locals);
        l.queries = n(self.queries);
        l.outputs = n(self.outputs);
        l.pool = n(self.pool);
        l.sources = n(self.sources);
        l.credentials = n(self.credentials);
        l.nonces = n(self.nonces);
        let w = &mut l.wire;
        w.message = or(self.message, w.message)?;
        w.header_section = or(self.header_section, w.header_section)?;
        w.fields = or(self.fields, w.fields)?;
        w.value = or(self.value, w.value)?;
        w.list = or(self.list, w.list)?;
        w.params = or(self.params, w.params)?;
        w.uri = or(self.uri, w.uri)?;
        w.defects = or(self.defects, w.defects)?;
        Ok(l)
    }
}

/// # Safety
/// As for [`fill`].
unsafe fn preset(out: *mut SansipLimits, limits: &Limits) -> i32 {
    // SAFETY: passed on.
    guard(|| unsafe { fill(out, limits.into()) }.map(|()| 0))
}

/// The room of a phone on a part with little memory: 1 line, 2 calls, messages of 1,500 bytes.
/// Set out->size first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_limits_tiny(out: *mut SansipLimits) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { preset(out, &Limits::TINY) }
}

/// The room of a desk phone: 4 lines, 4 calls, messages of 4 KB. Set out->size first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_limits_phone(out: *mut SansipLimits) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { preset(out, &Limits::PHONE) }
}

/// The room of a proxy, registrar or gateway: 10,000 calls. Set out->size first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_limits_server(out: *mut SansipLimits) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { preset(out, &Limits::SERVER) }
}

/// The room of a tester: 100 lines and calls, messages of any size. Set out->size first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_limits_tester(out: *mut SansipLimits) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { preset(out, &Limits::TESTER) }
}

/// The bytes that sansip_new needs for an engine with these limits, before any is taken; 0 if the
/// limits cannot be read. 256 bytes for the texts and lists of sansip_config are included; what
/// those are longer comes on top.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_footprint(limits: *const SansipLimits) -> usize {
    let mut bytes = 0;
    guard(|| {
        // SAFETY: by the header's rules.
        bytes = crate::engine::footprint(&unsafe { read(limits) }?.get()?);
        Ok(0)
    });
    bytes
}

/// User agent: lines and calls.
pub const SANSIP_ROLE_UA: u32 = 1;
/// Proxy.
pub const SANSIP_ROLE_PROXY: u32 = 2;
/// Registrar for the domains of sansip_config.
pub const SANSIP_ROLE_REGISTRAR: u32 = 4;

/// At most 3 times the bytes that an unproven UDP source sent are sent to it.
pub const SANSIP_RETRANSMIT_PAID: u32 = 1;
/// As the timers of RFC 3261 17 say, without that bound: for closed networks and tests.
pub const SANSIP_RETRANSMIT_RFC: u32 = 2;

/// All targets at once.
pub const SANSIP_ORDER_PARALLEL: u32 = 1;
/// One target after the other, the highest q first.
pub const SANSIP_ORDER_SERIAL: u32 = 2;
/// The targets of the highest q at once, then those of the next.
pub const SANSIP_ORDER_MIXED: u32 = 3;

/// No provisional response is sent reliably (RFC 3262), and 100rel is not supported.
pub const SANSIP_RELIABLE_NEVER: u32 = 1;
/// Those with a body are, to a caller that supports it.
pub const SANSIP_RELIABLE_WITH_BODY: u32 = 2;
/// All but 100 are, to a caller that supports it.
pub const SANSIP_RELIABLE_ALWAYS: u32 = 3;
/// All but 100 are; a caller that does not support it gets 421.
pub const SANSIP_RELIABLE_REQUIRE: u32 = 4;

/// The transferor hangs up when a NOTIFY says that the new call stands.
pub const SANSIP_LEAVES_ON_FINAL_NOTIFY: u32 = 1;
/// The transferor hangs up when its REFER is accepted.
pub const SANSIP_LEAVES_ON_ACCEPTED: u32 = 2;
/// The transferor never hangs up by itself.
pub const SANSIP_LEAVES_NEVER: u32 = 3;

/// A transfer to a call that still rings waits for its answer.
pub const SANSIP_RINGING_WAIT: u32 = 1;
/// The REFER goes at once, with Replaces.
pub const SANSIP_RINGING_REPLACES: u32 = 2;
/// The ringing call is given up, and the REFER goes without Replaces.
pub const SANSIP_RINGING_BLIND: u32 = 3;

/// About a peer's REFER you are asked.
pub const SANSIP_TRANSFERS_ASK: u32 = 1;
/// The REFERs of a call's peer are done; about others you are asked.
pub const SANSIP_TRANSFERS_ACCEPT: u32 = 2;
/// All REFERs are refused with 603.
pub const SANSIP_TRANSFERS_REFUSE: u32 = 3;
/// REGISTER and INVITE are challenged.
pub const SANSIP_CHALLENGE_CALLS: u32 = 1;
/// All requests are challenged but ACK and CANCEL.
pub const SANSIP_CHALLENGE_ALL: u32 = 2;

/// The proxy adds no Path to the REGISTERs that it forwards (RFC 3327).
pub const SANSIP_PATH_NEVER: u32 = 1;
/// It does where the device supports it.
pub const SANSIP_PATH_SUPPORTED: u32 = 2;
/// It always does: a device that does not support it gets 421.
pub const SANSIP_PATH_REQUIRED: u32 = 3;
/// It always does, whatever the device says.
pub const SANSIP_PATH_ALWAYS: u32 = 4;

/// Only devices of RFC 5626 and those on WebSockets are reached where their requests come from.
pub const SANSIP_NAT_NEVER: u32 = 1;
/// Those too whose Via and Contact name one IP address, and whose requests come from another, or come by TLS
/// with a Contact that asks for TLS.
pub const SANSIP_NAT_DETECT: u32 = 2;
/// All are whose requests come without a proxy between.
pub const SANSIP_NAT_ALWAYS: u32 = 3;

/// MD5.
pub const SANSIP_MD5: u32 = 1;
/// SHA-256.
pub const SANSIP_SHA_256: u32 = 2;
/// SHA-512-256.
pub const SANSIP_SHA_512_256: u32 = 3;

/// A range of addresses.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipNetwork {
    /// Any address of it; the port does not matter.
    pub addr: SansipAddr,
    /// How many leading bits count.
    pub prefix: u32,
}

/// How an engine behaves. Set it up by sansip_config_init, then at least `seed`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipConfig {
    /// sizeof(sansip_config).
    pub size: u32,
    /// SANSIP_ROLE_... together; 0: all that the library was built with.
    pub roles: u32,
    /// 32 random bytes, new at each start and for each engine. All zeros is refused.
    pub seed: [u8; 32],
    /// A secret that the engines of one service share.
    pub cluster_key: [u8; 32],
    /// The Unix time in milliseconds of your time 0; 0 if it is not known (then no Date).
    pub unix_at_zero: u64,
    /// Tells the handles of the engines of one process apart. 0 to 255.
    pub tag: u32,
    /// The shard that this engine is. 0 to 255.
    pub shard: u32,
    /// RFC 3261 T1 in milliseconds; 0: 500.
    pub t1_ms: u32,
    /// T2; 0: 4000.
    pub t2_ms: u32,
    /// T4; 0: 5000.
    pub t4_ms: u32,
    /// How long a call may ring that we placed; 0: 180000.
    pub ring_ms: u32,
    /// How long a question waits for its answer; 0: 30000.
    pub query_ms: u32,
    /// Timer C of the proxy; 0: 181000.
    pub timer_c_ms: u32,
    /// How long the proxy works on a request at most; 0: 3600000.
    pub timer_c_total_ms: u32,
    /// SANSIP_ORDER_...: in what order the proxy tries the targets of a request; 0: mixed.
    pub fork_order: u32,
    /// How long targets may ring before those that come after them are tried; 0: 20000.
    pub fork_ring_ms: u32,
    /// Not 0: the proxy tries the contacts of a 300, 301 or 302.
    pub fork_recurse: u32,
    /// Not 0: the proxy tells the caller of the targets by a 302.
    pub fork_redirect: u32,
    /// Not 0: what callers ask by Request-Disposition does not count.
    pub no_dispositions: u32,
    /// The Max-Breadth of a request that has none (RFC 5393); 0: 60; 65536 or more: none is added.
    pub max_breadth: u32,
    /// How long a request waits for late targets when nothing else is left to try; 0: 30000.
    pub fork_late_ms: u32,
    /// SANSIP_RETRANSMIT_...; 0: paid.
    pub retransmit: u32,
    /// Not 0: the proxy does not stay in the path of the dialogs it forwards.
    pub no_record_route: u32,
    /// Not 0: you cannot answer questions for the addresses of names.
    pub no_dns: u32,
    /// The shortest registration that the registrar accepts, in seconds; 0: 60.
    pub min_expires_s: u32,
    /// The one it gives where none is asked for; 0: 3600.
    pub default_expires_s: u32,
    /// The longest it gives; 0: 7200.
    pub max_expires_s: u32,
    /// Bindings of one address of record, at most 32; 0: 10.
    pub max_bindings: u32,
    /// User-Agent or Server; empty leaves it out.
    pub product: SansipStr,
    /// The domains that the proxy and the registrar are responsible for.
    pub domains: *const SansipStr,
    /// How many, at most 65535.
    pub n_domains: usize,
    /// Networks whose UDP sources need no proof.
    pub trusted: *const SansipNetwork,
    /// How many, at most 65535.
    pub n_trusted: usize,
    /// Where the user agent sends every request outside a dialog; family 0: nowhere.
    pub outbound: SansipAddr,
    /// How long a session lasts without a refresh (RFC 4028), in seconds; 0: 1800.
    pub session_expires_s: u32,
    /// Not 0: calls ask for no session timer. What the peer asks for is honoured all the same.
    pub no_session_timer: u32,
    /// The shortest session that is accepted, in seconds; 0: 90.
    pub min_se_s: u32,
    /// SANSIP_RELIABLE_...; 0: those with a body.
    pub reliable: u32,
    /// When the transferor hangs up: SANSIP_LEAVES_...; 0: on the final NOTIFY.
    pub transferor_leaves: u32,
    /// What a transfer to a call does that still rings: SANSIP_RINGING_...; 0: it waits.
    pub transfer_ringing: u32,
    /// Not 0: an attended transfer names the target by its address of record.
    pub transfer_to_aor: u32,
    /// Not 0: our REFERs ask for no NOTIFYs (RFC 4488).
    pub no_refer_sub: u32,
    /// What becomes of the peers' REFERs: SANSIP_TRANSFERS_...; 0: you are asked.
    pub transfers: u32,
    /// A longer request does not go by UDP where TCP is possible, in bytes; 0: 1300; 65535 or more:
    /// no bound.
    pub datagram_max: u32,
    /// Not 0: you are not asked for the media of calls, and session descriptions are your bodies.
    pub no_ask_media: u32,
    /// How a call is put on hold: SANSIP_HOLD_...; 0: SANSIP_HOLD_SENDONLY.
    pub hold: u32,
    /// SANSIP_CHALLENGE_...: which requests the proxy and the registrar challenge; 0: none. The
    /// secrets are asked for by SANSIP_Q_CREDENTIALS.
    pub challenge: u32,
    /// For how many milliseconds a nonce holds; 0: 300000.
    pub nonce_ms: u32,
    /// Not 0: a request's body may be protected too (auth-int).
    pub integrity: u32,
    /// How many algorithms, at most 4.
    pub n_algorithms: u32,
    /// SANSIP_MD5 and so on, in the order in which they are offered: the strongest first.
    pub algorithms: [u32; 4],
    /// The realm of the challenges.
    pub realm: SansipStr,
    /// SANSIP_PATH_...; 0: never.
    pub path_use: u32,
    /// SANSIP_NAT_...; 0: those are reached where they come from that are seen to need it.
    pub nat: u32,
    /// Not 0: the registrar gives no GRUUs (RFC 5627).
    pub no_gruu: u32,
    /// Not 0: requests are forwarded without keeping anything of them (RFC 3261 16.11), where that
    /// can be.
    pub stateless: u32,
    /// The most server transactions that requests from one address may have open; 0: no bound.
    pub per_source: u32,
    /// 0.
    pub reserved: u32,
    /// The Service-Route that registrations get (RFC 3608), as the field lists them; empty for none.
    pub service_route: SansipStr,
    /// The trust domain of RFC 3325.
    pub trust: *const SansipNetwork,
    /// How many, at most 65535; 0: P-Asserted-Identity passes like any other field.
    pub n_trust: usize,
}

// SAFETY: integers, pointers and structs of them, the size first.
unsafe impl Sized32 for SansipConfig {}

/// The most bindings that a question can carry.
pub(crate) const BINDINGS: usize = 32;
/// The most domains, and the most trusted networks.
const LIST: usize = 65_535;

fn memory<E>(_: E) -> Code {
    Error::Full(Limit::Memory).into()
}

/// # Safety
/// As for [`SansipStr::text`].
unsafe fn owned(text: SansipStr) -> Result<String, Code> {
    // SAFETY: passed on.
    let text = unsafe { text.text() }?;
    let mut own = String::new();
    own.try_reserve_exact(text.len()).map_err(memory)?;
    own.push_str(text);
    Ok(own)
}

impl SansipConfig {
    /// # Safety
    /// Its pointers are valid.
    pub(crate) unsafe fn get(&self) -> Result<Config, Code> {
        let mut c = Config::new(self.seed);
        c.cluster_key = self.cluster_key;
        c.unix_at_zero = self.unix_at_zero;
        c.tag = u8::try_from(self.tag).map_err(|_| ARGUMENT)?;
        c.shard = u8::try_from(self.shard).map_err(|_| ARGUMENT)?;
        c.roles = roles(self.roles)?;
        c.t1 = or(self.t1_ms, c.t1)?;
        c.t2 = or(self.t2_ms, c.t2)?;
        c.t4 = or(self.t4_ms, c.t4)?;
        c.ring = or(self.ring_ms, c.ring)?;
        c.query = or(self.query_ms, c.query)?;
        c.timer_c = or(self.timer_c_ms, c.timer_c)?;
        c.timer_c_total = or(self.timer_c_total_ms, c.timer_c_total)?;
        c.forking = self.forking(c.forking)?;
        c.retransmit = match self.retransmit {
            0 | SANSIP_RETRANSMIT_PAID => Retransmit::Paid,
            SANSIP_RETRANSMIT_RFC => Retransmit::Rfc,
            _ => return Err(ARGUMENT),
        };
        c.record_route = self.no_record_route == 0;
        c.dns = self.no_dns == 0;
        c.min_expires = or(self.min_expires_s, c.min_expires)?;
        c.default_expires = or(self.default_expires_s, c.default_expires)?;
        c.max_expires = or(self.max_expires_s, c.max_expires)?;
        c.max_bindings = match self.max_bindings as usize {
            0 => c.max_bindings,
            n if n <= BINDINGS => n,
            _ => return Err(ARGUMENT),
        };
        c.session_expires = match self.no_session_timer {
            0 => or(self.session_expires_s, c.session_expires)?,
            _ => 0,
        };
        c.min_se = or(self.min_se_s, c.min_se)?;
        c.reliable = match self.reliable {
            SANSIP_RELIABLE_NEVER => Reliable::Never,
            0 | SANSIP_RELIABLE_WITH_BODY => Reliable::WithBody,
            SANSIP_RELIABLE_ALWAYS => Reliable::Always,
            SANSIP_RELIABLE_REQUIRE => Reliable::Require,
            _ => return Err(ARGUMENT),
        };
        if self.outbound.family != 0 {
            c.outbound = Some(self.outbound.get()?);
        }
        c.datagram_max = or(self.datagram_max, c.datagram_max as u64)? as usize;
        c.ask_media = self.no_ask_media == 0;
        c.hold = hold(self.hold)?;
        self.transfer(&mut c)?;
        // SAFETY: passed on.
        unsafe { self.lists(&mut c) }?;
        // SAFETY: passed on.
        unsafe { self.challenges(&mut c.challenge) }?;
        // SAFETY: passed on.
        unsafe { self.edge(&mut c.edge) }?;
        Ok(c)
    }

    fn forking(&self, c: Forking) -> Result<Forking, Code> {
        Ok(Forking {
            order: match self.fork_order {
                SANSIP_ORDER_PARALLEL => Order::Parallel,
                SANSIP_ORDER_SERIAL => Order::Serial,
                0 | SANSIP_ORDER_MIXED => Order::Mixed,
                _ => return Err(ARGUMENT),
            },
            ring: or(self.fork_ring_ms, c.ring)?,
            recurse: self.fork_recurse != 0,
            redirect: self.fork_redirect != 0,
            dispositions: self.no_dispositions == 0,
            breadth: match self.max_breadth {
                0 => c.breadth,
                n => u16::try_from(n).unwrap_or(0),
            },
            late: or(self.fork_late_ms, c.late)?,
        })
    }

    fn transfer(&self, c: &mut Config) -> Result<(), Code> {
        c.transferor_leaves = match self.transferor_leaves {
            0 | SANSIP_LEAVES_ON_FINAL_NOTIFY => Leaves::OnFinalNotify,
            SANSIP_LEAVES_ON_ACCEPTED => Leaves::OnAccepted,
            SANSIP_LEAVES_NEVER => Leaves::Never,
            _ => return Err(ARGUMENT),
        };
        c.transfer_ringing = match self.transfer_ringing {
            0 | SANSIP_RINGING_WAIT => Ringing::Wait,
            SANSIP_RINGING_REPLACES => Ringing::Replaces,
            SANSIP_RINGING_BLIND => Ringing::Blind,
            _ => return Err(ARGUMENT),
        };
        c.transfers = match self.transfers {
            0 | SANSIP_TRANSFERS_ASK => Transfers::Ask,
            SANSIP_TRANSFERS_ACCEPT => Transfers::Accept,
            SANSIP_TRANSFERS_REFUSE => Transfers::Refuse,
            _ => return Err(ARGUMENT),
        };
        c.transfer_to_aor = self.transfer_to_aor != 0;
        c.refer_sub = self.no_refer_sub == 0;
        Ok(())
    }

    /// # Safety
    /// Its pointers are valid.
    unsafe fn challenges(&self, c: &mut Challenge) -> Result<(), Code> {
        c.methods = match self.challenge {
            0 => Challenged::None,
            SANSIP_CHALLENGE_CALLS => Challenged::Calls,
            SANSIP_CHALLENGE_ALL => Challenged::All,
            _ => return Err(ARGUMENT),
        };
        c.nonce = or(self.nonce_ms, c.nonce)?;
        c.integrity = self.integrity != 0;
        // SAFETY: passed on.
        c.realm = unsafe { owned(self.realm) }?;
        let list = self.algorithms.get(..self.n_algorithms as usize).ok_or(ARGUMENT)?;
        c.algorithms.try_reserve_exact(list.len()).map_err(memory)?;
        for algorithm in list {
            c.algorithms.push(match *algorithm {
                SANSIP_MD5 => Algorithm::Md5,
                SANSIP_SHA_256 => Algorithm::Sha256,
                SANSIP_SHA_512_256 => Algorithm::Sha512_256,
                _ => return Err(ARGUMENT),
            });
        }
        Ok(())
    }

    /// # Safety
    /// Its pointers are valid.
    unsafe fn lists(&self, c: &mut Config) -> Result<(), Code> {
        // SAFETY: passed on.
        c.product = unsafe { owned(self.product) }?;
        let n = array(self.domains, self.n_domains, LIST)?;
        c.domains.try_reserve_exact(n).map_err(memory)?;
        for i in 0..n {
            // SAFETY: `n` are there.
            c.domains.push(unsafe { owned(item(self.domains, i)) }?);
        }
        // SAFETY: passed on.
        c.trusted = unsafe { networks(self.trusted, self.n_trusted) }?;
        Ok(())
    }

    /// # Safety
    /// Its pointers are valid.
    unsafe fn edge(&self, c: &mut Edge) -> Result<(), Code> {
        c.path = match self.path_use {
            0 | SANSIP_PATH_NEVER => PathUse::Never,
            SANSIP_PATH_SUPPORTED => PathUse::Supported,
            SANSIP_PATH_REQUIRED => PathUse::Required,
            SANSIP_PATH_ALWAYS => PathUse::Always,
            _ => return Err(ARGUMENT),
        };
        c.nat = match self.nat {
            SANSIP_NAT_NEVER => Nat::Never,
            0 | SANSIP_NAT_DETECT => Nat::Detect,
            SANSIP_NAT_ALWAYS => Nat::Always,
            _ => return Err(ARGUMENT),
        };
        c.gruu = self.no_gruu == 0;
        c.stateless = self.stateless != 0;
        c.per_source = self.per_source;
        // SAFETY: passed on.
        c.service_route = unsafe { owned(self.service_route) }?;
        // SAFETY: passed on.
        c.trust = unsafe { networks(self.trust, self.n_trust) }?;
        Ok(())
    }
}

/// # Safety
/// `n` are there.
unsafe fn networks(list: *const SansipNetwork, n: usize) -> Result<Vec<Network>, Code> {
    let n = array(list, n, LIST)?;
    let mut out = Vec::new();
    out.try_reserve_exact(n).map_err(memory)?;
    for i in 0..n {
        // SAFETY: `n` are there.
        let range = unsafe { item(list, i) };
        let prefix = u8::try_from(range.prefix).map_err(|_| ARGUMENT)?;
        out.push(Network { ip: range.addr.ip()?, prefix });
    }
    Ok(out)
}

fn roles(bits: u32) -> Result<Roles, Code> {
    let all = SANSIP_ROLE_UA | SANSIP_ROLE_PROXY | SANSIP_ROLE_REGISTRAR;
    if bits & !all != 0 {
        return Err(ARGUMENT);
    }
    let has = |role| bits == 0 || bits & role != 0;
    Ok(Roles {
        ua: has(SANSIP_ROLE_UA),
        proxy: has(SANSIP_ROLE_PROXY),
        registrar: has(SANSIP_ROLE_REGISTRAR),
    })
}

/// The defaults, written out: all roles, the timers of RFC 3261, no seed. Set out->size first, and
/// out->seed afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_config_init(out: *mut SansipConfig) -> i32 {
    guard(|| {
        let c = Config::new([0; 32]);
        let ms = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let config = SansipConfig {
            size: 0,
            roles: SANSIP_ROLE_UA | SANSIP_ROLE_PROXY | SANSIP_ROLE_REGISTRAR,
            seed: [0; 32],
            cluster_key: [0; 32],
            unix_at_zero: 0,
            tag: 0,
            shard: 0,
            t1_ms: ms(c.t1),
            t2_ms: ms(c.t2),
            t4_ms: ms(c.t4),
            ring_ms: ms(c.ring),
            query_ms: ms(c.query),
            timer_c_ms: ms(c.timer_c),
            timer_c_total_ms: ms(c.timer_c_total),
            fork_order: SANSIP_ORDER_MIXED,
            fork_ring_ms: ms(c.forking.ring),
            fork_recurse: 0,
            fork_redirect: 0,
            no_dispositions: 0,
            max_breadth: c.forking.breadth.into(),
            fork_late_ms: ms(c.forking.late),
            retransmit: SANSIP_RETRANSMIT_PAID,
            no_record_route: 0,
            no_dns: 0,
            min_expires_s: c.min_expires,
            default_expires_s: c.default_expires,
            max_expires_s: c.max_expires,
            max_bindings: u32::try_from(c.max_bindings).unwrap_or(0),
            product: SansipStr::NONE,
            domains: std::ptr::null(),
            n_domains: 0,
            trusted: std::ptr::null(),
            n_trusted: 0,
            outbound: SansipAddr::NONE,
            session_expires_s: c.session_expires,
            no_session_timer: 0,
            min_se_s: c.min_se,
            reliable: SANSIP_RELIABLE_WITH_BODY,
            transferor_leaves: SANSIP_LEAVES_ON_FINAL_NOTIFY,
            transfer_ringing: SANSIP_RINGING_WAIT,
            transfer_to_aor: 0,
            no_refer_sub: 0,
            transfers: SANSIP_TRANSFERS_ASK,
            datagram_max: u32::try_from(c.datagram_max).unwrap_or(u32::MAX),
            no_ask_media: 0,
            hold: SANSIP_HOLD_SENDONLY,
            challenge: 0,
            nonce_ms: ms(c.challenge.nonce),
            integrity: 0,
            n_algorithms: 0,
            algorithms: [0; 4],
            realm: SansipStr::NONE,
            path_use: SANSIP_PATH_NEVER,
            nat: SANSIP_NAT_DETECT,
            no_gruu: 0,
            stateless: 0,
            per_source: 0,
            reserved: 0,
            service_route: SansipStr::NONE,
            trust: std::ptr::null(),
            n_trust: 0,
        };
        // SAFETY: by the header's rules.
        unsafe { fill(out, config) }.map(|()| 0)
    })
}
