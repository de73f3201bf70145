//! stub
use crate::attempt::{Attempts, Down};
use crate::error::{Error, Limit};
use crate::header::essentials::Essentials;
use crate::limits::Limits;
use crate::path::Path;
use crate::store::queries::Answer;
use crate::store::queries::{Owner, Query};
use crate::store::timers::TimerKey;
use crate::tx::Failure;
use crate::wire::message::MessageRef;
pub struct ForkLow<'a> {
    pub attempts: &'a mut Attempts,
    pub down: Down<'a>,
}
pub struct Forks;
impl Forks {
    pub fn new(_: &Limits, _: u8) -> Result<Self, Error> {
        Ok(Forks)
    }
    pub const fn bytes(_: &Limits) -> usize {
        0
    }
    pub fn len(&self) -> usize {
        0
    }
    pub fn on_request(
        &mut self,
        _: &mut ForkLow<'_>,
        _: &MessageRef<'_>,
        _: &Essentials,
        _: &Path,
    ) -> Result<(), Error> {
        Err(Error::Full(Limit::Forks))
    }
    pub fn on_ack(
        &mut self,
        _: &mut ForkLow<'_>,
        _: &MessageRef<'_>,
        _: &Essentials,
        _: &Path,
    ) -> Result<(), Error> {
        Ok(())
    }
    pub fn on_cancel(&mut self, _: &mut ForkLow<'_>, _: Owner) -> Result<(), Error> {
        Ok(())
    }
    pub fn on_response(
        &mut self,
        _: &mut ForkLow<'_>,
        _: Owner,
        _: &MessageRef<'_>,
        _: &Essentials,
        _: &Path,
    ) -> Result<(), Error> {
        Ok(())
    }
    pub fn on_failure(&mut self, _: &mut ForkLow<'_>, _: Owner, _: Failure) -> Result<(), Error> {
        Ok(())
    }
    pub fn on_server_failure(
        &mut self,
        _: &mut ForkLow<'_>,
        _: Owner,
        _: Failure,
    ) -> Result<(), Error> {
        Ok(())
    }
    pub fn on_timer(&mut self, _: &mut ForkLow<'_>, _: TimerKey) -> Result<(), Error> {
        Ok(())
    }
    pub fn on_answer(
        &mut self,
        _: &mut ForkLow<'_>,
        _: &Query,
        _: &Answer<'_>,
    ) -> Result<(), Error> {
        Ok(())
    }
}
