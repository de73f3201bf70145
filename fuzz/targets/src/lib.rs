//! What the fuzzers run. Each target is a function over bytes that panics when a rule is broken; the
//! libFuzzer wrappers (`fuzz_targets/`) and the runner for stable compilers (`fuzz-runner`) call the
//! same functions.

pub mod mutate;

/// A target's name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[];
