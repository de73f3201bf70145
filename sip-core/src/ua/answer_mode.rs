//! Whether a caller asks the phone to answer by itself: RFC 5373, and what phones understand in
//! Alert-Info and Call-Info.

use super::settings::AutoAnswer;
use crate::header::Value as _;
use crate::header::info::AnswerMode;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::decimal;

/// What is done about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// A person answers.
    Person,
    /// The engine answers after so many seconds; with RFC 5373 it says so.
    Itself { after: u32, says: bool },
    /// RFC 5373 4.2: what is required is not allowed.
    Refused,
}

/// A value of Answer-Mode or Priv-Answer-Mode.
struct Asked {
    auto: bool,
    require: bool,
}

fn asked(m: &MessageRef<'_>, name: Name) -> Option<Asked> {
    let value = AnswerMode::parse(m.bytes(), m.header_span(name)?).ok()?;
    let mode = m.text(value.mode);
    let auto = mode.eq_ignore_ascii_case(b"Auto");
    // RFC 5373 4.1: other modes are as if they were not there.
    (auto || mode.eq_ignore_ascii_case(b"Manual")).then_some(Asked { auto, require: value.require })
}

/// How an INVITE is answered. `trusted`: its sender may ask for what Priv-Answer-Mode asks for (RFC
/// 5373 4.3).
pub(super) fn mode(m: &MessageRef<'_>, setting: AutoAnswer, trusted: bool) -> Mode {
    let allowed = setting != AutoAnswer::Never;
    for (name, may) in [(Name::PrivAnswerMode, allowed && trusted), (Name::AnswerMode, allowed)] {
        match asked(m, name) {
            Some(Asked { auto: true, .. }) if may => return Mode::Itself { after: 0, says: true },
            Some(Asked { auto: true, require: true }) => return Mode::Refused,
            Some(Asked { auto: false, .. }) => return Mode::Person,
            _ => {}
        }
    }
    if !allowed {
        return Mode::Person;
    }
    match (setting, alert(m)) {
        (AutoAnswer::Never, _) | (AutoAnswer::Asked, None) => Mode::Person,
        (_, Some(after)) => Mode::Itself { after, says: false },
        (AutoAnswer::Always, None) => Mode::Itself { after: 0, says: false },
    }
}

/// After how many seconds Alert-Info or Call-Info wants the phone to answer.
fn alert(m: &MessageRef<'_>) -> Option<u32> {
    let fields = m.headers(Name::AlertInfo).map(|v| (v, true));
    let fields = fields.chain(m.headers(Name::CallInfo).map(|v| (v, false)));
    for (value, alert) in fields {
        if let Some(rest) = behind(value, b"answer-after=") {
            let end = rest.iter().position(|c| !c.is_ascii_digit()).unwrap_or(rest.len());
            return Some(decimal(rest.get(..end).unwrap_or(&[])).unwrap_or(0).min(3_600));
        }
        let words: [&[u8]; 3] = [b"info=alert-autoanswer", b"autoanswer", b"intercom"];
        if alert && words.iter().any(|w| behind(value, w).is_some()) {
            return Some(0);
        }
    }
    None
}

/// What stands behind the first `words` in a text, white space and case apart.
fn behind<'a>(text: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    let starts = |at: &usize| {
        let rest = text.get(*at..)?;
        let mut left = words.iter();
        let mut next = left.next();
        for (i, c) in rest.iter().enumerate().take(words.len().saturating_mul(4)) {
            match next {
                None => return rest.get(i..),
                Some(w) if w.eq_ignore_ascii_case(c) => next = left.next(),
                Some(_) if i > 0 && matches!(c, b' ' | b'\t') => {}
                Some(_) => return None,
            }
        }
        next.is_none().then_some(&[][..])
    };
    let found = (0..text.len()).find_map(|at| starts(&at))?;
    Some(found.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_their_case_and_the_space_in_them() {
        for text in
            ["Auto Answer", "<http://x>;info = Alert-AutoAnswer", "AUTOANSWER", "xautoanswer"]
        {
            assert!(behind(text.as_bytes(), b"autoanswer").is_some(), "{text}");
        }
        for text in ["", "auto", "auto-answer", "autoanswe"] {
            assert!(behind(text.as_bytes(), b"autoanswer").is_none(), "{text}");
        }
        assert_eq!(behind(b"a;answer-after = 12;b", b"answer-after="), Some(&b"12;b"[..]));
    }
}
