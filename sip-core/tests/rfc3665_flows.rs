//! The call flows of RFC 3665 section 3, all of them, between our phones and proxies: each message
//! held field by field against the one of the RFC, and against those before it.

#[path = "support/fields.rs"]
mod fields;
#[path = "support/message.rs"]
mod message;
#[path = "support/net.rs"]
mod net;
#[path = "support/vectors.rs"]
mod vectors;

use std::collections::BTreeMap;

use net::{Net, Sent, config};
use sansip::{
    Algorithm, Answer, Binding, CallHandle, Challenge, Challenged, Extras, Follow, Limits,
    LineConfig, LineHandle, Policy, Roles, Target,
};

const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn sdp() -> Extras<'static> {
    Extras { headers: &[], content_type: "application/sdp", body: SDP, media: None }
}

/// The head of a message, unfolded.
struct Head {
    first: String,
    fields: Vec<(String, String)>,
}

impl Head {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).replace('\r', "");
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines().take_while(|l| !l.is_empty()) {
            match lines.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => *last += line,
                _ => lines.push(line.to_string()),
            }
        }
        let split =
            |l: &String| l.split_once(':').map(|(n, v)| (n.to_string(), v.trim().to_string()));
        Self { first: lines[0].clone(), fields: lines[1..].iter().filter_map(split).collect() }
    }

    fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    /// How many values a field has; none of the fields counted has a comma within a value.
    fn count(&self, name: &str) -> usize {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, v)| v.split(',').count()).sum()
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(n, _)| n == name)
    }

    fn tag(&self, name: &str) -> &str {
        self.get(name).split_once(";tag=").map_or("", |(_, t)| t)
    }
}

/// The user of a URI, and whether it names a person or a phone.
fn who(value: &str) -> String {
    let uri = value.split("sip:").nth(1).unwrap_or("");
    let uri = uri.split(['>', ';', ' ']).next().unwrap_or("");
    let (user, host) = uri.split_once('@').unwrap_or(("", uri));
    let phone = host.starts_with("client.") || host.starts_with(|c: char| c.is_ascii_digit());
    format!("{user} {}", if phone { "phone" } else { "person" })
}

fn user(value: &str) -> String {
    who(value).split(' ').next().unwrap().to_string()
}

/// What a message of the RFC and ours have to have in common.
fn facts(bytes: &[u8]) -> BTreeMap<&'static str, String> {
    let head = Head::read(bytes);
    let mut words = head.first.split(' ');
    let (one, two) = (words.next().unwrap(), words.next().unwrap());
    let request = one != "SIP/2.0";
    let start = if request { format!("{one} {}", who(two)) } else { two.to_string() };
    let present = |name: &str| if head.has(name) { "yes" } else { "no" }.to_string();
    let method = head.get("CSeq").split(' ').nth(1).unwrap_or("").to_string();
    let mut facts = BTreeMap::from([
        ("start line", start),
        ("Via", head.count("Via").to_string()),
        ("Route", head.count("Route").to_string()),
        ("Record-Route", head.count("Record-Route").to_string()),
        ("From", user(head.get("From"))),
        ("To", user(head.get("To"))),
        ("From tag", (!head.tag("From").is_empty()).to_string()),
        ("To tag", (!head.tag("To").is_empty()).to_string()),
        ("CSeq method", method),
        ("Proxy-Authorization", present("Proxy-Authorization")),
        ("Proxy-Authenticate", present("Proxy-Authenticate")),
        ("body", (head.get("Content-Length").parse() != Ok(0)).to_string()),
    ]);
    if request {
        facts.insert("Max-Forwards", head.get("Max-Forwards").to_string());
    }
    if request || two.starts_with('2') || two == "180" {
        facts.insert(
            "Contact",
            if head.has("Contact") { who(head.get("Contact")) } else { "none".into() },
        );
    }
    facts
}

/// A message of the RFC: its number, the parties, and its bytes.
struct Drawn {
    number: usize,
    between: (String, String),
    bytes: Vec<u8>,
}

