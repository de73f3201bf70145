//! Calls without the caller's identity: made (RFC 3323, RFC 3325 9.2) and recognised (RFC 5079).

use super::line::Line;
use super::{CallHandle, Extras, Ua};
use crate::cx::{Cx, joined};
use crate::header::essentials::Essentials;
use crate::store::pool::Pool;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::write::{WriteError, Writer};

/// RFC 3323 4.1.1.3
const NOBODY: &[u8] = b"\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=";

/// The tokens of a Privacy value.
fn privacy(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|c| *c == b';' || *c == b',').map(<[u8]>::trim_ascii)
}

/// Whether the application's own Privacy asks to keep the caller's identity back; nothing if it has
/// none.
fn asked(extras: &Extras<'_>) -> Option<bool> {
    let value = extras.headers.iter().find(|(n, _)| Name::of(n.as_bytes()) == Name::Privacy)?.1;
    let withholds = |t: &[u8]| [&b"id"[..], b"user"].iter().any(|w| w.eq_ignore_ascii_case(t));
    Some(privacy(value.as_bytes()).any(withholds))
}

fn has(extras: &Extras<'_>, name: Name) -> bool {
    extras.headers.iter().any(|(n, _)| Name::of(n.as_bytes()) == name)
}

/// Who a request says that it is from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    withheld: bool,
    privacy: bool,
    preferred: bool,
}

impl Caller {
    /// As the application's own Privacy says, else the line's policy.
    pub(super) fn of(line: Option<&Line>, extras: &Extras<'_>) -> Self {
        let own = asked(extras);
        let withheld = own.unwrap_or_else(|| line.is_some_and(Line::is_anonymous));
        Self {
            withheld,
            privacy: withheld && own.is_none(),
            preferred: withheld && !has(extras, Name::PPreferredIdentity),
        }
    }

    pub(super) const fn is_withheld(self) -> bool {
        self.withheld
    }

    /// The From of its request.
    pub(super) fn write_from(
        self,
        w: &mut Writer<'_>,
        (line, pool): (&Line, &Pool),
        tag: &[u8],
    ) -> Result<(), WriteError> {
        if self.withheld {
            return joined(w, Name::From, &[NOBODY, tag]);
        }
        line.write_from(w, pool, tag)
    }

    /// What goes along with that.
    pub(super) fn write_fields(
        self,
        w: &mut Writer<'_>,
        (line, pool): (&Line, &Pool),
    ) -> Result<(), WriteError> {
        if self.privacy {
            w.header(Name::Privacy, b"id")?;
        }
        if self.preferred {
            line.write_identity(w, pool)?;
        }
        Ok(())
    }
}

impl Ua {
    /// Who a new call of ours is from: as the application's own Privacy says, else the line's
    /// policy.
    pub(super) fn caller(&mut self, h: CallHandle, extras: &Extras<'_>) -> Caller {
        let line = self.calls.get(h).and_then(|c| c.line).and_then(|l| self.lines.get(l));
        let caller = Caller::of(line, extras);
        if let Some(call) = self.calls.get_mut(h) {
            call.policy.withheld = caller.withheld;
        }
        caller
    }

    /// The user part of our Contact in a call: none where it would tell who we are.
    pub(super) fn contact_user_of(&self, cx: &Cx, h: CallHandle, out: &mut [u8]) -> usize {
        match self.calls.get(h) {
            Some(call) if !call.policy.withheld => self.contact_user(cx, call.line, out),
            _ => 0,
        }
    }
}

/// Whether a call came without its caller's identity (RFC 5079 1): From names nobody, and no
/// asserted identity that may be shown stands in for it.
pub(super) fn is_anonymous(m: &MessageRef<'_>, e: &Essentials) -> bool {
    let Some(from) = e.from else { return false };
    let nobody = m.text(from.uri.host).eq_ignore_ascii_case(b"anonymous.invalid")
        || m.text(from.uri.user).eq_ignore_ascii_case(b"anonymous");
    let kept_back =
        m.headers(Name::Privacy).flat_map(privacy).any(|t| t.eq_ignore_ascii_case(b"id"));
    let asserted = m.header(Name::PAssertedIdentity).is_some();
    nobody && (kept_back || !asserted)
}
