//! The transaction tables against the reference vectors, and the page drawn from them.
//!
//! `BLESS=1 cargo test -p sansip --test transaction_tables` writes `docs/transactions.md` anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sansip::tx::table::{CELLS, Effects, Event, Machine, Row, State, Timer, row, step};

fn machine_name(m: Machine) -> &'static str {
    match m {
        Machine::InviteClient => "INVITE client",
        Machine::InviteServer => "INVITE server",
        Machine::Client => "non-INVITE client",
        Machine::Server => "non-INVITE server",
    }
}

fn event_name(m: Machine, e: Event) -> String {
    match e {
        Event::Rx1xx => "rx 1xx".into(),
        Event::Rx2xx => "rx 2xx".into(),
        Event::Rx3xx => "rx 300-699".into(),
        Event::RxFinal => "rx 200-699".into(),
        Event::RxRepeat if m == Machine::InviteServer => "rx INVITE retransmission".into(),
        Event::RxRepeat => "rx request retransmission".into(),
        Event::RxAck => "rx ACK".into(),
        Event::Tu1xx => "TU 1xx".into(),
        Event::Tu2xx => "TU 2xx".into(),
        Event::Tu3xx => "TU 300-699".into(),
        Event::TuFinal => "TU 200-699".into(),
        Event::Fires(Timer::Trying) => "200 ms without TU response".into(),
        Event::Fires(t) => format!("timer {}", t.name()),
        Event::TransportError => "transport error".into(),
        Event::FlowClosed => "connection closed".into(),
    }
}

fn is_ours(r: &Row) -> bool {
    r.event == Event::FlowClosed
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn vectors() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SANSIP_VECTORS") {
        return Some(path.into());
    }
    let start = repository();
    start.ancestors().flat_map(|a| [a.join("../shared"), a.join("shared")]).find_map(|shared| {
        let found = shared.join("reference/vectors");
        found.is_dir().then_some(found)
    })
}

/// What the words of the reference page say is done.
fn effects_in(words: &str) -> Effects {
    let mut e = Effects::NONE;
    let all = [
        ("TU 1xx", Effects::TELL_RESPONSE),
        ("TU 2xx", Effects::TELL_RESPONSE),
        ("TU response", Effects::TELL_RESPONSE),
        ("TU timeout", Effects::TELL_TIMEOUT),
        ("TU transport error", Effects::TELL_TRANSPORT),
        ("TU ACK", Effects::TELL_ACK),
        ("TU: ACK never came", Effects::TELL_NO_ACK),
        ("send ACK again", Effects::REPEAT_ACK),
        ("send 100", Effects::SEND_TRYING),
        ("resend INVITE", Effects::REPEAT_REQUEST),
        ("resend last provisional", Effects::REPEAT_RESPONSE),
        ("resend final", Effects::REPEAT_RESPONSE),
    ];
    for (text, effect) in all {
        if words.contains(text) {
            e = e.and(effect);
        }
    }
    if words.contains("unreliable only: resend;") {
        e = e.and(Effects::REPEAT_REQUEST);
    }
    if words.contains("send ACK") && !words.contains("again") {
        e = e.and(Effects::SEND_ACK);
    }
    if words == "send" || words.starts_with("send;") || words.starts_with("send (") {
        e = e.and(Effects::SEND_RESPONSE);
    }
    e
}

/// The effects without timers.
fn acts(e: Effects) -> BTreeSet<&'static str> {
    e.names().collect()
}

#[test]
fn every_cell_agrees_with_the_reference_table() {
    let Some(vectors) = vectors() else {
        println!("skipped: no reference vectors");
        return;
    };
    let text = std::fs::read_to_string(vectors.join("fsm/transactions.tsv")).unwrap();
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|l| !l.starts_with('#')).skip(1) {
        let [machine, state, event, next, output] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let (i, r) = CELLS
            .iter()
            .enumerate()
            .find(|(_, r)| {
                machine_name(r.machine) == machine
                    && format!("{:?}", r.state) == state
                    && event_name(r.machine, r.event) == event
            })
            .unwrap_or_else(|| panic!("no cell for {line}"));
        assert_eq!(format!("{:?}", r.cell.next), next, "{line}");
        assert_eq!(acts(r.cell.effects), acts(effects_in(output)), "{line}");
        let started = output.split(';').find_map(|p| p.trim().strip_prefix("start "));
        if let Some(timer) = started {
            assert!(r.cell.effects.started().any(|t| timer.starts_with(t.name())), "{line}");
        }
        seen.insert(i);
    }
    assert_eq!(seen.len(), 139);
    assert!(CELLS.iter().enumerate().all(|(i, r)| seen.contains(&i) || is_ours(r)));
}

