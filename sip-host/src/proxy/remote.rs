//! Bindings in Redis, which several machines share.
//!
//! An address of record is a hash of its version and its bindings, and expires with the last of
//! them. A script stores where the version is still the one named. While Redis is away, calls go
//! on to what was known of their addresses a short time ago; registrations are refused.

use std::collections::HashMap;
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands as _, Client, RedisError, Script};
use sansip::{Instant, QueryId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::bindings::{Kept, Outcome, address};

/// How long one answer may take, and one connection.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How long it is left alone after a failure, in milliseconds.
const REST: u64 = 1_000;

/// How long what was known of an address of record is of use while Redis is away, in milliseconds.
const MEMORY: u64 = 600_000;

/// Addresses of record that are remembered.
const REMEMBERED: usize = 100_000;

/// `KEYS[1]` is the record, the others are where its bindings lead; `ARGV` is the version named, the
/// new one, the bindings (empty for none) and how many milliseconds they live.
const STORE: &str = "\
local now = redis.call('HGET', KEYS[1], 'version') or '0'
if now ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('DEL', KEYS[1])
  return 1
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'bindings', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
for i = 2, #KEYS do redis.call('SET', KEYS[i], '1', 'PX', ARGV[4]) end
return 1";

/// What was asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// The bindings of an address of record; whether a request is to be routed to them.
    Locate {
        /// The address of record.
        aor: String,
        /// To route; else to register.
        routing: bool,
    },
    /// Put these bindings in place of all, if the version is still this one.
    Store {
        /// The address of record.
        aor: String,
        /// The version that the rule was applied to.
        version: u64,
        /// The bindings, by Unix time.
        bindings: Vec<Kept>,
    },
    /// Whether a binding leads to this URI.
    LeadsTo {
        /// The URI.
        uri: String,
    },
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// The version and the bindings of the address of record, by Unix time.
    Record(u64, Vec<Kept>),
    /// The end of storing.
    Stored(Outcome),
    /// Whether a binding leads there.
    Leads(bool),
    /// Redis is away, and nothing is remembered that helps.
    Away,
}

