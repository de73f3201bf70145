//! Where requests go that no binding matches: routes, and the trunks that they lead to.

use sansip::header::Uri;
use sansip::header::uri::Scheme;
use sansip::wire::Span;
use sansip::{Target, Transport};

use crate::listen::Usage;

/// The domain of trunks' names, which no DNS has (RFC 6761 6.4).
const TRUNKS: &str = ".trunk.invalid";

/// The most hops of a trunk: a request is tried at so many.
pub const HOPS: usize = 4;

/// A next hop, as far as it is known before its name is looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    /// A name, or an address in text.
    pub host: String,
    /// The port; 0 where its URI has none.
    pub port: u16,
    /// The transport.
    pub transport: Transport,
    /// Whether its URI leaves the transport open.
    pub open: bool,
}

/// A group of next hops: the first is tried first, and the next when it does not answer or is too
/// busy (RFC 3263 4.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trunk {
    name: String,
    hops: Vec<Hop>,
}

impl Trunk {
    /// A trunk of these URIs.
    ///
    /// # Errors
    /// Which URI cannot be one of several, by its place, and why.
    pub fn new(name: &str, uris: &[&str]) -> Result<Self, (usize, String)> {
        let hop = |(i, uri): (usize, &&str)| hop(uri).map_err(|problem| (i, problem));
        let hops = uris.iter().enumerate().map(hop).collect::<Result<_, _>>()?;
        Ok(Self { name: format!("{}{TRUNKS}", name.to_ascii_lowercase()), hops })
    }

    /// Its hops, if this is its name.
    #[must_use]
    pub fn hops(&self, name: &str) -> Option<&[Hop]> {
        self.name.eq_ignore_ascii_case(name).then_some(&*self.hops)
    }

    /// The URI that leads to it: the engine asks for its name then.
    #[must_use]
    pub fn uri(&self) -> String {
        let transport = self.hops.first().map_or(Transport::Udp, |hop| hop.transport);
        format!("sip:{};transport={}", self.name, transport.as_str().to_ascii_lowercase())
    }
}

fn hop(uri: &str) -> Result<Hop, String> {
    check_uri(uri)?;
    let parsed = Uri::parse(uri.as_bytes()).map_err(|_| format!("'{uri}' is not a URI"))?;
    let text = |span: Span| uri.get(span.start()..span.end()).unwrap_or("");
    let transport = match text(parsed.transport) {
        "" => Some(Transport::Udp),
        name => Transport::of(name.as_bytes()),
    };
    let plain = transport.filter(|t| matches!(t, Transport::Udp | Transport::Tcp));
    let Some(transport) = plain.filter(|_| parsed.scheme == Scheme::Sip) else {
        // What TLS has to verify is the name that the request is sent to.
        return Err(format!("'{uri}': of several hops each is udp or tcp"));
    };
    let open = text(parsed.transport).is_empty();
    Ok(Hop { host: text(parsed.host).to_owned(), port: parsed.port, transport, open })
}

/// Where requests go that no binding matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The users that it is for; `*` stands for any characters.
    user: String,
    /// The hosts that it is for.
    host: String,
    /// How many characters in front of the user are taken off.
    strip: usize,
    /// What is put in front of it then.
    prepend: String,
    /// The next hop.
    to: String,
}

/// A route for a request: the Request-URI that it gets (empty: its own), and the next hop.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Way {
    uri: String,
    to: String,
}

impl Way {
    /// The target.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        Target { uri: &self.uri, next_hop: &self.to, q: 1_000, ..Target::default() }
    }
}

