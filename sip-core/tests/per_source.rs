//! What one source may take of the proxy.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, config, request, response};
use sansip::{Limits, Network};

const FAR: &str = "sip:x@10.0.0.9";

fn proxy(trusted: bool) -> Hop {
    let mut config = config();
    config.edge.per_source = 3;
    if trusted {
        config.trusted = vec![Network { ip: "10.0.0.1".parse().unwrap(), prefix: 32 }];
    }
    Hop::with(config, &Limits { sources: 4_096, ..Limits::TESTER })
}

/// In a dialog, so that nobody is asked where it goes.
fn message(from: u8, n: u32) -> String {
    request("MESSAGE", FAR, from, n, "To: <sip:b@example.com>;tag=t\r\n")
}

#[test]
fn a_source_has_so_many_transactions_open_and_others_are_not_hindered() {
    let mut hop = proxy(false);
    for n in 1..=3 {
        hop.receive(1, &message(1, n));
    }
    let mut passed = hop.take();
    assert_eq!(passed.iter().filter(|s| s.to == 9).count(), 3);
    hop.receive(1, &message(1, 4));
    let refused = hop.only();
    assert_eq!((refused.to, refused.start(), refused.one("Retry-After")), (1, "503", "10"));
    hop.receive(2, &message(2, 1));
    assert_eq!(hop.only().to, 9);
    // Repetitions are of the same transaction.
    hop.receive(1, &message(1, 1));
    assert_eq!(hop.take(), []);
    // As one ends, another may begin: 64*T1 after its answer.
    let done = passed.remove(0);
    hop.receive(9, &response(&done, 200, "t", ""));
    hop.take();
    hop.receive(1, &message(1, 5));
    assert_eq!(hop.labels(), ["1 503"], "its repetitions are still absorbed");
    hop.run(33_000);
    hop.take();
    hop.receive(1, &message(1, 6));
    assert_eq!(hop.only().to, 9);
    hop.finish();
}

#[test]
fn a_trusted_network_has_no_such_bound() {
    let mut hop = proxy(true);
    for n in 1..=20 {
        hop.receive(1, &message(1, n));
    }
    assert_eq!(hop.take().iter().filter(|s| s.to == 9).count(), 20);
    hop.finish();
}
