//! WebSocket clients of `sansip proxy` (RFC 7118).

mod support;

use std::net::{SocketAddr, TcpStream};

use support::{PATIENCE, Process, headers, status, tcp, udp};
use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client};
use tokio_tungstenite::tungstenite::{Message, WebSocket};

fn proxy() -> (Process, SocketAddr) {
    let args = ["proxy", "--domain", "example.com", "--listen", "udp:127.0.0.1:0"];
    let p = Process::start(&[&args[..], &["--listen", "ws:127.0.0.1:0"]].concat());
    let ws = p.address("ws");
    (p, ws)
}

fn connect(to: SocketAddr, subprotocol: Option<&str>) -> Result<WebSocket<TcpStream>, String> {
    let stream = tcp(to);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("ws://{to}/").into_client_request().unwrap();
    if let Some(name) = subprotocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", name.parse().unwrap());
    }
    let (socket, response) = client(request, stream).map_err(|e| e.to_string())?;
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
    Ok(socket)
}

fn next(socket: &mut WebSocket<TcpStream>) -> String {
    loop {
        match socket.read().expect("a message") {
            Message::Text(text) => return text.to_string(),
            Message::Binary(bytes) => return String::from_utf8(bytes.to_vec()).unwrap(),
            _ => {}
        }
    }
}

fn register(mark: &str) -> String {
    format!(
        "REGISTER sip:example.com SIP/2.0\r\n\
         Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK{mark}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=t{mark}\r\n\
         To: <sip:alice@example.com>\r\nCall-ID: {mark}@tester\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:alice@df7jal23ls0d.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n"
    )
}

// RFC 7118 5: one SIP message a WebSocket message, text or binary.
#[test]
fn a_client_registers_and_is_answered_on_its_connection() {
    let (_p, ws) = proxy();
    let mut socket = connect(ws, Some("sip")).unwrap();
    for (mark, binary) in [("text", false), ("binary", true)] {
        let text = register(mark);
        let message = if binary { Message::binary(text.into_bytes()) } else { Message::text(text) };
        socket.send(message).unwrap();
        let answer = next(&mut socket);
        assert_eq!(status(&answer), 200, "{answer}");
        assert_eq!(headers(&answer, "Call-ID"), [format!("{mark}@tester")]);
    }
}

// RFC 7118 4.1
#[test]
fn who_does_not_speak_sip_is_refused() {
    let (mut p, ws) = proxy();
    for other in [None, Some("chat"), Some("sipx")] {
        let why = connect(ws, other).unwrap_err();
        assert!(why.contains("400"), "{other:?}: {why}");
    }
    assert!(connect(ws, Some("chat, sip")).is_ok());
    assert!(p.is_running());
}

#[test]
fn a_request_of_a_websocket_client_reaches_a_phone_and_its_answer_comes_back() {
    let (p, ws) = proxy();
    let phone = udp();
    let mut socket = connect(ws, Some("sip")).unwrap();
    let to = format!("sip:bob@{}", phone.local_addr().unwrap());
    let message = register("invite").replace("REGISTER sip:example.com", &format!("OPTIONS {to}"));
    socket.send(Message::text(message.replace("1 REGISTER", "1 OPTIONS"))).unwrap();
    let mut buffer = [0; 4_096];
    let (n, from) = phone.recv_from(&mut buffer).unwrap();
    assert_eq!(from, p.udp());
    let request = std::str::from_utf8(&buffer[..n]).unwrap();
    assert!(request.starts_with(&format!("OPTIONS {to} SIP/2.0\r\n")), "{request}");
    let mut answer = String::from("SIP/2.0 200 OK\r\n");
    for line in request.lines().take_while(|l| !l.is_empty()) {
        let name = line.split(':').next().unwrap();
        if ["Via", "From", "To", "Call-ID", "CSeq"].contains(&name) {
            answer.push_str(line);
            answer.push_str(if name == "To" { ";tag=b\r\n" } else { "\r\n" });
        }
    }
    answer.push_str("Content-Length: 0\r\n\r\n");
    phone.send_to(answer.as_bytes(), from).unwrap();
    let answer = next(&mut socket);
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(headers(&answer, "Via").len(), 1, "{answer}");
}
