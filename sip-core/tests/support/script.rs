//! What was sent, a line a message, to be held against the figure of a call flow.
//!
//! `a>b 1 REFER Refer-To=c?Replaces=2 Referred-By=a`: who to whom (`a>p>b` where a proxy sends it on
//! at once); the number of its Call-ID, in the
//! order in which they appeared; the method, or status and method; where a request that begins
//! something goes; and what else of it the flows are about. A phone's address is its name, and a
//! dialog that Replaces, Join or Target-Dialog names right is the number of its Call-ID. That all
//! other fields are what they have to be is for [`fields`](crate::fields) to say.
#![allow(dead_code)]

use crate::message::{Message, param, uri};
use crate::net::Net;

/// The directions of media in a description; `0.0.0.0` for the older hold.
fn direction(body: &str) -> String {
    let all = ["sendonly", "recvonly", "inactive", "sendrecv"];
    let of = |l: &str| {
        let d = l.strip_prefix("a=")?;
        all.contains(&d).then(|| d.to_string())
    };
    let mut found: Vec<String> = body.lines().filter_map(of).collect();
    if found.is_empty() && body.contains("m=") {
        found.push("sendrecv".into());
    }
    if body.contains("c=IN IP4 0.0.0.0") {
        found.push("0.0.0.0".into());
    }
    found.join("+")
}

fn unescape(text: &str) -> String {
    text.replace("%3B", ";").replace("%3D", "=").replace("%40", "@")
}

struct Scribe<'a> {
    net: &'a Net,
    messages: &'a [Message],
    ids: Vec<&'a str>,
}

impl Scribe<'_> {
    /// `c` for `sip:c@10.0.0.3`, `b@example.com` for `sip:b@example.com`.
    fn place(&self, text: &str) -> String {
        let bare = text.trim_start_matches("sip:");
        let (user, host) = bare.split_once('@').unwrap_or(("", bare));
        let rest = host.find([';', '?']).map_or("", |at| &host[at..]);
        let host = &host[..host.len() - rest.len()];
        let name = self.net.named(host.strip_suffix(":5060").unwrap_or(host));
        match name {
            Some(name) if user.is_empty() || user == name => format!("{name}{rest}"),
            Some(name) => format!("{user}@{name}{rest}"),
            None => bare.to_string(),
        }
    }

    /// Who has put this tag into the messages of a Call-ID.
    fn owner(&self, id: &str, tag: &str) -> Option<&str> {
        let put = |m: &&Message| {
            let ours = m.tag(if m.is_request() { "From" } else { "To" });
            m.get("Call-ID") == id && !tag.is_empty() && ours == tag && !self.net.is_proxy(&m.from)
        };
        self.messages.iter().find(put).map(|m| m.from.as_str())
    }

    /// The number of a dialog that is named by its Call-ID and two tags, the first of them that of
    /// the side that gets to see this (RFC 3891 3, RFC 3911 4, RFC 4538 7).
    fn dialog(&self, value: &str, to: &str, (near, far): (&str, &str)) -> String {
        let id = value.split(';').next().unwrap_or("");
        let near = self.owner(id, param(value, near));
        let far = self.owner(id, param(value, far));
        let phone = self.net.nodes.iter().any(|n| n.name == to) && !self.net.is_proxy(to);
        let right = near.is_some() && far.is_some() && near != far && (!phone || near == Some(to));
        match self.ids.iter().position(|i| *i == id).filter(|_| right) {
            Some(n) if value.contains(";early-only") => format!("{};early-only", n + 1),
            Some(n) => (n + 1).to_string(),
            None => format!("unknown({value})"),
        }
    }

    fn refer_to(&self, m: &Message) -> String {
        let text = uri(m.get("Refer-To"));
        let (place, headers) = text.split_once('?').unwrap_or((text, ""));
        let mut out = self.place(place);
        for (i, header) in headers.split('&').filter(|h| !h.is_empty()).enumerate() {
            let (name, value) = header.split_once('=').unwrap_or((header, ""));
            let value = unescape(value);
            let value = match name {
                "Replaces" => {
                    let target = self.place(place);
                    let to = target.split(['@', ';']).next().unwrap_or("").to_string();
                    self.dialog(&value, &to, ("to-tag", "from-tag"))
                }
                _ => value,
            };
            out += &format!("{}{name}={value}", if i == 0 { '?' } else { '&' });
        }
        out
    }

    /// `refer`, or `refer#2` where its id is the number of the second REFER of the dialog.
    fn event(&self, m: &Message) -> String {
        let value = m.get("Event");
        let id = param(value, "id");
        let name = value.split(';').next().unwrap_or("");
        if id.is_empty() {
            return name.to_string();
        }
        let mut refers: Vec<u32> = Vec::new();
        for r in self.messages {
            let same = r.get("Call-ID") == m.get("Call-ID") && r.tag("From") == m.tag("To");
            if r.first.starts_with("REFER") && same && !refers.contains(&r.number()) {
                refers.push(r.number());
            }
        }
        match refers.iter().position(|n| n.to_string() == id) {
            Some(n) => format!("{name}#{}", n + 1),
            None => format!("{name}(id={id})"),
        }
    }

    fn notes(&self, m: &Message) -> Vec<String> {
        let mut notes = Vec::new();
        let begins = m.is_request() && m.tag("To").is_empty() && m.method() != "CANCEL";
        if begins {
            notes.push(self.place(m.request_uri()));
        }
        if m.has("Refer-To") {
            notes.push(format!("Refer-To={}", self.refer_to(m)));
        }
        let pairs = ("to-tag", "from-tag");
        for name in ["Replaces", "Join"] {
            if m.has(name) {
                notes.push(format!("{name}={}", self.dialog(m.get(name), &m.to, pairs)));
            }
        }
        if m.has("Target-Dialog") {
            let named = self.dialog(m.get("Target-Dialog"), &m.to, ("local-tag", "remote-tag"));
            notes.push(format!("Target-Dialog={named}"));
        }
        if m.has("Referred-By") {
            notes.push(format!("Referred-By={}", self.place(uri(m.get("Referred-By")))));
        }
        for name in ["Require", "Unsupported", "Refer-Sub", "Error-Info"] {
            // RFC 4028 9: that of every answer.
            let value: Vec<&str> = m.all(name).into_iter().filter(|v| *v != "timer").collect();
            if m.has(name) && !value.is_empty() {
                notes.push(format!("{name}={}", value.join(",")));
            }
        }
        if (300..400).contains(&m.status()) && m.has("Contact") {
            notes.push(format!("Contact={}", self.place(uri(m.get("Contact")))));
        }
        if m.get("Contact").contains(";isfocus") {
            notes.push("isfocus".into());
        }
        if m.has("Event") {
            notes.push(self.event(m));
        }
        if m.has("Subscription-State") {
            let state = m.get("Subscription-State");
            let reason = param(state, "reason");
            let name = state.split(';').next().unwrap_or("");
            notes.push(if reason.is_empty() { name.into() } else { format!("{name}({reason})") });
        }
        if m.get("Content-Type").starts_with("message/sipfrag") {
            let line = m.body.lines().next().unwrap_or("");
            let status = line.strip_prefix("SIP/2.0 ").unwrap_or(line);
            notes.push(status.split(' ').next().unwrap_or("").into());
        }
        if m.get("Content-Type") == "application/sdp" {
            notes.push(direction(&m.body));
        }
        notes
    }
}

