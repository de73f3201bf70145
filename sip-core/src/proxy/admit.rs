//! Whether there is room for a request.

use super::{ForkLow, Forks};
use crate::error::{Error, Limit};
use crate::header::Essentials;

impl Forks {
    /// Whether there is room for a request. One that is in no dialog leaves an eighth of it to those
    /// that are: a flood of calls does not keep others from ending.
    pub(super) fn admit(&self, low: &ForkLow<'_>, e: &Essentials) -> Result<(), Error> {
        let begins = !e.has_to_tag();
        let kept =
            |used: usize, room: usize| if begins { used.saturating_add(room) / 8 } else { 0 };
        let (forks, attempts, tx) = (&self.forks, &*low.attempts, &*low.down.tx);
        if forks.room() <= kept(forks.len(), forks.room()) {
            return Err(Error::Full(Limit::Forks));
        }
        if attempts.room() <= kept(attempts.len(), attempts.room()) {
            return Err(Error::Full(Limit::Attempts));
        }
        if !tx.room_for(kept(tx.len(), tx.room()).saturating_add(1)) {
            return Err(Error::Full(Limit::Transactions));
        }
        Ok(())
    }
}
