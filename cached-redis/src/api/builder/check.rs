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
        if namespace.is_empty() || !namespace.chars().all(allowed) {
            return Err(Error::setting(
                "namespace",
                "must be of letters, digits, `_`, `-`, `.` and `/`, and not empty",
            ));
        }
        Ok(namespace)
    }

    pub(super) fn settings(&self, namespace: &str) -> Result<Settings, Error> {
        self.redis.check()?;
        #[cfg(feature = "testing")]
        self.faults.as_ref().map_or(Ok(()), Faults::check)?;
        if self.wait.is_zero() {
            return Err(Error::setting("wait_budget", "must not be zero"));
        }
        if self.update_attempts == 0 {
            return Err(Error::setting("update_attempts", "must not be zero"));
        }
        if self.lease < SHORTEST_LEASE {
            return Err(Error::setting("lease", "must be at least 30 ms"));
        }
        if self.hold < SHORTEST_LEASE {
            return Err(Error::setting("hold", "must be at least 30 ms"));
        }
        if self.throttle.is_zero() {
            return Err(Error::setting("throttle", "must not be zero"));
        }
        if !size::MOST.contains(&self.redis.value_bytes) {
            let problem = "must be from 1 KiB to 512 MiB, the longest string of Redis";
            return Err(Error::setting("max_value_bytes", problem));
        }
        if self.event_stream == Some(0) {
            return Err(Error::setting("event_stream", "must not be zero"));
        }
        self.defaults.check("defaults")?;
        if self.defaults.schema == Some(Schema::Additive) && !self.format.self_describing() {
            return Err(Error::setting("schema", NOT_ADDITIVE));
        }
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
        if settings
            .schema(&function.info.policy, &codec_of(function, settings))
            .is_none()
        {
            return Err(Error::setting(function.info.path, NOT_ADDITIVE));
        }
        if settings.lacks_ttl(&function.info.policy) {
            return Err(Error::setting(
                function.info.path,
                "no TTL: neither its policy nor the builder gives one",
            ));
        }
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
