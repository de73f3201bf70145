//! What has to come in a documented flow: the drawing, amended where the RFCs require it.

use crate::flow::{Flow, Role, What};
use crate::judge::Delta;
use crate::score::{Exchange, Score};

/// Why a message of the plan is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Basis {
    /// Step `n` (from 1), as drawn.
    Drawn(usize),
    /// Step `n`, but not as drawn.
    Instead(usize, Delta),
    /// No step shows it.
    Added(Delta),
}

/// A message that has to come.
pub(crate) struct Planned {
    pub from: Role,
    pub to: Role,
    pub what: What,
    pub basis: Basis,
    /// Places in the plan that come before it.
    pub after: Vec<usize>,
    pub may_miss: MayMiss,
    /// Its transaction; `None` for what may come in several.
    pub exchange: Option<usize>,
    /// Whether it keeps no order but that of `after`.
    pub free: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MayMiss {
    No,
    /// Where the next response of the hop came within 200 ms.
    WhenQuick,
    Always,
}

pub(crate) struct Plan {
    pub planned: Vec<Planned>,
    pub exchanges: Vec<Exchange>,
    /// The call that takes the place of another without a Call-ID of its own, and that other.
    pub redirected: Option<(usize, usize)>,
}

const fn delta(why: &'static str, clause: &'static str) -> Delta {
    Delta { why, clause, optional: false }
}

const OWN_TRYING: Delta = delta("the proxy's own 100", "RFC 3261 16.7 step 5, 17.2.1");
const HOP_TRYING: Delta =
    Delta { optional: true, ..delta("each hop may say 100", "RFC 3261 17.2.1") };
const HOP_ACK: Delta = delta("each hop makes its own ACK", "RFC 3261 17.1.1.3");
const OWN_CANCEL_OK: Delta = delta("the proxy's own answer", "RFC 3261 9.2, 16.10");
const TERMINATED: Delta = delta("the INVITE is answered too", "RFC 3261 9.2");
const TERMINATED_ON: Delta = delta("the proxy forwards it", "RFC 3261 16.7 step 6, 16.10");
const RELAYED: Delta = delta("the one answer, from the end", "RFC 3515 2.4.2, RFC 3261 16.7");
const PROGRESS: Delta = delta("the transfer's progress is told", "RFC 3515 2.4.4");
const REPLACING: Delta = delta("the new call in place of the old", "RFC 3891 3, RFC 5589 7.1");
const REPLACED: Delta = delta("the replaced call is ended", "RFC 3891 3");
const RESUMED: Delta = delta("who joins takes off hold", "RFC 3264 8.4");

use Basis::{Added, Drawn, Instead};
use What::{Request, Response};

/// The amended plan of a flow.
pub(crate) fn plan(flow: &Flow) -> Plan {
    let score = Score::of(flow);
    let mut builder = Builder {
        place: vec![0; score.steps.len()],
        exchanges: score.exchanges.clone(),
        planned: Vec::new(),
        score,
    };
    for at in 0..builder.score.steps.len() {
        builder.step(at);
    }
    builder.extras(flow);
    let forwarded = flow.steps.iter().any(|s| matches!(s.what, Response(300..=399, _)));
    Plan {
        planned: builder.planned,
        exchanges: builder.exchanges,
        redirected: forwarded.then_some((1, 0)),
    }
}

struct Builder {
    score: Score,
    /// The place of each step in the plan.
    place: Vec<usize>,
    exchanges: Vec<Exchange>,
    planned: Vec<Planned>,
}

impl Builder {
    fn push(
        &mut self,
        (from, to): (Role, Role),
        what: What,
        basis: Basis,
        after: Vec<usize>,
        exchange: Option<usize>,
    ) -> usize {
        let may_miss = MayMiss::No;
        self.planned.push(Planned {
            from,
            to,
            what,
            basis,
            after,
            may_miss,
            exchange,
            free: false,
        });
        self.planned.len() - 1
    }

    /// The place of a message that has been planned.
    fn find(
        &self,
        exchange: usize,
        from: Role,
        to: Role,
        is: impl Fn(What) -> bool,
    ) -> Option<usize> {
        self.planned.iter().rposition(|p| {
            p.exchange == Some(exchange) && (p.from, p.to) == (from, to) && is(p.what)
        })
    }

    fn request(&self, exchange: usize, from: Role, to: Role) -> Option<usize> {
        self.find(exchange, from, to, |w| matches!(w, Request(m) if m != "ACK"))
    }

    fn answer(&self, exchange: usize, from: Role, to: Role) -> Option<usize> {
        self.find(exchange, from, to, |w| matches!(w, Response(101.., _)))
    }

