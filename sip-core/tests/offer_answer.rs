//! Offers and answers: the examples of RFC 3264 and RFC 4317, then each rule alone.

#[path = "support/sdp.rs"]
mod sdp;
#[path = "support/vectors.rs"]
mod vectors;

use sansip::sdp::{Hold, check_answer};
use sdp::{answered, essence, profile_of};

struct Step {
    title: String,
    direction: String,
    first: String,
    second: String,
    active: Option<String>,
}

/// The exchanges of the vectors. The file is flat enough to be read by its quotes.
fn exchanges() -> Vec<Vec<Step>> {
    let Some(folder) = vectors::folder("sdp") else { return vec![] };
    let text = std::fs::read_to_string(folder.join("rfc4317_rfc3264_exchanges.json")).unwrap();
    let mut quoted = text.split('"');
    let mut found: Vec<Vec<Step>> = vec![];
    let mut title = String::new();
    let value = |quoted: &mut std::str::Split<'_, char>| {
        let between = quoted.next().unwrap();
        if between.contains("null") {
            return None;
        }
        Some(quoted.next().unwrap().replace("\\r", "\r").replace("\\n", "\n"))
    };
    while let Some(word) = quoted.next() {
        match word {
            "title" => {
                title = value(&mut quoted).unwrap();
                found.push(vec![]);
            }
            "direction" => {
                let direction = value(&mut quoted).unwrap();
                let mut field = |name: &str| {
                    assert!(quoted.any(|w| w == name));
                    value(&mut quoted)
                };
                found.last_mut().unwrap().push(Step {
                    title: title.clone(),
                    direction,
                    first: field("sdp1").unwrap(),
                    second: field("sdp2").unwrap(),
                    active: field("expected_active"),
                });
            }
            _ => {}
        }
    }
    found
}

#[test]
fn answers_of_the_examples_come_out_of_the_answerers_media() {
    let mut answers = 0;
    for steps in exchanges() {
        let mut previous: Option<(Vec<u8>, Vec<u8>)> = None;
        for step in steps {
            let (offer, answerer) = (step.first.as_bytes(), profile_of(&step.second));
            let before = previous.as_ref().map(|(l, r)| (&l[..], &r[..]));
            let before = before.filter(|_| step.direction == "REMOTE_OFFER");
            let answer = answered(&answerer, offer, before, Hold::No).unwrap();
            // Section 10.2 answers all codecs in common; its "active" column keeps one of them.
            let narrowed = step.title.contains("10.2") || step.title.contains("2.2");
            let expected = match step.active.filter(|_| step.direction == "REMOTE_OFFER") {
                Some(active) if !narrowed => active,
                _ => step.second,
            };
            assert_eq!(essence(&answer), essence(expected.as_bytes()), "{}", step.title);
            assert_eq!(check_answer(offer, &answer), Ok(()), "{}", step.title);
            previous = Some((answer, offer.to_vec()));
            answers += 1;
        }
    }
    println!("{answers} answers");
}
