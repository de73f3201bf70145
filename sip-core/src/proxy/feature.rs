//! Feature tags and their values (RFC 3840 9, RFC 2533): what a contact can do, and what is wanted.

/// The tags of RFC 3840 10 and later that stand without a plus sign, lower case, sorted.
const BASE: [&[u8]; 20] = [
    b"actor",
    b"application",
    b"attendant",
    b"audio",
    b"automata",
    b"class",
    b"control",
    b"data",
    b"description",
    b"duplex",
    b"events",
    b"extensions",
    b"isfocus",
    b"language",
    b"methods",
    b"mobility",
    b"priority",
    b"schemes",
    b"text",
    b"video",
];

/// The most values of a list that are looked at.
const LISTED: usize = 32;

/// Whether a parameter of a contact is a feature tag.
pub(super) fn is_feature(name: &[u8]) -> bool {
    name.starts_with(b"+")
        || name.eq_ignore_ascii_case(b"type")
        || BASE.iter().any(|b| b.eq_ignore_ascii_case(name))
}

/// Whether something can be both what is `wanted` and what a contact `has`: two values of one tag, with
/// or without their quotes. Each lists what it may be.
pub(super) fn meets(wanted: &[u8], has: &[u8]) -> bool {
    literals(wanted).any(|a| literals(has).any(|b| a.agrees(&b)))
}

/// A number in thousandths, as a range.
type Range = (i64, i64);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Is<'a> {
    Token(&'a [u8]),
    Text(&'a [u8]),
    Within(Range),
}

/// One of the values that a list names, or all but it.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Literal<'a> {
    not: bool,
    is: Is<'a>,
}

impl Literal<'_> {
    fn agrees(&self, other: &Self) -> bool {
        match (self.not, other.not) {
            (false, false) => match (self.is, other.is) {
                (Is::Token(a), Is::Token(b)) => a.eq_ignore_ascii_case(b),
                (Is::Text(a), Is::Text(b)) => a == b,
                (Is::Within(a), Is::Within(b)) => a.0 <= b.1 && b.0 <= a.1,
                _ => false,
            },
            (true, true) => true,
            (false, true) => !self.lies_in(other),
            (true, false) => !other.lies_in(self),
        }
    }

    /// Whether nothing of this one is outside of `other`'s value.
    fn lies_in(&self, other: &Self) -> bool {
        match (self.is, other.is) {
            (Is::Token(a), Is::Token(b)) => a.eq_ignore_ascii_case(b),
            (Is::Text(a), Is::Text(b)) => a == b,
            (Is::Within(a), Is::Within(b)) => b.0 <= a.0 && a.1 <= b.1,
            _ => false,
        }
    }
}

/// The values of `text`: a quoted list, a quoted `<string>`, or one value.
fn literals(text: &[u8]) -> impl Iterator<Item = Literal<'_>> + Clone {
    let inner = match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    };
    let string = match inner.trim_ascii() {
        [b'<', string @ .., b'>'] => Some(Literal { not: false, is: Is::Text(string) }),
        _ => None,
    };
    let list = inner.split(|c| *c == b',').take(LISTED).filter_map(literal);
    string.into_iter().chain(list.filter(move |_| string.is_none()))
}

fn literal(text: &[u8]) -> Option<Literal<'_>> {
    let text = text.trim_ascii();
    let (not, text) = match text {
        [b'!', rest @ ..] => (true, rest.trim_ascii()),
        _ => (false, text),
    };
    let is = match text {
        [] => return None,
        [b'#', number @ ..] => Is::Within(range(number)?),
        token => Is::Token(token),
    };
    Some(Literal { not, is })
}

/// `=5`, `>=5`, `<=5` or `5:9`.
fn range(text: &[u8]) -> Option<Range> {
    match text {
        [b'>', b'=', n @ ..] => Some((number(n)?, i64::MAX)),
        [b'<', b'=', n @ ..] => Some((i64::MIN, number(n)?)),
        [b'=', n @ ..] => number(n).map(|n| (n, n)),
        _ => {
            let colon = text.iter().position(|c| *c == b':')?;
            let (from, to) = text.split_at_checked(colon)?;
            Some((number(from)?, number(to.get(1..)?)?))
        }
    }
}

/// A decimal number in thousandths.
fn number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.trim_ascii() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let mut parts = digits.splitn(2, |c| *c == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or(&[]));
    let decimal = |text: &[u8]| {
        text.iter().try_fold(0i64, |sum, c| {
            let digit = i64::from(c.is_ascii_digit().then(|| c - b'0')?);
            Some(sum.saturating_mul(10).saturating_add(digit))
        })
    };
    let fraction = fraction.get(..3).unwrap_or(fraction);
    let scale = [1_000, 100, 10, 1].get(fraction.len()).copied()?;
    let sum = decimal(whole)?.saturating_mul(1_000);
    let sum = sum.saturating_add(decimal(fraction)?.saturating_mul(scale));
    let empty = whole.is_empty() && fraction.is_empty();
    (!empty).then_some(if negative { sum.saturating_neg() } else { sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_meet_where_something_can_be_both() {
        for (a, b, want) in [
            ("TRUE", "true", true),
            ("TRUE", "\"FALSE\"", false),
            ("\"INVITE\"", "\"BYE,invite\"", true),
            ("\"INVITE\"", "\"BYE,ACK\"", false),
            ("\"!fixed\"", "\"fixed\"", false),
            ("\"!fixed\"", "\"mobile\"", true),
            ("\"!fixed\"", "\"!mobile\"", true),
            ("\"#>=5\"", "\"#=5\"", true),
            ("\"#>=5\"", "\"#<=4.9\"", false),
            ("\"#2:7\"", "\"#=7\"", true),
            ("\"#2:7\"", "\"#=7.001\"", false),
            ("\"!#2:7\"", "\"#=3\"", false),
            ("\"!#2:7\"", "\"#1:3\"", true),
            ("\"#=-1\"", "\"#<=0\"", true),
            ("\"<urn:x>\"", "\"<urn:x>\"", true),
            ("\"<urn:x>\"", "\"<URN:x>\"", false),
            ("\"<a,b>\"", "\"b\"", false),
            ("5", "\"#=5\"", false),
            ("", "\"\"", false),
        ] {
            assert_eq!(meets(a.as_bytes(), b.as_bytes()), want, "{a} {b}");
            assert_eq!(meets(b.as_bytes(), a.as_bytes()), want, "{b} {a}");
        }
    }

    #[test]
    fn a_number_may_be_anything() {
        for text in ["#", "#=", "#:", "#=1e9", "#=.", "#>=", "#99999999999999999999:1"] {
            meets(text.as_bytes(), b"#=1");
        }
        assert_eq!(number(b"99999999999999999999"), Some(i64::MAX));
        assert_eq!(
            (number(b"1.5"), number(b"-.25"), number(b".")),
            (Some(1_500), Some(-250), None)
        );
    }
}
