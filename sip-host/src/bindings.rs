//! The bindings of addresses of record, in memory.
//!
//! Each change of an address of record gets a version that no other change ever had. The registrar
//! names the version that it applied its rule to; another than the present one is a conflict, and
//! it applies the rule again.

use std::collections::HashMap;

use sansip::{Binding, Instant};
use serde::{Deserialize, Serialize};

/// A binding as it is kept. What a machine of another version has left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    uri: String,
    params: String,
    q: u16,
    call_id: String,
    cseq: u32,
    path: String,
    /// In milliseconds, by whatever clock it was made.
    expires_at: u64,
}

impl Kept {
    /// A binding as it is kept from now on.
    #[must_use]
    pub fn of(now: Instant, b: &Binding<'_>) -> Self {
        Self {
            uri: b.uri.to_owned(),
            params: b.params.to_owned(),
            q: b.q,
            call_id: b.call_id.to_owned(),
            cseq: b.cseq,
            path: b.path.to_owned(),
            expires_at: now.after(u64::from(b.expires) * 1_000).0,
        }
    }

    /// The binding, if it has not expired.
    #[must_use]
    pub fn at(&self, now: Instant) -> Option<Binding<'_>> {
        let left = self.expires_at.checked_sub(now.0).filter(|left| *left > 0)?.div_ceil(1_000);
        Some(Binding {
            uri: &self.uri,
            params: &self.params,
            q: self.q,
            expires: u32::try_from(left).unwrap_or(u32::MAX),
            call_id: &self.call_id,
            cseq: self.cseq,
            path: &self.path,
        })
    }

    /// When it expires.
    #[must_use]
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Where it leads: its URI without parameters.
    #[must_use]
    pub fn address(&self) -> &str {
        address(&self.uri)
    }
}

#[derive(Clone, Debug, Default)]
struct Record {
    version: u64,
    bindings: Vec<Kept>,
}

/// What came of storing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done.
    Stored,
    /// The version is not the one named.
    Conflict,
    /// The store holds as many addresses of record as it may.
    Full,
}

/// The store.
#[derive(Debug)]
pub struct Store {
    records: HashMap<String, Record>,
    /// How many bindings lead to an address: a contact's URI without its parameters.
    contacts: HashMap<String, usize>,
    last_version: u64,
    max: usize,
}

impl Store {
    /// A store of at most `max` addresses of record.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { records: HashMap::new(), contacts: HashMap::new(), last_version: 0, max }
    }

    /// The version of an address of record, 0 where there is none, and its bindings that have not
    /// expired, as many as `out` has room for; how many those are.
    pub fn locate<'s>(&'s self, now: Instant, aor: &str, out: &mut [Binding<'s>]) -> (u64, usize) {
        let Some(record) = self.records.get(aor) else { return (0, 0) };
        let live = record.bindings.iter().filter_map(|b| b.at(now));
        let mut count = 0;
        for (place, b) in out.iter_mut().zip(live) {
            *place = b;
            count += 1;
        }
        (record.version, count)
    }

    /// Puts `bindings` in place of all that the address of record has, if its version is still
    /// `version`.
    pub fn store<'b>(
        &mut self,
        now: Instant,
        aor: &str,
        version: u64,
        bindings: impl Iterator<Item = Binding<'b>>,
    ) -> Outcome {
        let present = self.records.get(aor).map_or(0, |r| r.version);
        if present != version {
            return Outcome::Conflict;
        }
        if present == 0 && self.records.len() >= self.max {
            self.sweep(now);
            if self.records.len() >= self.max {
                return Outcome::Full;
            }
        }
        self.last_version += 1;
        let record = Record {
            version: self.last_version,
            bindings: bindings.map(|b| Kept::of(now, &b)).collect(),
        };
        for binding in &record.bindings {
            *self.contacts.entry(address(&binding.uri).to_owned()).or_default() += 1;
        }
        let old = if record.bindings.is_empty() {
            self.records.remove(aor)
        } else {
            self.records.insert(aor.to_owned(), record)
        };
        old.iter().for_each(|old| forget(&mut self.contacts, old));
        Outcome::Stored
    }

    /// Whether a binding leads to this URI: its Contact, which a peer in a dialog may name as the
    /// target of a transfer.
    #[must_use]
    pub fn leads_to(&self, uri: &str) -> bool {
        self.contacts.contains_key(address(uri))
    }

    /// Forgets the addresses of record whose bindings have all expired.
    fn sweep(&mut self, now: Instant) {
        let contacts = &mut self.contacts;
        self.records.retain(|_, r| {
            let live = r.bindings.iter().any(|b| b.expires_at > now.0);
            if !live {
                forget(contacts, r);
            }
            live
        });
    }

    /// How many addresses of record have a binding.
    #[must_use]
    pub fn len(&self, now: Instant) -> usize {
        let live = |r: &&Record| r.bindings.iter().any(|b| b.expires_at > now.0);
        self.records.values().filter(live).count()
    }
}

