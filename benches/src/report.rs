//! Runs the works under callgrind, prints the figures as tables, and holds them against the gates.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};

use crate::families;
use crate::memory::{Held, held};
use crate::messages::{self, NAMES};
use crate::users::{ALGORITHMS, KNOWN};

/// A work and how often it is done.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its name.
    pub name: String,
    n: u32,
}

/// What was counted: instructions of one, and allocations of all.
#[derive(Clone, Copy, Debug)]
struct Counted {
    instructions: u64,
    allocations: u64,
}

type Figures = BTreeMap<String, Counted>;

/// Instructions that a work may take: these fail the run.
const GATES: [(&str, u64); 8] = [
    ("index/a_invite", 5_200),
    ("typed/a_invite", 9_500),
    ("index/peers/a_invite", 5_200),
    ("typed/peers/a_invite", 9_500),
    ("call-tx", 102_000),
    ("call-ua", 165_000),
    ("proxy", 140_000),
    ("next@0", 17_000),
];

/// Instructions that a hostile message of 64 KiB may take: what an engine does with it, what a stream
/// does, and, far from any engine, every grammar that the parser knows.
const WORST: [(&str, u64); 3] =
    [("refuse", 4_000_000), ("frame", 4_000_000), ("typed", 16_000_000)];
/// Of 64 KiB to 32 KiB, in percent.
const RATIO: u64 = 230;
const SIZES: [usize; 2] = [32_768, 65_535];

/// How far apart refusing a user that there is and one that there is not may be, in permille.
const APART: u64 = 20;

/// Operations of one message, and what must be done to the name of a message to try it.
const OPERATIONS: [&str; 8] =
    ["index", "typed", "typed-set", "typed-all", "response", "print", "forward", "forward-all"];

/// Further works: name, how often, what is to be reached first, and the best peer.
const CALLS: [(&str, u32, &str, &str); 10] = [
    ("call-tx", 20, "110,000", "PJSIP 328,874"),
    ("call-ua", 20, "180,000", ""),
    ("call-media", 20, "", "PJSIP 526,028"),
    ("call-proxy", 20, "", ""),
    ("proxy", 20, "80,000", "Kamailio 224,205, on sockets"),
    ("call-ua@1000", 20, "", ""),
    ("next@0", 200, "", ""),
    ("next@1000", 200, "x1.1", "libosip2 x4.5"),
    ("call-ua@10000", 20, "", ""),
    ("next@100000", 200, "x1.1", ""),
];

/// What is measured.
#[must_use]
pub fn plan() -> Vec<Planned> {
    let mut plan = Vec::new();
    let mut add = |name: String, n| plan.push(Planned { name, n });
    for folder in folders() {
        for operation in OPERATIONS {
            for name in NAMES.into_iter().filter(|name| is_done(operation, name)) {
                add(format!("{operation}/{folder}{name}"), 200);
            }
        }
    }
    for family in families::names() {
        for size in SIZES {
            for operation in families::OPERATIONS {
                add(format!("worst/{family}/{size}/{operation}"), 1);
            }
        }
    }
    for name in users() {
        add(name, 200);
    }
    for (name, n, ..) in &CALLS {
        add((*name).to_string(), *n);
    }
    plan
}

/// The works of [`users`](crate::users).
fn users() -> impl Iterator<Item = String> {
    let of = |algorithm| KNOWN.map(|known| format!("user/{algorithm}/{known}"));
    ALGORITHMS.into_iter().flat_map(of)
}

fn folders() -> &'static [&'static str] {
    if messages::peers().is_some() { &["", "peers/"] } else { &[""] }
}

/// No response to a response or to an ACK is measured, and no forwarding of a response.
fn is_done(operation: &str, message: &str) -> bool {
    match operation {
        "response" => !matches!(message, "b_200" | "d_ack"),
        "forward" | "forward-all" => message != "b_200",
        _ => true,
    }
}

