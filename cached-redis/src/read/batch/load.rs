//! One load of many ids, and what becomes of its results, key by key.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::slice;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::call::{Item, Request};
use super::fill::{self, Fill};
use super::leases::{Claims, Leases};
use super::plan::{EachPlan, Id, Plan};
use crate::engine::claim;
use crate::engine::context::{self, Loading, Said};
use crate::engine::encode::{EncodedEntry, Loaded, NotStored};
use crate::engine::plan::{ErrorOf, OkOf, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::engine::tags::{Basis, Stamp, Stamps};
use crate::engine::verdict::Verdict;
use crate::observe::event::Event;
use crate::observe::span::LoadSpan;
use crate::protocol::flight::Flight;
use crate::protocol::progress::Landing;
use crate::protocol::renewal::Permit;
use crate::wire::entry::Token;
use crate::wire::tag::Tags;

/// The ids of one key, of those that a load is for, with the right to replace what stands there.
pub(super) struct Part<'a, K> {
    pub(super) item: &'a Item<'a, K>,
    /// That of the lease, or of an entry that answers unless this succeeds.
    pub(super) token: Token,
    /// Those who wait for the load.
    pub(super) flight: Option<Flight>,
    /// Of an entry that is served meanwhile.
    pub(super) permit: Option<Permit>,
}

/// The entry that answers for one key, or is made of what was loaded for it.
pub(super) struct Made {
    /// Where somebody asks what was read.
    pub(super) request: Option<Request>,
    pub(super) entry: Bytes,
}

/// A load that has ended.
pub(crate) struct Ran<P: EachPlan> {
    pub(super) result: Result<OkOf<P>, ErrorOf<P>>,
    pub(super) said: Said,
    pub(super) stamp: Stamp,
    /// The entries that were made of the results.
    pub(super) made: Vec<Option<Made>>,
}