/// A URI without its parameters and header fields.
pub(crate) fn address(uri: &str) -> &str {
    uri.split([';', '?']).next().unwrap_or(uri)
}

fn forget(contacts: &mut HashMap<String, usize>, record: &Record) {
    for binding in &record.bindings {
        let address = address(&binding.uri);
        if let Some(count) = contacts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                contacts.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Binding<'static> =
        Binding { uri: "", params: "", q: 0, expires: 0, call_id: "", cseq: 0, path: "" };

    fn at(uri: &'static str, expires: u32) -> Binding<'static> {
        Binding { uri, expires, q: 1_000, call_id: "c", cseq: 1, ..NONE }
    }

    fn located(store: &Store, now: u64, aor: &str) -> (u64, Vec<(String, u32)>) {
        let mut out = [NONE; 4];
        let (version, n) = store.locate(Instant(now), aor, &mut out);
        (version, out[..n].iter().map(|b| (b.uri.to_owned(), b.expires)).collect())
    }

    #[test]
    fn a_contact_is_known_as_long_as_a_binding_leads_to_it() {
        let mut store = Store::new(1);
        let put = |store: &mut Store, now, version, list: &[Binding<'static>]| {
            store.store(Instant(now), "sip:b@d", version, list.iter().copied())
        };
        put(&mut store, 0, 0, &[at("sip:b@h1;transport=tcp", 60)]);
        assert!(store.leads_to("sip:b@h1") && !store.leads_to("sip:b@h2"));
        put(&mut store, 0, 1, &[at("sip:b@h1", 60), at("sip:b@h2", 60)]);
        assert!(store.leads_to("sip:b@h1;x=y") && store.leads_to("sip:b@h2"));
        put(&mut store, 0, 2, &[at("sip:b@h2", 60)]);
        assert!(!store.leads_to("sip:b@h1"));
        store.store(Instant(60_000), "sip:c@d", 0, [at("sip:c@h3", 60)].into_iter());
        assert!(!store.leads_to("sip:b@h2") && store.leads_to("sip:c@h3"), "swept");
    }

    #[test]
    fn a_binding_lasts_until_it_expires() {
        let mut store = Store::new(10);
        let list = [at("sip:b@h1", 60), at("sip:b@h2", 120)];
        assert_eq!(store.store(Instant(0), "sip:b@d", 0, list.into_iter()), Outcome::Stored);
        assert_eq!(
            located(&store, 30_000, "sip:b@d").1,
            [("sip:b@h1".into(), 30), ("sip:b@h2".into(), 90)]
        );
        assert_eq!(located(&store, 60_000, "sip:b@d").1, [("sip:b@h2".into(), 60)]);
        assert_eq!(located(&store, 120_000, "sip:b@d").1, []);
        assert_eq!(store.len(Instant(120_000)), 0);
    }

    #[test]
    fn storing_over_an_unseen_change_is_a_conflict() {
        let mut store = Store::new(10);
        let put = |s: &mut Store, version, uri| {
            s.store(Instant(0), "sip:b@d", version, [at(uri, 60)].into_iter())
        };
        assert_eq!(put(&mut store, 0, "sip:1"), Outcome::Stored);
        let (version, _) = located(&store, 0, "sip:b@d");
        assert_eq!(put(&mut store, 0, "sip:2"), Outcome::Conflict);
        assert_eq!(put(&mut store, version, "sip:3"), Outcome::Stored);
        assert_eq!(put(&mut store, version, "sip:4"), Outcome::Conflict);
        assert_eq!(located(&store, 0, "sip:b@d").1, [("sip:3".into(), 60)]);
    }

    #[test]
    fn a_version_never_comes_back_after_removal() {
        let mut store = Store::new(10);
        let one = || [at("sip:1", 60)].into_iter();
        store.store(Instant(0), "sip:b@d", 0, one());
        let (first, _) = located(&store, 0, "sip:b@d");
        assert_eq!(store.store(Instant(0), "sip:b@d", first, std::iter::empty()), Outcome::Stored);
        assert_eq!(located(&store, 0, "sip:b@d"), (0, vec![]));
        store.store(Instant(0), "sip:b@d", 0, one());
        assert_ne!(located(&store, 0, "sip:b@d").0, first);
    }

    #[test]
    fn a_full_store_first_forgets_what_has_expired() {
        let mut store = Store::new(1);
        let one = || [at("sip:1", 60)].into_iter();
        assert_eq!(store.store(Instant(0), "sip:a@d", 0, one()), Outcome::Stored);
        assert_eq!(store.store(Instant(0), "sip:b@d", 0, one()), Outcome::Full);
        assert_eq!(store.store(Instant(60_000), "sip:b@d", 0, one()), Outcome::Stored);
    }
}
