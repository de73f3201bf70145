//! Challenges of ours: the registrar and the proxy (RFC 3261 22, 10.3, 16.3; RFC 7616, RFC 8760).

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use net::LOCAL;
use peer::Out;
use sansip::auth::{Proof, Protection, Qop, Secret, ha1};
use sansip::header::Value as _;
use sansip::header::auth::Challenge as Asked;
use sansip::wire::Span;
use sansip::{
    Addr, Algorithm, Answer, Challenge, Challenged, Config, Engine, Error, Instant, Limits, Local,
    Misuse, Output, Path, Query, QueryId, Transport,
};

const CLIENT: Addr = Addr::v4(10, 0, 0, 7, 5060);
const ALL: [Algorithm; 3] = [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];

fn config(methods: Challenged) -> Config {
    let mut config = net::config(21);
    config.domains = vec!["example.com".into(), "other.example".into()];
    config.challenge = Challenge {
        methods,
        realm: "example.com".into(),
        algorithms: ALL.into(),
        ..config.challenge
    };
    config
}

/// What the engine wants to know.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Question {
    /// Algorithm and user.
    Secret(String),
    Locate(String),
    Route(String),
}

struct Server {
    engine: Engine,
    now: u64,
    sent: Vec<Out>,
    asked: Vec<(QueryId, Question)>,
    branch: u32,
}

impl Server {
    fn with(config: Config, limits: &Limits) -> Self {
        let mut engine = Engine::new(config, limits).unwrap();
        let bound = Addr::v4(10, 0, 0, 1, 5060);
        let local =
            Local { transport: Transport::Udp, bound, host: "10.0.0.1", port: 5060, network: 0 };
        engine.set_local(Instant(0), LOCAL, local).unwrap();
        Self { engine, now: 0, sent: Vec::new(), asked: Vec::new(), branch: 0 }
    }

    fn new(methods: Challenged) -> Self {
        Self::with(config(methods), &Limits::TESTER)
    }

    fn drain(&mut self) -> Vec<Out> {
        let mut fresh = Vec::new();
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit(t) => fresh.push(Out {
                    to: t.path.remote,
                    text: String::from_utf8_lossy(t.bytes).into_owned(),
                }),
                Output::Query(id, query) => {
                    let question = match query {
                        Query::Credentials { line, realm, algorithm, user } => {
                            assert_eq!((line, realm), (None, "example.com"));
                            Question::Secret(format!("{} {user}", algorithm.name()))
                        }
                        Query::Locate { aor, .. } => Question::Locate(aor.into()),
                        Query::Route { uri, .. } => Question::Route(uri.into()),
                        other => panic!("{other:?}"),
                    };
                    self.asked.push((id, question));
                }
                Output::Forget(_) | Output::Event(..) => {}
                other => panic!("{other:?}"),
            }
        }
        self.sent.extend(fresh.clone());
        fresh
    }

    /// A request with these fields; what comes back at once.
    fn ask_from(&mut self, from: Addr, r: &Request<'_>) -> Vec<Out> {
        self.branch += 1;
        let text = r.text(self.branch);
        let path = Path { local: LOCAL, remote: from, flow: None };
        self.engine.receive(Instant(self.now), path, text.as_bytes()).unwrap();
        self.drain()
    }

    fn ask(&mut self, r: &Request<'_>) -> Vec<Out> {
        self.ask_from(CLIENT, r)
    }

    /// Answers the open question.
    fn tell(&mut self, answer: Answer<'_>) -> Vec<Out> {
        let (id, _) = self.asked.pop().expect("a question");
        self.engine.answer(Instant(self.now), id, answer).unwrap();
        self.drain()
    }

    fn question(&self) -> &Question {
        assert_eq!(self.asked.len(), 1, "{:?}", self.asked);
        &self.asked[0].1
    }
}

/// A request of the client.
#[derive(Clone, Copy)]
struct Request<'a> {
    method: &'a str,
    uri: &'a str,
    from: &'a str,
    to: &'a str,
    more: &'a str,
    body: &'a str,
}

const REGISTER: Request<'_> = Request {
    method: "REGISTER",
    uri: "sip:example.com",
    from: "<sip:bob@example.com>;tag=f",
    to: "<sip:bob@example.com>",
    more: "",
    body: "",
};

