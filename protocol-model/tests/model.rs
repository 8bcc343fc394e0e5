//! Every configuration of the protocol comes out as expected.
//!
//! Those that should hold are explored in part, so that this is over in seconds; with `MODEL=full`
//! they are explored whole, which takes minutes and some GB of memory, and wants `--release`.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::process::ExitCode;

use protocol_model::{Bounds, run, table};

fn main() -> ExitCode {
    if !is_wanted() {
        return ExitCode::SUCCESS;
    }
    let bounds = match std::env::var("MODEL") {
        Ok(full) if full == "full" => Bounds::Full,
        _ => Bounds::Small,
    };
    let summary = run(&table(), bounds, false, |text| println!("{text}"));
    println!("{summary}");
    ExitCode::from(u8::from(summary.surprises > 0))
}

/// As other tests, this one is left out when a filter names another.
fn is_wanted() -> bool {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let left_out = |argument: &String| argument == "--list" || argument == "--ignored";
    let mut filters = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    let named = filters.peek().is_none() || filters.any(|filter| "model".contains(filter.as_str()));
    named && !arguments.iter().any(left_out)
}
