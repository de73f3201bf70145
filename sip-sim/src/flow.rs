//! The call flows that the phone vendor's administrator guides document, as data.
//!
//! [`crate::judge`] says whether a recorded call ran like one of them.

use std::fmt;

/// A role in a flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Role {
    /// The first user, who places the first call.
    A,
    /// The second user.
    B,
    /// The third user.
    C,
    /// The proxy.
    P,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::P => "P",
        })
    }
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum What {
    /// A request.
    Request(&'static str),
    /// A response to a request of that method.
    Response(u16, &'static str),
}

impl What {
    /// The method: of the request, or of the one that is answered.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Request(method) | Self::Response(_, method) => method,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(method) => f.pad(method),
            Self::Response(status, "INVITE") => f.pad(&status.to_string()),
            Self::Response(status, method) => f.pad(&format!("{status} {method}")),
        }
    }
}

/// A step of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Who sends.
    pub from: Role,
    /// To whom.
    pub to: Role,
    /// What.
    pub what: What,
}

/// A documented flow. Step `F1` is `steps[0]`.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens.
    pub title: &'static str,
    /// The users that take part, besides the proxy.
    pub users: &'static [Role],
    /// How many of the first steps are inferred from the sister flows: no page that was seen shows
    /// them.
    pub inferred: usize,
    /// The steps as they are drawn.
    pub steps: &'static [Step],
}

/// The flow with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Flow> {
    FLOWS.iter().find(|f| f.name == name)
}

macro_rules! what {
    ($method:ident) => {
        What::Request(stringify!($method))
    };
    ($status:literal $method:ident) => {
        What::Response($status, stringify!($method))
    };
}

macro_rules! steps {
    ($($from:ident > $to:ident $what:tt $($method:ident)?;)*) => {
        &[$(Step { from: Role::$from, to: Role::$to, what: what!($what $($method)?) }),*]
    };
}

const AB: &[Role] = &[Role::A, Role::B];
const ABC: &[Role] = &[Role::A, Role::B, Role::C];

/// All documented flows: eleven, and the older variants of two with NOTIFY.
pub const FLOWS: &[Flow] = &[
    SETUP_DISCONNECT,
    CALLED_BUSY,
    NO_ANSWER,
    HOLD,
    WAITING,
    TRANSFER_BLIND,
    TRANSFER_BLIND_NOTIFY,
    TRANSFER_ATTENDED,
    TRANSFER_ATTENDED_NOTIFY,
    FORWARD_ALWAYS,
    FORWARD_BUSY,
    FORWARD_NO_ANSWER,
    CONFERENCE,
];

const SETUP_DISCONNECT: Flow = Flow {
    name: "setup_disconnect",
    title: "A calls B, B answers, B hangs up",
    users: AB,
    inferred: 0,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 100 INVITE; P > A 100 INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        B > P BYE; P > A BYE;
        A > P 200 BYE; P > B 200 BYE;
    },
};

const CALLED_BUSY: Flow = Flow {
    name: "called_busy",
    title: "A calls B, who is busy",
    users: AB,
    inferred: 0,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 100 INVITE; P > A 100 INVITE;
        B > P 486 INVITE; P > A 486 INVITE;
        A > P ACK; P > B ACK;
    },
};

const NO_ANSWER: Flow = Flow {
    name: "no_answer",
    title: "A calls B, who does not answer; A gives up",
    users: AB,
    inferred: 0,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        A > P CANCEL; P > B CANCEL;
        B > P 200 CANCEL; P > A 200 CANCEL;
    },
};

const HOLD: Flow = Flow {
    name: "hold",
    title: "A calls B, B answers, A holds B",
    users: AB,
    inferred: 6,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        A > P INVITE; P > B INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
    },
};

const WAITING: Flow = Flow {
    name: "waiting",
    title: "A talks to B, C calls A, A holds B and answers C",
    users: ABC,
    inferred: 6,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        C > P INVITE; P > A INVITE;
        A > P 180 INVITE; P > C 180 INVITE;
        A > P INVITE; P > B INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        A > P 200 INVITE; P > C 200 INVITE;
        C > P ACK; P > A ACK;
    },
};

const TRANSFER_BLIND: Flow = Flow {
    name: "transfer_blind",
    title: "A talks to B, B transfers A to C without asking C",
    users: ABC,
    inferred: 0,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        B > P REFER; P > B 202 REFER;
        P > A REFER; A > P 202 REFER;
        B > P BYE; P > A BYE;
        A > P 200 BYE; P > B 200 BYE;
        A > P INVITE; P > C INVITE;
        C > P 180 INVITE; P > A 180 INVITE;
        C > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > C ACK;
    },
};

const TRANSFER_BLIND_NOTIFY: Flow = Flow {
    name: "transfer_blind_notify",
    title: "As transfer_blind, with the NOTIFY of the first edition",
    users: ABC,
    inferred: 6,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        B > P REFER; P > B 202 REFER;
        P > A REFER; A > P 202 REFER;
        A > P NOTIFY; P > B NOTIFY;
        B > P 200 NOTIFY; P > A 200 NOTIFY;
        B > P BYE; P > A BYE;
        A > P 200 BYE; P > B 200 BYE;
        A > P INVITE; P > C INVITE;
        C > P 180 INVITE; P > A 180 INVITE;
        C > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > C ACK;
    },
};

