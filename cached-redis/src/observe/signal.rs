//! What becomes of events: the counters of [`Stats`](crate::stats::Stats) and what `tracing` is told, from one table.

use std::fmt;

use tracing::Level;
use tracing::field::display;
use tracing::level_filters::LevelFilter;

use crate::error::Unguarded;
use crate::error::pending::Pending;
use crate::observe::event::Event;
use crate::observe::registry::Site;
use crate::observe::stats::{Count, Counters};
use crate::observe::warnings::Warnings;
use crate::util::histogram::Buckets;
use crate::util::warning::say;

/// Counts `event` and tells `tracing`.
#[inline]
pub(crate) fn emit(counters: &Counters, warnings: &Warnings, site: &Site, event: &Event<'_>) {
    match event {
        Event::LocalHit if !is_traced() => counters.add(Count::LocalHits, 1),
        Event::Hit if !is_traced() => {
            counters.add(Count::Hits, 1);
            warnings.answered();
        }
        _ => emit_any(counters, warnings, site, event),
    }
}

fn emit_any(counters: &Counters, warnings: &Warnings, site: &Site, event: &Event<'_>) {
    let signal = Signal::of(event);
    for (count, n) in signal.counts.into_iter().filter(|(_, n)| *n > 0) {
        counters.add(count, n);
    }
    if let Some((buckets, size)) = signal.measured {
        buckets(counters).record(size);
    }
    if let Event::Hit | Event::Fill(_) | Event::Miss | Event::Invalidated(_) | Event::Replayed(_) =
        event
    {
        warnings.answered();
    }
    match !signal.floods || warnings.is_reported(site.name, signal.text) {
        true => signal.tell(site.name, event),
        false => tracing::debug!(function = site.name, ?event, "as was told before"),
    }
}

/// Whether somebody may listen at `trace`, which is all that is told of a hit: to ask the table would cost a good part
/// of one in process memory.
#[inline]
fn is_traced() -> bool {
    cfg!(feature = "log") || LevelFilter::current() >= Level::TRACE
}

/// Tells that a cache ended with invalidations that the store has not confirmed.
pub(crate) fn abandoned(pending: Pending) {
    if pending.keys == 0 && pending.patterns == 0 && !pending.namespace {
        return crate::util::warning::warn!(%pending, "a cache was dropped before its events were published");
    }
    crate::util::warning::warn!(
        %pending,
        "a cache was dropped before its deferred invalidations were replayed: \
         readers may see old values until their TTL"
    );
}

/// One of the histograms.
type Chosen = fn(&Counters) -> &Buckets;

/// What becomes of an event: one line of the table says all of it.
struct Signal<'a> {
    level: Level,
    text: &'static str,
    counts: [(Count, u64); 3],
    /// What it adds to, and how much.
    measured: Option<(Chosen, u64)>,
    keys: Option<usize>,
    error: Option<&'a dyn fmt::Display>,
    reader: Option<&'static str>,
    /// Whether it may come with every operation: it is told once, and then counted.
    floods: bool,
}

const fn says<'a>(level: Level, text: &'static str) -> Signal<'a> {
    Signal {
        level,
        text,
        counts: [(Count::Errors, 0); 3],
        measured: None,
        keys: None,
        error: None,
        reader: None,
        floods: false,
    }
}

const fn trace<'a>(text: &'static str) -> Signal<'a> {
    says(Level::TRACE, text)
}

const fn debug<'a>(text: &'static str) -> Signal<'a> {
    says(Level::DEBUG, text)
}

const fn info<'a>(text: &'static str) -> Signal<'a> {
    says(Level::INFO, text)
}

const fn warn<'a>(text: &'static str) -> Signal<'a> {
    says(Level::WARN, text)
}

const fn error<'a>(text: &'static str) -> Signal<'a> {
    says(Level::ERROR, text)
}

/// One that is counted and is of no interest but to `trace`.
const fn counted<'a>(count: Count) -> Signal<'a> {
    trace("cache").count(count)
}

impl<'a> Signal<'a> {
    const fn count(self, count: Count) -> Self {
        self.counts(count, 1)
    }

    const fn counts(mut self, count: Count, n: u64) -> Self {
        self.counts = [(count, n), self.counts[0], self.counts[1]];
        self
    }

    const fn measured(mut self, buckets: fn(&Counters) -> &Buckets, size: u64) -> Self {
        self.measured = Some((buckets, size));
        self
    }

    const fn keys(mut self, keys: usize) -> Self {
        self.keys = Some(keys);
        self
    }

    const fn error(mut self, error: &'a dyn fmt::Display) -> Self {
        self.error = Some(error);
        self
    }

    const fn floods(mut self) -> Self {
        self.floods = true;
        self
    }

