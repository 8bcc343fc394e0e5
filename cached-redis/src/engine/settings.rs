//! What a cache was told, once and for all.

use std::collections::HashMap;
use std::time::Duration;

use crate::policy::failover::OnFailover;
use crate::policy::schema::Schema;
use crate::policy::{Policy, defaults};
use crate::store::Outlet;
use crate::wire::codec::Format;

/// What is wrong with a schema that the codec cannot have.
pub(crate) const NOT_ADDITIVE: &str = "asks for `Schema::Additive`, which needs a codec that describes \
                                       itself, such as `msgpack` or `json`";

/// The settings that the flows look at.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Stands under every policy.
    pub(crate) defaults: Policy,
    pub(crate) policies: HashMap<String, Policy>,
    pub(crate) format: Format,
    pub(crate) lease: Duration,
    pub(crate) wait: Duration,
    /// How long the source is left alone after a failed load of an entry that can be served.
    pub(crate) throttle: Duration,
    /// How often an update tries before it gives up.
    pub(crate) update_attempts: u32,
    pub(crate) on_failover: OnFailover,
    /// How many keys the journal keeps one by one.
    pub(crate) journal_keys: usize,
    pub(crate) flush_timeout: Duration,
    /// Whether tombstones may stand in this namespace, so that every invalidation has to spare them.
    pub(crate) guarded: bool,
    /// Whether values may be pending in this namespace, so that every removal has to spare them.
    pub(crate) write_behind: bool,
    /// For how long after an invalidation a level in process memory may serve what is older.
    pub(crate) local_staleness: Duration,
    /// How much room such a level has.
    pub(crate) local_bytes: u64,
    /// The longest encoded value that is stored, and so the longest that is unpacked.
    pub(crate) value_bytes: u64,
    /// How long a guarded write bars its keys after its last sign of life.
    pub(crate) hold: Duration,
    /// Whether functions follow what an operator orders.
    pub(crate) follow_modes: bool,
    /// Where events go.
    pub(crate) outlet: Outlet,
    #[cfg(feature = "testing")]
    pub(crate) recorder: Option<crate::observe::recorder::Recorder>,
    #[cfg(feature = "testing")]
    pub(crate) trace: Option<crate::store::trace::Trace>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            defaults: Policy::new().jitter(defaults::JITTER),
            policies: HashMap::new(),
            format: Format::default(),
            lease: defaults::LEASE,
            wait: defaults::WAIT_BUDGET,
            throttle: defaults::THROTTLE,
            update_attempts: defaults::UPDATE_ATTEMPTS,
            on_failover: OnFailover::default(),
            journal_keys: defaults::JOURNAL_KEYS,
            flush_timeout: defaults::FLUSH_TIMEOUT,
            guarded: false,
            write_behind: false,
            local_staleness: defaults::LOCAL_STALENESS,
            local_bytes: defaults::LOCAL_BYTES,
            value_bytes: defaults::MAX_VALUE_BYTES,
            hold: defaults::HOLD,
            follow_modes: true,
            outlet: Outlet::default(),
            #[cfg(feature = "testing")]
            recorder: None,
            #[cfg(feature = "testing")]
            trace: None,
        }
    }
}

impl Settings {
    /// Whether nothing can be cached under `policy`, which `build` has not seen: it is out of range, its
    /// name is unknown, or no layer gives it a TTL.
    pub(crate) fn is_unfit(&self, policy: &Policy) -> bool {
        !policy.is_in_range() || self.lacks_ttl(policy)
    }

    /// Whether no layer gives `policy` a TTL. One that has it and names no other costs no look-up.
    pub(crate) fn lacks_ttl(&self, policy: &Policy) -> bool {
        !policy.is_complete()
            && self
                .resolve(policy)
                .is_none_or(|policy| policy.ttl.is_none() && !policy.ttl_of_value)
    }

    /// `policy` with everything that the named policy and the defaults add; `None` if its name is
    /// unknown.
    pub(crate) fn resolve(&self, policy: &Policy) -> Option<Policy> {
        Some(self.named(policy)?.over(self.defaults))
    }

    /// `policy` with everything that the named policy adds; `None` if its name is unknown.
    fn named(&self, policy: &Policy) -> Option<Policy> {
        match policy.name {
            Some(_) => Some(policy.over(*self.base(policy)?)),
            None => Some(*policy),
        }
    }

    /// The policy that `policy` names.
    pub(crate) fn base(&self, policy: &Policy) -> Option<&Policy> {
        self.policies.get(policy.name?)
    }

    /// Which entries are read under `policy` by a type that was changed; `None` if the policy asks for
    /// what a codec cannot do that does not describe itself.
    pub(crate) fn schema(&self, policy: &Policy, describes: bool) -> Option<Schema> {
        let asked = self.named(policy).and_then(|policy| policy.schema);
        let schema = asked.or(self.defaults.schema).unwrap_or_default();
        match schema {
            Schema::Additive if !describes => asked.is_none().then_some(Schema::Exact),
            schema => Some(schema),
        }
    }
}
