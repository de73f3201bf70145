//! Which devices suit the caller: Accept-Contact and Reject-Contact (RFC 3841 7.2) against what the
//! contacts say of themselves (RFC 3840 9).

use super::feature::{is_feature, meets};
use crate::header::Params;
use crate::wire::name::Name;
use crate::wire::scan::Span;
use crate::wire::{MessageRef, Method};

/// How well a device suits that nobody has wishes about, in thousandths.
pub(super) const FULLY: u16 = 1_000;

/// The most values of a field, and features of a value or a contact, that are looked at.
const VALUES: usize = 8;
const FEATURES: usize = 32;

/// How well a contact with these parameters suits the request, in thousandths; `None` where it must
/// not be tried. One that says nothing of itself is not judged (7.2.4).
pub(super) fn suits(m: &MessageRef<'_>, params: &str) -> Option<u16> {
    let contact = Features::of(params.as_bytes());
    if contact.iter().next().is_none() {
        return Some(FULLY);
    }
    if rejected(m, contact) {
        return None;
    }
    let mut scores = (0u32, 0u32);
    for value in m.values(Name::AcceptContact).take(VALUES) {
        scores = (scores.0 + u32::from(score(m, value, contact)?), scores.1 + 1);
    }
    match scores.0.checked_div(scores.1) {
        Some(mean) => u16::try_from(mean).ok(),
        None if m.field(Name::RejectContact).is_some() => Some(FULLY),
        None => implied(m, contact).then_some(FULLY),
    }
}

/// What a contact or a predicate says: the feature tags among parameters.
#[derive(Clone, Copy)]
struct Features<'a> {
    bytes: &'a [u8],
}

impl<'a> Features<'a> {
    /// From `bytes`, the first semicolon on.
    fn of(bytes: &'a [u8]) -> Self {
        let from = bytes.iter().position(|c| *c == b';').unwrap_or(bytes.len());
        Self { bytes: bytes.get(from..).unwrap_or(&[]) }
    }

    /// The tags with their values; one without says `TRUE` (RFC 3840 9).
    fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
        let bytes = self.bytes;
        Params::new(bytes, Span::new(0, bytes.len()))
            .take(FEATURES)
            .map(move |p| (p.name.of(bytes), p.value.map_or(&b"TRUE"[..], |v| v.of(bytes))))
            .filter(|(name, _)| is_feature(name))
    }

    fn get(self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn has_flag(self, name: &[u8]) -> bool {
        let bytes = self.bytes;
        Params::new(bytes, Span::new(0, bytes.len()))
            .any(|p| p.value.is_none() && p.name.of(bytes).eq_ignore_ascii_case(name))
    }
}

/// 7.2.4: whether a Reject-Contact names features all of which the contact has.
fn rejected(m: &MessageRef<'_>, contact: Features<'_>) -> bool {
    m.values(Name::RejectContact).take(VALUES).any(|value| {
        let mut terms = Features::of(m.text(value)).iter().peekable();
        terms.peek().is_some()
            && terms.all(|(name, wanted)| contact.get(name).is_some_and(|has| meets(wanted, has)))
    })
}

/// 7.2.4: which part of an Accept-Contact the contact meets, in thousandths; `None` where the caller
/// requires more.
fn score(m: &MessageRef<'_>, value: Span, contact: Features<'_>) -> Option<u16> {
    let wants = Features::of(m.text(value));
    let (mut terms, mut met, mut conflict) = (0u16, 0u16, false);
    for (name, wanted) in wants.iter() {
        terms += 1;
        match contact.get(name) {
            Some(has) if meets(wanted, has) => met += 1,
            Some(_) => conflict = true,
            None => {}
        }
    }
    let (require, explicit) = (wants.has_flag(b"require"), wants.has_flag(b"explicit"));
    let fails = conflict || (explicit && met < terms);
    match (fails, require) {
        (true, true) => None,
        (true, false) => Some(0),
        _ if terms == 0 => Some(FULLY),
        _ => Some(met.saturating_mul(FULLY) / terms),
    }
}

