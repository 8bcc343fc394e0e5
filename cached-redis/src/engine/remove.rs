//! Removes many keys as one thing.
//!
//! A cached function may call another one. Were the outer entry removed before the inner one, a reader
//! in between would load the outer one anew from what is about to go, and store it after that: stale
//! until its TTL, though all was removed. So keys that fit into one step go in one. More of them, and
//! what matches a pattern, go in two passes behind a **bar**, which refuses the fills of all of them:
//!
//! ```text
//! bar ──► pass: what is old goes ──► pass: the leases taken meanwhile go ──► the bar is lifted
//! ```
//!
//! * What may hold a value from before, an entry or the lease of a load, stood when the first pass began,
//!   and the bar lets nobody add to it. So after that pass nothing old stands.
//! * A load that began before its end may have met something old. Its lease stood when the second pass
//!   began, and goes with it. Whoever takes one later reads what is current.
//!
//! In a cluster no step is on keys of several slots, nor on several of a slot whose keys are being moved.
//! There the keys themselves are barred: each gets a tombstone, as of a guarded write, and when all of them
//! have one they are removed.
//!
//! ```text
//! a tombstone under each key ──► all are there: nothing old stands ──► they go, one by one
//! ```
//!
//! * From the first to the last answer nobody takes a lease of one of these keys, nor fills one; and whatever
//!   has one of these tags is neither served nor stored. So what was there before is gone when all tombstones
//!   stand, and who begins to load when the first of them goes finds nothing old.
//! * A tombstone that is gone before its end (it was evicted, others have removed it, the process was
//!   suspended) has proved nothing: all begins anew.
//!
//! A scan gives every key that stands from its beginning to its end. A bar that did not stand until its
//! end, as the server was replaced, had no room for it, or the process was suspended, has proved nothing:
//! the removal has failed, and the journal repeats it. All of that holds on one server only: whoever
//! relies on it must know that the server has not changed meanwhile, and in a cluster that no slot has moved from
//! before the bar until after it: what has begun to move then, or has moved, fails it as well.
//!
//! A load of this process that had lost its lease cannot store its result. Nobody should wait for that
//! one, though, and no scan finds it; so the flights that are in the air when a pass begins are abandoned
//! by their keys. That also closes the flights of loads that are about to begin, which costs a look at
//! their leases and nothing else.

use std::slice;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::{DIRECT, Site};
use crate::store::many::MOST;
use crate::store::slot::slot;
use crate::store::{Answer, Store as _, bars};
use crate::wire::entry::Token;
use crate::wire::key::Pattern;
use crate::wire::tag;

/// For how long a bar stands whose process has died, and a tombstone of a removal.
const BAR: Duration = Duration::from_secs(10);

/// The same of the bars of a cluster: it takes longer to raise one in each slot.
const BARS: Duration = Duration::from_secs(60);

/// How often a removal begins anew whose tombstones did not stand, before it is left to the journal.
const TRIES: usize = 3;

/// Removes all entries, leases and generations of tags of the cache's namespace.
pub(crate) async fn namespace(inner: &Inner, hold_off: Option<Duration>) -> Answer<()> {
    let all = Pattern::everything(&inner.namespace);
    let mut sweep = Sweep::new(inner, &[], vec![(&all, &DIRECT.site)], hold_off);
    sweep.tags = tag::prefixes(&inner.namespace).to_vec();
    sweep.run().await
}

/// Removes what stands under `keys` or matches `patterns`.
pub(crate) async fn remove(
    inner: &Inner,
    keys: &[String],
    patterns: Vec<(&Pattern, &Site)>,
    hold_off: Option<Duration>,
) -> Answer<()> {
    if patterns.is_empty() && keys.len() <= MOST {
        return step(inner, keys, hold_off).await;
    }
    let answer = Sweep::new(inner, keys, patterns, hold_off).run().await;
    // Those too that it did not come to.
    inner.flights.abandon_all(keys);
    answer
}

