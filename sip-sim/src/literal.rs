//! Parties that behave literally as the guides draw them.
//!
//! A [`Stage`] plays a documented flow: some roles are scripted parties of the [`World`], which send
//! what the drawing has them send, in its order, each as soon as all that the drawing shows at that
//! party before it has come; the other roles are engines, whose applications are told to do what
//! the drawing has their users do. What is not drawn may come and is neither answered nor relayed;
//! nothing is sent twice.

use sansip::{Follow, Policy};

use crate::director::Director;
use crate::flow::{Flow, Role, Step, What};
use crate::network::NodeId;
use crate::relay;
use crate::score::Score;
use crate::text::Message;
use crate::world::World;

/// The domain of the users.
pub const DOMAIN: &str = "example.com";

/// The user part of a role's address of record; scripted parties have to be called so.
#[must_use]
pub const fn user(role: Role) -> &'static str {
    match role {
        Role::A => "alice",
        Role::B => "bob",
        Role::C => "carol",
        Role::P => "proxy",
    }
}

/// The address of record of a role.
#[must_use]
pub fn aor(role: Role) -> String {
    format!("sip:{}@{DOMAIN}", user(role))
}

/// What the line of a role does by itself: who is forwarded goes on; who forwards always, or when
/// nobody answers, does so. Who is busy is so by hand: the flow shows no other call.
#[must_use]
pub fn policy(flow: &str, role: Role) -> Policy<'static> {
    let mut policy = Policy::default();
    if !flow.starts_with("forward") {
        return policy;
    }
    policy.follow = Follow::Follow;
    match (flow, role) {
        ("forward_always", Role::B) => policy.always = "sip:carol@example.com",
        ("forward_no_answer", Role::B) => {
            policy.ring = true;
            policy.no_answer = "sip:carol@example.com";
            policy.no_answer_after = 1;
        }
        _ => {}
    }
    policy
}

/// Who plays a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Player {
    /// A scripted party that behaves as drawn.
    Literal,
    /// An engine with an application.
    Engine,
}

/// What makes an engine's user do what the drawing shows.
pub trait Prompt {
    /// The verb for the engine of `role` to be told at `step` (from 0); `None` where the engine
    /// does it by itself.
    fn verb(&self, score: &Score, role: Role, step: usize) -> Option<String>;
}

/// The verbs of [`crate::phone::Phone`].
#[derive(Clone, Copy, Debug, Default)]
pub struct PhonePrompt;

/// A flow on a stage.
#[derive(Debug)]
pub struct Stage<'w> {
    world: &'w mut World,
    director: Director,
    cast: Vec<(Role, NodeId, Player)>,
    /// The packets of the trace that were looked at.
    looked: u64,
    troubles: Vec<String>,
}

impl<'w> Stage<'w> {
    /// A stage for a flow in this world.
    #[must_use]
    pub fn new(world: &'w mut World, flow: &'static Flow) -> Self {
        let looked = world.net.trace.sent();
        let director = Director::new(flow);
        Self { world, director, cast: Vec::new(), looked, troubles: Vec::new() }
    }

    /// Gives a role to a node. The proxy comes first: scripted phones send to it.
    pub fn cast(&mut self, role: Role, node: NodeId, player: Player) -> &mut Self {
        self.cast.push((role, node, player));
        let proxy = self.node(Role::P).and_then(|p| self.world.address_of(p));
        if player == Player::Literal && role != Role::P {
            self.world.party(node).state().next_hop = proxy;
        }
        self
    }

    /// Plays until all that is drawn has come, or for so many milliseconds.
    pub fn play(&mut self, longest_ms: u64, prompt: &dyn Prompt) {
        let end = self.world.now() + longest_ms;
        loop {
            self.look();
            let now = self.world.now();
            let cast = &self.cast;
            self.director.schedule(now, |score, role, at| {
                match cast.iter().find(|c| c.0 == role).map(|c| c.2) {
                    Some(Player::Literal) => true,
                    Some(Player::Engine) => prompt.verb(score, role, at).is_some(),
                    None => false,
                }
            });
            let (next, world) = (self.director.next(), self.world.next());
            let all = [next, world].into_iter().flatten().min();
            if self.director.is_complete() || all.is_none_or(|at| at > end) {
                return;
            }
            match next.filter(|at| world.is_none_or(|w| *at < w)) {
                Some(at) => {
                    self.world.run_until(at);
                    while let Some(step) = self.director.pop(at) {
                        self.perform(step, prompt);
                    }
                }
                None => {
                    self.world.step();
                }
            }
        }
    }

