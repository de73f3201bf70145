//! The proxy's file, what a signal makes of it while it runs, and its end.

mod support;

use std::path::PathBuf;
use std::time::Duration;

use support::{Process, headers, receive, request, run, status, udp};

/// A file, gone with the test.
struct Toml(PathBuf);

impl Toml {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sansip-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Toml {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn answer_to(to: std::net::SocketAddr, message: &str) -> String {
    let socket = udp();
    let own = socket.local_addr().unwrap();
    socket.send_to(message.replace("OWN", &own.to_string()).as_bytes(), to).unwrap();
    loop {
        let answer = receive(&socket);
        if status(&answer) >= 200 {
            return answer;
        }
    }
}

/// The final status of a request for this URI.
fn asks(p: &Process, method: &str, uri: &str, mark: &str) -> u16 {
    let own = "127.0.0.1:9".parse().unwrap();
    let message = request(method, uri, "UDP", own, mark).replace("127.0.0.1:9", "OWN");
    status(&answer_to(p.udp(), &message))
}

#[test]
fn the_file_and_the_arguments_are_joined() {
    let callee = udp();
    let toml = Toml::new(
        "joined",
        &format!(
            "listen = [\"udp:127.0.0.1:0\"]\ndomains = [\"example.com\"]\nrelay = false\n\
             workers = 2\n[registrar]\nmin_expires = 120\n\
             [[trunk]]\nname = \"out\"\nto = [\"sip:{}\"]\n\
             [[route]]\nuser = \"0*\"\ndomain = \"example.com\"\nstrip = 1\nprepend = \"+49\"\n\
             to = \"out\"\n",
            callee.local_addr().unwrap()
        ),
    );
    let p = Process::start(&["proxy", "--config", toml.path(), "--domain", "example.org"]);
    assert_eq!(asks(&p, "OPTIONS", "sip:b@example.com", "first"), 404);
    assert_eq!(asks(&p, "OPTIONS", "sip:b@example.org", "second"), 404);
    assert_eq!(asks(&p, "OPTIONS", "sip:b@elsewhere.example", "third"), 403);
    let own = callee.local_addr().unwrap();
    let invite = request("INVITE", "sip:030123@example.com", "UDP", own, "dialled");
    callee.send_to(invite.as_bytes(), p.udp()).unwrap();
    loop {
        let message = receive(&callee);
        if !message.starts_with("SIP/2.0") {
            assert!(message.starts_with("INVITE sip:+4930123@example.com SIP/2.0"), "{message}");
            break;
        }
    }
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_key() {
    let toml = Toml::new("wrong", "listen = [\"udp:127.0.0.1:0\"]\n\nworkers = \"two\"\n");
    let (code, _, err) = run(&["proxy", "--config", toml.path()]);
    assert_eq!(code, 2);
    let want = format!("{}:3: workers: invalid type: string \"two\", expected usize", toml.path());
    assert!(err.contains(&want), "{err}");
    toml.write("listen = [\"udp:127.0.0.1:0\"]\n");
    assert_eq!(run(&["proxy", "--config", toml.path(), "--check"]).0, 0);
    let (code, _, err) = run(&["proxy", "--config", toml.path(), "--check", "--store", "http://x"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("--store http://x: "), "{err}");
}

/// Nobody listens at the first hop, the second is too busy, the third takes the call; whom it is for
/// says that he is busy, and nobody else is asked.
#[test]
fn a_trunk_goes_on_to_the_next_hop_where_one_takes_no_call() {
    let dead = udp();
    let free = dead.local_addr().unwrap();
    drop(dead);
    let (full, good, spare) = (udp(), udp(), udp());
    let at = |socket: &std::net::UdpSocket| format!("sip:{}", socket.local_addr().unwrap());
    let toml = Toml::new(
        "trunk",
        &format!(
            "listen = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"]\n\
             [[trunk]]\nname = \"out\"\n\
             to = [\"sip:{free};transport=tcp\", \"{}\", \"{}\", \"{}\"]\n\
             [[route]]\nto = \"out\"\n",
            at(&full),
            at(&good),
            at(&spare)
        ),
    );
    let p = Process::start(&["proxy", "--config", toml.path()]);
    let refuse = |socket: std::net::UdpSocket, line: &'static str| {
        std::thread::spawn(move || {
            let request = receive(&socket);
            let mut answer = format!("SIP/2.0 {line}\r\n");
            for name in ["Via", "From", "Call-ID", "CSeq"] {
                for value in headers(&request, name) {
                    answer.push_str(&format!("{name}: {value}\r\n"));
                }
            }
            let to = headers(&request, "To")[0].to_owned();
            answer.push_str(&format!("To: {to};tag=x\r\nContent-Length: 0\r\n\r\n"));
            (socket, answer, request)
        })
    };
    let to = p.udp();
    let answering = |socket, line| {
        let waiting = refuse(socket, line);
        std::thread::spawn(move || {
            let (socket, answer, request) = waiting.join().unwrap();
            socket.send_to(answer.as_bytes(), to).unwrap();
            request
        })
    };
    let (busy, taken) =
        (answering(full, "503 Service Unavailable"), answering(good, "486 Busy Here"));
    assert_eq!(asks(&p, "INVITE", "sip:b@elsewhere.example", "trunk"), 486);
    for asked in [busy.join().unwrap(), taken.join().unwrap()] {
        assert!(asked.starts_with("INVITE sip:b@elsewhere.example SIP/2.0"), "{asked}");
    }
    spare.set_nonblocking(true).unwrap();
    assert!(spare.recv_from(&mut [0; 8]).is_err(), "nobody else is asked");
}

#[test]
fn the_examples_can_be_followed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/proxy");
    let mut checked = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let (code, _, err) = run(&["proxy", "--config", path.to_str().unwrap(), "--check"]);
            assert_eq!(code, 0, "{}: {err}", path.display());
            checked += 1;
        }
    }
    assert!(checked >= 2);
}

