//! Errors as exceptions that say whose fault it is.

use pyo3::prelude::*;

/// An exception of `sansip._errors`, which has a class for each kind of fault.
pub(crate) fn refused(py: Python<'_>, error: sansip::Error) -> PyErr {
    let made = py
        .import("sansip._errors")
        .and_then(|module| module.getattr("of_code"))
        .and_then(|of_code| of_code.call1((error.code(), error.to_string())));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(other) => other,
    }
}
