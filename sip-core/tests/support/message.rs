//! A message as a test reads it.
#![allow(dead_code)]

use crate::net::{Net, Sent};

/// A message that was sent: who sent it to whom, its start line, its header fields and its body.
#[derive(Clone, Debug)]
pub struct Message {
    pub at: u64,
    pub from: String,
    pub to: String,
    pub first: String,
    fields: Vec<(String, String)>,
    pub body: String,
}

/// The values of a list, but for commas within quotes and brackets.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut depth) = (Vec::new(), 0, false, 0);
    for (i, c) in list.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => depth += 1,
            '>' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(list[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts
}

/// The parameter of a value, behind its address; empty where there is none.
pub fn param<'a>(value: &'a str, name: &str) -> &'a str {
    let behind = value.rsplit('>').next().unwrap_or(value);
    let mut params = behind.split(';').skip(1).filter_map(|p| p.split_once('='));
    params.find(|(n, _)| n.trim() == name).map_or("", |(_, v)| v.trim())
}

/// The URI of an address.
pub fn uri(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(""),
        None => value.split(';').next().unwrap_or(value),
    }
}

impl Message {
    pub fn read(net: &Net, sent: &Sent) -> Self {
        let text = String::from_utf8_lossy(&sent.bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines: Vec<String> = Vec::new();
        for line in head.split("\r\n") {
            match lines.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => *last += line,
                _ => lines.push(line.to_string()),
            }
        }
        let pair =
            |l: &String| l.split_once(':').map(|(n, v)| (n.to_string(), v.trim().to_string()));
        Self {
            at: sent.at,
            from: net.name(&sent.from).to_string(),
            to: net.name(&sent.to).to_string(),
            first: lines[0].clone(),
            fields: lines[1..].iter().filter_map(pair).collect(),
            body: body.to_string(),
        }
    }

    /// Everything that was sent.
    pub fn all_of(net: &Net) -> Vec<Self> {
        net.trace.iter().map(|s| Self::read(net, s)).collect()
    }

    pub fn is_request(&self) -> bool {
        !self.first.starts_with("SIP/2.0 ")
    }

    /// 0 for a request.
    pub fn status(&self) -> u16 {
        if self.is_request() { 0 } else { self.first[8..11].parse().unwrap() }
    }

    /// That of the request that a response is for.
    pub fn method(&self) -> &str {
        if self.is_request() {
            self.first.split(' ').next().unwrap()
        } else {
            self.get("CSeq").split(' ').nth(1).unwrap_or("")
        }
    }

    pub fn request_uri(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or("")
    }

    /// `INVITE` or `200 INVITE`.
    pub fn label(&self) -> String {
        match self.status() {
            0 => self.method().to_string(),
            status => format!("{status} {}", self.method()),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(n, _)| n == name)
    }

    /// The first field of this name, or nothing.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    /// All values of a list.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let of = self.fields.iter().filter(|(n, _)| n == name);
        of.flat_map(|(_, v)| split(v)).collect()
    }

    /// The fields but for these, in order.
    pub fn but(&self, names: &[&str]) -> Vec<&(String, String)> {
        self.fields.iter().filter(|(n, _)| !names.contains(&n.as_str())).collect()
    }

    /// The tag of From or To.
    pub fn tag(&self, name: &str) -> &str {
        param(self.get(name), "tag")
    }

    pub fn number(&self) -> u32 {
        self.get("CSeq").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// The branches of the Vias, top first.
    pub fn branches(&self) -> Vec<&str> {
        self.all("Via").into_iter().map(|v| param(v, "branch")).collect()
    }

    pub fn branch(&self) -> &str {
        self.branches().first().copied().unwrap_or("")
    }
}
