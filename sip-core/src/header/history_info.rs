//! History-Info (RFC 7044, before it RFC 4244).

use super::parts::{BracketHead, parameterised, required};
use crate::wire::scan::Span;

parameterised! {
    /// One target that the request was sent to. Why it went on stands in the URI's header part.
    HistoryInfo, "RFC 7044 5" {
        /// The target.
        addr: BracketHead;
        /// Place in the tree of targets: `1.2.1`.
        index: Option<Span> = "index" (required);
        /// Index of the entry whose user this one is a contact of.
        rc: Option<Span> = "rc";
        /// Index of the entry that was mapped to this other user.
        mp: Option<Span> = "mp";
        /// Index of the entry that was sent on without change of user.
        np: Option<Span> = "np";
    }
}
