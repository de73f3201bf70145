//! Runs one operation of the wire layer N times, to be counted under `valgrind --tool=callgrind`:
//! the slope between two N is the cost of one.
//!
//! `wire_cost index|typed FILE N`

use std::hint::black_box;

use sansip::header::Essentials;
use sansip::wire::{Framing, Index, WireLimits, parse};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, what, file, n] = &args[..] else { panic!("wire_cost index|typed FILE N") };
    let message = std::fs::read(file).expect("a file");
    let n: u32 = n.parse().expect("a number");
    let limits = WireLimits::default();
    let mut index = Index::new(&limits).expect("memory");
    let mut sum = 0usize;
    for _ in 0..n {
        let bytes = black_box(&message[..]);
        let m = parse(bytes, &limits, Framing::Datagram, &mut index).expect("a message");
        sum = sum.wrapping_add(match what.as_str() {
            "index" => m.body().len(),
            "typed" => {
                let e = black_box(Essentials::of(&m));
                assert!(e.kinds().is_empty());
                usize::from(e.via.map_or(0, |v| v.branch.len))
            }
            other => panic!("{other}?"),
        });
    }
    eprintln!("{what} {sum} Essentials {} bytes", size_of::<Essentials>());
}
