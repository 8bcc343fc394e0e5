//! The one load of all that is missing, and what becomes of its results, key by key.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::fill::{self, Fill};
use super::leases::Leases;
use super::map::Batched;
use super::{Id, Reader, Round, Value};
use crate::codec::Choice;
use crate::control::Status;
use crate::event::Event;
use crate::flight::Landing;
use crate::loading::Loading;
use crate::pack::Packed;
use crate::shape::{ErrorSharing, Shape};
use crate::tag::Basis;

/// How a load went.
#[derive(Clone, Copy)]
pub(super) struct Took {
    pub(super) took: Duration,
    /// Whether its results may be kept. Calls inside of it may have been served stale values, or have
    /// tags, of which nobody knows which id they belong to.
    kept: bool,
}

impl<S, E, C, U, F, L> Reader<'_, S, E, C, U, F>
where
    S: Shape<Ok: Batched>,
    Value<S>: Serialize + DeserializeOwned,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> bool,
    F: FnMut(Vec<Id<S>>) -> L,
    L: Future<Output = S::Return>,
{
    /// Loads under the leases that were granted, and fills.
    pub(super) async fn lead(
        &mut self,
        round: &mut Round<Id<S>>,
        leases: Leases,
    ) -> Result<(), S::Error> {
        let own = std::mem::take(&mut round.own);
        if own.is_empty() {
            return Ok(());
        }
        own.iter().for_each(|_| self.emit(&Event::Miss));
        let ids = own.iter().map(|(item, _)| item.id.clone()).collect();
        let (result, took) = self.load(ids).await;
        let loaded = match result {
            Ok(loaded) => loaded,
            Err(error) => {
                drop(leases);
                let landing = self.failure(&error);
                own.into_iter()
                    .for_each(|(_, flight)| flight.land(landing.clone()));
                return Err(error);
            }
        };
        let mut fills = Vec::with_capacity(own.len());
        for (item, flight) in own {
            match self.packed(&loaded, &item.id, took, leases.epoch()) {
                Some(packed) => {
                    self.answered(Status::Miss, &packed.header);
                    // Before the fill is sent: who comes from here on must look for itself.
                    flight.close();
                    fills.push(Fill::leased(item.key, &leases, packed, Some(flight)));
                }
                // Not to be kept: those who waited load for themselves.
                None => {
                    self.summary.bypassed();
                    flight.land(Landing::Bypass);
                }
            }
        }
        fill::send(self.inner, &self.function.site, leases, fills);
        self.found.extend(loaded);
        Ok(())
    }

    /// Runs the function.
    pub(super) async fn load(&mut self, ids: Vec<Id<S>>) -> (Result<S::Ok, S::Error>, Took) {
        let started = Instant::now();
        let policy = self.inner.settings.resolve(self.packer.policy);
        let alone = policy.is_some_and(|policy| policy.alone);
        let loading = Loading::new(&self.inner.namespace, alone, None);
        let (returned, said) = loading.run(|| (self.load)(ids)).await;
        let took = started.elapsed();
        said.hand_on(&Basis::default());
        self.emit(&Event::Loaded(took));
        let kept = said.is_plain();
        (S::result(returned), Took { took, kept })
    }

    /// The entry of what was loaded for `id`; `None` if it is not to be kept.
    pub(super) fn packed(
        &self,
        loaded: &S::Ok,
        id: &Id<S>,
        took: Took,
        epoch: u32,
    ) -> Option<Packed> {
        let value = loaded.value(id);
        if !took.kept || value.is_some_and(&self.unless) {
            return None;
        }
        self.packer.pack(value, took.took, &Basis::of(epoch))
    }

    /// What those who waited for a load that failed are told.
    pub(super) fn failure(&self, error: &S::Error) -> Landing {
        let shared = self.errors.share(error);
        shared.map_or(Landing::Again, Landing::Failed)
    }
}
