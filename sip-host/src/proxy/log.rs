//! What is logged, on standard error.

use tracing::level_filters::LevelFilter;

use crate::listen::Usage;

/// What is logged, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    level: LevelFilter,
    json: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LevelFilter::WARN, json: false }
    }
}

impl Log {
    /// Reads `LEVEL[,json]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Usage> {
        let wrong = || {
            let problem = "give off, error, warn, info, debug or trace, and ',json' behind it \
                           for JSON lines";
            Usage::new("--log", text, problem)
        };
        let (level, json) = match text.split_once(',') {
            Some((level, "json")) => (level, true),
            Some(_) => return Err(wrong()),
            None => (text, false),
        };
        // The library also takes numbers, and nothing for "error".
        if !level.bytes().all(|c| c.is_ascii_alphabetic()) || level.is_empty() {
            return Err(wrong());
        }
        Ok(Self { level: level.parse().map_err(|_| wrong())?, json })
    }

    /// Logs from now on.
    pub fn start(self) {
        let plain = tracing_subscriber::fmt()
            .with_max_level(self.level)
            .with_target(false)
            .with_writer(std::io::stderr);
        // Where something logs already, that goes on.
        let _ = if self.json { plain.json().try_init() } else { plain.try_init() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_may_ask_for_json() {
        let level = |text: &str| Log::parse(text).map(|l| (l.level, l.json));
        assert_eq!(level("info").unwrap(), (LevelFilter::INFO, false));
        assert_eq!(level("debug,json").unwrap(), (LevelFilter::DEBUG, true));
        for wrong in ["", "2", "loud", "info,xml", "json"] {
            assert!(level(wrong).unwrap_err().to_string().contains("give off, error"), "{wrong}");
        }
    }
}
