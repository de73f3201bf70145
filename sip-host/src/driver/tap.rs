//! A look at each message that goes or comes.

use sansip::{Instant, Path};

/// Whether a message came or went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// It came.
    In,
    /// It went; `copy` counts its repetitions.
    Out {
        /// 0 for the first time.
        copy: u16,
    },
}

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub struct Tapped<'a> {
    /// When.
    pub at: Instant,
    /// Whether it came or went.
    pub direction: Direction,
    /// Its path.
    pub path: Path,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What is shown each message.
pub type Tap = Box<dyn FnMut(&Tapped<'_>)>;
