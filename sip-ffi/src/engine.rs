//! The engine: its life, what goes in, what comes out.

use std::ffi::c_void;
use std::ptr::{NonNull, null};

use sansip_core::{Engine, Error, FlowEnd, FlowInfo, Instant, Limit, Limits, Local, Seen, SendEnd};
use sansip_core::{RequestHandle, SendId};

use crate::abi::{
    SansipAddr, SansipFlow, SansipPath, SansipRequest, SansipSendId, SansipStr, Sized32, array,
    bytes, fill, item, local, read, store, transport,
};
use crate::arena::{place, unplace, within};
use crate::code::{ARGUMENT, Code, Outcome, SANSIP_E_BUFFER, SANSIP_NOT_FOUND};
use crate::config::{SansipConfig, SansipLimits};
use crate::guard::{guard, look_at_engine, with_engine};
use crate::output::{Lent, SansipOutput};

/// An engine.
pub struct SansipEngine {
    pub(crate) core: Engine,
    lent: NonNull<Lent>,
    /// It lies in the caller's memory, and nothing of it is ever given back.
    borrowed: bool,
    /// A panic was caught in it.
    pub(crate) dead: bool,
}

/// What `sansip_config` may hold, and what aligning some 50 reservations costs.
const ALLOWANCE: usize = 256 + 512;

pub(crate) fn footprint(limits: &Limits) -> usize {
    let own = size_of::<SansipEngine>() + Lent::bytes(limits) + ALLOWANCE;
    sansip_core::footprint(limits).saturating_add(own)
}

/// Makes an engine with the allocator of the moment.
fn make(
    config: sansip_core::Config,
    limits: &Limits,
    borrowed: bool,
) -> Result<NonNull<SansipEngine>, Code> {
    let memory = Code::from(Error::Full(Limit::Memory));
    let core = Engine::new(config, limits)?;
    let lent = place(Lent::new(limits).ok_or(memory)?).ok_or(memory)?;
    place(SansipEngine { core, lent, borrowed, dead: false }).ok_or_else(|| {
        // SAFETY: just placed, by the same allocator.
        drop(unsafe { unplace(lent) });
        memory
    })
}

/// Makes an engine. With `memory`, all its bytes lie in the `n` bytes there (sansip_footprint says
/// how many it takes; any alignment will do) and it takes no others; they are yours again after
/// sansip_free. With NULL it takes the system's memory, all of it now.
///
/// Errors: SANSIP_E_FULL_MEMORY, SANSIP_E_ZERO_SEED, SANSIP_E_BAD_LIMIT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_new(
    config: *const SansipConfig,
    limits: *const SansipLimits,
    memory: *mut c_void,
    n: usize,
    out: *mut *mut SansipEngine,
) -> i32 {
    guard(|| {
        // SAFETY: by the header's rules.
        unsafe {
            store(out, std::ptr::null_mut())?;
            let (config, limits) = (read(config)?, read(limits)?.get()?);
            let engine = match NonNull::new(memory.cast::<u8>()) {
                Some(memory) => within(memory, n, || make(config.get()?, &limits, true))?,
                None => make(config.get()?, &limits, false)?,
            };
            store(out, engine.as_ptr())?;
        }
        Ok(0)
    })
}

/// Ends an engine: what sansip_poll lent ends with it, and no peer is told. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_free(engine: *mut SansipEngine) {
    let Some(engine) = NonNull::new(engine) else { return };
    guard(|| {
        // SAFETY: it came from `sansip_new`, and is not used again.
        unsafe {
            if !engine.as_ref().borrowed {
                let lent = engine.as_ref().lent;
                drop(unplace(engine));
                drop(unplace(lent));
            }
        }
        Ok(0)
    });
}

