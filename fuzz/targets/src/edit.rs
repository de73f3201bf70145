//! Forwarding with edits: what no edit names stays byte for byte.

use sansip::header::Essentials;
use sansip::wire::edit::{apply, at_end, before_first, delete, pop, sort};
use sansip::wire::{
    Edit, Field, Framing, Index, MessageRef, Name, Role, Span, Verdict, WireLimits, judge, parse,
};

use crate::program::Program;

/// The first bytes are a program of edits, the rest is what they are applied to.
pub fn run(data: &[u8]) {
    let (head, source) = data.split_at(data.len().min(32));
    free(head, source);
    hop(data);
}

/// Any edits in any order give what the plain way of doing it gives, or are refused.
fn free(head: &[u8], source: &[u8]) {
    let mut program = Program::new(head);
    let text = head;
    let mut edits = Vec::new();
    while let Some(op) = program.byte() {
        let at = program.number() % (source.len() + 2);
        let end = at + program.small();
        let with = &text[..program.small().min(text.len())];
        edits.push(match op % 3 {
            0 => Edit::Replace { span: Span::new(at, end), with },
            1 => Edit::Insert { at, text: with },
            _ => Edit::Delete { span: Span::new(at, end) },
        });
    }
    if head.first().is_some_and(|b| b % 4 != 0) {
        sort(&mut edits);
        assert!(edits.windows(2).all(|w| w[0].at() <= w[1].at()));
    }
    let mut out = vec![0; 70_000];
    let got = apply(source, &edits, &mut out).ok().map(|n| out[..n].to_vec());
    assert_eq!(got, plainly(source, &edits));
}

fn plainly(source: &[u8], edits: &[Edit<'_>]) -> Option<Vec<u8>> {
    let (mut out, mut from) = (Vec::new(), 0);
    for edit in edits {
        let (at, end, with) = match *edit {
            Edit::Replace { span, with } => (span.start(), span.end(), with),
            Edit::Insert { at, text } => (at, at, text),
            Edit::Delete { span } => (span.start(), span.end(), &[][..]),
        };
        out.extend_from_slice(source.get(from..at)?);
        out.extend_from_slice(with);
        from = end;
    }
    out.extend_from_slice(source.get(from..)?);
    (out.len() <= 65_535).then_some(out)
}

/// What a hop does to a message that it accepts: a Via on top, the top one off, a field at the end.
fn hop(data: &[u8]) {
    let limits = WireLimits::DEFAULT;
    let mut index = Index::new(&limits).unwrap();
    let Ok(m) = parse(data, &limits, Framing::Datagram, &mut index) else { return };
    let mut out = vec![0; 65_535];
    let len = apply(m.bytes(), &[], &mut out).expect("fits");
    assert_eq!(&out[..len], m.bytes());
    if judge(Role::Proxy, &m, &Essentials::of(&m)) != Verdict::Accept {
        return;
    }

    let ours: &[u8] = b"SIP/2.0/UDP fuzz;branch=z9hG4bKfuzz";
    let line = [b"Via: ", ours, b"\r\n"].concat();
    let mut edits = vec![
        Edit::Insert { at: before_first(&m, Name::Via), text: &line },
        Edit::Insert { at: at_end(&m), text: b"X-Fuzz: 1\r\n" },
    ];
    sort(&mut edits);
    let Ok(len) = apply(m.bytes(), &edits, &mut out) else { return };
    let pushed = out[..len].to_vec();
    let pushed = MessageRef::lazy(&pushed).expect("still a message");
    assert_eq!(pushed.header(Name::Via), Some(ours));
    assert!(pushed.header_named(b"X-Fuzz").is_some());
    let added = |f: &Field, m: &MessageRef<'_>| {
        let name = m.text(f.name_span());
        name == b"X-Fuzz" || m.text(f.value) == ours
    };
    assert_eq!(texts(&pushed, |f| !added(f, &pushed)), texts(&m, |f| !added(f, &m)));
    assert_eq!(body(&pushed), m.body());

    let top = pushed.field(Name::Via).expect("ours");
    let mut popped = vec![0; 65_535];
    let len = apply(pushed.bytes(), &[pop(&pushed, &top)], &mut popped).expect("shorter");
    let back = MessageRef::lazy(&popped[..len]).expect("still a message");
    let last = back.fields().last().expect("the field at the end");
    let mut restored = vec![0; 65_535];
    let len = apply(back.bytes(), &[delete(&back, &last)], &mut restored).expect("shorter");
    if back.text(last.name_span()) == b"X-Fuzz" {
        assert_eq!(&restored[..len], m.bytes(), "there and back is the same bytes");
    }
}

/// The body of a message that is read lazily: all behind the header section.
fn body<'a>(m: &MessageRef<'a>) -> &'a [u8] {
    &m.bytes()[m.body_at()..]
}

fn texts<'a>(m: &MessageRef<'a>, keep: impl Fn(&Field) -> bool) -> Vec<(&'a [u8], &'a [u8])> {
    m.fields().filter(|f| keep(f)).map(|f| (m.text(f.name_span()), m.text(f.value))).collect()
}
