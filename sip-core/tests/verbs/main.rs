//! Every input in every state of what it is for: it works, or says whose fault it is and changes
//! nothing.
//!
//! The rule: what fits the object works. A handle whose end the application knows is `Gone`; what
//! fitted when `poll` last told of the object is `Late`; what did not fit even then is `Misuse`.

#[path = "../support/peer.rs"]
mod peer;

mod calls;
mod documented;
mod lines;
mod others;
mod queries;
mod requests;

use sansip::Input;

/// The name of an input's kind.
fn name_of(input: &Input<'_>) -> String {
    let text = format!("{input:?}");
    text.split([' ', '{', '(']).next().unwrap().to_string()
}

/// Those that `Input` has, by its source.
fn all() -> Vec<String> {
    let source = include_str!("../../src/engine/input.rs");
    let body = source.split("pub enum Input<'a> {").nth(1).unwrap().split("\n}").next().unwrap();
    let words = body.lines().map(|l| l.trim().split([' ', ',']).next().unwrap());
    words.filter(|w| w.starts_with(char::is_uppercase)).map(str::to_string).collect()
}

#[test]
fn every_input_has_a_row() {
    let rows = [calls::rows(), requests::rows(), lines::rows(), queries::rows(), others::rows()];
    let rows = rows.concat();
    let all = all();
    assert!(all.len() >= 32, "{all:?}");
    let missing: Vec<_> = all.iter().filter(|name| !rows.contains(name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}
