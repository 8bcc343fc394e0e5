//! Loads of many ids behind entries that go on being served: one load for all of them, of which each
//! replaces its own entry, if that still stands. See [`renew`](crate::read::renew) for the same of one.

use std::collections::HashSet;

use super::call::{Ids, Item, Request};
use super::leases::{Claims, Leases};
use super::load::{Part, Ran};
use super::plan::{EachPlan, Id, Plan};
use super::steps::One;
use crate::engine::claim::Claimed;
use crate::engine::handle::Inner;
use crate::engine::plan::ReturnOf;
use crate::engine::tags::{self, Stamps};
use crate::engine::transaction;
use crate::observe::event::Event;
use crate::protocol::flight::Flight;
use crate::protocol::renewal::Permit;
use crate::wire::entry::Live;

/// An entry that is served, or held, and is to be loaded anew or to be compared.
pub(crate) struct Renewal<K> {
    request: Request,
    ids: Ids<K>,
    live: Live,
    /// Those who wait for the load, if the entry may not be served to them.
    flight: Option<Flight>,
    permit: Option<Permit>,
}

/// What goes on behind the caller.
pub(crate) enum Work<K> {
    Renew(Vec<Renewal<K>>),
    /// The same of what is claimed, from these generations of its tags.
    Replace(Vec<Renewal<K>>, Box<(Leases, Option<Claims>)>),
    Audit(Vec<Renewal<K>>),
}

impl<K: Clone> Renewal<K> {
    pub(super) fn new(item: &Item<'_, K>, live: &Live) -> Self {
        Self {
            request: item.request.clone(),
            ids: item.ids.clone(),
            live: live.clone(),
            flight: None,
            permit: None,
        }
    }

    /// Of the entry that `one` holds, which others wait for to be replaced.
    pub(super) fn claimed(one: &mut One<'_, K>) -> Option<Self> {
        let flight = one.rights().flight.take();
        let renewal = Self::new(&one.item, one.lookup.held()?);
        Some(Self { flight, ..renewal })
    }

    /// With the right to load it in this process; `None`: somebody does, or what would be loaded is that of
    /// an open transaction.
    pub(super) fn permitted(mut self, inner: &Inner) -> Option<Self> {
        let key = &self.request.key;
        if transaction::is_open() || inner.oversize.rests(key) {
            return None;
        }
        self.permit = Some(inner.renewals.begin(key, self.live.header.token)?);
        Some(self)
    }

    fn item(&self) -> Item<'_, K> {
        Item {
            request: &self.request,
            ids: self.ids.clone(),
        }
    }
}

impl<P: EachPlan> Plan<'_, P> {
    /// What came of it, for a caller that waits.
    pub(super) async fn work<L>(
        &self,
        work: Work<Id<P>>,
        load: impl FnOnce(Vec<Id<P>>) -> L,
    ) -> Option<Ran<P>>
    where
        L: Future<Output = ReturnOf<P>>,
    {
        match work {
            Work::Renew(renewals) => Some(self.renew(renewals, load).await?.1),
            Work::Replace(renewals, held) => {
                let (leases, claims) = *held;
                Some(self.replace(renewals, leases, claims, load).await)
            }
            Work::Audit(audits) => {
                self.audit(audits, load).await;
                None
            }
        }
    }

    /// Loads and replaces the entries; and which those are. `None`: other processes do, or it is not to be
    /// tried now.
    pub(super) async fn renew<L>(
        &self,
        mut renewals: Vec<Renewal<Id<P>>>,
        load: impl FnOnce(Vec<Id<P>>) -> L,
    ) -> Option<(HashSet<u128>, Ran<P>)>
    where
        L: Future<Output = ReturnOf<P>>,
    {
        let mut claims = self.claim(&mut renewals).await;
        let mut leases = Leases::new(self.inner, renewals.iter().map(|one| &*one.request.key));
        let barred = self.stamp(&mut leases, &mut renewals).await;
        claims.let_go(barred.iter().map(|one| &*one.request.key));
        if renewals.is_empty() {
            return None;
        }
        renewals.iter().for_each(|_| self.emit(&Event::Renewing));
        let tokens = renewals.iter().map(|one| one.live.header.token.number());
        let tokens = tokens.collect();
        let ran = self.replace(renewals, leases, Some(claims), load).await;
        Some((tokens, ran))
    }

    async fn replace<L>(
        &self,
        mut renewals: Vec<Renewal<Id<P>>>,
        leases: Leases,
        claims: Option<Claims>,
        load: impl FnOnce(Vec<Id<P>>) -> L,
    ) -> Ran<P>
    where
        L: Future<Output = ReturnOf<P>>,
    {
        let rights = |one: &mut Renewal<_>| (one.flight.take(), one.permit.take());
        let rights: Vec<_> = renewals.iter_mut().map(rights).collect();
        let items: Vec<_> = renewals.iter().map(Renewal::item).collect();
        let parts = renewals.iter().zip(&items).zip(rights);
        let parts = parts.map(|((renewal, item), (flight, permit))| Part {
            item,
            token: renewal.live.header.token,
            flight,
            permit,
        });
        self.fill(parts.collect(), leases, claims, load).await
    }

    /// Asks for the claims; leaves those that were granted.
    async fn claim(&self, renewals: &mut Vec<Renewal<Id<P>>>) -> Claims {
        let keys = renewals.iter().map(|renewal| &*renewal.request.key);
        let (claims, answers) = Claims::ask(self.inner, keys).await;
        let mut answers = answers.into_iter();
        let rest = |claimed: &Claimed| claimed.rest();
        renewals.retain_mut(|renewal| match (answers.next(), &mut renewal.permit) {
            (Some(Ok(None)), _) => true,
            (Some(Ok(claimed)), Some(permit)) => {
                claimed
                    .as_ref()
                    .and_then(rest)
                    .into_iter()
                    .for_each(|time| permit.rest(time));
                false
            }
            (Some(Err(error)), _) => {
                self.emit(&Event::Failed(&error));
                false
            }
            _ => false,
        });
        claims
    }

    /// Reads the tags; takes out those that are barred.
    async fn stamp(
        &self,
        leases: &mut Leases,
        renewals: &mut Vec<Renewal<Id<P>>>,
    ) -> Vec<Renewal<Id<P>>> {
        let tags = |one: &Renewal<_>| tags::keys(self.inner, &one.request.tags, &one.live.entry);
        let all: Vec<_> = renewals.iter().flat_map(tags).collect();
        if let Err(error) = leases.read_tags(self.encoder.policy, all.into_iter()).await {
            self.emit(&Event::Failed(&error));
        }
        let is_barred = |one: &mut Renewal<_>| !leases.stamps().covers(&tags(one));
        renewals.extract_if(.., is_barred).collect()
    }

    /// Loads, and compares with the values what was served.
    async fn audit<L>(&self, audits: Vec<Renewal<Id<P>>>, load: impl FnOnce(Vec<Id<P>>) -> L)
    where
        L: Future<Output = ReturnOf<P>>,
    {
        let items: Vec<_> = audits.iter().map(Renewal::item).collect();
        let stamps = Stamps::default();
        let run = self.run(items.iter(), &stamps, load);
        // An error of the source says nothing of the entries.
        let (Ok(values), ..) = run.await else { return };
        for (audit, item) in audits.iter().zip(&items) {
            self.compare(item, &audit.live, &values);
        }
    }
}
