//! Open questions: each has an asker, a deadline and one final answer.

use super::pool::BlockId;
use super::slab::handle;
use super::timers::TimerId;
use crate::path::{Addr, FlowId, Transport};
use crate::sdp::Media;

handle!(
    /// A question that waits for its answer.
    QueryId
);

/// What kind of object a transaction, an attempt or a question belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum OwnerKind {
    /// Nobody: the engine itself answered.
    #[default]
    None,
    /// The application, by the raw verbs.
    App,
    /// An attempt.
    Attempt,
    /// A call.
    Call,
    /// A response context of the proxy.
    Fork,
    /// The registrar.
    Registrar,
    /// A line.
    Line,
    /// A request of the user agent outside calls.
    Request,
    /// A REFER and its subscription.
    Refer,
}

/// An owner: which layer, which object, and a number of the layer's own (a branch).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Owner {
    /// Which layer.
    pub kind: OwnerKind,
    /// A number of the layer's own.
    pub part: u8,
    /// The object's handle.
    pub object: u64,
}

impl Owner {
    /// An owner without a part.
    #[must_use]
    pub const fn new(kind: OwnerKind, object: u64) -> Self {
        Self { kind, part: 0, object }
    }

    /// Nobody any more: the application has had its say, and its handle of the request is over.
    #[cfg(feature = "ua")]
    pub(crate) const fn answered() -> Self {
        Self { kind: OwnerKind::None, part: Self::ANSWERED, object: 0 }
    }

    #[cfg(feature = "ua")]
    const ANSWERED: u8 = 1;

    /// Whether the application has had its say.
    #[cfg(feature = "ua")]
    pub(crate) const fn was_answered(self) -> bool {
        matches!(self.kind, OwnerKind::None) && self.part == Self::ANSWERED
    }

    /// An owner with a part.
    #[must_use]
    pub const fn part(kind: OwnerKind, object: u64, part: u8) -> Self {
        Self { kind, part, object }
    }
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Ask {
    /// The addresses of a name.
    Dns = 1,
    /// A connection to an address.
    Connect = 2,
    /// The targets of a request that the proxy is to forward.
    Route = 3,
    /// The bindings of an address of record.
    Locate = 4,
    /// To store the bindings of an address of record.
    Store = 5,
    /// The media of a call.
    Media = 6,
    /// The secret of a user.
    Credentials = 7,
}

/// An open question.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// What is asked.
    pub ask: Ask,
    /// Who asks.
    pub asker: Owner,
    /// The question's text, held by the query.
    pub text: Option<BlockId>,
    /// The address, for a connection.
    pub addr: Addr,
    /// The transport, for a connection and for a name.
    pub transport: Transport,
    /// A number that goes along: a version.
    pub number: u64,
    pub(crate) timer: Option<TimerId>,
}

