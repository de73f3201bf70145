//! Security-Client, Security-Server, Security-Verify (RFC 3329).

use super::parts::{Quality, TokenHead, parameterised};
use crate::wire::scan::Span;

parameterised! {
    /// One security mechanism.
    SecurityMechanism, "RFC 3329 2.2" {
        /// `digest`, `tls`, `ipsec-3gpp` and so on.
        mechanism: TokenHead;
        /// Preference.
        q: Option<Quality> = "q";
        /// Digest algorithm.
        d_alg: Option<Span> = "d-alg";
        /// Digest quality of protection.
        d_qop: Option<Span> = "d-qop";
        /// Digest of the server's offer.
        d_ver: Option<Span> = "d-ver";
    }
}
