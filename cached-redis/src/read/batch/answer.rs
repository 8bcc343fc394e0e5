//! Answers from entries, and what their age asks for: those that are served are loaded anew, those that are held
//! answer if their load fails.

use std::mem;
use std::time::Duration;

use super::Reader;
use super::call::{Ids, Item, Request};
use super::load::Made;
use super::loads::Loads;
use super::plan::{EachPlan, Id, Value};
use super::renew::{Renewal, Work};
use super::steps::{self, One, split};
use crate::engine::context;
use crate::engine::plan::ErrorOf;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::freshness::Freshness;
use crate::protocol::read::Step;
use crate::read::search::Lookup;
use crate::read::{audit, reader};
use crate::wire::entry::Live;

/// An entry that answers, and its value; none for a known absence.
pub(super) struct Kept<P: EachPlan> {
    ids: Ids<Id<P>>,
    value: Option<Value<P>>,
    live: Live,
    /// Where somebody asks what was read.
    request: Option<Request>,
    status: Status,
}

/// An entry that is no answer, or not yet.
pub(super) enum Unfit {
    Undecodable(Live),
    Outdated(Live),
    Expired(Live, Option<Duration>),
}

impl Unfit {
    pub(super) fn tell(self, lookup: &mut Lookup<'_>) {
        match self {
            Self::Undecodable(live) => lookup.undecodable(live),
            Self::Outdated(live) => lookup.outdated(live),
            Self::Expired(live, patience) => lookup.expired(live, patience),
        }
    }
}

impl<P: EachPlan, F: Loads<P>> Reader<'_, P, F> {
    /// Takes the answer of the entry that `one` has found; gives back those that it is of no use to, or not yet.
    pub(super) fn take_one<'k>(
        &mut self,
        one: One<'k, Id<P>>,
        live: Live,
    ) -> Option<One<'k, Id<P>>> {
        let One {
            item,
            mut lookup,
            rights,
        } = one;
        let (item, unfit) = self.take(item, live, Some(&lookup))?;
        unfit.tell(&mut lookup);
        Some(One {
            item,
            lookup,
            rights,
        })
    }

    /// The same of an `item` that may have no search but its first look.
    pub(super) fn take<'k>(
        &mut self,
        item: Item<'k, Id<P>>,
        live: Live,
        lookup: Option<&Lookup<'_>>,
    ) -> Option<(Item<'k, Id<P>>, Unfit)> {
        let encoder = self.encoder(&item);
        let Some(value) = self.own.decode(&encoder, &live) else {
            return Some((item, Unfit::Undecodable(live)));
        };
        let renewal = || Renewal::new(&item, &live);
        let found = || lookup.map_or(Status::Hit, |lookup| lookup.status(&live));
        let status = match reader::judge(&encoder, &live) {
            Freshness::Dead => {
                return Some((item, Unfit::Outdated(live)));
            }
            Freshness::IfError if !self.inner.renewals.rests(&item.request.key) => {
                let patience = self.policy().soft_timeout;
                return Some((item, Unfit::Expired(live, patience)));
            }
            Freshness::IfError => Status::Stale,
            // No caller is to pay for it.
            Freshness::Fresh if F::DETACHES && audit::is_drawn(encoder.policy, &live.header) => {
                self.audits.push(renewal());
                found()
            }
            Freshness::Fresh => found(),
            due => {
                let status = match due {
                    Freshness::Revalidate => Status::Stale,
                    _ => found(),
                };
                if !F::DETACHES {
                    let renewal = renewal();
                    let kept = Kept {
                        request: self.asked(&item),
                        ids: item.ids,
                        value,
                        live,
                        status,
                    };
                    self.kept.push((renewal, kept));
                    return None;
                }
                self.renewals.extend(renewal().permitted(self.inner));
                status
            }
        };
        let request = self.asked(&item);
        self.answer(item.ids, value, &live, (status, request));
        None
    }

    /// Answers the ids of an entry.
    fn answer(
        &mut self,
        ids: Ids<Id<P>>,
        value: Option<Value<P>>,
        live: &Live,
        (status, request): (Status, Option<Request>),
    ) {
        context::served(&live.header);
        if status == Status::Stale {
            context::served_stale();
        }
        self.emit(&Event::of(status));
        if self.wish.is_told() {
            let entry = live.entry.clone();
            self.describe(status, Some(&Made { request, entry }));
        }
        if !ids.others.is_empty() {
            // Each has one of its own: values need not be `Clone`.
            let (own, encoder) = (self.plan.own, &self.plan.encoder);
            let others = ids.others.into_iter();
            let others = others.filter_map(|id| Some((id, own.decode(encoder, live)??)));
            self.found.extend(others);
        }
        self.found.extend(value.map(|value| (ids.id, value)));
    }

    fn answer_kept(&mut self, kept: Kept<P>) {
        let told = (kept.status, kept.request);
        self.answer(kept.ids, kept.value, &kept.live, told);
    }

    /// Answers those by what they hold for which there is nothing more to wait for, if that still stands; gives
    /// back those without an answer.
    pub(super) async fn keep<'k>(&mut self, ones: Vec<One<'k, Id<P>>>) -> Vec<One<'k, Id<P>>> {
        let (held, mut rest) = split(ones, |step| matches!(step, Step::Keep));
        if held.is_empty() {
            return rest;
        }
        let stand = steps::stand(self.function, &held).await;
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
        let told = (Status::Stale, self.asked(&one.item));
        self.answer(one.item.ids, value, &live, told);
        None
    }

    /// Answers `ones`, whose load has failed, by what they hold, if all of them do and that still stands.
    pub(super) async fn fall_back(
        &mut self,
        ones: Vec<One<'_, Id<P>>>,
        error: ErrorOf<P>,
    ) -> Result<(), ErrorOf<P>> {
        let all_hold = ones.iter().all(|one| one.held().is_some());
        let stand = match all_hold {
            true => steps::stand(self.function, &ones).await,
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
        kept.into_iter().for_each(|old| self.answer_kept(old));
    }
}
