//! Answering with the targets in place of trying them (RFC 3261 8.3, RFC 3841 9.1).

use super::targets::entries;
use super::{Fork, ForkHandle, ForkLow, Forks};
use crate::cx::{Cx, write_error};
use crate::error::{Error, Limit};
use crate::store::pool::BlockId;
use crate::tx::Reply;
use crate::wire::raw::RawWriter;
use crate::wire::write::WriteError;

impl Forks {
    /// Answers a request with a 302 that names its targets.
    pub(super) fn redirect(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) -> Result<(), Error> {
        let fork = self.forks.live(h)?;
        let Ok(rest) = contacts(low.down.cx, fork) else { return self.refuse(low, h, 500) };
        let reply = Reply { rest: Some(rest), ..Reply::default() };
        let done = self.refuse_by(low, h, |down, tx| down.tx.reply(down.cx, tx, 302, &reply));
        low.down.cx.pool.release(rest);
        done
    }
}

/// The Contact fields of the targets and the end of the header section, in a block held once.
fn contacts(cx: &mut Cx, fork: &Fork) -> Result<BlockId, Error> {
    let Cx { pool, scratch, .. } = cx;
    let set = fork.targets.map_or(&[][..], |b| pool.bytes_of(b));
    let mut w = RawWriter::new(scratch);
    let mut named = false;
    for entry in entries(set, 0).filter(|e| !e.uri.is_empty()) {
        write_contact(&mut w, entry.uri.of(set), entry.rank >> 16).map_err(write_error)?;
        named = true;
    }
    w.bytes(b"Content-Length: 0\r\n\r\n").map_err(write_error)?;
    let len = w.len();
    if !named {
        return Err(Error::Full(Limit::MessageBytes));
    }
    pool.copy_in(scratch.get(..len).unwrap_or(&[]))
}

fn write_contact(w: &mut RawWriter<'_>, uri: &[u8], q: u32) -> Result<(), WriteError> {
    w.bytes(b"Contact: <")?.bytes(uri)?.bytes(b">")?;
    if q < 1_000 {
        let digit = |n: u32| b'0'.saturating_add(u8::try_from(n % 10).unwrap_or(0));
        let q = [b';', b'q', b'=', b'0', b'.', digit(q / 100), digit(q / 10), digit(q)];
        w.bytes(&q)?;
    }
    w.bytes(b"\r\n").map(|_| ())
}