#[test]
fn each_cell_is_listed_once_and_the_step_finds_it() {
    for r in &CELLS {
        let found = row(r.machine, r.state, r.event).unwrap();
        assert!(std::ptr::eq(found, r), "{:?} {:?} {:?} twice", r.machine, r.state, r.event);
        for reliable in [false, true] {
            assert_eq!(step(r.machine, r.state, r.event, reliable), r.on(reliable));
        }
        assert!(r.clause.starts_with("RFC "), "{}", r.clause);
    }
}

/// RFC 3261 17.1.1.2, 17.1.2.2, 17.2.1: A, E and G are for unreliable transports alone.
#[test]
fn a_reliable_transport_starts_no_repeating_timer() {
    let repeating = [Timer::A, Timer::E, Timer::G];
    for r in &CELLS {
        let e = r.on(true).effects;
        assert!(repeating.iter().all(|t| !e.starts(*t)));
        if matches!(r.event, Event::Fires(t) if repeating.contains(&t)) {
            assert!(e.is_empty());
        }
    }
    for m in Machine::ALL {
        assert!(repeating.iter().all(|t| !m.begin(true).effects.starts(*t)));
    }
}

/// Whatever runs in a state can end it or is harmless there: no state but those that wait for a
/// person or a peer's final response can last for ever.
#[test]
fn each_state_that_only_waits_has_a_timer_that_ends_it() {
    for r in &CELLS {
        for timer in
            r.cell.effects.started().filter(|t| !matches!(t, Timer::A | Timer::E | Timer::G))
        {
            let end = step(r.machine, r.cell.next, Event::Fires(timer), false);
            assert_eq!(end.next, State::Terminated, "{:?} {:?}", r.machine, timer);
        }
    }
}

/// Destroyed the instant it terminates (RFC 3261 17.1.1.2, 17.1.2.2, 17.2.1, 17.2.2).
#[test]
fn nothing_happens_after_the_end() {
    for r in CELLS.iter().filter(|r| r.state == State::Terminated) {
        assert_eq!(r.cell.next, State::Terminated);
        assert!(r.cell.effects.is_empty());
    }
}

fn describe(e: Effects) -> String {
    let mut parts: Vec<String> = e.names().map(str::to_owned).collect();
    let list = |timers: Vec<Timer>| timers.iter().map(|t| t.name()).collect::<Vec<_>>().join(", ");
    let (stopped, started) = (e.stopped().collect::<Vec<_>>(), e.started().collect::<Vec<_>>());
    if !stopped.is_empty() {
        parts.push(format!("stop {}", list(stopped)));
    }
    if !started.is_empty() {
        parts.push(format!("start {}", list(started)));
    }
    if parts.is_empty() { "nothing".into() } else { parts.join("; ") }
}

fn page() -> String {
    let mut out = String::from(
        "# Transactions\n\n\
        Drawn from `sip-core/src/tx/table.rs` by its test; do not edit. The tables are those of\n\
        RFC 3261 17 as amended by RFC 6026 and RFC 4320. On a reliable transport timers A, E and G are\n\
        never started, and D, I, J and K are zero. The diagrams leave out events that change and send\n\
        nothing.\n",
    );
    for m in Machine::ALL {
        let begin = m.begin(false);
        writeln!(out, "\n## {}\n\n```mermaid\nstateDiagram-v2", machine_name(m)).unwrap();
        let done = describe(begin.effects).replace(';', ",");
        writeln!(out, "    [*] --> {:?}: {done}", begin.next).unwrap();
        let rows = || CELLS.iter().filter(move |r| r.machine == m);
        for r in rows().filter(|r| !(r.cell.effects.is_empty() && r.cell.next == r.state)) {
            let next = match r.cell.next {
                State::Terminated => "[*]".into(),
                next => format!("{next:?}"),
            };
            // A semicolon ends a statement of the diagram language.
            let done = describe(r.cell.effects).replace(';', ",");
            let event = event_name(m, r.event);
            writeln!(out, "    {:?} --> {next}: {event} / {done}", r.state).unwrap();
        }
        out.push_str(
            "```\n\n| state | event | next state | done | clause |\n|---|---|---|---|---|\n",
        );
        for r in rows() {
            let (event, done) = (event_name(m, r.event), describe(r.cell.effects));
            let (state, next, clause) = (r.state, r.cell.next, r.clause);
            writeln!(out, "| {state:?} | {event} | {next:?} | {done} | {clause} |").unwrap();
        }
    }
    out
}

#[test]
fn the_page_is_the_one_drawn_from_the_tables() {
    let path = repository().join("docs/transactions.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page(), "docs/transactions.md differs; run this test with BLESS=1");
}
