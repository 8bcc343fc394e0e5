//! One load of many ids, and what becomes of its results, key by key.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::slice;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::call::Item;
use super::callee::{Callee, Made, Ran};
use super::desk::Desk;
use super::fill::{self, Fill};
use super::leases::{Claims, Leases};
use super::plan::Plan;
use crate::engine::claim;
use crate::engine::context::{self, Loading};
use crate::engine::encode::{EncodedEntry, Loaded, NotStored};
use crate::engine::plan::Outcome;
use crate::engine::tags::{Basis, Stamp, Stamps};
use crate::observe::event::Event;
use crate::observe::span::LoadSpan;
use crate::protocol::flight::Flight;
use crate::protocol::progress::Landing;
use crate::protocol::renewal::Permit;
use crate::wire::entry::Token;
use crate::wire::tag::Tags;

/// One key of those that a load is for, with the right to replace what stands there.
pub(super) struct Part<'a> {
    pub(super) item: Item<'a>,
    /// That of the lease, or of an entry that answers unless this succeeds.
    pub(super) token: Token,
    /// Those who wait for the load.
    pub(super) flight: Option<Flight>,
    /// Of an entry that is served meanwhile.
    pub(super) permit: Option<Permit>,
}

/// A load whose function has ended.
pub(super) struct Run {
    pub(super) is_ok: bool,
    pub(super) loaded: Loaded,
    pub(super) stamp: Stamp,
}

/// What loads for a plan.
pub(super) struct Loader<'a> {
    pub(super) plan: Plan<'a>,
    pub(super) desk: Desk<'a>,
}

impl<'a> Deref for Loader<'a> {
    type Target = Plan<'a>;

    fn deref(&self) -> &Plan<'a> {
        &self.plan
    }
}

impl<'a> Loader<'a> {
    /// Runs the function, with what `stamps` says of the tags before.
    pub(super) async fn run(&self, items: impl Iterator<Item = Item<'a>>, stamps: &Stamps) -> Run {
        let (mut places, mut keys, mut tags) = (Vec::new(), Vec::new(), BTreeSet::new());
        for item in items {
            places.push(item.place);
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
        let run = self.desk.run(Some(places), Some(loading.clone()), span);
        let is_ok = run.await;
        let (took, mut said) = (started.elapsed(), loading.heard());
        self.emit(&Event::Loaded {
            took,
            failed: !is_ok,
        });
        // There is no value alone that it could be told by.
        said.validator = None;
        let stamp = stamps.of(&Tags::default(), tags.into_iter().chain(&said.tags));
        Run {
            is_ok,
            loaded: Loaded { took, said },
            stamp,
        }
    }

    /// The same where nothing is to be replaced: what it has said is told to the load that the caller is a part of.
    pub(super) async fn load(&self, items: impl Iterator<Item = Item<'a>>, stamps: &Stamps) -> Run {
        let run = self.run(items, stamps).await;
        run.loaded.said.hand_on(&self.inner.flights, &run.stamp);
        run
    }

    /// Loads for all of `parts`, and replaces what stands under their keys.
    pub(super) async fn fill(
        &self,
        parts: Vec<Part<'a>>,
        leases: Leases,
        claims: Option<Claims>,
    ) -> Box<Ran> {
        let items = parts.iter().map(|part| part.item);
        let run = self.run(items, leases.stamps()).await;
        let plan = self.plan;
        let ended = self
            .desk
            .ask(move |callee| plan.ended(run, parts, leases, claims, callee));
        let (ran, removal) = ended.await;
        // Who is served next must not find it; a panic of the task is no matter of the caller's.
        if let Some(removal) = removal {
            drop(removal.await);
        }
        ran
    }
}

impl<'a> Plan<'a> {
    /// What becomes of a load; and the task where entries are removed.
    fn ended(
        &self,
        run: Run,
        parts: Vec<Part<'a>>,
        leases: Leases,
        claims: Option<Claims>,
        callee: &dyn Callee,
    ) -> (Box<Ran>, Option<JoinHandle<()>>) {
        let Run {
            is_ok,
            loaded,
            stamp,
        } = run;
        let (made, removal) = match is_ok {
            true => self.store(&loaded, parts, leases, claims, callee),
            false => {
                self.failed(parts, leases, claims, callee);
                (Vec::new(), None)
            }
        };
        let ran = Ran {
            is_ok,
            said: loaded.said,
            stamp,
            made,
        };
        (Box::new(ran), removal)
    }

    /// Leaves alone for a while what can be served meanwhile. Leases and claims are let go before the flights,
    /// whose readers ask for them next.
    fn failed(
        &self,
        parts: Vec<Part<'a>>,
        leases: Leases,
        claims: Option<Claims>,
        callee: &dyn Callee,
    ) {
        let (lease, throttle) = (leases.token(), self.inner.settings.throttle);
        let rest = |part: &mut Part<'_>| match &mut part.permit {
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
        let landing = leased.first().map(|part| self.failure(part.item, callee));
        let landing = landing.unwrap_or(Landing::Again);
        let flights = leased.into_iter().filter_map(|part| part.flight);
        flights.for_each(|flight| flight.land(landing.clone()));
    }

    /// What those who waited for a load of `item` that failed are told.
    pub(super) fn failure(&self, item: Item<'_>, callee: &dyn Callee) -> Landing {
        let shared = self.show(item, callee, |outcome| match outcome {
            Outcome::Failed(error) => error.share(),
            Outcome::Value { .. } => None,
        });
        shared.flatten().map_or(Landing::Again, Landing::Failed)
    }

    /// Sends the fills; the entries, and the task where entries are removed.
    fn store(
        &self,
        loaded: &Loaded,
        parts: Vec<Part<'a>>,
        leases: Leases,
        claims: Option<Claims>,
        callee: &dyn Callee,
    ) -> (Vec<Option<Made>>, Option<JoinHandle<()>>) {
        let items = parts.iter().map(|part| part.item);
        let encoded = self.encoded(items, loaded, &leases, callee);
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
    pub(super) fn encoded(
        &self,
        items: impl Iterator<Item = Item<'a>> + Clone,
        loaded: &Loaded,
        leases: &Leases,
        callee: &dyn Callee,
    ) -> Vec<Result<EncodedEntry, NotStored>> {
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
            let encoded = self.show(item, callee, |outcome| {
                let Outcome::Value { stored, judge } = outcome else {
                    return Err(NotStored::Unfit);
                };
                let ttl = judge.verdict().ttl(loaded.said.ttl);
                let ttl = ttl.ok_or(NotStored::Discarded)?;
                let settled = settled.as_ref().map_err(|why| *why)?;
                let settled = settled.beside(Basis {
                    epoch: leases.epochs().of(&item.request.key),
                    stamp: leases.stamps().of(&item.request.tags, []),
                })?;
                self.encoder(item).entry(stored, loaded, ttl, &settled)
            });
            encoded.unwrap_or(Err(NotStored::Unfit))
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
