//! Opening connections, and what TLS and WebSocket need before the first message: each is a task
//! of its own, which hands its result back through a channel.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use sansip::{Addr, LocalId, QueryId, Transport};
use tokio::net::TcpSocket;
use tokio::sync::mpsc::UnboundedSender;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::{TlsAcceptor, TlsStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{
    Callback, ErrorResponse, Request, Response,
};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::dns::Finished;
use super::link::{Bytes, Link};
use super::tcp::Opened;
use super::tls::{Tls, sip_names};

/// How long a connection may take to open. The engine's own deadline for a question is longer.
const CONNECT: Duration = Duration::from_secs(15);

/// How long a peer that has connected may take until its first message can be read.
const ACCEPT: Duration = Duration::from_secs(10);

/// The subprotocol of RFC 7118 4.1.
const SUBPROTOCOL: &str = "sip";

const PROTOCOL_FIELD: &str = "Sec-WebSocket-Protocol";

/// The longest SIP message.
const LONGEST: usize = 65_535;

/// A connection that the engine asks for.
pub(super) struct Wanted {
    pub(super) query: QueryId,
    pub(super) to: Addr,
    pub(super) transport: Transport,
    /// The identity at our end.
    pub(super) local: LocalId,
    /// The name that TLS has to verify: the URI's host.
    pub(super) name: String,
}

/// Opens a connection.
pub(super) fn connect(wanted: Wanted, tls: Option<Tls>, results: UnboundedSender<Finished>) {
    tokio::spawn(async move {
        let (query, to, transport) = (wanted.query, wanted.to, wanted.transport.as_str());
        let opened = tokio::time::timeout(CONNECT, open(wanted, tls)).await;
        let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(why) = &opened {
            tracing::info!(%to, transport, %why, "no connection");
        }
        // The driver has ended: nobody waits for it.
        let _ = results.send(Finished::Connect(query, to, opened));
    });
}

async fn open(wanted: Wanted, tls: Option<Tls>) -> io::Result<Opened> {
    let Wanted { to, transport, local, name, .. } = wanted;
    let socket = if to.ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    let stream = socket.connect(to.to_socket()).await?;
    let mut opened = Opened::tcp(stream, transport, local, to, false);
    if transport == Transport::Tls {
        let host = name.trim_matches(['[', ']']);
        let server = match host.parse::<IpAddr>() {
            Ok(ip) => ServerName::from(ip),
            Err(_) if host.is_empty() => ServerName::from(to.ip),
            Err(_) => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
        let Link::Bytes(Bytes::Tcp(stream)) = opened.link else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let stream = tls.connector.connect(server, stream).await?;
        // The name asked for first: it has been verified, as an address too.
        opened.names = vec![name];
        opened.names.extend(names(stream.get_ref().1.peer_certificates()));
        opened.link = Link::Bytes(Bytes::Tls(Box::new(TlsStream::Client(stream))));
    }
    Ok(opened)
}

fn names(chain: Option<&[CertificateDer<'_>]>) -> Vec<String> {
    chain.and_then(|c| c.first()).map(sip_names).unwrap_or_default()
}

/// What a connection that was accepted goes through before its first message.
pub(super) struct Accepting {
    pub(super) tls: Option<TlsAcceptor>,
    /// How many bytes may wait to be written, where it is to be a WebSocket.
    pub(super) ws: Option<usize>,
}

/// Does the handshakes of an accepted connection.
pub(super) fn accept(opened: Opened, how: Accepting, results: UnboundedSender<Finished>) {
    tokio::spawn(async move {
        let (from, transport) = (opened.remote, opened.transport.as_str());
        let shaken = tokio::time::timeout(ACCEPT, shake(opened, how)).await;
        let shaken = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let shaken = shaken
            .inspect_err(|why| tracing::info!(%from, transport, %why, "a handshake has failed"))
            .ok()
            .map(Box::new);
        let _ = results.send(Finished::Accepted(shaken));
    });
}

async fn shake(mut opened: Opened, how: Accepting) -> io::Result<Opened> {
    if let Some(tls) = how.tls
        && let Link::Bytes(Bytes::Tcp(stream)) = opened.link
    {
        let stream = tls.accept(stream).await?;
        opened.names = names(stream.get_ref().1.peer_certificates());
        opened.link = Link::Bytes(Bytes::Tls(Box::new(TlsStream::Server(stream))));
    }
    if let Some(bound) = how.ws
        && let Link::Bytes(bytes) = opened.link
    {
        opened.link = Link::Ws(Box::new(web_socket(bytes, bound).await?));
    }
    Ok(opened)
}

async fn web_socket(bytes: Bytes, bound: usize) -> io::Result<WebSocketStream<Bytes>> {
    let config = WebSocketConfig::default()
        .read_buffer_size(4_096)
        .write_buffer_size(0)
        .max_write_buffer_size(bound)
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST));
    tokio_tungstenite::accept_hdr_async_with_config(bytes, Subprotocol, Some(config))
        .await
        .map_err(io::Error::other)
}

// RFC 7118 4.1: the client must offer "sip", and is told that it is taken.
struct Subprotocol;

impl Callback for Subprotocol {
    fn on_request(
        self,
        request: &Request,
        mut response: Response,
    ) -> Result<Response, ErrorResponse> {
        let offered = request.headers().get_all(PROTOCOL_FIELD).iter().any(|value| {
            let mut list = value.to_str().unwrap_or("").split(',');
            list.any(|one| one.trim().eq_ignore_ascii_case(SUBPROTOCOL))
        });
        if offered {
            let taken = HeaderValue::from_static(SUBPROTOCOL);
            response.headers_mut().insert(PROTOCOL_FIELD, taken);
            return Ok(response);
        }
        let text = "the subprotocol is 'sip' (RFC 7118)".to_owned();
        let mut refusal = ErrorResponse::new(Some(text));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        Err(refusal)
    }
}
