//! Diversion (RFC 5806).

use super::parts::{BracketHead, parameterised};
use crate::wire::scan::Span;

parameterised! {
    /// One diversion, the last one first in a message.
    Diversion, "RFC 5806 4" {
        /// Who diverted.
        addr: BracketHead;
        /// Why: `user-busy`, `no-answer`, `unconditional` and so on.
        reason: Option<Span> = "reason";
        /// How many diversions this entry stands for.
        counter: Option<u32> = "counter";
        /// How many may follow.
        limit: Option<u32> = "limit";
        /// `full`, `name`, `uri` or `off`.
        privacy: Option<Span> = "privacy";
        /// `yes` or `no`.
        screen: Option<Span> = "screen";
        /// An extension.
        extension: Option<Span> = "extension";
    }
}
