//! A REGISTER with wrong credentials, for a user that there is and for one that there is not: what a
//! stranger sees of it must not tell which, neither by its bytes nor by its time.

use sansip::{
    Algorithm, Answer, Challenge, Challenged, Config, Engine, Instant, Limits, Local, LocalId,
    Output, Path, Query, Transport,
};

use crate::Work;
use crate::layers::{ADDRESSES, way_to};

/// What the application knows of the user.
pub const KNOWN: [&str; 3] = ["password", "ha1", "nobody"];
/// The algorithms of the credentials.
pub const ALGORITHMS: [&str; 3] = ["MD5", "SHA-256", "SHA-512-256"];

/// A registrar, and the request that it refuses.
pub struct Refused {
    engine: Engine,
    path: Path,
    now: u64,
    made: u32,
    message: Vec<u8>,
    /// Where its number stands.
    numbers: [usize; 2],
    answer: Answer<'static>,
    refusal: Vec<u8>,
}

const REALM: &str = "harbor.example.org";

fn engine(algorithm: Algorithm) -> Engine {
    let mut config = Config::new([7; 32]);
    config.domains = vec![REALM.into()];
    config.unix_at_zero = 1_000_000;
    config.challenge = Challenge {
        methods: Challenged::Calls,
        realm: REALM.into(),
        algorithms: vec![algorithm],
        nonce: u64::MAX / 4,
        ..config.challenge
    };
    let mut engine = Engine::new(config, &Limits::TESTER).expect("room");
    let bound = ADDRESSES[0];
    let host = bound.ip.to_string();
    let local = Local { transport: Transport::Udp, bound, host: &host, port: 5060, network: 0 };
    engine.set_local(Instant(0), LocalId(0), local).expect("a local identity");
    engine
}

fn request(more: &str) -> String {
    format!(
        "REGISTER sip:{REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKa00000000\r\nMax-Forwards: 70\r\nFrom: <sip:maria@{REALM}>;tag=f\r\nTo: <sip:maria@{REALM}>\r\nCall-ID: c00000000\r\nCSeq: 1 REGISTER\r\nContact: <sip:maria@192.0.2.2:5060>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// The value of a parameter in quotes.
fn quoted<'a>(text: &'a str, name: &str) -> &'a str {
    let rest = text.split(&format!("{name}=\"")).nth(1).unwrap_or("");
    rest.split('"').next().unwrap_or("")
}

impl Refused {
    /// `ALGORITHM/KNOWN`.
    ///
    /// # Panics
    /// Without memory.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let (algorithm, known) = name.split_once('/')?;
        let (which, zeros) = match algorithm {
            "MD5" => (Algorithm::Md5, "00000000000000000000000000000000"),
            "SHA-256" => (Algorithm::Sha256, ZEROS),
            "SHA-512-256" => (Algorithm::Sha512_256, ZEROS),
            _ => return None,
        };
        let answer = match known {
            "password" => Answer::Password("zanzibar"),
            "ha1" => Answer::Ha1(zeros),
            "nobody" => Answer::NotFound,
            _ => return None,
        };
        let mut engine = engine(which);
        let path = way_to(1);
        engine.receive(Instant(1), path, request("").as_bytes()).expect("room");
        let mut nonce = String::new();
        while let Some(output) = engine.poll() {
            if let Output::Transmit(t) = output {
                nonce = quoted(&String::from_utf8_lossy(t.bytes), "nonce").to_string();
            }
        }
        let credentials = format!(
            "Authorization: Digest username=\"maria\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"sip:{REALM}\", response=\"{zeros}\", algorithm={algorithm}, cnonce=\"c\", qop=auth, nc=00000001\r\n"
        );
        let message = request(&credentials).into_bytes();
        let at = |text: &[u8]| {
            message.windows(text.len()).position(|w| w == text).map(|at| at + text.len())
        };
        let numbers = [at(b"z9hG4bKa")?, at(b"Call-ID: c")?];
        let refusal = Vec::with_capacity(2_000);
        Some(Self { engine, path, now: 1, made: 0, message, numbers, answer, refusal })
    }

    fn once(&mut self) {
        self.made += 1;
        let digits: [u8; 8] = core::array::from_fn(|i| {
            b"0123456789abcdef"[(self.made >> (28 - 4 * i)) as usize & 15]
        });
        for at in self.numbers {
            self.message[at..at + 8].copy_from_slice(&digits);
        }
        // The transaction before has ended.
        self.now += 40_000;
        let now = Instant(self.now);
        self.engine.handle_timeout(now).expect("room");
        self.engine.receive(now, self.path, &self.message).expect("room");
        let mut query = None;
        while let Some(output) = self.engine.poll() {
            if let Output::Query(id, Query::Credentials { .. }) = output {
                query = Some(id);
            }
        }
        self.engine.answer(now, query.expect("a question"), self.answer).expect("room");
        self.refusal.clear();
        while let Some(output) = self.engine.poll() {
            if let Output::Transmit(t) = output {
                self.refusal.extend_from_slice(t.bytes);
            }
        }
    }

    /// The answer without its nonce.
    #[must_use]
    pub fn refusal(&self) -> String {
        let text = String::from_utf8_lossy(&self.refusal).into_owned();
        let nonce = quoted(&text, "nonce").to_string();
        text.replace(&nonce, "N")
    }
}

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Work for Refused {
    fn check(&mut self) {
        self.once();
        assert!(self.refusal.starts_with(b"SIP/2.0 401 "), "{}", self.refusal());
    }

    fn run(&mut self, n: u32) {
        for _ in 0..n {
            self.once();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S21
    #[test]
    fn the_refusals_differ_in_their_nonce_alone() {
        for algorithm in ALGORITHMS {
            let texts = KNOWN.map(|known| {
                let mut work = Refused::new(&format!("{algorithm}/{known}")).unwrap();
                work.check();
                work.refusal()
            });
            assert!(texts.windows(2).all(|t| t[0] == t[1]), "{texts:#?}");
        }
    }
}
