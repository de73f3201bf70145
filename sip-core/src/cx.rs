//! What all layers share: now, the output ring, the pool, the timers, the questions, the
//! generator and the configuration.

use alloc::vec::Vec;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::auth::{Keyring, Nonces};
use crate::config::{Config, Retransmit};
use crate::error::{Error, Limit, Misuse};
use crate::limits::Limits;
use crate::path::{Addr, LocalId, Locals, Path, Transport};
use crate::store::filled;
use crate::store::index::{Key, Keyer};
use crate::store::pool::{BlockId, Pool};
use crate::store::queries::{Ask, Owner, Query, QueryId};
use crate::store::ring::{EventRecord, Record, Ring};
use crate::store::slab::Slab;
use crate::store::timers::{TimerKey, Timers, kind};
use crate::time::Instant;
use crate::wire::MessageRef;
use crate::wire::kept::Kept;
use crate::wire::name::Name;
use crate::wire::write::{WriteError, Writer};

/// A token of our own making: a tag, a Call-ID's left part, a branch's random part.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Token<const N: usize>(pub [u8; N]);

impl<const N: usize> Token<N> {
    /// The characters.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A key for what is sealed for one purpose: the service's where it has one, so that what one engine
/// has sent holds at another; else this engine's own.
fn seal<const N: usize>(config: &Config, secret: &[u8; 16], purpose: &[u8]) -> [u8; N] {
    use sha2::Digest as _;
    let shared = config.cluster_key != [0; 32];
    let key = if shared { &config.cluster_key[..] } else { &secret[..] };
    let hash = sha2::Sha256::new().chain_update(purpose).chain_update(key).finalize();
    let mut seal = [0; N];
    for (to, from) in seal.iter_mut().zip(hash.iter()) {
        *to = *from;
    }
    seal
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Writes the low bits of `bits` as base32 characters, five bits each.
pub(crate) fn base32<const N: usize>(mut bits: u128) -> Token<N> {
    let mut out = [b'a'; N];
    for place in out.iter_mut().rev() {
        *place = ALPHABET.get((bits & 31) as usize).copied().unwrap_or(b'a');
        bits >>= 5;
    }
    Token(out)
}

/// The number that [`base32`] has written as `text`; `None` if it has not.
pub(crate) fn unbase32(text: &[u8]) -> Option<u128> {
    let mut bits = 0u128;
    for c in text.get(..text.len().min(25))? {
        let digit = ALPHABET.iter().position(|a| a == c)?;
        bits = (bits << 5) | u128::try_from(digit).ok()?;
    }
    (text.len() <= 25).then_some(bits)
}

/// What all layers share.
pub struct Cx {
    /// The moment of the input at work.
    pub now: Instant,
    /// The configuration.
    pub config: Config,
    /// The identities.
    pub locals: Locals,
    /// The blocks.
    pub pool: Pool,
    /// The timers.
    pub timers: Timers,
    /// The outputs.
    pub out: Ring<Record>,
    /// The open questions.
    pub queries: Slab<QueryId, Query>,
    /// Makes the keys of every index.
    pub keyer: Keyer,
    /// Makes the seals that the engines of a service know of each other.
    #[cfg(feature = "proxy")]
    pub(crate) shared: Keyer,
    /// The key of what only the engines of a service may read.
    #[cfg(feature = "proxy")]
    pub(crate) hidden: [u8; 32],
    /// Where messages are put together, before a block of the right size takes them.
    pub scratch: Vec<u8>,
    /// The index of the stored message that was wanted last.
    pub(crate) kept: Kept,
    /// Challenges that lines have answered.
    pub keyring: Keyring,
    /// The nonces of our own challenges.
    pub nonces: Nonces,
    /// How many calls may still need room for a last message of theirs.
    pub promised: u32,
    proven: Vec<u64>,
    rng: ChaCha20Rng,
}

/// Bytes of the last message of a call: a BYE or a CANCEL.
const LAST_MESSAGE: usize = 500;

/// It lies there twice: without its Via, and as it was sent.
const COPIES: usize = 2;

/// How many fields of a stored message are indexed: only what forwards walks through one again.
const fn kept_fields(limits: &Limits) -> usize {
    if limits.forks == 0 { 0 } else { limits.wire.fields as usize }
}

impl Cx {
    /// The message in a block.
    #[must_use]
    #[cfg(feature = "proxy")]
    pub(crate) fn message(&self, block: BlockId) -> Option<MessageRef<'_>> {
        self.kept.read(&self.pool, block)
    }

    /// Copies a received message into a block, with its index.
    pub(crate) fn copy_message(&mut self, m: &MessageRef<'_>) -> Result<BlockId, Error> {
        let block = self.pool.copy_in(m.bytes())?;
        self.kept.take(&mut self.pool, block, m, (0, 0));
        Ok(block)
    }

    /// As [`message`](Self::message), once it is indexed: further walks through it cost little.
    #[cfg(feature = "proxy")]
    pub(crate) fn index(&mut self, block: BlockId) {
        self.kept.index(&mut self.pool, block);
    }

    /// Whether `outputs` records and `blocks` blocks of `len` bytes fit, beside what has been
    /// promised to calls for their last message.
    #[must_use]
    pub fn has_room(&mut self, outputs: usize, blocks: usize, len: usize) -> bool {
        let promised = COPIES * self.promised as usize;
        self.out.room() >= outputs && self.pool.has_room_beside(blocks, len, promised, LAST_MESSAGE)
    }

    /// The shared part of an engine, all of its room reserved.
    pub fn new(config: Config, limits: &Limits) -> Result<Self, Error> {
        if config.seed == [0; 32] {
            return Err(Error::Misuse(Misuse::ZeroSeed));
        }
        let mut rng = ChaCha20Rng::from_seed(config.seed);
        let mut secret = [0; 16];
        rng.fill_bytes(&mut secret);
        let tag = config.tag;
        let nonces = seal(&config, &secret, b"sansip nonce");
        #[cfg(feature = "proxy")]
        let shared = Keyer::new(seal(&config, &secret, b"sansip flow"));
        #[cfg(feature = "proxy")]
        let hidden = seal(&config, &secret, b"sansip gruu");
        Ok(Self {
            now: Instant(0),
            config,
            locals: Locals::new(limits.locals)?,
            pool: Pool::new(limits.pool, usize::from(limits.wire.message))?,
            timers: Timers::new(limits.timers())?,
            out: Ring::new(limits.outputs)?,
            queries: Slab::new(limits.queries, tag, Limit::Queries)?,
            keyer: Keyer::new(secret),
            #[cfg(feature = "proxy")]
            shared,
            #[cfg(feature = "proxy")]
            hidden,
            scratch: filled(usize::from(limits.wire.message), 0)?,
            kept: Kept::new(kept_fields(limits))?,
            keyring: Keyring::new(limits.credentials)?,
            nonces: Nonces::new(limits.nonces, nonces)?,
            promised: 0,
            proven: filled(limits.sources, 0)?,
            rng,
        })
    }

    /// The bytes that this room takes.
    #[must_use]
    pub const fn bytes(limits: &Limits) -> usize {
        Locals::bytes(limits.locals)
            + Pool::bytes(limits.pool, limits.wire.message as usize)
            + Timers::bytes(limits.timers())
            + Ring::<Record>::bytes(limits.outputs)
            + Slab::<QueryId, Query>::bytes(limits.queries)
            + limits.wire.message as usize
            + Kept::bytes(kept_fields(limits))
            + limits.sources * size_of::<u64>()
            + Keyring::bytes(limits.credentials)
            + Nonces::bytes(limits.nonces)
    }

    /// The time by which nonces are made: Unix milliseconds where that is known.
    #[must_use]
    pub const fn unix(&self) -> u64 {
        self.config.unix_at_zero.saturating_add(self.now.0)
    }

    /// Mixes `more` into the generator.
    pub fn reseed(&mut self, more: &[u8]) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        for (i, byte) in more.iter().enumerate() {
            if let Some(place) = seed.get_mut(i % 32) {
                *place ^= *byte;
            }
        }
        self.rng = ChaCha20Rng::from_seed(seed);
    }