/// The messages of a section that the RFC shows.
fn drawn(section: &str) -> Option<Vec<Drawn>> {
    let folder = vectors::folder("rfc3665")?;
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let mut all = Vec::new();
    for line in index.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        if columns[1].split(' ').next() != Some(section) {
            continue;
        }
        let (number, label) = columns[2].split_once(' ').unwrap();
        let (from, to) = label.split_once(" -> ").unwrap();
        let names = [
            "Alice",
            "Bob",
            "Proxy 1",
            "Proxy 2",
            "Proxy 3",
            "ALG",
            "Redirect Server",
            "Redirect Proxy",
            "Proxy",
        ];
        let from = names.iter().find(|n| from.ends_with(*n)).unwrap();
        let name = |n: &str| match n {
            "Redirect Proxy" => "Redirect Server".to_string(),
            "Proxy" => "Proxy 3".to_string(),
            "SIP ALG" => "ALG".to_string(),
            n => n.to_string(),
        };
        all.push(Drawn {
            number: number[1..].parse().unwrap(),
            between: (name(from), name(to)),
            bytes: std::fs::read(folder.join(columns[0])).unwrap(),
        });
    }
    assert!(!all.is_empty(), "no section {section}");
    Some(all)
}

/// Phones and proxies in a row; what a proxy does not know it sends to the next.
struct World {
    net: Net,
    lines: Vec<LineHandle>,
    /// A status of ours, and the one that the RFC has in its place.
    answers: Option<(&'static str, &'static str)>,
}

/// The name that two proxies have in section 3.4.
const ONE_NAME: &str = "ss.example.com";

const DOMAINS: [&str; 2] = ["atlanta.example.com", "biloxi.example.com"];

fn answer_all(net: &mut Net) {
    let bob = format!("sip:bob@10.0.0.{}", net.nodes.len());
    for (n, id, locate) in std::mem::take(&mut net.asked) {
        let next = format!("sip:10.0.0.{}:5060", n + 2);
        let binding = Binding {
            uri: &bob,
            q: 1_000,
            expires: 3_600,
            call_id: "x",
            cseq: 1,
            ..Binding::default()
        };
        let target = Target { next_hop: &next, q: 1_000, ..Target::default() };
        let now = net.at();
        let answer = if locate {
            Answer::Located { version: 1, bindings: &[binding] }
        } else {
            Answer::Route(&[target])
        };
        net.engine(n).answer(now, id, answer).unwrap();
    }
}

impl World {
    /// Alice, these proxies, and Bob. Those in `challenge` ask Alice for her password.
    fn new(proxies: &[&'static str], challenge: &[&'static str]) -> Self {
        Self::with(proxies, challenge, true, None)
    }

