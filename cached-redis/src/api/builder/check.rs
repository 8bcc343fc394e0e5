//! Refuses what cannot be meant, before anything is started.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Builder;
use crate::api::catalog::{Advice, Catalog};
use crate::api::events;
use crate::engine::settings::{NOT_ADDITIVE, Settings};
use crate::error::Error;
use crate::observe::behind::write_behinds;
use crate::observe::registry::{Function, write_throughs};
use crate::policy::schema::Schema;
use crate::policy::{LONGEST_TTL, defaults};
use crate::store::address::Address;
#[cfg(feature = "testing")]
use crate::store::faults::Faults;
use crate::store::queue::Durability;
use crate::store::size;
use crate::util::lock::Mutex;
use crate::wire::codec::{Codec as _, Format};

/// The shortest lease whose heartbeat, at a third of it, still has room for a round trip; and the
/// shortest hold, for the same reason.
const SHORTEST_LEASE: Duration = Duration::from_millis(30);

/// Below, each round trip that is late would stop hits; above, writers that wait for it would do so for minutes.
const LOCAL_STALENESS: RangeInclusive<Duration> =
    Duration::from_millis(10)..=defaults::LONGEST_STALENESS;

impl Builder {
    pub(super) fn address(&self) -> Result<Address, Error> {
        let url = self
            .url
            .as_deref()
            .ok_or_else(|| Error::setting("url", "is missing"))?;
        Address::parse(url)
    }