/// One identity of this side: what is bound, and what others are told.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipLocal {
    /// sizeof(sansip_local).
    pub size: u32,
    /// SANSIP_UDP and so on.
    pub transport: u32,
    /// The address that the socket is bound to.
    pub bound: SansipAddr,
    /// The host that Via, Contact and Record-Route carry: a name or an IP address, IPv6 in
    /// brackets. At most 63 bytes.
    pub host: SansipStr,
    /// The port that they carry; 0 leaves it out.
    pub port: u16,
    /// The network it belongs to: a target reached over one network is not tried over another.
    pub network: u16,
    /// 0.
    pub reserved: u32,
}

// SAFETY: integers, a pointer and structs of them, the size first.
unsafe impl Sized32 for SansipLocal {}

/// Sets the identity `number` (1 to 65535) of this side, new or in place of an old one. Queues
/// nothing. Errors: SANSIP_E_LOCAL, SANSIP_E_FULL_LOCALS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_set_local(
    engine: *mut SansipEngine,
    now_ms: u64,
    number: u32,
    entry: *const SansipLocal,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        with_engine(engine, |e| {
            let entry = read(entry)?;
            let entry = Local {
                transport: transport(entry.transport)?,
                bound: entry.bound.get()?,
                host: entry.host.text()?,
                port: entry.port,
                network: entry.network,
            };
            e.set_local(Instant(now_ms), local(number)?, entry)?;
            Ok(0)
        })
    }
}

/// A whole message: a datagram, or one that you have framed yourself (path->flow set). May queue
/// output.
///
/// Returns 0 if it was used, SANSIP_IGNORED_... if nothing was done with it. Errors:
/// SANSIP_E_FULL_... (it was not taken: packet loss), SANSIP_E_LOCAL, SANSIP_E_FLOW.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_receive(
    engine: *mut SansipEngine,
    now_ms: u64,
    path: *const SansipPath,
    p: *const c_void,
    n: usize,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        with_engine(engine, |e| {
            let path = item(array(path, 1, 1).map(|_| path)?, 0).get()?;
            match e.receive(Instant(now_ms), path, bytes(p, n)?)? {
                Seen::Used => Ok(0),
                Seen::Ignored(why) => Ok(why as i32),
            }
        })
    }
}

/// Bytes of a stream. `taken` says how many of them were taken: keep the rest and present it again
/// with more. None taken while output waits: poll first. May queue output.
///
/// Errors: SANSIP_E_FULL_... (poll, then present them again), SANSIP_E_FLOW.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_receive_stream(
    engine: *mut SansipEngine,
    now_ms: u64,
    flow: SansipFlow,
    p: *const c_void,
    n: usize,
    taken: *mut usize,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        with_engine(engine, |e| {
            store(taken, 0)?;
            store(taken, e.receive_stream(Instant(now_ms), flow.get()?, bytes(p, n)?)?)?;
            Ok(0)
        })
    }
}

/// A connection that has opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipFlowInfo {
    /// sizeof(sansip_flow_info).
    pub size: u32,
    /// The identity at this end.
    pub local: u32,
    /// SANSIP_TCP and so on.
    pub transport: u32,
    /// Not 0: the peer opened it.
    pub accepted: u32,
    /// The peer.
    pub remote: SansipAddr,
    /// The names that TLS verified.
    pub names: *const SansipStr,
    /// How many, at most 8.
    pub n_names: usize,
}

// SAFETY: integers, a pointer and a struct of integers, the size first.
unsafe impl Sized32 for SansipFlowInfo {}

/// A connection has opened, accepted or asked for. Queues nothing.
/// Errors: SANSIP_E_FLOW, SANSIP_E_LOCAL, SANSIP_E_FULL_FLOWS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_flow_opened(
    engine: *mut SansipEngine,
    now_ms: u64,
    flow: SansipFlow,
    info: *const SansipFlowInfo,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        with_engine(engine, |e| {
            let info = read(info)?;
            let mut names = [""; 8];
            let n = array(info.names, info.n_names, names.len())?;
            for (i, name) in names.iter_mut().enumerate().take(n) {
                *name = item(info.names, i).text()?;
            }
            let info = FlowInfo {
                local: local(info.local)?,
                remote: info.remote.get()?,
                transport: transport(info.transport)?,
                accepted: info.accepted != 0,
                names: &names[..n],
            };
            e.flow_opened(Instant(now_ms), flow.get()?, info)?;
            Ok(0)
        })
    }
}