#[test]
fn sighup_reads_the_file_again_and_a_wrong_one_changes_nothing() {
    let toml = Toml::new("reload", "listen = [\"udp:127.0.0.1:0\"]\ndomains = [\"one.example\"]\n");
    let mut p = Process::start(&["proxy", "--config", toml.path(), "--no-relay"]);
    assert_eq!(asks(&p, "OPTIONS", "sip:b@one.example", "one"), 404);
    assert_eq!(asks(&p, "OPTIONS", "sip:b@two.example", "two"), 403);

    toml.write("listen = [\"udp:127.0.0.1:0\"]\ndomains = [\"two.example\"]\n");
    p.signal("-HUP");
    p.wait_for("reloaded");
    assert_eq!(asks(&p, "OPTIONS", "sip:b@one.example", "three"), 403);
    assert_eq!(asks(&p, "OPTIONS", "sip:b@two.example", "four"), 404);

    toml.write("listen = [\"udp:127.0.0.1:0\"]\ndomians = []\n");
    p.signal("-HUP");
    let told = p.wait_for("not_reloaded");
    assert!(told["problem"].as_str().unwrap().contains(":2: domians: "), "{told}");
    assert_eq!(asks(&p, "OPTIONS", "sip:b@two.example", "five"), 404);

    toml.write("listen = [\"tcp:127.0.0.1:0\"]\ndomains = [\"two.example\"]\n");
    p.signal("-HUP");
    assert!(p.wait_for("reloaded")["note"].as_str().unwrap().contains("sockets"));
}

/// A caller is told of the phone by a 302, then is put through, then is one too many.
#[test]
fn forking_and_the_edge_are_as_the_file_says_and_change_with_it() {
    let head = "listen = [\"udp:127.0.0.1:0\"]\ndomains = [\"example.com\"]\n";
    let service = "[edge]\nservice_route = [\"sip:edge.example;lr\"]\n";
    let toml = Toml::new("sections", &format!("{head}[forking]\nredirect = true\n{service}"));
    let mut p = Process::start(&["proxy", "--config", toml.path()]);
    let reload = |p: &mut Process, text: &str| {
        toml.write(&format!("{head}{text}"));
        p.signal("-HUP");
        p.wait_for("reloaded");
    };
    let phone = udp();
    let at = phone.local_addr().unwrap();
    let register = request("REGISTER", "sip:example.com", "UDP", at, "register")
        .replace("To: <sip:example.com>", "To: <sip:tester@example.com>");
    phone.send_to(register.as_bytes(), p.udp()).unwrap();
    let registered = receive(&phone);
    assert_eq!(status(&registered), 200, "{registered}");
    assert_eq!(headers(&registered, "Service-Route"), ["<sip:edge.example;lr>"]);

    let own = "127.0.0.1:9".parse().unwrap();
    let invite = |mark: &str| {
        let invite = request("INVITE", "sip:tester@example.com", "UDP", own, mark);
        invite.replace("127.0.0.1:9", "OWN")
    };
    let told = answer_to(p.udp(), &invite("redirected"));
    assert_eq!(status(&told), 302, "{told}");
    assert!(headers(&told, "Contact")[0].contains(&at.to_string()), "{told}");

    reload(&mut p, "[edge]\nper_source = 1\n");
    let caller = udp();
    let own = caller.local_addr().unwrap().to_string();
    caller.send_to(invite("through").replace("OWN", &own).as_bytes(), p.udp()).unwrap();
    assert!(receive(&phone).starts_with("INVITE "), "it is put through");
    let refused = answer_to(p.udp(), &invite("too-many"));
    assert_eq!(status(&refused), 503, "{refused}");
}

