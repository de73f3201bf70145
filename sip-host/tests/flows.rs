//! `sansip flows`: documented call flows over real UDP, and what it draws of them.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The packets of a capture: time in microseconds, and bytes from the IP header on.
fn packets(capture: &[u8]) -> Vec<(u64, &[u8])> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    let (mut at, mut all) = (24, Vec::new());
    while at < capture.len() {
        let length = word(at + 8) as usize;
        let time = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
        all.push((time, &capture[at + 16..at + 16 + length]));
        at += 16 + length;
    }
    all
}

#[test]
fn runs_are_drawn_and_captured() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flows");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let capture = dir.join("all.pcap");
    let out = Command::new(env!("CARGO_BIN_EXE_sansip"))
        .args(["flows", "hold", "forward_busy"])
        .arg("--svg")
        .arg(dir.join("pictures"))
        .arg(format!("--mermaid={}", dir.join("diagrams").display()))
        .arg("--pcap")
        .arg(&capture)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}");
    let mut messages = 0;
    for name in ["hold", "forward_busy"] {
        assert!(said.contains(&format!("{name} ran as documented")), "{said}");
        let svg = fs::read_to_string(dir.join(format!("pictures/{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        let drawn = svg.matches("<g class=\"t").count();
        assert!(svg.contains("Call-ID: "), "whole messages stand behind the arrows");
        let diagram = fs::read_to_string(dir.join(format!("diagrams/{name}.mmd"))).unwrap();
        assert_eq!(diagram.matches("->>").count(), drawn);
        messages += drawn;
    }
    let capture = fs::read(&capture).unwrap();
    let packets = packets(&capture);
    assert_eq!(packets.len(), messages);
    assert!(packets.is_sorted_by_key(|(time, _)| *time));
    let second = packets.iter().filter(|(_, p)| p.windows(6).any(|w| w == b"INVITE"));
    assert!(second.count() > 8);
}

#[test]
fn a_diagram_takes_the_place_of_the_ladder() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sansip"));
    let out = command.args(["flows", "--mermaid", "called_busy"]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success());
    assert!(said.starts_with("sequenceDiagram\n") && !said.contains('├'), "{said}");
}
