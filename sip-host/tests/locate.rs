//! RFC 3263: where a name leads, by NAPTR, SRV and addresses, of a proxy and a name server.

#[path = "support/dns.rs"]
mod dns;
mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use dns::{A, NAPTR, NameServer, SRV, Zone};
use support::{PATIENCE, Process, headers, receive, request, udp};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn proxy(server: &NameServer, listens: &[&str]) -> Process {
    let at = server.at.to_string();
    let listens: Vec<&str> = listens.iter().flat_map(|l| ["--listen", l]).collect();
    Process::start(&[&["proxy", "--dns", &at][..], &listens].concat())
}

const BOTH: [&str; 2] = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"];

/// Sends a request for this URI through the proxy; who sends it.
fn ask(p: &Process, uri: &str, mark: &str) -> UdpSocket {
    let socket = udp();
    let own = socket.local_addr().unwrap();
    let message = request("OPTIONS", uri, "UDP", own, mark);
    socket.send_to(message.as_bytes(), p.udp()).unwrap();
    socket
}

fn port(at: SocketAddr) -> u16 {
    at.port()
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The request that comes on the next connection; it is answered with 200.
fn served(listener: &TcpListener) -> String {
    listener.set_nonblocking(true).unwrap();
    let end = std::time::Instant::now() + PATIENCE;
    let (mut stream, _) = loop {
        match listener.accept() {
            Ok(accepted) => break accepted,
            Err(why) => assert!(std::time::Instant::now() < end, "nobody connects: {why}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains("\r\n\r\n") {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "it ends after {text}");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        for value in headers(&text, name) {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    answer.push_str("Content-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    text
}

/// Of TCP and UDP the domain prefers TCP; its first server is down, and the second takes it.
#[test]
fn naptr_chooses_the_transport_and_srv_the_server_and_the_next_when_one_is_down() {
    let (listener, live) = listener();
    let dead = {
        let (gone, port) = self::listener();
        drop(gone);
        port
    };
    let server = Zone::default()
        .naptr("served.test", 20, "SIP+D2U", "_sip._udp.served.test")
        .naptr("served.test", 10, "SIP+D2T", "_sip._tcp.served.test")
        .srv("_sip._tcp.served.test", [1, 0, dead], "down.served.test")
        .srv("_sip._tcp.served.test", [2, 0, live], "up.served.test")
        .srv("_sip._udp.served.test", [1, 0, 9], "up.served.test")
        .a("down.served.test", HERE)
        .a("up.served.test", HERE)
        .serve();
    let p = proxy(&server, &BOTH);
    let caller = ask(&p, "sip:b@served.test", "naptr");
    let came = served(&listener);
    assert!(came.starts_with("OPTIONS sip:b@served.test SIP/2.0"), "{came}");
    assert!(headers(&came, "Via")[0].starts_with("SIP/2.0/TCP"), "{came}");
    assert!(receive(&caller).starts_with("SIP/2.0 200"));
}

#[test]
fn a_transport_leaves_naptr_out_and_a_port_srv_too() {
    let (by_srv, by_port, by_address) = (udp(), udp(), udp());
    let at = |socket: &UdpSocket| port(socket.local_addr().unwrap());
    let server = Zone::default()
        .naptr("one.test", 10, "SIP+D2T", "_sip._tcp.one.test")
        .srv("_sip._udp.one.test", [1, 0, at(&by_srv)], "host.one.test")
        .a("host.one.test", HERE)
        .a("two.test", HERE)
        .serve();
    let p = proxy(&server, &BOTH);
    ask(&p, "sip:b@one.test;transport=udp", "transport");
    assert!(receive(&by_srv).starts_with("OPTIONS sip:b@one.test;transport=udp "));
    assert!(server.asked("one.test").contains(&SRV));
    assert!(!server.asked("one.test").contains(&NAPTR), "{:?}", server.asked("one.test"));

    ask(&p, &format!("sip:b@two.test:{}", at(&by_port)), "port");
    assert!(receive(&by_port).starts_with("OPTIONS sip:b@two.test:"));
    let asked = server.asked("two.test");
    assert!(asked.contains(&A) && !asked.contains(&SRV) && !asked.contains(&NAPTR), "{asked:?}");

    ask(&p, &format!("sip:b@127.0.0.1:{}", at(&by_address)), "numeric");
    assert!(receive(&by_address).starts_with("OPTIONS sip:b@127.0.0.1:"));
    assert!(server.asked("127.0.0.1").is_empty(), "an address is not asked for");
}

/// NAPTR of what the proxy does not speak counts as none, and SRV of what it speaks is found all
/// the same.
#[test]
fn without_naptr_srv_is_asked_for_each_transport_that_there_is() {
    let callee = udp();
    let server = Zone::default()
        .naptr("odd.test", 1, "SIPS+D2T", "_sips._tcp.odd.test")
        .srv("_sip._udp.odd.test", [1, 0, port(callee.local_addr().unwrap())], "host.odd.test")
        .a("host.odd.test", HERE)
        .serve();
    let p = proxy(&server, &["udp:127.0.0.1:0"]);
    ask(&p, "sip:b@odd.test", "odd");
    assert!(receive(&callee).starts_with("OPTIONS sip:b@odd.test "));
    let secure = server.asked("_sips._tcp.odd.test");
    assert!(secure.is_empty(), "a transport that there is not: {secure:?}");
    assert!(server.asked("_sip._tcp.odd.test").is_empty());
}

/// A name with an address alone is tried at the usual port.
#[test]
fn without_records_of_services_the_addresses_count() {
    let own = Ipv4Addr::new(127, 0, 7, 1);
    let callee = UdpSocket::bind((own, 5060)).unwrap();
    callee.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = Zone::default().a("plain.test", own).serve();
    let p = proxy(&server, &BOTH);
    ask(&p, "sip:b@plain.test", "plain");
    assert!(receive(&callee).starts_with("OPTIONS sip:b@plain.test "));
    let asked = server.asked("plain.test");
    assert!(asked.contains(&NAPTR) && asked.contains(&SRV), "{asked:?}");
}

// RFC 2782: the root says that there is no such service.
#[test]
fn a_service_that_is_not_there_is_not_looked_for_elsewhere() {
    let server = Zone::default()
        .srv("_sip._udp.none.test", [1, 0, 0], ".")
        .a("none.test", Ipv4Addr::new(127, 0, 7, 2))
        .serve();
    let p = proxy(&server, &["udp:127.0.0.1:0"]);
    let caller = ask(&p, "sip:b@none.test", "none");
    let answer = receive(&caller);
    let status = support::status(&answer);
    assert!((400..600).contains(&status), "{answer}");
    assert!(!server.asked("none.test").contains(&A), "{:?}", server.asked("none.test"));
}
