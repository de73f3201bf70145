//! The C API of sansip. Its documentation is `include/sansip.h`, made from this crate.
//!
//! All `unsafe` of the project is here. Every function checks what it is given, catches panics,
//! and reaches the engine through [`guard`].

mod abi;
mod answer;
mod arena;
mod code;
mod config;
mod engine;
mod guard;
mod media;
mod output;
mod parse;
mod policy;
mod verb;

#[cfg(test)]
mod tests;
