//! The commands of steps that there are for one key and for many.

use std::time::Duration;

use super::packed::{Form, Packed};
use super::script;
use crate::store::{Errand, envelope_token, millis};
use crate::wire::entry::Token;

pub(super) fn acquire<F: Form>(key: &str, lease: &[u8], ttl: Duration) -> F {
    let ttl = millis(ttl).to_string();
    let command = F::of(7, 30 + key.len() + lease.len());
    command.with_all(&[
        b"SET",
        key.as_bytes(),
        lease,
        b"NX",
        b"GET",
        b"PX",
        ttl.as_bytes(),
    ])
}

pub(super) fn acquire_over<F: Form>(key: &str, seen: &[u8], lease: &[u8], ttl: Duration) -> F {
    let (token, whole): (&[u8], &[u8]) = match envelope_token(seen) {
        Some(token) => (token, &[]),
        None => (&[], seen),
    };
    let ttl = millis(ttl).to_string();
    script::ACQUIRE_OVER.on(&[key], &[lease, ttl.as_bytes(), token, whole])
}

pub(super) fn seize<F: Form>(key: &str, lease: &[u8], ttl: Duration) -> F {
    let ttl = millis(ttl).to_string();
    script::SEIZE.on(&[key], &[lease, ttl.as_bytes()])
}

pub(super) fn extend<F: Form>(key: &str, token: Token, ttl: Duration) -> F {
    let ttl = millis(ttl).to_string();
    script::EXTEND.on(&[key], &[token.as_bytes(), ttl.as_bytes()])
}

pub(super) fn fill<F: Form>(key: &str, token: Token, entry: &[u8], ttl: Duration, bars: &str) -> F {
    let ttl = millis(ttl).to_string();
    let args = [token.as_bytes(), entry, ttl.as_bytes()];
    script::FILL.on(&[key, bars], &args)
}

pub(super) fn release<F: Form>(key: &str, token: Token) -> F {
    script::RELEASE.on(&[key], &[token.as_bytes()])
}

/// Of one writer, as far as one command goes.
fn end<F: Form>(keys: &[String], token: Token, hold_off: Option<Duration>) -> F {
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let hold_off = millis_or_zero(hold_off);
    script::END.on(&keys, &[token.as_bytes(), hold_off.as_bytes()])
}

pub(super) fn put<F: Form>(key: &str, token: Token, entry: &[u8], ttl: Duration, bars: &str) -> F {
    let ttl = millis(ttl).to_string();
    let args = [token.as_bytes(), entry, ttl.as_bytes()];
    script::PUT.on(&[key, bars], &args)
}

/// Where all bars are under one key.
pub(super) fn of(errand: Errand<'_>, bars: &str) -> Packed {
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

/// The beginning of what stands, of so many bytes if a length is given.
pub(super) fn read_part<F: Form>(key: &str, length: Option<usize>) -> F {
    let last = length.map_or(-1, |length| length as isize - 1).to_string();
    let command = F::of(4, 12 + key.len());
    command.with_all(&[b"GETRANGE", key.as_bytes(), b"0", last.as_bytes()])
}

pub(super) fn unlink<F: Form>(keys: &[impl AsRef<str>]) -> F {
    let keys = keys.iter().map(|key| key.as_ref().as_bytes());
    let size: usize = keys.clone().map(<[u8]>::len).sum();
    let command = F::of(1 + keys.len(), 6 + size).with(b"UNLINK");
    keys.fold(command, F::with)
}
