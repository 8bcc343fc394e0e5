//! The steps that Redis has no command for, each a Lua script; those on tombstones take many keys.
//!
//! They run by hash. The server forgets scripts at a restart, a failover or a SCRIPT FLUSH; the step
//! is then sent in full once, which makes it known again.

use std::sync::LazyLock;

use redis::Cmd;

use super::packed::{self, Form};

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
    pub(super) fn on<F: Form>(&self, keys: &[&str], args: &[&[u8]]) -> F {
        let sizes: usize = args.iter().map(|arg| arg.len()).sum();
        let keys_size: usize = keys.iter().map(|key| key.len()).sum();
        let size = 10 + self.hash.len() + keys_size + sizes;
        let command = F::of(3 + keys.len() + args.len(), size);
        let command = command.with(b"EVALSHA").with(self.hash.as_bytes());
        let command = command.with(itoa::Buffer::new().format(keys.len()).as_bytes());
        let keys = keys.iter().map(|key| key.as_bytes());
        keys.fold(command, F::with).with_all(args)
    }
}

/// Whether a command of these parts runs a script.
pub(super) fn is_run_by<'a>(mut parts: impl Iterator<Item = &'a [u8]>) -> bool {
    matches!(parts.next(), Some(b"EVALSHA" | b"EVAL"))
}

/// The first of the keys that a command of these parts names; of those for which it does not matter, whatever they name
/// first.
pub(super) fn key<'a>(mut parts: impl Iterator<Item = &'a [u8]>) -> &'a [u8] {
    let first = if is_run_by(&mut parts) { 2 } else { 0 };
    parts.nth(first).unwrap_or_default()
}

/// The same command, which knows no script by its hash.
pub(super) fn without_hash(command: &Cmd) -> Cmd {
    match packed::parts(command).next() {
        Some(b"EVALSHA") => in_full(packed::parts(command)),
        _ => command.clone(),
    }
}

/// The same step for a server that does not know its script.
pub(super) fn in_full<'a, F: Form>(mut parts: impl Iterator<Item = &'a [u8]>) -> F {
    let hash = parts.nth(1).unwrap_or_default();
    let mut all = LOADED.iter().chain(RARE);
    let script = all.find(|script| script.hash.as_bytes() == hash);
    let source = script.map_or("", |script| script.source);
    let rest: Vec<_> = parts.collect();
    let size: usize = rest.iter().map(|part| part.len()).sum();
    let command = F::of(2 + rest.len(), 4 + source.len() + size);
    let command = command.with(b"EVAL").with(source.as_bytes());
    command.with_all(&rest)
}