    /// A random number.
    pub fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A tag: 80 random bits. RFC 3261 19.3 asks for 32.
    pub fn tag(&mut self) -> Token<16> {
        base32((u128::from(self.rng.next_u64()) << 64) | u128::from(self.rng.next_u64()))
    }

    /// A Call-ID or the like: 120 random bits.
    pub fn word(&mut self) -> Token<24> {
        base32((u128::from(self.rng.next_u64()) << 64) | u128::from(self.rng.next_u64()))
    }

    /// Queues bytes; the record takes a hold of its own on the block.
    pub fn transmit(
        &mut self,
        block: BlockId,
        path: Path,
        object: u64,
        copy: u16,
    ) -> Result<(), Error> {
        self.out.push(Record::Transmit { block, path, object, copy })?;
        self.pool.hold(block);
        Ok(())
    }

    /// Queues an event; the record takes over the caller's hold on the block, if there is one.
    pub fn event(&mut self, record: EventRecord) -> Result<(), Error> {
        self.out.push(Record::Event(record)).inspect_err(|_| {
            if let Some(block) = record.block {
                self.pool.release(block);
            }
        })
    }

    /// Writes a message into the scratch space and gives it a block of its size, held once.
    pub fn build(
        &mut self,
        write: impl FnOnce(Writer<'_>) -> Result<usize, WriteError>,
    ) -> Result<BlockId, Error> {
        let len = write(Writer::new(&mut self.scratch)).map_err(write_error)?;
        let bytes = self.scratch.get(..len).unwrap_or(&[]);
        self.pool.copy_in(bytes)
    }

    /// Asks a question whose text is `text`. It fails by itself at the configured deadline.
    pub fn ask(
        &mut self,
        ask: Ask,
        asker: Owner,
        text: &[u8],
        to: (Addr, Transport),
        number: u64,
    ) -> Result<QueryId, Error> {
        if self.out.room() == 0 {
            return Err(Error::Full(Limit::Outputs));
        }
        let text = if text.is_empty() { None } else { Some(self.pool.copy_in(text)?) };
        let query = Query { ask, asker, text, addr: to.0, transport: to.1, number, timer: None };
        let id = match self.queries.insert(query) {
            Ok(id) => id,
            Err(e) => {
                if let Some(block) = text {
                    self.pool.release(block);
                }
                return Err(e);
            }
        };
        let at = self.now.after(self.config.query);
        let timer = self.timers.arm(at, TimerKey { kind: kind::QUERY, object: id.raw() })?;
        if let Some(q) = self.queries.get_mut(id) {
            q.timer = Some(timer);
        }
        self.out.push(Record::Query(id.raw()))?;
        Ok(id)
    }

    /// Ends a question: an answer has come, or its deadline. Its text is released.
    pub fn take_query(&mut self, id: QueryId, fired: bool) -> Option<Query> {
        let query = self.queries.remove(id)?;
        if let Some(timer) = query.timer.filter(|_| !fired) {
            self.timers.cancel(timer);
        }
        if let Some(block) = query.text {
            self.pool.release(block);
        }
        Some(query)
    }

    /// Ends a question whose asker has ended; the caller is told that the answer may be forgotten.
    pub fn forget_query(&mut self, id: QueryId) {
        if self.take_query(id, false).is_some() {
            // A full ring drops the hint: a late answer is harmless.
            let _ = self.out.push(Record::Forget(id.raw()));
        }
    }

    /// The transport of an identity.
    #[must_use]
    pub fn transport(&self, local: LocalId) -> Transport {
        self.locals.get(local).map_or(Transport::Udp, |e| e.transport)
    }

    /// Whether everything may be sent to this source: it has proven its address, it need not, or
    /// the bound is off.
    #[must_use]
    pub fn is_proven(&self, path: &Path) -> bool {
        path.flow.is_some()
            || self.config.retransmit == Retransmit::Rfc
            || self.transport(path.local).is_reliable()
            || self.config.is_trusted(path.remote.ip)
            || self
                .source_key(path)
                .is_some_and(|(place, key)| self.proven.get(place) == Some(&key))
    }

    /// Remembers that the source has proven its address: a token of ours came back from it.
    pub fn prove(&mut self, path: &Path) {
        if path.flow.is_none()
            && let Some((place, key)) = self.source_key(path)
            && let Some(p) = self.proven.get_mut(place)
        {
            *p = key;
        }
    }

    fn source_key(&self, path: &Path) -> Option<(usize, u64)> {
        let ip = match path.remote.ip {
            core::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            core::net::IpAddr::V6(ip) => ip.octets(),
        };
        let key =
            self.keyer.start(b'S').part(&ip).number(u64::from(path.remote.port)).finish().short();
        let place = usize::try_from(key.checked_rem(self.proven.len() as u64)?).ok()?;
        Some((place, key | 1))
    }

    /// A tag that only we can compute, for answers that leave no state (RFC 3261 8.2.7).
    #[must_use]
    pub fn stateless_tag(&self, key: Key) -> Token<16> {
        base32((u128::from(key.short()) << 16) | 0x5A)
    }
}

/// A header field whose value is put together from parts that are known to be well formed.
pub(crate) fn joined(w: &mut Writer<'_>, name: Name, parts: &[&[u8]]) -> Result<(), WriteError> {
    w.field(name, |v| parts.iter().try_for_each(|part| v.text(part)))
}

/// What a failure to write means to the caller of a verb.
pub(crate) fn write_error(e: WriteError) -> Error {
    match e {
        WriteError::Full => Error::Full(Limit::MessageBytes),
        _ => Error::Misuse(Misuse::BadHeader),
    }
}

impl core::fmt::Debug for Cx {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cx").field("now", &self.now).finish_non_exhaustive()
    }
}
