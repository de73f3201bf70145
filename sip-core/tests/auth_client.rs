//! Challenges to our own requests (RFC 3261 22, RFC 7616, RFC 8760), against a peer by hand.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use peer::{Bench, Out};
use sansip::auth::{Secret, check, ha1};
use sansip::header::Value as _;
use sansip::header::auth::{Algorithm, Credentials};
use sansip::wire::Span;
use sansip::{
    Addr, Answer, CallChange, EndReason, Event, Extras, LineChange, LineConfig, LineHandle,
};

const PROXY: Addr = Addr::v4(10, 0, 0, 9, 5060);
const PASSWORD: &str = "zanzibar";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n";

fn bench() -> Bench {
    let mut config = net::config(11);
    config.roles.proxy = false;
    config.roles.registrar = false;
    Bench::new(config)
}

fn line_with(b: &mut Bench, more: LineConfig<'_>) -> LineHandle {
    let line = LineConfig { aor: "sip:al@example.com", proxy: "sip:10.0.0.9", ..more };
    b.engine.add_line(b.at(), line).unwrap()
}

fn line(b: &mut Bench) -> LineHandle {
    line_with(b, LineConfig::default())
}

fn www(realm: &str, nonce: &str, more: &str) -> String {
    format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\"{more}\r\n")
}

fn proxy(realm: &str, nonce: &str, more: &str) -> String {
    format!("Proxy-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\"{more}\r\n")
}

const AUTH: &str = ", qop=\"auth\"";

impl Bench {
    /// Answers the last question with the password and returns what is sent.
    fn tell(&mut self) -> Out {
        let (id, _) = self.asked.pop().expect("a question");
        self.engine.answer(self.at(), id, Answer::Password(PASSWORD)).unwrap();
        self.drain().remove(0)
    }

    fn tell_with(&mut self, answer: Answer<'_>) -> Vec<Out> {
        let (id, _) = self.asked.pop().expect("a question");
        self.engine.answer(self.at(), id, answer).unwrap();
        self.drain()
    }

    fn register(&mut self, line: LineHandle) -> Out {
        self.engine.register(self.at(), line).unwrap();
        self.drain().remove(0)
    }

    fn line_changes(&self) -> Vec<LineChange> {
        let change = |e: &Event| match e {
            Event::Line { change, .. } => Some(*change),
            _ => None,
        };
        self.events.iter().filter_map(change).collect()
    }

    fn invite(&mut self, line: LineHandle) -> Out {
        let extras =
            Extras { content_type: "application/sdp", body: SDP.as_bytes(), ..Extras::default() };
        self.engine.invite(self.at(), line, "sip:bob@example.com", 0, extras).unwrap();
        self.drain().remove(0)
    }
}

/// Checks every field of credentials of a request; `realm nonce nc` of each.
fn credentials(out: &Out, field: &str) -> Vec<String> {
    let (method, uri) = {
        let mut words = out.first_line().split(' ');
        (words.next().unwrap(), words.next().unwrap())
    };
    let body = out.text.split_once("\r\n\r\n").unwrap().1;
    let each = |value: &&str| {
        let bytes = value.as_bytes();
        let c = Credentials::parse(bytes, Span::new(0, bytes.len())).unwrap();
        let text = |s: Option<Span>| std::str::from_utf8(s.unwrap().of(bytes)).unwrap();
        assert_eq!(text(c.uri), uri, "RFC 7616 3.4");
        let algorithm = Algorithm::of(bytes, c.algorithm);
        let secret = Secret::Password(PASSWORD.as_bytes());
        let (user, realm) = (text(c.username), text(c.realm));
        let hash = ha1(algorithm, user.as_bytes(), realm.as_bytes(), &secret).unwrap();
        assert!(check(bytes, &c, &hash, method.as_bytes(), body.as_bytes()), "{value}");
        let nc = c.nc.map_or(0, |n| n.0);
        format!("{realm} {} {nc}", text(c.nonce))
    };
    out.all(field).iter().map(each).collect()
}