    fn without_record_route(proxies: &[&'static str]) -> Self {
        Self::with(proxies, &[], false, None)
    }

    /// The same, with the proxy that Alice is told to use.
    fn with(
        proxies: &[&'static str],
        challenge: &[&'static str],
        record_route: bool,
        told: Option<&str>,
    ) -> Self {
        let mut net = Net::new();
        net.on_query = Some(answer_all);
        net.passwords = vec![("alice", "secret")];
        let mut lines = Vec::new();
        let names: Vec<&'static str> =
            ["Alice"].iter().chain(proxies).chain(&["Bob"]).copied().collect();
        for (n, name) in names.iter().enumerate() {
            let proxy = name.starts_with("Proxy") || *name == "ALG";
            let mut c = config(n as u8 + 1);
            // Section 3.5: the ALG alone stays in the path.
            c.record_route = record_route && (proxies.first() != Some(&"ALG") || *name == "ALG");
            c.roles = Roles { ua: !proxy, proxy, registrar: proxy };
            if proxy {
                // The last one knows Bob.
                c.domains = vec![DOMAINS[usize::from(n + 2 == names.len())].into()];
            }
            if told.is_some() {
                c.domains.push(ONE_NAME.into());
            }
            if challenge.contains(name) {
                let methods = Challenged::Calls;
                let realm = format!("ss{n}.example.com");
                // Who is proven may call as itself only: that is in Alice's domain.
                c.domains.push(DOMAINS[0].into());
                let algorithms = vec![Algorithm::Md5];
                c.challenge = Challenge { methods, realm, algorithms, ..c.challenge };
            }
            net.add(name, c, &Limits::TESTER);
            if !proxy {
                if *name == "Redirect Server" {
                    let line =
                        LineConfig { aor: "sip:bob@biloxi.example.com", ..LineConfig::default() };
                    let now = net.at();
                    net.engine(n).add_line(now, line).unwrap();
                    continue;
                }
                let (alice, next) = (n == 0, format!("sip:10.0.0.{}:5060", n.max(2)));
                let next = match told.filter(|_| alice) {
                    Some(told) => told.into(),
                    None if proxies.is_empty() || proxies[0] == "Redirect Server" => String::new(),
                    None => next,
                };
                let aor = if alice {
                    "sip:alice@atlanta.example.com"
                } else {
                    "sip:bob@biloxi.example.com"
                };
                let line = LineConfig { aor, proxy: &next, any: true, ..LineConfig::default() };
                let now = net.at();
                let line = net.engine(n).add_line(now, line).unwrap();
                let policy = Policy { follow: Follow::Follow, ..Policy::default() };
                net.engine(n).set_policy(now, line, policy).unwrap();
                lines.push(line);
            }
        }
        Self { net, lines, answers: None }
    }

    fn bob(&self) -> usize {
        self.net.nodes.len() - 1
    }

    fn dial(&mut self, target: &str, extras: Extras<'_>) -> CallHandle {
        let (now, line) = (self.net.at(), self.lines[0]);
        let call = self.net.engine(0).invite(now, line, target, 0, extras).unwrap();
        self.net.run(50);
        call
    }

    fn ring(&mut self) -> CallHandle {
        let (bob, now) = (self.bob(), self.net.at());
        let call = self.net.call(bob);
        self.net.engine(bob).ring(now, call, 180, Extras::default()).unwrap();
        self.net.run(1_000);
        call
    }

    fn answer(&mut self) -> CallHandle {
        let (bob, now) = (self.bob(), self.net.at());
        let call = self.net.call(bob);
        self.net.engine(bob).answer_call(now, call, sdp()).unwrap();
        self.net.run(1_000);
        call
    }

    fn hangup(&mut self, n: usize, call: CallHandle) {
        let now = self.net.at();
        self.net.engine(n).hangup(now, call).unwrap();
        self.net.run(1_000);
    }

    fn between(&self, s: &Sent) -> (String, String) {
        let name =
            |a| self.net.nodes.iter().find(|n| n.addr == a).map_or("?", |n| n.name).to_string();
        (name(s.from), name(s.to))
    }

    /// Holds what was sent against the section: every message that the RFC shows, in the order of its
    /// two parties, and no others but as many as it leaves out. `except` are the fields that differ.
    fn check(mut self, section: &str, except: &[Except]) {
        fields::check(&self.net);
        self.check_dialog();
        if let Some(drawn) = drawn(section) {
            let mut wrong = Vec::new();
            let mut used = vec![false; self.net.trace.len()];
            for d in &drawn {
                let mut label = net::label(&d.bytes);
                let mut theirs = facts(&d.bytes);
                if let Some((ours, rfcs)) = self.answers {
                    label = label.replace(rfcs, ours);
                    theirs.entry("start line").and_modify(|l| *l = l.replace(rfcs, ours));
                }
                let found = self.net.trace.iter().enumerate().position(|(i, s)| {
                    !used[i] && s.label() == label && self.between(s) == d.between
                });
                let Some(found) = found else {
                    wrong.push(format!("F{} {label}: not sent", d.number));
                    continue;
                };
                used[found] = true;
                let ours = facts(&self.net.trace[found].bytes);
                for (name, value) in &theirs {
                    let excused = except.iter().any(|(of, field, _)| {
                        field == name && (of.is_empty() || of.contains(&d.number))
                    });
                    if ours.get(name) != Some(value) && !excused {
                        wrong.push(format!(
                            "F{} {label}: {name} is {:?}, not {value:?}",
                            d.number,
                            ours.get(name)
                        ));
                    }
                }
            }
            let shown = drawn.iter().map(|d| d.number).max().unwrap();
            if self.net.trace.len() != shown {
                wrong.push(format!(
                    "{} messages, not {shown}:\n{}",
                    self.net.trace.len(),
                    self.net.ladder().join("\n")
                ));
            }
            assert!(wrong.is_empty(), "{section}:\n{}", wrong.join("\n"));
        }
        self.net.finish();
    }

    /// RFC 3261 12, 8.1.1.4: one Call-ID, and one tag of each party, in all messages of a flow.
    fn check_dialog(&self) {
        let heads: Vec<Head> = self.net.trace.iter().map(|s| Head::read(&s.bytes)).collect();
        assert!(heads.iter().all(|h| h.get("Call-ID") == heads[0].get("Call-ID")));
        let mut tags: BTreeMap<String, &str> = BTreeMap::new();
        // A refusal by a proxy has a tag of its own.
        let calm = |h: &&Head| {
            !h.first.starts_with("SIP/2.0 4")
                && !h.first.starts_with("ACK")
                && !h.first.starts_with("SIP/2.0 3")
        };
        for head in heads.iter().filter(calm) {
            for field in ["From", "To"] {
                let tag = head.tag(field);
                if tag.is_empty()
                    || (head.first.contains("200") && head.get("CSeq").contains("CANCEL"))
                {
                    continue;
                }
                let known = tags.entry(user(head.get(field))).or_insert(tag);
                assert_eq!(*known, tag, "{}", head.first);
            }
        }
        let numbers = |m: &str| -> Vec<u32> {
            let of = heads.iter().filter(|h| h.first.starts_with(m));
            of.map(|h| h.get("CSeq").split(' ').next().unwrap().parse().unwrap()).collect()
        };
        // RFC 3261 13.2.2.4, 17.1.1.3: the ACK has the number of its INVITE.
        let invites = numbers("INVITE");
        assert!(numbers("ACK").iter().all(|n| invites.contains(n)));
    }
}

const BOB: &str = "sip:bob@biloxi.example.com";

/// Messages (none: all), a field, and the clause by which ours differs from the RFC's.
type Except = (&'static [usize], &'static str, &'static str);

/// Credentials that no challenge has asked for yet.
const UNASKED: Except = (&[], "Proxy-Authorization", "RFC 3261 22.3: nobody has challenged");

#[test]
fn section_3_1_successful_session_establishment() {
    let mut w = World::new(&[], &[]);
    w.dial("sip:bob@10.0.0.2", sdp());
    w.ring();
    let call = w.answer();
    w.hangup(1, call);
    w.check("3.1", &[(&[1], "start line", "the target is an address: there is no DNS here")]);
}

#[test]
fn section_3_2_session_through_two_proxies() {
    let mut w = World::new(&["Proxy 1", "Proxy 2"], &["Proxy 1"]);
    w.dial(BOB, sdp());
    w.ring();
    let call = w.answer();
    let bob = w.bob();
    w.hangup(bob, call);
    w.check(
        "3.2",
        &[
            (&[3], "Route", "RFC 3261 17.1.1.3: that of the INVITE"),
            (&[15], "Proxy-Authorization", "RFC 3261 13.2.2.4: the credentials of the INVITE"),
        ],
    );
}

#[test]
fn section_3_3_session_with_multiple_proxy_authentication() {
    let mut w = World::new(&["Proxy 1", "Proxy 2"], &["Proxy 1", "Proxy 2"]);
    let call = w.dial(BOB, sdp());
    w.answer();
    let ended = w.net.trace.len();
    w.hangup(0, call);
    w.net.trace.truncate(ended);
    w.check(
        "3.3",
        &[
            (&[3, 10], "Route", "RFC 3261 17.1.1.3: that of the INVITE"),
            (&[8], "Max-Forwards", "RFC 3261 8.1.1.6 has no rule for a hop: as the INVITE went on"),
            (&[11], "Route", "RFC 3261 8.1.3.5: the request is the same but for its credentials"),
            (&[20, 21], "Contact", "RFC 3261 table 2: optional in an ACK"),
        ],
    );
}

// Alice's proxy is a name with two addresses (RFC 3263 4.2), and the first one is out of service. The
// RFC draws another call for the second; by RFC 3263 4.3 it is the same request with another branch.
#[test]
fn section_3_4_successful_session_with_proxy_failure() {
    let told = format!("sip:{ONE_NAME}");
    let mut w = World::with(&["Proxy 1", "Proxy 2"], &["Proxy 2"], true, Some(&told));
    let [first, second] = [1, 2].map(|n| w.net.nodes[n].addr);
    w.net.names = vec![(ONE_NAME, vec![first, second])];
    w.net.drop = Box::new(move |s| s.to == first);
    w.dial(BOB, sdp());
    w.net.run(31_960);
    w.ring();
    let call = w.answer();
    let bob = w.bob();
    w.hangup(bob, call);
    w.check(
        "3.4",
        &[
            (&[8, 10, 11], "Route", "RFC 3261 8.1.2: both proxies have one name"),
            (&[18], "Proxy-Authorization", "RFC 3261 13.2.2.4: the credentials of the INVITE"),
        ],
    );
}

// To SIP the ALG is a proxy; that it moves the media to addresses of its own is the work of a media
// relay, which this is not.
#[test]
fn section_3_5_session_through_a_sip_alg() {
    let mut w = World::new(&["ALG", "Proxy 2"], &[]);
    w.dial(BOB, sdp());
    w.ring();
    let call = w.answer();
    w.hangup(0, call);
    w.check("3.5", &[UNASKED]);
}

#[test]
fn section_3_8_unsuccessful_no_answer() {
    let mut w = World::new(&["Proxy 1", "Proxy 2"], &[]);
    let call = w.dial(BOB, sdp());
    w.ring();
    w.hangup(0, call);
    w.check(
        "3.8",
        &[
            UNASKED,
            (&[10, 12, 14], "To tag", "RFC 3261 8.2.6.2: any response but a 100 has one"),
            (&[11], "start line", "RFC 3261 9.1: the Request-URI of the INVITE"),
            (
                &[11, 13, 16, 18],
                "Max-Forwards",
                "RFC 3261 8.1.1.6 has no rule for a hop: as the INVITE went on",
            ),
            (&[19], "body", "RFC 3261 20.14: ours says its length"),
            (&[20], "Route", "RFC 3261 17.1.1.3: that of the INVITE"),
        ],
    );
}

#[test]
fn section_3_9_unsuccessful_busy() {
    let mut w = World::new(&["Proxy 1", "Proxy 2"], &[]);
    w.dial(BOB, sdp());
    let (bob, now) = (w.bob(), w.net.at());
    let call = w.net.call(bob);
    w.net.engine(bob).reject(now, call, 486, Extras::default()).unwrap();
    w.net.run(1_000);
    w.check(
        "3.9",
        &[
            UNASKED,
            (
                &[7, 9],
                "Max-Forwards",
                "RFC 3261 8.1.1.6 has no rule for a hop: as the INVITE went on",
            ),
            (&[11], "Route", "RFC 3261 17.1.1.3: that of the INVITE"),
        ],
    );
}

#[test]
fn section_3_11_unsuccessful_temporarily_unavailable() {
    let mut w = World::new(&["Proxy 1", "Proxy 2"], &[]);
    w.dial(BOB, sdp());
    let call = w.ring();
    let (bob, now) = (w.bob(), w.net.at());
    w.net.engine(bob).reject(now, call, 480, Extras::default()).unwrap();
    w.net.run(1_000);
    w.check(
        "3.11",
        &[
            UNASKED,
            (
                &[10, 12],
                "Max-Forwards",
                "RFC 3261 8.1.1.6 has no rule for a hop: as the INVITE went on",
            ),
            (&[14], "Route", "RFC 3261 17.1.1.3: that of the INVITE"),
            (&[14], "body", "RFC 3261 17.1.1.3: there is none"),
        ],
    );
}

// RFC 3665 has the proxy answer 480; RFC 3261 16.8 and 17.1.1.2 make it 408.
#[test]
fn section_3_10_unsuccessful_no_response_from_user_agent() {
    let mut w = World::new(&["Proxy 1", "Proxy 2"], &[]);
    let bob = w.net.nodes[w.bob()].addr;
    w.net.drop = Box::new(move |s| s.to == bob);
    w.dial(BOB, sdp());
    w.net.run(33_000);
    w.answers = Some(("408", "480"));
    w.check(
        "3.10",
        &[
            UNASKED,
            (
                &[13],
                "Max-Forwards",
                "RFC 3261 8.1.1.6 has no rule for a hop: as the INVITE went on",
            ),
            (&[15], "Route", "RFC 3261 17.1.1.3: that of the INVITE"),
        ],
    );
}

// The redirect server is a phone that answers for Bob.
#[test]
fn section_3_6_session_via_redirect_and_proxy_servers() {
    let mut w = World::new(&["Redirect Server", "Proxy 3"], &[]);
    w.dial("sip:bob@10.0.0.2", Extras::default());
    let (now, call) = (w.net.at(), w.net.call(1));
    let moved = "sip:bob@10.0.0.3";
    w.net.engine(1).redirect(now, call, 302, moved, Extras::default()).unwrap();
    w.net.run(50);
    w.ring();
    let call = w.answer();
    let bob = w.bob();
    w.hangup(bob, call);
    w.check(
        "3.6",
        &[
            (&[1, 3, 4], "start line", "the targets are addresses: there is no DNS here"),
            (&[11, 12], "body", "Alice was given no media to answer with"),
        ],
    );
}

#[test]
fn section_3_7_session_with_re_invite() {
    let mut w = World::without_record_route(&["Proxy 2"]);
    let call = w.dial(BOB, sdp());
    w.ring();
    let peer = w.answer();
    let (bob, now) = (w.bob(), w.net.at());
    w.net.engine(bob).reinvite(now, peer, sdp()).unwrap();
    w.net.run(10);
    let now = w.net.at();
    w.net.engine(0).answer_call(now, call, sdp()).unwrap();
    w.net.run(1_000);
    w.hangup(0, call);
    w.check("3.7", &[(&[1], "Route", "RFC 3261 8.1.2: the outbound proxy")]);
}