/// The answer to a question.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Answer<'a> {
    /// To `Dns`: the addresses, best first, and for how many seconds they hold.
    Addresses(&'a [core::net::IpAddr], u32),
    /// To `Dns`: where to try in turn, each with its own port and transport, and for how many seconds
    /// that holds: the caller knows what RFC 3263 4 asks for, or what its own routes say. The first
    /// four count. What TLS has to verify stays the name that was asked for.
    Hops(&'a [(Addr, Transport)], u32),
    /// To `Dns`: the name has no addresses. To `Locate`: no such address of record (404). To
    /// `Media`: none. To `Credentials`: no such user, or none in this realm or by this algorithm.
    NotFound,
    /// To any: it could not be done.
    Failed,
    /// To `Media`: all that the call can have on this side; kept for all its offers and answers.
    Media(&'a Media<'a>),
    /// To `Media`: a session description of the application's own.
    Description(&'a str),
    /// To `Connect`: this flow, reported by `flow_opened` before.
    Connected(FlowId),
    /// To `Route`: try these targets; none is 404.
    Route(&'a [Target<'a>]),
    /// To `Route`, `Locate` and `Store`: refuse the request with this status.
    Reject(u16),
    /// To `Locate`: the bindings and their version.
    Located {
        /// The version, to be named by `Store`.
        version: u64,
        /// The bindings that have not expired.
        bindings: &'a [Binding<'a>],
    },
    /// To `Store`: done.
    Stored,
    /// To `Store`: the version is not the one named; the rule is applied again.
    Conflict,
    /// To `Credentials`: the password.
    Password(&'a str),
    /// To `Credentials`: HA1 in hexadecimal, the hash of `user:realm:password` by the algorithm that
    /// was asked for (RFC 7616 3.4.2).
    Ha1(&'a str),
}

/// Secrets are not shown.
impl core::fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Hops(list, ttl) => f.debug_tuple("Hops").field(list).field(ttl).finish(),
            Self::Addresses(list, ttl) => {
                f.debug_tuple("Addresses").field(list).field(ttl).finish()
            }
            Self::NotFound => f.write_str("NotFound"),
            // Both may hold keys (RFC 4568).
            Self::Media(_) => f.write_str("Media(..)"),
            Self::Description(_) => f.write_str("Description(..)"),
            Self::Failed => f.write_str("Failed"),
            Self::Connected(flow) => f.debug_tuple("Connected").field(flow).finish(),
            Self::Route(targets) => f.debug_tuple("Route").field(targets).finish(),
            Self::Reject(status) => f.debug_tuple("Reject").field(status).finish(),
            Self::Located { version, bindings } => f
                .debug_struct("Located")
                .field("version", version)
                .field("bindings", bindings)
                .finish(),
            Self::Stored => f.write_str("Stored"),
            Self::Conflict => f.write_str("Conflict"),
            Self::Password(_) => f.write_str("Password(secret)"),
            Self::Ha1(_) => f.write_str("Ha1(secret)"),
        }
    }
}

/// A target of a request that the proxy forwards. The default changes nothing of a request: write
/// what differs, and `..Target::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target<'a> {
    /// The new Request-URI; empty keeps the one that came.
    pub uri: &'a str,
    /// Where to send it in spite of its Request-URI: a URI; empty for none (RFC 3261 16.6 step 6).
    pub next_hop: &'a str,
    /// Preference, 0 to 1000, higher first.
    pub q: u16,
    /// Routes that the request gets before its own, as one Route field lists them:
    /// `<sip:edge.example.com;lr>, <sip:...>` (RFC 3327 5.3). Those in front that are ours are
    /// followed at once, such as a connection that is named by a token of ours (RFC 5626 5.3).
    /// Empty for none.
    pub path: &'a str,
    /// What is known of the device, as parameters of a Contact: its features (RFC 3841),
    /// `+sip.instance` and `reg-id`. Of an instance's targets the last one that works is used alone
    /// (RFC 5626 7). Empty for nothing.
    pub params: &'a str,
}

impl<'a> From<&Binding<'a>> for Target<'a> {
    fn from(b: &Binding<'a>) -> Self {
        Self { uri: b.uri, next_hop: "", q: b.q, path: b.path, params: b.params }
    }
}

/// A binding of an address of record (RFC 3261 10). Of those of one instance (`+sip.instance`) the
/// last one is the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The contact's URI as it was registered.
    pub uri: &'a str,
    /// Its parameters other than `q` and `expires`, as they were: `;+sip.instance="..."`.
    pub params: &'a str,
    /// Preference, 0 to 1000.
    pub q: u16,
    /// Seconds until it expires, from now.
    pub expires: u32,
    /// The Call-ID of the REGISTER that made it.
    pub call_id: &'a str,
    /// The CSeq of that REGISTER.
    pub cseq: u32,
    /// The routes to it, as [`Target::path`] has them: the Path of that REGISTER (RFC 3327), and a
    /// token of ours where it is reached by the connection or the source that it came from. To be
    /// kept as it is.
    pub path: &'a str,
}
