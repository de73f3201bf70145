//! Session-Expires and Min-SE (RFC 4028).

use super::param::Param;
use super::parts::{NumberHead, Slot, parameterised};
use super::value::{Part, See, ValueErrorKind};
use crate::wire::scan::Cursor;

/// Who refreshes the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answers it.
    Uas,
}

impl Refresher {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

impl Slot for Option<Refresher> {
    fn fill(&mut self, c: &Cursor<'_>, p: Param) -> Result<(), ValueErrorKind> {
        let value = c.text(p.value.unwrap_or_default());
        let known = [Refresher::Uac, Refresher::Uas];
        let named = known.into_iter().find(|r| value.eq_ignore_ascii_case(r.name().as_bytes()));
        match self.replace(named.ok_or(ValueErrorKind::Param)?) {
            None => Ok(()),
            Some(_) => Err(ValueErrorKind::Repeated),
        }
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn see(&self, name: &'static str, see: &mut See<'_>) {
        if let Some(refresher) = self {
            see(name, Part::Word(refresher.name()));
        }
    }
}

parameterised! {
    /// How long the session lasts without a refresh.
    SessionExpires, "RFC 4028 4" {
        /// Seconds.
        seconds: NumberHead;
        /// Who refreshes.
        refresher: Option<Refresher> = "refresher";
    }

    /// The shortest interval that is allowed.
    MinSe, "RFC 4028 5" {
        /// Seconds.
        seconds: NumberHead;
    }
}
