//! The proxy's application: bindings in memory and routes from the command line.

use sansip::wire::message::MessageRef;
use sansip::{Algorithm, Answer, Binding, Engine, Error, Event, Instant, Query, QueryId, Target};

use crate::app::App;
use crate::bindings::{Outcome, Store};
use crate::listen::Usage;
use crate::users::Users;

/// The most bindings of one address of record that are told.
const BINDINGS: usize = 32;

/// Where requests go that no binding matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// `*`, `host`, `user@host`; `*` stands for any characters.
    pattern: String,
    /// The next hop.
    uri: String,
}

impl Route {
    /// Reads `PATTERN=URI`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Usage> {
        let wrong = |problem: &str| Usage::new("--route", text, problem);
        let (pattern, uri) = text
            .split_once('=')
            .ok_or_else(|| wrong("give a pattern and a URI: '*=sip:127.0.0.1:5080'"))?;
        if pattern.is_empty() {
            return Err(wrong("the pattern is empty; '*' matches everything"));
        }
        check_uri(uri).map_err(|problem| wrong(&problem))?;
        Ok(Self { pattern: pattern.to_owned(), uri: uri.to_owned() })
    }

    fn matches(&self, user: &str, host: &str) -> bool {
        match self.pattern.rsplit_once('@') {
            Some((u, h)) => glob(u, user, false) && glob(h, host, true),
            None => glob(&self.pattern, host, true),
        }
    }
}

/// Whether a URI is one that a message can be sent to.
///
/// # Errors
/// What is wrong with it.
pub fn check_uri(uri: &str) -> Result<(), String> {
    let parsed = sansip::header::Uri::parse(uri.as_bytes())
        .map_err(|e| format!("'{uri}' is not a URI (character {})", e.at + 1))?;
    if parsed.is_sip() { Ok(()) } else { Err(format!("'{uri}' is not a sip: or sips: URI")) }
}

/// Whether `text` is what `pattern` says; `*` stands for any characters. Work is linear in the
/// text for each `*`, without recursion.
fn glob(pattern: &str, text: &str, fold: bool) -> bool {
    let (p, t) = (pattern.as_bytes(), text.as_bytes());
    let same = |a: u8, b: u8| if fold { a.eq_ignore_ascii_case(&b) } else { a == b };
    let (mut pi, mut ti) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while ti < t.len() {
        match p.get(pi) {
            Some(b'*') => {
                star = Some((pi + 1, ti));
                pi += 1;
            }
            Some(&c) if same(c, t[ti]) => {
                pi += 1;
                ti += 1;
            }
            _ => {
                let Some((after, from)) = star else { return false };
                (pi, ti) = (after, from + 1);
                star = Some((after, from + 1));
            }
        }
    }
    p.get(pi..).is_none_or(|rest| rest.iter().all(|c| *c == b'*'))
}

/// What a question is answered with once the engine can be reached.
#[derive(Clone, Debug)]
enum Reply {
    /// The route of this index.
    Route(usize),
    /// Where its Request-URI says.
    AsItIs,
    Reject(u16),
    Locate(String),
    Stored(Outcome),
    /// The user's HA1 by this algorithm.
    Secret(String, Algorithm),
}

/// The proxy's application.
#[derive(Debug)]
pub struct Proxy {
    store: Store,
    routes: Vec<Route>,
    relay: bool,
    users: Option<Users>,
    replies: Vec<(QueryId, Reply)>,
    /// Spare strings, so that a question costs no allocation.
    spare: Vec<String>,
}

