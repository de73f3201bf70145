//! Outputs as tuples: the name of a class of `sansip`, and its members in their order.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sansip::wire::MessageRef;
use sansip::{
    Addr, CallChange, CallHandle, EndReason, Event, LineChange, LineHandle, Output, Path,
    PolicyAct, Query, RequestHandle,
};

use crate::media::streams;

type Made<'py> = PyResult<Bound<'py, PyAny>>;

/// Host, port, scope.
fn addr(addr: Addr) -> (String, u16, u32) {
    (addr.ip.to_string(), addr.port, addr.scope)
}

/// Local, remote, flow.
fn path(path: Path) -> (u16, (String, u16, u32), Option<u64>) {
    (path.local.0, addr(path.remote), path.flow.map(|f| f.0))
}

pub(crate) fn of_output<'py>(py: Python<'py>, output: &Output<'_>) -> Made<'py> {
    match *output {
        Output::Transmit(t) => {
            let data = PyBytes::new(py, t.bytes);
            ("Transmit", path(t.path), data, t.send.0, t.copy).into_bound_py_any(py)
        }
        Output::Close(flow) => ("Close", flow.0).into_bound_py_any(py),
        Output::Forget(id) => ("Forget", id.raw()).into_bound_py_any(py),
        Output::Query(id, query) => of_query(py, id.raw(), &query),
        Output::Event(event, message) => of_event(py, event, message),
        Output::Media { call, line, user, media } => {
            let of = (call.raw(), line.map(LineHandle::raw), user);
            let texts = (PyBytes::new(py, media.local), PyBytes::new(py, media.remote));
            ("Agreed", of, streams(py, &media)?, texts).into_bound_py_any(py)
        }
        _ => ("Unknown",).into_bound_py_any(py),
    }
}

fn of_query<'py>(py: Python<'py>, id: u64, query: &Query<'_>) -> Made<'py> {
    match *query {
        Query::Dns { name, transport, .. } => {
            ("DnsQuery", id, name, transport.as_str()).into_bound_py_any(py)
        }
        Query::Connect { to, transport, name } => {
            ("ConnectQuery", id, addr(to), transport.as_str(), name).into_bound_py_any(py)
        }
        Query::Route { request, uri, ours } => {
            ("RouteQuery", id, request.raw(), uri, ours).into_bound_py_any(py)
        }
        Query::Media { call, offer } => ("MediaQuery", id, call.raw(), offer).into_bound_py_any(py),
        Query::Locate { aor, request } => {
            ("LocateQuery", id, aor, request.map(RequestHandle::raw)).into_bound_py_any(py)
        }
        Query::Store { aor, version, bindings } => {
            let bindings: Vec<_> = bindings
                .map(|b| (b.uri, b.params, b.q, b.expires, b.call_id, b.cseq, b.path))
                .collect();
            ("StoreQuery", id, aor, version, bindings).into_bound_py_any(py)
        }
        Query::Credentials { line, realm, algorithm, user } => {
            let line = line.map(LineHandle::raw);
            ("CredentialsQuery", id, line, realm, algorithm.name(), user).into_bound_py_any(py)
        }
        _ => ("UnknownQuery", id).into_bound_py_any(py),
    }
}

fn of_event<'py>(py: Python<'py>, event: Event, message: Option<MessageRef<'_>>) -> Made<'py> {
    let message = message.map(|m| PyBytes::new(py, m.bytes()));
    match event {
        Event::Call { call, line, user, change } => {
            let of = (call.raw(), line.map(LineHandle::raw), user, message);
            match change {
                CallChange::Incoming => ("Incoming", of).into_bound_py_any(py),
                CallChange::Progress { status } => ("Progress", of, status).into_bound_py_any(py),
                CallChange::Answered { status } => ("Answered", of, status).into_bound_py_any(py),
                CallChange::Confirmed => ("Confirmed", of).into_bound_py_any(py),
                CallChange::Reinvite => ("Reinvite", of).into_bound_py_any(py),
                CallChange::Reinvited { status } => ("Reinvited", of, status).into_bound_py_any(py),
                CallChange::Updated { status } => ("Updated", of, status).into_bound_py_any(py),
                CallChange::Identity => ("IdentityChanged", of).into_bound_py_any(py),
                CallChange::Policy { what } => {
                    ("PolicyActed", of, policy(what)).into_bound_py_any(py)
                }
                CallChange::Redirected { status } => {
                    ("Redirected", of, status).into_bound_py_any(py)
                }
                CallChange::Transfer { status, done } => {
                    ("Transfer", of, status, done).into_bound_py_any(py)
                }
                CallChange::Referred => ("Referred", of).into_bound_py_any(py),
                CallChange::Ended { why, status } => {
                    ("Ended", of, end(why), status).into_bound_py_any(py)
                }
                _ => ("Unknown",).into_bound_py_any(py),
            }
        }
        Event::Line { line, user, change } => {
            let of = (line.raw(), user, message);
            match change {
                LineChange::Registered { expires } => {
                    ("Registered", of, expires).into_bound_py_any(py)
                }
                LineChange::Mapped { address } => {
                    ("Mapped", of, addr(address)).into_bound_py_any(py)
                }
                LineChange::Unregistered => ("Unregistered", of).into_bound_py_any(py),
                LineChange::Failed { status } => {
                    ("RegisterFailed", of, status).into_bound_py_any(py)
                }
                _ => ("Unknown",).into_bound_py_any(py),
            }
        }
        Event::Request { request, line, call } => {
            let (line, call) = (line.map(LineHandle::raw), call.map(CallHandle::raw));
            ("Request", request.raw(), line, call, message).into_bound_py_any(py)
        }
        Event::Transfer { request, call, line } => {
            let (call, line) = (call.map(CallHandle::raw), line.map(LineHandle::raw));
            ("TransferRequest", request.raw(), call, line, message).into_bound_py_any(py)
        }
        Event::Answered { user, status } => {
            ("RequestAnswered", user, status, message).into_bound_py_any(py)
        }
        Event::Refer { user, status, done } => {
            ("ReferProgress", user, status, done, message).into_bound_py_any(py)
        }
        Event::Exhausted { request, status } => {
            ("Exhausted", request.raw(), status).into_bound_py_any(py)
        }
        Event::Limited(limit) => ("Limited", limit.to_string()).into_bound_py_any(py),
        _ => ("Unknown",).into_bound_py_any(py),
    }
}

const fn policy(what: PolicyAct) -> &'static str {
    match what {
        PolicyAct::ForwardAlways => "forward always",
        PolicyAct::ForwardBusy => "forward busy",
        PolicyAct::ForwardNoAnswer => "forward no answer",
        PolicyAct::ForwardDnd => "forward dnd",
        PolicyAct::Dnd => "dnd",
        PolicyAct::Busy => "busy",
        PolicyAct::Anonymous => "anonymous",
        PolicyAct::AutoAnswer => "auto answer",
        PolicyAct::AnswerMode => "answer mode",
    }
}

fn end(why: EndReason) -> &'static str {
    match why {
        EndReason::Hangup => "hangup",
        EndReason::RemoteHangup => "remote hangup",
        EndReason::Refused => "refused",
        EndReason::Rejected => "rejected",
        EndReason::Abandoned => "abandoned",
        EndReason::Cancelled => "cancelled",
        EndReason::Timeout => "timeout",
        EndReason::Unreachable => "unreachable",
        EndReason::NoAck => "no ack",
        EndReason::SessionExpired => "session expired",
        EndReason::Replaced => "replaced",
        EndReason::Transferred => "transferred",
        EndReason::BadMedia => "bad media",
    }
}
