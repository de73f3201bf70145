//! Each of our roles alone, against parties that behave literally as the guides draw them.

#[path = "support/mod.rs"]
mod support;

use sansip_sim::flow::{FLOWS, Flow, Role, What};
use sansip_sim::literal::{PhonePrompt, Player, Stage, aor, user};
use sansip_sim::network::NodeId;
use sansip_sim::phone::Phone;
use sansip_sim::proxy_app::ProxyApp;
use sansip_sim::world::World;
use support::{add_phone, add_proxy, is_empty};

const PROXY: &str = "10.0.0.9:5060";

fn address(role: Role) -> &'static str {
    match role {
        Role::A => "10.0.0.1:5060",
        Role::B => "10.0.0.2:5060",
        Role::C => "10.0.0.3:5060",
        Role::P => PROXY,
    }
}

fn proxy(w: &mut World) -> NodeId {
    let app = [Role::A, Role::B, Role::C].into_iter().fold(ProxyApp::new(), |app, role| {
        let hop = format!("sip:{}", address(role).trim_end_matches(":5060"));
        app.route(&format!("{}@example.com", user(role)), &hop)
    });
    add_proxy(w, "proxy", PROXY, 20, app)
}

/// Plays a flow with one role ours; all that is drawn has to come, and nothing to be left. What ours
/// sends beside the drawing, in order.
#[track_caller]
fn play(flow: &'static Flow, ours: Role) -> Vec<String> {
    let mut w = World::new(7);
    let mut cast = Vec::new();
    for role in [Role::P].into_iter().chain(flow.users.iter().copied()) {
        let node = match role {
            _ if role != ours => w.add_party(user(role), address(role)),
            Role::P => proxy(&mut w),
            _ => {
                let phone = Phone::new(&aor(role)).via("sip:10.0.0.9;lr").takes_reinvites();
                add_phone(&mut w, user(role), address(role), 4, phone)
            }
        };
        let player = if role == ours { Player::Engine } else { Player::Literal };
        cast.push((role, node, player));
    }
    let node = cast.iter().find(|c| c.0 == ours).unwrap().1;
    let mut stage = Stage::new(&mut w, flow);
    for (role, node, player) in cast {
        stage.cast(role, node, player);
    }
    stage.play(120_000, &PhonePrompt);
    stage.watch(64_000);
    let (missing, troubles) = (stage.missing(), stage.troubles().to_vec());
    let beside =
        stage.undrawn().iter().filter(|u| u.from == ours).map(|u| u.label.clone()).collect();
    let name = flow.name;
    assert!(missing.is_empty(), "{name} {ours}: {missing:?} {troubles:?}\n{}", w.ladder());
    assert!(troubles.is_empty(), "{name} {ours}: {troubles:?}\n{}", w.ladder());
    if ours != Role::P {
        for call in 1..=3 {
            let _ = w.act(node, |app, io| app.on_verb(io, &["hangup", &call.to_string()]));
        }
    }
    w.run_for(240_000);
    is_empty(&w, node);
    beside
}

/// What our role sends because the RFCs require it, and the drawing leaves out.
fn required(flow: &Flow, ours: Role) -> Vec<&'static str> {
    let invites = flow.steps.iter().filter(|s| s.to == Role::P && s.what == INVITE).count();
    match (flow.name, ours) {
        // RFC 3261 17.2.1: the proxy's own 100, where none is drawn.
        ("setup_disconnect" | "called_busy", Role::P) => vec![],
        // RFC 3261 9.2, 16.10: a cancelled INVITE is answered too.
        ("no_answer", Role::P) => vec!["100 Trying", "487 Request Terminated"],
        ("no_answer", Role::B) => vec!["487 Request Terminated"],
        (_, Role::P) => vec!["100 Trying"; invites],
        // RFC 3261 17.2.1: nothing else within 200 ms.
        ("forward_always", Role::B) => vec!["100 Trying"],
        _ => vec![],
    }
}

const INVITE: What = What::Request("INVITE");

#[test]
fn our_proxy_alone_plays_every_flow() {
    for flow in FLOWS {
        assert_eq!(play(flow, Role::P), required(flow, Role::P), "{}", flow.name);
    }
}

/// The flows and roles for which a phone has to transfer or be transferred.
fn transfers(flow: &Flow, role: Role) -> bool {
    flow.name.starts_with("transfer") && role != Role::C
}

#[test]
fn our_phones_alone_play_their_roles() {
    for flow in FLOWS {
        for role in flow.users.iter().copied().filter(|r| !transfers(flow, *r)) {
            assert_eq!(play(flow, role), required(flow, role), "{} {role}", flow.name);
        }
    }
}
