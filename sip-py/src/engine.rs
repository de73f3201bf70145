//! The engine.

use std::net::IpAddr;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sansip::{
    Answer, Binding, CallHandle, Done, Extras, FlowEnd, FlowId, FlowInfo, Input, Instant,
    LineConfig, LineHandle, Local, LocalId, Path, QueryId, RequestHandle, Seen, SendEnd, SendId,
    Target, Transport,
};

use crate::config::{Address, Config, Limits};
use crate::error::refused;
use crate::media::MediaIn;
use crate::output::of_output;
use crate::policy::PolicyIn;

/// The attributes of `sansip.Path`.
#[derive(FromPyObject)]
struct PathIn {
    local: u16,
    remote: Address,
    flow: Option<u64>,
}

impl From<PathIn> for Path {
    fn from(p: PathIn) -> Self {
        Self { local: LocalId(p.local), remote: p.remote.into(), flow: p.flow.map(FlowId) }
    }
}

/// Header fields, Content-Type, body, media.
#[derive(FromPyObject)]
struct ExtrasIn(Vec<(String, String)>, String, Vec<u8>, Option<MediaIn>);

impl ExtrasIn {
    /// What the message gets, for as long as `f` runs.
    fn with<R>(&self, f: impl FnOnce(Extras<'_>) -> PyResult<R>) -> PyResult<R> {
        let fields: Vec<(&str, &str)> =
            self.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let extras = Extras { headers: &fields, content_type: &self.1, body: &self.2, media: None };
        match &self.3 {
            None => f(extras),
            Some(given) => given.with(|media| f(Extras { media: Some(media), ..extras })),
        }
    }
}

/// The attributes of `sansip.Line`.
#[derive(FromPyObject)]
struct LineIn {
    aor: String,
    display: String,
    proxy: String,
    local: Option<u16>,
    expires: u32,
    any: bool,
    user: u64,
    auth_user: String,
    auth_realm: String,
    instance: String,
    auth_peers: bool,
}

/// The attributes of `sansip.Target`.
#[derive(FromPyObject)]
struct TargetIn {
    uri: String,
    next_hop: String,
    q: u16,
    path: String,
    params: String,
}

impl TargetIn {
    fn target(&self) -> Target<'_> {
        Target {
            uri: &self.uri,
            next_hop: &self.next_hop,
            q: self.q,
            path: &self.path,
            params: &self.params,
        }
    }
}

/// The attributes of `sansip.Binding`.
#[derive(FromPyObject)]
struct BindingIn {
    uri: String,
    params: String,
    q: u16,
    expires: u32,
    call_id: String,
    cseq: u32,
    path: String,
}

fn transport(name: &str) -> PyResult<Transport> {
    Transport::of(name.as_bytes()).ok_or_else(|| PyValueError::new_err("no such transport"))
}

/// Line, the caller's number, the call that it replaces, the one that it joins, focus.
type CallInfoOut = (Option<u64>, u64, Option<u64>, Option<u64>, bool);

/// An engine.
#[pyclass]
pub(crate) struct Engine {
    core: sansip::Engine,
}

impl Engine {
    fn apply(&mut self, py: Python<'_>, now: u64, input: &Input<'_>) -> PyResult<Done> {
        self.core.apply(Instant(now), input).map_err(|e| refused(py, e))
    }

    fn done(&mut self, py: Python<'_>, now: u64, input: &Input<'_>) -> PyResult<()> {
        self.apply(py, now, input).map(drop)
    }
}

/// What goes in.
#[pymethods]
impl Engine {
    #[new]
    fn new(py: Python<'_>, config: Config, limits: Limits) -> PyResult<Self> {
        let core = sansip::Engine::new(config.try_into()?, &limits.into());
        Ok(Self { core: core.map_err(|e| refused(py, e))? })
    }

    fn set_local(
        &mut self,
        py: Python<'_>,
        now: u64,
        local: u16,
        entry: (String, Address, String, u16, u16),
    ) -> PyResult<()> {
        let (kind, bound, host, port, network) = entry;
        let entry =
            Local { transport: transport(&kind)?, bound: bound.into(), host: &host, port, network };
        self.done(py, now, &Input::SetLocal { local: LocalId(local), entry })
    }

    /// `None` if the message was used, else why it was ignored and the clause that allows it.
    fn receive(
        &mut self,
        py: Python<'_>,
        now: u64,
        path: PathIn,
        data: &[u8],
    ) -> PyResult<Option<(String, &'static str)>> {
        match self.apply(py, now, &Input::Receive { path: path.into(), message: data })? {
            Done::Seen(Seen::Ignored(why)) => Ok(Some((why.to_string(), why.clause()))),
            _ => Ok(None),
        }
    }

