//! `sansip phone --script` in pairs, as a person would write the scripts.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn phone(user: &str, listen: &str, script: &str, more: &[&str]) -> std::process::Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sansip"))
        .args(["phone", "--listen", listen, "--aor", &format!("sip:{user}@127.0.0.1")])
        .args(["--script", "-", "--json"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sansip starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(script.as_bytes()).expect("it reads");
    child
}

fn free() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address").port()
}

/// Two phones, each by its script; in Alice's, `BOB` is Bob's URI.
fn pair(alice: &str, bob: &str) -> (Output, Output) {
    pair_with((alice, &[]), (bob, &[]))
}

fn pair_with(alice: (&str, &[&str]), bob: (&str, &[&str])) -> (Output, Output) {
    let port = free();
    let bob = phone("bob", &format!("udp:127.0.0.1:{port}"), bob.0, bob.1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let uri = format!("sip:bob@127.0.0.1:{port}");
    let alice = phone("alice", "udp:127.0.0.1:0", &alice.0.replace("BOB", &uri), alice.1);
    let alice = alice.wait_with_output().expect("Alice ends");
    (alice, bob.wait_with_output().expect("Bob ends"))
}

fn both_went_well(alice: &str, bob: &str) {
    let (alice, bob) = pair(alice, bob);
    for (name, output) in [("Alice", alice), ("Bob", bob)] {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {errors}\n{said}");
    }
}

#[test]
fn a_call_is_made_answered_and_ended() {
    both_went_well(
        "call BOB\nwait progress 1 status=180\nwait answered 1\nexpect call 1 state=active\n\
         fails answer 1\nhangup\nwait ended 1 why=hangup\nexpect calls 0\n",
        "wait incoming 1 from~alice\nexpect call 1 state=incoming\nanswer\nwait confirmed\n\
         wait ended why=remote_hangup\n",
    );
}

#[test]
fn a_call_is_refused_or_sent_elsewhere() {
    both_went_well(
        "call BOB\nwait ended 1 why=refused status=603\ncall BOB\nwait ended 2 status=302\n",
        "wait incoming\nreject 603\nwait ended 1 why=rejected\nwait incoming\n\
         redirect carol@127.0.0.1\nwait ended 2\n",
    );
}

#[test]
fn both_sides_see_a_hold_and_its_end() {
    both_went_well(
        "call BOB\nwait answered\nwait media 1 held=no codec=PCMU\nfails resume\nhold\n\
         wait media 1 held=local direction=sendonly\nexpect call 1 held=local\nfails hold\n\
         wait media 1 held=both direction=inactive\nresume 1\n\
         wait media 1 held=remote\nwait media 1 held=no direction=sendrecv\nhangup\nwait ended\n",
        "wait incoming\nanswer\nwait media held=remote direction=recvonly\nhold\n\
         wait media held=both\nwait media held=local\nresume\nwait media held=no\nwait ended\n",
    );
}

#[test]
fn a_codec_is_the_one_that_both_have() {
    let with =
        |codecs: &[&'static str]| codecs.iter().flat_map(|c| ["--codec", c]).collect::<Vec<_>>();
    let (alice, bob) = pair_with(
        ("call BOB\nwait media codec=PCMA\nhangup\n", &with(&["G722", "PCMA"])),
        ("wait incoming\nanswer\nwait media codecs=PCMA\nwait ended\n", &with(&["PCMU", "PCMA"])),
    );
    assert!(alice.status.success(), "{alice:?}");
    assert!(bob.status.success(), "{bob:?}");
    let (alice, _) = pair_with(
        ("call BOB\nwait ended status=488\n", &with(&["G722"])),
        ("wait incoming\nanswer\nwait ended\n", &with(&["PCMU"])),
    );
    assert!(alice.status.success(), "{alice:?}");
}

#[test]
fn somebody_is_asked_what_it_can_do() {
    both_went_well(
        "options BOB\nwait options status=200 allow~INVITE\ncall BOB\nwait ended\n",
        "wait incoming\nreject\nwait ended\n",
    );
}

#[test]
fn settings_act_before_a_person_does() {
    both_went_well(
        "call BOB\nwait ended 1 status=603\ncall BOB\nwait redirected 2 target~carol\nhangup 2\n\
         wait ended 2\ncall BOB\nwait answered 3\nhangup\nwait ended 3\n"
            .replace("call BOB", "redirects ask\ncall BOB")
            .as_str(),
        "dnd 603\nwait policy 1 what=dnd\nwait ended 1\ndnd off\nforward always carol@127.0.0.1\n\
         wait policy 2 what=forward_always\nwait ended 2\nforward off\nautoanswer on\n\
         wait policy 3 what=auto_answer\nwait confirmed 3\nwait ended 3\n",
    );
}

#[test]
fn an_expectation_that_fails_ends_the_script_with_its_line() {
    let (alice, bob) =
        pair("# busy\ncall BOB\nwait answered within 1\n", "wait incoming\nreject\nwait ended\n");
    assert!(bob.status.success());
    assert_eq!(alice.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&alice.stderr);
    assert!(errors.starts_with("sansip: -:3: no 'answered'"), "{errors}");
    assert!(errors.contains("\"status\":486"), "{errors}");
}
