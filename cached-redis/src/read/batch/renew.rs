//! Loads of many ids behind entries that go on being served: one load for all of them, of which each
//! replaces its own entry, if that still stands. See [`renew`](crate::read::renew) for the same of one.

use std::collections::HashSet;

use super::call::Item;
use super::callee::Ran;
use super::leases::{Claims, Leases};
use super::load::{Loader, Part};
use super::steps::One;
use crate::engine::claim::Claimed;
use crate::engine::handle::Inner;
use crate::engine::tags::{self, Stamps};
use crate::engine::transaction;
use crate::observe::event::Event;
use crate::protocol::flight::Flight;
use crate::protocol::renewal::Permit;
use crate::wire::entry::Live;

/// What is to be done about entries.
pub(super) enum Work {
    Renew,
    /// The same of what is claimed, from these generations of its tags.
    Replace(Box<(Leases, Option<Claims>)>),
    Audit,
}

/// An entry that is served, or held, and is to be loaded anew or to be compared.
pub(super) struct Renewal<'a> {
    pub(super) item: Item<'a>,
    pub(super) held: Held,
}

/// The entry, and what lets it be loaded.
pub(super) struct Held {
    live: Live,
    /// Those who wait for the load, if the entry may not be served to them.
    flight: Option<Flight>,
    permit: Option<Permit>,
}

impl<'a> Renewal<'a> {
    pub(super) fn new(item: Item<'a>, live: &Live) -> Self {
        let held = Held {
            live: live.clone(),
            flight: None,
            permit: None,
        };
        Self { item, held }
    }

    /// Of the entry that `one` holds, which others wait for to be replaced.
    pub(super) fn claimed(one: &mut One<'a>) -> Option<Self> {
        let flight = one.rights().flight.take();
        let mut renewal = Self::new(one.item, one.lookup.held()?);
        renewal.held.flight = flight;
        Some(renewal)
    }

    /// With the right to load it in this process; `None`: somebody does, or what would be loaded is that of
    /// an open transaction.
    pub(super) fn permitted(mut self, inner: &Inner) -> Option<Self> {
        let key = self.key();
        if transaction::is_open() || inner.oversize.rests(key) {
            return None;
        }
        let permit = inner.renewals.begin(key, self.held.live.header.token)?;
        self.held.permit = Some(permit);
        Some(self)
    }

    fn key(&self) -> &'a str {
        &self.item.request.key
    }
}

impl<'a> Loader<'a> {
    /// What came of it, for a caller that waits.
    pub(super) async fn work(&self, work: Work, renewals: Vec<Renewal<'a>>) -> Option<Box<Ran>> {
        match work {
            Work::Renew => Some(self.renew(renewals).await?.1),
            Work::Replace(held) => {
                let (leases, claims) = *held;
                Some(self.replace(renewals, leases, claims).await)
            }
            Work::Audit => {
                self.audit(renewals).await;
                None
            }
        }
    }

    /// Loads and replaces the entries; and where those are. `None`: other processes do, or it is not to be
    /// tried now.
    pub(super) async fn renew(
        &self,
        mut renewals: Vec<Renewal<'a>>,
    ) -> Option<(HashSet<usize>, Box<Ran>)> {
        let mut claims = self.claim(&mut renewals).await;
        let mut leases = Leases::new(self.inner, renewals.iter().map(Renewal::key));
        let barred = self.stamp(&mut leases, &mut renewals).await;
        claims.let_go(barred.iter().map(Renewal::key));
        if renewals.is_empty() {
            return None;
        }
        renewals.iter().for_each(|_| self.emit(&Event::Renewing));
        let places = renewals.iter().map(|one| one.item.place).collect();
        let ran = self.replace(renewals, leases, Some(claims)).await;
        Some((places, ran))
    }

    async fn replace(
        &self,
        renewals: Vec<Renewal<'a>>,
        leases: Leases,
        claims: Option<Claims>,
    ) -> Box<Ran> {
        let parts = renewals.into_iter().map(|Renewal { item, held }| Part {
            item,
            token: held.live.header.token,
            flight: held.flight,
            permit: held.permit,
        });
        self.fill(parts.collect(), leases, claims).await
    }

    /// Asks for the claims; leaves those that were granted.
    async fn claim(&self, renewals: &mut Vec<Renewal<'a>>) -> Claims {
        let keys = renewals.iter().map(Renewal::key);
        let (claims, answers) = Claims::ask(self.inner, keys).await;
        let mut answers = answers.into_iter();
        let rest = |claimed: &Claimed| claimed.rest();
        renewals.retain_mut(|renewal| match (answers.next(), &mut renewal.held.permit) {
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
        renewals: &mut Vec<Renewal<'a>>,
    ) -> Vec<Renewal<'a>> {
        let tags = |one: &Renewal<'_>| {
            tags::keys(self.inner, &one.item.request.tags, &one.held.live.entry)
        };
        let all: Vec<_> = renewals.iter().flat_map(tags).collect();
        if let Err(error) = leases.read_tags(self.encoder.policy, all.into_iter()).await {
            self.emit(&Event::Failed(&error));
        }
        let is_barred = |one: &mut Renewal<'_>| !leases.stamps().covers(&tags(one));
        renewals.extract_if(.., is_barred).collect()
    }

    /// Loads, and compares with the values what was served.
    async fn audit(&self, audits: Vec<Renewal<'a>>) {
        let items = audits.iter().map(|audit| audit.item);
        self.run(items, &Stamps::default()).await;
        let plan = self.plan;
        let compared = self.desk.ask(move |callee| {
            let compare = |audit: &Renewal<'a>| plan.compare(audit.item, &audit.held.live, callee);
            audits.iter().for_each(compare);
        });
        compared.await;
    }
}
