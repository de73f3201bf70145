//! RFC 3261 19.1.4 by its own examples.

#[path = "support/vectors.rs"]
mod vectors;

use sansip::header::equal;

#[test]
fn comparison_follows_the_examples() {
    let Some(folder) = vectors::folder("uri") else { return };
    let table = std::fs::read_to_string(folder.join("rfc3261_19.1.4_comparison.tsv")).unwrap();
    let mut rows = 0;
    for line in table.lines().filter(|l| !l.starts_with('#')) {
        let [a, b, want, why] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let want = want == "equal";
        assert_eq!(equal(a.as_bytes(), b.as_bytes()), want, "{a} {b}: {why}");
        assert_eq!(equal(b.as_bytes(), a.as_bytes()), want, "{b} {a}: {why}");
        rows += 1;
    }
    assert_eq!(rows, 27);
}
