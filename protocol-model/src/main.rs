//! `cargo run --release -p protocol-model [--] [--traces] [--small] [NAME…]`
//! `cargo run --release -p protocol-model [--] --replay [--server-fails] FILE…`
//!
//! Explores every configuration, or those whose names begin with one of those given, and prints a
//! line for each. `--traces` adds the shortest counter-examples; `--small` explores what is explored
//! on every `cargo test --workspace`.
//!
//! `--replay` replays a log of the stress test, a file of each process, instead.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::process::ExitCode;

use protocol_model::{Bounds, Row, Server, replay, run, table};

fn main() -> ExitCode {
    let (options, names): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    let has = |name: &str| options.iter().any(|option| option == name);
    if has("--replay") {
        return replay_files(&names, has("--server-fails"));
    }
    let rows = named(&names);
    if rows.is_empty() || options.iter().any(|option| !is_known(option)) {
        println!("usage: protocol-model [--traces] [--small] [NAME…]");
        return ExitCode::FAILURE;
    }
    let bounds = if has("--small") {
        Bounds::Small
    } else {
        Bounds::Full
    };
    let summary = run(&rows, bounds, has("--traces"), |text| println!("{text}"));
    println!("{summary}");
    ExitCode::from(u8::from(summary.surprises > 0))
}

fn replay_files(files: &[String], server_fails: bool) -> ExitCode {
    let texts: Result<String, _> = files.iter().map(std::fs::read_to_string).collect();
    let server = match server_fails {
        true => Server::Fails,
        false => Server::Lives,
    };
    let replayed = texts
        .map_err(|error| error.to_string())
        .and_then(|log| replay(&log, server).map_err(|refused| refused.to_string()));
    match &replayed {
        Ok(replayed) => println!("{replayed}"),
        Err(why) => println!("{why}"),
    }
    ExitCode::from(u8::from(replayed.is_err()))
}

fn is_known(option: &str) -> bool {
    ["--traces", "--small"].contains(&option)
}

fn named(names: &[String]) -> Vec<Row> {
    let wanted = |row: &Row| {
        let mut names = names.iter();
        names.len() == 0 || names.any(|name| row.name.starts_with(name.as_str()))
    };
    table().into_iter().filter(wanted).collect()
}
