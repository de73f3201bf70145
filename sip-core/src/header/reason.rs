//! Reason (RFC 3326).

use super::parts::{TokenHead, parameterised};
use crate::wire::scan::Span;

parameterised! {
    /// Why a request was sent.
    Reason, "RFC 3326 2" {
        /// `SIP`, `Q.850` or another.
        protocol: TokenHead;
        /// A status or cause of that protocol.
        cause: Option<u32> = "cause";
        /// In words, without the quotes.
        text: Option<Span> = "text";
    }
}