#[test]
fn a_registration_is_proven_by_every_algorithm_and_protection() {
    for algorithm in
        ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
    {
        for qop in ["auth", "auth-int", "auth-int,auth", ""] {
            let mut b = bench();
            let line = line(&mut b);
            let first = b.register(line);
            assert!(first.all("Authorization").is_empty());
            let qop = if qop.is_empty() { String::new() } else { format!(", qop=\"{qop}\"") };
            let more = format!(", algorithm={algorithm}, opaque=\"op\"{qop}");
            b.ask(&first.answer("401 Unauthorized", "r", &www("r\\\"1", "n1", &more)));
            if qop.is_empty() && algorithm.ends_with("-sess") {
                // There would be no nonce of the client's to hash.
                assert_eq!(b.line_changes(), [LineChange::Failed { status: 401 }]);
                continue;
            }
            let base = algorithm.trim_end_matches("-sess");
            assert_eq!(b.asked[0].1, format!("r\"1 {base} al"));
            let second = b.tell();
            let count = usize::from(!qop.is_empty());
            assert_eq!(credentials(&second, "Authorization"), [format!("r\\\"1 n1 {count}")]);
            assert!(second.header("Authorization").contains("opaque=\"op\""));
            // RFC 3261 22.2
            assert_eq!(second.header("CSeq"), "2 REGISTER");
            for same in ["Call-ID", "From", "To", "Contact"] {
                assert_eq!(second.header(same), first.header(same));
            }
            assert_ne!(second.branch(), first.branch());
            b.ask(&second.answer("200 OK", "r", "Contact: <sip:al@10.0.0.1:5060>;expires=100\r\n"));
            assert_eq!(b.line_changes(), [LineChange::Registered { expires: 100 }]);
            // RFC 7616 3.4: the next request carries credentials at once, with a higher count.
            let refresh = b.run(75_000).remove(0);
            let count = 2 * count;
            assert_eq!(credentials(&refresh, "Authorization"), [format!("r\\\"1 n1 {count}")]);
            assert_eq!(refresh.header("CSeq"), "3 REGISTER");
            assert!(b.asked.is_empty());
        }
    }
}

#[test]
fn an_ha1_is_as_good_as_a_password_and_a_name_of_its_own_may_be_set() {
    let mut b = bench();
    let line = line_with(&mut b, LineConfig { auth_user: "dom\\al", ..LineConfig::default() });
    let first = b.register(line);
    b.ask(&first.answer("401 U", "r", &www("r", "n", ", algorithm=SHA-256, qop=\"auth\"")));
    assert_eq!(b.asked[0].1, "r SHA-256 dom\\al");
    let hash = ha1(Algorithm::Sha256, b"dom\\\\al", b"r", &Secret::Password(PASSWORD.as_bytes()));
    let hash = hash.unwrap();
    let digits = std::str::from_utf8(hash.as_bytes()).unwrap();
    let second = b.tell_with(Answer::Ha1(digits)).remove(0);
    assert_eq!(credentials(&second, "Authorization"), ["r n 1"]);
    assert!(second.header("Authorization").contains("username=\"dom\\\\al\""));
}

// RFC 8760 2.4
#[test]
fn the_strongest_challenge_is_answered_first_and_a_weaker_one_without_its_secret() {
    let mut b = bench();
    let line = line(&mut b);
    let first = b.register(line);
    let challenges = [
        www("r", "n0", ", algorithm=SCRAM, qop=\"auth\""),
        www("r", "n1", ", algorithm=MD5, qop=\"auth\""),
        "WWW-Authenticate: Bearer realm=\"r\"\r\n".to_string(),
        www("r", "n2", ", algorithm=SHA-512-256, qop=\"auth\""),
        www("r", "n3", ", algorithm=SHA-256, qop=\"auth\""),
        www("r", "n4", ", algorithm=SHA-512-256-sess, qop=\"other\""),
    ];
    b.ask(&first.answer("401 U", "r", &challenges.concat()));
    assert_eq!(b.asked[0].1, "r SHA-512-256 al");
    b.tell_with(Answer::NotFound);
    assert_eq!(b.asked[0].1, "r SHA-256 al");
    // One by another algorithm is none.
    b.tell_with(Answer::Ha1("939e7578ed9e3c518a452acee763bce9"));
    assert_eq!(b.asked[0].1, "r MD5 al");
    let second = b.tell_with(Answer::Ha1("939e7578ed9e3c518a452acee763bce9")).remove(0);
    let value = second.header("Authorization");
    assert!(value.contains("nonce=\"n1\"") && value.contains("algorithm=MD5,"), "{value}");
}

