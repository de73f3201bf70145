//! What several scenarios share.
#![allow(dead_code)]

use sansip::{Config, Limits, Retransmit};
use sansip_sim::network::NodeId;
use sansip_sim::phone::Phone;
use sansip_sim::proxy_app::ProxyApp;
use sansip_sim::world::World;

/// Room for many calls at once.
pub fn roomy(calls: usize) -> Limits {
    Limits {
        calls,
        calls_in: calls,
        dialogs: calls * 2,
        transactions: calls * 6,
        attempts: calls * 2,
        forks: calls * 2,
        branches: 4,
        queries: calls,
        outputs: 1_024,
        pool: calls * 24_000,
        sources: 64,
        ..Limits::TESTER
    }
}

/// A phone's configuration, with the timers of RFC 3261 17 as they stand.
pub fn phone_config(world: &mut World) -> Config {
    let mut config = world.config();
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.retransmit = Retransmit::Rfc;
    config
}

/// Adds a phone with room for `calls` calls.
pub fn add_phone(world: &mut World, name: &str, at: &str, calls: usize, phone: Phone) -> NodeId {
    let config = phone_config(world);
    world.add_engine(name, at, config, &roomy(calls), phone)
}

/// Nothing lives in the engine any more: only the line still holds its block.
#[track_caller]
pub fn is_empty(world: &World, node: NodeId) {
    is_empty_but(world, node, 0);
}

/// The same, but for so many blocks.
#[track_caller]
pub fn is_empty_but(world: &World, node: NodeId, blocks: usize) {
    let name = &world.names()[node.0];
    let stats = world.stats(node);
    assert!(world.is_quiescent(node), "{name}: {stats:?}");
    assert_eq!(stats.blocks, stats.lines + blocks, "{name}: {stats:?}");
    assert_eq!(world.full(node), 0, "{name} had no room: {stats:?}");
}

/// Adds a record-routing proxy and registrar for example.com.
pub fn add_proxy(world: &mut World, name: &str, at: &str, calls: usize, app: ProxyApp) -> NodeId {
    let mut config = world.config();
    config.roles.ua = false;
    config.retransmit = Retransmit::Rfc;
    config.domains = vec!["example.com".to_string()];
    world.add_engine(name, at, config, &roomy(calls), app)
}