/// Measures, prints, and fails if a gate is not reached.
#[must_use]
pub fn report() -> ExitCode {
    let plan = plan();
    let figures = match callgrind(&plan) {
        Ok(figures) => figures,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    for folder in folders() {
        let whose = if folder.is_empty() { "our messages" } else { "the peers' messages" };
        println!("\nInstructions, {whose}\n");
        print_messages(&figures, folder);
    }
    println!();
    print_calls(&figures);
    println!();
    print_memory(&held());
    println!();
    print_users(&figures);
    println!();
    print_worst(&figures);
    let failures = failures(&figures);
    println!();
    for failure in &failures {
        println!("FAILED: {failure}");
    }
    if failures.is_empty() {
        println!("all gates reached, no allocation in {} works", figures.len());
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Runs this program under callgrind, which writes one part of its file for each work.
fn callgrind(plan: &[Planned]) -> Result<Figures, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let file = std::env::temp_dir().join(format!("sansip-callgrind-{}", std::process::id()));
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--combine-dumps=yes", "--dump-line=no"])
        .args(["--toggle-collect=sansip_measured", "--dump-after=sansip_measured"])
        // What came before, its check among it, is no part of a work.
        .arg("--zero-before=sansip_measured")
        // Within a work: what is not counted, and what of that is counted all the same.
        .args(["--toggle-collect=sansip_aside", "--toggle-collect=sansip_part"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(this)
        .arg("count")
        .args(plan.iter().map(|p| format!("{}={}", p.name, p.n)))
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| format!("valgrind: {e}"))?;
    let parts = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into_owned());
    }
    let said = String::from_utf8_lossy(&run.stdout);
    let totals: Vec<u64> = parts
        .lines()
        .filter_map(|l| l.strip_prefix("totals: "))
        .filter_map(|l| l.trim().parse().ok())
        .collect();
    if totals.len() < plan.len() || said.lines().count() != plan.len() {
        return Err(format!("{} of {} works counted", totals.len(), plan.len()));
    }
    Ok(said
        .lines()
        .zip(totals)
        .zip(plan)
        .map(|((line, total), planned)| {
            let allocations = line.rsplit(' ').next().and_then(|a| a.parse().ok()).unwrap_or(1);
            let instructions = total / u64::from(planned.n);
            (planned.name.clone(), Counted { instructions, allocations })
        })
        .collect())
}

fn print_messages(figures: &Figures, folder: &str) {
    println!("| work | {} | sum |", NAMES.join(" | "));
    println!("|---|{}", "---|".repeat(NAMES.len() + 1));
    for operation in OPERATIONS {
        let row = NAMES.map(|name| figures.get(&format!("{operation}/{folder}{name}")));
        let cells = row.map(|c| c.map_or("-".into(), |c| grouped(c.instructions)));
        let sum: u64 = row.iter().flatten().map(|c| c.instructions).sum();
        println!("| {operation} | {} | {} |", cells.join(" | "), grouped(sum));
    }
}

fn print_calls(figures: &Figures) {
    println!("| work | instructions | allocations | to reach | best peer |");
    println!("|---|---|---|---|---|");
    for (name, _, target, peer) in &CALLS {
        let Some(c) = figures.get(*name) else { continue };
        let (i, a) = (grouped(c.instructions), c.allocations);
        println!("| {name} | {i} | {a} | {target} | {peer} |");
    }
}

/// Prints what objects hold.
pub fn print_memory(held: &[Held]) {
    println!("| bytes of | records | pool | together |");
    println!("|---|---|---|---|");
    for h in held {
        let [records, pool, total] = [h.records, h.pool, h.total()].map(|n| grouped(n as u64));
        println!("| {} | {records} | {pool} | {total} |", h.what);
    }
}

/// What it takes to refuse a user by an algorithm, in the order of [`KNOWN`].
fn refusals(figures: &Figures, algorithm: &str) -> Option<[u64; 3]> {
    let mut all = [0; 3];
    for (place, known) in all.iter_mut().zip(KNOWN) {
        *place = figures.get(&format!("user/{algorithm}/{known}"))?.instructions;
    }
    Some(all)
}

/// How far apart the least and the most are, in permille of the least.
fn apart(all: [u64; 3]) -> u64 {
    let [least, most] = [all.iter().min(), all.iter().max()].map(|n| n.copied().unwrap_or(0));
    ((most - least) * 1_000).div_ceil(least.max(1))
}

fn print_users(figures: &Figures) {
    println!("| a refused REGISTER | {} | permille apart |", KNOWN.join(" | "));
    println!("|---|---|---|---|---|");
    for algorithm in ALGORITHMS {
        let Some(all) = refusals(figures, algorithm) else { continue };
        println!("| {algorithm} | {} | {} |", all.map(grouped).join(" | "), apart(all));
    }
}

/// The instructions of a family at both sizes.
fn worst(figures: &Figures, family: &str, operation: &str) -> Option<[u64; 2]> {
    let at = |size| figures.get(&format!("worst/{family}/{size}/{operation}"));
    Some([at(SIZES[0])?.instructions, at(SIZES[1])?.instructions])
}

/// The ten dearest of each operation.
fn print_worst(figures: &Figures) {
    println!("| hostile message | work | 32 KiB | 64 KiB | ratio |");
    println!("|---|---|---|---|---|");
    for operation in families::OPERATIONS {
        let mut rows: Vec<_> = families::names()
            .filter_map(|name| Some((name, worst(figures, name, operation)?)))
            .collect();
        rows.sort_by_key(|(_, [_, large])| core::cmp::Reverse(*large));
        for (name, [small, large]) in rows.into_iter().take(10) {
            let ratio = large as f64 / small.max(1) as f64;
            let [small, large] = [small, large].map(grouped);
            println!("| {name} | {operation} | {small} | {large} | {ratio:.2} |");
        }
    }
}

fn failures(figures: &Figures) -> Vec<String> {
    let mut failures = Vec::new();
    for (name, most) in GATES {
        let Some(c) = figures.get(name) else { continue };
        if c.instructions > most {
            failures.push(format!("{name}: {} instructions, over {most}", c.instructions));
        }
    }
    for algorithm in ALGORITHMS {
        let Some(all) = refusals(figures, algorithm).filter(|all| apart(*all) > APART) else {
            continue;
        };
        failures.push(format!("user/{algorithm}: {all:?}, {} permille apart", apart(all)));
    }
    for (name, c) in figures.iter().filter(|(_, c)| c.allocations > 0) {
        failures.push(format!("{name}: {} allocations", c.allocations));
    }
    for (operation, most) in WORST {
        for name in families::names() {
            let Some([small, large]) = worst(figures, name, operation) else { continue };
            // What is refused at once costs little at either size, and its ratio says nothing.
            let grows = large > 100_000 && large * 100 > small * RATIO;
            if large > most || grows {
                failures
                    .push(format!("worst/{name}/{operation}: {small} at 32 KiB, {large} at 64"));
            }
        }
    }
    failures
}

/// `12345` as `12,345`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(123), "123");
    }

    #[test]
    fn each_gate_is_measured_and_each_work_exists() {
        let plan = plan();
        for (name, _) in GATES.iter().filter(|g| !g.0.contains("peers/")) {
            assert!(plan.iter().any(|p| p.name == *name));
        }
        for p in plan.iter().filter(|p| !p.name.contains('@')) {
            assert!(crate::work(&p.name).is_some(), "{}", p.name);
        }
    }

    #[test]
    fn what_is_over_a_gate_fails() {
        let counted = |instructions, allocations| Counted { instructions, allocations };
        let mut figures = Figures::new();
        figures.insert("index/a_invite".into(), counted(5_200, 0));
        figures.insert("worst/fold/32768/refuse".into(), counted(100_000, 0));
        figures.insert("worst/fold/65535/refuse".into(), counted(229_000, 0));
        assert!(failures(&figures).is_empty());
        for (known, n) in KNOWN.into_iter().zip([10_000, 10_200, 10_100]) {
            figures.insert(format!("user/MD5/{known}"), counted(n, 0));
        }
        assert!(failures(&figures).is_empty());
        figures.insert("user/MD5/nobody".into(), counted(10_201, 0));
        assert_eq!(failures(&figures).len(), 1);
        figures.remove("user/MD5/nobody");
        figures.insert("index/a_invite".into(), counted(5_201, 0));
        figures.insert("print/a_invite".into(), counted(1, 1));
        figures.insert("worst/fold/65535/refuse".into(), counted(231_000, 0));
        assert_eq!(failures(&figures).len(), 3);
    }
}
