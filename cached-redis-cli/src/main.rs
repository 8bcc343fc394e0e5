//! The command line of cached-redis: see the page `command_line` of its documentation.
//!
//! All that it knows of the store it asks the library, so every address of the library is one here.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::Builder;
use tracing::subscriber::NoSubscriber;

mod args;
mod commands;
mod doctor;
mod failure;
mod out;
mod place;

use args::Arguments;
use failure::Failure;
use out::Out;

/// What a command that was done answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What went wrong is said below; what the library has to say of it beside that is for programs.
    let _ = tracing::subscriber::set_global_default(NoSubscriber::default());
    match run(&arguments) {
        Ok(Verdict::Good) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(1),
        Err(failure) => {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let mut out = Out::new(arguments.json);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let verdict = runtime.block_on(commands::run(arguments, &mut out))?;
    out.flush()?;
    Ok(verdict)
}
