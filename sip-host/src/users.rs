//! The users of the proxy: a file of HA1 secrets.

use std::collections::HashMap;
use std::path::Path;

use sansip::Algorithm;
use sansip::auth::Hex;
use sansip::wire::Span;

use crate::listen::Usage;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];

/// Users with their secrets: no password, but its hash with user and realm (RFC 7616 3.4.2).
#[derive(Default)]
pub struct Users {
    realm: String,
    /// In the order of `ALGORITHMS`.
    secrets: HashMap<String, [Option<String>; 3]>,
}

/// Secrets are not shown.
impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users")
            .field("realm", &self.realm)
            .field("users", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

fn algorithm(name: &str) -> Option<usize> {
    let found = Algorithm::of(name.as_bytes(), Some(Span::new(0, name.len())));
    place(found)
}

fn place(algorithm: Algorithm) -> Option<usize> {
    ALGORITHMS.iter().position(|a| *a == algorithm)
}

/// User, realm, the place of the algorithm, and HA1 of a line.
fn entry(line: &str) -> Result<(&str, &str, usize, &str), String> {
    let form = "give user:realm:HA1 or user:realm:algorithm:HA1";
    let (user, rest) = line.split_once(':').ok_or(form)?;
    let (rest, ha1) = rest.rsplit_once(':').ok_or(form)?;
    let named = rest.rsplit_once(':').and_then(|(r, name)| Some((r, algorithm(name)?)));
    let md5 = ALGORITHMS.len() - 1;
    let (realm, at) = named.unwrap_or((rest, md5));
    if user.is_empty() || realm.is_empty() {
        return Err(form.into());
    }
    let algorithm = ALGORITHMS.get(at).copied().unwrap_or(Algorithm::Other);
    if Hex::parse(algorithm, ha1.as_bytes()).is_none() {
        let digits = if algorithm == Algorithm::Md5 { 32 } else { 64 };
        let name = algorithm.name();
        return Err(format!("the HA1 of {name} has {digits} hexadecimal digits"));
    }
    Ok((user, realm, at, ha1))
}

impl Users {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong, with the number of its line.
    pub fn read(path: &Path) -> Result<Self, Usage> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|why| Usage::new("--users", &shown, &why.to_string()))?;
        Self::parse(&text).map_err(|problem| Usage::new("--users", &shown, &problem))
    }

    /// Reads a file's text: a user a line, empty lines and those that begin with `#` apart.
    ///
    /// # Errors
    /// What is wrong, with the number of its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut users = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            users.add(line).map_err(|problem| format!("line {}: {problem}", number + 1))?;
        }
        if users.secrets.is_empty() {
            return Err("no user in it".into());
        }
        if users.algorithms().is_empty() {
            return Err("no algorithm for which every user has an HA1".into());
        }
        Ok(users)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let (user, realm, at, ha1) = entry(line)?;
        let plain = |c: u8| !matches!(c, b'"' | b'\\' | 0..=31 | 127);
        if realm.len() > 100 || !realm.bytes().all(plain) {
            return Err("a realm has at most 100 bytes, no quotes and no backslashes".into());
        }
        if !self.realm.is_empty() && self.realm != realm {
            return Err(format!("another realm than '{}' of the lines before", self.realm));
        }
        realm.clone_into(&mut self.realm);
        let secrets = self.secrets.entry(user.to_owned()).or_default();
        match secrets.get_mut(at) {
            Some(place @ None) => {
                *place = Some(ha1.to_ascii_lowercase());
                Ok(())
            }
            _ => Err(format!("'{user}' has an HA1 of this algorithm already")),
        }
    }

    /// The realm of all.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The algorithms by which every user can be checked, the strongest first.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let all = |at: usize| self.secrets.values().all(|s| s.get(at).is_some_and(Option::is_some));
        ALGORITHMS.iter().enumerate().filter(|(at, _)| all(*at)).map(|(_, a)| *a).collect()
    }

    /// The HA1 of a user.
    #[must_use]
    pub fn ha1(&self, user: &str, algorithm: Algorithm) -> Option<&str> {
        self.secrets.get(user)?.get(place(algorithm)?)?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "939e7578ed9e3c518a452acee763bce9";

    fn problem(text: &str) -> String {
        Users::parse(text).unwrap_err()
    }

    #[test]
    fn a_file_of_users_is_read() {
        let sha = "A".repeat(64);
        let text = format!("# users\n\nal:h:8:{MD5}\nbob:h:8:SHA-256:{sha}\n bob:h:8:{MD5}\n");
        let users = Users::parse(&text).unwrap();
        assert_eq!((users.len(), users.realm()), (2, "h:8"));
        assert_eq!(users.algorithms(), [Algorithm::Md5], "al has no other");
        assert_eq!(users.ha1("bob", Algorithm::Sha256), Some(&*"a".repeat(64)));
        assert_eq!(users.ha1("al", Algorithm::Md5), Some(MD5));
        assert_eq!(users.ha1("al", Algorithm::Sha256), None);
        assert_eq!(users.ha1("eve", Algorithm::Md5), None);
        let shown = format!("{users:?}");
        assert!(!shown.contains(MD5), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert!(problem("").contains("no user"));
        assert!(problem(&format!("al:h:{MD5}\nbob")).starts_with("line 2: give user:realm:HA1"));
        assert!(problem("al:h:abc").contains("line 1: the HA1 of MD5 has 32"));
        let long = problem(&format!("al:h:SHA-256:{MD5}"));
        assert!(long.contains("SHA-256 has 64"), "{long}");
        assert!(
            problem(&format!("al:h:{MD5}\n\nbob:i:{MD5}")).starts_with("line 3: another realm")
        );
        assert!(problem(&format!("al:h:{MD5}\nal:h:md5:{MD5}")).contains("line 2: 'al' has"));
        assert!(problem(&format!(":h:{MD5}")).starts_with("line 1: give"));
        assert!(problem(&format!("al:a\"b:{MD5}")).contains("no quotes"));
        let sha = "a".repeat(64);
        let none = problem(&format!("al:h:{MD5}\nbob:h:SHA-256:{sha}"));
        assert!(none.contains("no algorithm"), "{none}");
    }
}
