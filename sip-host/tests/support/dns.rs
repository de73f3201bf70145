//! A name server on 127.0.0.1 that knows what the test tells it (RFC 1035 4.1).
#![allow(dead_code)]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

pub const A: u16 = 1;
pub const SRV: u16 = 33;
pub const NAPTR: u16 = 35;

/// What it knows: names, kinds and data.
#[derive(Default)]
pub struct Zone(Vec<(String, u16, Vec<u8>)>);

/// A name server that runs.
pub struct NameServer {
    pub at: SocketAddr,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
}

impl NameServer {
    /// The kinds of records that it was asked for of a name and of those under it.
    pub fn asked(&self, name: &str) -> Vec<u16> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(n, _)| n.ends_with(name)).map(|(_, kind)| *kind).collect()
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

impl Zone {
    pub fn a(mut self, name: &str, address: Ipv4Addr) -> Self {
        self.0.push((name.into(), A, address.octets().to_vec()));
        self
    }

    pub fn srv(mut self, name: &str, numbers: [u16; 3], target: &str) -> Self {
        let mut data: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
        data.extend(labels(target));
        self.0.push((name.into(), SRV, data));
        self
    }

    pub fn naptr(mut self, name: &str, order: u16, service: &str, to: &str) -> Self {
        let mut data = [order.to_be_bytes(), 1u16.to_be_bytes()].concat();
        for text in ["s", service, ""] {
            data.push(u8::try_from(text.len()).unwrap());
            data.extend_from_slice(text.as_bytes());
        }
        data.extend(labels(to));
        self.0.push((name.into(), NAPTR, data));
        self
    }

    /// Answers until the test ends.
    pub fn serve(self) -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let notes = asked.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                if let Some((answer, question)) = self.answer(&buffer[..n]) {
                    notes.lock().unwrap().push(question);
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        NameServer { at, asked }
    }

    fn answer(&self, question: &[u8]) -> Option<(Vec<u8>, (String, u16))> {
        let (mut name, mut at) = (String::new(), 12);
        while let length @ 1.. = usize::from(*question.get(at)?) {
            name.push_str(std::str::from_utf8(question.get(at + 1..=at + length)?).ok()?);
            name.push('.');
            at += length + 1;
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let end = at + 5;
        let kind = u16::from_be_bytes(question.get(at + 1..at + 3)?.try_into().ok()?);
        let known = self.0.iter().any(|(n, ..)| *n == name);
        let found: Vec<_> = self.0.iter().filter(|(n, k, _)| *n == name && *k == kind).collect();
        let mut out = question.get(..2)?.to_vec();
        out.extend_from_slice(&[0x84, if known { 0 } else { 3 }, 0, 1, 0]);
        out.push(u8::try_from(found.len()).ok()?);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(question.get(12..end)?);
        for (_, kind, data) in found {
            out.extend_from_slice(&[0xc0, 12]);
            out.extend_from_slice(&kind.to_be_bytes());
            out.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
            out.extend_from_slice(&u16::try_from(data.len()).ok()?.to_be_bytes());
            out.extend_from_slice(data);
        }
        Some((out, (name, kind)))
    }
}
