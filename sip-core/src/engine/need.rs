//! What each kind of input may need, checked before anything is touched.

use crate::cx::Cx;
use crate::error::{Error, Limit};

/// Outputs that one message can cause: a response, a forwarded copy, two events, a question.
pub(super) const MESSAGE: usize = 5;

/// Outputs that one step through a stream needs.
pub(super) const STREAM: usize = MESSAGE + 1;

/// Outputs that a timer can cause.
pub(super) const TIMER: usize = 4;

/// Outputs that a verb can cause.
pub(super) const VERB: usize = 4;

/// Bytes that a message grows by when it is answered or forwarded: Via, Record-Route, Contact, tag.
const GROWTH: usize = 300;

/// Bytes of a message without a body, at the most that is usual.
const PLAIN: usize = 1_000;

/// The row of a received message: a user agent stores it, makes a dialog of it and answers; a proxy
/// stores it, forwards it (once without and once with its Via) and answers. A user agent keeps what
/// is said about the session in smaller blocks. A response to a user agent is told of, and its ACK
/// is no longer than it.
pub(super) fn message(cx: &mut Cx, message: &[u8]) -> Result<(), Error> {
    if cx.config.roles.proxy || !message.starts_with(b"SIP/2.0 ") {
        return to_send(cx, message.len());
    }
    row(cx, MESSAGE, 2, message.len())
}

/// The row of a request of so many bytes that is kept, and of what it becomes.
pub(super) fn to_send(cx: &mut Cx, len: usize) -> Result<(), Error> {
    let blocks = if cx.config.roles.proxy { 4 } else { 2 };
    row(cx, MESSAGE, blocks, len.saturating_add(GROWTH).max(PLAIN))
}

/// The row of a verb that sends a message with so much added to it.
pub(super) fn verb(cx: &mut Cx, added: usize) -> Result<(), Error> {
    row(cx, VERB, 2, added.saturating_add(2 * GROWTH).max(PLAIN))
}

fn row(cx: &mut Cx, outputs: usize, blocks: usize, len: usize) -> Result<(), Error> {
    if cx.out.room() < outputs {
        return Err(Error::Full(Limit::Outputs));
    }
    let len = len.min(cx.scratch.len());
    if cx.has_room(outputs, blocks, len) { Ok(()) } else { Err(Error::Full(Limit::Blocks)) }
}
