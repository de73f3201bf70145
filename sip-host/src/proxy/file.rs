//! The proxy's file: TOML, read once at the start and again when it is told to.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sansip::config::{Edge, Forking, Network};
use serde::Deserialize;
use toml::Spanned;

use super::log::Log;
use super::routes::{HOPS, Route, Trunk, check_uri};
use super::sections::{WrittenEdge, WrittenForking};
use crate::driver::TlsFiles;
use crate::listen::{Advertise, Listen, Usage, name_server, network};

/// A file that cannot be followed: where, and what is expected there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// The key, with the names of its tables.
    pub key: String,
    /// What is wrong, and what is expected.
    pub problem: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for Wrong {}

pub(super) type Text = Spanned<String>;

/// The file as it is written.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    listen: Vec<Text>,
    advertise: Option<Text>,
    dns: Option<Text>,
    domains: Vec<Text>,
    users: Option<PathBuf>,
    trust: Vec<Text>,
    relay: Option<bool>,
    record_route: Option<bool>,
    requests: Option<Spanned<usize>>,
    workers: Option<Spanned<usize>>,
    drain: Option<u64>,
    store: Option<Text>,
    cluster_key: Option<Text>,
    metrics: Option<Text>,
    capture: Option<PathBuf>,
    log: Option<Text>,
    tls: WrittenTls,
    registrar: WrittenRegistrar,
    forking: WrittenForking,
    edge: WrittenEdge,
    trunk: Vec<WrittenTrunk>,
    route: Vec<WrittenRoute>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenTls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    issuers: Option<PathBuf>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenRegistrar {
    min_expires: Option<u32>,
    default_expires: Option<u32>,
    max_expires: Option<u32>,
    max_bindings: Option<Spanned<usize>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct WrittenTrunk {
    name: Text,
    to: Vec<Text>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct WrittenRoute {
    #[serde(default = "anything")]
    user: String,
    #[serde(default = "anything")]
    domain: String,
    #[serde(default)]
    strip: usize,
    #[serde(default)]
    prepend: Option<Text>,
    to: Text,
}

fn anything() -> String {
    "*".to_owned()
}

/// What a file says, checked.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Where to listen.
    pub listens: Vec<Listen>,
    /// What others are told.
    pub advertise: Option<Advertise>,
    /// The name server, if not the system's.
    pub dns: Option<SocketAddr>,
    /// The domains.
    pub domains: Vec<String>,
    /// The file of users.
    pub users: Option<PathBuf>,
    /// Whose senders need not prove their address.
    pub trust: Vec<Network>,
    /// Whether requests for other domains are relayed.
    pub relay: Option<bool>,
    /// Whether it stays in the path of dialogs.
    pub record_route: Option<bool>,
    /// Requests at once.
    pub requests: Option<usize>,
    /// Engines.
    pub workers: Option<usize>,
    /// How long ending may take, in seconds.
    pub drain: Option<u64>,
    /// Where the bindings are.
    pub store: Option<String>,
    /// The secret that the machines of one service share.
    pub cluster_key: Option<[u8; 32]>,
    /// Where metrics are shown.
    pub metrics: Option<SocketAddr>,
    /// Where messages are written.
    pub capture: Option<PathBuf>,
    /// What is logged.
    pub log: Option<Log>,
    /// What TLS is made of.
    pub tls: TlsFiles,
    /// The shortest, the usual and the longest registration, in seconds.
    pub expires: [Option<u32>; 3],
    /// The most bindings of one address of record.
    pub max_bindings: Option<usize>,
    /// What is done with the targets of a request.
    pub forking: Forking,
    /// What is done at the edge of the domain.
    pub edge: Edge,
    /// The trunks that routes lead to.
    pub trunks: Vec<Trunk>,
    /// Where requests go that no binding matches.
    pub routes: Vec<Route>,
}

/// The text of a file, to say where something is wrong in it.
pub(super) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    pub(super) fn wrong(&self, at: &Range<usize>, key: &str, problem: impl Into<String>) -> Wrong {
        let before = self.text.get(..at.start).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let (file, key) = (self.path.to_owned(), key.to_owned());
        Wrong { file, line, key, problem: problem.into() }
    }

    /// The key that stands on the line of `at`, with the table that it is in.
    fn key_at(&self, at: usize) -> String {
        let mut table = "";
        let mut key = "";
        let mut begin = 0;
        for line in self.text.split_inclusive('\n') {
            let bare = line.trim();
            if let Some(head) = bare.strip_prefix('[').and_then(|h| h.split(']').next()) {
                if !bare.contains('=') {
                    table = head.trim_start_matches('[').trim();
                    key = "";
                }
            } else if let Some((name, _)) = bare.split_once('=') {
                let name = name.trim();
                let plain = |c: u8| c.is_ascii_alphanumeric() || b"_-.".contains(&c);
                if !name.is_empty() && name.bytes().all(plain) {
                    key = name;
                }
            }
            begin += line.len();
            if begin > at {
                break;
            }
        }
        match (table, key) {
            ("", key) => key.to_owned(),
            (table, "") => table.to_owned(),
            (table, key) => format!("{table}.{key}"),
        }
    }

    pub(super) fn text<T>(
        &self,
        key: &str,
        value: &Text,
        read: impl FnOnce(&str) -> Result<T, Usage>,
    ) -> Result<T, Wrong> {
        read(value.get_ref()).map_err(|u| {
            self.wrong(&value.span(), key, format!("'{}': {}", value.get_ref(), u.problem))
        })
    }

    pub(super) fn range(
        &self,
        key: &str,
        value: Option<&Spanned<usize>>,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, Wrong> {
        let Some(value) = value else { return Ok(None) };
        if allowed.contains(value.get_ref()) {
            return Ok(Some(*value.get_ref()));
        }
        let (from, to) = allowed.into_inner();
        let problem = format!("{} is not from {from} to {to}", value.get_ref());
        Err(self.wrong(&value.span(), key, problem))
    }
}

/// What is wrong with the name of a domain, if anything.
///
/// # Errors
/// The argument or key is not a host name or IP address.
pub fn domain(text: &str) -> Result<String, Usage> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._[]:".contains(&c);
    if text.is_empty() || !text.bytes().all(plain) {
        return Err(Usage::new("--domain", text, "not a host name or IP address"));
    }
    Ok(text.to_owned())
}

