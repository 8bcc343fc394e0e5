//! The steps that Redis has no command for, each a Lua script; those on tombstones take many keys.
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
    ($($file:literal),+) => {
        Script {
            source: concat!($(include_str!($file)),+),
            hash: LazyLock::new(|| hash(concat!($(include_str!($file)),+))),
        }
    };
}

/// One on many keys at once.
macro_rules! tombstones {
    ($file:literal) => {
        script!("lua/clock.lua", "lua/tombstone.lua", $file, "lua/each.lua")
    };
}

pub(super) static ACQUIRE_OVER: Script = script!("lua/acquire_over.lua");
pub(super) static SEIZE: Script = script!("lua/seize.lua");
pub(super) static EXTEND: Script = script!("lua/extend.lua");
pub(super) static FILL: Script = script!("lua/clock.lua", "lua/bars.lua", "lua/fill.lua");
pub(super) static RELEASE: Script = script!("lua/release.lua");
/// Run once for each connection, by the few who want it; not among those loaded for all.
pub(super) static EPOCH: Script = script!("lua/epoch.lua");
pub(super) static BEGIN: Script = tombstones!("lua/begin.lua");
pub(super) static HOLD: Script = tombstones!("lua/hold.lua");
pub(super) static END: Script = tombstones!("lua/end.lua");
pub(super) static PUT: Script = script!(
    "lua/clock.lua",
    "lua/bars.lua",
    "lua/tombstone.lua",
    "lua/put.lua"
);
pub(super) static INVALIDATE: Script = tombstones!("lua/invalidate.lua");
pub(super) static STAMP: Script = script!("lua/stamp.lua");
/// Of the few who sweep.
pub(super) static BAR: Script = script!("lua/clock.lua", "lua/bars.lua", "lua/bar.lua");

/// Locks are of the few who want them too.
pub(super) static LOCK: Script = script!("lua/fencing.lua", "lua/lock.lua");
pub(super) static EXTEND_LOCK: Script = script!("lua/fencing.lua", "lua/extend_lock.lua");
pub(super) static UNLOCK: Script = script!("lua/fencing.lua", "lua/unlock.lua");

pub(super) static ALL: [&Script; 11] = [
    &ACQUIRE_OVER,
    &SEIZE,
    &EXTEND,
    &FILL,
    &RELEASE,
    &BEGIN,
    &HOLD,
    &END,
    &PUT,
    &INVALIDATE,
    &STAMP,
];

impl Script {
    pub(super) fn source(&self) -> &'static str {
        self.source
    }

    pub(super) async fn run(
        &self,
        connection: &mut MultiplexedConnection,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<Value, StoreError> {
        let known = command("EVALSHA", &self.hash, keys, args);
        match reply::value(connection.send_packed_command(&known).await) {
            Err(StoreError::Server { code }) if code == "NOSCRIPT" => {
                let full = command("EVAL", self.source, keys, args);
                reply::value(connection.send_packed_command(&full).await)
            }
            other => other,
        }
    }

    /// The step on each key with arguments of its own, in one round trip. Where a server that forgot
    /// the script lets a part of the commands fail, that part is sent again in full.
    pub(super) async fn run_each(
        &self,
        connection: &mut MultiplexedConnection,
        calls: &[(&str, &[&[u8]])],
    ) -> Result<Vec<Result<Value, StoreError>>, StoreError> {
        let known = calls
            .iter()
            .map(|(key, args)| command("EVALSHA", &self.hash, &[key], args));
        let mut answers = send(connection, known).await?;
        let unknown = |answer: &Result<Value, StoreError>| matches!(answer, Err(StoreError::Server { code }) if code == "NOSCRIPT");
        let failed: Vec<_> = (0..answers.len())
            .filter(|at| unknown(&answers[*at]))
            .collect();
        if !failed.is_empty() {
            let full = failed
                .iter()
                .map(|at| command("EVAL", self.source, &[calls[*at].0], calls[*at].1));
            for (at, answer) in failed.iter().zip(send(connection, full).await?) {
                answers[*at] = answer;
            }
        }
        Ok(answers)
    }
}

/// Sends commands in one write; the answer to each.
pub(super) async fn send(
    connection: &mut MultiplexedConnection,
    commands: impl Iterator<Item = Cmd>,
) -> Result<Vec<Result<Value, StoreError>>, StoreError> {
    let mut pipeline = redis::pipe();
    for command in commands {
        pipeline.add_command(command);
    }
    let count = pipeline.len();
    match connection.send_packed_commands(&pipeline, 0, count).await {
        Ok(answers) if answers.len() == count => Ok(answers
            .into_iter()
            .map(|answer| reply::value(Ok(answer)))
            .collect()),
        Ok(_) => Err(StoreError::Answer),
        Err(failure) => Err(reply::error(&failure)),
    }
}

fn command(name: &str, script: &str, keys: &[&str], args: &[&[u8]]) -> Cmd {
    let sizes: usize = args.iter().map(|arg| arg.len()).sum();
    let keys_size: usize = keys.iter().map(|key| key.len()).sum();
    let size = name.len() + script.len() + 3 + keys_size + sizes;
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), size);
    command.arg(name).arg(script).arg(keys.len()).arg(keys);
    for arg in args {
        command.arg(*arg);
    }
    command
}

fn hash(source: &str) -> String {
    redis::Script::new(source).get_hash().to_owned()
}
