//! What a load says about its own result, from inside.
//!
//! While a cached function's body runs, a task-local leads to what it says: [`current`]. Cached
//! functions that it calls meanwhile say something too: a value past its TTL, which one of them was
//! served, would be frozen into a fresh entry of the outer function, so that one is not stored.
//!
//! It also leads to the keys that the load and those around it lead: a call inside of them that waited
//! for a load of such a key would wait for itself.
//!
//! The task-local does not cross `tokio::spawn`; a [`Current`] that was taken before does.

use std::collections::BTreeSet;
use std::fmt;
use std::iter;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::LocalKey;

use crate::engine::handle::Inner;
use crate::engine::tags::Stamp;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::protocol::flight::Flights;
use crate::util::within::{Local, Within};
use crate::wire::codec;
use crate::wire::entry::{self, Header, Live};
use crate::wire::tag::{self, Generation};

tokio::task_local! {
    static LOADING: Arc<Loading>;
}

impl Local for Arc<Loading> {
    fn key() -> &'static LocalKey<Self> {
        &LOADING
    }
}

/// A load that runs, and is dropped, where it is heard: what its destructors say is not for the load around it.
pub(crate) type Scoped<F> = Within<Arc<Loading>, Pin<Box<F>>>;

impl<F: Future> Scoped<F> {
    pub(crate) fn of(loading: Option<Arc<Loading>>, load: F) -> Self {
        Self::new(loading, Box::pin(load))
    }
}

/// One running load.
pub(crate) struct Loading {
    /// Of its cache, which they tell from others.
    flights: Arc<Flights>,
    /// The same.
    namespace: String,
    said: Mutex<Said>,
    /// The entry that the result is to replace, if there is one, and whether it may be of another shape.
    previous: Option<(Live, bool)>,
    /// How long an entry may be once it is unpacked.
    most: u64,
    /// Whether what inner calls are served is no matter of this load.
    isolated: bool,
    /// What it loads for its cache, in order.
    led: Vec<String>,
    /// The load that waits for this one.
    outer: Option<Arc<Loading>>,
}

/// What a load said about its result.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// How long it is fresh; zero: not to be stored.
    pub(crate) ttl: Option<Duration>,
    pub(crate) do_not_store: bool,
    /// An inner call was served a value past its TTL, or something that has tags nobody can tell.
    pub(crate) stale: bool,
    /// What the source tells this result from others by.
    pub(crate) validator: Option<String>,
    /// Tags whose generations were not read before the load.
    pub(crate) tags: BTreeSet<String>,
    /// The tags of inner calls, with the generations that these had found before their loads.
    pub(crate) inherited: Vec<(String, Generation)>,
}

impl Said {
    /// What calls inside of the load had to say is said of this call too, to the load that it is a part of;
    /// and so are the tags that the load began from. `cache`: that of this load.
    pub(crate) fn hand_on(&self, cache: &Flights, stamp: &Stamp) {
        if self.stale {
            served_stale();
        }
        inherit(cache, stamp.parts());
        let inherited = self.inherited.iter();
        inherit(cache, inherited.map(|(key, generation)| (key, *generation)));
        carry(cache, self.unread(stamp));
    }

    /// Tags that the load added and did not begin from.
    pub(crate) fn unread(&self, stamp: &Stamp) -> impl Iterator<Item = String> {
        let covered = stamp.covered();
        let unread = self.tags.iter().filter(move |key| !covered.contains(key));
        unread.cloned()
    }

    /// All tags of the result, `own` among them.
    pub(crate) fn tags_with(&self, own: &[String]) -> Vec<String> {
        let inherited = self.inherited.iter().map(|(key, _)| key);
        let all: BTreeSet<_> = own.iter().chain(&self.tags).chain(inherited).collect();
        all.into_iter().cloned().collect()
    }
}

impl Loading {
    /// One that has not begun. `isolated`: inner calls cannot speak. `led`: the keys that it loads.
    pub(crate) fn new(
        cache: &Inner,
        isolated: bool,
        previous: Option<(Live, bool)>,
        mut led: Vec<String>,
    ) -> Arc<Self> {
        led.sort_unstable();
        Arc::new(Self {
            flights: Arc::clone(&cache.flights),
            namespace: cache.namespace.clone(),
            said: Mutex::default(),
            previous,
            most: cache.settings.value_bytes,
            isolated,
            led,
            outer: LOADING.try_with(Arc::clone).ok(),
        })
    }

    /// One inside of `self` that is no load of its own.
    fn inside(self: &Arc<Self>, isolated: bool) -> Arc<Self> {
        Arc::new(Self {
            flights: Arc::clone(&self.flights),
            namespace: self.namespace.clone(),
            said: Mutex::default(),
            previous: None,
            most: self.most,
            isolated,
            led: Vec::new(),
            outer: Some(Arc::clone(self)),
        })
    }

    /// The flights of its cache.
    pub(crate) fn flights(&self) -> &Arc<Flights> {
        &self.flights
    }

