//! A party that is written out by hand: it sends what it is told to, with the fields of its dialog.
#![allow(dead_code)]

use sansip::Addr;

use crate::message::{Message, uri};
use crate::net::{Net, Sent};

/// One dialog of a stranger's.
pub struct Stranger {
    pub name: &'static str,
    addr: Addr,
    pub call_id: String,
    pub tag: String,
    /// From and To of its requests, without tags.
    names: (String, String),
    remote_tag: String,
    target: String,
    peer: Addr,
    cseq: u32,
}

impl Stranger {
    /// A stranger at 10.0.0.9, who is about to begin a dialog with the phone at `to`.
    pub fn new(net: &mut Net, name: &'static str, to: usize) -> Self {
        let addr = Addr::v4(10, 0, 0, 9, 5060);
        if !net.strangers.iter().any(|(n, _)| *n == name) {
            net.strangers.push((name, addr));
        }
        let n = net.trace.len();
        let node = &net.nodes[to];
        let target = format!("sip:{}@{}", node.name, node.addr.ip);
        Self {
            name,
            addr,
            call_id: format!("{name}-{n}"),
            tag: format!("tag-{name}-{n}"),
            names: (format!("<sip:{name}@10.0.0.9>"), format!("<{target}>")),
            remote_tag: String::new(),
            target,
            peer: node.addr,
            cseq: 0,
        }
    }

    /// The last message that came to it, of this label.
    fn last(&self, net: &Net, label: &str) -> Sent {
        let to = |s: &&Sent| s.to == self.addr && s.label() == label;
        net.trace.iter().rfind(to).unwrap_or_else(|| panic!("no {label}")).clone()
    }

    /// Sends a request in its dialog, with more header fields as whole lines.
    pub fn send(&mut self, net: &mut Net, method: &str, more: &str, sdp: bool) {
        self.cseq += 1;
        self.put(net, method, more, sdp);
    }

    /// Acknowledges a 200.
    pub fn ack(&mut self, net: &mut Net) {
        self.put(net, "ACK", "", false);
    }

    fn put(&mut self, net: &mut Net, method: &str, more: &str, sdp: bool) {
        let Self { name, call_id, tag, names, target, cseq, .. } = self;
        let to = if self.remote_tag.is_empty() {
            String::new()
        } else {
            format!(";tag={}", self.remote_tag)
        };
        let n = net.trace.len();
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{name}{n}\r\n\
             Max-Forwards: 70\r\nFrom: {};tag={tag}\r\nTo: {}{to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:{name}@10.0.0.9>\r\n{more}{}",
            names.0,
            names.1,
            body(if sdp { SDP } else { "" }),
        );
        net.hand(self.addr, self.peer, &text);
        net.run(0);
    }

    /// Answers the last request of this method that came to it.
    pub fn answer(&mut self, net: &mut Net, method: &str, status: &str, more: &str) {
        let request = self.last(net, method);
        let m = Message::read(net, &request);
        let tag = if m.tag("To").is_empty() { format!(";tag={}", self.tag) } else { String::new() };
        let vias: String = m.all("Via").iter().map(|v| format!("Via: {v}\r\n")).collect();
        let routes: String =
            m.all("Record-Route").iter().map(|v| format!("Record-Route: {v}\r\n")).collect();
        let sdp = method == "INVITE" && status.starts_with('2');
        let text = format!(
            "SIP/2.0 {status}\r\n{vias}{routes}From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\n\
             CSeq: {}\r\nContact: <sip:{}@10.0.0.9>\r\n{more}{}",
            m.get("From"),
            m.get("To"),
            m.get("Call-ID"),
            m.get("CSeq"),
            self.name,
            body(if sdp { SDP } else { "" }),
        );
        if m.tag("To").is_empty() && method == "INVITE" {
            // From now on its dialog is this one.
            let half = |v: &str| v.split(";tag=").next().unwrap().to_string();
            self.names = (half(m.get("To")), half(m.get("From")));
            self.call_id = m.get("Call-ID").into();
            self.remote_tag = m.tag("From").into();
            self.target = uri(m.get("Contact")).into();
            self.peer = request.from;
        }
        net.hand(self.addr, request.from, &text);
        net.run(0);
    }

    /// Takes the dialog from the last response that came to it.
    pub fn learn(&mut self, net: &Net, label: &str) {
        let sent = self.last(net, label);
        let m = Message::read(net, &sent);
        self.remote_tag = m.tag("To").into();
        if m.has("Contact") {
            self.target = uri(m.get("Contact")).into();
        }
    }

    /// Sends an INVITE, and ACK once it is answered 200.
    pub fn call(&mut self, net: &mut Net, more: &str) {
        self.send(net, "INVITE", more, true);
    }

    /// `call-id;local-tag=..;remote-tag=..`, as its peer sees the dialog (RFC 4538 7).
    pub fn target_dialog(&self) -> String {
        format!("{};local-tag={};remote-tag={}", self.call_id, self.remote_tag, self.tag)
    }

    /// `call-id;to-tag=..;from-tag=..`, as its peer sees the dialog (RFC 3891 3).
    pub fn replaces(&self) -> String {
        format!("{};to-tag={};from-tag={}", self.call_id, self.remote_tag, self.tag)
    }

    /// The same, as this side sees it.
    pub fn replaces_here(&self) -> String {
        format!("{};to-tag={};from-tag={}", self.call_id, self.tag, self.remote_tag)
    }
}

const SDP: &str = "v=0\r\no=- 9 9 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\na=sendrecv\r\n";

/// The rest of a message, from Content-Length on.
fn body(text: &str) -> String {
    let kind = if text.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{text}", text.len())
}

/// A dialog of two phones as Replaces names it for the side that answers `to` (RFC 3891 3): the
/// dialog is that of the last message with this label.
pub fn replaces(net: &Net, label: &str, to: &str) -> String {
    let at = |s: &&Sent| s.label() == label && [net.name(&s.from), net.name(&s.to)].contains(&to);
    let m = Message::read(net, net.trace.iter().rfind(at).unwrap());
    let mine = if m.is_request() == (m.from == to) { "From" } else { "To" };
    let other = if mine == "From" { "To" } else { "From" };
    format!("{};to-tag={};from-tag={}", m.get("Call-ID"), m.tag(mine), m.tag(other))
}
