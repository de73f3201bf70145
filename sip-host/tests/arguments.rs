//! Arguments: what is wrong is said of which argument, and the help is there.

mod support;

use support::{Process, receive, run, udp};

/// Exit status 2, and a message that names the argument, its value and what is wrong.
fn refuses(args: &[&str], message: &str) {
    let (status, out, err) = run(args);
    assert_eq!(status, 2, "{args:?}: {out}{err}");
    assert!(err.contains(message), "{args:?}: {err}");
}

#[test]
fn an_error_says_what_was_wrong_with_which_argument() {
    refuses(
        &["proxy", "--listen", "tpc:127.0.0.1:5060"],
        "--listen tpc:127.0.0.1:5060: unknown transport 'tpc' (udp, tcp, tls, ws, wss)",
    );
    refuses(&["proxy", "--listen", "udp:127.0.0.1:x"], "'x' is not a port");
    refuses(&["proxy"], "--listen");
    refuses(
        &["proxy", "--listen", "udp:127.0.0.1:0", "--route", "sip:h"],
        "--route sip:h: give a pattern",
    );
    refuses(
        &["proxy", "--listen", "udp:127.0.0.1:0", "--trust", "10.0.0.0/99"],
        "--trust 10.0.0.0/99",
    );
    refuses(&["proxy", "--listen", "udp:127.0.0.1:0", "--domain", "a b"], "--domain a b");
    let phone = |more: &[&'static str]| {
        let mut args = vec!["phone", "--listen", "udp:127.0.0.1:0"];
        args.extend_from_slice(more);
        args
    };
    refuses(&phone(&["--aor", "bob"]), "--aor bob: 'bob' is not a URI");
    refuses(&phone(&["--aor", "tel:+1"]), "--aor tel:+1: 'tel:+1' is not a sip: or sips: URI");
    refuses(&phone(&["--aor", "sip:b@h", "--answer", "99"]), "--answer 99: not 200");
    refuses(
        &phone(&["--aor", "sip:b@h", "--answer", "302"]),
        "--answer 302: say with --redirect-to",
    );
    refuses(&phone(&["--aor", "sip:b@h", "--expect", "100"]), "--expect 100: not a final status");
    refuses(&phone(&["--aor", "sip:b@h", "--rate", "0"]), "--rate 0: not above 0");
    refuses(&phone(&[]), "--aor");
    refuses(
        &["flows", "no_such_flow"],
        "unknown flow 'no_such_flow' (setup_disconnect, called_busy",
    );
    refuses(&["flows", "hold", "--svg", "/dev/null"], "/dev/null: ");
    refuses(&["flows", "hold", "--pcap", "/dev/null/x"], "/dev/null/x: ");
    refuses(&["frobnicate"], "frobnicate");
}

#[test]
fn a_port_in_use_or_an_address_of_another_machine_is_named() {
    let taken = udp();
    let listen = format!("udp:{}", taken.local_addr().unwrap());
    refuses(&["proxy", "--listen", &listen], &format!("--listen {listen}: the port is in use"));
    refuses(
        &["proxy", "--listen", "udp:192.0.2.1:5060"],
        "--listen udp:192.0.2.1:5060: this machine does not have that address",
    );
}

#[test]
fn port_0_takes_a_free_port_and_says_which() {
    let mut proxy =
        Process::start(&["proxy", "--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0"]);
    assert_ne!(proxy.udp().port(), 0);
    assert_ne!(proxy.tcp().port(), 0);
    let last = proxy.stop();
    for count in ["calls", "transactions", "forks", "dialogs", "timers", "flows", "blocks"] {
        assert_eq!(last[count], 0, "{count}");
    }
    assert_eq!(last["clean"], true);
}

#[test]
fn who_listens_everywhere_tells_others_a_real_address() {
    let peer = udp();
    let target = format!("sip:bob@{}", peer.local_addr().unwrap());
    let args =
        ["phone", "--listen", "udp:0.0.0.0:0", "--aor", "sip:alice@example.com", "--call", &target];
    let _phone = Process::start(&args);
    let invite = receive(&peer);
    assert!(invite.starts_with("INVITE "), "{invite}");
    assert!(!invite.contains("0.0.0.0"), "{invite}");

    let mut more = args.to_vec();
    more.extend_from_slice(&["--advertise", "phone.example.com:5999"]);
    let _phone = Process::start(&more);
    let invite = loop {
        let message = receive(&peer);
        if message.contains("phone.example.com") {
            break message;
        }
    };
    assert!(invite.contains("Via: SIP/2.0/UDP phone.example.com:5999"), "{invite}");
    assert!(invite.contains("@phone.example.com:5999"), "{invite}");
}

#[test]
fn help_shows_how_to_set_up_two_phones() {
    let (status, out, _) = run(&["proxy", "--help"]);
    assert_eq!(status, 0);
    assert!(out.contains("sansip phone --listen udp:127.0.0.1:5070"), "{out}");
    let (status, out, _) = run(&["phone", "--help"]);
    assert_eq!(status, 0);
    assert!(out.contains("Exit status: 0 if all went as wanted"), "{out}");
}
