//! What is measured, and that the answers are right: see `docs/performance.md`.
//!
//! A [`Work`] checks its answer once and then does the same thing N times. The `measure` binary runs
//! works under callgrind with two N: the slope between them is the cost of one, free of start-up.

pub mod calls;
pub mod counting;
pub mod families;
pub mod layers;
pub mod memory;
pub mod messages;
pub mod open;
pub mod report;
pub mod users;
pub mod wire;

/// One thing to measure.
pub trait Work {
    /// Does it once and holds the answer against what it must be.
    ///
    /// # Panics
    /// When the answer is wrong.
    fn check(&mut self);

    /// Does it `n` times.
    fn run(&mut self, n: u32);
}

/// The work of a name as [`report`] writes it: `index/a_invite`, `worst/fold/65535/refuse`,
/// `user/MD5/nobody`, `call-ua`, `call-ua@1000`, `next@100000`.
#[must_use]
pub fn work(name: &str) -> Option<Box<dyn Work>> {
    if let Some(worst) = name.strip_prefix("worst/") {
        return families::work(worst);
    }
    if let Some(user) = name.strip_prefix("user/") {
        return users::Refused::new(user).map(|work| Box::new(work) as Box<dyn Work>);
    }
    let (plain, live) = name.split_once('@').unwrap_or((name, "0"));
    let live: usize = live.parse().ok()?;
    match plain {
        "call-tx" => Some(Box::new(layers::Call::new())),
        "call-media" => Some(Box::new(calls::Calls::negotiated())),
        "call-ua" => Some(Box::new(calls::Calls::direct(live))),
        "call-proxy" => Some(Box::new(calls::Calls::through_proxy(live))),
        "proxy" => Some(Box::new(calls::Calls::proxy_alone(live))),
        "next" => Some(Box::new(open::Next::new(live))),
        _ => wire::work(plain),
    }
}
