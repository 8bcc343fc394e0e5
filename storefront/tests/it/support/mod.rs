//! What the tests share: the shop as a process, and servers of their own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

// Shared with the tests of the library and of its companions, which use more of them.
#[allow(dead_code)]
#[path = "../../../../tests/support/browser.rs"]
mod browser;
#[allow(dead_code)]
#[path = "../../../../cached-redis-postgres/tests/it/support/postgres.rs"]
mod postgres;
#[allow(dead_code)]
#[path = "../../../../tests/support/process.rs"]
mod process;
#[path = "../../../../cached-redis/src/store/redis/server/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../../../../tests/support/server.rs"]
mod server;

pub(crate) use browser::{Browser, Look};
pub(crate) use postgres::Postgres;
pub(crate) use process::signal;
pub(crate) use server::RedisServer;

/// The program, which hears of no server but those that it is told of.
pub(crate) fn storefront(variables: &[(&str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storefront"));
    for name in [
        "REDIS_URL",
        "DATABASE_URL",
        "NAMESPACE",
        "ADDRESS",
        "ORIGIN",
        "SESSION_SECRET",
    ] {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}

/// The shop, open until it is dropped.
pub(crate) struct Shop {
    process: Child,
    pub(crate) url: String,
}

impl Shop {
    pub(crate) fn open(variables: &[(&str, String)]) -> Self {
        let mut command = storefront(variables);
        command.env("ADDRESS", "127.0.0.1:0").stdout(Stdio::piped());
        let mut process = command.spawn().expect("the shop starts");
        let mut output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("it says where it is");
        let url = first
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let url = url
            .unwrap_or_else(|| panic!("no address: {first}"))
            .to_owned();
        // What it says from then on has somewhere to go.
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
        Self { process, url }
    }
}

impl Drop for Shop {
    /// As by Ctrl-C, so that it takes its database along.
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            signal(&self.process, "INT");
        }
        let _ = self.process.wait();
    }
}
