//! The script table for forking: targets and responses, with every message to both sides and its
//! millisecond (RFC 3261 16.6 to 16.10, RFC 3841, RFC 5393, RFC 6228). The scripts are in the files
//! beside this one; `support/fork_script.rs` says how they are written.

#[path = "../support/fork_script.rs"]
mod fork_script;
#[path = "../support/hop.rs"]
mod hop;

use std::fmt::Write as _;

use fork_script::{check, check_file};

/// How a row of `classes.txt` goes on, message by message: `486 200 -> 200/3`. All devices ring, then
/// they answer in turn; who is cancelled answers what the row says all the same.
fn script(row: &str) -> String {
    let (statuses, outcome) = row.split_once(" -> ").unwrap();
    let statuses: Vec<u16> = statuses.split(' ').map(|s| s.parse().unwrap()).collect();
    let devices: Vec<usize> = (2..2 + statuses.len()).collect();
    let mut text = format!("# {row}\ntargets");
    devices.iter().for_each(|d| write!(text, " {d}").unwrap());
    text += "\n0 1> INVITE\n0 >1 100\n";
    // RFC 5393 5.3.3: no more than 60 in all; one is kept for a device that comes late.
    let mut breadth = 60;
    for (n, d) in devices.iter().enumerate() {
        let share = (breadth - 1) / (devices.len() - n);
        breadth -= share;
        writeln!(text, "0 >{d} INVITE {share}").unwrap();
    }
    for d in &devices {
        write!(text, "10 {d}> 180\n10 >1 180/{d}\n").unwrap();
    }
    let (mut cancelled, mut answered) = (false, false);
    for (n, (d, status)) in devices.iter().zip(&statuses).enumerate() {
        let (at, contact) =
            (1_000 * (n + 1), if *status == 302 { " <sip:b@far.example>" } else { "" });
        writeln!(text, "{at} {d}> {status}{contact}").unwrap();
        match status {
            // RFC 3261 16.7 step 5: at once, each of them.
            200 => writeln!(text, "{at} >1 200/{d}").unwrap(),
            // 17.1.1.3
            _ => writeln!(text, "{at} >{d} ACK").unwrap(),
        }
        answered |= *status == 200;
        // 16.7 steps 5 and 10: once, and only to those that have not answered.
        if (*status == 200 || *status >= 600) && !cancelled {
            cancelled = true;
            devices[n + 1..].iter().rev().for_each(|d| writeln!(text, "{at} >{d} CANCEL").unwrap());
        }
    }
    if !answered {
        writeln!(text, "{} >1 {outcome}", 1_000 * statuses.len()).unwrap();
    }
    text
}

#[test]
fn every_combination_of_final_classes_over_two_and_three_branches() {
    let rows = include_str!("classes.txt");
    let rows: Vec<&str> = rows.lines().filter(|l| !l.starts_with("//") && !l.is_empty()).collect();
    assert!(rows.len() >= 150);
    for row in rows {
        check(&script(row));
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $file:literal, $least:literal;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            assert!(check_file($file) >= $least);
        }
    )*};
}

tables! {
    /// The first answer, late answers, 6xx, challenges.
    answers: "answers.txt", 29;
    /// The caller gives up, at each point.
    cancel: "cancel.txt", 18;
    /// Nobody answers: timers B, C and the ring time; other addresses of a target.
    time: "time.txt", 19;
    /// Serial and mixed order, Request-Disposition.
    order: "order.txt", 22;
    /// Recursion, redirection, late targets.
    targets: "targets.txt", 29;
    /// Caller preferences, 199, Max-Breadth.
    extensions: "extensions.txt", 25;
}