/// The Unix time as an instant: what bindings in Redis expire by.
#[must_use]
pub fn unix() -> Instant {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    Instant(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

struct Done {
    id: QueryId,
    ask: Ask,
    found: Result<Found, RedisError>,
}

/// Bindings in Redis, as one engine uses them.
pub struct Remote {
    client: Client,
    /// Made when the first question comes: it belongs to the runtime that asks.
    manager: Option<ConnectionManager>,
    script: Script,
    sender: UnboundedSender<Done>,
    receiver: UnboundedReceiver<Done>,
    remembered: HashMap<String, (u64, u64, Vec<Kept>)>,
    away_until: u64,
    /// How often Redis did not answer.
    pub failures: u64,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("remembered", &self.remembered.len()).finish_non_exhaustive()
    }
}

impl Remote {
    /// Bindings in the Redis at this URL. Nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn new(url: &str) -> Result<Self, String> {
        let client = Client::open(url).map_err(|e| e.to_string())?;
        let (sender, receiver) = unbounded_channel();
        Ok(Self {
            client,
            manager: None,
            script: Script::new(STORE),
            sender,
            receiver,
            remembered: HashMap::new(),
            away_until: 0,
            failures: 0,
        })
    }

    fn manager(&mut self) -> Result<ConnectionManager, RedisError> {
        if let Some(manager) = &self.manager {
            return Ok(manager.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(PATIENCE));
        let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        self.manager = Some(manager.clone());
        Ok(manager)
    }

    /// Asks. The answer comes by [`Remote::poll`], or at once: while Redis is known to be away.
    pub fn ask(&mut self, id: QueryId, ask: Ask) -> Option<Found> {
        if unix().0 < self.away_until {
            return Some(self.without(&ask));
        }
        let Ok(manager) = self.manager() else { return Some(self.without(&ask)) };
        let (sender, script) = (self.sender.clone(), self.script.clone());
        tokio::spawn(async move {
            let found = work(manager, &script, &ask).await;
            // The proxy has ended: nobody waits for it.
            let _ = sender.send(Done { id, ask, found });
        });
        None
    }

    /// The next answer that has come.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(QueryId, Ask, Found)> {
        let Poll::Ready(Some(done)) = self.receiver.poll_recv(cx) else { return Poll::Pending };
        let found = match done.found {
            Ok(found) => {
                if std::mem::take(&mut self.away_until) > 0 {
                    tracing::info!("Redis answers again");
                }
                self.remember(&done.ask, &found);
                found
            }
            Err(why) => {
                let now = unix().0;
                if now >= self.away_until {
                    tracing::warn!(%why, "Redis does not answer");
                }
                self.failures += 1;
                self.away_until = now + REST;
                self.without(&done.ask)
            }
        };
        Poll::Ready((done.id, done.ask, found))
    }

    fn remember(&mut self, ask: &Ask, found: &Found) {
        let now = unix().0;
        let (aor, version, bindings) = match (ask, found) {
            (Ask::Locate { aor, .. }, Found::Record(version, bindings)) => {
                (aor, *version, bindings.clone())
            }
            // Its version is another by now, but while Redis is away nothing is stored.
            (Ask::Store { aor, version, bindings }, Found::Stored(Outcome::Stored)) => {
                (aor, *version, bindings.clone())
            }
            _ => return,
        };
        if bindings.is_empty() {
            self.remembered.remove(aor);
            return;
        }
        if self.remembered.len() >= REMEMBERED && !self.remembered.contains_key(aor) {
            self.remembered.retain(|_, (at, _, _)| *at + MEMORY > now);
            if self.remembered.len() >= REMEMBERED {
                return;
            }
        }
        self.remembered.insert(aor.clone(), (now, version, bindings));
    }

    /// What can be said while Redis is away.
    fn without(&self, ask: &Ask) -> Found {
        let now = unix().0;
        let fresh = |at: &u64| *at + MEMORY > now;
        match ask {
            Ask::Locate { aor, routing: true } => match self.remembered.get(aor) {
                Some((at, version, bindings)) if fresh(at) => {
                    Found::Record(*version, bindings.clone())
                }
                _ => Found::Away,
            },
            Ask::LeadsTo { uri } => {
                let mut live = self.remembered.values().filter(|(at, ..)| fresh(at));
                let known = live.any(|(.., list)| list.iter().any(|b| b.address() == address(uri)));
                Found::Leads(known)
            }
            Ask::Locate { .. } | Ask::Store { .. } => Found::Away,
        }
    }
}

async fn work(mut c: ConnectionManager, script: &Script, ask: &Ask) -> Result<Found, RedisError> {
    match ask {
        Ask::Locate { aor, .. } => {
            let fields = &["version", "bindings"];
            let (version, text): (Option<u64>, Option<String>) =
                c.hmget(record_key(aor), fields).await?;
            // What cannot be read is no binding; the next REGISTER writes it anew.
            let bindings = text.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
            Ok(Found::Record(version.unwrap_or(0), bindings))
        }
        Ask::Store { aor, version, bindings } => store(c, script, aor, *version, bindings).await,
        Ask::LeadsTo { uri } => c.exists(contact_key(address(uri))).await.map(Found::Leads),
    }
}

async fn store(
    mut c: ConnectionManager,
    script: &Script,
    aor: &str,
    version: u64,
    bindings: &[Kept],
) -> Result<Found, RedisError> {
    let now = unix().0;
    let lasts = bindings.iter().map(Kept::expires_at).max().unwrap_or(0);
    let lives = lasts.saturating_sub(now).max(1);
    let text = match bindings {
        [] => String::new(),
        list => serde_json::to_string(list).unwrap_or_default(),
    };
    let mut invocation = script.key(record_key(aor));
    for binding in bindings {
        invocation.key(contact_key(binding.address()));
    }
    invocation.arg(version).arg(new_version()).arg(text).arg(lives);
    let done: u8 = invocation.invoke_async(&mut c).await?;
    Ok(Found::Stored(if done == 1 { Outcome::Stored } else { Outcome::Conflict }))
}

/// A version that no other change has: 63 random bits, as Lua and Redis take them for text.
fn new_version() -> u64 {
    let random = getrandom::u64().unwrap_or_else(|_| unix().0);
    (random >> 1).max(1)
}

fn record_key(aor: &str) -> String {
    format!("sansip:aor:{aor}")
}

fn contact_key(address: &str) -> String {
    format!("sansip:contact:{address}")
}
