//! Accept, Accept-Encoding, Accept-Language (RFC 3261 20.1 to 20.3).

use super::parts::{MediaHead, Quality, TokenHead, parameterised};

parameterised! {
    /// One range of body types.
    MediaRange, "RFC 3261 20.1" {
        /// Type and subtype, each maybe `*`.
        media: MediaHead;
        /// Preference.
        q: Option<Quality> = "q";
    }

    /// One coding of Accept-Encoding or one range of Accept-Language.
    Weighted, "RFC 3261 20.2" {
        /// Coding or language; `*` for all others.
        choice: TokenHead;
        /// Preference.
        q: Option<Quality> = "q";
    }
}

/// One value of Accept-Encoding.
pub type Encoding = Weighted;
/// One value of Accept-Language (RFC 3261 20.3).
pub type Language = Weighted;
