//! `cargo run --release -p protocol-model [--] [--traces] [--small] [NAME…]`
//!
//! Explores every configuration, or those whose names begin with one of those given, and prints a
//! line for each. `--traces` adds the shortest counter-examples; `--small` explores what is explored
//! on every `cargo test --workspace`.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::process::ExitCode;

use protocol_model::{Bounds, Row, run, table};

fn main() -> ExitCode {
    let (options, names): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    let has = |name: &str| options.iter().any(|option| option == name);
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
