//! What a connection is made of: TCP, TLS over it, or a WebSocket over either.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

/// Bytes that come in order: TCP, or TLS over it.
pub(super) enum Bytes {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! with {
    ($self:ident, $inner:ident => $what:expr) => {
        match $self.get_mut() {
            Self::Tcp($inner) => {
                let $inner = Pin::new($inner);
                $what
            }
            Self::Tls($inner) => {
                let $inner = Pin::new($inner.as_mut());
                $what
            }
        }
    };
}

impl AsyncRead for Bytes {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with!(self, inner => inner.poll_read(cx, buf))
    }
}

impl AsyncWrite for Bytes {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        with!(self, inner => inner.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self, inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self, inner => inner.poll_shutdown(cx))
    }
}

/// A connection.
pub(super) enum Link {
    Bytes(Bytes),
    /// Each of its messages is a SIP message (RFC 7118 5.2).
    Ws(Box<WebSocketStream<Bytes>>),
}

/// What came.
pub(super) enum Got {
    /// So many bytes of a stream; none at its end.
    Bytes(usize),
    /// A whole message of so many bytes.
    Message(usize),
}

impl Link {
    /// What has come, at the beginning of `buffer`; if nothing, the waker of `cx` is woken when
    /// something does.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Got>> {
        match self {
            Self::Bytes(bytes) => {
                let mut buf = ReadBuf::new(buffer);
                ready!(Pin::new(bytes).poll_read(cx, &mut buf))?;
                Poll::Ready(Ok(Got::Bytes(buf.filled().len())))
            }
            Self::Ws(ws) => loop {
                let message = match ready!(Pin::new(ws.as_mut()).poll_next(cx)) {
                    None | Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) => {
                        return Poll::Ready(Ok(Got::Bytes(0)));
                    }
                    Some(Err(e)) => return Poll::Ready(Err(io::Error::other(e))),
                    Some(Ok(message)) => message,
                };
                // RFC 7118 5.2: text or binary, whichever the sender likes.
                let bytes = match &message {
                    Message::Text(text) => text.as_bytes(),
                    Message::Binary(bytes) => bytes,
                    Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                        continue;
                    }
                };
                let Some(place) = buffer.get_mut(..bytes.len()) else {
                    return Poll::Ready(Err(ErrorKind::InvalidData.into()));
                };
                place.copy_from_slice(bytes);
                return Poll::Ready(Ok(Got::Message(bytes.len())));
            },
        }
    }

    /// Takes bytes to write; how many. Of a WebSocket they are a message, taken whole.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Bytes(link) => Pin::new(link).poll_write(cx, bytes),
            Self::Ws(ws) => {
                let message = match std::str::from_utf8(bytes) {
                    Ok(text) => Message::text(text),
                    Err(_) => Message::binary(bytes.to_vec()),
                };
                // It keeps what does not go at once, up to the bound that it was made with.
                Pin::new(ws.as_mut()).start_send(message).map_err(io::Error::other)?;
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    /// Writes what was taken, as far as it goes.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Bytes(link) => Pin::new(link).poll_flush(cx),
            Self::Ws(ws) => Pin::new(ws.as_mut()).poll_flush(cx).map_err(io::Error::other),
        }
    }

    /// Says the last word and shuts our side.
    pub(super) fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Bytes(link) => Pin::new(link).poll_shutdown(cx),
            Self::Ws(ws) => Pin::new(ws.as_mut()).poll_close(cx).map_err(io::Error::other),
        }
    }

    /// Whether what is written to it goes as whole messages.
    pub(super) const fn is_messages(&self) -> bool {
        matches!(self, Self::Ws(_))
    }
}