#[test]
fn without_a_secret_the_challenge_is_the_end() {
    for late in [false, true] {
        let mut b = bench();
        let line = line(&mut b);
        let first = b.register(line);
        b.ask(&first.answer("401 U", "r", &www("r", "n", AUTH)));
        if late {
            // The question has a deadline.
            b.run(30_000);
            assert_eq!(b.forgotten, 1);
        } else {
            assert!(b.tell_with(Answer::NotFound).is_empty());
        }
        assert_eq!(b.line_changes(), [LineChange::Failed { status: 401 }]);
        b.finish();
    }
    // Nothing in it that could be answered: nobody is asked.
    for more in ["", "WWW-Authenticate: Basic realm=\"r\"\r\n", "WWW-Authenticate: Digest qop\r\n"]
    {
        let mut b = bench();
        let line = line(&mut b);
        let first = b.register(line);
        b.ask(&first.answer("401 U", "r", more));
        assert!(b.asked.is_empty());
        assert_eq!(b.line_changes(), [LineChange::Failed { status: 401 }]);
    }
}

#[test]
fn a_line_may_be_bound_to_a_realm() {
    let mut b = bench();
    let line = line_with(&mut b, LineConfig { auth_realm: "mine", ..LineConfig::default() });
    let first = b.register(line);
    b.ask(&first.answer("401 U", "r", &www("theirs", "n", AUTH)));
    assert!(b.asked.is_empty());
    assert_eq!(b.line_changes(), [LineChange::Failed { status: 401 }]);
    let again = b.register(line);
    b.ask(&again.answer("401 U", "r", &(www("theirs", "n", AUTH) + &www("mine", "m", AUTH))));
    assert_eq!(credentials(&b.tell(), "Authorization"), ["mine m 1"]);
}

// S14, AST-2020-002
#[test]
fn a_server_that_challenges_for_ever_is_answered_twice() {
    let mut b = bench();
    let line = line(&mut b);
    let mut last = b.register(line);
    for n in 0..2 {
        b.ask(&last.answer("401 U", "r", &www("r", &format!("n{n}"), AUTH)));
        last = b.tell();
        assert_eq!(last.header("CSeq"), format!("{} REGISTER", n + 2));
    }
    b.ask(&last.answer("401 U", "r", &www("r", "n3", AUTH)));
    assert_eq!(b.line_changes(), [LineChange::Failed { status: 401 }]);
    assert_eq!(b.sent.len(), 3);
    b.finish();
    // The next request is a new one.
    let again = b.register(line);
    assert_eq!(again.header("CSeq"), "4 REGISTER");
    assert_eq!(credentials(&again, "Authorization"), ["r n1 2"]);
}

// S14
#[test]
fn a_stale_nonce_is_answered_once_more_without_a_question() {
    let mut b = bench();
    let line = line(&mut b);
    let first = b.register(line);
    b.ask(&first.answer("401 U", "r", &www("r", "n1", AUTH)));
    let second = b.tell();
    let stale = www("r", "n2", ", stale=TRUE, qop=\"auth\"");
    let third = b.ask(&second.answer("401 U", "r", &stale)).remove(0);
    assert!(b.asked.is_empty());
    assert_eq!(credentials(&third, "Authorization"), ["r n2 1"]);
    b.ask(&third.answer("401 U", "r", &www("r", "n3", ", stale=true, qop=\"auth\"")));
    assert_eq!(b.line_changes(), [LineChange::Failed { status: 401 }]);
    assert_eq!(b.sent.len(), 3);
}

