//! What comes out of `poll`.

use crate::cx::Cx;
use crate::dialog::session;
use crate::error::Limit;
use crate::path::{Addr, FlowId, Path, Transport};
use crate::sdp::Agreed;
use crate::store::queries::{Ask, Query as StoredQuery};
use crate::store::ring::{EventRecord, Record};
use crate::tx::TxHandle;
use crate::ua;
use crate::wire::message::MessageRef;

pub use crate::header::auth::Algorithm;
pub use crate::store::queries::{Answer, Binding, QueryId, Target};

pub use crate::ua::{
    CallChange, CallHandle, CallInfo, EndReason, LineChange, LineHandle, PolicyAct,
};

/// A request that waits for its answer; the same number as its server transaction.
pub type RequestHandle = TxHandle;

/// Names what was sent, to report that it could not be: see [`Engine::send_failed`](super::Engine::send_failed).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SendId(pub u64);

/// Bytes to send.
#[derive(Clone, Copy, Debug)]
pub struct Transmit<'e> {
    /// Where to. With `path.flow` set, write them to that connection, whole and in order; else
    /// send one datagram from `path.local`'s socket to `path.remote`.
    pub path: Path,
    /// The bytes of one message, or of a keep-alive.
    pub bytes: &'e [u8],
    /// Which object sends: the same for a message and its repetitions.
    pub send: SendId,
    /// 0 for the first time, then counting the repetitions.
    pub copy: u16,
}

