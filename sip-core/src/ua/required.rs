//! Refusals of a request of ours for its extensions, after which it goes again with others (RFC 3261
//! 8.1.3.5).

use super::extensions::number_text;
use super::outside::supported;
use super::{Low, Ua};
use crate::attempt::AttemptHandle;
use crate::config::Reliable;
use crate::cx::{Cx, write_error};
use crate::error::Error;
use crate::store::pool::BlockId;
use crate::store::queries::Owner;
use crate::tx::TxHandle;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::write::Writer;

/// What may be left out of Require: without it the request asks for the same, only less surely.
/// `replaces`, `join`, `tdialog` and what is not ours say what the request is.
const OPTIONAL: [&[u8]; 7] =
    [b"100rel", b"199", b"answermode", b"from-change", b"histinfo", b"norefersub", b"timer"];

fn lists(m: &MessageRef<'_>, name: Name, tag: &[u8]) -> bool {
    m.values(name).any(|s| m.text(s).trim_ascii().eq_ignore_ascii_case(tag))
}

/// A list of option tags in the making.
struct Tags {
    text: [u8; 256],
    len: usize,
}

impl Tags {
    const fn new() -> Self {
        Self { text: [0; 256], len: 0 }
    }

    fn add(&mut self, tag: &[u8]) -> Option<()> {
        let comma: &[u8] = if self.len == 0 { b"" } else { b", " };
        for part in [comma, tag] {
            let end = self.len.checked_add(part.len())?;
            self.text.get_mut(self.len..end)?.copy_from_slice(part);
            self.len = end;
        }
        Some(())
    }

    fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&[])
    }
}

/// What Require is to be after a 420; `None` where the request cannot do without what the peer lacks,
/// or shall not (`kept`).
fn relaxed(request: &MessageRef<'_>, m: &MessageRef<'_>, kept: &[u8]) -> Option<Tags> {
    let mut left = Tags::new();
    let mut fewer = false;
    for span in request.values(Name::Require) {
        let tag = request.text(span).trim_ascii();
        if lists(m, Name::Unsupported, tag) {
            let optional = OPTIONAL.iter().filter(|o| **o != kept);
            optional.into_iter().find(|o| o.eq_ignore_ascii_case(tag))?;
            fewer = true;
        } else {
            left.add(tag)?;
        }
    }
    fewer.then_some(left)
}

/// Whether all that a 421 requires is supported by us, and the request did not say so.
fn may_say_more(ours: &str, request: &MessageRef<'_>, m: &MessageRef<'_>) -> bool {
    let tags = || m.values(Name::Require).map(|s| m.text(s).trim_ascii());
    let known = |tag: &[u8]| ours.split(", ").any(|t| t.as_bytes().eq_ignore_ascii_case(tag));
    tags().all(known) && tags().any(|tag| !lists(request, Name::Supported, tag))
}

/// The request again, with these fields in place of those that `gone` names; a block held once.
pub(super) fn rewrite<'f>(
    cx: &mut Cx,
    request: BlockId,
    gone: &[Name],
    fields: impl Iterator<Item = (Name, &'f [u8])>,
) -> Result<BlockId, Error> {
    let Cx { pool, scratch, .. } = cx;
    let m = MessageRef::lazy(pool.bytes_of(request)).ok_or(Error::Gone)?;
    let mut w = Writer::new(scratch);
    let stays = |name| name != Name::ContentLength && !gone.contains(&name);
    let write = || {
        w.request_line(m.method_text(), m.request_uri())?;
        m.fields().filter(|f| stays(f.name)).try_for_each(|f| w.copy(&m, &f))?;
        let mut fields = fields;
        fields.try_for_each(|(name, value)| w.header(name, value))?;
        let body = m.body();
        let mut text = [0u8; 10];
        let len = number_text(u32::try_from(body.len()).unwrap_or(u32::MAX), &mut text);
        let length = text.get(..len).unwrap_or(&[]);
        [b"Content-Length: ", length, b"\r\n\r\n", body].iter().try_for_each(|p| w.push(p))
    };
    write().map_err(write_error)?;
    let len = w.written().len();
    pool.copy_in(scratch.get(..len).unwrap_or(&[]))
}

