//! The six messages, and a plain reading of them to hold the parser's answers against.
//!
//! They have the sizes and the kinds of header fields of the messages that the peers were measured
//! with, so that the figures compare; where those are at hand they are measured too.

use std::path::{Path, PathBuf};

/// The names of the messages: a request with a session description, its 200, a REGISTER with
/// credentials, an ACK, a request after eight hops, and one in compact forms.
pub const NAMES: [&str; 6] = ["a_invite", "b_200", "c_register", "d_ack", "e_big", "f_options"];

/// The bytes of a message of ours, or of `peers/NAME`: the one that the peers were measured with.
#[must_use]
pub fn load(name: &str) -> Option<Vec<u8>> {
    let (folder, name) = match name.strip_prefix("peers/") {
        Some(name) => (peers()?, name),
        None => (Path::new(env!("CARGO_MANIFEST_DIR")).join("messages"), name),
    };
    std::fs::read(folder.join(format!("{name}.sip"))).ok()
}

/// The folder of the messages that the peers were measured with: `perf` in `SANSIP_VECTORS`, or in
/// `shared/reference/vectors` beside the repository or any folder above it.
#[must_use]
pub fn peers() -> Option<PathBuf> {
    let found = std::env::var_os("SANSIP_VECTORS").map(PathBuf::from).or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|a| a.join("shared/reference/vectors"))
            .find(|p| p.is_dir())
    });
    found.map(|f| f.join("perf")).filter(|f| f.is_dir())
}

/// A message read the slow and obvious way.
#[derive(Debug)]
pub struct Plain<'a> {
    /// The first line.
    pub start: &'a str,
    /// Names in their full form, and values.
    pub fields: Vec<(&'a str, &'a str)>,
    /// The body.
    pub body: &'a str,
}

impl<'a> Plain<'a> {
    /// Reads a message that is by the grammar and has no folds.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let text = std::str::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
        let mut lines = head.split("\r\n");
        let start = lines.next().expect("a start line");
        let fields = lines
            .map(|line| line.split_once(':').expect("a colon"))
            .map(|(name, value)| (full(name), value.trim()))
            .collect();
        Self { start, fields, body }
    }

    /// The first value of a name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn value(&self, name: &str) -> &'a str {
        self.values(name).next().unwrap_or_else(|| panic!("no {name}"))
    }

    /// All values of a name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |f| f.0 == name).map(|f| f.1)
    }

    /// The value of a parameter behind the angle brackets of a value, or of a Via.
    #[must_use]
    pub fn param(value: &'a str, name: &str) -> &'a str {
        let params = value.rsplit_once('>').map_or(value, |(_, p)| p);
        params.split(';').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).unwrap_or("")
    }
}

fn full(name: &str) -> &str {
    match name {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "k" => "Supported",
        "l" => "Content-Length",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_have_the_sizes_that_the_peers_were_measured_with() {
        let sizes = NAMES.map(|name| load(name).unwrap().len());
        assert_eq!(sizes, [838, 951, 722, 343, 2_712, 276]);
    }

    #[test]
    fn the_messages_have_the_fields_that_the_peers_were_measured_with() {
        let names = |bytes: &[u8]| -> Vec<String> {
            let plain = Plain::of(bytes);
            let known = |n: &str| if n.starts_with("X-") { "X".into() } else { n.to_string() };
            plain.fields.iter().map(|f| known(f.0)).collect()
        };
        for name in NAMES {
            let Some(theirs) = load(&format!("peers/{name}")) else {
                println!("skipped: no reference vectors `perf`");
                return;
            };
            assert_eq!(names(&load(name).unwrap()), names(&theirs), "{name}");
        }
    }
}
