//! The write in two phases: bar the keys, write, open them again.
//!
//! In one phase, a writer that dies between its commit and its invalidation leaves the old value
//! until its TTL (c1 of the model). Here a tombstone replaces the entry *before* the write, so there
//! is no old value left for anybody to find, and nobody can store one while it stands:
//!
//! ```text
//! begin ────► the function runs and commits ────► end
//!     hold    hold    hold    …                   if it never comes: the tombstone runs out, and
//!     at each third of the hold                   the next reader loads what was committed
//! ```
//!
//! The signs of life are [given](crate::util::beats) on the runtime in which the write began. The end is sent from where
//! the write ends, so it waits for no other runtime, which may have ended or be driven by nobody. A sign that
//! comes after the end finds no tombstone of its own.
//!
//! A write-through is a write in two phases that ends with its value; see [`through`](crate::write::through)
//! for when that may take the tombstone's place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::encode::EncodedEntry;
use crate::engine::handle::Inner;
use crate::error::{Error, Unguarded};
use crate::observe::registry::Site;
use crate::write::attempt::Part;
use crate::write::dispatch::Sent;
use crate::write::ending::Ending;
use crate::write::guarded::GuardedWrite;
use crate::write::invalidation::Invalidation;
use crate::write::parcel::Parcel;

/// A write whose keys are barred; made by [`Cache::begin_write`](crate::Cache::begin_write).
///
/// Dropped without [`finish`](Self::finish), the write may have been committed: the keys are
/// invalidated all the same, in the background.
#[must_use = "dropped at once, the write would not be guarded while it runs"]
pub struct WriteGuard(Arc<GuardedWrite>);

impl WriteGuard {
    /// Bars all of `keys`, or says why it cannot; then none stays barred.
    pub(crate) async fn begin(
        inner: &Arc<Inner>,
        site: &'static Site,
        keys: Vec<String>,
        hold_off: Option<Duration>,
    ) -> Result<Self, Unguarded> {
        if !inner.settings.guarded {
            return Err(Unguarded::NotEnabled);
        }
        Self::bar(inner, site, keys, hold_off).await
    }

    /// The same where others may remove the tombstones.
    pub(crate) async fn bar(
        inner: &Arc<Inner>,
        site: &'static Site,
        mut keys: Vec<String>,
        hold_off: Option<Duration>,
    ) -> Result<Self, Unguarded> {
        // The second end of one key would find no tombstone.
        keys.sort_unstable();
        keys.dedup();
        let guard = Self(Arc::new(GuardedWrite::new(inner, site, keys, hold_off)));
        // Dropped from here on, it ends the write.
        match guard.0.begin().await {
            Ok(()) => {
                guard.0.give_signs();
                Ok(guard)
            }
            Err(error) => {
                guard.0.give_up();
                Err(Unguarded::Store(error))
            }
        }
    }

    /// For so long after the end nobody stores what is loaded under the keys: a source whose
    /// replicas lag may still answer with the old value.
    pub fn replica_lag(self, lag: Duration) -> Self {
        self.0.hold_off(lag);
        self
    }

    /// Publishes the end of the write as an event: see
    /// [events](crate::docs::events).
    pub fn publish(self) -> Self {
        self.0.publish();
        self
    }

    /// Waits at the end of the write until no process can serve what was there before from its memory either: see
    /// [settled writers](crate::docs::writing#settled).
    pub fn settled(self) -> Self {
        self.0.settle();
        self
    }

    /// Ends the write, after its commit: no read that starts when this has returned `Ok`, in any
    /// process, returns a value that was loaded before.
    ///
    /// # Errors
    ///
    /// None at present. A store that does not confirm is no error but [`Invalidation::Deferred`]; the
    /// keys are barred until their hold is over.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the write ends all the same.
    pub async fn finish(self) -> Result<Invalidation, Error> {
        let settles = self.0.settles();
        Ok(self.end().settled(settles).await)
    }

    /// The value that is to be there at the end.
    pub(crate) fn with(self, written: Option<EncodedEntry>) -> Self {
        self.0.write(written);
        self
    }

    /// The same as [`finish`](Self::finish), of one that is looked at later.
    pub(crate) fn end(&self) -> Sent {
        let (sending, written) = self.0.close();
        Ending::new(&self.0, sending, written).sent()
    }

    /// Whether its keys were not barred all the time, as is known when it has ended.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.0.has_lapsed()
    }

    /// What its end sends.
    pub(crate) fn parcel(&self) -> Parcel {
        self.0.parcel()
    }

    pub(crate) fn keys(&self) -> &[String] {
        self.0.keys()
    }

    /// What its end removes.
    pub(crate) fn part(&self) -> Part {
        self.0.part()
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            // Nobody waits for it: it is sent all the same.
            drop(self.end());
        }
    }
}

impl fmt::Debug for WriteGuard {
    /// Says nothing of what is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteGuard").finish_non_exhaustive()
    }
}