    fn is_of(&self, cache: &Flights) -> bool {
        std::ptr::eq(&*self.flights, cache)
    }

    /// The same key in another cache is another entry.
    fn leads(&self, inner: &Inner, key: &str) -> bool {
        let found = self.led.binary_search_by(|led| led.as_str().cmp(key));
        self.is_of(&inner.flights) && found.is_ok()
    }

    /// What it has said, once it has ended.
    pub(crate) fn heard(&self) -> Said {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Loading {
    /// Says nothing of the value that it is to replace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").finish_non_exhaustive()
    }
}

/// Tells the loads apart that run at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadId(usize);

/// The load that runs around this, of whichever cache.
#[inline]
pub(crate) fn innermost() -> Option<LoadId> {
    let id = LOADING.try_with(|load| LoadId(Arc::as_ptr(load).addr()));
    id.ok()
}

/// Whether there is one.
#[inline]
pub(crate) fn is_inside_any() -> bool {
    innermost().is_some()
}

/// Whether a call that runs here is inside of a load of `key`.
pub(crate) fn leads(inner: &Inner, key: &str) -> bool {
    let is_led = |innermost: &Arc<Loading>| {
        let mut loads = iter::successors(Some(innermost), |load| load.outer.as_ref());
        loads.any(|load| load.leads(inner, key))
    };
    LOADING.try_with(is_led).unwrap_or(false)
}

/// The same, told once for each function: without a cache it would go on calling itself.
pub(crate) fn is_inside(inner: &Inner, function: &'static Function, key: &str) -> bool {
    let is_inside = leads(inner, key);
    if is_inside {
        inner.emit(&function.site, &Event::Nested(function.nested.first()));
    }
    is_inside
}

/// Lets the loads of `future`, in a task of its own, know the loads that wait for it, if it is `awaited`.
pub(crate) fn carried_over<F: Future>(awaited: bool, future: F) -> impl Future<Output = F::Output> {
    // What they say is told by whoever waits.
    Within::new(awaited.then(|| inside(true)).flatten(), future)
}

/// An entry is served. What is made of one that is still to be written to the source is not stored: nobody
/// would invalidate it if the write came to nothing.
pub(crate) fn served(header: &Header) {
    if header.is_pending() {
        served_stale();
    }
}

/// Tells the load that this call is a part of, if there is one, that the call was served a value past
/// its TTL.
pub(crate) fn served_stale() {
    tell(|_, said| said.stale = true);
}

/// Tells it that this call was served something that has tags nobody can tell.
pub(crate) fn opaque() {
    served_stale();
}

/// Tells it the tags of a result that this call was served by `cache`, and their generations.
pub(crate) fn inherit<'a>(cache: &Flights, tags: impl Iterator<Item = (&'a String, Generation)>) {
    let tags = tags.map(|(key, generation)| (key.clone(), generation));
    add(cache, tags, |said| &mut said.inherited);
}

/// Tells it the tags of a result of `cache` whose generations this call did not read for itself.
pub(crate) fn carry(cache: &Flights, tags: impl IntoIterator<Item = String>) {
    add(cache, tags, |said| &mut said.tags);
}

/// Those of another cache are [opaque]: the same name in the store of the load is another tag, and
/// nobody reads there what has become of this one.
fn add<T, L: Extend<T>>(
    cache: &Flights,
    tags: impl IntoIterator<Item = T>,
    list: impl FnOnce(&mut Said) -> &mut L,
) {
    tell(|load, said| match load.is_of(cache) {
        true => list(said).extend(tags),
        false => said.stale |= tags.into_iter().next().is_some(),
    });
}

/// The place of a call that its cache has no part in, inside of a load. That load is not the call's own:
/// its TTL and its previous value are no matter of the call. Only what is said of tags and of stale
/// values goes through. `None` outside of a load.
pub(crate) fn inside(isolated: bool) -> Option<Arc<Loading>> {
    LOADING.try_with(|outer| outer.inside(isolated)).ok()
}

fn tell(what: impl FnOnce(&Loading, &mut Said)) {
    // Without the task-local there is nobody to tell.
    let _ = LOADING.try_with(|outer| {
        if !outer.isolated {
            what(outer, &mut outer.lock());
        }
    });
}

/// The load that runs here: inside of a function under `#[redis_cached]` or `#[write_through]`, or of the
/// closure given to [`get_or_fill`](crate::Cache::get_or_fill), it can say what becomes of its result.
///
/// Elsewhere what is said has no effect. A function that runs without the cache inside of such a load has
/// nothing to say of that load but tags, which the result will have.
///
/// ```
/// use std::time::Duration;
/// use cached_redis::{Cache, CachedExt as _, Status, current, redis_cached};
///
/// #[redis_cached(ttl = 3600, key = "rate:<currency>")]
/// async fn rate(currency: &str) -> f64 {
///     let (rate, is_final) = (1.25, currency == "EUR");
///     match is_final {
///         true => current().ttl(Duration::from_secs(86_400)),
///         false => current().do_not_store(),
///     }
///     rate
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let cache = Cache::builder().url("memory://").build().await?;
/// cache
///     .scope(async {
///         rate("CHF").await;
///         let (_, info) = rate("CHF").with_info().await;
///         assert_ne!(info.status(), Status::Hit); // loaded once more
///     })
///     .await;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn current() -> Current {
    Current(LOADING.try_with(Arc::clone).ok())
}

