//! Open questions: each has an asker, a deadline and one final answer.

use super::pool::BlockId;
use super::slab::handle;
use super::timers::TimerId;
use crate::path::{Addr, Transport};

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
