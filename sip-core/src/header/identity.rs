//! Who calls: P-Asserted-Identity, P-Preferred-Identity (RFC 3325), Remote-Party-ID, Identity
//! (RFC 8224) and Identity-Info (RFC 4474).

use super::parts::{AddrHead, AngleHead, LooseHead, parameterised};
use crate::wire::scan::Span;

parameterised! {
    /// An address and generic parameters: P-Asserted-Identity and all fields that are only this.
    Address, "RFC 3261 25.1" {
        /// Display name and URI.
        addr: AddrHead;
    }

    /// From and To: an address and the tag of a dialog.
    Tagged, "RFC 3261 20.20" {
        /// Display name and URI.
        addr: AddrHead;
        /// The sender's or callee's part of the dialog's name.
        tag: Option<Span> = "tag";
    }

    /// Who calls and how the network came to know (draft-ietf-sip-privacy-04).
    RemotePartyId, "draft-ietf-sip-privacy-04 5" {
        /// The party.
        addr: AddrHead;
        /// `calling` or `called`.
        party: Option<Span> = "party";
        /// `subscriber`, `user` or `term`.
        id_type: Option<Span> = "id-type";
        /// `yes` or `no`.
        screen: Option<Span> = "screen";
        /// `full`, `name`, `uri`, `off`.
        privacy: Option<Span> = "privacy";
    }

    /// A signed statement of who calls. It is carried, not looked into.
    Identity, "RFC 8224 4" {
        /// The signature, with its quotes in RFC 4474's form.
        digest: LooseHead;
        /// Where the certificate is, with its angle brackets.
        info: Option<Span> = "info";
        /// Algorithm.
        alg: Option<Span> = "alg";
        /// Kind of passport.
        ppt: Option<Span> = "ppt";
    }

    /// Where the certificate of an RFC 4474 Identity is.
    IdentityInfo, "RFC 4474 9" {
        /// Its URI.
        uri: AngleHead;
        /// Algorithm.
        alg: Option<Span> = "alg";
    }
}

/// One value of P-Asserted-Identity (RFC 3325 section 9.1).
pub type PAssertedIdentity = Address;
/// One value of P-Preferred-Identity (RFC 3325 section 9.2).
pub type PPreferredIdentity = Address;
