//! The engine under test as proxy, registrar or redirect server, and what the tester asks of it.

use sansip::auth::{Proof, Protection, Qop, Secret, ha1};
use sansip::header::Value as _;
use sansip::header::auth::Challenge as Asked;
use sansip::wire::Span;
use sansip::{Algorithm, Challenge, Challenged, Limits};

use crate::hop::{Hop, Sent, config};
use crate::iut::{Ask, CONTACT, PASSWORD, REALM, SDP};

/// The tester, who asks.
pub const TESTER: u8 = 9;
/// Where bob's device is.
pub const DEVICE: u8 = 2;
/// Whom the tester calls.
pub const BOB: &str = "sip:bob@example.com";
/// The URI of his device.
pub const BOUND: &str = "sip:bob@10.0.0.2";

/// A role that takes requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Proxy,
    Registrar,
    Redirect,
}

impl Role {
    /// What it does a whole day long: an INVITE for bob, or bob's REGISTER.
    pub fn ask(self) -> Ask {
        match self {
            Self::Proxy | Self::Redirect => invite(),
            Self::Registrar => register(),
        }
    }

    /// The Request-URI of that.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Proxy | Self::Redirect => BOB,
            Self::Registrar => "sip:example.com",
        }
    }

    /// The server, with what it needs to serve that.
    pub fn hop(self) -> Hop {
        let mut config = config();
        config.forking.redirect = self == Self::Redirect;
        let mut hop = Hop::with(config, &Limits::TESTER);
        if self != Self::Registrar {
            hop.bind(BOB, BOUND);
        }
        hop
    }

    /// The request is served as any other: forwarded, or bob is registered.
    #[track_caller]
    pub fn serves(self, text: &str) -> Sent {
        let mut hop = self.hop();
        hop.receive(TESTER, text);
        let sent = hop.only();
        self.is_served(&sent, text);
        sent
    }

    #[track_caller]
    pub fn is_served(self, sent: &Sent, text: &str) {
        match self {
            Self::Proxy => {
                assert_eq!(
                    (sent.to, sent.start(), sent.uri()),
                    (DEVICE, "INVITE", BOUND),
                    "{text}"
                );
            }
            Self::Redirect => {
                assert_eq!((sent.to, sent.start()), (TESTER, "302"), "{text}");
                assert_eq!(sent.one("Contact"), format!("<{BOUND}>"));
            }
            Self::Registrar => {
                assert_eq!((sent.to, sent.start()), (TESTER, "200"), "{text}");
                assert_eq!(sent.one("Contact"), format!("<{BOUND}>;expires=3600"));
            }
        }
    }

    /// The request is refused with this status, and nothing comes of it.
    #[track_caller]
    pub fn refuses(self, text: &str, status: &str) -> Sent {
        let mut hop = self.hop();
        let before = hop.store.clone();
        hop.receive(TESTER, text);
        let sent = hop.only();
        assert_eq!((sent.to, sent.start()), (TESTER, status), "{text}");
        assert_eq!(hop.store, before);
        sent
    }
}

/// The tester's INVITE for bob.
pub fn invite() -> Ask {
    Ask { uri: BOB.into(), ..Ask::invite() }
}

/// Bob's REGISTER.
pub fn register() -> Ask {
    Ask {
        uri: "sip:example.com".into(),
        from: "<sip:bob@example.com>;tag=at".into(),
        to: "<sip:bob@example.com>".into(),
        more: format!("Contact: <{BOUND}>\r\n"),
        ..Ask::new("REGISTER")
    }
}

/// A server that asks everybody for credentials, and knows bob's.
pub fn challenging(role: Role) -> Hop {
    let mut config = config();
    config.challenge = Challenge {
        methods: Challenged::All,
        realm: REALM.into(),
        algorithms: [Algorithm::Md5].into(),
        ..config.challenge
    };
    config.forking.redirect = role == Role::Redirect;
    let mut hop = Hop::with(config, &Limits::TESTER);
    hop.users = vec![("bob".into(), PASSWORD.into())];
    if role != Role::Registrar {
        hop.bind(BOB, BOUND);
    }
    hop
}

/// The nonce of a challenge.
pub fn nonce(refusal: &Sent) -> String {
    let fields = [refusal.all("WWW-Authenticate"), refusal.all("Proxy-Authenticate")].concat();
    let bytes = fields[0].as_bytes();
    let challenge = Asked::parse(bytes, Span::new(0, bytes.len())).unwrap();
    assert_eq!(challenge.realm.unwrap().of(bytes), REALM.as_bytes());
    String::from_utf8(challenge.nonce.unwrap().of(bytes).to_vec()).unwrap()
}

