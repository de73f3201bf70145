//! Nothing of the wire layer allocates once the index is reserved.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use sansip::header::{Essentials, equal};
use sansip::wire::{
    Edit, Frame, Framer, Framing, Index, MessageRef, Name, ResponseParts, Role, Verdict,
    WireLimits, edit, judge, parse, response,
};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated_after_the_index() {
    let text = b"INVITE sip:b@b.example SIP/2.0\r\n\
        Via: SIP/2.0/UDP a.example;branch=z9hG4bK1;rport\r\n\
        Max-Forwards: 70\r\nFrom: \"A\" <sip:a@a.example>;tag=1\r\nTo: <sip:b@b.example>\r\n\
        Call-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@a.example>\r\nContent-Length: 0\r\n\r\n";
    let limits = WireLimits::default();
    let before = BYTES.load(Ordering::Relaxed);
    let mut index = Index::new(&limits).unwrap();
    assert_eq!(BYTES.load(Ordering::Relaxed) - before, Index::bytes(&limits));
    let mut out = [0; 1_000];
    let count = COUNT.load(Ordering::Relaxed);
    for _ in 0..10 {
        assert_eq!(Framer::new(&limits).scan(text), Frame::Message(text.len()));
        let m = parse(text, &limits, Framing::Stream, &mut index).unwrap();
        let e = Essentials::of(&m);
        assert_eq!(judge(Role::UserAgent, &m, &e), Verdict::Accept);
        assert!(equal(m.request_uri(), b"sip:b@B.example"));
        assert_eq!(m.values(Name::Via).count(), 1);
        let parts = ResponseParts { to_tag: Some(b"2"), via_rport: Some(1), ..Default::default() };
        assert!(response(&mut out, &m, 200, None, &parts).is_ok());
        let edits = [Edit::Insert { at: edit::before_first(&m, Name::Via), text: b"X: y\r\n" }];
        let n = edit::apply(m.bytes(), &edits, &mut out).unwrap();
        assert!(MessageRef::lazy(&out[..n]).is_some());
    }
    assert_eq!(COUNT.load(Ordering::Relaxed), count);
}