/// Where the proxy sends a message on at once: the first such message, of those not in `taken`.
fn sent_on(messages: &[Message], n: usize, taken: &[usize]) -> Option<usize> {
    let m = &messages[n];
    let (m_branches, request) = (m.branches(), m.is_request());
    let on = |(i, o): &(usize, &Message)| {
        let o_branches = o.branches();
        let hop = match request {
            true => o_branches.get(1..) == Some(&m_branches[..]),
            false => m_branches.get(1..) == Some(&o_branches[..]),
        };
        *i > n
            && !taken.contains(i)
            && o.from == m.to
            && o.at == m.at
            && hop
            && o.label() == m.label()
    };
    messages.iter().enumerate().find(on).map(|(i, _)| i)
}

/// The lines of all that was sent, `skip` messages left out.
pub fn script(net: &Net, skip: usize) -> Vec<String> {
    let messages = Message::all_of(net);
    let mut ids: Vec<&str> = Vec::new();
    for m in &messages {
        if !ids.contains(&m.get("Call-ID")) {
            ids.push(m.get("Call-ID"));
        }
    }
    let scribe = Scribe { net, messages: &messages, ids };
    let (mut lines, mut taken) = (Vec::new(), Vec::new());
    for (n, m) in messages.iter().enumerate().skip(skip) {
        if taken.contains(&n) {
            continue;
        }
        let mut way = format!("{}>{}", m.from, m.to);
        if let Some(on) = sent_on(&messages, n, &taken).filter(|_| net.is_proxy(&m.to)) {
            way = format!("{way}>{}", messages[on].to);
            taken.push(on);
        }
        let id = scribe.ids.iter().position(|i| *i == m.get("Call-ID")).unwrap() + 1;
        let notes: String = scribe.notes(m).iter().map(|n| format!(" {n}")).collect();
        lines.push(format!("{way} {id} {}{notes}", m.label()));
    }
    lines
}

/// Holds the lines of all but the first `skip` messages against these, and all fields of all
/// messages against the rules.
#[track_caller]
pub fn check(net: &Net, skip: usize, drawn: &[&str]) {
    let lines = script(net, skip);
    assert!(lines == drawn, "it went\n{lines:#?}\nnot\n{drawn:#?}");
    crate::fields::check(net);
}