const INVITE: Request<'_> = Request {
    method: "INVITE",
    uri: "sip:al@example.com",
    from: "<sip:bob@example.com>;tag=f",
    to: "<sip:al@example.com>",
    more: "",
    body: "v=0\r\n",
};

impl Request<'_> {
    fn text(&self, n: u32) -> String {
        let Self { method, uri, from, to, more, body } = self;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK{n};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: c{n}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:bob@10.0.0.7>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// The challenges of a response: algorithm, nonce, whether stale.
fn challenges(out: &Out) -> Vec<(Algorithm, String, bool)> {
    let fields = [out.all("WWW-Authenticate"), out.all("Proxy-Authenticate")].concat();
    let each = |value: &str| {
        let bytes = value.as_bytes();
        let c = Asked::parse(bytes, Span::new(0, bytes.len())).unwrap();
        assert_eq!(c.realm.unwrap().of(bytes), b"example.com");
        assert_eq!(c.qop.unwrap().of(bytes), b"auth");
        let nonce = String::from_utf8(c.nonce.unwrap().of(bytes).to_vec()).unwrap();
        (Algorithm::of(bytes, c.algorithm), nonce, c.stale == Some(true))
    };
    fields.into_iter().map(each).collect()
}

/// What a user answers a challenge with.
#[derive(Clone, Copy)]
struct User<'a> {
    name: &'a str,
    realm: &'a str,
    password: &'a str,
    algorithm: Algorithm,
    qop: Option<Qop>,
    nc: &'a str,
}

const BOB: User<'_> = User {
    name: "bob",
    realm: "example.com",
    password: "zanzibar",
    algorithm: Algorithm::Sha256,
    qop: Some(Qop::Auth),
    nc: "00000001",
};

impl User<'_> {
    /// The field for a request.
    fn proves(&self, r: &Request<'_>, nonce: &str) -> String {
        let proof = Proof {
            algorithm: self.algorithm,
            username: self.name.as_bytes(),
            realm: self.realm.as_bytes(),
            nonce: nonce.as_bytes(),
            opaque: None,
            protection: self.qop.map(|qop| Protection {
                qop,
                cnonce: b"cn",
                nc: self.nc.as_bytes(),
            }),
            method: r.method.as_bytes(),
            uri: r.uri.as_bytes(),
            body: r.body.as_bytes(),
        };
        let secret = Secret::Password(self.password.as_bytes());
        let hash = ha1(self.algorithm, proof.username, proof.realm, &secret).unwrap();
        let mut room = [0; 600];
        let len = proof.write_to(&hash, &mut room).unwrap();
        let name = if r.method == "REGISTER" { "Authorization" } else { "Proxy-Authorization" };
        format!("{name}: {}\r\n", std::str::from_utf8(&room[..len]).unwrap())
    }
}

/// A nonce from a challenge of the server's.
fn nonce(s: &mut Server, r: &Request<'_>) -> String {
    let out = s.ask(r).remove(0);
    challenges(&out)[0].1.clone()
}

// RFC 8760 2.3
#[test]
fn a_challenge_offers_every_algorithm_the_strongest_first() {
    let mut s = Server::new(Challenged::Calls);
    for (r, status) in [(REGISTER, "401 Unauthorized"), (INVITE, "407 Proxy")] {
        let out = s.ask(&r).remove(0);
        assert!(out.first_line().starts_with(&format!("SIP/2.0 {status}")), "{out:?}");
        let got = challenges(&out);
        assert_eq!(got.iter().map(|c| c.0).collect::<Vec<_>>(), ALL);
        assert!(got.iter().all(|c| !c.2));
        assert!(out.all("WWW-Authenticate").is_empty() || out.all("Proxy-Authenticate").is_empty());
    }
    let stats = s.engine.stats();
    assert_eq!(stats.transactions + stats.forks + stats.queries, 0, "nothing is kept");
    let (a, b) = (nonce(&mut s, &REGISTER), nonce(&mut s, &REGISTER));
    assert_ne!(a, b);
}

