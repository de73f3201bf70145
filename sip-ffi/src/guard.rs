//! The way into an engine: no null pointer, no panic, no second life after one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sansip_core::Engine;

use crate::code::{ARGUMENT, Code, Outcome, SANSIP_E_PANIC};
use crate::engine::SansipEngine;

/// Runs `f`; a panic is [`SANSIP_E_PANIC`].
pub(crate) fn guard(f: impl FnOnce() -> Outcome) -> i32 {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(n) | Err(Code(n))) => n,
        Err(_) => SANSIP_E_PANIC,
    }
}

/// Runs `f` with the engine. After a panic in it the engine takes no further call.
///
/// # Safety
/// `engine` is null, or came from `sansip_new`, has not been freed, and nobody else uses it now.
pub(crate) unsafe fn with_engine(
    engine: *mut SansipEngine,
    f: impl FnOnce(&mut Engine) -> Outcome,
) -> i32 {
    // SAFETY: by this function's own rule. What `sansip_poll` lends lies outside the struct.
    let Some(engine) = (unsafe { engine.as_mut() }) else { return ARGUMENT.0 };
    if engine.dead {
        return SANSIP_E_PANIC;
    }
    let core = &mut engine.core;
    let code = guard(|| f(core));
    engine.dead = code == SANSIP_E_PANIC;
    code
}

/// [`with_engine`] for what only looks.
///
/// # Safety
/// As for [`with_engine`].
pub(crate) unsafe fn look_at_engine(
    engine: *const SansipEngine,
    f: impl FnOnce(&Engine) -> Outcome,
) -> i32 {
    // SAFETY: by this function's own rule.
    let Some(engine) = (unsafe { engine.as_ref() }) else { return ARGUMENT.0 };
    if engine.dead {
        return SANSIP_E_PANIC;
    }
    guard(|| f(&engine.core))
}
