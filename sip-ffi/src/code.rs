//! The numbers that functions return.

use std::ffi::{CStr, c_char};

use sansip_core::{Error, Ignored, Limit, Misuse};

/// What a function returns: an error, or a note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Code(pub(crate) i32);

impl From<Error> for Code {
    fn from(e: Error) -> Self {
        Self(e.code())
    }
}

/// What functions work with inside.
pub(crate) type Outcome = Result<i32, Code>;

pub(crate) const ARGUMENT: Code = Code(SANSIP_E_ARGUMENT);

/// Done.
pub const SANSIP_OK: i32 = 0;
/// The handle's object has ended, or belongs to another engine.
pub const SANSIP_E_GONE: i32 = -1;
/// It was right in the state last shown by sansip_poll, but the object has moved on. An event
/// that says so is queued.
pub const SANSIP_E_LATE: i32 = -2;
/// An argument is not usable: see the top of this file.
pub const SANSIP_E_ARGUMENT: i32 = -3;
/// A defect of the library was caught: the engine refuses all further calls.
pub const SANSIP_E_PANIC: i32 = -4;
/// The buffer given is too short; the length needed has been stored.
pub const SANSIP_E_BUFFER: i32 = -5;
/// The output ring is full: call sansip_poll, then try again.
pub const SANSIP_E_FULL_OUTPUTS: i32 = -101;
/// No bytes left in the block pool.
pub const SANSIP_E_FULL_BLOCKS: i32 = -102;
/// The table of transactions is full.
pub const SANSIP_E_FULL_TRANSACTIONS: i32 = -103;
/// The table of dialogs is full.
pub const SANSIP_E_FULL_DIALOGS: i32 = -104;
/// The table of calls is full.
pub const SANSIP_E_FULL_CALLS: i32 = -105;
/// The table of lines is full.
pub const SANSIP_E_FULL_LINES: i32 = -106;
/// The timer heap is full.
pub const SANSIP_E_FULL_TIMERS: i32 = -107;
/// The table of open questions is full.
pub const SANSIP_E_FULL_QUERIES: i32 = -108;
/// The table of connections is full.
pub const SANSIP_E_FULL_FLOWS: i32 = -109;
/// The table of requests on their way is full.
pub const SANSIP_E_FULL_ATTEMPTS: i32 = -110;
/// The table of response contexts is full.
pub const SANSIP_E_FULL_FORKS: i32 = -111;
/// The table of local identities is full.
pub const SANSIP_E_FULL_LOCALS: i32 = -112;
/// The message would be larger than sansip_limits allows.
pub const SANSIP_E_FULL_MESSAGE: i32 = -113;
/// The memory given, or the system's, does not suffice.
pub const SANSIP_E_FULL_MEMORY: i32 = -114;
/// sansip_config.seed is all zeros: tags and branches could be guessed.
pub const SANSIP_E_ZERO_SEED: i32 = -201;
/// A limit is zero or out of its range.
pub const SANSIP_E_BAD_LIMIT: i32 = -202;
/// The URI cannot be parsed, or its scheme is not one that this function takes.
pub const SANSIP_E_BAD_URI: i32 = -203;
/// A header field holds CR, LF or another control byte, cannot be parsed, or is missing.
pub const SANSIP_E_BAD_HEADER: i32 = -204;
/// The status code is outside the function's range.
pub const SANSIP_E_BAD_STATUS: i32 = -205;
/// The object's state does not allow this.
pub const SANSIP_E_STATE: i32 = -206;
/// The flow is not open, or its number was used before.
pub const SANSIP_E_FLOW: i32 = -207;
/// The local identity has no entry, or its host cannot be used.
pub const SANSIP_E_LOCAL: i32 = -208;
/// The answer is not one for this kind of question.
pub const SANSIP_E_ANSWER: i32 = -209;
/// The bytes to send are no SIP message.
pub const SANSIP_E_NOT_SIP: i32 = -210;
/// The role was left out when the library was built.
pub const SANSIP_E_NOT_BUILT: i32 = -211;
/// The media is not usable: no session description can hold it, it came together with a body, or
/// the call needs some and has none.
pub const SANSIP_E_MEDIA: i32 = -212;
/// The message was ignored: the bytes are no SIP message (RFC 3261 7).
pub const SANSIP_IGNORED_NOT_SIP: i32 = 1;
/// Ignored: a keep-alive (RFC 5626 4.4.1).
pub const SANSIP_IGNORED_KEEPALIVE: i32 = 2;
/// Ignored: a response with a defect that a client drops.
pub const SANSIP_IGNORED_BAD_RESPONSE: i32 = 3;
/// Ignored: an ACK with a defect; an ACK is never answered.
pub const SANSIP_IGNORED_BAD_ACK: i32 = 4;
/// Ignored: a request so defective that no answer could be built or sent.
pub const SANSIP_IGNORED_UNANSWERABLE: i32 = 5;
/// Ignored: a response that matches no transaction.
pub const SANSIP_IGNORED_STRAY_RESPONSE: i32 = 6;
/// Ignored: an ACK that matches neither a transaction nor a dialog.
pub const SANSIP_IGNORED_STRAY_ACK: i32 = 7;
/// Ignored: a response with nowhere to go.
pub const SANSIP_IGNORED_NOWHERE_TO_GO: i32 = 8;
/// Ignored: a repetition that the transaction absorbed.
pub const SANSIP_IGNORED_REPEATED: i32 = 9;
/// Ignored: the answer would exceed what the unproven source has paid for.
pub const SANSIP_IGNORED_UNPAID: i32 = 10;
/// Ignored: out of order in its dialog.
pub const SANSIP_IGNORED_OUT_OF_ORDER: i32 = 11;
/// There is no such header field, defect or request.
pub const SANSIP_NOT_FOUND: i32 = 100;

