//! A line's policy.

use sansip_core::{AutoAnswer, CallHandle, Error, Follow, Instant, LineHandle, Misuse, Policy};

use crate::abi::{SansipCall, SansipLine, SansipStr, Sized32, read};
use crate::code::Code;
use crate::engine::SansipEngine;
use crate::verb::{status, verb};

/// A redirected call of the line ends, refused with the 3xx.
pub const SANSIP_FOLLOW_NEVER: u32 = 0;
/// A person decides: sansip_follow or hang up.
pub const SANSIP_FOLLOW_ASK: u32 = 1;
/// It goes on by itself (RFC 3261 8.1.3.4).
pub const SANSIP_FOLLOW_ALWAYS: u32 = 2;

/// The engine answers no call by itself.
pub const SANSIP_AUTO_ANSWER_NEVER: u32 = 0;
/// It answers those whose caller asks for it, by Answer-Mode (RFC 5373), Alert-Info or Call-Info.
pub const SANSIP_AUTO_ANSWER_ASKED: u32 = 1;
/// It answers every call, unless its caller asks for a person.
pub const SANSIP_AUTO_ANSWER_ALWAYS: u32 = 2;

/// What a line does with calls before a person does, and how its own go on when they are
/// redirected. All 0: everything is left to the person. Of several that apply to a call the first
/// of this order acts: refusing anonymous calls, `always`, do-not-disturb, being busy, answering,
/// `no_answer`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipPolicy {
    /// sizeof(sansip_policy).
    pub size: u32,
    /// After how many seconds nobody has answered; 0: 20.
    pub no_answer_after_s: u32,
    /// Where every call is forwarded to by a 302: a URI; empty for nowhere.
    pub always: SansipStr,
    /// Where calls are forwarded to while the line is busy; empty for nowhere (486).
    pub busy: SansipStr,
    /// Where calls are forwarded to that nobody answers; empty for nowhere.
    pub no_answer: SansipStr,
    /// Where calls are forwarded to while `dnd` is set; empty refuses them.
    pub dnd_to: SansipStr,
    /// Not 0: do not disturb.
    pub dnd: u32,
    /// The status of that refusal, 400 to 699; 0: 480.
    pub dnd_status: u32,
    /// The status of a person's sansip_reject that names none, 400 to 699; 0: 486.
    pub refuse_status: u32,
    /// Not 0: the line is busy while it has a call.
    pub no_waiting: u32,
    /// The line is busy while it has so many calls; 0: no bound.
    pub calls: u32,
    /// Not 0: the engine itself answers 180.
    pub ring: u32,
    /// SANSIP_FOLLOW_...
    pub follow: u32,
    /// To how many targets a redirected call goes on at most; 0: 5, and 16 is the most.
    pub targets: u32,
    /// How many redirections may follow one another; 0: 5.
    pub depth: u32,
    /// SANSIP_AUTO_ANSWER_...
    pub auto_answer: u32,
    /// Not 0: calls without the caller's identity are refused with 433 (RFC 5079).
    pub refuse_anonymous: u32,
    /// Not 0: the line's own calls keep its identity back (RFC 3323, RFC 3325). A call's own Privacy
    /// field comes first: id or user keep it back, none shows it.
    pub anonymous: u32,
    /// Not 0: the line's own calls tell where they have been (History-Info, RFC 7044).
    pub history: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: integers and structs of a pointer and an integer, the size first.
unsafe impl Sized32 for SansipPolicy {}

fn follow(mode: u32) -> Result<Follow, Code> {
    match mode {
        SANSIP_FOLLOW_NEVER => Ok(Follow::Never),
        SANSIP_FOLLOW_ASK => Ok(Follow::Ask),
        SANSIP_FOLLOW_ALWAYS => Ok(Follow::Follow),
        _ => Err(Error::Misuse(Misuse::BadLimit).into()),
    }
}

fn auto_answer(mode: u32) -> Result<AutoAnswer, Code> {
    match mode {
        SANSIP_AUTO_ANSWER_NEVER => Ok(AutoAnswer::Never),
        SANSIP_AUTO_ANSWER_ASKED => Ok(AutoAnswer::Asked),
        SANSIP_AUTO_ANSWER_ALWAYS => Ok(AutoAnswer::Always),
        _ => Err(Error::Misuse(Misuse::BadLimit).into()),
    }
}

fn small<N: TryFrom<u32>>(n: u32) -> Result<N, Code> {
    N::try_from(n).map_err(|_| Error::Misuse(Misuse::BadLimit).into())
}

/// Sets what a line does with calls that begin from now on, in place of what was set before. Queues
/// nothing.
/// Errors: SANSIP_E_GONE, SANSIP_E_BAD_URI, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_LIMIT,
/// SANSIP_E_FULL_BLOCKS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_set_policy(
    engine: *mut SansipEngine,
    now_ms: u64,
    line: SansipLine,
    policy: *const SansipPolicy,
) -> i32 {
    // SAFETY: by the header's rules.
    unsafe {
        verb(engine, |e| {
            let from = read(policy)?;
            let policy = Policy {
                always: from.always.text()?,
                busy: from.busy.text()?,
                no_answer: from.no_answer.text()?,
                no_answer_after: from.no_answer_after_s,
                dnd: from.dnd != 0,
                dnd_status: status(from.dnd_status)?,
                dnd_to: from.dnd_to.text()?,
                refuse_status: status(from.refuse_status)?,
                no_waiting: from.no_waiting != 0,
                calls: small(from.calls)?,
                ring: from.ring != 0,
                auto_answer: auto_answer(from.auto_answer)?,
                refuse_anonymous: from.refuse_anonymous != 0,
                anonymous: from.anonymous != 0,
                history: from.history != 0,
                follow: follow(from.follow)?,
                targets: small(from.targets)?,
                depth: small(from.depth)?,
            };
            Ok(e.set_policy(Instant(now_ms), LineHandle::from_raw(line.v), policy)?)
        })
    }
}

/// Lets a call go on that SANSIP_EV_CALL_REDIRECTED tells of and whose line's policy asks: to this
/// Contact of the response, or to the best if `target` is empty. May queue output.
/// Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_URI, SANSIP_E_FULL_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_follow(
    engine: *mut SansipEngine,
    now_ms: u64,
    call: SansipCall,
    target: SansipStr,
) -> i32 {
    let call = CallHandle::from_raw(call.v);
    // SAFETY: by the header's rules.
    unsafe { verb(engine, |e| Ok(e.follow(Instant(now_ms), call, target.text()?)?)) }
}
