//! Each of our roles alone, against parties that behave literally as the guides draw them.

#[path = "support/mod.rs"]
mod support;

#[path = "support/cast.rs"]
mod cast;

use sansip_sim::flow::{FLOWS, Flow, Role, What};
use sansip_sim::world::World;

/// Plays a flow with one role ours; all that is drawn has to come, and nothing to be left. What ours
/// sends beside the drawing, in order.
#[track_caller]
fn play(flow: &'static Flow, ours: Role) -> Vec<String> {
    let mut w = World::new(7);
    let cast = cast::add_all(&mut w, flow, |role| role == ours);
    let node = cast.iter().find(|c| c.0 == ours).unwrap().1;
    let stage = cast::play(&mut w, flow, &cast, 64_000);
    let beside = stage
        .director()
        .undrawn()
        .iter()
        .filter(|u| u.from == ours)
        .map(|u| u.label.clone())
        .collect();
    if ours != Role::P {
        for call in 1..=3 {
            let _ = w.act(node, |app, io| app.on_verb(io, &["hangup", &call.to_string()]));
        }
    }
    w.run_for(240_000);
    cast::is_bare(&w, flow, ours, node);
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
        // RFC 3515 2.4.4: the transferee tells how it goes, here to nobody who would answer.
        ("transfer_blind" | "transfer_blind_notify", Role::A) => vec!["NOTIFY"],
        // RFC 3891 3: and calls in place of the transferor's call.
        ("transfer_attended", Role::B) => vec!["NOTIFY", "INVITE (sdp)"],
        ("transfer_attended_notify", Role::B) => vec!["INVITE (sdp)", "NOTIFY"],
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

#[test]
fn our_phones_alone_play_their_roles() {
    for flow in FLOWS {
        for role in flow.users.iter().copied() {
            assert_eq!(play(flow, role), required(flow, role), "{} {role}", flow.name);
        }
    }
}