    fn step(&mut self, at: usize) {
        let (step, cue) = (self.score.steps[at], self.score.cues[at]);
        let e = cue.exchange;
        let of = self.exchanges[e];
        let (x, y) = (of.caller, of.callee);
        let n = at + 1;
        let relayed = cue.relays.map(|r| self.place[r]);
        let refusal = self.find(e, y, Role::P, |w| matches!(w, Response(300.., _)));
        let (basis, after) = match step.what {
            Response(100, _) if step.from == Role::P => {
                (Instead(n, OWN_TRYING), vec![self.request(e, x, Role::P)])
            }
            Response(200, "CANCEL") if step.from == Role::P => {
                (Instead(n, OWN_CANCEL_OK), vec![self.request(e, x, Role::P)])
            }
            Request("ACK") if step.from == Role::P && refusal.is_some() => {
                let drawn = if relayed.is_some() { Instead(n, HOP_ACK) } else { Drawn(n) };
                (drawn, vec![refusal])
            }
            Request("ACK") if step.from != Role::P => (Drawn(n), vec![self.answer(e, Role::P, x)]),
            Response(..) if step.from == Role::P && relayed.is_none() => {
                // Where it stands depends on what it waits for, which is drawn later.
                (Instead(n, RELAYED), vec![self.request(e, x, Role::P)])
            }
            Response(..) if step.from == Role::P => {
                (Drawn(n), vec![relayed, self.trying(e, Role::P, x)])
            }
            Response(..) => {
                (Drawn(n), vec![self.request(e, Role::P, y), self.trying(e, y, Role::P)])
            }
            Request(_) => (Drawn(n), vec![relayed]),
        };
        let after = after.into_iter().flatten().collect();
        let place = self.push((step.from, step.to), step.what, basis, after, Some(e));
        self.place[at] = place;
        match step.what {
            Response(100, _) => self.planned[place].may_miss = MayMiss::WhenQuick,
            Request("INVITE") => self.tryings(at, place),
            Response(status, _) if status > 101 && step.to == Role::P => {
                self.relay_own(e, x, place);
            }
            _ => {}
        }
    }

    fn trying(&self, exchange: usize, from: Role, to: Role) -> Option<usize> {
        self.find(exchange, from, to, |w| w == Response(100, "INVITE"))
    }

    /// The proxy acknowledges a refusal before it passes it on (RFC 3261 17.1.1.2).
    fn hop_ack_first(&mut self, e: usize) {
        let of = self.exchanges[e];
        let is = |w: What| w == Request("ACK");
        let refused = self.find(e, of.callee, Role::P, |w| matches!(w, Response(300.., _)));
        let own = self.find(e, Role::P, of.callee, is);
        let last = self.find(e, of.caller, Role::P, is);
        if let Some((own, last)) = refused.and(own.zip(last)) {
            self.planned[last].after.push(own);
        }
    }

    /// The 100s of an INVITE's hop, where the drawing has none.
    fn tryings(&mut self, at: usize, invite: usize) {
        let step = self.score.steps[at];
        let e = self.score.cues[at].exchange;
        let drawn = self.score.steps.iter().enumerate().any(|(n, s)| {
            self.score.cues[n].exchange == e
                && s.what == Response(100, "INVITE")
                && s.from == step.to
        });
        if drawn {
            return;
        }
        let of_proxy = step.to == Role::P;
        let delta = if of_proxy { OWN_TRYING } else { HOP_TRYING };
        let trying = Response(100, "INVITE");
        let place = self.push((step.to, step.from), trying, Added(delta), vec![invite], Some(e));
        self.planned[place].may_miss = if of_proxy { MayMiss::WhenQuick } else { MayMiss::Always };
    }

    /// A response of the proxy's own in the drawing is the relayed one.
    fn relay_own(&mut self, exchange: usize, caller: Role, answer: usize) {
        let what = self.planned[answer].what;
        if let Some(own) = self.find(exchange, Role::P, caller, |w| w == what)
            && matches!(self.planned[own].basis, Instead(_, RELAYED))
        {
            self.planned[own].after.push(answer);
        }
    }

    /// What no step shows.
    fn extras(&mut self, flow: &Flow) {
        for e in 0..self.score.exchanges.len() {
            let of = self.exchanges[e];
            match of.method {
                "CANCEL" => self.terminated(e),
                "REFER" => self.progress(e, flow),
                _ => self.hop_ack_first(e),
            }
        }
        if flow.name == "conference" {
            let joined = self.planned.len() - 1;
            let resume = Exchange {
                method: "INVITE",
                caller: Role::A,
                callee: Role::B,
                call: 0,
                opens: false,
            };
            self.call(resume, joined, RESUMED);
        }
    }

    /// RFC 3261 9.2, 16.10
    fn terminated(&mut self, cancel: usize) {
        let of = self.exchanges[cancel];
        let (x, y, p) = (of.caller, of.callee, Role::P);
        let is = |e: &Exchange| e.method == "INVITE" && (e.caller, e.callee) == (x, y);
        let Some(invite) = self.exchanges.iter().rposition(is) else { return };
        let e = Some(invite);
        let asked = self.request(cancel, p, y).into_iter().collect();
        let said = self.push((y, p), Response(487, "INVITE"), Added(TERMINATED), asked, e);
        let ack = self.push((p, y), Request("ACK"), Added(HOP_ACK), vec![said], e);
        let on = self.push((p, x), Response(487, "INVITE"), Added(TERMINATED_ON), vec![said], e);
        self.push((x, p), Request("ACK"), Added(HOP_ACK), vec![ack, on], e);
    }

