//! The registrar, left out when the library was built.

use crate::attempt::Down;
use crate::error::{Error, Misuse};
use crate::header::essentials::Essentials;
use crate::limits::Limits;
use crate::path::Path;
use crate::store::queries::{Answer, Binding, Query};
use crate::wire::message::MessageRef;

/// No bindings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bindings<'e>(core::marker::PhantomData<&'e [u8]>);

impl<'e> Bindings<'e> {
    pub(crate) fn open(_: &'e [u8]) -> (&'e str, Self) {
        ("", Self::default())
    }
}

impl<'e> Iterator for Bindings<'e> {
    type Item = Binding<'e>;

    fn next(&mut self) -> Option<Binding<'e>> {
        None
    }
}

/// Takes no room and does nothing.
#[derive(Debug)]
pub(crate) struct Registrar;

const NOT_BUILT: Result<(), Error> = Err(Error::Misuse(Misuse::NotBuilt));

impl Registrar {
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
        _: &mut Down<'_>,
        _: &MessageRef<'_>,
        _: &Essentials,
        _: &Path,
    ) -> Result<(), Error> {
        NOT_BUILT
    }

    pub(crate) fn on_answer(
        &mut self,
        _: &mut Down<'_>,
        _: &Query,
        _: &Answer<'_>,
    ) -> Result<(), Error> {
        NOT_BUILT
    }
}
