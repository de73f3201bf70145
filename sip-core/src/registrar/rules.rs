//! What a REGISTER makes of the bindings of its address of record: RFC 3261 10.3 steps 6 and 7.

use super::bindings::Encoder;
use crate::config::Config;
use crate::header::name_addr::NameAddr;
use crate::header::{CSeq, Params, equal, param};
use crate::proxy::edge::{has_option, instance, is_direct, uri_param, wants_outbound};
use crate::proxy::gruu::is_gruu;
use crate::store::queries::Binding;
use crate::wire::name::Name;
use crate::wire::scan::{Fault, decimal};
use crate::wire::{MessageRef, Span};

/// RFC 3261 10.3 step 7: an interval of an hour or more is never too brief.
const HOUR: u32 = 3_600;
/// RFC 3261 20.10: what a malformed `expires` counts as.
const MALFORMED: u32 = 3_600;

/// What the registrar's configuration says of bindings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub min: u32,
    pub default: u32,
    pub max: u32,
    pub bindings: usize,
}

/// Why a REGISTER fails. Nothing of it is stored then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// A Contact that cannot be one, or a `*` that is not alone or has another expiration than 0:
    /// 400.
    BadContact,
    /// An expiration below the least: 423.
    TooBrief,
    /// A newer REGISTER of the same Call-ID has been there: 500.
    OutOfOrder,
    /// More bindings than an address of record may have: 403.
    TooMany,
    /// More bytes than there is room for: 500.
    TooLong,
    /// A Contact that is one of our own GRUUs: 403 (RFC 5627 5.1).
    Ourselves,
    /// The proxy next to the device cannot keep its connection: 439 (RFC 5626 6).
    FirstHop,
}

impl Rules {
    pub(super) const fn of(config: &Config) -> Self {
        Self {
            min: config.min_expires,
            default: config.default_expires,
            max: config.max_expires,
            bindings: config.max_bindings,
        }
    }

    /// The interval of a binding, in seconds; 0 takes it away.
    fn interval(&self, asked: Option<u32>) -> Result<u32, Refusal> {
        let asked = asked.unwrap_or(self.default);
        if asked > 0 && asked < self.min && asked < HOUR {
            return Err(Refusal::TooBrief);
        }
        Ok(asked.min(self.max))
    }
}

/// A REGISTER as the rules see it.
struct Register<'a> {
    m: MessageRef<'a>,
    call_id: &'a str,
    cseq: u32,
    /// The Expires field, if it is a number.
    expires: Option<u32>,
    /// Whether the device asks for RFC 5626.
    outbound: bool,
}

impl<'a> Register<'a> {
    fn of(m: &MessageRef<'a>) -> Option<Self> {
        let cseq = CSeq::parse(m.bytes(), m.header_span(Name::CSeq)?).ok()?;
        Some(Self {
            m: *m,
            call_id: core::str::from_utf8(m.header(Name::CallId)?).ok()?,
            cseq: cseq.number,
            expires: m.header(Name::Expires).and_then(decimal),
            outbound: has_option(m, Name::Supported, b"outbound"),
        })
    }

    /// Steps 6 and 7: a binding of the same Call-ID changes only for a higher CSeq.
    fn may_change(&self, binding: &Binding<'_>) -> Result<(), Refusal> {
        let in_order = binding.call_id != self.call_id || self.cseq > binding.cseq;
        if in_order { Ok(()) } else { Err(Refusal::OutOfOrder) }
    }

    /// Which flow of which instance a Contact is (RFC 5626 6).
    fn flow<'c>(&self, bytes: &'c [u8], params: Span) -> Option<(&'c [u8], u32)> {
        let (instance, reg_id) = instance(bytes, params);
        instance.zip(reg_id).filter(|_| self.outbound)
    }

    /// Whether a Contact takes the place of a binding: that of the same flow, wherever it leads
    /// (RFC 5626 6), else that of the same URI.
    fn is_same(&self, contact: &NameAddr, b: &Binding<'_>) -> bool {
        let params = b.params.as_bytes();
        let new = self.flow(self.m.bytes(), contact.params);
        let old = self.flow(params, Span::new(0, params.len()));
        match new.zip(old) {
            Some((new, old)) => new == old,
            None => equal(b.uri.as_bytes(), self.m.text(contact.uri_text)),
        }
    }

    /// The interval that a Contact asks for.
    fn asked(&self, contact: &NameAddr) -> Option<u32> {
        match param(self.m.bytes(), contact.params, b"expires") {
            Some(_) => contact.expires.or(Some(MALFORMED)),
            None => self.expires,
        }
    }
}

