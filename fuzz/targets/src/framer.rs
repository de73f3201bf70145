//! Cutting a stream into messages: the same messages at whatever points the bytes arrive in pieces.

use sansip::wire::{Frame, Framer, Framing, Index, WireLimits, parse};

const LIMITS: WireLimits =
    WireLimits { message: 4_000, header_section: 2_000, ..WireLimits::DEFAULT };

/// The first 8 bytes are the lengths of the pieces, in turn; the rest is the stream.
pub fn run(data: &[u8]) {
    let (steps, stream) = data.split_at(data.len().min(8));
    let whole = frames(stream, &[usize::MAX]);
    let steps: Vec<usize> = steps.iter().map(|s| usize::from(*s) + 1).collect();
    let pieces = frames(stream, if steps.is_empty() { &[1] } else { &steps });
    assert_eq!(whole, pieces);
    if stream.len() < 2_000 {
        assert_eq!(whole, frames(stream, &[1]));
    }
    for message in &whole.messages {
        let mut index = Index::new(&LIMITS).unwrap();
        let m = parse(message, &LIMITS, Framing::Stream, &mut index).expect("a frame is a message");
        assert_eq!(m.consumed(), message.len());
    }
}

/// What came of a stream.
#[derive(PartialEq, Eq, Debug)]
struct Cut {
    messages: Vec<Vec<u8>>,
    /// The status of the end, if the stream has to be closed.
    bad: bool,
}

fn frames(stream: &[u8], steps: &[usize]) -> Cut {
    let mut framer = Framer::new(&LIMITS);
    let mut cut = Cut { messages: Vec::new(), bad: false };
    let (mut from, mut to) = (0, 0);
    for step in steps.iter().cycle() {
        if to == stream.len() {
            break;
        }
        to = to.saturating_add(*step).min(stream.len());
        loop {
            let seen = &stream[from..to];
            let used = match framer.scan(seen) {
                Frame::NeedMore => break,
                Frame::KeepAlive(n) | Frame::Skip(n) => n,
                Frame::Message(n) => {
                    cut.messages.push(seen[..n].to_vec());
                    n
                }
                Frame::Bad { consumed, status, .. } => {
                    assert!(consumed <= seen.len());
                    assert!((400..=699).contains(&status));
                    cut.bad = true;
                    return cut;
                }
            };
            assert!(used > 0 && used <= seen.len());
            from += used;
        }
    }
    cut
}