/// The peer closed it.
pub const SANSIP_FLOW_CLOSED: u32 = 1;
/// It was reset, or writing failed.
pub const SANSIP_FLOW_RESET: u32 = 2;
/// We closed it, asked by SANSIP_CLOSE.
pub const SANSIP_FLOW_ASKED: u32 = 3;

/// A connection has ended; `why` is SANSIP_FLOW_..., 0: closed. May queue output.
/// Errors: SANSIP_E_GONE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_flow_closed(
    engine: *mut SansipEngine,
    now_ms: u64,
    flow: SansipFlow,
    why: u32,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        with_engine(engine, |e| {
            let why = match why {
                0 | SANSIP_FLOW_CLOSED => FlowEnd::Closed,
                SANSIP_FLOW_RESET => FlowEnd::Reset,
                SANSIP_FLOW_ASKED => FlowEnd::Asked,
                _ => return Err(ARGUMENT),
            };
            e.flow_closed(Instant(now_ms), flow.get()?, why)?;
            Ok(0)
        })
    }
}

/// Nobody listens there, or there is no way there.
pub const SANSIP_SEND_UNREACHABLE: u32 = 1;
/// It is larger than the path takes.
pub const SANSIP_SEND_TOO_LARGE: u32 = 2;
/// Anything else.
pub const SANSIP_SEND_OTHER: u32 = 3;

/// What was lent with this send id could not be sent; `why` is SANSIP_SEND_..., 0: other. May queue
/// output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_send_failed(
    engine: *mut SansipEngine,
    now_ms: u64,
    send: SansipSendId,
    why: u32,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        with_engine(engine, |e| {
            let why = match why {
                SANSIP_SEND_UNREACHABLE => SendEnd::Unreachable,
                SANSIP_SEND_TOO_LARGE => SendEnd::TooLarge,
                0 | SANSIP_SEND_OTHER => SendEnd::Other,
                _ => return Err(ARGUMENT),
            };
            e.send_failed(Instant(now_ms), SendId(send.v), why)?;
            Ok(0)
        })
    }
}

/// The clock has come to sansip_next_timeout; earlier it does nothing. May queue output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_handle_timeout(engine: *mut SansipEngine, now_ms: u64) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        with_engine(engine, |e| {
            e.handle_timeout(Instant(now_ms))?;
            Ok(0)
        })
    }
}

/// No timer is pending.
pub const SANSIP_NEVER: u64 = 0xffff_ffff_ffff_ffff;

/// When sansip_handle_timeout is due: now while output waits, SANSIP_NEVER if nothing is pending.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_next_timeout(engine: *const SansipEngine, at_ms: *mut u64) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        look_at_engine(engine, |e| {
            store(at_ms, e.next_timeout().map_or(SANSIP_NEVER, |at| at.0))?;
            Ok(0)
        })
    }
}

/// How many milliseconds to sleep, for poll(2) and its like: 0 if something is due, at most `most`
/// (if that is not negative), -1 for as long as you like. 0 also if the engine cannot be used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_wait_ms(
    engine: *const SansipEngine,
    now_ms: u64,
    most: i32,
) -> i32 {
    let mut wait = 0;
    let look = |e: &Engine| -> Outcome {
        let due = e.next_timeout().map(|at| at.since(Instant(now_ms)));
        let due = due.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX));
        wait = if most >= 0 && (due < 0 || due > most) { most } else { due };
        Ok(0)
    };
    // SAFETY: by the header's rules.
    unsafe { look_at_engine(engine, look) };
    wait
}