#[test]
fn several_realms_each_get_their_credentials() {
    let mut b = bench();
    let line = line(&mut b);
    let first = b.invite(line);
    // RFC 3261 16.7 step 7: a forking proxy collects them.
    let both = [proxy("p", "n1", AUTH), www("s", "n2", AUTH), proxy("q", "n3", AUTH)].concat();
    let ack = b.ask(&first.answer("407 P", "x", &both));
    assert!(ack[0].first_line().starts_with("ACK"));
    for realm in ["p", "s"] {
        assert_eq!(b.asked[0].1, format!("{realm} MD5 al"));
        assert!(b.tell_with(Answer::Password(PASSWORD)).is_empty());
    }
    // What has no secret stays unanswered.
    let second = b.tell_with(Answer::NotFound).remove(0);
    assert_eq!(credentials(&second, "Proxy-Authorization"), ["p n1 1"]);
    assert_eq!(credentials(&second, "Authorization"), ["s n2 1"]);
    // The next proxy on the way asks for another realm: the others' credentials stay.
    b.ask(&second.answer("407 P", "y", &proxy("t", "n4", AUTH)));
    let third = b.tell();
    assert_eq!(credentials(&third, "Proxy-Authorization"), ["p n1 2", "t n4 1"]);
    assert_eq!(credentials(&third, "Authorization"), ["s n2 2"]);
    assert_eq!(third.header("CSeq"), "3 INVITE");
    b.ask(&third.answer("486 Busy", "z", ""));
    let ended = CallChange::Ended { why: EndReason::Refused, status: 486 };
    assert_eq!(b.changes(), [ended]);
    b.finish();
}

/// A call that was challenged and stands: the INVITE that was answered, and the ACK.
fn standing(b: &mut Bench, line: LineHandle) -> (Out, Out) {
    let first = b.invite(line);
    b.ask(&first.answer("407 P", "x", &proxy("p", "n1", AUTH)));
    let second = b.tell();
    let contact = "Contact: <sip:bob@10.0.0.8>\r\nRecord-Route: <sip:10.0.0.9;lr>\r\n";
    let ack = b.ask(&second.answer("200 OK", "b", contact)).remove(0);
    (second, ack)
}

// RFC 3261 22.1, 22.3
#[test]
fn a_call_is_proven_from_its_invite_to_its_bye() {
    let mut b = bench();
    let line = line(&mut b);
    let (invite, ack) = standing(&mut b, line);
    assert_eq!(invite.header("CSeq"), "2 INVITE");
    assert_eq!(credentials(&invite, "Proxy-Authorization"), ["p n1 1"]);
    assert!(invite.text.ends_with(SDP));
    assert_eq!(ack.header("CSeq"), "2 ACK");
    assert_eq!(ack.all("Proxy-Authorization"), invite.all("Proxy-Authorization"));
    // The 2xx again: the same ACK again.
    let contact = "Contact: <sip:bob@10.0.0.8>\r\nRecord-Route: <sip:10.0.0.9;lr>\r\n";
    assert_eq!(b.ask(&invite.answer("200 OK", "b", contact))[0].text, ack.text);
    // Another branch of the fork answers too.
    let other = b.ask(&invite.answer("200 OK", "c", contact));
    assert_eq!(other[0].all("Proxy-Authorization"), invite.all("Proxy-Authorization"));
    let call = b.call();
    let now = b.at();
    b.engine.reinvite(now, call, Extras::default()).unwrap();
    let reinvite = b.drain().remove(0);
    assert_eq!(credentials(&reinvite, "Proxy-Authorization"), ["p n1 2"]);
    assert_eq!(reinvite.header("CSeq"), "3 INVITE");
    // A nonce too old is replaced without a question, and the dialog's sequence goes on.
    let stale = proxy("p", "n2", ", stale=true, qop=\"auth\"");
    let out = b.ask(&reinvite.answer("407 P", "b", &stale));
    assert!(out[0].first_line().starts_with("ACK"));
    assert_eq!(out[0].all("Proxy-Authorization"), reinvite.all("Proxy-Authorization"));
    assert_eq!(credentials(&out[1], "Proxy-Authorization"), ["p n2 1"]);
    assert_eq!(out[1].header("CSeq"), "4 INVITE");
    let ack = b.ask(&out[1].answer("200 OK", "b", contact)).remove(0);
    assert_eq!(ack.header("CSeq"), "4 ACK");
    assert_eq!(ack.all("Proxy-Authorization"), out[1].all("Proxy-Authorization"));
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    assert_eq!(bye.header("CSeq"), "5 BYE");
    assert_eq!(credentials(&bye, "Proxy-Authorization"), ["p n2 2"]);
    let again = b.ask(&bye.answer("407 P", "b", &proxy("p", "n3", AUTH))).remove(0);
    assert_eq!(again.header("CSeq"), "6 BYE");
    assert_eq!(credentials(&again, "Proxy-Authorization"), ["p n3 1"]);
    b.ask(&again.answer("200 OK", "b", ""));
    let ended = CallChange::Ended { why: EndReason::Hangup, status: 0 };
    assert_eq!(b.changes().last(), Some(&ended));
    assert!(b.asked.is_empty());
    b.finish();
}

