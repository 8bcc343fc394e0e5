//! The commands of steps that there are for one key and for many.

use std::time::Duration;

use redis::{Cmd, ToRedisArgs};

use super::script;
use crate::store::{Errand, envelope_token, millis};
use crate::wire::entry::Token;

pub(super) fn acquire(key: &str, lease: &[u8], ttl: Duration) -> Cmd {
    let mut command = Cmd::with_capacity(7, 30 + key.len() + lease.len());
    command.arg("SET").arg(key).arg(lease);
    command.arg("NX").arg("GET").arg("PX").arg(millis(ttl));
    command
}

pub(super) fn acquire_over(key: &str, seen: &[u8], lease: &[u8], ttl: Duration) -> Cmd {
    let (token, whole): (&[u8], &[u8]) = match envelope_token(seen) {
        Some(token) => (token, &[]),
        None => (&[], seen),
    };
    let ttl = millis(ttl).to_string();
    script::ACQUIRE_OVER.on(&[key], &[lease, ttl.as_bytes(), token, whole])
}

pub(super) fn seize(key: &str, lease: &[u8], ttl: Duration) -> Cmd {
    let ttl = millis(ttl).to_string();
    script::SEIZE.on(&[key], &[lease, ttl.as_bytes()])
}

pub(super) fn extend(key: &str, token: Token, ttl: Duration) -> Cmd {
    let ttl = millis(ttl).to_string();
    script::EXTEND.on(&[key], &[token.as_bytes(), ttl.as_bytes()])
}

pub(super) fn fill(key: &str, token: Token, entry: &[u8], ttl: Duration, bars: &str) -> Cmd {
    let ttl = millis(ttl).to_string();
    let args = [token.as_bytes(), entry, ttl.as_bytes()];
    script::FILL.on(&[key, bars], &args)
}

pub(super) fn release(key: &str, token: Token) -> Cmd {
    script::RELEASE.on(&[key], &[token.as_bytes()])
}

/// Of one writer, as far as one command goes.
fn end(keys: &[String], token: Token, hold_off: Option<Duration>) -> Cmd {
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let hold_off = millis_or_zero(hold_off);
    script::END.on(&keys, &[token.as_bytes(), hold_off.as_bytes()])
}

pub(super) fn put(key: &str, token: Token, entry: &[u8], ttl: Duration, bars: &str) -> Cmd {
    let ttl = millis(ttl).to_string();
    let args = [token.as_bytes(), entry, ttl.as_bytes()];
    script::PUT.on(&[key, bars], &args)
}

/// Where all bars are under one key.
pub(super) fn of(errand: Errand<'_>, bars: &str) -> Cmd {
    match errand {
        Errand::Remove(keys) => unlink(keys),
        Errand::Fill(key, token, entry, ttl) => fill(key, token, entry, ttl, bars),
        Errand::End(keys, token, hold_off) => end(keys, token, hold_off),
        Errand::Put(key, token, entry, ttl) => put(key, token, entry, ttl, bars),
    }
}

/// A time that may be none, as scripts take it.
pub(super) fn millis_or_zero(time: Option<Duration>) -> String {
    time.map_or(0, millis).to_string()
}

pub(super) fn unlink<K: AsRef<str> + ToRedisArgs>(keys: &[K]) -> Cmd {
    let size: usize = keys.iter().map(|key| key.as_ref().len()).sum();
    let mut command = Cmd::with_capacity(1 + keys.len(), 6 + size);
    command.arg("UNLINK").arg(keys);
    command
}