    pub(super) fn checked_namespace(&self, address: &Address) -> Result<String, Error> {
        let namespace = match &self.namespace {
            Some(namespace) => namespace.clone(),
            None if address.is_memory() => "app".to_owned(),
            None => return Err(Error::setting("namespace", "is required on Redis")),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        let problem = "must be of letters, digits, `_`, `-`, `.` and `/`, and not empty";
        let is_allowed = !namespace.is_empty() && namespace.chars().all(allowed);
        Error::require(is_allowed, "namespace", problem)?;
        Ok(namespace)
    }

    /// What no store in memory has, or what can never be reached, is refused.
    pub(super) fn check_durability(&self, address: &Address) -> Result<(), Error> {
        let (level, within) = (self.redis.pending.durability, self.redis.pending.within);
        if level == Durability::Server {
            return Ok(());
        }
        let problem = "needs a server: `memory://` is gone with its process";
        Error::require(!address.is_memory(), "durability", problem)?;
        let is_possible = level != Durability::Replicated { replicas: 0 } && !within.is_zero();
        Error::require(
            is_possible,
            "durability",
            "needs a time, and a replica at least",
        )
    }

    pub(super) fn checked_settings(&self, namespace: &str) -> Result<Settings, Error> {
        self.redis.check()?;
        #[cfg(feature = "testing")]
        self.faults.as_ref().map_or(Ok(()), Faults::check)?;
        let mut settings = self.settings.clone();
        let not_zero = "must not be zero";
        Error::require(!settings.wait.is_zero(), "wait_budget", not_zero)?;
        Error::require(settings.update_attempts > 0, "update_attempts", not_zero)?;
        for (setting, time) in [("lease", settings.lease), ("hold", settings.hold)] {
            Error::require(time >= SHORTEST_LEASE, setting, "must be at least 30 ms")?;
        }
        Error::require(settings.local_bytes > 0, "local_bytes", not_zero)?;
        let fits = LOCAL_STALENESS.contains(&settings.local_staleness);
        Error::require(fits, "local_staleness", "must be from 10 ms to 60 s")?;
        Error::require(!settings.throttle.is_zero(), "throttle", not_zero)?;
        let fits = size::MOST.contains(&self.redis.value_bytes);
        let problem = "must be from 1 KiB to 512 MiB, the longest string of Redis";
        Error::require(fits, "max_value_bytes", problem)?;
        settings.value_bytes = self.redis.value_bytes;
        Error::require(self.event_stream != Some(0), "event_stream", not_zero)?;
        settings.defaults.check("defaults")?;
        let is_exact = settings.defaults.schema != Some(Schema::Additive);
        let describes = is_exact || settings.format.self_describing();
        Error::require(describes, "schema", NOT_ADDITIVE)?;
        for (name, policy) in &settings.policies {
            policy.check(format!("policy {name}"))?;
        }
        for time in [
            &mut settings.lease,
            &mut settings.wait,
            &mut settings.throttle,
            &mut settings.flush_timeout,
            &mut settings.hold,
        ] {
            // Added to the clock, longer ones would overflow it.
            *time = LONGEST_TTL.min(*time);
        }
        settings.outlet = events::outlet(namespace, self.event_stream);
        Ok(settings)
    }
}

/// What the functions of the program ask for must be there.
pub(super) fn functions(catalog: &Catalog, settings: &Settings) -> Result<(), Error> {
    policies(catalog, settings)?;
    guarded(catalog, settings)?;
    behind(catalog, settings)
}

/// Every function that asks the default cache must find its policy, and a TTL.
fn policies(catalog: &Catalog, settings: &Settings) -> Result<(), Error> {
    let through = write_throughs().map(|through| &through.function);
    let functions = catalog.functions().iter().copied().chain(through);
    for function in functions.filter(|function| !function.info.bound) {
        let Some(policy) = settings.resolve(&function.info.policy) else {
            let name = function.info.policy.name.unwrap_or_default();
            return Err(Error::UnknownPolicy {
                name,
                function: function.info.path,
            });
        };
        policy.check(function.info.path)?;
        let (path, policy) = (function.info.path, &function.info.policy);
        let schema = settings.schema(policy, codec_of(function, settings).self_describing());
        Error::require(schema.is_some(), path, NOT_ADDITIVE)?;
        let problem = "no TTL: neither its policy nor the builder gives one";
        Error::require(!settings.lacks_ttl(policy), path, problem)?;
    }
    Ok(())
}

/// A codec of somebody else is not known before the function is called.
fn codec_of(function: &Function, settings: &Settings) -> Format {
    match function.info.codec {
        None => settings.format,
        #[cfg(feature = "bincode")]
        Some("bincode") => Format::Bincode,
        Some(_) => Format::Msgpack,
    }
}

/// Queues need a namespace that spares what is pending, and readers that look for it.
fn behind(catalog: &Catalog, settings: &Settings) -> Result<(), Error> {
    for behind in write_behinds().filter(|behind| !behind.function.info.bound) {
        let path = behind.function.info.path;
        let problem = "`#[write_behind]` needs `write_behind(true)` on the builder";
        Error::require(settings.write_behind, path, problem)?;
        let others = catalog.in_the_way_of(behind);
        if let Some((function, problem)) = others.first() {
            return Err(Error::setting(*function, problem));
        }
        for reader in catalog.readers_of(behind) {
            let policy = settings.resolve(&reader.info.policy).unwrap_or_default();
            let problem =
                "is kept in process memory, and its key is written behind: take `local` away";
            Error::require(policy.local.is_none(), reader.info.path, problem)?;
        }
    }
    Ok(())
}

/// A writer that asks for tombstones must find a namespace that spares them.
fn guarded(catalog: &Catalog, settings: &Settings) -> Result<(), Error> {
    let unguarded = catalog
        .writers()
        .iter()
        .find(|writer| !settings.guarded && !writer.info.bound && writer.info.needs_guarded());
    unguarded.map_or(Ok(()), |writer| {
        let problem = "`guard` and `replica_lag` need `guarded(true)` on the builder";
        Err(Error::setting(writer.info.path, problem))
    })
}

/// Tells what is not wrong and does harm all the same: once in a process, however many caches it builds.
pub(super) fn advise(catalog: &Catalog, settings: &Settings) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    for advice in catalog.of_settings(settings) {
        let is_new = TOLD.lock().insert(advice.to_string());
        if is_new {
            let Advice {
                kind,
                function,
                finding,
                remedy,
                ..
            } = advice;
            tracing::warn!(function, kind, finding, remedy, "options do harm together");
        }
    }
}