#[test]
fn who_is_proven_registers_and_calls_by_every_algorithm() {
    for algorithm in ALL {
        for by_hash in [false, true] {
            for r in [REGISTER, INVITE] {
                let mut s = Server::new(Challenged::Calls);
                let nonce = nonce(&mut s, &r);
                let bob = User { algorithm, ..BOB };
                let more = bob.proves(&r, &nonce);
                assert!(s.ask(&Request { more: &more, ..r }).is_empty());
                assert_eq!(*s.question(), Question::Secret(format!("{} bob", algorithm.name())));
                let secret = Secret::Password(b"zanzibar");
                let hash = ha1(algorithm, b"bob", b"example.com", &secret).unwrap();
                let digits = std::str::from_utf8(hash.as_bytes()).unwrap();
                s.tell(if by_hash { Answer::Ha1(digits) } else { Answer::Password("zanzibar") });
                let aor =
                    if r.method == "INVITE" { "sip:al@example.com" } else { "sip:bob@example.com" };
                assert_eq!(*s.question(), Question::Locate(aor.into()));
            }
        }
    }
}

#[test]
fn a_request_that_comes_with_a_route_is_proven_too() {
    let mut s = Server::new(Challenged::All);
    let route = "Route: <sip:10.0.0.1;lr>, <sip:10.0.0.8;lr>\r\n";
    let bye = Request { method: "BYE", uri: "sip:al@10.0.0.9", to: "<sip:al@x>;tag=t", ..INVITE };
    let nonce = nonce(&mut s, &Request { more: route, ..bye });
    let more = format!("{route}{}", BOB.proves(&bye, &nonce));
    s.ask(&Request { more: &more, ..bye });
    let out = s.tell(Answer::Password("zanzibar")).remove(0);
    assert_eq!(
        (out.first_line(), out.to),
        ("BYE sip:al@10.0.0.9 SIP/2.0", Addr::v4(10, 0, 0, 8, 5060))
    );
    assert!(out.all("Proxy-Authorization").is_empty());
}

// S21
#[test]
fn an_unknown_user_and_a_wrong_password_look_the_same() {
    for r in [REGISTER, INVITE] {
        let mut texts = Vec::new();
        for (user, answer) in [
            (User { password: "wrong", ..BOB }, Answer::Password("zanzibar")),
            (User { password: "wrong", ..BOB }, Answer::NotFound),
            (BOB, Answer::NotFound),
            (BOB, Answer::Ha1("939e7578ed9e3c518a452acee763bce9")),
        ] {
            let mut s = Server::new(Challenged::Calls);
            let nonce = nonce(&mut s, &r);
            s.ask(&Request { more: &user.proves(&r, &nonce), ..r });
            let out = s.tell(answer);
            assert_eq!(out.len(), 1);
            let mut text = out[0].text.clone();
            for (_, fresh, stale) in challenges(&out[0]) {
                assert!(!stale && fresh != nonce);
                text = text.replace(&fresh, "N");
            }
            texts.push(text);
        }
        assert!(texts.windows(2).all(|t| t[0] == t[1]), "{texts:#?}");
    }
}

// S22
#[test]
fn a_nonce_is_spent_once_for_each_count() {
    let mut s = Server::new(Challenged::Calls);
    let nonce = nonce(&mut s, &REGISTER);
    for (nc, fresh) in [
        ("00000001", true),
        ("00000001", false),
        ("00000005", true),
        ("00000003", false),
        ("00000006", true),
    ] {
        let more = User { nc, ..BOB }.proves(&REGISTER, &nonce);
        let out = s.ask(&Request { more: &more, ..REGISTER });
        if fresh {
            s.tell(Answer::Password("zanzibar"));
            assert!(matches!(s.asked.pop().unwrap().1, Question::Locate(_)), "{nc}");
        } else {
            assert!(challenges(&out[0])[0].2 && s.asked.is_empty(), "{nc}: stale, nobody is asked");
        }
    }
    // Two at once: the second to be verified finds the count used.
    let more = User { nc: "00000009", ..BOB }.proves(&REGISTER, &nonce);
    s.ask(&Request { more: &more, ..REGISTER });
    s.ask(&Request { more: &more, ..REGISTER });
    let out = s.tell(Answer::Password("zanzibar"));
    assert!(out.is_empty());
    let (id, _) = s.asked.remove(0);
    s.engine.answer(Instant(s.now), id, Answer::Password("zanzibar")).unwrap();
    assert!(challenges(&s.drain()[0])[0].2);
}

