//! `sansip._native`: the engine and the parser as Python's own types. What a user sees is the typed
//! layer in `python/sansip`.

mod config;
mod engine;
mod error;
mod media;
mod message;
mod output;
mod policy;

/// The compiled half of `sansip`.
#[pyo3::pymodule(name = "_native")]
mod native {
    #[pymodule_export]
    use crate::config::footprint;
    #[pymodule_export]
    use crate::config::preset;
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::message::header_key;
    #[pymodule_export]
    use crate::message::parse;
}