/// The load that runs here; see [`current`].
#[derive(Clone, Debug)]
pub struct Current(Option<Arc<Loading>>);

impl Current {
    /// How long the result stays fresh, in the place of the function's `ttl`; jitter applies to it.
    /// Zero: it is not stored. The last one said counts.
    pub fn ttl(&self, ttl: Duration) {
        self.say(|said| said.ttl = Some(ttl));
    }

    /// The result is not stored. An old value that could still be served goes.
    pub fn do_not_store(&self) {
        self.say(|said| said.do_not_store = true);
    }

    /// Adds a tag that is known only now, beside those of the attribute; see
    /// [tags](crate::docs::tags). What was loaded before a tag was known could be older than its last
    /// invalidation, so a result with a new tag is not stored: the tag's name is, and the next load,
    /// which begins with that, stores its result.
    pub fn tag(&self, tag: impl AsRef<str>) {
        if let Some(loading) = &self.0 {
            let key = tag::tag_key(&loading.namespace, tag.as_ref());
            loading.lock().tags.insert(key);
        }
    }

    /// What the source tells this result from others by, such as an `ETag` or a modification time. It is
    /// kept beside the value and comes back in [`Previous`]. One that is longer than 64 KiB, together with
    /// the names of tags, is left out with a warning; the value is kept.
    pub fn validator(&self, validator: impl Into<String>) {
        let validator = validator.into();
        self.say(|said| said.validator = Some(validator));
    }

    /// The value that this load is to replace, if one is there that was not invalidated before the load
    /// began: past its TTL inside a stale window, about to be, or of another version of the source. With
    /// it the load can ask its source whether anything has changed; see
    /// [versions](crate::docs::versions). `None` also for a `T` that is not the type of the value, and for
    /// values in a codec of your own.
    #[must_use]
    pub fn previous<T: Serialize + DeserializeOwned>(&self) -> Option<Previous<T>> {
        let loading = self.0.as_ref()?;
        let (live, additive) = loading.previous.as_ref()?;
        let payload = live.unpacked(loading.most).ok()?;
        let value = codec::decode_builtin(&live.header, &payload, *additive)?;
        let extensions = entry::extensions(&live.entry)?;
        Some(Previous {
            value,
            validator: extensions.validator.map(str::to_owned),
            loading: Arc::clone(loading),
        })
    }

    /// Whether anybody listens: the function runs on behalf of a cache.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        self.0.is_some()
    }

    fn say(&self, what: impl FnOnce(&mut Said)) {
        if let Some(loading) = &self.0 {
            what(&mut loading.lock());
        }
    }
}

/// The value that a load is to replace; see [`Current::previous`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Previous<T> {
    /// The value.
    pub value: T,
    /// What the load that gave it had said in [`Current::validator`].
    pub validator: Option<String>,
    loading: Arc<Loading>,
}

impl<T> Previous<T> {
    /// The value, for a load whose source says that it has not changed: returned as the result, it is
    /// fresh again, with the same validator.
    #[must_use]
    pub fn not_modified(self) -> T {
        self.loading.lock().validator = self.validator;
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::handle::Cache;
    use crate::util::boxed::Boxed;

    #[tokio::test]
    async fn a_load_hears_of_itself_and_of_inner_calls_but_not_of_theirs() {
        let cache = Cache::builder().url("memory://").build().await.unwrap();
        let hear = async |isolated, load: Boxed<'static, ()>| {
            let loading = Loading::new(&cache.inner, isolated, None, Vec::new());
            Scoped::of(Some(Arc::clone(&loading)), load).await;
            loading.heard()
        };
        let inner = Loading::new(&cache.inner, false, None, Vec::new());
        let outer = async move {
            let load = async { current().do_not_store() };
            Scoped::of(Some(Arc::clone(&inner)), load).await;
            assert!(inner.heard().do_not_store);
            current().ttl(Duration::from_secs(1));
        };
        let said = hear(false, Box::pin(outer)).await;
        assert_eq!(
            (said.ttl, said.do_not_store),
            (Some(Duration::from_secs(1)), false)
        );
        let said = hear(false, Box::pin(async { served_stale() })).await;
        assert!(said.stale);
        let said = hear(true, Box::pin(async { served_stale() })).await;
        assert!(!said.stale);
    }

    #[test]
    fn outside_of_a_load_nobody_listens() {
        assert!(!current().is_cached());
        current().do_not_store();
        served_stale();
    }
}
