//! What both sides share: strings, handles, addresses; and how they are read and written.

use std::ffi::{c_char, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr::null;

use sansip_core::{Addr, FlowId, LocalId, Path, Transport};

use crate::code::{ARGUMENT, Code};

/// Text: not terminated by a zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipStr {
    /// Its first byte; may be NULL if n is 0.
    pub p: *const c_char,
    /// How many bytes.
    pub n: usize,
}

/// Bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipBytes {
    /// The first; may be NULL if n is 0.
    pub p: *const c_void,
    /// How many.
    pub n: usize,
}

/// A line. 0 is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipLine {
    /// The handle's number.
    pub v: u64,
}

/// A call. 0 is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipCall {
    /// The handle's number.
    pub v: u64,
}

/// A question of the engine.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipQuery {
    /// The handle's number.
    pub v: u64,
}

/// A request that waits for its answer. 0 is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipRequest {
    /// The handle's number.
    pub v: u64,
}

/// A connection: your own number, from 1, never used twice in an engine's life. 0 is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipFlow {
    /// The number.
    pub v: u64,
}

/// What was sent, for sansip_send_failed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipSendId {
    /// The number.
    pub v: u64,
}

/// An IP address and a port.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipAddr {
    /// The address in network order; IPv4 in the first four bytes.
    pub ip: [u8; 16],
    /// The scope (interface index) of a link-local IPv6 address, else 0.
    pub scope: u32,
    /// The port, in your machine's byte order.
    pub port: u16,
    /// 4 or 6.
    pub family: u8,
    /// 0.
    pub reserved: u8,
}

/// The way a message came or goes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipPath {
    /// The peer.
    pub remote: SansipAddr,
    /// The connection; 0 for a datagram.
    pub flow: SansipFlow,
    /// The identity at this end: a number given to sansip_set_local.
    pub local: u32,
    /// 0.
    pub reserved: u32,
}

/// UDP.
pub const SANSIP_UDP: u32 = 1;
/// TCP.
pub const SANSIP_TCP: u32 = 2;
/// TLS.
pub const SANSIP_TLS: u32 = 3;
/// WebSocket.
pub const SANSIP_WS: u32 = 4;
/// WebSocket over TLS.
pub const SANSIP_WSS: u32 = 5;

impl SansipStr {
    pub(crate) const NONE: Self = Self { p: null(), n: 0 };

    /// # Safety
    /// `p` points to `n` bytes that do not change while the text is in use.
    pub(crate) unsafe fn text<'a>(self) -> Result<&'a str, Code> {
        // SAFETY: passed on.
        let bytes = unsafe { bytes(self.p.cast(), self.n) }?;
        std::str::from_utf8(bytes).map_err(|_| ARGUMENT)
    }
}

impl SansipBytes {
    pub(crate) const NONE: Self = Self { p: null(), n: 0 };
}

/// The bytes that a caller names. Too many to exist, or some at NULL, is an error.
///
/// # Safety
/// `p` points to `n` bytes that do not change while they are in use.
pub(crate) unsafe fn bytes<'a>(p: *const c_void, n: usize) -> Result<&'a [u8], Code> {
    if n == 0 {
        return Ok(&[]);
    }
    if p.is_null() || isize::try_from(n).is_err() {
        return Err(ARGUMENT);
    }
    // SAFETY: not null, not too long; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(p.cast(), n) })
}

/// Item `i` of a caller's array.
///
/// # Safety
/// `p` points to more than `i` items.
pub(crate) unsafe fn item<T: Copy>(p: *const T, i: usize) -> T {
    // SAFETY: in bounds by the caller's promise; the alignment does not matter.
    unsafe { p.add(i).read_unaligned() }
}

/// Checks a caller's array: its pointer, and that it has at most `max` items.
pub(crate) fn array<T>(p: *const T, n: usize, max: usize) -> Result<usize, Code> {
    if n > max || (n > 0 && p.is_null()) { Err(ARGUMENT) } else { Ok(n) }
}

/// Stores a result where the caller wants it.
///
/// # Safety
/// `out` is null or valid for a write.
pub(crate) unsafe fn store<T>(out: *mut T, value: T) -> Result<(), Code> {
    if out.is_null() {
        return Err(ARGUMENT);
    }
    // SAFETY: by this function's own rule.
    unsafe { out.write_unaligned(value) };
    Ok(())
}

/// A struct of the caller's that begins with its size.
///
/// # Safety
/// `repr(C)`, its first member is a `u32` that holds the size, and all zeros is a value of it.
pub(crate) unsafe trait Sized32: Copy {}

/// No struct is longer; a larger size is a forgotten initialisation.
const SIZE_MAX: usize = 4_096;

/// # Safety
/// `p` is null or points to a `u32`.
unsafe fn size_at<T>(p: *const T) -> Result<usize, Code> {
    if p.is_null() {
        return Err(ARGUMENT);
    }
    // SAFETY: by this function's own rule.
    let size = unsafe { p.cast::<u32>().read_unaligned() } as usize;
    if (size_of::<T>()..=SIZE_MAX).contains(&size) { Ok(size) } else { Err(ARGUMENT) }
}

