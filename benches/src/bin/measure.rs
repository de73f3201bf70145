//! Counts instructions and allocations: `measure help` says how.

use std::process::ExitCode;
use std::time::Instant;

use sansip_benches::counting::{Counting, allocations};
use sansip_benches::{Work, memory, report, work};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HELP: &str = "\
measure report              every figure under callgrind, held against its gates
measure memory              bytes that calls hold
measure time WORK...        nanoseconds of one, best of 20 batches
measure run WORK N          does it N times, for a profiler
measure list                the works of the report
measure count NAME=N...     (what the report runs under callgrind)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match &args[..] {
        ["report"] => report::report(),
        ["memory"] => {
            report::print_memory(&memory::held());
            ExitCode::SUCCESS
        }
        ["list"] => {
            report::plan().iter().for_each(|p| println!("{}", p.name));
            ExitCode::SUCCESS
        }
        ["time", works @ ..] if !works.is_empty() => all(works, time),
        ["run", name, n] => all(&[&format!("{name}={n}")], count),
        ["count", works @ ..] => all(works, count),
        _ => {
            println!("{HELP}");
            ExitCode::from(2)
        }
    }
}

/// Does something with each work of a list.
fn all(works: &[&str], each: fn(&str, &mut dyn Work, u32)) -> ExitCode {
    for named in works {
        let (name, n) = named.split_once('=').unwrap_or((named, "0"));
        match (work(name), n.parse()) {
            (Some(mut work), Ok(n)) => {
                work.check();
                each(name, &mut *work, n);
            }
            _ => {
                eprintln!("no such work: {named}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}

fn count(name: &str, work: &mut dyn Work, n: u32) {
    // What grows to its size in the first round.
    work.run(2);
    let before = allocations();
    sansip_measured(work, n);
    println!("{name} {n} {}", allocations() - before);
}

fn time(name: &str, work: &mut dyn Work, _: u32) {
    let start = Instant::now();
    work.run(1);
    let once = start.elapsed().as_nanos().max(1);
    let n = u32::try_from((2_000_000 / once).clamp(1, 100_000)).unwrap_or(1);
    let batches = (0..20).map(|_| {
        let start = Instant::now();
        work.run(n);
        start.elapsed().as_nanos() / u128::from(n)
    });
    println!("{name} {} ns", batches.min().unwrap_or(0));
}

/// What callgrind counts: it knows the function by its name.
#[unsafe(no_mangle)]
#[inline(never)]
fn sansip_measured(work: &mut dyn Work, n: u32) {
    work.run(n);
}
