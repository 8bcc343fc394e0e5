//! The loads of what a batch has come by the right to: one for all of it.
//!
//! What the call holds past its TTL answers it if that load fails, and if nothing is missing beside: the answer
//! is one map or one error. With a `soft_timeout` it has a load of its own, which the caller leaves behind.

use std::mem;
use std::panic::resume_unwind;
use std::time::Duration;

use futures_util::future::{OptionFuture, try_join};

use super::callee::{Failed, Ran};
use super::flow::Reader;
use super::leases::{Claims, Leases};
use super::load::Part;
use super::renew::{Renewal, Work};
use super::steps::{self, One, split};
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::read::Step;

impl<'a> Reader<'a> {
    /// Loads under the leases and claims that were granted, and fills.
    pub(super) async fn lead(
        &mut self,
        ones: Vec<One<'a>>,
        (leases, claims): (Leases, Option<Claims>),
    ) -> Result<Vec<One<'a>>, Failed> {
        let (own, mut rest) = split(ones, steps::is_right);
        for one in &own {
            match one.lookup.search.step() {
                Step::Renew => self.emit(&Event::Renewing),
                _ => self.answers.answered(Status::Miss, None),
            }
        }
        let may_be_late = self.detaches && own.iter().any(|one| one.held().is_some());
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
        mut own: Vec<One<'a>>,
        leases: Leases,
        claims: Option<Claims>,
    ) -> Result<(), Failed> {
        if own.is_empty() {
            return Ok(());
        }
        let lease = leases.token();
        let parts = own.iter_mut().map(|one| Part {
            token: one.held().map_or(lease, |live| live.header.token),
            flight: one.rights().flight.take(),
            item: one.item,
            permit: None,
        });
        let parts = parts.collect();
        let ran = self.fill(parts, leases, claims).await;
        self.settle(own, &ran).await
    }

    /// The same, and beside it in a task of its own what answers already when its caller has lost patience; gives
    /// back what does not.
    async fn lead_apart(
        &mut self,
        own: Vec<One<'a>>,
        leases: Leases,
        claims: Option<Claims>,
        patience: Duration,
    ) -> Result<Vec<One<'a>>, Failed> {
        let (mut held, own) = split(own, |step| matches!(step, Step::Renew));
        let renewals: Vec<_> = held.iter_mut().filter_map(Renewal::claimed).collect();
        let work = Work::Replace(Box::new((leases.beside(), claims)));
        let late = self
            .with(move |answers, callee| answers.detach(work, renewals, Some(patience), callee));
        let late = OptionFuture::from(late.await);
        let ((), in_time) =
            try_join(self.lead_all(own, leases, None), async { Ok(late.await) }).await?;
        // Only now, when no load runs that would be dropped after the right to it.
        let in_time = in_time.map(|in_time| in_time.unwrap_or_else(|panic| resume_unwind(panic)));
        let ran = match in_time {
            Some(true) => self.desk.ask(|callee| callee.hear()).await,
            _ => None,
        };
        match ran {
            Some(ran) => self.settle(held, &ran).await.map(|()| Vec::new()),
            None => {
                let unanswered = self.with(|answers, callee| answers.answer_all_held(held, callee));
                Ok(unanswered.await)
            }
        }
    }

    /// Takes what a load for `ones` has given.
    async fn settle(&mut self, ones: Vec<One<'a>>, ran: &Ran) -> Result<(), Failed> {
        self.answers.tell(ran);
        match ran.is_ok {
            true => self.desk.ask(|callee| callee.answer()).await,
            false => self.fall_back(ones).await,
        }
    }

    /// Answers those by what they hold for which there is nothing more to wait for, if that still stands; gives
    /// back those without an answer.
    pub(super) async fn keep(&mut self, ones: Vec<One<'a>>) -> Vec<One<'a>> {
        let (mut held, mut rest) = split(ones, |step| matches!(step, Step::Keep));
        if held.is_empty() {
            return rest;
        }
        let stand = steps::stand(self.function, &held).await;
        for (one, stands) in held.iter_mut().zip(stand) {
            if !stands {
                one.lookup.lost();
            }
        }
        let unanswered = self.with(|answers, callee| answers.answer_all_held(held, callee));
        rest.extend(unanswered.await);
        rest
    }

    /// Answers `ones`, whose load has failed, by what they hold, if all of them do and that still stands.
    async fn fall_back(&mut self, ones: Vec<One<'a>>) -> Result<(), Failed> {
        let all_hold = ones.iter().all(|one| one.held().is_some());
        let stand = match all_hold {
            true => steps::stand(self.function, &ones).await,
            false => vec![false],
        };
        let all_stand = stand.into_iter().all(|stands| stands);
        self.with(move |answers, callee| {
            let mut answered = |one| answers.answer_held(one, callee).is_none();
            if all_stand && ones.into_iter().all(&mut answered) {
                return Ok(());
            }
            answers.describe(Status::Miss, None);
            Err(Failed)
        })
        .await
    }

    /// Loads anew what is to be in the caller's place, which then has the new values. Only now it keeps others
    /// in this process from that.
    pub(super) async fn renew_in_place(&mut self) {
        let kept = mem::take(&mut self.answers.kept);
        if kept.is_empty() {
            return;
        }
        let renewals = kept.iter().filter_map(|kept| kept.renewal(&self.plan));
        let renewals: Vec<_> = renewals.collect();
        let ran = match renewals.is_empty() {
            true => None,
            false => self.renew(renewals).await,
        };
        self.with(|answers, callee| answers.renewed(kept, ran, callee))
            .await;
    }
}
