//! How a request is worked on: the settings, and what its caller asks for (RFC 3841 9.1).

use crate::config::{Forking, Order};
use crate::wire::MessageRef;
use crate::wire::name::Name;

/// What is done with the targets of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Disposition {
    /// In what order they are tried.
    pub order: Order,
    /// Only the best is.
    pub single: bool,
    /// Those that still ring are not cancelled when one answers.
    pub keeps: bool,
    /// The contacts of a 3xx are tried.
    pub recurses: bool,
    /// The caller is told of them and tries them itself.
    pub redirects: bool,
}

impl Disposition {
    /// As `config` says.
    pub(super) const fn new(config: &Forking) -> Self {
        Self {
            order: config.order,
            single: false,
            keeps: false,
            recurses: config.recurse,
            redirects: config.redirect,
        }
    }

    /// As `config` says, and as `m` asks where that counts. The first of two that contradict each
    /// other is taken. Nothing is queued here, so that `queue` and `no-queue` are left to others.
    pub(super) fn of(config: &Forking, m: &MessageRef<'_>) -> Self {
        let mut asked = Self::new(config);
        if !config.dispositions {
            return asked;
        }
        let (mut order, mut recurses, mut redirects) = (None, None, None);
        for value in m.values(Name::RequestDisposition) {
            match m.text(value) {
                t if t.eq_ignore_ascii_case(b"parallel") => {
                    order = order.or(Some(Order::Parallel));
                }
                t if t.eq_ignore_ascii_case(b"sequential") => {
                    order = order.or(Some(Order::Serial));
                }
                t if t.eq_ignore_ascii_case(b"no-fork") => asked.single = true,
                t if t.eq_ignore_ascii_case(b"no-cancel") => asked.keeps = true,
                t if t.eq_ignore_ascii_case(b"recurse") => recurses = recurses.or(Some(true)),
                t if t.eq_ignore_ascii_case(b"no-recurse") => recurses = recurses.or(Some(false)),
                t if t.eq_ignore_ascii_case(b"redirect") => redirects = redirects.or(Some(true)),
                t if t.eq_ignore_ascii_case(b"proxy") => redirects = redirects.or(Some(false)),
                _ => {}
            }
        }
        asked.order = order.unwrap_or(asked.order);
        asked.recurses = recurses.unwrap_or(asked.recurses);
        asked.redirects = redirects.unwrap_or(asked.redirects);
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    fn asked(config: &Forking, fields: &str) -> Disposition {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{fields}\r\n\r\n");
        Disposition::of(config, &MessageRef::lazy(text.as_bytes()).unwrap())
    }

    #[test]
    fn what_the_caller_asks_counts_unless_it_is_turned_off() {
        let config = Forking::default();
        let plain = Disposition::new(&config);
        assert_eq!(asked(&config, "Request-Disposition: fork, cancel, queue"), plain);
        let all = "Request-Disposition: Sequential, no-fork\r\nd: no-cancel , recurse,redirect";
        let want = Disposition {
            order: Order::Serial,
            single: true,
            keeps: true,
            recurses: true,
            redirects: true,
        };
        assert_eq!(asked(&config, all), want);
        let off = Forking { dispositions: false, ..config };
        assert_eq!(asked(&off, all), plain);
    }

    #[test]
    fn the_caller_can_take_back_what_is_set_and_the_first_word_counts() {
        let config = Forking { recurse: true, redirect: true, ..Forking::default() };
        let got = asked(&config, "d: no-recurse, proxy, recurse, redirect, parallel, sequential");
        assert!(!got.recurses && !got.redirects);
        assert_eq!(got.order, Order::Parallel);
    }
}