    /// RFC 3515 2.4.4: NOTIFYs until the end of the transfer; and what a transfer leads to.
    fn progress(&mut self, refer: usize, flow: &Flow) {
        let of = self.exchanges[refer];
        let (x, y, p) = (of.caller, of.callee, Role::P);
        let Some(accepted) = self.answer(refer, y, p) else { return };
        let drawn = flow.steps.iter().any(|s| s.what == Request("NOTIFY"));
        let steps = [
            ((y, p), Request("NOTIFY")),
            ((p, x), Request("NOTIFY")),
            ((x, p), Response(200, "NOTIFY")),
            ((p, y), Response(200, "NOTIFY")),
        ];
        for (ends, what) in steps {
            let place = self.push(ends, what, Added(PROGRESS), vec![accepted], None);
            if drawn {
                self.planned[place].may_miss = MayMiss::Always;
            }
        }
        let third = [Role::A, Role::B, Role::C].into_iter().find(|r| *r != x && *r != y);
        let Some(third) = third else { return };
        let calls = &self.score.calls;
        match calls.iter().position(|c| *c == (y, third)) {
            // The call that the transferee makes need not wait for the transferor to leave.
            Some(call) => {
                let of_call =
                    |p: &&mut Planned| p.exchange.is_some_and(|e| self.exchanges[e].call == call);
                self.planned.iter_mut().filter(of_call).for_each(|p| p.free = true);
                let invite = self.exchanges.iter().position(|e| e.call == call && e.opens);
                if let Some(invite) = invite.and_then(|e| self.request(e, y, p)) {
                    self.planned[invite].after.push(accepted);
                }
            }
            None => self.replaced(of, third, accepted),
        }
    }

    /// RFC 3891 3: the transferee calls in place of the transferor's call, which is ended.
    fn replaced(&mut self, refer: Exchange, third: Role, accepted: usize) {
        let (x, y) = (refer.caller, refer.callee);
        let old = self.score.calls.iter().position(|c| *c == (x, third));
        let call = self.score.calls.len();
        let new = Exchange { method: "INVITE", caller: y, callee: third, call, opens: true };
        let answered = self.call(new, accepted, REPLACING);
        if let Some(call) = old {
            let bye = Exchange { method: "BYE", caller: third, callee: x, call, opens: false };
            self.ask(bye, answered, REPLACED);
        }
    }

    /// An INVITE that no step shows, answered; where its callee answers.
    fn call(&mut self, of: Exchange, after: usize, delta: Delta) -> usize {
        let (x, y, p) = (of.caller, of.callee, Role::P);
        self.exchanges.push(of);
        let e = Some(self.exchanges.len() - 1);
        let invite = self.push((x, p), Request("INVITE"), Added(delta), vec![after], e);
        let own = self.push((p, x), Response(100, "INVITE"), Added(OWN_TRYING), vec![invite], e);
        self.planned[own].may_miss = MayMiss::WhenQuick;
        let on = self.push((p, y), Request("INVITE"), Added(delta), vec![invite], e);
        let trying = self.push((y, p), Response(100, "INVITE"), Added(HOP_TRYING), vec![on], e);
        let rings = self.push((y, p), Response(180, "INVITE"), Added(delta), vec![on, trying], e);
        let rings_on = self.push((p, x), Response(180, "INVITE"), Added(delta), vec![rings], e);
        for place in [trying, rings, rings_on] {
            self.planned[place].may_miss = MayMiss::Always;
        }
        let ok = self.push((y, p), Response(200, "INVITE"), Added(delta), vec![on, rings], e);
        let ok_on =
            self.push((p, x), Response(200, "INVITE"), Added(delta), vec![ok, own, rings_on], e);
        let ack = self.push((x, p), Request("ACK"), Added(delta), vec![ok_on], e);
        self.push((p, y), Request("ACK"), Added(delta), vec![ack], e);
        ok
    }

    /// Another request that no step shows, answered.
    fn ask(&mut self, of: Exchange, after: usize, delta: Delta) {
        let (x, y, p, method) = (of.caller, of.callee, Role::P, of.method);
        self.exchanges.push(of);
        let e = Some(self.exchanges.len() - 1);
        let mut last = after;
        for ends in [(x, p), (p, y)] {
            last = self.push(ends, Request(method), Added(delta), vec![last], e);
        }
        for ends in [(y, p), (p, x)] {
            last = self.push(ends, Response(200, method), Added(delta), vec![last], e);
        }
    }
}
