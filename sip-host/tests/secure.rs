//! TLS (RFC 3261 26.3.1, RFC 5922) and IPv6 between `sansip` processes.

mod support;

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use support::{Process, run};

/// An issuer of certificates, and the folder that they are in.
struct Issuer {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Issuer {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The arguments of who shows a certificate for these names and believes this issuer.
    fn certify(&self, who: &str, names: &[SanType]) -> Vec<String> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert_file, key_file) =
            (self.file(&format!("{who}.pem")), self.file(&format!("{who}.key")));
        std::fs::write(&cert_file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let ca = self.file("ca.pem");
        ["--tls-cert", &cert_file, "--tls-key", &key_file, "--tls-ca", &ca].map(Into::into).into()
    }
}

fn loopback() -> SanType {
    SanType::IpAddress("127.0.0.1".parse().unwrap())
}

fn start(args: &[&str], tls: &[String]) -> Process {
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    Process::start(&[args, &tls].concat())
}

fn proxy(listen: &str, tls: &[String]) -> Process {
    start(&["proxy", "--domain", "example.com", "--listen", listen], tls)
}

const BOB: [&str; 6] = ["phone", "--aor", "sip:bob@example.com", "--register", "--calls", "1"];
const ALICE: [&str; 7] = [
    "phone",
    "--aor",
    "sip:alice@example.com",
    "--call",
    "sip:bob@example.com",
    "--hangup-after",
    "100",
];

#[test]
fn a_call_over_tls() {
    let issuer = Issuer::new("call-over-tls");
    let p = proxy("tls:127.0.0.1:0", &issuer.certify("proxy", &[loopback()]));
    let uri = format!("sip:{};transport=tls", p.address("tls"));
    let at = ["--listen", "tls:127.0.0.1:0", "--proxy", &uri];
    let mut bob = start(&[&BOB[..], &at].concat(), &issuer.certify("bob", &[loopback()]));
    bob.wait_for("registered");
    let mut alice = start(&[&ALICE[..], &at].concat(), &issuer.certify("alice", &[loopback()]));
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}

// RFC 5922 7.3: the certificate must be for the host of the URI.
#[test]
fn a_proxy_with_a_certificate_for_another_name_or_of_another_issuer_is_not_talked_to() {
    let issuer = Issuer::new("another-name");
    let other: SanType = SanType::DnsName("example.com".try_into().unwrap());
    let wrong_name = proxy("tls:127.0.0.1:0", &issuer.certify("proxy", &[other]));
    let stranger = Issuer::new("another-issuer");
    let wrong_issuer = proxy("tls:127.0.0.1:0", &stranger.certify("proxy", &[loopback()]));
    let tls = issuer.certify("alice", &[loopback()]);
    for p in [wrong_name, wrong_issuer] {
        let uri = format!("sip:{};transport=tls", p.address("tls"));
        let at = ["--listen", "tls:127.0.0.1:0", "--proxy", &uri];
        let mut alice = start(&[&ALICE[..], &at].concat(), &tls);
        assert_eq!(alice.end(), 1);
        assert_eq!(alice.event("ended").unwrap()["why"], "unreachable", "{:#?}", alice.events);
    }
}

#[test]
fn certificates_are_read_again_on_a_signal_and_wrong_ones_change_nothing() {
    let issuer = Issuer::new("read-again");
    let other: SanType = SanType::DnsName("example.com".try_into().unwrap());
    let mut p = proxy("tls:127.0.0.1:0", &issuer.certify("proxy", &[other]));
    let uri = format!("sip:{};transport=tls", p.address("tls"));
    let at = ["--listen", "tls:127.0.0.1:0", "--proxy", &uri];
    let tls = issuer.certify("phones", &[loopback()]);
    let mut early = start(&[&ALICE[..], &at].concat(), &tls);
    assert_eq!(early.end(), 1);
    assert_eq!(early.event("ended").unwrap()["why"], "unreachable", "{:#?}", early.events);

    issuer.certify("proxy", &[loopback()]);
    p.signal("-HUP");
    p.wait_for("reloaded");
    let mut bob = start(&[&BOB[..], &at].concat(), &tls);
    bob.wait_for("registered");

    std::fs::write(issuer.file("proxy.pem"), "nonsense").unwrap();
    p.signal("-HUP");
    let told = p.wait_for("not_reloaded");
    assert!(told["problem"].as_str().unwrap().contains("proxy.pem"), "{told}");
    let mut alice = start(&[&ALICE[..], &at].concat(), &tls);
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}

#[test]
fn calls_over_ipv6() {
    for transport in ["udp", "tcp"] {
        let listen = format!("{transport}:[::1]:0");
        let p = proxy(&listen, &[]);
        let uri = format!("sip:{};transport={transport}", p.address(transport));
        let at = ["--listen", &listen, "--proxy", &uri];
        let mut bob = start(&[&BOB[..], &at].concat(), &[]);
        bob.wait_for("registered");
        let mut alice = start(&[&ALICE[..], &at].concat(), &[]);
        assert_eq!(alice.end(), 0, "{:#?}", alice.events);
        assert_eq!(bob.end(), 0, "{:#?}", bob.events);
    }
}

/// Four places to listen at: calls from IPv6 and IPv4 by TCP reach a phone at IPv4 by UDP.
#[test]
fn a_proxy_listens_at_several_places_and_joins_them() {
    let args = ["proxy", "--domain", "example.com"];
    let listens = ["udp:127.0.0.1:0", "udp:[::1]:0", "tcp:127.0.0.1:0", "tcp:[::1]:0"];
    let listens: Vec<&str> = listens.iter().flat_map(|l| ["--listen", l]).collect();
    let p = Process::start(&[&args[..], &listens].concat());
    let place = |transport: &str, i: usize| p.events[0][transport][i].as_str().unwrap().to_owned();
    let by_udp = format!("sip:{}", place("udp", 0));
    let at = ["--listen", "udp:127.0.0.1:0", "--proxy", &by_udp];
    let more = ["--answer", "486"];
    let mut bob = start(&[&BOB[..4], &at, &more].concat(), &[]);
    bob.wait_for("registered");
    for (listen, to) in [("tcp:[::1]:0", 1), ("tcp:127.0.0.1:0", 0)] {
        let by_tcp = format!("sip:{};transport=tcp", place("tcp", to));
        let at = ["--listen", listen, "--proxy", &by_tcp, "--expect", "486"];
        let mut alice = start(&[&ALICE[..], &at].concat(), &[]);
        assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    }
}

#[test]
fn tls_without_what_it_needs_is_refused_at_the_start() {
    let problem = |args: &[&str]| {
        let (code, _, err) = run(&[&["proxy", "--listen", "tls:127.0.0.1:0"], args].concat());
        assert_eq!(code, 2);
        err
    };
    let none = problem(&[]);
    assert!(none.contains("--listen tls:127.0.0.1:0: needs a certificate"), "{none}");
    let alone = problem(&["--tls-cert", "/nonexistent.pem"]);
    assert!(alone.contains("--tls-cert /nonexistent.pem: a certificate needs its key"), "{alone}");
    let issuer = Issuer::new("refused");
    let mut args = issuer.certify("proxy", &[loopback()]);
    args[3] = "/nonexistent.key".into();
    let missing = problem(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(missing.contains("--tls-key /nonexistent.key: "), "{missing}");
}