/// The request once more, with what proves that a user with this password sent it.
pub fn proven(ask: &Ask, user: &str, password: &str, nonce: &str) -> Ask {
    let proof = Proof {
        algorithm: Algorithm::Md5,
        username: user.as_bytes(),
        realm: REALM.as_bytes(),
        nonce: nonce.as_bytes(),
        opaque: None,
        protection: Some(Protection { qop: Qop::Auth, cnonce: b"cn", nc: b"00000001" }),
        method: ask.method.as_bytes(),
        uri: ask.uri.as_bytes(),
        body: ask.body.as_bytes(),
    };
    let secret = Secret::Password(password.as_bytes());
    let hash = ha1(Algorithm::Md5, user.as_bytes(), REALM.as_bytes(), &secret).unwrap();
    let mut room = [0; 600];
    let len = proof.write_to(&hash, &mut room).unwrap();
    let name = if ask.method == "REGISTER" { "Authorization" } else { "Proxy-Authorization" };
    let field = format!("{name}: {}\r\n", std::str::from_utf8(&room[..len]).unwrap());
    let via = ask.via.replace("z9hG4bK", "z9hG4bKp");
    Ask { via, cseq: ask.cseq + 1, ..ask.clone() }.more(&field)
}

// RFC 3261 7.3.1, 7.3.3, 7.5, 18.3, 19.1.1: what each role reads alike.

/// The Request-URI with and without the default port.
pub fn default_port(role: Role) {
    role.serves(&Ask { uri: format!("{}:5060", role.uri()), ..role.ask() }.text());
    role.serves(&role.ask().text());
}

/// With parameters that nobody knows.
pub fn unknown_parameters(role: Role) {
    role.serves(&Ask { uri: format!("{};new=1;flag", role.uri()), ..role.ask() }.text());
}

/// With parameters that are known, in any order.
pub fn known_parameters(role: Role) {
    for params in [";transport=udp;user=ip", ";user=ip;transport=udp"] {
        role.serves(&Ask { uri: format!("{}{params}", role.uri()), ..role.ask() }.text());
    }
}

/// Scheme and host in any case.
pub fn any_case(role: Role) {
    let uri = role.uri().replace("sip:", "SIP:").replace("example", "eXAMPLE");
    role.serves(&Ask { uri, ..role.ask() }.text());
}

/// White space around the colon.
pub fn white_space(role: Role) {
    let text = role.ask().text();
    let text = text.replace("To: ", "To\t :  ").replace("CSeq: ", "CSeq:");
    role.serves(&text.replace("Call-ID:", "Call-ID :"));
}

/// Values that go on in the next line.
pub fn folded(role: Role) {
    let text = role.ask().text();
    role.serves(&text.replace(";tag=at", "\r\n ;tag=at").replace("CSeq: 10 ", "CSeq: 10\r\n\t"));
}

/// Fields in another order.
pub fn another_order(role: Role) {
    let text = role.ask().text();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (start, fields) = head.split_once("\r\n").unwrap();
    let mut fields: Vec<&str> = fields.split("\r\n").collect();
    fields.reverse();
    role.serves(&format!("{start}\r\n{}\r\n\r\n{body}", fields.join("\r\n")));
}

/// Several values in one field or in several.
pub fn one_field_or_several(role: Role) {
    let one = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKask1, SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb";
    let several = one.replace(", ", "\r\nVia: ");
    let first = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKask1";
    for vias in [one, &several] {
        let sent = role.serves(&role.ask().text().replacen(first, vias, 1));
        assert!(sent.all("Via").join(", ").contains("z9hG4bKb"));
    }
}

/// Names of fields and parameters in any case.
pub fn names_in_any_case(role: Role) {
    let text = role.ask().text();
    let text = text.replace("Via: ", "VIA: ").replace("From: ", "FROM: ");
    role.serves(&text.replace(";tag=", ";Tag=").replace("Call-ID", "CALL-id"));
}