/// 7.2.2: without explicit wishes, whether the contact takes this method and this event package. It
/// does not order the contacts: devices of one user ring together.
fn implied(m: &MessageRef<'_>, contact: Features<'_>) -> bool {
    let takes = |name: &[u8], wanted: &[u8]| contact.get(name).is_none_or(|has| meets(wanted, has));
    let package = || {
        let value = m.header(Name::Event).unwrap_or(&[]);
        let end = value.iter().position(|c| matches!(c, b';' | b' ' | b'\t'));
        value.get(..end.unwrap_or(value.len())).unwrap_or(&[])
    };
    takes(b"methods", m.method_text())
        && (!matches!(m.method(), Method::Subscribe | Method::Publish)
            || takes(b"events", package()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    fn judged(fields: &str, params: &str) -> Option<u16> {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{fields}\r\n\r\n");
        suits(&MessageRef::lazy(text.as_bytes()).unwrap(), params)
    }

    #[test]
    fn who_says_nothing_is_not_judged() {
        for fields in
            ["X: y", "Accept-Contact: *;video;require;explicit", "Reject-Contact: *;video"]
        {
            for params in ["", ";reg-id=1;q=0.1"] {
                assert_eq!(judged(fields, params), Some(1_000), "{fields} {params}");
            }
        }
    }

    // RFC 3841 7.2.4
    #[test]
    fn the_score_is_the_part_of_the_wishes_that_is_met() {
        let wants = "Accept-Contact: *;audio;video;methods=\"INVITE\"";
        assert_eq!(judged(wants, ";audio;video;methods=\"INVITE,BYE\""), Some(1_000));
        assert_eq!(judged(wants, ";audio;video"), Some(666));
        assert_eq!(judged(wants, ";mobility=\"fixed\""), Some(0));
        assert_eq!(judged(wants, ";audio;video=\"FALSE\""), Some(0), "a conflict is no match");
        let two = "a: *;audio, *;video";
        assert_eq!(judged(two, ";audio"), Some(500), "the mean of both");
    }

    #[test]
    fn who_does_not_meet_what_is_required_is_dropped() {
        let require = "Accept-Contact: *;audio;video;require";
        assert_eq!(judged(require, ";audio"), Some(500));
        assert_eq!(judged(require, ";audio;video=\"FALSE\""), None);
        let explicit = "Accept-Contact: *;audio;video;explicit";
        assert_eq!(judged(explicit, ";audio"), Some(0));
        assert_eq!(judged(explicit, ";audio;video"), Some(1_000));
        let both = "Accept-Contact: *;audio;video;require;explicit";
        assert_eq!(judged(both, ";audio"), None);
        assert_eq!(judged(both, ";video;audio"), Some(1_000));
    }

    #[test]
    fn a_rejection_needs_every_feature_that_it_names() {
        let reject = "Reject-Contact: *;actor=\"msg-taker\";video";
        assert_eq!(judged(reject, ";actor=\"msg-taker\";video"), None);
        assert_eq!(judged(reject, ";actor=\"msg-taker\""), Some(1_000));
        assert_eq!(judged(reject, ";actor=\"principal\";video"), Some(1_000));
        assert_eq!(judged("j: *", ";video"), Some(1_000), "no feature, no rejection");
    }

    // RFC 3841 7.2.2
    #[test]
    fn without_wishes_the_method_must_be_one_that_the_contact_takes() {
        assert_eq!(judged("X: y", ";methods=\"INVITE,BYE\";audio"), Some(1_000));
        assert_eq!(judged("X: y", ";methods=\"MESSAGE\""), None);
        assert_eq!(judged("X: y", ";audio"), Some(1_000));
        assert_eq!(judged("a: *;audio", ";methods=\"MESSAGE\";audio"), Some(1_000));
    }

    // RFC 3841 7.2.4's example.
    #[test]
    fn the_five_devices_of_the_rfc_get_their_scores() {
        let fields = "Reject-Contact: *;actor=\"msg-taker\";video\r\n\
            Accept-Contact: *;audio;require\r\n\
            Accept-Contact: *;video;explicit\r\n\
            Accept-Contact: *;methods=\"BYE\";class=\"business\";q=1.0";
        let u1 = ";audio;video;methods=\"INVITE,BYE\"";
        let u2 = ";audio=\"FALSE\";methods=\"INVITE\";actor=\"msg-taker\"";
        let u3 = ";audio;actor=\"msg-taker\";methods=\"INVITE\";video";
        let u4 = ";audio;methods=\"INVITE,OPTIONS\"";
        assert_eq!(judged(fields, u1), Some(833));
        assert_eq!(judged(fields, u2), None);
        assert_eq!(judged(fields, u3), None);
        assert_eq!(judged(fields, u4), Some(333));
        assert_eq!(judged(fields, ""), Some(1_000));
    }
}
