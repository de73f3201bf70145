//! Accept-Contact, Reject-Contact (RFC 3841), Feature-Caps (RFC 6809).

use super::parts::{StarHead, parameterised};

parameterised! {
    /// A set of features that contacts have; each is a parameter.
    FeatureSet, "RFC 3841 9.2" {
        /// `*`.
        star: StarHead;
        /// Only contacts that match.
        require: bool = "require";
        /// Only contacts that name every feature.
        explicit: bool = "explicit";
    }
}

/// One value of Accept-Contact.
pub type AcceptContact = FeatureSet;
/// One value of Reject-Contact.
pub type RejectContact = FeatureSet;
/// One value of Feature-Caps (RFC 6809 section 6.3).
pub type FeatureCaps = FeatureSet;
