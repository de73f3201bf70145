//! A line's policy, read from the attributes of its Python class.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sansip::{AutoAnswer, Follow, Policy};

/// The attributes of `sansip.Policy`.
#[derive(FromPyObject)]
pub(crate) struct PolicyIn {
    always: String,
    busy: String,
    no_answer: String,
    no_answer_after: u32,
    dnd: bool,
    dnd_status: u16,
    dnd_to: String,
    refuse_status: u16,
    no_waiting: bool,
    calls: u16,
    ring: bool,
    auto_answer: String,
    refuse_anonymous: bool,
    anonymous: bool,
    history: bool,
    follow: String,
    targets: u8,
    depth: u8,
}

impl PolicyIn {
    pub(crate) fn get(&self) -> PyResult<Policy<'_>> {
        let follow = match self.follow.as_str() {
            "never" => Follow::Never,
            "ask" => Follow::Ask,
            "follow" => Follow::Follow,
            other => return Err(PyValueError::new_err(format!("no way to follow: {other}"))),
        };
        let auto_answer = match self.auto_answer.as_str() {
            "never" => AutoAnswer::Never,
            "asked" => AutoAnswer::Asked,
            "always" => AutoAnswer::Always,
            other => return Err(PyValueError::new_err(format!("no way to answer: {other}"))),
        };
        Ok(Policy {
            always: &self.always,
            busy: &self.busy,
            no_answer: &self.no_answer,
            no_answer_after: self.no_answer_after,
            dnd: self.dnd,
            dnd_status: self.dnd_status,
            dnd_to: &self.dnd_to,
            refuse_status: self.refuse_status,
            no_waiting: self.no_waiting,
            calls: self.calls,
            ring: self.ring,
            auto_answer,
            refuse_anonymous: self.refuse_anonymous,
            anonymous: self.anonymous,
            history: self.history,
            follow,
            targets: self.targets,
            depth: self.depth,
        })
    }
}
