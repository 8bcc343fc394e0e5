//! The one load of all that is missing, and what becomes of its results, key by key.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::slice;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::call::Item;
use super::fill::{self, Fill};
use super::leases::Leases;
use super::map::Many;
use super::steps::{One, split};
use super::{Id, Loads, Plan, Reader, Value};
use crate::engine::context::{self, Loading};
use crate::engine::encode::{EncodedEntry, Loaded, NotStored};
use crate::engine::id_map::IdMap as _;
use crate::engine::shape::ErrorSharing;
use crate::engine::tags::{Basis, Stamps};
use crate::engine::verdict::Verdict;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::flight::Landing;
use crate::protocol::read::Step;
use crate::wire::codec::{Checked, Choice, Sampled};
use crate::wire::tag::Tags;

impl<S, E, C, U, F> Reader<'_, S, E, C, U, F>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> Verdict,
    F: Loads<S, E, C, U>,
{
    /// Loads under the leases that were granted, and fills.
    pub(super) async fn lead<'k>(
        &mut self,
        ones: Vec<One<'k, Id<S>>>,
        leases: Leases,
    ) -> Result<Vec<One<'k, Id<S>>>, S::Error> {
        let (own, rest) = split(ones, |step| matches!(step, Step::Load(_)));
        if own.is_empty() {
            return Ok(rest);
        }
        own.iter().for_each(|_| self.answered(Status::Miss, None));
        let items = own.iter().map(|one| &one.item);
        let (result, loaded) = self.load(items, leases.epoch(), leases.stamps()).await;
        let values = match result {
            Ok(values) => values,
            Err(error) => {
                drop(leases);
                let landing = self.failure(&error);
                own.into_iter()
                    .filter_map(|one| one.rights.flight)
                    .for_each(|flight| flight.land(landing.clone()));
                return Err(error);
            }
        };
        let items = own.iter().map(|one| &one.item);
        let encoded = self.encoded(&values, items, &loaded, &leases);
        let mut fills = Vec::with_capacity(own.len());
        for (one, encoded) in own.into_iter().zip(encoded) {
            let flight = one.rights.flight;
            match encoded {
                Ok(encoded) => {
                    self.describe(Status::Miss, Some(&encoded.header));
                    fills.push(Fill::leased(
                        one.item.request.key.clone(),
                        &leases,
                        encoded,
                        flight,
                    ));
                }
                // Not to be kept: those who waited load for themselves.
                Err(_) => flight
                    .into_iter()
                    .for_each(|flight| flight.land(Landing::Bypass)),
            }
        }
        let site = &self.function.site;
        fill::send(self.inner, site, leases, fills, Vec::new(), ());
        self.found.extend(values);
        Ok(rest)
    }

    /// Runs the function in the caller's task.
    pub(super) async fn load<'k>(
        &mut self,
        items: impl Iterator<Item = &'k Item<'k, Id<S>>>,
        epoch: u32,
        stamps: &Stamps,
    ) -> (Result<S::Ok, S::Error>, Loaded)
    where
        Id<S>: 'k,
    {
        let Self { plan, load, .. } = self;
        let run = plan.run(items, epoch, stamps, |ids| load.run(ids));
        run.await
    }
}

impl<S, E, C, U> Plan<'_, S, E, C, U>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> Verdict,
{
    /// Runs the function, with what `stamps` says of the tags before.
    pub(super) async fn run<'k, L>(
        &self,
        items: impl Iterator<Item = &'k Item<'k, Id<S>>>,
        epoch: u32,
        stamps: &Stamps,
        load: impl FnOnce(Vec<Id<S>>) -> L,
    ) -> (Result<S::Ok, S::Error>, Loaded)
    where
        Id<S>: 'k,
        L: Future<Output = S::Return>,
    {
        let (mut ids, mut keys, mut tags) = (Vec::new(), Vec::new(), BTreeSet::new());
        for item in items {
            ids.extend(item.ids.iter().cloned());
            keys.push(item.request.key.clone());
            tags.extend(item.request.tags.keys());
        }
        let flights = &self.inner.flights;
        let unread = tags
            .iter()
            .filter(|tag| !stamps.covers(slice::from_ref(tag)));
        context::carry(flights, unread.copied().cloned());
        let started = Instant::now();
        let policy = self.inner.settings.resolve(self.encoder.policy);
        let isolated = policy.is_some_and(|policy| policy.isolated);
        let loading = Loading::new(self.inner, isolated, None, keys);
        let (returned, mut said) = context::run(Some(&loading), || load(ids)).await;
        let took = started.elapsed();
        self.emit(&Event::Loaded(took));
        // There is no value alone that it could be told by.
        said.validator = None;
        let stamp = stamps.of(&Tags::default(), tags.into_iter().chain(&said.tags));
        said.hand_on(flights, &Basis { epoch, stamp });
        (S::result(returned), Loaded { took, said })
    }

    /// What was loaded for `item`: for any of its ids, as the source may tell only one of them.
    pub(super) fn value_of<'a>(values: &'a S::Ok, item: &Item<'_, Id<S>>) -> Option<&'a Value<S>> {
        item.ids.iter().find_map(|id| values.value(id))
    }

    /// The entries of what was loaded for each of `items`: of its tags, and of those that the load has said.
    pub(super) fn encoded<'k>(
        &self,
        values: &S::Ok,
        items: impl Iterator<Item = &'k Item<'k, Id<S>>>,
        loaded: &Loaded,
        leases: &Leases,
    ) -> Vec<Result<EncodedEntry, NotStored>>
    where
        Id<S>: 'k,
    {
        let basis = Basis {
            epoch: leases.epoch(),
            stamp: leases.stamps().of(&Tags::default(), &loaded.said.tags),
        };
        // Once for all of them, if anything is to be kept.
        let settled = LazyCell::new(|| self.encoder.settle(&loaded.said, &basis));
        let encoded = items.map(|item| {
            let value = Self::value_of(values, item);
            let verdict = value.map_or(Verdict::Store, self.verdict);
            let ttl = verdict.ttl(loaded.said.ttl);
            let ttl = ttl.ok_or(NotStored::Discarded)?;
            let settled = settled.as_ref().map_err(|why| *why)?;
            let settled = settled.beside(leases.stamps().of(&item.request.tags, []))?;
            let value = value.map(|value| self.checked(value));
            let result = Sampled::of(value.as_ref());
            self.encoder(item).entry(result, loaded, ttl, &settled)
        });
        encoded.collect()
    }

    pub(super) fn checked<'v>(&self, value: &'v Value<S>) -> Checked<'v, C::Codec, S::Stored> {
        Checked {
            codec: self.codec.choose(self.inner.settings.format),
            value: S::stored(value),
            equal: self.equal,
        }
    }

    /// What those who waited for a load that failed are told.
    pub(super) fn failure(&self, error: &S::Error) -> Landing {
        let shared = self.errors.share(error);
        shared.map_or(Landing::Again, Landing::Failed)
    }
}