    fn receive_stream(
        &mut self,
        py: Python<'_>,
        now: u64,
        flow: u64,
        data: &[u8],
    ) -> PyResult<usize> {
        match self.apply(py, now, &Input::ReceiveStream { flow: FlowId(flow), bytes: data })? {
            Done::Taken(n) => Ok(n),
            _ => Ok(0),
        }
    }

    fn flow_opened(
        &mut self,
        py: Python<'_>,
        now: u64,
        flow: u64,
        info: (u16, Address, String, bool, Vec<String>),
    ) -> PyResult<()> {
        let (local, remote, kind, accepted, names) = info;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let info = FlowInfo {
            local: LocalId(local),
            remote: remote.into(),
            transport: transport(&kind)?,
            accepted,
            names: &names,
        };
        self.done(py, now, &Input::FlowOpened { flow: FlowId(flow), info })
    }

    fn flow_closed(&mut self, py: Python<'_>, now: u64, flow: u64, why: &str) -> PyResult<()> {
        let why = match why {
            "closed" => FlowEnd::Closed,
            "reset" => FlowEnd::Reset,
            "asked" => FlowEnd::Asked,
            _ => return Err(PyValueError::new_err("why is 'closed', 'reset' or 'asked'")),
        };
        self.done(py, now, &Input::FlowClosed { flow: FlowId(flow), why })
    }

    fn send_failed(&mut self, py: Python<'_>, now: u64, send: u64, why: &str) -> PyResult<()> {
        let why = match why {
            "unreachable" => SendEnd::Unreachable,
            "too large" => SendEnd::TooLarge,
            "other" => SendEnd::Other,
            _ => {
                return Err(PyValueError::new_err("why is 'unreachable', 'too large' or 'other'"));
            }
        };
        self.done(py, now, &Input::SendFailed { send: SendId(send), why })
    }

    fn handle_timeout(&mut self, py: Python<'_>, now: u64) -> PyResult<()> {
        self.done(py, now, &Input::HandleTimeout)
    }

