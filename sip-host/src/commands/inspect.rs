//! `sansip inspect`.

use std::io::Read;

use clap::Args;

use super::{FAILED, OK, USAGE};
use crate::inspect::{Inspection, json_of, text_of};

/// Show a message: its start line, its header fields as typed values, and what is wrong with it
///
/// Exit status: 0 if the message is clean, 1 if it has defects, 2 if it is no SIP message or cannot
/// be read.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The file with the message, byte for byte as it was on the wire; - reads standard input
    #[arg(value_name = "FILE")]
    file: String,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Judge it as part of a stream, where Content-Length must say how long it is
    #[arg(long)]
    stream: bool,
}

/// Runs it; the exit status.
#[must_use]
pub fn run(args: &InspectArgs) -> u8 {
    let bytes = match read(&args.file) {
        Ok(bytes) => bytes,
        Err(why) => {
            eprintln!("sansip: {}: {why}", args.file);
            return USAGE;
        }
    };
    let mut room = match Inspection::room() {
        Ok(room) => room,
        Err(why) => {
            eprintln!("sansip: {why}");
            return USAGE;
        }
    };
    let found = match Inspection::of(&bytes, args.stream, &mut room) {
        Ok(found) => found,
        Err(why) => {
            if args.json {
                println!("{}", serde_json::json!({ "kind": "no_message", "why": why.to_string() }));
            } else {
                println!("no SIP message: {why}");
            }
            return USAGE;
        }
    };
    if args.json {
        println!("{}", json_of(&found));
    } else {
        print!("{}", text_of(&found));
    }
    if found.defects.is_empty() { OK } else { FAILED }
}

/// One byte more than a message may have is enough to see that it is too long.
fn read(file: &str) -> std::io::Result<Vec<u8>> {
    const MOST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    if file == "-" {
        std::io::stdin().lock().take(MOST).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(MOST).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
