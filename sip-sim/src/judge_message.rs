//! What the messages of one call through one proxy owe each other.

use crate::flow::Role;
use crate::text::Message;

/// A message as a program recorded it when it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// When, in milliseconds.
    pub time_ms: u64,
    /// Who sent it.
    pub from: Role,
    /// To whom.
    pub to: Role,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Recorded<'_> {
    /// Whether it is the same message on the same hop.
    #[must_use]
    pub fn is_same(&self, other: &Recorded<'_>) -> bool {
        (self.from, self.to, self.bytes) == (other.from, other.to, other.bytes)
    }
}

pub(crate) struct Seen {
    pub at: usize,
    pub from: Role,
    pub to: Role,
    /// Its call in the plan.
    pub call: Option<usize>,
    pub message: Message,
}

fn is_of(a: &Message, b: &Message) -> bool {
    a.header("Call-ID") == b.header("Call-ID") && a.cseq().0 == b.cseq().0
}

pub(crate) struct Spoken<'a>(pub &'a [Seen]);

impl Spoken<'_> {
    /// The request of this method on a hop, in the transaction of a message.
    fn request(&self, from: Role, to: Role, method: &str, of: &Message) -> Option<&Message> {
        let is = |s: &&Seen| {
            s.from == from && s.to == to && s.message.is_request(method) && is_of(&s.message, of)
        };
        self.0.iter().find(is).map(|s| &s.message)
    }

    /// The same message on its way to the proxy.
    fn before_proxy(&self, s: &Seen) -> Option<&Message> {
        let same = |e: &&Seen| {
            e.to == Role::P
                && e.from != s.to
                && e.message.status() == s.message.status()
                && e.message.cseq() == s.message.cseq()
                && is_of(&e.message, &s.message)
        };
        (s.from == Role::P).then(|| self.0.iter().find(same).map(|e| &e.message))?
    }
}

/// The lines that break a rule, and which.
pub(crate) fn check_messages(
    spoken: &Spoken<'_>,
    redirected: Option<(usize, usize)>,
) -> Vec<(usize, String)> {
    let mut wrong = Vec::new();
    for s in spoken.0 {
        let trouble = [
            check_call_id(spoken, s, redirected),
            check_response(spoken, s),
            check_direction(spoken, s),
            check_hop_request(spoken, s),
            check_forwarded(spoken, s),
        ];
        if let Some(why) = trouble.into_iter().flatten().next() {
            wrong.push((s.at, why));
        }
    }
    // RFC 3515 2.4.7: the last NOTIFY of a transfer ends the subscription.
    let last = spoken.0.iter().rfind(|s| s.message.is_request("NOTIFY"));
    let state = |s: &Seen| s.message.header("Subscription-State").map(str::to_ascii_lowercase);
    if let Some(s) = last.filter(|s| !state(s).is_some_and(|v| v.starts_with("terminated"))) {
        wrong.push((s.at, "the last NOTIFY ends nothing (RFC 3515 2.4.7)".to_string()));
    }
    wrong
}

/// RFC 3261 8.1.1.4
fn check_call_id(
    spoken: &Spoken<'_>,
    s: &Seen,
    redirected: Option<(usize, usize)>,
) -> Option<String> {
    let (call, id) = (s.call?, s.message.header("Call-ID"));
    let first = |call: usize| {
        let found = spoken.0.iter().find(|e| e.call == Some(call));
        found.and_then(|e| e.message.header("Call-ID"))
    };
    if id != first(call) {
        return Some("its Call-ID is another (RFC 3261 8.1.1.4)".to_string());
    }
    let taken = (0..call).any(|c| first(c) == id && redirected != Some((call, c)));
    taken.then(|| "its Call-ID is that of another call (RFC 3261 8.1.1.4)".to_string())
}

/// RFC 3264 6.1: who is sent to alone cannot send.
fn check_direction(spoken: &Spoken<'_>, s: &Seen) -> Option<String> {
    let answered = s.message.direction().filter(|_| s.message.status() == Some(200))?;
    let offer = spoken.request(s.to, s.from, s.message.method(), &s.message)?.direction()?;
    let allowed: &[&str] = match offer {
        "sendonly" => &["recvonly", "inactive"],
        "recvonly" => &["sendonly", "inactive"],
        "inactive" => &["inactive"],
        _ => return None,
    };
    (!allowed.contains(&answered)).then(|| format!("{offer} is answered {answered} (RFC 3264 6.1)"))
}