    /// Lets so much time pass and sees what comes that is not drawn.
    pub fn watch(&mut self, ms: u64) {
        let end = self.world.now() + ms;
        while self.world.next().is_some_and(|at| at <= end) {
            self.world.step();
            self.look();
        }
        self.world.run_until(end);
    }

    /// What has come of the flow.
    #[must_use]
    pub const fn director(&self) -> &Director {
        &self.director
    }

    /// Verbs that an application refused, with the step.
    #[must_use]
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    fn node(&self, role: Role) -> Option<NodeId> {
        self.cast.iter().find(|c| c.0 == role).map(|c| c.1)
    }

    fn role(&self, node: NodeId) -> Option<Role> {
        self.cast.iter().find(|c| c.1 == node).map(|c| c.0)
    }

    fn player(&self, role: Role) -> Option<Player> {
        self.cast.iter().find(|c| c.0 == role).map(|c| c.2)
    }

    /// Finds the place of what went over the wire since the last look.
    fn look(&mut self) {
        let fresh: Vec<_> = self
            .world
            .net
            .trace
            .packets()
            .filter(|p| p.number >= self.looked)
            .map(|p| (p.sent, p.from_node, p.to_node, p.bytes.clone()))
            .collect();
        for (at, from, to, bytes) in fresh {
            self.looked += 1;
            if let Some((from, to)) = self.role(from).zip(to.and_then(|to| self.role(to))) {
                self.director.hear(at, from, to, &bytes);
            }
        }
    }

    fn perform(&mut self, at: usize, prompt: &dyn Prompt) {
        let role = self.director.score().steps[at].from;
        let Some(node) = self.node(role) else { return };
        match self.player(role) {
            Some(Player::Engine) => {
                let Some(verb) = prompt.verb(self.director.score(), role, at) else { return };
                let words: Vec<String> = verb.split(' ').map(str::to_string).collect();
                if let Err(why) = self.world.verb(node, &words) {
                    let step = crate::director::describe(at, self.director.score().steps[at]);
                    self.troubles.push(format!("{step}: {verb}: {why}"));
                }
            }
            Some(Player::Literal) if role == Role::P => self.relay(node, at),
            Some(Player::Literal) => self.speak(node, at),
            None => {}
        }
    }

    /// What the drawing has the proxy send.
    fn relay(&mut self, node: NodeId, at: usize) {
        let (step, cue) = (self.director.score().steps[at], self.director.score().cues[at]);
        let address = |role: Role| self.node(role).and_then(|n| self.world.address_of(n));
        let (Some(own), Some(to)) = (address(Role::P), address(step.to)) else { return };
        let seen = |is: &dyn Fn(Step) -> bool| self.director.message(cue.exchange, is);
        let message = match (cue.relays, step.what) {
            (Some(from), What::Request(_)) => {
                let contact = format!("sip:{}@{to}", user(step.to));
                self.director.seen(from).map(|m| relay::request(m, own, &contact))
            }
            (Some(from), What::Response(..)) => self.director.seen(from).map(relay::response),
            (None, What::Response(status, method)) => {
                let asked = seen(&|s| s.what == What::Request(method) && s.from == step.to);
                asked.map(|m| relay::answer(m, status))
            }
            (None, What::Request(_)) => {
                let sent = |s: Step| s.from == Role::P && s.to == step.to;
                let invite = seen(&|s| s.what == What::Request("INVITE") && sent(s));
                let refusal =
                    seen(&|s| matches!(s.what, What::Response(300.., _)) && s.from == step.to);
                invite.zip(refusal).map(|(i, r)| relay::ack(i, r))
            }
        };
        match message {
            Some(message) => {
                self.world.party(node).send_over(crate::party::Way::Udp(to), message);
            }
            None => self
                .troubles
                .push(format!("{}: nothing to relay", crate::director::describe(at, step))),
        }
    }

