//! What the fuzzers run. Each target is a function over bytes that panics when a rule is broken; the
//! libFuzzer wrappers (`fuzz_targets/`) and the runner for stable compilers (`fuzz-runner`) call the
//! same functions.

pub mod calls;
pub mod edit;
pub mod engine;
pub mod framer;
pub mod headers;
pub mod mutate;
pub mod parse;
pub mod program;
pub mod transactions;

/// A target's name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("parse", parse::run),
    ("framer", framer::run),
    ("edit", edit::run),
    ("headers", headers::run),
    ("transactions", transactions::run),
    ("engine", engine::run),
    ("calls", calls::run),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever adds a target adds its wrapper, which is all that libFuzzer sees of it.
    #[test]
    fn every_target_has_its_wrapper() {
        let manifest = include_str!("../../Cargo.toml");
        let wrappers: Vec<_> = manifest.split("[[bin]]").skip(1).collect();
        assert_eq!(wrappers.len(), TARGETS.len());
        for (name, _) in TARGETS {
            let line = format!("name = \"{name}\"");
            assert!(wrappers.iter().any(|w| w.contains(&line)), "no wrapper for {name}");
        }
    }

    /// A short run of each target over each seed message, so that `cargo test` compiles and runs
    /// them all.
    #[test]
    fn every_target_takes_the_seeds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../seeds/messages");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            TARGETS.iter().for_each(|(_, run)| run(&bytes));
            count += 1;
        }
        assert!(count > 10);
    }
}