impl Proxy {
    /// A proxy with these routes. With `relay` it sends requests for others' domains where they
    /// ask to go (RFC 3261 16.5); else it refuses them.
    #[must_use]
    pub fn new(routes: Vec<Route>, relay: bool) -> Self {
        Self {
            store: Store::new(1_000_000),
            routes,
            relay,
            users: None,
            replies: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Has these users checked, by the challenges that the engine is configured with.
    pub fn set_users(&mut self, users: Users) {
        self.users = Some(users);
    }

    /// The users that are checked.
    #[must_use]
    pub const fn users(&self) -> Option<&Users> {
        self.users.as_ref()
    }

    /// Enters the binding of an address of record that has none: `sip:user@host`.
    pub fn bind(&mut self, now: Instant, aor: &str, binding: &Binding<'_>) {
        self.store.store(now, aor, 0, std::iter::once(*binding));
    }

    /// How many addresses of record have a binding.
    #[must_use]
    pub fn registered(&self, now: Instant) -> usize {
        self.store.len(now)
    }

    fn route(&self, uri: &str, ours: bool) -> Reply {
        let (user, host) = user_and_host(uri);
        match self.routes.iter().position(|r| r.matches(user, host)) {
            Some(i) => Reply::Route(i),
            None if ours => Reply::Reject(404),
            None if self.relay || self.store.leads_to(uri) => Reply::AsItIs,
            None => Reply::Reject(403),
        }
    }

    fn reply(
        &self,
        now: Instant,
        engine: &mut Engine,
        id: QueryId,
        reply: &Reply,
    ) -> Result<(), Error> {
        const EMPTY: Binding<'static> =
            Binding { uri: "", params: "", q: 0, expires: 0, call_id: "", cseq: 0 };
        let to = |next_hop| Target { next_hop, q: 1_000, ..Target::default() };
        match reply {
            Reply::Route(i) => {
                let next_hop = self.routes.get(*i).map_or("", |r| r.uri.as_str());
                engine.answer(now, id, Answer::Route(&[to(next_hop)]))
            }
            Reply::AsItIs => engine.answer(now, id, Answer::Route(&[to("")])),
            Reply::Reject(status) => engine.answer(now, id, Answer::Reject(*status)),
            Reply::Locate(aor) => {
                let mut list = [EMPTY; BINDINGS];
                let (version, n) = self.store.locate(now, aor, &mut list);
                let bindings = list.get(..n).unwrap_or(&[]);
                engine.answer(now, id, Answer::Located { version, bindings })
            }
            Reply::Secret(user, algorithm) => {
                let ha1 = self.users.as_ref().and_then(|u| u.ha1(user, *algorithm));
                engine.answer(now, id, ha1.map_or(Answer::NotFound, Answer::Ha1))
            }
            Reply::Stored(Outcome::Stored) => engine.answer(now, id, Answer::Stored),
            Reply::Stored(Outcome::Conflict) => engine.answer(now, id, Answer::Conflict),
            Reply::Stored(Outcome::Full) => engine.answer(now, id, Answer::Failed),
        }
    }
}

/// The user and host of a URI, as far as a pattern needs them.
fn user_and_host(uri: &str) -> (&str, &str) {
    let Ok(parsed) = sansip::header::Uri::parse(uri.as_bytes()) else { return ("", "") };
    let text = |span: sansip::wire::Span| uri.get(span.start()..span.end()).unwrap_or("");
    (text(parsed.user), text(parsed.host))
}

impl App for Proxy {
    fn start(&mut self, _now: Instant, _engine: &mut Engine) {}

    fn event(&mut self, _now: Instant, _event: &Event, _message: Option<MessageRef<'_>>) {}

    fn query(&mut self, now: Instant, id: QueryId, query: &Query<'_>) -> bool {
        let reply = match *query {
            Query::Route { uri, ours, .. } => self.route(uri, ours),
            Query::Locate { aor, .. } => {
                let mut text = self.spare.pop().unwrap_or_default();
                text.clear();
                text.push_str(aor);
                Reply::Locate(text)
            }
            Query::Credentials { line: None, algorithm, user, .. } => {
                let mut text = self.spare.pop().unwrap_or_default();
                text.clear();
                text.push_str(user);
                Reply::Secret(text, algorithm)
            }
            Query::Store { aor, version, bindings } => {
                Reply::Stored(self.store.store(now, aor, version, bindings))
            }
            _ => return false,
        };
        self.replies.push((id, reply));
        true
    }

    fn forget(&mut self, id: QueryId) {
        self.replies.retain(|(other, _)| *other != id);
    }

    fn act(&mut self, now: Instant, engine: &mut Engine) {
        if self.replies.is_empty() {
            return;
        }
        let mut replies = std::mem::take(&mut self.replies);
        let mut later = Vec::new();
        for (id, reply) in replies.drain(..) {
            if matches!(self.reply(now, engine, id, &reply), Err(Error::Full(_))) {
                later.push((id, reply));
            } else if let Reply::Locate(text) | Reply::Secret(text, _) = reply {
                self.spare.push(text);
            }
        }
        replies.append(&mut later);
        self.replies = replies;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_chosen_by_host_or_by_user_and_host() {
        let route = |text: &str| Route::parse(text).unwrap();
        let all = route("*=sip:127.0.0.1:5080;transport=tcp");
        assert_eq!(all.uri, "sip:127.0.0.1:5080;transport=tcp");
        assert!(all.matches("bob", "example.com") && all.matches("", "h"));
        let domain = route("example.com=sip:h");
        assert!(domain.matches("bob", "EXAMPLE.com") && !domain.matches("bob", "example.org"));
        let user = route("9*@*.example.com=sip:h");
        assert!(user.matches("911", "a.example.com"));
        assert!(!user.matches("811", "a.example.com") && !user.matches("911", "example.com"));
    }

    #[test]
    fn a_pattern_takes_any_characters_for_a_star() {
        assert!(glob("a*b*c", "axxbyyc", false));
        assert!(glob("a*b*c", "abcabc", false));
        assert!(!glob("a*b*c", "abcab", false));
        assert!(glob("**", "", false));
        assert!(!glob("A", "a", false) && glob("A", "a", true));
    }

    #[test]
    fn a_wrong_route_says_what_is_wrong() {
        let problem = |text: &str| Route::parse(text).unwrap_err().to_string();
        assert!(problem("sip:127.0.0.1").starts_with("--route sip:127.0.0.1: give a pattern"));
        assert!(problem("*=tel:123").contains("not a sip: or sips: URI"));
        assert!(problem("=sip:h").contains("pattern is empty"));
    }

    #[test]
    fn requests_for_other_domains_are_relayed_only_if_allowed() {
        let closed = Proxy::new(Vec::new(), false);
        assert!(matches!(closed.route("sip:b@elsewhere.example", false), Reply::Reject(403)));
        assert!(matches!(closed.route("sip:b@here.example", true), Reply::Reject(404)));
        let mut closed = closed;
        let contact = Binding {
            uri: "sip:b@192.0.2.7:5072",
            params: "",
            q: 1_000,
            expires: 60,
            call_id: "c",
            cseq: 1,
        };
        closed.bind(Instant(0), "sip:b@here.example", &contact);
        assert!(matches!(closed.route("sip:b@192.0.2.7:5072", false), Reply::AsItIs));
        let open = Proxy::new(Vec::new(), true);
        assert!(matches!(open.route("sip:b@elsewhere.example", false), Reply::AsItIs));
    }
}
