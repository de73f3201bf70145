//! The tables `[forking]` and `[edge]` of the proxy's file.

use sansip::config::{Edge, Forking, Nat, Network, Order, PathUse};
use sansip::header::Uri;
use serde::Deserialize;
use toml::Spanned;

use super::file::{Source, Text, Wrong};
use super::routes::check_uri;
use crate::listen::{Usage, network};

/// The most URIs of a Service-Route.
const SERVICE_ROUTES: usize = 4;

/// The longest Service-Route, in bytes.
const SERVICE_ROUTE_MAX: usize = 512;

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenForking {
    order: Option<Text>,
    ring: Option<Spanned<usize>>,
    recurse: Option<bool>,
    redirect: Option<bool>,
    dispositions: Option<bool>,
    breadth: Option<Spanned<usize>>,
    late: Option<Spanned<usize>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenEdge {
    path: Option<Text>,
    nat: Option<Text>,
    trust: Vec<Text>,
    service_route: Vec<Text>,
    gruu: Option<bool>,
    stateless: Option<bool>,
    per_source: Option<Spanned<usize>>,
}

/// One of several words.
fn word<T: Copy>(
    source: &Source<'_>,
    key: &str,
    value: Option<&Text>,
    words: &[(&str, T)],
) -> Result<Option<T>, Wrong> {
    let Some(value) = value else { return Ok(None) };
    let found = words.iter().find(|(word, _)| word == value.get_ref());
    found.map(|(_, what)| Some(*what)).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let problem = format!("'{}' is none of {}", value.get_ref(), known.join(", "));
        source.wrong(&value.span(), key, problem)
    })
}

/// Seconds in the file, milliseconds in the engine.
fn milliseconds(seconds: Option<usize>) -> Option<u64> {
    seconds.and_then(|s| u64::try_from(s).ok()).map(|s| s.saturating_mul(1_000))
}

impl WrittenForking {
    /// What it says, checked.
    pub(super) fn read(&self, source: &Source<'_>) -> Result<Forking, Wrong> {
        let usual = Forking::default();
        let orders =
            [("parallel", Order::Parallel), ("serial", Order::Serial), ("mixed", Order::Mixed)];
        // Timer C ends what rings for longer than three minutes (RFC 3261 16.6 step 11).
        let ring = source.range("forking.ring", self.ring.as_ref(), 1..=180)?;
        let late = source.range("forking.late", self.late.as_ref(), 0..=180)?;
        let breadth = source.range("forking.breadth", self.breadth.as_ref(), 0..=65_535)?;
        Ok(Forking {
            order: word(source, "forking.order", self.order.as_ref(), &orders)?
                .unwrap_or(usual.order),
            ring: milliseconds(ring).unwrap_or(usual.ring),
            recurse: self.recurse.unwrap_or(usual.recurse),
            redirect: self.redirect.unwrap_or(usual.redirect),
            dispositions: self.dispositions.unwrap_or(usual.dispositions),
            breadth: breadth.and_then(|n| u16::try_from(n).ok()).unwrap_or(usual.breadth),
            late: milliseconds(late).unwrap_or(usual.late),
        })
    }
}

impl WrittenEdge {
    /// What it says, checked.
    pub(super) fn read(&self, source: &Source<'_>) -> Result<Edge, Wrong> {
        let usual = Edge::default();
        let paths = [
            ("never", PathUse::Never),
            ("supported", PathUse::Supported),
            ("required", PathUse::Required),
            ("always", PathUse::Always),
        ];
        let nats = [("never", Nat::Never), ("detect", Nat::Detect), ("always", Nat::Always)];
        let trust: Result<Vec<Network>, Wrong> =
            self.trust.iter().map(|t| source.text("edge.trust", t, network)).collect();
        let bound = source.range("edge.per_source", self.per_source.as_ref(), 0..=1_000_000)?;
        Ok(Edge {
            path: word(source, "edge.path", self.path.as_ref(), &paths)?.unwrap_or(usual.path),
            nat: word(source, "edge.nat", self.nat.as_ref(), &nats)?.unwrap_or(usual.nat),
            trust: trust?,
            service_route: self.service_route(source)?,
            gruu: self.gruu.unwrap_or(usual.gruu),
            stateless: self.stateless.unwrap_or(usual.stateless),
            per_source: bound.and_then(|n| u32::try_from(n).ok()).unwrap_or(usual.per_source),
        })
    }

