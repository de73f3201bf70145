//! Replaces (RFC 3891), Join (RFC 3911), Target-Dialog (RFC 4538): other dialogs by name.

use super::parts::{CallIdHead, parameterised, required};
use crate::wire::scan::Span;

parameterised! {
    /// The dialog that this call is to take the place of.
    Replaces, "RFC 3891 6.1" {
        /// Call-ID of that dialog.
        call_id: CallIdHead;
        /// Its tag at the side that gets the request.
        to_tag: Option<Span> = "to-tag" (required);
        /// Its tag at the other side.
        from_tag: Option<Span> = "from-tag" (required);
        /// Only if that dialog is early.
        early_only: bool = "early-only";
    }

    /// The dialog that this call is to be mixed with.
    Join, "RFC 3911 7.1" {
        /// Call-ID of that dialog.
        call_id: CallIdHead;
        /// Its tag at the side that gets the request.
        to_tag: Option<Span> = "to-tag" (required);
        /// Its tag at the other side.
        from_tag: Option<Span> = "from-tag" (required);
    }

    /// The dialog that shows the sender's right to ask.
    TargetDialog, "RFC 4538 7" {
        /// Call-ID of that dialog.
        call_id: CallIdHead;
        /// Its tag at the side that sends the request.
        local_tag: Option<Span> = "local-tag" (required);
        /// Its tag at the side that gets the request.
        remote_tag: Option<Span> = "remote-tag" (required);
    }
}
