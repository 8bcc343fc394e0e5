//! The loads of what a batch has come by the right to: one for all of it.
//!
//! What the call holds past its TTL answers it if that load fails, and if nothing is missing beside: the answer
//! is one map or one error. With a `soft_timeout` it has a load of its own, which the caller leaves behind.

use std::time::Duration;

use futures_util::future::try_join;

use super::Reader;
use super::call::Item;
use super::leases::{Claims, Leases};
use super::load::{Part, Ran};
use super::loads::Loads;
use super::plan::{EachPlan, Id};
use super::renew::{Renewal, Work};
use super::steps::{self, One, split};
use crate::engine::encode::Loaded;
use crate::engine::plan::{ErrorOf, OkOf};
use crate::engine::tags::Stamps;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::read::Step;

impl<P: EachPlan, F: Loads<P>> Reader<'_, P, F> {
    /// Loads under the leases and claims that were granted, and fills.
    pub(super) async fn lead<'k>(
        &mut self,
        ones: Vec<One<'k, Id<P>>>,
        (leases, claims): (Leases, Option<Claims>),
    ) -> Result<Vec<One<'k, Id<P>>>, ErrorOf<P>> {
        let (own, mut rest) = split(ones, steps::is_right);
        for one in &own {
            match one.lookup.search.step() {
                Step::Renew => self.emit(&Event::Renewing),
                _ => self.answered(Status::Miss, None),
            }
        }
        let may_be_late = F::DETACHES && own.iter().any(|one| one.held().is_some());
        let patience = may_be_late.then(|| self.policy().soft_timeout);
        match patience.flatten() {
            Some(patience) => rest.extend(self.lead_apart(own, leases, claims, patience).await?),
            None => self.lead_all(own, leases, claims).await?,
        }
        Ok(rest)
    }

    /// In the caller's task.
    async fn lead_all(
        &mut self,
        mut own: Vec<One<'_, Id<P>>>,
        leases: Leases,
        claims: Option<Claims>,
    ) -> Result<(), ErrorOf<P>> {
        if own.is_empty() {
            return Ok(());
        }
        let lease = leases.token();
        let parts = own.iter_mut().map(|one| Part {
            token: one.held().map_or(lease, |live| live.header.token),
            flight: one.rights().flight.take(),
            item: &one.item,
            permit: None,
        });
        let Self { plan, load, .. } = self;
        let ran = plan.fill(parts.collect(), leases, claims, |ids| load.run(ids));
        let ran = ran.await;
        self.settle(own, ran).await
    }

    /// The same, and beside it in a task of its own what answers already when its caller has lost patience; gives
    /// back what does not.
    async fn lead_apart<'k>(
        &mut self,
        own: Vec<One<'k, Id<P>>>,
        leases: Leases,
        claims: Option<Claims>,
        patience: Duration,
    ) -> Result<Vec<One<'k, Id<P>>>, ErrorOf<P>> {
        let (mut held, own) = split(own, |step| matches!(step, Step::Renew));
        let renewals: Vec<_> = held.iter_mut().filter_map(Renewal::claimed).collect();
        let work = Work::Replace(renewals, Box::new((leases.beside(), claims)));
        let late = self.load.in_background(&self.plan, work, Some(patience));
        let late = async {
            Ok(match late {
                Some(late) => late.in_time().await,
                None => None,
            })
        };
        let ((), ran) = try_join(self.lead_all(own, leases, None), late).await?;
        match ran {
            Some(ran) => self.settle(held, ran).await.map(|()| Vec::new()),
            None => Ok(held
                .into_iter()
                .filter_map(|one| self.answer_held(one))
                .collect()),
        }
    }

    /// Takes what a load for `ones` has given.
    async fn settle(&mut self, ones: Vec<One<'_, Id<P>>>, ran: Ran<P>) -> Result<(), ErrorOf<P>> {
        self.tell(&ran);
        match ran.result {
            Ok(values) => self.found.extend(values),
            Err(error) => self.fall_back(ones, error).await?,
        }
        Ok(())
    }

    /// Tells it to the load that the caller is a part of, and to whoever asked.
    pub(super) fn tell(&mut self, ran: &Ran<P>) {
        ran.said.hand_on(&self.inner.flights, &ran.stamp);
        for made in &ran.made {
            self.describe(Status::Miss, made.as_ref());
        }
    }

    /// Runs the function in the caller's task, where nothing is to be replaced.
    pub(super) async fn load<'k>(
        &mut self,
        items: impl Iterator<Item = &'k Item<'k, Id<P>>>,
        stamps: &Stamps,
    ) -> (Result<OkOf<P>, ErrorOf<P>>, Loaded)
    where
        Id<P>: 'k,
    {
        let Self { plan, load, .. } = self;
        let run = plan.run(items, stamps, |ids| load.run(ids));
        let (result, loaded, stamp) = run.await;
        loaded.said.hand_on(&plan.inner.flights, &stamp);
        (result, loaded)
    }
}
