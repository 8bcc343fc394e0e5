//! The steps of those who find nothing to serve: they enter a flight, ask for the lease, or wait for others.

use std::mem;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Answer, Found, Lookup, Over, Rights, Seen};
use crate::engine::claim::{Claim, Claimed};
use crate::engine::lease::Lease;
use crate::engine::tags::Stamp;
use crate::engine::{context, transaction};
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::protocol::bypass::{BypassLoad, Bypasses};
use crate::protocol::flight::Place;
use crate::protocol::read::Step;
use crate::read::pause::Pause;

impl Lookup<'_> {
    /// The right to load without a lease, where that is all there is to come by; else [`contend`](Self::contend)
    /// goes on.
    pub(crate) fn bypass(&mut self) -> Option<BypassLoad> {
        if !matches!(self.search.step(), Step::Queue) {
            return None;
        }
        let mut rights = Rights::default();
        let answer = self.queue(&mut rights);
        self.hear(answer, &mut rights);
        let place = rights
            .place
            .take_if(|_| matches!(self.search.step(), Step::Bypass));
        place.inspect(|_| drop(self.search.end()))
    }

    /// Goes on until there is something for the caller to do. Dropped on the way, it lets those who joined start
    /// over.
    pub(crate) async fn contend(&mut self) -> Found {
        let mut rights = Rights::default();
        while let Some(answer) = self.take(&mut rights).await {
            self.hear(answer, &mut rights);
        }
        self.found(rights)
    }

    /// Goes on with the answer to a step; lets go of what it has come by as a leader if it leads no longer.
    pub(crate) fn hear(&mut self, answer: Answer, rights: &mut Rights) {
        let landing = self.next_step(answer);
        if let Some(landing) = landing
            && let Some(flight) = mem::take(rights).flight
        {
            flight.land(landing.filter_map(|live| Some(live.entry)));
        }
    }

    /// Takes a step; `None`: the search has ended.
    async fn take(&mut self, rights: &mut Rights) -> Option<Answer> {
        Some(match self.search.step() {
            Step::Join => self.join(),
            &Step::Look { leads } => self.looked(self.look().await, leads),
            Step::Enter(_) => self.enter(rights),
            Step::Acquire(_) => self.acquire(rights).await,
            Step::Stamp(_) => self.stamp(rights).await,
            Step::Claim => self.claim(rights).await,
            Step::Pause => self.pause(rights).await,
            Step::Wait => self.wait().await,
            Step::Queue => self.queue(rights),
            Step::WaitInQueue => self.landing().await,
            _ => return None,
        })
    }

    pub(crate) fn enter(&mut self, rights: &mut Rights) -> Answer {
        // What was shared by a load without a lease says nothing of the journal.
        if !self.may_look() {
            return Answer::Barred;
        }
        if !self.is_kept() {
            return Answer::Away;
        }
        let (flights, cover) = (&self.inner.flights, self.tags.cover());
        let place = match self.search.step() {
            Step::Enter(Seen::Expired) => flights.enter_beside(self.key, cover),
            _ => flights.enter(self.key, cover),
        };
        match place {
            Place::Lead(flight) => {
                rights.flight = Some(flight);
                Answer::Lead
            }
            Place::Seat(seat) => self.seat(seat),
        }
    }

    /// Whether what is loaded now is to be kept, and others' loads are to be waited for. Not in a
    /// transaction, for which they may wait; not inside of a load of this very key; nor for a while after
    /// it could not be kept by anybody.
    pub(super) fn is_kept(&self) -> bool {
        !transaction::is_open()
            && !self.inner.oversize.rests(self.key)
            && !context::leads(self.inner, self.key)
    }

    /// What the lease, or the result of the load, is to take the place of.
    pub(crate) fn over(&self) -> Option<&Bytes> {
        match self.search.step() {
            Step::Acquire(over) | Step::Stamp(over) => over.as_ref().map(Over::entry),
            Step::Renew => self.held.as_ref().map(|live| &live.entry),
            _ => None,
        }
    }

    pub(super) async fn acquire(&mut self, rights: &mut Rights) -> Answer {
        let asked = Lease::ask(self.inner, self.key, self.over().cloned()).await;
        if !matches!(asked, Ok(Ok(_))) {
            self.inner.outlook.something(self.function.site.slot());
        }
        match asked {
            Ok(Ok(lease)) => {
                rights.lease = Some(lease);
                Answer::Granted
            }
            Ok(Err(standing)) => self.refused(standing),
            // It may refuse writes alone.
            Err(StoreError::Server { .. }) if mem::take(&mut self.guesses) => Answer::Refused,
            Err(error) => self.away(&error),
        }
    }

    /// The lease is refused, and this stands in its place as far as the answer tells.
    pub(crate) fn refused(&self, standing: Option<Bytes>) -> Answer {
        match standing.map(|entry| Seen::of(self.inner, self.function, self.key, Some(entry))) {
            None => Answer::Refused,
            // The generations of its tags were not shown.
            Some(seen @ Seen::Live(_)) if !self.tags.is_empty() || seen.is_tagged() => {
                Answer::Refused
            }
            Some(seen) => self.answer(seen),
        }
    }

    pub(super) async fn stamp(&self, rights: &mut Rights) -> Answer {
        let before = self.over().map(|entry| &**entry);
        match Stamp::take(self.inner, self.tags, self.policy, before).await {
            Ok(Some(stamp)) => {
                rights.lease = rights.lease.take().map(|lease| lease.stamped(stamp));
                Answer::Stamped
            }
            Ok(None) => Answer::Away,
            Err(error) => self.away(&error),
        }
    }

    pub(super) async fn claim(&self, rights: &mut Rights) -> Answer {
        match Claim::ask(self.inner, self.key).await {
            Ok(Claimed::Granted(claim)) => {
                rights.claim = Some(claim);
                Answer::Granted
            }
            Ok(claimed) => self.unclaimed(&claimed),
            Err(error) => self.away(&error),
        }
    }

    /// The claim is not granted.
    pub(crate) fn unclaimed(&self, claimed: &Claimed) -> Answer {
        match claimed {
            Claimed::Rests(time) => {
                self.inner.renewals.rest(self.key, *time);
                Answer::Spent
            }
            _ => Answer::Refused,
        }
    }

    pub(super) async fn pause(&mut self, rights: &mut Rights) -> Answer {
        if Instant::now() >= self.until() {
            return Answer::Spent;
        }
        let mean_load = || self.inner.counters(&self.function.site).mean_load();
        let pause = rights.pause.get_or_insert_with(|| Pause::new(mean_load()));
        sleep(pause.next()).await;
        Answer::Paused
    }

    /// Waits in somebody else's flight, as long as the wait budget lasts.
    pub(crate) async fn wait(&mut self) -> Answer {
        let until = match &self.seat {
            // Past its load a flight only waits for its fill, and this reader will look for itself.
            Some(seat) if !seat.loads => Instant::now() + self.inner.settings.wait,
            _ => self.until(),
        };
        let landing = timeout_at(until, self.landing()).await;
        landing.unwrap_or(Answer::Spent)
    }

    pub(crate) async fn landing(&mut self) -> Answer {
        let Some(seat) = self.seat.take() else {
            return Answer::Away;
        };
        let Some(landing) = seat.landing_for(self.inner, self.tags).await else {
            return Answer::Spent;
        };
        let live = |entry| match Seen::of(self.inner, self.function, self.key, Some(entry)) {
            Seen::Live(live) => Some(live),
            _ => None,
        };
        Answer::Landed(landing.filter_map(live))
    }

    /// Finds a place among the loads without a lease.
    pub(crate) fn queue(&mut self, rights: &mut Rights) -> Answer {
        // One look at the clock: with the store away, the looks would be a good part of what a call loses.
        let now = Instant::now();
        let came = self.budget.seat(now);
        match Bypasses::place(self.inner, self.function, self.key, came, now) {
            Place::Lead(load) => {
                rights.place = Some(load);
                Answer::Lead
            }
            Place::Seat(seat) => self.seat(seat),
        }
    }

    /// Until when this reader waits for others, counted from its first wait.
    fn until(&mut self) -> Instant {
        if self.budget.begin() {
            self.emit(&Event::Wait);
        }
        self.budget.end()
    }
}
