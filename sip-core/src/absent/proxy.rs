//! The proxy, left out when the library was built.

use crate::attempt::{Attempts, Down};
use crate::error::{Error, Misuse};
use crate::header::essentials::Essentials;
use crate::limits::Limits;
use crate::path::Path;
use crate::store::queries::{Answer, Owner, Query, Target};
use crate::store::timers::TimerKey;
use crate::tx::{Failure, TxHandle};
use crate::wire::message::MessageRef;

/// The layers below, in vain.
pub(crate) struct ForkLow<'a>(core::marker::PhantomData<&'a ()>);

impl ForkLow<'_> {
    pub(crate) const fn new(_: &mut Attempts, _: Down<'_>) -> Self {
        Self(core::marker::PhantomData)
    }
}

/// No connection is named by a token.
pub(crate) const fn is_flow_token(_: &[u8]) -> bool {
    false
}

/// Takes no room and does nothing.
#[derive(Debug)]
pub(crate) struct Forks;

/// No event is of this kind.
pub(crate) const EVENT_EXHAUSTED: u16 = 0;

const NOT_BUILT: Result<(), Error> = Err(Error::Misuse(Misuse::NotBuilt));

impl Forks {
    pub(crate) const fn new(_: &Limits, _: u8) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(crate) const fn bytes(_: &Limits) -> usize {
        0
    }

    pub(crate) const fn len(&self) -> usize {
        0
    }

    pub(crate) fn on_request(
        &mut self,
        _: &mut ForkLow<'_>,
        _: &MessageRef<'_>,
        _: &Essentials,
        _: &Path,
    ) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_ack(
        &mut self,
        _: &mut ForkLow<'_>,
        _: &MessageRef<'_>,
        _: &Essentials,
        _: &Path,
    ) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_stray_cancel(
        &mut self,
        _: &mut ForkLow<'_>,
        _: (&MessageRef<'_>, &Essentials),
        _: &Path,
    ) -> Result<bool, Error> {
        Ok(false)
    }

    pub(crate) fn on_stray_response(
        &mut self,
        _: &mut ForkLow<'_>,
        _: &MessageRef<'_>,
        _: &Essentials,
    ) -> Result<bool, Error> {
        Ok(false)
    }

    pub(crate) fn on_cancel(&mut self, _: &mut ForkLow<'_>, _: Owner) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_response(
        &mut self,
        _: &mut ForkLow<'_>,
        _: Owner,
        _: &MessageRef<'_>,
        _: &Essentials,
        _: &Path,
    ) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_late_success(
        &mut self,
        _: &mut ForkLow<'_>,
        _: Owner,
        _: &MessageRef<'_>,
        _: &Essentials,
    ) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_failure(
        &mut self,
        _: &mut ForkLow<'_>,
        _: Owner,
        _: Failure,
    ) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_server_failure(
        &mut self,
        _: &mut ForkLow<'_>,
        _: Owner,
        _: Failure,
    ) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn add_targets(
        &mut self,
        _: &mut ForkLow<'_>,
        _: TxHandle,
        _: &[Target<'_>],
        _: bool,
    ) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_timer(&mut self, _: &mut ForkLow<'_>, _: TimerKey) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_answer(
        &mut self,
        _: &mut ForkLow<'_>,
        _: &Query,
        _: &Answer<'_>,
    ) -> Result<(), Error> {
        NOT_BUILT
    }
}
