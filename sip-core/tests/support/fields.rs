//! Every message that an engine sent, field by field, against what the messages before it say that
//! the field has to be (RFC 3261 8.1.1, 8.2.6, 9.1, 12, 16.6, 16.7, 17.1.1.3).
#![allow(dead_code)]

use crate::message::{Message, param, uri};
use crate::net::Net;

/// A dialog as one of its sides has it.
struct View {
    side: String,
    call_id: String,
    local: String,
    remote: String,
    /// From and To without their tags.
    names: (String, String),
    target: String,
    routes: Vec<String>,
    /// The last CSeq number sent, and that of the last INVITE.
    sent: Option<u32>,
    invite: Option<u32>,
}

struct Rules<'a> {
    net: &'a Net,
    past: Vec<&'a Message>,
    views: Vec<View>,
    wrong: Vec<String>,
}

/// Holds every message against the rules.
#[track_caller]
pub fn check(net: &Net) {
    let wrong = wrong(net);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What of the messages is not as the rules say.
pub fn wrong(net: &Net) -> Vec<String> {
    let messages = Message::all_of(net);
    let mut rules = Rules { net, past: Vec::new(), views: Vec::new(), wrong: Vec::new() };
    for (m, sent) in messages.iter().zip(&net.trace) {
        // A repetition is the same to the byte (RFC 3261 17.1.1.2, 17.2.1).
        let again = net.trace.iter().take(rules.past.len());
        let again = again.into_iter().any(|s| (&s.to, &s.bytes) == (&sent.to, &sent.bytes));
        let ours = net.nodes.iter().any(|n| n.name == m.from);
        if !again && ours {
            rules.own(m);
        }
        if !again {
            rules.learn(m);
        }
        rules.past.push(m);
    }
    rules.wrong
}

fn bare(value: &str) -> &str {
    value.split(";tag=").next().unwrap_or(value)
}

impl<'a> Rules<'a> {
    fn rule(&mut self, m: &Message, holds: bool, clause: &str) {
        if !holds {
            self.wrong.push(format!("{}>{} {}: {clause}", m.from, m.to, m.first));
        }
    }

    fn same(&mut self, m: &Message, other: &Message, names: &[&str], clause: &str) {
        for name in names {
            let (a, b) = (m.all(name), other.all(name));
            if a != b {
                self.wrong.push(format!(
                    "{}>{} {}: {name} is {a:?}, not {b:?}: {clause}",
                    m.from, m.to, m.first
                ));
            }
        }
    }

    fn own(&mut self, m: &'a Message) {
        let length = m.get("Content-Length").parse() == Ok(m.body.len());
        self.rule(m, length, "20.14: Content-Length");
        self.rule(m, m.has("Content-Type") != m.body.is_empty(), "20.15: Content-Type");
        self.rule(m, !m.tag("From").is_empty(), "8.1.1.3: From has a tag");
        self.rule(m, m.get("CSeq").ends_with(&format!(" {}", m.method())), "8.1.1.5: CSeq");
        for name in ["Call-ID", "CSeq", "From", "To", "Content-Length"] {
            self.rule(m, m.all(name).len() == 1, name);
        }
        let proxy = self.net.is_proxy(&m.from);
        if !proxy {
            self.phone(m);
        }
        match (m.is_request(), proxy) {
            (true, false) => self.request(m),
            (true, true) => self.forwarded(m),
            (false, _) => self.response(m, proxy),
        }
    }

    /// What a user agent says of itself.
    fn phone(&mut self, m: &Message) {
        let here = self.net.addr(&m.from);
        let (status, method) = (m.status(), m.method());
        let dialog = match method {
            // RFC 3261 12.1.1, 13.2.1; RFC 3311 5.1; RFC 3515 2.2; RFC 6665 4.1.3
            "INVITE" => status == 0 || (101..300).contains(&status),
            "UPDATE" | "REFER" => status == 0 || (200..300).contains(&status),
            "NOTIFY" => status == 0,
            _ => false,
        };
        if dialog {
            let contact = uri(m.get("Contact"));
            let own = m.all("Contact").len() == 1 && contact.contains(&format!("@{here}"));
            self.rule(m, own, "12.1: one Contact, its own");
        }
        if method == "INVITE" && (m.is_request() || status == 200) {
            let allow = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REFER", "NOTIFY"];
            let all = allow.iter().all(|a| m.all("Allow").contains(a));
            self.rule(m, all, "13.2.1, RFC 5589 6: Allow");
            let all = ["replaces", "tdialog"].iter().all(|a| m.all("Supported").contains(a));
            self.rule(m, all, "13.2.1, RFC 5589 7: Supported");
        }
        if m.is_request() && method == "NOTIFY" {
            let state = m.get("Subscription-State");
            let timed = !state.starts_with("active") || !param(state, "expires").is_empty();
            self.rule(m, timed && m.has("Event"), "RFC 6665 4.1.3: Event, Subscription-State");
            let refer = m.get("Event").starts_with("refer");
            let frag = m.get("Content-Type") == "message/sipfrag;version=2.0";
            self.rule(m, !refer || frag, "RFC 3515 2.4.5: message/sipfrag");
        }
    }

    /// A request of a user agent's own.
    fn request(&mut self, m: &'a Message) {
        let via = m.get("Via");
        let here = self.net.addr(&m.from);
        let own = via.starts_with(&format!("SIP/2.0/UDP {here}:5060;"));
        self.rule(m, own && m.all("Via").len() == 1, "8.1.1.7: one Via, its own");
        self.rule(m, m.branch().starts_with("z9hG4bK"), "8.1.1.7: the cookie");
        self.rule(m, m.get("Max-Forwards") == "70", "8.1.1.6: Max-Forwards");
        self.rule(m, !m.has("Record-Route"), "20.30: of a proxy only");
        let first = self.sent_with(m, m.branch());
        match (m.method(), first) {
            ("CANCEL" | "ACK", Some(invite)) => self.of_invite(m, invite),
            (_, Some(_)) => self.rule(m, false, "8.1.1.7: a branch of its own"),
            _ if m.tag("To").is_empty() => self.begins(m),
            _ => self.in_dialog(m),
        }
    }

    /// The request that this sender sent with this branch.
    fn sent_with(&self, m: &Message, branch: &str) -> Option<&'a Message> {
        let of = |p: &&&Message| {
            p.from == m.from && p.is_request() && p.branch() == branch && p.method() != "CANCEL"
        };
        self.past.iter().find(of).copied()
    }

    /// A CANCEL, or the ACK of a refusal (RFC 3261 9.1, 17.1.1.3).
    fn of_invite(&mut self, m: &Message, invite: &Message) {
        self.rule(m, m.request_uri() == invite.request_uri(), "9.1, 17.1.1.3: Request-URI");
        self.rule(m, m.number() == invite.number(), "9.1, 17.1.1.3: the CSeq number");
        self.rule(
            m,
            m.all("Via").len() == 1 && m.body.is_empty(),
            "9.1, 17.1.1.3: one Via, no body",
        );
        self.rule(m, m.to == invite.to, "9.1, 17.1.1.3: where the INVITE went");
        self.same(m, invite, &["From", "Call-ID", "Route"], "9.1, 17.1.1.3: that of the INVITE");
        if m.method() == "CANCEL" {
            self.same(m, invite, &["To"], "9.1: that of the INVITE");
            return;
        }
        let refused =
            |p: &&&Message| p.to == m.from && p.status() >= 300 && p.branch() == m.branch();
        match self.past.iter().find(refused).copied() {
            Some(refusal) => self.same(m, refusal, &["To"], "17.1.1.3: that of the response"),
            None => self.rule(m, false, "17.1.1.3: nothing to acknowledge"),
        }
    }

    /// A request outside a dialog, for the first time or again (RFC 3261 8.1.3.4, 8.1.3.5).
    fn begins(&mut self, m: &'a Message) {
        let same = |p: &&&Message| {
            let id = p.get("Call-ID") == m.get("Call-ID") && p.tag("From") == m.tag("From");
            p.from == m.from && p.is_request() && id && p.method() == m.method()
        };
        let Some(before) = self.past.iter().rfind(same).copied() else {
            let fresh = |p: &&Message| {
                p.get("Call-ID") == m.get("Call-ID") || p.tag("From") == m.tag("From")
            };
            let fresh = !self.past.iter().any(fresh);
            self.rule(m, fresh, "8.1.1.3, 8.1.1.4: a Call-ID and a tag of its own");
            return;
        };
        // Where nobody answered it is the same request for another address (RFC 3263 4.3).
        let refused = |p: &&Message| p.branch() == before.branch() && p.status() >= 300;
        let next = u32::from(self.past.iter().copied().any(|p| refused(&p)));
        self.rule(m, m.number() == before.number() + next, "8.1.3.5, 22.2: the next CSeq number");
        self.same(m, before, &["From", "To", "Call-ID"], "8.1.3.4, 8.1.3.5: the same");
    }

    fn view(&mut self, side: &str, id: &str, local: &str, remote: &str) -> Option<&mut View> {
        let is = |v: &&mut View| {
            v.side == side && v.call_id == id && v.local == local && v.remote == remote
        };
        self.views.iter_mut().find(is)
    }

    fn in_dialog(&mut self, m: &Message) {
        let (id, from, to) = (m.get("Call-ID"), m.tag("From"), m.tag("To"));
        let Some(view) = self.view(&m.from, id, from, to) else {
            return self.rule(m, false, "12.2.1.1: no such dialog");
        };
        let (target, routes) = (view.target.clone(), view.routes.clone());
        let names = view.names.clone();
        let number = match m.method() {
            "ACK" => m.number() == view.invite.unwrap_or(0),
            method => {
                let next = view.sent.is_none_or(|n| m.number() == n + 1);
                view.sent = Some(m.number());
                if method == "INVITE" {
                    view.invite = view.sent;
                }
                next
            }
        };
        self.rule(m, number, "12.2.1.1, 13.2.2.4: the CSeq number");
        self.rule(m, m.request_uri() == target, "12.2.1.1: the remote target");
        self.rule(m, m.all("Route") == routes, "12.2.1.1: the route set");
        let here = (bare(m.get("From")), bare(m.get("To")));
        self.rule(m, here == (names.0.as_str(), names.1.as_str()), "12.2.1.1: From and To");
        let next = routes.first().map_or(target.as_str(), |r| uri(r));
        let next = self.net.named(host(next)).unwrap_or("?").to_string();
        self.rule(m, m.to == next, "8.1.2: to the first route, or to the target");
    }

    /// A request that a proxy sent (RFC 3261 16.6).
    fn forwarded(&mut self, m: &'a Message) {
        let own = m.get("Via").contains(self.net.addr(&m.from).as_str());
        self.rule(m, own && m.branch().starts_with("z9hG4bK"), "16.6 step 8: its own Via");
        if m.all("Via").len() == 1 {
            match self.sent_with(m, m.branch()) {
                Some(invite) => self.hop_by_hop(m, invite),
                None => self.rule(m, false, "9.1, 17.1.1.3: no INVITE of its own"),
            }
            return;
        }
        let fresh = self.sent_with(m, m.branch()).is_none();
        self.rule(m, fresh, "16.6 step 8: a branch of its own");
        let branches = m.branches();
        let came = |p: &&&Message| {
            p.to == m.from
                && p.is_request()
                && p.method() == m.method()
                && p.branches() == branches[1..]
        };
        let Some(before) = self.past.iter().find(came).copied() else {
            return self.rule(m, false, "16.6: nothing to forward");
        };
        let hops = |m: &Message| m.get("Max-Forwards").parse::<i32>().unwrap_or(-1);
        self.rule(m, hops(m) == hops(before) - 1, "16.6 step 3: Max-Forwards");
        // Max-Breadth: RFC 5393 5.3.3.
        let changed = ["Via", "Max-Forwards", "Max-Breadth", "Route", "Record-Route"];
        let changed = [&changed[..], &["Proxy-Authorization"]].concat();
        let rest = m.but(&changed) == before.but(&changed) && m.body == before.body;
        self.rule(m, rest, "16.6 step 1: all other fields and the body");
        let recorded = m.all("Record-Route");
        let old = before.all("Record-Route");
        let added = recorded.len() - old.len();
        self.rule(m, recorded[added..] == old[..], "16.6 step 4: Record-Route");
        let here = self.net.addr(&m.from);
        let own = recorded[..added].iter().all(|r| r.contains(&here) && r.contains(";lr"));
        self.rule(m, own, "16.6 step 4: its own Record-Route");
        let mut routes = before.all("Route");
        let named = |r: &str| self.net.names.iter().any(|(name, _)| r.contains(name));
        routes.retain(|r| !r.contains(&here) && !named(r));
        self.rule(m, m.all("Route") == routes, "16.4: its own Route is taken away");
        let kept = m.tag("To").is_empty() || m.request_uri() == before.request_uri();
        self.rule(m, kept, "16.5: within a dialog the Request-URI stays");
    }

    /// A proxy's CANCEL, or its ACK of a refusal.
    fn hop_by_hop(&mut self, m: &Message, invite: &Message) {
        self.rule(m, m.request_uri() == invite.request_uri(), "9.1, 17.1.1.3: Request-URI");
        self.rule(m, m.number() == invite.number(), "9.1, 17.1.1.3: the CSeq number");
        self.rule(m, m.to == invite.to, "9.1, 17.1.1.3: where the INVITE went");
        self.same(m, invite, &["From", "Call-ID", "Route"], "9.1, 17.1.1.3: that of the INVITE");
    }

    fn response(&mut self, m: &'a Message, proxy: bool) {
        let asked = |p: &&&Message| {
            p.is_request()
                && p.to == m.from
                && p.from == m.to
                && p.method() == m.method()
                && p.branches() == m.branches()
        };
        let Some(request) = self.past.iter().rfind(asked).copied() else {
            return self.rule(m, false, "8.2.6.2: the Vias of a request");
        };
        self.same(m, request, &["From", "Call-ID", "CSeq"], "8.2.6.2: that of the request");
        let to = bare(m.get("To")) == bare(request.get("To"));
        let kept = request.tag("To").is_empty() || m.tag("To") == request.tag("To");
        self.rule(m, to && kept, "8.2.6.2: the To of the request");
        let tagged = m.status() == 100 || !m.tag("To").is_empty();
        self.rule(m, tagged, "8.2.6.2: a To tag");
        let dialog = m.method() == "INVITE" && (101..300).contains(&m.status());
        if dialog && !proxy && request.tag("To").is_empty() {
            self.same(m, request, &["Record-Route"], "12.1.1: that of the request");
        }
        if proxy {
            let branches = m.branches();
            let relayed = |p: &&&Message| {
                p.to == m.from && p.status() == m.status() && p.branches()[1..] == branches[..]
            };
            match self.past.iter().rfind(relayed).copied() {
                Some(p) => {
                    let rest = m.but(&["Via"]) == p.but(&["Via"]) && m.body == p.body;
                    self.rule(m, rest, "16.7 step 9: all fields but Via");
                }
                // RFC 3261 16.2, 16.7, 16.10; RFC 6228 6
                None => {
                    let own = matches!(m.status(), 100 | 199 | 300..);
                    let own = own || m.method() == "CANCEL";
                    self.rule(m, own, "16.7: nothing to forward");
                }
            }
        }
    }

    /// What the parties of a dialog learn of it.
    fn learn(&mut self, m: &'a Message) {
        let status = m.status();
        let makes = match m.method() {
            "INVITE" => (101..300).contains(&status) && !m.tag("To").is_empty(),
            "REFER" | "SUBSCRIBE" => (200..300).contains(&status),
            _ => false,
        };
        let refreshes = m.is_request() && !m.tag("To").is_empty() && m.has("Contact");
        let ua = |name: &str| !self.net.is_proxy(name);
        if makes {
            if ua(&m.to) {
                self.caller(m);
            }
            if ua(&m.from) {
                self.callee(m);
            }
        } else if refreshes && ua(&m.to) {
            let target = uri(m.get("Contact")).to_string();
            let (id, local, remote) = (m.get("Call-ID"), m.tag("To"), m.tag("From"));
            if let Some(view) = self.view(&m.to, id, local, remote) {
                view.target = target;
            }
        }
    }

    // RFC 3261 12.1.2
    fn caller(&mut self, m: &Message) {
        let target = uri(m.get("Contact")).to_string();
        let (id, local, remote) = (m.get("Call-ID"), m.tag("From"), m.tag("To"));
        let (side, number) = (m.to.clone(), m.number());
        let invite = (m.method() == "INVITE").then_some(number);
        if let Some(view) = self.view(&side, id, local, remote) {
            if !target.is_empty() {
                view.target = target;
            }
            return;
        }
        let routes = m.all("Record-Route").into_iter().rev().map(str::to_string).collect();
        self.views.push(View {
            side,
            call_id: id.into(),
            local: local.into(),
            remote: remote.into(),
            names: (bare(m.get("From")).into(), bare(m.get("To")).into()),
            target,
            routes,
            sent: Some(number),
            invite,
        });
    }

    // RFC 3261 12.1.1
    fn callee(&mut self, m: &Message) {
        let (id, local, remote) = (m.get("Call-ID"), m.tag("To"), m.tag("From"));
        let came = |p: &&&Message| {
            p.is_request()
                && p.to == m.from
                && p.get("Call-ID") == id
                && p.branches() == m.branches()
        };
        let request = self.past.iter().find(came).copied();
        let Some(request) = request.filter(|_| self.view(&m.from, id, local, remote).is_none())
        else {
            return;
        };
        let routes = request.all("Record-Route").into_iter().map(str::to_string).collect();
        self.views.push(View {
            side: m.from.clone(),
            call_id: id.into(),
            local: local.into(),
            remote: remote.into(),
            names: (bare(m.get("To")).into(), bare(m.get("From")).into()),
            target: uri(request.get("Contact")).into(),
            routes,
            sent: None,
            invite: None,
        });
    }
}

/// The host and port of a URI.
fn host(uri: &str) -> &str {
    let behind = uri.rsplit('@').next().unwrap_or(uri);
    let behind = behind.trim_start_matches("sip:");
    let host = behind.split(';').next().unwrap_or(behind);
    host.strip_suffix(":5060").unwrap_or(host)
}
