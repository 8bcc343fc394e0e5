//! Per-call wishes, said on the future itself: `.uncached()`, `.refreshed()`, `.with_info()`.
//!
//! They travel in a task-local to the first annotated call that the future makes, which takes them
//! away, so that calls inside it are not affected. A call without wishes pays one look at an
//! unset task-local, which also leads to whoever collects [what is read](crate::read::reads).

use std::mem;
use std::sync::Arc;

use tokio::task::LocalKey;

use crate::read::info::CacheInfo;
use crate::read::reads::{Place, Reading, Reads};
use crate::util::lock::Mutex;
use crate::util::within::{Local, Within};

tokio::task_local! {
    static CONTROL: Arc<Control>;
}

impl Local for Arc<Control> {
    fn key() -> &'static LocalKey<Self> {
        &CONTROL
    }
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
    /// Where it is collected.
    pub(crate) place: Option<Place>,
}

impl Wish {
    /// Whether anybody wants to know how the call goes.
    pub(crate) fn is_told(&self) -> bool {
        self.info || self.place.is_some()
    }
}

#[derive(Default)]
struct Control {
    wish: Mutex<Option<Wish>>,
    info: Mutex<CacheInfo>,
    /// Also for the calls that follow.
    reads: Option<Reading>,
}

/// Takes the wish that is meant for the call that starts now.
#[inline]
pub(crate) fn take() -> Wish {
    let taken = CONTROL.try_with(|control| Wish {
        place: control.reads.as_ref().and_then(Reading::begin),
        ..control.wish.lock().take().unwrap_or_default()
    });
    taken.unwrap_or_default()
}

/// The place of a read that takes no wishes. Until it says more it is a bypass.
pub(crate) fn begin() -> Option<Place> {
    let place = CONTROL.try_with(|control| control.reads.as_ref()?.begin());
    place.ok().flatten()
}

/// Says how the call that took its wish went.
pub(crate) fn report(info: CacheInfo) {
    // Without the task-local nobody asked.
    let _ = CONTROL.try_with(|control| *control.info.lock() = info);
}

/// Says how the part of it went that `key` is.
pub(crate) fn collect(place: Option<Place>, key: &str, info: impl FnOnce() -> CacheInfo) {
    let Some(place) = place else { return };
    let _ = CONTROL.try_with(|control| {
        if let Some(reads) = &control.reads {
            reads.tell(place, key, info());
        }
    });
}

/// Those that are collected here.
fn reads_here() -> Option<Reading> {
    let reads = CONTROL.try_with(|control| control.reads.clone());
    reads.ok().flatten()
}

/// What was read so far, if that is collected.
pub(crate) fn read_so_far() -> Option<Reads> {
    reads_here().map(|reads| reads.read())
}

/// Runs `future` so that its first annotated call gets `wish`.
fn with<F: Future>(
    mode: Mode,
    info: bool,
    future: F,
) -> impl Future<Output = (F::Output, CacheInfo)> {
    // Handed on as it is, it would have several places, and calls inside of calls multiply that.
    let future = Box::pin(future);
    async move {
        let outer = CONTROL.try_with(|control| control.wish.lock().take());
        let outer = outer.ok().flatten().unwrap_or_default();
        let wish = Wish {
            mode: mode.max(outer.mode),
            info: info || outer.info,
            place: None,
        };
        let control = Arc::new(Control {
            wish: Mutex::new(Some(wish)),
            reads: reads_here(),
            ..Control::default()
        });
        let output = Within::new(Some(Arc::clone(&control)), future).await;
        let info = mem::take(&mut *control.info.lock());
        if outer.info {
            report(info.clone());
        }
        (output, info)
    }
}

/// Runs `future` where what is read is told to `reads`.
fn among<F: Future>(reads: Option<Reading>, future: F) -> impl Future<Output = F::Output> {
    let future = Box::pin(future);
    async move {
        // Where it runs, and not where it was made.
        let reads = reads.map(Reading::here);
        let control = Arc::new(Control {
            reads,
            ..Control::default()
        });
        Within::new(Some(control), future).await
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
    /// [`Status::Bypass`](crate::Status::Bypass).
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future itself.
    fn with_info(self) -> impl Future<Output = (Self::Output, CacheInfo)> {
        with(Mode::Cached, true, self)
    }

    /// Also says of each cached read that the future makes how the cache answered: what a response is made of, say.
    /// See [`Reads`] for what counts as one.
    ///
    /// ```
    /// use cached_redis::{Cache, CachedExt as _, redis_cached};
    ///
    /// #[redis_cached(ttl = 60, key = "square:<n>")]
    /// async fn square(n: u64) -> u64 {
    ///     n * n
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// let cache = Cache::builder().url("memory://").namespace("shop").build().await?;
    /// let page = async { square(3).await + square(4).await };
    /// let (sum, reads) = cache.scope(page.with_reads()).await;
    ///
    /// assert_eq!(sum, 25);
    /// let keys: Vec<_> = reads.iter().filter_map(|read| read.key()).collect();
    /// assert_eq!(keys, ["shop:square:3", "shop:square:4"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future itself.
    fn with_reads(self) -> impl Future<Output = (Self::Output, Reads)> {
        let reads = Reading::default();
        let future = among(Some(reads.clone()), self);
        async move {
            let (outer, place) = (reads_here(), begin());
            let output = future.await;
            let reads = reads.read();
            if let (Some(outer), Some(place)) = (outer, place) {
                outer.include(place, &reads);
            }
            (output, reads)
        }
    }

    /// Counts what the future reads among the [`Reads`] that are collected where this is called: for a future that
    /// is spawned, which else nobody hears of.
    ///
    /// ```
    /// # use cached_redis::{CachedExt as _, redis_cached};
    /// # #[redis_cached(ttl = 60, key = "square:<n>")]
    /// # async fn square(n: u64) -> u64 {
    /// #     n * n
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let page = async {
    ///     let task = tokio::spawn(square(3).collected());
    ///     task.await.unwrap()
    /// };
    /// let (nine, reads) = page.with_reads().await;
    /// assert_eq!((nine, reads.iter().count()), (9, 1));
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future itself.
    fn collected(self) -> impl Future<Output = Self::Output> {
        among(reads_here().filter(Reading::is_here), self)
    }
}

impl<F: Future> CachedExt for F {}

#[cfg(test)]
mod tests;
