//! stub
use crate::attempt::Down;
use crate::error::{Error, Limit};
use crate::header::essentials::Essentials;
use crate::limits::Limits;
use crate::path::Path;
use crate::store::queries::Answer;
use crate::store::queries::Query;
use crate::wire::message::MessageRef;
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a>(&'a [u8]);
impl<'a> Bindings<'a> {
    pub fn open(b: &'a [u8]) -> (&'a str, Self) {
        ("", Self(b))
    }
}
pub struct Registrar;
impl Registrar {
    pub fn new(_: &Limits, _: u8) -> Result<Self, Error> {
        Ok(Self)
    }
    pub const fn bytes(_: &Limits) -> usize {
        0
    }
    pub fn len(&self) -> usize {
        0
    }
    pub fn on_request(
        &mut self,
        _: &mut Down<'_>,
        _: &MessageRef<'_>,
        _: &Essentials,
        _: &Path,
    ) -> Result<(), Error> {
        Err(Error::Full(Limit::Forks))
    }
    pub fn on_answer(&mut self, _: &mut Down<'_>, _: &Query, _: &Answer<'_>) -> Result<(), Error> {
        Ok(())
    }
}
