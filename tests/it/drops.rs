//! What is dropped first: the load, and then the right to it. So no two loads of a key are there at once, however
//! long one takes to go. And a write is over only when its body is gone.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;

use async_trait::async_trait;
use cached_redis::{Cache, invalidates, redis_cached, write_through};

use crate::support::{in_time, poll_once};

/// A source whose loads never end, and are looked at when they are dropped.
#[derive(Clone)]
struct Endless {
    cache: Cache,
    begun: Arc<AtomicUsize>,
    /// Whether others are looked for then.
    looks: bool,
    /// How many loads a reader could begin while one was being dropped.
    beside: Arc<AtomicUsize>,
}

impl Endless {
    async fn new() -> Self {
        Self {
            cache: Cache::builder().url("memory://").build().await.unwrap(),
            begun: Arc::default(),
            looks: true,
            beside: Arc::default(),
        }
    }

    async fn load(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _going = Going(self.clone());
        pending::<()>().await;
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

/// A load that is there until this is gone.
struct Going(Endless);

impl Drop for Going {
    fn drop(&mut self) {
        let Self(source) = self;
        if !source.looks {
            return;
        }
        let other = Endless {
            begun: Arc::default(),
            looks: false,
            ..source.clone()
        };
        // On a thread of its own, where it is no part of this load.
        let reader = || poll_once(pin!(source.cache.scope(one(&other, 7)))).is_ready();
        thread::scope(|scope| drop(scope.spawn(reader).join()));
        source.beside.fetch_add(other.begun(), Ordering::SeqCst);
    }
}

#[redis_cached(ttl = 600, key = "drops:<id>", skip(source))]
async fn one(source: &Endless, id: u64) -> u64 {
    source.load().await;
    id
}

#[redis_cached(batch(id in ids), ttl = 600, key = "drops:<id>", skip(source))]
async fn many(source: &Endless, ids: &[u64]) -> HashMap<u64, u64> {
    source.load().await;
    ids.iter().map(|id| (*id, *id)).collect()
}

/// Gives `read` up while it loads.
async fn give_up(source: &Endless, read: impl Future) {
    {
        let mut call = Box::pin(source.cache.scope(read));
        assert!(matches!(poll_once(call.as_mut()), Poll::Pending));
        assert_eq!(source.begun(), 1, "it loads at once");
    }
    assert_eq!(source.beside.load(Ordering::SeqCst), 0);
    let mut next = pin!(source.cache.scope(one(source, 7)));
    let next = async {
        while source.begun() == 1 {
            let _ = poll_once(next.as_mut());
            tokio::task::yield_now().await;
        }
    };
    in_time(next).await;
}

#[tokio::test]
async fn a_call_that_is_given_up_drops_its_load_before_the_right_to_it() {
    let source = Endless::new().await;
    give_up(&source, one(&source, 7)).await;
}

#[tokio::test]
async fn a_batch_that_is_given_up_drops_its_load_before_the_right_to_it() {
    let source = Endless::new().await;
    give_up(&source, many(&source, &[6, 7])).await;
}

/// A row, which writers alter when they go.
#[derive(Clone)]
struct Row {
    cache: Cache,
    value: Arc<AtomicU64>,
}

impl Row {
    async fn new() -> Self {
        Self {
            cache: Cache::builder().url("memory://").build().await.unwrap(),
            value: Arc::new(AtomicU64::new(1)),
        }
    }
}

#[redis_cached(ttl = 600, key = "drops:row", skip(row))]
async fn read(row: &Row) -> u64 {
    row.value.load(Ordering::SeqCst)
}

#[invalidates("drops:row")]
async fn write(altered: Altered) {
    let _altered = altered;
    pending::<()>().await;
}

/// What writes when it is dropped: before anything is sent, for which a flush would wait.
struct Altered(Row);

impl Drop for Altered {
    fn drop(&mut self) {
        let Self(row) = self;
        assert!(poll_once(pin!(row.cache.flush())).is_ready());
        row.value.store(2, Ordering::SeqCst);
    }
}

#[write_through(ttl = 600, key = "drops:row", tags = [])]
async fn write_through(altered: Altered) -> u64 {
    let _altered = altered;
    pending().await
}

/// A writer that is given up before its end.
async fn is_altered<F: Future>(write: impl FnOnce(Row) -> F) {
    let row = Row::new().await;
    {
        let mut call = Box::pin(row.cache.scope(write(row.clone())));
        assert!(poll_once(call.as_mut()).is_pending());
    }
    assert_eq!(row.cache.scope(read(&row)).await, 2);
}

#[tokio::test]
async fn a_write_that_is_given_up_drops_its_body_before_it_invalidates() {
    is_altered(|row| write(Altered(row))).await;
}

#[tokio::test]
async fn a_write_through_that_is_given_up_drops_its_body_before_it_invalidates() {
    is_altered(|row| write_through(Altered(row))).await;
}

/// What somebody reads and then writes when it is dropped.
struct Late(Row);

impl Drop for Late {
    fn drop(&mut self) {
        let Self(row) = self;
        assert_eq!(poll_once(pin!(row.cache.scope(read(row)))), Poll::Ready(1));
        row.value.store(2, Ordering::SeqCst);
    }
}

#[invalidates("drops:row")]
async fn keep(_late: Late) {}

#[invalidates("drops:row")]
async fn keep_in_pair((_late, _): (Late, u8)) {}

impl Late {
    #[invalidates("drops:row")]
    async fn keep(self) {}
}

#[async_trait]
trait Keep {
    async fn keep(&self, pair: (Late, u8), _: u8);
}

struct Shelf;

#[async_trait]
impl Keep for Shelf {
    #[invalidates("drops:row")]
    async fn keep(&self, (_late, _): (Late, u8), _: u8) {}
}

/// A writer that something was given which its body does not mention.
async fn is_late<F: Future>(write: impl FnOnce(Late) -> F) {
    let row = Row::new().await;
    row.cache.scope(write(Late(row.clone()))).await;
    assert_eq!(row.cache.scope(read(&row)).await, 2);
}

#[tokio::test]
async fn an_argument_that_no_body_mentions_is_dropped_before_the_write_invalidates() {
    is_late(keep).await;
    is_late(Late::keep).await;
    is_late(|late| keep_in_pair((late, 1))).await;
    is_late(|late| Shelf.keep((late, 1), 2)).await;
}

/// What says when it is dropped whether the value is stored.
struct Unstored(Cache);

impl Drop for Unstored {
    fn drop(&mut self) {
        let stored = poll_once(pin!(self.0.get::<u64>("drops:row")));
        assert!(matches!(stored, Poll::Ready(Ok(None))), "{stored:?}");
    }
}

#[write_through(ttl = 600, key = "drops:row", tags = [])]
async fn keep_through(_unstored: Unstored) -> u64 {
    2
}

#[tokio::test]
async fn an_argument_that_no_body_mentions_is_dropped_before_its_value_is_stored() {
    let row = Row::new().await;
    let write = keep_through(Unstored(row.cache.clone()));
    assert_eq!(row.cache.scope(write).await, 2);
    assert_eq!(row.cache.get("drops:row").await.unwrap(), Some(2_u64));
}

/// A key that cannot be rendered, of a result that is dropped for it.
struct Unrendered(#[expect(unused, reason = "dropped")] Late);

impl fmt::Display for Unrendered {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no key")
    }
}

#[invalidates("drops:row", "drops:other:<result>", when = "ok")]
async fn panicking(late: Late) -> Result<Unrendered, Infallible> {
    Ok(Unrendered(late))
}

#[tokio::test]
async fn a_result_whose_key_panics_is_dropped_before_the_write_invalidates() {
    is_late(async |late| {
        let mut call = Box::pin(panicking(late));
        let poll = AssertUnwindSafe(|| drop(poll_once(call.as_mut())));
        assert!(catch_unwind(poll).is_err(), "its key panics");
    })
    .await;
}

/// Says when it is dropped.
struct Named<'a>(&'static str, &'a Mutex<Vec<&'static str>>);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

async fn plain(_first: Named<'_>, second: Named<'_>, _third: Named<'_>) {
    assert_eq!(second.0, "second");
}

#[invalidates("drops:row")]
async fn writer(_first: Named<'_>, second: Named<'_>, _third: Named<'_>) {
    assert_eq!(second.0, "second");
}

#[tokio::test]
async fn arguments_of_a_writer_are_dropped_in_the_order_of_any_function() {
    let order = async |writes| {
        let dropped = Mutex::default();
        let [first, second, third] = ["first", "second", "third"].map(|name| Named(name, &dropped));
        match writes {
            false => plain(first, second, third).await,
            true => writer(first, second, third).await,
        }
        dropped.into_inner().unwrap()
    };
    assert_eq!(order(true).await, order(false).await);
}
