//! What happens when the server is full.

use super::{Finding, Level, Patient};
use crate::args::Feature;
use crate::out::size;

pub(super) fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let Some(used) = patient.number("used_memory") else {
        return Vec::new();
    };
    let most = patient.number("maxmemory").unwrap_or(0);
    let mut found = vec![room(used, most)];
    let policy = patient.info("maxmemory_policy");
    found.extend(eviction(patient, policy, most > 0));
    found.extend(evicted(patient));
    found
}

fn room(used: u64, most: u64) -> Finding {
    if most == 0 {
        return Finding::of(
            Level::Warning,
            "memory",
            format!(
                "{} are used, and `maxmemory` is not set: nothing keeps the cache from all of it",
                size(used)
            ),
            "CONFIG SET maxmemory, to what the machine can spare, and maxmemory-policy volatile-lru",
        );
    }
    let told = format!("{} of {} are used", size(used), size(most));
    match used.saturating_mul(10) < most.saturating_mul(9) {
        true => Finding::ok("memory", told),
        false => Finding::of(
            Level::Warning,
            "memory",
            told,
            "entries leave before their TTL, or are refused: more memory, shorter TTLs, or `ls --by-function` for \
             what is large",
        ),
    }
}

/// What a policy does to what the programs use: the table of the page about Redis.
fn eviction(patient: &Patient<'_>, policy: &str, is_bounded: bool) -> Vec<Finding> {
    use Feature::{DurableEvents, Guard, Lock, Update, WriteBehind};
    let is_lost = [
        (
            Guard,
            policy == "volatile-ttl",
            "the tombstones of writers in two phases go first",
        ),
        (
            Lock,
            policy == "volatile-ttl",
            "locks go first, and a lock that went has two holders",
        ),
        (
            Update,
            policy != "noeviction",
            "values that live here alone may go",
        ),
        (
            DurableEvents,
            policy.starts_with("allkeys-"),
            "the stream of events may go",
        ),
        (
            WriteBehind,
            policy.starts_with("allkeys-"),
            "writes that wait may go, so caches refuse to connect",
        ),
    ];
    let is_lost = is_lost
        .into_iter()
        .filter(|(feature, is_lost, _)| *is_lost && patient.uses(*feature));
    let level = if is_bounded {
        Level::Error
    } else {
        Level::Warning
    };
    let mut found: Vec<_> = is_lost
        .map(|(_, _, what)| {
            let remedy = match patient.uses(Update) {
                true => "put what lives in Redis alone on a server of its own, with noeviction",
                false => "CONFIG SET maxmemory-policy volatile-lru",
            };
            Finding::of(level, "eviction", format!("{policy}: {what}"), remedy)
        })
        .collect();
    if policy == "noeviction" && !patient.uses(Update) {
        found.push(Finding::of(
            Level::Warning,
            "eviction",
            "noeviction: once it is full, nothing new is cached",
            "CONFIG SET maxmemory-policy volatile-lru",
        ));
    }
    if found.is_empty() {
        found.push(Finding::ok("eviction", policy));
    }
    found
}

fn evicted(patient: &Patient<'_>) -> Option<Finding> {
    let evicted = patient.number("evicted_keys")?;
    (evicted > 0).then(|| {
        Finding::of(
            Level::Note,
            "evicted",
            format!("{evicted} keys since the server was started"),
            "each costs a load; if that goes on, give it more memory",
        )
    })
}
