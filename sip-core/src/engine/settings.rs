//! Another configuration for an engine that runs.

use super::Engine;
use crate::config::{Challenged, Config};
use crate::error::{Error, Misuse};
use crate::time::Instant;

/// Whether an engine can do what its configuration says, with or without a table of nonces.
pub(super) fn check(config: &Config, nonces: bool) -> Result<(), Error> {
    if !config.challenge.is_usable() {
        return Err(Error::Misuse(Misuse::BadHeader));
    }
    if config.challenge.methods != Challenged::None && !nonces {
        return Err(Error::Misuse(Misuse::BadLimit));
    }
    Ok(())
}

impl Engine {
    /// Puts this configuration in place of the present one. What is on its way goes on, and what
    /// comes from now on goes by the new one. What an engine is from its birth stays as it is,
    /// whatever `config` says: `seed`, `cluster_key`, `unix_at_zero`, `tag`, `shard` and `roles`.
    /// The strings and lists are taken over, and the old ones dropped. Queues nothing.
    ///
    /// # Errors
    /// `Misuse` for a challenge that cannot be made, as by [`Engine::new`]; the present
    /// configuration then stays.
    pub fn set_config(&mut self, now: Instant, config: Config) -> Result<(), Error> {
        check(&config, self.core.cx.nonces.has_room())?;
        self.tick(now);
        let old = &self.core.cx.config;
        let config = Config {
            seed: old.seed,
            cluster_key: old.cluster_key,
            unix_at_zero: old.unix_at_zero,
            tag: old.tag,
            shard: old.shard,
            roles: old.roles,
            ..config
        };
        self.core.cx.config = config;
        Ok(())
    }
}
