//! Nodes on a virtual network, stepped in one order.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};

use sansip::{Addr, Config, Engine, Limits, Stats, Transport};

use crate::app::{App, Io};
use crate::clock::Clock;
use crate::hand::Hand;
use crate::ladder;
use crate::network::{Delivery, Network, NodeId};
use crate::node::{EngineNode, Hosts};
use crate::party::Party;
use crate::seed::Seed;

/// A simulation: nodes, the network between them, and the time.
///
/// Everything happens in one order: packets in the order in which they are due (then sent), then
/// timers node by node. The same seed and the same calls give the same trace.
#[derive(Debug)]
pub struct World {
    /// The network.
    pub net: Network,
    pub(crate) clock: Clock,
    pub(crate) nodes: Vec<Node>,
    names: Vec<String>,
    hosts: Hosts,
    seeds: Seed,
}

/// A node of the world.
#[derive(Debug)]
pub(crate) enum Node {
    Engine(Box<EngineNode>),
    Party(Box<Party>),
    Dead,
}

/// More happenings than this in one millisecond are a loop.
const SPIN: u64 = 2_000_000;

/// Reads `10.0.0.1:5060`.
///
/// # Panics
/// Where it is no address and port.
#[must_use]
pub fn addr(text: &str) -> Addr {
    text.parse::<SocketAddr>().unwrap_or_else(|_| panic!("no address and port: {text}")).into()
}

