//! The `sansip` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sansip_host::commands::{flows, inspect, phone, proxy};

/// The sansip SIP engine on real sockets
#[derive(Parser, Debug)]
#[command(name = "sansip", version, arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Proxy(Box<proxy::ProxyArgs>),
    Phone(Box<phone::PhoneArgs>),
    Flows(flows::FlowsArgs),
    Inspect(inspect::InspectArgs),
}

fn main() -> ExitCode {
    ExitCode::from(match Command::parse().what {
        What::Proxy(args) => proxy::run(&args),
        What::Phone(args) => phone::run(&args),
        What::Flows(args) => flows::run(&args),
        What::Inspect(args) => inspect::run(&args),
    })
}
