//! Captures are read back by tshark, where it is installed.

use std::net::SocketAddr;
use std::process::Command;

use sansip::{Addr, Limits, Transport};
use sansip_sim::network::{Delivery, Network, NodeId};
use sansip_sim::pcap::{Writer, write_trace};
use sansip_sim::phone::Phone;
use sansip_sim::world::World;

const OPTIONS: &[u8] =
    b"OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
    From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 1\r\n\
    CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// What tshark makes of a capture; `None` where there is no tshark.
fn tshark(name: &str, capture: &[u8], args: &[&str]) -> Option<String> {
    let file = std::env::temp_dir().join(format!("sansip-{}-{name}.pcap", std::process::id()));
    std::fs::write(&file, capture).unwrap();
    let run = Command::new("tshark").arg("-n").arg("-r").arg(&file).args(args).output();
    std::fs::remove_file(&file).unwrap();
    match run {
        Ok(out) => Some(String::from_utf8_lossy(&out.stdout).into_owned()),
        Err(_) => {
            println!("skipped: no tshark on this machine");
            None
        }
    }
}

const CHECK: [&str; 6] = [
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "udp.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:TRUE",
];

#[test]
fn datagrams_of_both_families_decode_with_right_checksums() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let addr = |s: &str| s.parse::<SocketAddr>().unwrap();
    writer.udp(1_500_000, addr("10.0.0.1:5060"), addr("10.0.0.2:5060"), OPTIONS).unwrap();
    writer.udp(1_501_000, addr("[fd00::1]:5060"), addr("[fd00::2]:5060"), OPTIONS).unwrap();
    writer.udp(1_502_000, addr("10.0.0.1:5060"), addr("10.0.0.2:5060"), &OPTIONS[1..]).unwrap();
    let mixed = writer.udp(0, addr("10.0.0.1:5060"), addr("[fd00::2]:5060"), OPTIONS);
    assert!(mixed.is_err());
    let capture = writer.finish().unwrap();
    let mut args = CHECK.to_vec();
    args.extend(["-T", "fields", "-E", "separator=|"]);
    args.extend(["-e", "frame.time_epoch", "-e", "sip.Method", "-e", "udp.checksum.status"]);
    let Some(text) = tshark("udp", &capture, &args) else { return };
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "1.500000000|OPTIONS|1");
    assert_eq!(lines[1], "1.501000000|OPTIONS|1");
    assert!(lines[2].ends_with("|1"), "{text}");
}

#[test]
fn a_stream_of_the_simulation_decodes_as_one_conversation() {
    let (a, b) = (NodeId(0), NodeId(1));
    let (addr_a, addr_b) = (Addr::v4(10, 0, 0, 1, 0), Addr::v4(10, 0, 0, 2, 5060));
    let mut net = Network::new(1);
    net.bind(b, addr_b);
    let stream = net.connect(0, a, addr_a, addr_b, Transport::Tcp);
    while net.pop(0).is_some() {}
    let mut long = OPTIONS.to_vec();
    long.truncate(OPTIONS.len() - "0\r\n\r\n".len());
    long.extend_from_slice(b"3000\r\n\r\n");
    long.extend_from_slice(&[b'x'; 3_000]);
    net.write(5, a, stream, &long);
    net.write(6, a, stream, OPTIONS);
    let mut got = Vec::new();
    while let Some(delivery) = net.pop(6) {
        if let Delivery::Bytes { bytes, .. } = delivery {
            got.extend_from_slice(&bytes);
        }
    }
    assert_eq!(got.len(), long.len() + OPTIONS.len());
    net.end(7, b, stream, false);
    let capture = write_trace(&net.trace, Vec::new()).unwrap();
    let mut args = CHECK.to_vec();
    args.extend(["-T", "fields", "-E", "separator=|", "-e", "sip.Method", "-e", "tcp.flags.str"]);
    args.extend(["-e", "tcp.checksum.status", "-e", "tcp.analysis.flags"]);
    let Some(text) = tshark("tcp", &capture, &args) else { return };
    assert_eq!(text.matches("OPTIONS").count(), 2, "{text}");
    assert!(text.lines().all(|l| l.contains("|1|") && l.ends_with('|')), "{text}");
    assert_eq!(text.lines().next_back().map(|l| l.contains("··A····")), Some(true), "{text}");
}

#[test]
fn a_whole_simulation_decodes_message_by_message() {
    let mut world = World::new(1);
    let config = world.config();
    let callee = Phone::new("sip:bob@10.0.0.2").answers(200, 1_000);
    world.add_engine("bob", "10.0.0.2:5060", config, &Limits::PHONE, callee);
    let config = world.config();
    let caller = Phone::new("sip:a@x").calls("sip:bob@10.0.0.2", 1, 0).hangs_up(2_000);
    world.add_engine("alice", "10.0.0.1:5060", config, &Limits::PHONE, caller);
    world.run_until(50_000);
    let capture = write_trace(&world.net.trace, Vec::new()).unwrap();
    let args = ["-T", "fields", "-E", "separator=|", "-e", "frame.time_epoch", "-e", "sip.Method"];
    let args = [&args[..], &["-e", "sip.Status-Code", "-e", "sdp.media"]].concat();
    let Some(text) = tshark("world", &capture, &args) else { return };
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "0.000000000|INVITE||audio 4000 RTP/AVP 0",
            "0.000000000||180|",
            "1.000000000||200|audio 4000 RTP/AVP 0",
            "1.000000000|ACK||",
            "3.000000000|BYE||",
            "3.000000000||200|",
        ]
    );
}