/// Reads a struct of the caller's.
///
/// # Safety
/// `p` is null or points to as many bytes as the first four of them say.
pub(crate) unsafe fn read<T: Sized32>(p: *const T) -> Result<T, Code> {
    // SAFETY: passed on.
    let size = unsafe { size_at(p) }?;
    // SAFETY: `size` bytes are there.
    let all = unsafe { std::slice::from_raw_parts(p.cast::<u8>(), size) };
    if all.get(size_of::<T>()..).is_some_and(|tail| tail.iter().any(|b| *b != 0)) {
        return Err(ARGUMENT);
    }
    // SAFETY: at least a T is there, and any bytes a caller can write are one: it has integers,
    // pointers and arrays of them alone.
    Ok(unsafe { p.read_unaligned() })
}

/// Fills a struct of the caller's, whose size the caller has set.
///
/// # Safety
/// `p` is null or valid for reads and writes of as many bytes as its first four say.
pub(crate) unsafe fn fill<T: Sized32>(p: *mut T, value: T) -> Result<(), Code> {
    // SAFETY: passed on.
    let size = unsafe { size_at(p) }?;
    // SAFETY: `size` bytes are there, at least a T among them.
    unsafe {
        p.cast::<u8>().write_bytes(0, size);
        p.write_unaligned(value);
        p.cast::<u32>().write_unaligned(size as u32);
    }
    Ok(())
}

/// Text that the engine lends.
pub(crate) fn str_of(text: &[u8]) -> SansipStr {
    SansipStr { p: text.as_ptr().cast(), n: text.len() }
}

/// Bytes that the engine lends.
pub(crate) fn bytes_of(bytes: &[u8]) -> SansipBytes {
    SansipBytes { p: bytes.as_ptr().cast(), n: bytes.len() }
}

pub(crate) fn transport(kind: u32) -> Result<Transport, Code> {
    Ok(match kind {
        SANSIP_UDP => Transport::Udp,
        SANSIP_TCP => Transport::Tcp,
        SANSIP_TLS => Transport::Tls,
        SANSIP_WS => Transport::Ws,
        SANSIP_WSS => Transport::Wss,
        _ => return Err(ARGUMENT),
    })
}

pub(crate) fn local(number: u32) -> Result<LocalId, Code> {
    match u16::try_from(number) {
        Ok(n) if n > 0 => Ok(LocalId(n)),
        _ => Err(ARGUMENT),
    }
}

impl SansipAddr {
    pub(crate) const NONE: Self = Self { ip: [0; 16], scope: 0, port: 0, family: 0, reserved: 0 };

    pub(crate) fn ip(&self) -> Result<IpAddr, Code> {
        match self.family {
            4 => {
                let [a, b, c, d, ..] = self.ip;
                Ok(Ipv4Addr::new(a, b, c, d).into())
            }
            6 => Ok(Ipv6Addr::from(self.ip).into()),
            _ => Err(ARGUMENT),
        }
    }

    pub(crate) fn get(&self) -> Result<Addr, Code> {
        Ok(Addr { scope: self.scope, ..Addr::new(self.ip()?, self.port) })
    }
}

impl From<Addr> for SansipAddr {
    fn from(addr: Addr) -> Self {
        let mut out = Self { scope: addr.scope, port: addr.port, ..Self::NONE };
        match addr.ip {
            IpAddr::V4(v4) => {
                out.family = 4;
                out.ip[..4].copy_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => {
                out.family = 6;
                out.ip = v6.octets();
            }
        }
        out
    }
}

impl SansipFlow {
    pub(crate) fn get(self) -> Result<FlowId, Code> {
        if self.v == 0 { Err(ARGUMENT) } else { Ok(FlowId(self.v)) }
    }
}

impl SansipPath {
    pub(crate) fn get(&self) -> Result<Path, Code> {
        Ok(Path {
            local: local(self.local)?,
            remote: self.remote.get()?,
            flow: (self.flow.v != 0).then_some(FlowId(self.flow.v)),
        })
    }
}

impl From<Path> for SansipPath {
    fn from(path: Path) -> Self {
        Self {
            remote: path.remote.into(),
            flow: SansipFlow { v: path.flow.map_or(0, |f| f.0) },
            local: path.local.0.into(),
            reserved: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Two {
        size: u32,
        n: u32,
    }
    // SAFETY: two integers, the size first.
    unsafe impl Sized32 for Two {}

    #[test]
    fn a_longer_struct_is_taken_if_its_tail_is_zero() {
        // SAFETY: each array is as long as its first number says, or the size is refused.
        unsafe {
            let read = |words: &[u32]| read(words.as_ptr().cast::<Two>()).map(|t| t.n);
            assert_eq!(read(&[8, 5]), Ok(5));
            assert_eq!(read(&[16, 5, 0, 0]), Ok(5));
            assert_eq!(read(&[16, 5, 0, 1]), Err(ARGUMENT));
            assert_eq!(read(&[7, 5]), Err(ARGUMENT));
            assert_eq!(read(&[0, 5]), Err(ARGUMENT));
            assert_eq!(read(&[4_097, 5]), Err(ARGUMENT));
        }
    }

    #[test]
    fn a_longer_struct_is_filled_with_zeros() {
        let mut words = [12, 9, 9, 9];
        // SAFETY: three words are there.
        unsafe { fill(words.as_mut_ptr().cast(), Two { size: 0, n: 5 }) }.unwrap();
        assert_eq!(words, [12, 5, 0, 9]);
    }

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["192.0.2.1:5060", "[2001:db8::1]:5061"] {
            let addr = Addr::from(text.parse::<std::net::SocketAddr>().unwrap());
            assert_eq!(SansipAddr::from(addr).get(), Ok(addr));
        }
        assert_eq!(SansipAddr::NONE.get(), Err(ARGUMENT));
    }
}