#[test]
fn a_cancel_carries_the_credentials_of_its_invite() {
    let mut b = bench();
    let line = line(&mut b);
    let first = b.invite(line);
    b.ask(&first.answer("407 P", "x", &proxy("p", "n1", AUTH)));
    let second = b.tell();
    b.ask(&second.answer("180 Ringing", "b", "Contact: <sip:bob@10.0.0.8>\r\n"));
    let call = b.call();
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    let cancel = b.drain().remove(0);
    assert_eq!(cancel.header("CSeq"), "2 CANCEL");
    assert_eq!(cancel.all("Proxy-Authorization"), second.all("Proxy-Authorization"));
    assert_eq!(cancel.branch(), second.branch());
    let ack = b.ask(&second.answer("487 Terminated", "b", "")).remove(0);
    assert_eq!(ack.all("Proxy-Authorization"), second.all("Proxy-Authorization"));
    b.finish();
}

#[test]
fn a_call_that_is_given_up_while_its_secret_is_asked_for_ends() {
    let mut b = bench();
    let line = line(&mut b);
    let first = b.invite(line);
    b.ask(&first.answer("407 P", "x", &proxy("p", "n1", AUTH)));
    // A call has no event before its INVITE is answered: its handle comes from its end.
    let now = b.at();
    b.engine.shutdown(now).unwrap();
    let out = b.run(10);
    assert!(out.is_empty(), "{out:?}");
    assert_eq!(b.forgotten, 1);
    let ended = CallChange::Ended { why: EndReason::Abandoned, status: 0 };
    assert_eq!(b.changes(), [ended]);
    // A late answer is harmless.
    assert!(b.tell_with(Answer::Password(PASSWORD)).is_empty());
    b.finish();
}

#[test]
fn an_invite_whose_challenge_stands_ends_with_it() {
    let mut b = bench();
    let line = line(&mut b);
    let first = b.invite(line);
    b.ask(&first.answer("407 P", "x", &proxy("p", "n1", AUTH)));
    assert!(b.tell_with(Answer::Failed).is_empty());
    let ended = CallChange::Ended { why: EndReason::Refused, status: 407 };
    assert_eq!(b.changes(), [ended]);
    b.finish();
}

