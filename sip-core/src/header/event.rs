//! Event, Subscription-State (RFC 6665 8.2).

use super::parts::{TokenHead, parameterised};
use crate::wire::scan::Span;

parameterised! {
    /// The event package that a subscription or notification is about.
    Event, "RFC 6665 8.2.1" {
        /// Package with its templates: `presence.winfo`.
        package: TokenHead;
        /// Tells apart subscriptions of one dialog (RFC 6665 section 4.5.2).
        id: Option<Span> = "id";
    }

    /// The state of a subscription.
    SubscriptionState, "RFC 6665 8.2.3" {
        /// `active`, `pending`, `terminated` or an extension.
        state: TokenHead;
        /// Why it ended.
        reason: Option<Span> = "reason";
        /// Seconds that are left.
        expires: Option<u32> = "expires";
        /// Seconds to wait before the next try.
        retry_after: Option<u32> = "retry-after";
    }
}

/// What a subscription's state says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Substate {
    /// Accepted.
    Active,
    /// Waits for permission.
    Pending,
    /// Over.
    Terminated,
    /// An extension; to be taken as active (RFC 6665 section 4.1.3).
    Other,
}

impl SubscriptionState {
    /// The state that is named.
    #[must_use]
    pub fn substate(&self, bytes: &[u8]) -> Substate {
        let state = self.state.of(bytes);
        let named = |name: &[u8]| state.eq_ignore_ascii_case(name);
        match () {
            () if named(b"active") => Substate::Active,
            () if named(b"pending") => Substate::Pending,
            () if named(b"terminated") => Substate::Terminated,
            () => Substate::Other,
        }
    }
}