impl Route {
    /// Reads `PATTERN=URI`; the pattern is `host` or `user@host`.
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
        let (user, host) = pattern.rsplit_once('@').unwrap_or(("*", pattern));
        Ok(Self::new(user, host, uri))
    }

    /// A route for these users of these hosts.
    #[must_use]
    pub fn new(user: &str, host: &str, to: &str) -> Self {
        let (user, host, to) = (user.to_owned(), host.to_owned(), to.to_owned());
        Self { user, host, strip: 0, prepend: String::new(), to }
    }

    /// Changes the user of what it routes: takes so many characters off its front, and puts others
    /// there.
    #[must_use]
    pub fn rewriting(mut self, strip: usize, prepend: &str) -> Self {
        self.strip = strip;
        prepend.clone_into(&mut self.prepend);
        self
    }

    /// The way of a request with this Request-URI, if this route is for it.
    pub fn way(&self, uri: &str) -> Option<Way> {
        let parsed = Uri::parse(uri.as_bytes()).ok();
        let text = |span: fn(&Uri) -> Span| {
            parsed.and_then(|p| uri.get(span(&p).start()..span(&p).end())).unwrap_or("")
        };
        let (user, host) = (text(|p| p.user), text(|p| p.host));
        if !glob(&self.user, user, false) || !glob(&self.host, host, true) {
            return None;
        }
        let rewritten = (self.strip > 0 || !self.prepend.is_empty()) && !user.is_empty();
        let uri = parsed.filter(|_| rewritten).and_then(|p| {
            let (front, back) = (uri.get(..p.user.start())?, uri.get(p.user.end()..)?);
            let kept = user.get(self.strip.min(user.len())..)?;
            Some(format!("{front}{}{kept}{back}", self.prepend))
        });
        Some(Way { uri: uri.unwrap_or_default(), to: self.to.clone() })
    }
}

/// Whether a URI is one that a message can be sent to.
///
/// # Errors
/// What is wrong with it.
pub fn check_uri(uri: &str) -> Result<(), String> {
    let parsed = Uri::parse(uri.as_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Route {
        Route::parse(text).unwrap()
    }

    #[test]
    fn a_route_is_chosen_by_host_or_by_user_and_host() {
        let to = |r: &Route, uri: &str| r.way(uri).map(|w| w.to);
        let all = route("*=sip:127.0.0.1:5080;transport=tcp");
        let hop = Some("sip:127.0.0.1:5080;transport=tcp".to_owned());
        assert_eq!(to(&all, "sip:bob@example.com"), hop);
        assert_eq!(to(&all, "sip:h"), hop);
        let domain = route("example.com=sip:h");
        assert!(domain.way("sip:bob@EXAMPLE.com").is_some());
        assert!(domain.way("sip:bob@example.org").is_none());
        let user = route("9*@*.example.com=sip:h");
        assert!(user.way("sip:911@a.example.com").is_some());
        assert!(user.way("sip:811@a.example.com").is_none());
        assert!(user.way("sip:911@example.com").is_none());
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
    fn a_route_changes_the_number_and_nothing_else_of_the_request_uri() {
        let uri = |r: &Route, uri: &str| r.way(uri).unwrap().uri;
        let out = Route::new("0*", "*", "sip:h").rewriting(1, "+49");
        assert_eq!(uri(&out, "sip:030123@d;user=phone"), "sip:+4930123@d;user=phone");
        let short = Route::new("*", "*", "sip:h").rewriting(9, "x");
        assert_eq!(uri(&short, "sip:1@d"), "sip:x@d");
        assert_eq!(uri(&short, "sip:d"), "", "without a user there is nothing to change");
    }

    #[test]
    fn a_trunk_has_hops_with_ports_and_transports_of_their_own() {
        let uris = ["sip:h1;transport=tcp", "sip:10.0.0.2:5070"];
        let trunk = Trunk::new("Out", &uris).unwrap();
        assert_eq!(trunk.uri(), "sip:out.trunk.invalid;transport=tcp");
        let hop =
            |host: &str, port, transport, open| Hop { host: host.into(), port, transport, open };
        let hops =
            [hop("h1", 0, Transport::Tcp, false), hop("10.0.0.2", 5_070, Transport::Udp, true)];
        assert_eq!(trunk.hops("OUT.trunk.invalid"), Some(&hops[..]));
        assert_eq!(trunk.hops("other.trunk.invalid"), None);
        for secure in ["sips:h", "sip:h;transport=tls", "sip:h;transport=ws"] {
            let (at, why) = Trunk::new("t", &["sip:h", secure]).unwrap_err();
            assert!(at == 1 && why.contains("each is udp or tcp"), "{why}");
        }
    }
}