/// Whether the Contacts of a REGISTER can be what they are (step 6), before anything is looked up.
pub(super) fn check(m: &MessageRef<'_>) -> Result<(), Refusal> {
    let mut contacts = 0usize;
    let mut star = false;
    for value in m.values(Name::Contact) {
        contacts += 1;
        if m.text(value) == b"*" {
            star = true;
        } else {
            contact(m, value)?;
        }
    }
    let zero = m.header(Name::Expires).and_then(decimal) == Some(0);
    // RFC 5626 6: a flow has one Contact.
    let outbound = wants_outbound(m);
    if star && (contacts > 1 || !zero) || outbound && contacts > 1 {
        return Err(Refusal::BadContact);
    }
    let mut last = None;
    for value in m.values(Name::Path) {
        last = Some(route(m, value)?);
    }
    let edge = |p: NameAddr| uri_param(m.bytes(), &p.uri, b"ob");
    if outbound && !is_direct(m) && !last.is_some_and(edge) {
        return Err(Refusal::FirstHop);
    }
    Ok(())
}

/// A Path value that can be stored.
fn route(m: &MessageRef<'_>, value: Span) -> Result<NameAddr, Refusal> {
    let route = NameAddr::parse(m.bytes(), value).map_err(|_| Refusal::BadContact)?;
    let text = m.text(value);
    let readable = core::str::from_utf8(text).is_ok() && !text.iter().any(u8::is_ascii_control);
    if route.fault == Fault::Bad || !readable { Err(Refusal::BadContact) } else { Ok(route) }
}

/// The routes to the devices that `m` registers: `own`, if this engine knows a way itself, then
/// those of its Path (RFC 3327 5.3), piece by piece.
fn routes<'a>(
    m: &MessageRef<'a>,
    own: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
    let m = *m;
    let own = core::iter::once(own).filter(|own| !own.is_empty());
    let all = own.chain(m.values(Name::Path).map(move |v| m.text(v)));
    all.enumerate().flat_map(|(i, value)| [if i == 0 { &b""[..] } else { b", " }, value])
}

/// A Contact that can be stored and shown again.
fn contact(m: &MessageRef<'_>, value: Span) -> Result<NameAddr, Refusal> {
    let contact = NameAddr::parse(m.bytes(), value).map_err(|_| Refusal::BadContact)?;
    let kept = m.text(Span::new(contact.uri_text.start(), contact.whole.end()));
    let visible = kept.iter().all(|c| !c.is_ascii_control() || matches!(c, b'\t' | b'\r' | b'\n'));
    if is_gruu(m.text(contact.uri_text)) {
        return Err(Refusal::Ourselves);
    }
    let quoted_fold = Params::new(m.bytes(), contact.params)
        .filter_map(|p| p.value)
        .any(|v| m.text(v).iter().any(u8::is_ascii_control));
    let readable = core::str::from_utf8(kept).is_ok();
    if contact.fault == Fault::Bad || !visible || quoted_fold || !readable {
        return Err(Refusal::BadContact);
    }
    Ok(contact)
}

/// The parameters of a Contact that are kept, piece by piece: not `q` and `expires`, nor what the
/// registrar adds itself, nor the number of a flow from a device that does not keep one.
fn kept_params<'a>(
    m: &MessageRef<'a>,
    contact: &NameAddr,
    outbound: bool,
) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
    let m = *m;
    let stays = move |name: Span| {
        let name = m.text(name);
        let ours: [&[u8]; 4] = [b"q", b"expires", b"pub-gruu", b"temp-gruu"];
        !ours.iter().any(|n| name.eq_ignore_ascii_case(n))
            && (outbound || !name.eq_ignore_ascii_case(b"reg-id"))
    };
    Params::new(m.bytes(), contact.params).filter(move |p| stays(p.name)).flat_map(move |p| {
        let (equals, value): (&[u8], &[u8]) = match p.value {
            Some(value) => (b"=", m.text(value)),
            None => (b"", b""),
        };
        [&b";"[..], m.text(p.name), equals, value]
    })
}