// S22
#[test]
fn a_nonce_holds_for_its_time_its_realm_and_its_address() {
    let mut s = Server::new(Challenged::Calls);
    let old = nonce(&mut s, &REGISTER);
    let more = BOB.proves(&REGISTER, &old);
    let proven = Request { more: &more, ..REGISTER };
    let out = s.ask_from(Addr::v4(10, 0, 0, 66, 5060), &proven);
    assert!(challenges(&out[0])[0].2 && s.asked.is_empty());
    // Another port of it is the same address.
    s.ask_from(Addr::v4(10, 0, 0, 7, 6000), &proven);
    assert!(matches!(s.asked.pop().unwrap().1, Question::Secret(_)));
    s.now = 300_001;
    let out = s.ask(&proven);
    assert!(challenges(&out[0])[0].2 && s.asked.is_empty());
    // Another realm with the same key, as if by another service of the cluster.
    let mut config = config(Challenged::Calls);
    config.challenge.realm = "other.example".into();
    let mut other = Server::with(config, &Limits::TESTER);
    let foreign = BOB.proves(&REGISTER, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert!(other.ask(&REGISTER)[0].header("WWW-Authenticate").contains("other.example"));
    let out = s.ask(&Request { more: &foreign, ..REGISTER });
    assert!(challenges(&out[0])[0].2 && s.asked.is_empty(), "never ours");
}

#[test]
fn without_qop_a_nonce_holds_once_and_auth_int_protects_the_body() {
    let mut s = Server::new(Challenged::Calls);
    let first = nonce(&mut s, &REGISTER);
    let plain = User { qop: None, ..BOB };
    for fresh in [true, false] {
        let out = s.ask(&Request { more: &plain.proves(&REGISTER, &first), ..REGISTER });
        assert_eq!(out.is_empty(), fresh);
        if fresh {
            s.tell(Answer::Password("zanzibar"));
            assert!(matches!(s.asked.pop().unwrap().1, Question::Locate(_)));
        }
    }
    let int = User { qop: Some(Qop::AuthInt), ..BOB };
    for (body, right) in [("v=0\r\n", true), ("v=1\r\n", false)] {
        let mut s = Server::new(Challenged::Calls);
        let nonce = nonce(&mut s, &INVITE);
        let more = int.proves(&INVITE, &nonce);
        s.ask(&Request { more: &more, body, ..INVITE });
        let out = s.tell(Answer::Password("zanzibar"));
        assert_eq!(out[0].first_line().contains("100"), right, "{out:?}");
    }
}

// S31, RFC 3261 10.3 step 4
#[test]
fn a_user_registers_its_own_address_and_calls_as_itself() {
    for (name, address, allowed) in [
        ("bob", "sip:bob@example.com", true),
        ("bob", "sip:%62ob@EXAMPLE.com;transport=tcp", true),
        ("bob", "sips:bob@example.com", true),
        ("bob@example.com", "sip:bob@example.com", true),
        ("bob", "sip:bob@10.0.0.1", true),
        ("bob", "sip:al@example.com", false),
        ("bob", "sip:Bob@example.com", false),
        ("bob", "sip:bob@other.example", false),
        ("bob@other.example", "sip:bob@example.com", false),
        ("bob", "sip:example.com", false),
        ("", "sip:example.com", false),
    ] {
        for r in [REGISTER, INVITE] {
            let mut s = Server::new(Challenged::Calls);
            let register = r.method == "REGISTER";
            let (from, to) = (format!("<{address}>;tag=f"), format!("<{address}>"));
            let uri = address.rsplit('@').next().unwrap().trim_start_matches("sip:");
            let uri = format!("sip:{}", uri.split(';').next().unwrap());
            let r = if register {
                Request { to: &to, uri: &uri, ..r }
            } else {
                Request { from: &from, ..r }
            };
            let nonce = nonce(&mut s, &r);
            s.ask(&Request { more: &User { name, ..BOB }.proves(&r, &nonce), ..r });
            let out = s.tell(Answer::Password("zanzibar"));
            let refused = out.iter().any(|o| o.first_line().contains(" 403 "));
            assert_eq!(refused, !allowed, "{name} {address} {}", r.method);
        }
    }
    // RFC 3323: who is proven may stay unnamed; a callee's From is what was dialled.
    for (from, to) in [
        ("<sip:anonymous@anonymous.invalid>;tag=f", INVITE.to),
        ("<sip:sales@example.com>;tag=f", "<sip:al@example.com>;tag=t"),
    ] {
        let mut s = Server::new(Challenged::Calls);
        let r = Request { from, to, ..INVITE };
        let nonce = nonce(&mut s, &r);
        s.ask(&Request { more: &BOB.proves(&r, &nonce), ..r });
        assert!(s.tell(Answer::Password("zanzibar"))[0].first_line().contains("100"));
    }
}

// RFC 3261 22.3
#[test]
fn credentials_for_us_go_no_further_and_others_do() {
    let mut s = Server::new(Challenged::Calls);
    let nonce = nonce(&mut s, &INVITE);
    let others = User { realm: "elsewhere", ..BOB }.proves(&INVITE, "n");
    let more = format!("{others}{}X-Kept: y\r\n", BOB.proves(&INVITE, &nonce));
    s.ask(&Request { more: &more, ..INVITE });
    s.tell(Answer::Password("zanzibar"));
    let binding = sansip::Binding {
        uri: "sip:al@10.0.0.8",
        q: 1_000,
        expires: 100,
        call_id: "x",
        cseq: 1,
        ..sansip::Binding::default()
    };
    let out = s.tell(Answer::Located { version: 1, bindings: &[binding] }).remove(0);
    assert_eq!(out.first_line(), "INVITE sip:al@10.0.0.8 SIP/2.0");
    assert_eq!(format!("Proxy-Authorization: {}\r\n", out.header("Proxy-Authorization")), others);
    assert_eq!(out.all("Proxy-Authorization").len(), 1);
    assert_eq!(out.header("X-Kept"), "y");
}

// S16, RFC 3261 22.1
#[test]
fn all_methods_are_challenged_but_ack_and_cancel() {
    for method in [
        "INVITE",
        "REGISTER",
        "BYE",
        "OPTIONS",
        "INFO",
        "UPDATE",
        "PRACK",
        "MESSAGE",
        "REFER",
        "SUBSCRIBE",
        "NOTIFY",
        "PUBLISH",
        "NEWMETHOD",
    ] {
        for (methods, challenged) in [
            (Challenged::All, true),
            (Challenged::Calls, matches!(method, "INVITE" | "REGISTER")),
            (Challenged::None, false),
        ] {
            let mut s = Server::new(methods);
            let r = Request { method, ..INVITE };
            let out = s.ask(&r);
            let status = if method == "REGISTER" { "SIP/2.0 401" } else { "SIP/2.0 407" };
            let got = out.iter().any(|o| o.first_line().starts_with(status));
            assert_eq!(got, challenged, "{method} {methods:?} {out:?}");
        }
    }
    let mut s = Server::new(Challenged::All);
    let ack = s.ask(&Request { method: "ACK", to: "<sip:al@example.com>;tag=t", ..INVITE });
    assert!(ack.is_empty() && !s.asked.is_empty(), "an ACK goes its way");
    let cancel = s.ask(&Request { method: "CANCEL", ..INVITE });
    assert!(cancel[0].first_line().contains("481"));
}

#[test]
fn a_question_without_an_answer_is_no_challenge() {
    for r in [REGISTER, INVITE] {
        let mut s = Server::new(Challenged::Calls);
        let nonce = nonce(&mut s, &r);
        s.ask(&Request { more: &BOB.proves(&r, &nonce), ..r });
        let out = s.tell(Answer::Failed);
        assert!(out[0].first_line().contains("500"));
    }
}

#[test]
fn credentials_that_cannot_be_ours_are_passed_over() {
    let right = |s: &mut Server| nonce(s, &REGISTER);
    for change in [
        ("realm=\"example.com\"", "realm=\"Example.com\""),
        ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        ("algorithm=SHA-256", "algorithm=SCRAM"),
        ("username=\"bob\", ", ""),
        ("username=\"bob\"", "userhash=true, username=\"bob\""),
        ("qop=auth", "qop=other"),
        ("Digest ", "Basic "),
        ("nonce=", "once="),
    ] {
        let mut s = Server::new(Challenged::Calls);
        let nonce = right(&mut s);
        let more = BOB.proves(&REGISTER, &nonce).replace(change.0, change.1);
        let out = s.ask(&Request { more: &more, ..REGISTER });
        assert!(s.asked.is_empty() && !challenges(&out[0])[0].2, "{change:?}");
    }
}

// S22: a hundred thousand wrong passwords leave what was there.
#[test]
fn wrong_passwords_take_no_memory() {
    let mut s = Server::with(
        config(Challenged::Calls),
        &Limits { transactions: 50, forks: 20, queries: 10, nonces: 8, ..Limits::TESTER },
    );
    let kept = nonce(&mut s, &REGISTER);
    s.ask(&Request { more: &BOB.proves(&REGISTER, &kept), ..REGISTER });
    s.tell(Answer::Password("zanzibar"));
    s.tell(Answer::NotFound);
    let mut most = 0;
    let wrong = User { password: "wrong", ..BOB };
    for n in 0..100_000u32 {
        let fresh = if n % 10 == 0 { nonce(&mut s, &REGISTER) } else { kept.clone() };
        let nc = format!("{:08x}", n + 2);
        let more = User { nc: &nc, ..wrong }.proves(&REGISTER, &fresh);
        s.ask(&Request { more: &more, ..REGISTER });
        let out = s.tell(Answer::Password("zanzibar"));
        assert!(!challenges(&out[0])[0].2);
        s.sent.clear();
        most = most.max(s.engine.stats().pool_bytes);
    }
    assert!(most < 100_000, "{most}");
    // The nonce that was used before is where it was: its next count holds.
    let more = User { nc: "00000002", ..BOB }.proves(&REGISTER, &kept);
    s.ask(&Request { more: &more, ..REGISTER });
    s.tell(Answer::Password("zanzibar"));
    assert!(matches!(s.question(), Question::Locate(_)));
}

#[test]
fn a_configuration_that_cannot_challenge_is_refused() {
    type Change = fn(&mut Config);
    let changes: [Change; 6] = [
        |c| c.challenge.realm = String::new(),
        |c| c.challenge.realm = "a\"b".into(),
        |c| c.challenge.realm = "x".repeat(101),
        |c| c.challenge.algorithms = Vec::new(),
        |c| c.challenge.algorithms = vec![Algorithm::Other],
        |c| c.challenge.algorithms = vec![Algorithm::Md5; 5],
    ];
    for change in changes {
        let mut config = config(Challenged::All);
        change(&mut config);
        let refused = Engine::new(config.clone(), &Limits::TESTER).map(drop);
        assert_eq!(refused, Err(Error::Misuse(Misuse::BadHeader)));
        config.challenge.methods = Challenged::None;
        assert!(Engine::new(config, &Limits::TESTER).is_ok());
    }
    let none = Limits { nonces: 0, ..Limits::TESTER };
    let refused = Engine::new(config(Challenged::All), &none).map(drop);
    assert_eq!(refused, Err(Error::Misuse(Misuse::BadLimit)));
}

// RFC 3325 5: who has proven to be a user is named to the trust domain, which nobody challenges.
#[test]
fn who_is_proven_is_asserted_to_the_trust_domain() {
    for (trusted, privacy, told) in [
        ("10.0.0.8", "", true),
        ("10.0.0.8", "Privacy: id\r\n", true),
        ("10.0.0.9", "", false),
        ("10.0.0.9", "Privacy: none\r\n", true),
    ] {
        let mut config = config(Challenged::All);
        config.edge.trust = vec![sansip::Network { ip: trusted.parse().unwrap(), prefix: 32 }];
        let mut s = Server::with(config, &Limits::TESTER);
        let anonymous =
            Request { from: "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=f", ..INVITE };
        let nonce = nonce(&mut s, &anonymous);
        let claim = "P-Asserted-Identity: <sip:mallory@example.com>\r\n";
        let more = format!("{claim}{privacy}{}", BOB.proves(&anonymous, &nonce));
        s.ask(&Request { more: &more, ..anonymous });
        s.tell(Answer::Password("zanzibar"));
        let binding =
            sansip::Binding { uri: "sip:al@10.0.0.8", expires: 9, ..sansip::Binding::default() };
        let out = s.tell(Answer::Located { version: 1, bindings: &[binding] }).remove(0);
        let named = out.text.contains("P-Asserted-Identity: <sip:bob@example.com>\r\n");
        assert_eq!(named, told, "{}", out.text);
        assert!(!out.text.contains("mallory"));
    }
    let mut config = config(Challenged::All);
    config.edge.trust = vec![sansip::Network { ip: CLIENT.ip, prefix: 32 }];
    let mut s = Server::with(config, &Limits::TESTER);
    s.ask(&INVITE);
    assert!(matches!(s.question(), Question::Locate(_)), "no challenge");
}
