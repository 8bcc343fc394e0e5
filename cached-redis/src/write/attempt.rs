//! An invalidation on its way: however it ends, what the store has not confirmed is in the journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tracing::Span;

use crate::engine::handle::Inner;
use crate::engine::remove;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::{DIRECT, Site};
use crate::observe::span;
use crate::protocol::journal::Attempt;
use crate::protocol::outbox::Announcement;
use crate::store::many::MOST;
use crate::store::{Answer, Errand};
use crate::wire::targets::Targets;
use crate::write::invalidation::Invalidation;
use crate::write::parcel::Parcel;
use crate::write::publish;

/// What one writer has made outdated, who is counted for it.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) site: &'static Site,
    pub(crate) targets: Targets,
    /// Whether others are to hear of it.
    pub(crate) publish: bool,
}

/// An invalidation on its way. However it ends, it is not lost: a task that a runtime drops at its
/// shutdown drops this too, before its end, and it is deferred. For runtimes that nobody drives see
/// [`dispatch`](crate::write::dispatch).
pub(crate) struct Sending {
    inner: Arc<Inner>,
    targets: Arc<Targets>,
    shares: Vec<Share>,
    hold_off: Option<Duration>,
    /// What others are to hear of it.
    events: Vec<Announcement>,
    /// It lasts as long as this.
    span: Span,
    ended: bool,
}

/// How many of the targets a writer is counted for, in their order.
struct Share {
    site: &'static Site,
    keys: usize,
    patterns: usize,
}

impl Share {
    fn of(site: &'static Site, targets: &Targets) -> Self {
        let (keys, patterns) = (targets.keys.len(), targets.patterns.len());
        Self {
            site,
            keys,
            patterns,
        }
    }
}

impl Sending {
    /// What one writer has made outdated.
    pub(crate) fn new(
        inner: &Arc<Inner>,
        site: &'static Site,
        targets: &Arc<Targets>,
        hold_off: Option<Duration>,
        event: Option<Announcement>,
    ) -> Self {
        Self {
            inner: Arc::clone(inner),
            targets: Arc::clone(targets),
            shares: vec![Share::of(site, targets)],
            hold_off,
            span: span::invalidation(site.name, targets),
            events: event.into_iter().collect(),
            ended: false,
        }
    }

    /// What several have made outdated.
    pub(crate) fn of(inner: &Arc<Inner>, parts: Vec<Part>, hold_off: Option<Duration>) -> Self {
        let (mut shares, mut events) = (Vec::with_capacity(parts.len()), Vec::new());
        let mut each = Vec::with_capacity(parts.len());
        for Part {
            site,
            targets,
            publish,
        } in parts
        {
            let targets = Arc::new(targets);
            shares.push(Share::of(site, &targets));
            events.extend(publish.then(|| Announcement::new(&inner.outbox, site, &targets)));
            each.push(targets);
        }
        let targets = match each.as_slice() {
            [only] => Arc::clone(only),
            several => Arc::new(
                several
                    .iter()
                    .map(|targets| Targets::clone(targets))
                    .collect(),
            ),
        };
        Self {
            inner: Arc::clone(inner),
            span: span::invalidation(named(&shares), &targets),
            targets,
            shares,
            hold_off,
            events,
            ended: false,
        }
    }

    pub(crate) fn parcel(&self) -> Parcel {
        Parcel {
            targets: vec![Arc::clone(&self.targets)],
            hold_off: self.hold_off,
            events: self.events.clone(),
        }
    }

    pub(crate) async fn send(self) -> Invalidation {
        if self.targets.is_empty() {
            return Invalidation::Done;
        }
        let attempt = self.inner.journal.begin();
        let of_patterns = |share: &Share| std::iter::repeat_n(share.site, share.patterns);
        let sites = self.shares.iter().flat_map(of_patterns);
        let patterns = self.targets.patterns.iter().zip(sites).collect();
        let keys = &self.targets.keys;
        let answer = remove::remove(&self.inner, keys, patterns, self.hold_off).await;
        self.answered(attempt, answer).await
    }

    /// Ends with what the store has answered.
    pub(crate) async fn answered(mut self, attempt: Attempt, answer: Answer<()>) -> Invalidation {
        let confirmed = match answer {
            Ok(()) => self.confirm_all(attempt).await,
            Err(error) => Err(error),
        };
        let ended = self.end(attempt, &confirmed);
        self.announce().await;
        ended
    }

    /// Whether it is one removal, which the store takes now, and nobody else has to hear of.
    pub(crate) fn is_step(&self) -> bool {
        let Targets { keys, patterns } = &*self.targets;
        let is_plain = self.hold_off.is_none() && !self.inner.journal.is_guarded();
        let is_one = patterns.is_empty() && self.inner.store.takes(Errand::Remove(keys));
        is_plain && self.is_quiet() && is_one
    }

    pub(crate) fn hold_off(&self) -> Option<Duration> {
        self.hold_off
    }

