//! Alert-Info, Call-Info, Error-Info (RFC 3261 20.4, 20.9, 20.18), Answer-Mode (RFC 5373).

use super::parts::{AngleHead, TokenHead, parameterised};
use crate::wire::scan::Span;

parameterised! {
    /// A URI in angle brackets with generic parameters: Error-Info and all fields like it.
    UriValue, "RFC 3261 20.18" {
        /// The URI.
        uri: AngleHead;
    }

    /// A ring tone, or by which way to ring.
    AlertInfo, "RFC 3261 20.4" {
        /// Where the tone is.
        uri: AngleHead;
        /// Name of a ring: `alert-autoanswer`, `alert-external`.
        info: Option<Span> = "info";
        /// Seconds to wait before answering by itself.
        delay: Option<u32> = "delay";
    }

    /// More about caller or callee.
    CallInfo, "RFC 3261 20.9" {
        /// Where it is.
        uri: AngleHead;
        /// `icon`, `info`, `card` or another.
        purpose: Option<Span> = "purpose";
        /// Seconds after which a phone answers by itself, as many phones understand it.
        answer_after: Option<u32> = "answer-after";
    }

    /// Whether the callee answers by itself.
    AnswerMode, "RFC 5373 4" {
        /// `Manual` or `Auto`.
        mode: TokenHead;
        /// Refuse the call rather than answer it the other way.
        require: bool = "require";
    }
}
