//! The fills of a batch, in one round trip. Each is conditional on what stood under its own key.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::JoinHandle;

use super::leases::Leases;
use crate::engine::encode::EncodedEntry;
use crate::engine::fill;
use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::Site;
use crate::protocol::flight::Flight;
use crate::store::Store as _;
use crate::store::many::Filling;
use crate::wire::entry::Token;

/// One entry to be stored.
pub(super) struct Fill {
    key: String,
    token: Token,
    encoded: EncodedEntry,
    flight: Option<Flight>,
}

impl Fill {
    /// In the place of what carries `token`.
    pub(super) fn over(
        key: String,
        token: Token,
        encoded: EncodedEntry,
        flight: Option<Flight>,
    ) -> Self {
        Self {
            key,
            token,
            encoded,
            flight,
        }
    }
}

/// Sends `fills` from a task of its own: a caller that is dropped now has its results all the same. Entries
/// whose new values were `discarded` are removed, and what is `held` is let go after it.
pub(super) fn send(
    inner: &Arc<Inner>,
    site: &'static Site,
    mut leases: Leases,
    fills: Vec<Fill>,
    mut discarded: Vec<(String, Token)>,
    held: impl Send + 'static,
) -> JoinHandle<()> {
    // The load has ended: nothing keeps the leases alive any longer.
    leases.stop_heartbeat();
    let flights = fills.iter().filter_map(|fill| fill.flight.as_ref());
    flights.for_each(fill::close);
    let cache = Arc::clone(inner);
    let held = (held, inner.runtime.work.begin());
    inner.runtime.spawn(async move {
        let wanted = fills.iter().map(|fill| Filling {
            key: fill.key.clone(),
            token: fill.token,
            entry: fill.encoded.entry.clone(),
            ttl: fill.encoded.life,
        });
        let wanted: Vec<_> = wanted.collect();
        let lease = leases.token();
        let answers = leases.fill(&wanted).await;
        drop(wanted);
        let mut ends = Vec::with_capacity(fills.len());
        for (fill, answer) in fills.into_iter().zip(answers) {
            if answer == Err(StoreError::TooLarge) && fill.token != lease {
                // What was loaded is not kept, and what it was to replace is older.
                discarded.push((fill.key.clone(), fill.token));
            }
            let step = fill::sent(&cache, site, &fill.key, &answer, &fill.encoded);
            ends.extend(fill.flight.map(|flight| (flight, step, fill.encoded)));
        }
        fill::land(&cache, ends).await;
        let removals = discarded
            .iter()
            .map(|(key, token)| cache.store.release(key, *token));
        for error in join_all(removals).await.into_iter().filter_map(Result::err) {
            cache.emit(site, &Event::Failed(&error));
        }
        discarded
            .iter()
            .for_each(|(key, _)| cache.journal.changed(key));
        drop(held);
    })
}
