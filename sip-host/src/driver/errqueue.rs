//! ICMP errors of an unconnected UDP socket: Linux keeps them in a queue of their own, with the
//! address that the datagram was for.

use std::io;
use std::net::SocketAddr;

use sansip::SendEnd;
use tokio::net::UdpSocket;

/// Whether the datagram was larger than the way takes.
#[cfg(target_os = "linux")]
pub(super) fn is_too_large(e: &io::Error) -> bool {
    e.raw_os_error() == Some(nix::libc::EMSGSIZE)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_too_large(_e: &io::Error) -> bool {
    false
}

/// Asks for the queue. Without it (another system) an unreachable peer shows by silence alone.
#[cfg(target_os = "linux")]
pub(super) fn enable(socket: &UdpSocket, v6: bool) {
    use nix::sys::socket::{setsockopt, sockopt};
    // A system without it is no worse off than one that loses the packet.
    let _ = if v6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)
    };
}

/// Takes the oldest error: whom the datagram was for, and why it did not get there.
#[cfg(target_os = "linux")]
pub(super) fn take(socket: &UdpSocket) -> Option<(SocketAddr, SendEnd)> {
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};

    loop {
        let mut payload = [0; 8];
        let mut parts = [IoSliceMut::new(&mut payload)];
        let mut control = nix::cmsg_space!([u8; 128]);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)
                .ok()?;
        let address = message.address.and_then(|a| {
            let v4 = a.as_sockaddr_in().map(|a| SocketAddr::V4((*a).into()));
            v4.or_else(|| a.as_sockaddr_in6().map(|a| SocketAddr::V6((*a).into())))
        });
        let error = message.cmsgs().ok()?.find_map(|c| match c {
            ControlMessageOwned::Ipv4RecvErr(e, _) | ControlMessageOwned::Ipv6RecvErr(e, _) => {
                Some(e)
            }
            _ => None,
        });
        let (Some(address), Some(error)) = (address, error) else { continue };
        // An error of this machine was told to the sender already.
        if error.ee_origin != nix::libc::SO_EE_ORIGIN_LOCAL {
            let too_large = i32::try_from(error.ee_errno) == Ok(nix::libc::EMSGSIZE);
            let why = if too_large { SendEnd::TooLarge } else { SendEnd::Unreachable };
            return Some((address, why));
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn enable(_socket: &UdpSocket, _v6: bool) {}

#[cfg(not(target_os = "linux"))]
pub(super) fn take(_socket: &UdpSocket) -> Option<(SocketAddr, SendEnd)> {
    None
}