struct Sweep<'a> {
    inner: &'a Inner,
    keys: &'a [String],
    patterns: Vec<(&'a Pattern, &'a Site)>,
    /// How the keys of tags begin that go with all entries.
    tags: Vec<String>,
    hold_off: Option<Duration>,
    /// How many keys each pattern has removed.
    removed: Vec<usize>,
    bar: Token,
    /// When its bar was last given its whole life.
    renewed: Instant,
}

impl<'a> Sweep<'a> {
    fn new(
        inner: &'a Inner,
        keys: &'a [String],
        patterns: Vec<(&'a Pattern, &'a Site)>,
        hold_off: Option<Duration>,
    ) -> Self {
        Self {
            inner,
            keys,
            removed: vec![0; patterns.len()],
            patterns,
            tags: Vec::new(),
            hold_off: minded(inner, hold_off),
            bar: Token::next(),
            renewed: Instant::now(),
        }
    }

    async fn run(mut self) -> Answer<()> {
        let ended = self.behind_a_bar().await;
        let done = ended.is_ok();
        for ((_, site), keys) in self.patterns.iter().zip(self.removed) {
            self.inner.emit(site, &Event::Swept { keys, done });
        }
        ended
    }

    async fn behind_a_bar(&mut self) -> Answer<()> {
        let store = &self.inner.store;
        let layout = store.layout().await?;
        let swept = match self.raise().await {
            Ok(_) => self.passes().await,
            Err(error) => Err(error),
        };
        // Unanswered, it runs out by itself.
        let stood = store.bar(self.bar, None, &self.prefixes()).await;
        swept?;
        match stood? && store.layout().await? == layout {
            true => Ok(()),
            false => Err(StoreError::Lost),
        }
    }

    async fn passes(&mut self) -> Answer<()> {
        self.pass().await?;
        self.pass().await
    }

    async fn pass(&mut self) -> Answer<()> {
        for piece in self.keys.chunks(MOST) {
            self.step(piece).await?;
            // Others may want to run.
            yield_now().await;
        }
        for at in 0..self.patterns.len() {
            let pattern = self.patterns[at].0;
            self.inner.flights.abandon_if(|key| pattern.matches(key));
            let matches = |key: &str| pattern.matches(key);
            self.removed[at] += self.scan(pattern.beginning(), matches).await?;
        }
        for prefix in self.tags.clone() {
            self.scan(&prefix, |_| true).await?;
        }
        Ok(())
    }

    /// Removes what begins so and matches, and gives the count.
    async fn scan(&mut self, prefix: &str, matches: impl Fn(&str) -> bool) -> Answer<usize> {
        let (mut found, mut cursor, mut removed) = (Vec::new(), 0, 0);
        loop {
            self.keep_up().await?;
            let (keys, next) = self.inner.store.scan(prefix, cursor).await?;
            found.extend(keys.into_iter().filter(|key| matches(key)));
            // Few may match of all that is scanned: they wait for a whole batch.
            let rest = if next == 0 { 0 } else { found.len() % MOST };
            for batch in found.split_off(rest).chunks(MOST) {
                self.step(batch).await?;
                removed += batch.len();
                tracing::debug!(
                    keys = batch.len(),
                    removed,
                    "a batch of a sweep was removed"
                );
            }
            if next == 0 {
                return Ok(removed);
            }
            cursor = next;
        }
    }

    async fn step(&mut self, keys: &[String]) -> Answer<()> {
        self.keep_up().await?;
        let answer = match at_once(self.inner, keys, self.hold_off).await {
            Err(error) if error.is_apart() => self.each(keys).await,
            answer => answer,
        };
        self.inner.flights.abandon_all(keys);
        answer
    }

    /// Where their slot is on its way to another server.
    async fn each(&self, keys: &[String]) -> Answer<()> {
        let each = keys.iter().map(slice::from_ref);
        let removed = each.map(|key| at_once(self.inner, key, self.hold_off));
        join_all(removed).await.into_iter().collect()
    }

