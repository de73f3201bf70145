//! Typed header values.