impl<P: EachPlan> Plan<'_, P> {
    /// Runs the function, with what `stamps` says of the tags before.
    pub(super) async fn run<'k, L>(
        &self,
        items: impl Iterator<Item = &'k Item<'k, Id<P>>>,
        stamps: &Stamps,
        load: impl FnOnce(Vec<Id<P>>) -> L,
    ) -> (Result<OkOf<P>, ErrorOf<P>>, Loaded, Stamp)
    where
        Id<P>: 'k,
        L: Future<Output = ReturnOf<P>>,
    {
        let (mut ids, mut keys, mut tags) = (Vec::new(), Vec::new(), BTreeSet::new());
        for item in items {
            ids.extend(item.ids.iter().cloned());
            keys.push(item.request.key.to_string());
            tags.extend(item.request.tags.keys());
        }
        let unread = tags
            .iter()
            .filter(|tag| !stamps.covers(slice::from_ref(tag)));
        context::carry(&self.inner.flights, unread.copied().cloned());
        let started = Instant::now();
        let loading = Loading::new(self.inner, self.encoder.policy.isolated, None, keys);
        let span = LoadSpan::of(self.function.site.name);
        let (returned, mut said) = context::run(Some(&loading), span, || load(ids)).await;
        let took = started.elapsed();
        let result = P::Shape::result(returned);
        let failed = result.is_err();
        self.emit(&Event::Loaded { took, failed });
        // There is no value alone that it could be told by.
        said.validator = None;
        let stamp = stamps.of(&Tags::default(), tags.into_iter().chain(&said.tags));
        let loaded = Loaded { took, said };
        (result, loaded, stamp)
    }

    /// Loads for all of `parts`, and replaces what stands under their keys.
    pub(super) async fn fill<'k, L>(
        &self,
        parts: Vec<Part<'k, Id<P>>>,
        leases: Leases,
        claims: Option<Claims>,
        load: impl FnOnce(Vec<Id<P>>) -> L,
    ) -> Ran<P>
    where
        Id<P>: 'k,
        L: Future<Output = ReturnOf<P>>,
    {
        let items = parts.iter().map(|part| part.item);
        let run = self.run(items, leases.stamps(), load);
        let (result, loaded, stamp) = run.await;
        let (made, removal) = match &result {
            Ok(values) => self.store(values, &loaded, parts, leases, claims),
            Err(error) => {
                self.failed(parts, leases, claims, &self.failure(error));
                (Vec::new(), None)
            }
        };
        // Who is served next must not find it; a panic of the task is no matter of the caller's.
        if let Some(removal) = removal {
            drop(removal.await);
        }
        Ran {
            result,
            said: loaded.said,
            stamp,
            made,
        }
    }

    /// Leaves alone for a while what can be served meanwhile. Leases and claims are let go before the flights,
    /// whose readers ask for them next.
    fn failed(
        &self,
        parts: Vec<Part<'_, Id<P>>>,
        leases: Leases,
        claims: Option<Claims>,
        landing: &Landing,
    ) {
        let (lease, throttle) = (leases.token(), self.inner.settings.throttle);
        let rest = |part: &mut Part<'_, _>| match &mut part.permit {
            Some(permit) => permit.rest(throttle),
            None => self.inner.renewals.rest(&part.item.request.key, throttle),
        };
        let (leased, mut held): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| part.token == lease);
        held.iter_mut().for_each(rest);
        drop(leases);
        if let Some(claims) = claims {
            claims.failed();
        }
        drop(held);
        let flights = leased.into_iter().filter_map(|part| part.flight);
        flights.for_each(|flight| flight.land(landing.clone()));
    }

    /// Sends the fills; the entries, and the task where entries are removed.
    fn store(
        &self,
        values: &OkOf<P>,
        loaded: &Loaded,
        parts: Vec<Part<'_, Id<P>>>,
        leases: Leases,
        claims: Option<Claims>,
    ) -> (Vec<Option<Made>>, Option<JoinHandle<()>>) {
        let items = parts.iter().map(|part| part.item);
        let encoded = self.encoded(values, items, loaded, &leases);
        let (mut fills, mut discarded, mut held) = (Vec::new(), Vec::new(), Vec::new());
        let mut made = Vec::with_capacity(parts.len());
        for (part, encoded) in parts.into_iter().zip(encoded) {
            let (key, token, mut permit) = (&part.item.request.key, part.token, part.permit);
            made.push(encoded.as_ref().ok().map(|encoded| Made {
                request: self.asked(part.item),
                entry: encoded.entry.clone(),
            }));
            let mut flight = part.flight;
            match (encoded, &mut permit) {
                (Ok(encoded), permit) => {
                    permit.iter_mut().for_each(Permit::replaced);
                    fills.push(Fill::over(key.to_string(), token, encoded, flight.take()));
                }
                // Not to be kept: those who waited share the next load instead of queueing for leases.
                (Err(_), None) if token == leases.token() => flight
                    .take()
                    .into_iter()
                    .for_each(|flight| flight.land(Landing::Bypass)),
                (Err(NotStored::Unfit | NotStored::TooManyTags), Some(permit)) => {
                    permit.rest(claim::TAKEN);
                }
                (Err(_), _) => discarded.push((key.to_string(), token)),
            }
            held.push((permit, flight));
        }
        let (site, is_removed) = (&self.function.site, !discarded.is_empty());
        let task = fill::send(self.inner, site, leases, fills, discarded, (claims, held));
        (made, is_removed.then_some(task))
    }

    /// The entries of what was loaded for each of `items`: of its tags, and of those that the load has said.
    pub(super) fn encoded<'k>(
        &self,
        values: &OkOf<P>,
        items: impl Iterator<Item = &'k Item<'k, Id<P>>> + Clone,
        loaded: &Loaded,
        leases: &Leases,
    ) -> Vec<Result<EncodedEntry, NotStored>>
    where
        Id<P>: 'k,
    {
        // Once for all of them, if anything is to be kept.
        let all = items.clone();
        let settled = LazyCell::new(|| {
            let shared = Tags::shared(all.map(|item| &item.request.tags));
            let stamp = leases.stamps().of(&shared, &loaded.said.tags);
            let basis = Basis {
                stamp,
                ..Basis::default()
            };
            self.encoder.settle(&loaded.said, &basis)
        });
        let encoded = items.map(|item| {
            let value = Self::value_of(values, item);
            let verdict = value.map_or(Verdict::Store, |value| self.own.verdict(value));
            let ttl = verdict.ttl(loaded.said.ttl);
            let ttl = ttl.ok_or(NotStored::Discarded)?;
            let settled = settled.as_ref().map_err(|why| *why)?;
            let settled = settled.beside(Basis {
                epoch: leases.epochs().of(&item.request.key),
                stamp: leases.stamps().of(&item.request.tags, []),
            })?;
            let encoder = self.encoder(item);
            self.show(values, item, |result| {
                encoder.entry(result, loaded, ttl, &settled)
            })
        });
        let encoded: Vec<_> = encoded.collect();
        if encoded
            .iter()
            .any(|one| matches!(one, Err(NotStored::TooManyTags)))
        {
            self.emit(&Event::TooManyTags);
        }
        encoded
    }
}
