//! Digest authentication (RFC 7616, RFC 8760, RFC 3261 22): computing and checking responses, and
//! the nonces of a server.
//!
//! | file | what it does |
//! |---|---|
//! | `digest` | a response from a secret, credentials written and checked |
//! | `nonce` | a server's nonces: no state until one has verified |
//! | `keyring` | what a client remembers of challenges that it has answered |
//! | `question` | the text of a question for a user's secret |

pub mod digest;
pub mod keyring;
pub mod nonce;
pub mod question;

pub use digest::{Hex, Proof, Protection, Qop, Secret, check, ha1, response};
pub use keyring::{Asked, Between, Keyring, Known};
pub use nonce::{Bound, Nonce, Nonces, Standing};
