//! One session on a slot.

use std::time::{Duration, SystemTime};

use cached_redis::Invalidation;
use tokio::time::{Instant, sleep_until};

use super::primary::Primary;
use super::run::{Follower, Taken};
use super::stats::seconds;
use super::stream::{Event, Stream};
use super::window::Window;
use crate::Error;
use crate::message::Message;

/// How soon it is looked again whether a commit is visible: at first, and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// The same after the store did not confirm.
const ATTEMPTS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How often the slot is looked after, and the connection asked for a sign of life.
const ROUND: Duration = Duration::from_secs(5);

pub(super) struct Session<'a> {
    follower: &'a Follower,
    primary: &'a Primary,
    taken: &'a Taken,
    stream: Stream,
    window: Window,
    pause: Pause,
    /// When the slot is looked after.
    round: Instant,
}

/// When there is something to do although nothing has come, and how long that was waited for.
enum Pause {
    Nothing,
    /// Until it is looked again; what comes meanwhile is a reason to look at once.
    Look(Instant, Duration),
    /// Until the store is asked again.
    Attempt(Instant, Duration),
}

impl<'a> Session<'a> {
    pub(super) fn new(
        follower: &'a Follower,
        primary: &'a Primary,
        stream: Stream,
        taken: &'a Taken,
    ) -> Self {
        Self {
            follower,
            primary,
            taken,
            stream,
            window: Window::default(),
            pause: Pause::Nothing,
            round: Instant::now(),
        }
    }

    /// Until a new slot needs no longer be told from an old one.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        loop {
            let wakes = self.wakes();
            tokio::select! {
                event = self.stream.next(), if self.window.has_room() => self.take(event?),
                () = sleep_until(wakes) => {}
            }
            while self.window.has_room()
                && let Some(event) = self.stream.ready()
            {
                self.take(event?);
            }
            self.release().await?;
            if Instant::now() >= self.round {
                self.look_after().await?;
            }
            if self.is_settled().await? {
                return Ok(());
            }
        }
    }

    fn wakes(&self) -> Instant {
        let settles = self.taken.before.as_ref().map(|_| Instant::now() + LOOKS.1);
        let pause = match self.pause {
            Pause::Nothing => None,
            Pause::Look(until, _) | Pause::Attempt(until, _) => Some(until),
        };
        let all = pause.into_iter().chain(settles);
        all.fold(self.round, Instant::min)
    }

    fn take(&mut self, event: Event) {
        let namespace = self.follower.cache.namespace();
        let Some(wrong) = self.window.take(event, namespace) else {
            return;
        };
        let mut record = self.follower.shared.record();
        record.stats.malformed_messages += 1;
        if record.stats.malformed_messages == 1 {
            tracing::warn!(error = %wrong, "a message of the database was refused; others are counted");
        }
    }

    /// Invalidates what is visible by now, and confirms.
    async fn release(&mut self) -> Result<(), Error> {
        let is_held = matches!(self.pause, Pause::Attempt(until, _) if Instant::now() < until);
        if self.window.oldest().is_some() && !is_held {
            self.follower.reach("received").await;
            self.look().await?;
            self.follower.reach("looked").await;
            self.invalidate().await;
            self.follower.reach("invalidated").await;
        }
        if let Some(end) = self.window.confirm() {
            self.stream.confirm(end);
            self.follower.shared.apply(end);
            self.follower.reach("confirmed").await;
        }
        self.follower.shared.record().oldest = self.window.oldest();
        Ok(())
    }

    /// The gate.
    async fn look(&mut self) -> Result<(), Error> {
        if !self.follower.gated {
            self.window.look_away();
        }
        if !self.window.has_hidden() {
            return Ok(());
        }
        let look = self.primary.look().await?;
        let hidden = self.window.look(&look.snapshot);
        let mut record = self.follower.shared.record();
        record.stats.gate_looks += 1;
        record.stats.gate_waits += hidden;
        record.ahead_seconds = seconds(SystemTime::now(), look.now);
        Ok(())
    }

    async fn invalidate(&mut self) {
        let mut all = Message::default();
        let (mut transactions, mut messages, mut committed) = (0, 0, None);
        for transaction in self.window.visible() {
            transactions += 1;
            messages += transaction.messages;
            committed = committed.max(Some(transaction.committed));
            all.extend(transaction.message.clone());
        }
        let is_done = all.is_empty() || self.send(all).await == Invalidation::Done;
        if is_done {
            self.window.done();
        }
        self.wait(is_done);
        let mut record = self.follower.shared.record();
        if !is_done {
            record.stats.deferred_invalidations += 1;
            return;
        }
        record.stats.transactions += transactions;
        record.stats.messages += messages;
        if let Some(committed) = committed {
            let lag = seconds(committed, SystemTime::now()) + record.ahead_seconds;
            record.stats.lag_seconds = Some(lag.max(0.0));
        }
    }

    /// When to go on: what is hidden is looked at again, and what was not confirmed is sent again.
    fn wait(&mut self, is_done: bool) {
        let before = match self.pause {
            Pause::Nothing => Duration::ZERO,
            Pause::Look(_, pause) | Pause::Attempt(_, pause) => pause,
        };
        let after = |(first, longest)| {
            let pause = (before * 2).clamp(first, longest);
            (Instant::now() + pause, pause)
        };
        self.pause = match (is_done, self.window.has_hidden()) {
            (true, false) => Pause::Nothing,
            (true, true) => {
                let (until, pause) = after(LOOKS);
                Pause::Look(until, pause)
            }
            (false, _) => {
                let (until, pause) = after(ATTEMPTS);
                Pause::Attempt(until, pause)
            }
        };
    }

    async fn send(&self, all: Message) -> Invalidation {
        let cache = &self.follower.cache;
        if all.everything {
            return cache
                .clear_namespace()
                .await
                .unwrap_or(Invalidation::Deferred);
        }
        let request = cache.invalidation().keys(all.keys).tags(all.tags);
        let patterns = all.patterns.into_iter();
        let request = patterns.fold(request, |request, pattern| request.matching(pattern));
        // What could be refused was sorted out when it came.
        request.send().await.unwrap_or(Invalidation::Deferred)
    }

    async fn look_after(&mut self) -> Result<(), Error> {
        self.round = Instant::now() + ROUND;
        if let Some(retained) = self.primary.retained(&self.taken.slot).await? {
            let mut record = self.follower.shared.record();
            let is_first = record.stats.retained_wal_bytes.is_none();
            record.stats.retained_wal_bytes = retained.bytes;
            record.stats.retained_wal_limit_bytes = retained.limit;
            if is_first && retained.limit.is_none() {
                tracing::warn!(
                    "max_slot_wal_keep_size is not set: a slot that nobody reads makes the server keep its log \
                     until the disk is full"
                );
            }
        }
        Ok(())
    }

    /// Whether all has ended that was running when the slot was made; then everything goes once more.
    async fn is_settled(&self) -> Result<bool, Error> {
        let Some(before) = &self.taken.before else {
            return Ok(false);
        };
        if !self.primary.look().await?.snapshot.is_after(before) {
            return Ok(false);
        }
        self.follower.clear().await;
        Ok(true)
    }
}
