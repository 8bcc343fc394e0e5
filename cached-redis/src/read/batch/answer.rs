//! Answers from entries, and what their age asks for: those that are served are loaded anew, those that are held
//! answer if their load fails.

use std::mem;

use super::Reader;
use super::call::{Ids, Item};
use super::load::Made;
use super::loads::Loads;
use super::plan::{EachPlan, Id, Plan, Value};
use super::renew::{Renewal, Work};
use super::steps::{self, One, split};
use crate::engine::context;
use crate::engine::plan::ErrorOf;
use crate::observe::status::Status;
use crate::protocol::freshness::Freshness;
use crate::protocol::read::Step;
use crate::read::{audit, reader};
use crate::wire::entry::Live;

/// An entry that answers, and its value; none for a known absence.
pub(super) struct Kept<P: EachPlan> {
    ids: Ids<Id<P>>,
    value: Option<Value<P>>,
    live: Live,
    made: Made,
    status: Status,
}

impl<P: EachPlan> Kept<P> {
    fn new(
        plan: &Plan<'_, P>,
        item: Item<'_, Id<P>>,
        value: Option<Value<P>>,
        live: Live,
        status: Status,
    ) -> Self {
        let made = Made {
            request: plan.asked(&item),
            entry: live.entry.clone(),
        };
        Self {
            ids: item.ids,
            value,
            live,
            made,
            status,
        }
    }
}

impl<P: EachPlan, F: Loads<P>> Reader<'_, P, F> {
    /// Takes the answer of an entry; gives the one back that it is of no use to, or not yet.
    pub(super) fn take<'k>(
        &mut self,
        mut one: One<'k, Id<P>>,
        live: Live,
    ) -> Option<One<'k, Id<P>>> {
        let encoder = self.encoder(&one.item);
        let Some(value) = self.own.decode(&encoder, &live) else {
            one.lookup.undecodable(live);
            return Some(one);
        };
        let renewal = || Renewal::new(&one.item, &live);
        let status = match reader::judge(&encoder, &live) {
            Freshness::Dead => {
                one.lookup.outdated(live);
                return Some(one);
            }
            Freshness::IfError if !self.inner.renewals.rests(&one.item.request.key) => {
                one.lookup.expired(live, self.policy().soft_timeout);
                return Some(one);
            }
            Freshness::IfError => Status::Stale,
            // No caller is to pay for it.
            Freshness::Fresh if F::DETACHES && audit::is_drawn(encoder.policy, &live.header) => {
                self.audits.push(renewal());
                one.lookup.status(&live)
            }
            Freshness::Fresh => one.lookup.status(&live),
            due => {
                let status = match due {
                    Freshness::Revalidate => Status::Stale,
                    _ => one.lookup.status(&live),
                };
                if !F::DETACHES {
                    let renewal = renewal();
                    let kept = Kept::new(&self.plan, one.item, value, live, status);
                    self.kept.push((renewal, kept));
                    return None;
                }
                self.renewals.extend(renewal().permitted(self.inner));
                status
            }
        };
        self.answer(Kept::new(&self.plan, one.item, value, live, status));
        None
    }

    /// Answers the ids of an entry.
    fn answer(&mut self, kept: Kept<P>) {
        context::served(&kept.live.header);
        if kept.status == Status::Stale {
            context::served_stale();
        }
        self.answered(kept.status, Some(&kept.made));
        let mut ids = kept.ids.into_iter();
        let first = ids.next().zip(kept.value);
        // Each has one of its own: values need not be `Clone`.
        let own = self.plan.own;
        let others = ids.filter_map(|id| Some((id, own.decode(&self.plan.encoder, &kept.live)??)));
        self.found.extend(others.chain(first));
    }

    /// Answers those by what they hold for which there is nothing more to wait for, if that still stands; gives
    /// back those without an answer.
    pub(super) async fn keep<'k>(&mut self, ones: Vec<One<'k, Id<P>>>) -> Vec<One<'k, Id<P>>> {
        let (mut held, mut rest) = split(ones, |step| matches!(step, Step::Keep));
        if held.is_empty() {
            return rest;
        }
        let stand = steps::stand(self.inner, self.function, &mut held).await;
        for (mut one, stands) in held.into_iter().zip(stand) {
            if !stands {
                one.lookup.lost();
            }
            rest.extend(self.answer_held(one));
        }
        rest
    }

    /// Answers `one` by what it holds; gives it back if that is nothing.
    pub(super) fn answer_held<'k>(&mut self, mut one: One<'k, Id<P>>) -> Option<One<'k, Id<P>>> {
        let read = |live: &Live| self.own.decode(&self.encoder(&one.item), live);
        let held = one.lookup.held();
        let Some((value, live)) = held.and_then(|live| Some((read(live)?, live.clone()))) else {
            one.lookup.lost();
            return Some(one);
        };
        self.answer(Kept::new(&self.plan, one.item, value, live, Status::Stale));
        None
    }

    /// Answers `ones`, whose load has failed, by what they hold, if all of them do and that still stands.
    pub(super) async fn fall_back(
        &mut self,
        mut ones: Vec<One<'_, Id<P>>>,
        error: ErrorOf<P>,
    ) -> Result<(), ErrorOf<P>> {
        let all_hold = ones.iter().all(|one| one.held().is_some());
        let stand = match all_hold {
            true => steps::stand(self.inner, self.function, &mut ones).await,
            false => vec![false],
        };
        let answered = |one| self.answer_held(one).is_none();
        match stand.into_iter().all(|stands| stands) && ones.into_iter().all(answered) {
            true => Ok(()),
            false => {
                self.describe(Status::Miss, None);
                Err(error)
            }
        }
    }

    /// Loads anew what was answered, and compares, while the caller goes on.
    pub(super) fn go_on_behind(&mut self) {
        let [renewals, audits] = [&mut self.renewals, &mut self.audits].map(mem::take);
        for (work, all) in [(Work::Renew as fn(_) -> _, renewals), (Work::Audit, audits)] {
            if !all.is_empty() {
                drop(self.load.in_background(&self.plan, work(all), None));
            }
        }
    }

    /// Loads anew what is to be in the caller's place, which then has the new values. Only now it keeps others
    /// in this process from that.
    pub(super) async fn renew_in_place(&mut self) {
        let (mut renewals, mut kept) = (Vec::new(), Vec::new());
        for (renewal, old) in mem::take(&mut self.kept) {
            renewals.extend(renewal.permitted(self.inner));
            kept.push(old);
        }
        let Self { plan, load, .. } = self;
        let ran = match renewals.is_empty() {
            true => None,
            false => plan.renew(renewals, |ids| load.run(ids)).await,
        };
        if let Some((tokens, ran)) = ran {
            self.tell(&ran);
            if let Ok(values) = ran.result {
                kept.retain(|old| !tokens.contains(&old.live.header.token.number()));
                self.found.extend(values);
            }
        }
        kept.into_iter().for_each(|old| self.answer(old));
    }
}