impl World {
    /// An empty world at 0 ms.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            net: Network::new(seed),
            clock: Clock::default(),
            nodes: Vec::new(),
            names: Vec::new(),
            hosts: Hosts::new(),
            // Apart from the network's, so that a node more does not change the packets' luck.
            seeds: Seed::new(!seed),
        }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.clock.ms()
    }

    pub(crate) fn add(&mut self, name: &str, at: Addr, node: Node) -> NodeId {
        assert!(self.find(name).is_none(), "two nodes called {name}");
        let id = NodeId(self.nodes.len());
        self.nodes.push(node);
        self.names.push(name.to_string());
        self.net.bind(id, at);
        id
    }

    /// Adds a scripted party.
    ///
    /// # Panics
    /// Where the name is taken or the address cannot be read.
    pub fn add_party(&mut self, name: &str, at: &str) -> NodeId {
        let at = addr(at);
        self.add(name, at, Node::Party(Box::new(Party::new(name, at))))
    }

    /// The defaults of a configuration, with a seed of this world's.
    pub fn config(&mut self) -> Config {
        Config::new(self.seeds.bytes())
    }

    /// Adds an engine with its application, at one address over UDP and TCP.
    ///
    /// # Panics
    /// Where the name is taken, the address cannot be read or the engine cannot be made.
    pub fn add_engine(
        &mut self,
        name: &str,
        at: &str,
        config: Config,
        limits: &Limits,
        app: impl App,
    ) -> NodeId {
        let (at, id, now) = (addr(at), NodeId(self.nodes.len()), self.clock.ms());
        let engine = Engine::new(config, limits).unwrap_or_else(|e| panic!("{name}: {e}"));
        let node = EngineNode::new(id, at, engine, Box::new(app), now);
        self.add(name, at, Node::Engine(Box::new(node)));
        self.act(id, |app, io| app.on_start(io));
        id
    }

    fn engine_node(&self, node: NodeId) -> &EngineNode {
        match self.nodes.get(node.0) {
            Some(Node::Engine(node)) => node,
            _ => panic!("node {} runs no engine", node.0),
        }
    }

    /// Lets a node's application act, and its engine speak.
    ///
    /// # Panics
    /// Where the node runs no engine.
    pub fn act<R>(&mut self, node: NodeId, act: impl FnOnce(&mut dyn App, &mut Io<'_>) -> R) -> R {
        match self.nodes.get_mut(node.0) {
            Some(Node::Engine(node)) => node.act(&mut self.net, &self.hosts, self.clock.ms(), act),
            _ => panic!("node {} runs no engine", node.0),
        }
    }

    /// A node's application.
    ///
    /// # Panics
    /// Where the node runs no engine or another application.
    #[must_use]
    pub fn app<A: App>(&self, node: NodeId) -> &A {
        let app: &dyn Any = &*self.engine_node(node).app;
        app.downcast_ref().expect("the application is another one")
    }

    /// A node's application, to change it.
    ///
    /// # Panics
    /// As [`World::app`].
    pub fn app_mut<A: App>(&mut self, node: NodeId) -> &mut A {
        match self.nodes.get_mut(node.0) {
            Some(Node::Engine(node)) => {
                let app: &mut dyn Any = &mut *node.app;
                app.downcast_mut().expect("the application is another one")
            }
            _ => panic!("node {} runs no engine", node.0),
        }
    }

    /// What a node's engine holds.
    ///
    /// # Panics
    /// Where the node runs no engine.
    #[must_use]
    pub fn stats(&self, node: NodeId) -> Stats {
        self.engine_node(node).engine.stats()
    }

    /// Whether no call, dialog, transaction, timer, question or output lives in a node's engine.
    ///
    /// # Panics
    /// Where the node runs no engine.
    #[must_use]
    pub fn is_quiescent(&self, node: NodeId) -> bool {
        self.engine_node(node).engine.is_quiescent()
    }

    /// How often a node's engine had no room for what came.
    ///
    /// # Panics
    /// Where the node runs no engine.
    #[must_use]
    pub fn full(&self, node: NodeId) -> u64 {
        self.engine_node(node).full
    }

    /// The hand of a scripted party.
    pub fn party(&mut self, node: NodeId) -> Hand<'_> {
        Hand::new(self, node)
    }

    /// The node with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.names.iter().position(|n| n == name).map(NodeId)
    }

    /// The address of a node.
    #[must_use]
    pub fn address_of(&self, node: NodeId) -> Option<Addr> {
        match self.nodes.get(node.0)? {
            Node::Engine(node) => Some(node.addr),
            Node::Party(party) => Some(party.addr),
            Node::Dead => None,
        }
    }

    pub(crate) fn verb(&mut self, node: NodeId, words: &[String]) -> Result<(), String> {
        match self.nodes.get(node.0) {
            Some(Node::Engine(_)) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.act(node, |app, io| app.on_verb(io, &words))
            }
            Some(Node::Party(_)) => Err(format!("a scripted party has no verb {words:?}")),
            _ => Err("the node is dead".to_string()),
        }
    }

    /// The names of the nodes, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Tells what a name resolves to, for engines that ask.
    pub fn host(&mut self, name: &str, ips: &[IpAddr]) {
        self.hosts.insert(name.to_ascii_lowercase(), ips.to_vec());
    }

    /// The ladder so far.
    #[must_use]
    pub fn ladder(&self) -> String {
        ladder::of_trace(&self.net.trace, &self.names).to_string()
    }

    /// Ends a node at once: its addresses find nobody, its streams are reset, its state is gone.
    pub fn kill(&mut self, node: NodeId) {
        self.net.kill(self.clock.ms(), node);
        if let Some(n) = self.nodes.get_mut(node.0) {
            *n = Node::Dead;
        }
    }

    /// When something is due next.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        let node = |n: &Node| if let Node::Engine(node) = n { node.next() } else { None };
        let timers = self.nodes.iter().filter_map(node).min();
        // What is overdue is due now.
        [self.net.next_due(), timers].into_iter().flatten().min().map(|at| at.max(self.now()))
    }

    /// Lets everything happen that is due by `to`, and leaves the clock there.
    ///
    /// # Panics
    /// Where a node spins: the same millisecond never ends.
    pub fn run_until(&mut self, to: u64) {
        let mut spins = 0;
        while let Some(at) = self.next().filter(|at| *at <= to) {
            spins = if at > self.now() { 0 } else { spins + 1 };
            assert!(spins < SPIN, "{} ms never ends\n{}", self.now(), self.ladder());
            self.step();
        }
        self.clock.advance(to);
    }

    /// Lets `ms` milliseconds pass.
    pub fn run_for(&mut self, ms: u64) {
        self.run_until(self.now() + ms);
    }

    /// Lets one thing happen, the next that is due. False where nothing is.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next() else { return false };
        self.clock.advance(at);
        if let Some(delivery) = self.net.pop(self.clock.ms()) {
            self.deliver(delivery);
            return true;
        }
        let now = self.clock.ms();
        let due = self.nodes.iter_mut().find_map(|n| match n {
            Node::Engine(node) if node.next().is_some_and(|t| t <= now) => Some(node),
            _ => None,
        });
        if let Some(node) = due {
            node.on_time(&mut self.net, &self.hosts, now);
        }
        true
    }

    fn deliver(&mut self, delivery: Delivery) {
        let now = self.clock.ms();
        let node = match &delivery {
            Delivery::Datagram { node, .. }
            | Delivery::Unreachable { node, .. }
            | Delivery::Accepted { node, .. }
            | Delivery::Connected { node, .. }
            | Delivery::Refused { node, .. }
            | Delivery::Bytes { node, .. }
            | Delivery::Ended { node, .. } => *node,
        };
        match self.nodes.get_mut(node.0) {
            Some(Node::Engine(n)) => n.deliver(&mut self.net, &self.hosts, now, delivery),
            Some(Node::Party(party)) => match delivery {
                Delivery::Datagram { from, bytes, .. } => party.receive(now, from, None, &bytes),
                Delivery::Bytes { stream, bytes, .. } => {
                    let from = self.net.peer(stream, node).unwrap_or_default();
                    party.receive_stream(now, from, stream, &bytes);
                }
                Delivery::Accepted { stream, .. } | Delivery::Connected { stream, .. } => {
                    party.stream = Some(stream);
                }
                Delivery::Ended { stream, .. } | Delivery::Refused { stream, .. } => {
                    party.stream = party.stream.filter(|s| *s != stream);
                }
                Delivery::Unreachable { .. } => {}
            },
            Some(Node::Dead) | None => {}
        }
    }

    /// Opens a stream from a scripted party; it sends over it from when it is open.
    pub(crate) fn connect(&mut self, node: NodeId, to: Addr) {
        let from = match self.nodes.get(node.0) {
            Some(Node::Party(party)) => Addr { port: 0, ..party.addr },
            _ => return,
        };
        self.net.connect(self.clock.ms(), node, from, to, Transport::Tcp);
    }
}
