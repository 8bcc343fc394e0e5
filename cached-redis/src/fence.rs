//! The fill, and what it is conditional on.
//!
//! A result may be stored only while nothing has happened to its key since before its load began.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::entry::{Header, Kind, Token};
use crate::error::StoreError;
use crate::event::Event;
use crate::flight::{Flight, Landing};
use crate::handle::Inner;
use crate::lease::Lease;
use crate::pack::Packed;
use crate::registry::Site;
use crate::store::Store as _;

/// What a fill is conditional on.
pub(crate) enum Fence {
    /// The entry that stood there when the load began, and its epoch.
    Entry(Token, u32),
    /// A lease.
    Lease(Lease),
}

impl Fence {
    /// For a load that starts now whatever stands there: an entry goes on being served meanwhile;
    /// anything else, another load's lease too, gives way. `None`: the cache is to be bypassed, or a
    /// tombstone stands, and nobody may fill.
    pub(crate) async fn raise(inner: &Arc<Inner>, key: &str) -> Result<Option<Self>, StoreError> {
        if inner.journal.pass(key).is_none() {
            return Ok(None);
        }
        let entry = inner.store.get(key).await?;
        let header = entry
            .as_ref()
            .and_then(|entry| Header::parse(entry))
            .map(|(header, _)| header);
        Ok(match header {
            Some(header)
                if matches!(header.kind, Kind::Value | Kind::Negative)
                    && inner.store.is_current(header.epoch) =>
            {
                Some(Self::Entry(header.token, header.epoch))
            }
            _ => Lease::seize(inner, key).await?.map(Self::Lease),
        })
    }

    /// The epoch that an entry filled behind this fence carries.
    pub(crate) fn epoch(&self) -> u32 {
        match self {
            Self::Entry(_, epoch) => *epoch,
            Self::Lease(lease) => lease.epoch(),
        }
    }

    /// What carries this token may be replaced.
    pub(crate) fn token(&self) -> Token {
        match self {
            Self::Entry(token, _) => *token,
            Self::Lease(lease) => lease.token(),
        }
    }

    /// An entry has taken the place of what it stands for.
    pub(crate) fn replaced(self) {
        if let Self::Lease(lease) = self {
            lease.replaced();
        }
    }

    async fn fill(
        self,
        inner: &Inner,
        key: &str,
        entry: Bytes,
        life: Duration,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Entry(token, epoch) => {
                let won = inner.store.fill(key, token, entry, life).await?;
                Ok(won && inner.store.epoch() == epoch)
            }
            Self::Lease(lease) => lease.fill(entry, life).await,
        }
    }
}

/// Sends a fill from a task of its own: a caller that is dropped now has a result all the same. What
/// is `held` is let go after it.
pub(crate) fn fill(
    inner: &Arc<Inner>,
    site: &'static Site,
    key: &str,
    fence: Fence,
    flight: Option<Flight>,
    held: impl Send + 'static,
    packed: Packed,
) -> JoinHandle<()> {
    let (cache, key) = (Arc::clone(inner), key.to_owned());
    inner.runtime.spawn(async move {
        let filled = fence
            .fill(&cache, &key, packed.entry.clone(), packed.life)
            .await;
        let (event, landing) = match &filled {
            Ok(true) => (Event::Fill, Landing::Shared(packed.entry)),
            Ok(false) => (Event::Refused, Landing::Again),
            Err(error) => (Event::Failed(error), Landing::Bypass),
        };
        cache.emit(site, &event);
        if let Some(flight) = flight {
            flight.land(landing);
        }
        drop(held);
    })
}
