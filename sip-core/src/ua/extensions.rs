//! What the extensions keep of a call: session timer, reliable provisional responses, UPDATE.

use super::prack::Provisionals;
use super::session_timer::SessionTimer;
use super::update::Update;

/// The extensions' part of a call.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub timer: SessionTimer,
    pub update: Update,
    pub provisionals: Provisionals,
}

/// Writes a number as text; its length.
pub(super) fn number_text(number: u32, out: &mut [u8]) -> usize {
    let count = core::iter::successors(Some(number), |n| (*n >= 10).then_some(n / 10)).count();
    let Some(place) = out.get_mut(..count) else { return 0 };
    let mut left = number;
    for digit in place.iter_mut().rev() {
        *digit = b'0' | u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_leading_zeros() {
        for n in [0, 7, 10, 90, 1_800, u32::MAX] {
            let mut out = [0; 10];
            let len = number_text(n, &mut out);
            assert_eq!(&out[..len], std::format!("{n}").as_bytes());
        }
        assert_eq!(number_text(1_800, &mut [0; 3]), 0);
    }
}
