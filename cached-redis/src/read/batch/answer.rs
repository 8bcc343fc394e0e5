//! Answers from entries, and what their age asks for: those that are served are loaded anew, those that are held
//! answer if their load fails. Nothing here waits.

use std::collections::HashSet;
use std::mem;
use std::ops::Deref;
use std::thread;
use std::time::Duration;

use super::call::Item;
use super::callee::{Callee, Failed, Made, Ran};
use super::job::Background;
use super::plan::Plan;
use super::renew::{Renewal, Work};
use super::steps::One;
use super::summary::Summary;
use crate::engine::context;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::freshness::Freshness;
use crate::protocol::read::Step;
use crate::read::search::Lookup;
use crate::read::{audit, background, reader};
use crate::util::boxed::Boxed;
use crate::wire::entry::Live;

/// How a batch answers, and what is to be done beside.
pub(super) struct Answers<'a> {
    plan: Plan<'a>,
    /// What is to be loaded anew behind the caller.
    renewals: Vec<Renewal<'a>>,
    /// What is to be compared with a load there.
    audits: Vec<Renewal<'a>>,
    /// What is to be loaded anew in the caller's place, and answers unless it is.
    pub(super) kept: Vec<Kept<'a>>,
    pub(super) summary: Summary,
}

/// An entry that answers, unless it is loaded anew.
pub(super) struct Kept<'a> {
    item: Item<'a>,
    live: Live,
    status: Status,
}

impl<'a> Kept<'a> {
    /// The right to that.
    pub(super) fn renewal(&self, plan: &Plan<'_>) -> Option<Renewal<'a>> {
        Renewal::new(self.item, &self.live).permitted(plan.inner)
    }
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

impl<'a> Deref for Answers<'a> {
    type Target = Plan<'a>;

    fn deref(&self) -> &Plan<'a> {
        &self.plan
    }
}

impl<'a> Answers<'a> {
    pub(super) fn new(plan: Plan<'a>) -> Self {
        Self {
            plan,
            renewals: Vec::new(),
            audits: Vec::new(),
            kept: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// All of it, to be given back.
    pub(super) fn take(&mut self) -> Self {
        mem::replace(self, Self::new(self.plan))
    }

    /// Takes the answers there are, and goes on behind the caller with what has to be; gives back those
    /// without one.
    pub(super) fn served(
        &mut self,
        ones: Vec<One<'a>>,
        callee: &mut dyn Callee,
    ) -> Result<Vec<One<'a>>, Failed> {
        // Most often there are none.
        let mut rest = Vec::new();
        for one in ones {
            rest.extend(self.serve(one, callee)?);
        }
        self.go_on_behind(callee);
        Ok(rest)
    }

    fn serve(
        &mut self,
        mut one: One<'a>,
        callee: &mut dyn Callee,
    ) -> Result<Option<One<'a>>, Failed> {
        if !one.is_answered() {
            return Ok(Some(one));
        }
        match one.lookup.search.end() {
            Step::Serve(live) => {
                let unfit = self.take_one(one.item, live, Some(&one.lookup), callee);
                return Ok(unfit.map(|unfit| {
                    unfit.tell(&mut one.lookup);
                    one
                }));
            }
            Step::Fail(shared) if callee.fail(&shared) => {
                self.answered(Status::Joined, None);
                return Err(Failed);
            }
            // Another error type under the same key is another function's load: look again.
            _ => {}
        }
        Ok(Some(one))
    }

    /// Takes the answer of the entry that was found for `item`, which may have no search but its first look; gives it
    /// back where it is of no use, or not yet.
    pub(super) fn take_one(
        &mut self,
        item: Item<'a>,
        live: Live,
        lookup: Option<&Lookup<'_>>,
        callee: &mut dyn Callee,
    ) -> Option<Unfit> {
        let encoder = self.encoder(item);
        if !callee.decode(item.place, &encoder, &live) {
            return Some(Unfit::Undecodable(live));
        }
        let renewal = || Renewal::new(item, &live);
        let found = || lookup.map_or(Status::Hit, |lookup| lookup.status(&live));
        let status = match reader::judge(&encoder, &live) {
            Freshness::Dead => {
                callee.forget(item.place);
                return Some(Unfit::Outdated(live));
            }
            Freshness::IfError if !self.inner.renewals.rests(&item.request.key) => {
                callee.forget(item.place);
                return Some(Unfit::Expired(live, self.policy().soft_timeout));
            }
            Freshness::IfError => Status::Stale,
            // No caller is to pay for it.
            Freshness::Fresh if self.detaches && audit::is_drawn(encoder.policy, &live.header) => {
                self.audits.push(renewal());
                found()
            }
            Freshness::Fresh => found(),
            due => {
                let status = match due {
                    Freshness::Revalidate => Status::Stale,
                    _ => found(),
                };
                if !self.detaches {
                    self.kept.push(Kept { item, live, status });
                    return None;
                }
                let renewal = renewal().permitted(self.inner);
                self.renewals.extend(renewal);
                status
            }
        };
        self.served_by(item, &live, status);
        None
    }

