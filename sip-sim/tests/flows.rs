//! The documented flows between our phones and our proxy: by the RFCs, as the judge knows them; and
//! the page that shows their ladders.

#[path = "support/cast.rs"]
mod cast;
#[path = "support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::path::Path;

use sansip_sim::chart::Chart;
use sansip_sim::flow::{FLOWS, Flow, Role, find};
use sansip_sim::judge::{Judgement, Recorded, Verdict};
use sansip_sim::network::{Link, NodeId};
use sansip_sim::svg;
use sansip_sim::world::World;

/// Runs a flow between our own.
fn run(flow: &'static Flow) -> (World, Vec<(Role, NodeId)>) {
    let mut w = World::new(11);
    w.net.set_default(Link::slow(3));
    let cast = cast::add_all(&mut w, flow, |_| true);
    cast::play(&mut w, flow, &cast, 500);
    if flow.name == "conference" {
        let a = cast.iter().find(|c| c.0 == Role::A).unwrap().1;
        w.act(a, |app, io| app.on_verb(io, &["resume", "1"])).unwrap();
        w.run_for(500);
    }
    let nodes = cast.iter().map(|c| (c.0, c.1)).collect();
    (w, nodes)
}

struct Told {
    time_ms: u64,
    from: Role,
    to: Role,
    bytes: Vec<u8>,
}

fn told(w: &World, nodes: &[(Role, NodeId)]) -> Vec<Told> {
    let role = |node: NodeId| nodes.iter().find(|(_, n)| *n == node).unwrap().0;
    let begin = w.net.trace.packets().next().map_or(0, |p| p.sent);
    let packets = w.net.trace.packets();
    packets
        .map(|p| Told {
            time_ms: p.sent - begin,
            from: role(p.from_node),
            to: role(p.to_node.unwrap()),
            bytes: p.bytes.to_vec(),
        })
        .collect()
}

fn judge(flow: &Flow, told: &[Told]) -> Judgement {
    let record: Vec<_> = told
        .iter()
        .map(|t| Recorded { time_ms: t.time_ms, from: t.from, to: t.to, bytes: &t.bytes })
        .collect();
    flow.judge(&record)
}

#[test]
fn our_phones_and_proxy_run_the_flows_as_documented_or_required() {
    for flow in FLOWS {
        let (mut w, nodes) = run(flow);
        let judgement = judge(flow, &told(&w, &nodes));
        assert!(judgement.passed(), "{judgement}\n{}", w.ladder());
        for (role, node) in nodes.iter().filter(|(role, _)| *role != Role::P) {
            for call in ["1", "2", "3"] {
                let _ = w.act(*node, |app, io| app.on_verb(io, &["hangup", call]));
                w.run_for(100);
            }
            println!("{} {role}", flow.name);
        }
        w.run_for(240_000);
        nodes.iter().for_each(|(role, node)| cast::is_bare(&w, flow, *role, *node));
    }
}

// Each message of each flow counts: without it, or with it twice, the run is not as documented.
#[test]
fn the_judge_misses_what_is_left_out_or_repeated() {
    for flow in FLOWS {
        let (w, nodes) = run(flow);
        for at in 0..w.net.trace.packets().len() {
            let mut less = told(&w, &nodes);
            let gone = less.remove(at);
            // A 100 may be missing where another response comes soon.
            let is_100 = gone.bytes.starts_with(b"SIP/2.0 100");
            let judgement = judge(flow, &less);
            assert!(is_100 || !judgement.passed(), "{at}: {judgement}");
            let mut twice = told(&w, &nodes);
            let again = Told { bytes: gone.bytes.clone(), ..gone };
            twice.insert(at, again);
            assert!(judge(flow, &twice).to_string().contains("repetition"));
        }
    }
}

// RFC 3264 6.1
#[test]
fn who_is_held_and_sends_on_is_found_out() {
    let flow = find("hold").unwrap();
    let (w, nodes) = run(flow);
    let mut told = told(&w, &nodes);
    for t in &mut told {
        let text = String::from_utf8(t.bytes.clone()).unwrap();
        t.bytes = text.replace("a=recvonly", "a=sendrecv").into_bytes();
    }
    let judgement = judge(flow, &told);
    assert!(judgement.to_string().contains("3264 6.1"), "{judgement}");
}

