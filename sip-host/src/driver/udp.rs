//! One UDP socket.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sansip::{Addr, LocalId, SendEnd, SendId};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::io::{Interest, Ready};
use tokio::net::UdpSocket;

use super::errqueue;
use super::recent::Recent;

/// What the system is asked to buffer; it may give less.
const BUFFER: usize = 4 << 20;

/// How many errors of earlier datagrams may stand in the way of one.
const STALE_ERRORS: usize = 16;

type Watch = Pin<Box<dyn Future<Output = io::Result<Ready>> + Send>>;

/// One UDP socket.
pub(super) struct Udp {
    socket: Arc<UdpSocket>,
    pub(super) local: LocalId,
    /// Ready when the error queue has something.
    watch: Watch,
    recent: Recent,
}

fn watch(socket: &Arc<UdpSocket>) -> Watch {
    let socket = Arc::clone(socket);
    Box::pin(async move { socket.ready(Interest::ERROR).await })
}

impl Udp {
    /// Binds a socket; `shared` with the other engines of the service, each of which has its own.
    pub(super) fn bind(
        address: SocketAddr,
        local: LocalId,
        shared: bool,
    ) -> io::Result<(Self, SocketAddr)> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A smaller buffer loses packets earlier, no more.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.set_nonblocking(true)?;
        if shared {
            share(&socket)?;
        }
        socket.bind(&SockAddr::from(address))?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let bound = socket.local_addr()?;
        errqueue::enable(&socket, address.is_ipv6());
        let watch = watch(&socket);
        Ok((Self { socket, local, watch, recent: Recent::new() }, bound))
    }

    /// The next datagram, if one is there.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<(usize, Addr)> {
        for _ in 0..STALE_ERRORS {
            match self.socket.try_recv_from(buffer) {
                Ok((len, from)) => return Some((len, from.into())),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
                // An error of an earlier datagram; the error queue tells of whose.
                Err(_) => {}
            }
        }
        None
    }

    /// Whether datagrams are waiting; if not, the task is woken when one comes.
    pub(super) fn poll_receive(&self, cx: &mut Context<'_>) -> bool {
        matches!(self.socket.poll_recv_ready(cx), Poll::Ready(Ok(())))
    }

    /// Sends one datagram. A full buffer of the system loses it, as the network may.
    pub(super) fn send(
        &mut self,
        now: u64,
        to: Addr,
        bytes: &[u8],
        send: SendId,
    ) -> Result<(), SendEnd> {
        let address = SockAddr::from(to.to_socket());
        let socket = SockRef::from(&*self.socket);
        for _ in 0..STALE_ERRORS {
            match socket.send_to(bytes, &address) {
                Ok(_) => {
                    self.recent.sent(now, self.local, to, send);
                    return Ok(());
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if errqueue::is_too_large(&e) => return Err(SendEnd::TooLarge),
                // The error of an earlier datagram is reported here once; then this one goes.
                Err(_) => {}
            }
        }
        Err(SendEnd::Unreachable)
    }

    /// Takes the errors that came back: the senders of what was not delivered, and why.
    pub(super) fn errors(
        &mut self,
        now: u64,
        cx: &mut Context<'_>,
        out: &mut Vec<(SendId, SendEnd)>,
        lost: &mut Vec<(LocalId, Addr, SendEnd)>,
    ) {
        while self.watch.as_mut().poll(cx).is_ready() {
            let mut senders = Vec::new();
            let _ = self.socket.try_io(Interest::ERROR, || {
                while let Some((address, why)) = errqueue::take(&self.socket) {
                    lost.push((self.local, address.into(), why));
                    self.recent.take(now, self.local, address.into(), &mut senders);
                    out.extend(senders.drain(..).map(|send| (send, why)));
                }
                Err::<(), _>(io::ErrorKind::WouldBlock.into())
            });
            self.watch = watch(&self.socket);
        }
    }

    /// What was sent to an address lately has not arrived: it came to light at another socket of
    /// the same address.
    pub(super) fn lost(
        &mut self,
        now: u64,
        to: Addr,
        why: SendEnd,
        out: &mut Vec<(SendId, SendEnd)>,
    ) {
        let mut senders = Vec::new();
        self.recent.take(now, self.local, to, &mut senders);
        out.extend(senders.drain(..).map(|send| (send, why)));
    }
}

/// Lets other sockets of this process be bound to the same address; the system spreads what comes.
#[cfg(unix)]
pub(super) fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
pub(super) fn share(_socket: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