/// One thing that the engine wants done or known.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Output<'e> {
    /// Send bytes (RFC 3261 18).
    Transmit(Transmit<'e>),
    /// Write what was lent for this flow before, then close it, then report `flow_closed` (RFC 3261
    /// 18.3, 18.4). Nothing more is taken from it.
    Close(FlowId),
    /// A question: answer it with [`Engine::answer`](super::Engine::answer), now or later, once. What
    /// waits for it goes on by its deadline, `Config::query`, as if it had failed (RFC 3261 8.1.3.1,
    /// 16.7).
    Query(QueryId, Query<'e>),
    /// The asker of that question has ended, or its deadline has passed; a late answer is harmless.
    Forget(QueryId),
    /// Something happened; the message that caused it, if there is one. Each event names its clause.
    Event(Event, Option<MessageRef<'e>>),
    /// The session of a call has changed: what to send and hear from now on (RFC 3264).
    Media {
        /// The call.
        call: CallHandle,
        /// Its line.
        line: Option<LineHandle>,
        /// The caller's number of the call.
        user: u64,
        /// What both sides have agreed on.
        media: Agreed<'e>,
    },
}

/// A question.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Query<'e> {
    /// Where a name leads (RFC 3263 4): its IPv4 and IPv6 addresses (A and AAAA), or with
    /// [`Answer::Hops`] what its NAPTR and SRV records say, where they count.
    Dns {
        /// The name.
        name: &'e str,
        /// The transport: what the URI says, or what is meant where it says none.
        transport: Transport,
        /// The port of the URI; 0 where it has none: SRV records count (RFC 3263 4.2).
        port: u16,
        /// Whether the URI leaves the transport open: without a port NAPTR records count, and SRV
        /// records for each transport (RFC 3263 4.1). A secure one stays secure.
        open: bool,
    },
    /// A connection (RFC 3261 18.1.1). When it is open: `flow_opened` with a new [`FlowId`], then
    /// [`Answer::Connected`].
    Connect {
        /// Where to.
        to: Addr,
        /// The transport.
        transport: Transport,
        /// The name that TLS has to verify: the host of the URI; empty for an address.
        name: &'e str,
    },
    /// Where the proxy shall send a request that no binding and no Route of its own decides (RFC 3261
    /// 16.5).
    Route {
        /// The request; [`Engine::message`](super::Engine::message) shows it until it is answered.
        request: RequestHandle,
        /// Its Request-URI.
        uri: &'e str,
        /// Whether the Request-URI's host is one of our domains or identities.
        ours: bool,
    },
    /// The media of a call that no verb gave (RFC 3264 5, 6): answer with [`Answer::Media`], or with
    /// [`Answer::Description`] to make offers and answers yourself. `NotFound` and `Failed` call
    /// without, and refuse a call that came in with 488.
    Media {
        /// The call.
        call: CallHandle,
        /// The peer's offer; empty where it has made none.
        offer: &'e str,
    },
    /// The bindings of an address of record, to route a request (RFC 3261 16.5) or to register
    /// (10.3). `NotFound` says
    /// that there is no such address (404); one that exists without bindings is `Located` with
    /// none, version 0 if it never had any.
    Locate {
        /// The canonical address of record: `sip:user@host`.
        aor: &'e str,
        /// The request that is to be routed, as in [`Query::Route`]; `None` to register.
        request: Option<RequestHandle>,
    },
    /// Store these bindings in place of all that the address of record has, if its version is
    /// still `version` (RFC 3261 10.3 step 7).
    Store {
        /// The canonical address of record.
        aor: &'e str,
        /// The version that the rule was applied to; 0 where there was none.
        version: u64,
        /// The bindings.
        bindings: Bindings<'e>,
    },
    /// The secret of a user (RFC 3261 22, RFC 8760): [`Answer::Password`], or [`Answer::Ha1`] by
    /// this algorithm, or [`Answer::NotFound`].
    Credentials {
        /// The line whose request is challenged, to answer for it; `None` to check somebody else's
        /// credentials.
        line: Option<LineHandle>,
        /// The realm.
        realm: &'e str,
        /// [`Algorithm::Md5`], [`Algorithm::Sha256`] or [`Algorithm::Sha512_256`].
        algorithm: Algorithm,
        /// The user.
        user: &'e str,
    },
}

pub use crate::registrar::Bindings;

/// Something that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A call changed (RFC 3261 13 to 15). What it was before is what the last event of it said.
    Call {
        /// The call.
        call: CallHandle,
        /// Its line, if it came in or went out on one.
        line: Option<LineHandle>,
        /// The caller's number of the call.
        user: u64,
        /// What changed.
        change: CallChange,
    },
    /// A line changed (RFC 3261 10.2). A line takes every verb in every state, until it is removed.
    Line {
        /// The line.
        line: LineHandle,
        /// The caller's number of the line.
        user: u64,
        /// What changed.
        change: LineChange,
    },
    /// A request, in a call or outside, that the engine leaves to the application (RFC 3261 8.2):
    /// answer it with
    /// [`Engine::respond`](super::Engine::respond). Unanswered after 63*T1, the engine answers it:
    /// 480, an UPDATE 504 (RFC 3311 5.2); from then on the verb is `Late`.
    Request {
        /// The request.
        request: RequestHandle,
        /// The line that it is for.
        line: Option<LineHandle>,
        /// The call that it belongs to, if it came in one.
        call: Option<CallHandle>,
    },
    /// A peer asks by REFER for a call, in a call or outside (RFC 3515 2.4.2); the message is the
    /// REFER. Accept it with
    /// [`Engine::accept_transfer`](super::Engine::accept_transfer) or refuse it with
    /// [`Engine::reject_transfer`](super::Engine::reject_transfer). Unanswered after 63*T1, the engine
    /// answers 480; from then on both are `Late`.
    Transfer {
        /// The request.
        request: RequestHandle,
        /// The call that it came in, or that it names and knows (RFC 4538).
        call: Option<CallHandle>,
        /// The line that it is for.
        line: Option<LineHandle>,
    },
    /// A request of ours outside calls was answered (RFC 3261 8.1.3, 11.2): the message is the final
    /// response.
    Answered {
        /// The caller's number of the request.
        user: u64,
        /// The status; 408 where nothing came, 503 where there was no way (RFC 3261 8.1.3.1).
        status: u16,
    },
    /// Everything has failed that was to be tried for a request which waits for late targets
    /// ([`Engine::add_targets`](super::Engine::add_targets)): add some, or say that no more come, and
    /// the best response goes back (RFC 3261 16.7 step 6). It goes by itself after `Forking::late`.
    Exhausted {
        /// The request, as in [`Query::Route`].
        request: RequestHandle,
        /// The status of that response.
        status: u16,
    },
    /// A REFER of ours outside calls goes on: what was answered to it, or what a NOTIFY says of the
    /// new call (RFC 3515 2.4.5). The message is that response or NOTIFY.
    Refer {
        /// The caller's number of the REFER.
        user: u64,
        /// The status; 408 where nothing came, 503 where there was no way.
        status: u16,
        /// It is over: with 2xx it worked.
        done: bool,
    },
    /// A limit was reached, and requests get 503 with Retry-After because of it (RFC 3261 21.5.4).
    /// Told at most once a second, in whatever state calls and lines are;
    /// [`Stats::refused_full`](super::Stats::refused_full) counts them.
    Limited(Limit),
}

