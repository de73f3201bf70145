//! Digest authentication (RFC 7616, RFC 8760, RFC 3261 22): computing and checking responses, and
//! the nonces of a server.
//!
//! | file | what it does |
//! |---|---|
//! | `digest` | a response from a secret, credentials written and checked |
//! | `nonce` | a server's nonces: no state until one has verified |

pub mod digest;
pub mod nonce;

pub use digest::{Hex, Proof, Protection, Qop, Secret, check, ha1, response};
pub use nonce::{Bound, Nonce, Nonces, Standing};
