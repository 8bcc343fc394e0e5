//! The seats of readers in the loads of others, and the loads that they run without a lease.

use tokio::time::Instant;

use crate::engine::handle::Inner;
use crate::engine::{context, tags, transaction};
use crate::observe::registry::Function;
use crate::protocol::bypass::{BypassLoad, Bypasses};
use crate::protocol::flight::{Place, Seat};
use crate::protocol::progress::Landing;
use crate::wire::tag::Tags;

impl Seat {
    /// Waits for the flight to end, for a reader under `tags`; `None`: its load is older than the wait
    /// budget. What that load said of the result is said of this reader's too, to the load that it is a
    /// part of.
    pub(crate) async fn landing_for(self, inner: &Inner, tags: &Tags) -> Option<Landing> {
        let landing = self.landing_within(inner.settings.wait).await?;
        match &landing {
            // Whose generations its leader has read, and this reader has not.
            Landing::Shared(entry) => {
                context::carry(&inner.flights, tags::keys(inner, tags, entry));
            }
            Landing::Failed(_) => context::opaque(),
            Landing::Again | Landing::Bypass => {}
        }
        Some(landing)
    }
}

impl Bypasses {
    /// Where a call that runs now loads, if it waits since it `came`; `None`: it waits no longer.
    pub(crate) fn place(
        inner: &Inner,
        function: &'static Function,
        key: &str,
        came: Option<Instant>,
        now: Instant,
    ) -> Place<BypassLoad> {
        match came {
            Some(came) if !transaction::is_open() && !context::is_inside(inner, function, key) => {
                inner.bypasses.enter(key, came, now, inner.settings.wait)
            }
            _ => Place::Lead(BypassLoad::unshared(key)),
        }
    }
}
