//! Filling a cache ahead of its readers.
//!
//! A warm-up only calls functions, a bounded number at a time: it looks, loads and fills as any other
//! caller does, so what an invalidation has overtaken is not stored here either. All calls run in
//! the task of whoever awaits it, and end with it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::TryFuture;
use tokio::time::timeout;

use crate::engine::handle::Cache;
use crate::observe::status::Status;
use crate::read::control::CachedExt as _;
use crate::read::info::CacheInfo;

/// How many errors a warm-up keeps.
const ERRORS: usize = 16;

impl Cache {
    /// Calls an annotated function for each of `items`, with this cache in scope, so that later
    /// readers find its values: await what this returns. See
    /// [warming up](crate::docs::reading#warming-up).
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use cached_redis::{Cache, redis_cached};
    /// #[redis_cached(ttl = 3600, key = "square:<n>")]
    /// async fn square(n: u64) -> Result<u64, Infallible> {
    ///     Ok(n * n)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// let warm_up = cache.warm(1..=100, |n| square(n)).concurrency(8).await;
    /// assert_eq!(warm_up.calls.loaded, 100);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// None: the error of a call does not stop the others. They are counted, and the first ones kept.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the calls that run are dropped with it, and what was stored stays.
    pub fn warm<'a, I, F>(&self, items: I, call: F) -> Warm<'a, I::IntoIter, F>
    where
        I: IntoIterator,
    {
        Warm {
            cache: self.clone(),
            items: items.into_iter(),
            call,
            concurrency: 16,
            refresh: false,
            progress: None,
        }
    }
}

/// A warm-up that is being prepared; see [`Cache::warm`]. Await it to run it.
#[must_use = "a warm-up runs when it is awaited"]
pub struct Warm<'a, I, F> {
    cache: Cache,
    items: I,
    call: F,
    concurrency: usize,
    refresh: bool,
    progress: Option<Box<dyn FnMut(Progress) + Send + 'a>>,
}

impl<'a, I, F> Warm<'a, I, F> {
    /// How many calls run at once; 16 by default, and at least 1. Mind what the source can bear.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.max(1);
        self
    }

    /// Whether every function runs and its result replaces what is there, as with
    /// [`refreshed`](crate::CachedExt::refreshed). Off by default: what the cache has is left alone.
    pub fn refresh(mut self, refresh: bool) -> Self {
        self.refresh = refresh;
        self
    }

    /// Is told after each call how far the warm-up is.
    pub fn on_progress(mut self, progress: impl FnMut(Progress) + Send + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }
}

impl<I, F> fmt::Debug for Warm<'_, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warm")
            .field("concurrency", &self.concurrency)
            .field("refresh", &self.refresh)
            .finish_non_exhaustive()
    }
}

/// How the calls of a warm-up have ended so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The function ran, and its result was handed to the cache.
    pub loaded: usize,
    /// The cache had the value, or somebody else loaded it.
    pub hits: usize,
    /// The function ran, and nothing was stored: the store is away, a writer bars the key, or the
    /// function's own options say so.
    pub bypassed: usize,
    /// The function returned an error.
    pub failed: usize,
}

impl Progress {
    /// How many calls have ended.
    #[must_use]
    pub fn done(&self) -> usize {
        self.loaded + self.hits + self.bypassed + self.failed
    }

    fn count<T, E>(&mut self, result: &Result<T, E>, info: &CacheInfo) {
        let ended = match (result, info.status()) {
            (Err(_), _) => &mut self.failed,
            (Ok(_), Status::Local | Status::Hit | Status::Stale | Status::Joined) => &mut self.hits,
            (Ok(_), Status::Miss) if info.has_entry() => &mut self.loaded,
            (Ok(_), Status::Miss | Status::Bypass) => &mut self.bypassed,
        };
        *ended += 1;
    }
}

/// What a warm-up came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarmUp<E> {
    /// How the calls ended.
    pub calls: Progress,
    /// The first errors, 16 at most.
    pub errors: Vec<E>,
}

impl<'a, I, F, L, T, E> IntoFuture for Warm<'a, I, F>
where
    I: Iterator + Send + 'a,
    F: FnMut(I::Item) -> L + Send + 'a,
    L: Future<Output = Result<T, E>> + Send + 'a,
    T: Send + 'a,
    E: Send + 'a,
{
    type Output = WarmUp<E>;
    type IntoFuture = Pin<Box<dyn Future<Output = WarmUp<E>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(run(self))
    }
}

async fn run<I, F, L>(warm: Warm<'_, I, F>) -> WarmUp<L::Error>
where
    I: Iterator,
    F: FnMut(I::Item) -> L,
    L: TryFuture + Future<Output = Result<L::Ok, L::Error>>,
{
    let Warm { cache, call, .. } = warm;
    let mut progress = warm.progress;
    let mut calls = warm.items.map(call);
    let mut running = Vec::new();
    let mut ended = WarmUp {
        calls: Progress::default(),
        errors: Vec::new(),
    };
    loop {
        let free = warm.concurrency - running.len();
        let begin = |call| Box::pin(cache.scope(described(call, warm.refresh)));
        running.extend(calls.by_ref().take(free).map(begin));
        if running.is_empty() {
            let runtime = &cache.inner.runtime;
            let stored = runtime.tended(runtime.work.done());
            // What is not stored by then may be so later.
            let _ = timeout(cache.inner.settings.flush_timeout, stored).await;
            return ended;
        }
        let (result, info) = first(&mut running).await;
        ended.calls.count(&result, &info);
        if let Some(progress) = &mut progress {
            progress(ended.calls);
        }
        let room = ended.errors.len() < ERRORS;
        ended.errors.extend(result.err().filter(|_| room));
    }
}

async fn described<L: Future>(call: L, refresh: bool) -> (L::Output, CacheInfo) {
    match refresh {
        true => call.refreshed().with_info().await,
        false => call.with_info().await,
    }
}

/// The output of the first that ends, which is taken out.
async fn first<F: Future>(running: &mut Vec<Pin<Box<F>>>) -> F::Output {
    poll_fn(|context| {
        for at in 0..running.len() {
            if let Poll::Ready(output) = running[at].as_mut().poll(context) {
                drop(running.swap_remove(at));
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    })
    .await
}
