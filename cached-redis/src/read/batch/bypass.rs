//! Loads without a lease: see [`bypass`](crate::protocol::bypass) for what may be shared of them.
//!
//! Such a load starts after the one that runs, key by key, so here a batch does wait while it holds
//! something, as long as its budget lasts. All batches take their keys in the same order, so no two of
//! them wait for each other; and a load that has started waits for nobody.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::Item;
use super::map::Many;
use super::{Id, Reader, Round, Value};
use crate::engine::shape::ErrorSharing;
use crate::engine::tags::Basis;
use crate::observe::status::Status;
use crate::protocol::bypass::{BypassLoad, Bypasses};
use crate::protocol::flight::{Landing, Place};
use crate::store::Store as _;
use crate::wire::codec::Choice;
use crate::wire::tag::Tags;

impl<S, E, C, U, F, L> Reader<'_, S, E, C, U, F>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> bool,
    F: FnMut(Vec<Id<S>>) -> L,
    L: Future<Output = S::Return>,
{
    /// Loads what is to be loaded without the cache: nothing is stored.
    pub(super) async fn load_alone(&mut self, round: &mut Round<Id<S>>) -> Result<(), S::Error> {
        let mut items = std::mem::take(&mut round.alone);
        if items.is_empty() {
            return Ok(());
        }
        items.sort_by(|a, b| a.key.cmp(&b.key));
        let (mut own, mut seats) = (Vec::new(), Vec::new());
        let came = self.budget.seat();
        for item in items {
            match Bypasses::place(self.inner, self.function, &item.key, came) {
                Place::Lead(place) => {
                    place.start().await;
                    own.push((item, place));
                }
                Place::Seat(seat) => seats.push((item, seat)),
            }
        }
        self.lead_alone(own).await?;
        let mut apart = Vec::new();
        for (item, seat) in seats {
            match seat.landing_for(self.inner, &Tags::default()).await {
                Some(landing) => self.landed(item, landing, round)?,
                None => {
                    let place = BypassLoad::apart(&item.key);
                    apart.push((item, place));
                }
            }
        }
        self.lead_alone(apart).await
    }

    async fn lead_alone(&mut self, own: Vec<(Item<Id<S>>, BypassLoad)>) -> Result<(), S::Error> {
        if own.is_empty() {
            return Ok(());
        }
        own.iter().for_each(|_| self.answered(Status::Bypass, None));
        let epoch = self.inner.store.epoch();
        let items = own.iter().map(|(item, _)| item);
        let (result, loaded, _) = self.load(items, &Basis::of(epoch)).await;
        let basis = Basis::unread(epoch, loaded.said.tags_with(&[]));
        let failure = result.as_ref().err().map(|error| self.failure(error));
        for (item, place) in own {
            // Who shares it might be a part of a load, which would freeze what is stale.
            let shares = place.is_shared() && !loaded.said.stale;
            let shared = || {
                let values = result.as_ref().ok().filter(|_| shares)?;
                let value = Self::value_of(values, &item).map(S::stored);
                self.packer.pack(value, self.equal, loaded.took, &basis)
            };
            let shared = || shared().map(|packed| Landing::Shared(packed.entry));
            let landing = failure.clone().or_else(shared).unwrap_or(Landing::Again);
            place.land(landing);
        }
        self.found.extend(result?);
        Ok(())
    }
}
