//! How much room an engine has. All of it is reserved when the engine is made.

use crate::wire::limits::WireLimits;

/// The room of every table, chosen at run time and reserved at construction.
///
/// Start from a preset and change what differs. [`footprint`](crate::footprint) says the bytes
/// before any is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lines (addresses of record that the user agent serves).
    pub lines: usize,
    /// Calls, both directions together.
    pub calls: usize,
    /// Calls that others may open; lower than `calls` keeps room to dial out.
    pub calls_in: usize,
    /// Dialogs. A call that forks has several.
    pub dialogs: usize,
    /// Transactions, all four kinds together. A quarter of them, and at least two, may be requests
    /// that wait for the application.
    pub transactions: usize,
    /// Requests on their way to a target set.
    pub attempts: usize,
    /// Response contexts: requests that the proxy works on.
    pub forks: usize,
    /// Branches of one response context, at most 255.
    pub branches: usize,
    /// Connections.
    pub flows: usize,
    /// Local identities.
    pub locals: usize,
    /// Open questions.
    pub queries: usize,
    /// Places of the output ring, at least 8.
    pub outputs: usize,
    /// Bytes of the block pool; at least a largest message.
    pub pool: usize,
    /// Sources that are remembered as proven.
    pub sources: usize,
    /// Challenges that lines have answered and remember: one for each line, realm and peer. Without
    /// any no challenge is answered.
    pub credentials: usize,
    /// Nonces of ours whose use is remembered; needed where others are challenged.
    pub nonces: usize,
    /// What one message may hold.
    pub wire: WireLimits,
}

impl Limits {
    /// A phone on a part with little memory: 1 line, 2 calls, messages of 1,500 bytes.
    pub const TINY: Self = Self {
        lines: 1,
        calls: 2,
        calls_in: 2,
        dialogs: 3,
        transactions: 6,
        attempts: 4,
        forks: 0,
        branches: 1,
        flows: 1,
        locals: 1,
        queries: 2,
        outputs: 8,
        pool: 12_800,
        sources: 4,
        credentials: 2,
        nonces: 0,
        wire: WireLimits {
            message: 1_500,
            header_section: 1_400,
            fields: 40,
            ..WireLimits::DEFAULT
        },
    };

    /// A desk phone: 4 lines, 4 calls, messages of 4 KB.
    pub const PHONE: Self = Self {
        lines: 4,
        calls: 4,
        calls_in: 4,
        dialogs: 18,
        transactions: 24,
        attempts: 14,
        forks: 0,
        branches: 1,
        flows: 4,
        locals: 4,
        queries: 8,
        outputs: 24,
        pool: 28_672,
        sources: 16,
        credentials: 4,
        nonces: 0,
        wire: WireLimits {
            message: 4_000,
            header_section: 3_800,
            fields: 96,
            ..WireLimits::DEFAULT
        },
    };

    /// A proxy, registrar or gateway: 10,000 calls, messages of any allowed size.
    pub const SERVER: Self = Self {
        lines: 1_000,
        calls: 10_000,
        calls_in: 10_000,
        dialogs: 20_000,
        transactions: 120_000,
        attempts: 60_000,
        forks: 60_000,
        branches: 16,
        flows: 10_000,
        locals: 16,
        queries: 20_000,
        outputs: 4_096,
        pool: 256 << 20,
        sources: 16_384,
        credentials: 1_000,
        nonces: 16_384,
        wire: WireLimits::DEFAULT,
    };

    /// A tester: 100 lines and calls, messages of any allowed size.
    pub const TESTER: Self = Self {
        lines: 100,
        calls: 100,
        calls_in: 100,
        dialogs: 400,
        transactions: 1_000,
        attempts: 500,
        forks: 200,
        branches: 16,
        flows: 200,
        locals: 16,
        queries: 400,
        outputs: 512,
        pool: 4 << 20,
        sources: 256,
        credentials: 200,
        nonces: 256,
        wire: WireLimits::DEFAULT,
    };

    /// The most timers that all objects can have armed at once.
    #[must_use]
    pub const fn timers(&self) -> usize {
        // A transaction has two (retransmit, end), a request that waits for the application one, a
        // call one of its own and one of a REFER, a response context one a branch and
        // one of its own, a flow two, a query, an attempt and a line one each, and the shutdown one.
        self.transactions * 2
            + self.requests()
            + self.calls * 2
            + self.forks * 2
            + self.flows * 2
            + self.queries
            + self.attempts
            + self.lines
            + 1
    }

    /// The most requests outside calls that may wait for the application.
    pub(crate) const fn requests(&self) -> usize {
        let quarter = self.transactions / 4;
        if quarter < 2 { 2 } else { quarter }
    }

    pub(crate) const fn usable(&self) -> bool {
        let slots = 1 << 24;
        self.outputs >= 8
            && self.transactions > 0
            && self.transactions < slots
            && self.dialogs < slots
            && self.calls < slots
            && self.calls_in <= self.calls
            && self.forks < slots
            && self.attempts < slots
            && self.branches > 0
            && self.branches <= 255
            && self.locals > 0
            && self.wire.message >= 500
    }
}
