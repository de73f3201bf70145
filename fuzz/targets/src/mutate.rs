//! Inputs from seeds: small changes, piled up, from a generator whose seed decides everything.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// Longest input made, in bytes. Longer than any SIP message may be, so that the limit is crossed.
pub const MAX_LEN: usize = 70_000;

const BYTES: &[u8] = b"\0\r\n \t\"\\<>;,:=%/@?&[]().*+-09aAzZ\x7f\x80\xff";

/// Makes inputs: the same seed, seed inputs and dictionary give the same sequence.
pub struct Mutator {
    random: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// A mutator over these seed inputs and words (a libFuzzer dictionary).
    pub fn new(seed: u64, mut seeds: Vec<Vec<u8>>, dictionary: &str) -> Self {
        if seeds.is_empty() {
            seeds.push(Vec::new());
        }
        Mutator {
            random: ChaCha8Rng::seed_from_u64(seed),
            seeds,
            words: dictionary.lines().filter_map(word).collect(),
        }
    }

    /// Puts the next input into `out`.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        out.clear();
        let seed = self.below(self.seeds.len());
        out.extend_from_slice(&self.seeds[seed]);
        for _ in 0..=self.below(8) {
            self.change(out);
        }
        out.truncate(MAX_LEN);
    }

    fn change(&mut self, out: &mut Vec<u8>) {
        let at = self.below(out.len() + 1);
        let len = self.length(out.len() - at);
        match self.below(11) {
            0 if at < out.len() => out[at] ^= 1 << self.below(8),
            1 if at < out.len() => out[at] = BYTES[self.below(BYTES.len())],
            2 if at < out.len() => out[at] = self.random.next_u32() as u8,
            3 => out.insert(at, BYTES[self.below(BYTES.len())]),
            4 => drop(out.drain(at..at + len)),
            5 => out.truncate(at),
            6 => {
                let piece = out[at..at + len].to_vec();
                let to = self.below(out.len() + 1);
                splice(out, to, 0, &piece);
            }
            7 => {
                let piece = out[at..at + len].to_vec();
                for _ in 0..self.below(200) {
                    splice(out, at, 0, &piece);
                }
            }
            8 => {
                let other = self.below(self.seeds.len());
                let from = self.below(self.seeds[other].len() + 1);
                let piece = self.seeds[other][from..].to_vec();
                let piece = &piece[..self.length(piece.len())];
                splice(out, at, len, piece);
            }
            9 => {
                let digits = (self.random.next_u64() >> self.below(64)).to_string();
                splice(out, at, self.length(len.min(4)), digits.as_bytes());
            }
            _ if !self.words.is_empty() => {
                let word = self.below(self.words.len());
                let replaced = if self.below(2) == 0 { 0 } else { len.min(8) };
                splice(out, at, replaced, &self.words[word].clone());
            }
            _ => out.push(self.random.next_u32() as u8),
        }
    }

    /// A length up to `most`, short ones more often.
    fn length(&mut self, most: usize) -> usize {
        let cap = 1usize << self.below(14);
        self.below(most.min(cap) + 1)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.random.next_u64() % n as u64) as usize
    }
}

fn splice(out: &mut Vec<u8>, at: usize, replaced: usize, piece: &[u8]) {
    if out.len() + piece.len() <= MAX_LEN {
        out.splice(at..at + replaced, piece.iter().copied());
    }
}

/// One line of a dictionary, `"text"` with `\xNN`, `\"` and `\\` escapes; a comment gives none.
fn word(line: &str) -> Option<Vec<u8>> {
    let text = line.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        (rest, out) = match (first, tail) {
            (b'\\', [b'x', a, b, tail @ ..]) => {
                let hex = [*a, *b];
                let hex = std::str::from_utf8(&hex).ok()?;
                (tail, push(out, u8::from_str_radix(hex, 16).ok()?))
            }
            (b'\\', [c, tail @ ..]) => (tail, push(out, *c)),
            (c, tail) => (tail, push(out, *c)),
        };
    }
    Some(out)
}

fn push(mut out: Vec<u8>, byte: u8) -> Vec<u8> {
    out.push(byte);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64) -> Vec<Vec<u8>> {
        let mut mutator =
            Mutator::new(seed, vec![b"INVITE sip:a@b SIP/2.0\r\n\r\n".to_vec()], "\"x\"");
        let mut out = Vec::new();
        (0..1000)
            .map(|_| {
                mutator.next(&mut out);
                out.clone()
            })
            .collect()
    }

    #[test]
    fn the_seed_decides_the_inputs() {
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn inputs_stay_within_the_bound_and_differ() {
        let inputs = run(3);
        assert!(inputs.iter().all(|i| i.len() <= MAX_LEN));
        let distinct: std::collections::BTreeSet<_> = inputs.iter().collect();
        assert!(distinct.len() > 900, "{} of 1000 differ", distinct.len());
    }

    #[test]
    fn words_are_read_as_libfuzzer_reads_them() {
        assert_eq!(word(r#""a\x0d\x0A\"\\""#), Some(b"a\r\n\"\\".to_vec()));
        assert_eq!(word("# comment"), None);
        assert_eq!(word(r#""\xzz""#), None);
    }
}
