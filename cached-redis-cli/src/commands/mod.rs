//! One file for each command.

use clap::CommandFactory as _;

use crate::Verdict;
use crate::args::{Arguments, Command};
use crate::doctor;
use crate::failure::Failure;
use crate::out::Out;

mod catalog;
mod dead_letters;
mod explain;
mod inspect;
mod ls;
mod mode;
mod purge;
mod tail;

pub(crate) async fn run(arguments: &Arguments, out: &mut Out) -> Result<Verdict, Failure> {
    let place = &arguments.place;
    match &arguments.command {
        Command::Inspect(it) => inspect::run(&place.open().await?, it, out).await,
        Command::Ls(it) => ls::run(&place.open().await?, it, out).await,
        Command::Explain(it) => explain::run(place, it, out),
        Command::Purge(it) => purge::run(place, it, out).await,
        Command::Mode(it) => mode::run(&place.open().await?, it, out).await,
        Command::Tail(it) => tail::run(&place.open().await?, it, out).await,
        Command::DeadLetters(it) => dead_letters::run(&place.open().await?, it, out).await,
        Command::Catalog(it) => catalog::run(place, it, out),
        Command::Doctor(it) => doctor::run(&place.open().await?, it, out).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(
                *shell,
                &mut Arguments::command(),
                "cached-redis",
                &mut script,
            );
            out.bytes(&script)?;
            Ok(Verdict::Good)
        }
        Command::Man => man(out),
    }
}

/// One page for all: each command is a section of its own.
fn man(out: &mut Out) -> Result<Verdict, Failure> {
    let mut root = Arguments::command();
    root.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(root.clone()).render(&mut page)?;
    for command in root.get_subcommands().filter(|it| it.get_name() != "help") {
        let title = format!(
            ".SH \"CACHED-REDIS {}\"\n",
            command.get_name().to_uppercase()
        );
        page.extend_from_slice(title.as_bytes());
        let man = clap_mangen::Man::new(command.clone());
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    out.bytes(&page)?;
    Ok(Verdict::Good)
}
