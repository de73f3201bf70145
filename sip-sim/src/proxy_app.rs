//! A proxy's and registrar's application: bindings in memory, static routes.

use std::collections::BTreeMap;

use sansip::{Answer, Binding, QueryId, Target};

use crate::app::{App, Asked, Io, StoredBinding};

/// Keeps bindings with versions, and sends what no binding matches where its routes say.
#[derive(Clone, Debug, Default)]
pub struct ProxyApp {
    /// Address of record to version and bindings.
    pub store: BTreeMap<String, (u64, Vec<StoredBinding>)>,
    routes: Vec<(String, String)>,
    /// Leaves this many questions unanswered, to test what becomes of their askers.
    pub forget: u64,
    /// Says `Conflict` to this many stores.
    pub conflicts: u64,
    /// What was asked.
    pub asked: Vec<Asked>,
}

impl ProxyApp {
    /// A proxy without routes: it sends to bindings and to foreign Request-URIs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends requests whose Request-URI contains `pattern` (`*`: all) to this next hop.
    #[must_use]
    pub fn route(mut self, pattern: &str, next_hop: &str) -> Self {
        self.routes.push((pattern.to_string(), next_hop.to_string()));
        self
    }

    fn live(&self, aor: &str, now: u64) -> (u64, Vec<StoredBinding>) {
        let (version, all) = self.store.get(aor).cloned().unwrap_or_default();
        (version, all.into_iter().filter(|b| b.until > now).collect())
    }

    fn on_route(&mut self, io: &mut Io<'_>, id: QueryId, uri: &str, ours: bool) {
        let fits = |(pattern, _): &&(String, String)| pattern == "*" || uri.contains(&**pattern);
        match self.routes.iter().find(fits) {
            Some((_, next_hop)) => {
                let target = Target { next_hop, q: 1_000, ..Target::default() };
                io.answer(id, Answer::Route(&[target]));
            }
            None if ours => io.answer(id, Answer::Route(&[])),
            None => io.answer(id, Answer::Route(&[Target { q: 1_000, ..Target::default() }])),
        }
    }

    fn on_locate(&mut self, io: &mut Io<'_>, id: QueryId, aor: &str) {
        let (version, live) = self.live(aor, io.now.0);
        let bindings: Vec<Binding<'_>> = live
            .iter()
            .map(|b| Binding {
                uri: &b.uri,
                params: &b.params,
                q: b.q,
                expires: u32::try_from((b.until - io.now.0).div_ceil(1_000)).unwrap_or(u32::MAX),
                call_id: &b.call_id,
                cseq: b.cseq,
                path: &b.path,
            })
            .collect();
        io.answer(id, Answer::Located { version, bindings: &bindings });
    }
}

impl App for ProxyApp {
    fn on_query(&mut self, io: &mut Io<'_>, id: QueryId, query: &Asked) {
        self.asked.push(query.clone());
        if self.forget > 0 {
            self.forget -= 1;
            return;
        }
        match query {
            Asked::Route { uri, ours, .. } => self.on_route(io, id, uri, *ours),
            Asked::Locate { aor } => self.on_locate(io, id, aor),
            Asked::Store { aor, version, bindings } => {
                let held = self.store.get(aor).map_or(0, |(v, _)| *v);
                if self.conflicts > 0 || held != *version {
                    self.conflicts = self.conflicts.saturating_sub(1);
                    io.answer(id, Answer::Conflict);
                } else {
                    self.store.insert(aor.clone(), (held + 1, bindings.clone()));
                    io.answer(id, Answer::Stored);
                }
            }
            Asked::Media { .. } | Asked::Other => io.answer(id, Answer::Failed),
        }
    }
}
