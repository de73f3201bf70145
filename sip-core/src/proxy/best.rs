//! Which of several final responses goes back (RFC 3261 16.7 step 6).

/// How a final response stands against others: the least is the best. `cancelled` says that the
/// caller has given up, so that 487 is what it waits for.
pub(super) const fn rank(status: u16, cancelled: bool) -> u16 {
    let class = match status / 100 {
        // A 6xx before all others; then the lowest class.
        6 => 0,
        class => class,
    };
    let within = match status {
        487 if cancelled => 0,
        // What tells the caller how to try again.
        401 | 407 => 1,
        415 | 420 | 484 => 2,
        // What says the least: a branch that was given up, one that never answered, a connection that
        // was gone (RFC 5626 5.3), and a server that was away.
        487 => 4,
        408 | 430 | 503 => 5,
        _ => 3,
    };
    class * 10 + within
}

/// Whether a response with status `new` takes the place of one with `old`. Between equals the
/// first stays.
pub(super) const fn is_better(new: u16, old: u16, cancelled: bool) -> bool {
    rank(new, cancelled) < rank(old, cancelled)
}

/// Whether it carries challenges, which are all collected (16.7 step 7).
pub(super) const fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// The rule as RFC 3261 words it, over all that came.
    fn allowed(all: &[u16]) -> Vec<u16> {
        let sixes: Vec<u16> = all.iter().copied().filter(|s| s / 100 == 6).collect();
        if !sixes.is_empty() {
            return sixes;
        }
        let class = all.iter().map(|s| s / 100).min().unwrap();
        let of_class: Vec<u16> = all.iter().copied().filter(|s| s / 100 == class).collect();
        let told: Vec<u16> =
            of_class.iter().copied().filter(|s| [401, 407, 415, 420, 484].contains(s)).collect();
        if !told.is_empty() {
            return told;
        }
        let more: Vec<u16> = of_class.iter().copied().filter(|s| *s != 503).collect();
        if more.is_empty() { of_class } else { more }
    }

    // Every multiset of three branches from eight kinds of response, in every order of arrival.
    #[test]
    fn the_best_response_is_one_that_the_rule_allows_whatever_the_order() {
        const KINDS: [u16; 8] = [302, 404, 407, 408, 486, 487, 503, 603];
        for a in KINDS {
            for b in KINDS {
                for c in KINDS {
                    let all = [a, b, c];
                    let best = all
                        .into_iter()
                        .reduce(|old, new| if is_better(new, old, false) { new } else { old });
                    let best = best.unwrap();
                    assert!(allowed(&all).contains(&best), "{all:?} gives {best}");
                    let mut sorted = all;
                    sorted.sort_unstable();
                    let same = sorted
                        .into_iter()
                        .reduce(|old, new| if is_better(new, old, false) { new } else { old });
                    assert_eq!(rank(best, false), rank(same.unwrap(), false), "{all:?}");
                }
            }
        }
    }

    #[test]
    fn within_a_class_the_response_that_says_more_wins() {
        for (best, worse) in
            [(407, 486), (420, 486), (486, 487), (486, 408), (500, 503), (404, 408)]
        {
            assert!(is_better(best, worse, false), "{best} {worse}");
        }
        assert!(is_better(487, 486, true));
        assert!(is_better(603, 487, true));
        assert!(!is_better(486, 404, false) && !is_better(404, 486, false), "the first stays");
    }
}