    /// The value of the header field.
    fn service_route(&self, source: &Source<'_>) -> Result<String, Wrong> {
        let key = "edge.service_route";
        let mut field = String::new();
        for (i, text) in self.service_route.iter().enumerate() {
            let uri = source.text(key, text, |uri| {
                loose(uri).map(|()| uri.to_owned()).map_err(|why| Usage::new("", uri, why))
            })?;
            if i > 0 {
                field.push_str(", ");
            }
            field.push('<');
            field.push_str(&uri);
            field.push('>');
            if i >= SERVICE_ROUTES || field.len() > SERVICE_ROUTE_MAX {
                let problem = format!(
                    "give at most {SERVICE_ROUTES} URIs of {SERVICE_ROUTE_MAX} bytes together"
                );
                return Err(source.wrong(&text.span(), key, problem));
            }
        }
        Ok(field)
    }
}

/// A proxy of a Service-Route is a loose router (RFC 3608 5).
fn loose(uri: &str) -> Result<(), String> {
    check_uri(uri).map_err(|_| "not a sip: or sips: URI, without angle brackets".to_owned())?;
    match Uri::parse(uri.as_bytes()) {
        Ok(parsed) if parsed.lr => Ok(()),
        _ => Err("a proxy of a Service-Route needs ';lr'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file::File;
    use super::*;

    fn parse(text: &str) -> Result<File, Wrong> {
        File::parse(Path::new("p.toml"), text)
    }

    #[test]
    fn what_is_wrong_in_these_tables_is_said_with_line_key_and_what_is_expected() {
        for (table, wants) in [
            (
                "forking",
                &[
                    ("order = \"both\"", "order: 'both' is none of parallel, serial, mixed"),
                    ("ring = 0", "ring: 0 is not from 1 to 180"),
                    ("ring = -1", "ring: invalid value: integer `-1`"),
                    ("late = 9999", "late: 9999 is not from 0 to 180"),
                    ("breadth = 65536", "breadth: 65536 is not from 0 to 65535"),
                    ("recurse = 1", "recurse: invalid type: integer `1`, expected a boolean"),
                    ("serial = true", "serial: unknown field `serial`, expected one of `order`"),
                ][..],
            ),
            (
                "edge",
                &[
                    ("path = \"yes\"", "path: 'yes' is none of never, supported, required, always"),
                    ("nat = \"on\"", "nat: 'on' is none of never, detect, always"),
                    ("trust = [\"ten\"]", "trust: 'ten': 'ten' is not an IP address"),
                    (
                        "service_route = [\"tel:1\"]",
                        "service_route: 'tel:1': not a sip: or sips: URI",
                    ),
                    (
                        "service_route = [\"sip:a.example\"]",
                        "service_route: 'sip:a.example': a proxy of a Service-Route needs ';lr'",
                    ),
                    (
                        "service_route = [\"<sip:a.example;lr>\"]",
                        "service_route: '<sip:a.example;lr>': not a sip: or sips: URI",
                    ),
                    ("per_source = 1000001", "per_source: 1000001 is not from 0 to 1000000"),
                ][..],
            ),
        ] {
            for (line, want) in wants {
                let said = parse(&format!("relay = true\n[{table}]\n{line}\n")).unwrap_err();
                let want = format!("p.toml:3: {table}.{want}");
                assert!(said.to_string().starts_with(&want), "{line}: {said}");
            }
        }
        let five = "\"sip:a;lr\", ".repeat(5);
        let said = parse(&format!("[edge]\nservice_route = [{five}]\n")).unwrap_err().to_string();
        assert!(said.starts_with("p.toml:2: edge.service_route: give at most 4 URIs"), "{said}");
    }

    #[test]
    fn seconds_become_milliseconds_and_what_is_not_said_stays_usual() {
        let file = parse("[forking]\norder = \"serial\"\nring = 12\nlate = 0\n").unwrap();
        let want = Forking { order: Order::Serial, ring: 12_000, late: 0, ..Forking::default() };
        assert_eq!(file.forking, want);
        assert_eq!(parse("").unwrap().forking, Forking::default());
        let edge = parse("").unwrap().edge;
        assert_eq!((edge.path, edge.nat), (PathUse::Never, Nat::Detect));
        assert!(edge.gruu && !edge.stateless && edge.per_source == 0 && edge.trust.is_empty());
    }

    #[test]
    fn the_routes_of_a_service_are_one_field() {
        let text = "[edge]\nservice_route = [\"sip:a.example;lr\", \"sip:b.example:5080;lr\"]\n";
        let edge = parse(text).unwrap().edge;
        assert_eq!(edge.service_route, "<sip:a.example;lr>, <sip:b.example:5080;lr>");
    }
}
