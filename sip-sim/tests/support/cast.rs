//! The parties of the documented flows.
#![allow(dead_code)]

use sansip::sdp::Media;
use sansip::{Leaves, Limits};
use sansip_sim::flow::{Flow, Role, What};
use sansip_sim::literal::{PhonePrompt, Player, Stage, aor, policy, user};
use sansip_sim::network::NodeId;
use sansip_sim::phone::Phone;
use sansip_sim::proxy_app::ProxyApp;
use sansip_sim::world::World;

use crate::support::{add_proxy, is_empty_but, phone_config, roomy};

/// The roles in the order of the columns.
pub fn roles(flow: &Flow) -> Vec<Role> {
    let mut roles = flow.users.to_vec();
    roles.insert(1, Role::P);
    roles
}

pub fn address(role: Role) -> &'static str {
    match role {
        Role::A => "10.0.0.1:5060",
        Role::B => "10.0.0.2:5060",
        Role::C => "10.0.0.3:5060",
        Role::P => "10.0.0.9:5060",
    }
}

fn add_our_proxy(w: &mut World) -> NodeId {
    let app = [Role::A, Role::B, Role::C].into_iter().fold(ProxyApp::new(), |app, role| {
        let hop = format!("sip:{}", address(role).trim_end_matches(":5060"));
        app.route(&format!("{}@example.com", user(role)), &hop)
    });
    add_proxy(w, user(Role::P), address(Role::P), 20, app)
}

/// As the guides draw it: the transferor leaves before the new call; where a NOTIFY is drawn, the
/// user hangs up after it.
fn leaves(flow: &Flow) -> Leaves {
    let notified = flow.steps.iter().any(|s| s.what == What::Request("NOTIFY"));
    if notified { Leaves::Never } else { Leaves::OnAccepted }
}

/// Adds the party of each role; the proxy, then the phones.
pub fn add_all(
    w: &mut World,
    flow: &Flow,
    is_ours: impl Fn(Role) -> bool,
) -> Vec<(Role, NodeId, Player)> {
    add_sized(w, flow, is_ours, &roomy(4), None)
}

/// The same, with room for so much in each phone, and media of another shape in each.
pub fn add_sized(
    w: &mut World,
    flow: &Flow,
    is_ours: impl Fn(Role) -> bool,
    limits: &Limits,
    media: Option<&'static Media<'static>>,
) -> Vec<(Role, NodeId, Player)> {
    let mut cast = Vec::new();
    for role in roles(flow) {
        let (name, at) = (user(role), address(role));
        let (node, player) = match role {
            _ if !is_ours(role) => (w.add_party(name, at), Player::Literal),
            Role::P => (add_our_proxy(w), Player::Engine),
            _ => {
                let phone = Phone::new(&aor(role)).via("sip:10.0.0.9;lr").as_a_whole();
                let phone = phone.by_policy(policy(flow.name, role));
                let phone = media.map_or(phone.clone(), |media| phone.with_media(media));
                let mut config = phone_config(w);
                config.transferor_leaves = leaves(flow);
                (w.add_engine(name, at, config, limits, phone), Player::Engine)
            }
        };
        cast.push((role, node, player));
    }
    cast.sort_by_key(|c| c.0 != Role::P);
    cast
}

/// Plays a flow until all that is drawn has come, and a while longer.
#[track_caller]
pub fn play<'w>(
    w: &'w mut World,
    flow: &'static Flow,
    cast: &[(Role, NodeId, Player)],
    longer: u64,
) -> Stage<'w> {
    let mut stage = Stage::new(w, flow);
    for (role, node, player) in cast {
        stage.cast(*role, *node, *player);
    }
    stage.play(120_000, &PhonePrompt);
    stage.watch(longer);
    let (missing, troubles) = (stage.director().missing(), stage.troubles());
    assert!(missing.is_empty() && troubles.is_empty(), "{}: {missing:?} {troubles:?}", flow.name);
    stage
}

/// Nothing lives in the engine of a role any more: only its line, and where its policy forwards to.
#[track_caller]
pub fn is_bare(w: &World, flow: &Flow, role: Role, node: NodeId) {
    let policy = policy(flow.name, role);
    let forwards = !policy.always.is_empty() || !policy.no_answer.is_empty();
    is_empty_but(w, node, usize::from(forwards));
}