// S15, CVE-2021-41158
#[test]
fn the_other_party_of_a_call_is_not_given_what_is_meant_for_the_proxy() {
    // Whether the line trusts peers, who challenges, for which realm, whether that is answered.
    let attacker = Addr::v4(10, 6, 6, 6, 5060);
    for (trusts, from, realm, answered) in [
        (false, attacker, "example.com", false),
        (false, attacker, "other", false),
        (false, PROXY, "other", false),
        (false, PROXY, "example.com", true),
        (true, attacker, "example.com", true),
        (true, attacker, "other", true),
    ] {
        let mut b = bench();
        let line = line_with(&mut b, LineConfig { auth_peers: trusts, ..LineConfig::default() });
        let register = b.register(line);
        b.ask(&register.answer("401 U", "r", &www("example.com", "n1", AUTH)));
        let register = b.tell();
        b.ask(&register.answer("200 OK", "r", "Contact: <sip:al@10.0.0.1:5060>;expires=9000\r\n"));
        // A call comes in, and is hung up.
        let route = if from == PROXY { "Record-Route: <sip:10.0.0.9;lr>\r\n" } else { "" };
        let invite = format!(
            "INVITE sip:al@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.6.6.6;branch=z9hG4bKi\r\n{route}\
             Max-Forwards: 70\r\nFrom: <sip:eve@evil>;tag=e\r\nTo: <sip:al@example.com>\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:eve@10.6.6.6>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        b.feed_from(attacker, &invite);
        let call = b.call();
        let now = b.at();
        b.engine.answer_call(now, call, Extras::default()).unwrap();
        let ok = b.drain().remove(0);
        let ack = format!(
            "ACK sip:al@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.6.6.6;branch=z9hG4bKa\r\n\
             Max-Forwards: 70\r\nFrom: <sip:eve@evil>;tag=e\r\nTo: {}\r\nCall-ID: c\r\n\
             CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
            ok.header("To")
        );
        b.feed_from(attacker, &ack);
        let now = b.at();
        b.engine.hangup(now, call).unwrap();
        let bye = b.drain().remove(0);
        assert_eq!(bye.to, from);
        let sent_at_once = bye.all("Authorization").len();
        assert_eq!(sent_at_once, usize::from(from == PROXY), "only to who asked for it");
        let challenge = www(realm, "evil", AUTH);
        let out = b.feed_from(from, &bye.answer("401 U", "e", &challenge)).1;
        let told = out.iter().any(|o| !o.all("Authorization").is_empty()) || !b.asked.is_empty();
        assert_eq!(told, answered, "{trusts} {from:?} {realm}");
        if !answered {
            let ended = CallChange::Ended { why: EndReason::Hangup, status: 0 };
            assert_eq!(b.changes().last(), Some(&ended));
            b.run(40_000);
            let stats = b.engine.stats();
            assert_eq!(stats.calls + stats.dialogs + stats.transactions + stats.attempts, 0);
        }
    }
}

#[test]
fn what_a_line_has_proven_goes_with_it() {
    let mut b = bench();
    let first = line(&mut b);
    let register = b.register(first);
    b.ask(&register.answer("401 U", "r", &www("r", "n", AUTH)));
    let proven = b.tell();
    b.ask(&proven.answer("200 OK", "r", ""));
    let now = b.at();
    b.engine.remove_line(now, first).unwrap();
    let second = line(&mut b);
    assert!(b.register(second).all("Authorization").is_empty());
}

// RFC 7616 3.5, RFC 7615 4
#[test]
fn the_nonce_that_an_answer_names_is_used_next() {
    for (field, qualified) in
        [("Authentication-Info", true), ("Authentication-Info", false), ("X-Info", false)]
    {
        let mut b = bench();
        let line = line(&mut b);
        let first = b.register(line);
        b.ask(&first.answer("401 U", "r", &www("r", "n1", ", opaque=\"o\", qop=\"auth\"")));
        let second = b.tell();
        let cnonce = second.header("Authorization").split("cnonce=\"").nth(1).unwrap();
        let cnonce = cnonce.split('"').next().unwrap();
        let named =
            if qualified { format!(", cnonce=\"{cnonce}\", nc=00000001") } else { String::new() };
        let info = format!(
            "{field}: nextnonce=\"n2\"{named}\r\nContact: <sip:al@10.0.0.1:5060>;expires=100\r\n"
        );
        b.ask(&second.answer("200 OK", "r", &info));
        let refresh = b.run(75_000).remove(0);
        let wanted = if field == "X-Info" { "r n1 2" } else { "r n2 1" };
        assert_eq!(credentials(&refresh, "Authorization"), [wanted], "{info}");
        assert!(refresh.header("Authorization").contains("opaque=\"o\""));
        assert!(b.asked.is_empty());
    }
}

#[test]
fn a_next_nonce_of_somebody_else_changes_nothing() {
    for (from, info) in [
        (PROXY, "Authentication-Info: nextnonce=\"n2\", cnonce=\"other\"\r\n"),
        (PROXY, "Proxy-Authentication-Info: nextnonce=\"n2\"\r\n"),
        (PROXY, "Authentication-Info: nextnonce=\"\"\r\n"),
        (PROXY, "Authentication-Info: qop=auth\r\n"),
        (Addr::v4(10, 6, 6, 6, 5060), "Authentication-Info: nextnonce=\"n2\"\r\n"),
    ] {
        let mut b = bench();
        let line = line(&mut b);
        let first = b.register(line);
        b.ask(&first.answer("401 U", "r", &www("r", "n1", AUTH)));
        let second = b.tell();
        let more = format!("{info}Contact: <sip:al@10.0.0.1:5060>;expires=100\r\n");
        b.feed_from(from, &second.answer("200 OK", "r", &more));
        let refresh = b.run(75_000).remove(0);
        assert_eq!(credentials(&refresh, "Authorization"), ["r n1 2"], "{info}");
    }
}