/// RFC 3261 17.1.3, 8.2.6.2
fn check_response(spoken: &Spoken<'_>, s: &Seen) -> Option<String> {
    let status = s.message.status()?;
    let request = spoken.request(s.to, s.from, s.message.method(), &s.message)?;
    if request.branch() != s.message.branch() {
        return Some("its branch is not the request's (RFC 3261 17.1.3)".to_string());
    }
    if request.cseq() != s.message.cseq() || request.tag("From") != s.message.tag("From") {
        return Some("its CSeq or From is not the request's (RFC 3261 8.2.6.2)".to_string());
    }
    if status > 100 && s.message.tag("To").is_none() {
        return Some("it has no To tag (RFC 3261 8.2.6.2)".to_string());
    }
    let relayed = |e: &Seen| {
        let theirs = e.message.tag("To");
        e.to == Role::P
            && e.message.status() == Some(100)
            && theirs.is_some()
            && theirs == s.message.tag("To")
    };
    (status == 100 && s.from == Role::P && spoken.0.iter().any(relayed))
        .then(|| "the proxy forwarded a 100 (RFC 3261 16.7 step 5)".to_string())
}

/// What ACK and CANCEL owe the INVITE of their hop.
fn check_hop_request(spoken: &Spoken<'_>, s: &Seen) -> Option<String> {
    if s.message.status().is_some() {
        return None;
    }
    let invite = spoken.request(s.from, s.to, "INVITE", &s.message)?;
    let same = invite.branch() == s.message.branch();
    let refused = |e: &Seen| {
        (e.from, e.to) == (s.to, s.from)
            && e.message.method() == "INVITE"
            && is_of(&e.message, &s.message)
            && e.message.status().is_some_and(|s| s >= 300)
    };
    match s.message.method() {
        "CANCEL" if !same => {
            Some("its branch is not the INVITE's of this hop (RFC 3261 9.1)".to_string())
        }
        "ACK" if spoken.0.iter().any(refused) => (!same)
            .then(|| "its branch is not the INVITE's of this hop (RFC 3261 17.1.1.3)".to_string()),
        "ACK" if same => Some(
            "it acknowledges a 2xx in the INVITE's transaction (RFC 3261 13.2.2.4)".to_string(),
        ),
        _ => None,
    }
}

/// What a proxy does to what it forwards.
fn check_forwarded(spoken: &Spoken<'_>, s: &Seen) -> Option<String> {
    let came = spoken.before_proxy(s)?;
    let vias = |m: &Message| m.list("Via").len();
    let forwards = |m: &Message| m.header("Max-Forwards").and_then(|v| v.parse::<u32>().ok());
    if s.message.status().is_some() {
        let removed = vias(&s.message) + 1 == vias(came);
        // A proxy answers CANCEL itself, and makes 100 itself.
        let own = s.message.method() == "CANCEL" || s.message.status() == Some(100);
        return (!own && !removed)
            .then(|| "the proxy's Via is not taken off (RFC 3261 16.7 step 3)".to_string());
    }
    let of_hop = matches!(s.message.method(), "CANCEL")
        || (s.message.method() == "ACK"
            && s.message.branch() == {
                let invite = spoken.request(s.from, s.to, "INVITE", &s.message);
                invite.and_then(Message::branch)
            });
    if of_hop {
        // Made by the proxy for its own hop: one Via, its own.
        return (vias(&s.message) != 1)
            .then(|| "it carries more than the proxy's own Via (RFC 3261 9.1, 17.1.1.3)".into());
    }
    if vias(&s.message) != vias(came) + 1 {
        return Some("the proxy has not added its Via (RFC 3261 16.6 step 8)".to_string());
    }
    let less = forwards(came).and_then(|n| n.checked_sub(1));
    if less.is_some() && forwards(&s.message) != less {
        return Some("its Max-Forwards is not one less (RFC 3261 16.6 step 3)".to_string());
    }
    let invite = s.message.is_request("INVITE");
    (invite && s.message.list("Record-Route").is_empty())
        .then(|| "the proxy has not added Record-Route (RFC 3261 16.6 step 4)".to_string())
}