/// The names of the numbers, and a check that they are the core's.
macro_rules! names {
    ($($name:ident = $is:expr;)*) => {
        const _: () = { $(assert!($name == $is);)* };
        const NAMES: &[(i32, &CStr)] = &[$(($name, zero_ended(concat!(stringify!($name), "\0")))),*];
    };
}

names! {
    SANSIP_OK = 0;
    SANSIP_E_GONE = Error::Gone.code();
    SANSIP_E_LATE = Error::Late.code();
    SANSIP_E_ARGUMENT = -3;
    SANSIP_E_PANIC = -4;
    SANSIP_E_BUFFER = -5;
    SANSIP_E_FULL_OUTPUTS = Error::Full(Limit::Outputs).code();
    SANSIP_E_FULL_BLOCKS = Error::Full(Limit::Blocks).code();
    SANSIP_E_FULL_TRANSACTIONS = Error::Full(Limit::Transactions).code();
    SANSIP_E_FULL_DIALOGS = Error::Full(Limit::Dialogs).code();
    SANSIP_E_FULL_CALLS = Error::Full(Limit::Calls).code();
    SANSIP_E_FULL_LINES = Error::Full(Limit::Lines).code();
    SANSIP_E_FULL_TIMERS = Error::Full(Limit::Timers).code();
    SANSIP_E_FULL_QUERIES = Error::Full(Limit::Queries).code();
    SANSIP_E_FULL_FLOWS = Error::Full(Limit::Flows).code();
    SANSIP_E_FULL_ATTEMPTS = Error::Full(Limit::Attempts).code();
    SANSIP_E_FULL_FORKS = Error::Full(Limit::Forks).code();
    SANSIP_E_FULL_LOCALS = Error::Full(Limit::Locals).code();
    SANSIP_E_FULL_MESSAGE = Error::Full(Limit::MessageBytes).code();
    SANSIP_E_FULL_MEMORY = Error::Full(Limit::Memory).code();
    SANSIP_E_ZERO_SEED = Error::Misuse(Misuse::ZeroSeed).code();
    SANSIP_E_BAD_LIMIT = Error::Misuse(Misuse::BadLimit).code();
    SANSIP_E_BAD_URI = Error::Misuse(Misuse::BadUri).code();
    SANSIP_E_BAD_HEADER = Error::Misuse(Misuse::BadHeader).code();
    SANSIP_E_BAD_STATUS = Error::Misuse(Misuse::BadStatus).code();
    SANSIP_E_STATE = Error::Misuse(Misuse::State).code();
    SANSIP_E_FLOW = Error::Misuse(Misuse::Flow).code();
    SANSIP_E_LOCAL = Error::Misuse(Misuse::Local).code();
    SANSIP_E_ANSWER = Error::Misuse(Misuse::Answer).code();
    SANSIP_E_NOT_SIP = Error::Misuse(Misuse::NotSip).code();
    SANSIP_E_NOT_BUILT = Error::Misuse(Misuse::NotBuilt).code();
    SANSIP_E_MEDIA = Error::Misuse(Misuse::Media).code();
    SANSIP_IGNORED_NOT_SIP = Ignored::NotSip as i32;
    SANSIP_IGNORED_KEEPALIVE = Ignored::KeepAlive as i32;
    SANSIP_IGNORED_BAD_RESPONSE = Ignored::BadResponse as i32;
    SANSIP_IGNORED_BAD_ACK = Ignored::BadAck as i32;
    SANSIP_IGNORED_UNANSWERABLE = Ignored::Unanswerable as i32;
    SANSIP_IGNORED_STRAY_RESPONSE = Ignored::StrayResponse as i32;
    SANSIP_IGNORED_STRAY_ACK = Ignored::StrayAck as i32;
    SANSIP_IGNORED_NOWHERE_TO_GO = Ignored::NowhereToGo as i32;
    SANSIP_IGNORED_REPEATED = Ignored::Repeated as i32;
    SANSIP_IGNORED_UNPAID = Ignored::Unpaid as i32;
    SANSIP_IGNORED_OUT_OF_ORDER = Ignored::OutOfOrder as i32;
    SANSIP_NOT_FOUND = 100;
}

const fn zero_ended(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}

/// The name of a number that a function returned, "SANSIP_E_GONE" for -1; "SANSIP_?" for a number
/// that no function returns. The text lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn sansip_error_name(code: i32) -> *const c_char {
    NAMES.iter().find(|(n, _)| *n == code).map_or(c"SANSIP_?", |(_, name)| name).as_ptr()
}

/// The version of the library, "0.1.0". The text lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn sansip_version() -> *const c_char {
    const VERSION: &CStr = zero_ended(concat!(env!("CARGO_PKG_VERSION"), "\0"));
    VERSION.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(code: i32) -> &'static str {
        // SAFETY: a static text that ends with a zero.
        unsafe { CStr::from_ptr(sansip_error_name(code)) }.to_str().unwrap()
    }

    #[test]
    fn every_number_has_one_name() {
        for (i, (code, text)) in NAMES.iter().enumerate() {
            assert!(NAMES[..i].iter().all(|(other, _)| other != code), "{text:?}");
            assert_eq!(name(*code), text.to_str().unwrap());
        }
        assert_eq!(name(-1), "SANSIP_E_GONE");
        assert_eq!(name(-114), "SANSIP_E_FULL_MEMORY");
        assert_eq!(name(i32::MIN), "SANSIP_?");
    }
}
