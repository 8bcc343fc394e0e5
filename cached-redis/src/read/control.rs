//! Per-call wishes, said on the future itself: `.uncached()`, `.refreshed()`, `.with_info()`.
//!
//! They travel in a task-local to the first annotated call that the future makes, which takes them
//! away, so that calls inside it are not affected. A call without wishes pays one look at an
//! unset task-local.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::observe::status::Status;
use crate::wire::entry::Header;

tokio::task_local! {
    static CONTROL: Control;
}

/// How a call wants to use the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// Look, else load and fill.
    #[default]
    Cached,
    /// Load and fill without looking.
    Refreshed,
    /// Load, neither look nor fill.
    Uncached,
}

/// What one call was asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) mode: Mode,
    /// Whether anybody reads the [`CacheInfo`].
    pub(crate) info: bool,
}

#[derive(Default)]
struct Control {
    wish: Cell<Option<Wish>>,
    info: RefCell<CacheInfo>,
}

/// Takes the wish that is meant for the call that starts now.
pub(crate) fn take() -> Wish {
    CONTROL
        .try_with(|control| control.wish.take())
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Says how the call that took its wish went.
pub(crate) fn report(info: CacheInfo) {
    // Without the task-local nobody asked.
    let _ = CONTROL.try_with(|control| control.info.replace(info));
}

/// Runs `future` so that its first annotated call gets `wish`.
fn with<F: Future>(
    mode: Mode,
    info: bool,
    future: F,
) -> impl Future<Output = (F::Output, CacheInfo)> {
    // Handed on as it is, it would have its place six times, and calls inside of calls multiply that.
    let future = Box::pin(future);
    async move {
        let outer = take();
        let wish = Wish {
            mode: mode.max(outer.mode),
            info: info || outer.info,
        };
        let control = Control {
            wish: Cell::new(Some(wish)),
            ..Control::default()
        };
        let (output, info) = CONTROL
            .scope(control, async {
                let output = future.await;
                (output, CONTROL.with(|control| control.info.take()))
            })
            .await;
        if outer.info {
            report(info.clone());
        }
        (output, info)
    }
}

/// Says, for one call, how it uses the cache. Implemented for every future.
///
/// The wish applies to the first annotated call that the future makes and not to calls inside it.
///
/// ```
/// use cached_redis::{Cache, CachedExt as _, Status, redis_cached};
///
/// #[redis_cached(ttl = 60, key = "square:<n>")]
/// async fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let cache = Cache::builder().url("memory://").build().await?;
/// cache
///     .scope(async {
///         assert_eq!(square(4).uncached().await, 16); // runs, and leaves the cache alone
///         let (value, info) = square(4).with_info().await;
///         assert_eq!((value, info.status()), (16, Status::Miss));
///         assert_eq!(square(4).refreshed().await, 16); // runs, and stores
///     })
///     .await;
/// # Ok(())
/// # }
/// ```
pub trait CachedExt: Future + Sized {
    /// Runs the function; neither looks into the cache nor stores.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future itself.
    fn uncached(self) -> impl Future<Output = Self::Output> {
        let future = with(Mode::Uncached, false, self);
        async { future.await.0 }
    }

    /// Runs the function without looking into the cache, and stores the result. Like every fill,
    /// it is refused when an invalidation came in between.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the function has returned, nothing is stored.
    fn refreshed(self) -> impl Future<Output = Self::Output> {
        let future = with(Mode::Refreshed, false, self);
        async { future.await.0 }
    }

    /// Also says how the cache answered. A future that makes no annotated call answers
    /// [`Status::Bypass`].
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future itself.
    fn with_info(self) -> impl Future<Output = (Self::Output, CacheInfo)> {
        with(Mode::Cached, true, self)
    }
}

impl<F: Future> CachedExt for F {}

/// How the cache answered a call, and what it knows about the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct CacheInfo {
    pub(crate) status: Status,
    pub(crate) key: Option<String>,
    pub(crate) age: Option<Duration>,
    pub(crate) time_left: Option<Duration>,
    pub(crate) version: Option<u128>,
}

impl CacheInfo {
    /// `header`: that of the entry which answers, or is made of the answer.
    pub(crate) fn of(status: Status, key: &str, header: Option<&Header>, now_ms: u64) -> Self {
        let key = (status != Status::Bypass).then(|| key.to_owned());
        let Some(header) = header else {
            return Self {
                status,
                key,
                ..Self::default()
            };
        };
        let age = Duration::from_millis(now_ms.saturating_sub(header.filled_at));
        let life = (header.soft_ttl > 0).then(|| Duration::from_millis(header.soft_ttl.into()));
        Self {
            status,
            key,
            age: Some(age),
            time_left: life.map(|life| life.saturating_sub(age)),
            version: Some(header.token.number()),
        }
    }

    /// Whether an entry has answered, or was made of the answer.
    pub(crate) fn has_entry(&self) -> bool {
        self.age.is_some()
    }

    /// Where the answer came from.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The full key, namespace included; `None` when the cache took no part, and for a
    /// [batch](crate::docs::batches#batches), which has many.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// How long ago the entry was filled, by the store's clock; `None` where there is none: the cache
    /// took no part, or the result is an error or not to be kept.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// How long the entry stays fresh, by the store's clock: zero for a stale one; `None` also for a TTL beyond 49 days,
    /// which entries do not record. It is the entry's own TTL that is counted, [jitter](crate::Jitter) included,
    /// which by default makes it up to 5 % longer than the one that was asked for.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.time_left
    }

    /// A number that is new for every stored value, fit for an `ETag`; `None` where there is no entry, and
    /// for a batch.
    #[must_use]
    pub fn version(&self) -> Option<u128> {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wishes_meet_and_the_first_call_takes_them() {
        let call = async {
            let wish = take();
            report(CacheInfo {
                status: Status::Hit,
                ..CacheInfo::default()
            });
            (wish.mode, wish.info, take().mode)
        };
        let (seen, info) = call.refreshed().with_info().await;
        assert_eq!(seen, (Mode::Refreshed, true, Mode::Cached));
        assert_eq!(info.status(), Status::Hit);
    }

    #[tokio::test]
    async fn a_future_without_a_call_is_a_bypass() {
        let (value, info) = async { 1 }.with_info().await;
        assert_eq!((value, info.status()), (1, Status::Bypass));
    }
}