// RFC 3264 8.4: a conference whose first peer stays on hold is none.
#[test]
fn who_resumes_and_still_holds_is_found_out() {
    let flow = find("conference").unwrap();
    let (w, nodes) = run(flow);
    let mut told = told(&w, &nodes);
    for t in told.iter_mut().filter(|t| t.bytes.windows(14).any(|b| b == b"CSeq: 3 INVITE")) {
        let text = String::from_utf8(t.bytes.clone()).unwrap();
        t.bytes = text.replace("a=rtpmap", "a=sendonly\r\na=rtpmap").into_bytes();
    }
    let judgement = judge(flow, &told);
    assert!(judgement.to_string().contains("it resumes, and offers sendonly"), "{judgement}");
}

fn chart(flow: &Flow, told: &[Told]) -> Chart {
    let roles = cast::roles(flow);
    let names = roles.iter().map(|r| format!("{r} {}", sansip_sim::literal::user(*r)));
    let mut chart = Chart::new(names).titled(flow.title);
    let column = |role: Role| roles.iter().position(|r| *r == role).unwrap();
    for t in told {
        chart.add(t.time_ms, column(t.from), column(t.to), &t.bytes, false);
    }
    chart
}

/// What the page says of one flow.
fn section(flow: &Flow, told: &[Told]) -> String {
    let name = flow.name;
    let mut out =
        format!("### {name}\n\n{}.\n\n![{}](flows/{name}.svg)\n\n", flow.title, flow.title);
    for (why, steps) in differences(&judge(flow, told)) {
        let all: Vec<String> = steps
            .iter()
            .map(|(what, n)| if *n > 1 { format!("{what} ({n} times)") } else { what.clone() })
            .collect();
        writeln!(out, "- {}: {why}", all.join(", ")).unwrap();
    }
    out.push('\n');
    out
}

/// The differences of a run, each with the messages that make it and how often they do.
fn differences(judgement: &Judgement) -> Vec<(String, Vec<(String, usize)>)> {
    let mut all: Vec<(String, Vec<(String, usize)>)> = Vec::new();
    for line in &judgement.lines {
        let Verdict::Required(d) = &line.verdict else { continue };
        let step = line.step.map_or_else(String::new, |n| format!("F{n} "));
        let what = format!("{step}{} {}→{}", line.what, line.from, line.to);
        let verb = if d.optional { "allowed" } else { "required" };
        let why = format!("{}, {verb} by {}", d.why, d.clause);
        let at = all.iter().position(|(w, _)| *w == why).unwrap_or_else(|| {
            all.push((why, Vec::new()));
            all.len() - 1
        });
        match all[at].1.iter_mut().find(|(w, _)| *w == what) {
            Some((_, n)) => *n += 1,
            None => all[at].1.push((what, 1)),
        }
    }
    all
}

/// Holds a file against what it has to be; `BLESS=1` writes it.
fn hold(path: &Path, text: &str) -> bool {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::read_to_string(path).is_ok_and(|there| there == text)
}

#[test]
fn the_page_shows_every_ladder() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut sections = String::new();
    let mut stale = Vec::new();
    for flow in FLOWS {
        let (w, nodes) = run(flow);
        let told = told(&w, &nodes);
        let picture = svg::draw(&chart(flow, &told));
        if !hold(&docs.join(format!("flows/{}.svg", flow.name)), &picture) {
            stale.push(flow.name);
        }
        sections.push_str(&section(flow, &told));
    }
    let page = std::fs::read_to_string(docs.join("flows.md")).unwrap();
    let (before, _) = page.split_once("\n## Ladders\n").unwrap();
    let page = format!("{before}\n## Ladders\n\n{}\n", sections.trim_end());
    if !hold(&docs.join("flows.md"), &page) {
        stale.push("flows.md");
    }
    assert!(stale.is_empty(), "stale: {stale:?}; BLESS=1 writes them");
}
