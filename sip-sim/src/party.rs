//! Scripted parties: they send nothing by themselves, but fill in tags, CSeq, branches and routes
//! unless told otherwise.

use std::collections::{BTreeMap, VecDeque};

use sansip::path::{Addr, Transport};

use crate::network::StreamId;
use crate::text::{Message, address, frame, reason, same_name, uri_of};

/// A message that a party got.
#[derive(Clone, Debug)]
pub struct Received {
    /// When.
    pub at: u64,
    /// From where.
    pub from: Addr,
    /// Over which stream, if over one.
    pub stream: Option<StreamId>,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How they read; bytes that are no message have an empty start line.
    pub message: Message,
}

/// What a party knows of one dialog, or of one request outside dialogs.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Its Call-ID.
    pub call_id: String,
    /// The party's tag.
    pub local_tag: String,
    /// The other side's tag, once seen.
    pub remote_tag: Option<String>,
    /// The party's URI, as From or To have it.
    pub local_uri: String,
    /// The other side's.
    pub remote_uri: String,
    /// Where requests in the dialog are addressed to.
    pub target: String,
    /// The route set.
    pub route: Vec<String>,
    /// The last CSeq number that the party used.
    pub cseq: u32,
    /// The last INVITE that the party sent, and where to.
    pub invite: Option<(Message, Way)>,
    /// The last final response to it.
    pub invite_final: Option<Message>,
}

/// Where a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// A datagram to this address.
    Udp(Addr),
    /// Over this stream.
    Stream(StreamId),
}

#[derive(Clone, Debug)]
struct Asked {
    message: Message,
    way: Way,
    tag: String,
    done: bool,
}

/// A scripted party.
#[derive(Clone, Debug)]
pub struct Party {
    name: String,
    /// Its address.
    pub addr: Addr,
    /// The host of its address of record.
    pub domain: String,
    /// Where its requests outside dialogs go; `None` sends them by their Request-URI.
    pub next_hop: Option<Addr>,
    /// The stream that it sends over instead of UDP.
    pub stream: Option<StreamId>,
    /// What it got and the script has not yet looked at.
    pub inbox: VecDeque<Received>,
    legs: Vec<Leg>,
    current: usize,
    asked: Vec<Asked>,
    count: u32,
    partial: BTreeMap<StreamId, Vec<u8>>,
}

impl Party {
    pub(crate) fn new(name: &str, addr: Addr) -> Self {
        Self {
            name: name.to_string(),
            addr,
            domain: "example.com".to_string(),
            next_hop: None,
            stream: None,
            inbox: VecDeque::new(),
            legs: Vec::new(),
            current: 0,
            asked: Vec::new(),
            count: 0,
            partial: BTreeMap::new(),
        }
    }

    /// The legs, oldest first.
    #[must_use]
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    /// The leg of the last message sent or received, or the one chosen by [`Party::choose`].
    #[must_use]
    pub fn leg(&self) -> Option<&Leg> {
        self.legs.get(self.current)
    }

    /// Changes what the party knows of the current leg, to lie about it.
    pub fn leg_mut(&mut self) -> Option<&mut Leg> {
        self.legs.get_mut(self.current)
    }

    /// Makes the leg with this number (from 0) the current one.
    pub fn choose(&mut self, leg: usize) {
        self.current = leg;
    }

