//! The steps that Redis has no command for, each a Lua script; those on tombstones take many keys.
//!
//! They run by hash. The server forgets scripts at a restart, a failover or a SCRIPT FLUSH; the step
//! is then sent in full once, which makes it known again.

use std::sync::LazyLock;

use redis::{Arg, Cmd};

/// What a server answers that has forgotten a script.
pub(super) const UNKNOWN: &str = "NOSCRIPT";

pub(super) struct Script {
    source: &'static str,
    hash: LazyLock<String>,
}

/// Lists of scripts, each made of files in `lua/`.
macro_rules! scripts {
    ($($(#[$doc:meta])* $list:ident [$($name:ident: $($file:literal),+;)+])+) => {$(
        $(pub(super) static $name: Script = Script {
            source: concat!($(include_str!(concat!("lua/", $file, ".lua"))),+),
            hash: LazyLock::new(|| redis::Script::new($name.source).get_hash().to_owned()),
        };)+

        $(#[$doc])*
        pub(super) static $list: &[&Script] = &[$(&$name),+];
    )+};
}

scripts! {
    /// Loaded with each connection.
    LOADED [
        ACQUIRE_OVER: "acquire_over";
        SEIZE: "seize";
        EXTEND: "extend";
        FILL: "clock", "bars", "fill";
        RELEASE: "release";
        BEGIN: "begin_plain", "clock", "tombstone", "begin", "each";
        HOLD: "clock", "tombstone", "hold", "each";
        END: "end_plain", "clock", "tombstone", "end", "each";
        PUT: "put_plain", "clock", "bars", "tombstone", "put";
        INVALIDATE: "clock", "tombstone", "invalidate", "each";
        STAMP: "stamp";
    ]
    /// Of the few who want them: epochs, sweeps, locks, queues.
    RARE [
        EPOCH: "epoch";
        BAR: "clock", "bars", "bar";
        LOCK: "fencing", "lock";
        EXTEND_LOCK: "fencing", "extend_lock";
        UNLOCK: "fencing", "unlock";
        ENQUEUE: "clock", "enqueue";
        TAKE: "fencing", "take";
        FINISH: "finish";
        BURY: "bury";
        RETRY_DEAD: "retry_dead";
        DROP_DEAD: "drop_dead";
    ]
}

impl Script {
    pub(super) fn source(&self) -> &'static str {
        self.source
    }

    /// The command that runs it by its hash.
    pub(super) fn on(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        let sizes: usize = args.iter().map(|arg| arg.len()).sum();
        let keys_size: usize = keys.iter().map(|key| key.len()).sum();
        let size = 10 + self.hash.len() + keys_size + sizes;
        let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), size);
        command.arg("EVALSHA").arg(&*self.hash);
        command.arg(keys.len()).arg(keys).arg(args);
        command
    }
}

/// Whether `command` runs a script.
pub(super) fn is_run_by(command: &Cmd) -> bool {
    is(command, b"EVALSHA") || is(command, b"EVAL")
}

/// The first of the keys that `command` names; of those for which it does not matter, whatever they name first.
pub(super) fn key(command: &Cmd) -> &[u8] {
    let first = if is_run_by(command) { 3 } else { 1 };
    match command.args_iter().nth(first) {
        Some(Arg::Simple(key)) => key,
        _ => b"",
    }
}

/// The same command, which knows no script by its hash.
pub(super) fn without_hash(command: &Cmd) -> Cmd {
    match is(command, b"EVALSHA") {
        true => in_full(command),
        false => command.clone(),
    }
}

fn is(command: &Cmd, name: &[u8]) -> bool {
    matches!(command.args_iter().next(), Some(Arg::Simple(first)) if first == name)
}

/// The same step for a server that does not know its script.
pub(super) fn in_full(command: &Cmd) -> Cmd {
    let mut args = command.args_iter().filter_map(|arg| match arg {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    let hash = args.nth(1).unwrap_or_default();
    let mut all = LOADED.iter().chain(RARE);
    let script = all.find(|script| script.hash.as_bytes() == hash);
    let mut full = Cmd::new();
    full.arg("EVAL")
        .arg(script.map_or("", |script| script.source));
    for arg in args {
        full.arg(arg);
    }
    full
}