    /// What it is if it is not the first one of its function.
    const fn first(mut self, first: bool) -> Self {
        if !first {
            (self.level, self.text) = (Level::DEBUG, "again, for the reason told before");
        }
        self
    }

    /// The table of all events.
    fn of(event: &'a Event<'_>) -> Self {
        use {Count as C, Event as E};
        match event {
            E::Hit => counted(C::Hits),
            E::LocalHit => counted(C::LocalHits),
            E::Stale => counted(C::Stale),
            E::Renewing => counted(C::Renewals),
            E::ShadowHit => counted(C::ShadowHits),
            E::Audited { fresh: true } => counted(C::Audits),
            E::Audited { fresh: false } => warn("the cache holds a value that the source no longer has: does every writer invalidate its key?")
            .floods()
            .count(C::Audits)
            .count(C::StaleAudits),
            E::Joined => counted(C::Joined),
            E::Miss => counted(C::Misses),
            E::Wait => counted(C::Waits),
            E::Bypass => counted(C::Bypasses),
            E::Nested(first) => warn("a load calls this function for the very key that it loads: the inner call runs without the cache")
            .first(*first),
            E::TimedOut => debug("cache").count(C::Timeouts),
            E::Loaded { took, failed } => {
                let micros = took.as_micros() as u64;
                counted(C::Loads)
                    .counts(C::LoadMicros, micros)
                    .counts(C::LoadErrors, u64::from(*failed))
                    .measured(|counters| &counters.load_times, micros)
            }
            E::Outlasted(first) => warn("a result took longer to load than it is kept: make its TTL longer, or do not cache it")
                .first(*first),
            E::Fill(size) => {
                counted(C::Fills).measured(|counters| &counters.value_bytes, *size as u64)
            }
            E::Marked => trace("cache"),
            E::Refused => debug("cache").count(C::RefusedFills),
            E::Lapsed => debug("a lease was not renewed in time and its result is not stored: is the runtime blocked?")
            .count(C::LapsedFills),
            E::Undecodable => debug("an entry could not be read and is replaced")
                .count(C::Undecodable),
            E::Packed => warn("an entry is compressed, and is a miss to a program without the feature `zstd` of `cached-redis`: turn \
                 it on in all programs of the namespace")
            .floods(),
            E::Outdated => counted(C::Outdated),
            E::FellBack { error, compared: true } => warn("the codec cannot read this type back, MessagePack is used from now on; \
                 write `codec = msgpack` to choose it yourself")
            .error(error),
            E::FellBack {
                error,
                compared: false,
            } => warn("the codec cannot read this type back, MessagePack is used from now on; what `Serialize` \
                 leaves out or alters is lost in it, which is only seen of a type that is `PartialEq`")
            .error(error),
            E::NotAdditive(first) => error("`schema = \"additive\"` needs a codec that describes itself, such as `msgpack` or `json`: \
                 entries of another shape are misses")
            .first(*first),
            E::Unstorable(error, first) => warn("a value cannot be kept and is loaded each time")
                .error(error)
                .count(C::Unstorable)
                .first(*first),
            E::TooLarge(first) => warn("a value is larger than `max_value_bytes`, or than the server takes, and is loaded each time")
            .count(C::TooLarge)
            .first(*first),
            E::KeyFailed => error("a key could not be rendered, the call is not cached")
                .floods()
                .count(C::Errors),
            E::SharedKey => error("the function has one key in several types and runs uncached: write `<Self>`, or the type \
                 parameter as `<T>`, in its `key`, and implement `KeyName`")
            .count(C::Errors),
            E::NoVersion => warn("the source's version is not known, the call is not cached")
                .floods()
                .count(C::Errors),
            E::TooManyTags => error("more tags than an entry can have, the call is not cached")
                .floods()
                .count(C::Errors),
            E::Unlabelled { reader, first } => Self {
                reader: Some(reader),
                ..warn("a value was written without the tags or the version that the reader of its key has: it \
                     is not stored, and the key is invalidated")
                .count(C::Errors)
            }
            .first(*first),
            E::LongValidator => warn("a validator is longer than an entry can have, its value is kept without it")
            .floods(),
            E::NoPolicy(first) => error("the policy is unknown, gives no TTL, or is out of range: the call is not cached")
            .count(C::Errors)
            .first(*first),
            // To a read that finds it away: counted as what that does then, a bypass or a wait.
            E::Failed(error) | E::Away(error) => {
                let counts = !matches!(event, E::Away(error) if error.is_away());
                warn("the store failed, the function runs without it")
                    .floods()
                    .error(error)
                    .counts(C::Errors, u64::from(counts))
            }
            E::Invalidated(keys) => debug("cache").counts(C::Invalidations, *keys as u64),
            E::Swept { keys, done } => debug(if *done { "a sweep has ended" } else { "a sweep was broken off" })
                .counts(C::Invalidations, *keys as u64),
            E::Deferred(keys, error) => warn("an invalidation was not confirmed: it is replayed as soon as the store answers, \
                 until then other processes may see the old value and this one bypasses the cache")
            .floods()
            .keys(*keys)
            .error(error)
            .counts(C::DeferredInvalidations, *keys as u64),
            E::Replayed(keys) => info("deferred invalidations were replayed")
                .keys(*keys)
                .counts(C::ReplayedInvalidations, *keys as u64),
            E::Repeated(keys) => info("invalidations that the server before had confirmed were repeated")
            .keys(*keys)
            .counts(C::RepeatedInvalidations, *keys as u64),
            E::JournalOverflow => warn("more invalidations are deferred than can be kept one by one: this process bypasses \
                 the whole namespace until all of it is invalidated"),
            E::Unguarded(Unguarded::NotEnabled) => error("`guard` and `replica_lag` need `guarded(true)` on the builder: the write goes on without")
            .floods()
            .count(C::UnguardedWrites),
            E::Unguarded(reason) => {
                warn("a write could not be guarded and goes on in one phase")
                    .floods()
                    .error(reason)
                    .count(C::UnguardedWrites)
            }
            E::GuardLapsed => warn("the tombstone of a guarded write was gone before its end: was its hold too short, or Redis full?")
            .floods()
            .count(C::UnguardedWrites),
            E::WriteRefused(reason) => warn("a write that must be guarded could not be, and is refused")
            .floods()
            .error(reason)
            .count(C::Errors),
            E::LockLost => warn("a lock was lost before it was released: others may hold it now")
            .floods()
            .count(C::LostLocks),
            E::Accepted => counted(C::AcceptedWrites),
            E::NotAccepted(busy) => warn("a write was not accepted into its queue")
                .floods()
                .error(busy)
                .count(C::RefusedWrites),
            E::Applied => counted(C::AppliedWrites),
            E::Coalesced => counted(C::CoalescedWrites),
            E::NotApplied => warn("a write of the queue has failed and is tried again")
                .floods()
                .count(C::FailedWrites),
            E::Buried { why, writes } => error("a write of the queue is given up and is a dead letter now, as are those of its key that \
                 were behind it: an operator has to put them back, or drop them")
            .error(why)
            .counts(C::DeadLetters, *writes),
            E::GraveFull => error("there are as many dead letters as there may be: a write that has failed for good holds up \
                 all others of its partition")
            .floods()
            .count(C::FailedWrites),
            E::LostKey => error("the key of an invalidation could not be rendered: readers may see the old value until its TTL")
            .floods()
            .count(C::LostInvalidations),
            E::Published => trace("events").count(C::Published),
            E::PublishDeferred(None) => {
                debug("an event waits for its invalidation").count(C::DeferredEvents)
            }
            E::PublishDeferred(Some(error)) => warn("an event could not be published yet and is sent later")
            .floods()
            .error(error)
            .count(C::DeferredEvents),
            E::PublishLost => error("an event is not published: too many wait for the store already")
            .floods()
            .count(C::LostEvents),
            E::Ingested => trace("events").count(C::Ingested),
            E::Malformed(kind, first) => warn("a message that should invalidate something was refused")
                .error(kind)
                .count(C::Malformed)
                .first(*first),
            E::IngestionGap => warn("messages that should invalidate something may have been missed: readers may see old \
                 values until their TTL")
            .floods()
            .count(C::IngestionGaps),
            E::ConsumptionGap => error("entries of a stream of invalidations are gone unread, or its group is new: the whole \
                 namespace is removed")
            .floods()
            .count(C::IngestionGaps),
        }
    }

    fn tell(&self, function: &str, event: &Event<'_>) {
        let Self {
            text, keys, reader, ..
        } = *self;
        let error = self.error.map(display);
        match self.level {
            Level::TRACE => tracing::trace!(function, ?event, "{text}"),
            Level::DEBUG => tracing::debug!(function, ?event, "{text}"),
            Level::INFO => tracing::info!(function, keys, "{text}"),
            Level::WARN => tracing::warn!(function, reader, keys, error, "{text}"),
            Level::ERROR => tracing::error!(function, reader, keys, error, "{text}"),
        }
        if self.level <= Level::WARN {
            let reader = reader.map(|reader| format!(" reader={reader}"));
            let keys = keys.map(|keys| format!(" keys={keys}"));
            let error = self.error.map(|error| format!(" error={error}"));
            let said = [reader, keys, error]
                .map(Option::unwrap_or_default)
                .concat();
            say(format_args!("{text} function={function}{said}"));
        }
    }
}