impl Ua {
    /// A 420 or 421 to a request of an attempt: it goes again without the extensions that the peer
    /// lacks, or saying that we have those that it needs. Whether it does. May queue output.
    pub(crate) fn on_extension_refused(
        &mut self,
        low: &mut Low<'_>,
        attempt: AttemptHandle,
        tx: TxHandle,
        m: &MessageRef<'_>,
    ) -> Result<bool, Error> {
        let Some(case) = Self::case(low, attempt) else { return Ok(false) };
        let cx = &*low.down.cx;
        let Some(request) = MessageRef::lazy(cx.pool.bytes_of(case.request)) else {
            return Ok(false);
        };
        let ours = supported(&cx.config);
        let kept: &[u8] = match cx.config.reliable {
            Reliable::Require => b"100rel",
            _ => b"",
        };
        let again = if m.status() == 420 {
            relaxed(&request, m, kept).map(|tags| (Name::Require, tags))
        } else if may_say_more(ours, &request, m) {
            let mut tags = Tags::new();
            tags.add(ours.as_bytes()).map(|()| (Name::Supported, tags))
        } else {
            None
        };
        let Some((name, tags)) = again else { return Ok(false) };
        // Without room for it, it is a refusal like any other.
        let field = Some((name, tags.as_bytes())).filter(|(_, tags)| !tags.is_empty());
        let Ok(block) = rewrite(low.cx(), case.request, &[name], field.into_iter()) else {
            return Ok(false);
        };
        low.down.tx.set_owner(tx, Owner::default());
        low.attempts.replace(low.down.cx, attempt, block);
        let Some(case) = Self::case(low, attempt) else { return Ok(false) };
        self.send_again(low, &case).map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    fn request(fields: &str) -> String {
        format!("INVITE sip:b SIP/2.0\r\n{fields}\r\n")
    }

    fn answer(fields: &str) -> String {
        format!("SIP/2.0 420 X\r\n{fields}\r\n")
    }

    fn after(require: &str, unsupported: &str) -> Option<String> {
        let (request, answer) = (
            request(&format!("Require: {require}\r\n")),
            answer(&format!("Unsupported: {unsupported}\r\n")),
        );
        let request = MessageRef::lazy(request.as_bytes()).unwrap();
        let answer = MessageRef::lazy(answer.as_bytes()).unwrap();
        relaxed(&request, &answer, b"199")
            .map(|t| String::from_utf8(t.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn only_what_makes_no_other_request_is_left_out() {
        assert_eq!(after("100rel", "100rel").as_deref(), Some(""));
        assert_eq!(after("100rel, x, Timer", "timer,100REL").as_deref(), Some("x"));
        assert_eq!(after("replaces", "replaces"), None);
        assert_eq!(after("100rel, replaces", "100rel, replaces"), None);
        assert_eq!(after("199", "199"), None, "what the configuration demands");
        assert_eq!(after("privacy", "privacy"), None);
        assert_eq!(after("x", "y"), None, "nothing would be another");
        assert_eq!(after("100rel", ""), None);
    }

    #[test]
    fn what_was_said_already_is_not_said_again() {
        let more = |supported: &str, require: &str| {
            let request = request(supported);
            let answer = answer(&format!("Require: {require}\r\n"));
            let request = MessageRef::lazy(request.as_bytes()).unwrap();
            let answer = MessageRef::lazy(answer.as_bytes()).unwrap();
            may_say_more("100rel, timer", &request, &answer)
        };
        assert!(more("", "timer"));
        assert!(more("Supported: 100rel\r\n", "timer"));
        assert!(!more("Supported: 100rel, timer\r\n", "timer"));
        assert!(!more("", "timer, outbound"), "not ours");
        assert!(!more("", ""));
    }
}