/// Reads the secret that machines share: 64 hexadecimal digits.
///
/// # Errors
/// What is wrong with it; it is not repeated.
pub fn cluster_key(text: &str) -> Result<[u8; 32], Usage> {
    let mut key = [0; 32];
    let wrong = || Usage::new("--cluster-key", "", "give 64 hexadecimal digits, not all 0");
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    for (i, place) in key.iter_mut().enumerate() {
        let digits = text.get(2 * i..2 * i + 2).unwrap_or("");
        *place = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    if key == [0; 32] { Err(wrong()) } else { Ok(key) }
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Wrong`], the first.
    pub fn read(path: &Path) -> Result<Self, Wrong> {
        let text = std::fs::read_to_string(path).map_err(|why| Wrong {
            file: path.to_owned(),
            line: 0,
            key: String::new(),
            problem: why.to_string(),
        })?;
        Self::parse(path, &text)
    }

    /// Reads a file's text; `path` names it, and paths in it are seen from its folder.
    ///
    /// # Errors
    /// [`Wrong`], the first.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Wrong> {
        let source = Source { path, text };
        let written: Written = toml::from_str(text).map_err(|e| {
            let at = e.span().unwrap_or(0..0);
            source.wrong(&at, &source.key_at(at.start), e.message())
        })?;
        let trunks = trunks(&source, &written)?;
        let routes = routes(&source, &written)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let here = |file: Option<PathBuf>| file.map(|f| folder.join(f));
        let read = |key: &'static str, list: &[Text]| -> Result<Vec<Listen>, Wrong> {
            list.iter().map(|t| source.text(key, t, Listen::parse)).collect()
        };
        let plain = |value: Option<Text>| value.map(Spanned::into_inner);
        Ok(Self {
            listens: read("listen", &written.listen)?,
            advertise: read_one(
                &source,
                "advertise",
                written.advertise.as_ref(),
                Advertise::parse,
            )?,
            dns: read_one(&source, "dns", written.dns.as_ref(), name_server)?,
            domains: written
                .domains
                .iter()
                .map(|t| source.text("domains", t, domain))
                .collect::<Result<_, _>>()?,
            trust: written
                .trust
                .iter()
                .map(|t| source.text("trust", t, network))
                .collect::<Result<_, _>>()?,
            requests: source.range("requests", written.requests.as_ref(), 1..=1_000_000)?,
            workers: source.range("workers", written.workers.as_ref(), 1..=64)?,
            cluster_key: secret(&source, written.cluster_key.as_ref())?,
            expires: expires(&source, &written.registrar)?,
            max_bindings: source.range(
                "registrar.max_bindings",
                written.registrar.max_bindings.as_ref(),
                1..=32,
            )?,
            forking: written.forking.read(&source)?,
            edge: written.edge.read(&source)?,
            users: here(written.users),
            relay: written.relay,
            record_route: written.record_route,
            drain: written.drain,
            store: plain(written.store),
            metrics: read_one(&source, "metrics", written.metrics.as_ref(), metrics)?,
            capture: here(written.capture),
            log: read_one(&source, "log", written.log.as_ref(), Log::parse)?,
            tls: TlsFiles {
                certificate: here(written.tls.certificate),
                key: here(written.tls.key),
                issuers: here(written.tls.issuers),
            },
            trunks,
            routes,
        })
    }
}

fn read_one<T>(
    source: &Source<'_>,
    key: &str,
    value: Option<&Text>,
    read: impl FnOnce(&str) -> Result<T, Usage>,
) -> Result<Option<T>, Wrong> {
    value.map(|t| source.text(key, t, read)).transpose()
}

/// Reads the address at which metrics are shown.
///
/// # Errors
/// What is wrong with it.
pub fn metrics(text: &str) -> Result<SocketAddr, Usage> {
    let wrong = |_| Usage::new("--metrics", text, "give an address and a port: 127.0.0.1:9090");
    text.parse().map_err(wrong)
}

/// A secret is not repeated in what is said of it.
fn secret(source: &Source<'_>, value: Option<&Text>) -> Result<Option<[u8; 32]>, Wrong> {
    let Some(value) = value else { return Ok(None) };
    let key = cluster_key(value.get_ref());
    key.map(Some).map_err(|u| source.wrong(&value.span(), "cluster_key", u.problem))
}

fn expires(source: &Source<'_>, registrar: &WrittenRegistrar) -> Result<[Option<u32>; 3], Wrong> {
    let all = [registrar.min_expires, registrar.default_expires, registrar.max_expires];
    let [min, default, max] = all.map(|n| n.map(u64::from));
    let ordered = min.unwrap_or(60) <= default.unwrap_or(3_600)
        && default.unwrap_or(3_600) <= max.unwrap_or(7_200);
    if ordered {
        return Ok(all);
    }
    let at = source.text.find("[registrar]").unwrap_or(0);
    let problem = "min_expires (60 by default), default_expires (3600) and max_expires (7200) \
                   must not fall";
    Err(source.wrong(&(at..at), "registrar", problem))
}

/// The trunks of several hops. One of a single hop is but a name for it.
fn trunks(source: &Source<'_>, written: &Written) -> Result<Vec<Trunk>, Wrong> {
    let mut trunks = Vec::new();
    for (i, trunk) in written.trunk.iter().enumerate() {
        let name = trunk.name.get_ref();
        let wrong = |problem: String| source.wrong(&trunk.name.span(), "trunk.name", problem);
        if name.is_empty() || !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
            return Err(wrong(format!("'{name}' is no name: give letters, digits and hyphens")));
        }
        if written.trunk.iter().take(i).any(|t| t.name.get_ref().eq_ignore_ascii_case(name)) {
            return Err(wrong(format!("another trunk is called '{name}'")));
        }
        let uris: Vec<&str> = trunk.to.iter().map(|uri| uri.get_ref().as_str()).collect();
        let at = |i: usize, problem| {
            let span = trunk.to.get(i).map_or(trunk.name.span(), Spanned::span);
            source.wrong(&span, "trunk.to", problem)
        };
        match &*uris {
            [one] => check_uri(one).map_err(|problem| at(0, problem))?,
            [_, ..] if uris.len() <= HOPS => {
                trunks.push(Trunk::new(name, &uris).map_err(|(i, problem)| at(i, problem))?);
            }
            _ => return Err(at(usize::MAX, format!("give 1 to {HOPS} URIs"))),
        }
    }
    Ok(trunks)
}

fn routes(source: &Source<'_>, written: &Written) -> Result<Vec<Route>, Wrong> {
    written.route.iter().map(|route| one_route(source, written, route)).collect()
}

/// The URI that leads to a trunk.
fn trunk_uri(trunk: &WrittenTrunk) -> Option<String> {
    let uris: Vec<&str> = trunk.to.iter().map(|uri| uri.get_ref().as_str()).collect();
    match &*uris {
        [one] => Some((*one).to_owned()),
        several => Trunk::new(trunk.name.get_ref(), several).ok().map(|t| t.uri()),
    }
}

fn one_route(source: &Source<'_>, written: &Written, route: &WrittenRoute) -> Result<Route, Wrong> {
    let to = route.to.get_ref();
    let hop = if to.contains(':') {
        check_uri(to).map_err(|problem| source.wrong(&route.to.span(), "route.to", problem))?;
        to.clone()
    } else {
        let trunk = written.trunk.iter().find(|t| t.name.get_ref() == to);
        trunk.and_then(trunk_uri).ok_or_else(|| {
            let names: Vec<_> = written.trunk.iter().map(|t| t.name.get_ref().as_str()).collect();
            let known = if names.is_empty() { "there is none".into() } else { names.join(", ") };
            let problem = format!("no [[trunk]] is called '{to}' ({known}), and it is no URI");
            source.wrong(&route.to.span(), "route.to", problem)
        })?
    };
    let mut prepend = "";
    if let Some(text) = &route.prepend {
        prepend = text.get_ref();
        let user = |c: u8| c.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&c);
        if !prepend.bytes().all(user) {
            let problem = format!("'{prepend}' cannot stand in the user of a URI");
            return Err(source.wrong(&text.span(), "route.prepend", problem));
        }
    }
    Ok(Route::new(&route.user, &route.domain, &hop).rewriting(route.strip, prepend))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, Wrong> {
        File::parse(Path::new("/etc/sansip/proxy.toml"), text)
    }

    fn problem(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_file_line_key_and_what_is_expected() {
        let says = |text: &str, want: &str| {
            let said = problem(text);
            assert!(said.starts_with(&format!("/etc/sansip/proxy.toml:{want}")), "{said}");
        };
        says(
            "domains = [\"a\"]\nlisten = [\"udp:127.0.0.1\", \"tpc:127.0.0.1\"]\n",
            "2: listen: 'tpc:127.0.0.1': unknown transport 'tpc' (udp, tcp",
        );
        says("\nlissten = []\n", "2: lissten: unknown field `lissten`, expected one of `listen`");
        says("relay = \"yes\"\n", "1: relay: invalid type: string \"yes\", expected a boolean");
        says("[tls]\ncert = \"x\"\n", "2: tls.cert: unknown field `cert`");
        says("workers = 0\n", "1: workers: 0 is not from 1 to 64");
        says("advertise = \"a b\"", "1: advertise: 'a b': not a host name");
        says("domains = [\n  \"a\",\n  \"b c\",\n]\n", "3: domains: 'b c': not a host name");
        says("trust = [\"10.0.0.0/40\"]", "1: trust: '10.0.0.0/40': '40' is not a number of bits");
        says("[[route]]\nto = \"x\"\n", "2: route.to: no [[trunk]] is called 'x' (there is none)");
        says("[[route]]\nto = \"tel:1\"\n", "2: route.to: 'tel:1' is not a sip: or sips: URI");
        says("[[route]]\nuser = \"9*\"\n", "1: route: missing field `to`");
        says("[[trunk]]\nname = \"a\"\nto = []\n", "2: trunk.to: give 1 to 4 URIs");
        let two = "[[trunk]]\nname = \"a\"\nto = [\"sip:h\"]\n";
        says(&format!("{two}{two}"), "5: trunk.name: another trunk is called 'a'");
        says("[registrar]\nmin_expires = 9000\n", "1: registrar: min_expires (60 by default)");
        let key = problem("cluster_key = \"secret\"\n");
        assert!(key.contains(":1: cluster_key: give 64") && !key.contains("secret"), "{key}");
        assert!(problem("listen = [\n").starts_with("/etc/sansip/proxy.toml:"));
        let none = File::read(Path::new("/nonexistent.toml")).unwrap_err().to_string();
        assert!(none.starts_with("/nonexistent.toml: "), "{none}");
    }

    #[test]
    fn paths_are_seen_from_the_folder_of_the_file() {
        let file = parse("users = \"users\"\n[tls]\nkey = \"/abs.key\"\n").unwrap();
        assert_eq!(file.users.unwrap(), Path::new("/etc/sansip/users"));
        assert_eq!(file.tls.key.unwrap(), Path::new("/abs.key"));
    }

    #[test]
    fn a_route_leads_to_its_trunk() {
        let text = "[[trunk]]\nname = \"out\"\nto = [\"sip:10.0.0.1\", \"sip:10.0.0.2\"]\n\
                    [[route]]\nuser = \"0*\"\nstrip = 1\nprepend = \"+49\"\nto = \"out\"\n";
        let file = parse(text).unwrap();
        let trunk = Trunk::new("out", &["sip:10.0.0.1", "sip:10.0.0.2"]).unwrap();
        assert_eq!(file.routes, [Route::new("0*", "*", &trunk.uri()).rewriting(1, "+49")]);
        assert_eq!(file.trunks, [trunk]);
    }
}