const TRANSFER_ATTENDED: Flow = Flow {
    name: "transfer_attended",
    title: "A talks to B, asks C, and transfers B to C",
    users: ABC,
    inferred: 6,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        A > P INVITE; P > B INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        A > P INVITE; P > C INVITE;
        C > P 180 INVITE; P > A 180 INVITE;
        C > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > C ACK;
        A > P REFER; P > A 202 REFER;
        P > B REFER; B > P 202 REFER;
        A > P BYE; P > B BYE;
        B > P 200 BYE; P > A 200 BYE;
    },
};

const TRANSFER_ATTENDED_NOTIFY: Flow = Flow {
    name: "transfer_attended_notify",
    title: "As transfer_attended, with the NOTIFY of the first edition",
    users: ABC,
    inferred: 16,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        A > P INVITE; P > B INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        A > P INVITE; P > C INVITE;
        C > P 180 INVITE; P > A 180 INVITE;
        C > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > C ACK;
        A > P REFER; P > A 202 REFER;
        P > B REFER; B > P 202 REFER;
        B > P NOTIFY; P > A NOTIFY;
        A > P 200 NOTIFY; P > B 200 NOTIFY;
        A > P BYE; P > B BYE;
        B > P 200 BYE; P > A 200 BYE;
    },
};

const FORWARD_ALWAYS: Flow = Flow {
    name: "forward_always",
    title: "A calls B, who forwards every call to C",
    users: ABC,
    inferred: 0,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 302 INVITE; P > B ACK;
        P > A 302 INVITE; A > P ACK;
        A > P INVITE; P > C INVITE;
        C > P 180 INVITE; P > A 180 INVITE;
        C > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > C ACK;
    },
};

const FORWARD_BUSY: Flow = Flow {
    name: "forward_busy",
    title: "A calls B, who is busy and forwards to C",
    users: ABC,
    inferred: 0,
    steps: FORWARDED_AFTER_RINGING,
};

const FORWARD_NO_ANSWER: Flow = Flow {
    name: "forward_no_answer",
    title: "A calls B, who does not answer and forwards to C",
    users: ABC,
    inferred: 0,
    steps: FORWARDED_AFTER_RINGING,
};

const FORWARDED_AFTER_RINGING: &[Step] = steps! {
    A > P INVITE; P > B INVITE;
    B > P 180 INVITE; P > A 180 INVITE;
    B > P 302 INVITE; P > B ACK;
    P > A 302 INVITE; A > P ACK;
    A > P INVITE; P > C INVITE;
    C > P 180 INVITE; P > A 180 INVITE;
    C > P 200 INVITE; P > A 200 INVITE;
    A > P ACK; P > C ACK;
};

const CONFERENCE: Flow = Flow {
    name: "conference",
    title: "A talks to B, holds B, calls C, and joins the two calls",
    users: ABC,
    inferred: 0,
    steps: steps! {
        A > P INVITE; P > B INVITE;
        B > P 180 INVITE; P > A 180 INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        A > P INVITE; P > B INVITE;
        B > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > B ACK;
        A > P INVITE; P > C INVITE;
        C > P 180 INVITE; P > A 180 INVITE;
        C > P 200 INVITE; P > A 200 INVITE;
        A > P ACK; P > C ACK;
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a flow in the notation of the reference page.
    fn notation(flow: &Flow) -> Vec<String> {
        let line = |(i, s): (usize, &Step)| {
            let what = match s.what {
                What::Request(m) => m.to_string(),
                What::Response(status, _) => status.to_string(),
            };
            format!("F{} {what} {}->{}", i + 1, s.from, s.to)
        };
        flow.steps.iter().enumerate().map(line).collect()
    }

    #[test]
    fn the_data_is_what_the_reference_page_lists() {
        let named = std::env::var("SANSIP_VECTORS").map(|v| format!("{v}/.."));
        let above = ["/../..", "/../../.."]
            .map(|up| format!("{}{up}/shared/reference", env!("CARGO_MANIFEST_DIR")));
        let found = named
            .into_iter()
            .chain(above)
            .find_map(|folder| std::fs::read_to_string(format!("{folder}/flows.md")).ok());
        let Some(page) = found else {
            println!("skipped: the reference page is not here");
            return;
        };
        let mut seen = 0;
        for block in page.split("```flow ").skip(1) {
            let block = block.split("```").next().unwrap();
            let (name, rest) = block.split_once('\n').unwrap();
            let flow = find(name.trim()).unwrap_or_else(|| panic!("no data for {name}"));
            let steps: Vec<String> = rest
                .lines()
                .map(|l| l.split('#').next().unwrap().trim().to_string())
                .filter(|l| !l.is_empty())
                .collect();
            assert_eq!(notation(flow), steps, "{name}");
            let inferred = rest.lines().filter(|l| l.contains("[I]")).count();
            assert_eq!(flow.inferred, inferred, "{name}");
            seen += 1;
        }
        assert_eq!(seen, FLOWS.len());
    }

    #[test]
    fn every_response_answers_a_request_that_came_the_other_way() {
        for flow in FLOWS {
            for (i, step) in flow.steps.iter().enumerate() {
                let What::Response(_, method) = step.what else { continue };
                let asks = |s: &Step| {
                    s.from == step.to && s.to == step.from && s.what == What::Request(method)
                };
                assert!(flow.steps[..i].iter().any(asks), "{} F{}", flow.name, i + 1);
            }
        }
    }
}
