//! The canonical form of an address of record (RFC 3261 10.3 step 5).

use core::fmt::Write as _;

use super::escape::unescape;
use super::host::Host;
use super::uri::Uri;
use crate::wire::scan::{Class, is};

/// Writes the canonical form of a sip or sips URI into `out`: `sip:user@host`. Escapes of the user
/// part are undone once, and only what cannot stand there is escaped again; the host is in lower
/// case; password, port, parameters and header fields are gone. `None` for another scheme, for a
/// URI that cannot be read and for too little room.
#[must_use]
pub fn canonical<'a>(text: &[u8], out: &'a mut [u8]) -> Option<&'a [u8]> {
    let uri = Uri::parse(text).ok().filter(Uri::is_sip)?;
    let mut to = Out { room: out, len: 0 };
    to.put(b"sip:")?;
    if !uri.user.is_empty() {
        for byte in unescape(uri.user.of(text)) {
            to.put_user(byte)?;
        }
        to.put(b"@")?;
    }
    match Host::parse(uri.host.of(text)) {
        // One address has several spellings.
        Host::V6(ip) => write!(to, "[{ip}]").ok()?,
        _ => {
            for byte in uri.host.of(text) {
                to.put(&[byte.to_ascii_lowercase()])?;
            }
        }
    }
    let Out { room, len } = to;
    room.get(..len)
}

struct Out<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.room.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    fn put_user(&mut self, byte: u8) -> Option<()> {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        if byte != b'%' && is(byte, Class::USER) {
            return self.put(&[byte]);
        }
        let digit = |n: u8| DIGITS.get(usize::from(n)).copied();
        self.put(&[b'%', digit(byte >> 4)?, digit(byte & 15)?])
    }
}

impl core::fmt::Write for Out<'_> {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        self.put(s.as_bytes()).ok_or(core::fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    fn form(text: &str) -> Option<String> {
        let mut out = [0; 200];
        canonical(text.as_bytes(), &mut out).map(|a| String::from_utf8(a.to_vec()).unwrap())
    }

    // RFC 3261 10.3 step 5
    #[test]
    fn what_names_the_same_resource_has_one_form() {
        for (given, want) in [
            ("sip:Bob@Example.COM:5060;transport=tcp;user=phone?x=y", "sip:Bob@example.com"),
            ("sips:bob:secret@example.com", "sip:bob@example.com"),
            ("sip:%62ob@example.com", "sip:bob@example.com"),
            ("sip:b%6Fb@example.com:5080", "sip:bob@example.com"),
            ("sip:a%40b@h", "sip:a%40b@h"),
            ("sip:a%3Bb@h", "sip:a;b@h"),
            // Never unescaped twice.
            ("sip:a%2541@h", "sip:a%2541@h"),
            ("sip:null-%00-null@h", "sip:null-%00-null@h"),
            ("sip:a%e9@h", "sip:a%E9@h"),
            ("sip:a%23b@h", "sip:a%23b@h"),
            ("sip:a#b@h", "sip:a%23b@h"),
            ("sip:h", "sip:h"),
            ("sip:a@[2001:DB8:0::1]", "sip:a@[2001:db8::1]"),
        ] {
            assert_eq!(form(given).as_deref(), Some(want), "{given}");
            assert_eq!(form(want).as_deref(), Some(want), "{want} is its own form");
        }
        assert_eq!(form("tel:+1"), None);
        assert_eq!(form("sip:"), None);
        assert_eq!(canonical(b"sip:bob@example.com", &mut [0; 18]), None);
        assert_ne!(form("sip:bob@h").unwrap(), "sip:Bob@h".to_string());
    }
}
