//! What a cache is made of, and which one a call asks.
//!
//! What users do with a cache is in [`cache`](crate::api::cache).

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Once, OnceLock};
use std::time::SystemTime;

use once_cell::sync::OnceCell;
use tokio::task::LocalKey;

use crate::engine::label::Finders;
use crate::engine::local::Level;
use crate::engine::mode::Modes;
use crate::engine::oversize::Oversize;
use crate::engine::settings::Settings;
use crate::error::pending::Pending;
use crate::observe::event::Event;
use crate::observe::registry::{self, Function, Site};
use crate::observe::signal;
use crate::observe::stats::{Counters, FunctionStats, Stats};
use crate::observe::warnings::Warnings;
use crate::protocol::bypass::Bypasses;
use crate::protocol::flight::Flights;
use crate::protocol::journal::Journal;
use crate::protocol::outbox::Outbox;
use crate::protocol::outlook::Outlook;
use crate::protocol::renewal::Renewals;
use crate::store::AnyStore;
use crate::store::health::{Health, State};
use crate::store::sample::StoreSample;
use crate::util::lock::Mutex;
use crate::util::tasks::Tasks;
use crate::util::within::{Local, Within};
use crate::wire::tag;

/// A cache: the client of one store, under one namespace.
///
/// Cheap to clone; all clones are the same cache.
///
/// ```
/// use cached_redis::{Cache, redis_cached};
///
/// #[redis_cached(ttl = 300, key = "greeting:<name>")]
/// async fn greeting(name: &str) -> String {
///     format!("Hello, {name}!")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// Cache::builder().url("memory://").namespace("shop").build().await?.install()?; // once
/// assert_eq!(greeting("Ada").await, "Hello, Ada!");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cache {
    pub(crate) inner: Arc<Inner>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("namespace", &self.inner.namespace)
            .finish_non_exhaustive()
    }
}

/// What the clones of a cache share.
pub(crate) struct Inner {
    /// Where entries live.
    pub(crate) store: AnyStore,
    /// The first part of every key.
    pub(crate) namespace: String,
    pub(crate) settings: Settings,
    /// Behind an `Arc` of their own, since each flight takes itself off the board.
    pub(crate) flights: Arc<Flights>,
    pub(crate) bypasses: Arc<Bypasses>,
    pub(crate) renewals: Arc<Renewals>,
    pub(crate) oversize: Oversize,
    pub(crate) modes: Modes,
    pub(crate) outlook: Outlook,
    /// Which functions have found tags while they loaded.
    pub(crate) finders: Finders,
    /// Shared with the store, which tells it of new connections.
    pub(crate) journal: Arc<Journal>,
    /// Shared with the store, which tells it of changes, and with the journal.
    pub(crate) level: Arc<Level>,
    pub(crate) outbox: Arc<Outbox>,
    /// By the slot of the site, made when it first does something; never grows, because all sites are known at link
    /// time.
    counters: Box<[OnceLock<Box<Counters>>]>,
    /// The same, made for their first calls.
    function_tags: Box<[OnceLock<(&'static str, String)>]>,
    sites: &'static [&'static Site],
    warnings: Warnings,
    /// What must reach the store is sent from tasks: a dropped future may never send its command.
    pub(crate) runtime: Arc<Tasks>,
    /// When this cache was built.
    begun: SystemTime,
    /// How full the store was when somebody asked last.
    pub(crate) sample: Mutex<Option<StoreSample>>,
}

impl Inner {
    /// See [`Tasks::finish`]. What it leaves to a later call does not keep the cache alive.
    pub(crate) fn finish<F>(
        self: &Arc<Self>,
        begin: impl Fn(Arc<Self>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = bool> + Send + 'static,
    {
        let cache = Arc::downgrade(self);
        self.runtime.finish(move || {
            let begun = cache.upgrade().map(&begin);
            async move {
                match begun {
                    Some(begun) => begun.await,
                    None => true,
                }
            }
        });
    }

    pub(crate) fn new(
        store: AnyStore,
        namespace: String,
        settings: Settings,
        journal: Arc<Journal>,
        runtime: Arc<Tasks>,
    ) -> Arc<Self> {
        let sites = registry::sites();
        registry::refuse_shared_default_keys();
        journal.serve(true);
        let level = Level::new(settings.local_bytes, settings.local_staleness);
        journal.kept_by(level.clone());
        store.track(level.clone());
        Arc::new(Self {
            store,
            namespace,
            flights: Flights::new(),
            bypasses: Arc::default(),
            renewals: Arc::default(),
            oversize: Oversize::default(),
            modes: Modes::new(sites.len()),
            outlook: Outlook::new(sites.len()),
            finders: Finders::new(sites.len()),
            outbox: Outbox::new(settings.outlet.clone(), settings.journal_keys),
            journal,
            level,
            counters: sites.iter().map(|_| OnceLock::new()).collect(),
            function_tags: sites.iter().map(|_| OnceLock::new()).collect(),
            warnings: Warnings::new(),
            sites,
            begun: SystemTime::now(),
            sample: Mutex::default(),
            settings,
            runtime,
        })
    }

    /// The tag that all entries of a function have, if they have any.
    pub(crate) fn function_tag(&self, function: &Function) -> Option<Cow<'_, str>> {
        let info = &function.info;
        if info.tags.is_empty() {
            return None;
        }
        let own = || tag::function_key(&self.namespace, info.template);
        // Code that is loaded after this cache was built has no place, or one that is another's.
        let place = self.function_tags.get(function.site.slot());
        let made = place.map(|place| place.get_or_init(|| (info.template, own())));
        Some(
            match made.filter(|(template, _)| *template == info.template) {
                Some((_, tag)) => Cow::Borrowed(tag),
                None => Cow::Owned(own()),
            },
        )
    }

    /// The name of what has this slot.
    pub(crate) fn function_at(&self, slot: usize) -> &'static str {
        self.sites.get(slot).map_or("", |site| site.name)
    }

