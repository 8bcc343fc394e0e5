//! Refuses what cannot be meant, before anything is started.

use std::time::Duration;

use super::Builder;
use crate::api::catalog::Catalog;
use crate::api::events;
use crate::engine::settings::{NOT_ADDITIVE, Settings};
use crate::error::Error;
use crate::observe::registry::{Function, write_throughs};
use crate::policy::LONGEST_TTL;
use crate::policy::schema::Schema;
use crate::store::address::Address;
#[cfg(feature = "testing")]
use crate::store::faults::Faults;
use crate::store::size;
use crate::wire::codec::{Codec as _, Format};

/// The shortest lease whose heartbeat, at a third of it, still has room for a round trip; and the
/// shortest hold, for the same reason.
const SHORTEST_LEASE: Duration = Duration::from_millis(30);

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

    pub(super) fn settings(&self, namespace: &str) -> Result<Settings, Error> {
        self.redis.check()?;
        #[cfg(feature = "testing")]
        self.faults.as_ref().map_or(Ok(()), Faults::check)?;
        let not_zero = "must not be zero";
        Error::require(!self.wait.is_zero(), "wait_budget", not_zero)?;
        Error::require(self.update_attempts > 0, "update_attempts", not_zero)?;
        for (setting, time) in [("lease", self.lease), ("hold", self.hold)] {
            Error::require(time >= SHORTEST_LEASE, setting, "must be at least 30 ms")?;
        }
        Error::require(!self.throttle.is_zero(), "throttle", not_zero)?;
        let fits = size::MOST.contains(&self.redis.value_bytes);
        let problem = "must be from 1 KiB to 512 MiB, the longest string of Redis";
        Error::require(fits, "max_value_bytes", problem)?;
        Error::require(self.event_stream != Some(0), "event_stream", not_zero)?;
        self.defaults.check("defaults")?;
        let is_exact = self.defaults.schema != Some(Schema::Additive);
        Error::require(
            is_exact || self.format.self_describing(),
            "schema",
            NOT_ADDITIVE,
        )?;
        for (name, policy) in &self.policies {
            policy.check(format!("policy {name}"))?;
        }
        Ok(Settings {
            defaults: self.defaults,
            policies: self.policies.clone(),
            format: self.format,
            // Added to the clock, longer ones would overflow it.
            lease: self.lease.min(LONGEST_TTL),
            wait: self.wait.min(LONGEST_TTL),
            throttle: self.throttle.min(LONGEST_TTL),
            update_attempts: self.update_attempts,
            on_failover: self.on_failover,
            journal_keys: self.journal_keys,
            flush_timeout: self.flush_timeout.min(LONGEST_TTL),
            guarded: self.guarded,
            hold: self.hold.min(LONGEST_TTL),
            outlet: events::outlet(namespace, self.event_stream),
            #[cfg(feature = "testing")]
            recorder: self.recorder.clone(),
            #[cfg(feature = "testing")]
            trace: self.trace.clone(),
        })
    }
}

/// What the functions of the program ask for must be there.
pub(super) fn functions(settings: &Settings) -> Result<(), Error> {
    policies(settings)?;
    guarded(settings)
}

/// Every function that asks the default cache must find its policy, and a TTL.
fn policies(settings: &Settings) -> Result<(), Error> {
    let catalog = Catalog::collect();
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
        let schema = settings.schema(policy, &codec_of(function, settings));
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

/// A writer that asks for tombstones must find a namespace that spares them.
fn guarded(settings: &Settings) -> Result<(), Error> {
    let catalog = Catalog::collect();
    let unguarded = catalog
        .writers()
        .iter()
        .find(|writer| !settings.guarded && !writer.info.bound && writer.info.needs_guarded());
    unguarded.map_or(Ok(()), |writer| {
        let problem = "`guard` and `replica_lag` need `guarded(true)` on the builder";
        Err(Error::setting(writer.info.path, problem))
    })
}
