//! Waiting for what others load, here or in another process, while nothing is held; and loads without a
//! lease: see [`bypass`](crate::protocol::bypass) for what may be shared of them.
//!
//! Such a load starts after the one that runs, key by key, so here a batch does wait while it holds
//! something, as long as its budget lasts. All batches take their keys in the same order, so no two of
//! them wait for each other; and a load that has started waits for nobody.

use tokio::time::{Instant, sleep};

use super::callee::{Callee, Failed};
use super::flow::Reader;
use super::leases::Epochs;
use super::plan::Plan;
use super::steps::{One, at, split};
use crate::engine::encode::Loaded;
use crate::engine::plan::Outcome;
use crate::engine::tags::{Basis, Stamps};
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::bypass::BypassLoad;
use crate::protocol::progress::Landing;
use crate::protocol::read::Step;
use crate::read::pause::Pause;
use crate::read::search::Answer;

impl<'a> Reader<'a> {
    /// Loads what is to be loaded without the cache: nothing is stored.
    pub(super) async fn bypass(&mut self, ones: Vec<One<'a>>) -> Result<Vec<One<'a>>, Failed> {
        let (mut queue, mut rest) = split(ones, |step| matches!(step, Step::Queue));
        if queue.is_empty() {
            return Ok(rest);
        }
        queue.sort_by(|a, b| str::cmp(&a.item.request.key, &b.item.request.key));
        let (mut own, mut seats) = (Vec::new(), Vec::new());
        for mut one in queue {
            // Nobody can tell whether another load is of its version.
            if one.item.request.is_bypassed {
                own.push(one);
                continue;
            }
            one.lookup.budget.begin_at(self.began());
            let answer = one.queue();
            one.hear(answer);
            match &one.rights().place {
                Some(place) => {
                    place.start().await;
                    own.push(one);
                }
                None => seats.push(one),
            }
        }
        self.lead_bypassing(own).await?;
        let mut own = Vec::new();
        for mut one in seats {
            let answer = one.lookup.landing().await;
            one.hear(answer);
            match one.lookup.search.step() {
                Step::Bypass => own.push(one),
                _ => rest.extend(self.served_at_once(one).await?),
            }
        }
        self.lead_bypassing(own).await?;
        Ok(rest)
    }

    async fn lead_bypassing(&mut self, own: Vec<One<'a>>) -> Result<(), Failed> {
        if own.is_empty() {
            return Ok(());
        }
        own.iter()
            .for_each(|_| self.answers.answered(Status::Bypass, None));
        let epochs = Epochs::note(self.inner, own.iter().map(|one| &*one.item.request.key));
        let items = own.iter().map(|one| one.item);
        let run = self.load(items, &Stamps::default()).await;
        self.with(move |answers, callee| {
            let failure = match own.first() {
                Some(one) if !run.is_ok => Some(answers.failure(one.item, callee)),
                _ => None,
            };
            for one in own {
                answers.land(one, (&run.loaded, failure.as_ref()), &epochs, callee);
            }
            callee.answer()
        })
        .await
    }

    /// Waits for the flights, and then once before the next look at leases of other processes.
    pub(super) async fn wait(&mut self, mut ones: Vec<One<'a>>) -> Result<Vec<One<'a>>, Failed> {
        for one in &mut ones {
            if one.is(|step| matches!(step, Step::Wait | Step::Pause))
                && one.lookup.budget.begin_at(self.began())
            {
                self.emit(&Event::Wait);
            }
        }
        let mut rest = Vec::with_capacity(ones.len());
        for mut one in ones {
            if one.is(|step| matches!(step, Step::Wait)) {
                let answer = one.lookup.wait().await;
                one.hear(answer);
            }
            rest.extend(self.served_at_once(one).await?);
        }
        self.pause(&mut rest).await;
        Ok(rest)
    }

    async fn pause(&mut self, ones: &mut [One<'a>]) {
        let mut paused = at(ones, |step| matches!(step, Step::Pause));
        let now = Instant::now();
        let spent = |one: &mut &mut One<'_>| one.lookup.budget.end() <= now;
        let spent: Vec<_> = paused.extract_if(.., spent).collect();
        if !spent.is_empty() {
            return spent.into_iter().for_each(|one| one.hear(Answer::Spent));
        }
        if paused.is_empty() {
            return;
        }
        let mean_load = self.inner.counters(&self.function.site).mean_load();
        let pause = self.pause.get_or_insert_with(|| Pause::new(mean_load));
        sleep(pause.next()).await;
        paused
            .iter_mut()
            .for_each(|one| drop(one.lookup.search.end()));
    }
}

impl<'a> Plan<'a> {
    /// Tells those who wait for what was loaded without a lease.
    fn land(
        &self,
        mut one: One<'a>,
        (loaded, failure): (&Loaded, Option<&Landing>),
        epochs: &Epochs,
        callee: &dyn Callee,
    ) {
        let (place, item) = (one.rights().place.take(), one.item);
        let place = place.unwrap_or_else(|| BypassLoad::unshared(&item.request.key));
        if let Some(failure) = failure {
            return place.land(failure.clone());
        }
        let landing = self.show(item, callee, |outcome| match outcome {
            // Who shares it might be a part of a load, which would freeze what is stale.
            Outcome::Value { stored, .. } if place.is_shared() && !loaded.said.stale => {
                let basis = Basis::unread(
                    epochs.of(&item.request.key),
                    loaded.said.tags_with(item.request.tags.keys()),
                );
                let encoded = self.encoder(item).encode(stored, loaded.took, &basis);
                encoded.map(|encoded| Landing::Shared(encoded.entry))
            }
            Outcome::Value { .. } | Outcome::Failed(_) => None,
        });
        place.land(landing.flatten().unwrap_or(Landing::Again));
    }
}
