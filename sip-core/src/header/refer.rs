//! Refer-To (RFC 3515), Referred-By (RFC 3892), Refer-Sub (RFC 4488), Refer-Events-At (RFC 7614).

use super::parts::{AddrHead, BoolHead, BracketHead, parameterised};
use crate::wire::scan::Span;

parameterised! {
    /// Whom to call, and in the URI how: method and header fields.
    ReferTo, "RFC 3515 2.1" {
        /// The target.
        addr: AddrHead;
    }

    /// Who asked for the call.
    ReferredBy, "RFC 3892 3" {
        /// The referrer.
        addr: AddrHead;
        /// Content-ID of the body that proves it.
        cid: Option<Span> = "cid";
    }

    /// Whether the REFER makes a subscription.
    ReferSub, "RFC 4488 4" {
        /// It does.
        subscribes: BoolHead;
    }

    /// Where the progress of an explicit subscription is told.
    ReferEventsAt, "RFC 7614 3" {
        /// The URI to subscribe to.
        addr: BracketHead;
    }
}