/// Applies a REGISTER to the bindings that there are and writes those that there shall be. `own` is
/// the route to the device that this engine knows itself. Whether anything has changed.
pub(super) fn apply(
    m: &MessageRef<'_>,
    own: &[u8],
    existing: &[Binding<'_>],
    rules: &Rules,
    out: &mut Encoder<'_>,
) -> Result<bool, Refusal> {
    let register = Register::of(m).ok_or(Refusal::BadContact)?;
    let alive = || existing.iter().filter(|b| b.expires > 0);
    if m.values(Name::Contact).any(|v| m.text(v) == b"*") {
        alive().try_for_each(|b| register.may_change(b))?;
        return Ok(!existing.is_empty());
    }
    for binding in alive() {
        let params = core::iter::once(binding.params.as_bytes());
        out.add(binding, params, core::iter::once(binding.path.as_bytes()))
            .map_err(|_| Refusal::TooLong)?;
    }
    let before = out.bindings().count();
    // Those in front of this one were there before; the others are this REGISTER's own.
    let mut old = before;
    let mut changed = false;
    for value in m.values(Name::Contact) {
        let contact = contact(m, value)?;
        let expires = rules.interval(register.asked(&contact))?;
        let uri = core::str::from_utf8(m.text(contact.uri_text)).unwrap_or_default();
        let found = out.bindings().enumerate().find(|(_, b)| register.is_same(&contact, b));
        if let Some((index, binding)) = found {
            if index < old {
                register.may_change(&binding)?;
                old -= 1;
            }
            out.remove(index);
            changed = true;
        }
        if expires == 0 {
            continue;
        }
        let binding = Binding {
            uri,
            params: "",
            path: "",
            q: contact.q.unwrap_or(1_000),
            expires,
            call_id: register.call_id,
            cseq: register.cseq,
        };
        let params = kept_params(m, &contact, register.outbound);
        out.add(&binding, params, routes(m, own)).map_err(|_| Refusal::TooLong)?;
        changed = true;
    }
    let after = out.bindings().count();
    if after > rules.bindings && after > before {
        return Err(Refusal::TooMany);
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    const RULES: Rules = Rules { min: 60, default: 3_600, max: 7_200, bindings: 3 };

    /// `uri` as registered with Call-ID `c` and CSeq 5, and 100 seconds left.
    fn old<'a>(uri: &'a str, call_id: &'a str) -> Binding<'a> {
        Binding { uri, params: ";x", q: 500, expires: 100, call_id, cseq: 5, path: "" }
    }

    /// What a REGISTER with Call-ID `c`, this CSeq and these lines makes: `uri params q expires
    /// call-id cseq` of each binding; a `=` in front when nothing has changed.
    fn made(existing: &[Binding<'_>], cseq: u32, lines: &str) -> Result<Vec<String>, Refusal> {
        let text = format!(
            "REGISTER sip:h SIP/2.0\r\nCall-ID: c\r\nCSeq: {cseq} REGISTER\r\n{lines}\r\n\r\n"
        );
        let m = MessageRef::lazy(text.as_bytes()).unwrap();
        check(&m)?;
        let mut room = [0; 2_000];
        let mut out = Encoder::new(&mut room, b"sip:a@h").unwrap();
        let changed = apply(&m, b"", existing, &RULES, &mut out)?;
        let shown = out.bindings().map(|b| {
            format!("{} {} {} {} {} {}", b.uri, b.params, b.q, b.expires, b.call_id, b.cseq)
        });
        Ok(if changed {
            shown.collect()
        } else {
            core::iter::once("=".into()).chain(shown).collect()
        })
    }

    #[track_caller]
    fn gives(existing: &[Binding<'_>], cseq: u32, lines: &str, want: &[&str]) {
        assert_eq!(
            made(existing, cseq, lines).as_deref(),
            Ok(&want.iter().map(|s| String::from(*s)).collect::<Vec<_>>()[..]),
            "{lines}"
        );
    }

    #[track_caller]
    fn fails(existing: &[Binding<'_>], cseq: u32, lines: &str, why: Refusal) {
        assert_eq!(made(existing, cseq, lines), Err(why), "{lines}");
    }

    #[test]
    fn contacts_are_added_updated_and_taken_away() {
        let a = "sip:a@1 ;x 500 100 o 5";
        gives(&[], 1, "Contact: <sip:a@1>", &["sip:a@1  1000 3600 c 1"]);
        gives(
            &[old("sip:a@1", "o")],
            1,
            "Contact: <sip:a@2>;q=0.25",
            &[a, "sip:a@2  250 3600 c 1"],
        );
        gives(
            &[old("sip:a@1", "o")],
            1,
            "Contact: sip:A@1;expires=70, <sip:a@1>",
            &["sip:A@1  1000 70 c 1", "sip:a@1  1000 3600 c 1"],
        );
        gives(
            &[old("sip:a@1", "o"), old("sip:a@2", "o")],
            1,
            "m: <sip:a@1>;expires=0",
            &["sip:a@2 ;x 500 100 o 5"],
        );
        gives(&[old("sip:a@1", "o")], 1, "Contact: <sip:a@9>;expires=0", &["=", a]);
        gives(&[old("sip:a@1", "o")], 1, "Expires: 0", &["=", a]);
        // One that has just run out is not there any more.
        gives(&[Binding { expires: 0, ..old("sip:a@1", "c") }], 1, "X: y", &["="]);
        // The last of two that are the same counts.
        gives(&[], 1, "Contact: <sip:a@1>;q=0.1, <sip:a@1>;q=0.2", &["sip:a@1  200 3600 c 1"]);
    }

    // RFC 4475 3.1.1.4, 3.3.12 to 3.3.14
    #[test]
    fn what_a_contact_is_stays_what_it_is() {
        gives(
            &[],
            1,
            "Contact: <sip:%00@h>\r\nContact: <sip:%00%00@h>",
            &["sip:%00@h  1000 3600 c 1", "sip:%00%00@h  1000 3600 c 1"],
        );
        gives(&[], 1, "Contact: sip:a@1;unknown", &["sip:a@1 ;unknown 1000 3600 c 1"]);
        gives(&[], 1, "Contact: <sip:a@1;unknown>", &["sip:a@1;unknown  1000 3600 c 1"]);
        gives(
            &[],
            1,
            "Contact: <sip:a@1?Route=%3Csip:r%3E>",
            &["sip:a@1?Route=%3Csip:r%3E  1000 3600 c 1"],
        );
        gives(
            &[],
            1,
            "Contact: \"A\" <sip:a@1>;+x=\"<a, b>\" ; q=0.7;Expires=90;audio",
            &["sip:a@1 ;+x=\"<a, b>\";audio 700 90 c 1"],
        );
    }

    #[test]
    fn intervals() {
        gives(
            &[],
            1,
            "Expires: 100\r\nContact: <sip:a@1>, <sip:a@2>;expires=200",
            &["sip:a@1  1000 100 c 1", "sip:a@2  1000 200 c 1"],
        );
        gives(&[], 1, "Contact: <sip:a@1>;expires=99999999999", &["sip:a@1  1000 7200 c 1"]);
        // RFC 3261 20.10: a malformed one counts as 3600.
        gives(
            &[],
            1,
            "Expires: 70\r\nContact: <sip:a@1>;expires=soon",
            &["sip:a@1  1000 3600 c 1"],
        );
        fails(&[], 1, "Contact: <sip:a@1>;expires=59", Refusal::TooBrief);
        fails(&[], 1, "Expires: 1\r\nContact: <sip:a@1>", Refusal::TooBrief);
        gives(&[], 1, "Contact: <sip:a@1>;expires=60", &["sip:a@1  1000 60 c 1"]);
    }

    // RFC 3261 10.3 steps 6 and 7
    #[test]
    fn a_request_of_the_same_call_id_must_be_newer() {
        let mine = [old("sip:a@1", "c"), old("sip:a@2", "o")];
        fails(&mine, 5, "Contact: <sip:a@1>", Refusal::OutOfOrder);
        fails(&mine, 4, "Contact: <sip:a@1>;expires=0", Refusal::OutOfOrder);
        // Nothing of a request that fails is done.
        fails(&mine, 5, "Contact: <sip:a@3>, <sip:a@1>", Refusal::OutOfOrder);
        gives(&mine, 6, "Contact: <sip:a@1>;expires=0", &["sip:a@2 ;x 500 100 o 5"]);
        gives(&mine, 1, "Contact: <sip:a@2>;expires=0", &["sip:a@1 ;x 500 100 c 5"]);
        fails(&mine, 5, "Contact: *\r\nExpires: 0", Refusal::OutOfOrder);
        gives(&mine, 6, "Contact: *\r\nExpires: 0", &[]);
        gives(&mine[1..], 1, "Contact: *\r\nExpires: 0", &[]);
        gives(&[], 1, "Contact: *\r\nExpires: 0", &["="]);
    }

    #[test]
    fn a_star_is_alone_and_means_none() {
        for lines in [
            "Contact: *",
            "Contact: *\r\nExpires: 1",
            "Contact: *, <sip:a@1>\r\nExpires: 0",
            "Contact: <sip:a@1>\r\nContact: *\r\nExpires: 0",
            "Contact: *, *\r\nExpires: 0",
            "Contact: sip:a@1?Route=%3Csip:r%3E",
            "Contact: <sip:a@1",
            "Contact: <sip:a@1>;x=\"a\u{1}b\"",
        ] {
            fails(&[], 1, lines, Refusal::BadContact);
        }
    }

    #[test]
    fn an_address_of_record_has_a_bounded_number_of_bindings() {
        let full = [old("sip:a@1", "o"), old("sip:a@2", "o"), old("sip:a@3", "o")];
        fails(&full, 1, "Contact: <sip:a@4>", Refusal::TooMany);
        assert!(made(&full, 1, "Contact: <sip:a@1>").is_ok());
        assert!(made(&full, 1, "Contact: <sip:a@1>;expires=0, <sip:a@4>").is_ok());
    }
}