/// Compact names.
pub fn compact(role: Role) {
    let long = ["Via", "From", "To", "Call-ID", "Contact", "Content-Type", "Content-Length"];
    let short = ["v", "f", "t", "i", "m", "c", "l"];
    let text = long.iter().zip(short).fold(role.ask().text(), |text, (long, short)| {
        text.replace(&format!("\r\n{long}: "), &format!("\r\n{short}: "))
    });
    let mut hop = role.hop();
    hop.receive(TESTER, &text);
    let sent = hop.only();
    let served = match role {
        Role::Proxy => "INVITE",
        Role::Registrar => "200",
        Role::Redirect => "302",
    };
    assert_eq!(sent.start(), served, "{}", sent.text);
}

/// A field that is not understood.
pub fn unknown_field(role: Role) {
    role.serves(&role.ask().more("X-Unknown: any, thing;at=\"all\"\r\nNew-One:\r\n").text());
}

/// Any size that UDP carries.
pub fn any_size(role: Role) {
    for len in [1_300, 2_000, 8_000] {
        role.serves(&role.ask().more(&format!("Subject: {}\r\n", "x".repeat(len))).text());
    }
}

/// Empty lines before the start line, in a datagram and on a stream.
pub fn empty_lines(role: Role) {
    let text = format!("\r\n\r\n{}", role.ask().text());
    role.serves(&text);
    let mut hop = role.hop();
    hop.tcp();
    let flow = hop.open(TESTER, true);
    let text = text.replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    hop.receive_flow(flow, &text);
    // RFC 5626 3.5.1: two of them are a ping.
    let sent = hop.take();
    assert_eq!((sent.len(), &*sent[0].text), (2, "\r\n"));
    role.is_served(&sent[1], &text);
}

/// A Request-URI in angle brackets, or with a space in it.
pub fn no_uri(role: Role) {
    for uri in [format!("<{}>", role.uri()), format!("{}; lr", role.uri()), "sip: x".into()] {
        role.refuses(&Ask { uri, ..role.ask() }.text(), "400");
    }
}

/// Header fields in the Request-URI, which it may not have.
pub fn fields_in_uri(role: Role) {
    let uri = format!("{}?Route=%3Csip:10.0.0.77%3E", role.uri());
    role.refuses(&Ask { uri, ..role.ask() }.text(), "400");
}

/// A method in the Request-URI, which it may not have: ignored.
pub fn method_in_uri(role: Role) {
    role.serves(&Ask { uri: format!("{};method=BYE", role.uri()), ..role.ask() }.text());
}

/// What From and To may not have is ignored there.
pub fn odd_from_and_to(role: Role) {
    for odd in [":5099", ";method=BYE", ";maddr=10.0.0.77", ";ttl=3", ";transport=tcp", ";lr"] {
        let ask = role.ask();
        let from = ask.from.replace("example.com", &format!("example.com{odd}"));
        // A registrar reads the address of record in To.
        let to = match role {
            Role::Registrar => ask.to.clone(),
            Role::Proxy | Role::Redirect => {
                ask.to.replace("example.com", &format!("example.com{odd}"))
            }
        };
        role.serves(&Ask { from, to, ..ask }.text());
    }
}

/// Malformed requests.
pub fn malformed(role: Role) {
    let (text, ask) = (role.ask().text(), role.ask());
    let cseq = format!("CSeq: 10 {}", ask.method);
    for broken in [
        text.replace(&cseq, &cseq.replace("10", "ten")),
        text.replace(&format!("{cseq}\r\n"), ""),
        text.replace("Call-ID: c1\r\n", ""),
        text.replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com"),
        text.replace("\r\nMax-Forwards: 70", "\r\nMax-Forwards: many"),
    ] {
        role.refuses(&broken, "400");
    }
}

/// A field that the method has no use for.
pub fn out_of_place(role: Role) {
    role.serves(&role.ask().more("Retry-After: 5\r\nUnsupported: x\r\nMin-SE: 90\r\n").text());
}

/// Bytes after the body of a datagram.
pub fn bytes_after(role: Role) {
    let sent = role.serves(&(role.ask().text() + "BYE sip:bob@10.0.0.1 SIP/2.0\r\n\r\n"));
    assert!(!sent.text.contains("BYE"));
}

/// A datagram that ends before its body does.
pub fn cut_short(role: Role) {
    let text = Ask {
        more: format!("{CONTACT}Content-Type: application/sdp\r\n"),
        body: SDP.into(),
        ..role.ask()
    };
    let text = text.text();
    role.refuses(&text[..text.len() - 20], "400");
}
