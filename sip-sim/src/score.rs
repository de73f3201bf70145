//! Which transaction and which call each step of a documented flow belongs to, and what its proxy
//! relays: read off the drawing alone.

use crate::flow::{Flow, Role, Step, What};

/// A transaction of a flow, over both hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The method of its request; ACK and CANCEL have none of their own: ACK counts to its INVITE.
    pub method: &'static str,
    /// The user that asks.
    pub caller: Role,
    /// The user that is asked.
    pub callee: Role,
    /// The call, from 0 in the order of the drawing.
    pub call: usize,
    /// Whether it opens the call.
    pub opens: bool,
}

/// What a step is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cue {
    /// Index of its transaction.
    pub exchange: usize,
    /// The step that it relays. A step of the proxy without one is of its own making.
    pub relays: Option<usize>,
}

/// A flow taken apart.
#[derive(Clone, Debug)]
pub struct Score {
    /// The name of the flow.
    pub name: &'static str,
    /// The steps as they are drawn.
    pub steps: &'static [Step],
    /// For each step what it is part of.
    pub cues: Vec<Cue>,
    /// The transactions.
    pub exchanges: Vec<Exchange>,
    /// Who calls whom.
    pub calls: Vec<(Role, Role)>,
}

#[derive(Default)]
struct Reader {
    cues: Vec<Cue>,
    exchanges: Vec<Exchange>,
    /// For each transaction: its final response seen by the proxy, and by the caller.
    finals: Vec<[bool; 2]>,
    calls: Vec<(Role, Role)>,
    established: Vec<bool>,
}

impl Score {
    /// Takes a flow apart.
    ///
    /// # Panics
    /// Where a step of the data has no place: a response without a request, a request that nobody
    /// gets.
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        let steps = flow.steps;
        let mut reader = Reader::default();
        for (at, step) in steps.iter().enumerate() {
            let cue = reader.read(steps, at, *step);
            let cue = cue.unwrap_or_else(|| panic!("{} F{}: no place", flow.name, at + 1));
            reader.cues.push(cue);
        }
        let Reader { cues, exchanges, calls, .. } = reader;
        Self { name: flow.name, steps, cues, exchanges, calls }
    }

    /// The transaction of a step.
    #[must_use]
    pub fn exchange(&self, step: usize) -> &Exchange {
        &self.exchanges[self.cues[step].exchange]
    }

    /// The third user of a flow with three, seen from the two of a transaction.
    #[must_use]
    pub fn third(&self, step: usize) -> Role {
        let of = self.exchange(step);
        [Role::A, Role::B, Role::C]
            .into_iter()
            .find(|r| *r != of.caller && *r != of.callee)
            .unwrap_or(Role::C)
    }
}

impl Reader {
    fn read(&mut self, steps: &[Step], at: usize, step: Step) -> Option<Cue> {
        match (step.what, step.from) {
            (What::Request("ACK"), Role::P) => {
                let exchange = self.last(|e| e.method == "INVITE" && e.callee == step.to)?;
                Some(Cue { exchange, relays: self.earlier(steps, exchange, step.what) })
            }
            (What::Request("ACK"), from) => {
                let exchange = self.last(|e| e.method == "INVITE" && e.caller == from)?;
                Some(Cue { exchange, relays: None })
            }
            (What::Request(method), Role::P) => {
                let exchange = self.last(|e| e.method == method && e.callee == step.to)?;
                Some(Cue { exchange, relays: self.earlier(steps, exchange, step.what) })
            }
            (What::Request(method), from) => {
                let exchange = self.request(steps, at, method, from)?;
                Some(Cue { exchange, relays: None })
            }
            (What::Response(status, method), Role::P) => {
                let mine = |e: &Exchange| e.method == method && e.caller == step.to;
                let exchange = self.open(mine, 1)?;
                self.finals[exchange][1] |= status >= 200;
                Some(Cue { exchange, relays: self.earlier(steps, exchange, step.what) })
            }
            (What::Response(status, method), from) => {
                let mine = |e: &Exchange| e.method == method && e.callee == from;
                let exchange = self.open(mine, 0)?;
                self.finals[exchange][0] |= status >= 200;
                let call = self.exchanges[exchange].call;
                self.established[call] |= (200..300).contains(&status) && method == "INVITE";
                Some(Cue { exchange, relays: None })
            }
        }
    }

