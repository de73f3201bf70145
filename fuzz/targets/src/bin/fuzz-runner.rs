//! Runs fuzz targets without libFuzzer, on any compiler:
//!
//! ```text
//! fuzz-runner TARGET [--seconds N] [--seed N] [--artifacts DIR] SEEDS...   seeds: files or folders
//! fuzz-runner TARGET --replay FILE...
//! fuzz-runner --list
//! ```
//!
//! Exit status: 0 no finding, 1 a finding (its input is in the artifacts' folder), 2 wrong usage.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sansip_fuzz_targets::mutate::Mutator;
use sansip_fuzz_targets::{TARGETS, Target};

const DICTIONARY: &str = include_str!("../../../sip.dict");
/// One input may take this long; work is linear in the bytes, so far less is needed.
const HANG: Duration = Duration::from_secs(10);

struct Options {
    target: Target,
    seconds: u64,
    seed: u64,
    artifacts: PathBuf,
    replay: bool,
    paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("fuzz-runner: {message}");
            return ExitCode::from(2);
        }
    };
    let inputs = match read(&options.paths) {
        Ok(inputs) => inputs,
        Err(message) => {
            eprintln!("fuzz-runner: {message}");
            return ExitCode::from(2);
        }
    };
    if options.replay {
        inputs.iter().for_each(|input| (options.target.1)(input));
        println!("{}: {} inputs replayed, no finding", options.target.0, inputs.len());
        return ExitCode::SUCCESS;
    }
    fuzz(&options, inputs)
}

fn options() -> Result<Option<Options>, String> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("which target? (--list names them)")?;
    if name == "--list" {
        TARGETS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(None);
    }
    let target = TARGETS.iter().find(|t| t.0 == name).ok_or(format!("no target {name}"))?;
    let mut options = Options {
        target: *target,
        seconds: 30,
        seed: 1,
        artifacts: PathBuf::from("fuzz/artifacts"),
        replay: false,
        paths: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().ok_or(format!("{argument} needs a number"))?;
            value.parse().map_err(|_| format!("{argument}: {value} is no number"))
        };
        match argument.as_str() {
            "--seconds" => options.seconds = number()?,
            "--seed" => options.seed = number()?,
            "--artifacts" => {
                options.artifacts = arguments.next().ok_or("--artifacts needs a folder")?.into();
            }
            "--replay" => options.replay = true,
            path if !path.starts_with('-') => options.paths.push(path.into()),
            unknown => return Err(format!("unknown option {unknown}")),
        }
    }
    Ok(Some(options))
}

/// The files named and those in the folders named, in the order of their names.
fn read(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, String> {
    let mut files = Vec::new();
    for path in paths {
        let told = |e| format!("{}: {e}", path.display());
        if path.is_dir() {
            let mut entries = Vec::new();
            for entry in fs::read_dir(path).map_err(told)? {
                entries.push(entry.map_err(told)?.path());
            }
            entries.sort();
            files.extend(entries.into_iter().filter(|p| p.is_file()));
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|f| fs::read(f).map_err(|e| format!("{}: {e}", f.display()))).collect()
}

/// What the worker is at, for the one who watches it.
struct Current {
    input: Vec<u8>,
    since: Option<Instant>,
    runs: u64,
}

fn fuzz(options: &Options, seeds: Vec<Vec<u8>>) -> ExitCode {
    let (name, body) = options.target;
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let current = Mutex::new(Current { input: Vec::new(), since: None, runs: 0 });
    let run = |input: &[u8]| {
        if let Ok(mut current) = current.lock() {
            current.input.clear();
            current.input.extend_from_slice(input);
            current.since = Some(Instant::now());
            current.runs += 1;
        }
        catch_unwind(AssertUnwindSafe(|| body(input))).is_ok()
    };
    let work = || {
        if !seeds.iter().all(|seed| run(seed)) {
            return false;
        }
        let mut mutator = Mutator::new(options.seed, seeds.clone(), DICTIONARY);
        let mut input = Vec::new();
        while Instant::now() < end {
            mutator.next(&mut input);
            if !run(&input) {
                return false;
            }
        }
        true
    };
    let clean = std::thread::scope(|scope| {
        let worker = scope.spawn(work);
        while !worker.is_finished() {
            std::thread::sleep(Duration::from_millis(100));
            if let Ok(current) = current.lock()
                && current.since.is_some_and(|since| since.elapsed() > HANG)
            {
                report(name, "does not end on", &current.input, &options.artifacts);
                std::process::exit(1);
            }
        }
        worker.join().unwrap_or(false)
    });
    let Ok(current) = current.into_inner() else { return ExitCode::FAILURE };
    if !clean {
        report(name, "fails on", &current.input, &options.artifacts);
        return ExitCode::FAILURE;
    }
    println!(
        "{name}: no finding in {} runs, {} s, seed {}",
        current.runs, options.seconds, options.seed
    );
    ExitCode::SUCCESS
}

fn report(name: &str, what: &str, input: &[u8], artifacts: &Path) {
    let folder = artifacts.join(name);
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let file = folder.join(format!("runner-{hash:016x}"));
    let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input));
    match kept {
        Ok(()) => eprintln!("{name} {what} {} ({} bytes)", file.display(), input.len()),
        Err(e) => eprintln!("{name} {what} this input, not kept ({e}): {}", input.escape_ascii()),
    }
}
