//! One reliable, ordered connection.

use sansip::path::{Addr, Transport};

use crate::network::NodeId;

/// One end of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub node: NodeId,
    pub addr: Addr,
    /// Whether this end can write and be written to.
    pub open: bool,
    /// When the last piece for this end is due: nothing overtakes it.
    pub last_due: u64,
}

impl End {
    pub const fn new(node: NodeId, addr: Addr) -> Self {
        Self { node, addr, open: false, last_due: 0 }
    }
}

/// A stream: who opened it, who accepted it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    client: End,
    server: End,
    pub transport: Transport,
}

impl Stream {
    pub const fn new(client: End, server: End, transport: Transport) -> Self {
        Self { client, server, transport }
    }

    pub fn is_client(&self, node: NodeId) -> bool {
        self.client.node == node
    }

    /// The end that sends and the end that receives, in that direction.
    pub const fn ends(&self, to_server: bool) -> (&End, &End) {
        if to_server { (&self.client, &self.server) } else { (&self.server, &self.client) }
    }

    /// The end that receives in that direction.
    pub const fn end_mut(&mut self, receiver_is_server: bool) -> &mut End {
        if receiver_is_server { &mut self.server } else { &mut self.client }
    }
}