    fn fresh(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}{}-{}", self.name, self.count)
    }

    /// A fresh branch.
    pub fn branch(&mut self) -> String {
        self.fresh("z9hG4bK-")
    }

    /// Its Contact.
    #[must_use]
    pub fn contact(&self) -> String {
        let over = if self.stream.is_some() { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{over}>", self.name, self.addr)
    }

    fn via(&mut self) -> String {
        let over = if self.stream.is_some() { Transport::Tcp } else { Transport::Udp };
        let branch = self.branch();
        format!("SIP/2.0/{} {};branch={branch}", over.as_str(), self.addr)
    }

    /// A request outside dialogs, filled in; it opens a new leg.
    pub fn request(&mut self, method: &str, uri: &str) -> Message {
        let leg = Leg {
            call_id: self.fresh("call-"),
            local_tag: self.fresh("tag-"),
            remote_tag: None,
            local_uri: format!("sip:{}@{}", self.name, self.domain),
            remote_uri: uri.to_string(),
            target: uri.to_string(),
            route: Vec::new(),
            cseq: 0,
            invite: None,
            invite_final: None,
        };
        self.legs.push(leg);
        self.current = self.legs.len() - 1;
        self.within(method)
    }

    /// A request in the current leg, filled in with the next CSeq.
    ///
    /// # Panics
    /// Without a leg.
    pub fn within(&mut self, method: &str) -> Message {
        let via = self.via();
        let contact = self.contact();
        let leg = self.legs.get_mut(self.current).expect("the party has no dialog");
        leg.cseq += 1;
        let mut m = Message::new(format!("{method} {} SIP/2.0", leg.target));
        let tag = leg.remote_tag.as_ref().map_or(String::new(), |t| format!(";tag={t}"));
        m.add("Via", via);
        m.add("Max-Forwards", "70");
        for route in &leg.route {
            m.add("Route", route.clone());
        }
        m.add("From", format!("<{}>;tag={}", leg.local_uri, leg.local_tag));
        m.add("To", format!("<{}>{tag}", leg.remote_uri));
        m.add("Call-ID", leg.call_id.clone());
        m.add("CSeq", format!("{} {method}", leg.cseq));
        if matches!(method, "INVITE" | "SUBSCRIBE" | "REFER" | "UPDATE" | "NOTIFY") {
            m.add("Contact", contact);
        }
        m
    }

    /// The ACK for the last final response to the INVITE of the current leg: of the hop for a
    /// refusal (RFC 3261 17.1.1.3), end to end for a 2xx (13.2.2.4).
    ///
    /// # Panics
    /// Without an INVITE that was answered.
    pub fn ack(&mut self) -> Message {
        let leg = self.leg().expect("the party has no dialog").clone();
        let (invite, _) = leg.invite.expect("the party has sent no INVITE");
        let answer = leg.invite_final.expect("the INVITE has no final response");
        let number = invite.cseq().0;
        if answer.status().is_some_and(|s| s < 300) {
            let mut ack = self.within("ACK");
            if let Some(leg) = self.leg_mut() {
                leg.cseq -= 1;
            }
            ack.set("CSeq", format!("{number} ACK"));
            return ack;
        }
        let mut ack = Self::like(&invite, "ACK");
        ack.set("To", answer.header("To").unwrap_or("").to_string());
        ack
    }

    /// The CANCEL of the INVITE of the current leg (RFC 3261 9.1).
    ///
    /// # Panics
    /// Without an INVITE.
    pub fn cancel(&mut self) -> Message {
        let leg = self.leg().expect("the party has no dialog");
        let (invite, _) = leg.invite.as_ref().expect("the party has sent no INVITE");
        Self::like(invite, "CANCEL")
    }

    fn like(invite: &Message, method: &str) -> Message {
        let mut m = Message::new(format!("{method} {} SIP/2.0", invite.uri()));
        m.add("Via", invite.header("Via").unwrap_or("").to_string());
        m.add("Max-Forwards", "70");
        for (name, value) in &invite.headers {
            if ["Route", "From", "To", "Call-ID"].contains(&name.as_str()) {
                m.add(name, value.clone());
            }
        }
        m.add("CSeq", format!("{} {method}", invite.cseq().0));
        m
    }

    /// Whether it has a request of this method (any where it is empty) to answer.
    #[must_use]
    pub fn can_answer(&self, method: &str) -> bool {
        self.asked.iter().any(|a| method.is_empty() || a.message.method() == method)
    }

    /// The response to the newest request of this method (any but ACK where it is empty) that has
    /// no final response yet, else to the newest one; and the way that it came.
    ///
    /// # Panics
    /// Without such a request.
    pub fn response(&mut self, status: u16, method: &str) -> (Message, Way) {
        let fits = |a: &Asked| method.is_empty() || a.message.method() == method;
        let contact = self.contact();
        let asked = &mut self.asked;
        let open = asked.iter().rposition(|a| !a.done && fits(a));
        let at = open.or_else(|| asked.iter().rposition(fits));
        let found = &mut asked[at.expect("the party has no request to answer")];
        found.done |= status >= 200;
        let request = &found.message;
        let mut m = Message::new(format!("SIP/2.0 {status} {}", reason(status)));
        for (name, value) in &request.headers {
            let is = |n: &str| same_name(name, n);
            if is("Via") || is("From") || is("Call-ID") || is("CSeq") {
                m.add(name, value.clone());
            } else if is("To") {
                let tagged = status == 100 || request.tag("To").is_some();
                let tag = if tagged { String::new() } else { format!(";tag={}", found.tag) };
                m.add(name, format!("{value}{tag}"));
            } else if is("Record-Route") && (101..300).contains(&status) {
                m.add(name, value.clone());
            }
        }
        if request.method() == "INVITE" && (101..300).contains(&status) {
            m.add("Contact", contact);
        }
        (m, found.way)
    }

    /// The way of a request: its first Route, the next hop, or the Request-URI.
    #[must_use]
    pub fn way_of(&self, request: &Message) -> Option<Way> {
        if let Some(stream) = self.stream {
            return Some(Way::Stream(stream));
        }
        let by_invite = |leg: &&Leg| {
            let branch = leg.invite.as_ref().and_then(|(i, _)| i.branch());
            branch.is_some() && branch == request.branch()
        };
        if let Some((_, way)) = self.legs.iter().find(by_invite).and_then(|leg| leg.invite.as_ref())
        {
            return Some(*way);
        }
        let route = request.list("Route");
        let in_dialog = request.tag("To").is_some();
        let target = || address(request.uri());
        let to = match route.first() {
            Some(first) => address(uri_of(first)),
            None if in_dialog => target().or(self.next_hop),
            None => self.next_hop.or_else(target),
        };
        to.map(Way::Udp)
    }

    /// Takes note of what goes out.
    pub(crate) fn sent(&mut self, message: &Message, way: Way) {
        let Some(call_id) = message.header("Call-ID") else { return };
        let Some(at) = self.legs.iter().rposition(|l| l.call_id == call_id) else { return };
        self.current = at;
        if message.is_request("INVITE") {
            self.legs[at].invite = Some((message.clone(), way));
            self.legs[at].invite_final = None;
        }
    }

    /// Takes a message in.
    pub(crate) fn receive(&mut self, at: u64, from: Addr, stream: Option<StreamId>, bytes: &[u8]) {
        let message = Message::parse(bytes).unwrap_or_else(|| Message::new(""));
        match message.status() {
            _ if message.start.is_empty() => {}
            Some(status) => self.learn_response(status, &message),
            None => self.learn_request(from, stream, &message),
        }
        self.inbox.push_back(Received { at, from, stream, bytes: bytes.to_vec(), message });
    }

    fn learn_response(&mut self, status: u16, message: &Message) {
        let (call_id, from_tag) = (message.header("Call-ID"), message.tag("From"));
        let fits = |l: &Leg| Some(&*l.call_id) == call_id && Some(&*l.local_tag) == from_tag;
        let Some(at) = self.legs.iter().rposition(fits) else { return };
        self.current = at;
        let leg = &mut self.legs[at];
        let is_invite = message.cseq().1 == "INVITE";
        if is_invite && status >= 200 {
            leg.invite_final = Some(message.clone());
        }
        let makes_dialog = matches!(message.cseq().1, "INVITE" | "SUBSCRIBE" | "REFER");
        let Some(tag) = message.tag("To").filter(|_| makes_dialog && status < 300 && status > 100)
        else {
            return;
        };
        let first = leg.remote_tag.as_deref() != Some(tag);
        if first || (status >= 200 && is_invite) {
            leg.remote_tag = Some(tag.to_string());
            if first {
                // RFC 3261 12.1.2
                leg.route = message.list("Record-Route").into_iter().rev().collect();
            }
        }
        if let Some(contact) = message.contact() {
            leg.target = contact;
        }
    }

    fn learn_request(&mut self, from: Addr, stream: Option<StreamId>, message: &Message) {
        let (call_id, to_tag) = (message.header("Call-ID").unwrap_or(""), message.tag("To"));
        let fits = |l: &Leg| l.call_id == call_id && to_tag.is_none_or(|t| t == l.local_tag);
        let known = self.legs.iter().rposition(fits);
        let at = known.unwrap_or_else(|| {
            let leg = self.leg_of_request(message);
            self.legs.push(leg);
            self.legs.len() - 1
        });
        self.current = at;
        let refreshes = matches!(message.method(), "INVITE" | "UPDATE");
        if let Some(contact) = message.contact().filter(|_| refreshes) {
            self.legs[at].target = contact;
        }
        if message.method() != "ACK" {
            let way = stream.map_or(Way::Udp(from), Way::Stream);
            let tag = self.legs[at].local_tag.clone();
            let repeats = |a: &Asked| {
                a.message.branch() == message.branch() && a.message.method() == message.method()
            };
            if !self.asked.iter().any(repeats) {
                self.asked.push(Asked { message: message.clone(), way, tag, done: false });
            }
            if self.asked.len() > 256 {
                self.asked.remove(0);
            }
        }
    }

    fn leg_of_request(&mut self, message: &Message) -> Leg {
        let uri = |name| uri_of(message.header(name).unwrap_or("")).to_string();
        Leg {
            call_id: message.header("Call-ID").unwrap_or("").to_string(),
            local_tag: self.fresh("tag-"),
            remote_tag: message.tag("From").map(str::to_string),
            local_uri: uri("To"),
            remote_uri: uri("From"),
            target: message.contact().unwrap_or_else(|| uri("From")),
            route: message.list("Record-Route"),
            cseq: 0,
            invite: None,
            invite_final: None,
        }
    }

    /// Takes bytes of a stream in, message by message.
    pub(crate) fn receive_stream(&mut self, at: u64, from: Addr, stream: StreamId, bytes: &[u8]) {
        let mut all = self.partial.remove(&stream).unwrap_or_default();
        all.extend_from_slice(bytes);
        while let Some(skip) = all.iter().position(|b| !b"\r\n".contains(b)) {
            all.drain(..skip);
            let Some(length) = frame(&all) else { break };
            let message: Vec<u8> = all.drain(..length).collect();
            self.receive(at, from, Some(stream), &message);
        }
        self.partial.insert(stream, all);
    }
}
