//! The steps that Redis has no command for, each a Lua script on one key.
//!
//! They run by hash. The server forgets scripts at a restart, a failover or a SCRIPT FLUSH; the step
//! is then sent in full once, which makes it known again.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};

use super::reply;
use crate::error::StoreError;

pub(super) struct Script {
    source: &'static str,
    hash: LazyLock<String>,
}

macro_rules! script {
    ($file:literal) => {
        Script {
            source: include_str!($file),
            hash: LazyLock::new(|| hash(include_str!($file))),
        }
    };
}

pub(super) static ACQUIRE_OVER: Script = script!("lua/acquire_over.lua");
pub(super) static SEIZE: Script = script!("lua/seize.lua");
pub(super) static EXTEND: Script = script!("lua/extend.lua");
pub(super) static FILL: Script = script!("lua/fill.lua");
pub(super) static RELEASE: Script = script!("lua/release.lua");
/// Run once for each connection, by the few who want it; not among those loaded for all.
pub(super) static EPOCH: Script = script!("lua/epoch.lua");

pub(super) static ALL: [&Script; 5] = [&ACQUIRE_OVER, &SEIZE, &EXTEND, &FILL, &RELEASE];

impl Script {
    pub(super) fn source(&self) -> &'static str {
        self.source
    }

    pub(super) async fn run(
        &self,
        connection: &mut MultiplexedConnection,
        key: &str,
        args: &[&[u8]],
    ) -> Result<Value, StoreError> {
        let known = command("EVALSHA", &self.hash, key, args);
        match reply::value(connection.send_packed_command(&known).await) {
            Err(StoreError::Server { code }) if code == "NOSCRIPT" => {
                let full = command("EVAL", self.source, key, args);
                reply::value(connection.send_packed_command(&full).await)
            }
            other => other,
        }
    }
}

fn command(name: &str, script: &str, key: &str, args: &[&[u8]]) -> Cmd {
    let sizes: usize = args.iter().map(|arg| arg.len()).sum();
    let size = name.len() + script.len() + 1 + key.len() + sizes;
    let mut command = Cmd::with_capacity(4 + args.len(), size);
    command.arg(name).arg(script).arg("1").arg(key);
    for arg in args {
        command.arg(*arg);
    }
    command
}

fn hash(source: &str) -> String {
    redis::Script::new(source).get_hash().to_owned()
}