/// Turns a record into what `poll` returns.
pub(super) fn of_record<'e>(cx: &'e Cx, record: &Record) -> Option<Output<'e>> {
    Some(match *record {
        Record::Transmit { block, path, object, copy } => {
            let bytes = cx.pool.bytes_of(block);
            Output::Transmit(Transmit { path, bytes, send: SendId(object), copy })
        }
        Record::Close(flow) => Output::Close(flow),
        Record::Forget(id) => Output::Forget(QueryId::from_raw(id)),
        Record::Query(id) => {
            let id = QueryId::from_raw(id);
            Output::Query(id, question(cx, cx.queries.get(id)?))
        }
        Record::Event(event) if event.kind == ua::MEDIA => {
            let (local, remote) = session::parts(event.block.map_or(&[], |b| cx.pool.bytes_of(b)));
            Output::Media {
                call: CallHandle::from_raw(event.object),
                line: line_of(&event),
                user: event.user,
                media: Agreed { local, remote },
            }
        }
        Record::Event(event) => {
            let message = event.block.and_then(|b| MessageRef::lazy(cx.pool.bytes_of(b)));
            Output::Event(event_of(&event, message.as_ref())?, message)
        }
    })
}

fn question<'e>(cx: &'e Cx, query: &StoredQuery) -> Query<'e> {
    let bytes = query.text.map_or(&[][..], |b| cx.pool.bytes_of(b));
    let text = core::str::from_utf8(bytes).unwrap_or("");
    match query.ask {
        Ask::Dns => Query::Dns {
            name: text,
            transport: query.transport,
            port: query.addr.port,
            open: query.number != 0,
        },
        Ask::Connect => Query::Connect { to: query.addr, transport: query.transport, name: text },
        Ask::Route => {
            let request = TxHandle::from_raw(query.number);
            Query::Route { request, uri: text, ours: query.addr.port != 0 }
        }
        Ask::Media => Query::Media { call: CallHandle::from_raw(query.number), offer: text },
        Ask::Locate => {
            let request = (query.number != 0).then(|| TxHandle::from_raw(query.number));
            Query::Locate { aor: text, request }
        }
        Ask::Store => {
            let (aor, bindings) = Bindings::open(bytes);
            Query::Store { aor, version: query.number, bindings }
        }
        Ask::Credentials => {
            let (algorithm, realm, user) = crate::auth::question::decode(text, query.addr.port);
            let line = (query.number != 0).then(|| LineHandle::from_raw(query.number));
            Query::Credentials { line, realm, algorithm, user }
        }
    }
}

/// The record number of [`Event::Limited`].
const EVENT_LIMITED: u16 = 0x401;

/// The record of [`Event::Limited`].
pub(super) const fn limited(limit: Limit) -> EventRecord {
    EventRecord {
        kind: EVENT_LIMITED,
        code: limit as u16,
        object: 0,
        other: 0,
        user: 0,
        block: None,
    }
}

fn line_of(record: &EventRecord) -> Option<LineHandle> {
    (record.other != 0).then(|| LineHandle::from_raw(record.other))
}

fn event_of(record: &EventRecord, message: Option<&MessageRef<'_>>) -> Option<Event> {
    let line = line_of(record);
    match record.kind >> 8 {
        1 => Some(Event::Call {
            call: CallHandle::from_raw(record.object),
            line,
            user: record.user,
            change: ua::call_change(record.kind, record.code)?,
        }),
        2 => Some(Event::Line {
            line: LineHandle::from_raw(record.object),
            user: record.user,
            change: ua::line_change(record.kind, record.code, record.other, message)?,
        }),
        3 if record.kind == ua::EVENT_TRANSFER => Some(Event::Transfer {
            request: TxHandle::from_raw(record.object),
            call: (record.user != 0).then(|| CallHandle::from_raw(record.user)),
            line,
        }),
        3 => Some(Event::Request {
            request: TxHandle::from_raw(record.object),
            line,
            call: (record.user != 0).then(|| CallHandle::from_raw(record.user)),
        }),
        4 if record.kind == EVENT_LIMITED => Some(Event::Limited(Limit::of(record.code)?)),
        5 if record.kind == ua::EVENT_REFER => {
            let done = record.object != 0;
            Some(Event::Refer { user: record.user, status: record.code, done })
        }
        5 if record.kind == ua::EVENT_ANSWERED => {
            Some(Event::Answered { user: record.user, status: record.code })
        }
        6 if record.kind == crate::proxy::EVENT_EXHAUSTED => Some(Event::Exhausted {
            request: TxHandle::from_raw(record.object),
            status: record.code,
        }),
        _ => None,
    }
}
