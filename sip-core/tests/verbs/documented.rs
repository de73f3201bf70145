//! Every verb says by which clause it acts, in which state it is right, and whether it queues output;
//! every event, question and reason says its clause.

const VERBS: &str = include_str!("../../src/engine/verbs.rs");
const INPUTS: &str = include_str!("../../src/engine/mod.rs");
const EVENTS: &str = include_str!("../../src/ua/event.rs");
const OUTPUTS: &str = include_str!("../../src/engine/output.rs");
const SETTINGS: &str = include_str!("../../src/ua/settings.rs");

/// The items whose first line begins so, with what is written above them.
fn items(source: &str, indent: &str, begins: impl Fn(&str) -> Option<String>) -> Vec<[String; 2]> {
    let mut found = Vec::new();
    let mut doc = String::new();
    for line in source.lines() {
        let Some(text) = line.strip_prefix(indent).filter(|t| !t.starts_with(' ')) else {
            continue;
        };
        if let Some(more) = text.strip_prefix("///") {
            doc = doc + more.trim() + " ";
            continue;
        }
        if let Some(name) = begins(text) {
            found.push([name, doc.clone()]);
        }
        if !text.starts_with('#') {
            doc.clear();
        }
    }
    found
}

/// The methods that take the time.
fn methods(source: &str) -> Vec<[String; 2]> {
    let all = items(source, "    ", |text| {
        let rest = text.strip_prefix("pub fn ")?;
        Some(rest.split(['(', '<']).next().unwrap_or("").to_string())
    });
    let takes_time = |name: &str| {
        let start = source.find(&format!("pub fn {name}(")).unwrap_or(0);
        let head = source[start..].split('{').next().unwrap_or("");
        head.contains("now: Instant")
    };
    all.into_iter().filter(|[name, _]| takes_time(name)).collect()
}

fn variants(source: &str, name: &str) -> Vec<[String; 2]> {
    let body = source.split(&format!("pub enum {name} {{")).nth(1).expect(name);
    let body = body.split("\n}").next().unwrap();
    items(body, "    ", |text| {
        let first = text.starts_with(char::is_uppercase);
        first.then(|| text.split([' ', '(', ',', '{']).next().unwrap_or("").to_string())
    })
}

#[test]
fn every_verb_says_its_clause_and_its_states() {
    let all = [methods(VERBS), methods(INPUTS)].concat();
    assert!(all.len() >= 33, "{}", all.len());
    for [name, doc] in all {
        let has = |words: &[&str]| words.iter().any(|w| doc.contains(w));
        // `apply` sends on to the others.
        assert!(name == "apply" || has(&["RFC "]), "{name} names no clause");
        let states = ["Misuse", "Gone", "Late", "every state", "Errors", "refused"];
        assert!(has(&states), "{name} says nothing of states");
        assert!(has(&["May queue output", "Queues nothing"]), "{name}: {doc}");
    }
}

#[test]
fn every_event_and_question_says_its_clause() {
    for (source, name, least) in [
        (EVENTS, "CallChange", 13),
        (EVENTS, "LineChange", 4),
        (EVENTS, "EndReason", 13),
        (OUTPUTS, "Event", 6),
        (OUTPUTS, "Query<'e>", 7),
        (SETTINGS, "PolicyAct", 9),
    ] {
        let all = variants(source, name);
        assert!(all.len() >= least, "{name}: {all:?}");
        for [variant, doc] in all {
            assert!(doc.contains("RFC "), "{name}::{variant} names no clause: {doc}");
        }
    }
}
