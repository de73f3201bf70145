//! What the line does with calls before the person does: settings.

use sansip::{AutoAnswer, Engine, Follow, Instant, Policy, PolicyAct};

use super::Desk;
use super::words::{in_state, said};
use crate::phone::command::{Forward, Setting, Wrong, target};

/// The settings, as the person made them.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    dnd: bool,
    dnd_status: u16,
    always: String,
    busy: String,
    no_answer: String,
    no_answer_after: u32,
    no_waiting: bool,
    auto_answer: AutoAnswer,
    anonymous: bool,
    refuse_anonymous: bool,
    follow: Follow,
}

impl Rules {
    fn policy(&self) -> Policy<'_> {
        Policy {
            always: &self.always,
            busy: &self.busy,
            no_answer: &self.no_answer,
            no_answer_after: self.no_answer_after,
            dnd: self.dnd,
            dnd_status: self.dnd_status,
            no_waiting: self.no_waiting,
            auto_answer: self.auto_answer,
            anonymous: self.anonymous,
            refuse_anonymous: self.refuse_anonymous,
            follow: self.follow,
            ..Policy::default()
        }
    }

    /// The settings that are not as they are from the start, one a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |so: bool, text: String| {
            if so {
                lines.push(text);
            }
        };
        let status = if self.dnd_status == 0 { 480 } else { self.dnd_status };
        add(self.dnd, format!("do not disturb: calls are refused with {status}"));
        let whens = [("all calls", &self.always), ("while busy", &self.busy)];
        for (when, to) in whens {
            add(!to.is_empty(), format!("forwarding {when} to {to}"));
        }
        let after = if self.no_answer_after == 0 { 20 } else { self.no_answer_after };
        let to = &self.no_answer;
        add(!to.is_empty(), format!("forwarding after {after} s without answer to {to}"));
        add(self.no_waiting, "call waiting is off: busy during a call".into());
        match self.auto_answer {
            AutoAnswer::Never => {}
            AutoAnswer::Asked => {
                add(true, "answering by itself where the caller asks for it".into())
            }
            AutoAnswer::Always => add(true, "answering every call by itself".into()),
        }
        add(self.anonymous, "calling anonymously".into());
        add(self.refuse_anonymous, "refusing anonymous calls".into());
        match self.follow {
            Follow::Never => {}
            Follow::Ask => add(true, "asking before a redirected call goes on".into()),
            Follow::Follow => add(true, "following redirections".into()),
        }
        lines
    }
}

impl Desk {
    pub(super) fn set(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        setting: Setting,
    ) -> Result<(), Wrong> {
        let line = self.line()?;
        let mut rules = self.rules.clone();
        let uri = |to: Option<String>| match to {
            Some(to) => target(&to, &self.settings.aor),
            None => Ok(String::new()),
        };
        match setting {
            Setting::Dnd(status) => {
                rules.dnd = status.is_some();
                rules.dnd_status = status.unwrap_or(0);
            }
            Setting::Forward(Forward::Always, to, _) => rules.always = uri(to)?,
            Setting::Forward(Forward::Busy, to, _) => rules.busy = uri(to)?,
            Setting::Forward(Forward::NoAnswer, to, after) => {
                rules.no_answer = uri(to)?;
                rules.no_answer_after = after;
            }
            Setting::ForwardOff => {
                rules.always.clear();
                rules.busy.clear();
                rules.no_answer.clear();
            }
            Setting::Waiting(on) => rules.no_waiting = !on,
            Setting::AutoAnswer(which) => rules.auto_answer = which,
            Setting::Anonymous(on) => rules.anonymous = on,
            Setting::RefuseAnonymous(on) => rules.refuse_anonymous = on,
            Setting::Redirects(what) => rules.follow = what,
        }
        let set = engine.set_policy(now, line, rules.policy());
        set.map_err(|why| said(why, "the line cannot be changed now"))?;
        self.rules = rules;
        let mut lines = self.rules.lines();
        if lines.is_empty() {
            lines.push("no settings: every call rings".into());
        }
        self.reply(now, format!("  {}", lines.join("\n  ")));
        Ok(())
    }

    /// A redirected call goes on.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        call: Option<u64>,
    ) -> Result<(), Wrong> {
        let (number, handle) = self.pick(call, "follow", |c| c.outgoing && !c.is_up())?;
        engine.follow(now, handle, "").map_err(|why| in_state(why, number, "follow"))
    }
}

/// What a policy did, for a script and for people.
pub(super) const fn acted(what: PolicyAct) -> (&'static str, &'static str) {
    match what {
        PolicyAct::ForwardAlways => ("forward_always", "forwarded, as all calls are"),
        PolicyAct::ForwardBusy => ("forward_busy", "forwarded: the line is busy"),
        PolicyAct::ForwardNoAnswer => ("forward_no_answer", "forwarded: nobody answered"),
        PolicyAct::ForwardDnd => ("forward_dnd", "forwarded: do not disturb"),
        PolicyAct::Dnd => ("dnd", "refused: do not disturb"),
        PolicyAct::Busy => ("busy", "refused: the line is busy"),
        PolicyAct::Anonymous => ("anonymous", "refused: the caller hides"),
        PolicyAct::AutoAnswer => ("auto_answer", "answered by itself"),
        PolicyAct::AnswerMode => ("answer_mode", "refused: it requires to be answered by itself"),
    }
}
