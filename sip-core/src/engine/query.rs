//! Answers find their askers.

use super::Core;
use super::output::Answer;
use crate::attempt::{AttemptHandle, Down};
use crate::error::{Error, Misuse};
use crate::store::queries::{Ask, OwnerKind, Query, QueryId};

impl Core {
    pub(super) fn take_answer(&mut self, id: QueryId, answer: &Answer<'_>) -> Result<(), Error> {
        // A question that was answered, or whose asker has ended: harmless.
        let Some(query) = self.cx.queries.get(id) else { return Ok(()) };
        let (ask, asker) = (query.ask, query.asker);
        let to_send = match asker.kind {
            OwnerKind::Attempt => {
                self.attempts.request_len(&self.cx, AttemptHandle::from_raw(asker.object))
            }
            _ => 0,
        };
        super::need::to_send(&mut self.cx, to_send)?;
        if !fits(ask, answer) {
            return Err(Error::Misuse(Misuse::Answer));
        }
        if let Answer::Connected(flow) = answer
            && self.flows.get(&self.cx, *flow).is_none()
        {
            return Err(Error::Misuse(Misuse::Flow));
        }
        if let Answer::Media(media) = answer {
            crate::sdp::profile(media, &mut self.cx.scratch).map_err(crate::ua::media_error)?;
        }
        let Some(query) = self.cx.take_query(id, false) else { return Ok(()) };
        self.pass_answer(&query, answer)
    }

    /// A question's deadline: it counts as failed, and the caller may forget it.
    pub(super) fn query_over(&mut self, id: QueryId) -> Result<(), Error> {
        let Some(query) = self.cx.take_query(id, true) else { return Ok(()) };
        // A full ring drops the hint: a late answer is harmless.
        let _ = self.cx.out.push(crate::store::ring::Record::Forget(id.raw()));
        self.pass_answer(&query, &Answer::Failed)
    }

    fn pass_answer(&mut self, query: &Query, answer: &Answer<'_>) -> Result<(), Error> {
        match query.asker.kind {
            OwnerKind::Attempt if query.ask == Ask::Credentials => {
                let (ua, mut low) = self.low();
                ua.on_secret(&mut low, query, answer)
            }
            OwnerKind::Attempt => {
                let h = AttemptHandle::from_raw(query.asker.object);
                let mut down = Down { tx: &mut self.tx, flows: &mut self.flows, cx: &mut self.cx };
                let from = self.attempts.on_answer(&mut down, h, answer)?;
                self.pass_attempt(from)
            }
            OwnerKind::Fork => {
                let (forks, mut low) = self.fork_low();
                forks.on_answer(&mut low, query, answer)
            }
            OwnerKind::Registrar => {
                let mut down = Down { tx: &mut self.tx, flows: &mut self.flows, cx: &mut self.cx };
                self.registrar.on_answer(&mut down, query, answer)
            }
            OwnerKind::Call => {
                let (ua, mut low) = self.low();
                ua.on_media(&mut low, query, answer)
            }
            _ => Ok(()),
        }
    }
}

const fn fits(ask: Ask, answer: &Answer<'_>) -> bool {
    matches!(
        (ask, answer),
        (_, Answer::Failed)
            | (Ask::Dns, Answer::Addresses(..) | Answer::Hops(..) | Answer::NotFound)
            | (Ask::Connect, Answer::Connected(_))
            | (Ask::Route, Answer::Route(_) | Answer::Reject(_) | Answer::NotFound)
            | (Ask::Locate, Answer::Located { .. } | Answer::NotFound | Answer::Reject(_))
            | (Ask::Store, Answer::Stored | Answer::Conflict | Answer::Reject(_))
            | (Ask::Credentials, Answer::Password(_) | Answer::Ha1(_) | Answer::NotFound)
            | (Ask::Media, Answer::Media(_) | Answer::Description(_) | Answer::NotFound)
    )
}
