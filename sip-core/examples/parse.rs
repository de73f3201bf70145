//! Reads a SIP message and says what is wrong with it.

use sansip::wire::{Framing, Index, Name, WireLimits, parse};

fn main() {
    let bytes = b"OPTIONS sip:bob@example.com SIP/2.0\r\ni: 4711@pc33\r\n\r\n";
    let limits = WireLimits::DEFAULT;
    let mut index = Index::new(&limits).expect("memory for the index");
    let message = parse(bytes, &limits, Framing::Datagram, &mut index).expect("a SIP message");
    let call_id = message.header(Name::CallId).unwrap_or_default();
    println!("Call-ID: {}", String::from_utf8_lossy(call_id));
    for defect in sansip::header::Essentials::of(&message).defects() {
        println!("{} ({})", defect.text(), defect.clause());
    }
}