    /// Gives the bar its whole life, long before it runs out.
    async fn keep_up(&mut self) -> Answer<()> {
        if self.renewed.elapsed() < self.life() / 3 {
            return Ok(());
        }
        self.raise().await?.then_some(()).ok_or(StoreError::Lost)
    }

    /// Whether the bar stood before.
    async fn raise(&mut self) -> Answer<bool> {
        self.renewed = Instant::now();
        let store = &self.inner.store;
        store
            .bar(self.bar, Some(self.life()), &self.prefixes())
            .await
    }

    fn life(&self) -> Duration {
        match self.inner.store.is_shared_out() {
            true => BARS,
            false => BAR,
        }
    }

    /// Keys beside patterns, or many of them, would be many prefixes: then it is the namespace.
    fn prefixes(&self) -> Vec<String> {
        if !self.keys.is_empty() {
            return vec![bars::prefix(&format!("{}:", self.inner.namespace))];
        }
        let patterns = self.patterns.iter();
        let mut prefixes: Vec<_> = patterns
            .map(|(pattern, _)| bars::prefix(pattern.beginning()))
            .collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes
    }
}

/// Removes what stands under `keys`, at most [`MOST`], as one thing: every invalidation, sent or replayed,
/// comes down to this.
async fn step(inner: &Inner, keys: &[String], hold_off: Option<Duration>) -> Answer<()> {
    let hold_off = minded(inner, hold_off);
    let answer = match are_together(inner, keys) {
        true => Some(at_once(inner, keys, hold_off).await),
        false => None,
    };
    let answer = match answer {
        Some(answer) if !answer.as_ref().is_err_and(StoreError::is_apart) => answer,
        _ => one_by_one(inner, keys, hold_off).await,
    };
    // Their fills are refused from now on, so nobody should wait for them any more.
    inner.flights.abandon_all(keys);
    answer
}

/// Whether one step can name them.
pub(crate) fn are_together(inner: &Inner, keys: &[String]) -> bool {
    if keys.len() > MOST {
        return false;
    }
    let mut slots = keys.iter().map(slot);
    let first = slots.next();
    !inner.store.is_shared_out() || slots.all(|slot| Some(slot) == first)
}

/// The hold-off of a cache that is guarded. In another it is not minded, on several servers as little as on one.
fn minded(inner: &Inner, hold_off: Option<Duration>) -> Option<Duration> {
    hold_off.filter(|_| inner.journal.is_guarded())
}

/// Where tombstones may stand it spares them, and leaves one for the time of the hold-off.
async fn at_once(inner: &Inner, keys: &[String], hold_off: Option<Duration>) -> Answer<()> {
    // One that goes over several servers has tombstones too.
    match inner.journal.is_guarded() || inner.store.is_shared_out() {
        true => inner.store.invalidate_guarded(keys, hold_off).await,
        false => inner.store.invalidate(keys).await,
    }
}

/// See the module. What can be removed is, whatever became of the others.
async fn one_by_one(inner: &Inner, keys: &[String], hold_off: Option<Duration>) -> Answer<()> {
    let (store, each) = (&inner.store, || keys.iter().map(slice::from_ref));
    for _ in 0..TRIES {
        let token = Token::next();
        let begun = join_all(each().map(|key| begin(inner, key, token))).await;
        let ended = join_all(each().map(|key| store.end(key, token, hold_off))).await;
        begun.into_iter().collect::<Answer<()>>()?;
        let stood: Vec<_> = ended.into_iter().collect::<Answer<_>>()?;
        if stood.into_iter().all(|stood| stood) {
            return Ok(());
        }
    }
    Err(StoreError::Lost)
}

/// Of what is no string, and so of somebody else, there is no tombstone until it is gone.
async fn begin(inner: &Inner, key: &[String], token: Token) -> Answer<()> {
    match inner.store.begin(key, token, BAR).await {
        Err(StoreError::WrongType) => {
            at_once(inner, key, None).await?;
            inner.store.begin(key, token, BAR).await
        }
        // It is spared.
        Err(error) if error.is_pending() => Ok(()),
        begun => begun,
    }
}

#[cfg(test)]
mod schedules;