/// The next output, or NULL if there is none. It and all that it points to live until the next
/// sansip_poll on this engine. Only removes; bounded by the bytes of one message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_poll(engine: *mut SansipEngine) -> *const SansipOutput {
    // SAFETY: it is null or an engine.
    let Some(lent) = (unsafe { engine.as_ref() }).map(|e| e.lent) else { return null() };
    let mut out = null();
    // SAFETY: `lent` belongs to this engine, and what it lent before ends with this call.
    unsafe {
        with_engine(engine, |e| {
            let room = &mut *lent.as_ptr();
            while let Some(output) = e.poll() {
                if room.set(&output) {
                    out = &raw const (*lent.as_ptr()).output;
                    break;
                }
            }
            Ok(0)
        });
    }
    out
}

/// Copies the request that waits for its answer, as it came, to `buffer`. `length` says its bytes,
/// also if the buffer is too short for them.
///
/// Returns SANSIP_NOT_FOUND once it is answered or gone. Errors: SANSIP_E_BUFFER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_message(
    engine: *const SansipEngine,
    request: SansipRequest,
    buffer: *mut c_void,
    room: usize,
    length: *mut usize,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        look_at_engine(engine, |e| {
            store(length, 0)?;
            let Some(message) = e.message(RequestHandle::from_raw(request.v)) else {
                return Ok(SANSIP_NOT_FOUND);
            };
            let bytes = message.bytes();
            store(length, bytes.len())?;
            if room < bytes.len() {
                return Err(Code(SANSIP_E_BUFFER));
            }
            if buffer.is_null() {
                return Err(ARGUMENT);
            }
            // The buffer is the caller's, and may be any of its memory: never the engine's.
            buffer.cast::<u8>().copy_from(bytes.as_ptr(), bytes.len());
            Ok(0)
        })
    }
}

/// What an engine holds now, and what it has seen.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipStats {
    /// sizeof(sansip_stats).
    pub size: u32,
    /// Live calls.
    pub calls: u32,
    /// Live lines.
    pub lines: u32,
    /// Live dialogs.
    pub dialogs: u32,
    /// Live transactions.
    pub transactions: u32,
    /// Requests on their way.
    pub attempts: u32,
    /// Requests that the proxy and the registrar work on.
    pub forks: u32,
    /// Armed timers.
    pub timers: u32,
    /// Open questions.
    pub queries: u32,
    /// Open connections.
    pub flows: u32,
    /// Waiting outputs.
    pub outputs: u32,
    /// Held blocks; a line holds one.
    pub blocks: u32,
    /// Bytes of the pool that are held.
    pub pool_bytes: u64,
    /// Messages received.
    pub received: u64,
    /// Of those, ignored.
    pub ignored: u64,
    /// Requests refused with 503 because a table was full.
    pub refused_full: u64,
    /// REFERs that wait, or whose subscription goes on.
    pub transfers: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: integers alone, the size first.
unsafe impl Sized32 for SansipStats {}

/// Live counts and totals. Set out->size first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_read_stats(
    engine: *const SansipEngine,
    out: *mut SansipStats,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        look_at_engine(engine, |e| {
            let s = e.stats();
            let n = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let stats = SansipStats {
                size: 0,
                calls: n(s.calls),
                lines: n(s.lines),
                dialogs: n(s.dialogs),
                transactions: n(s.transactions),
                attempts: n(s.attempts),
                forks: n(s.forks),
                timers: n(s.timers),
                queries: n(s.queries),
                flows: n(s.flows),
                outputs: n(s.outputs),
                blocks: n(s.blocks),
                pool_bytes: s.pool_bytes as u64,
                received: s.received,
                ignored: s.ignored,
                refused_full: s.refused_full,
                transfers: n(s.transfers),
                reserved: 0,
            };
            fill(out, stats).map(|()| 0)
        })
    }
}

/// 1 if nothing lives: no call, dialog, transaction, timer, question or waiting output (lines and
/// open connections do not count), else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_is_quiescent(engine: *const SansipEngine) -> i32 {
    // SAFETY: by the header's rules.
    unsafe { look_at_engine(engine, |e| Ok(e.is_quiescent().into())) }
}
