//! `sansip flows`.

use clap::Args;
use sansip_sim::flow::{FLOWS, Flow, find};

use super::{FAILED, OK, USAGE, refuse, runtime};
use crate::flows::{FlowError, run as run_flow};

/// Run documented call flows between two phones and a proxy, over UDP sockets of 127.0.0.1
///
/// Each flow is drawn as a ladder and compared, message by message, with the flow as the phone
/// vendor's guides document it. Differences that the RFCs require are printed with their clause.
///
/// Exit status: 0 if all ran as documented or as the RFCs require, 1 if one did not, 2 for an
/// unknown flow or one that cannot be run yet.
#[derive(Args, Debug)]
pub struct FlowsArgs {
    /// The flows to run; all that can be run if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// List the flows
    #[arg(long)]
    list: bool,
}

fn names() -> String {
    FLOWS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
}

/// Runs it; the exit status.
#[must_use]
pub fn run(args: &FlowsArgs) -> u8 {
    if args.list {
        for flow in FLOWS {
            let note = if flow.is_judged() { "" } else { " (not built yet)" };
            println!("{:<26} {}{note}", flow.name, flow.title);
        }
        return OK;
    }
    let wanted = match wanted(&args.names) {
        Ok(wanted) => wanted,
        Err(problem) => return refuse(&problem),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => return refuse(&why),
    };
    let mut status = OK;
    for flow in wanted {
        match runtime.block_on(run_flow(flow)) {
            Ok(run) => {
                println!("{run}");
                if !run.passed() {
                    status = FAILED;
                }
            }
            Err(FlowError::Open(why)) => return refuse(&why),
            Err(FlowError::NotBuilt) => {
                eprintln!("sansip: {}: not built yet", flow.name);
                return USAGE;
            }
        }
    }
    status
}

fn wanted(names_given: &[String]) -> Result<Vec<&'static Flow>, String> {
    if names_given.is_empty() {
        return Ok(FLOWS.iter().filter(|f| f.is_judged()).collect());
    }
    names_given
        .iter()
        .map(|name| {
            let flow = find(name).ok_or_else(|| format!("unknown flow '{name}' ({})", names()))?;
            if flow.is_judged() { Ok(flow) } else { Err(format!("flow '{name}' is not built yet")) }
        })
        .collect()
}