/// A call that rings while the file is read again is answered all the same.
#[test]
fn a_call_outlives_a_reload() {
    let toml = Toml::new("outlives", "listen = [\"udp:127.0.0.1:0\"]\n");
    let mut p = Process::start(&["proxy", "--config", toml.path(), "--domain", "example.com"]);
    let uri = format!("sip:{}", p.udp());
    let phone = |aor: &str, more: &[&str]| {
        let args = ["phone", "--listen", "udp:127.0.0.1:0", "--aor", aor, "--proxy", &uri];
        Process::start(&[&args, more].concat())
    };
    let mut bob = phone("sip:bob@example.com", &["--register", "--after", "800", "--calls", "1"]);
    bob.wait_for("registered");
    let more = ["--call", "sip:bob@example.com", "--hangup-after", "200"];
    let mut alice = phone("sip:alice@example.com", &more);
    alice.wait_for("progress");
    p.signal("-HUP");
    p.wait_for("reloaded");
    assert_eq!(alice.end(), 0, "{:#?}", alice.events);
    assert_eq!(bob.end(), 0, "{:#?}", bob.events);
}

/// SIGTERM: who calls now is sent elsewhere, the calls that ring or stand go on to their end, and then
/// it ends.
#[test]
fn a_proxy_that_ends_lets_calls_end_and_takes_no_new_ones() {
    let args = ["proxy", "--listen", "udp:127.0.0.1:0", "--domain", "example.com"];
    let mut p = Process::start(&[&args[..], &["--drain", "90000", "--workers", "2"]].concat());
    let uri = format!("sip:{}", p.udp());
    let phone = |aor: &str, more: &[&str]| {
        let args = ["phone", "--listen", "udp:127.0.0.1:0", "--aor", aor, "--proxy", &uri];
        Process::start(&[&args, more].concat())
    };
    let mut bob = phone("sip:bob@example.com", &["--register", "--after", "1000"]);
    bob.wait_for("registered");
    let call = ["--call", "sip:bob@example.com", "--hangup-after"];
    let mut standing = phone("sip:alice@example.com", &[&call[..], &["36000"]].concat());
    standing.wait_for("answered");
    let mut ringing = phone("sip:carol@example.com", &[&call[..], &["500"]].concat());
    ringing.wait_for("progress");
    p.signal("-TERM");
    std::thread::sleep(Duration::from_millis(200));
    let own = "127.0.0.1:9".parse().unwrap();
    let late = request("INVITE", "sip:bob@example.com", "UDP", own, "late");
    let refusal = answer_to(p.udp(), &late.replace("127.0.0.1:9", "OWN"));
    assert_eq!(status(&refusal), 503);
    assert_eq!(headers(&refusal, "Retry-After").len(), 1, "{refusal}");
    ringing.wait_for("answered");
    assert_eq!(ringing.end(), 0, "{:#?}", ringing.events);

    let begin = std::time::Instant::now();
    while standing.is_running() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{:#?}", standing.events);
        assert!(p.is_running(), "it ends before the call: {:#?}", p.events);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(standing.end(), 0, "{:#?}", standing.events);
    // What absorbs repetitions is waited for: 32 seconds.
    while p.is_running() {
        assert!(begin.elapsed() < Duration::from_secs(100), "it does not end: {:#?}", p.events);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(p.end(), 0, "{:#?}", p.events.last());
    let last = p.events.last().unwrap();
    assert_eq!((&last["clean"], &last["standing"]), (&true.into(), &0.into()), "{last:#}");
}