    fn last(&self, is: impl Fn(&Exchange) -> bool) -> Option<usize> {
        self.exchanges.iter().rposition(is)
    }

    fn open(&self, is: impl Fn(&Exchange) -> bool, side: usize) -> Option<usize> {
        let open = |(at, e): &(usize, &Exchange)| is(e) && !self.finals[*at][side];
        self.exchanges.iter().enumerate().rfind(open).map(|(at, _)| at)
    }

    /// The step that brought the same to the proxy.
    fn earlier(&self, steps: &[Step], exchange: usize, what: What) -> Option<usize> {
        let relayed = |at: usize| self.cues.iter().any(|c| c.relays == Some(at));
        let same = |at: &usize| {
            steps[*at].what == what
                && steps[*at].to == Role::P
                && self.cues[*at].exchange == exchange
                && !relayed(*at)
        };
        (0..self.cues.len()).find(same)
    }

    /// A transaction that a user begins. The callee is who gets the next request of that method.
    fn request(
        &mut self,
        steps: &[Step],
        at: usize,
        method: &'static str,
        from: Role,
    ) -> Option<usize> {
        let is = |s: &&Step| s.what == What::Request(method) && s.from == Role::P && s.to != from;
        let callee = steps.get(at..)?.iter().find(is)?.to;
        let between = |c: &(Role, Role)| *c == (from, callee) || *c == (callee, from);
        let known = self.calls.iter().rposition(between);
        let opens = method == "INVITE" && known.is_none_or(|c| !self.established[c]);
        let call = if opens {
            self.calls.push((from, callee));
            self.established.push(false);
            self.calls.len() - 1
        } else {
            known?
        };
        self.exchanges.push(Exchange { method, caller: from, callee, call, opens });
        self.finals.push([false; 2]);
        Some(self.exchanges.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{FLOWS, find};

    fn own(name: &str) -> Vec<usize> {
        let flow = find(name).unwrap();
        let score = Score::of(flow);
        let of_proxy =
            |(at, s): &(usize, &Step)| s.from == Role::P && score.cues[*at].relays.is_none();
        flow.steps.iter().enumerate().filter(of_proxy).map(|(at, _)| at + 1).collect()
    }

    // What the drawings let the proxy make itself: the 202 to REFER, the ACK of a 302.
    #[test]
    fn the_proxy_makes_what_nobody_sent_it_before() {
        for flow in FLOWS {
            let expected: &[usize] = match flow.name {
                "transfer_blind" | "transfer_blind_notify" => &[10],
                "transfer_attended" | "transfer_attended_notify" => &[24],
                "forward_always" => &[4],
                "forward_busy" | "forward_no_answer" => &[6],
                _ => &[],
            };
            assert_eq!(own(flow.name), expected, "{}", flow.name);
        }
    }

    #[test]
    fn steps_belong_to_the_call_of_the_two_users() {
        use Role::{A, B, C};
        let calls = |name| Score::of(find(name).unwrap()).calls;
        assert_eq!(calls("hold"), [(A, B)]);
        assert_eq!(calls("waiting"), [(A, B), (C, A)]);
        assert_eq!(calls("transfer_blind"), [(A, B), (A, C)]);
        assert_eq!(calls("forward_always"), [(A, B), (A, C)]);
        let waiting = Score::of(find("waiting").unwrap());
        let call = |step: usize| waiting.exchange(step - 1).call;
        assert_eq!([9, 11, 13, 16, 19, 20, 22].map(call), [1, 1, 0, 0, 1, 1, 1]);
        let forward = Score::of(find("forward_busy").unwrap());
        let exchange = |step: usize| forward.cues[step - 1].exchange;
        assert_eq!([5, 6, 7, 8, 9, 15, 16].map(exchange), [0, 0, 0, 0, 1, 1, 1]);
    }
}