    /// Counts and describes the answer of an entry that has been decoded.
    fn served_by(&mut self, item: Item<'a>, live: &Live, status: Status) {
        context::served(&live.header);
        if status == Status::Stale {
            context::served_stale();
        }
        self.emit(&Event::of(status));
        if self.wish.is_told() {
            let (request, entry) = (self.asked(item), live.entry.clone());
            self.describe(status, Some(&Made { request, entry }));
        }
    }

    /// Answers `one` by what it holds; gives it back if that is nothing.
    pub(super) fn answer_held(
        &mut self,
        mut one: One<'a>,
        callee: &mut dyn Callee,
    ) -> Option<One<'a>> {
        let (item, encoder) = (one.item, self.encoder(one.item));
        let held = one.lookup.held().cloned();
        match held.filter(|live| callee.decode(item.place, &encoder, live)) {
            Some(live) => {
                self.served_by(item, &live, Status::Stale);
                None
            }
            None => {
                one.lookup.lost();
                Some(one)
            }
        }
    }

    /// The same of many.
    pub(super) fn answer_all_held(
        &mut self,
        ones: Vec<One<'a>>,
        callee: &mut dyn Callee,
    ) -> Vec<One<'a>> {
        let unanswered = ones
            .into_iter()
            .filter_map(|one| self.answer_held(one, callee));
        unanswered.collect()
    }

    /// Loads anew what was answered, and compares, while the caller goes on.
    pub(super) fn go_on_behind(&mut self, callee: &mut dyn Callee) {
        let (renewals, audits) = (mem::take(&mut self.renewals), mem::take(&mut self.audits));
        for (work, all) in [(Work::Renew, renewals), (Work::Audit, audits)] {
            if !all.is_empty() {
                drop(self.detach(work, all, None, callee));
            }
        }
    }

    /// Does that in a task of its own, if the function can be there. Whether it ends in time.
    pub(super) fn detach(
        &self,
        work: Work,
        renewals: Vec<Renewal<'a>>,
        patience: Option<Duration>,
        callee: &mut dyn Callee,
    ) -> Option<Boxed<'static, thread::Result<bool>>> {
        let places: Vec<_> = renewals.iter().map(|one| one.item.place).collect();
        let job = Background::new(&self.plan, work, renewals, patience.is_some());
        let task = callee.detach(&places, job)?;
        Some(background::spawn(self.inner, task, patience))
    }

    /// Those of the `kept` at some places have been loaded anew; the others answer.
    pub(super) fn renewed(
        &mut self,
        mut kept: Vec<Kept<'a>>,
        ran: Option<(HashSet<usize>, Box<Ran>)>,
        callee: &mut dyn Callee,
    ) {
        if let Some((places, ran)) = ran {
            self.tell(&ran);
            // What has failed leaves all as it is.
            if callee.answer().is_ok() {
                let is_loaded = |old: &mut Kept<'_>| places.contains(&old.item.place);
                for old in kept.extract_if(.., is_loaded) {
                    callee.forget(old.item.place);
                }
            }
        }
        for old in kept {
            self.served_by(old.item, &old.live, old.status);
        }
    }

    /// Tells what a load has said to the load that the caller is a part of, and to whoever asked.
    pub(super) fn tell(&mut self, ran: &Ran) {
        ran.said.hand_on(&self.inner.flights, &ran.stamp);
        for made in &ran.made {
            self.describe(Status::Miss, made.as_ref());
        }
    }
}