    /// What the drawing has a phone send.
    fn speak(&mut self, node: NodeId, at: usize) {
        let step = self.director.score().steps[at];
        let exchange = *self.director.score().exchange(at);
        let third = aor(self.director.score().third(at));
        let refer_to = self.refer_to(node, at);
        let offered = self.offered(at);
        let call_id = self.director.call_id(exchange.call);
        let version = at as u64 + 1;
        let mut hand = self.world.party(node);
        let ip = hand.state().addr.ip.to_string();
        let sdp = |m: &mut Message, direction: &str| {
            m.set("Content-Type", "application/sdp");
            m.body = crate::text::sdp(&ip, version, direction).into_bytes();
        };
        if let What::Response(status, method) = step.what {
            hand.respond_with(status, method, |m| match (status, method) {
                (200, "INVITE") => sdp(m, offered),
                (302, _) => {
                    m.set("Contact", format!("<{third}>"));
                }
                (202, "REFER") => {
                    m.set("Contact", format!("<sip:{}@{ip}:5060>", user(step.from)));
                }
                _ => {}
            });
            return;
        }
        let party = hand.state();
        if let Some(leg) = call_id.and_then(|id| party.legs().iter().position(|l| l.call_id == id))
        {
            party.choose(leg);
        }
        let message = match step.what.method() {
            "INVITE" if exchange.opens => {
                let mut m = party.request("INVITE", &aor(exchange.callee));
                sdp(&mut m, "sendrecv");
                m
            }
            "INVITE" => {
                let mut m = party.within("INVITE");
                sdp(&mut m, "sendonly");
                m
            }
            "ACK" => party.ack(),
            "CANCEL" => party.cancel(),
            "REFER" => {
                let mut m = party.within("REFER");
                m.add("Refer-To", refer_to).add("Referred-By", format!("<{}>", aor(step.from)));
                m
            }
            "NOTIFY" => {
                let mut m = party.within("NOTIFY");
                m.add("Event", "refer").add("Subscription-State", "active;expires=60");
                m.with_body("message/sipfrag", "SIP/2.0 100 Trying\r\n")
            }
            method => party.within(method),
        };
        hand.send(message);
    }

    /// Where a REFER sends its receiver: to the third user, in place of the own call to that user
    /// if there is one (RFC 3891, RFC 5589 7).
    fn refer_to(&mut self, node: NodeId, at: usize) -> String {
        let (from, third) = (self.director.score().steps[at].from, self.director.score().third(at));
        let own = self.director.score().calls[..].iter().position(|c| *c == (from, third));
        let leg = own.and_then(|call| self.director.call_id(call)).and_then(|id| {
            let legs = self.world.party(node).state().legs().to_vec();
            legs.into_iter().find(|l| l.call_id == id)
        });
        let Some((leg, remote)) = leg.and_then(|l| Some((l.clone(), l.remote_tag?))) else {
            return format!("<{}>", aor(third));
        };
        let replaces = format!("{};to-tag={remote};from-tag={}", leg.call_id, leg.local_tag);
        let escaped = replaces.replace(';', "%3B").replace('=', "%3D").replace('@', "%40");
        format!("<{}?Replaces={escaped}>", aor(third))
    }

    /// The direction with which the offer of a step's transaction is answered (RFC 3264 6.1).
    fn offered(&self, at: usize) -> &'static str {
        let exchange = self.director.score().cues[at].exchange;
        let first = self.director.message(exchange, |_| true);
        match first.and_then(Message::direction) {
            Some("sendonly") => "recvonly",
            Some("recvonly") => "sendonly",
            Some("inactive") => "inactive",
            _ => "sendrecv",
        }
    }
}

impl Prompt for PhonePrompt {
    fn verb(&self, score: &Score, role: Role, step: usize) -> Option<String> {
        let exchange = score.exchange(step);
        let own = |c: &&(Role, Role)| c.0 == role || c.1 == role;
        let number = score.calls[..=exchange.call].iter().filter(own).count();
        let policy = policy(score.name, role);
        let forwards = !policy.always.is_empty() || !policy.no_answer.is_empty();
        match score.steps[step].what {
            What::Response(180, _) if policy.ring => None,
            What::Response(302, _) if forwards => None,
            What::Request("INVITE") if policy.follow == Follow::Follow && step > 0 => None,
            What::Request("INVITE") if exchange.opens => {
                Some(format!("invite {}", aor(exchange.callee)))
            }
            What::Request("INVITE") => Some(format!("hold {number}")),
            What::Request("REFER") => {
                let third = score.third(step);
                let with_third = |c: &(Role, Role)| *c == (role, third);
                let mut own = score.calls.iter().filter(own);
                match own.position(with_third) {
                    Some(other) => Some(format!("transfer_to {number} {}", other + 1)),
                    None => Some(format!("transfer {number} {}", aor(third))),
                }
            }
            What::Request("BYE" | "CANCEL") => Some(format!("hangup {number}")),
            What::Response(180, _) => Some(format!("ring 180 {number}")),
            What::Response(200, "INVITE") if exchange.opens => Some(format!("answer {number}")),
            What::Response(302, _) => {
                Some(format!("redirect 302 {} {number}", aor(score.third(step))))
            }
            What::Response(status @ 400.., "INVITE") => Some(format!("reject {status} {number}")),
            _ => None,
        }
    }
}
