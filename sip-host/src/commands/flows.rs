//! `sansip flows`.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Args;
use sansip_sim::flow::{FLOWS, Flow, find};
use sansip_sim::{mermaid, pcap, svg};

use super::{FAILED, OK, refuse, runtime};
use crate::flows::{Run, run as run_flow};

/// Run documented call flows between phones and a proxy, over UDP sockets of 127.0.0.1
///
/// Each flow is drawn as a ladder and compared, message by message, with the flow as the phone
/// vendor's guides document it. Differences that the RFCs require are printed with their clause.
///
/// Exit status: 0 if all ran as documented or as the RFCs require, 1 if one did not, 2 for an
/// unknown flow.
#[derive(Args, Debug)]
pub struct FlowsArgs {
    /// The flows to run; all if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// List the flows
    #[arg(long)]
    list: bool,

    /// Draw each run as a picture: DIR/NAME.svg
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,

    /// Draw each run as a Mermaid sequence diagram: print it in place of the ladder, or write
    /// DIR/NAME.mmd
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    mermaid: Option<Option<PathBuf>>,

    /// Write what was sent to a capture that packet analysers open
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

/// Where the runs go besides the terminal.
struct Outputs<'a> {
    args: &'a FlowsArgs,
    capture: Option<(pcap::Writer<BufWriter<File>>, u64)>,
}

/// Between two flows in one capture.
const APART_MS: u64 = 1_000;

impl<'a> Outputs<'a> {
    fn open(args: &'a FlowsArgs) -> Result<Self, String> {
        for dir in args.svg.iter().chain(args.mermaid.iter().flatten()) {
            std::fs::create_dir_all(dir).map_err(|why| told(dir, &why))?;
        }
        let open = |path: &PathBuf| {
            let out = File::create(path).and_then(|f| pcap::Writer::new(BufWriter::new(f)));
            out.map(|out| (out, 0)).map_err(|why| told(path, &why))
        };
        Ok(Self { args, capture: args.pcap.as_ref().map(open).transpose()? })
    }

    fn write(&mut self, run: &Run) -> Result<(), String> {
        let name = run.flow().name;
        if let Some(dir) = &self.args.svg {
            save(&dir.join(format!("{name}.svg")), &svg::draw(&run.chart()))?;
        }
        match &self.args.mermaid {
            Some(Some(dir)) => {
                save(&dir.join(format!("{name}.mmd")), &mermaid::draw(&run.chart()))?;
            }
            Some(None) => print!("{}", mermaid::draw(&run.chart())),
            None => {}
        }
        if !matches!(self.args.mermaid, Some(None)) {
            println!("{run}");
        }
        if let (Some((out, begin)), Some(path)) = (&mut self.capture, &self.args.pcap) {
            let last = run.write_pcap(out, *begin).map_err(|why| told(path, &why))?;
            *begin = last + APART_MS;
        }
        Ok(())
    }

    fn close(self) -> Result<(), String> {
        let Some(((out, _), path)) = self.capture.zip(self.args.pcap.as_ref()) else {
            return Ok(());
        };
        out.finish().map(drop).map_err(|why| told(path, &why))
    }
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|why| told(path, &why))
}

fn told(path: &Path, why: &io::Error) -> String {
    format!("{}: {why}", path.display())
}

fn names() -> String {
    FLOWS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
}

/// Runs it; the exit status.
#[must_use]
pub fn run(args: &FlowsArgs) -> u8 {
    if args.list {
        for flow in FLOWS {
            println!("{:<26} {}", flow.name, flow.title);
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
    let mut outputs = match Outputs::open(args) {
        Ok(outputs) => outputs,
        Err(why) => return refuse(&why),
    };
    let mut status = OK;
    for flow in wanted {
        match runtime.block_on(run_flow(flow)) {
            Ok(run) => {
                if let Err(why) = outputs.write(&run) {
                    return refuse(&why);
                }
                if !run.passed() {
                    status = FAILED;
                }
            }
            Err(why) => return refuse(&why),
        }
    }
    outputs.close().map_or_else(|why| refuse(&why), |()| status)
}

fn wanted(names_given: &[String]) -> Result<Vec<&'static Flow>, String> {
    if names_given.is_empty() {
        return Ok(FLOWS.iter().collect());
    }
    names_given
        .iter()
        .map(|name| find(name).ok_or_else(|| format!("unknown flow '{name}' ({})", names())))
        .collect()
}