    /// Whether nobody else has to hear of it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn place(&self) -> (Arc<Inner>, Arc<Targets>) {
        (Arc::clone(&self.inner), Arc::clone(&self.targets))
    }

    /// The same as [`answered`](Self::answered) of such a step.
    pub(crate) fn told(mut self, attempt: Attempt, answer: Answer<()>) -> Invalidation {
        self.inner.flights.abandon_all(&self.targets.keys);
        let confirmed = answer.and_then(|()| self.confirm(attempt, &self.targets));
        self.end(attempt, &confirmed)
    }

    fn end(&mut self, attempt: Attempt, confirmed: &Answer<()>) -> Invalidation {
        self.ended = true;
        let span = self.span.clone();
        let _entered = span.enter();
        match confirmed {
            Ok(()) => {
                // A sweep has told how many keys it has removed.
                self.tell(|share| share.keys, Event::Invalidated);
                Invalidation::Done
            }
            Err(error) => self.defer(attempt, error),
        }
    }

    async fn confirm_all(&self, attempt: Attempt) -> Answer<()> {
        for (at, piece) in self.targets.pieces(MOST).iter().enumerate() {
            // Lets others run before the second piece of many keys, and before each that follows.
            if at > 0 {
                yield_now().await;
            }
            self.confirm(attempt, piece)?;
        }
        Ok(())
    }

    /// Settles what is kept of `targets`; an error if the server has changed meanwhile.
    fn confirm(&self, attempt: Attempt, targets: &Targets) -> Answer<()> {
        let settled = self.inner.journal.confirm(attempt, targets);
        settled.map(drop).ok_or(StoreError::Lost)
    }

    /// To be called at the end: what is deferred is in the journal, which this waits for.
    async fn announce(&mut self) {
        // One by one: what is dropped meanwhile is kept.
        while !self.events.is_empty() {
            let event = self.events.remove(0);
            publish::publish(&self.inner, event).await;
        }
    }

    /// Ends with the value that was written in the place of what stood there, an entry of so many bytes.
    pub(crate) async fn stored(mut self, attempt: Attempt, size: usize) -> Invalidation {
        let ended = self.replace(attempt, size);
        self.announce().await;
        ended
    }

    /// The same of what nobody else has to hear of.
    pub(crate) fn replaced(mut self, attempt: Attempt, size: usize) -> Invalidation {
        self.replace(attempt, size)
    }

    fn replace(&mut self, attempt: Attempt, size: usize) -> Invalidation {
        self.ended = true;
        match self.inner.journal.replaced(attempt, &self.targets) {
            true => {
                self.tell(|share| share.keys, |_| Event::Fill(size));
                Invalidation::Done
            }
            false => self.defer(attempt, &StoreError::Lost),
        }
    }

    /// Reads of these keys bypass the cache from here on, so before anybody learns of the end.
    fn defer(&self, attempt: Attempt, error: &StoreError) -> Invalidation {
        let journal = &self.inner.journal;
        if journal.keep(attempt, &self.targets, self.hold_off) {
            self.inner.emit(&DIRECT.site, &Event::JournalOverflow);
        }
        let count = |share: &Share| share.keys + share.patterns;
        self.tell(count, |targets| Event::Deferred(targets, error));
        self.inner.runtime.tend();
        Invalidation::Deferred
    }

    /// To each writer, for its share of the targets.
    fn tell<'a>(&self, count: impl Fn(&Share) -> usize, event: impl Fn(usize) -> Event<'a>) {
        let counted = self.shares.iter().map(|share| (share.site, count(share)));
        for (site, count) in counted.filter(|(_, count)| *count > 0) {
            self.inner.emit(site, &event(count));
        }
    }
}

/// The writer, or the first of several.
fn named(shares: &[Share]) -> &'static str {
    shares
        .first()
        .map_or(DIRECT.site.name, |share| share.site.name)
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.ended && !self.targets.is_empty() {
            let attempt = self.inner.journal.begin();
            self.defer(attempt, &StoreError::Unavailable);
        }
        for event in std::mem::take(&mut self.events) {
            publish::keep(&self.inner, event);
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::engine::handle::Cache;
    use crate::store::faults::Faults;

    #[tokio::test(start_paused = true)]
    async fn each_event_is_published_wherever_its_invalidation_is_dropped() {
        for milliseconds in 0..40 {
            let faults = Faults::seeded(7).delay(1.0, Duration::from_millis(5));
            let builder = Cache::builder().url("memory://").faults(faults);
            let cache = builder.build().await.unwrap();
            let part = |key: &str| Part {
                site: &DIRECT.site,
                targets: vec![key.to_owned()].into(),
                publish: true,
            };
            let sending = Sending::of(&cache.inner, vec![part("app:a"), part("app:b")], None);
            let dropped = Duration::from_millis(milliseconds);
            let _ = tokio::time::timeout(dropped, sending.send()).await;
            cache.flush().await.unwrap();
            let published = cache.stats().total().published_events;
            assert_eq!(published, 2, "dropped after {milliseconds} ms");
        }
    }
}