    /// An answer without content: `failed`, `not found`, `stored`, `conflict`.
    fn answer_plain(&mut self, py: Python<'_>, now: u64, query: u64, what: &str) -> PyResult<()> {
        let answer = match what {
            "failed" => Answer::Failed,
            "not found" => Answer::NotFound,
            "stored" => Answer::Stored,
            "conflict" => Answer::Conflict,
            _ => return Err(PyValueError::new_err("no such answer")),
        };
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn answer_addresses(
        &mut self,
        py: Python<'_>,
        now: u64,
        query: u64,
        addresses: Vec<IpAddr>,
        ttl: u32,
    ) -> PyResult<()> {
        let answer = Answer::Addresses(&addresses, ttl);
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn answer_connected(
        &mut self,
        py: Python<'_>,
        now: u64,
        query: u64,
        flow: u64,
    ) -> PyResult<()> {
        let answer = Answer::Connected(FlowId(flow));
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn answer_route(
        &mut self,
        py: Python<'_>,
        now: u64,
        query: u64,
        targets: Vec<TargetIn>,
    ) -> PyResult<()> {
        let targets = targets.iter().map(TargetIn::target).collect::<Vec<_>>();
        let answer = Answer::Route(&targets);
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn answer_reject(&mut self, py: Python<'_>, now: u64, query: u64, status: u16) -> PyResult<()> {
        let answer = Answer::Reject(status);
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn answer_located(
        &mut self,
        py: Python<'_>,
        now: u64,
        query: u64,
        version: u64,
        bindings: Vec<BindingIn>,
    ) -> PyResult<()> {
        let bindings: Vec<Binding<'_>> = bindings
            .iter()
            .map(|b| Binding {
                uri: &b.uri,
                params: &b.params,
                q: b.q,
                expires: b.expires,
                call_id: &b.call_id,
                cseq: b.cseq,
                path: &b.path,
            })
            .collect();
        let answer = Answer::Located { version, bindings: &bindings };
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn answer_media(
        &mut self,
        py: Python<'_>,
        now: u64,
        query: u64,
        media: MediaIn,
    ) -> PyResult<()> {
        media.with(|media| {
            let answer = Answer::Media(media);
            self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
        })
    }

    fn answer_description(
        &mut self,
        py: Python<'_>,
        now: u64,
        query: u64,
        description: &str,
    ) -> PyResult<()> {
        let answer = Answer::Description(description);
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn answer_password(
        &mut self,
        py: Python<'_>,
        now: u64,
        query: u64,
        password: &str,
    ) -> PyResult<()> {
        let answer = Answer::Password(password);
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn answer_ha1(&mut self, py: Python<'_>, now: u64, query: u64, ha1: &str) -> PyResult<()> {
        let answer = Answer::Ha1(ha1);
        self.done(py, now, &Input::Answer { query: QueryId::from_raw(query), answer })
    }

    fn add_line(&mut self, py: Python<'_>, now: u64, line: LineIn) -> PyResult<u64> {
        let line = LineConfig {
            aor: &line.aor,
            display: &line.display,
            proxy: &line.proxy,
            local: line.local.map(LocalId),
            expires: line.expires,
            any: line.any,
            user: line.user,
            auth_user: &line.auth_user,
            auth_realm: &line.auth_realm,
            instance: &line.instance,
            auth_peers: line.auth_peers,
        };
        let line = self.core.add_line(Instant(now), line);
        line.map(LineHandle::raw).map_err(|e| refused(py, e))
    }

    fn remove_line(&mut self, py: Python<'_>, now: u64, line: u64) -> PyResult<()> {
        self.done(py, now, &Input::RemoveLine { line: LineHandle::from_raw(line) })
    }

    fn set_policy(
        &mut self,
        py: Python<'_>,
        now: u64,
        line: u64,
        policy: PolicyIn,
    ) -> PyResult<()> {
        let (line, policy) = (LineHandle::from_raw(line), policy.get()?);
        self.done(py, now, &Input::SetPolicy { line, policy })
    }

    fn follow(&mut self, py: Python<'_>, now: u64, call: u64, target: &str) -> PyResult<()> {
        self.done(py, now, &Input::Follow { call: CallHandle::from_raw(call), target })
    }

    fn register(&mut self, py: Python<'_>, now: u64, line: u64) -> PyResult<()> {
        self.done(py, now, &Input::Register { line: LineHandle::from_raw(line) })
    }

    fn unregister(&mut self, py: Python<'_>, now: u64, line: u64) -> PyResult<()> {
        self.done(py, now, &Input::Unregister { line: LineHandle::from_raw(line) })
    }

    fn invite(
        &mut self,
        py: Python<'_>,
        now: u64,
        line: u64,
        target: &str,
        user: u64,
        extras: ExtrasIn,
    ) -> PyResult<u64> {
        let line = LineHandle::from_raw(line);
        extras.with(|x| {
            let call = self.core.invite(Instant(now), line, target, user, x);
            call.map(CallHandle::raw).map_err(|e| refused(py, e))
        })
    }

    fn ring(
        &mut self,
        py: Python<'_>,
        now: u64,
        call: u64,
        status: u16,
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let call = CallHandle::from_raw(call);
        extras.with(|extras| self.done(py, now, &Input::Ring { call, status, extras }))
    }

    fn answer_call(
        &mut self,
        py: Python<'_>,
        now: u64,
        call: u64,
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let call = CallHandle::from_raw(call);
        extras.with(|extras| self.done(py, now, &Input::AnswerCall { call, extras }))
    }

    fn reject(
        &mut self,
        py: Python<'_>,
        now: u64,
        call: u64,
        status: u16,
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let call = CallHandle::from_raw(call);
        extras.with(|extras| self.done(py, now, &Input::Reject { call, status, extras }))
    }

    fn redirect(
        &mut self,
        py: Python<'_>,
        now: u64,
        call: u64,
        to: (u16, String),
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let call = CallHandle::from_raw(call);
        let (status, contact) = (to.0, to.1.as_str());
        extras.with(|extras| self.done(py, now, &Input::Redirect { call, status, contact, extras }))
    }

    fn hangup(&mut self, py: Python<'_>, now: u64, call: u64) -> PyResult<()> {
        self.done(py, now, &Input::Hangup { call: CallHandle::from_raw(call) })
    }

    fn reinvite(&mut self, py: Python<'_>, now: u64, call: u64, extras: ExtrasIn) -> PyResult<()> {
        let call = CallHandle::from_raw(call);
        extras.with(|extras| self.done(py, now, &Input::Reinvite { call, extras }))
    }

    fn update(&mut self, py: Python<'_>, now: u64, call: u64, extras: ExtrasIn) -> PyResult<()> {
        let call = CallHandle::from_raw(call);
        extras.with(|extras| self.done(py, now, &Input::Update { call, extras }))
    }

    fn transfer(
        &mut self,
        py: Python<'_>,
        now: u64,
        call: u64,
        to: (String, bool),
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let call = CallHandle::from_raw(call);
        let (target, keep) = (to.0.as_str(), to.1);
        extras.with(|extras| self.done(py, now, &Input::Transfer { call, target, keep, extras }))
    }

    fn transfer_to(
        &mut self,
        py: Python<'_>,
        now: u64,
        call: u64,
        other: u64,
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let (call, other) = (CallHandle::from_raw(call), CallHandle::from_raw(other));
        extras.with(|extras| self.done(py, now, &Input::TransferTo { call, other, extras }))
    }

    fn accept_transfer(
        &mut self,
        py: Python<'_>,
        now: u64,
        request: u64,
        user: u64,
        extras: ExtrasIn,
    ) -> PyResult<u64> {
        let request = RequestHandle::from_raw(request);
        extras.with(|x| {
            let call = self.core.accept_transfer(Instant(now), request, user, x);
            call.map(CallHandle::raw).map_err(|e| refused(py, e))
        })
    }

    fn reject_transfer(
        &mut self,
        py: Python<'_>,
        now: u64,
        request: u64,
        status: u16,
    ) -> PyResult<()> {
        let request = RequestHandle::from_raw(request);
        self.done(py, now, &Input::RejectTransfer { request, status })
    }

    fn call_info(&self, call: u64) -> Option<CallInfoOut> {
        let info = self.core.call_info(CallHandle::from_raw(call))?;
        let raw = |h: Option<CallHandle>| h.map(CallHandle::raw);
        let line = info.line.map(LineHandle::raw);
        Some((line, info.user, raw(info.replaces), raw(info.joins), info.focus))
    }

    fn hold(&mut self, py: Python<'_>, now: u64, call: u64) -> PyResult<()> {
        self.done(py, now, &Input::Hold { call: CallHandle::from_raw(call) })
    }

    fn resume(&mut self, py: Python<'_>, now: u64, call: u64) -> PyResult<()> {
        self.done(py, now, &Input::Resume { call: CallHandle::from_raw(call) })
    }

    fn refer(
        &mut self,
        py: Python<'_>,
        now: u64,
        line: u64,
        to: (String, String, u64),
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let line = LineHandle::from_raw(line);
        let (target, to, user) = (to.0.as_str(), to.1.as_str(), to.2);
        extras.with(|extras| self.done(py, now, &Input::Refer { line, target, to, user, extras }))
    }

    fn options(
        &mut self,
        py: Python<'_>,
        now: u64,
        line: Option<u64>,
        target: (String, u64),
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let line = line.map(LineHandle::from_raw);
        let (target, user) = (target.0.as_str(), target.1);
        extras.with(|extras| self.done(py, now, &Input::Options { line, target, user, extras }))
    }

    fn respond(
        &mut self,
        py: Python<'_>,
        now: u64,
        request: u64,
        status: u16,
        extras: ExtrasIn,
    ) -> PyResult<()> {
        let request = RequestHandle::from_raw(request);
        extras.with(|extras| self.done(py, now, &Input::Respond { request, status, extras }))
    }

    fn add_targets(
        &mut self,
        py: Python<'_>,
        now: u64,
        request: u64,
        targets: Vec<TargetIn>,
        more: bool,
    ) -> PyResult<()> {
        let request = RequestHandle::from_raw(request);
        let targets = &targets.iter().map(TargetIn::target).collect::<Vec<_>>();
        self.done(py, now, &Input::AddTargets { request, targets, more })
    }

    fn send(&mut self, py: Python<'_>, now: u64, path: PathIn, data: &[u8]) -> PyResult<()> {
        self.done(py, now, &Input::Send { path: path.into(), bytes: data })
    }

    fn drain(&mut self, py: Python<'_>, now: u64) -> PyResult<()> {
        self.done(py, now, &Input::Drain)
    }

    fn set_config(&mut self, py: Python<'_>, now: u64, config: Config) -> PyResult<()> {
        let set = self.core.set_config(Instant(now), config.try_into()?);
        set.map_err(|e| refused(py, e))
    }

    fn shutdown(&mut self, py: Python<'_>, now: u64) -> PyResult<()> {
        self.done(py, now, &Input::Shutdown)
    }

    fn poll<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.core.poll().map(|output| of_output(py, &output)).transpose()
    }

    fn next_timeout(&self) -> Option<u64> {
        self.core.next_timeout().map(|at| at.0)
    }

    fn message<'py>(&self, py: Python<'py>, request: u64) -> Option<Bound<'py, PyBytes>> {
        let message = self.core.message(RequestHandle::from_raw(request))?;
        Some(PyBytes::new(py, message.bytes()))
    }

    fn stats(&self) -> Vec<(&'static str, u64)> {
        let s = self.core.stats();
        vec![
            ("calls", s.calls as u64),
            ("lines", s.lines as u64),
            ("dialogs", s.dialogs as u64),
            ("transactions", s.transactions as u64),
            ("attempts", s.attempts as u64),
            ("forks", s.forks as u64),
            ("transfers", s.transfers as u64),
            ("timers", s.timers as u64),
            ("queries", s.queries as u64),
            ("flows", s.flows as u64),
            ("outputs", s.outputs as u64),
            ("blocks", s.blocks as u64),
            ("pool_bytes", s.pool_bytes as u64),
            ("received", s.received),
            ("ignored", s.ignored),
            ("refused_full", s.refused_full),
        ]
    }

    fn is_quiescent(&self) -> bool {
        self.core.is_quiescent()
    }
}