    #[inline]
    pub(crate) fn counters(&self, site: &Site) -> &Counters {
        // Code loaded after this cache was built is counted with the direct calls.
        let counters = self.counters.get(site.slot());
        counters
            .unwrap_or(&self.counters[0])
            .get_or_init(Box::default)
    }

    pub(crate) fn stats(&self) -> Stats {
        let none = FunctionStats::none("");
        let row =
            |(site, counters): (&&'static Site, &OnceLock<Box<Counters>>)| match counters.get() {
                Some(counters) => counters.snapshot(site.name),
                None => none.of(site.name),
            };
        Stats {
            namespace: self.namespace.clone(),
            sample: self.sample.lock().clone(),
            functions: self.sites.iter().zip(&self.counters).map(row).collect(),
            store: self.store.stats(),
            local: self.level.stats(),
            pending: self.pending(),
        }
    }

    pub(crate) fn health(&self) -> Health {
        let state = self.store.condition();
        let state = state.unwrap_or_else(|| State::begun(true, self.begun));
        Health {
            connected: state.connected,
            since: state.since,
            last_error: state.last_error,
            breaker: self.store.stats().breaker,
            pending: self.pending(),
        }
    }

    pub(crate) fn pending(&self) -> Pending {
        Pending {
            events: self.outbox.waiting(),
            ..self.journal.pending()
        }
    }

    /// Writes down what happens to a key, if that is to be.
    #[cfg(feature = "testing")]
    pub(crate) fn trace(&self, key: &str, line: impl FnOnce() -> serde_json::Value) {
        let trace = self.settings.trace.as_ref();
        if let Some(trace) = trace.filter(|trace| trace.wants(key)) {
            trace.write(&line());
        }
    }

    #[inline]
    pub(crate) fn emit(&self, site: &Site, event: &Event<'_>) {
        #[cfg(feature = "testing")]
        if let Some(recorder) = &self.settings.recorder {
            recorder.record(site.name, event);
        }
        signal::emit(self.counters(site), &self.warnings, site, event);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.journal.serve(false);
        self.journal.bequeath();
        self.warnings.end();
        let pending = self.pending();
        if !pending.is_empty() {
            signal::abandoned(pending);
        }
    }
}

/// The cache of a call: not counted where it need not be, so that calls do not contend for its
/// counter.
#[derive(Debug)]
pub(crate) enum Handle {
    /// The installed one stays for ever.
    Installed(&'static Cache),
    Owned(Cache),
}

impl Deref for Handle {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        match self {
            Self::Installed(cache) => cache,
            Self::Owned(cache) => cache,
        }
    }
}

static INSTALLED: OnceCell<Cache> = OnceCell::new();

tokio::task_local! {
    static SCOPED: Cache;
}

impl Local for Cache {
    fn key() -> &'static LocalKey<Self> {
        &SCOPED
    }
}

/// Makes `cache` the one that calls ask; gives it back if there is one already.
pub(crate) fn install(cache: Cache) -> Result<(), Cache> {
    INSTALLED.set(cache)
}

/// Runs `future` with `cache` in the place of the installed one.
pub(crate) fn scope<F: Future>(cache: Cache, future: F) -> impl Future<Output = F::Output> {
    Within::new(Some(cache), future)
}

/// Lets `future` ask, in a task of its own, the cache that is asked here.
pub(crate) fn in_this_scope<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Within::new(scoped(), future)
}

/// The cache in scope.
#[inline]
pub(crate) fn scoped() -> Option<Cache> {
    SCOPED.try_with(Cache::clone).ok()
}

/// The installed cache.
pub(crate) fn installed() -> Option<Cache> {
    INSTALLED.get().cloned()
}

/// The cache that annotated functions ask: the one in scope, or else the installed one.
#[inline]
pub(crate) fn current() -> Option<Handle> {
    if let Some(cache) = scoped() {
        return Some(Handle::Owned(cache));
    }
    let installed = INSTALLED.get().map(Handle::Installed);
    if installed.is_none() {
        warn_once();
    }
    installed
}

#[cold]
fn warn_once() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        crate::util::warning::warn!(
            "no cache is installed: annotated functions run uncached (see `Cache::install`)"
        );
    });
}
