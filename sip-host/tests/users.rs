//! Phones that prove themselves to `sansip proxy --users`, and those that cannot.

mod support;

use support::Process;

fn proxy(more: &[&str]) -> Process {
    let mut args = vec!["proxy", "--domain", "example.com"];
    args.extend_from_slice(&["--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0"]);
    args.extend_from_slice(more);
    Process::start(&args)
}

fn phone(user: &str, proxy: &str, transport: &str, more: &[&str]) -> Process {
    let aor = format!("sip:{user}@example.com");
    let listen = format!("{transport}:127.0.0.1:0");
    let mut args = vec!["phone", "--listen", &listen, "--aor", &aor, "--proxy", proxy];
    args.extend_from_slice(more);
    Process::start(&args)
}

/// A file of users or with a password, gone with the test.
struct UsersFile(std::path::PathBuf);

impl UsersFile {
    fn with(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sansip-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a temporary file");
        Self(path)
    }

    /// The users with the password `secret` in the realm `example.com`.
    fn new(name: &str, algorithm: &str, users: &[&str]) -> Self {
        use sansip::auth::{Secret, ha1};
        let span = sansip::wire::Span::new(0, algorithm.len());
        let known = sansip::Algorithm::of(algorithm.as_bytes(), Some(span));
        let line = |user: &&str| {
            let secret = Secret::Password(b"secret");
            let hash = ha1(known, user.as_bytes(), b"example.com", &secret).expect("it is built");
            let digits = String::from_utf8_lossy(hash.as_bytes()).into_owned();
            format!("{user}:example.com:{algorithm}:{digits}\n")
        };
        let text: String = users.iter().map(line).collect();
        Self::with(name, &text)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a name in UTF-8")
    }
}

impl Drop for UsersFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn phones_prove_themselves_to_the_proxy_by_every_algorithm() {
    let secret = UsersFile::with("secret", "secret\n");
    for (algorithm, transport) in [("MD5", "udp"), ("SHA-256", "tcp"), ("SHA-512-256", "udp")] {
        let file = UsersFile::new(algorithm, algorithm, &["alice", "bob"]);
        let mut p = proxy(&["--users", file.path()]);
        let said = p.wait_for("challenges");
        assert_eq!(said["algorithms"], serde_json::json!([algorithm]));
        assert_eq!(said["realm"], "example.com");
        let uri = match transport {
            "tcp" => format!("sip:{};transport=tcp", p.tcp()),
            _ => format!("sip:{}", p.udp()),
        };
        let known = ["--password-file", secret.path(), "--register"];
        let more = [&known[..], &["--calls", "1", "--after", "50"]].concat();
        let mut bob = phone("bob", &uri, transport, &more);
        bob.wait_for("registered");
        let call = ["--call", "sip:bob@example.com", "--hangup-after", "200"];
        let mut alice = phone("alice", &uri, transport, &[&known[..], &call].concat());
        assert_eq!(alice.end(), 0, "{algorithm}: {:#?}", alice.events);
        assert!(alice.event("registered").is_some());
        assert_eq!(alice.event("answered").expect("an answer")["status"], 200);
        assert_eq!(bob.end(), 0, "{:#?}", bob.events);
        assert!(bob.event("unregistered").is_some());
    }
}

#[test]
fn who_is_not_proven_neither_registers_nor_calls() {
    let file = UsersFile::new("two", "SHA-256", &["alice", "bob"]);
    let right = UsersFile::with("right", "secret\n");
    let wrong = UsersFile::with("wrong", "wrong\n");
    let p = proxy(&["--users", file.path()]);
    let uri = format!("sip:{}", p.udp());
    for more in [
        &[][..],
        &["--password-file", wrong.path()],
        &["--password-file", right.path(), "--auth-user", "eve"],
    ] {
        let mut bob = phone("bob", &uri, "udp", &[&["--register"], more].concat());
        assert_eq!(bob.end(), 1);
        assert_eq!(bob.event("register_failed").expect("a refusal")["status"], 401);
        let call = ["--call", "sip:bob@example.com", "--expect", "407"];
        let mut alice = phone("alice", &uri, "udp", &[&call, more].concat());
        assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    }
    // A proven user is itself and nobody else (RFC 3261 10.3 step 4).
    let alice = ["--register", "--password-file", right.path(), "--auth-user", "alice"];
    let mut bob = phone("bob", &uri, "udp", &alice);
    assert_eq!(bob.end(), 1);
    assert_eq!(bob.event("register_failed").expect("a refusal")["status"], 403);
}

#[test]
fn a_proxy_without_users_says_that_it_challenges_nobody() {
    let mut p = proxy(&[]);
    let said = p.wait_for("challenges");
    assert_eq!(said["methods"], serde_json::json!([]));
    assert!(said["note"].as_str().expect("a note").contains("anybody"));
}

#[test]
fn a_users_file_that_is_wrong_is_refused_with_its_line() {
    let file = UsersFile::new("bad", "MD5", &["alice"]);
    let more = format!("{}bob:example.com:12\n", std::fs::read_to_string(&file.0).expect("a file"));
    std::fs::write(&file.0, more).expect("a file");
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_sansip"))
        .args(["proxy", "--listen", "udp:127.0.0.1:0", "--users", file.path()])
        .output()
        .expect("sansip runs");
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("line 2: the HA1 of MD5 has 32"), "{said}");
}
