//! Route, Record-Route (RFC 3261 20.34, 20.30), Path (RFC 3327), Service-Route (RFC 3608).

use super::parts::{BracketHead, parameterised};

parameterised! {
    /// One hop: a URI in angle brackets.
    Route, "RFC 3261 20.34" {
        /// The hop.
        addr: BracketHead;
    }
}

/// One value of Record-Route (RFC 3261 20.30).
pub type RecordRoute = Route;
/// One value of Path (RFC 3327 section 4).
pub type Path = Route;
/// One value of Service-Route (RFC 3608 section 5).
pub type ServiceRoute = Route;
